"""Memory that fits leave behind, and that a fit needs."""

import json
import subprocess
import sys

from sklearn.datasets import load_digits

from ._rows import PeakMemory, Result, mnist, resident, row
from .recipes import DIGITS_32, MNIST_SIMPLE


def growth(side):
    """Bytes of resident memory from the 20th to the 200th fit."""
    X = load_digits().data.astype("float32") / 16
    kept = 0
    for i in range(1, 201):
        if side == "ours":
            DIGITS_32.estimator(epochs=2, random_state=i).fit(X)
        else:
            DIGITS_32.plain_keras(X, epochs=2)
        if i == 20:
            kept = resident()
    return resident() - kept


def peak(side, data):
    """Most bytes during a fit, beyond what was resident with the data loaded."""
    import tensorflow as tf

    X = mnist(data)
    tf.constant(0)
    before = resident()
    with PeakMemory() as memory:
        if side == "ours":
            MNIST_SIMPLE.estimator(epochs=5, random_state=0).fit(X)
        else:
            MNIST_SIMPLE.plain_keras(X, epochs=5)
    return memory.peak - before


def _in_own_process(call):
    code = f"from benchmarks.memory import *; print(json.dumps({call}))"
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return json.loads(out.stdout) / 2**20


@row("memory growth from the 20th to the 200th fit, against plain Keras", "<= 30 MiB")
def memory_growth(data, repeats):
    return Result(
        [_in_own_process("growth('ours')")],
        [_in_own_process("growth('rival')")],
        unit="MiB",
    )


@row(
    "peak memory of a fit on MNIST beyond its 179 MiB, against plain Keras",
    "<= 579 MiB",
    needs_data=True,
)
def memory_peak(data, repeats):
    call = "peak({!r}, __import__('pathlib').Path({!r}))"
    return Result(
        [_in_own_process(call.format("ours", str(data)))],
        [_in_own_process(call.format("rival", str(data)))],
        unit="MiB",
    )
