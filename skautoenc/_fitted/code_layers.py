"""The dense layers beside the code, which can absorb a change of its basis."""

import json
from typing import Any, NamedTuple

from .._utils.regularizers import STRENGTHS, l1_l2
from .graph import (
    Calls,
    Tensor,
    UnsupportedGraph,
    compute_dtype,
    n_weights,
    parts_of,
    read_calls,
    weight_names,
)
from .network import FittedNetwork

# Layers that pass on the code as it is, as far as it remains a vector.
_PASSING = {"Flatten", "Identity", "Reshape"}


class CodeLayer(NamedTuple):
    """A dense layer that returns the code, or a term of it, or that takes it.

    Attributes
    ----------
    kernel : int
        Position of its kernel among the weights of the network.

    code_axis : {0, 1}
        Axis of the stored kernel whose length is that of the code.

    bias : int or None
        Position of the bias that is added to its output. None if there is none.
    """

    kernel: int
    code_axis: int
    bias: int | None


class CodeLayers(NamedTuple):
    """The layers that change with the basis of the code.

    The code is the sum of the outputs of `encoder`, and `decoder` are all layers that
    take it.

    Attributes
    ----------
    encoder, decoder : list of CodeLayer
        At least one layer of the encoder, and all layers of the decoder, have a bias.

    is_rotatable : bool
        Whether all penalties on the code and on these layers are invariant under
        rotations, and those on biases under translations of the code.
    """

    encoder: list[CodeLayer]
    decoder: list[CodeLayer]
    is_rotatable: bool


class _Unchangeable(Exception):
    """Layers that cannot absorb a change of the basis."""


def find_code_layers(
    encoder: FittedNetwork, decoder: FittedNetwork, n_components: int
) -> CodeLayers | None:
    """Return the layers that can absorb a change of the basis of the code.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
    n_components : int
        Width of the code.

    Returns
    -------
    CodeLayers or None
        None if the encoder does not end with a linear dense layer (or a sum of them),
        if the decoder does not begin with dense layers, or if these layers are frozen
        or constrained.
    """
    try:
        before, ends = _layers_before_code(read_calls(json.loads(encoder.config)))
        after = _layers_after_code(read_calls(json.loads(decoder.config)))
        found = [_locate(encoder, layer, n_components) for layer in before]
        if all(layer.bias is None for layer in found):
            return None
        taking = [_locate(decoder, layer, n_components) for layer in after]
    except (UnsupportedGraph, _Unchangeable):
        return None
    return CodeLayers(found, taking, _is_rotatable(before, after, ends))


class _Found(NamedTuple):
    calls: Calls
    layer: dict
    has_code_as_input: bool
    bias_of: dict | None


def _layers_before_code(calls):
    """Return the layers whose sum is the code, and the layers that pass it on."""
    found, passing, tensors = [], [], [calls.output]
    while tensors:
        tensor = tensors.pop(0)
        layer = _layer_of(calls, tensor)
        if layer["class_name"] in {"Add", *_PASSING}:
            passing.append(layer)
            tensors += calls.inputs_of[tensor]
            continue
        _check_dense(calls, layer)
        if layer["config"]["activation"] != "linear":
            raise _Unchangeable("the code is not linear")
        has_bias = "bias" in weight_names(layer)
        found.append(_Found(calls, layer, False, layer if has_bias else None))
    return found, passing


def _layers_after_code(calls):
    """Return all layers that take the code."""
    found, tensors = [], [calls.input]
    while tensors:
        tensor = tensors.pop(0)
        if tensor == calls.output:
            raise _Unchangeable("the code is part of the output")
        for output in _consumers(calls, tensor):
            layer = _layer_of(calls, output)
            if layer["class_name"] in _PASSING:
                tensors.append(output)
                continue
            _check_dense(calls, layer)
            found.append(_Found(calls, layer, True, _bias_added_to(calls, output)))
    return found


def _layer_of(calls, tensor):
    if tensor[0] not in calls.layers:
        raise _Unchangeable("no layer before the code")
    return calls.layers[tensor[0]]


