"""The NumPy engine: chains of dense layers, trained without Keras.

Importing Keras and compiling a program take seconds, which is longer than most small
fits take here, and a step of a small network is faster. The formulas are
Keras's; the tests compare the engines.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._backend.choice import keras_backend
from ..._backend.strategy import current_strategy
from ..._fitted.network import FittedNetwork
from ..._utils.random import RandomStreams
from ..._utils.threads import one_blas_thread
from ..config import TrainingConfig
from ..losses import losses_by_name
from ..portions import (
    has_separate_targets,
    limit_batch_size,
    portion_batches,
    training_portions,
    validation_portions,
)
from ..rows import Rows, StreamedRows
from .layers import dense_layers
from .losses import find_loss
from .optimizers import get_numpy_optimizer
from .trainer import DenseTrainer

# Number of multiplications of a step below which NumPy is faster. On 2 cores a compiled
# step saves 11 ps for each multiplication above it.
_BREAK_EVEN_STEP = 2e7

# Number of multiplications above the break-even in a whole fit (0.2 s) from which on
# Keras is used by default, although it takes seconds to start in a new process.
_MAX_GAIN = 1.5e10

# Minimum number of rows of a validation batch; larger batches are faster.
_MIN_VALIDATION_BATCH = 256


def trains_in_numpy(
    networks: Sequence[FittedNetwork],
    config: TrainingConfig,
    n_rows: int,
    max_gain: float = _MAX_GAIN,
) -> bool:
    """Whether NumPy can train a chain of networks, and is not slower than Keras.

    Parameters
    ----------
    networks : sequence of FittedNetwork
    config : TrainingConfig
    n_rows : int
        Number of rows.

    max_gain : float, default=1.5e10
        Number of multiplications above the break-even in a whole fit from which on
        Keras is used.
    """
    parts = _trainer_parts(networks, config)
    if parts is None or config.loss_weights or current_strategy() is not None:
        return False
    layers, loss, _ = parts
    if loss.activation not in (None, layers[-1].activation):
        return False
    batch_size = min(config.batch_size, n_rows)
    step = 3 * batch_size * sum(layer.n_in * layer.n_out for layer in layers)
    gain = config.epochs * n_rows / batch_size * (step - _BREAK_EVEN_STEP)
    # PyTorch compiles no step: `Model.fit` calls it operation by operation.
    return keras_backend() == "torch" or gain <= max_gain


def make_numpy_engine(
    networks: Sequence[FittedNetwork], config: TrainingConfig, n_rows: int
) -> "NumpyEngine":
    """Return an engine that trains a chain of networks from their weights.

    Parameters
    ----------
    networks : sequence of FittedNetwork
        For which `trains_in_numpy` is true.

    config : TrainingConfig
    n_rows : int
        Number of rows in an epoch.
    """
    parts = _trainer_parts(networks, config)
    if parts is None:
        raise ValueError("NumPy cannot train these networks with this configuration.")
    trainer = DenseTrainer(*parts)
    trainer.load([array for network in networks for array in network.weights])
    if config.step_scales is not None:
        trainer.scale_steps(config.step_scales)
    return NumpyEngine(trainer, config, n_rows)


def _trainer_parts(networks, config):
    """Return layers, loss and optimizer in NumPy; None if one of them needs Keras."""
    layers = dense_layers([network.dense_spec for network in networks])
    optimizer = get_numpy_optimizer(config.optimizer, config.learning_rate)
    loss = find_loss(config.loss)
    if layers is None or optimizer is None or loss is None:
        return None
    return layers, loss, optimizer


class NumpyEngine:
    """Trains a chain of dense layers without a framework.

    Used as a context manager, it holds BLAS to one thread between epochs too, which is
    faster than to do so in each.

    Parameters
    ----------
    trainer : DenseTrainer
    config : TrainingConfig
    n_rows : int
        Number of training rows.
    """

    keras_optimizer: Any = None

    def __init__(self, trainer: DenseTrainer, config: TrainingConfig, n_rows: int):
        self._trainer, self._augmentation = trainer, config.augmentation
        self._batch_size = limit_batch_size(config.batch_size, n_rows)
        self._n_rows = n_rows
        self._buffers: dict[bool, tuple[np.ndarray, np.ndarray]] = {}

    def __enter__(self) -> "NumpyEngine":
        one_blas_thread.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        one_blas_thread.__exit__()

    @property
    def learning_rate(self) -> float:
        """The learning rate."""
        return self._trainer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        self._trainer.learning_rate = learning_rate

    @property
    def iterations(self) -> int:
        """Number of steps taken."""
        return self._trainer.iterations

    @iterations.setter
    def iterations(self, iterations: int) -> None:
        self._trainer.iterations = iterations

    def train_epoch(
        self, rows: Rows | StreamedRows, streams: RandomStreams, epoch: int
    ) -> dict[str, float]:
        """See `Engine`."""
        size = self._portion_size(rows)
        portions = training_portions(rows, size, self._augmentation, streams, epoch)
        return self._mean_losses(self._trainer.train, rows, portions, self._batch_size)

    def evaluate(
        self, rows: Rows | StreamedRows, streams: RandomStreams
    ) -> dict[str, float]:
        """See `Engine`."""
        size = self._portion_size(rows)
        portions = validation_portions(rows, size, self._augmentation, streams)
        batch_size = max(self._batch_size, _MIN_VALIDATION_BATCH)
        return self._mean_losses(self._trainer.validate, rows, portions, batch_size)

    def _portion_size(self, rows):
        n_features = rows.X.shape[1]
        n = portion_batches(self._n_rows, self._batch_size, n_features)
        return n * self._batch_size

    def _mean_losses(self, run, rows, portions, batch_size):
        """Return the mean losses over all rows, and call `run` on each portion."""
        sums = np.zeros(3)
        all_inputs, all_targets = self._buffers_for(rows)
        # A bit of the result may depend on how BLAS splits a product among threads.
        with one_blas_thread, np.errstate(all="ignore"):
            for portion in portions:
                n = len(portion)
                inputs, targets = all_inputs[:n], all_targets[:n]
                portion.read_into(inputs, targets)
                weights = None if (portion.weight == 1).all() else portion.weight
                sums += run(inputs, targets, weights, batch_size)
        values = [part / len(rows) for part in (sums.sum().item(), *sums.tolist())]
        return losses_by_name(values, self._trainer.regularizes)

    def _buffers_for(self, rows):
        """Return the buffers of inputs and targets, allocated once."""
        is_separate = has_separate_targets(rows, self._augmentation)
        if is_separate not in self._buffers:
            n = self._portion_size(rows)
            inputs = targets = np.empty((n, rows.target_width), np.float32)
            if is_separate:
                inputs = np.empty((n, rows.X.shape[1]), np.float32)
            self._buffers[is_separate] = inputs, targets
        return self._buffers[is_separate]

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the kernels and biases, in Keras's order."""
        return self._trainer.arrays()

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Continue from these weights."""
        self._trainer.load(weights)

    def snapshot(self) -> np.ndarray:
        """Return a copy of the weights for `restore`."""
        return self._trainer.weights.copy()

    def restore(self, snapshot: np.ndarray) -> None:
        """Set the weights that `snapshot` gave."""
        self._trainer.weights[:] = snapshot

    def get_state(self) -> dict[str, Any]:
        """Return a copy of the weights, the optimizer and the number of steps."""
        return {
            "weights": self._trainer.weights.copy(),
            "optimizer": self._trainer.optimizer.get_state(),
            "iterations": self._trainer.iterations,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from what `get_state` gave."""
        self._trainer.weights[:] = state["weights"]
        self._trainer.optimizer.set_state(state["optimizer"])
        self._trainer.iterations = state["iterations"]

    def finalize(self) -> None:
        """Do nothing: there is no optimizer that averages weights."""
