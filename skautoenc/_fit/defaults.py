"""Values of parameters that are "auto"."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

# Number of steps of a fit, and the bounds on its number of epochs.
_N_STEPS, _MIN_EPOCHS, _MAX_EPOCHS = 6000, 30, 1000
_MIN_PATIENCE = 10

# Maximum number of rows for which mixup="auto" is on.
_MAX_MIXUP_ROWS = 10_000


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


def use_mixup(
    mixup: bool | Literal["auto"], pca_initialized: bool, n_samples: int
) -> bool:
    """Resolve `mixup`: "auto" applies it to small data if training starts from PCA."""
    if mixup == "auto":
        return pca_initialized and n_samples <= _MAX_MIXUP_ROWS
    return mixup
