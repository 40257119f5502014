"""What training reaches: whole recipes beside plain Keras, denoising beside others."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import KernelPCA
from sklearn.model_selection import ParameterGrid, train_test_split

from skautoenc import DenoisingAutoencoder

from ._rows import Result, mnist, row
from .recipes import MNIST_CONV, MNIST_DEEP, MNIST_DENOISE, MNIST_RELU, MNIST_SIMPLE


def _whole_recipe(what):
    return row(f"{what}: validation loss", "0.99x", needs_data=True, takes_long=True)


def _whole(recipe, X, X_val, epochs, seeds, inputs=None, val_inputs=None):
    """Validation losses after training on both sides from the same weights.

    From weights of their own, single runs differ by more than is looked for here: as
    many units of a relu code never wake up as chance has it.
    """
    losses, starts = ([], []), _starts()
    validation = (X_val if val_inputs is None else val_inputs, X_val)

    def ours(seed):
        estimator = recipe.estimator(
            epochs=epochs, random_state=seed, callbacks=[starts]
        )
        losses[0].append(estimator.fit(X, X_val=X_val).history_["val_loss"][-1])

    def rival(seed):
        history = recipe.plain_keras(X, epochs, inputs, validation, starts.weights)
        losses[1].append(history["val_loss"][-1])

    for seed in range(seeds):
        ours(seed), rival(seed)
        print(f"seed {seed}: {losses[0][-1]:.5f}, {losses[1][-1]:.5f}", flush=True)
    return Result(*losses, unit="loss")


def _starts():
    import keras

    class Starts(keras.callbacks.Callback):
        """Keeps the weights that a fit starts from."""

        def on_train_begin(self, logs=None):
            self.weights = self.model.get_weights()

    return Starts()


@_whole_recipe("mnist-simple, 50 epochs")
def mnist_simple_whole(data, repeats):
    return _whole(MNIST_SIMPLE, mnist(data), mnist(data, "test"), 50, repeats)


@_whole_recipe("mnist-deep, 50 epochs")
def mnist_deep_whole(data, repeats):
    return _whole(MNIST_DEEP, mnist(data), mnist(data, "test"), 50, repeats)


@_whole_recipe("mnist-conv, 50 epochs")
def mnist_conv_whole(data, repeats):
    return _whole(MNIST_CONV, mnist(data), mnist(data, "test"), 50, repeats)


@_whole_recipe("mnist-relu, 1000 steps")
def mnist_relu_whole(data, repeats):
    """1000 steps: five passes over 200 batches."""
    return _whole(MNIST_RELU, mnist(data)[:51_200], mnist(data, "test"), 5, repeats)


@_whole_recipe("mnist-denoise, 50 epochs")
def mnist_denoise_whole(data, repeats):
    """Plain Keras sees a row with the same noise in every epoch, as the recipe says."""
    X, X_val = mnist(data), mnist(data, "test")
    rng = np.random.default_rng(0)
    noisy, noisy_val = (
        np.clip(a + 0.5 * rng.standard_normal(a.shape, np.float32), 0, 1)
        for a in (X, X_val)
    )
    return _whole(MNIST_DENOISE, X, X_val, 50, repeats, noisy, noisy_val)


KERNEL_PCA = {
    "gamma": np.geomspace(0.003, 0.3, 9),
    "alpha": np.geomspace(0.01, 1, 5),
    "n_components": [32, 48, 64, 128],
}


@row("digits denoised, held-out squared error, against the best kernel PCA", "1.33x")
def digits_denoised(data, repeats):
    """Kernel PCA is lent the answer: the best of its grid on the rows measured."""
    X = load_digits().data / 16
    ours, rival = [], []
    for seed in range(repeats):
        X_train, X_test = train_test_split(X, test_size=0.3, random_state=seed)
        noise = np.random.default_rng(seed).normal(scale=0.25, size=X_test.shape)
        noisy = X_test + noise
        denoiser = DenoisingAutoencoder(
            n_components=512,
            hidden_layer_sizes=(),
            code_activation="relu",
            output_activation="sigmoid",
            noise_level=0.25,
            epochs=300,
            random_state=seed,
        ).fit(X_train)
        ours.append(np.mean((denoiser.reconstruct(noisy) - X_test) ** 2))
        errors = []
        for params in ParameterGrid(KERNEL_PCA):
            pca = KernelPCA(
                kernel="rbf", fit_inverse_transform=True, random_state=0, **params
            ).fit(X_train)
            cleaned = pca.inverse_transform(pca.transform(noisy))
            errors.append(np.mean((cleaned - X_test) ** 2))
        rival.append(min(errors))
    return Result(ours, rival, unit="")
