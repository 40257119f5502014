"""Losses after training, compared with plain Keras and kernel PCA."""

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits, load_sample_images
from sklearn.decomposition import PCA, KernelPCA
from sklearn.model_selection import ParameterGrid, train_test_split

from skautoenc import AutoencoderTransformer, ConvNetwork, DenoisingAutoencoder

from ._cases import Result, case, mnist, seconds
from .recipes import MNIST_CONV, MNIST_DEEP, MNIST_DENOISE, MNIST_RELU, MNIST_SIMPLE


def _full_recipe(what):
    return case(f"{what}: validation loss", "0.99x", needs_data=True, takes_long=True)


def _losses(recipe, X, X_val, epochs, seeds, inputs=None, val_inputs=None):
    """Return validation losses of both sides, trained from the same weights.

    With different initial weights, single runs differ by more than the effect measured
    here, because the number of dead units of a relu code depends on the weights.
    """
    losses, initial = ([], []), _initial_weights()
    validation = (X_val if val_inputs is None else val_inputs, X_val)

    def ours(seed):
        estimator = recipe.estimator(
            epochs=epochs, random_state=seed, callbacks=[initial]
        )
        losses[0].append(estimator.fit(X, X_val=X_val).history_["val_loss"][-1])

    def baseline(seed):
        history = recipe.plain_keras(X, epochs, inputs, validation, initial.weights)
        losses[1].append(history["val_loss"][-1])

    for seed in range(seeds):
        ours(seed), baseline(seed)
        print(f"seed {seed}: {losses[0][-1]:.5f}, {losses[1][-1]:.5f}", flush=True)
    return Result(*losses, unit="loss")


def _initial_weights():
    import keras

    class InitialWeights(keras.callbacks.Callback):
        """Stores the initial weights of a fit."""

        def on_train_begin(self, logs=None):
            self.weights = self.model.get_weights()

    return InitialWeights()


@_full_recipe("mnist-simple, 50 epochs")
def mnist_simple_whole(data, repeats):
    return _losses(MNIST_SIMPLE, mnist(data), mnist(data, "test"), 50, repeats)


@_full_recipe("mnist-deep, 50 epochs")
def mnist_deep_whole(data, repeats):
    return _losses(MNIST_DEEP, mnist(data), mnist(data, "test"), 50, repeats)


@_full_recipe("mnist-conv, 50 epochs")
def mnist_conv_whole(data, repeats):
    return _losses(MNIST_CONV, mnist(data), mnist(data, "test"), 50, repeats)


@_full_recipe("mnist-relu, 1000 steps")
def mnist_relu_whole(data, repeats):
    """1000 steps: five epochs of 200 batches."""
    return _losses(MNIST_RELU, mnist(data)[:51_200], mnist(data, "test"), 5, repeats)


@_full_recipe("mnist-denoise, 50 epochs")
def mnist_denoise_whole(data, repeats):
    """Plain Keras trains on the same noisy rows in every epoch, as the recipe does."""
    X, X_val = mnist(data), mnist(data, "test")
    rng = np.random.default_rng(0)
    noisy, noisy_val = (
        np.clip(a + 0.5 * rng.standard_normal(a.shape, np.float32), 0, 1)
        for a in (X, X_val)
    )
    return _losses(MNIST_DENOISE, X, X_val, 50, repeats, noisy, noisy_val)


KERNEL_PCA = {
    "gamma": np.geomspace(0.003, 0.3, 9),
    "alpha": np.geomspace(0.01, 1, 5),
    "n_components": [32, 48, 64, 128],
}


@case("digits denoised, held-out squared error, against the best kernel PCA", "1.33x")
def digits_denoised(data, repeats):
    """A wide relu code without hidden layers, and a sigmoid output."""
    return _denoised_digits(
        repeats,
        n_components=512,
        hidden_layer_sizes=(),
        code_activation="relu",
        output_activation="sigmoid",
        epochs=300,
    )


