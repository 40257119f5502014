"""The same fits with each installed backend of Keras, in a new process for each.

python -m benchmarks.backends
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time

from sklearn.datasets import load_digits

from skautoenc import AutoencoderTransformer, ConvNetwork

BACKENDS = "tensorflow", "jax", "torch"
REPEATS = 5


def seconds(function):
    """Return the time of a call in seconds."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure():
    """Return the times with the backend of this process, in seconds."""
    X = load_digits().data / 16
    dense = AutoencoderTransformer(8, random_state=0)
    conv = AutoencoderTransformer(8, network=ConvNetwork((8, 8, 1)), random_state=0)
    dense.fit(X)
    imported_by_numpy = [name for name in BACKENDS if name in sys.modules]
    times = {"first fit, with the import": seconds(lambda: conv.fit(X))}
    again = [seconds(lambda: conv.fit(X)) for _ in range(REPEATS)]
    times["fit again"] = statistics.median(again)
    conv.transform(X)
    again = [seconds(lambda: conv.transform(X)) for _ in range(REPEATS)]
    times["transform 1797 rows"] = statistics.median(again)
    return times, imported_by_numpy, [name for name in BACKENDS if name in sys.modules]


def main():
    """Print a table with one row for each backend."""
    rows = []
    for backend in BACKENDS:
        if importlib.util.find_spec(backend) is None:
            continue
        done = subprocess.run(
            [sys.executable, "-m", __spec__.name, "here"],
            env={**os.environ, "KERAS_BACKEND": backend},
            stdout=subprocess.PIPE,
            check=True,
        )
        times, by_numpy, by_keras = json.loads(done.stdout.splitlines()[-1])
        rows.append([backend, *(f"{t:.2f} s" for t in times.values())])
        rows[-1] += [", ".join(by_numpy) or "none", ", ".join(by_keras)]
    heads = ["backend", *times, "imported by a dense fit", "and by these"]
    for row in heads, ["---"] * len(heads), *rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    if sys.argv[1:] == ["here"]:
        print(json.dumps(measure()))
    else:
        main()
