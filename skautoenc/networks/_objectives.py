"""Encoder and decoder as the one model that is trained."""

from typing import NamedTuple

from .._backend.keras import isolated, load, own_layers
from .._backend.keras_internals import node_of


def chain(encoder, decoder):
    """Return the autoencoder of a pair: one Keras model, sharing their weights."""
    _, keras = load()
    with isolated(0):
        inputs = keras.Input(encoder.input_shape[1:], name="autoencoder_input")
        return keras.Model(inputs, decoder(encoder(inputs)), name="autoencoder")


class Objective(NamedTuple):
    """What a fit trains.

    Attributes
    ----------
    model : keras.Model
        See `training.train` for its inputs and outputs.

    parts : dict of str to keras.Model
        Parts of `model` to keep, by the attribute that they are kept in.

    penalties : dict of str to float
        Factor in the loss of each output after the first.
    """

    model: object
    parts: dict
    penalties: dict


def deterministic(encoder, decoder, contractive=0.0):
    """The autoencoder itself, with a penalty on the encoder's Jacobian if asked to."""
    parts = {"_encoder": encoder, "_decoder": decoder}
    if not contractive:
        return Objective(chain(encoder, decoder), parts, {})
    check_second_derivative(encoder)
    _, keras = load()
    with isolated(0):
        inputs = keras.Input(encoder.input_shape[1:], name="autoencoder_input")
        codes, norms = own_layers().EncoderWithJacobian(encoder)(inputs)
        outputs = [
            _named(decoder(codes), "reconstruction"),
            _named(norms, "contractive"),
        ]
        model = keras.Model(inputs, outputs, name="contractive_autoencoder")
    return Objective(model, parts, {"contractive": contractive})


def variational(encoder, decoder, beta):
    """The autoencoder with a code drawn around the encoder's, and its divergence.

    The second input takes standard normal numbers. The divergence from the prior is
    in closed form: D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", ICLR
    (2014), appendix B.
    """
    _, keras = load()
    ops = keras.ops
    with isolated(0):
        head, features = _log_variance(encoder)
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
    parts = {"_encoder": encoder, "_decoder": decoder, "_log_variance": head}
    return Objective(model, parts, {"kl": beta})


def _log_variance(encoder):
    """The head that gives the codes' log variance, and the features that it takes.

    A dense layer beside the encoder's last one with weights, on the same input. Its
    own weights start at zero, and so the codes' standard deviation at 1.
    """
    _, keras = load()
    features = encoder.inputs[0]
    # A linear path, which has no bias, takes the rows themselves.
    with_weights = [
        layer
        for layer in encoder.layers
        if layer.weights and getattr(layer, "use_bias", True)
    ]
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
    """Give an output the name that its loss has in a history."""
    _, keras = load()
    return keras.layers.Identity(dtype="float32", name=name)(tensor)


def check_second_derivative(encoder):
    """Raise where TensorFlow has no second derivative, which `contractive` needs.

    Parameters
    ----------
    encoder : keras.Model

    Raises
    ------
    ValueError
        Naming the activations without one.
    """
    if _is_twice_differentiable(encoder, tuple(encoder.input_shape[1:])):
        return
    functions = {getattr(layer, "activation", None) for layer in encoder.layers}
    names = [
        getattr(function, "__name__", repr(function))
        for function in functions - {None}
        if not _is_twice_differentiable(function, (1,))
    ]
    culprit = f"activation={names[0]!r}" if names else "one of the encoder's layers"
    raise ValueError(
        "contractive > 0 is trained by second derivatives, which TensorFlow does not "
        f"have for {culprit}. Use another, such as 'tanh', or contractive=0."
    )


def _is_twice_differentiable(function, shape):
    tf, _ = load()
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
