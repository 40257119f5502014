"""The reader of Keras configs: a model as layers, their weights and connections."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

# The output of a layer at one of its calls: the layer's name and the call's number.
Tensor = tuple[str, int]


class UnsupportedGraph(Exception):
    """A config that cannot be read or evaluated without Keras."""


class Layer(NamedTuple):
    """A layer of a model.

    Attributes
    ----------
    kind : str
        Keras's name of its class.

    name : str
    config : dict
    weights : slice
        Position of its arrays in ``model.get_weights()``.

    model : Graph or None
        The graph of a layer that is a model itself.
    """

    kind: str
    name: str
    config: dict
    weights: slice
    model: "Graph | None" = None

    @property
    def n_weights(self) -> int:
        """Number of weight arrays."""
        return self.weights.stop - self.weights.start


class Node(NamedTuple):
    """One call of a layer, with its input and output tensors."""

    layer: Layer
    inputs: tuple[Tensor, ...]
    output: Tensor


class Calls(NamedTuple):
    """The calls of the layers of a model with one input and one output.

    Attributes
    ----------
    layers : dict of str to dict
        The serialised layers by name, in the order of their weights, without the input
        layer.

    inputs_of : dict of (str, int) to tuple of (str, int)
        The tensors that each call takes, by its output.

    input, output : tuple of (str, int)
    """

    layers: dict[str, dict]
    inputs_of: dict[Tensor, tuple[Tensor, ...]]
    input: Tensor
    output: Tensor


class Graph(NamedTuple):
    """A Functional or Sequential model with one input and one output.

    Attributes
    ----------
    kind : {"Functional", "Sequential"}
    layers : tuple of Layer
        In the order of their weights, without the input layer.

    nodes : tuple of Node
        All calls that the output depends on, each after those that it depends on.

    input, output : tuple of (str, int)
    n_weights : int
        Number of weight arrays. If layers are shared between nested models, it is
        larger than that of ``model.get_weights()``.
    """

    kind: str
    layers: tuple[Layer, ...]
    nodes: tuple[Node, ...]
    input: Tensor
    output: Tensor
    n_weights: int


def read_graph(spec: dict) -> Graph:
    """Read the graph of a serialised model.

    Parameters
    ----------
    spec : dict
        ``json.loads(model.to_json())``.

    Returns
    -------
    Graph

    Raises
    ------
    UnsupportedGraph
        If a layer's weights are not known, or if the model has several inputs or
        outputs, or layers that are called with several arguments.
    """
    specs, calls, first, last = read_calls(spec)
    layers, start = {}, 0
    for name, layer_spec in specs.items():
        layers[name] = _read_layer(layer_spec, start)
        start = layers[name].weights.stop
    nodes = tuple(
        Node(layers[call[0]], calls[call], call) for call in _sorted(first, last, calls)
    )
    kind = spec["class_name"]
    return Graph(kind, tuple(layers.values()), nodes, first, last, start)


def read_calls(spec: dict) -> Calls:
    """Read the calls of a serialised model, whatever the kinds of its layers.

    Parameters
    ----------
    spec : dict
        ``json.loads(model.to_json())``.

    Returns
    -------
    Calls

    Raises
    ------
    UnsupportedGraph
        If it has several inputs or outputs, or layers that are called with several
        arguments.
    """
    readers = {"Sequential": _sequential_calls, "Functional": _functional_calls}
    kind, config = spec["class_name"], spec["config"]
    if kind not in readers:
        raise UnsupportedGraph(kind)
    specs = [layer for layer in config["layers"] if layer["class_name"] != "InputLayer"]
    first, last, calls = readers[kind](config, specs)
    return Calls({_name(layer): layer for layer in specs}, calls, first, last)


def _read_layer(spec, start):
    kind, model = spec["class_name"], None
    if kind in ("Functional", "Sequential"):
        model = read_graph(spec)
        n_weights = model.n_weights
    else:
        names = weight_names(spec)
        if names is None:
            raise UnsupportedGraph(kind)
        n_weights = len(names)
    weights = slice(start, start + n_weights)
    return Layer(kind, _name(spec), spec["config"], weights, model)


def _name(spec):
    # The config of a user's model may lack the first one.
    return spec["name"] if "name" in spec else spec["config"].get("name")


def _sequential_calls(config, specs):
    calls, previous = {}, ("input", 0)
    for spec in specs:
        calls[_name(spec), 0] = (previous,)
        previous = _name(spec), 0
    return ("input", 0), previous, calls


def _functional_calls(config, specs):
    calls = {}
    for spec in specs:
        for i, call in enumerate(spec["inbound_nodes"]):
            if len(call["args"]) != 1 or tensors_in(list(call["kwargs"].values())):
                raise UnsupportedGraph("a layer called with several arguments")
            calls[_name(spec), i] = tuple(tensors_in(call["args"]))
    first, last = (_only(config[end]) for end in ("input_layers", "output_layers"))
    if last[0] in {_name(s) for s in specs if s["class_name"] == "Functional"}:
        last = last[0], last[1] - 1  # an output counts a nested model's calls from 1
    return first, last, calls


def _only(ends):
    """The one input, or output, of a model."""
    if isinstance(ends, dict):
        raise UnsupportedGraph("inputs or outputs by name")
    if isinstance(ends[0], list):
        if len(ends) != 1:
            raise UnsupportedGraph("several inputs or outputs")
        ends = ends[0]
    return ends[0], ends[1]


def _sorted(first, last, calls):
    """The calls that `last` depends on, each after those that it depends on."""
    found = []

    def visit(call):
        if call == first or call in found:
            return
        for source in calls[call]:
            visit(source)
        found.append(call)

    visit(last)
    return found


def tensors_in(value: Any) -> list[Tensor]:
    """Return the (layer name, call) of every Keras tensor in a call's arguments."""
    if isinstance(value, list):
        return [tensor for item in value for tensor in tensors_in(item)]
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return [tuple(value["config"]["keras_history"][:2])]
    return []


