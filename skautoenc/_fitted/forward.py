"""Keras configs evaluated with NumPy: no framework call, no TensorFlow."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

# An array is taken up faster than a number, half of the time on a single row.
_HALF = np.array(0.5, np.float32)

# Every activation may overwrite its argument.


def _relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    if threshold == 0 and negative_slope == 0:
        x = np.maximum(x, 0, out=x)
    else:
        x = np.where(x >= threshold, x, negative_slope * (x - threshold))
    return x if max_value is None else np.minimum(x, max_value, out=x)


def _leaky_relu(x, negative_slope=0.2):
    return _relu(x, negative_slope=negative_slope)


def _elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _selu(x):
    return 1.0507009873554805 * _elu(x, 1.6732632423543772)


def _celu(x, alpha=1.0):
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha)


def _sigmoid(x):
    # (1 + tanh(x / 2)) / 2: NumPy's tanh is vectorised, and nothing overflows.
    x *= _HALF
    np.tanh(x, out=x)
    x *= _HALF
    x += _HALF
    return x


def _hard_sigmoid(x):
    x *= 1 / 6
    x += 0.5
    return np.clip(x, 0, 1, out=x)


def _softmax(x, axis=-1):
    x -= x.max(axis=axis, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=axis, keepdims=True)
    return x


def _log_softmax(x, axis=-1):
    x -= x.max(axis=axis, keepdims=True)
    x -= np.log(np.exp(x).sum(axis=axis, keepdims=True))
    return x


def _sparsemax(x, axis=-1):
    # With Keras's threshold, which is not that of Martins and Astudillo (2016): it
    # sums the cumulative sums over the support, where they take the last one.
    ordered = -np.sort(-x, axis=axis)
    total = np.cumsum(ordered, axis=axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    rank = np.arange(1, x.shape[axis] + 1, dtype=x.dtype).reshape(shape)
    support = ordered - (total - 1) / rank > 0
    size = support.sum(axis=axis, keepdims=True, dtype=x.dtype)
    total = np.where(support, total, 0).sum(axis=axis, keepdims=True)
    return np.maximum(x - (total - 1) / size, 0)


def _softplus(x):
    return np.logaddexp(x, np.float32(0))


def _gelu(x):
    return x * (0.5 + 0.5 * special.erf(x * np.float32(0.7071067811865476)))


def _glu(x, axis=-1):
    value, gate = np.split(x, 2, axis=axis)
    return value * _sigmoid(gate.copy())


ACTIVATIONS = {
    "celu": _celu,
    "elu": _elu,
    "exponential": lambda x: np.exp(x, out=x),
    "gelu": _gelu,
    "glu": _glu,
    "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda x: x * _hard_sigmoid(x.copy()),
    "hard_tanh": lambda x: np.clip(x, -1, 1, out=x),
    "leaky_relu": _leaky_relu,
    "linear": lambda x: x,
    "log_sigmoid": lambda x: special.log_expit(x),
    "log_softmax": _log_softmax,
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "relu": _relu,
    "relu6": lambda x: np.clip(x, 0, 6, out=x),
    "selu": _selu,
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x.copy()),
    "soft_shrink": lambda x: np.where(np.abs(x) > 0.5, x - 0.5 * np.sign(x), 0),
    "softmax": _softmax,
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "sparse_plus": lambda x: np.where(x < 1, np.square(np.maximum(x, -1) + 1) / 4, x),
    "sparse_sigmoid": lambda x: np.clip(0.5 * (x + 1), 0, 1),
    "sparsemax": _sparsemax,
    "squareplus": lambda x: 0.5 * (x + np.sqrt(np.square(x) + 4)),
    "tanh": lambda x: np.tanh(x, out=x),
    "tanh_shrink": lambda x: x - np.tanh(x),
}


class _Unsupported(Exception):
    """A config holds something that only Keras can evaluate."""


class _Layer(NamedTuple):
    function: Callable  # (*inputs, *weights) -> output
    n_weights: int = 0
    overwrites: bool = False  # whether it may write into its first input


def _activation(name):
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise _Unsupported(name)
    return ACTIVATIONS[name]


def _dense(config):
    activation = _activation(config["activation"])
    if config.get("quantization_config") or config.get("lora_rank"):
        raise _Unsupported("quantised or low-rank kernels")

    def dense(x, kernel, bias=None):
        if kernel.shape[1] == 1:
            # BLAS rounds a matrix-vector product by where a row stands among the
            # others; a second column makes it the matrix product, which does not.
            x = np.ascontiguousarray((x @ np.repeat(kernel, 2, axis=1))[:, :1])
        else:
            x = x @ kernel
        if bias is not None:
            x += bias
        return activation(x)

    return _Layer(dense, 2 if config["use_bias"] else 1)


def _transposed_dense(config):
    dense = _dense({**config, "use_bias": True})
    return _Layer(lambda x, kernel, bias: dense.function(x, kernel.T, bias), 2)


def _over_last_axis(config):
    if config["axis"] not in (-1, 1, [-1], [1]):
        raise _Unsupported("normalisation over another axis")


def _batch_normalization(config):
    _over_last_axis(config)
    scale, center = bool(config["scale"]), bool(config["center"])

    def batch_normalization(x, *weights):
        *affine, mean, variance = weights
        factor = 1 / np.sqrt(variance + np.float32(config["epsilon"]))
        if scale:
            factor *= affine[0]
        shift = -mean * factor
        if center:
            shift += affine[-1]
        return x * factor + shift

    return _Layer(batch_normalization, 2 + scale + center)


def _layer_normalization(config):
    _over_last_axis(config)
    if config.get("rms_scaling"):
        raise _Unsupported("rms_scaling")
    scale, center = bool(config["scale"]), bool(config["center"])

    def layer_normalization(x, *affine):
        x = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(x).mean(axis=-1, keepdims=True)
        x /= np.sqrt(variance + np.float32(config["epsilon"]))
        if scale:
            x *= affine[0]
        if center:
            x += affine[-1]
        return x

    return _Layer(layer_normalization, scale + center)


def _elementwise(function):
    return _Layer(function, overwrites=True)


def _identity(config):
    return _Layer(lambda x: x)


def _total(*inputs):
    return sum(inputs[1:], inputs[0])


_LAYERS = {
    "Dense": _dense,
    "TransposedDense": _transposed_dense,
    "Flatten": lambda c: _Layer(lambda x: x.reshape(len(x), -1)),
    "Reshape": lambda c: _Layer(lambda x: x.reshape(len(x), *c["target_shape"])),
    "Activation": lambda c: _elementwise(_activation(c["activation"])),
    "ReLU": lambda c: _elementwise(
        lambda x: _relu(x, c["negative_slope"], c["max_value"], c["threshold"])
    ),
    "LeakyReLU": lambda c: _elementwise(lambda x: _leaky_relu(x, c["negative_slope"])),
    "ELU": lambda c: _elementwise(lambda x: _elu(x, c["alpha"])),
    "Softmax": lambda c: _elementwise(lambda x: _softmax(x, c["axis"])),
    "PReLU": lambda c: _Layer(
        lambda x, alpha: np.maximum(x, 0) + alpha * np.minimum(x, 0), 1
    ),
    "BatchNormalization": _batch_normalization,
    "LayerNormalization": _layer_normalization,
    "Add": lambda c: _Layer(_total),
    "Concatenate": lambda c: _Layer(
        lambda *inputs: np.concatenate(inputs, axis=c["axis"])
    ),
    "Rescaling": lambda c: _Layer(
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


class _Step(NamedTuple):
    layer: _Layer
    weights: slice
    sources: tuple
    target: tuple
    copies: bool


class Forward:
    """The forward pass of a Keras model, planned from its config.

    Parameters
    ----------
    spec : dict
        Serialised Sequential or Functional model: ``json.loads(model.to_json())``.
    """

    def __init__(self, spec):
        graph = {"Sequential": _chain_of, "Functional": _graph_of}.get(
            spec["class_name"]
        )
        if graph is None:
            raise _Unsupported(spec["class_name"])
        self._input, self._output, nodes, layers = graph(spec["config"])
        self._steps, self.n_weights = _plan(self._input, self._output, nodes, layers)

    def __call__(self, x, weights):
        """Evaluate.

        Parameters
        ----------
        x : ndarray or sparse matrix of shape (n_samples, n_in), float32
        weights : sequence of ndarray
            In the order of ``model.get_weights()``.

        Returns
        -------
        ndarray of shape (n_samples, n_out), float32
        """
        values = {self._input: x}
        for layer, own, sources, target, copies in self._steps:
            inputs = [values[source] for source in sources]
            if copies:
                inputs[0] = inputs[0].copy()
            values[target] = layer.function(*inputs, *weights[own])
        return values[self._output]


def plan_forward(spec, n_weights):
    """Return the `Forward` of a model, or None where only Keras can run it.

    Parameters
    ----------
    spec : dict
        Serialised Keras model.

    n_weights : int
        Arrays in ``model.get_weights()``. Fewer than the layers ask for means that
        nested models share some.
    """
    try:
        forward = Forward(spec)
    except _Unsupported:
        return None
    return forward if forward.n_weights == n_weights else None


def _layer_of(spec):
    """Return the `_Layer` that evaluates one serialised Keras layer."""
    name, config = spec["class_name"], spec["config"]
    if spec.get("registered_name") not in (None, name, f"skautoenc>{name}"):
        raise _Unsupported(name)  # a user's class that bears a Keras name
    if name in ("Sequential", "Functional"):
        inner = Forward(spec)
        return _Layer(lambda x, *weights: inner(x, weights), inner.n_weights)
    if name not in _LAYERS or not _in_float32(config.get("dtype", "float32")):
        raise _Unsupported(name)
    return _LAYERS[name](config)


def _in_float32(dtype):
    return (dtype["config"]["name"] if isinstance(dtype, dict) else dtype) == "float32"


def _name(spec):
    # The config of a user's own model need not have it.
    return spec["name"] if "name" in spec else spec["config"].get("name")


def _chain_of(config):
    nodes, previous = {}, ("input", 0)
    layers = [spec for spec in config["layers"] if spec["class_name"] != "InputLayer"]
    for spec in layers:
        node = (_name(spec), 0)
        nodes[node] = (previous,)
        previous = node
    return ("input", 0), previous, nodes, layers


def _graph_of(config):
    nodes, layers = {}, []
    for spec in config["layers"]:
        if spec["class_name"] == "InputLayer":
            continue
        layers.append(spec)
        for i, call in enumerate(spec["inbound_nodes"]):
            if len(call["args"]) != 1 or tensors_in(list(call["kwargs"].values())):
                raise _Unsupported("a layer called with several arguments")
            nodes[_name(spec), i] = tuple(tensors_in(call["args"]))
    first, last = (_only(config[end]) for end in ("input_layers", "output_layers"))
    if last[0] in {
        _name(spec) for spec in layers if spec["class_name"] == "Functional"
    }:
        last = last[0], last[1] - 1  # an output counts a nested model's calls from 1
    return first, last, nodes, layers


def _only(ends):
    """The one input, or output, of a model as (layer name, node)."""
    if isinstance(ends, dict):
        raise _Unsupported("inputs or outputs by name")
    if isinstance(ends[0], list):
        if len(ends) != 1:
            raise _Unsupported("several inputs or outputs")
        ends = ends[0]
    return ends[0], ends[1]


def tensors_in(value):
    """The (layer name, node) of every Keras tensor in a call's arguments."""
    if isinstance(value, list):
        return [node for item in value for node in tensors_in(item)]
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return [tuple(value["config"]["keras_history"][:2])]
    return []


def _plan(first, last, nodes, specs):
    """Order the nodes that lead to `last`, each with its weights and its sources."""
    layers, own, start = {}, {}, 0
    for spec in specs:
        name = _name(spec)
        layers[name] = _layer_of(spec)
        own[name] = slice(start, start + layers[name].n_weights)
        start = own[name].stop

    ordered = []

    def visit(node):
        if node == first or node in ordered:
            return
        for source in nodes[node]:
            visit(source)
        ordered.append(node)

    visit(last)
    uses = [source for node in ordered for source in nodes[node]]
    # Values that may not be overwritten: the input, and what passes it on unchanged.
    shared = {first}
    steps = []
    for node in ordered:
        sources, layer = nodes[node], layers[node[0]]
        unsafe = sources[0] in shared or uses.count(sources[0]) > 1
        if not layer.overwrites and layer.n_weights == 0 and unsafe:
            shared.add(node)
        copies = layer.overwrites and unsafe
        steps.append(_Step(layer, own[node[0]], sources, node, copies))
    return steps, start
