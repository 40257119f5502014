"""A summary of a data matrix, computed in one pass."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

from .._fitted.network import MAX_DENSE_FEATURES
from .._utils.blocks import is_streamed, row_blocks
from .._utils.chunked import ChunkedArray, reduce_chunks
from .._utils.stored import stored_as

# Number of values in a line of a reduction.
_LINE = 2**11


@stored_as("extent")
class Extent(NamedTuple):
    """Number, mean and range of rows.

    Attributes
    ----------
    n_rows : int
    weight : float
        Sum of the weights of the rows.

    mean : ndarray of shape (n_features,)
        Weighted mean of each feature.

    largest : ndarray of shape (n_features,)
        Largest absolute value of each feature, over rows of positive weight.

    minimum, maximum : float
        Of all values.
    """

    n_rows: int
    weight: float
    mean: np.ndarray
    largest: np.ndarray
    minimum: float
    maximum: float

    def merged(self, other: Extent) -> Extent:
        """Return the extent of the rows of both."""
        weight = self.weight + other.weight
        share = other.weight / weight
        return Extent(
            self.n_rows + other.n_rows,
            weight,
            self.mean + share * (other.mean - self.mean),
            np.maximum(self.largest, other.largest),
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
        )


@dataclass(frozen=True)
class DataSummary:
    """Summary of a data matrix.

    Attributes
    ----------
    row_hashes : ndarray of shape (n_samples,), uint64, or None
        Hash of the values of each row, by which rows are ordered and grouped. None for
        data that are visited in blocks.

    mean, variance : ndarray of shape (n_features,)
        Weighted mean and variance of each feature.

    low, high : ndarray of shape (n_features,)
        Minimum and maximum of each feature, over rows of positive weight.

    n_rows : int
    weight : float
        Sum of the weights of the rows.
    """

    row_hashes: np.ndarray | None
    mean: np.ndarray
    variance: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_rows: int
    weight: float

    def merged(self, other: DataSummary) -> DataSummary:
        """Return the summary of the rows of both, without hashes."""
        weight = self.weight + other.weight
        share = other.weight / (weight or 1.0)
        difference = other.mean - self.mean
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        variance = (1 - share) * self.variance + share * other.variance
        variance += share * (1 - share) * np.square(difference)
        variance[low == high] = 0
        return DataSummary(
            None,
            self.mean + share * difference,
            variance,
            low,
            high,
            self.n_rows + other.n_rows,
            weight,
        )

    @property
    def extent(self) -> Extent:
        """The part of the summary that is kept after a fit."""
        return Extent(
            self.n_rows,
            self.weight,
            self.mean,
            np.maximum(-self.low, self.high),
            float(self.minimum),
            float(self.maximum),
        )

    @property
    def minimum(self) -> float:
        """Minimum of all values."""
        return self.low.min()

    @property
    def maximum(self) -> float:
        """Maximum of all values."""
        return self.high.max()


def summarize(X, sample_weight, *, hash_rows: bool = True) -> DataSummary:
    """Summarize the rows of `X` in float64, a block of rows at a time.

    Parameters
    ----------
    X : {ndarray, CSR matrix, ChunkedArray} of shape (n_samples, n_features)
        The chunks of a `ChunkedArray` are summarized where they are computed.

    sample_weight : {ndarray, ChunkedArray} of shape (n_samples,), or None
    hash_rows : bool, default=True
        Whether to compute `row_hashes`, unless `X` is visited in blocks.
    """
    if isinstance(X, ChunkedArray):
        of_chunk = functools.partial(summarize, hash_rows=False)
        return reduce_chunks(of_chunk, DataSummary.merged, X, sample_weight)
    n_samples, n_features = X.shape
    row_hashes = None
    if hash_rows and not is_streamed(X):
        row_hashes = np.empty(n_samples, np.uint64)
    total_weight, sums, squares = 0.0, np.zeros(n_features), np.zeros(n_features)
    low, high = np.full((2, n_features), [[np.inf], [-np.inf]])
    # Squares are summed around the first row: around zero, a large mean would cost the
    # digits of a small variance. Wide sparse blocks stay sparse, and around zero.
    origin = np.zeros(n_features)
    for rows in row_blocks(n_samples, 2 * n_features):
        block = X[rows].astype(np.float64)
        if issparse(block) and n_features <= MAX_DENSE_FEATURES:
            block = block.toarray()
        if row_hashes is not None:
            row_hashes[rows] = _hash_rows(block)
        if sample_weight is None:
            weight = np.ones(block.shape[0])
        else:
            weight = sample_weight[rows]
        if not weight.all():
            block, weight = block[weight > 0], weight[weight > 0]
        if len(weight) == 0:
            continue
        low = np.minimum(low, _to_vector(block.min(axis=0)))
        high = np.maximum(high, _to_vector(block.max(axis=0)))
        if issparse(block):
            squared = block.multiply(block).tocsr()
        else:
            if total_weight == 0:
                origin = block[0].copy()
            block -= origin
            squared = np.square(block)
        total_weight += weight.sum()
        sums += weight @ block
        squares += weight @ squared
    mean = sums / (total_weight or 1.0)  # a chunk may have no weight
    variance = (squares / (total_weight or 1.0) - mean**2).clip(0)
    variance[low == high] = 0
    return DataSummary(
        row_hashes, origin + mean, variance, low, high, n_samples, float(total_weight)
    )


def extent_of(X, sample_weight: np.ndarray | None) -> Extent:
    """Return the extent of the rows of `X`, as `summarize` does but faster.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
        C-contiguous if dense.

    sample_weight : ndarray of shape (n_samples,) or None
    """
    if sample_weight is not None or issparse(X):
        return summarize(X, sample_weight, hash_rows=False).extent
    n_samples = X.shape[0]
    total = _reduced(np.add, X, dtype=np.float64)
    low, high = (_reduced(ufunc, X) for ufunc in (np.minimum, np.maximum))
    return Extent(
        n_samples,
        float(n_samples),
        total / n_samples,
        np.maximum(-low, high).astype(np.float64),
        float(low.min()),
        float(high.max()),
    )


def _reduced(ufunc, X, **options):
    """Return a reduction over rows; several are put in a line, as short ones are slow.

    Parameters
    ----------
    ufunc : {np.add, np.minimum, np.maximum}
    X : ndarray of shape (n_samples, n_features)
    """
    n_samples, n_features = X.shape
    n_in_line = max(1, _LINE // n_features)
    n_lines = n_samples // n_in_line
    if n_in_line == 1 or n_lines < 2:
        return ufunc.reduce(X, axis=0, **options)
    n_whole = n_lines * n_in_line
    lines = ufunc.reduce(X[:n_whole].reshape(n_lines, -1), axis=0, **options)
    parts = [lines.reshape(n_in_line, n_features), X[n_whole:]]
    return ufunc.reduce(np.concatenate(parts), axis=0, **options)


def _hash_rows(block):
    """Hash each row of a dense or sparse float64 block; equal rows have equal hashes.

    Sums of integers, unlike those of floats, do not depend on the order of summation.
    """
    n_samples, n_features = block.shape
    factors = np.random.default_rng(0).integers(
        2**64, size=(2, n_features), dtype=np.uint64
    )
    factors |= np.uint64(1)
    values = block.data if issparse(block) else block
    columns = block.indices if issparse(block) else slice(None)
    bits = (values + 0.0).view(np.uint64)  # adding 0 removes the sign of -0
    bits *= factors[0, columns]
    bits ^= bits >> np.uint64(31)
    bits *= factors[1, columns]
    if not issparse(block):
        return bits.sum(axis=1, dtype=np.uint64)
    row = np.repeat(np.arange(n_samples), np.diff(block.indptr))
    hashes = np.zeros(n_samples, np.uint64)
    np.add.at(hashes, row, bits)
    return hashes


def _to_vector(values):
    return values.toarray().ravel() if issparse(values) else values
