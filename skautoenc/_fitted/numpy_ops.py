"""The layers of Keras in NumPy, at inference."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .._utils.threads import MAX_SINGLE_THREADED
from .activations import ACTIVATIONS, elu, leaky_relu, relu, softmax
from .graph import Layer, UnsupportedGraph, compute_dtype


class Operation(NamedTuple):
    """What a layer computes.

    Attributes
    ----------
    function : callable
        ``(*inputs, *weights) -> output``.

    overwrites : bool
        Whether it may write into its first input.
    """

    function: Callable
    overwrites: bool = False


def numpy_operation(layer: Layer) -> Operation:
    """Return what a layer computes, in float32.

    Raises
    ------
    UnsupportedGraph
        If only Keras can compute it.
    """
    if layer.kind not in _OPERATIONS or compute_dtype(layer.config) != "float32":
        raise UnsupportedGraph(layer.kind)
    return _OPERATIONS[layer.kind](layer.config)


def _activation(name):
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise UnsupportedGraph(name)
    return ACTIVATIONS[name].function


# BLAS computes the last columns of a product that are no multiple of this in another
# order, which depends on the number of rows.
_COLUMNS = 4

# How BLAS rounds a row depends on its position, at least on processors without AVX-512,
# but not in products of this many rows.
_GROUP = 4

# Products of groups of more rows, or of large kernels, take too long.
_FEW_ROWS = 32

# Positions of few rows, repeated until their number is a multiple of the group.
_PADDED = [np.arange(n + -n % _GROUP) % max(n, 1) for n in range(_FEW_ROWS + 1)]


def _product(x, kernel):
    """Return ``x @ kernel``; if it is small, no row depends on the other rows."""
    (n_in, n_out), n_rows = kernel.shape, x.shape[0]
    if n_out % _COLUMNS:
        padded = np.zeros((n_in, n_out + -n_out % _COLUMNS), kernel.dtype)
        padded[:, :n_out] = kernel
        return np.ascontiguousarray(_product(x, padded)[:, :n_out])
    is_small = n_rows <= _FEW_ROWS and n_rows * kernel.size <= MAX_SINGLE_THREADED
    has_groups = is_small and n_rows > _GROUP and n_rows % _GROUP == 0
    if has_groups and isinstance(x, np.ndarray) and x.ndim == 2:
        groups = x.reshape(-1, _GROUP, n_in)
        return np.matmul(groups, kernel).reshape(n_rows, n_out)
    return x @ kernel


def padding_positions(n_rows: int) -> np.ndarray | None:
    """Return the positions with which few rows become groups, None if they are."""
    is_padded = n_rows % _GROUP and n_rows < _FEW_ROWS
    return _PADDED[n_rows] if is_padded else None


def _dense(config):
    activation = _activation(config["activation"])

    def dense(x, kernel, bias=None):
        x = _product(x, kernel)
        if bias is not None:
            x += bias
        return activation(x)

    return Operation(dense)


def _transposed_dense(config):
    dense = _dense(config).function
    return Operation(lambda x, kernel, bias: dense(x, kernel.T, bias))


def _check_last_axis(config):
    if config["axis"] not in (-1, 1, [-1], [1]):
        raise UnsupportedGraph("normalisation over another axis")


def _batch_normalization(config):
    _check_last_axis(config)

    def batch_normalization(x, *weights):
        *affine, mean, variance = weights
        factor = 1 / np.sqrt(variance + np.float32(config["epsilon"]))
        if config["scale"]:
            factor *= affine[0]
        shift = -mean * factor
        if config["center"]:
            shift += affine[-1]
        return x * factor + shift

    return Operation(batch_normalization)


def _layer_normalization(config):
    _check_last_axis(config)

    def layer_normalization(x, *affine):
        x = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(x).mean(axis=-1, keepdims=True)
        x /= np.sqrt(variance + np.float32(config["epsilon"]))
        if config["scale"]:
            x *= affine[0]
        if config["center"]:
            x += affine[-1]
        return x

    return Operation(layer_normalization)


def _elementwise(function):
    return Operation(function, overwrites=True)


def _relu_layer(config):
    settings = [config[k] for k in ("negative_slope", "max_value", "threshold")]
    return _elementwise(lambda x: relu(x, *settings))


def _identity(config):
    return Operation(lambda x: x)


_OPERATIONS = {
    "Dense": _dense,
    "TransposedDense": _transposed_dense,
    "Flatten": lambda c: Operation(lambda x: x.reshape(len(x), -1)),
    "Reshape": lambda c: Operation(lambda x: x.reshape(len(x), *c["target_shape"])),
    "Activation": lambda c: _elementwise(_activation(c["activation"])),
    "ReLU": _relu_layer,
    "LeakyReLU": lambda c: _elementwise(lambda x: leaky_relu(x, c["negative_slope"])),
    "ELU": lambda c: _elementwise(lambda x: elu(x, c["alpha"])),
    "Softmax": lambda c: _elementwise(lambda x: softmax(x, c["axis"])),
    "PReLU": lambda c: Operation(
        lambda x, alpha: np.maximum(x, 0) + alpha * np.minimum(x, 0)
    ),
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "Add": lambda c: Operation(lambda *inputs: sum(inputs[1:], inputs[0])),
    "Concatenate": lambda c: Operation(
        lambda *inputs: np.concatenate(inputs, axis=c["axis"])
    ),
    "Rescaling": lambda c: Operation(
        lambda x: x * np.float32(c["scale"]) + np.float32(c["offset"])
    ),
    **dict.fromkeys(
        (
            "ActivityRegularization",
            "AlphaDropout",
            "Dropout",
            "GaussianDropout",
            "GaussianNoise",
            "Identity",
        ),
        _identity,
    ),
}
