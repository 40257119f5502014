"""Time and memory of `partial_fit`, against `fit` and against the training alone."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from skautoenc import AutoencoderTransformer

from ._cases import PeakMemory, Result, case, mnist, seconds
from .scale import memory_map

N_ROWS, N_FEATURES, CHUNK_ROWS = 10**7, 64, 10**5


def estimator(**params):
    return AutoencoderTransformer(
        4, hidden_layer_sizes=(32,), batch_size=512, random_state=0, **params
    )


def partial_fit(X):
    """Return an estimator that was trained on one chunk of rows after another."""
    trained = estimator(epochs=2)
    for start in range(0, len(X), CHUNK_ROWS):
        trained.partial_fit(np.asarray(X[start : start + CHUNK_ROWS]))
    return trained


def per_row(path):
    """Return the seconds per row of `partial_fit`, and of an epoch of `fit`."""
    X = np.load(path, mmap_mode="r")

    def fit(epochs):
        return seconds(lambda: estimator(epochs=epochs, early_stopping=False).fit(X))

    partial_fit(X[: 3 * CHUNK_ROWS])
    estimator(epochs=1).fit(X[:CHUNK_ROWS])
    ours = seconds(lambda: partial_fit(X))
    return ours / len(X), (fit(3) - fit(1)) / 2 / len(X)


@case("partial_fit on 10^7 x 64 rows, 10^5 a chunk: time per row, against fit", "1/1.3")
def chunks_time(data, repeats):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "X.npy")
        memory_map(path, N_ROWS, N_FEATURES)
        times = [per_row(path) for _ in range(repeats)]
    return Result(*map(list, zip(*times, strict=True)), unit="s per row")


def peak(path, n):
    """Return the peak memory without mapped files, as chunks are, in bytes."""
    X = np.load(path, mmap_mode="r")[:n]
    estimator().partial_fit(np.array(X[:2000]))
    with PeakMemory(mapped_files=False) as memory:
        partial_fit(X)
    return memory.peak - memory.before


@case("peak memory of the same beyond a chunk, against 3 chunks", "<= 300 MiB")
def chunks_memory(data, repeats):
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "X.npy"))
        memory_map(path, N_ROWS, N_FEATURES)
        code = "from benchmarks.streams import *; print(json.dumps(peak({!r}, {})))"
        sides = [
            [
                json.loads(
                    subprocess.run(
                        [sys.executable, "-c", code.format(path, n)],
                        check=True,
                        capture_output=True,
                        text=True,
                    ).stdout
                )
                / 2**20
            ]
            for n in (N_ROWS, 3 * CHUNK_ROWS)
        ]
    return Result(*sides, unit="MiB")


@case("partial_fit on 32 digits: time beyond the step, against the step", "<= 1 ms")
def chunks_call(data, repeats):
    """The step is that of the NumPy engine on rows that are gathered already."""
    X, trained = _digits(), AutoencoderTransformer(random_state=0)
    for start in range(0, len(X), 32):
        trained.partial_fit(X[start : start + 32])
    chunk, ours, baseline = X[:32].copy(), [], []
    trainer = trained._live.session.training.engine._trainer
    for _ in range(repeats):
        calls, steps = (
            statistics.median(seconds(function) for _ in range(1000))
            for function in (
                lambda: trained.partial_fit(chunk),
                lambda: trainer.train(chunk, chunk, None, len(chunk)),
            )
        )
        ours.append(1e3 * (calls - steps))
        baseline.append(1e3 * steps)
    return Result(ours, baseline, unit="ms")


def errors(X, params, n_rows):
    """Return the errors of `partial_fit` and `fit` after equally many visits of X."""
    fitted = AutoencoderTransformer(random_state=0, **params).fit(X)
    trained = AutoencoderTransformer(random_state=0, **params)
    for _ in range(fitted.n_iter_):
        for start in range(0, len(X), n_rows):
            trained.partial_fit(X[start : start + n_rows])
    sides = trained, fitted
    return Result(*([_error(side, X)] for side in sides), unit="mean squared error")


def _error(estimator, X):
    return float(estimator.reconstruction_error(X).mean())


def _digits():
    return load_digits().data.astype(np.float32) / 16


@case("digits, 8 components, chunks of 32 rows: error after as many visits", "1/1.02")
def chunks_digits(data, repeats):
    return errors(_digits(), {"n_components": 8}, 32)


@case("the same from random weights, 60 visits", "1/1.02")
def chunks_digits_random(data, repeats):
    params = {"n_components": 8, "init": "random", "epochs": 60}
    return errors(_digits(), params, 32)


@case(
    "5000 digits of MNIST, 32 components, chunks of 500 rows: error after the visits "
    "of fit",
    "1/1.02",
    needs_data=True,
)
def chunks_mnist(data, repeats):
    return errors(mnist(data)[:5000], {"n_components": 32}, 500)


def warm_start(params):
    """Return the mean errors on the digits of 3 x 12 epochs and of 36, over 5 seeds."""
    X, sides = _digits(), np.zeros(2)
    for seed in range(5):
        params = {**params, "random_state": seed}
        continued = AutoencoderTransformer(epochs=12, warm_start=True, **params)
        for _ in range(3):
            continued.fit(X)
        whole = AutoencoderTransformer(epochs=36, **params).fit(X)
        sides += _error(continued, X) / 5, _error(whole, X) / 5
    return Result(*([float(side)] for side in sides), unit="mean squared error")


@case("digits, 8 components: warm starts of 12 epochs from PCA, against 36", "")
def warm_start_pca(data, repeats):
    return warm_start({"n_components": 8})


@case("the same from random weights, at a constant learning rate", "1x")
def warm_start_random(data, repeats):
    return warm_start({"n_components": 8, "init": "random"})
