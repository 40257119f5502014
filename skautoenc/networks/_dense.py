"""DenseNetwork."""

from typing import Any

import numpy as np

from .._backend.keras import custom_layers, import_keras
from .._fitted.dense_spec import DenseSpec, LayerSpec
from .._fitted.network import FittedNetwork
from ._base import Network
from ._layer_parameters import (
    has_linear_path,
    hidden_sizes,
    keras_settings,
    plain_settings,
)


class DenseNetwork(Network):
    """Fully connected encoder and its mirror image as decoder.

    As every callable `network` of an estimator, it is called with
    ``(input_shape, n_components)`` and returns the encoder and the decoder as Keras
    models. They compute in float32, whatever Keras's dtype policy is.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(128, 64)
        Units of the encoder's hidden layers, from the input to the code; the decoder
        has them in reverse order. ``()`` means no hidden layers, 16 means ``(16,)``.

    activation : str, callable or None, default="relu"
        Activation of the hidden layers: any of Keras. None is linear.

    code_activation : str, callable or None, default="linear"
        Activation of the code.

    output_activation : str, callable or None, default="linear"
        Activation of the reconstruction.

    kernel_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on every kernel. A number is the strength of an L2 penalty;
        ``{"l1": 1e-5, "l2": 1e-4}`` gives one or both.

    activity_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on the code, in the same format; ``"l1"`` gives a sparse autoencoder.

    tied_weights : bool, default=False
        Whether the decoder uses the encoder's kernels, transposed, with separate
        biases. This halves the number of weights and fixes the scale of the code.

    linear_path : bool or "auto", default="auto"
        Whether to add a linear function of the input to the code, and one of the code
        to the reconstruction, so that hidden layers learn only the nonlinear part. Such
        a network can be initialized as exactly PCA. ``"auto"`` adds them if code and
        output are linear and weights are not tied. Without hidden layers it has no
        effect.

    References
    ----------
    P. Vincent et al., "Stacked Denoising Autoencoders", Journal of Machine Learning
    Research 11 (2010), for tied weights; K. He et al., "Deep Residual Learning for
    Image Recognition", CVPR (2016), for linear paths beside nonlinear layers.

    Examples
    --------
    >>> from skautoenc import DenseNetwork
    >>> encoder, decoder = DenseNetwork(hidden_layer_sizes=(32,))((64,), 2)
    >>> encoder.output_shape, decoder.output_shape
    ((None, 2), (None, 64))
    """

    def __init__(
        self,
        hidden_layer_sizes=(128, 64),
        *,
        activation="relu",
        code_activation="linear",
        output_activation="linear",
        kernel_regularizer=None,
        activity_regularizer=None,
        tied_weights=False,
        linear_path="auto",
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.code_activation = code_activation
        self.output_activation = output_activation
        self.kernel_regularizer = kernel_regularizer
        self.activity_regularizer = activity_regularizer
        self.tied_weights = tied_weights
        self.linear_path = linear_path

    def __call__(
        self, input_shape: tuple[int, ...], n_components: int | None
    ) -> tuple[Any, Any]:
        """Build the encoder and the decoder.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one row.

        n_components : int
            Width of the code.

        Returns
        -------
        encoder, decoder : keras.Model
            Between rows of ``prod(input_shape)`` values and codes.

        Raises
        ------
        ValueError
            If `n_components` is None, if `linear_path` is True although the code or the
            output is not linear or weights are tied, or if a parameter is invalid.
        """
        if n_components is None:
            raise ValueError(
                "n_components=None is for networks that determine the width of the "
                "code, such as the feature map of a ConvNetwork. A dense network needs "
                "a number."
            )
        encoder, decoder = self._specs(
            int(np.prod(input_shape)), n_components, **keras_settings(self)
        )
        encoder = _keras_model(encoder)
        kernels_from = encoder.layers[:0:-1] if self.tied_weights else None
        return encoder, _keras_model(decoder, kernels_from)

    def _specs(
        self,
        n_features,
        n_components,
        *,
        activation,
        code_activation,
        output_activation,
        kernel_regularizer,
        activity_regularizer,
    ):
        """Describe the encoder and the decoder."""
        sizes = hidden_sizes(self.hidden_layer_sizes)

        def layers(hidden, *last):
            layers = [LayerSpec(n, activation, kernel_regularizer) for n in hidden]
            return (*layers, LayerSpec(*last))

        is_summed = self._has_linear_path()
        encoder = DenseSpec(
            n_features,
            layers(
                sizes,
                n_components,
                code_activation,
                kernel_regularizer,
                activity_regularizer,
            ),
            is_summed,
            name="encoder",
            output_name="code",
        )
        decoder = DenseSpec(
            n_components,
            layers(sizes[::-1], n_features, output_activation, kernel_regularizer),
            is_summed,
            is_transposed=self.tied_weights,
            name="decoder",
            output_name="reconstruction",
        )
        return encoder, decoder

    def _has_linear_path(self):
        is_tied = self.tied_weights
        is_asked = has_linear_path(
            self, "tied_weights=False", str(is_tied), is_possible=not is_tied
        )
        return is_asked and len(hidden_sizes(self.hidden_layer_sizes)) > 0


def _keras_model(spec, kernels_from=None):
    """Build the Keras model of a `DenseSpec`, with the kernels of given layers if any.

    Parameters
    ----------
    spec : DenseSpec
        With activations and regularizers as Keras objects.

    kernels_from : sequence of keras.layers.Dense or None, default=None
        The layers whose kernels each layer uses, transposed.
    """
    keras = import_keras()
    kinds = {"Dense": keras.layers.Dense, "Add": keras.layers.Add}
    if kernels_from is not None:
        sources = iter(kernels_from)

        def transposed(**config):
            return custom_layers().TransposedDense(source=next(sources), **config)

        kinds["TransposedDense"] = transposed
    given, *layers = spec.keras_layers()
    shape = (spec.n_in,)
    tensors = [keras.Input(shape, dtype="float32", name=given.config["name"])]
    for kind, inputs, config in layers:
        taken = [tensors[i] for i in inputs]
        tensors.append(kinds[kind](**config)(taken if len(taken) > 1 else taken[0]))
    return keras.Model(tensors[0], tensors[-1], name=spec.name)


def dense_pair(
    network: Any, n_features: int, n_components: int | None, rng: np.random.Generator
) -> tuple[FittedNetwork, FittedNetwork] | None:
    """Build the encoder and the decoder of a `DenseNetwork` without Keras.

    Parameters
    ----------
    network : object
    n_features : int
    n_components : int or None
    rng : numpy.random.Generator
        Draws the weights.

    Returns
    -------
    encoder, decoder : FittedNetwork
        With the config of the models that `network` would build. None if `network`
        is not a `DenseNetwork`, or has parameters that need Keras.
    """
    if type(network) is not DenseNetwork or network.tied_weights or not n_components:
        return None
    settings = plain_settings(network)
    if settings is None:
        return None
    encoder, decoder = (
        FittedNetwork(spec.to_config(), spec.initial_weights(rng))
        for spec in network._specs(n_features, int(n_components), **settings)
    )
    return encoder, decoder
