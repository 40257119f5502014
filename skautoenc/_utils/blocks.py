"""Blocks of rows, and small helpers for rows and their counts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .chunked import ChunkedArray

# Size of a block: its activations fit into the processor's cache, and its matrix
# products run at full speed.
_BLOCK_BYTES = 2**23


def row_blocks(n_samples: int, width: int) -> list[slice]:
    """Return slices of about 8 MiB of float32 values, of at least 64 rows each.

    Parameters
    ----------
    n_samples : int
        Number of rows to cut into blocks.

    width : int
        Values per row.
    """
    block_size = max(64, _BLOCK_BYTES // (4 * max(width, 1)))
    return [slice(i, i + block_size) for i in range(0, n_samples, block_size)]


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
