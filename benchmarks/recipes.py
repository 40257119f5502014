"""Common autoencoder recipes, as an estimator and as plain Keras."""

from collections.abc import Callable
from dataclasses import dataclass

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)


@dataclass(frozen=True)
class Recipe:
    """An autoencoder and its training parameters, for both sides.

    Attributes
    ----------
    kind : class
        Class of the estimator.

    params : dict
        Parameters of the estimator, except loss, optimizer and batch size.

    keras_model : callable
        ``(n_features) -> keras.Model``, as a user of plain Keras would write it.

    loss, optimizer : str
    batch_size : int
    keras_shape : tuple of int or None
        Shape of the samples that `keras_model` takes, if they are not flat.
    """

    kind: type
    params: dict
    keras_model: Callable
    loss: str = "binary_crossentropy"
    optimizer: str = "adam"
    batch_size: int = 256
    keras_shape: tuple | None = None

    def estimator(self, **params):
        return self.kind(
            **self.params,
            loss=self.loss,
            optimizer=self.optimizer,
            batch_size=self.batch_size,
            **params,
        )

    def plain_keras(self, X, epochs, inputs=None, validation=None, start=None):
        """Build, compile and fit the Keras model, and return its history.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Targets, and also the inputs if `inputs` is None.

        epochs : int
        inputs : ndarray of the shape of `X` or None, default=None
        validation : tuple of (inputs, targets) or None, default=None
        start : list of ndarray or None, default=None
            Initial weights. If None, they are drawn at random.
        """
        model = self.keras_model(X.shape[1])
        if start is not None:
            model.set_weights(start)
        model.compile(optimizer=self.optimizer, loss=self.loss)
        inputs, X, *validation = (
            a if self.keras_shape is None else a.reshape(-1, *self.keras_shape)
            for a in (X if inputs is None else inputs, X, *(validation or ()))
        )
        return model.fit(
            inputs,
            X,
            epochs=epochs,
            batch_size=self.batch_size,
            validation_data=tuple(validation) or None,
            verbose=0,
        ).history


def dense(n_components, sizes, activation, code_activation, output_activation):
    """Return parameters of a dense estimator, and a builder of its Keras model."""
    params = {
        "n_components": n_components,
        "hidden_layer_sizes": sizes,
        "activation": activation,
        "code_activation": code_activation,
        "output_activation": output_activation,
    }

    def keras_model(n_features, *first):
        import keras

        layer = keras.layers.Dense
        return keras.Sequential(
            [
                keras.Input((n_features,)),
                *first,
                *[layer(size, activation) for size in sizes],
                layer(n_components, code_activation),
                *[layer(size, activation) for size in sizes[::-1]],
                layer(n_features, output_activation),
            ]
        )

    return params, keras_model


def _conv(filters):
    import keras

    return keras.layers.Conv2D(filters, 3, activation="relu", padding="same")


def conv_model(n_features):
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            _conv(16),
            layers.MaxPooling2D(2, padding="same"),
            _conv(8),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(8, 3, strides=2, activation="relu", padding="same"),
            _conv(8),
            layers.UpSampling2D(2),
            layers.Cropping2D(((0, 1), (0, 1))),
            _conv(8),
            layers.UpSampling2D(2),
            _conv(16),
            layers.UpSampling2D(2),
            layers.Conv2D(1, 3, activation="sigmoid", padding="same"),
        ]
    )


def denoise_model(n_features):
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            _conv(32),
            layers.MaxPooling2D(2, padding="same"),
            _conv(32),
            layers.MaxPooling2D(2, padding="same"),
            _conv(32),
            layers.UpSampling2D(2),
            _conv(32),
            layers.UpSampling2D(2),
            layers.Conv2D(1, 3, activation="sigmoid", padding="same"),
        ]
    )


