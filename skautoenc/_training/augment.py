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
    mixup : float, default=0.0
        Train on points between pairs of rows instead of the rows: each row is moved a
        random share of the way to another row, from 0 to `mixup`. Only for rows that
        are their own targets. H. Zhang et al., "mixup: Beyond Empirical Risk
        Minimization", ICLR (2018).

    mixup_epochs : int or None, default=None
        Number of epochs in which `mixup` falls linearly to zero. None keeps it.

    corruption : callable or None, default=None
        ``(X, rng, out)``, writes the corrupted rows of `X` to `out`. The network is
        trained to give `X`. Only for rows that are their own targets.

    thread_safe : bool, default=False
        Whether several threads may call `corruption` at once.

    corrupts_validation : bool, default=True
        Whether `corruption` is applied to validation rows, too. If not, these have
        separate targets.
    """

    mixup: float = 0.0
    mixup_epochs: int | None = None
    corruption: Corruption | None = None
    thread_safe: bool = False
    corrupts_validation: bool = True

    @property
    def is_random(self) -> bool:
        """Whether anything is done at all."""
        return self.mixup > 0 or self.corruption is not None

    @property
    def needs_separate_targets(self) -> bool:
        """Whether the network's inputs differ from its targets."""
        return self.corruption is not None

    def for_validation(self) -> "Augmentation":
        """Return the augmentation of validation rows."""
        corruption = self.corruption if self.corrupts_validation else None
        return replace(self, mixup=0.0, corruption=corruption)

    def at_epoch(self, epoch: int) -> "Augmentation":
        """Return the augmentation with its `mixup` in an epoch, counted from 0."""
        if not self.mixup or self.mixup_epochs is None:
            return self
        left = max(0.0, 1 - epoch / self.mixup_epochs)
        return replace(self, mixup=self.mixup * left, mixup_epochs=None)

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
            _mix(targets, rng, self.mixup)
        if self.corruption is not None:
            self.corruption(targets, rng, inputs)


def _mix(X, rng, share):
    """Move each row a random share of the way to another row."""
    others = X[rng.permutation(len(X))]
    others -= X
    others *= np.float32(share) * rng.random((len(X), 1), np.float32)
    X += others
