"""How a test selects the engine that trains, and finds out which one did."""

import contextlib
import functools

import keras
import pytest
from helpers import COMPILED, NOT_IN_NUMPY

from skautoenc._training.compiled.engine import CompiledEngine
from skautoenc._training.keras_engine import KerasEngine
from skautoenc._training.numpy_engine.engine import NumpyEngine


class BatchListener(keras.callbacks.Callback):
    """Listens to batches, which only ``Model.fit`` calls."""

    def on_train_batch_end(self, batch, logs=None):
        pass


# Parameters with which a dense autoencoder is trained by one engine.
ENGINES = {
    "numpy": {},
    COMPILED: NOT_IN_NUMPY,
    "keras": {"callbacks": [BatchListener()]},
}


_CLASSES = {
    "numpy": NumpyEngine,
    COMPILED: CompiledEngine,
    "keras": KerasEngine,
}


@contextlib.contextmanager
def engines_used():
    """Yield a set that gets the names of the engines that train in this process."""
    used = set()

    def recorded(name, train_epoch):
        @functools.wraps(train_epoch)
        def recording(*args, **kwargs):
            used.add(name)
            return train_epoch(*args, **kwargs)

        return recording

    with pytest.MonkeyPatch.context() as patch:
        for name, kind in _CLASSES.items():
            patch.setattr(kind, "train_epoch", recorded(name, kind.train_epoch))
        yield used
