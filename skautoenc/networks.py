"""Shapes in, Keras encoder and decoder out."""

import json

from sklearn.base import BaseEstimator

from ._keras import isolated, load


class DenseNetwork(BaseEstimator):
    """Fully connected encoder and its mirror image as decoder.

    Calling it with ``(input_shape, n_components)`` builds the pair of Keras models,
    which is the contract of every `network` that an estimator takes.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(128, 64)
        Units of the encoder's hidden layers, from the input to the code; the decoder
        has them in reverse. ``()`` is the single-layer autoencoder.

    activation : str or callable, default="relu"
        Activation of the hidden layers: any that Keras knows.

    code_activation : str or callable, default="linear"
        Activation of the code.

    output_activation : str or callable, default="linear"
        Activation of the reconstruction.

    kernel_regularizer : str, keras.Regularizer or None, default=None
        Penalty on every kernel.

    activity_regularizer : str, keras.Regularizer or None, default=None
        Penalty on the code; ``"l1"`` gives a sparse autoencoder.

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
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.code_activation = code_activation
        self.output_activation = output_activation
        self.kernel_regularizer = kernel_regularizer
        self.activity_regularizer = activity_regularizer

    def __call__(self, input_shape, n_components):
        """Build the encoder and the decoder.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one row: ``(n_features,)``.

        n_components : int
            Width of the code.

        Returns
        -------
        encoder, decoder : keras.Model
        """
        (n_features,) = input_shape
        sizes = tuple(self.hidden_layer_sizes)
        encoder = self._stack(
            "encoder",
            n_features,
            sizes,
            n_components,
            activation=self.code_activation,
            activity_regularizer=self.activity_regularizer,
            name="code",
        )
        decoder = self._stack(
            "decoder",
            n_components,
            sizes[::-1],
            n_features,
            activation=self.output_activation,
            name="reconstruction",
        )
        return encoder, decoder

    def _stack(self, part, n_in, sizes, n_out, **last):
        _, keras = load()
        regularizer = self.kernel_regularizer
        inputs = h = keras.Input((n_in,), name=f"{part}_input")
        for i, units in enumerate(sizes, start=1):
            h = keras.layers.Dense(
                int(units),
                activation=self.activation,
                kernel_regularizer=regularizer,
                name=f"{part}_{i}",
            )(h)
        outputs = keras.layers.Dense(
            int(n_out), kernel_regularizer=regularizer, **last
        )(h)
        return keras.Model(inputs, outputs, name=part)


def build_pair(network, n_features, n_components):
    """Call a network function and check that its two models fit the data.

    Parameters
    ----------
    network : callable
        ``(input_shape, n_components) -> (encoder, decoder)``.

    n_features, n_components : int

    Returns
    -------
    encoder, decoder : keras.Model

    Raises
    ------
    TypeError
        If the function does not return a pair of Keras models.
    ValueError
        If a model's input or output has another shape than the data or the code.
    """
    _, keras = load()
    try:
        pair = network((n_features,), n_components)
    except Exception as error:
        error.add_note(
            f"Raised by network={network!r}, which is called as "
            f"network(({n_features},), {n_components})."
        )
        raise
    if not (
        isinstance(pair, tuple | list)
        and len(pair) == 2
        and all(isinstance(model, keras.Model) for model in pair)
    ):
        raise TypeError(
            "network must return two Keras models, (encoder, decoder), but "
            f"{network!r} returned {_describe(pair)}."
        )
    encoder, decoder = pair
    for part, model, n_in, n_out in (
        ("encoder", encoder, n_features, n_components),
        ("decoder", decoder, n_components, n_features),
    ):
        if isinstance(model, keras.Sequential) and not model.built:
            model.build((None, n_in))
        if not getattr(model, "inputs", None):
            raise ValueError(
                f"network: the {part} is of the class {type(model).__name__}; it must "
                "be a Sequential or a functional Keras model."
            )
        _check_can_be_rebuilt(part, model)
        takes, gives = tuple(model.input_shape), "?"
        if takes == (None, n_in):
            gives = tuple(model.compute_output_shape(takes))
        if gives != (None, n_out):
            raise ValueError(
                f"network: the {part} must map {n_in} values to {n_out} "
                f"(n_features={n_features}, n_components={n_components}), but it maps "
                f"shape {takes} to {gives}."
            )
    return encoder, decoder


def _check_can_be_rebuilt(part, model):
    """Raise where Keras could not build the model again from its config.

    Tried only where the config names something that is not Keras's own.
    """
    _, keras = load()
    try:
        config = model.to_json()
        if _names_something_custom(json.loads(config)):
            with isolated(0):
                keras.models.model_from_json(config)
    except (KeyError, NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            f"network: the {part} holds functions or layers that Keras cannot build "
            "again from their config, so that they could not be kept after training. "
            "Decorate them with @keras.saving.register_keras_serializable(), and give "
            f"a layer get_config. Keras says: {str(error)[:300]}"
        ) from None


def _names_something_custom(spec):
    if isinstance(spec, dict):
        if spec.get("class_name") in ("function", "__lambda__", "Lambda"):
            return True
        if "registered_name" in spec:
            module = spec.get("module") or ""
            if module.split(".")[0] not in ("keras", "builtins"):
                return True
        spec = list(spec.values())
    return isinstance(spec, list) and any(map(_names_something_custom, spec))


def _describe(value):
    if isinstance(value, tuple | list):
        return f"({', '.join(type(item).__name__ for item in value)})"
    return f"an object of type {type(value).__name__}"


def chain(encoder, decoder):
    """Return the autoencoder of a pair: one Keras model, sharing their weights."""
    _, keras = load()
    with isolated(0):
        inputs = keras.Input(encoder.input_shape[1:], name="autoencoder_input")
        return keras.Model(inputs, decoder(encoder(inputs)), name="autoencoder")
