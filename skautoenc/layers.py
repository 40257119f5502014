"""Custom Keras layers. Importing this module imports Keras and its backend."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Self

import keras

__all__ = ["EncoderWithJacobian", "TransposedDense"]


@keras.saving.register_keras_serializable("skautoenc")
class TransposedDense(keras.layers.Layer):
    """Dense layer that uses the transposed kernel of another dense layer.

    The bias is not shared. If the layer is built from its config alone, as in a loaded
    model, it has a separate kernel. Therefore, Keras can load a model that a callback
    saved during a fit with ``tied_weights=True`` only with ``compile=False``: the state
    of the optimizer is for fewer weights. The models of a fitted estimator, such as
    `autoencoder_`, have `Dense` layers with equal kernels instead.

    Parameters
    ----------
    units : int
        Number of units, equal to the number of inputs of `source`.

    activation : str, callable or None, default=None
        Activation. If None, the layer is linear.

    source : keras.layers.Dense or None, default=None
        Built layer whose kernel is used. If None, the layer has a separate kernel.

    **kwargs : dict
        Arguments of ``keras.layers.Layer``.

    Examples
    --------
    >>> import keras
    >>> from skautoenc.layers import TransposedDense
    >>> dense = keras.layers.Dense(3)
    >>> dense.build((None, 5))
    >>> tied = TransposedDense(5, source=dense)
    >>> tied.build((None, 3))
    >>> tied.kernel is dense.kernel
    True
    """

    def __init__(
        self,
        units: int,
        activation: str | Callable | None = None,
        *,
        source: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)
        # In a namespace, so that Keras does not track the weights of the source here.
        self._source = SimpleNamespace(layer=source)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        source = self._source.layer
        if source is None:
            self.kernel = self.add_weight(
                name="kernel", shape=(self.units, input_shape[-1])
            )
        else:
            self.kernel = source.kernel
        self.bias = self.add_weight(
            name="bias", shape=(self.units,), initializer="zeros"
        )

    def call(self, inputs):
        """Map rows of shape (n_rows, n_inputs) to rows of shape (n_rows, units)."""
        outputs = keras.ops.matmul(inputs, keras.ops.transpose(self.kernel))
        return self.activation(outputs + self.bias)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
        }


@keras.saving.register_keras_serializable("skautoenc")
class EncoderWithJacobian(keras.layers.Layer):
    """Encoder with the squared Frobenius norm of its Jacobian as second output.

    Parameters
    ----------
    encoder : keras.Model
        Encoder from rows of shape (n_rows, n_features) to codes of shape
        (n_rows, n_components).

    **kwargs : dict
        Arguments of ``keras.layers.Layer``.

    References
    ----------
    S. Rifai et al., "Contractive Auto-Encoders: Explicit Invariance During Feature
    Extraction", ICML (2011).
    """

    def __init__(self, encoder: Any, **kwargs: Any) -> None:
        # Keras's dtype policy would reduce the precision of rows and norms.
        super().__init__(**{"dtype": "float32", **kwargs})
        self.encoder = encoder

    def call(self, inputs, training=None):
        """Map rows to codes, and to norms of shape (n_rows, 1)."""
        # Each row is repeated for each component, so that one backward pass with large
        # matrix products computes the whole Jacobian.
        n_components, n_features = self.encoder.output_shape[1], inputs.shape[1]
        shape = (keras.ops.shape(inputs)[0], n_components, n_features)
        rows = keras.ops.broadcast_to(inputs[:, None], shape)
        rows = keras.ops.reshape(rows, (-1, n_features))
        codes, jacobian = self._codes_and_jacobian(rows, training)
        jacobian = keras.ops.reshape(jacobian, (-1, n_components * n_features))
        norms = keras.ops.sum(keras.ops.square(jacobian), axis=1, keepdims=True)
        return codes[::n_components], norms

    def _codes_and_jacobian(self, rows, training):
        """Return codes, and the gradient of one component of the code of each row."""
        backend = keras.config.backend()
        if backend == "jax":
            return self._in_jax(rows, training)
        if backend == "torch":
            return self._in_torch(rows, training)
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(rows)
            codes, total = self._codes_and_total(self.encoder(rows, training=training))
        return codes, tape.gradient(total, rows)

    def _in_jax(self, rows, training):
        import jax

        encoder = self.encoder
        trainable, others = encoder.trainable_variables, encoder.non_trainable_variables
        state = [[v.value for v in variables] for variables in (trainable, others)]

        # What the encoder assigns and adds to the loss has to leave `jax.grad`.
        def total(rows):
            codes, values, losses = encoder.stateless_call(
                *state, rows, training=training, return_losses=True
            )
            codes, total = self._codes_and_total(codes)
            return total, (codes, values, losses)

        jacobian, (codes, values, losses) = jax.grad(total, has_aux=True)(rows)
        for variable, value in zip(others, values, strict=True):
            variable.assign(value)
        # The last losses are those of weights, which the model adds.
        n_weights = sum(v.regularizer is not None for v in trainable)
        self.add_loss(losses[: len(losses) - n_weights])
        return codes, jacobian

    def _in_torch(self, rows, training):
        import torch

        with torch.enable_grad():
            rows.requires_grad_()
            codes, total = self._codes_and_total(self.encoder(rows, training=training))
            (jacobian,) = torch.autograd.grad(total, rows, create_graph=True)
        return codes, jacobian

    def _codes_and_total(self, codes):
        """Return codes, and the sum of one component of each, the next for each row."""
        n_components = self.encoder.output_shape[1]
        codes = keras.ops.cast(codes, "float32")
        selected = keras.ops.reshape(codes, (-1, n_components, n_components))
        return codes, keras.ops.sum(selected * keras.ops.eye(n_components))

    def compute_output_shape(self, input_shape):
        return self.encoder.compute_output_shape(input_shape), (input_shape[0], 1)

    def get_config(self) -> dict[str, Any]:
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Create the layer from the result of `get_config`."""
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})
