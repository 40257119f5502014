"""Time of dense recipes, compared with PyTorch, JAX and scikit-learn."""

import statistics
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from ._cases import Result, case, mnist, seconds
from .baselines import jax_step_seconds, torch_loop
from .recipes import DIGITS_2, DIGITS_32, MNIST_DEEP, MNIST_SIMPLE

DIGITS = load_digits().data.astype(np.float32) / 16


def _fit(recipe, X, epochs, seed):
    return recipe.estimator(epochs=epochs, random_state=seed).fit(X).history_["loss"]


def _time_alternately(ours, baseline, repeats):
    """Return times and mean final losses of both sides, after one untimed call each.

    Short fits are repeated more often, as their losses differ by 10 % between seeds.
    """
    ours(0)
    repeats = max(repeats, 12) if seconds(lambda: baseline(0)) < 3 else repeats
    times, losses = ([], []), ([], [])
    for seed in range(repeats):
        for side, call in enumerate((ours, baseline)):
            times[side].append(
                seconds(lambda call=call: losses[side].append(call(seed)))
            )
    return Result(*times, losses=tuple(statistics.mean(side) for side in losses))


def _torch_case(name, recipe, epochs, tuned, target, images):
    what = "hand-tuned PyTorch" if tuned else "a plain PyTorch loop"

    def compare(data, repeats):
        X = mnist(data) if images else DIGITS
        return _time_alternately(
            lambda seed: _fit(recipe, X, epochs, seed)[-1],
            lambda seed: torch_loop(recipe, X, epochs, tuned),
            repeats,
        )

    compare.__name__ = f"{name.replace('-', '_')}_torch{'_tuned' if tuned else ''}"
    title = f"{name}, {epochs} epochs: fit, against {what}"
    case(title, target, needs_data=images, requires="torch")(compare)


for tuned in (False, True):
    _torch_case("digits-32", DIGITS_32, 100, tuned, "2x", images=False)
    _torch_case("digits-2", DIGITS_2, 20, tuned, "2x", images=False)
    _torch_case("mnist-simple", MNIST_SIMPLE, 5, tuned, "2x", images=True)
    _torch_case("mnist-deep", MNIST_DEEP, 5, tuned, "1.8x", images=True)


def _jax(recipe, X, epochs, repeats):
    n_steps = epochs * -(-len(X) // recipe.batch_size)
    _fit(recipe, X, epochs, 0)
    times = [
        (
            seconds(lambda seed=seed: _fit(recipe, X, epochs, seed)) / n_steps,
            jax_step_seconds(recipe, X, epochs),
        )
        for seed in range(repeats)
    ]
    return Result(*map(list, zip(*times, strict=True)))


@case("digits-32: step of a fit, against jax.lax.scan", "1/2", requires="jax")
def digits_32_jax(data, repeats):
    return _jax(DIGITS_32, DIGITS, 100, repeats)


@case(
    "mnist-deep: step of a fit, against jax.lax.scan",
    "1/2",
    needs_data=True,
    requires="jax",
)
def mnist_deep_jax(data, repeats):
    return _jax(MNIST_DEEP, mnist(data), 5, repeats)


@case("digits, 64-32-64, 100 epochs: fit, against MLPRegressor", "1x")
def digits_mlp(data, repeats):
    """Both sides have a linear output and squared error, as MLPRegressor requires."""
    X = DIGITS

    def ours(seed):
        estimator = DIGITS_32.estimator(epochs=100, random_state=seed).set_params(
            output_activation="linear", loss="mean_squared_error"
        )
        return np.mean((estimator.fit(X).reconstruct(X) - X) ** 2)

    def baseline(seed):
        mlp = MLPRegressor(
            hidden_layer_sizes=(32,),
            batch_size=256,
            alpha=0,
            epsilon=1e-7,
            max_iter=100,
            n_iter_no_change=101,
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mlp.fit(X, X)
        return np.mean((mlp.predict(X) - X) ** 2)

    return _time_alternately(ours, baseline, repeats)
