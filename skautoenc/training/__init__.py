"""Keras model and arrays in, weights and history out. Knows no estimator."""

from ._losses import get_loss
from ._rows import Rows
from ._train import train

__all__ = ["Rows", "get_loss", "train"]
