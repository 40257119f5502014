"""The network of an imputer: it takes values, and which of them are observed."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._backend.keras import import_keras
from .._backend.keras_internals import apply_graph
from .._fitted.dense_spec import DenseSpec, LayerSpec
from .._fitted.network import FittedNetwork
from ._base import without_auto_linear_path
from ._conv import ConvNetwork
from ._dense import dense_pair


class IncompleteNetwork:
    """An encoder of rows with missing values, and a decoder to complete rows.

    The encoder takes twice as many values as the decoder gives: those of a row, with 0
    for missing ones, and then which are observed, as 1 and 0.

    Parameters
    ----------
    network : callable or list of int
        As the parameter `network` of an estimator, or the sizes of hidden layers. The
        last of them is the code.
    """

    def __init__(self, network: Any):
        self._network = without_auto_linear_path(network)

    def __repr__(self) -> str:
        return repr(self._network)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the network, if it has some."""
        if not hasattr(self._network, "get_params"):
            return {}
        return self._network.get_params(deep)

    def __call__(
        self, input_shape: tuple[int, ...], n_components: int | None
    ) -> tuple[Any, Any]:
        """Build the encoder and the decoder; `input_shape` is that of the encoder."""
        n_inputs = int(np.prod(input_shape))
        n_features = n_inputs // 2
        try:
            _, decoder = self._network((n_features,), n_components)
            if isinstance(self._network, ConvNetwork):
                return _conv_encoder(self._network, n_features, n_components), decoder
            encoder, _ = self._network((n_inputs,), n_components)
        except Exception as error:
            error.add_note(
                f"An imputer calls network with the shape ({n_features},) for the "
                f"decoder, and ({n_inputs},) for the encoder, which takes the values "
                "of a row and then which of them are observed."
            )
            raise
        _check_width(encoder, n_features)
        return encoder, decoder

    def dense_pair(
        self, n_inputs: int, n_components: int | None, rng: np.random.Generator
    ) -> tuple[FittedNetwork, FittedNetwork] | None:
        """Build the encoder and the decoder without Keras.

        Parameters
        ----------
        n_inputs : int
            Twice the number of features.

        n_components : int or None
        rng : numpy.random.Generator
            Draws the weights.

        Returns
        -------
        encoder, decoder : FittedNetwork
            None if the network is not dense, or has parameters that need Keras.
        """
        network, n_features = self._network, n_inputs // 2
        if isinstance(network, list):
            hidden = tuple(LayerSpec(size, "relu") for size in network)
            encoder = DenseSpec(n_inputs, hidden, name="encoder", output_name="code")
            last = (LayerSpec(n_features),)
            decoder = DenseSpec(network[-1], last, name="decoder")
            return _with_weights(encoder, rng), _with_weights(decoder, rng)
        wide = dense_pair(network, n_inputs, n_components, rng)
        narrow = dense_pair(network, n_features, n_components, rng)
        if wide is None or narrow is None:
            return None
        return wide[0], narrow[1]


def _with_weights(spec, rng):
    return FittedNetwork(spec.to_config(), spec.initial_weights(rng))


def _conv_encoder(network, n_features, n_components):
    """Return the encoder of images with two channels in place of each one."""
    keras = import_keras()
    *sizes, n_channels = network.image_shape
    if len(network.image_shape) == 1:
        sizes, n_channels = [n_channels], 1
    image = (*sizes, 2 * n_channels)
    params = network.get_params(deep=False) | {"image_shape": image}
    encoder, _ = type(network)(**params)((2 * n_features,), n_components)
    inputs = keras.Input((2 * n_features,), name="values_and_observed")
    layers = keras.layers
    h = layers.Reshape((2, n_features), dtype="float32")(inputs)
    h = layers.Permute((2, 1), dtype="float32")(h)
    h = layers.Reshape(image, dtype="float32")(h)
    return keras.Model(inputs, apply_graph(encoder, h), name="encoder")


def _check_width(encoder, n_features):
    """Raise a ValueError if an encoder does not take which values are observed."""
    tensors = getattr(encoder, "inputs", None) or ()
    if len(tensors) != 1 or None in tensors[0].shape[1:]:
        return  # checked later
    shape = tuple(tensors[0].shape[1:])
    if np.prod(shape) != 2 * n_features:
        raise ValueError(
            f"network: the encoder takes rows of shape {shape}, but that of an imputer "
            f"takes {2 * n_features} values: the {n_features} of a row, with 0 for "
            "missing ones, and then which of them are observed. Build it for the "
            "input_shape that the function is given."
        )
