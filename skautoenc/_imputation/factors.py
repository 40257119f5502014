"""Factor analysis of rows with missing values, for tables with many columns.

Rows are a linear function of few standard normal factors, plus independent noise. It is
fitted by EM, see Z. Ghahramani, G. E. Hinton, "The EM Algorithm for Mixtures of Factor
Analyzers", University of Toronto CRG-TR-96-1 (1996). A step takes time proportional to
the number of columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.utils.extmath import randomized_svd

from .._utils.blocks import row_blocks
from .._utils.stored import stored_as
from .cells import Validation

# Numbers of factors to choose from, and EM steps with each.
_RANKS, _STEPS = (4, 16, 48), 15

# Minimum variance of the noise of a standardized column.
_MIN_NOISE = 1e-3


@stored_as("factor_model")
class FactorModel(NamedTuple):
    """Standardized rows as a linear function of factors, plus noise.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
    loadings : ndarray of shape (n_features, n_factors)
    noise : ndarray of shape (n_features,)
        Variances of the noise.
    """

    mean: np.ndarray
    loadings: np.ndarray
    noise: np.ndarray

    def fill(self, X: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """Return rows with missing values replaced by their conditional means.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Missing values are not read.

        observed : ndarray of shape (n_samples, n_features), bool
        """
        centered = np.where(observed, X - self.mean, 0.0)
        filled = np.empty_like(centered)
        for rows in self.blocks(observed):
            means, _ = self.factors(centered[rows], observed[rows])
            filled[rows] = means @ self.loadings.T + self.mean
        return np.where(observed, X, filled)

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
        drawn = rng.standard_normal(observed.shape) * np.sqrt(self.noise)
        for rows in self.blocks(observed):
            _, covariances = self.factors(np.zeros(drawn[rows].shape), observed[rows])
            normal = rng.standard_normal((len(covariances), self.loadings.shape[1], 1))
            factors = (np.linalg.cholesky(covariances) @ normal)[..., 0]
            drawn[rows] += factors @ self.loadings.T
        return np.where(observed, 0.0, drawn)

    def blocks(self, observed: np.ndarray) -> list[slice]:
        """Return blocks of rows whose covariances are computed at once."""
        return row_blocks(len(observed), self.loadings.shape[1] ** 2)

    def factors(
        self, centered: np.ndarray, observed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the conditional means and covariances of the factors of rows.

        `centered` has zeros for missing values.
        """
        n_factors = self.loadings.shape[1]
        weighted = self.loadings / self.noise[:, None]
        products = self.loadings[:, :, None] * weighted[:, None, :]
        precisions = observed.astype(float) @ products.reshape(-1, n_factors**2)
        precisions = precisions.reshape(-1, n_factors, n_factors) + np.eye(n_factors)
        covariances = np.linalg.inv(precisions)
        return np.einsum("nij,nj->ni", covariances, centered @ weighted), covariances


def fit_factors(
    X: np.ndarray,
    known: np.ndarray,
    observed: np.ndarray,
    validation: Validation,
    rng: np.random.Generator,
) -> tuple[FactorModel, FactorModel]:
    """Fit a factor model by EM, and choose the number of factors.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Standardized columns. Missing values are not read.

    known, observed : ndarray of shape (n_samples, n_features), bool
        Values to fit to while the number of factors is chosen, and all observed ones.

    validation : Validation
        Values by whose error the number of factors is chosen.

    rng : numpy.random.Generator
        Seeds the randomized solver of the initial loadings.

    Returns
    -------
    without, with_all : FactorModel
        Fitted to the known values, and to all observed ones.
    """
    values = np.where(known, X, 0.0)
    best, lowest = None, np.inf
    for n_factors in _RANKS:
        if best is not None and n_factors >= min(X.shape):
            break
        model = _principal_factors(values, known, n_factors, rng)
        for _ in range(_STEPS):
            model = _em_step(model, values, known)
        error = validation.error(model)
        if error >= lowest:
            break
        best, lowest = model, error
    assert best is not None
    if known is observed:
        return best, best
    return best, _em_step(best, np.where(observed, X, 0.0), observed)


def _principal_factors(X, observed, n_factors, rng):
    """Return a model with the principal components of rows filled with the mean."""
    seed = int(rng.integers(2**32))
    _, scales, axes = randomized_svd(X, n_factors, random_state=seed)
    scales /= np.sqrt(len(X)) * observed.mean()
    loadings = axes.T * scales
    noise = 1 - np.square(loadings).sum(axis=1)
    return FactorModel(np.zeros(X.shape[1]), loadings, np.maximum(noise, 0.1))


def _em_step(model, X, observed):
    """Return the model after one step of EM, with the factors scaled to unit variance.

    The scaling speeds it up: C. Liu, D. B. Rubin, Y. N. Wu, "Parameter Expansion to
    Accelerate EM: The PX-EM Algorithm", Biometrika 85 (1998).
    """
    n_features, n_factors = model.loadings.shape
    centered = np.where(observed, X - model.mean, 0.0)
    moments = np.zeros((n_features, n_factors**2))
    products, sums = np.zeros((2, n_features, n_factors))
    covariance = np.zeros((n_factors, n_factors))
    for rows in model.blocks(observed):
        is_observed = observed[rows].T.astype(float)
        means, covariances = model.factors(centered[rows], observed[rows])
        squares = covariances + means[:, :, None] * means[:, None, :]
        moments += is_observed @ squares.reshape(-1, n_factors**2)
        products += centered[rows].T @ means
        sums += is_observed @ means
        covariance += squares.sum(axis=0) / len(X)
    # The prior of the loadings is standard normal, which a rare column needs.
    moments = moments.reshape(-1, n_factors, n_factors) + np.eye(n_factors)
    loadings = np.linalg.solve(moments, products[..., None])[..., 0]
    n_observed = np.maximum(observed.sum(axis=0), 1)
    explained = np.vecdot(loadings, products + loadings)
    noise = (np.square(centered).sum(axis=0) - explained) / n_observed
    shift = (centered.sum(axis=0) - np.vecdot(loadings, sums)) / n_observed
    return FactorModel(
        model.mean + shift,
        loadings @ np.linalg.cholesky(covariance),
        np.maximum(noise, _MIN_NOISE),
    )
