"""The one place that imports TensorFlow: late, quiet, on the threads it was granted."""

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

import numpy as np

from .._utils.threads import granted_threads
from .fork import forked_after_tensorflow

_START_UP_LINE = re.compile(
    rb"WARNING: All log messages before absl|I\d{4} |\d{4}-\d\d-\d\d [\d:.]+: I |"
    rb"To enable the following instructions|E\d{4} .*cuInit|\s*$"
)
_importing, _building = threading.RLock(), threading.RLock()


class _KerasRandom(threading.local):
    """Where Keras draws seeds from: Python's generator, or `isolated`'s."""

    source = random

    def __getattr__(self, name):
        return getattr(self.source, name)


_keras_random = _KerasRandom()


def load():
    """Import TensorFlow and Keras.

    Returns
    -------
    tf, keras : modules

    Raises
    ------
    ImportError
        If Keras runs on another backend than TensorFlow.
    RuntimeError
        In a process that was forked after TensorFlow's import: it would hang. Or if
        an earlier import was interrupted, and cannot be repeated.
    """
    if forked_after_tensorflow():
        raise RuntimeError(
            "This process was forked after TensorFlow was imported, and TensorFlow "
            "does not survive that: no Keras model can be built or used here. fit and "
            "transform can do without; for all else start processes with the 'spawn' "
            "method, or with joblib."
        )
    return _imported()


@functools.cache
def _imported():
    with _importing, _interrupts_delayed():
        if "keras" not in sys.modules:
            _refuse_other_backend(os.environ.setdefault("KERAS_BACKEND", "tensorflow"))
        is_first = "tensorflow" not in sys.modules
        with _without_start_up_lines() if is_first else contextlib.nullcontext():
            with _temporary_folder_named():
                keras, tf = _import()
            if is_first:
                tf.config.threading.set_intra_op_parallelism_threads(granted_threads())
                tf.config.threading.set_inter_op_parallelism_threads(granted_threads())
                tf.config.list_logical_devices()  # logs too, where there is no GPU
        _refuse_other_backend(keras.backend.backend())
        from keras.src.random import seed_generator

        seed_generator.python_random = _keras_random
    return tf, keras


def _import():
    was_interrupted = (
        "tensorflow" not in sys.modules and "tensorflow.python" in sys.modules
    )
    try:
        import keras
        import tensorflow as tf
    except Exception as error:
        if was_interrupted:
            raise RuntimeError(
                "An earlier import of TensorFlow in this process was interrupted, and "
                "TensorFlow cannot be imported again. Restart Python."
            ) from error
        raise
    return keras, tf


def own_layers():
    """Import our Keras layers, and so register them with Keras.

    Returns
    -------
    skautoenc.layers : module
    """
    load()
    return importlib.import_module("skautoenc.layers")


def _refuse_other_backend(backend):
    if backend != "tensorflow":
        raise ImportError(
            "skautoenc trains on Keras's TensorFlow backend, but Keras is set to "
            f"{backend!r}. Set the environment variable KERAS_BACKEND=tensorflow "
            "before Keras is imported."
        )


@contextlib.contextmanager
def _interrupts_delayed():
    """Deliver Ctrl-C at the end: what is imported by half stays so in this process.

    Python interrupts its main thread alone.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived = []
    signal.signal(signal.SIGINT, lambda number, frame: arrived.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if arrived:
            signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def _temporary_folder_named():
    """Name a temporary folder where none can be written to: TensorFlow asks for one.

    Its import looks for the name alone.
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
def _without_start_up_lines():
    """Hold back what TensorFlow's C++ logs at start-up, and drop its usual lines.

    They are written to file descriptor 2 before any log level applies: info lines,
    and the failed look for a GPU. Whatever else is written (a warning, an error,
    another thread's output) is passed on. Where there is no such descriptor, or no
    file to hold the lines, nothing is held back.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    with contextlib.ExitStack() as stack:
        held = None
        if sys.__stderr__ is not None:  # or descriptor 2 may be any file
            with contextlib.suppress(OSError):
                real = os.dup(2)
                stack.callback(os.close, real)
                held = stack.enter_context(_unnamed_file())
        if held is None:
            yield
            return
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            held.seek(0)
            lines = [line for line in held if not _START_UP_LINE.match(line)]
            with contextlib.suppress(OSError), open(2, "wb", closefd=False) as stderr:
                stderr.writelines(lines)


def _unnamed_file():
    """A file in memory where the system has such, or else in the temporary folder."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("stderr"), "w+b")
    return tempfile.TemporaryFile()


@contextlib.contextmanager
def isolated(seed):
    """Build Keras objects from `seed`, and leave every global state as it was found.

    Keras draws the seeds of its initialisers and random layers from Python's global
    generator, and counts layer names in a table, one for each thread. Inside, seeds
    come from another generator, and the table starts anew, so that the same seed gives
    the same weights and the same config.

    Parameters
    ----------
    seed : int
        Seed in [0, 2**32).
    """
    load()
    from keras.src.backend.common import global_state

    with _building:
        state = vars(global_state.GLOBAL_STATE_TRACKER)
        names = ("object_name_uids", "global_seed_generator")
        kept = {name: state.pop(name) for name in names if name in state}
        outer, _keras_random.source = _keras_random.source, random.Random(seed)
        try:
            yield
        finally:
            _keras_random.source = outer
            for name in names:
                state.pop(name, None)
            state.update(kept)


@contextlib.contextmanager
def global_generators_seeded():
    """Seed Python's and NumPy's global generators for a function of the user's.

    To be used inside `isolated`. What another thread draws meanwhile is seeded too.
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
