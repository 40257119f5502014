"""Calls that need Keras, from a process that was forked after its import.

The thread pools of Keras's backends do not survive a fork, so calls would deadlock.
They are made in a subprocess instead: a new Python, which is started once and used
until this process ends.
"""

import contextlib
import copy
import functools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from multiprocessing import spawn
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle

from .._utils.sklearn_compat import has_callbacks, remove_callback_context
from .choice import backend_library
from .copies import Copies, Originals
from .keras import import_keras

_REMEDY = "Start processes with the 'spawn' method or with joblib."


def run_in_subprocess(function: Callable, *arguments: Any) -> Any:
    """Call a function in the subprocess, and return its result.

    Warnings are issued again in this process.

    Parameters
    ----------
    function : callable
        The subprocess caches the last few functions, so that a network is traced once
        for several calls.

    *arguments : object
        Copied to the subprocess by cloudpickle, as the result is copied back.

    Returns
    -------
    object
        The result of the function.

    Raises
    ------
    Exception
        Whatever the function raises.
    TypeError
        If the function, an argument or the result cannot be pickled.
    RuntimeError
        If the subprocess ends before the function returns.
    """
    folder = None
    with contextlib.suppress(FileNotFoundError):  # it may have been deleted
        folder = os.getcwd()
    try:
        parts = (sys.path, folder), (_registered_objects(), function), arguments
        task = [cloudpickle.dumps(part) for part in parts]
    except Exception as error:
        raise _copy_error("The function or an argument", error) from error
    succeeded, result, caught = cloudpickle.loads(_worker.run(task))
    for warning in caught:
        warnings.warn_explicit(*warning)
    if not succeeded:
        raise result
    return result


def fit_in_subprocess(estimator: Any, *arguments: Any) -> Any:
    """Call ``estimator._fit_data(*arguments)`` in the subprocess; return its result.

    Changes that the Keras callbacks make to themselves and to the objects that they
    refer to are written into the user's objects, also if the fit fails.

    Parameters
    ----------
    estimator : estimator
        Has the attribute `callbacks` and the method `_fit_data`. It is not changed.

    *arguments : object

    Returns
    -------
    object
        The result of `_fit_data`.

    Raises
    ------
    TypeError
        If the callbacks or their records cannot be pickled.
    RuntimeError
        If the estimator has scikit-learn callbacks, which are not supported in the
        subprocess.
    """
    if has_callbacks(estimator):
        raise RuntimeError(
            f"set_callbacks: this process was forked after {backend_library()} was "
            "imported, so training runs in a subprocess, where scikit-learn callbacks "
            f"are not supported. {_REMEDY} Or remove the callbacks: set_callbacks()."
        )
    try:
        callbacks = Originals(estimator.callbacks)
    except Exception as error:
        raise _copy_error("callbacks", error) from error
    estimator = copy.copy(estimator)
    estimator.callbacks = None
    remove_callback_context(estimator)
    result, changes = run_in_subprocess(
        _fit, estimator, arguments, callbacks.data, _registered_objects()
    )
    callbacks.update(changes)
    if isinstance(result, Exception):
        raise result
    return result


def _fit(estimator, arguments, callbacks, registered):
    """Fit in the subprocess; return the result or the error, and what changed."""
    _register(registered)  # the same function objects as in the estimator
    copies = Copies(callbacks)
    estimator.callbacks = copies.objects
    try:
        result = estimator._fit_data(*arguments)
    except Exception as error:
        result = _picklable(error)
    try:
        return result, copies.changes()
    except Exception as error:
        raise _copy_error("What the callbacks recorded", error) from error


def _copy_error(what, error):
    return TypeError(
        f"{what} cannot be copied between this process, which was forked after "
        f"{backend_library()} was imported, and the subprocess that replaces it: "
        f"{error}. "
        f"{_REMEDY}"
    )


