"""Dask collections as the arguments of `fit` and `score`."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, issparse

from .._utils.chunked import ChunkedArray, compute, is_dask_collection

# Bytes of float32 values up to which a collection is computed into memory.
_MAX_BYTES_IN_MEMORY = 2**26


def open_training_data(
    X: Any, sample_weight: Any, X_val: Any, X_clean: Any
) -> tuple[Any, Any, Any, Any]:
    """Return the arguments of `fit` without Dask collections.

    Small ones are computed into memory. Others become arrays of chunks, and then all of
    `X`, `sample_weight` and `X_clean` have chunks of the same lengths.

    Raises
    ------
    TypeError, ValueError
        If a collection is not a table of numbers whose chunks are known, or if the
        chunks of `sample_weight` or `X_clean` are not those of `X`.
    """
    X = _open("X", X)
    if isinstance(X, ChunkedArray):
        sample_weight = chunked_like(X, "sample_weight", sample_weight)
        X_clean = chunked_like(X, "X_clean", X_clean)
    else:
        sample_weight, X_clean = _in_memory(sample_weight), _in_memory(X_clean)
    if isinstance(X_val, tuple | list) and any(map(is_dask_collection, X_val)):
        X_val = tuple(_open(f"X_val[{i}]", rows) for i, rows in enumerate(X_val))
    return X, sample_weight, _open("X_val", X_val), X_clean


def chunked_like(X: ChunkedArray, name: str, other: Any) -> ChunkedArray | None:
    """Return an argument with chunks of the lengths of those of X.

    Parameters
    ----------
    X : ChunkedArray
    name : str
        Of the argument.

    other : Dask collection, array-like of shape (n_samples,) or None

    Raises
    ------
    TypeError, ValueError
        If it has other chunks, or more dimensions and is not a Dask collection.
    """
    if other is None:
        return None
    if is_dask_collection(other):
        chunked = to_chunks(name, other)
        if chunked.lengths != X.lengths:
            raise ValueError(
                f"{name} and X must have chunks of the same lengths, as they belong "
                f"together row by row. Those of {name} have {_shown(chunked)} rows, "
                f"those of X {_shown(X)}. Use {name}.rechunk({{0: X.chunks[0]}})."
            )
        return chunked
    vector = np.asarray(other)
    if vector.ndim != 1:
        raise TypeError(f"X is a Dask collection, and so {name} must be one too.")
    if len(vector) != X.shape[0]:
        raise ValueError(
            f"{name} has {len(vector)} values, but X has {X.shape[0]} rows."
        )
    return ChunkedArray.of_vector(vector, X.lengths)


def to_chunks(name: str, X: Any) -> ChunkedArray:
    """Return a Dask collection as an array of chunks.

    The lengths of the partitions of a data frame are computed.

    Parameters
    ----------
    name : str
        Of the argument.

    X : Dask array, data frame or series

    Raises
    ------
    TypeError, ValueError
        See `open_training_data`.
    """
    check_collection(name, X)
    if is_frame(X):
        lengths = compute([X.map_partitions(len)])[0].tolist()
        chunks = X.to_delayed()
    elif any(np.isnan(X.chunks[0])):
        raise ValueError(
            f"{name} is a Dask array with chunks of unknown lengths, which are needed "
            f"to choose rows at random. Call {name}.compute_chunk_sizes() before."
        )
    else:
        lengths, chunks = X.chunks[0], X.to_delayed().ravel()
    pairs = [pair for pair in zip(chunks, lengths, strict=True) if pair[1] > 0]
    if not pairs:
        raise ValueError(f"{name} has no rows.")
    chunks, lengths = zip(*pairs, strict=True)
    return ChunkedArray(chunks, lengths, empty_rows(X))


def check_collection(name: str, X: Any) -> None:
    """Raise unless a Dask collection is a table whose chunks have whole rows.

    Parameters
    ----------
    name : str
        Of the argument.

    X : Dask collection

    Raises
    ------
    TypeError
        If it is neither an array nor a data frame.
    ValueError
        If an array has several chunks along its features, or a data frame a column
        that does not hold numbers.
    """
    if is_frame(X):
        dtypes = dict(X.dtypes) if hasattr(X, "columns") else {X.name: X.dtype}
        for column, dtype in dtypes.items():
            if getattr(dtype, "kind", "O") not in "biuf":
                raise ValueError(
                    f"{name} has the column {column!r} of type {dtype}. Columns of a "
                    f"Dask data frame must hold numbers: leave it out, encode it, or "
                    f"use {name}.astype({{{column!r}: 'float64'}})."
                )
        return
    if not hasattr(type(X), "chunks"):
        raise TypeError(
            f"{name} is a Dask {type(X).__name__}. It must be a Dask array or data "
            "frame, as dask.array.from_delayed makes one of delayed arrays."
        )
    whole = {axis: -1 for axis in range(1, X.ndim) if len(X.chunks[axis]) > 1}
    if whole:
        raise ValueError(
            f"{name} is a Dask array with several chunks along its features. A chunk "
            f"must have all features of its rows: use {name}.rechunk({whole})."
        )


def is_frame(X: Any) -> bool:
    """Whether a Dask collection is a data frame or a series."""
    return hasattr(type(X), "divisions")  # a Delayed has any attribute


def empty_rows(X: Any) -> Any:
    """Return no rows, of the type and the width of the chunks of a Dask collection."""
    if is_frame(X):
        return X._meta
    if issparse(X._meta):
        return csr_matrix((0, *X.shape[1:]), dtype=X.dtype)
    return np.empty((0, *X.shape[1:]), X.dtype)


def _open(name, X):
    """Return an argument, in memory or in chunks if it is a Dask collection."""
    if not is_dask_collection(X):
        return X
    chunks = to_chunks(name, X)
    if 4 * np.prod(chunks.shape, dtype=float) <= _MAX_BYTES_IN_MEMORY:
        return _in_memory(X)
    return chunks


def _in_memory(X):
    return compute([X])[0] if is_dask_collection(X) else X


def _shown(X):
    first = ", ".join(map(str, X.lengths[:5]))
    return f"({first}, ...)" if len(X.lengths) > 5 else f"({first})"
