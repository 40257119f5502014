"""Keras callbacks, as a hook of the epoch loop."""

import inspect
from collections.abc import Sequence
from typing import Any

from .._backend.keras import import_keras, isolated_random_state
from .._backend.keras_internals import forget_writers, initial_epoch, set_initial_epoch
from .checkpoint_file import is_plain
from .lazy_model import LazyModel
from .loop import Hook, Run
from .losses import get_loss
from .optimizers import make_optimizer
from .portions import limit_batch_size, n_batches

# Keras's callbacks whose records are in files, which they continue themselves.
_RECORDED_IN_FILES = ("BackupAndRestore", "CSVLogger", "TensorBoard")


def make_callbacks(callbacks: Sequence[Any]) -> tuple:
    """Return the callbacks of one fit: instances as they are, others made by functions.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback or callable
        A callable takes no arguments and returns a new callback.

    Raises
    ------
    TypeError
        If one is neither, or if a callable does not return a callback.
    """
    return tuple(map(_make_callback, callbacks))


def _make_callback(given):
    keras = import_keras()
    callback, origin = given, ""
    if callable(given) and not isinstance(given, type | keras.callbacks.Callback):
        callback, origin = given(), f" from {given!r}"
    if not isinstance(callback, keras.callbacks.Callback):
        raise TypeError(
            "callbacks takes instances of Keras callbacks, or functions without "
            f"arguments that return one; got {callback!r}{origin}. scikit-learn's go "
            "to set_callbacks."
        )
    return callback


def callback_settings(callback: Any) -> dict[str, Any]:
    """Return the attributes of a callback with the names of constructor arguments."""
    names = inspect.signature(type(callback)).parameters.keys()
    settings = {k: v for k, v in vars(callback).items() if k in names}
    if "min_delta" in settings:  # Keras changes its sign
        settings["min_delta"] = abs(settings["min_delta"])
    if "initial_value_threshold" in names:
        settings["initial_value_threshold"] = _initial_threshold(callback)
    return settings


def callback_state(callback: Any) -> dict[str, Any]:
    """Return the other attributes of a callback, as far as a checkpoint holds them."""
    if any(k.__name__ in _RECORDED_IN_FILES for k in type(callback).__mro__):
        return {}
    settings = {"params", *inspect.signature(type(callback)).parameters}
    state = {k: v for k, v in vars(callback).items() if k not in settings}
    return {k: v for k, v in state.items() if is_plain(v)}


class KerasCallbacks(Hook):
    """Calls the train-level, test-level and epoch-level methods of Keras callbacks.

    Callbacks get a compiled Keras model with the weights as they are at each call. If
    the engine holds them elsewhere, its optimizer is one with the learning rate and
    the number of steps, but without moments; see `LazyModel`.

    Parameters
    ----------
    callbacks : sequence of keras.callbacks.Callback
    model : keras.Model
        What callbacks see, with the weights that are trained.
    """

    def __init__(self, callbacks: Sequence[Any], model: Any):
        self._callbacks, self._model = list(callbacks), model
        # Callbacks that may hold layers or weights of the model.
        self._holders: set[int] = set()
        self._logs: dict[str, float] = {}
        self._stops = False

    def on_train_begin(self, run: Run) -> None:
        self._compile(run)
        self._lazy = LazyModel(self._model)
        self._model.stop_training = False
        self._reset()
        batch_size = limit_batch_size(run.config.batch_size, len(run.rows))
        params = {
            "verbose": 0,
            "epochs": run.config.epochs,
            "steps": n_batches(len(run.rows), batch_size),
        }
        for callback in self._callbacks:
            callback.set_params(params)
        self._call(run, "set_model", self._model)
        self._call(run, "on_train_begin", {})
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

    def _reset(self):
        """Let the callbacks start anew where Keras continues an earlier training."""
        keras = import_keras()
        for callback in self._callbacks:
            if isinstance(callback, keras.callbacks.History):
                callback.history = {}
            if isinstance(callback, keras.callbacks.ModelCheckpoint):
                threshold = _initial_threshold(callback)
                callback.best = callback.initial_value_threshold = threshold

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
        self._call(run, "on_epoch_begin", run.state.epoch, {})

    def on_validation_begin(self, run: Run) -> None:
        self._call(run, "on_test_begin", {})

    def on_validation_end(self, run: Run, logs: dict[str, float]) -> None:
        logs = {name.removeprefix("val_"): loss for name, loss in logs.items()}
        self._call(run, "on_test_end", logs)

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
        keras = import_keras()
        for callback in self._callbacks:
            keras.callbacks.Callback.set_model(callback, None)
            _make_copyable(callback)

    def get_state(self) -> dict[str, Any]:
        return {
            "logs": self._logs,
            "stops": self._stops,
            "callbacks": [callback_state(callback) for callback in self._callbacks],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self._logs, self._stops = state["logs"], state["stops"]
        for callback, attributes in zip(
            self._callbacks, state["callbacks"], strict=True
        ):
            vars(callback).update(attributes)

    def _call(self, run, method, *arguments):
        """Call a method of the callbacks that have it."""
        listening = [each for each in self._callbacks if _has_method(each, method)]
        if run.engine.keras_optimizer is not None:  # nothing is held elsewhere
            for callback in listening:
                getattr(callback, method)(*arguments)
        elif listening:
            with self._lazy.lent(run.engine):
                for callback in listening:
                    self._call_on_copy(callback, method, arguments)
        # Kept here, as Model.fit resets it.
        self._stops |= bool(self._model.stop_training)

    def _call_on_copy(self, callback, method, arguments):
        """Call a method of a callback that gets a copy of the weights if it uses them.

        A user's callback that has used the model may have kept a layer of it, and gets
        the weights in every later call.
        """
        if id(callback) in self._holders:
            self._lazy.copy_weights()
        with self._lazy.tracked():
            getattr(callback, method)(*arguments)
        if self._lazy.was_used and not _is_from_keras(callback):
            self._holders.add(id(callback))


class _ClosedFile:
    """Replaces the closed file of a callback, which cannot be copied."""

    closed = True


def _make_copyable(callback):
    """Remove what Keras's callbacks keep of open files, so that they can be copied."""
    keras = import_keras()
    if isinstance(callback, keras.callbacks.CSVLogger):
        if callback.csv_file is not None:
            callback.csv_file.close()
            callback.csv_file = _ClosedFile()
        callback.writer = None
    if isinstance(callback, keras.callbacks.TensorBoard):
        forget_writers(callback)


def _initial_threshold(checkpoint):
    """Return what a ModelCheckpoint compares with at first, which Keras overwrites."""
    return vars(checkpoint).get("initial_value_threshold", checkpoint.best)


def _has_method(callback, name):
    """Whether a callback has another method than the base class, which does nothing."""
    plain = import_keras().callbacks.Callback
    is_other = getattr(type(callback), name) is not getattr(plain, name)
    return is_other or name in vars(callback) or name == "set_model"


def _is_from_keras(callback):
    kind = type(callback)
    return kind.__module__.startswith("keras.") and kind.__name__ != "LambdaCallback"
