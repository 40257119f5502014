"""Which rows an epoch visits, and how they get into the buffer that programs read."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .._keras import granted_threads, load

# A row counts double, threefold, ... in an epoch up to this often; beyond, its loss
# is weighted, so that an epoch never grows without bound.
MAX_VISITS = 10

# Gathering less than this takes no longer than starting threads does.
PARALLEL_BYTES = 2**22


@dataclass(frozen=True)
class Rows:
    """Rows of `X` to visit once an epoch.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features), float32

    index : ndarray of int
        Row of `X` of each visit.

    weight : ndarray of shape (len(index),), float32
        Weight of each visit's loss.
    """

    X: object
    index: np.ndarray
    weight: np.ndarray

    @classmethod
    def all(cls, X):
        """Every row once."""
        return cls(X, np.arange(X.shape[0]), np.ones(X.shape[0], np.float32))

    @classmethod
    def weighted(cls, X, order, sample_weight):
        """Each row as often as its weight says.

        A whole weight w is w visits, exactly as if the row stood in X w times, and 0
        is no visit. What is left of a fraction, and of weights above `MAX_VISITS`,
        weights the loss of the visits.
        """
        sample_weight = sample_weight[order]
        visits = np.clip(np.floor(sample_weight), 1, MAX_VISITS).astype(np.intp)
        visits[sample_weight == 0] = 0
        each = sample_weight / np.maximum(visits, 1)
        return cls(
            X, np.repeat(order, visits), np.repeat(each, visits).astype(np.float32)
        )

    def __len__(self):
        return len(self.index)

    def take(self, positions):
        """The rows at these positions, as another `Rows`."""
        return Rows(self.X, self.index[positions], self.weight[positions])

    def copy_to(self, out):
        """Write the rows into the first ``len(self)`` rows of `out`."""
        target = out[: len(self)]
        if not isinstance(self.X, np.ndarray):
            self.X[self.index].toarray(out=target)
        else:
            _take(self.X, self.index, target)


class Chunk:
    """A float32 buffer of whole batches, seen by TensorFlow without a copy.

    Parameters
    ----------
    steps, batch_size : int
        Batches it holds and rows of each.

    row_shape : tuple of int
        Shape of one row.
    """

    def __init__(self, steps, batch_size, row_shape):
        self._rows = _aligned_empty((steps * batch_size, *row_shape))
        self._weights = _aligned_empty((steps * batch_size,))
        self.batch_size = batch_size
        self.inputs, self.weights = (
            _shared_tensor(a.reshape(steps, batch_size, *a.shape[1:]))
            for a in (self._rows, self._weights)
        )

    def fill(self, rows):
        """Load `rows` batch by batch; the last one may be short.

        A visit's weight is divided by the length of its batch, as Keras's mean over
        a batch does. A short batch is filled up with its own rows over again, which
        then weigh nothing.

        Returns
        -------
        n_steps : int
        """
        n, size = len(rows), self.batch_size
        n_steps = -(-n // size)
        rows.copy_to(self._rows)
        np.divide(rows.weight, size, out=self._weights[:n])
        last = (n_steps - 1) * size
        self._weights[last:n] *= size / (n - last)
        self._weights[n : n_steps * size] = 0
        self._rows[n : n_steps * size] = np.resize(
            self._rows[last:n], (n_steps * size - n, *self._rows.shape[1:])
        )
        return n_steps

    @property
    def n_rows(self):
        return len(self._rows)


def _take(X, index, out):
    """Gather rows, on several threads where that is worth starting them."""
    n_threads = granted_threads() if out.nbytes > PARALLEL_BYTES else 1
    if n_threads == 1:
        np.take(X, index, axis=0, out=out, mode="clip")
        return
    cuts = np.linspace(0, len(index), n_threads + 1).astype(int)
    with ThreadPoolExecutor(n_threads) as pool:
        jobs = [
            pool.submit(np.take, X, index[i:j], axis=0, out=out[i:j], mode="clip")
            for i, j in pairwise(cuts)
        ]
    for job in jobs:
        job.result()


def _aligned_empty(shape):
    """An uninitialised float32 array on a 64-byte boundary, as TensorFlow wants it."""
    n_bytes = 4 * int(np.prod(shape))
    raw = np.empty(n_bytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n_bytes].view(np.float32).reshape(shape)


def _shared_tensor(array):
    tf, _ = load()
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
