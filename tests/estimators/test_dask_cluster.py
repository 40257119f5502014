"""Dask collections on a cluster of two worker processes."""

import os
import signal
import sys
import time

import dask
import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster, wait
from helpers import make_autoencoder, time_limit

from skautoenc._estimators import dask_input

N, D, CHUNK = 12_000, 8, 1000

# Seconds after which the tests give up.
TIMEOUT = 60


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs="CRITICAL",
        ) as cluster,
        Client(cluster, timeout=TIMEOUT) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def ended_in_time():
    with time_limit(2 * TIMEOUT):
        yield


@pytest.fixture(scope="module")
def lazy():
    """Rows that the workers compute."""
    rng = da.random.default_rng(0)
    codes = rng.standard_normal((N, 3), chunks=(CHUNK, 3))
    mix = np.random.default_rng(0).standard_normal((3, D))
    return da.tanh(codes @ mix).astype(np.float32)


@pytest.fixture(scope="module")
def X(lazy):
    return lazy.compute(scheduler="synchronous")


@pytest.fixture(scope="module")
def fitted(X):
    return make_autoencoder().fit(X)


def by_chunk(method, X):
    return np.concatenate([method(X[i : i + CHUNK]) for i in range(0, N, CHUNK)])


def test_fit_on_a_cluster_gives_the_bits_of_a_fit_without_it(
    X, lazy, client, monkeypatch
):
    monkeypatch.setattr(dask_input, "_MAX_BYTES_IN_MEMORY", 0)
    with client.as_current():
        on_cluster = make_autoencoder().fit(lazy)
        chunks = lazy.persist()
        again = make_autoencoder().fit(chunks, sample_weight=np.ones(N))
    with dask.config.set(scheduler="synchronous"):
        without = make_autoencoder().fit(lazy)
    np.testing.assert_array_equal(on_cluster.transform(X), without.transform(X))
    np.testing.assert_array_equal(again.transform(X), without.transform(X))


def test_transform_on_workers_does_not_import_tensorflow(X, lazy, client, fitted):
    codes = client.compute(fitted.transform(lazy)).result(TIMEOUT)
    np.testing.assert_array_equal(codes, by_chunk(fitted.transform, X))
    errors = client.compute(fitted.score_samples(lazy)).result(TIMEOUT)
    np.testing.assert_array_equal(errors, by_chunk(fitted.score_samples, X))

    def imported():
        return {
            name for name in ("skautoenc", "keras", "tensorflow") if name in sys.modules
        }

    assert list(client.run(imported).values()) == [{"skautoenc"}] * 2


def test_transform_gives_the_same_bits_if_a_worker_is_killed(X, lazy, client, fitted):
    def slowly(chunk):
        time.sleep(0.2)
        return chunk

    slow = lazy.map_blocks(slowly, dtype=lazy.dtype, meta=lazy._meta)
    pid, *_ = client.run(os.getpid).values()
    codes = client.persist(fitted.transform(slow))
    while not any(client.who_has(codes).values()):
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    wait(codes, timeout=TIMEOUT)
    assert not any(future.status == "error" for future in client.futures_of(codes))
    computed = client.compute(codes).result(TIMEOUT)
    np.testing.assert_array_equal(computed, by_chunk(fitted.transform, X))
    client.wait_for_workers(2, timeout=TIMEOUT)


def test_fit_says_that_a_worker_cannot_import_the_package(
    lazy, client, fitted, monkeypatch
):
    monkeypatch.setattr(dask_input, "_MAX_BYTES_IN_MEMORY", 0)

    def hide():
        hidden = [name for name in sys.modules if name.startswith("skautoenc")]
        for name in hidden:
            del sys.modules[name]
        sys.modules["skautoenc"] = None

    client.run(hide)
    try:
        with (
            client.as_current(),
            pytest.raises(ModuleNotFoundError, match="Install it on all workers"),
        ):
            make_autoencoder().fit(lazy)
        codes = client.compute(fitted.transform(lazy))
        with pytest.raises(ModuleNotFoundError, match="skautoenc"):
            codes.result(TIMEOUT)
    finally:
        client.run(lambda: sys.modules.pop("skautoenc"))
