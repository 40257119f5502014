"""How a test selects the engine that trains, and finds out which one did."""

import contextlib
import functools
import sys

import keras
import pytest

from skautoenc._fit import trainees


class BatchListener(keras.callbacks.Callback):
    """Listens to batches, which only ``Model.fit`` calls."""

    def on_train_batch_end(self, batch, logs=None):
        pass


# Parameters with which a dense autoencoder is trained by one engine.
ENGINES = {
    "numpy": {},
    "tensorflow": {"optimizer": "nadam"},  # the NumPy engine does not have it
    "keras": {"callbacks": [BatchListener()]},
}


@contextlib.contextmanager
def engines_used():
    """The names of the engines that train meanwhile in this process, as a set."""
    used = set()

    def recorded(name, train):
        @functools.wraps(train)
        def recording(*args, **kwargs):
            used.add(name)
            return train(*args, **kwargs)

        return recording

    # The attribute `train` of the package is the function.
    with_keras = sys.modules["skautoenc._training.train"]._ENGINES
    with pytest.MonkeyPatch.context() as patch:
        train_dense = recorded("numpy", trainees.train_dense)
        patch.setattr(trainees, "train_dense", train_dense)
        for name, key in (("tensorflow", "compiled"), ("keras", "model_fit")):
            patch.setitem(with_keras, key, recorded(name, with_keras[key]))
        yield used
