"""A normal distribution fitted to rows with missing values, and its conditionals.

The EM algorithm: A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum Likelihood from
Incomplete Data via the EM Algorithm", Journal of the Royal Statistical Society B 39
(1977). It works with the precision matrix, as the conditional distribution of the
missing values of a row then takes a matrix of the size of the missing part only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .._utils.stored import stored_as
from .cells import squared_error

# Shares by which the covariance is shrunk to its diagonal, and EM steps with each.
_PATH = (0.25, 8), (0.08, 5), (0.02, 5), (0.003, 5)

# EM steps on all observed values, after the share has been chosen.
_LAST_STEPS = 3

# Added to the diagonal of the covariance of standardized columns.
_RIDGE = 1e-4

# Maximum numbers of rows, and of values of their matrices, that are computed at once.
_MAX_ROWS, _MAX_VALUES = 256, 2**22


@stored_as("gaussian")
class Gaussian(NamedTuple):
    """A multivariate normal distribution of rows.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
    covariance : ndarray of shape (n_features, n_features)
    """

    mean: np.ndarray
    covariance: np.ndarray

    def fill(self, X: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return rows with missing values replaced by their conditional means.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Missing values are not read.

        observed : ndarray of shape (n_samples, n_features), bool
        """
        centered = np.where(observed, X - self.mean, 0.0)
        filled = centered.copy()
        precision = np.linalg.inv(self.covariance)
        products = centered @ precision
        for block in _blocks(observed):
            matrices = block.submatrices(precision)
            values = block.take(products)[..., None]
            block.put(filled, -np.linalg.solve(matrices, values)[..., 0])
        return np.where(observed, X, filled + self.mean)

    def deviations(self, observed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw the deviations of missing values from their conditional means.

        Parameters
        ----------
        observed : ndarray of shape (n_samples, n_features), bool
        rng : numpy.random.Generator

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Zero for observed values.
        """
        drawn = np.zeros(observed.shape)
        precision = np.linalg.inv(self.covariance)
        for block in _blocks(observed):
            # If P = L L', then L'^-1 e has the covariance P^-1 for standard normal e.
            factors = np.linalg.cholesky(block.submatrices(precision))
            normal = rng.standard_normal((*block.columns.shape, 1))
            solved = np.linalg.solve(factors.transpose(0, 2, 1), normal)
            block.put(drawn, solved[..., 0])
        return drawn


def fit_gaussian(
    X: np.ndarray, observed: np.ndarray, held_out: np.ndarray
) -> tuple[Gaussian, Gaussian]:
    """Fit a normal distribution by EM, with shrinkage of the covariance.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Standardized columns. Missing values are not read.

    observed : ndarray of shape (n_samples, n_features), bool
    held_out : ndarray of shape (n_samples, n_features), bool
        Observed values by whose error the shrinkage is chosen.

    Returns
    -------
    without, with_all : Gaussian
        Fitted without the held-out values, and with all observed ones.
    """
    known = observed & ~held_out
    values, blocks = np.where(known, X, 0.0), list(_blocks(known))
    n_features = X.shape[1]
    model = best = Gaussian(np.zeros(n_features), np.eye(n_features))
    lowest, chosen = np.inf, 0.0
    for shrinkage, n_steps in _PATH:
        for _ in range(n_steps):
            model = _em_step(model, values, known, blocks, shrinkage)
        error = squared_error(model.fill(values, known), X, held_out)
        if error >= lowest:
            break
        best, lowest, chosen = model, error, shrinkage
    values, blocks = np.where(observed, X, 0.0), list(_blocks(observed))
    last = best
    for _ in range(_LAST_STEPS):
        last = _em_step(last, values, observed, blocks, chosen)
    return best, last


def _em_step(model, X, observed, blocks, shrinkage):
    """Return the model after one step of EM."""
    n_features = X.shape[1]
    centered = np.where(observed, X - model.mean, 0.0)
    precision = np.linalg.inv(model.covariance)
    products = centered @ precision
    conditional = np.zeros(n_features**2)
    for block in blocks:
        inverses = np.linalg.inv(block.submatrices(precision))
        block.put(centered, -np.einsum("nij,nj->ni", inverses, block.take(products)))
        conditional += block.sum_by_cell(inverses, n_features)
    shift = centered.mean(axis=0)
    centered -= shift
    covariance = centered.T @ centered + conditional.reshape(n_features, n_features)
    covariance /= len(X)
    diagonal = np.diag(covariance)
    covariance = (1 - shrinkage) * covariance + np.diag(shrinkage * diagonal + _RIDGE)
    return Gaussian(model.mean + shift, covariance)


class _Block(NamedTuple):
    """Rows with missing values, padded to equally many of them.

    Attributes
    ----------
    rows : ndarray of shape (n,), int
    columns : ndarray of shape (n, n_missing), int
        Missing columns of each row, then others as padding.

    is_missing : ndarray of shape (n, n_missing), bool
        False for padding.
    """

    rows: np.ndarray
    columns: np.ndarray
    is_missing: np.ndarray

    def take(self, X):
        """Return the values of these cells, and 0 for padding."""
        return X[self.rows[:, None], self.columns] * self.is_missing

    def put(self, X, values):
        """Set the values of these cells."""
        rows = np.broadcast_to(self.rows[:, None], self.columns.shape)
        cells = rows[self.is_missing], self.columns[self.is_missing]
        X[cells] = values[self.is_missing]

    def submatrices(self, matrix):
        """Return the part of a matrix of each row, and that of I for padding."""
        parts = matrix[self.columns[:, :, None], self.columns[:, None, :]]
        parts *= self.is_missing[:, :, None] & self.is_missing[:, None, :]
        diagonal = np.arange(self.columns.shape[1])
        parts[:, diagonal, diagonal] += ~self.is_missing
        return parts

    def sum_by_cell(self, matrices, n_features):
        """Return the sum of matrices of each row, as the elements of a full one."""
        diagonal = np.arange(self.columns.shape[1])
        matrices[:, diagonal, diagonal] -= ~self.is_missing
        cells = self.columns[:, :, None] * n_features + self.columns[:, None, :]
        return np.bincount(
            cells.ravel(), matrices.ravel(), minlength=n_features * n_features
        )


def _blocks(observed: np.ndarray) -> Iterator[_Block]:
    """Yield the rows with missing values, those with equally many together."""
    counts = (~observed).sum(axis=1)
    order = np.argsort(counts, kind="stable")
    order = order[np.searchsorted(counts[order], 1) :]
    while len(order):
        width = int(counts[order[-1]])
        n = int(np.clip(_MAX_VALUES // width**2, 1, _MAX_ROWS))
        order, rows = order[:-n], order[-n:]
        columns = np.argsort(observed[rows], axis=1, kind="stable")[:, :width]
        yield _Block(rows, columns, np.arange(width) < counts[rows][:, None])
