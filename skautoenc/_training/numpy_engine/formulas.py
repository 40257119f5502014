"""Slopes, losses and optimizers of Keras, as the NumPy engine takes them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

# An array is taken up faster than a number.
_ONE = np.array(1, np.float32)

# The slope of an activation where it gave h, written to `out`.


def _elu(h, out):
    np.minimum(h, 0, out=out)
    np.add(out, 1, out=out)


def _leaky_relu(h, out):
    out[:] = np.where(h > 0, np.float32(1), np.float32(0.2))


def _relu(h, out):
    np.greater(h, 0, out=out, casting="unsafe")


def _sigmoid(h, out):
    np.subtract(_ONE, h, out=out)
    out *= h


def _softplus(h, out):
    np.negative(h, out=out)
    np.expm1(out, out=out)
    np.negative(out, out=out)


def _tanh(h, out):
    np.multiply(h, h, out=out)
    np.subtract(_ONE, out, out=out)


SLOPES = {
    "elu": _elu,
    "leaky_relu": _leaky_relu,
    "linear": None,
    "relu": _relu,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "tanh": _tanh,
}


class Loss(NamedTuple):
    """A loss of one row, and its gradient but for a factor.

    Attributes
    ----------
    function : callable
        ``(outputs, targets, errors, scratch) -> losses of shape (n,)``; writes the
        gradient to `errors`, and may overwrite `scratch`.

    factor : float
        What the gradient still is to be multiplied with, times n_features.

    activation : str or None
        The last activation, where `function` takes what enters it; None for any.
    """

    function: Callable
    factor: float
    activation: str | None = None


def _squared_error(outputs, targets, errors, scratch):
    np.subtract(outputs, targets, out=errors)
    return np.vecdot(errors, errors) / errors.shape[1]


def _absolute_error(outputs, targets, errors, scratch):
    np.subtract(outputs, targets, out=errors)
    losses = np.abs(errors, out=scratch).mean(axis=1)
    np.sign(errors, out=errors)
    return losses


def _binary_crossentropy(logits, targets, errors, scratch):
    # With u = exp(-|z|) and s = 1 where z is positive, else 0, the loss is
    # log(1 + u) + (s - x) z, two sums without a negative term, and the sigmoid is s
    # minus or plus 1 - 1 / (1 + u).
    np.abs(logits, out=scratch)
    np.negative(scratch, out=scratch)
    np.exp(scratch, out=scratch)
    np.log1p(scratch, out=errors)
    losses = errors @ np.ones(errors.shape[1], np.float32)
    np.copysign(0.5, logits, out=errors)
    errors += 0.5
    errors -= targets
    losses += np.vecdot(errors, logits)
    scratch += 1
    np.divide(1, scratch, out=scratch)
    np.subtract(1, scratch, out=scratch)
    np.copysign(scratch, logits, out=scratch)
    errors -= scratch
    return losses / errors.shape[1]


LOSSES = {
    "binary_crossentropy": Loss(_binary_crossentropy, 1.0, "sigmoid"),
    "mean_absolute_error": Loss(_absolute_error, 1.0),
    "mean_squared_error": Loss(_squared_error, 2.0),
}

ALIASES = {
    "bce": "binary_crossentropy",
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
}

# Numbers updated at once: what belongs to them stays in the processor's cache.
_BLOCK = 2**16


# What decays at units that no longer learn would end among the denormal numbers, on
# which a processor takes many times longer. In so many steps 1e-30 does not get there.
_FLUSH_EVERY = 100


def _flush(moments):
    moments[np.abs(moments) < 1e-30] = 0


class Adam:
    """D. P. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", ICLR (2015).

    The moments are kept as plain sums of decaying terms, and scaled where they are
    used: two operations less on each.
    """

    defaults = {
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
    }

    def __init__(self, n, learning_rate, beta_1, beta_2, epsilon):
        self._moments = np.zeros((2, n), np.float32)
        self._scratch = np.empty(min(n, _BLOCK), np.float32)
        self._blocks = [slice(i, i + _BLOCK) for i in range(0, n, _BLOCK)]
        self.rate, self._betas, self._steps = learning_rate, (beta_1, beta_2), 0
        epsilon /= (1 - beta_2) ** 0.5
        self._numbers = [np.array(x, np.float32) for x in (beta_1, beta_2, epsilon)]

    def update(self, weights, gradient):
        self._steps += 1
        beta_1, beta_2 = self._betas
        corrected = (1 - beta_2**self._steps) ** 0.5 / (1 - beta_1**self._steps)
        rate = self.rate * corrected * (1 - beta_1) / (1 - beta_2) ** 0.5
        rate, (beta_1, beta_2, epsilon) = np.array(rate, np.float32), self._numbers
        for block in self._blocks:
            g = gradient[block]
            first, second = self._moments[:, block]
            scratch = self._scratch[: len(g)]
            first *= beta_1
            first += g
            second *= beta_2
            np.multiply(g, g, out=scratch)
            second += scratch
            np.sqrt(second, out=scratch)
            scratch += epsilon
            np.divide(first, scratch, out=scratch)
            scratch *= rate
            weights[block] -= scratch
        if self._steps % _FLUSH_EVERY == 0:
            _flush(self._moments)


class RMSprop:
    """T. Tieleman, G. Hinton, "Neural Networks for Machine Learning", lecture 6.5."""

    defaults = {"learning_rate": 0.001, "rho": 0.9, "epsilon": 1e-7}

    def __init__(self, n, learning_rate, rho, epsilon):
        self._squares, self._scratch = np.zeros((2, n), np.float32)
        self.rate, self._rho, self._epsilon = learning_rate, rho, epsilon
        self._steps = 0

    def update(self, weights, gradient):
        squares, scratch = self._squares, self._scratch
        squares *= self._rho
        np.multiply(gradient, gradient, out=scratch)
        scratch *= 1 - self._rho
        squares += scratch
        np.add(squares, self._epsilon, out=scratch)
        np.sqrt(scratch, out=scratch)
        np.divide(gradient, scratch, out=scratch)
        scratch *= self.rate
        weights -= scratch
        self._steps += 1
        if self._steps % _FLUSH_EVERY == 0:
            _flush(squares)


class SGD:
    """Gradient descent, with momentum or without."""

    defaults = {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False}

    def __init__(self, n, learning_rate, momentum, nesterov):
        self._velocity = np.zeros(n, np.float32)
        self.rate, self._momentum, self._nesterov = learning_rate, momentum, nesterov
        self._steps = 0

    def update(self, weights, gradient):
        gradient *= -self.rate
        if self._momentum == 0:
            weights += gradient
            return
        self._velocity *= self._momentum
        self._velocity += gradient
        self._steps += 1
        if self._steps % _FLUSH_EVERY == 0:
            _flush(self._velocity)
        if self._nesterov:
            weights += np.float32(self._momentum) * self._velocity
            weights += gradient
        else:
            weights += self._velocity


OPTIMIZERS = {"adam": Adam, "rmsprop": RMSprop, "sgd": SGD}

# What Keras's optimizers have beside, and leave alone at these values.
NEUTRAL = {
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
