"""Keras model and arrays in, weights and history out. Knows no estimator."""

from .callbacks import Callbacks, listens_to_batches, release
from .losses import get_loss
from .numpy_engine.engine import plan_dense, train_dense
from .rows import Rows, StreamedRows, draw_seed
from .train import get_optimizer, train

__all__ = [
    "Callbacks",
    "Rows",
    "StreamedRows",
    "draw_seed",
    "get_loss",
    "get_optimizer",
    "listens_to_batches",
    "plan_dense",
    "release",
    "train",
    "train_dense",
]
