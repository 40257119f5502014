"""Time and bytes of searches over joblib's Dask backend."""

import contextlib
import os
import socket
import struct
import subprocess
import sys

import joblib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skautoenc import AutoencoderTransformer

from ._cases import Result, case, seconds


@contextlib.contextmanager
def two_workers():
    """Yield the client of two processes of one thread, which have started.

    Dask's profiler is off, as the documentation recommends.
    """
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set({"distributed.worker.profile.enabled": False}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def received_bytes():
    """Return the bytes that the open TCP connections of this process have received."""
    total = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            connection = socket.socket(fileno=os.dup(int(name)))
        except OSError:  # not a socket, or closed meanwhile
            continue
        with connection:
            if connection.family in (socket.AF_INET, socket.AF_INET6):
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                total += struct.unpack_from("Q", info, 128)[0]  # tcpi_bytes_received
    return total


def search_of_long_fits():
    """Return a search of 48 fits of more than 2 s with one thread, and its rows."""
    estimator = AutoencoderTransformer(
        8, epochs=400, early_stopping=False, random_state=0
    )
    grid = {"learning_rate": np.geomspace(1e-4, 1e-2, 16)}
    return GridSearchCV(estimator, grid, cv=3, refit=False), load_digits().data / 16


def local_and_dask():
    """Return the seconds of the search with ``n_jobs=1`` and on two workers."""
    search, X = search_of_long_fits()
    local = seconds(lambda: search.fit(X))
    scores = search.cv_results_["mean_test_score"]
    shortest = search.cv_results_["mean_fit_time"].min()
    with two_workers(), joblib.parallel_config("dask", scatter=[X]):
        on_dask = seconds(lambda: search.fit(X))
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], scores)
    return on_dask, local, shortest


@case(
    "GridSearchCV, digits, 48 fits of 2 s: two Dask workers of one thread, against "
    "n_jobs=1 with one thread",
    "1.7x",
    takes_long=True,
    requires="distributed",
)
def search_on_dask(data, repeats):
    code = "from benchmarks.clusters import *; print(*local_and_dask())"
    code = f"if __name__ == '__main__': {code}"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ).stdout.split()
        for _ in range(repeats)
    ]
    on_dask, local, shortest = np.array(runs, float).T
    if shortest.min() < 2:
        raise RuntimeError(f"a fit took {shortest.min():.3g} s, less than 2 s")
    return Result(on_dask.tolist(), local.tolist())


@case(
    "GridSearchCV over 200 MB: bytes sent to each of two Dask workers, against X",
    "1/1.05",
    requires="distributed",
)
def search_bytes(data, repeats):
    X = np.random.default_rng(0).standard_normal((50_000, 1000), np.float32)
    estimator = AutoencoderTransformer(
        4, hidden_layer_sizes=(8,), init="random", batch_size=2048, epochs=1
    )
    search = GridSearchCV(
        estimator, {"learning_rate": [0.001, 0.002, 0.003, 0.004]}, cv=3, refit=False
    )
    with two_workers() as client:
        before = client.run(received_bytes)
        with joblib.parallel_config("dask", scatter=[X]):
            search.fit(X)
        after = client.run(received_bytes)
    received = [(after[worker] - before[worker]) / 1e6 for worker in after]
    return Result(received, 2 * [X.nbytes / 1e6], unit="MB")
