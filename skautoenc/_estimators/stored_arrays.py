"""Arrays in HDF5 files, zarr stores and Dask collections, for NumPy."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from .._utils.blocks import is_large
from .._utils.chunked import compute, is_dask_collection
from .._utils.warnings import warn_user

# Bytes from which on reading a whole array into memory is warned of.
_LARGE = 2**30


def read_stored(X: Any) -> Any:
    """Return an array in a file as a NumPy array, and other objects as they are.

    A large HDF5 data set that is stored as one block, as h5py does by default, becomes
    a memory map of the file. Other data sets are read as a whole, and so are Dask
    collections.

    Parameters
    ----------
    X : object

    Returns
    -------
    object
    """
    if is_dask_collection(X):
        if hasattr(X, "chunks"):
            warn_of_reading(X)
        return compute([X])[0]
    if isinstance(X, np.ndarray) or not _is_stored(X):
        return X
    if type(X).__module__.startswith("h5py.") and X.ndim > 1:
        row_size = int(np.prod(X.shape[1:]))
        if is_large(X.shape[0], row_size):
            mapped = _memory_map(X)
            if mapped is not None:
                return mapped
    warn_of_reading(X)
    return np.asarray(X)


def warn_of_reading(X: Any) -> None:
    """Warn if an array is so large that it may not fit into memory."""
    n_bytes = float(np.prod(X.shape)) * X.dtype.itemsize
    if n_bytes >= _LARGE:
        warn_user(
            f"X is a {type(X).__module__.split('.')[0]} array of "
            f"{n_bytes / 2**30:.1f} GiB, which is read into memory as a whole. To "
            "train on it in blocks, call partial_fit on slices X[i : i + n], or save "
            "it as a float32 memory map (numpy.lib.format.open_memmap)."
        )


def _is_stored(X):
    """Whether an object is an array that may be stored in chunks."""
    return all(hasattr(X, name) for name in ("shape", "dtype", "chunks", "__getitem__"))


def _memory_map(X):
    """Return a memory map of an HDF5 data set; None if it is not one block."""
    if X.chunks is not None or X.size == 0 or X.dtype.kind not in "biuf":
        return None
    offset = X.id.get_offset()
    if offset is None:
        return None
    X.file.flush()
    # The file may be in memory, or in several parts.
    with contextlib.suppress(OSError, ValueError):
        mapped = np.memmap(X.file.filename, X.dtype, "r", offset, X.shape)
        ends = [0, -1]
        if all(mapped[i].tobytes() == np.asarray(X[i]).tobytes() for i in ends):
            return mapped
    return None
