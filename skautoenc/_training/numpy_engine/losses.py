"""The losses of the NumPy engine, with their gradients; see also `_utils.losses`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..._utils.losses import MixedLoss, WeightedSquaredError, loss_name
from ..._utils.one_hot import OneHotColumns


class Loss(NamedTuple):
    """A loss of each row, and its gradient up to a factor.

    Attributes
    ----------
    function : callable
        ``(outputs, targets, errors, scratch) -> losses of shape (n,)``; writes the
        gradient to `errors`, and may overwrite `scratch`.

    factor : float
        The gradient is `errors` times ``factor / n_features``.

    activation : str or None
        The last activation, if `function` takes its input in place of its output.
        None if `function` takes the output of any activation.
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


def _weighted_squared_error(outputs, targets, errors, scratch):
    values, weights = np.split(targets, 2, axis=1)
    np.subtract(outputs, values, out=scratch)
    np.multiply(scratch, weights, out=errors)
    return np.vecdot(errors, scratch) / errors.shape[1]


NUMPY_LOSSES: dict[str, Loss] = {
    "binary_crossentropy": Loss(_binary_crossentropy, 1.0, "sigmoid"),
    "mean_absolute_error": Loss(_absolute_error, 1.0),
    "mean_squared_error": Loss(_squared_error, 2.0),
}


def find_loss(loss: Any) -> Loss | None:
    """Return the loss of a parameter `loss`; None if it is not implemented here.

    Parameters
    ----------
    loss : object
        As an estimator takes it, or one of the losses in `_utils.losses`.
    """
    if isinstance(loss, MixedLoss):
        return _mixed_loss(loss)
    if isinstance(loss, WeightedSquaredError):
        return Loss(_weighted_squared_error, 2.0)
    name = loss_name(loss) if isinstance(loss, str) else None
    return NUMPY_LOSSES.get(name or "")


def _mixed_loss(loss):
    hot = OneHotColumns.of(loss.groups)
    weights = hot.spread(np.array(loss.weights, np.float32))
    columns = hot.columns

    def function(outputs, targets, errors, scratch):
        np.subtract(outputs, targets, out=errors)
        log_probabilities = hot.log_softmax(outputs)
        shares = targets[:, columns]
        losses = np.vecdot(log_probabilities, shares * -weights)
        errors[:, columns] = 0
        losses += np.vecdot(errors, errors)
        probabilities = np.exp(log_probabilities, out=log_probabilities)
        errors[:, columns] = (probabilities - shares) * (weights / 2)
        return losses / errors.shape[1]

    return Loss(function, 2.0)
