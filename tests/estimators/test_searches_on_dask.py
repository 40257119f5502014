"""Searches over joblib's Dask backend, on a cluster of two worker processes."""

import functools
import importlib
import itertools
import os
import signal
import socket
import stat
import struct
import sys

import joblib
import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster
from helpers import time_limit
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import AutoencoderTransformer, DenoisingAutoencoder
from skautoenc._utils.threads import n_available_threads

FAST = {"hidden_layer_sizes": (8,), "batch_size": 64, "epochs": 3, "random_state": 0}
RATES = {"learning_rate": [0.001, 0.003, 0.01]}


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0"
    ) as cluster:
        yield cluster
        children = psutil.Process().children(recursive=True)
        workers = [p for p in children if "spawn_main" in " ".join(p.cmdline())]
        assert workers
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive


@pytest.fixture
def client(cluster):
    with time_limit(180), Client(cluster) as client:
        client.wait_for_workers(2)
        yield client


def scores(search):
    """Return what does not depend on time, for each candidate and split."""
    results = search if isinstance(search, dict) else search.cv_results_
    return {
        name: np.asarray(values)
        for name, values in results.items()
        if "test_" in name and "time" not in name
    }


def assert_equal_results(search, local):
    assert scores(search).keys() == scores(local).keys() != set()
    for name, values in scores(search).items():
        np.testing.assert_array_equal(values, scores(local)[name])


@pytest.mark.parametrize(
    "search",
    [
        functools.partial(GridSearchCV, param_grid=RATES),
        functools.partial(
            RandomizedSearchCV, param_distributions=RATES, n_iter=2, random_state=0
        ),
        functools.partial(
            HalvingGridSearchCV, param_grid=RATES, min_resources=60, random_state=0
        ),
    ],
)
def test_searches_on_dask_have_the_results_of_local_ones(client, digits, search):
    search = search(AutoencoderTransformer(3, **FAST), cv=2, error_score="raise")
    y = np.zeros(len(digits))  # HalvingGridSearchCV samples it
    local = clone(search).fit(digits, y)
    with joblib.parallel_config("dask"):
        search.fit(digits, y)
    assert_equal_results(search, local)
    codes = [s.best_estimator_.transform(digits) for s in (search, local)]
    np.testing.assert_array_equal(*codes)


def test_x_val_and_sample_weight_are_routed_to_dask_workers(client, digits):
    weight = np.linspace(0.1, 2, len(digits))
    metadata = {"X_val": digits[:100] / 2, "sample_weight": weight}
    with config_context(enable_metadata_routing=True):
        autoencoder = AutoencoderTransformer(3, **FAST)
        pipeline = make_pipeline(
            MinMaxScaler(),
            autoencoder.set_fit_request(
                X_val=True, sample_weight=True
            ).set_score_request(sample_weight=True),
            transform_input=["X_val"],
        )
        calls = [
            functools.partial(cross_validate, pipeline, digits, cv=2, params=params)
            for params in (metadata, {**metadata, "sample_weight": weight[::-1]})
        ]
        local = [call() for call in calls]
        with joblib.parallel_config("dask"):
            results = [call() for call in calls]
    assert_equal_results(results[0], local[0])
    assert_equal_results(results[1], local[1])
    assert results[0]["test_score"][0] != results[1]["test_score"][0]


def received_bytes():
    """Return the bytes that the TCP connections of this process have received."""
    total = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            copy = os.dup(int(name))
        except OSError:  # closed meanwhile
            continue
        if not stat.S_ISSOCK(os.fstat(copy).st_mode):
            os.close(copy)
            continue
        with socket.socket(fileno=copy) as connection:
            if connection.family in (socket.AF_INET, socket.AF_INET6):
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                total += struct.unpack_from("Q", info, 128)[0]  # tcpi_bytes_received
    return total


