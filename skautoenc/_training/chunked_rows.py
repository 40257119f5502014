"""Rows of a Dask collection, visited chunk by chunk."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import issparse, vstack

from .._utils.blocks import ceil_div
from .._utils.chunked import (
    ChunkedArray,
    call,
    chunks_together,
    compute,
    compute_ahead,
    reduce_tasks,
    to_task,
)
from .rows import Rows, StreamedRows, gather, to_loss_weight

# Chunks are read in a random order, and their rows are shuffled among at least so many
# bytes of them.
_POOL_BYTES = 2**26

# Maximum bytes of the validation set, which is held in memory.
_MAX_VALIDATION_BYTES = 2**26

# A sample is taken from so many chunks, or more if they are short.
_SAMPLED_CHUNKS = 16


class ChunkedRows(StreamedRows):
    """Rows of chunks that are computed when they are read.

    Dense rows are centered and converted to float32 where they are computed.

    Parameters
    ----------
    X : ChunkedArray of shape (n_samples, n_features), float32 or float64
    weight : ChunkedArray of shape (n_samples,) or None
        Weight of each row's loss.

    targets : ChunkedArray of shape (n_samples, n_targets) or None
    shift, target_shift : ndarray or None, default=None
        See `Rows`.

    left_out : sequence of ndarray of int or None, default=None
        Positions in each chunk of rows that are not visited.
    """

    unit = "rows"

    def __init__(
        self,
        X: ChunkedArray,
        weight: ChunkedArray | None,
        targets: ChunkedArray | None,
        shift: np.ndarray | None = None,
        target_shift: np.ndarray | None = None,
        left_out: Sequence[np.ndarray] | None = None,
    ):
        self.X, self.targets, self._weight = X, targets, weight
        self._shifts = shift, target_shift
        if left_out is None:
            left_out = [np.empty(0, np.intp)] * len(X.lengths)
        self._left_out = left_out
        pairs = zip(X.lengths, left_out, strict=True)
        self._lengths = np.array([length - len(out) for length, out in pairs])
        self._read = to_task(functools.partial(_read_chunk, shift, target_shift))

    def __len__(self) -> int:
        return int(self._lengths.sum())

    @property
    def n_units(self) -> int:
        """Number of rows."""
        return len(self)

    def split(
        self, n_validation: int, rng: np.random.Generator
    ) -> tuple[ChunkedRows, Rows]:
        """Return the training rows, and `n_validation` random rows in memory.

        Each chunk has an equal share of them. They are fewer if they would take more
        than 64 MiB.
        """
        limit = max(1, _MAX_VALIDATION_BYTES // self._row_bytes)
        ends = np.cumsum(self._lengths) * min(n_validation, limit)
        counts = np.diff(ends // len(self), prepend=0)
        chosen = [
            np.sort(rng.choice(length, count, replace=False))
            for length, count in zip(self._lengths, counts, strict=True)
        ]
        chosen = [
            _kept(length, out)[positions]
            for length, out, positions in zip(
                self.X.lengths, self._left_out, chosen, strict=True
            )
        ]
        left_out = [
            np.union1d(*pair) for pair in zip(self._left_out, chosen, strict=True)
        ]
        training = ChunkedRows(
            self.X, self._weight, self.targets, *self._shifts, left_out
        )
        return training, self._take(dict(enumerate(chosen)))

    def sample(self, n: int) -> Rows:
        """Return at most `n` evenly spaced rows of evenly spaced chunks."""
        chunks = self._nonempty()
        n_chunks = max(_SAMPLED_CHUNKS, ceil_div(n * len(chunks), len(self)))
        chunks = chunks[np.linspace(0, len(chunks) - 1, n_chunks).astype(np.intp)]
        chunks = np.unique(chunks)
        stops = np.cumsum(self._lengths[chunks])
        n = min(n, int(stops[-1]))
        positions = np.linspace(0, stops[-1] - 1, n).astype(np.intp)
        cuts = np.searchsorted(positions, stops)
        index = {}
        for i, stop, of_chunk in zip(
            chunks.tolist(), stops, np.split(positions, cuts[:-1]), strict=True
        ):
            kept = _kept(self.X.lengths[i], self._left_out[i])
            index[i] = kept[of_chunk - stop + self._lengths[i]]
        return self._take(index)

    def parts(
        self, n: int, shuffle: np.random.Generator | None = None
    ) -> Iterator[Rows]:
        """Yield all rows, `n` at a time, in order or shuffled.

        Chunks are read in a random order, and the rows of some at a time are shuffled.
        """
        chunks = self._nonempty()
        pool_size = n
        if shuffle is not None:
            shuffle.shuffle(chunks)
            pool_size = max(n, _POOL_BYTES // self._row_bytes)
        tasks = [self._task(i, self._read, self._left_out[i]) for i in chunks.tolist()]
        sizes = self._row_bytes * self._lengths[chunks]
        n_left = len(self)
        pool: list[Rows] = []
        for chunk in compute_ahead(tasks, sizes.tolist()):
            pool.append(self._rows(chunk))
            size = sum(map(len, pool))
            is_last = size == n_left
            if size < pool_size and not is_last:
                continue
            rows = _concatenated(pool)
            if shuffle is not None:
                rows = rows.take(shuffle.permutation(size))
            complete = size if is_last else size - size % n
            pool = [_copied(rows.take(slice(complete, None)))]
            n_left -= complete
            yield from rows.take(slice(complete)).parts(n)
            del rows  # before others are read

    def reduced(
        self, function: Callable[[Rows], Any], merge: Callable[[Any, Any], Any]
    ) -> Any:
        """Return the merged results of a function of the rows of each chunk.

        Parameters
        ----------
        function : callable
            Called where the chunk is computed.

        merge : callable
            Merges two results.
        """
        task = to_task(functools.partial(_apply_to_chunk, function, self._shifts))
        chunks = self._nonempty().tolist()
        tasks = [self._task(i, task, self._left_out[i]) for i in chunks]
        return reduce_tasks(tasks, merge)

    def _nonempty(self):
        """Return the positions of chunks with rows."""
        return np.flatnonzero(self._lengths)

    @property
    def _row_bytes(self):
        """Bytes of a row and its target as float32."""
        n_targets = 0 if self.targets is None else self.target_width
        return 4 * (self.X.shape[1] + n_targets)

    def _task(self, i, function, left_out, index=None):
        return call(function, *self._chunks[i], left_out, index)

    @functools.cached_property
    def _chunks(self):
        return chunks_together(self.X, self._weight, self.targets)

    def _take(self, index):
        """Return rows in memory: those at some positions of each of some chunks."""
        tasks = [
            self._task(i, self._read, None, positions)
            for i, positions in index.items()
            if len(positions)
        ]
        return _concatenated([self._rows(chunk) for chunk in compute(tasks)])

    def _rows(self, chunk):
        """Return what `_read_chunk` gave as rows."""
        shift, target_shift = self._shifts
        X, weight, targets = chunk
        # Arrays that were sent by a worker may not be aligned, see `gather`.
        if isinstance(X, np.ndarray):
            X, shift = np.require(X, requirements="A"), None
        if isinstance(targets, np.ndarray):
            targets, target_shift = np.require(targets, requirements="A"), None
        return Rows(X, np.arange(X.shape[0]), weight, targets, shift, target_shift)


class _Chunk(NamedTuple):
    """Rows of a chunk, the weights of their losses, and targets or None."""

    X: Any
    weight: np.ndarray
    targets: Any


def _read_chunk(shift, target_shift, X, weight, targets, left_out, index):
    """Return rows of a chunk: those at some positions, or all but some.

    Dense rows are centered, and float32. Sparse ones are not centered.
    """
    if index is None:
        index = _kept(X.shape[0], left_out)
    if targets is not None:
        targets = _gathered(targets, index, target_shift)
    return _Chunk(_gathered(X, index, shift), _loss_weight(weight, index), targets)


def _apply_to_chunk(function, shifts, X, weight, targets, left_out, index):
    """Return a function of the rows of a chunk."""
    index = _kept(X.shape[0], left_out)
    return function(Rows(X, index, _loss_weight(weight, index), targets, *shifts))


def _kept(length, left_out):
    """Return the positions in a chunk of rows that are not left out."""
    return np.delete(np.arange(length), left_out)


def _loss_weight(weight, index):
    if weight is None:
        return np.ones(len(index), np.float32)
    return to_loss_weight(weight[index])


def _gathered(X, index, shift):
    if issparse(X):
        return X[index] if shift is not None else X[index].astype(np.float32)
    out = np.empty((len(index), X.shape[1]), np.float32)
    gather(X, index, shift, out)
    return out


def _concatenated(pool):
    """Return all rows of several arrays as rows of one array."""
    if len(pool) == 1:
        return pool[0]
    X, weight, targets = (
        _stacked([getattr(rows, name) for rows in pool])
        for name in ("X", "weight", "targets")
    )
    index = np.arange(len(weight))
    return replace(pool[0], X=X, index=index, weight=weight, targets=targets)


def _stacked(arrays):
    if arrays[0] is None:
        return None
    if issparse(arrays[0]):
        return vstack(arrays, format="csr")
    return np.concatenate(arrays)


def _copied(rows):
    """Return rows as all rows of new arrays, so that the others can be freed."""
    targets = None if rows.targets is None else rows.targets[rows.index]
    index = np.arange(len(rows))
    return replace(rows, X=rows.X[rows.index], index=index, targets=targets)
