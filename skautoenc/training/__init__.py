"""Keras model and arrays in, weights and history out. Knows no estimator."""

from ._dense import plan_dense, train_dense
from ._losses import get_loss
from ._rows import Rows, StreamedRows, draw_seed
from ._train import train

__all__ = [
    "Rows",
    "StreamedRows",
    "draw_seed",
    "get_loss",
    "plan_dense",
    "train",
    "train_dense",
]
