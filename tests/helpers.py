"""Functions that several test modules share."""

import contextlib
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rich.console

from skautoenc import AutoencoderTransformer
from skautoenc._backend.choice import keras_backend

# The name of the engine that trains by default what the NumPy engine does not.
COMPILED = keras_backend() if keras_backend() != "torch" else "keras"

# A parameter with which the NumPy engine does not train.
NOT_IN_NUMPY = {"optimizer": "nadam"}


def make_autoencoder(kind=AutoencoderTransformer, **params):
    """An estimator whose fit on `digits` takes a fraction of a second."""
    defaults = {
        "n_components": 3,
        "hidden_layer_sizes": (8,),
        "batch_size": 64,
        "epochs": 3,
        "random_state": 0,
    }
    return kind(**{**defaults, **params})


def run_in_threads(function, arguments):
    """What `function` returns for each argument, called at once in as many threads."""
    barrier = threading.Barrier(len(arguments))

    def call(argument):
        barrier.wait()
        return function(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(call, arguments))


def run_python(code, *options, check=True, env=None, **settings):
    """Run code in a new Python, in the environment of this one.

    Returns the completed process, with its output as text. With `check` it must have
    ended without an error.
    """
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        env={**os.environ, **(env or {})},
        **{
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "timeout": 300,
            **settings,
        },
    )
    assert done.returncode == 0 or not check, done.stderr
    return done


@contextlib.contextmanager
def time_limit(seconds):
    """Raise an error in the main thread after some seconds."""

    def stop(signal_number, frame):
        raise TimeoutError(f"the test takes more than {seconds} seconds")

    handler = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)


@contextlib.contextmanager
def terminal_output(columns=100):
    """Make standard output a terminal, and yield a function that returns its text.

    Control sequences are removed. All text is there when the context has ended.
    """
    import pty  # does not exist on Windows

    chunks, (ours, theirs) = [], pty.openpty()

    def read():
        with contextlib.suppress(OSError):  # raised when the other end is closed
            while chunk := os.read(ours, 2**16):
                chunks.append(chunk)

    def text():
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(chunks).decode())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with (
            pytest.MonkeyPatch.context() as patch,
            open(theirs, "w") as file,
            contextlib.redirect_stdout(file),
        ):
            patch.setenv("TERM", "xterm")
            # It would be as it was made, perhaps when there was no terminal.
            patch.setattr(rich, "_console", rich.console.Console(width=columns))
            yield text
    finally:
        reader.join()
        os.close(ours)


def assert_same(results):
    """Assert that two engines have the same loss curves and final weights."""
    (ours, our_weights), (keras_, keras_weights) = results
    assert ours.keys() == keras_.keys()
    for name in ours:
        # A small part of the loss is no closer than the whole.
        atol = 1e-4 * min(ours["loss"]) if name not in ("loss", "val_loss") else 0
        np.testing.assert_allclose(ours[name], keras_[name], rtol=1e-4, atol=atol)
    for a, b in zip(our_weights, keras_weights, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def global_states():
    """Hashes of the global random states of Python and NumPy."""
    return (
        hashlib.sha256(repr(random.getstate()).encode()).hexdigest(),
        hashlib.sha256(np.random.get_state()[1].tobytes()).hexdigest(),
    )


@contextlib.contextmanager
def assert_draws_nothing_global():
    """Assert that no global generator of random numbers is used meanwhile."""
    import keras

    backend = sys.modules[keras.config.backend()]

    def seed():
        keras.utils.clear_session()  # older Keras does not seed its own generator
        random.seed(5)
        np.random.seed(5)
        if backend.__name__ == "tensorflow":
            backend.random.set_seed(5)
        if backend.__name__ == "torch":
            backend.manual_seed(5)

    def next_draws():
        draws = {
            "tensorflow": lambda: backend.random.uniform((3,)),
            "torch": lambda: backend.rand(3),
            "jax": lambda: [],  # has no global generator
        }
        return (
            np.asarray(draws[backend.__name__]()).tolist(),
            np.asarray(keras.random.uniform((3,))).tolist(),
        )

    seed()
    wanted = next_draws()
    seed()
    before = global_states()
    yield
    assert global_states() == before
    assert next_draws() == wanted
