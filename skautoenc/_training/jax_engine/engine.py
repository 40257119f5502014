"""The JAX engine: one call of a JAX program trains on a chunk."""

import contextlib
from collections.abc import Iterator
from typing import Any

from ..._backend.keras import isolated_random_state
from ..compiled.cache import program_key, programs
from ..compiled.engine import CompiledEngine
from ..compiled.program_choice import chunk_steps, is_row_wise
from ..config import TrainingConfig
from .program import Program


class JaxEngine(CompiledEngine):
    """Trains with a JAX program."""


@contextlib.contextmanager
def open_jax_engine(
    model: Any,
    config: TrainingConfig,
    optimizer: Any,
    learning_rate: float | None,
    n_rows: int,
    n_validation: int,
) -> Iterator[JaxEngine]:
    """Open an engine around a program from the cache.

    Parameters
    ----------
    model : keras.Model
        See `open_engine`.

    config : TrainingConfig
        With the Keras loss, and the batch size that is used.

    optimizer, learning_rate
        What `make_optimizer` gave.

    n_rows, n_validation : int
        Number of training and validation rows.
    """
    batch_size, loss = config.batch_size, config.loss
    steps = chunk_steps(n_rows, batch_size, model.inputs[0].shape[1:])
    has_short_batch = bool(n_rows % batch_size or n_validation % batch_size)
    padded = not has_short_batch or is_row_wise(model, loss)
    scales_steps = config.step_scales is not None
    key = (
        program_key(model, loss, optimizer, learning_rate),
        (steps, batch_size, scales_steps, padded),
    )

    def build():
        with isolated_random_state(0):
            return Program(
                model,
                loss,
                optimizer,
                batch_size=batch_size,
                padded=padded,
                scales_steps=scales_steps,
            )

    with programs.borrow(key, build) as program:
        program.initialize(model, learning_rate, config.step_scales)
        yield JaxEngine(program, model, config, steps, n_rows, learning_rate is None)
