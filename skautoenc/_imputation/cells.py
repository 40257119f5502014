"""Cells of tables with missing values: scale, held-out cells, errors, blending."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from .._utils.stored import stored_as


class Model(Protocol):
    """What fills rows."""

    def fill(self, X: np.ndarray, observed: np.ndarray) -> np.ndarray: ...


@stored_as("scale")
class Scale(NamedTuple):
    """What standardizes columns, and their range, over observed values.

    Attributes
    ----------
    mean, deviation : ndarray of shape (n_features,)
        The deviation of a constant column is 1.

    low, high : ndarray of shape (n_features,)
    """

    mean: np.ndarray
    deviation: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def standardize(self, X: np.ndarray) -> np.ndarray:
        """Return columns with mean 0 and standard deviation 1."""
        return (X - self.mean) / self.deviation

    def restore(self, Z: np.ndarray) -> np.ndarray:
        """Return standardized values in their units, limited to the observed range."""
        return np.clip(Z * self.deviation + self.mean, self.low, self.high)


def scale_of(X: np.ndarray, observed: np.ndarray) -> Scale:
    """Return the scale of the observed values; each column must have one.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Missing values are not read.

    observed : ndarray of shape (n_samples, n_features), bool
    """
    n_observed = observed.sum(axis=0)
    low = np.where(observed, X, np.inf).min(axis=0)
    high = np.where(observed, X, -np.inf).max(axis=0)
    # Around the minimum, the mean of a constant column is exact.
    differences = np.where(observed, X - low, 0.0)
    mean = differences.sum(axis=0) / n_observed
    residuals = np.where(observed, differences - mean, 0.0)
    deviation = np.sqrt(np.square(residuals).sum(axis=0) / n_observed)
    deviation[(deviation == 0) | (low == high)] = 1.0
    return Scale(low + mean, deviation, low, high)


def hold_out_cells(
    observed: np.ndarray, fraction: float, rng: np.random.Generator
) -> np.ndarray:
    """Choose a fraction of the observed cells at random.

    A column of which all observed cells would be chosen keeps them.

    Parameters
    ----------
    observed : ndarray of shape (n_samples, n_features), bool
    fraction : float
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_samples, n_features), bool
    """
    chosen = observed & (rng.random(observed.shape) < fraction)
    return chosen & (observed & ~chosen).any(axis=0)


class Validation(NamedTuple):
    """Rows with observed values that are hidden, to measure how they are filled.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features)
        Standardized columns. Missing values are not read.

    known : ndarray of shape (n_samples, n_features), bool
        What is observed, and not hidden.

    hidden : ndarray of shape (n_samples, n_features), bool
    """

    X: np.ndarray
    known: np.ndarray
    hidden: np.ndarray

    def error(self, model: Model) -> float:
        """Return the sum of squared errors of the hidden values."""
        filled = model.fill(self.X, self.known)
        return float(np.square(filled[self.hidden] - self.X[self.hidden]).sum())


def blend_weight(
    start: np.ndarray, other: np.ndarray, X: np.ndarray, cells: np.ndarray
) -> float:
    """Return the share of the way from `start` to `other` that decreases errors.

    It is the share with the least squares, less two standard errors (H. White, "A
    Heteroskedasticity-Consistent Covariance Matrix Estimator", Econometrica 48, 1980).
    On few cells the share is large by chance too often.

    Parameters
    ----------
    start, other, X : ndarray of shape (n_samples, n_features)
    cells : ndarray of shape (n_samples, n_features), bool
        Over which errors are summed.

    Returns
    -------
    float
        In [0, 1].
    """
    move, error = (other - start)[cells], (X - start)[cells]
    length = move @ move
    if length == 0:
        return 0.0
    share = move @ error / length
    standard_error = np.linalg.norm(move * (error - share * move)) / length
    return float(np.clip(share - 2 * standard_error, 0.0, 1.0))
