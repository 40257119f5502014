"""What the engines of compiled programs have in common: one call trains on a chunk."""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

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
from .cache import program_key, programs
from .chunk import Chunk
from .hyperparameters import get_hyperparameters
from .program_choice import chunk_steps


class Program(Protocol):
    """The training and validation loops of one model, loss and optimizer, compiled.

    The trained weights are held by the program, not by the model that is trained: each
    fit sets its initial weights, and reads the trained ones.

    Attributes
    ----------
    learning_rate : float
        Not to be used if the optimizer follows a schedule.

    iterations : int
        Number of steps taken.

    has_regularization : list of two bool
        Whether there is regularization of kernels and of activities.
    """

    learning_rate: float
    iterations: int
    has_regularization: list[bool]

    @staticmethod
    def settings(
        model: Any, config: TrainingConfig, n_rows: int, n_validation: int
    ) -> dict[str, bool]:
        """Choose parameters for a fit, on which the compiled program depends.

        Parameters
        ----------
        model : keras.Model
        config : TrainingConfig
            With the Keras loss, and the batch size that is used.

        n_rows, n_validation : int
            Number of training and validation rows.
        """

    def initialize(
        self,
        model: Any,
        learning_rate: float | None,
        step_scales: Sequence[float] | None,
    ) -> None:
        """Start from the weights of a model of this structure.

        Parameters
        ----------
        model : keras.Model
        learning_rate : float or None
            None keeps the schedule.

        step_scales : sequence of float or None
            See `TrainingConfig`.
        """

    def train(
        self,
        chunk: Chunk,
        n_rows: int,
        loss_weights: Sequence[float],
        hyperparameters: np.ndarray,
    ) -> np.ndarray:
        """Take a step on each batch.

        Parameters
        ----------
        chunk : Chunk
        n_rows : int
            Rows in the chunk, padding not counted.

        loss_weights : sequence of float
            Weight in the loss of each auxiliary output.

        hyperparameters : ndarray
            What `get_hyperparameters` gave for the model that is trained.

        Returns
        -------
        ndarray of shape (4 + n_auxiliary,)
            The loss, that of the reconstruction alone, the regularization of kernels
            and of activities, and the auxiliary outputs, summed over rows.
        """

    def validate(
        self,
        chunk: Chunk,
        n_rows: int,
        loss_weights: Sequence[float],
        hyperparameters: np.ndarray,
    ) -> np.ndarray:
        """Return the same sums without training."""

    def share(self, array: np.ndarray) -> Any:
        """Return a tensor that shares the memory of an array; see `Chunk`."""

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights, in the order of Keras's ``get_weights``."""

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Set the weights, in the order of Keras's ``get_weights``."""

    def snapshot(self) -> list[np.ndarray]:
        """Return a copy of all variables but the optimizer's."""

    def restore(self, snapshot: Sequence[np.ndarray]) -> None:
        """Set what `snapshot` gave."""

    def get_optimizer_state(self) -> list[np.ndarray]:
        """Return copies of the optimizer's variables."""

    def set_optimizer_state(self, state: Sequence[np.ndarray]) -> None:
        """Set what `get_optimizer_state` gave."""

    def finalize(self) -> None:
        """Let the optimizer set the averaged weights, if it averages weights."""


class CompiledEngine:
    """Trains with one call of a compiled program for each chunk of batches.

    Parameters
    ----------
    program : Program
        With the initial weights.

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
            self._rate = self._program.learning_rate
        return self._rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        self._program.learning_rate = learning_rate
        self._rate = None

    @property
    def iterations(self) -> int:
        """Number of steps taken, as the optimizer counts them."""
        return self._program.iterations

    @iterations.setter
    def iterations(self, iterations: int) -> None:
        self._program.iterations = iterations

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
                    self._program.share,
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
            "optimizer": self._program.get_optimizer_state(),
        }

    def set_state(self, state: dict[str, list[np.ndarray]]) -> None:
        """Continue from what `get_state` gave."""
        self._program.restore(state["weights"])
        self._program.set_optimizer_state(state["optimizer"])
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


@contextlib.contextmanager
def open_compiled_engine(
    program_class: type[Program],
    model: Any,
    config: TrainingConfig,
    optimizer: Any,
    learning_rate: float | None,
    n_rows: int,
    n_validation: int,
) -> Iterator[CompiledEngine]:
    """Open an engine around a program from the cache.

    Parameters
    ----------
    program_class : type of Program
        That of a backend.

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
    settings = {
        "steps": chunk_steps(n_rows, batch_size, model.inputs[0].shape[1:]),
        "batch_size": batch_size,
        "scales_steps": config.step_scales is not None,
        **program_class.settings(model, config, n_rows, n_validation),
    }
    key = program_key(model, loss, optimizer, learning_rate), tuple(settings.items())

    def build():
        with isolated_random_state(0):
            return program_class(model, loss, optimizer, **settings)

    with programs.borrow(key, build) as program:
        program.initialize(model, learning_rate, config.step_scales)
        yield CompiledEngine(
            program, model, config, settings["steps"], n_rows, learning_rate is None
        )
