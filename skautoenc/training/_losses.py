"""Keras losses as functions that give one value per row."""

from .._keras import load


def get_loss(loss):
    """Return the Keras loss of a name, an instance or a function.

    Raises
    ------
    ValueError
        If Keras knows no such loss, or if it sums over a batch: the penalties and the
        learning rate would then depend on `batch_size`.
    """
    _, keras = load()
    try:
        found = keras.losses.get(loss)
    except ValueError as error:
        raise ValueError(
            f"loss={loss!r} is not a loss that Keras knows. {error}"
        ) from None
    reduction = getattr(found, "reduction", "sum_over_batch_size")
    if reduction not in ("sum_over_batch_size", "mean"):
        raise ValueError(
            f"loss={loss!r} has reduction={reduction!r}; training takes the mean over "
            "rows. Use reduction='sum_over_batch_size'."
        )
    return found


def row_losses(loss):
    """Return a loss as ``(targets, outputs) -> losses of shape (batch_size,)``."""
    tf, keras = load()
    function = loss.call if isinstance(loss, keras.losses.Loss) else loss

    def rows(targets, outputs):
        try:
            values = tf.convert_to_tensor(function(targets, outputs))
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
        # Keras takes the mean over all elements: rows of images have axes left.
        return tf.reduce_mean(tf.reshape(values, (tf.shape(values)[0], -1)), axis=1)

    return rows
