"""Lazy import of Keras and its backend, and isolation from their global state.

They are imported when they are first needed. TensorFlow is then imported without its
usual start-up messages, and each backend uses as many threads as the process may use.
"""

import contextlib
import functools
import importlib
import random
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from .choice import backend_library, check_backend, keras_backend
from .fork import forked_after_import
from .keras_internals import global_state, keep_tensorflow_unimported, set_seed_source
from .startup import (
    interrupts_delayed,
    start,
    temporary_folder_set,
    without_startup_messages,
)

_import_lock, _build_lock = threading.RLock(), threading.RLock()


class _KerasRandom(threading.local):
    """The generator Keras draws seeds from: Python's global one unless isolated."""

    source: Any = random

    def __getattr__(self, name):
        return getattr(self.source, name)


_keras_random = _KerasRandom()


def import_keras() -> ModuleType:
    """Import Keras with its backend.

    Returns
    -------
    keras : module

    Raises
    ------
    ImportError
        If the backend of Keras is not installed, or is not supported.
    RuntimeError
        If this process was forked after the backend was imported, as calls would
        deadlock, or if an earlier import of TensorFlow was interrupted.
    """
    if forked_after_import():
        name = backend_library()
        raise RuntimeError(
            f"This process was forked after {name} was imported, and {name} does not "
            "survive a fork: no Keras model can be built or used here. fit and "
            "transform still work. For anything else, start processes with the 'spawn' "
            "method or with joblib."
        )
    return _imported()


def import_backend() -> ModuleType:
    """Import Keras, and return its backend.

    Returns
    -------
    tensorflow, jax or torch : module
    """
    return sys.modules[import_keras().backend.backend()]


@functools.cache
def _imported():
    with _import_lock, interrupts_delayed():
        check_backend()
        backend = keras_backend()
        is_first = backend not in sys.modules
        with without_startup_messages() if is_first else contextlib.nullcontext():
            with temporary_folder_set():
                keras = _import(backend)
            if is_first:
                start(sys.modules[backend])
        set_seed_source(_keras_random)
        if backend != "tensorflow":
            keep_tensorflow_unimported()
    return keras


def _import(backend):
    is_half_imported = (
        "tensorflow" not in sys.modules and "tensorflow.python" in sys.modules
    )
    try:
        import keras

        importlib.import_module(backend)
    except Exception as error:
        if is_half_imported:
            raise RuntimeError(
                "An earlier import of TensorFlow in this process was interrupted, and "
                "TensorFlow cannot be imported again. Restart Python."
            ) from error
        raise
    return keras


def custom_layers() -> ModuleType:
    """Import the Keras layers of this package, which registers them with Keras.

    Returns
    -------
    skautoenc.layers : module
    """
    import_keras()
    return importlib.import_module("skautoenc.layers")


@contextlib.contextmanager
def isolated_random_state(seed: int) -> Iterator[None]:
    """Make the Keras objects built inside depend on `seed` alone, not on global state.

    Keras draws the seeds of initializers and random layers from Python's global
    generator, and numbers layer names by a table for each thread. Inside, seeds come
    from a generator seeded with `seed`, and the table starts empty, so that the same
    seed gives the same weights and the same config. PyTorch's global generator, which
    Keras uses for dropout, is seeded too. Global state is restored on exit.

    Parameters
    ----------
    seed : int
        Seed in [0, 2**32).
    """
    import_keras()
    with _build_lock:
        state = global_state()
        names = ("object_name_uids", "global_seed_generator")
        saved = {name: state.pop(name) for name in names if name in state}
        previous, _keras_random.source = _keras_random.source, random.Random(seed)
        try:
            with _torch_seeded(seed):
                yield
        finally:
            _keras_random.source = previous
            for name in names:
                state.pop(name, None)
            state.update(saved)


@contextlib.contextmanager
def _torch_seeded(seed):
    """Seed the global generators of PyTorch, if it is the backend."""
    if keras_backend() != "torch":
        yield
        return
    torch = import_backend()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def global_generators_seeded() -> Iterator[None]:
    """Seed Python's and NumPy's global generators while a user's function runs.

    To be used inside `isolated_random_state`. Both generators are restored on exit.
    Draws of other threads in the meantime are affected.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    seed = _keras_random.getrandbits(32)
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
