"""Rows of an array that may be a mapped file, visited in small blocks."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from .rows import Rows, StreamedRows, to_loss_weight

# Bytes of a block: enough to be read from a disk in one go.
_BLOCK_BYTES = 2**15

# Rows are shuffled among so many bytes of blocks drawn at random.
_POOL_BYTES = 2**25


class BlockedRows(StreamedRows):
    """Rows of an array or a file that is mapped, visited in whole blocks.

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

    unit = "blocks of rows"

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
    def n_units(self) -> int:
        """Number of blocks."""
        return len(self._starts)

    def split(
        self, n_validation: int, rng: np.random.Generator
    ) -> tuple["BlockedRows", "BlockedRows"]:
        """Return the training rows, and those of `n_validation` random blocks."""
        chosen = np.zeros(self.n_units, bool)
        chosen[rng.permutation(len(chosen))[:n_validation]] = True
        return self._with(self._starts[~chosen]), self._with(self._starts[chosen])

    def _with(self, starts):
        return BlockedRows(self.X, self._weight, self.targets, starts, *self._shifts)

    def sample(self, n: int) -> Rows:
        """Return `n` evenly spaced rows."""
        return self.take(np.linspace(0, len(self) - 1, n).astype(np.intp))

    def take(self, positions: np.ndarray) -> Rows:
        """Return the rows at these positions."""
        block, row = np.divmod(positions, self._size)
        index = self._starts[block] + row
        weight = np.ones(len(index), np.float32)
        if self._weight is not None:
            weight = to_loss_weight(self._weight[index])
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
