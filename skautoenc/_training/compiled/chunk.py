"""Buffers that NumPy fills and a compiled program reads."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..._utils.threads import map_in_threads
from ..portions import Portion, n_batches


class Chunk:
    """Float32 buffers of whole batches, shared with a framework without a copy.

    Parameters
    ----------
    steps, batch_size : int
        Number of batches, and rows in each.

    row_shape : tuple of int
        Shape of one row.

    share : callable
        Returns the tensor that shares the memory of an array.

    target_shape : tuple of int or None, default=None
        Shape of one target, where the targets are other numbers than the inputs.

    noise_shape : tuple of int or None, default=None
        Shape of the standard normal numbers for each row, if the model takes some.

    Attributes
    ----------
    tensors : tuple of (inputs, targets, weights)
        `inputs` is a tuple: the rows, and the noise if there is some.
    """

    def __init__(
        self,
        steps: int,
        batch_size: int,
        row_shape: tuple[int, ...],
        share: Callable[[np.ndarray], Any],
        *,
        target_shape: tuple[int, ...] | None = None,
        noise_shape: tuple[int, ...] | None = None,
    ):
        n = steps * batch_size
        self._batch_size = batch_size
        self._inputs = self._targets = _aligned_empty((n, *row_shape))
        if target_shape is not None:
            self._targets = _aligned_empty((n, *target_shape))
        self._noise = None if noise_shape is None else _aligned_empty((n, *noise_shape))
        self._weights = _aligned_empty((n,))

        def tensor(array):
            return share(array.reshape(steps, batch_size, *array.shape[1:]))

        inputs = [a for a in (self._inputs, self._noise) if a is not None]
        self.tensors = (
            tuple(map(tensor, inputs)),
            tensor(self._targets),
            tensor(self._weights),
        )

    def fill(self, portions: Sequence[Portion], *, parallel: bool) -> int:
        """Write portions of rows batch by batch; the last batch may be short.

        A row's weight is divided by the length of its batch, as Keras's mean over a
        batch does. A short batch is padded with its rows, repeated, at weight 0.

        Parameters
        ----------
        portions : sequence of Portion
            Of whole batches, but for the last one.

        parallel : bool
            Whether to read them on several threads.

        Returns
        -------
        n_rows : int
            Number of rows, padding not counted.
        """
        stops = np.cumsum([len(portion) for portion in portions])
        starts = stops - [len(portion) for portion in portions]
        if parallel:
            map_in_threads(self._read, portions, starts, stops)
        else:
            for portion, start, stop in zip(portions, starts, stops, strict=True):
                self._read(portion, start, stop)
        n = int(stops[-1])
        self._pad(n)
        return n

    def _read(self, portion, start, stop):
        rows = slice(start, stop)
        noise = None if self._noise is None else self._noise[rows]
        portion.read_into(self._inputs[rows], self._targets[rows], noise)
        np.divide(portion.weight, self._batch_size, out=self._weights[rows])

    def _pad(self, n):
        size = self._batch_size
        n_steps = n_batches(n, size)
        end, last = n_steps * size, (n_steps - 1) * size
        for buffer in (self._inputs, self._targets):
            buffer[n:end] = np.resize(buffer[last:n], (end - n, *buffer.shape[1:]))
        if self._noise is not None:
            self._noise[n:end] = 0
        self._weights[last:n] *= size / (n - last)
        self._weights[n:end] = 0


def _aligned_empty(shape):
    """An uninitialised float32 array on a 64-byte boundary: others would be copied."""
    n_bytes = 4 * int(np.prod(shape))
    raw = np.empty(n_bytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n_bytes].view(np.float32).reshape(shape)
