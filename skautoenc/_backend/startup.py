"""What is done while Keras and its backend are imported."""

import contextlib
import os
import re
import signal
import sys
import tempfile
import threading
from types import ModuleType

from .._utils.threads import n_available_threads
from .devices import devices_with_growing_memory

_STARTUP_MESSAGE = re.compile(
    rb"WARNING: All log messages before absl|I\d{4} |\d{4}-\d\d-\d\d [\d:.]+: I |"
    rb"To enable the following instructions|E\d{4} .*cuInit|\s*$"
)


def start(backend: ModuleType) -> None:
    """Let a backend that was just imported use the available threads and devices.

    Parameters
    ----------
    backend : module
        TensorFlow, JAX or PyTorch.
    """
    n_threads = n_available_threads()
    if backend.__name__ == "tensorflow":
        devices = backend.config.list_physical_devices()
        for device in devices_with_growing_memory(devices, os.environ):
            backend.config.experimental.set_memory_growth(device, True)
        backend.config.threading.set_intra_op_parallelism_threads(n_threads)
        backend.config.threading.set_inter_op_parallelism_threads(n_threads)
        backend.config.list_logical_devices()  # logs if there is no GPU
    elif backend.__name__ == "torch":
        backend.set_num_threads(n_threads)
    else:
        # XLA reads the variable when the devices are made.
        with _environment_default("NPROC", str(n_threads)):
            backend.devices()


@contextlib.contextmanager
def _environment_default(name, value):
    """Set an environment variable if it is not set, and remove it on exit."""
    is_given = name in os.environ
    os.environ.setdefault(name, value)
    try:
        yield
    finally:
        if not is_given:
            del os.environ[name]


@contextlib.contextmanager
def interrupts_delayed():
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
def temporary_folder_set():
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
def without_startup_messages():
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
