"""A Keras model for callbacks, whose weights are copied when they are used."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from .engine import Engine

# Attributes of a model that lead neither to its weights nor to the optimizer.
_NO_WEIGHTS = {"__class__", "history", "metrics", "stop_training"}


class LazyModel:
    """Copies weights and learning rate from an engine to a model, and changes back.

    Copying takes longer than an epoch of a small network, and most callbacks read
    nothing but losses. So weights are copied when a callback uses an attribute of the
    model, and learning rate and number of steps when it uses the optimizer. For this,
    the class of the model is a subclass meanwhile that tracks the first use; methods
    that run afterwards find the original class.

    Parameters
    ----------
    model : keras.Model
        Compiled, with an optimizer.
    """

    def __init__(self, model: Any):
        self._model, self._class = model, type(model)
        self._tracking_class = _tracking_class(self, type(model))
        self._engine: Any = None
        self._weights: list[np.ndarray] | None = None
        # The learning rate of the engine, and the rounded one of the optimizer.
        self._rates: tuple[float | None, float | None] = (None, None)
        self._has_optimizer = False
        self._was_used = False

    @contextlib.contextmanager
    def lent(self, engine: Engine) -> Iterator[None]:
        """Lend the model to callbacks, and give the engine what they change.

        Weights and learning rate that they do not change are not given to the engine,
        so that no bit of the training changes.
        """
        self._engine, self._weights, self._has_optimizer = engine, None, False
        yield
        self._give_back()

    @contextlib.contextmanager
    def tracked(self) -> Iterator[None]:
        """Track what a callback uses meanwhile, and copy it."""
        self._was_used = False
        self._set_class(self._tracking_class)
        try:
            yield
        finally:
            self._set_class(self._class)

    @property
    def was_used(self) -> bool:
        """Whether the last callback has used more than the optimizer."""
        return self._was_used

    def copy_weights(self) -> None:
        """Copy the weights of the engine, unless they are copied in this loan."""
        if self._weights is None:
            self._copy_optimizer()
            self._weights = self._engine.get_weights()
            self._model.set_weights(self._weights)

    def _copy_optimizer(self):
        if self._has_optimizer:
            return
        self._has_optimizer = True
        optimizer, engine = self._model.optimizer, self._engine
        optimizer.iterations.assign(engine.iterations)
        rate = engine.learning_rate
        if rate is not None and rate != self._rates[0]:
            optimizer.learning_rate = rate
            self._rates = rate, _number(optimizer.learning_rate)

    def _give_back(self):
        if self._has_optimizer:
            optimizer, engine = self._model.optimizer, self._engine
            if engine.learning_rate is None:
                engine.iterations = _number(optimizer.iterations)
            elif _number(optimizer.learning_rate) != self._rates[1]:
                engine.learning_rate = rate = _number(optimizer.learning_rate)
                self._rates = rate, rate
        if self._weights is not None:
            weights = self._model.get_weights()
            pairs = zip(self._weights, weights, strict=True)
            if not all(np.array_equal(before, after) for before, after in pairs):
                self._engine.set_weights(weights)

    def _set_class(self, kind):
        object.__setattr__(self._model, "__class__", kind)

    def use(self, name: str) -> bool:
        """Copy what an attribute leads to; return whether to track further uses."""
        self._set_class(self._class)
        if name in _NO_WEIGHTS:
            return True
        if name == "optimizer":
            self._copy_optimizer()
            return True
        self._was_used = True
        self.copy_weights()
        return False

    def track_again(self) -> None:
        """Track further uses."""
        self._set_class(self._tracking_class)


def _tracking_class(lazy, kind):
    """Return a subclass of a model's class that reports each use of an attribute."""

    def get(model, name):
        tracks_further = lazy.use(name)
        try:
            return getattr(model, name)
        finally:
            if tracks_further:
                lazy.track_again()

    def set_(model, name, value):
        lazy.use("__class__")
        try:
            setattr(model, name, value)
        finally:
            lazy.track_again()

    namespace = {"__getattribute__": get, "__setattr__": set_}
    return type(kind.__name__, (kind,), namespace)


def _number(variable):
    return np.asarray(variable).item()
