"""The losses of the NumPy engine, with their gradients; see also `_utils.losses`."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..._utils.losses import MixedLoss, WeightedSquaredError, loss_name
from ..._utils.one_hot import OneHotColumns

# NumPy dispatches faster on arrays than on Python's numbers.
_ONE = np.array(1, np.float32)


class Loss(NamedTuple):
    """A loss of each row, and its gradient by the outputs.

    Attributes
    ----------
    gradient : callable
        ``(outputs, targets, scale, errors, kept)``; writes the gradient up to `factor`,
        times `scale`, to `errors`, and to `kept` what `losses` takes.

    losses : callable
        ``(outputs, targets, kept) -> losses of shape (n,)``. May overwrite `outputs`
        and `kept`. It is called for the rows of several batches at once.

    factor : float
        The gradient is what `gradient` computes times ``factor / n_features``.

    activation : str or None
        The last activation, if the functions take its input in place of its output.
        None if they take the output of any activation.
    """

    gradient: Callable
    losses: Callable
    factor: float
    activation: str | None = None


def _differentiate_squared_error(outputs, targets, scale, errors, kept):
    np.subtract(outputs, targets, kept)
    np.multiply(kept, scale, errors)


def _squared_error(outputs, targets, kept):
    return np.vecdot(kept, kept) / kept.shape[1]


def _differentiate_absolute_error(outputs, targets, scale, errors, kept):
    np.subtract(outputs, targets, kept)
    np.sign(kept, errors)
    np.multiply(errors, scale, errors)


def _absolute_error(outputs, targets, kept):
    return np.abs(kept, kept).mean(axis=1)


def _differentiate_binary_crossentropy(logits, targets, scale, errors, kept):
    # The sigmoid is 1 / (1 + exp(-z)), also where the exponential is infinite.
    np.negative(logits, kept)
    np.exp(kept, kept)
    np.add(kept, _ONE, errors)
    np.divide(_ONE, errors, errors)
    np.subtract(errors, targets, errors)
    np.multiply(errors, scale, errors)


def _binary_crossentropy(logits, targets, kept):
    # log(1 + exp(-|z|)) + max(z, 0) - x z, in which nothing cancels if x is 0 or 1.
    # Without AVX-512, NumPy has vector instructions for log and not for log1p, which
    # takes seven times as long. For the maximum, it has them only if both are arrays.
    scratch = np.divide(_ONE, kept)
    np.minimum(kept, scratch, out=kept)
    np.add(kept, _ONE, kept)
    np.log(kept, kept)
    scratch.fill(0)
    np.maximum(logits, scratch, out=scratch)
    np.multiply(targets, logits, logits)
    np.subtract(scratch, logits, scratch)
    np.add(kept, scratch, kept)
    return kept.mean(axis=1)


def _differentiate_weighted_squared_error(outputs, targets, scale, errors, kept):
    n = outputs.shape[1]  # np.split would take longer than the subtraction
    np.subtract(outputs, targets[:, :n], kept)
    np.multiply(kept, targets[:, n:], errors)
    np.multiply(errors, scale, errors)


def _weighted_squared_error(outputs, targets, kept):
    n = outputs.shape[1]
    return np.vecdot(np.square(kept, kept), targets[:, n:]) / n


NUMPY_LOSSES: dict[str, Loss] = {
    "binary_crossentropy": Loss(
        _differentiate_binary_crossentropy, _binary_crossentropy, 1.0, "sigmoid"
    ),
    "mean_absolute_error": Loss(_differentiate_absolute_error, _absolute_error, 1.0),
    "mean_squared_error": Loss(_differentiate_squared_error, _squared_error, 2.0),
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
        return Loss(_differentiate_weighted_squared_error, _weighted_squared_error, 2.0)
    name = loss_name(loss) if isinstance(loss, str) else None
    return NUMPY_LOSSES.get(name or "")


def _mixed_loss(loss):
    hot = OneHotColumns.of(loss.groups)
    weights = hot.spread(np.array(loss.weights, np.float32))
    columns = hot.columns

    def differentiate(outputs, targets, scale, errors, kept):
        np.subtract(outputs, targets, kept)
        log_probabilities = hot.log_softmax(outputs)
        kept[:, columns] = log_probabilities
        np.multiply(kept, scale, errors)
        probabilities = np.exp(log_probabilities, out=log_probabilities)
        probabilities -= targets[:, columns]
        errors[:, columns] = probabilities * (weights / 2) * scale

    def mixed_losses(outputs, targets, kept):
        losses = np.vecdot(kept[:, columns], targets[:, columns] * -weights)
        kept[:, columns] = 0
        losses += np.vecdot(kept, kept)
        return losses / kept.shape[1]

    return Loss(differentiate, mixed_losses, 2.0)