@case("digits denoised by default at 32 components, against the same", "1.43x")
def digits_denoised_default(data, repeats):
    return _denoised_digits(repeats, n_components=32)


def _denoised_digits(repeats, **params):
    """The baseline is the best setting of kernel PCA, selected on the test rows."""
    X = load_digits().data / 16
    ours, baseline = [], []
    for seed in range(repeats):
        X_train, X_test = train_test_split(X, test_size=0.3, random_state=seed)
        noise = np.random.default_rng(seed).normal(scale=0.25, size=X_test.shape)
        noisy = X_test + noise
        denoiser = DenoisingAutoencoder(noise_level=0.25, random_state=seed, **params)
        denoiser.fit(X_train)
        ours.append(np.mean((denoiser.reconstruct(noisy) - X_test) ** 2))
        errors = []
        for settings in ParameterGrid(KERNEL_PCA):
            pca = KernelPCA(
                kernel="rbf", fit_inverse_transform=True, random_state=0, **settings
            ).fit(X_train)
            cleaned = pca.inverse_transform(pca.transform(noisy))
            errors.append(np.mean((cleaned - X_test) ** 2))
        baseline.append(min(errors))
    return Result(ours, baseline, unit="")


def _mnist_3750(data, seed):
    """Return rows for training and testing other than those that defaults suit best.

    The defaults of `ConvNetwork` were chosen on the first 5000 rows.
    """
    others = np.random.default_rng(seed).permutation(np.arange(5000, 60000))
    return mnist(data)[others[:3750]], mnist(data, "test")


def _patches(data, seed):
    """Return 28x28 gray patches of two photographs; those for testing are apart."""
    rng = np.random.default_rng(seed)
    train, test = [], []
    for image in load_sample_images().images:
        gray = image.mean(axis=2, dtype=np.float32) / 255
        height, width = gray.shape
        border = width * 3 // 4
        for rows, n, left, right in (
            (train, 1875, 0, border),
            (test, 625, border, width),
        ):
            corners = rng.integers((0, left), (height - 27, right - 27), (n, 2))
            rows += [gray[i : i + 28, j : j + 28].ravel() for i, j in corners]
    return np.array(train), np.array(test)


def _held_out_error(reducer, X_test):
    restored = reducer.inverse_transform(reducer.transform(X_test))
    return np.mean((restored - X_test) ** 2)


CONV = ConvNetwork((28, 28, 1))


@case(
    "MNIST, 3750 rows: default convolutional fit, held-out error against PCA",
    "1.33x",
    needs_data=True,
)
def conv_default_pca(data, repeats):
    ours, baseline = [], []
    for seed in range(repeats):
        X, X_test = _mnist_3750(data, seed)
        conv = AutoencoderTransformer(32, network=CONV, random_state=seed).fit(X)
        ours.append(_held_out_error(conv, X_test))
        pca = PCA(32, random_state=seed).fit(X)
        baseline.append(_held_out_error(pca, X_test))
    return Result(ours, baseline, unit="")


@case(
    "MNIST, 3750 rows: default convolutional fit, against the dense one",
    "1.0x",
    needs_data=True,
)
def conv_default_dense(data, repeats):
    return _conv_against_dense(_mnist_3750, data, repeats)


@case("28x28 patches of two photographs, 3750 rows: the same", "1.0x")
def conv_patches_dense(data, repeats):
    return _conv_against_dense(_patches, data, repeats)


def _conv_against_dense(load, data, repeats):
    """Time both fits; the losses are held-out errors of the last repetition."""
    times = [], []
    for seed in range(repeats):
        X, X_test = load(data, seed)
        conv = AutoencoderTransformer(32, network=CONV, random_state=seed)
        dense = clone(conv).set_params(network="dense")
        times[0].append(seconds(lambda: conv.fit(X)))
        times[1].append(seconds(lambda: dense.fit(X)))
    losses = _held_out_error(conv, X_test), _held_out_error(dense, X_test)
    return Result(*times, losses=losses)
