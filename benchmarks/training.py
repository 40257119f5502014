"""Time of training, compared with plain Keras: the same model, `compile` and `fit`."""

import json
import subprocess
import sys
from time import perf_counter

import numpy as np
from sklearn.datasets import load_digits
from sklearn.preprocessing import MinMaxScaler

from skautoenc import AutoencoderTransformer

from ._cases import Result, case, mnist, seconds
from .recipes import (
    DENSE_DENOISE,
    DIGITS_2,
    DIGITS_32,
    MNIST_CONV,
    MNIST_DEEP,
    MNIST_DENOISE,
    MNIST_RELU,
    MNIST_SIMPLE,
    SIGNALS,
    VARIATIONAL,
)


def _digits():
    return MinMaxScaler().fit_transform(load_digits().data).astype("float32")


def first_fit(ours_first):
    """Time the first fit of both sides in a process that has imported TensorFlow."""
    import tensorflow as tf

    X = _digits()
    tf.constant(0)
    estimator = DIGITS_32.estimator(epochs=100, random_state=0)
    losses = {}

    def ours():
        losses["ours"] = estimator.fit(X).history_["loss"][-1]

    def baseline():
        losses["baseline"] = DIGITS_32.plain_keras(X, epochs=100)["loss"][-1]

    sides = {"ours": ours, "baseline": baseline}
    order = sides if ours_first else reversed(sides)
    times = {side: seconds(sides[side]) for side in order}
    return {"times": times, "losses": losses}


@case("digits-32, 100 epochs: first fit in a process", "4x")
def digits_32_first(data, repeats):
    runs = []
    for i in range(repeats):
        code = (
            f"from benchmarks.training import *; print(json.dumps(first_fit({i % 2})))"
        )
        out = subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        )
        runs.append(json.loads(out.stdout))
    return Result(
        [run["times"]["ours"] for run in runs],
        [run["times"]["baseline"] for run in runs],
        losses=(runs[-1]["losses"]["ours"], runs[-1]["losses"]["baseline"]),
    )


@case("digits-32, 100 epochs: second fit, another random_state", "15x")
def digits_32_again(data, repeats):
    X, ours, baseline = _digits(), [], []
    DIGITS_32.estimator(epochs=100, random_state=0).fit(X)
    DIGITS_32.plain_keras(X, epochs=2)
    for seed in range(1, repeats + 1):
        estimator = DIGITS_32.estimator(epochs=100, random_state=seed)
        ours.append(seconds(lambda: estimator.fit(X)))
        baseline.append(seconds(lambda: DIGITS_32.plain_keras(X, epochs=100)))
    return Result(
        ours, baseline, losses=_same_epochs_losses(DIGITS_32, X, 100, seeds=5)
    )


def _per_epoch(recipe, X, repeats, few, many, baseline_few, baseline_many):
    """Return the seconds per epoch, from the difference of a long and a short fit."""
    recipe.estimator(epochs=many, random_state=0).fit(X)
    ours, baseline = [], []
    for seed in range(repeats):
        estimator = recipe.estimator(random_state=seed)
        long = seconds(lambda: estimator.set_params(epochs=many).fit(X))
        short = seconds(lambda: estimator.set_params(epochs=few).fit(X))
        ours.append((long - short) / (many - few))
        long = seconds(lambda: recipe.plain_keras(X, baseline_many))
        short = seconds(lambda: recipe.plain_keras(X, baseline_few))
        baseline.append((long - short) / (baseline_many - baseline_few))
    return ours, baseline


def _same_epochs_losses(recipe, X, epochs, seeds=1):
    """Return the mean losses of both sides after the same number of epochs."""
    ours = baseline = 0
    for seed in range(seeds):
        fitted = recipe.estimator(epochs=epochs, random_state=seed).fit(X)
        ours += fitted.history_["loss"][-1] / seeds
        baseline += recipe.plain_keras(X, epochs)["loss"][-1] / seeds
    return ours, baseline


@case("digits-2: per epoch", "25x")
def digits_2_epoch(data, repeats):
    X = load_digits().data.astype("float32") / 16
    times = _per_epoch(DIGITS_2, X, repeats, 50, 100, 2, 7)
    return Result(*times, losses=_same_epochs_losses(DIGITS_2, X, 50, seeds=5))


