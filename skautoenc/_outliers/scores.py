"""Score of a row: several distances on one scale, joined by a soft maximum."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from .clouds import Cloud

Array = NDArray[np.floating]

# Added to all distances, in squared standard deviations for those that are squares: a
# thousandth of a standard deviation, below which differences do not matter.
_FLOORS = np.array([1e-6, 1e-6, 1e-3, 1e-6, 1e-3])

# Difference between the upper quartile and the median of the logarithms of a distance
# below which it has the same value for most rows, and is not scaled.
_MIN_SPREAD = 1e-3


class Decoded(NamedTuple):
    """Rows, and what a reducer makes of them.

    Attributes
    ----------
    rows : ndarray of shape (n_samples, n_features)
    codes : ndarray of shape (n_samples, n_components)
    reconstructions : ndarray of shape (n_samples, n_features)
    is_reference : ndarray of shape (n_samples,), dtype=bool
        Whether each row is among the training rows that can be neighbours.
    """

    rows: Array
    codes: Array
    reconstructions: Array
    is_reference: NDArray[np.bool_]


class Scorer(NamedTuple):
    """Score of rows that one reducer has encoded and decoded.

    There are five distances: the mean squared residual, and in the code and among the
    rows the robust Mahalanobis distance and the distance to a neighbour. The logarithm
    of each is shifted and scaled such that it is 0 for the median of the held-out
    training rows and 1 for their upper quartile. The score is minus the logarithm of
    the sum of their exponentials: a soft maximum, which one large distance dominates.

    Attributes
    ----------
    code_cloud, row_cloud : Cloud
    medians, spreads : ndarray of shape (5,)
        Of the logarithms of the distances.
    """

    code_cloud: Cloud
    row_cloud: Cloud
    medians: Array
    spreads: Array

    @classmethod
    def fit(
        cls, decoded: Decoded, row_cloud: Cloud, is_held_out: NDArray[np.bool_]
    ) -> Self:
        """Fit the distances in the code, and the scale of all distances.

        Parameters
        ----------
        decoded : Decoded
            Training rows.

        row_cloud : Cloud
            Fitted to the same rows.

        is_held_out : ndarray of shape (n_samples,), dtype=bool
            Rows that the reducer was not fitted on.
        """
        codes, is_reference = decoded.codes, decoded.is_reference
        code_cloud = Cloud.fit(codes, is_reference, scale_each=True)
        unscaled = cls(code_cloud, row_cloud, np.zeros(5), np.ones(5))
        terms = unscaled._terms(decoded)[:, is_held_out]
        medians, quartiles = np.percentile(terms, (50, 75), axis=1)
        spreads = quartiles - medians
        spreads[spreads < _MIN_SPREAD] = 1
        return unscaled._replace(medians=medians, spreads=spreads)

    def score(self, decoded: Decoded) -> Array:
        """Return the score of each row; outliers have low scores."""
        return -logsumexp(self._terms(decoded), axis=0)

    def contributions(self, decoded: Decoded, inverse_transform: Any) -> Array:
        """Return the shares of the features in the score of each row.

        Parameters
        ----------
        decoded : Decoded
        inverse_transform : callable
            Decodes codes to an ndarray.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows sum to 1.
        """
        rows, codes, reconstructions, is_reference = decoded
        center = inverse_transform(self.code_cloud.expected()[np.newaxis])
        neighbors = inverse_transform(
            self.code_cloud.mean_neighbors(codes, is_reference)
        )
        of_features = [
            rows - reconstructions,
            rows - center,
            rows - neighbors,
            np.sqrt(self.row_cloud.conditional_deviations(rows)),
            rows - self.row_cloud.mean_neighbors(rows, is_reference),
        ]
        weights = softmax(self._terms(decoded), axis=0)
        return sum(
            weight[:, np.newaxis] * _shares(deviations)
            for weight, deviations in zip(weights, of_features, strict=True)
        )

    def _terms(self, decoded):
        """Return the scaled logarithms of the distances, of shape (5, n_samples)."""
        rows, codes, reconstructions, is_reference = decoded
        residuals = (rows - reconstructions) / self.row_cloud.scale
        distances = [
            np.square(residuals).mean(axis=1, keepdims=True).T,
            self.code_cloud.distances(codes, is_reference),
            self.row_cloud.distances(rows, is_reference),
        ]
        logarithms = np.log(np.concatenate(distances).T + _FLOORS)
        return ((logarithms - self.medians) / self.spreads).T


def _shares(deviations):
    """Return squares divided by the sum of their row; equal ones if all are zero."""
    squares = np.square(deviations)
    sums = squares.sum(axis=1, keepdims=True)
    equal = np.full_like(squares, 1 / squares.shape[1])
    return np.divide(squares, sums, out=equal, where=sums > 0)
