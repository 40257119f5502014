"""Score of a row: several distances on one scale, joined by a soft maximum."""

from collections.abc import Callable
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from .ellipse import Ellipse
from .neighbors import Neighbors, standard_deviations

Array = NDArray[np.floating]

# Added to the distances, in squared standard deviations for the first two: a thousandth
# of a standard deviation, below which differences do not matter.
FLOORS = np.array([1e-6, 1e-6, 1e-3, 1e-3])

# Difference between the upper quartile and the median of the logarithms of a distance
# below which it has the same value for most rows, and is not scaled.
_MIN_SPREAD = 1e-3


class Rows(NamedTuple):
    """Rows, and what is computed of them without a reducer.

    Attributes
    ----------
    values : ndarray of shape (n_samples, n_features)
    is_reference : ndarray of shape (n_samples,), dtype=bool
        Whether each row is among the training rows that can be neighbours.

    distances : ndarray of shape (n_samples,)
        Distance of each row to its last neighbour.
    """

    values: Array
    is_reference: NDArray[np.bool_]
    distances: Array


class Decoded(NamedTuple):
    """What a reducer makes of rows.

    Attributes
    ----------
    rows : Rows
    codes : ndarray of shape (n_samples, n_components)
    reconstructions : ndarray of shape (n_samples, n_features)
    """

    rows: Rows
    codes: Array
    reconstructions: Array


def fit_row_neighbors(rows: Array, is_reference: NDArray[np.bool_]) -> Neighbors:
    """Index training rows, divided by the root of the mean variance of the features."""
    scale = np.sqrt(rows.var(axis=0).mean(keepdims=True))
    return Neighbors.fit(rows[is_reference], scale)


class Scorer(NamedTuple):
    """Score of rows that one reducer has encoded and decoded.

    There are four distances: the mean squared residual, the robust Mahalanobis distance
    of the residual, and the distances to a neighbour in the code and among the rows.
    The logarithm of each is shifted and scaled such that it is 0 for the median of the
    held-out training rows and 1 for their upper quartile. The score is minus the
    logarithm of the sum of their exponentials: a soft maximum, which one large distance
    dominates.

    Attributes
    ----------
    ellipse : Ellipse
        Of the residuals of held-out rows.

    code_neighbors, row_neighbors : Neighbors
    medians, spreads : ndarray of shape (4,)
        Of the logarithms of the distances.
    """

    ellipse: Ellipse
    code_neighbors: Neighbors
    row_neighbors: Neighbors
    medians: Array
    spreads: Array

    @classmethod
    def fit(
        cls,
        decoded: Decoded,
        row_neighbors: Neighbors,
        is_held_out: NDArray[np.bool_],
    ) -> tuple[Self, Array]:
        """Fit the distances and their scale; return the scorer and the scores.

        Parameters
        ----------
        decoded : Decoded
            Training rows.

        row_neighbors : Neighbors
            Fitted to the same rows.

        is_held_out : ndarray of shape (n_samples,), dtype=bool
            Rows that the reducer was not fitted on.

        Returns
        -------
        scorer : Scorer
        scores : ndarray of shape (n_samples,)
            Equal to ``scorer.score(decoded)``.
        """
        rows, codes, reconstructions = decoded
        residuals = (rows.values - reconstructions) / row_neighbors.scale
        reference = codes[rows.is_reference]
        unscaled = cls(
            Ellipse.fit(residuals[is_held_out]),
            Neighbors.fit(reference, standard_deviations(codes)),
            row_neighbors,
            medians=np.zeros(len(FLOORS)),
            spreads=np.ones(len(FLOORS)),
        )
        logarithms = unscaled._logarithms(decoded)
        medians, quartiles = np.percentile(logarithms[is_held_out], (50, 75), axis=0)
        spreads = quartiles - medians
        spreads[spreads < _MIN_SPREAD] = 1
        scorer = unscaled._replace(medians=medians, spreads=spreads)
        return scorer, scorer._join(logarithms)

    def score(self, decoded: Decoded) -> Array:
        """Return the score of each row; outliers have low scores."""
        return self._join(self._logarithms(decoded))

    def contributions(
        self, decoded: Decoded, inverse_transform: Callable[[Array], Array]
    ) -> Array:
        """Return the shares of the features in the score of each row.

        Parameters
        ----------
        decoded : Decoded
        inverse_transform : callable
            Decodes codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows sum to 1.
        """
        (rows, is_reference, _), codes, reconstructions = decoded
        residuals = rows - reconstructions
        of_codes = self.code_neighbors.means(codes, is_reference)
        deviations = [
            residuals,
            self.ellipse.conditional_deviations(residuals / self.row_neighbors.scale),
            rows - inverse_transform(of_codes),
            rows - self.row_neighbors.means(rows, is_reference),
        ]
        weights = softmax(self._scale(self._logarithms(decoded)), axis=1).T
        shares = map(_shares, deviations)
        return sum(w[:, np.newaxis] * s for w, s in zip(weights, shares, strict=True))

    def _logarithms(self, decoded):
        """Return the logarithms of the distances, of shape (n_samples, 4)."""
        rows, codes, reconstructions = decoded
        residuals = (rows.values - reconstructions) / self.row_neighbors.scale
        distances = [
            np.square(residuals).mean(axis=1),
            self.ellipse.distances(residuals),
            self.code_neighbors.distances(codes, rows.is_reference),
            rows.distances,
        ]
        return np.log(np.stack(distances, axis=1) + FLOORS)

    def _scale(self, logarithms):
        return (logarithms - self.medians) / self.spreads

    def _join(self, logarithms):
        return -logsumexp(self._scale(logarithms), axis=1)


def _shares(deviations):
    """Return squares divided by the sum of their row; equal ones if all are zero."""
    squares = np.square(deviations)
    sums = squares.sum(axis=1, keepdims=True)
    equal = np.full_like(squares, 1 / squares.shape[1])
    return np.divide(squares, sums, out=equal, where=sums > 0)
