"""Work that needs TensorFlow, in a process that was forked after its import.

TensorFlow's thread pools do not survive a fork, so calls would deadlock. The work is
done by another Python, which each such process starts once and keeps.
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
from multiprocessing import spawn
from multiprocessing.connection import Connection

import cloudpickle

from .copies import Copies, Originals
from .keras import load

_REMEDY = "Start processes with the 'spawn' method, or with joblib."


def in_fresh_process(function, *arguments):
    """Call a function in the other process; return what it returns, or raise.

    Parameters
    ----------
    function : callable
        The process keeps the last few that it was given, so that a network is traced
        once for all calls.

    *arguments : object
        Copied to the process by cloudpickle, as is the result on its way back.

    Raises
    ------
    Exception
        What the function raises.
    TypeError
        If something cannot be copied.
    RuntimeError
        If the process ends before it answers.
    """
    folder = None
    with contextlib.suppress(FileNotFoundError):  # it may have been deleted
        folder = os.getcwd()
    try:
        parts = (sys.path, folder), (_registered(), function), arguments
        task = [cloudpickle.dumps(part) for part in parts]
    except Exception as error:
        raise _uncopied("What is to be computed", error) from error
    succeeded, result, warned = cloudpickle.loads(_worker.answer_to(task))
    for warning in warned:
        warnings.warn_explicit(*warning)
    if not succeeded:
        raise result
    return result


def fit_in_fresh_process(estimator, *arguments):
    """Return what ``estimator._fit(*arguments)`` returns there.

    What its Keras callbacks record comes back into the user's own objects.

    Raises
    ------
    TypeError
        If the callbacks cannot be copied.
    RuntimeError
        If it has callbacks of scikit-learn's, which cannot follow the fit there.
    """
    if getattr(estimator, "_skl_callbacks", None):
        raise RuntimeError(
            "set_callbacks: this process was forked after TensorFlow was imported, so "
            "another one trains in its place, where callbacks cannot follow the fit. "
            f"{_REMEDY} Or take the callbacks away: set_callbacks()."
        )
    try:
        callbacks = Originals(estimator.callbacks)
    except Exception as error:
        raise _uncopied("callbacks", error) from error
    estimator = copy.copy(estimator)
    estimator.callbacks = None
    vars(estimator).pop("_parent_callback_ctx", None)  # a search's, of no use there
    outcome, changed = in_fresh_process(
        _fit, estimator, arguments, callbacks.data, _registered()
    )
    callbacks.update(changed)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _fit(estimator, arguments, callbacks, registered):
    _register(registered)  # the very functions that the estimator holds
    copies = Copies(callbacks)
    estimator.callbacks = copies.objects
    try:
        outcome = estimator._fit(*arguments)
    except Exception as error:
        outcome = _copyable(error)
    try:
        return outcome, copies.changed()
    except Exception as error:
        raise _uncopied("What callbacks recorded", error) from error


def _uncopied(what, error):
    return TypeError(
        f"{what} cannot be copied between this process, which was forked after "
        "TensorFlow was imported, and the one that works in its place: "
        f"{error}. {_REMEDY}"
    )


class _Worker:
    """The Python that works in the place of this process, started when needed."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process = self._connection = None

    def answer_to(self, task):
        """Send the parts of a task, and return the answer; all are bytes."""
        with self._lock:
            try:
                if self._process is None or not self._takes(task):
                    self._start()
                    if not self._takes(task):
                        raise EOFError
                return self._connection.recv_bytes()
            except (EOFError, ConnectionError):
                raise RuntimeError(
                    "The process that works in the place of this one, which was "
                    "forked after TensorFlow was imported, ended with status "
                    f"{self._end()}. {_REMEDY}"
                ) from None
            except BaseException:
                if self._process is not None:
                    self._process.kill()
                    self._end()
                raise

    def _takes(self, task):
        try:
            for part in task:
                self._connection.send_bytes(part)
            self._connection.recv_bytes()
        except (EOFError, ConnectionError):
            return False
        return True

    def _start(self):
        if self._process is not None:  # it was killed
            self._end()
        own, other = map(_connection, socket.socketpair())
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            f"from {__name__} import _serve; _serve({other.fileno()})"
        )
        python = os.fsdecode(spawn.get_executable())
        with other:
            try:
                self._process = subprocess.Popen(
                    [python, "-c", code],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[other.fileno()],
                )
            except OSError as error:
                own.close()
                raise RuntimeError(
                    "This process was forked after TensorFlow was imported, and the "
                    f"one that is to work in its place cannot be started: {error}. "
                    "Name a Python with multiprocessing.set_executable."
                ) from error
        self._connection = own

    def _end(self):
        """Wait for a process that is ending; return its status."""
        status = self._process.wait()
        self._connection.close()
        self._process = self._connection = None
        return status

    def forget(self):
        """In a fork: the process is that of the parent."""
        if self._process is not None:
            self._connection.close()
            self._process.returncode = 0  # it is not waited for here
        self.__init__()


def _connection(end):
    """A socket's end, not in the place of a standard stream that was closed."""
    import fcntl  # not on Windows, where nothing forks

    with end:
        return Connection(fcntl.fcntl(end.fileno(), fcntl.F_DUPFD_CLOEXEC, 3))


_worker = _Worker()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_worker.forget)


def _serve(descriptor):
    """Answer tasks, one after the other, for as long as the parent lives."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    watch = threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True)
    watch.start()
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            task = [connection.recv_bytes() for _ in range(3)]
            connection.send_bytes(b"taken")
            connection.send_bytes(_answer(*task))
            del task
            with contextlib.suppress(OSError):
                print(end="", flush=True)  # what the task has printed


def _end_with(parent):
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _answer(place, function, arguments):
    """Do a task, and return what came of it, pickled."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            load()
            sys.path[:], folder = cloudpickle.loads(place)
            if folder is not None:
                os.chdir(folder)
            succeeded, result = True, _loaded(function)(*cloudpickle.loads(arguments))
        except BaseException as error:
            succeeded, result = False, _copyable(error)
    warned = [(w.message, w.category, w.filename, w.lineno) for w in caught]
    try:
        return cloudpickle.dumps((succeeded, result, warned))
    except Exception as error:
        return cloudpickle.dumps((False, _uncopied("The result", error), []))


@functools.lru_cache(maxsize=4)
def _loaded(function):
    registered, function = cloudpickle.loads(function)
    _register(registered)
    return function


def _copyable(error):
    """The error, or one of the same words where it could not be copied."""
    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _registered():
    """The user's layers and functions that Keras finds by name."""
    if "keras" not in sys.modules:
        return {}
    return dict(sys.modules["keras"].saving.get_custom_objects())


def _register(objects):
    saving = sys.modules["keras"].saving
    for name, found in objects.items():
        package, has_package, own_name = name.rpartition(">")
        if has_package:
            saving.register_keras_serializable(package, own_name)(found)
        saving.get_custom_objects()[name] = found
