"""Time and memory with Dask collections on a cluster of two processes."""

import contextlib
import json
import subprocess
import sys

import numpy as np

from skautoenc import AutoencoderTransformer

from ._cases import PeakMemory, Result, case, mnist, time_both

N_ROWS, N_FEATURES, CHUNK_ROWS = 10**7, 64, 10**5


@contextlib.contextmanager
def cluster():
    """Start two workers of one thread each, and a client."""
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as workers,
        Client(workers, direct_to_workers=True),
    ):
        yield


def rows(n):
    """Return Dask rows of a curved surface, float32, which workers compute."""
    import dask.array as da

    rng = da.random.default_rng(0)
    mix = np.random.default_rng(0).standard_normal((4, N_FEATURES))
    codes = rng.standard_normal((n, 4), chunks=(CHUNK_ROWS, 4))
    return da.tanh(codes @ mix).astype(np.float32)


def estimator(**params):
    return AutoencoderTransformer(
        4, hidden_layer_sizes=(32,), batch_size=512, random_state=0, **params
    )


def client_memory(transforms):
    """Return the peak memory of a client beyond that before its call, in bytes.

    It asks for the sums of the columns of the codes, or of the rows themselves.
    """
    X = rows(N_ROWS)
    fitted = estimator(epochs=1).fit(X[:CHUNK_ROWS].compute())
    with cluster():
        fitted.transform(X[:CHUNK_ROWS]).sum(axis=0).compute()
        with PeakMemory() as memory:
            lazy = fitted.transform(X) if transforms else X
            lazy.sum(axis=0).compute()
    return memory.peak - memory.before


@case(
    "lazy transform of 10^7 x 64 Dask rows: peak memory of the client, against a sum "
    "of the rows",
    "<= 200 MiB",
    requires="distributed",
)
def dask_transform_memory(data, repeats):
    code = (
        "from benchmarks.dask_collections import *; "
        "print(json.dumps(client_memory({})))"
    )
    sides = [
        [
            json.loads(
                subprocess.run(
                    [sys.executable, "-c", code.format(transforms)],
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
            )
            / 2**20
        ]
        for transforms in (True, False)
    ]
    return Result(*sides, unit="MiB")


def fit_times(X, lazy, repeats, **params):
    """Time fits to rows on the workers, and to the same in memory."""
    losses = []

    def fit(rows):
        fitted = AutoencoderTransformer(random_state=0, **params).fit(rows)
        losses.append(fitted.history_["loss"][-1])

    times = time_both(lambda: fit(lazy), lambda: fit(X), repeats)
    return Result(*times, losses=tuple(losses[-2:]))


@case(
    "fit on 500000 x 64 Dask rows on 2 workers, 3 epochs, against rows in memory",
    "1/1.5",
    requires="distributed",
)
def dask_fit(data, repeats):
    with cluster():
        lazy = rows(500_000).persist()
        return fit_times(lazy.compute(), lazy, repeats, n_components=4, epochs=3)


@case(
    "fit on 60000 MNIST rows on 2 workers, 10000 a chunk, 5 epochs, against rows in "
    "memory",
    "1/1.5",
    needs_data=True,
    requires="distributed",
)
def dask_fit_mnist(data, repeats):
    import dask.array as da
    from distributed import wait

    X = mnist(data)
    with cluster():
        chunks = [
            da.from_array(X[i : i + 10_000], chunks=(2000, -1)).persist()
            for i in range(0, len(X), 10_000)
        ]
        lazy = da.concatenate(chunks).rechunk((10_000, -1)).persist()
        wait(lazy)
        return fit_times(X, lazy, repeats, n_components=32, epochs=5)
