"""Augmentation of training rows: mixup and corruption."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

Corruption = Callable[[np.ndarray, np.random.Generator, np.ndarray], None]


@dataclass(frozen=True)
class Augmentation:
    """What is done to rows while they are gathered.

    Parameters
    ----------
    mixup : bool, default=False
        Train on points between pairs of rows instead of the rows. Only for rows that
        are their own targets. H. Zhang et al., "mixup: Beyond Empirical Risk
        Minimization", ICLR (2018).

    corruption : callable or None, default=None
        ``(X, rng, out)``, writes the corrupted rows of `X` to `out`. The network is
        trained to give `X`. Only for rows that are their own targets.

    thread_safe : bool, default=False
        Whether several threads may call `corruption` at once.
    """

    mixup: bool = False
    corruption: Corruption | None = None
    thread_safe: bool = False

    @property
    def is_random(self) -> bool:
        """Whether anything is done at all."""
        return self.mixup or self.corruption is not None

    @property
    def needs_separate_targets(self) -> bool:
        """Whether the network's inputs differ from its targets."""
        return self.corruption is not None

    def without_mixup(self) -> "Augmentation":
        """Return the augmentation of validation rows."""
        return replace(self, mixup=False)

    def apply(
        self, inputs: np.ndarray, targets: np.ndarray, rng: np.random.Generator
    ) -> None:
        """Augment rows in place.

        Parameters
        ----------
        inputs : ndarray of shape (n, n_features), float32
            Written to. The array `targets` itself unless `needs_separate_targets`.

        targets : ndarray of shape (n, n_features), float32
            The rows.

        rng : numpy.random.Generator
        """
        if self.mixup:
            _mix(targets, rng)
        if self.corruption is not None:
            self.corruption(targets, rng, inputs)


def _mix(X, rng):
    """Move each row to a random point between it and another row."""
    others = X[rng.permutation(len(X))]
    others -= X
    others *= rng.random((len(X), 1), np.float32)
    X += others
