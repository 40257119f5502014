"""Rows that an epoch visits, in memory or in blocks, and how they are gathered."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._utils.threads import map_in_threads, n_available_threads

# A row of integer weight w is repeated w times in an epoch, up to this often. A larger
# weight scales its loss, so that the length of an epoch is bounded.
_MAX_REPEATS = 10

# Bytes of a block of streamed rows: enough to be read from a disk in one go.
_BLOCK_BYTES = 2**15

# Streamed rows are shuffled among so many bytes of blocks drawn at random.
_POOL_BYTES = 2**25

# Gathering fewer bytes takes no longer than starting threads does.
_PARALLEL_BYTES = 2**22


@dataclass(frozen=True)
class Rows:
    """Rows of `X` to visit once an epoch.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)

    index : ndarray of int
        Row of `X` of each visit.

    weight : ndarray of shape (len(index),), float32
        Weight of each visit's loss.

    targets : {ndarray, CSR matrix} of shape (n_samples, n_targets) or None, \
            default=None
        What the network is trained to give for the rows of `X`, row by row. None for
        the rows themselves.

    shift, target_shift : ndarray of shape (n_features,) or (n_targets,), or None, \
            default=None
        Subtracted from the rows of `X` and of `targets`, before they are converted to
        float32 where they are dense.
    """

    X: Any
    index: np.ndarray
    weight: np.ndarray
    targets: Any = None
    shift: np.ndarray | None = None
    target_shift: np.ndarray | None = None

    @classmethod
    def all(cls, X: Any, targets: Any = None, **shifts: np.ndarray | None) -> "Rows":
        """Return every row once."""
        index, weight = np.arange(X.shape[0]), np.ones(X.shape[0], np.float32)
        return cls(X, index, weight, targets, **shifts)

    @classmethod
    def weighted(
        cls,
        X: Any,
        order: np.ndarray,
        sample_weight: np.ndarray,
        targets: Any = None,
        **shifts: np.ndarray | None,
    ) -> "Rows":
        """Return each row as often as its weight says.

        A row of integer weight w is repeated w times, and a row of weight 0 is left
        out. Any fractional part, and any weight above 10, scales the loss instead.
        """
        sample_weight = sample_weight[order]
        repeats = np.clip(np.floor(sample_weight), 1, _MAX_REPEATS).astype(np.intp)
        repeats[sample_weight == 0] = 0
        each = sample_weight / np.maximum(repeats, 1)
        index, weight = np.repeat(order, repeats), np.repeat(each, repeats)
        return cls(X, index, weight.astype(np.float32), targets, **shifts)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def target_width(self) -> int:
        """Number of values of a target."""
        return (self.X if self.targets is None else self.targets).shape[1]

    def take(self, positions: Any) -> "Rows":
        """Return the rows at these positions."""
        return replace(self, index=self.index[positions], weight=self.weight[positions])

    def parts(
        self, n: int, shuffle: np.random.Generator | None = None
    ) -> Iterator["Rows"]:
        """Yield all rows, `n` at a time, in order or in the order of a generator."""
        rows = self
        if shuffle is not None:
            rows = self.take(shuffle.permutation(len(self)))
        return (rows.take(slice(i, i + n)) for i in range(0, len(self), n))

    def gather_into(self, inputs: np.ndarray, targets: np.ndarray) -> None:
        """Write the rows and their targets into buffers.

        Parameters
        ----------
        inputs : ndarray of shape (len(self), n_features), float32
            Not written to where the rows are their own targets.

        targets : ndarray of shape (len(self), target_width), float32
        """
        if self.targets is None:
            _gather(self.X, self.index, self.shift, targets)
        else:
            _gather(self.targets, self.index, self.target_shift, targets)
            _gather(self.X, self.index, self.shift, inputs)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and their targets as new arrays, or as the same one twice."""
        inputs = targets = np.empty((len(self), self.target_width), np.float32)
        if self.targets is not None:
            inputs = np.empty((len(self), self.X.shape[1]), np.float32)
        self.gather_into(inputs, targets)
        return inputs, targets


