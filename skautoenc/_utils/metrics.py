"""Errors of a reconstruction, measured in float64."""

import numpy as np

METRICS = {"mean_squared_error": np.square, "mean_absolute_error": np.abs}

# Units in the last place of the largest value by which a feature may deviate from its
# mean without varying, and by which what is computed in float32 may be off.
_MAX_DEVIATION, _MAX_ERROR = 4, 16


class ExplainedVariance:
    """Share of variance explained: 1 - squared errors / squares around the mean.

    Where no feature varies by more than the rounding of its values, rows score 1 if
    they are reconstructed up to the rounding of float32, else 0.

    Parameters
    ----------
    n_features : int
    dtype : {np.float32, np.float64}
        Of the rows, as they were given.
    """

    def __init__(self, n_features, dtype=np.float64):
        self._errors = 0.0
        self._squares, self._largest = np.zeros((2, n_features))
        self._weight, self._dtype = 0.0, np.dtype(dtype)

    def add(self, rows, differences, mean, weight=None):
        """Take in some rows.

        Parameters
        ----------
        rows, differences : ndarray of shape (n, n_features)
            Rows, and what their reconstructions are off by.

        mean : ndarray of shape (n_features,)
        weight : ndarray of shape (n,) or None, default=None
        """
        weight = np.ones(len(rows)) if weight is None else weight
        self._errors += weight @ np.vecdot(differences, differences)
        deviations = rows - mean
        self._squares += weight @ np.square(deviations, out=deviations)
        self._largest = np.maximum(self._largest, np.abs(rows).max(axis=0))
        self._weight += weight.sum()

    def result(self, largest=0.0):
        """The share explained.

        Parameters
        ----------
        largest : float or ndarray of shape (n_features,), default=0
            Absolute value of each feature that there was elsewhere.
        """
        sizes = np.maximum(self._largest, largest)
        deviation = _MAX_DEVIATION * np.finfo(self._dtype).eps * sizes
        if (self._squares <= self._weight * np.square(deviation)).all():
            error = _MAX_ERROR * np.finfo(np.float32).eps * sizes
            return float(self._errors <= self._weight * np.square(error).sum())
        return float(1 - self._errors / self._squares.sum())
