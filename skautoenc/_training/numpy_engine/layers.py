"""The layers of dense networks that NumPy trains."""

from collections.abc import Sequence

import numpy as np

from ..._fitted.activations import ACTIVATIONS
from ..._fitted.dense_spec import DenseSpec, LayerSpec
from ..._utils.regularizers import STRENGTHS, l1_l2


class DenseLayer:
    """A dense layer, and views of its part of the weights and the gradient.

    Parameters
    ----------
    spec : LayerSpec
    n_in : int
    n_linear_inputs : int, default=0
        Width of the linear path that ends in this layer; 0 for none.

    path_start : int, default=-1
        Position of the layer whose outputs the linear path takes; -1 for the rows.

    Attributes
    ----------
    weights : ndarray of shape (n_in + n_linear_inputs + 1, n_out), float32
        The kernel, that of the linear path, and below them the bias, so that one
        product with rows that end in a 1 computes all.

    gradient : ndarray of the same shape
    kernel, linear_path, bias : ndarray
        Views of `weights`.
    """

    def __init__(
        self,
        spec: LayerSpec,
        n_in: int,
        n_linear_inputs: int = 0,
        path_start: int = -1,
    ):
        self.n_in, self.n_out = n_in, spec.units
        self.n_linear_inputs, self.path_start = n_linear_inputs, path_start
        self.activation = spec.activation
        self.kernel_regularizer = l1_l2(spec.kernel_regularizer)
        self.activity_regularizer = l1_l2(spec.activity_regularizer)

    @property
    def size(self) -> int:
        """Number of weights."""
        return (self.n_in + self.n_linear_inputs + 1) * self.n_out

    def bind(self, weights: np.ndarray, gradient: np.ndarray) -> None:
        """Let the layer use these vectors of `size` numbers."""
        shape = -1, self.n_out
        self.weights, self.gradient = weights.reshape(shape), gradient.reshape(shape)
        self.kernel, self.linear_path = np.split(self.weights[:-1], [self.n_in])
        self.bias = self.weights[-1]

    def arrays(self) -> list[np.ndarray]:
        """Return kernel, bias, and the linear path if any, in Keras's order."""
        linear_path = [self.linear_path] if self.n_linear_inputs else []
        return [self.kernel, self.bias, *linear_path]


def dense_layers(specs: Sequence[DenseSpec | None]) -> list[DenseLayer] | None:
    """Return the layers of networks that follow one another.

    Parameters
    ----------
    specs : sequence of DenseSpec or None

    Returns
    -------
    list of DenseLayer or None
        None if NumPy cannot train a network, for example one of its activations, or a
        single layer.
    """
    layers: list[DenseLayer] = []
    for spec in specs:
        if spec is None or spec.is_transposed:
            return None
        if not all(map(_is_supported, spec.layers)):
            return None
        n_linear_inputs = [0] * len(spec.layers)
        if spec.has_linear_path:
            n_linear_inputs[-1] = spec.n_in
        starts = [len(layers) - 1] * len(spec.layers)
        layers += map(DenseLayer, spec.layers, spec.widths, n_linear_inputs, starts)
    return layers if len(layers) > 1 else None


def _is_supported(layer):
    regularizers = layer.kernel_regularizer, layer.activity_regularizer
    return (
        isinstance(layer.activation, str)
        and layer.activation in ACTIVATIONS
        and ACTIVATIONS[layer.activation].derivative is not None
        and all(r is None or r["class_name"] in STRENGTHS for r in regularizers)
    )
