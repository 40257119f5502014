"""The forward pass of Keras models in NumPy."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .graph import Graph, Tensor, UnsupportedGraph, read_graph
from .numpy_ops import Operation, numpy_operation


class _Step(NamedTuple):
    function: Callable
    weights: slice
    inputs: tuple[Tensor, ...]
    output: Tensor
    copies: bool  # whether the function gets a copy of its first input


class Forward:
    """The forward pass of a model, prepared from its graph.

    Parameters
    ----------
    graph : Graph

    Raises
    ------
    UnsupportedGraph
        If only Keras can evaluate it.
    """

    def __init__(self, graph: Graph):
        self._input, self._output = graph.input, graph.output
        self._steps = _steps(graph)

    def __call__(self, x: Any, weights: Sequence[np.ndarray]) -> np.ndarray:
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
        for function, positions, sources, target, copies in self._steps:
            inputs = [values[source] for source in sources]
            if copies:
                inputs[0] = inputs[0].copy()
            values[target] = function(*inputs, *weights[positions])
        return values[self._output]


def plan_forward(spec: dict, n_weights: int) -> Forward | None:
    """Return the forward pass of a model, or None if only Keras can evaluate it.

    Parameters
    ----------
    spec : dict
        Serialised Keras model: ``json.loads(model.to_json())``.

    n_weights : int
        Number of arrays in ``model.get_weights()``. If it is smaller than the sum
        over the layers, nested models share layers.
    """
    try:
        graph = read_graph(spec)
        return Forward(graph) if graph.n_weights == n_weights else None
    except UnsupportedGraph:
        return None


def _operation(layer):
    if layer.model is None:
        return numpy_operation(layer)
    forward = Forward(layer.model)
    return Operation(lambda x, *weights: forward(x, weights))


def _steps(graph):
    """The steps of a forward pass, with copies only if a value is still needed."""
    operations = {layer.name: _operation(layer) for layer in graph.layers}
    uses = [source for node in graph.nodes for source in node.inputs]
    # Values that must not be overwritten: the input, and outputs equal to it.
    shared = {graph.input}
    steps = []
    for layer, inputs, output in graph.nodes:
        function, overwrites = operations[layer.name]
        is_needed = inputs[0] in shared or uses.count(inputs[0]) > 1
        if not overwrites and layer.n_weights == 0 and is_needed:
            shared.add(output)
        copies = overwrites and is_needed
        steps.append(_Step(function, layer.weights, inputs, output, copies))
    return steps