def parts_of(spec: Any) -> Iterator[dict]:
    """Yield every dict in a config, the outer ones first."""
    if isinstance(spec, dict):
        yield spec
        spec = list(spec.values())
    if isinstance(spec, list | tuple):
        for item in spec:
            yield from parts_of(item)


# Names and shapes of the weights of layers.


def _kernel_names(config):
    if config.get("quantization_config") or config.get("lora_rank"):
        return None
    return ("kernel", "bias") if config["use_bias"] else ("kernel",)


def _affine_names(config):
    return ("gamma",) * bool(config["scale"]) + ("beta",) * bool(config["center"])


def _batch_normalization_names(config):
    return (*_affine_names(config), "moving_mean", "moving_variance")


def _layer_normalization_names(config):
    return None if config.get("rms_scaling") else _affine_names(config)


_WEIGHT_NAMES = {
    **dict.fromkeys(
        ("Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Dense"),
        _kernel_names,
    ),
    "TransposedDense": lambda config: ("kernel", "bias"),
    "BatchNormalization": _batch_normalization_names,
    "LayerNormalization": _layer_normalization_names,
    "PReLU": lambda config: ("alpha",),
    **dict.fromkeys(
        (
            "Activation",
            "ActivityRegularization",
            "Add",
            "AlphaDropout",
            "Average",
            "AveragePooling1D",
            "AveragePooling2D",
            "Concatenate",
            "Cropping1D",
            "Cropping2D",
            "Dropout",
            "ELU",
            "Flatten",
            "GaussianDropout",
            "GaussianNoise",
            "GlobalAveragePooling1D",
            "GlobalAveragePooling2D",
            "GlobalMaxPooling1D",
            "GlobalMaxPooling2D",
            "GroupedSoftmax",
            "Identity",
            "InputLayer",
            "LeakyReLU",
            "MaxPooling1D",
            "MaxPooling2D",
            "Maximum",
            "Minimum",
            "Multiply",
            "Permute",
            "ReLU",
            "RepeatVector",
            "Rescaling",
            "Reshape",
            "Softmax",
            "SpatialDropout1D",
            "SpatialDropout2D",
            "Subtract",
            "UpSampling1D",
            "UpSampling2D",
            "ZeroPadding1D",
            "ZeroPadding2D",
        ),
        lambda config: (),
    ),
}


def weight_names(layer: dict) -> tuple[str, ...] | None:
    """Return the names of a serialised layer's weights, in order; None if unknown."""
    kind = layer["class_name"]
    if layer.get("registered_name") not in (None, kind, f"skautoenc>{kind}"):
        return None  # a custom class with the name of a Keras layer
    return _WEIGHT_NAMES[kind](layer["config"]) if kind in _WEIGHT_NAMES else None


