"""The losses that training treats specially: one table of names and properties."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from .one_hot import Groups


class LossProperties(NamedTuple):
    """Properties of a loss of Keras.

    Attributes
    ----------
    aliases : tuple of str
        Its other names in Keras.

    of_differences : bool
        Whether it depends on the difference of output and target alone: then
        subtracting a constant from both does not change training.

    binary : bool
        Whether outputs (without ``from_logits``) and targets must be in [0, 1].
    """

    aliases: tuple[str, ...] = ()
    of_differences: bool = False
    binary: bool = False


@dataclass(frozen=True)
class MixedLoss:
    """Squared errors of numbers, and a cross-entropy of each group of one-hot columns.

    Both are summed over a row, and divided by the number of features. Outputs are
    logits where they belong to a group.

    Attributes
    ----------
    groups : tuple of tuple of int
        Columns of each group.

    weights : tuple of float
        Weight of the cross-entropy of each group.
    """

    groups: Groups
    weights: tuple[float, ...]


@dataclass(frozen=True)
class WeightedSquaredError:
    """Squared errors with a weight for each value, divided by the number of features.

    A target row consists of the values, and then of their weights, so that it is twice
    as long as the output.
    """


LOSSES: dict[str, LossProperties] = {
    "binary_crossentropy": LossProperties(
        ("bce", "BCE", "BinaryCrossentropy"), binary=True
    ),
    "binary_focal_crossentropy": LossProperties(
        ("BinaryFocalCrossentropy",), binary=True
    ),
    "huber": LossProperties(("Huber",), of_differences=True),
    "log_cosh": LossProperties(("LogCosh",), of_differences=True),
    "mean_absolute_error": LossProperties(
        ("mae", "MAE", "MeanAbsoluteError"), of_differences=True
    ),
    "mean_squared_error": LossProperties(
        ("mse", "MSE", "MeanSquaredError"), of_differences=True
    ),
}
_ALIASES = {alias: name for name, loss in LOSSES.items() for alias in loss.aliases}


def loss_name(loss: Any) -> str | None:
    """Return Keras's name of a loss, such as "mean_squared_error".

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable

    Returns
    -------
    str or None
        None for a custom loss.
    """
    if isinstance(loss, str):
        return _ALIASES.get(loss, loss)
    if isinstance(loss, MixedLoss | WeightedSquaredError):
        return None
    kind = loss if hasattr(loss, "__name__") else type(loss)
    if not kind.__module__.startswith("keras."):
        return None
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


def loss_properties(loss: Any) -> LossProperties:
    """Return the properties of a loss; those of unknown losses are all False.

    A `MixedLoss` depends on differences where columns are numbers.
    """
    if isinstance(loss, MixedLoss):
        return LossProperties(of_differences=True)
    return LOSSES.get(loss_name(loss) or "", LossProperties())


def is_squared_error(loss: Any) -> bool:
    """Whether a loss is the mean squared error."""
    return loss_name(loss) == "mean_squared_error"