def signals_model(n_features):
    """Return the model of the Keras example on time series, with two changes.

    It has no dropout, and its last layer is a convolution, as that of a `ConvNetwork`.
    """
    import keras

    layers = keras.layers
    settings = {"strides": 2, "activation": "relu", "padding": "same"}
    return keras.Sequential(
        [
            keras.Input((n_features, 1)),
            layers.Conv1D(32, 7, **settings),
            layers.Conv1D(16, 7, **settings),
            layers.Conv1DTranspose(16, 7, **settings),
            layers.Conv1DTranspose(32, 7, **settings),
            layers.Conv1D(1, 7, padding="same"),
        ]
    )


def variational_model(n_features):
    """Return the model of the Keras example, whose sampling layer adds the KL loss."""
    import keras

    class Sampling(keras.layers.Layer):
        def call(self, inputs):
            mean, log_variance = inputs
            divergence = keras.ops.sum(
                keras.ops.square(mean) + keras.ops.exp(log_variance) - 1 - log_variance,
                axis=1,
            )
            self.add_loss(0.5 * keras.ops.mean(divergence) / n_features)
            noise = keras.random.normal(keras.ops.shape(mean))
            return mean + keras.ops.exp(0.5 * log_variance) * noise

    layer = keras.layers.Dense
    inputs = keras.Input((n_features,))
    h = layer(64, "relu")(layer(128, "relu")(inputs))
    code = Sampling()([layer(2)(h), layer(2)(h)])
    h = layer(128, "relu")(layer(64, "relu")(code))
    return keras.Model(inputs, layer(n_features, "sigmoid")(h))


def noisy_dense_model(n_features):
    import keras

    return DEEP[1](n_features, keras.layers.GaussianNoise(0.5))


DEEP = dense(32, (128, 64), "relu", "relu", "sigmoid")
IMAGES = {"code_activation": "relu", "output_activation": "sigmoid"}

DIGITS_32 = Recipe(AutoencoderTransformer, *dense(32, (), "relu", "relu", "sigmoid"))
DIGITS_2 = Recipe(
    AutoencoderTransformer,
    *dense(2, (32,), "sigmoid", "sigmoid", "sigmoid"),
    loss="mean_squared_error",
    batch_size=8,
)
MNIST_SIMPLE = Recipe(AutoencoderTransformer, *dense(32, (), "relu", "relu", "sigmoid"))
MNIST_DEEP = Recipe(AutoencoderTransformer, *DEEP)
MNIST_CONV = Recipe(
    AutoencoderTransformer,
    {
        "n_components": None,
        "network": ConvNetwork(
            (28, 28, 1),
            filters=(16, 8, 8),
            downsampling=("max_pool", "max_pool", "stride"),
            **IMAGES,
        ),
    },
    conv_model,
    keras_shape=(28, 28, 1),
)
MNIST_DENOISE = Recipe(
    DenoisingAutoencoder,
    {
        "n_components": None,
        "network": ConvNetwork((28, 28, 1), filters=(32, 32), **IMAGES),
        "noise_level": 0.5,
        "clip": (0, 1),
    },
    denoise_model,
    keras_shape=(28, 28, 1),
)
SIGNALS = Recipe(
    AutoencoderTransformer,
    {
        "n_components": None,
        "network": ConvNetwork(
            (288,),
            filters=(32, 16),
            kernel_size=7,
            upsampling="transpose",
            activation="relu",
            code_activation="relu",
        ),
    },
    signals_model,
    loss="mean_squared_error",
    batch_size=128,
    keras_shape=(288, 1),
)
MNIST_RELU = Recipe(
    AutoencoderTransformer,
    *dense(128, (784, 256, 128), "relu", "relu", "relu"),
    loss="mean_squared_error",
    optimizer="rmsprop",
)
DENSE_DENOISE = Recipe(
    DenoisingAutoencoder, {**DEEP[0], "noise_level": 0.5}, noisy_dense_model
)
VARIATIONAL = Recipe(
    VariationalAutoencoder,
    dense(2, (128, 64), "relu", "linear", "sigmoid")[0],
    variational_model,
)
