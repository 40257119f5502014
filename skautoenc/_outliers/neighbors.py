"""Distance to a near neighbour."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from .._utils.stored import stored_as

Array = NDArray[np.floating]

# Neighbour that the distance is measured to; a fifth of the points if they are few.
_N_NEIGHBORS, _MAX_SHARE = 20, 5


@stored_as("neighbors")
@dataclass(frozen=True)
class Neighbors:
    """Points among which neighbours are searched.

    Attributes
    ----------
    scale : ndarray of shape (n_dimensions,) or (1,)
        What points are divided by.

    reference : ndarray of shape (n_reference, n_dimensions)
        The points, after this division.
    """

    scale: Array
    reference: Array

    @classmethod
    def fit(cls, reference: Array, scale: Array) -> Self:
        """Index points.

        Parameters
        ----------
        reference : ndarray of shape (n_reference, n_dimensions)
        scale : ndarray of shape (n_dimensions,) or (1,)
        """
        return cls(scale, reference / scale)

    @cached_property
    def search(self) -> NearestNeighbors:
        """Fitted to `reference` when it is used; its tree is not stored."""
        k = min(_N_NEIGHBORS, max(1, len(self.reference) // _MAX_SHARE))
        return NearestNeighbors(n_neighbors=k).fit(self.reference)

    def distances(self, points: Array, is_reference: NDArray[np.bool_]) -> Array:
        """Return the distance to the last neighbour of each point.

        Parameters
        ----------
        points : ndarray of shape (n_points, n_dimensions)
        is_reference : ndarray of shape (n_points,), dtype=bool
            Points that are among the reference points, and not their own neighbours.
        """
        return self._find(points, is_reference)[0][:, -1]

    def means(self, points: Array, is_reference: NDArray[np.bool_]) -> Array:
        """Return the mean of the neighbours of each point, in units of the points."""
        _, indices = self._find(points, is_reference)
        return self.reference[indices].mean(axis=1) * self.scale

    def _find(self, points, is_reference):
        """Return distances and indices of the neighbours, the nearest first."""
        k = self.search.n_neighbors
        distances, indices = self.search.kneighbors(points / self.scale, k + 1)
        columns = np.arange(k) + is_reference[:, np.newaxis]
        return (
            np.take_along_axis(distances, columns, axis=1),
            np.take_along_axis(indices, columns, axis=1),
        )


def standard_deviations(points: Array) -> Array:
    """Return the standard deviation of each dimension; 1 for constant ones."""
    deviations = points.std(axis=0)
    return np.where(deviations > 0, deviations, 1.0)
