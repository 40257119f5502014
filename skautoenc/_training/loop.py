"""The epoch loop, the same for all engines, and the hooks that it calls."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .config import TrainingConfig, TrainingState
from .engine import Engine
from .interrupts import TrainingInterrupted, interrupts_delayed, raise_if_interrupted
from .rows import Rows, StreamedRows


@dataclass
class Run:
    """A training run, as it is passed to hooks.

    Parameters
    ----------
    engine : Engine
    rows : Rows or StreamedRows
    validation : Rows, StreamedRows or None
    config : TrainingConfig
    state : TrainingState
        `epoch` counts the epochs that are complete. `engine` is only set at the end of
        a run: a hook that stores the state takes ``engine.get_state()``.
    """

    engine: Engine
    rows: Rows | StreamedRows
    validation: Rows | StreamedRows | None
    config: TrainingConfig
    state: TrainingState

    def stop(self, stopped_by: str) -> None:
        """Stop training after this epoch; messages say what has stopped it."""
        self.state.stop, self.state.stopped_by = True, stopped_by

    def evaluate(self) -> dict[str, float]:
        """Return the losses of the validation rows by name, with ``val_`` before it."""
        if self.validation is None:
            raise ValueError("There are no validation rows.")
        losses = self.engine.evaluate(self.validation, self.state.streams)
        return {f"val_{name}": loss for name, loss in losses.items()}


class Hook:
    """Base class of hooks; the methods do nothing by default."""

    def on_train_begin(self, run: Run) -> None:
        """Called before the first epoch; may set ``run.state.epoch``."""

    def on_epoch_begin(self, run: Run) -> None:
        """Called before each epoch."""

    def on_validation_begin(self, run: Run) -> None:
        """Called between the training and the validation of an epoch."""

    def on_validation_end(self, run: Run, logs: dict[str, float]) -> None:
        """Called with the losses of the validation rows."""

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        """Called with all losses of an epoch; may call ``run.stop``."""

    def on_train_end(self, run: Run) -> None:
        """Called after the last epoch; may change the engine's weights."""

    def close(self) -> None:
        """Called last, also if training raised an error."""

    def for_all_rows(self) -> "Hook | None":
        """Return the hook of the repetition of the training on all rows, if any."""
        return None

    def get_state(self) -> dict[str, Any]:
        """Return what changes in a run, as a checkpoint holds it.

        Numbers, strings, arrays, and lists and dicts of them.
        """
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` gave. Called after `on_train_begin`."""


def run_epochs(
    engine: Engine,
    rows: Rows | StreamedRows,
    validation: Rows | StreamedRows | None,
    config: TrainingConfig,
    state: TrainingState,
    hooks: Sequence[Hook] = (),
) -> TrainingState:
    """Train for some epochs, or until a hook or Ctrl-C stops training.

    Ctrl-C ends training within an epoch. That epoch is not part of the history, but the
    weights are those of its last step, unless a hook restores others.

    Parameters
    ----------
    engine : Engine
        Ends with the trained weights.

    rows : Rows or StreamedRows
        What an epoch visits.

    validation : Rows, StreamedRows or None
        Evaluated after each epoch.

    config : TrainingConfig
    state : TrainingState
        Where training starts, or is resumed. Not modified.

    hooks : sequence of Hook, default=()
        Called in this order.

    Returns
    -------
    TrainingState
        As it is before hooks change weights at the end of training.

    Raises
    ------
    ValueError
        If a loss is not finite.
    """
    history = {name: list(losses) for name, losses in state.history.items()}
    state = replace(
        state, history=history, stop=False, stopped_by="", interrupted=False
    )
    run = Run(engine, rows, validation, config, state)
    try:
        if state.engine is not None:
            engine.set_state(state.engine)
        _call(hooks, "on_train_begin", run)
        with interrupts_delayed():
            _run_until_stopped(run, hooks)
        state.engine = engine.get_state()
        engine.finalize()
        _call(hooks, "on_train_end", run)
    finally:
        for hook in hooks:
            hook.close()
    return state


def _run_until_stopped(run, hooks):
    """Run epochs until the last, a hook that stops training, or Ctrl-C."""
    state, validation = run.state, run.validation
    try:
        while state.epoch < run.config.epochs and not state.stop:
            _call(hooks, "on_epoch_begin", run)
            n_before = state.n_earlier + state.epoch
            logs = run.engine.train_epoch(run.rows, state.streams, n_before)
            if validation is not None:
                _call(hooks, "on_validation_begin", run)
                validation_logs = run.evaluate()
                _call(hooks, "on_validation_end", run, validation_logs)
                logs = {**logs, **validation_logs}
            _record(state, logs)
            _call(hooks, "on_epoch_end", run, logs)
            raise_if_interrupted()
    except TrainingInterrupted:
        state.interrupted = True
        state.history.setdefault("loss", [])
        run.stop("Ctrl-C")


def _call(hooks, method, *arguments):
    for hook in hooks:
        getattr(hook, method)(*arguments)


def _record(state, logs):
    """Count an epoch, and append its losses to the history."""
    state.epoch += 1
    for name, loss in logs.items():
        if not math.isfinite(loss):
            raise ValueError(
                f"Training diverged: {name} is {loss} in epoch {state.epoch}. "
                "Scale the features (MinMaxScaler or StandardScaler), or use a "
                "smaller learning_rate; a loss that takes outputs of one sign "
                "needs an output_activation to match."
            )
        state.history.setdefault(name, []).append(loss)