def _consumers(calls, tensor: Tensor):
    return [output for output, inputs in calls.inputs_of.items() if tensor in inputs]


def _check_dense(calls, layer):
    """Raise unless a layer is dense, free to change, and called once."""
    config, names = layer["config"], weight_names(layer)
    fixed = ("kernel_constraint", "bias_constraint")
    if (
        layer["class_name"] not in ("Dense", "TransposedDense")
        or names is None
        or not config.get("trainable", True)
        or any(config.get(name) for name in fixed)
        or compute_dtype(config) not in ("float32", "float64")
    ):
        raise _Unchangeable(layer["class_name"])
    name = config["name"]
    others = parts_of(list(calls.layers.values()))
    n_named = sum(
        part.get("class_name") == layer["class_name"]
        and isinstance(part["config"], dict)
        and part["config"].get("name") == name
        for part in others
    )
    # A layer within a nested model as well shares its weights.
    if n_named != 1 or sum(output[0] == name for output in calls.inputs_of) != 1:
        raise _Unchangeable("a shared layer")


def _bias_added_to(calls, output):
    """Return the layer whose bias is added to the output of a dense layer.

    That of a layer without a bias is, if its output is linear, the bias of another
    linear layer whose output is added to it, as in a network with a linear path.
    """
    layer = _layer_of(calls, output)
    if "bias" in weight_names(layer):
        return layer
    consumers = _consumers(calls, output)
    if layer["config"]["activation"] != "linear" or len(consumers) != 1:
        raise _Unchangeable("a layer without a bias")
    (total,) = consumers
    if _layer_of(calls, total)["class_name"] == "Add":
        for term in calls.inputs_of[total]:
            other = calls.layers.get(term[0], {"class_name": None})
            if other["class_name"] in ("Dense", "TransposedDense"):
                _check_dense(calls, other)
                is_linear = other["config"]["activation"] == "linear"
                if is_linear and "bias" in weight_names(other):
                    return other
    raise _Unchangeable("a layer without a bias")


def _locate(network, found, n_components):
    """Return a layer with the positions of its weights."""
    kernel = _position(network, found.calls, found.layer)
    is_transposed = found.layer["class_name"] == "TransposedDense"
    code_axis = int(is_transposed == found.has_code_as_input)
    bias = None
    if found.bias_of is not None:
        bias = _position(network, found.calls, found.bias_of) + 1
    weights = network.weights
    if weights[kernel].ndim != 2 or weights[kernel].shape[code_axis] != n_components:
        raise _Unchangeable("the code is not a vector")
    if bias is not None:
        units = found.bias_of["config"]["units"]
        width = weights[kernel].shape[1 - code_axis]
        expected = width if found.has_code_as_input else n_components
        if weights[bias].shape != (units,) or units != expected:
            raise _Unchangeable("terms of different widths")
    return CodeLayer(kernel, code_axis, bias)


def _position(network, calls, layer):
    """Return the position of the first weight of a layer.

    It is counted from the end if there are layers before whose weights are not known.
    """
    layers = list(calls.layers.values())
    numbers = [n_weights(other) for other in layers]
    i = layers.index(layer)
    if None not in numbers[:i]:
        return sum(numbers[:i])
    if None not in numbers[i:]:
        return len(network.weights) - sum(numbers[i:])
    raise _Unchangeable("layers of unknown weights on both sides")


def _is_rotatable(before, after, passing):
    """Whether all penalties are invariant under rotations of the code."""
    configs = [found.layer["config"] for found in (*before, *after)]
    ends = [layer["config"] for layer in (*passing, *(x.layer for x in before))]
    regularizers = [config.get("kernel_regularizer") for config in configs]
    regularizers += [config.get("activity_regularizer") for config in ends]
    biases = [config.get("bias_regularizer") for config in configs]
    return all(map(_is_l2, regularizers)) and not any(biases)


def _is_l2(regularizer: Any) -> bool:
    """Whether a serialised regularizer is None or a penalty on squares alone."""
    if regularizer and regularizer["class_name"] not in STRENGTHS:
        return False
    strengths = l1_l2(regularizer)
    return strengths is None or strengths[0] == 0
