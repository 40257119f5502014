"""Cache of compiled programs, which fits share."""

import contextlib
import hashlib
import inspect
import json
import pickle
import threading
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import cloudpickle

from ..._backend.keras_internals import flatten_layers
from .hyperparameters import strip_hyperparameters


class ProgramCache:
    """Keeps the programs that were used last, and lends each to one fit at a time.

    Fits that ask for the same program at the same time get one each. All of these are
    kept, for the next fits in as many threads.

    Parameters
    ----------
    max_size : int
        Programs kept while no fit uses them.
    """

    def __init__(self, max_size: int):
        self._max_size = max_size
        self._idle: list[tuple[Hashable, Any]] = []  # the last used at the end
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._idle)

    @property
    def keys(self) -> list[Hashable]:
        """Keys of the programs that no fit uses, the most recent one last."""
        return [key for key, _ in self._idle]

    def clear(self) -> None:
        """Drop the programs that no fit uses."""
        with self._lock:
            self._idle.clear()

    @contextlib.contextmanager
    def borrow(self, key: Hashable, build: Callable[[], Any]) -> Iterator[Any]:
        """Lend the program of `key`, built by ``build()`` where there is none."""
        with self._lock:
            program = self._take(key)
        if program is None:
            program = build()
        try:
            yield program
        finally:
            with self._lock:
                self._idle.append((key, program))
                del self._idle[: -self._max_size]

    def _take(self, key):
        for i in reversed(range(len(self._idle))):
            if self._idle[i][0] == key:
                return self._idle.pop(i)[1]
        return None


# Of the programs of all engines in this process.
programs = ProgramCache(max_size=16)


def program_key(
    model: Any, loss: Any, optimizer: Any, learning_rate: float | None
) -> Hashable:
    """Return what the programs of a model, a loss and an optimizer have in common.

    Parameters
    ----------
    model : keras.Model
    loss : keras.losses.Loss or callable
    optimizer : keras.Optimizer
    learning_rate : float or None
        A number is an input of the program.
    """
    config = optimizer.get_config()
    if learning_rate is not None:
        config = {**config, "learning_rate": None}
    return (
        model_fingerprint(model),
        fingerprint(loss),
        (type(optimizer), repr(config)),
    )


def fingerprint(value: Any) -> Hashable:
    """Return a hashable that is equal for values which shape the same program.

    Keras's objects are equal if their configs are, and functions as
    `function_fingerprint` says. An object of a user's class, whose config may be
    incomplete, is equal to itself alone.
    """
    if inspect.isfunction(value):
        return function_fingerprint(value)
    if value.__class__.__module__.split(".")[0] == "keras" and hasattr(
        value, "get_config"
    ):
        config = value.get_config()
        if not any(callable(item) for item in config.values()):
            return type(value), json.dumps(config, sort_keys=True, default=repr)
    return value


def function_fingerprint(function: Any) -> Hashable:
    """Return a hashable that is equal for a function and its copies.

    A function that can be imported has no copies. In worker processes, each fit of a
    search gets another copy of a function of a notebook, because it is pickled by
    value: with its code and the values that it reads. Copies have equal pickles.
    """
    try:
        pickle.dumps(function)
        return function
    except (pickle.PicklingError, AttributeError):  # a lambda or a local function
        pass
    try:
        return hashlib.sha256(cloudpickle.dumps(function)).digest()
    except Exception:  # it reads what cannot be pickled, so that it has no copies
        return function


def model_fingerprint(model: Any) -> Hashable:
    """Return a hashable that is equal for models which compute the same function.

    The JSON holds only the names of a user's classes and functions. Two of the same
    name must not share a program, so the objects are added.
    """
    layers = list(flatten_layers(model))
    functions = tuple(
        function_fingerprint(value)
        for layer in layers
        for value in vars(layer).values()
        if inspect.isfunction(value) and not value.__module__.startswith("keras.")
    )
    classes = tuple(
        type(value)
        for layer in layers
        for value in (layer, *vars(layer).values())
        if hasattr(type(value), "get_config")
    )
    # No config holds that layers share a weight.
    shapes = tuple(tuple(v.shape) for v in model.trainable_variables)
    config = json.dumps(strip_hyperparameters(json.loads(model.to_json())))
    return config, shapes, classes, functions
