"""Time and memory of a fit on a memory map, depending on the number of rows."""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from skautoenc import AutoencoderTransformer

from ._cases import PeakMemory, Result, case, seconds

N_FEATURES = 16


def memory_map(path, n, n_features=N_FEATURES):
    """Write `n` float32 rows of a curved surface to a file, and return a memory map."""
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n, n_features))
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((4, n_features), np.float32)
    for start in range(0, n, 100_000):
        rows = X[start : start + 100_000]
        rows[:] = np.tanh(rng.standard_normal((len(rows), 4), np.float32) @ mix)
    X.flush()
    return np.load(path, mmap_mode="r")


def estimator():
    return AutoencoderTransformer(
        4, hidden_layer_sizes=(32,), batch_size=512, epochs=2, random_state=0
    )


def _per_row(many, few, repeats):
    """Return the seconds per row and epoch of fits on many and on few rows."""
    with tempfile.TemporaryDirectory() as folder:
        X = memory_map(Path(folder, "X.npy"), many)

        def per_row(n):
            fits = max(1, few * 10 // n)
            times = [seconds(lambda: estimator().fit(X[:n])) for _ in range(fits)]
            return statistics.median(times) / n / 2

        per_row(few)
        times = [(per_row(many), per_row(few)) for _ in range(repeats)]
    return Result(*map(list, zip(*times, strict=True)), unit="s per row")


@case("fit on 10^6 rows of a memory map, against 10^4: time per row, epoch", "1/1.1")
def rows_million(data, repeats):
    return _per_row(10**6, 10**4, repeats)


@case("fit on 10^7 rows of a memory map, against 10^5: time per row, epoch", "1/1.1")
def rows_ten_million(data, repeats):
    return _per_row(10**7, 10**5, repeats)


def peak(path, n):
    """Return the peak memory of a fit on `n` rows, without mapped files, in bytes."""
    X = np.load(path, mmap_mode="r")[:n]
    estimator().fit(X[:2000])
    with PeakMemory(mapped_files=False) as memory:
        estimator().fit(X)
    return memory.peak - memory.before


@case("peak memory of a fit on 10^7 mapped rows (610 MiB), against 10^5", "")
def rows_memory(data, repeats):
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "X.npy"))
        memory_map(path, 10**7)
        code = "from benchmarks.scale import *; print(json.dumps(peak({!r}, {})))"
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
            for n in (10**7, 10**5)
        ]
    return Result(*sides, unit="MiB")
