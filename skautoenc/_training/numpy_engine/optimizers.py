"""The optimizers of Keras, as the NumPy engine uses them."""

import functools
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np

# Numbers updated at once: what belongs to them stays in the processor's cache.
_BLOCK = 2**16

# Moments of units that no longer learn would decay to denormal numbers, on which a
# processor takes many times longer. In this many steps 1e-30 does not get there.
_FLUSH_EVERY = 100


class Optimizer:
    """An optimizer of one vector of weights.

    Parameters
    ----------
    n : int
        Number of weights.

    learning_rate : float

    Attributes
    ----------
    defaults : dict of str to object
        Keras's settings, which the constructor takes.

    n_moments : int
        Number of vectors that are kept between steps.

    steps : int
        Number of updates so far.

    gradient : ndarray of shape (n,), float32
        To be written before `update`, which may overwrite it.

    moments : ndarray of shape (n_moments, n), float32
    step_scales : ndarray of shape (n,), float32, or None
        Factor on the learning rate of each weight, which Adam applies.
    """

    step_scales: np.ndarray | None = None
    defaults: ClassVar[dict[str, Any]]
    n_moments: ClassVar[int]

    def __init__(self, n: int, learning_rate: float):
        self.learning_rate, self.steps = learning_rate, 0
        self.moments = np.zeros((self.n_moments, n), np.float32)
        self.gradient = np.empty(n, np.float32)

    def update(self, weights: np.ndarray) -> None:
        """Take one step: change `weights` in place.

        Parameters
        ----------
        weights : ndarray of shape (n,), float32
        """
        self.steps += 1
        self._step(weights, self.gradient)
        if self.steps % _FLUSH_EVERY == 0:
            self.moments[np.abs(self.moments) < 1e-30] = 0

    def _step(self, weights, gradient):
        raise NotImplementedError

    def get_state(self) -> dict[str, Any]:
        """Return a copy of what changes in training, for `set_state`."""
        return {
            "learning_rate": self.learning_rate,
            "steps": self.steps,
            "moments": self.moments.copy(),
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `get_state` returned."""
        self.learning_rate, self.steps = state["learning_rate"], state["steps"]
        self.moments[:] = state["moments"]


class Adam(Optimizer):
    """D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR (2015).

    The moments are kept as plain sums of decaying terms, and scaled where they are
    used: two operations less on each.
    """

    defaults: ClassVar = {
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
    }
    n_moments = 2

    def __init__(self, n, learning_rate, beta_1, beta_2, epsilon):
        super().__init__(n, learning_rate)
        powers = np.empty((2, n), np.float32)  # the gradient and its square
        self.gradient = powers[0]
        scratch = np.empty(min(n, _BLOCK), np.float32)
        self._blocks = []
        for block in (slice(i, i + _BLOCK) for i in range(0, n, _BLOCK)):
            moments, g = self.moments[:, block], powers[:, block]
            self._blocks.append(
                (block, moments, *moments, g, *g, scratch[: g.shape[1]])
            )
        self._betas = beta_1, beta_2
        self._decays = np.array([[beta_1], [beta_2]], np.float32)
        self._epsilon = np.array(epsilon / (1 - beta_2) ** 0.5, np.float32)

    def _step(self, weights, gradient):
        beta_1, beta_2 = self._betas
        corrected = (1 - beta_2**self.steps) ** 0.5 / (1 - beta_1**self.steps)
        rate = self.learning_rate * corrected * (1 - beta_1) / (1 - beta_2) ** 0.5
        rate = np.array(rate, np.float32)
        for block, moments, first, second, both, g, squares, scratch in self._blocks:
            np.multiply(g, g, squares)
            np.multiply(moments, self._decays, moments)
            np.add(moments, both, moments)
            np.sqrt(second, scratch)
            np.add(scratch, self._epsilon, scratch)
            np.divide(first, scratch, scratch)
            np.multiply(scratch, rate, scratch)
            if self.step_scales is not None:
                np.multiply(scratch, self.step_scales[block], scratch)
            part = weights[block]
            np.subtract(part, scratch, part)


class RMSprop(Optimizer):
    """T. Tieleman, G. Hinton, "Neural Networks for Machine Learning", lecture 6.5."""

    defaults: ClassVar = {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7}
    n_moments = 1

    def __init__(self, n, learning_rate, rho, epsilon):
        super().__init__(n, learning_rate)
        self._scratch = np.empty(n, np.float32)
        self._rho, self._epsilon = rho, epsilon

    def _step(self, weights, gradient):
        (squares,), scratch = self.moments, self._scratch
        squares *= self._rho
        np.multiply(gradient, gradient, out=scratch)
        scratch *= 1 - self._rho
        squares += scratch
        np.add(squares, self._epsilon, out=scratch)
        np.sqrt(scratch, out=scratch)
        np.divide(gradient, scratch, out=scratch)
        scratch *= self.learning_rate
        weights -= scratch


class SGD(Optimizer):
    """Gradient descent, with or without momentum."""

    defaults: ClassVar = {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False}
    n_moments = 1

    def __init__(self, n, learning_rate, momentum, nesterov):
        super().__init__(n, learning_rate)
        self._momentum, self._nesterov = momentum, nesterov

    def _step(self, weights, gradient):
        gradient *= -self.learning_rate
        if self._momentum == 0:
            weights += gradient
            return
        (velocity,) = self.moments
        velocity *= self._momentum
        velocity += gradient
        if self._nesterov:
            weights += np.float32(self._momentum) * velocity
            weights += gradient
        else:
            weights += velocity


OPTIMIZERS: dict[str, type[Optimizer]] = {"adam": Adam, "rmsprop": RMSprop, "sgd": SGD}

# Settings that Keras's optimizers have besides `defaults`, with the values at which
# they have no effect.
NEUTRAL_SETTINGS: dict[str, Any] = {
    "amsgrad": False,
    "centered": False,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "gradient_accumulation_steps": None,
    "loss_scale_factor": None,
    "momentum": 0.0,
    "use_ema": False,
    "weight_decay": None,
}


def get_numpy_optimizer(
    optimizer: Any, learning_rate: Any
) -> Callable[[int], Optimizer] | None:
    """Return an optimizer of this module for the one of Keras that was asked for.

    Parameters
    ----------
    optimizer : str or keras.Optimizer
    learning_rate : float, object or None
        None takes that of `optimizer`.

    Returns
    -------
    callable or None
        ``(n_weights) -> Optimizer``; None if the optimizer or one of its settings
        needs Keras.
    """
    if isinstance(optimizer, str):
        name, given = optimizer, {}
    elif isinstance(optimizer, dict):
        name, given = optimizer["class_name"], optimizer["config"]
    elif type(optimizer).__module__.startswith("keras."):
        name, given = type(optimizer).__name__, optimizer.get_config()
    else:
        return None
    kind = OPTIMIZERS.get(name.lower())
    if kind is None or any(
        given.get(key, value) != value
        for key, value in NEUTRAL_SETTINGS.items()
        if key not in kind.defaults
    ):
        return None
    settings = {key: given.get(key, value) for key, value in kind.defaults.items()}
    if learning_rate is not None:
        settings["learning_rate"] = learning_rate
    if not isinstance(settings["learning_rate"], Real):
        return None
    settings["learning_rate"] = float(settings["learning_rate"])
    if max(settings.get("beta_1", 0), settings.get("beta_2", 0)) >= 1:
        return None
    return functools.partial(kind, **settings)
