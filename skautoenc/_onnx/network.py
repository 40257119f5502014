"""Fitted networks as ONNX nodes."""

import json
from typing import Any

import numpy as np

from .._fitted.graph import (
    Graph,
    UnsupportedGraph,
    compute_dtype,
    read_graph,
    weight_names,
)
from .._fitted.network import FittedNetwork
from .convolutions import CONVOLUTIONS
from .layers import LAYERS, UnsupportedLayer, class_path, grouped_softmax
from .nodes import Nodes

CONVERTERS = {**LAYERS, **CONVOLUTIONS}

_REMEDY = (
    "Use a network of other layers, or convert a Keras model: "
    "estimator.encoder_.export('folder') writes a SavedModel for tf2onnx."
)


def add_network(
    nodes: Nodes, network: FittedNetwork, rows: str, dtype: Any = np.float32
) -> str:
    """Add what ``network(rows, dtype)`` computes.

    Parameters
    ----------
    nodes : Nodes
    network : FittedNetwork
    rows : str
        Name of a tensor of numbers, of shape (n_samples, n_in).

    dtype : {np.float32, np.float64}, default=np.float32

    Returns
    -------
    str
        Name of the output, of shape (n_samples, n_out).

    Raises
    ------
    NotImplementedError
        If a layer has no converter. The message names it.
    """
    return add_output_shift(nodes, network, add_layers(nodes, network, rows), dtype)


def add_layers(nodes: Nodes, network: FittedNetwork, rows: str) -> str:
    """Add a network without the shift of its output; the output is float32."""
    if network.input_shift is not None:
        shift = network.input_shift.astype(np.float64)
        rows = nodes.add("Sub", nodes.cast(rows, np.float64), shift)
    graph = _graph_of(network)
    rows = nodes.cast(rows, np.float32)
    values = _add_graph(nodes, graph, network.weights, rows)
    if network.groups:
        values = grouped_softmax(nodes, values, network.groups)
    return values


def add_output_shift(
    nodes: Nodes, network: FittedNetwork, values: str, dtype: Any
) -> str:
    """Add the shift of the output in a precision, which is that of the result."""
    values = nodes.cast(values, dtype)
    if network.output_shift is None:
        return values
    return nodes.add("Add", values, network.output_shift.astype(dtype))


def _graph_of(network):
    """Return the graph of a network; raise if a layer has no converter."""
    spec = json.loads(network.config)
    problems = list(_problems(spec))
    if problems:
        raise _error(network, problems)
    try:
        graph = read_graph(spec)
    except UnsupportedGraph as error:
        raise _error(network, [f"there is no converter for {error}"]) from None
    if graph.n_weights != len(network.weights):
        raise _error(network, ["there is no converter for models that share layers"])
    return graph


def _problems(spec):
    """Yield what has no converter: models that are classes, and layers."""
    if spec["class_name"] not in ("Functional", "Sequential"):
        yield f"{_described(spec)} is neither a functional nor a sequential model"
        return
    for layer in spec["config"]["layers"]:
        kind = layer["class_name"]
        if kind in ("Functional", "Sequential"):
            yield from _problems(layer)
        elif kind == "InputLayer":
            continue
        elif kind not in CONVERTERS or weight_names(layer) is None:
            yield f"{_described(layer)} has no converter"
        elif compute_dtype(layer["config"]) != "float32":
            yield (
                f"{_described(layer)} computes in {compute_dtype(layer['config'])}, "
                "not in float32"
            )


def _described(spec):
    name = spec.get("name") or spec["config"].get("name")
    return f"the layer {name!r} of class {class_path(spec)}"


def _error(network, problems):
    name = json.loads(network.config)["config"].get("name")
    listed = "; ".join(problems)
    return NotImplementedError(
        f"The network {name!r} cannot be converted to ONNX: {listed}. {_REMEDY}"
    )


def _add_graph(nodes, graph: Graph, weights, rows):
    values = {graph.input: rows}
    for layer, inputs, output in graph.nodes:
        taken, arrays = [values[tensor] for tensor in inputs], weights[layer.weights]
        if layer.model is not None:
            values[output] = _add_graph(nodes, layer.model, arrays, *taken)
            continue
        try:
            values[output] = CONVERTERS[layer.kind](nodes, layer.config, taken, arrays)
        except UnsupportedLayer as error:
            raise NotImplementedError(
                f"The layer {layer.name!r} of class {layer.kind} cannot be converted "
                f"to ONNX: {error}. {_REMEDY}"
            ) from None
    return values[graph.output]
