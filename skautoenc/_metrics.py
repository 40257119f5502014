"""Errors of a reconstruction, measured in float64."""

import numpy as np

METRICS = {"mean_squared_error": np.square, "mean_absolute_error": np.abs}

# Rounding errors that are counted as none, in units of the last place of the largest
# value: of the data around their mean, and of what is computed in float32.
_ROUNDING = 16


def explained_variance(errors, squares, n_values, largest, dtype):
    """Share of variance explained: 1 - squared errors / squares around the mean.

    Parameters
    ----------
    errors, squares : float
        Sums over all values.

    n_values : float
        How many they are, weighted.

    largest : float
        Largest absolute value of the data. Rows that vary around the mean by no more
        than its rounding have no variance: they score 1 if they are reconstructed up to
        the rounding of float32, else 0.

    dtype : {np.float32, np.float64}
        Of the data.

    Returns
    -------
    float
    """
    if squares <= n_values * (_ROUNDING * np.finfo(dtype).eps * largest) ** 2:
        tolerance = _ROUNDING * np.finfo(np.float32).eps * largest
        return float(errors <= n_values * tolerance**2)
    return float(1 - errors / squares)
