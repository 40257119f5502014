"""Keras model and arrays in, weights and history out. Knows no estimator."""

from ._callbacks import Callbacks, listens_to_batches, release
from ._dense import plan_dense, train_dense
from ._losses import get_loss
from ._rows import Rows, StreamedRows, draw_seed
from ._train import get_optimizer, train

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
