"""Keras layers of this package. `_backend.keras` imports them after Keras."""

from types import SimpleNamespace

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("skautoenc")
class TransposedDense(keras.layers.Layer):
    """A dense layer that uses the transposed kernel of another, with its own bias.

    Built from its config alone, as a loaded decoder is, it has a kernel of its own. So
    Keras loads a saved autoencoder with ``compile=False`` only: the optimizer's state
    is that of fewer weights.

    Parameters
    ----------
    units : int
        Width of the output: that of the input of `source`.

    activation : str or callable, default=None

    source : keras.layers.Dense or None, default=None
        Built; its kernel is used.

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

    def __init__(self, units, activation=None, *, source=None, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.activation = keras.activations.get(activation)
        # Hidden, or Keras would count all of the source's weights as this layer's.
        self._source = SimpleNamespace(layer=source)

    def build(self, input_shape):
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
        """Map rows of shape (n, n_in) to (n, units)."""
        outputs = keras.ops.matmul(inputs, keras.ops.transpose(self.kernel))
        return self.activation(outputs + self.bias)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "activation": keras.activations.serialize(self.activation),
        }


@keras.saving.register_keras_serializable("skautoenc")
class EncoderWithJacobian(keras.layers.Layer):
    """An encoder that also gives the squared Frobenius norm of its Jacobian.

    Parameters
    ----------
    encoder : keras.Model
        Maps (n, n_features) to (n, n_components).

    References
    ----------
    S. Rifai et al., "Contractive Auto-Encoders: Explicit Invariance During Feature
    Extraction", ICML (2011).
    """

    def __init__(self, encoder, **kwargs):
        # Or Keras's policy would cut the rows, and the norms, to its precision.
        super().__init__(**{"dtype": "float32", **kwargs})
        self.encoder = encoder

    def call(self, inputs):
        """Map rows of shape (n, n_features) to codes and norms, (n, 1)."""
        # Each row stands once for each component, so that one backward pass, made of
        # large products, gives the whole Jacobian.
        n_rows, n_components = tf.shape(inputs)[0], self.encoder.output_shape[1]
        shape = (n_rows, n_components, inputs.shape[1])
        rows = tf.reshape(
            tf.broadcast_to(inputs[:, None], shape), (-1, inputs.shape[1])
        )
        own_component = tf.tile(tf.eye(n_components), (n_rows, 1))
        with tf.GradientTape() as tape:
            tape.watch(rows)
            codes = tf.cast(self.encoder(rows), tf.float32)
            selected = tf.reduce_sum(codes * own_component)
        jacobian = tf.reshape(tape.gradient(selected, rows), shape)
        norms = tf.reduce_sum(tf.square(jacobian), axis=[1, 2])[:, None]
        return codes[::n_components], norms

    def compute_output_shape(self, input_shape):
        return self.encoder.compute_output_shape(input_shape), (input_shape[0], 1)

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder}

    @classmethod
    def from_config(cls, config):
        """Build the layer from what `get_config` gave."""
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        return cls(encoder, **config)
