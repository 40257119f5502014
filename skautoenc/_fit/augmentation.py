"""Augmentation of training rows: noise bound to the data of a fit, and mixup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .._training.augment import Augmentation, Corruption
from .._utils.one_hot import Groups
from ..noise import NOISES
from .summary import DataSummary, Extent


@dataclass(frozen=True)
class AugmentationOptions:
    """How training rows are augmented.

    Attributes
    ----------
    mixup : bool or "auto"
    noise : NoiseOptions or None
    """

    mixup: bool | Literal["auto"] = False
    noise: NoiseOptions | None = None


@dataclass(frozen=True)
class NoiseOptions:
    """The noise that corrupts inputs.

    Attributes
    ----------
    kind : str or callable
        A key of `NOISES`, or a function of the user.

    level : float
    clip : bool or tuple of (float, float)
        Bounds of corrupted values. True means the range of the data.

    groups : tuple of tuple of int, default=()
        One-hot columns.
    """

    kind: str | Callable
    level: float
    clip: bool | tuple[float, float]
    groups: Groups = ()


def make_augmentation(
    options: AugmentationOptions,
    summary: DataSummary | Extent,
    shift: np.ndarray | None,
    mixup: float,
    mixup_epochs: int | None = None,
) -> Augmentation:
    """Return the augmentation of the centered rows of a fit.

    Parameters
    ----------
    options : AugmentationOptions
    summary : DataSummary or Extent
        Of the rows that are corrupted.

    shift : ndarray of shape (n_features,) or None
        What has been subtracted from the rows.

    mixup : float
    mixup_epochs : int or None, default=None
        See `Augmentation`.
    """
    noise = options.noise
    if noise is None:
        return Augmentation(mixup, mixup_epochs)
    return Augmentation(
        mixup,
        mixup_epochs,
        bind_noise(noise, summary, shift),
        thread_safe=not callable(noise.kind),
    )


def bind_noise(
    noise: NoiseOptions, summary: DataSummary | Extent, shift: np.ndarray | None
) -> Corruption:
    """Return the noise as a function of the centered rows of a fit.

    Parameters
    ----------
    noise : NoiseOptions
    summary : DataSummary or Extent
        Of the rows that are corrupted.

    shift : ndarray of shape (n_features,) or None
        What has been subtracted from the rows.

    Returns
    -------
    corruption : callable
        ``(X, rng, out)``, writes the corrupted rows of `X` to `out`.
    """
    shift = np.zeros(1) if shift is None else shift.astype(np.float64)
    if callable(noise.kind):
        corrupt = _bind_function(noise.kind, shift)
    else:
        corrupt = _bind_named_noise(noise, summary, shift)
    if isinstance(noise.clip, tuple | list):
        bounds = noise.clip
    elif noise.clip:
        bounds = summary.minimum, summary.maximum
    else:
        return corrupt
    low, high = ((bound - shift).astype(np.float32) for bound in bounds)

    def corrupt_and_clip(X, rng, out):
        corrupt(X, rng, out)
        np.clip(out, low, high, out=out)

    return corrupt_and_clip


def _bind_named_noise(noise, summary, shift):
    kind, extremes = NOISES[noise.kind], (summary.minimum, summary.maximum)

    def corrupt(X, rng, out):
        kind.add(X, noise.level, rng, shift, extremes, out, noise.groups)

    return corrupt


def _bind_function(function, shift):
    """Return a user's function applied to the original rows, and check its result."""

    def corrupt(X, rng, out):
        original = (X + shift).astype(np.float32)
        try:
            noisy = np.asarray(function(original.copy(), rng), dtype=np.float32)
        except Exception as error:
            error.add_note(
                f"Raised by noise={function!r}, which is called with float32 rows and "
                "a numpy.random.Generator, and must return the corrupted rows."
            )
            raise
        if noisy.shape != X.shape:
            raise ValueError(
                f"noise={function!r} was given rows of shape {X.shape} and returned "
                f"{noisy.shape}. It must return as many rows with as many features."
            )
        if not np.isfinite(noisy).all():
            raise ValueError(f"noise={function!r} returned values that are not finite.")
        # The difference is added, as the values may be too large for its digits.
        np.add(X, noisy - original, out=out)

    return corrupt
