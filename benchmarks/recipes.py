"""The recipes people bring, as one estimator call and as plain Keras."""

from dataclasses import dataclass

from skautoenc import AutoencoderTransformer


@dataclass(frozen=True)
class Recipe:
    """A dense autoencoder and how it is trained."""

    n_components: int
    hidden_layer_sizes: tuple
    activation: str
    code_activation: str
    output_activation: str
    loss: str
    batch_size: int

    def estimator(self, **params):
        return AutoencoderTransformer(**{**vars(self), **params})

    def keras_model(self, n_features):
        import keras

        dense = keras.layers.Dense
        layers = [keras.Input((n_features,))]
        layers += [dense(size, self.activation) for size in self.hidden_layer_sizes]
        layers += [dense(self.n_components, self.code_activation)]
        mirrored = self.hidden_layer_sizes[::-1]
        layers += [dense(size, self.activation) for size in mirrored]
        layers += [dense(n_features, self.output_activation)]
        return keras.Sequential(layers)

    def plain_keras(self, X, epochs, optimizer="adam"):
        """Build, compile and fit; return the last epoch's loss."""
        model = self.keras_model(X.shape[1])
        model.compile(optimizer=optimizer, loss=self.loss)
        history = model.fit(
            X, X, epochs=epochs, batch_size=self.batch_size, verbose=0
        ).history
        return history["loss"][-1]


_BINARY = ("relu", "relu", "sigmoid", "binary_crossentropy", 256)
DIGITS_32 = Recipe(32, (), *_BINARY)
DIGITS_2 = Recipe(2, (32,), "sigmoid", "sigmoid", "sigmoid", "mean_squared_error", 8)
MNIST_SIMPLE = Recipe(32, (), *_BINARY)
MNIST_DEEP = Recipe(32, (128, 64), *_BINARY)
