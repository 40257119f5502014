"""Ctrl-C during training: the first ends training, the second ends the fit."""

import contextlib
import multiprocessing
import signal
import threading
import time
from collections.abc import Iterator

# A second Ctrl-C within so many seconds also raises if it arrives in a later fit, so
# that a search of many short fits can be ended.
_SECONDS_BETWEEN = 2.0


class TrainingInterrupted(Exception):
    """Ends training, but not the fit."""


class _Requests(threading.local):
    """Whether training in this thread is to end; true only in the main thread."""

    pending: bool = False


_requests = _Requests()
_last_time = -float("inf")


@contextlib.contextmanager
def interrupts_delayed() -> Iterator[None]:
    """Let the first Ctrl-C end training at the next `raise_if_interrupted`.

    The second one raises KeyboardInterrupt at once. Python handles signals in the main
    thread, so nothing is done in other threads. A handler that the user has set remains
    in place, and so does Python's in child processes, where a search runs.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or multiprocessing.parent_process() is not None
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return
    _requests.pending = False
    signal.signal(signal.SIGINT, _request)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is _request:  # not the user's
            signal.signal(signal.SIGINT, signal.default_int_handler)
        _requests.pending = False


def raise_if_interrupted() -> None:
    """Raise after Ctrl-C; called where weights and optimizer are consistent.

    Raises
    ------
    TrainingInterrupted
    """
    if _requests.pending:
        raise TrainingInterrupted


def _request(number, frame):
    global _last_time
    previous, _last_time = _last_time, time.monotonic()
    if _requests.pending or _last_time - previous < _SECONDS_BETWEEN:
        signal.default_int_handler(number, frame)
    _requests.pending = True
