"""Where a training ended, from which a later one goes on with the same optimizer."""

from __future__ import annotations

from typing import Any, NamedTuple

from .._training import Engine, TrainingConfig
from .._utils.stored import stored_as


@stored_as("continuation")
class Continuation(NamedTuple):
    """The end of a training.

    Attributes
    ----------
    engine : str
        Kind of the engine.

    optimizer, learning_rate : str
        The settings of the training.

    state : object
        What ``Engine.get_state`` gave.

    n_epochs : int
        Number of epochs whose random streams have been used.
    """

    engine: str
    optimizer: str
    learning_rate: str
    state: Any
    n_epochs: int


def continuation_of(
    engine: Engine, config: TrainingConfig, state: Any, n_epochs: int
) -> Continuation:
    """Return the continuation of a training that ended with this state."""
    optimizer, learning_rate = _optimizer_settings(config)
    kind = type(engine).__name__
    return Continuation(kind, optimizer, learning_rate, state, n_epochs)


def resume(
    engine: Engine, config: TrainingConfig, previous: Continuation | None
) -> bool:
    """Let an engine go on from the end of an earlier training, if it can.

    It can if it is of the same kind and has the same optimizer. The learning rate is
    that of the earlier training, which callbacks may have changed, unless the parameter
    has changed since.

    Returns
    -------
    bool
        Whether the engine goes on. If not, it has the weights that it was opened with,
        and no moments.
    """
    if previous is None or previous.engine != type(engine).__name__:
        return False
    optimizer, learning_rate = _optimizer_settings(config)
    if previous.optimizer != optimizer:
        return False
    initial_rate = engine.learning_rate
    engine.set_state(previous.state)
    if learning_rate != previous.learning_rate and initial_rate is not None:
        engine.learning_rate = initial_rate
    return True


def _optimizer_settings(config):
    """Return the optimizer and its learning rate, as strings that can be compared."""
    optimizer, rate = config.optimizer, config.learning_rate
    if isinstance(optimizer, str):
        return optimizer, repr(_plain(rate))
    if isinstance(optimizer, dict):
        name, settings = optimizer["class_name"], dict(optimizer["config"])
    else:
        name, settings = type(optimizer).__qualname__, optimizer.get_config()
    own_rate = settings.pop("learning_rate", None)
    return repr((name, settings)), repr(_plain(own_rate if rate is None else rate))


def _plain(learning_rate):
    """Return a learning rate schedule as its config, and numbers as they are."""
    if hasattr(learning_rate, "get_config"):
        return type(learning_rate).__qualname__, learning_rate.get_config()
    return learning_rate
