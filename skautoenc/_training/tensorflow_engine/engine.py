"""The TensorFlow engine: one compiled call trains on a whole chunk of batches."""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..._backend.keras import isolated_random_state
from ..._utils.random import RandomStreams
from ..._utils.threads import n_available_threads
from ..config import TrainingConfig
from ..losses import losses_by_name, target_shape
from ..portions import (
    Portion,
    has_separate_targets,
    n_batches,
    portion_batches,
    training_portions,
    validation_portions,
)
from ..rows import Rows, StreamedRows
from .cache import ProgramCache, fingerprint, model_fingerprint
from .chunk import Chunk
from .hyperparameters import get_hyperparameters
from .program import Program
from .program_choice import chunk_steps, is_row_wise, should_use_xla

programs = ProgramCache(max_size=16)


@contextlib.contextmanager
def open_tensorflow_engine(
    model: Any,
    config: TrainingConfig,
    optimizer: Any,
    learning_rate: float | None,
    n_rows: int,
    n_validation: int,
) -> Iterator["TensorFlowEngine"]:
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
    n_steps = config.epochs * n_batches(n_rows, batch_size)
    steps = chunk_steps(n_rows, batch_size, model.inputs[0].shape[1:])
    row_wise = is_row_wise(model, loss)
    has_short_batch = bool(n_rows % batch_size or n_validation % batch_size)
    xla = should_use_xla(model, n_steps, batch_size) and (
        row_wise or not has_short_batch
    )
    optimizer_config = optimizer.get_config()
    if learning_rate is not None:  # a variable of the program
        optimizer_config = {**optimizer_config, "learning_rate": None}
    key = (
        model_fingerprint(model),
        fingerprint(loss),
        (type(optimizer), repr(optimizer_config), config.step_scales is not None),
        (steps, batch_size, xla),
    )

    def build():
        with isolated_random_state(0):
            return Program(
                model,
                loss,
                optimizer,
                steps=steps,
                batch_size=batch_size,
                xla=xla,
                padded=xla or row_wise,
                scales_steps=config.step_scales is not None,
            )

    with programs.borrow(key, build) as program:
        program.initialize(model, learning_rate, config.step_scales)
        yield TensorFlowEngine(
            program, model, config, steps, n_rows, learning_rate is None
        )


