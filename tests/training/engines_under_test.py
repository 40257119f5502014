"""Ways to train with a given engine, for tests that compare engines."""

from dataclasses import replace
from typing import NamedTuple

from helpers import COMPILED

from skautoenc._training import (
    Augmentation,
    CosineSchedule,
    EarlyStopping,
    KerasCallbacks,
    TrainingConfig,
    TrainingState,
    make_numpy_engine,
    open_engine,
    run_epochs,
    trains_in_numpy,
)
from skautoenc._utils.random import RandomStreams

KINDS = {"compiled": COMPILED, "model_fit": "keras"}


class Outcome(NamedTuple):
    """What a run gave.

    Attributes
    ----------
    history : dict of str to list of float
    best_epoch : int or None
    """

    history: dict
    best_epoch: int | None


def train(
    model,
    rows,
    *,
    engine=None,
    loss="mean_squared_error",
    optimizer="adam",
    learning_rate=None,
    batch_size=32,
    epochs=1,
    penalties=None,
    corrupt=None,
    validation=None,
    callbacks=(),
    rng,
    **hook_settings,
):
    """Train a Keras model, which has the trained weights afterwards."""
    augmentation = Augmentation(corruption=corrupt)
    config = TrainingConfig(
        loss,
        optimizer,
        learning_rate,
        batch_size,
        epochs,
        penalties or {},
        augmentation,
    )
    hooks = hooks_of(callbacks=callbacks, model=model, **hook_settings)
    n_validation = 0 if validation is None else len(validation)
    with open_engine(
        model, config, len(rows), n_validation, callbacks, KINDS.get(engine)
    ) as opened:
        outcome = run(opened, rows, validation, config, rng, hooks)
        model.set_weights(opened.get_weights())
    return outcome


class Plan:
    """Networks that the NumPy engine trains."""

    def __init__(self, networks, config, n_rows):
        self._networks, self._config, self._n_rows = networks, config, n_rows

    def load(self, arrays):
        self._weights = [array.copy() for array in arrays]

    def arrays(self):
        return self._weights

    def engine(self, **changes):
        config = replace(self._config, **changes)
        return config, make_numpy_engine(self._networks, config, self._n_rows)


def plan_dense(networks, *, n_rows, **how):
    """Return what the NumPy engine is to train, or None where there is no engine."""
    config = TrainingConfig(**how)
    if not trains_in_numpy(networks, config, n_rows):
        return None
    return Plan(networks, config, n_rows)


def train_dense(
    plan,
    rows,
    *,
    batch_size,
    epochs,
    validation=None,
    corrupt=None,
    rng,
    **hook_settings,
):
    """Train with the NumPy engine; the plan has the trained weights afterwards."""
    config, engine = plan.engine(
        batch_size=batch_size,
        epochs=epochs,
        augmentation=Augmentation(corruption=corrupt),
    )
    with engine:
        engine.set_weights(plan.arrays())
        outcome = run(engine, rows, validation, config, rng, hooks_of(**hook_settings))
        plan.load(engine.get_weights())
    return outcome


def hooks_of(patience=None, decays=False, callbacks=(), model=None):
    """The hooks of a fit."""
    return [
        *([CosineSchedule()] if decays else []),
        *([EarlyStopping(patience)] if patience is not None else []),
        *([KerasCallbacks(callbacks, model)] if callbacks else []),
    ]


def run(engine, rows, validation, config, rng, hooks):
    """Run the epoch loop."""
    state = TrainingState(RandomStreams.from_random_state(rng))
    state = run_epochs(engine, rows, validation, config, state, hooks)
    best_epochs = [hook.best_epoch for hook in hooks if isinstance(hook, EarlyStopping)]
    return Outcome(state.history, *best_epochs or [None])
