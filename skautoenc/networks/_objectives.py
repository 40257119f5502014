"""The objectives of a fit: an encoder and a decoder as one model that is trained."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

from .._backend.choice import keras_backend
from .._backend.keras import (
    custom_layers,
    import_backend,
    import_keras,
    isolated_random_state,
)
from .._backend.keras_internals import node_of
from .._fitted.linear_path import find_linear_path
from .._fitted.network import FittedNetwork


class Objective(NamedTuple):
    """What a fit trains.

    Attributes
    ----------
    model : keras.Model
        Its first output is the reconstruction. Further outputs are auxiliary: terms of
        the loss, one number per row. A second input takes standard normal numbers.

    parts : dict of str to keras.Model
        Parts of `model` to keep, by name.

    loss_weights : dict of str to float
        Weight in the loss of each auxiliary output.
    """

    model: Any
    parts: dict[str, Any]
    loss_weights: dict[str, float]


@dataclass(frozen=True)
class Reconstruction:
    """The objective of an autoencoder: the reconstruction of each row.

    Parameters
    ----------
    contractive : float, default=0.0
        Weight of the penalty on the encoder's Jacobian.
    """

    contractive: float = 0.0

    stochastic_encoder: ClassVar[bool] = False

    @property
    def has_auxiliary_outputs(self) -> bool:
        """Whether the loss has terms besides the reconstruction."""
        return self.contractive > 0

    def loss_weights(self, auto_beta: Callable[[], float]) -> dict[str, float]:
        """Return the weight of each auxiliary output; `auto_beta` is not used."""
        return {"contractive": self.contractive} if self.contractive > 0 else {}

    def build(self, encoder: Any, decoder: Any) -> Objective:
        """Build the model to be trained from two Keras models."""
        return deterministic(encoder, decoder, self.contractive)


@dataclass(frozen=True)
class Variational:
    """The objective of a variational autoencoder.

    Parameters
    ----------
    beta : float or "auto", default="auto"
        Weight of the divergence. ``"auto"`` is replaced when the data are known.
    """

    beta: float | Literal["auto"] = "auto"

    has_auxiliary_outputs: ClassVar[bool] = True
    stochastic_encoder: ClassVar[bool] = True

    def loss_weights(self, auto_beta: Callable[[], float]) -> dict[str, float]:
        """Return the weight of the divergence.

        Parameters
        ----------
        auto_beta : callable
            Called for ``beta="auto"``, when the training rows are known.
        """
        return {"kl": auto_beta() if self.beta == "auto" else self.beta}

    def build(self, encoder: Any, decoder: Any) -> Objective:
        """Build the model to be trained from two Keras models."""
        return variational(encoder, decoder, 1.0 if self.beta == "auto" else self.beta)


def chain(encoder: Any, decoder: Any) -> Any:
    """Return the encoder and the decoder as one Keras model that shares their weights.

    Parameters
    ----------
    encoder, decoder : keras.Model

    Returns
    -------
    keras.Model
    """
    keras = import_keras()
    with isolated_random_state(0):
        inputs = keras.Input(encoder.input_shape[1:], name="autoencoder_input")
        return keras.Model(inputs, decoder(encoder(inputs)), name="autoencoder")


def deterministic(encoder: Any, decoder: Any, contractive: float = 0.0) -> Objective:
    """Return the objective of an autoencoder.

    Parameters
    ----------
    encoder, decoder : keras.Model
    contractive : float, default=0.0
        Weight of the penalty on the encoder's Jacobian. 0 adds no output.

    Raises
    ------
    ValueError
        If `contractive` is given and TensorFlow has no second derivative of the
        encoder.
    """
    parts = {"encoder": encoder, "decoder": decoder}
    if not contractive:
        return Objective(chain(encoder, decoder), parts, {})
    check_second_derivative(encoder)
    keras = import_keras()
    with isolated_random_state(0):
        inputs = keras.Input(encoder.input_shape[1:], name="autoencoder_input")
        codes, norms = custom_layers().EncoderWithJacobian(encoder)(inputs)
        outputs = [
            _named(decoder(codes), "reconstruction"),
            _named(norms, "contractive"),
        ]
        model = keras.Model(inputs, outputs, name="contractive_autoencoder")
    return Objective(model, parts, {"contractive": contractive})


def variational(encoder: Any, decoder: Any, beta: float) -> Objective:
    """Return the objective of a variational autoencoder.

    Codes are drawn around those of the encoder, with the standard normal numbers of
    the second input. The divergence from the prior is in closed form: D. P. Kingma,
    M. Welling, "Auto-Encoding Variational Bayes", ICLR (2014), appendix B.

    Parameters
    ----------
    encoder, decoder : keras.Model
    beta : float
        Weight of the divergence, divided by the number of features.
    """
    keras = import_keras()
    ops = keras.ops
    with isolated_random_state(0):
        head, features = _log_variance_head(encoder)
        posterior = keras.Model(
            encoder.inputs, [encoder.outputs[0], head(features)], name="posterior"
        )
        inputs = keras.Input(encoder.input_shape[1:], name="autoencoder_input")
        noise = keras.Input(encoder.output_shape[1:], name="noise")
        mean, log_variance = (
            ops.cast(output, "float32") for output in posterior(inputs)
        )
        codes = mean + ops.exp(0.5 * log_variance) * noise
        divergence = 0.5 * ops.sum(
            ops.square(mean) + ops.exp(log_variance) - 1 - log_variance,
            axis=-1,
            keepdims=True,
        )
        n_features = encoder.input_shape[1]
        outputs = [
            _named(decoder(codes), "reconstruction"),
            _named(divergence / n_features, "kl"),
        ]
        model = keras.Model([inputs, noise], outputs, name="variational_autoencoder")
    parts = {"encoder": encoder, "decoder": decoder, "log_variance": head}
    return Objective(model, parts, {"kl": beta})


def _log_variance_head(encoder):
    """The model of the codes' log variance, and its input tensor.

    A dense layer beside the encoder's last layer that has weights, or its last hidden
    layer where there is a linear path, on the same input. Its weights start at zero,
    and so the codes' standard deviation at 1.
    """
    keras = import_keras()
    features = encoder.inputs[0]
    with_weights = [layer for layer in encoder.layers if layer.weights]
    path = find_linear_path(FittedNetwork.from_keras(encoder))
    if path is not None and path.hidden is not None:
        last = encoder.weights[path.hidden.last.kernel]
        with_weights = [layer for layer in with_weights if layer.weights[0] is last]
    if with_weights:
        features = node_of(encoder, with_weights[-1]).input_tensors[0]
    inputs = keras.Input(features.shape[1:], name="features")
    outputs = keras.layers.Dense(
        encoder.output_shape[1],
        kernel_initializer="zeros",
        dtype="float32",
        name="log_variance",
    )(keras.layers.Flatten(dtype="float32", name="flat_features")(inputs))
    return keras.Model(inputs, outputs, name="log_variance_of_features"), features


def _named(tensor, name):
    """Give an output the name that its loss has in the history."""
    keras = import_keras()
    return keras.layers.Identity(dtype="float32", name=name)(tensor)


def check_second_derivative(encoder: Any) -> None:
    """Raise if TensorFlow has no second derivative, which `contractive` needs.

    JAX and PyTorch have those of all activations of Keras.

    Parameters
    ----------
    encoder : keras.Model

    Raises
    ------
    ValueError
        If it has none. The message names an activation without one.
    """
    if keras_backend() != "tensorflow":
        return
    if _is_twice_differentiable(encoder, tuple(encoder.input_shape[1:])):
        return
    functions = {getattr(layer, "activation", None) for layer in encoder.layers}
    names = [
        getattr(function, "__name__", repr(function))
        for function in functions - {None}
        if not _is_twice_differentiable(function, (1,))
    ]
    cause = f"activation={names[0]!r}" if names else "one of the encoder's layers"
    raise ValueError(
        "contractive > 0 is trained by second derivatives, which TensorFlow does not "
        f"have for {cause}. Use another, such as 'tanh', or contractive=0."
    )


def _is_twice_differentiable(function, shape):
    tf = import_backend()
    rows = tf.ones((1, *shape))
    try:
        with tf.GradientTape() as outer:
            outer.watch(rows)
            with tf.GradientTape() as inner:
                inner.watch(rows)
                total = tf.reduce_sum(function(rows))
            slope = inner.gradient(total, rows)
        if slope is not None:
            outer.gradient(slope, rows)
    except LookupError:
        return False
    return True
