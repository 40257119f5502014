"""Which rows an epoch visits, and how they get into the buffer that programs read."""

from dataclasses import dataclass, replace

import numpy as np

from .._backend.keras import load
from .._utils.threads import granted_threads, run_in_threads

# A row counts double, threefold, ... in an epoch up to this often; beyond, its loss
# is weighted, so that an epoch never grows without bound.
MAX_VISITS = 10

# What a block of streamed rows holds: enough to be read from a disk in one go.
BLOCK_BYTES = 2**15

# What is gathered at once where batches are then trained on one by one.
PART_BYTES = 2**21

# Gathering less than this takes no longer than starting threads does.
PARALLEL_BYTES = 2**22


def part_size(batch_size, n_features):
    """Rows to gather at once: whole batches that stay in the processor's cache."""
    return batch_size * max(1, PART_BYTES // (4 * n_features * batch_size))


def draw_seed(rng):
    """A seed for another generator, or for Keras."""
    return int(rng.integers(2**32))


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

    targets : {ndarray, CSR matrix} of the shape of `X` or None, default=None
        What the rows of `X` are to become, row by row; None for themselves.

    mixed : bool, default=False
        Visit a point between each row and another, not the row itself; without
        other `targets`. H. Zhang et al., "mixup: Beyond Empirical Risk
        Minimization", ICLR (2018).

    shift, target_shift : ndarray of shape (n_features,) or None, default=None
        Subtracted from the rows of `X` and of `targets`, before they are cut to float32
        where they are dense.
    """

    X: object
    index: np.ndarray
    weight: np.ndarray
    targets: object = None
    mixed: bool = False
    shift: np.ndarray | None = None
    target_shift: np.ndarray | None = None

    @classmethod
    def all(cls, X, targets=None, **shifts):
        """Every row once."""
        index, weight = np.arange(X.shape[0]), np.ones(X.shape[0], np.float32)
        return cls(X, index, weight, targets, **shifts)

    @classmethod
    def weighted(cls, X, order, sample_weight, targets=None, **shifts):
        """Each row as often as its weight says.

        A whole weight w is w visits, exactly as if the row stood in X w times, and 0
        is no visit. What is left of a fraction, and of weights above `MAX_VISITS`,
        weights the loss of the visits.
        """
        sample_weight = sample_weight[order]
        visits = np.clip(np.floor(sample_weight), 1, MAX_VISITS).astype(np.intp)
        visits[sample_weight == 0] = 0
        each = sample_weight / np.maximum(visits, 1)
        index, weight = np.repeat(order, visits), np.repeat(each, visits)
        return cls(X, index, weight.astype(np.float32), targets, **shifts)

    def __len__(self):
        return len(self.index)

    def mixing(self):
        """The same, mixed."""
        return replace(self, mixed=True)

    def take(self, positions):
        """The rows at these positions, as another `Rows`."""
        return replace(self, index=self.index[positions], weight=self.weight[positions])

    def parts(self, n, shuffle=None):
        """All visits, `n` at a time, in an order from a generator or as they are."""
        rows = self
        if shuffle is not None:
            rows = self.take(shuffle.permutation(len(self)))
        return (rows.take(slice(i, i + n)) for i in range(0, len(self), n))

    def copy_to(self, inputs, targets, corrupt=None, rng=None):
        """Write the rows, and what they are to become, into two buffers.

        Parameters
        ----------
        inputs, targets : ndarray of shape (len(self), n_features), float32
            The same array where the rows are to become themselves.

        corrupt : callable or None, default=None
            ``(X, rng, out)``, writes what it makes of the targets. There are no other
            targets then.

        rng : numpy.random.Generator or None, default=None
            What `corrupt`, and the mixing of rows, draw from.
        """
        if self.targets is None:
            _gather(self.X, self.index, self.shift, targets)
        else:
            _gather(self.targets, self.index, self.target_shift, targets)
            _gather(self.X, self.index, self.shift, inputs)
        if self.mixed:
            _mix(targets, rng)
        if corrupt is not None:
            corrupt(targets, rng, inputs)

    def arrays(self):
        """The rows as they are, and what they are to become, as new arrays."""
        inputs = targets = np.empty((len(self), self.X.shape[1]), np.float32)
        if self.targets is not None:
            inputs = np.empty_like(targets)
        replace(self, mixed=False).copy_to(inputs, targets)
        return inputs, targets


class StreamedRows:
    """Rows of an `X` that may be larger than memory, visited in whole blocks.

    Nothing here grows with the number of rows but one number for each block.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features), float32
    weight : ndarray of shape (n_samples,) or None
        Weight of each row's loss.

    targets : {ndarray, CSR matrix} of the shape of `X` or None
    starts : ndarray of int or None, default=None
        First row of each block; the last block of `X` may be short, and comes last.
        None takes all.

    mixed : bool, default=False
    shift, target_shift : ndarray of shape (n_features,) or None, default=None
        See `Rows`.
    """

    def __init__(
        self,
        X,
        weight,
        targets,
        starts=None,
        mixed=False,
        shift=None,
        target_shift=None,
    ):
        self.X, self.targets, self._weight = X, targets, weight
        self._mixed, self._shifts = mixed, (shift, target_shift)
        self._size = max(1, BLOCK_BYTES // (4 * X.shape[1]))
        if starts is None:
            starts = np.arange(0, X.shape[0], self._size)
        self._starts = starts
        short = max(0, starts[-1] + self._size - X.shape[0])
        self._len = len(starts) * self._size - short

    def __len__(self):
        return self._len

    @property
    def n_blocks(self):
        return len(self._starts)

    def split(self, n_validation, rng):
        """The rows to train on, and those of `n_validation` blocks drawn at random."""
        chosen = np.zeros(self.n_blocks, bool)
        chosen[rng.permutation(len(chosen))[:n_validation]] = True
        return self._with(self._starts[~chosen]), self._with(self._starts[chosen])

    def _with(self, starts, mixed=False):
        return StreamedRows(
            self.X, self._weight, self.targets, starts, mixed, *self._shifts
        )

    def take(self, positions):
        """The rows at these positions."""
        block, row = np.divmod(positions, self._size)
        index = self._starts[block] + row
        weight = np.ones(len(index), np.float32)
        if self._weight is not None:
            # A row that weighs nothing is no filling: it counts where rows are counted.
            weight = np.maximum(self._weight[index], 1e-30).astype(np.float32)
        return Rows(self.X, index, weight, self.targets, self._mixed, *self._shifts)

    def mixing(self):
        """The same, mixed."""
        return self._with(self._starts, mixed=True)

    def parts(self, n, shuffle=None):
        """All rows, `n` at a time, as they lie or shuffled.

        Shuffled, a part is drawn from blocks at random, and its rows are shuffled.
        """
        blocks = np.arange(len(self._starts))
        if shuffle is not None:
            shuffle.shuffle(blocks)
        pool = [np.empty(0, np.intp)]
        size = 0
        for block in blocks:
            start = block * self._size
            pool.append(np.arange(start, min(start + self._size, len(self))))
            size += len(pool[-1])
            if size < n and block != blocks[-1]:
                continue
            positions = np.concatenate(pool)
            if shuffle is not None:
                shuffle.shuffle(positions)
            whole = size if block == blocks[-1] else size - size % n
            yield from (self.take(positions[i : i + n]) for i in range(0, whole, n))
            pool, size = [positions[whole:]], size - whole


class Chunk:
    """Float32 buffers of whole batches, seen by TensorFlow without a copy.

    Parameters
    ----------
    steps, batch_size : int
        Batches it holds and rows of each.

    row_shape : tuple of int
        Shape of one row.

    own_targets : bool, default=False
        Whether targets are other numbers than the inputs.

    noise_shape : tuple of int or None, default=None
        Shape of the normal numbers drawn for each row, where the model takes some.

    Attributes
    ----------
    tensors : tuple of (inputs, targets, weights)
        `inputs` is a tuple: the rows, and the noise where there is some.
    """

    def __init__(
        self, steps, batch_size, row_shape, *, own_targets=False, noise_shape=None
    ):
        n = steps * batch_size
        self.batch_size = batch_size
        self._inputs = self._targets = _aligned_empty((n, *row_shape))
        if own_targets:
            self._targets = _aligned_empty((n, *row_shape))
        self._noise = None if noise_shape is None else _aligned_empty((n, *noise_shape))
        self._weights = _aligned_empty((n,))

        def tensor(array):
            return _shared_tensor(array.reshape(steps, batch_size, *array.shape[1:]))

        inputs = [a for a in (self._inputs, self._noise) if a is not None]
        self.tensors = (
            tuple(map(tensor, inputs)),
            tensor(self._targets),
            tensor(self._weights),
        )

    def fill(self, rows, corrupt, rng):
        """Load `rows` batch by batch; the last one may be short.

        A visit's weight is divided by the length of its batch, as Keras's mean over
        a batch does. A short batch is filled up with its own rows over again, which
        then weigh nothing.
        """
        n, size = len(rows), self.batch_size
        n_steps = -(-n // size)
        end, last = n_steps * size, (n_steps - 1) * size
        rows.copy_to(self._inputs[:n], self._targets[:n], corrupt, rng)
        for buffer in (self._inputs, self._targets):
            buffer[n:end] = np.resize(buffer[last:n], (end - n, *buffer.shape[1:]))
        if self._noise is not None:
            rng.standard_normal(dtype=np.float32, out=self._noise[:n])
            self._noise[n:end] = 0
        np.divide(rows.weight, size, out=self._weights[:n])
        self._weights[last:n] *= size / (n - last)
        self._weights[n:end] = 0

    @property
    def n_rows(self):
        return len(self._weights)


def _gather(X, index, shift, out):
    """Copy rows, less a shift, on several threads where that is worth starting them."""
    if not isinstance(X, np.ndarray):
        if shift is None or X.dtype == out.dtype:
            X[index].astype(np.float32, copy=False).toarray(out=out)
            if shift is not None:
                out -= shift
        else:
            np.subtract(X[index].toarray(), shift, out=out, casting="same_kind")
        return
    n_threads = granted_threads() if out.nbytes > PARALLEL_BYTES else 1
    cuts = np.linspace(0, len(index), n_threads + 1).astype(int)
    take = _take if X.dtype == out.dtype else _take_and_cast
    run_in_threads(
        lambda i, j: take(X, index[i:j], shift, out[i:j]), cuts[:-1], cuts[1:]
    )


def _take(X, index, shift, out):
    np.take(X, index, axis=0, out=out, mode="clip")
    if shift is not None:
        out -= shift


def _take_and_cast(X, index, shift, out):
    rows = X[index]
    if shift is not None:
        rows -= shift
    out[:] = rows


def _mix(X, rng):
    """Move each row to a point between it and another one, at random."""
    others = X[rng.permutation(len(X))]
    others -= X
    others *= rng.random((len(X), 1), np.float32)
    X += others


def _aligned_empty(shape):
    """An uninitialised float32 array on a 64-byte boundary, as TensorFlow wants it."""
    n_bytes = 4 * int(np.prod(shape))
    raw = np.empty(n_bytes + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n_bytes].view(np.float32).reshape(shape)


def _shared_tensor(array):
    tf, _ = load()
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