@case("mnist-simple, 60000 rows: per epoch", "4x", needs_data=True)
def mnist_simple_epoch(data, repeats):
    X = mnist(data)
    times = _per_epoch(MNIST_SIMPLE, X, repeats, 4, 8, 1, 3)
    return Result(*times, losses=_same_epochs_losses(MNIST_SIMPLE, X, 5, seeds=3))


@case("mnist-deep, 60000 rows: per epoch", "3x", needs_data=True)
def mnist_deep_epoch(data, repeats):
    X = mnist(data)
    times = _per_epoch(MNIST_DEEP, X, repeats, 2, 5, 1, 3)
    return Result(*times, losses=_same_epochs_losses(MNIST_DEEP, X, 3, seeds=10))


@case("784-128-64-32, new normal noise in each epoch: per epoch", "3x", needs_data=True)
def dense_denoise_epoch(data, repeats):
    X = mnist(data)
    times = _per_epoch(DENSE_DENOISE, X, repeats, 2, 5, 1, 3)
    return Result(*times, losses=_same_epochs_losses(DENSE_DENOISE, X, 3, seeds=3))


@case("variational, 784-128-64-2: per epoch", "3x", needs_data=True)
def variational_epoch(data, repeats):
    X = mnist(data)
    times = _per_epoch(VARIATIONAL, X, repeats, 1, 4, 1, 3)
    return Result(*times, losses=_same_epochs_losses(VARIATIONAL, X, 3, seeds=3))


@case("mnist-conv, 15000 rows: per epoch", "1.4x", needs_data=True)
def mnist_conv_epoch(data, repeats):
    return Result(*_per_epoch(MNIST_CONV, mnist(data)[:15_000], repeats, 1, 3, 1, 3))


@case("mnist-denoise, 15000 rows: per epoch", "1.4x", needs_data=True)
def mnist_denoise_epoch(data, repeats):
    return Result(*_per_epoch(MNIST_DENOISE, mnist(data)[:15_000], repeats, 1, 3, 1, 3))


@case("5000 signals of 288 values, 1-D convolutions: per epoch", "1.4x")
def signals_epoch(data, repeats):
    rng = np.random.default_rng(0)
    frequency, phase = rng.uniform((0.02, 0), (0.2, 6), (5000, 2)).T
    X = np.sin(np.outer(frequency, np.arange(288)) + phase[:, None])
    X = (X + 0.1 * rng.normal(size=X.shape)).astype("float32")
    times = _per_epoch(SIGNALS, X, repeats, 2, 6, 1, 3)
    return Result(*times, losses=_same_epochs_losses(SIGNALS, X, 5))


@case("mnist-relu: per epoch", "1x", needs_data=True)
def mnist_relu_epoch(data, repeats):
    return Result(*_per_epoch(MNIST_RELU, mnist(data), repeats, 1, 2, 1, 2))


@case("digits, 2 components: a default fit, against 20 epochs of plain Keras", "1/3")
def digits_default(data, repeats):
    """Keras trains the default layers without a linear path, in batches of 32."""
    import keras

    X, ours, baseline = _digits(), [], []
    estimator = AutoencoderTransformer(2)

    def plain_keras():
        layers = [
            *(keras.layers.Dense(n, "relu") for n in (128, 64)),
            keras.layers.Dense(2),
            *(keras.layers.Dense(n, "relu") for n in (64, 128)),
            keras.layers.Dense(64),
        ]
        model = keras.Sequential([keras.Input((64,)), *layers])
        model.compile("adam", "mean_squared_error")
        return model.fit(X, X, epochs=20, verbose=0).history["loss"][-1]

    plain_keras()
    for seed in range(repeats):
        estimator.set_params(random_state=seed)
        ours.append(seconds(lambda: estimator.fit(X)))
        start = perf_counter()
        loss = plain_keras()
        baseline.append(perf_counter() - start)
    return Result(
        ours, baseline, losses=(estimator.reconstruction_error(X).mean(), loss)
    )