def test_a_search_sends_its_data_to_each_worker_once(client):
    X = np.random.default_rng(0).standard_normal((1000, 1000))
    linear = AutoencoderTransformer(
        2, hidden_layer_sizes=(), init="random", batch_size=500, epochs=1
    )
    search = GridSearchCV(linear, {"learning_rate": [0.01, 0.02, 0.03, 0.04]}, cv=2)
    client.amm.stop()  # it drops a copy that no task needs yet
    before = client.run(received_bytes)
    with joblib.parallel_config("dask", scatter=[X]):
        search.fit(X)
    after = client.run(received_bytes)
    client.amm.start()
    for worker, received in after.items():
        assert X.nbytes < received - before[worker] < 1.1 * X.nbytes


def kills_its_process_once(path, X, rng):
    """A noise that ends the process while the file exists, and removes it."""
    if os.path.exists(path):
        os.unlink(path)
        os.kill(os.getpid(), signal.SIGKILL)
    return X + rng.normal(scale=0.1, size=X.shape).astype(X.dtype)


def test_candidates_of_a_killed_worker_run_again(client, digits, tmp_path):
    path = tmp_path / "exists"
    grid = [
        {"noise_level": [0.1, 0.2]},
        {"noise": [functools.partial(kills_its_process_once, path)]},
        {"noise_level": [0.3, 0.4]},
    ]
    splits = list(KFold(3).split(digits))
    search = GridSearchCV(
        DenoisingAutoencoder(3, **FAST), grid, cv=splits, error_score="raise"
    )
    local = clone(search).fit(digits)
    path.touch()
    processes = client.run(os.getpid)
    client.amm.stop()
    data = [digits, *itertools.chain.from_iterable(splits)]
    with joblib.parallel_config("dask", scatter=data):
        search.fit(digits)
    assert not path.exists()
    client.wait_for_workers(2)
    assert len(set(processes.values()) - set(client.run(os.getpid).values())) == 1
    assert_equal_results(search, local)


def threads_and_programs():
    import tensorflow as tf

    from skautoenc._training.compiled.cache import programs

    return (
        n_available_threads(),
        tf.config.threading.get_intra_op_parallelism_threads(),
        len(programs),
    )


def test_workers_compile_a_program_once_and_use_the_thread_of_a_task(client, digits):
    def loss(targets, outputs):  # each worker gets a copy with each candidate
        import keras

        return keras.ops.mean(keras.ops.abs(targets - outputs), axis=-1)

    params = {**FAST, "early_stopping": False, "loss": loss, "init": "random"}
    search = GridSearchCV(AutoencoderTransformer(3, **params), RATES, cv=2)
    with joblib.parallel_config("dask"):
        search.fit(digits)
    found = client.run(threads_and_programs)
    assert list(found.values()) == [(1, 1, 1), (1, 1, 1)]


def test_a_task_in_a_process_without_omp_num_threads_uses_one_thread(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with (
        time_limit(60),
        LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            processes=False,
            protocol="tcp://",
            dashboard_address=":0",
        ) as cluster,
        Client(cluster) as client,
    ):
        assert client.submit(n_available_threads, pure=False).result(timeout=30) == 1
        assert n_available_threads() == joblib.cpu_count()


def test_progress_bar_shows_the_fits_on_dask_workers(client, digits, capsys):
    search = GridSearchCV(AutoencoderTransformer(3, **FAST), RATES, cv=2)
    search.set_callbacks(ProgressBar())
    with joblib.parallel_config("dask"):
        search.fit(digits)
    assert "AutoencoderTransformer - fit" in capsys.readouterr().out


def set_importable(name, importable):
    """Forget a package, and let the next import of it succeed or fail."""
    for module in [m for m in sys.modules if m.split(".")[0] == name]:
        del sys.modules[module]
    if not importable:
        sys.modules[name] = None


def test_importing_the_package_on_workers_shows_that_it_is_not_installed(client):
    client.run(set_importable, "skautoenc", importable=False)
    try:
        with pytest.raises(ModuleNotFoundError, match="skautoenc"):
            client.run(importlib.import_module, "skautoenc")
    finally:
        client.run(set_importable, "skautoenc", importable=True)
