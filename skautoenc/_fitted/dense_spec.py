"""The description of a dense encoder or decoder.

It can be written as a Keras config and read from one, and assigns roles to the weights.
All code that depends on the structure of a dense network uses it.
"""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .._backend.keras_internals import FUNCTIONAL_MODULE
from .graph import Graph, UnsupportedGraph, read_graph, read_input_shape


class LayerSpec(NamedTuple):
    """One dense layer.

    Attributes
    ----------
    units : int
    activation : str, dict or callable
    kernel_regularizer, activity_regularizer : dict, keras.Regularizer or None
    """

    units: int
    activation: Any = "linear"
    kernel_regularizer: Any = None
    activity_regularizer: Any = None


class KerasLayer(NamedTuple):
    """A Keras layer of the model that a `DenseSpec` describes.

    Attributes
    ----------
    class_name : {"InputLayer", "Dense", "TransposedDense", "Add"}
    inputs : tuple of int
        Positions of the layers whose outputs it takes.

    config : dict
        Its parameters.
    """

    class_name: str
    inputs: tuple[int, ...]
    config: dict


@dataclass
class DenseWeights:
    """The weights of a dense network by their roles.

    Attributes
    ----------
    kernels, biases : list of ndarray
        Of each layer.

    linear_path : ndarray or None
        Kernel of the linear path.
    """

    kernels: list
    biases: list
    linear_path: np.ndarray | None = None

    def arrays(self) -> list[np.ndarray]:
        """Return the weights in Keras's order."""
        pairs = zip(self.kernels, self.biases, strict=True)
        arrays = [array for pair in pairs for array in pair]
        return arrays if self.linear_path is None else [*arrays, self.linear_path]