class TensorFlowEngine:
    """Trains with one call of a compiled program for each chunk of batches.

    Parameters
    ----------
    program : Program
        Initialized.

    model : keras.Model
        Whose hyperparameters are used.

    config : TrainingConfig
    steps : int
        Number of batches in a chunk.

    n_rows : int
        Number of training rows.

    is_scheduled : bool
        Whether the optimizer follows a learning rate schedule.
    """

    keras_optimizer: Any = None

    def __init__(
        self,
        program: Program,
        model: Any,
        config: TrainingConfig,
        steps: int,
        n_rows: int,
        is_scheduled: bool,
    ):
        self._program, self._config = program, config
        self._steps, self._is_scheduled = steps, is_scheduled
        self._loss_weights = list(config.loss_weights.values())
        self._hyperparameters = get_hyperparameters(model)
        row_shape, *noise_shape = (tuple(a.shape[1:]) for a in model.inputs)
        self._row_shape = row_shape
        self._target_shape = target_shape(model, config.loss)
        self._noise_shape = noise_shape[0] if noise_shape else None
        self._n_per_portion = min(
            steps, portion_batches(n_rows, config.batch_size, int(np.prod(row_shape)))
        )
        has_several = n_batches(n_rows, config.batch_size) > steps
        self._n_chunks = 2 if has_several and n_available_threads() > 1 else 1
        self._chunks: dict[bool, list[Chunk]] = {}
        self._rate: float | None = None  # reading the variable is slow

    @property
    def learning_rate(self) -> float | None:
        """The learning rate, None where it follows a schedule."""
        if self._is_scheduled:
            return None
        if self._rate is None:
            self._rate = np.asarray(self._program.optimizer.learning_rate).item()
        return self._rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        self._program.optimizer.learning_rate = learning_rate
        self._rate = None

    @property
    def iterations(self) -> int:
        """Number of steps taken, as the optimizer counts them."""
        return self._program.optimizer.iterations.numpy().item()

    @iterations.setter
    def iterations(self, iterations: int) -> None:
        self._program.optimizer.iterations.assign(iterations)

    def train_epoch(
        self, rows: Rows | StreamedRows, streams: RandomStreams, epoch: int
    ) -> dict[str, float]:
        """See `Engine`."""
        portions = training_portions(
            rows, self._portion_size, self._config.augmentation, streams, epoch
        )
        return self._mean_losses(self._program.train, rows, portions)

    def evaluate(
        self, rows: Rows | StreamedRows, streams: RandomStreams
    ) -> dict[str, float]:
        """See `Engine`."""
        portions = validation_portions(
            rows, self._portion_size, self._config.augmentation, streams
        )
        return self._mean_losses(self._program.validate, rows, portions)

    @property
    def _portion_size(self):
        return self._n_per_portion * self._config.batch_size

    def _mean_losses(self, call, rows, portions):
        """Return the mean losses over all rows, and call the program on each chunk."""
        augmentation = self._config.augmentation
        parallel = (
            augmentation is None
            or augmentation.corruption is None
            or augmentation.thread_safe
        )

        def fill(portions, chunk):
            return chunk, chunk.fill(portions, parallel=parallel)

        chunks = self._chunks_for(has_separate_targets(rows, augmentation))
        groups = _grouped(portions, self._steps // self._n_per_portion)
        sums = sum(
            call(chunk, n_rows, self._loss_weights, self._hyperparameters)
            for chunk, n_rows in _prefetched(fill, groups, chunks)
        )
        return losses_by_name(
            sums / len(rows),
            self._program.has_regularization,
            self._config.loss_weights,
        )

    def _chunks_for(self, separate_targets):
        """Return the buffers, allocated once."""
        if separate_targets not in self._chunks:
            self._chunks[separate_targets] = [
                Chunk(
                    self._steps,
                    self._config.batch_size,
                    self._row_shape,
                    target_shape=self._target_shape if separate_targets else None,
                    noise_shape=self._noise_shape,
                )
                for _ in range(self._n_chunks)
            ]
        return self._chunks[separate_targets]

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights, in the order of Keras's ``get_weights``."""
        return self._program.get_weights()

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Continue from these weights."""
        self._program.set_weights(weights)

    def snapshot(self) -> list[np.ndarray]:
        """Return a copy of the weights for `restore`."""
        return self._program.snapshot()

    def restore(self, snapshot: Sequence[np.ndarray]) -> None:
        """Set the weights that `snapshot` gave."""
        self._program.restore(snapshot)

    def get_state(self) -> dict[str, list[np.ndarray]]:
        """Return copies of the variables of the program and of the optimizer."""
        return {
            "weights": self._program.snapshot(),
            "optimizer": [v.numpy() for v in self._program.optimizer.variables],
        }

    def set_state(self, state: dict[str, list[np.ndarray]]) -> None:
        """Continue from what `get_state` gave."""
        self._program.restore(state["weights"])
        variables = self._program.optimizer.variables
        for variable, value in zip(variables, state["optimizer"], strict=True):
            variable.assign(value)
        self._rate = None

    def finalize(self) -> None:
        """Set the averaged weights, if the optimizer averages weights."""
        self._program.finalize()


def _grouped(portions, n):
    """Yield lists of n portions; the last one may be short."""
    portions = iter(portions)
    while group := list(itertools.islice(portions, n)):
        yield group


def _prefetched(
    fill: Callable[[list[Portion], Chunk], tuple[Chunk, int]],
    groups: Iterable[list[Portion]],
    chunks: Sequence[Chunk],
) -> Iterator[tuple[Chunk, int]]:
    """Fill the chunks by turns, one in a thread while the one before is in use."""
    if len(chunks) == 1:
        yield from (fill(group, chunks[0]) for group in groups)
        return
    with ThreadPoolExecutor(1) as pool:
        following = None
        for group, chunk in zip(groups, itertools.cycle(chunks), strict=False):
            ready, following = following, pool.submit(fill, group, chunk)
            if ready is not None:
                yield ready.result()
        if following is not None:
            yield following.result()
