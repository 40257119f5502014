"""Weighted PCA of dense, sparse and streamed rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import issparse
from sklearn.decomposition import PCA
from sklearn.utils.extmath import svd_flip

from .._training import ChunkedRows, StreamedRows
from .._utils.stored import stored_as
from .._utils.threads import one_blas_thread

# Maximum number of features for which the covariance matrix is computed: of data that
# are visited in blocks, which have no other way, and of other data, for which it is
# fast. Sparse and dense rows then have the same components.
MAX_STREAMED_FEATURES, _MAX_COVARIANCE = 2**12, 2**10

# Data with fewer rows get a full decomposition, not a randomized one.
_MAX_DECOMPOSED = 2**9

# Maximum number of rows for the noise variance of wide data, and minimum noise variance
# relative to the mean variance of a feature: a smaller one is hardly a prior.
_MAX_SAMPLED, _MIN_NOISE = 2**12, 0.05

# Number of rows of a block.
_BLOCK_ROWS = 2**12


@stored_as("covariance")
class Covariance(NamedTuple):
    """Weighted mean and covariance of rows, in float64.

    Attributes
    ----------
    weight : float
        Sum of the weights.

    mean : ndarray of shape (n_features,)
    matrix : ndarray of shape (n_features, n_features)
    """

    weight: float
    mean: np.ndarray
    matrix: np.ndarray

    def merged(self, other: Covariance) -> Covariance:
        """Return the covariance of the rows of both.

        T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating Formulae and a Pairwise
        Algorithm for Computing Sample Variances", COMPSTAT (1982).
        """
        weight = self.weight + other.weight
        share = other.weight / weight
        difference = other.mean - self.mean
        matrix = (1 - share) * self.matrix + share * other.matrix
        matrix += share * (1 - share) * np.outer(difference, difference)
        return Covariance(weight, self.mean + share * difference, matrix)


class Components(NamedTuple):
    """Principal components of rows.

    Attributes
    ----------
    components : ndarray of shape (n_components, n_features)
        Zero for components without variance.

    mean : ndarray of shape (n_features,)
    variances : ndarray of shape (n_components,)
        Variance along each component.

    total : float
        Sum of the variances of all features.
    """

    components: np.ndarray
    mean: np.ndarray
    variances: np.ndarray
    total: float

    @property
    def noise_variance(self) -> float:
        """Noise variance of probabilistic PCA, at least 5 % of the mean variance.

        M. E. Tipping, C. M. Bishop, "Probabilistic Principal Component Analysis",
        Journal of the Royal Statistical Society B 61 (1999).
        """
        n_components, n_features = self.components.shape
        residual = self.variances[-1]
        if n_components < n_features:
            residual = (self.total - self.variances.sum()) / (n_features - n_components)
        return float(max(residual, _MIN_NOISE * self.total / n_features))


def max_components(rows) -> int:
    """Return the maximum number of components that PCA of these rows can have."""
    n_max = min(rows.X.shape[1], len(rows))
    if issparse(rows.X) and not _uses_covariance(rows):
        n_max = min(min(rows.X.shape) - 1, n_max)  # the maximum of ARPACK
    return n_max


def _uses_covariance(rows):
    return isinstance(rows, StreamedRows) or rows.X.shape[1] <= _MAX_COVARIANCE


def is_too_wide(rows) -> bool:
    """Whether rows are streamed and have too many features for a covariance matrix."""
    return isinstance(rows, StreamedRows) and rows.X.shape[1] > MAX_STREAMED_FEATURES


def n_components_for_share(rows, share: float, seed: int) -> int:
    """Return the minimum number of components that explain a share of the variance.

    Parameters
    ----------
    rows : Rows or StreamedRows
    share : float
        In (0, 1). As in scikit-learn's `PCA`, it must be exceeded.

    seed : int
        Of the randomized solver.

    Raises
    ------
    ValueError
        If the rows are streamed or sparse, and have too many features for their
        covariance matrix.
    """
    if is_too_wide(rows) or (issparse(rows.X) and not _uses_covariance(rows)):
        kind, limit = "sparse", _MAX_COVARIANCE
        if is_too_wide(rows):
            kind, limit = "visited in blocks", MAX_STREAMED_FEATURES
        raise ValueError(
            f"n_components={share} is a share of the variance, which needs all "
            f"principal components of X. X is {kind} and has {rows.X.shape[1]} "
            f"features, and they are computed for at most {limit}. Give the number of "
            "components."
        )
    n_max = max_components(rows)
    _, _, variances, total = principal_components(rows, n_max, seed)
    if total == 0:
        return 1
    shares = np.cumsum(variances / total)
    return min(n_max, int(np.searchsorted(shares, share, side="right")) + 1)


def noise_variance(rows, n_components: int, seed: int) -> float:
    """Return the noise variance of probabilistic PCA, of a sample if rows are wide.

    Parameters
    ----------
    rows : Rows or StreamedRows
    n_components : int
    seed : int
    """
    if not _uses_covariance(rows) or is_too_wide(rows):
        n_rows = min(len(rows), _MAX_SAMPLED)
        rows = rows.sample(n_rows)
    return principal_components(rows, n_components, seed).noise_variance


def principal_components(rows, n_components: int, seed: int) -> Components:
    """Return the principal components, in float64 if the covariance is computed.

    Parameters
    ----------
    rows : Rows or StreamedRows
    n_components : int
        At most `max_components` are computed.

    seed : int
        Of the randomized solver.
    """
    n_components = min(n_components, max_components(rows))
    if _uses_covariance(rows):
        return components_of(covariance_of(rows), n_components)
    # A single row, or constant rows, have no variance to divide by.
    with one_blas_thread, np.errstate(all="ignore"):
        return _cleaned(*_pca_of_wide_rows(rows, n_components, seed))


def components_of(covariance: Covariance, n_components: int) -> Components:
    """Return the first principal components of a covariance matrix.

    Parameters
    ----------
    covariance : Covariance
    n_components : int
        At most the number of features.
    """
    _, mean, matrix = covariance
    n_features = len(mean)
    with one_blas_thread, np.errstate(all="ignore"):
        first = n_features - n_components
        variances, vectors = eigh(matrix, subset_by_index=[first, n_features - 1])
        _, components = svd_flip(None, vectors.T[::-1], u_based_decision=False)
        total, constant = np.trace(matrix), np.diag(matrix) == 0
    return _cleaned(components, mean, variances[::-1], total, constant)


def _cleaned(components, mean, variances, total, constant):
    """Return components that are zero without variance, and for constant features."""
    total = max(np.nan_to_num(total), 0.0)
    variances = np.nan_to_num(variances).clip(0)
    varies = variances > total * np.finfo(np.float64).eps
    components = components * np.outer(varies, ~constant)
    return Components(components, mean, variances, total)


def covariance_of(rows) -> Covariance:
    """Return the covariance of rows, in one pass over them.

    That of chunks is computed where they are.

    Parameters
    ----------
    rows : Rows or StreamedRows
    """
    if isinstance(rows, ChunkedRows):
        return rows.reduced(covariance_of, Covariance.merged)
    n_features = rows.X.shape[1]
    total, products = np.zeros(n_features), np.zeros((n_features, n_features))
    weight, origin = 0.0, np.zeros(n_features)
    with one_blas_thread, np.errstate(all="ignore"):
        for part in rows.parts(_BLOCK_ROWS):
            block, _ = part.arrays()
            if weight == 0:  # near the mean, or products lose their digits to it
                origin = block.mean(axis=0, dtype=np.float64)
            block = block - origin
            weighted = block * part.weight[:, None]
            weight += part.weight.sum(dtype=np.float64)
            total += weighted.sum(axis=0)
            products += weighted.T @ block
        mean = total / weight
        return Covariance(
            weight, origin + mean, products / weight - np.outer(mean, mean)
        )


def _pca_of_wide_rows(rows, n_components, seed):
    """Return what `_cleaned` takes, of rows too wide for their covariance."""
    if issparse(rows.X):
        X = rows.X[rows.index]
        constant = np.zeros(X.shape[1], bool)
    else:
        X, _ = rows.arrays()
        constant = X.max(axis=0) == X.min(axis=0)
    is_small = not issparse(X) and min(X.shape) <= _MAX_DECOMPOSED
    solver = "full" if is_small else "auto"
    pca = PCA(n_components, svd_solver=solver, random_state=seed).fit(X)
    mean = pca.mean_
    if issparse(X) and rows.shift is not None:
        mean = mean - rows.shift
    variances = pca.explained_variance_
    total = variances.sum() / pca.explained_variance_ratio_.sum()
    return pca.components_, mean, variances, total, constant