class StreamedRows:
    """Rows of an `X` that may be larger than memory, visited in whole blocks.

    One number for each block is all that is held in memory.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features), float32
    weight : ndarray of shape (n_samples,) or None
        Weight of each row's loss.

    targets : {ndarray, CSR matrix} of shape (n_samples, n_targets) or None
    starts : ndarray of int or None, default=None
        First row of each block; the last block of `X` may be short, and comes last.
        None takes all.

    shift, target_shift : ndarray or None, default=None
        See `Rows`.
    """

    def __init__(
        self,
        X: Any,
        weight: np.ndarray | None,
        targets: Any,
        starts: np.ndarray | None = None,
        shift: np.ndarray | None = None,
        target_shift: np.ndarray | None = None,
    ):
        self.X, self.targets, self._weight = X, targets, weight
        self._shifts = shift, target_shift
        self._size = max(1, _BLOCK_BYTES // (4 * X.shape[1]))
        self._pool_size = _POOL_BYTES // (4 * X.shape[1])
        if starts is None:
            starts = np.arange(0, X.shape[0], self._size)
        self._starts = starts
        n_missing = max(0, starts[-1] + self._size - X.shape[0])
        self._len = len(starts) * self._size - n_missing

    def __len__(self) -> int:
        return self._len

    @property
    def target_width(self) -> int:
        """Number of values of a target."""
        return (self.X if self.targets is None else self.targets).shape[1]

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self._starts)

    def split(
        self, n_validation: int, rng: np.random.Generator
    ) -> tuple["StreamedRows", "StreamedRows"]:
        """Return the training rows, and those of `n_validation` random blocks."""
        chosen = np.zeros(self.n_blocks, bool)
        chosen[rng.permutation(len(chosen))[:n_validation]] = True
        return self._with(self._starts[~chosen]), self._with(self._starts[chosen])

    def _with(self, starts):
        return StreamedRows(self.X, self._weight, self.targets, starts, *self._shifts)

    def take(self, positions: np.ndarray) -> Rows:
        """Return the rows at these positions."""
        block, row = np.divmod(positions, self._size)
        index = self._starts[block] + row
        weight = np.ones(len(index), np.float32)
        if self._weight is not None:
            # Rows of weight 0 must not be mistaken for padding: they count towards the
            # batch size.
            weight = np.maximum(self._weight[index], 1e-30).astype(np.float32)
        return Rows(self.X, index, weight, self.targets, *self._shifts)

    def parts(
        self, n: int, shuffle: np.random.Generator | None = None
    ) -> Iterator[Rows]:
        """Yield all rows, `n` at a time, in order or shuffled.

        Blocks are drawn at random, and the rows of some blocks at a time are shuffled.
        """
        blocks = np.arange(len(self._starts))
        pool_size = n
        if shuffle is not None:
            shuffle.shuffle(blocks)
            pool_size = max(n, self._pool_size)
        pool = [np.empty(0, np.intp)]
        size = 0
        for block in blocks:
            start = block * self._size
            pool.append(np.arange(start, min(start + self._size, len(self))))
            size += len(pool[-1])
            is_last = block == blocks[-1]
            if size < pool_size and not is_last:
                continue
            positions = np.concatenate(pool)
            if shuffle is not None:
                shuffle.shuffle(positions)
            complete = size if is_last else size - size % n
            yield from (self.take(positions[i : i + n]) for i in range(0, complete, n))
            pool, size = [positions[complete:]], size - complete


def _gather(X, index, shift, out):
    """Copy rows, less a shift, on several threads if there are many."""
    if not isinstance(X, np.ndarray):
        if shift is None or X.dtype == out.dtype:
            X[index].astype(np.float32, copy=False).toarray(out=out)
            if shift is not None:
                out -= shift
        else:
            np.subtract(X[index].toarray(), shift, out=out, casting="same_kind")
        return
    take = _take if X.dtype == out.dtype else _take_and_convert
    if out.nbytes <= _PARALLEL_BYTES:
        take(X, index, shift, out)
        return
    cuts = np.linspace(0, len(index), n_available_threads() + 1).astype(int)
    map_in_threads(
        lambda i, j: take(X, index[i:j], shift, out[i:j]), cuts[:-1], cuts[1:]
    )


def _take(X, index, shift, out):
    np.take(X, index, axis=0, out=out, mode="clip")
    if shift is not None:
        out -= shift


def _take_and_convert(X, index, shift, out):
    rows = X[index]
    if shift is not None:
        rows -= shift
    out[:] = rows
