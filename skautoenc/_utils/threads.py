"""How many threads this process may use, and work spread over them."""

import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
from threadpoolctl import ThreadpoolController


def granted_threads():
    """Threads this process may use: what joblib or the user set, or every core."""
    granted = os.environ.get("OMP_NUM_THREADS", "")
    if granted.isdigit() and int(granted) > 0:
        return int(granted)
    return joblib.cpu_count()


def run_in_threads(function, *arguments):
    """Call `function` once per item of the sequences, for what it does."""
    n_threads = min(granted_threads(), len(arguments[0]))
    if n_threads == 1:
        for items in zip(*arguments, strict=True):
            function(*items)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(function, *arguments))


class _OneBlasThread:
    """Holds NumPy's matrix products to one thread while anyone is inside.

    The limit is one of the process, so it is lifted when the last one leaves.
    """

    def __init__(self):
        self.reset()

    def reset(self):
        self._lock = threading.Lock()
        self._users, self._limit = 0, None

    def __enter__(self):
        with self._lock:
            if self._users == 0:
                self._limit = _blas().limit(limits=1, user_api="blas")
            self._users += 1

    def __exit__(self, *exc):
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limit.restore_original_limits()


one_blas_thread = _OneBlasThread()
if hasattr(os, "register_at_fork"):  # the threads that were inside are not there
    os.register_at_fork(after_in_child=one_blas_thread.reset)


@functools.cache
def _blas():
    return ThreadpoolController()
