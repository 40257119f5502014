"""Reconstruction errors and explained variance, computed in float64."""

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

# Elementwise errors of the differences, by the names that users give.
METRICS = {"mean_squared_error": np.square, "mean_absolute_error": np.abs}

# In units in the last place of a feature's largest absolute value: the deviation from
# the mean up to which the feature counts as constant, and the rounding error of a
# reconstruction computed in float32.
_MAX_DEVIATION, _MAX_ERROR = 4, 16


class ExplainedVariance:
    """Explained variance ratio over blocks of rows.

    The ratio is 1 - squared errors / squared deviations from the mean, both summed over
    rows and features. If no feature deviates from its mean by more than rounding, it is
    1 if the reconstruction is exact up to the rounding of float32, else 0.

    Parameters
    ----------
    n_features : int
    dtype : {np.float32, np.float64}, default=np.float64
        Data type of the rows before they were converted to float64.
    """

    def __init__(self, n_features: int, dtype: DTypeLike = np.float64):
        self._errors = 0.0
        self._squares, self._largest = np.zeros((2, n_features))
        self._weight, self._dtype = 0.0, np.dtype(dtype)

    def add(
        self,
        rows: NDArray,
        differences: NDArray,
        mean: NDArray,
        weight: NDArray | None = None,
    ) -> None:
        """Add a block of rows.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_features)
        differences : ndarray of shape (n_samples, n_features)
            Reconstructions minus rows.

        mean : ndarray of shape (n_features,)
        weight : ndarray of shape (n_samples,) or None, default=None
            Sample weights; None weights all rows equally.
        """
        weight = np.ones(len(rows)) if weight is None else weight
        self._errors += weight @ np.vecdot(differences, differences)
        deviations = rows - mean
        self._squares += weight @ np.square(deviations, out=deviations)
        self._largest = np.maximum(self._largest, np.abs(rows).max(axis=0))
        self._weight += weight.sum()

    def merged(self, other: "ExplainedVariance") -> "ExplainedVariance":
        """Return the explained variance ratio of the rows of both."""
        both = ExplainedVariance(len(self._squares), self._dtype)
        both._errors = self._errors + other._errors
        both._squares = self._squares + other._squares
        both._largest = np.maximum(self._largest, other._largest)
        both._weight = self._weight + other._weight
        return both

    def result(self, largest: ArrayLike = 0.0) -> float:
        """Return the explained variance ratio of all rows added.

        Parameters
        ----------
        largest : float or ndarray of shape (n_features,), default=0.0
            Largest absolute value of each feature in other rows, such as those of the
            training set. Rounding is measured relative to it if it is larger.
        """
        sizes = np.maximum(self._largest, largest)
        deviation = _MAX_DEVIATION * np.finfo(self._dtype).eps * sizes
        if (self._squares <= self._weight * np.square(deviation)).all():
            error = _MAX_ERROR * np.finfo(np.float32).eps * sizes
            return float(self._errors <= self._weight * np.square(error).sum())
        return float(1 - self._errors / self._squares.sum())
