"""Values of parameters that are "auto"."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np

from .values import FitOptions

_MIN_PATIENCE = 10

# Learning rate of Adam for batches of 32 rows, where training starts from PCA.
_LEARNING_RATE = 0.004

# Number of rows, and of rows for each feature, up to which mixup="auto" is full.
_FULL_MIXUP_ROWS, _FULL_MIXUP_RATIO = 2000, 5

# Smaller shares are zero: they have no effect.
_MIN_MIXUP = 0.01

# Number of components from which denoising uses one wide hidden layer.
_WIDE_LAYER_COMPONENTS = 8


class TrainingSchedule(NamedTuple):
    """How long a network is trained."""

    batch_size: int
    epochs: int
    patience: int


class _Limits(NamedTuple):
    """From which numbers the schedule of a network is computed."""

    batches: int
    max_batch_size: int
    steps: int
    min_epochs: int
    max_epochs: int


# Steps of convolutional networks take longer, and decrease the loss by more.
_DENSE = _Limits(32, 256, steps=6000, min_epochs=30, max_epochs=1000)
_CONVOLUTIONAL = _Limits(64, 128, steps=1200, min_epochs=4, max_epochs=250)
_MIN_BATCH_SIZE = 32


def resolve_auto_settings(
    n_samples: int,
    batch_size: int | Literal["auto"],
    epochs: int | Literal["auto"],
    n_iter_no_change: int | Literal["auto"],
    *,
    is_convolutional: bool = False,
) -> TrainingSchedule:
    """Replace ``"auto"`` by numbers that depend on the samples and the kind of network.

    The batch size grows with the data, and the number of steps is about the same for
    all batch sizes. The values were chosen on the benchmark suite.
    """
    limits = _CONVOLUTIONAL if is_convolutional else _DENSE
    if batch_size == "auto":
        size = n_samples // limits.batches
        batch_size = int(np.clip(size, _MIN_BATCH_SIZE, limits.max_batch_size))
    if epochs == "auto":
        n_epochs = limits.steps // math.ceil(n_samples / batch_size)
        epochs = int(np.clip(n_epochs, limits.min_epochs, limits.max_epochs))
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


def denoising_layer_sizes(n_components: int | None) -> tuple[int, ...]:
    """Return the hidden layers with which a dense network denoises best.

    For small codes two layers are better, for larger ones a wide one.
    """
    is_small = n_components is None or n_components < _WIDE_LAYER_COMPONENTS
    return (128, 64) if is_small else (320,)
