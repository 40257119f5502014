"""Distances of points from a cloud of points: robust Mahalanobis, and to neighbours."""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf
from sklearn.neighbors import NearestNeighbors

Array = NDArray[np.floating]

# Neighbour that the distance is measured to; a fifth of the points of small clouds.
_N_NEIGHBORS, _MAX_SHARE_OF_NEIGHBORS = 20, 5

# Share of the points that the covariance is computed from, and how often those nearest
# to the centre are selected again.
_SUPPORT, _N_SELECTIONS = 0.75, 5

# Number of dimensions above which the covariance is diagonal, for time and memory.
_MAX_DIMENSIONS = 2000

# Smallest variance in any direction, for points scaled to variance 1.
_MIN_VARIANCE = 1e-9


class Cloud(NamedTuple):
    """Points, and the distances of other points from them.

    Attributes
    ----------
    scale : ndarray of shape (n_dimensions,) or (1,)
        What all points are divided by.

    center : ndarray of shape (n_dimensions,)
        Robust mean of the points after division by `scale`.

    precision : ndarray of shape (n_dimensions, n_dimensions) or (n_dimensions,)
        Inverse of the robust covariance, or the diagonal of one.

    reference : ndarray of shape (n_reference, n_dimensions)
        Points that can be neighbours, after division by `scale`.

    neighbors : NearestNeighbors
        Fitted to `reference`.
    """

    scale: Array
    center: Array
    precision: Array
    reference: Array
    neighbors: NearestNeighbors

    @classmethod
    def fit(
        cls, points: Array, is_reference: NDArray[np.bool_], *, scale_each: bool
    ) -> Self:
        """Fit both distances.

        Parameters
        ----------
        points : ndarray of shape (n_points, n_dimensions)
        is_reference : ndarray of shape (n_points,), dtype=bool
            Points that can be neighbours.

        scale_each : bool
            Divide each dimension by its standard deviation. False divides all by the
            root of their mean variance.
        """
        variances = points.var(axis=0)
        if not scale_each:
            variances = variances.mean(keepdims=True)
        scale = np.sqrt(np.where(variances > 0, variances, 1))
        reference = points[is_reference] / scale
        k = min(_N_NEIGHBORS, max(1, len(reference) // _MAX_SHARE_OF_NEIGHBORS))
        center, precision = _robust_mean_and_precision(points / scale)
        neighbors = NearestNeighbors(n_neighbors=k).fit(reference)
        return cls(scale, center, precision, reference, neighbors)

    def distances(self, points: Array, is_reference: NDArray[np.bool_]) -> Array:
        """Return the squared Mahalanobis distance, and the distance to a neighbour.

        Parameters
        ----------
        points : ndarray of shape (n_points, n_dimensions)
        is_reference : ndarray of shape (n_points,), dtype=bool
            Points that are among the reference points, and not their own neighbours.

        Returns
        -------
        ndarray of shape (2, n_points)
        """
        deviations = points / self.scale - self.center
        mahalanobis = np.vecdot(deviations, self._whiten(deviations))
        distances, _ = self._neighbors_of(points, is_reference)
        # Rounding may give a distance below zero.
        return np.stack([np.maximum(mahalanobis, 0), distances[:, -1]])

    def expected(self) -> Array:
        """Return the robust mean, in units of the points."""
        return self.center * self.scale

    def mean_neighbors(self, points: Array, is_reference: NDArray[np.bool_]) -> Array:
        """Return the mean of the neighbours of each point, in units of the points."""
        _, indices = self._neighbors_of(points, is_reference)
        return self.reference[indices].mean(axis=1) * self.scale

    def conditional_deviations(self, points: Array) -> Array:
        """Return the squared deviation of each coordinate given the others.

        It is relative to the conditional variance under a normal distribution.
        """
        deviations = points / self.scale - self.center
        diagonal = (
            self.precision if self.precision.ndim == 1 else np.diag(self.precision)
        )
        return np.square(self._whiten(deviations)) / diagonal

    def _whiten(self, deviations):
        if self.precision.ndim == 1:
            return deviations * self.precision
        return deviations @ self.precision

    def _neighbors_of(self, points, is_reference):
        """Return distances and indices of the neighbours, the nearest first."""
        k = self.neighbors.n_neighbors
        distances, indices = self.neighbors.kneighbors(points / self.scale, k + 1)
        columns = np.arange(k) + is_reference[:, np.newaxis]
        return (
            np.take_along_axis(distances, columns, axis=1),
            np.take_along_axis(indices, columns, axis=1),
        )


def _robust_mean_and_precision(points):
    """Return the mean and the inverse covariance of the points near the centre."""
    n, n_dimensions = points.shape
    if n_dimensions > _MAX_DIMENSIONS:
        center = np.median(points, axis=0)
        variances = np.square(points - center).mean(axis=0)
        return center, 1 / (variances + _MIN_VARIANCE)
    n_support = max(2, int(_SUPPORT * n))
    support = points
    for _ in range(_N_SELECTIONS):
        center, precision = _mean_and_precision(support)
        deviations = points - center
        distances = np.vecdot(deviations, deviations @ precision)
        support = points[np.argsort(distances, kind="stable")[:n_support]]
    return _mean_and_precision(support)


def _mean_and_precision(points):
    mean = points.mean(axis=0)
    covariance, _ = ledoit_wolf(points - mean, assume_centered=True)
    covariance.flat[:: len(covariance) + 1] += _MIN_VARIANCE
    return mean, np.linalg.inv(covariance)
