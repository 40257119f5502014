"""The layers of Keras as ONNX nodes, but for convolutions and pooling.

Tensors have the axes of Keras: rows first, channels last.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .._utils.one_hot import Groups, OneHotColumns
from .activations import ACTIVATIONS
from .nodes import Nodes

_F = np.float32

# The end of an axis, in a slice.
END = np.iinfo(np.int64).max

# ``(nodes, config of the layer, names of its inputs, its weights) -> name``.
LayerFunction = Callable[[Nodes, dict, list[str], tuple[np.ndarray, ...]], str]


class UnsupportedLayer(Exception):
    """A layer, or a setting of one, that has no converter."""


def activate(nodes: Nodes, name: Any, x: str) -> str:
    """Apply an activation, as given in a config.

    Raises
    ------
    UnsupportedLayer
        If it has no converter.
    """
    if isinstance(name, dict) or name not in ACTIVATIONS:
        described = class_path(name) if isinstance(name, dict) else repr(name)
        raise UnsupportedLayer(f"its activation, {described}, has no converter")
    return ACTIVATIONS[name](nodes, x)


def class_path(part: dict) -> str:
    """Return module and name of the class or function of a serialised object."""
    is_function = part.get("class_name") == "function"
    name = str(part.get("config") if is_function else part.get("class_name"))
    return ".".join(filter(None, [part.get("module"), name.rpartition(">")[2]]))


def _dense(nodes, config, inputs, weights):
    kernel, *bias = weights
    x = nodes.add("MatMul", *inputs, kernel)
    for term in bias:
        x = nodes.add("Add", x, term)
    return activate(nodes, config["activation"], x)


def _transposed_dense(nodes, config, inputs, weights):
    kernel, bias = weights
    return _dense(nodes, config, inputs, (kernel.T, bias))


def _batch_normalization(nodes, config, inputs, weights):
    *affine, mean, variance = weights
    factor = 1 / np.sqrt(variance + _F(config["epsilon"]))
    if config["scale"]:
        factor = factor * affine[0]
    shift = -mean * factor
    if config["center"]:
        shift = shift + affine[-1]
    if config["axis"] in (1, [1]):
        zeros, ones = np.zeros_like(mean), np.ones_like(mean)
        return nodes.add(
            "BatchNormalization", *inputs, factor, shift, zeros, ones, epsilon=0.0
        )
    _check_last_axis(config)
    return nodes.add("Add", nodes.add("Mul", *inputs, factor), shift)


def _check_last_axis(config):
    if config["axis"] not in (-1, [-1]):
        raise UnsupportedLayer(f"axis={config['axis']!r} has no converter; -1 has one")


def _layer_normalization(nodes, config, inputs, affine):
    _check_last_axis(config)
    x = nodes.add("Sub", *inputs, nodes.reduce("ReduceMean", inputs[0], [-1]))
    variance = nodes.reduce("ReduceMean", nodes.add("Mul", x, x), [-1])
    variance = nodes.add("Add", variance, _F(config["epsilon"]))
    x = nodes.add("Div", x, nodes.add("Sqrt", variance))
    if config["scale"]:
        x = nodes.add("Mul", x, affine[0])
    return nodes.add("Add", x, affine[-1]) if config["center"] else x


def _relu(nodes, config, inputs, _):
    (x,) = inputs
    slope, threshold = _F(config["negative_slope"]), _F(config["threshold"])
    below = nodes.add("Mul", nodes.add("Sub", x, threshold), slope)
    x = nodes.add("Where", nodes.add("Less", x, threshold), below, x)
    maximum = config["max_value"]
    return x if maximum is None else nodes.add("Min", x, _F(maximum))


def _rescaling(nodes, config, inputs, _):
    x = nodes.add("Mul", *inputs, np.asarray(config["scale"], np.float32))
    return nodes.add("Add", x, np.asarray(config["offset"], np.float32))


def _softmax(nodes, config, inputs, _):
    if not isinstance(config["axis"], int):
        raise UnsupportedLayer("a softmax over several axes has no converter")
    return nodes.add("Softmax", *inputs, axis=config["axis"])


def grouped_softmax(nodes: Nodes, x: str, groups: Groups) -> str:
    """Replace columns of groups, which are logits, by probabilities.

    Groups are padded to the same number of columns, so that one softmax computes all.
    """
    hot = OneHotColumns.of(groups)
    is_column = np.arange(hot.sizes.max()) < hot.sizes[:, np.newaxis]
    columns = np.zeros(is_column.shape, np.int64)
    columns[is_column] = hot.columns
    padding = np.where(is_column, 0, -np.inf).astype(np.float32)
    logits = nodes.add("Add", nodes.add("Gather", x, columns, axis=1), padding)
    shares = nodes.reshape(nodes.add("Softmax", logits, axis=-1), (-1,))
    # The shares of all groups, and then the columns of x.
    both = nodes.add("Concat", shares, x, axis=1)
    n_columns = hot.columns.max() + 1
    order = is_column.size + np.arange(n_columns)
    order[hot.columns] = np.flatnonzero(is_column)
    first = nodes.add("Gather", both, order, axis=1)
    ends = np.array([n_columns]), np.array([END]), np.array([1])
    return nodes.add("Concat", first, nodes.add("Slice", x, *ends), axis=1)


def _grouped_softmax(nodes, config, inputs, _):
    return grouped_softmax(nodes, *inputs, tuple(map(tuple, config["groups"])))


def _identity(nodes, config, inputs, _):
    return inputs[0]


def _combined(operator):
    """A layer that combines its inputs elementwise, two by two."""

    def combine(nodes, config, inputs, _):
        x, *others = inputs
        for other in others:
            x = nodes.add(operator, x, other)
        return x

    return combine


def _average(nodes, config, inputs, _):
    total = _combined("Add")(nodes, config, inputs, _)
    return nodes.add("Div", total, _F(len(inputs)))


LAYERS: dict[str, LayerFunction] = {
    "Activation": lambda n, c, inputs, _: activate(n, c["activation"], *inputs),
    "Add": _combined("Add"),
    "Average": _average,
    "BatchNormalization": _batch_normalization,
    "Concatenate": lambda n, c, inputs, _: n.add("Concat", *inputs, axis=c["axis"]),
    "Dense": _dense,
    "ELU": lambda n, c, inputs, _: n.add("Elu", *inputs, alpha=float(c["alpha"])),
    "Flatten": lambda n, c, inputs, _: n.reshape(inputs[0], (-1,)),
    "GroupedSoftmax": _grouped_softmax,
    "LayerNormalization": _layer_normalization,
    "LeakyReLU": lambda n, c, inputs, _: n.add(
        "LeakyRelu", *inputs, alpha=float(c["negative_slope"])
    ),
    "Maximum": _combined("Max"),
    "Minimum": _combined("Min"),
    "Multiply": _combined("Mul"),
    "PReLU": lambda n, c, inputs, weights: n.add("PRelu", *inputs, *weights),
    "Permute": lambda n, c, inputs, _: n.add(
        "Transpose", *inputs, perm=[0, *c["dims"]]
    ),
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Reshape": lambda n, c, inputs, _: n.reshape(inputs[0], c["target_shape"]),
    "Softmax": _softmax,
    "Subtract": _combined("Sub"),
    "TransposedDense": _transposed_dense,
    **dict.fromkeys(
        (
            "ActivityRegularization",
            "AlphaDropout",
            "Dropout",
            "GaussianDropout",
            "GaussianNoise",
            "Identity",
            "SpatialDropout1D",
            "SpatialDropout2D",
        ),
        _identity,
    ),
}
