"""A summary of a data matrix, computed in one pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse

from .._fitted.network import MAX_DENSE_FEATURES
from .._utils.blocks import is_streamed, row_blocks


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
        share = other.weight / weight
        difference = other.mean - self.mean
        variance = (1 - share) * self.variance + share * other.variance
        return DataSummary(
            None,
            self.mean + share * difference,
            variance + share * (1 - share) * difference**2,
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            self.n_rows + other.n_rows,
            weight,
        )

    @property
    def minimum(self) -> float:
        """Minimum of all values."""
        return self.low.min()

    @property
    def maximum(self) -> float:
        """Maximum of all values."""
        return self.high.max()


def summarize(
    X, sample_weight: np.ndarray | None, *, hash_rows: bool = True
) -> DataSummary:
    """Summarize the rows of `X` in float64, a block of rows at a time.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None
    hash_rows : bool, default=True
        Whether to compute `row_hashes`, unless `X` is visited in blocks.
    """
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
    mean = sums / total_weight
    variance = (squares / total_weight - mean**2).clip(0)
    variance[low == high] = 0
    return DataSummary(
        row_hashes, origin + mean, variance, low, high, n_samples, float(total_weight)
    )


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
