"""A normal distribution fitted to rows with missing values, and its conditionals.

The EM algorithm: A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum Likelihood from
Incomplete Data via the EM Algorithm", Journal of the Royal Statistical Society B 39
(1977). It works with the precision matrix, as the conditional distribution of the
missing values of a row then takes a matrix of the size of the missing part only.

The distribution is updated after each part of the rows, which takes fewer passes: R. M.
Neal, G. E. Hinton, "A View of the EM Algorithm that Justifies Incremental, Sparse, and
other Variants", Learning in Graphical Models (1998).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .._utils.stored import stored_as
from .cells import Validation

# Shares by which the covariance is shrunk to its diagonal, and passes with each.
_PATH = (0.25, 1), (0.08, 1), (0.02, 2), (0.003, 4)

# Maximum number of rows for all passes but the last ones, and of parts of the rows.
_MAX_ROWS_OF_PATH, _N_PARTS = 20_000, 8

# Added to the diagonal of the covariance of standardized columns.
_RIDGE = 1e-4

# Maximum numbers of rows, and of values of their matrices, that are computed at once:
# they stay in the processor's cache.
_MAX_ROWS, _MAX_VALUES = 256, 2**16

# Maximum size of matrices that are inverted by elimination, and not by halves.
_MAX_ELIMINATED = 10


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
        precision = np.linalg.inv(self.covariance)
        for block in _blocks(observed):
            rows = centered[block.rows]
            products = block.take(rows @ precision)[..., None]
            means = np.linalg.solve(block.submatrices(precision), -products)
            centered[block.rows] = block.put(rows, means[..., 0])
        return np.where(observed, X, centered + self.mean)

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
            deviations = np.linalg.solve(factors.transpose(0, 2, 1), normal)
            drawn[block.rows] = block.put(drawn[block.rows], deviations[..., 0])
        return drawn


def fit_gaussian(
    X: np.ndarray,
    known: np.ndarray,
    observed: np.ndarray,
    validation: Validation,
    rng: np.random.Generator,
) -> tuple[Gaussian, Gaussian]:
    """Fit a normal distribution by EM, with shrinkage of the covariance.

    The shrinkage is chosen on some of the rows if there are many.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Standardized columns. Missing values are not read.

    known, observed : ndarray of shape (n_samples, n_features), bool
        Values to fit to while the shrinkage is chosen, and all observed ones.

    validation : Validation
        Values by whose error the shrinkage is chosen.

    rng : numpy.random.Generator
        Draws rows.

    Returns
    -------
    without, with_all : Gaussian
        Fitted to the known values, and to all observed ones.
    """
    n_rows = len(X)
    is_sampled = n_rows > _MAX_ROWS_OF_PATH
    rows: Any = slice(None)
    if is_sampled:
        rows = rng.permutation(n_rows)[:_MAX_ROWS_OF_PATH]
    table = _Table(X[rows], known[rows])
    chosen, lowest = _PATH[0][0], np.inf
    model = best = table.distribution(chosen)
    for shrinkage, n_passes in _PATH:
        for _ in range(n_passes):
            model = table.improved(model, shrinkage)
        error = validation.error(model)
        if error >= lowest:
            break
        best, lowest, chosen = model, error, shrinkage
    if known is observed and not is_sampled:
        return best, best
    table = _Table(X, observed)
    table.expect(best)
    return best, table.improved(table.distribution(chosen), chosen)


class _Table:
    """Rows with missing values in some parts, and what is expected of each part.

    At first, missing values are independent, with mean 0 and variance 1.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    observed : ndarray of shape (n_samples, n_features), bool
    """

    def __init__(self, X: np.ndarray, observed: np.ndarray):
        self._X, self._observed = np.where(observed, X, 0.0), observed
        size = int(np.clip(len(X) // _N_PARTS, 16, _MAX_ROWS))
        blocks = list(_blocks(observed, size))
        self._parts = [blocks[i::_N_PARTS] for i in range(min(_N_PARTS, len(blocks)))]
        rows_of = [np.concatenate([b.rows for b in part]) for part in self._parts]
        rows_of.append(np.flatnonzero(observed.all(axis=1)))
        # Sums of rows and of their products, in each part and in complete rows.
        self._sums = np.array([self._X[rows].sum(axis=0) for rows in rows_of])
        self._products = np.array(
            [
                self._X[rows].T @ self._X[rows] + np.diag((~observed[rows]).sum(axis=0))
                for rows in rows_of
            ]
        )

    def expect(self, model: Gaussian) -> None:
        """Expect missing values of all parts as a distribution does."""
        for i in range(len(self._parts)):
            self._expect(i, model)

    def improved(self, model: Gaussian, shrinkage: float) -> Gaussian:
        """Return the distribution after one pass, updated after each part."""
        for i in range(len(self._parts)):
            self._expect(i, model)
            model = self.distribution(shrinkage)
        return model

    def _expect(self, i, model):
        """Expect missing values of a part as a distribution does: the E step."""
        n_features = len(model.mean)
        precision = np.linalg.inv(model.covariance)
        sums, products = np.zeros(n_features), np.zeros((n_features, n_features))
        for block in self._parts[i]:
            covariances = _inverses(block.submatrices(precision))
            rows = self._X[block.rows] - model.mean
            rows *= self._observed[block.rows]
            weighted = block.take(rows @ precision)[..., None]
            means = -(covariances @ weighted)[..., 0]
            rows = block.put(rows, means) + model.mean
            sums += rows.sum(axis=0)
            products += rows.T @ rows + block.sum_by_cell(covariances, n_features)
        self._sums[i], self._products[i] = sums, products

    def distribution(self, shrinkage: float) -> Gaussian:
        """Return the distribution with the expected moments, shrunk: the M step."""
        mean = self._sums.sum(axis=0) / len(self._X)
        covariance = self._products.sum(axis=0) / len(self._X) - np.outer(mean, mean)
        diagonal = np.diag(covariance)
        covariance = (1 - shrinkage) * covariance
        return Gaussian(mean, covariance + np.diag(shrinkage * diagonal + _RIDGE))


class _Block(NamedTuple):
    """Rows with missing values, padded to equally many of them.

    Attributes
    ----------
    rows : ndarray of shape (n,), int
    columns : ndarray of shape (n, n_missing), int
        Missing columns of each row, then columns after the last one as padding.

    n_padding : int
        Maximum number of columns of padding.
    """

    rows: np.ndarray
    columns: np.ndarray
    n_padding: int

    def take(self, X):
        """Return the missing values of rows, and 0 for padding."""
        return np.take_along_axis(self._padded(X), self.columns, axis=1)

    def put(self, X, values):
        """Return rows with these missing values."""
        padded = self._padded(X)
        np.put_along_axis(padded, self.columns, values, axis=1)
        return padded[:, : X.shape[1]]

    def _padded(self, X):
        n_rows, n_features = X.shape
        padded = np.zeros((n_rows, n_features + self.n_padding))
        padded[:, :n_features] = X
        return padded

    def _cells(self, n_features):
        """Return the positions of the parts in a matrix that is padded."""
        size = n_features + self.n_padding
        return self.columns[:, :, None] * size + self.columns[:, None, :]

    def submatrices(self, matrix):
        """Return the part of a matrix of each row, and that of I for padding."""
        n_features = len(matrix)
        padded = np.eye(n_features + self.n_padding)
        padded[:n_features, :n_features] = matrix
        return padded.ravel().take(self._cells(n_features))

    def sum_by_cell(self, matrices, n_features):
        """Return the sum of the parts of each row as a matrix."""
        size = n_features + self.n_padding
        cells = self._cells(n_features).ravel()
        sums = np.bincount(cells, matrices.ravel(), minlength=size * size)
        return sums.reshape(size, size)[:n_features, :n_features]


def _blocks(observed: np.ndarray, max_rows: int = _MAX_ROWS) -> Iterator[_Block]:
    """Yield the rows with missing values, those with equally many together."""
    n_features = observed.shape[1]
    counts = (~observed).sum(axis=1)
    order = np.argsort(counts, kind="stable")
    order = order[np.searchsorted(counts[order], 1) :]
    while len(order):
        width = int(counts[order[-1]])
        n = int(np.clip(_MAX_VALUES // width**2, 1, max_rows))
        order, rows = order[:-n], order[-n:]
        columns = np.argsort(observed[rows], axis=1, kind="stable")[:, :width]
        n_padding = np.arange(width) - counts[rows][:, None]
        columns = np.where(n_padding < 0, columns, n_features + n_padding)
        yield _Block(rows, columns, int(width - counts[rows].min()))


def _inverses(matrices):
    """Return the inverses of positive definite matrices, by their Schur complements."""
    size = matrices.shape[-1]
    if size <= _MAX_ELIMINATED:
        return _eliminated(matrices)
    h = size // 2
    across = matrices[:, h:, :h]
    first = _inverses(matrices[:, :h, :h])
    slopes = across @ first
    last = _inverses(matrices[:, h:, h:] - slopes @ across.transpose(0, 2, 1))
    below = last @ slopes
    inverses = np.empty_like(matrices)
    inverses[:, :h, :h] = first + slopes.transpose(0, 2, 1) @ below
    inverses[:, h:, :h] = -below
    inverses[:, :h, h:] = -below.transpose(0, 2, 1)
    inverses[:, h:, h:] = last
    return inverses


def _eliminated(matrices):
    """Return the inverses by Gauss-Jordan elimination, of all matrices at once."""
    inverses = matrices.transpose(1, 2, 0).copy()
    for i in range(len(inverses)):
        pivot = 1 / inverses[i, i]
        row, column = inverses[i] * pivot, inverses[:, i].copy()
        column[i] = 0
        inverses -= column[:, None] * row
        inverses[:, i] = column * -pivot
        inverses[i] = row
        inverses[i, i] = pivot
    return inverses.transpose(2, 0, 1)
