"""Detection of Keras callbacks that have to be called at each batch."""

from typing import Any

from .._backend.keras import import_keras
from .._backend.keras_internals import profiles_batches

_BATCH_METHODS = (
    "on_batch_begin",
    "on_batch_end",
    "on_train_batch_begin",
    "on_train_batch_end",
    "on_test_begin",
    "on_test_batch_begin",
    "on_test_batch_end",
    "on_test_end",
)

# Keras's callbacks whose batch methods do nothing under this condition, or nothing but
# to look for losses that are not finite.
_EPOCH_LEVEL = {
    "BackupAndRestore": lambda callback: callback.save_freq == "epoch",
    "ModelCheckpoint": lambda callback: callback.save_freq == "epoch",
    "OrbaxCheckpoint": lambda callback: callback.save_freq == "epoch",
    "ProgbarLogger": lambda callback: True,
    "TensorBoard": lambda callback: (
        callback.update_freq == "epoch" and not profiles_batches(callback)
    ),
    "TerminateOnNaN": lambda callback: True,
}


def listens_to_batches(callback: Any) -> bool:
    """Whether a callback has methods for each batch, or for the validation.

    Of a class derived from one of Keras's, the methods that it overrides count.
    """
    keras = import_keras()

    def listens(name):
        if name in vars(callback):
            return True
        owner = next(kind for kind in type(callback).__mro__ if name in vars(kind))
        if owner is keras.callbacks.Callback:
            return False
        is_keras = owner.__module__.startswith("keras.")
        epoch_level = _EPOCH_LEVEL.get(owner.__name__)
        return not (is_keras and epoch_level and epoch_level(callback))

    return any(map(listens, _BATCH_METHODS))
