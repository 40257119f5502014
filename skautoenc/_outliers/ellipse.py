"""Mahalanobis distance with a robust covariance."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from .._utils.stored import stored_as

Array = NDArray[np.floating]

# Share of the points that the covariance is computed from, and how often those nearest
# to the centre are selected again.
_SUPPORT, _N_SELECTIONS = 0.75, 5

# Number of dimensions above which the covariance is diagonal, for time and memory.
_MAX_DIMENSIONS = 2000

# Added to the variance in any direction: below it, differences do not matter.
_MIN_VARIANCE = 1e-6


@stored_as("ellipse")
class Ellipse(NamedTuple):
    """Robust mean and covariance of points whose unit is about 1.

    Attributes
    ----------
    center : ndarray of shape (n_dimensions,)
    precision : ndarray of shape (n_dimensions, n_dimensions) or (n_dimensions,)
        Inverse of the covariance, or its diagonal if the covariance is diagonal.
    """

    center: Array
    precision: Array

    @classmethod
    def fit(cls, points: Array) -> Self:
        """Compute mean and covariance of the points near the centre.

        Parameters
        ----------
        points : ndarray of shape (n_points, n_dimensions)
        """
        n, n_dimensions = points.shape
        if n_dimensions > _MAX_DIMENSIONS:
            center = np.median(points, axis=0)
            variances = np.square(points - center).mean(axis=0)
            return cls(center, 1 / (variances + _MIN_VARIANCE))
        n_support = max(2, int(_SUPPORT * n))
        ellipse = cls(*_mean_and_precision(points))
        for _ in range(_N_SELECTIONS):
            order = np.argsort(ellipse.distances(points), kind="stable")
            ellipse = cls(*_mean_and_precision(points[order[:n_support]]))
        return ellipse

    def distances(self, points: Array) -> Array:
        """Return the squared Mahalanobis distance of each point."""
        deviations = points - self.center
        return np.vecdot(deviations, self._times_precision(deviations))

    def conditional_deviations(self, points: Array) -> Array:
        """Return how far each coordinate is from its mean given the others.

        It is in conditional standard deviations of a normal distribution.
        """
        precision = self.precision
        diagonal = precision if precision.ndim == 1 else np.diag(precision)
        return self._times_precision(points - self.center) / np.sqrt(diagonal)

    def _times_precision(self, deviations):
        if self.precision.ndim == 1:
            return deviations * self.precision
        return deviations @ self.precision


def _mean_and_precision(points):
    mean = points.mean(axis=0)
    covariance, _ = ledoit_wolf(points - mean, assume_centered=True)
    covariance.flat[:: len(covariance) + 1] += _MIN_VARIANCE
    return mean, np.linalg.inv(covariance)
