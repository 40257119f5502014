"""Number of threads that this process may use, and work distributed over them."""

import functools
import os
import sys
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import joblib
from threadpoolctl import ThreadpoolController


def n_available_threads() -> int:
    """Return OMP_NUM_THREADS, or 1 in a task of Dask, or the number of cores.

    Users, joblib, Ray, and the nannies of Dask's workers set OMP_NUM_THREADS. A worker
    without a nanny does not, but grants each of its tasks one thread too.
    """
    n_threads = os.environ.get("OMP_NUM_THREADS", "")
    if n_threads.isdigit() and int(n_threads) > 0:
        return int(n_threads)
    return 1 if _in_dask_task() else joblib.cpu_count()


def _in_dask_task():
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def map_in_threads(function: Callable, *arguments: Collection) -> list:
    """Return ``function(*items)`` for each of the zipped items.

    Parameters
    ----------
    function : callable
        Releases the GIL for most of its work.

    *arguments : sequence or ndarray
        All of equal length.
    """
    n_threads = min(n_available_threads(), len(arguments[0]))
    if n_threads <= 1:
        return [function(*items) for items in zip(*arguments, strict=True)]
    results: list = [None] * len(arguments[0])
    remaining = enumerate(zip(*arguments, strict=True))

    def work():
        # A task for each item would take longer than some of the calls.
        for i, items in remaining:
            results[i] = function(*items)

    with ThreadPoolExecutor(n_threads) as pool:
        for worker in [pool.submit(work) for _ in range(n_threads)]:
            worker.result()
    return results


# Multiplications of a product up to which OpenBLAS uses one thread.
MAX_SINGLE_THREADED = 2**18


class _OneBlasThread:
    """Context that limits BLAS to one thread; threads may enter it at the same time.

    The limit applies to the whole process, so it is lifted when the last thread leaves.
    """

    def __init__(self):
        self.reset()

    def reset(self):
        self._lock = threading.Lock()
        self._n_users, self._before = 0, []

    def __enter__(self):
        with self._lock:
            if self._n_users == 0:
                self._before = [(blas, blas.get_num_threads()) for blas in _blas()]
                self._set([(blas, 1) for blas in _blas()])
            self._n_users += 1

    def __exit__(self, *exc):
        with self._lock:
            self._n_users -= 1
            if self._n_users == 0:
                self._set(self._before)

    def _set(self, n_threads):
        for blas, n in n_threads:
            blas.set_num_threads(n)


one_blas_thread = _OneBlasThread()
if hasattr(os, "register_at_fork"):  # threads inside the context do not survive a fork
    os.register_at_fork(after_in_child=one_blas_thread.reset)


@functools.cache
def _blas():
    """The loaded libraries; a context of threadpoolctl takes five times as long."""
    return ThreadpoolController().select(user_api="blas").lib_controllers