class _Worker:
    """The subprocess, started when it is first needed."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process = self._connection = None

    def run(self, task):
        """Run a task, a list of three bytes objects, and return the pickled result."""
        with self._lock:
            try:
                if self._process is None or not self._accepts(task):
                    self._start()
                    if not self._accepts(task):
                        raise EOFError
                return self._connection.recv_bytes()
            except (EOFError, ConnectionError):
                raise RuntimeError(
                    f"This process was forked after {backend_library()} was imported, "
                    "and the subprocess that replaces it ended with status "
                    f"{self._end()}. "
                    f"{_REMEDY}"
                ) from None
            except BaseException:
                if self._process is not None:
                    self._process.kill()
                    self._end()
                raise

    def _accepts(self, task):
        """Send a task; return False if the subprocess has ended before."""
        try:
            for part in task:
                self._connection.send_bytes(part)
            self._connection.recv_bytes()
        except (EOFError, ConnectionError):
            return False
        return True

    def _start(self):
        if self._process is not None:  # it has ended
            self._end()
        parent_end, child_end = map(_connection, socket.socketpair())
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from {__name__} import _serve; _serve({child_end.fileno()})"
        )
        python = os.fsdecode(spawn.get_executable())
        with child_end:
            try:
                self._process = subprocess.Popen(
                    [python, "-c", code],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[child_end.fileno()],
                )
            except OSError as error:
                parent_end.close()
                raise RuntimeError(
                    f"This process was forked after {backend_library()} was imported, "
                    "and the subprocess that replaces it cannot be started: "
                    f"{error}. "
                    "Set a Python executable with multiprocessing.set_executable."
                ) from error
        self._connection = parent_end

    def _end(self):
        """Wait for the ending subprocess, and return its exit status."""
        status = self._process.wait()
        self._connection.close()
        self._process = self._connection = None
        return status

    def reset_after_fork(self):
        """Disconnect from the subprocess, which belongs to the parent process."""
        if self._process is not None:
            self._connection.close()
            self._process.returncode = 0  # so that Popen does not wait for it
        self.__init__()


def _connection(end):
    """Wrap a socket, with a file descriptor above those of the standard streams."""
    import fcntl  # does not exist on Windows, which has no fork

    with end:
        return Connection(fcntl.fcntl(end.fileno(), fcntl.F_DUPFD_CLOEXEC, 3))


_worker = _Worker()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_worker.reset_after_fork)


def _serve(descriptor):
    """Run tasks in the subprocess until the parent process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent kills this process
    watcher = threading.Thread(
        target=_exit_with_parent, args=(os.getppid(),), daemon=True
    )
    watcher.start()
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            task = [connection.recv_bytes() for _ in range(3)]
            connection.send_bytes(b"accepted")
            connection.send_bytes(_run(*task))
            del task
            with contextlib.suppress(OSError):
                print(end="", flush=True)  # flush the output of the task


def _exit_with_parent(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _run(environment, function, arguments):
    """Run a task; return success, the result or the error, and warnings, pickled."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            import_keras()
            sys.path[:], folder = cloudpickle.loads(environment)
            if folder is not None:
                os.chdir(folder)
            result = _load_function(function)(*cloudpickle.loads(arguments))
            succeeded = True
        except BaseException as error:
            succeeded, result = False, _picklable(error)
    shown = [(w.message, w.category, w.filename, w.lineno) for w in caught]
    try:
        return cloudpickle.dumps((succeeded, result, shown))
    except Exception as error:
        return cloudpickle.dumps((False, _copy_error("The result", error), []))


@functools.lru_cache(maxsize=4)
def _load_function(function):
    registered, function = cloudpickle.loads(function)
    _register(registered)
    return function


def _picklable(error):
    """Return the error, or a RuntimeError with its message if it cannot be pickled."""
    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _registered_objects():
    """Return the user's layers and functions that are registered with Keras."""
    if "keras" not in sys.modules:
        return {}
    return dict(sys.modules["keras"].saving.get_custom_objects())


def _register(objects):
    saving = sys.modules["keras"].saving
    for name, obj in objects.items():
        package, has_package, short_name = name.rpartition(">")
        if has_package:
            saving.register_keras_serializable(package, short_name)(obj)
        saving.get_custom_objects()[name] = obj
