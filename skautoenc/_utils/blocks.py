"""Blocks of rows, and small helpers for rows and their counts."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .chunked import ChunkedArray
from .threads import map_in_threads, one_blas_thread

# Size of a block: its activations fit into the processor's second-level cache, and its
# matrix products run at full speed.
_BLOCK_BYTES = 2**21


def n_rows_of_block(width: int) -> int:
    """Return how many rows are 2 MiB of float32 values, but at least 64.

    Parameters
    ----------
    width : int
        Values per row.
    """
    return max(64, _BLOCK_BYTES // (4 * max(width, 1)))


def row_blocks(n_samples: int, width: int) -> list[slice]:
    """Return slices of `n_rows_of_block` rows; the last one may be short.

    Parameters
    ----------
    n_samples : int
        Number of rows to cut into blocks.

    width : int
        Values per row.
    """
    size = n_rows_of_block(width)
    return [slice(i, i + size) for i in range(0, n_samples, size)]


def map_blocks(
    function: Callable[[slice], Any], X: Any, width: int, *, in_threads: bool = True
) -> list:
    """Return the results of a function of slices of rows, computed in threads.

    Each call uses one thread of BLAS, so that results do not depend on the number of
    threads.

    Parameters
    ----------
    function : callable
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    width : int
        Values per row that the function computes.

    in_threads : bool, default=True
        False if the function starts threads itself.
    """
    blocks = row_blocks(X.shape[0], max(width, X.shape[1]))
    if len(blocks) == 1 or not in_threads:
        return [function(rows) for rows in blocks]
    with one_blas_thread:
        return map_in_threads(function, blocks)


def map_rows(
    function: Callable[[Any], np.ndarray],
    X: Any,
    width: int,
    *,
    in_threads: bool = True,
) -> np.ndarray:
    """Return the results of a function of rows as one array, see `map_blocks`.

    Parameters
    ----------
    function : callable
        From some rows of X to an array with one element for each of them.

    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    width, in_threads
        See `map_blocks`.
    """
    n_samples, n_features = X.shape
    if n_samples <= n_rows_of_block(max(width, n_features)):
        return function(X)
    first = function(X[:2])
    out = np.empty((n_samples, *first.shape[1:]), first.dtype)

    def compute(rows):
        out[rows] = function(X[rows])

    map_blocks(compute, X, width, in_threads=in_threads)
    return out


def iterate_blocks(X: Any, width: int | None = None) -> Iterator[tuple[slice, Any]]:
    """Yield the positions of some rows, and these rows, until all were yielded.

    Parameters
    ----------
    X : {ndarray, CSR matrix, ChunkedArray} of shape (n_samples, n_features)
    width : int or None, default=None
        Values per row, see `row_blocks`. None for `n_features`.
    """
    if isinstance(X, ChunkedArray):
        yield from X.blocks()
        return
    for rows in row_blocks(X.shape[0], X.shape[1] if width is None else width):
        yield rows, X[rows]


def to_dense(rows: Any) -> np.ndarray:
    """Return rows as an ndarray: sparse ones made dense, arrays as they are."""
    return rows.toarray() if issparse(rows) else np.asarray(rows)


def ceil_div(dividend: int, divisor: int) -> int:
    """Return the quotient rounded up, such as the number of batches in an epoch."""
    return -(-dividend // divisor)


# Data with more rows, or more bytes of float32, are visited in blocks.
_MAX_ROWS_IN_MEMORY, _MAX_BYTES_IN_MEMORY = 2**18, 2**30


def is_streamed(X: Any) -> bool:
    """Whether training visits `X` in blocks, and stores nothing for each row."""
    return isinstance(X, ChunkedArray) or is_large(*X.shape)


def is_large(n_samples: int, n_features: int) -> bool:
    """Whether training visits a table of this shape in blocks."""
    return (
        n_samples > _MAX_ROWS_IN_MEMORY
        or 4 * n_samples * n_features > _MAX_BYTES_IN_MEMORY
    )
