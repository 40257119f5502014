"""Lazy import of TensorFlow and Keras, and isolation from their global state.

TensorFlow is imported when it is first needed, without its usual start-up messages,
and uses as many threads as the process may use.
"""

import contextlib
import functools
import importlib
import os
import random
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from .._utils.threads import n_available_threads
from .devices import devices_with_growing_memory
from .fork import forked_after_tensorflow
from .keras_internals import global_state, set_seed_source

_STARTUP_MESSAGE = re.compile(
    rb"WARNING: All log messages before absl|I\d{4} |\d{4}-\d\d-\d\d [\d:.]+: I |"
    rb"To enable the following instructions|E\d{4} .*cuInit|\s*$"
)
_import_lock, _build_lock = threading.RLock(), threading.RLock()


class _KerasRandom(threading.local):
    """The generator Keras draws seeds from: Python's global one unless isolated."""

    source: Any = random

    def __getattr__(self, name):
        return getattr(self.source, name)


_keras_random = _KerasRandom()


def import_keras() -> tuple[ModuleType, ModuleType]:
    """Import TensorFlow and Keras.

    Returns
    -------
    tf, keras : modules

    Raises
    ------
    ImportError
        If Keras uses a backend other than TensorFlow.
    RuntimeError
        If this process was forked after TensorFlow was imported, as calls would
        deadlock, or if an earlier import of TensorFlow was interrupted.
    """
    if forked_after_tensorflow():
        raise RuntimeError(
            "This process was forked after TensorFlow was imported, and TensorFlow "
            "does not survive a fork: no Keras model can be built or used here. fit "
            "and transform still work. For anything else, start processes with the "
            "'spawn' method or with joblib."
        )
    return _imported()


@functools.cache
def _imported():
    with _import_lock, _interrupts_delayed():
        if "keras" not in sys.modules:
            _check_backend(os.environ.setdefault("KERAS_BACKEND", "tensorflow"))
        is_first = "tensorflow" not in sys.modules
        with _without_startup_messages() if is_first else contextlib.nullcontext():
            with _temporary_folder_set():
                keras, tf = _import()
            if is_first:
                devices = tf.config.list_physical_devices()
                for device in devices_with_growing_memory(devices, os.environ):
                    tf.config.experimental.set_memory_growth(device, True)
                tf.config.threading.set_intra_op_parallelism_threads(
                    n_available_threads()
                )
                tf.config.threading.set_inter_op_parallelism_threads(
                    n_available_threads()
                )
                tf.config.list_logical_devices()  # logs if there is no GPU
        _check_backend(keras.backend.backend())
        set_seed_source(_keras_random)
    return tf, keras


def _import():
    is_half_imported = (
        "tensorflow" not in sys.modules and "tensorflow.python" in sys.modules
    )
    try:
        import keras
        import tensorflow as tf
    except Exception as error:
        if is_half_imported:
            raise RuntimeError(
                "An earlier import of TensorFlow in this process was interrupted, and "
                "TensorFlow cannot be imported again. Restart Python."
            ) from error
        raise
    return keras, tf


def custom_layers() -> ModuleType:
    """Import the Keras layers of this package, which registers them with Keras.

    Returns
    -------
    skautoenc.layers : module
    """
    import_keras()
    return importlib.import_module("skautoenc.layers")


def _check_backend(backend):
    if backend != "tensorflow":
        raise ImportError(
            "skautoenc needs the TensorFlow backend of Keras, but Keras uses "
            f"{backend!r}. Set the environment variable KERAS_BACKEND=tensorflow "
            "before Keras is imported."
        )


@contextlib.contextmanager
def _interrupts_delayed():
    """Deliver Ctrl-C on exit: an interrupted import cannot be repeated.

    Python interrupts the main thread only, so nothing is done in other threads.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    received = []
    signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def _temporary_folder_set():
    """Set the temporary folder to the current one if no writable folder exists.

    The import of TensorFlow looks up the path but writes nothing.
    """
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:
        folder, tempfile.tempdir = None, os.curdir
    try:
        yield
    finally:
        tempfile.tempdir = folder


@contextlib.contextmanager
def _without_startup_messages():
    """Capture what is written to file descriptor 2, and drop TensorFlow's messages.

    TensorFlow's C++ code logs information and a failed search for a GPU before any log
    level applies. All other captured lines, such as warnings, errors and the output of
    other threads, are written on exit. Without a file descriptor 2 or a file to capture
    to, nothing is captured.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    with contextlib.ExitStack() as stack:
        captured = None
        if sys.__stderr__ is not None:  # else descriptor 2 may be any file
            with contextlib.suppress(OSError):
                stderr_copy = os.dup(2)
                stack.callback(os.close, stderr_copy)
                captured = stack.enter_context(_unnamed_file())
        if captured is None:
            yield
            return
        os.dup2(captured.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr_copy, 2)
            captured.seek(0)
            lines = [line for line in captured if not _STARTUP_MESSAGE.match(line)]
            with contextlib.suppress(OSError), open(2, "wb", closefd=False) as stderr:
                stderr.writelines(lines)


def _unnamed_file():
    """Open an anonymous file, in memory where the system supports it."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()


@contextlib.contextmanager
def isolated_random_state(seed: int) -> Iterator[None]:
    """Make the Keras objects built inside depend on `seed` alone, not on global state.

    Keras draws the seeds of initializers and random layers from Python's global
    generator, and numbers layer names by a table for each thread. Inside, seeds come
    from a generator seeded with `seed`, and the table starts empty, so that the same
    seed gives the same weights and the same config. Global state is restored on exit.

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
            yield
        finally:
            _keras_random.source = previous
            for name in names:
                state.pop(name, None)
            state.update(saved)


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
