"""Keras callbacks, as a hook of the epoch loop."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._backend.keras import import_keras, isolated_random_state
from .._backend.keras_internals import initial_epoch, set_initial_epoch
from .loop import Hook, Run
from .losses import get_loss
from .optimizers import make_optimizer
from .portions import limit_batch_size, n_batches


class KerasCallbacks(Hook):
    """Calls the train-level, test-level and epoch-level methods of Keras callbacks.

    Callbacks get a compiled Keras model with the weights as they are at each call. If
    the engine holds them elsewhere, its optimizer is one with the learning rate and
    the number of steps, but without moments. Weights and learning rate are given to the
    engine only if a callback has changed them, so that other callbacks change no bit of
    the training.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
    model : keras.Model
        What callbacks see, with the weights that are trained.
    """

    def __init__(self, callbacks: Sequence[Any], model: Any):
        self._callbacks, self._model = list(callbacks), model
        self._logs: dict[str, float] = {}
        self._stops = False

    def on_train_begin(self, run: Run) -> None:
        _, keras = import_keras()
        self._compile(run)
        self._model.stop_training = False
        batch_size = limit_batch_size(run.config.batch_size, len(run.rows))
        self._list = keras.callbacks.CallbackList(
            self._callbacks,
            model=self._model,
            epochs=run.config.epochs,
            steps=n_batches(len(run.rows), batch_size),
            verbose=0,
        )
        self._call(run, "on_train_begin")
        # Set by BackupAndRestore.
        first = initial_epoch(self._model)
        if first:
            set_initial_epoch(self._model, 0)
            run.state.epoch = first
        if run.state.epoch >= run.config.epochs:
            raise ValueError(
                f"callbacks: a backup made after epoch {run.state.epoch} was restored, "
                f"and with epochs={run.config.epochs} nothing is left to train. Raise "
                "epochs, or delete the backup."
            )

    def _compile(self, run):
        """Give the model the optimizer that callbacks see."""
        optimizer, config = run.engine.keras_optimizer, run.config
        if optimizer is not None and optimizer is getattr(
            self._model, "optimizer", None
        ):
            return
        with isolated_random_state(0):
            if optimizer is None:
                optimizer, _ = make_optimizer(
                    self._model, config.optimizer, config.learning_rate
                )
            losses = [get_loss(config.loss), *[None] * (len(self._model.outputs) - 1)]
            self._model.compile(
                optimizer=optimizer, loss=losses if len(losses) > 1 else losses[0]
            )
            self._model.optimizer.build(self._model.trainable_variables)

    def on_epoch_begin(self, run: Run) -> None:
        self._call(run, "on_epoch_begin", run.state.epoch)

    def on_validation_begin(self, run: Run) -> None:
        if self._listen_to_tests():
            self._call(run, "on_test_begin")

    def on_validation_end(self, run: Run, logs: dict[str, float]) -> None:
        if self._listen_to_tests():
            logs = {name.removeprefix("val_"): loss for name, loss in logs.items()}
            self._call(run, "on_test_end", logs)

    def _listen_to_tests(self):
        """Whether a callback has test-level methods; a call takes a copy of weights."""
        plain = import_keras()[1].callbacks.Callback
        return any(
            getattr(type(callback), name) is not getattr(plain, name)
            or name in vars(callback)
            for callback in self._callbacks
            for name in ("on_test_begin", "on_test_end")
        )

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        self._logs = dict(logs)
        self._call(run, "on_epoch_end", run.state.epoch - 1, dict(logs))
        if self._stops:
            run.stop("a Keras callback")

    def on_train_end(self, run: Run) -> None:
        self._call(run, "on_train_end", dict(self._logs))

    def close(self) -> None:
        # Otherwise the model would be copied with the estimator. The `set_model` of the
        # base class is called, as that of TensorBoard opens another file.
        set_model = import_keras()[1].callbacks.Callback.set_model
        for callback in self._callbacks:
            set_model(callback, None)

    def _call(self, run, method, *arguments):
        """Call all callbacks, and give the engine what they have changed."""
        call = getattr(self._list, method)
        if run.engine.keras_optimizer is not None:  # nothing is held elsewhere
            call(*arguments)
        else:
            self._call_on_copy(run.engine, call, arguments)
        # Kept here, as Model.fit resets it.
        self._stops |= bool(self._model.stop_training)

    def _call_on_copy(self, engine, call, arguments):
        optimizer, weights = self._model.optimizer, engine.get_weights()
        is_scheduled = engine.learning_rate is None
        self._model.set_weights(weights)
        if not is_scheduled:
            optimizer.learning_rate = engine.learning_rate
        optimizer.iterations.assign(engine.iterations)
        learning_rate = _number(optimizer.learning_rate)
        call(*arguments)
        new_weights = self._model.get_weights()
        pairs = zip(weights, new_weights, strict=True)
        if not all(np.array_equal(before, after) for before, after in pairs):
            engine.set_weights(new_weights)
        if is_scheduled:
            engine.iterations = _number(optimizer.iterations)
        elif _number(optimizer.learning_rate) != learning_rate:
            engine.learning_rate = _number(optimizer.learning_rate)


def _number(variable):
    return np.asarray(variable).item()
