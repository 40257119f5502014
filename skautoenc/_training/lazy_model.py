"""A Keras model for callbacks, whose weights are copied when they are used."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .engine import Engine

# Attributes of a model that lead neither to its weights nor to the optimizer, and of an
# optimizer that do not lead to its variables. Optimizers have no `optimizers`, which
# Keras's callbacks look for.
_NO_WEIGHTS = {"__class__", "history", "metrics", "stop_training"}
_NO_VARIABLES = {"__class__", "name", "optimizers"}


class LazyModel:
    """Copies weights and learning rate from an engine to a model, and changes back.

    Copying takes longer than an epoch of a small network, and most callbacks read
    nothing but losses. So weights are copied when a callback uses an attribute of the
    model, the learning rate when it uses that of the optimizer, and the number of steps
    when it uses something else of the optimizer. For this, the classes of the model and
    the optimizer are subclasses meanwhile that track the first use; methods that run
    afterwards find the original classes.

    Parameters
    ----------
    model : keras.Model
        Compiled, with an optimizer.
    """

    def __init__(self, model: Any):
        self._model = model
        self._tracking = _tracking_class(type(model), self._use_model)
        self._tracking_optimizer = _tracking_class(
            type(model.optimizer), self._use_optimizer
        )
        self._engine: Any = None
        self._weights: list[np.ndarray] | None = None
        # The learning rate of the engine, and the rounded one of the optimizer.
        self._rates: tuple[float | None, float | None] = (None, None)
        self._has_rate = self._has_iterations = self._was_used = False

    @contextlib.contextmanager
    def lent(self, engine: Engine) -> Iterator[None]:
        """Lend the model to callbacks, and give the engine what they change.

        Weights and learning rate that they do not change are not given to the engine,
        so that no bit of the training changes.
        """
        self._engine, self._weights = engine, None
        self._has_rate = self._has_iterations = False
        yield
        self._give_back()

    @contextlib.contextmanager
    def tracked(self) -> Iterator[None]:
        """Track what a callback uses meanwhile, and copy it."""
        self._was_used = False
        model, optimizer = self._model, self._model.optimizer
        kinds = type(model), type(optimizer)
        if kinds[1] is not self._tracking_optimizer.__base__:  # it was compiled again
            self._tracking_optimizer = _tracking_class(kinds[1], self._use_optimizer)
        _set_class(model, self._tracking)
        _set_class(optimizer, self._tracking_optimizer)
        try:
            yield
        finally:
            _set_class(model, kinds[0])
            _set_class(optimizer, kinds[1])

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
        self._copy_rate()
        if not self._has_iterations:
            self._has_iterations = True
            self._model.optimizer.iterations.assign(self._engine.iterations)

    def _copy_rate(self):
        if self._has_rate:
            return
        self._has_rate = True
        rate, optimizer = self._engine.learning_rate, self._model.optimizer
        if rate is None:  # it follows from the number of steps
            self._copy_optimizer()
        elif rate != self._rates[0]:
            optimizer.learning_rate = rate
            self._rates = rate, _number(optimizer.learning_rate)

    def _give_back(self):
        optimizer, engine = self._model.optimizer, self._engine
        if self._has_iterations and engine.learning_rate is None:
            engine.iterations = _number(optimizer.iterations)
        elif self._has_rate:
            rate = _number(optimizer.learning_rate)
            if rate != self._rates[1]:
                engine.learning_rate = rate
                self._rates = rate, rate
        if self._weights is not None:
            weights = self._model.get_weights()
            pairs = zip(self._weights, weights, strict=True)
            if not all(np.array_equal(before, after) for before, after in pairs):
                self._engine.set_weights(weights)

    def _use_model(self, name):
        """Copy what an attribute leads to; return whether to track further uses."""
        if name == "optimizer" or name in _NO_WEIGHTS:
            return True
        optimizer = self._model.optimizer
        if type(optimizer) is self._tracking_optimizer:
            _set_class(optimizer, self._tracking_optimizer.__base__)
        self._was_used = True
        self.copy_weights()
        return False

    def _use_optimizer(self, name):
        """Copy what an attribute leads to; return whether to track further uses."""
        if name == "learning_rate":
            self._copy_rate()
        elif name not in _NO_VARIABLES:
            self._copy_optimizer()
            return False
        return True


def _tracking_class(kind: type, use: Callable[[str], bool]) -> type:
    """Return a subclass that calls a function before each use of an attribute.

    The object has its own class meanwhile, and also afterwards if the function returns
    False.
    """

    def get(obj, name):
        _set_class(obj, kind)
        tracks_further = use(name)
        try:
            return getattr(obj, name)
        finally:
            if tracks_further:
                _set_class(obj, tracking)

    def set_(obj, name, value):
        _set_class(obj, kind)
        tracks_further = use(name)
        try:
            setattr(obj, name, value)
        finally:
            if tracks_further:
                _set_class(obj, tracking)

    namespace = {
        "__module__": kind.__module__,
        "__getattribute__": get,
        "__setattr__": set_,
    }
    tracking = type(kind.__name__, (kind,), namespace)
    return tracking


def _set_class(obj, kind):
    object.__setattr__(obj, "__class__", kind)


def _number(variable):
    return np.asarray(variable).item()
