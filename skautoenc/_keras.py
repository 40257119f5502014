"""The one place that imports TensorFlow: late, quiet, on the threads it was granted."""

import contextlib
import functools
import importlib
import os
import random
import re
import sys
import tempfile
import threading

import numpy as np

from ._fresh_process import forked_after_tensorflow
from ._threads import granted_threads

_START_UP_LINE = re.compile(
    rb"WARNING: All log messages before absl|I\d{4} |\d{4}-\d\d-\d\d [\d:.]+: I |"
    rb"To enable the following instructions|E\d{4} .*cuInit|\s*$"
)
_building = threading.RLock()


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
        In a process that was forked after TensorFlow's import: it would hang.
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
    if "keras" not in sys.modules:
        _refuse_other_backend(os.environ.setdefault("KERAS_BACKEND", "tensorflow"))
    if "tensorflow" not in sys.modules:
        with _without_start_up_lines():
            import keras
            import tensorflow as tf

            tf.config.threading.set_intra_op_parallelism_threads(granted_threads())
            tf.config.threading.set_inter_op_parallelism_threads(granted_threads())
            tf.config.list_logical_devices()  # speaks up too, where there is no GPU
    else:
        import keras
        import tensorflow as tf

    _refuse_other_backend(keras.backend.backend())
    return tf, keras


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
def _without_start_up_lines():
    """Hold back what TensorFlow's C++ says at start-up, and drop its usual lines.

    They are written to file descriptor 2 before any log level applies: info lines,
    and the failed look for a GPU. Whatever else is written (a warning, an error,
    another thread's word) is passed on.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    sys.stderr.flush()
    real = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(real, 2)
            os.close(real)
            held.seek(0)
            for line in held:
                if not _START_UP_LINE.match(line):
                    os.write(2, line)


@contextlib.contextmanager
def isolated(seed):
    """Build Keras objects from `seed`, and leave every global state as it was found.

    Keras draws the seeds of its initialisers and random layers from Python's global
    generator, and counts layer names in a global table. Inside, both start anew, so
    that the same seed gives the same weights and the same config; a network function
    that draws from NumPy's global state is covered too.

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
        python_state, numpy_state = random.getstate(), np.random.get_state()
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
            for name in names:
                state.pop(name, None)
            state.update(kept)
