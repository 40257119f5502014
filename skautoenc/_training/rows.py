"""Rows that an epoch visits, and how they are gathered."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._utils.threads import map_in_threads, n_available_threads

# A row of integer weight w is repeated w times in an epoch, up to this often. A larger
# weight scales its loss, so that the length of an epoch is bounded.
_MAX_REPEATS = 10

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

    def sample(self, n: int) -> "Rows":
        """Return `n` evenly spaced rows."""
        return self.take(np.linspace(0, len(self) - 1, n).astype(np.intp))

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
            gather(self.X, self.index, self.shift, targets)
        else:
            gather(self.targets, self.index, self.target_shift, targets)
            gather(self.X, self.index, self.shift, inputs)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows and their targets as new arrays, or as the same one twice."""
        inputs = targets = np.empty((len(self), self.target_width), np.float32)
        if self.targets is not None:
            inputs = np.empty((len(self), self.X.shape[1]), np.float32)
        self.gather_into(inputs, targets)
        return inputs, targets


class StreamedRows(ABC):
    """Rows of an `X` that may be larger than memory, where nothing is stored by row.

    Attributes
    ----------
    X : {ndarray, CSR matrix, ChunkedArray} of shape (n_samples, n_features)
    targets : {ndarray, CSR matrix, ChunkedArray} of shape (n_samples, n_targets), \
            or None
    unit : str
        What `split` leaves together, in the plural.
    """

    X: Any
    targets: Any
    unit: str

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    def target_width(self) -> int:
        """Number of values of a target."""
        return (self.X if self.targets is None else self.targets).shape[1]

    @property
    @abstractmethod
    def n_units(self) -> int:
        """Number of units that `split` leaves together."""

    @abstractmethod
    def split(
        self, n_validation: int, rng: np.random.Generator
    ) -> tuple["StreamedRows", "Rows | StreamedRows"]:
        """Return the training rows, and those of `n_validation` random units."""

    @abstractmethod
    def sample(self, n: int) -> Rows:
        """Return about `n` rows from all over `X`."""

    @abstractmethod
    def parts(
        self, n: int, shuffle: np.random.Generator | None = None
    ) -> Iterator[Rows]:
        """Yield all rows, `n` at a time, in order or shuffled."""


def to_loss_weight(sample_weight: np.ndarray) -> np.ndarray:
    """Return weights of streamed rows as float32.

    Rows of weight 0 must not be mistaken for padding: they count towards the batch
    size.
    """
    return np.maximum(sample_weight, 1e-30).astype(np.float32)


def gather(
    X: Any, index: np.ndarray, shift: np.ndarray | None, out: np.ndarray
) -> None:
    """Copy rows, less a shift, on several threads if there are many.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    index : ndarray of int
    shift : ndarray of shape (n_features,) or None
    out : ndarray of shape (len(index), n_features), float32
    """
    if not isinstance(X, np.ndarray):
        if shift is None or X.dtype == out.dtype:
            X[index].astype(np.float32, copy=False).toarray(out=out)
            if shift is not None:
                out -= shift
        else:
            np.subtract(X[index].toarray(), shift, out=out, casting="same_kind")
        return
    # `np.take` would copy all of an array that is not aligned, as Dask gives some.
    is_direct = X.dtype == out.dtype and X.flags.aligned
    take = _take if is_direct else _take_and_convert
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
