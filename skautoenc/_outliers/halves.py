"""Halves of the training rows, and the rows that are found among them later."""

from typing import NamedTuple, Self

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .._utils.stored import stored_as

# Number of rows among which neighbours are searched.
_MAX_REFERENCE_ROWS = 2000

_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, as multiplication by it is invertible
_SHIFT = np.uint64(32)


@stored_as("training_rows")
class TrainingRows(NamedTuple):
    """Digests of distinct training rows, in ascending order.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,)
        Rows are standardized and rounded to float32 before their digest is computed,
        so that rounding in earlier steps of a pipeline does not change it.

    digests : ndarray of shape (n_distinct,), dtype=uint64
    half : ndarray of shape (n_distinct,), dtype=int8
        0 or 1. Equal rows are in the same half.

    is_reference : ndarray of shape (n_distinct,), dtype=bool
        Rows that can be neighbours of others.
    """

    mean: NDArray[np.floating]
    scale: NDArray[np.floating]
    digests: NDArray[np.uint64]
    half: NDArray[np.int8]
    is_reference: NDArray[np.bool_]

    @classmethod
    def split(cls, X: NDArray[np.floating], rng: Generator) -> Self:
        """Divide rows into random halves.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
        rng : Generator

        Raises
        ------
        ValueError
            If there are too few distinct rows, or if variances overflow.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean, scale = X.mean(axis=0), X.std(axis=0)
        if not np.isfinite(scale).all():
            raise ValueError(
                "The variance of some features of X is too large for float64. Scale X, "
                "for example with StandardScaler."
            )
        scale[scale == 0] = 1
        digests = np.unique(_digests(X, mean, scale))
        n = len(digests)
        if n == 1:
            raise ValueError(
                f"All {len(X)} rows of X are equal, so none can be an outlier."
            )
        if n < 4:
            raise ValueError(
                f"X has {n} distinct rows (n_samples={len(X)}), but at least 4 are "
                "needed, because one reducer is fitted on each half of them."
            )
        ranks = rng.permutation(n)
        half = (ranks % 2).astype(np.int8)
        return cls(mean, scale, digests, half, ranks < _MAX_REFERENCE_ROWS)

    def find(
        self, X: NDArray[np.floating]
    ) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
        """Find rows among the training rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)

        Returns
        -------
        half : ndarray of shape (n_samples,)
            Half of each row; -1 for rows that are not among the training rows.

        is_reference : ndarray of shape (n_samples,), dtype=bool
        """
        digests = _digests(X, self.mean, self.scale)
        places = np.searchsorted(self.digests, digests) % len(self.digests)
        is_found = self.digests[places] == digests
        half = np.where(is_found, self.half[places], -1)
        return half, is_found & self.is_reference[places]


def _digests(X, mean, scale):
    """Return a 64-bit number for each row, which is equal for equal rows."""
    # The sum turns -0.0 into 0.0. Values that overflow become infinite.
    with np.errstate(over="ignore"):
        values = ((X - mean) / scale).astype(np.float32) + np.float32(0)
    digests = np.zeros(len(X), np.uint64)
    for column in values.view(np.uint32).T:
        digests = (digests ^ column) * _FACTOR
        digests ^= digests >> _SHIFT
    return digests
