"""Training with each backend of Keras, in one process each, against `Model.fit`.

`python -m benchmarks.keras_backends MEASUREMENT FOLDER REPEATS` prints the times of one
backend, which KERAS_BACKEND names, as JSON.
"""

import contextlib
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

from sklearn.datasets import load_digits

from ._cases import Result, case, mnist, seconds
from .recipes import DIGITS_32, MNIST_CONV, MNIST_DEEP, MNIST_DENOISE

BACKENDS = "tensorflow", "jax", "torch"
CONVOLUTIONAL = {"mnist_conv": MNIST_CONV, "mnist_denoise": MNIST_DENOISE}
DENSE = {"digits_32": (DIGITS_32, 50), "mnist_deep": (MNIST_DEEP, 1)}


@functools.cache
def measured(measurement, backend, data, repeats):
    """Return the times that a process with a backend prints: dict of lists."""
    command = [sys.executable, "-m", "benchmarks.keras_backends", measurement]
    result = subprocess.run(
        [*command, str(data), str(repeats)],
        env={**os.environ, "KERAS_BACKEND": backend},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(result.stdout.splitlines()[-1])


def step_seconds(name, data, repeats):
    """Return the times of a step: of the engine, of `Model.fit` and of `lax.scan`."""
    from .baselines import jax_step_seconds

    recipe, epochs = DENSE[name]
    X = (
        load_digits().data.astype("float32") / 16
        if name == "digits_32"
        else mnist(data)
    )
    n_steps = epochs * -(-len(X) // recipe.batch_size)
    times = {"ours": [], "fit": [], "scan": [], "first epoch": []}
    model = _compiled(recipe, X.shape[1])
    model.fit(X, X, batch_size=recipe.batch_size, verbose=0)
    settings = {"epochs": epochs, "batch_size": recipe.batch_size, "verbose": 0}
    with _opened_engine(recipe, X) as train_epoch:
        times["first epoch"].append(seconds(train_epoch))
        for _ in range(repeats):
            ours = seconds(lambda: [train_epoch() for _ in range(epochs)])
            fit = seconds(lambda: model.fit(X, X, **settings))
            times["ours"].append(ours / n_steps)
            times["fit"].append(fit / n_steps)
            times["scan"].append(jax_step_seconds(recipe, X, epochs))
    return times


def _compiled(recipe, n_features):
    model = recipe.keras_model(n_features)
    model.compile(recipe.optimizer, recipe.loss)
    return model


@contextlib.contextmanager
def _opened_engine(recipe, X):
    """Yield a function that trains the model of a recipe for an epoch."""
    from skautoenc._training import Rows, TrainingConfig, open_engine
    from skautoenc._utils.random import RandomStreams

    model, rows = recipe.keras_model(X.shape[1]), Rows.all(X)
    size = recipe.batch_size
    config = TrainingConfig(recipe.loss, recipe.optimizer, None, size, epochs=100)
    with open_engine(model, config, len(X), 0) as engine:
        yield lambda: engine.train_epoch(rows, RandomStreams(0), 0)


def epoch_seconds(name, data, repeats):
    """Return the times of an epoch of a fit and of `Model.fit`, on 2560 images."""
    recipe, X = CONVOLUTIONAL[name], mnist(data)[:2560]
    times = {"ours": [], "fit": []}
    images = X.reshape(-1, *recipe.keras_shape)
    model = _compiled(recipe, X.shape[1])
    settings = {"batch_size": recipe.batch_size, "verbose": 0}
    model.fit(images[:512], images[:512], **settings)
    recipe.estimator(epochs=1, random_state=0).fit(X)
    for seed in range(repeats):
        estimator = recipe.estimator(random_state=seed)
        long = seconds(lambda: estimator.set_params(epochs=3).fit(X))
        short = seconds(lambda: estimator.set_params(epochs=1).fit(X))
        times["ours"].append((long - short) / 2)
        fit = seconds(lambda: model.fit(images, images, epochs=2, **settings))
        times["fit"].append(fit / 2)
    return times


def _steps(name, data, repeats, baseline):
    times = measured(name, "jax", data, repeats)
    print(f"{name}: first epoch, with compilation, {times['first epoch'][0]:.2f} s")
    return Result(times["ours"], times[baseline])


@case(
    "digits-32: step of the JAX engine, against jax.lax.scan", "1/1.2", requires="jax"
)
def digits_32_jax_scan(data, repeats):
    return _steps("digits_32", data, repeats, "scan")


@case("digits-32: step of the JAX engine, against fit of Keras", "3x", requires="jax")
def digits_32_jax_fit(data, repeats):
    return _steps("digits_32", data, repeats, "fit")


@case(
    "mnist-deep: step of the JAX engine, against jax.lax.scan",
    "1/1.2",
    needs_data=True,
    requires="jax",
)
def mnist_deep_jax_scan(data, repeats):
    return _steps("mnist_deep", data, repeats, "scan")


@case(
    "mnist-deep: step of the JAX engine, against fit of Keras",
    "3x",
    needs_data=True,
    requires="jax",
)
def mnist_deep_jax_fit(data, repeats):
    return _steps("mnist_deep", data, repeats, "fit")


def _best_epochs(name, data, repeats):
    """Return the times of the fastest backend of each side, and print all."""
    times = {b: measured(name, b, data, repeats) for b in BACKENDS}
    best = {}
    for side in ("ours", "fit"):
        by_backend = {b: min(times[b][side]) for b in BACKENDS}
        print(
            f"{name}, {side}: "
            + ", ".join(f"{b} {t:.3g} s" for b, t in by_backend.items())
        )
        best[side] = times[min(by_backend, key=by_backend.get)][side]
    return Result(best["ours"], best["fit"])


@case(
    "mnist-conv, 2560 rows: epoch of the fastest backend, against that of Keras",
    "1.5x",
    needs_data=True,
    requires="torch",
)
def mnist_conv_backends(data, repeats):
    return _best_epochs("mnist_conv", data, repeats)


@case(
    "mnist-denoise, 2560 rows: epoch of the fastest backend, against that of Keras",
    "1.5x",
    needs_data=True,
    requires="torch",
)
def mnist_denoise_backends(data, repeats):
    return _best_epochs("mnist_denoise", data, repeats)


def main():
    name, data, repeats = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    measure = step_seconds if name in DENSE else epoch_seconds
    print(json.dumps(measure(name, data, repeats)))


if __name__ == "__main__":
    main()
