"""Training of networks: engines, the epoch loop, and its hooks."""

from .augment import Augmentation
from .batch_callbacks import listens_to_batches
from .blocked_rows import BlockedRows
from .checkpoint import Checkpoint
from .checkpoint_file import checkpoint_path, remove_checkpoint
from .chunked_rows import ChunkedRows
from .config import TrainingConfig, TrainingState
from .early_stopping import EarlyStopping
from .engine import Engine, open_engine
from .keras_callbacks import KerasCallbacks, callback_settings, make_callbacks
from .loop import Hook, Run, run_epochs
from .losses import get_loss
from .numpy_engine.engine import make_numpy_engine, trains_in_numpy
from .optimizers import get_optimizer
from .rows import Rows, StreamedRows
from .schedule import CosineSchedule, RecordLearningRates, RepeatLearningRates
from .sklearn_callbacks import SklearnCallbacks
from .verbose import progress_hooks

__all__ = [
    "Augmentation",
    "BlockedRows",
    "Checkpoint",
    "ChunkedRows",
    "CosineSchedule",
    "EarlyStopping",
    "Engine",
    "Hook",
    "KerasCallbacks",
    "RecordLearningRates",
    "RepeatLearningRates",
    "Rows",
    "Run",
    "SklearnCallbacks",
    "StreamedRows",
    "TrainingConfig",
    "TrainingState",
    "callback_settings",
    "checkpoint_path",
    "get_loss",
    "get_optimizer",
    "listens_to_batches",
    "make_callbacks",
    "make_numpy_engine",
    "open_engine",
    "progress_hooks",
    "remove_checkpoint",
    "run_epochs",
    "trains_in_numpy",
]
