"""Keras losses by row, and the losses of an epoch by name."""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .._backend.keras import import_keras
from .._utils.losses import MixedLoss, WeightedSquaredError


def get_loss(loss: Any) -> Any:
    """Return the loss of a name, an instance, a function or a class of `_utils`.

    Raises
    ------
    ValueError
        If Keras has no such loss, or if it sums over a batch: regularization and the
        learning rate would then depend on `batch_size`.
    """
    keras = import_keras()
    if isinstance(loss, MixedLoss):
        return _mixed_loss(loss)
    if isinstance(loss, WeightedSquaredError):
        return _weighted_squared_error
    try:
        found = keras.losses.get(loss)
    except ValueError as error:
        raise ValueError(
            f"loss={loss!r} is not a Keras loss. Give one, a function, or the name of "
            f"a function of keras.losses, such as 'mse'. {error}"
        ) from None
    reduction = getattr(found, "reduction", "sum_over_batch_size")
    if reduction not in ("sum_over_batch_size", "mean"):
        raise ValueError(
            f"loss={loss!r} has reduction={reduction!r}; training takes the mean over "
            "rows. Use reduction='sum_over_batch_size'."
        )
    return found


@functools.lru_cache  # compiled programs are found by the function
def _mixed_loss(mixed: MixedLoss) -> Callable[[Any, Any], Any]:
    ops = import_keras().ops
    in_groups = {column for group in mixed.groups for column in group}

    def mixed_loss(targets, outputs):
        n_features = outputs.shape[-1]
        numbers = [i for i in range(n_features) if i not in in_groups]
        numbers = np.array(numbers, np.int32)  # an empty list would be of floats
        errors = ops.take(targets - outputs, numbers, axis=1)
        total = ops.sum(ops.square(errors), axis=1)
        for group, weight in zip(mixed.groups, mixed.weights, strict=True):
            shares, logits = (ops.take(a, group, axis=1) for a in (targets, outputs))
            loss = ops.categorical_crossentropy(shares, logits, from_logits=True)
            total = total + weight * loss
        return total / n_features

    return mixed_loss


def _weighted_squared_error(targets, outputs):
    ops = import_keras().ops
    values, weights = ops.split(targets, 2, axis=1)
    return ops.mean(weights * ops.square(outputs - values), axis=1)


def target_shape(model: Any, loss: Any) -> tuple[int, ...]:
    """Return the shape of a target row.

    Parameters
    ----------
    model : keras.Model
    loss : keras.losses.Loss or callable
        What `get_loss` gave.
    """
    shape = tuple(model.outputs[0].shape[1:])
    return (2 * shape[0],) if loss is _weighted_squared_error else shape


def row_losses(loss: Any) -> Callable[[Any, Any], Any]:
    """Return a loss as ``(targets, outputs) -> losses of shape (batch_size,)``.

    Parameters
    ----------
    loss : keras.losses.Loss or callable
    """
    keras = import_keras()
    ops = keras.ops
    function = loss.call if isinstance(loss, keras.losses.Loss) else loss

    def rows(targets, outputs):
        outputs = ops.cast(outputs, "float32")
        try:
            values = ops.cast(function(targets, outputs), "float32")
        except Exception as error:
            error.add_note(
                f"Raised by loss={loss!r}, which is called with tensors (targets, "
                "outputs) of one batch and must give one loss for each row."
            )
            raise
        if len(values.shape) == 0:
            raise ValueError(
                f"loss={loss!r} gives one number for a whole batch; it must give one "
                "for each row. Take the mean over the last axis only."
            )
        if len(values.shape) == 1:
            return values
        # Keras takes the mean over all elements, and rows of images have more axes.
        return ops.mean(values, axis=tuple(range(1, len(values.shape))))

    return rows


_REGULARIZATION = "kernel_regularization_loss", "activity_regularization_loss"


def regularization_losses(
    model: Any, losses: Sequence[Any]
) -> tuple[list[Any], list[bool]]:
    """Split what Keras adds to the loss into regularization of weights and all else.

    Parameters
    ----------
    model : keras.Model
    losses : list of tensor
        The model's `losses`, those of weights last.

    Returns
    -------
    sums : list of two float32 tensors
    exist : list of two bool
        Whether there are losses of each kind.
    """
    ops = import_keras().ops
    n_weights = sum(v.regularizer is not None for v in model.trainable_weights)
    losses = [ops.cast(ops.sum(loss), "float32") for loss in losses]
    cut = len(losses) - n_weights
    kinds = losses[cut:], losses[:cut]
    sums = [sum(kind) if kind else ops.zeros(()) for kind in kinds]
    return sums, [bool(kind) for kind in kinds]


def losses_by_name(
    values: Iterable[float],
    has_regularization: Sequence[bool],
    auxiliary_outputs: Iterable[str] = (),
) -> dict[str, float]:
    """Return the losses of an epoch by their names in the history.

    Parameters
    ----------
    values : iterable of float
        The loss, that of the reconstruction, the regularization of kernels and of
        activities, and the auxiliary outputs.

    has_regularization : sequence of two bool
        Whether there is regularization of each kind. Other kinds are left out.

    auxiliary_outputs : iterable of str, default=()
        Names of the auxiliary outputs.

    Returns
    -------
    dict of str to float
        The loss alone where it is that of the reconstruction.
    """
    names = ["loss", "reconstruction_loss", *_REGULARIZATION]
    names += [f"{name}_loss" for name in auxiliary_outputs]
    by_name = dict(zip(names, map(float, values), strict=True))
    for name, exists in zip(_REGULARIZATION, has_regularization, strict=True):
        if not exists:
            del by_name[name]
    return by_name if len(by_name) > 2 else {"loss": by_name["loss"]}