def n_weights(layer: dict) -> int | None:
    """Return the number of weight arrays of a serialised layer; None if unknown."""
    if layer["class_name"] in ("Functional", "Sequential"):
        total = 0
        for part in layer["config"]["layers"]:
            n = n_weights(part)
            if n is None:
                return None
            total += n
        return total
    names = weight_names(layer)
    return None if names is None else len(names)


def weight_shapes(spec: dict) -> list[tuple[tuple[int, ...], str]] | None:
    """Return the shape and the dtype of every weight of a serialised model.

    Parameters
    ----------
    spec : dict

    Returns
    -------
    list of tuple of (tuple of int, str), or None
        None if a layer's weights are not known.
    """
    found = []
    for layer in spec["config"].get("layers", [None]):
        shapes = None if layer is None else _layer_shapes(layer)
        if shapes is None:
            return None
        found += shapes
    return found


def _layer_shapes(layer):
    kind, config = layer["class_name"], layer["config"]
    if kind in ("Functional", "Sequential"):
        return weight_shapes(layer)
    names = weight_names(layer)
    if not names:
        return None if names is None else []
    shape = _input_shape(layer)
    if kind not in _SHAPES or shape is None:
        return None
    shapes, dtype = _SHAPES[kind](config, shape), weight_dtype(config)
    return [(tuple(shapes[name]), dtype) for name in names]


def read_input_shape(spec: dict) -> tuple[int | None, ...]:
    """Return the shape of a serialised model's input; empty if it is not known."""
    layers = spec["config"]["layers"]
    if not layers or layers[0]["class_name"] != "InputLayer":
        return ()
    return tuple(layers[0]["config"].get("batch_shape") or ())


def weight_dtype(config: dict) -> str:
    """Return the dtype of a layer's weights: that of mixed precision is float32."""
    dtype = compute_dtype(config)
    return "float32" if dtype.startswith("mixed_") else dtype


def compute_dtype(config: dict) -> str:
    """Return the name of a layer's dtype policy."""
    dtype = config.get("dtype", "float32")
    return dtype["config"]["name"] if isinstance(dtype, dict) else dtype


def _input_shape(layer):
    """Input shape of a serialised layer; None if the config lacks it."""
    built = layer.get("build_config") or {}
    if built.get("input_shape"):
        return built["input_shape"]
    for part in parts_of(layer.get("inbound_nodes", ())):
        if part.get("class_name") == "__keras_tensor__":
            return part["config"]["shape"]
    return None


def _dense_shapes(config, shape):
    return {"kernel": (shape[-1], config["units"]), "bias": (config["units"],)}


def _transposed_shapes(config, shape):
    return {"kernel": (config["units"], shape[-1]), "bias": (config["units"],)}


def _normalization_shapes(config, shape):
    axes = [shape[axis] for axis in np.atleast_1d(config["axis"])]
    return dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), axes)


_SHAPES = {
    "Dense": _dense_shapes,
    "TransposedDense": _transposed_shapes,
    "BatchNormalization": _normalization_shapes,
    "LayerNormalization": _normalization_shapes,
}

# Layers that rearrange or drop values, without computing new ones.
_RESHAPING = {"Flatten", "Reshape", "Cropping1D", "Cropping2D"}


def layers_of(config: str) -> list[dict]:
    """Return the serialised layers of a model, without its input layers."""
    layers = json.loads(config)["config"]["layers"]
    return [layer for layer in layers if layer["class_name"] != "InputLayer"]


def output_activation(config: str) -> str | None:
    """Return the name of a model's last activation, or None if it has no name.

    A sum is linear if all its terms are.

    Parameters
    ----------
    config : str
        Output of ``keras.Model.to_json``.
    """
    layers = [x for x in layers_of(config) if x["class_name"] not in _RESHAPING]
    if not layers:
        return None
    last = layers[-1]
    if last["class_name"] != "Add" or not last.get("inbound_nodes"):
        name = last["config"].get("activation")
        return name if isinstance(name, str) else None
    by_name = {_name(layer): layer for layer in layers_of(config)}
    terms = {name for name, _ in tensors_in(last["inbound_nodes"][0]["args"])}
    found = [_activation_before(by_name, name) for name in terms]
    return "linear" if all(name == "linear" for name in found) else None


def _activation_before(layers, name):
    """Return the activation of the values of a layer, which may only rearrange them."""
    while name in layers and layers[name]["class_name"] in _RESHAPING:
        ((name, _),) = tensors_in(layers[name]["inbound_nodes"][0]["args"])
    return layers[name]["config"].get("activation") if name in layers else None
