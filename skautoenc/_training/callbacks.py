"""Keras callbacks in a loop that is not Model.fit."""

import numpy as np

from .._backend.keras import isolated, load
from .._backend.keras_internals import (
    initial_epoch,
    profiles_batches,
    set_initial_epoch,
)

_BATCH_METHODS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_batch_begin",
    "on_test_batch_end",
    "on_test_end",
)

# Keras's own callbacks whose batch methods do nothing, or nothing that training's own
# look at the losses does not do, where this holds.
_EPOCH_FORM = {
    "BackupAndRestore": lambda callback: callback.save_freq == "epoch",
    "ModelCheckpoint": lambda callback: callback.save_freq == "epoch",
    "OrbaxCheckpoint": lambda callback: callback.save_freq == "epoch",
    "ProgbarLogger": lambda callback: True,
    "TensorBoard": lambda callback: (
        callback.update_freq == "epoch" and not profiles_batches(callback)
    ),
    "TerminateOnNaN": lambda callback: True,
}


def listens_to_batches(callback):
    """Whether a callback does something at every batch, or around validation.

    A class derived from one of Keras's counts by what it overrides itself.

    Raises
    ------
    TypeError
        If it is no Keras callback.
    """
    _, keras = load()
    if not isinstance(callback, keras.callbacks.Callback):
        raise TypeError(
            f"callbacks takes instances of Keras callbacks; got {callback!r}. "
            "scikit-learn's go to set_callbacks."
        )

    def listens(name):
        if name in vars(callback):
            return True
        owner = next(kind for kind in type(callback).__mro__ if name in vars(kind))
        if owner is keras.callbacks.Callback:
            return False
        is_kerass = owner.__module__.startswith("keras.")
        in_epoch_form = _EPOCH_FORM.get(owner.__name__)
        return not (is_kerass and in_epoch_form and in_epoch_form(callback))

    return any(map(listens, _BATCH_METHODS))


def release(callbacks):
    """Let callbacks go of the model, or it would be copied with the estimator."""
    for callback in callbacks:
        # Not its own set_model: TensorBoard's begins another file.
        load()[1].callbacks.Callback.set_model(callback, None)


def nothing_left(first, epochs):
    """The error where a callback restored a backup that leaves nothing to train."""
    return ValueError(
        f"callbacks: a backup made after epoch {first} was restored, and with "
        f"epochs={epochs} nothing is left to train. Raise epochs, or delete the backup."
    )


def passed_on(callbacks, model, shown):
    """Callbacks for ``model.fit`` that see another model with the same variables.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
    model, shown : keras.Model

    Returns
    -------
    list of keras.callbacks.Callback
        Those given, where both models are the same.
    """
    if model is shown or not callbacks:
        return list(callbacks)
    _, keras = load()

    class PassedOn(keras.callbacks.Callback):
        def set_model(self, model):
            super().set_model(model)
            shown.compile(optimizer=model.optimizer)
            shown.stop_training = False
            self._list = keras.callbacks.CallbackList(callbacks, model=shown)

        def set_params(self, params):
            self._list.set_params(params)

    def passing(name):
        def call(self, *args, **kwargs):
            getattr(self._list, name)(*args, **kwargs)
            self.model.stop_training |= shown.stop_training
            set_initial_epoch(self.model, initial_epoch(shown))

        return call

    for name in dir(keras.callbacks.CallbackList):
        if name.startswith("on_"):
            setattr(PassedOn, name, passing(name))
    return [PassedOn()]


class Callbacks:
    """The callbacks of one training run; false where there are none.

    They see a compiled Keras model with the weights as they are after each epoch, and
    an optimizer with the learning rate and the number of steps, but without moments.
    Weights and rate are taken back only where a callback changed them, so that one
    that does not changes no bit of the training.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
    model : keras.Model or None, default=None
        None only without callbacks.

    optimizer : keras.Optimizer or None, default=None
        Not built yet, and used for nothing else.

    loss : keras.Loss or callable or None, default=None

    n_penalties : int, default=0
        Outputs of `model` after the first.
    """

    def __init__(self, callbacks, model=None, optimizer=None, loss=None, n_penalties=0):
        self._callbacks, self._model = list(callbacks), model
        self._optimizer, self._loss = optimizer, loss
        self._n_penalties = n_penalties

    def __bool__(self):
        return bool(self._callbacks)

    def train_begins(self, engine, epochs, steps, scheduled=False):
        """Show the callbacks the model.

        Parameters
        ----------
        engine : object
            What trains: has ``unload(model)`` and ``take(model)``, which write weights
            to a model and read them, `rate` and `iterations`.

        epochs, steps : int
            Epochs, and steps in each.

        scheduled : bool, default=False
            Whether the learning rate follows from the number of steps.

        Returns
        -------
        epoch : int
            The first one to run; not 0 where a callback restored a backup.

        Raises
        ------
        ValueError
            If that leaves none to run.
        """
        if not self:
            return 0
        _, keras = load()
        self._engine, self._scheduled = engine, scheduled
        losses = [self._loss, *[None] * self._n_penalties]
        with isolated(0):
            self._model.compile(
                optimizer=self._optimizer,
                loss=losses if self._n_penalties else self._loss,
            )
            self._optimizer = self._model.optimizer
            self._optimizer.build(self._model.trainable_variables)
        self._model.stop_training = False
        self._list = keras.callbacks.CallbackList(
            self._callbacks, model=self._model, epochs=epochs, steps=steps, verbose=0
        )
        self._call("on_train_begin")
        first = initial_epoch(self._model)
        if first >= epochs:
            raise nothing_left(first, epochs)
        return first

    def epoch_begins(self, epoch):
        if self:
            self._call("on_epoch_begin", epoch)

    def epoch_ended(self, epoch, logs):
        """Pass on the losses of an epoch; return whether a callback wants to stop."""
        if not self:
            return False
        validation = {
            name.removeprefix("val_"): value
            for name, value in logs.items()
            if name.startswith("val_")
        }
        self._call("on_epoch_end", epoch, dict(logs), validation=validation)
        return bool(self._model.stop_training)

    def train_ended(self, logs):
        if self:
            self._call("on_train_end", dict(logs))

    def _call(self, method, *args, validation=None):
        """Call all callbacks, and take back what they changed."""
        engine, optimizer = self._engine, self._optimizer
        engine.unload(self._model)
        if not self._scheduled:
            optimizer.learning_rate = engine.rate
        optimizer.iterations.assign(engine.iterations)
        weights, rate = self._model.get_weights(), _number(optimizer.learning_rate)
        if validation:
            self._list.on_test_begin()
            self._list.on_test_end(validation)
        getattr(self._list, method)(*args)
        pairs = zip(weights, self._model.get_weights(), strict=True)
        if not all(np.array_equal(before, after) for before, after in pairs):
            engine.take(self._model)
        if self._scheduled:
            engine.iterations = _number(optimizer.iterations)
        elif _number(optimizer.learning_rate) != rate:
            engine.rate = _number(optimizer.learning_rate)


def _number(variable):
    return np.asarray(variable).item()
