"""The protocol of training engines, and the choice of an engine."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol

import numpy as np

from .._backend.choice import keras_backend
from .._backend.keras import isolated_random_state
from .._backend.strategy import current_strategy
from .._utils.random import RandomStreams
from .batch_callbacks import listens_to_batches
from .compiled.engine import open_compiled_engine
from .config import TrainingConfig
from .losses import get_loss
from .optimizers import make_optimizer
from .portions import limit_batch_size
from .rows import Rows, StreamedRows


class Engine(Protocol):
    """Trains a network for one epoch at a time."""

    @property
    def learning_rate(self) -> float | None:
        """The learning rate. None, and not to be set, if it follows a schedule."""

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None: ...

    @property
    def iterations(self) -> int:
        """Number of steps taken. Callbacks may set it if there is a schedule."""

    @iterations.setter
    def iterations(self, iterations: int) -> None: ...

    @property
    def keras_optimizer(self) -> Any:
        """The Keras optimizer, if it trains the variables of the Keras model itself.

        None if the engine holds the weights elsewhere.
        """

    def train_epoch(
        self, rows: Rows | StreamedRows, streams: RandomStreams, epoch: int
    ) -> dict[str, float]:
        """Take a step on each batch, in a new random order; return the mean losses."""

    def evaluate(
        self, rows: Rows | StreamedRows, streams: RandomStreams
    ) -> dict[str, float]:
        """Return the mean losses of rows, which are corrupted alike in every call."""

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights, in the order of Keras's ``get_weights``."""

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Continue from these weights, with the optimizer as it is."""

    def snapshot(self) -> Any:
        """Return a copy of the weights for `restore`, as fast as the engine can."""

    def restore(self, snapshot: Any) -> None:
        """Set the weights that `snapshot` gave."""

    def get_state(self) -> Any:
        """Return a copy of all that training changes: NumPy arrays and plain values."""

    def set_state(self, state: Any) -> None:
        """Continue from what `get_state` gave in any engine of this kind."""

    def finalize(self) -> None:
        """End training: an optimizer that averages weights sets the averages."""


@contextlib.contextmanager
def open_engine(
    model: Any,
    config: TrainingConfig,
    n_rows: int,
    n_validation: int,
    callbacks: Sequence[Any] = (),
    kind: Literal["tensorflow", "jax", "keras"] | None = None,
) -> Iterator[Engine]:
    """Open an engine that trains a Keras model, from the model's weights.

    The weights of the engine are those to read at the end; whether the model has them
    too depends on the engine.

    Parameters
    ----------
    model : keras.Model
        Functional; maps rows to reconstructions. A second input takes standard normal
        numbers, drawn anew for each row and epoch. Outputs after the first are
        auxiliary: one number a row, weighted by ``config.loss_weights``. Not to be used
        for anything else: a compiled program may keep it as a template.

    config : TrainingConfig
    n_rows, n_validation : int
        Number of training and validation rows.

    callbacks : sequence of keras.callbacks.Callback, default=()
        Their batch-level methods are called by the engine. For all other methods see
        `KerasCallbacks`.

    kind : {"tensorflow", "jax", "keras"} or None, default=None
        None takes the engine of Keras's backend, but ``Model.fit`` on PyTorch, inside a
        ``tf.distribute`` strategy and with callbacks that listen to batches.

    Yields
    ------
    Engine

    Raises
    ------
    ValueError
        If Keras does not have the loss or the optimizer, or if weights have too low a
        precision to be trained.
    """
    with isolated_random_state(0):
        loss = get_loss(config.loss)
    optimizer, learning_rate = make_optimizer(
        model, config.optimizer, config.learning_rate
    )
    batch_size = limit_batch_size(config.batch_size, n_rows)
    config = replace(config, loss=loss, batch_size=batch_size)
    if kind is None:
        needs_model_fit = current_strategy() is not None or any(
            map(listens_to_batches, callbacks)
        )
        kind = "keras" if needs_model_fit else _engine_of_backend()
    # Imported here, as keras_engine has an import statement of Keras.
    if kind == "keras":
        from .keras_engine import KerasEngine

        yield KerasEngine(model, config, optimizer, learning_rate, n_rows, callbacks)
        return
    program_class: Any
    if kind == "jax":
        from .jax_engine.program import Program as program_class
    else:
        from .tensorflow_engine.program import Program as program_class
    with open_compiled_engine(
        program_class, model, config, optimizer, learning_rate, n_rows, n_validation
    ) as engine:
        yield engine


def _engine_of_backend() -> Literal["tensorflow", "jax", "keras"]:
    """Return the kind of engine that trains fastest on the backend of Keras."""
    backend = keras_backend()
    return backend if backend in ("tensorflow", "jax") else "keras"  # type: ignore
