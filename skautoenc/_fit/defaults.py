"""Values of parameters that are "auto"."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from .values import FitOptions

# Number of steps of a fit, and the bounds on its number of epochs.
_N_STEPS, _MIN_EPOCHS, _MAX_EPOCHS = 6000, 30, 1000
_MIN_PATIENCE = 10

# Learning rate of Adam for batches of 32 rows, where training starts from PCA.
_LEARNING_RATE = 0.004

# Number of rows, and of rows for each feature, up to which mixup="auto" is full.
_FULL_MIXUP_ROWS, _FULL_MIXUP_RATIO = 2000, 5

# Smaller shares are zero: they have no effect.
_MIN_MIXUP = 0.01


class TrainingSchedule(NamedTuple):
    """How long a network is trained."""

    batch_size: int
    epochs: int
    patience: int


def resolve_auto_settings(
    n_samples: int,
    batch_size: int | Literal["auto"],
    epochs: int | Literal["auto"],
    n_iter_no_change: int | Literal["auto"],
) -> TrainingSchedule:
    """Replace ``"auto"`` by numbers that depend on the number of samples alone.

    The batch size grows with the data, and the number of steps is about the same for
    all batch sizes. The values were chosen on the benchmark suite.
    """
    if batch_size == "auto":
        batch_size = int(np.clip(n_samples // 32, 32, 256))
    if epochs == "auto":
        n_steps = math.ceil(n_samples / batch_size)
        epochs = int(np.clip(_N_STEPS // n_steps, _MIN_EPOCHS, _MAX_EPOCHS))
    if n_iter_no_change == "auto":
        n_iter_no_change = max(_MIN_PATIENCE, epochs // 5)
    return TrainingSchedule(int(batch_size), int(epochs), int(n_iter_no_change))


def uses_default_adam(options: FitOptions) -> bool:
    """Whether the user has left the settings of the optimizer to the fit."""
    return options.optimizer == "adam" and options.learning_rate is None


def adam_from_pca(batch_size: int) -> dict[str, Any]:
    """Return the default optimizer of training that starts from PCA, as Keras's config.

    The learning rate grows with the batches, and squared gradients are averaged over
    fewer steps than by Keras's default.
    """
    learning_rate = _LEARNING_RATE * math.sqrt(batch_size / 32)
    config = {"learning_rate": learning_rate, "beta_2": 0.99}
    return {"class_name": "Adam", "config": config}


def resolve_mixup(
    mixup: bool | Literal["auto"],
    pca_initialized: bool,
    n_samples: int,
    n_features: int,
    epochs: int,
) -> tuple[float, int | None]:
    """Return the share of mixup, and in how many epochs it falls to zero, if it does.

    "auto" applies mixup where training starts from PCA: in full to small data, and
    less to larger ones, which are overfitted less.
    """
    if mixup != "auto":
        return float(mixup), None
    if not pca_initialized:
        return 0.0, None
    n_full = max(_FULL_MIXUP_ROWS, _FULL_MIXUP_RATIO * n_features)
    share = min(1.0, (n_full / n_samples) ** 2)
    return share if share >= _MIN_MIXUP else 0.0, epochs
