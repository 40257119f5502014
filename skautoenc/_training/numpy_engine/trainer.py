"""Training of a chain of dense layers: steps on the batches of some rows."""

import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..interrupts import raise_if_interrupted
from .layers import DenseLayer
from .losses import Loss
from .optimizers import Optimizer
from .passes import Passes
from .penalties import penalty, penalty_gradient

# Losses are computed for several batches at once, whose outputs have so many values
# together: a call of NumPy for each small batch would take longer than the computation.
_MAX_VALUES = 2**16


class DenseTrainer:
    """A chain of dense layers that is trained.

    Parameters
    ----------
    layers : list of DenseLayer
    loss : Loss
    optimizer : callable
        ``(n_weights) -> Optimizer``.

    Attributes
    ----------
    weights : ndarray of shape (n_weights,), float32
        Of all layers.

    optimizer : Optimizer
    iterations : int
        Number of steps so far.

    regularizes : list of two bool
        Whether there are penalties on kernels, and on activities.
    """

    def __init__(
        self,
        layers: list[DenseLayer],
        loss: Loss,
        optimizer: Callable[[int], Optimizer],
    ):
        self._layers, self._loss, self._n_out = layers, loss, layers[-1].n_out
        n = sum(layer.size for layer in layers)
        self.weights = np.empty(n, np.float32)
        self.optimizer = optimizer(n)
        start = 0
        for layer in layers:
            own = slice(start, start + layer.size)
            layer.bind(self.weights[own], self.optimizer.gradient[own])
            start = own.stop
        self.iterations = 0
        self._regularized = [layer for layer in layers if layer.kernel_regularizer]
        self.regularizes = [
            bool(self._regularized),
            any(layer.activity_regularizer for layer in layers),
        ]
        self._passes_of = functools.cache(functools.partial(Passes, layers, loss))
        self._kept = np.empty((2, 0, self._n_out), np.float32)

    def load(self, arrays: Sequence[np.ndarray]) -> None:
        """Set the weights, given in Keras's order."""
        for own, array in zip(self._arrays(), arrays, strict=True):
            own[:] = array

    def scale_steps(self, scales: Sequence[float]) -> None:
        """Multiply the learning rates of the weights, given in Keras's order."""
        weights = self.weights.copy()
        for own, scale in zip(self._arrays(), scales, strict=True):
            own[:] = scale
        self.optimizer.step_scales = self.weights.copy()
        self.weights[:] = weights

    def arrays(self) -> list[np.ndarray]:
        """Return copies of the weights, in Keras's order."""
        return [array.copy() for array in self._arrays()]

    def _arrays(self):
        return [array for layer in self._layers for array in layer.arrays()]

    @property
    def learning_rate(self) -> float:
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        self.optimizer.learning_rate = learning_rate

    def train(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray | None,
        batch_size: int,
    ) -> np.ndarray:
        """Take a step on each batch.

        Parameters
        ----------
        inputs : ndarray of shape (n, n_in), float32
        targets : ndarray of shape (n, n_out), float32
            Or, with a `WeightedSquaredError`, of shape (n, 2 * n_out).

        weights : ndarray of shape (n,), float32, or None
            Of the rows; None if all are 1.

        batch_size : int
            The last batch may be short.

        Returns
        -------
        ndarray of shape (3,)
            Error, penalty on kernels and penalty on activities: the parts of the loss,
            summed over rows.
        """
        return self._run(self._step, inputs, targets, weights, batch_size)

    def validate(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray | None,
        batch_size: int,
    ) -> np.ndarray:
        """Return what `train` returns, without training."""
        return self._run(self._evaluate, inputs, targets, weights, batch_size)

    def _run(self, call, inputs, targets, weights, batch_size):
        """Call a function on each batch, and sum the losses over rows."""
        sums = np.zeros(3)
        n_batches = max(1, _MAX_VALUES // (batch_size * self._n_out))
        for group in _slices(len(inputs), n_batches * batch_size):
            x, y = inputs[group], targets[group]
            w = None if weights is None else weights[group]
            outputs, kept = self._buffers(len(x))
            for batch in _slices(len(x), batch_size):
                raise_if_interrupted()
                own = None if w is None else w[batch]
                sums[1:] += call(x[batch], y[batch], own, outputs[batch], kept[batch])
            losses = self._loss.losses(outputs, y, kept)
            sums[0] += losses.sum(dtype=np.float64) if w is None else losses @ w
        return sums

    def _buffers(self, n):
        """Return arrays for the outputs, and for what the loss computes from them."""
        if self._kept.shape[1] < n:
            self._kept = np.empty((2, n, self._n_out), np.float32)
        return self._kept[:, :n]

    def _step(self, inputs, targets, weights, outputs, kept):
        """Take a step on a batch; return the penalties, summed over rows."""
        self.iterations += 1
        passes = self._passes_of(len(inputs))
        passes.forward(inputs, outputs)
        penalties = self._penalties(passes, len(inputs))
        passes.backward(inputs, targets, weights, outputs, kept)
        for layer in self._regularized:
            layer.gradient[:-1] += penalty_gradient(
                layer.kernel_regularizer, layer.weights[:-1]
            )
        self.optimizer.update(self.weights)
        return penalties

    def _evaluate(self, inputs, targets, weights, outputs, kept):
        """Compute the outputs of a batch; return the penalties, summed over rows."""
        passes = self._passes_of(len(inputs))
        passes.forward(inputs, outputs)
        passes.differentiate_loss(targets, weights, outputs, kept)
        return self._penalties(passes, len(inputs))

    def _penalties(self, passes, n):
        on_kernels = 0.0
        for layer in self._regularized:
            on_kernels += penalty(layer.kernel_regularizer, layer.weights[:-1])
        return n * on_kernels, passes.activity_penalty()


def _slices(n: int, size: int) -> Iterator[slice]:
    """Yield slices of n rows; the last one may be short."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))