@dataclass(frozen=True)
class DenseSpec:
    """An encoder or decoder of dense layers.

    A linear path is a kernel without a bias from the input to the output. Its output is
    added to that of the last layer.

    Names of hidden layers, initializers and the dtype are not part of it.

    Parameters
    ----------
    n_in : int
        Width of the input.

    layers : tuple of LayerSpec
        Hidden layers and the last layer.

    has_linear_path : bool, default=False
        Whether there is a linear path. It requires hidden layers.

    is_transposed : bool, default=False
        Whether kernels have the shape of those of the other network, (n_out, n_in).

    name, output_name : str
        Names of the Keras model and its last layer. Comparisons ignore them.
    """

    n_in: int
    layers: tuple[LayerSpec, ...]
    has_linear_path: bool = False
    is_transposed: bool = False
    name: str = field(default="dense", compare=False)
    output_name: str = field(default="output", compare=False)

    @property
    def widths(self) -> tuple[int, ...]:
        """Width of the input and of each layer."""
        return (self.n_in, *(layer.units for layer in self.layers))

    @property
    def has_hidden_layers(self) -> bool:
        """Whether there are layers before the last one."""
        return len(self.layers) > 1

    @property
    def output_activation(self) -> Any:
        """Activation of the last layer."""
        return self.layers[-1].activation

    @property
    def ends_linear(self) -> bool:
        """Whether the last layer is linear."""
        return self.output_activation == "linear"

    # Conversion to and from a Keras config.

    def keras_layers(self) -> list[KerasLayer]:
        """Return the layers of the Keras model, in the order of their weights."""
        *hidden, last = self.layers
        shape = [None, self.n_in]
        config = {"name": f"{self.name}_input", "batch_shape": shape}
        found = [KerasLayer("InputLayer", (), config)]
        for i, layer in enumerate(hidden):
            found.append(self._dense(f"{self.name}_{i + 1}", layer, i))
        n = len(hidden)
        if not self.has_linear_path:
            return [*found, self._dense(self.output_name, last, n)]
        term = last._replace(activity_regularizer=None)
        path = term._replace(activation="linear")
        end = {"name": self.output_name, "dtype": "float32"}
        return [
            *found,
            self._dense(f"{self.output_name}_nonlinear", term, n),
            self._dense(f"{self.output_name}_linear", path, 0, use_bias=False),
            KerasLayer("Add", (n + 1, n + 2), _activity(last) | end),
        ]

    def _dense(self, name, layer, source, use_bias=True):
        config = {"name": name, **_activity(layer), "activation": layer.activation}
        if not self.is_transposed:
            config["kernel_regularizer"] = layer.kernel_regularizer
        config["units"] = layer.units
        if not self.is_transposed:
            config["use_bias"] = use_bias
        config["dtype"] = "float32"
        kind = "TransposedDense" if self.is_transposed else "Dense"
        return KerasLayer(kind, (source,), config)

    def to_config(self) -> str:
        """Return the config of the Keras model, as ``keras.Model.to_json`` does.

        Activations must be names, and regularizers serialised.
        """
        layers = self.keras_layers()
        widths = [self.n_in, *(x.config.get("units") for x in layers[1:])]
        nodes = []
        for layer in layers:
            tensors = [
                _serialised_tensor(layers[i].config["name"], widths[i])
                for i in layer.inputs
            ]
            tensors = [tensors] if layer.class_name == "Add" else tensors
            nodes.append(_serialised_layer(layer, tensors))
        config = {
            "name": self.name,
            "trainable": True,
            "layers": nodes,
            "input_layers": [layers[0].config["name"], 0, 0],
            "output_layers": [layers[-1].config["name"], 0, 0],
        }
        return json.dumps(_serialised(FUNCTIONAL_MODULE, "Functional", config))

    @classmethod
    def from_config(cls, config: str) -> "DenseSpec | None":
        """Read the description of a model, or return None if it is not dense.

        Parameters
        ----------
        config : str
            Output of ``keras.Model.to_json``.
        """
        spec = json.loads(config)
        try:
            graph = read_graph(spec)
        except UnsupportedGraph:
            return None
        shape = read_input_shape(spec)
        if graph.kind != "Functional" or not graph.layers or len(shape) != 2:
            return None
        return cls._from_graph(graph, spec["config"]["name"], shape[-1])

    @classmethod
    def _from_graph(cls, graph: Graph, name, n_in):
        has_linear_path = graph.layers[-1].kind == "Add"
        dense = graph.layers[:-2] if has_linear_path else graph.layers
        kinds = {layer.kind for layer in dense}
        if kinds not in ({"Dense"}, {"TransposedDense"}):
            return None
        if has_linear_path and len(dense) == 1:
            return None
        layers = [_layer_spec(layer.config) for layer in dense]
        end = graph.layers[-1].config
        layers[-1] = layers[-1]._replace(
            activity_regularizer=end.get("activity_regularizer")
        )
        spec = cls(
            n_in,
            tuple(layers),
            has_linear_path,
            kinds == {"TransposedDense"},
            name,
            end["name"],
        )
        return spec if spec._describes(graph) else None

    def _describes(self, graph):
        """Whether a graph has the layers and connections of this description."""
        names = [graph.input[0], *(layer.name for layer in graph.layers)]
        wanted = [
            (
                layer.class_name,
                layer.config.get("use_bias", True),
                layer.config.get("activation"),
                tuple((names[i], 0) for i in layer.inputs),
            )
            for layer in self.keras_layers()[1:]
        ]
        found = [
            (
                node.layer.kind,
                node.layer.config.get("use_bias", True),
                node.layer.config.get("activation"),
                node.inputs,
            )
            for node in graph.nodes
        ]
        return wanted == found and [node.layer for node in graph.nodes] == list(
            graph.layers
        )

    # Weights.

    def initial_weights(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Draw the kernels; biases are zero.

        Kernels are uniform, as in X. Glorot, Y. Bengio, "Understanding the Difficulty
        of Training Deep Feedforward Neural Networks", AISTATS (2010).

        Returns
        -------
        list of ndarray of float32
            In Keras's order.
        """
        widths = self.widths

        def kernel(n_in, n_out):
            limit = np.sqrt(6 / (n_in + n_out))
            drawn = rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32)
            return drawn.T if self.is_transposed else drawn

        weights = DenseWeights(
            [kernel(*pair) for pair in itertools.pairwise(widths)],
            [np.zeros(width, np.float32) for width in widths[1:]],
        )
        if self.has_linear_path:
            weights.linear_path = kernel(self.n_in, widths[-1])
        return weights.arrays()

    def by_role(self, weights: Sequence[np.ndarray]) -> DenseWeights:
        """Return weights, given in Keras's order, by their roles."""
        n = 2 * len(self.layers)
        linear_path = weights[n] if self.has_linear_path else None
        return DenseWeights([*weights[0:n:2]], [*weights[1:n:2]], linear_path)

    def fold(
        self,
        weights: Sequence[np.ndarray],
        input_shift: np.ndarray | None = None,
        output_shift: np.ndarray | None = None,
    ) -> list[np.ndarray]:
        """Return weights that include shifts of the input and the output.

        Parameters
        ----------
        weights : sequence of ndarray
            In Keras's order.

        input_shift : ndarray of shape (n_in,) or None, default=None
            Subtracted from rows before they enter the network.

        output_shift : ndarray of shape (n_out,) or None, default=None
            Added to the network's output. Its last layer must be linear.

        Returns
        -------
        list of ndarray
        """
        found = self.by_role(weights)
        biases = found.biases
        if input_shift is not None:
            first = found.kernels[0].T if self.is_transposed else found.kernels[0]
            biases[0] = _subtract(biases[0], input_shift @ first.astype(float))
            if found.linear_path is not None:
                moved = input_shift @ found.linear_path.astype(float)
                biases[-1] = _subtract(biases[-1], moved)
        if output_shift is not None:
            biases[-1] = _subtract(biases[-1], -output_shift)
        return found.arrays()


def _subtract(bias, shift):
    return (bias.astype(float) - shift).astype(bias.dtype)


def _activity(layer):
    regularizer = layer.activity_regularizer
    return {"activity_regularizer": regularizer} if regularizer else {}


def _layer_spec(config):
    return LayerSpec(
        config["units"],
        config["activation"],
        config.get("kernel_regularizer"),
        config.get("activity_regularizer"),
    )


def _serialised_layer(layer, tensors):
    calls = [{"args": tensors, "kwargs": {}}] if tensors else []
    module, registered_name = "keras.layers", None
    if layer.class_name == "TransposedDense":
        module, registered_name = "skautoenc.layers", "skautoenc>TransposedDense"
    return {
        **_serialised(module, layer.class_name, layer.config, registered_name),
        "name": layer.config["name"],
        "inbound_nodes": calls,
    }


def _serialised_tensor(name, width):
    config = {"shape": [None, width], "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def _serialised(module, class_name, config, registered_name=None):
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": registered_name,
    }
