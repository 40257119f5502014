"""The loss of a batch, as a program traces it."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from ..._backend.keras import import_keras
from ..._backend.keras_internals import flatten_layers
from ..._utils.patching import patched
from ..losses import regularization_losses, row_losses


class Objective:
    """The loss of a batch and its parts, as functions of the variables of a model.

    Parameters
    ----------
    model : keras.Model
    loss : keras.losses.Loss or callable
        What `get_loss` gave.

    batch_size : int
    padded : bool
        Whether a short batch has padding, of weight 0.

    Attributes
    ----------
    has_regularization : list of two bool
        Whether there is regularization of kernels and of activities. Set by `__call__`.
    """

    def __init__(self, model: Any, loss: Any, batch_size: int, padded: bool):
        self._model, self._loss = model, row_losses(loss)
        self._batch_size, self._padded = batch_size, padded
        self.has_regularization = [False, False]

    def __call__(
        self,
        trained: Sequence[Any],
        others: Sequence[Any],
        batch: tuple[Sequence[Any], Any, Any],
        n_rows: Any,
        loss_weights: Any,
        *,
        training: bool,
    ) -> tuple[list[Any], list[Any]]:
        """Return the loss of a batch with its parts, and the new values of `others`.

        Parameters
        ----------
        trained, others : sequence of tensor
            Values of the trainable and of the non-trainable variables of the model.

        batch : tuple of (inputs, targets, weights)
            See `Chunk`. The weights are divided by the number of rows.

        n_rows : int or scalar tensor
            Number of rows in the batch, padding not counted.

        loss_weights : tensor
            Weight in the loss of each auxiliary output.

        training : bool

        Returns
        -------
        means : list of scalar tensors
            Weighted means over rows of what `Program.train` returns the sums of.

        updates : list of tensor
        """
        keras = import_keras()
        ops, (inputs, targets, weights) = keras.ops, batch
        with self._padding_masked(n_rows):
            outputs, updates, losses = self._model.stateless_call(
                trained,
                others,
                inputs if len(inputs) > 1 else inputs[0],
                training=training,
                return_losses=True,
            )
        reconstruction, *auxiliary = keras.tree.flatten(outputs)
        by_row = [self._loss(targets, reconstruction)]
        by_row += [ops.reshape(output, (-1,)) for output in auxiliary]
        error, *parts = [ops.sum(values * weights) for values in by_row]
        regularization, self.has_regularization = regularization_losses(
            self._model, losses
        )
        loss = error + regularization[0] + regularization[1]
        for i, part in enumerate(parts):
            loss += loss_weights[i] * part
        return [loss, error, *regularization, *parts], updates

    @contextlib.contextmanager
    def _padding_masked(self, n_rows) -> Iterator[None]:
        """While tracing, hide padding from L1 and L2 activity regularization.

        Keras sums it over the batch and divides by the length, here that with padding.
        There is no other activity regularization: see `is_row_wise`.
        """
        ops = import_keras().ops

        def masked(regularizer):
            def regularizer_of_rows(activity):
                # A layer may have repeated the rows, each one in place.
                length, *others = ops.shape(activity)
                kept = n_rows * (length // self._batch_size)
                mask = ops.cast(ops.arange(length) < kept, activity.dtype)
                scale = ops.cast(length / kept, "float32")
                mask = ops.reshape(mask, (-1, *[1] * len(others)))
                return regularizer(activity * mask) * scale

            return regularizer_of_rows

        with contextlib.ExitStack() as stack:
            for layer in flatten_layers(self._model) if self._padded else ():
                regularizer = layer.activity_regularizer
                if regularizer is not None:
                    stack.enter_context(
                        patched(layer, "activity_regularizer", masked(regularizer))
                    )
            yield
