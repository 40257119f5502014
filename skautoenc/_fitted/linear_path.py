"""The linear path of a network, which can be any linear function of the input."""

import functools
import json
from typing import NamedTuple

from .graph import (
    Graph,
    Layer,
    Node,
    Tensor,
    UnsupportedGraph,
    compute_dtype,
    read_graph,
    read_input_shape,
)
from .network import FittedNetwork

# Layers with which hidden layers begin and end.
_BEGINNING_OR_ENDING = {"Dense", "Conv1D", "Conv2D"}


class Positions(NamedTuple):
    """Positions of a layer's weights among those of the network."""

    kernel: int
    bias: int


class HiddenLayers(NamedTuple):
    """The hidden layers beside a linear path, which may be dense or convolutional."""

    first: Positions
    last: Positions


class LinearPath(NamedTuple):
    """The weights with which a network can be any linear function of its input.

    The output is the sum of a linear function of the input, and of the output of hidden
    layers, which is zero if the weights of the last one are.

    Attributes
    ----------
    kernel : int
        Position of the kernel of the linear function, of shape (n_in, n_out).

    bias : int
        Position of the bias of shape (n_out,) that is added to it. It may be that of
        the last hidden layer.

    hidden : HiddenLayers or None
        None if the network is the linear function alone.
    """

    kernel: int
    bias: int
    hidden: HiddenLayers | None


def find_linear_path(network: FittedNetwork) -> LinearPath | None:
    """Return the linear path of a functional model.

    Parameters
    ----------
    network : FittedNetwork
        Between rows of shape (n_in,) and (n_out,).

    Returns
    -------
    LinearPath or None
        None if the model is neither one linear dense layer nor the sum of such a layer
        and of hidden layers; if it has a layer that is not trained, is constrained, is
        called twice, or is of a kind that `read_graph` does not read; or if no bias of
        shape (n_out,) is added to the output.
    """
    return _find(network.config, tuple(w.shape for w in network.weights))


# A fit looks for those of its networks ten times.
@functools.lru_cache(maxsize=32)
def _find(config, shapes):
    spec = json.loads(config)
    try:
        graph = read_graph(spec)
    except UnsupportedGraph:
        return None
    shape = read_input_shape(spec)
    if graph.kind != "Functional" or len(shape) != 2 or not _is_trained(graph, shapes):
        return None
    nodes = {node.output: node for node in graph.nodes}
    ends = _terms(graph, nodes)
    paths = [end for end in ends if _is_linear_path(end, graph, nodes)]
    if len(paths) != 1 or len(ends) > 2:
        return None
    hidden = _hidden_layers(graph, nodes, ends, paths[0])
    if len(ends) == 2 and hidden is None:
        return None
    return _with_shapes(shapes, shape[1], paths[0].layer, hidden)


def _is_trained(graph: Graph, shapes):
    """Whether all layers are trained without constraints, and are called once."""
    configs = [layer.config for layer in graph.layers]
    is_fixed = any(
        config.get("trainable") is False
        or any(config[name] for name in config if name.endswith("_constraint"))
        for config in configs
    )
    kinds = {layer.kind for layer in graph.layers}
    called = sorted(node.layer.name for node in graph.nodes)
    return (
        not is_fixed
        and not kinds & {"BatchNormalization", "Functional", "Sequential"}
        and called == sorted(layer.name for layer in graph.layers)
        and graph.n_weights == len(shapes)
    )


def _is_exact(layer: Layer):
    """Whether a layer does not round to half precision."""
    return compute_dtype(layer.config) in ("float32", "float64")


def _keeps_order(layer: Layer):
    """Whether a layer returns the values of each row in their order."""
    is_transposed = layer.config.get("data_format") == "channels_first"
    is_reshaping = layer.kind in {"Flatten", "Identity", "Reshape"}
    return is_reshaping and _is_exact(layer) and not is_transposed


def _source(tensor: Tensor, nodes: dict[Tensor, Node]):
    """Return the tensor whose values a tensor has, in another shape or not."""
    while tensor in nodes and _keeps_order(nodes[tensor].layer):
        (tensor,) = nodes[tensor].inputs
    return tensor


def _terms(graph, nodes):
    """Return the calls whose outputs are summed to the output of the model.

    The list is empty if the input is a term of the sum.
    """
    end = _source(graph.output, nodes)
    terms = [end]
    if end in nodes and nodes[end].layer.kind == "Add" and _is_exact(nodes[end].layer):
        terms = [_source(tensor, nodes) for tensor in nodes[end].inputs]
    return [nodes[term] for term in terms] if graph.input not in terms else []


def _is_linear_path(node, graph, nodes):
    layer = node.layer
    return (
        layer.kind == "Dense"
        and _is_linear(layer)
        and _is_exact(layer)
        and _source(node.inputs[0], nodes) == graph.input
    )


def _is_linear(layer: Layer):
    return layer.config["activation"] == "linear"


def _hidden_layers(graph, nodes, ends, path):
    """Return the hidden layers of a model, None if there are none or others."""
    firsts = [
        node.layer
        for node in graph.nodes
        if node is not path
        and not _keeps_order(node.layer)
        and any(_source(tensor, nodes) == graph.input for tensor in node.inputs)
    ]
    lasts = [node.layer for node in ends if node is not path]
    if len(firsts) != 1 or len(lasts) != 1:
        return None
    first, last = firsts[0], lasts[0]
    if not (
        first is not last
        and {first.kind, last.kind} <= _BEGINNING_OR_ENDING
        and first.n_weights == last.n_weights == 2
        and first.config.get("groups", 1) == 1
        and first.config.get("data_format") != "channels_first"
        and _is_linear(last)
    ):
        return None
    return HiddenLayers(
        *(Positions(i, i + 1) for i in (first.weights.start, last.weights.start))
    )


def _with_shapes(shapes, n_in, path, hidden):
    """Return the positions of the weights, or None if their shapes do not agree."""
    kernel, bias = path.weights.start, None
    if path.n_weights == 2:
        bias = kernel + 1
    elif hidden is not None:
        bias = hidden.last.bias
    if bias is None or shapes[kernel] != (n_in, *shapes[bias]):
        return None
    return LinearPath(kernel, bias, hidden)
