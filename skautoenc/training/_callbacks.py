"""Keras callbacks in a loop that is not Model.fit."""

from .._keras import load

_BATCH_METHODS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_batch_begin",
    "on_test_batch_end",
)


def listens_to_batches(callback):
    """Whether a callback overrides a method that Keras calls at every batch."""
    _, keras = load()
    return any(
        getattr(type(callback), name) is not getattr(keras.callbacks.Callback, name)
        for name in _BATCH_METHODS
    )


class Callbacks:
    """The callbacks of one training run; false where there are none.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
    epochs : int
    """

    def __init__(self, callbacks, epochs):
        self._callbacks, self._epochs = list(callbacks), epochs
        self._list = None

    def __bool__(self):
        return bool(self._callbacks)

    def train_begins(self, model, optimizer):
        """Show the callbacks the model and its optimizer."""
        if not self:
            return
        _, keras = load()
        model.optimizer = optimizer
        model.stop_training = False
        self._list = keras.callbacks.CallbackList(
            self._callbacks, model=model, epochs=self._epochs, verbose=0
        )
        self._list.on_train_begin()

    def epoch_begins(self, epoch):
        if self:
            self._list.on_epoch_begin(epoch)

    def epoch_ended(self, epoch, logs):
        """Pass on the losses of an epoch; return whether a callback wants to stop."""
        self._list.on_epoch_end(epoch, dict(logs))
        return bool(self._list.model.stop_training)

    def train_ended(self, logs):
        if self:
            self._list.on_train_end(dict(logs))
