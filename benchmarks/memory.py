"""Memory that is retained after fits, and peak memory of a fit."""

import json
import subprocess
import sys

from sklearn.datasets import load_digits

from ._cases import PeakMemory, Result, case, mnist, resident_memory
from .recipes import DIGITS_32, MNIST_SIMPLE


def growth(side):
    """Return the growth of resident memory from the 20th to the 200th fit, in bytes."""
    X = load_digits().data.astype("float32") / 16
    after_20 = 0
    for i in range(1, 201):
        if side == "ours":
            DIGITS_32.estimator(epochs=2, random_state=i).fit(X)
        else:
            DIGITS_32.plain_keras(X, epochs=2)
        if i == 20:
            after_20 = resident_memory()
    return resident_memory() - after_20


def peak(side, data):
    """Return the peak memory of a fit, beyond that of the loaded data, in bytes."""
    import tensorflow as tf

    X = mnist(data)
    tf.constant(0)
    before = resident_memory()
    with PeakMemory() as memory:
        if side == "ours":
            MNIST_SIMPLE.estimator(epochs=5, random_state=0).fit(X)
        else:
            MNIST_SIMPLE.plain_keras(X, epochs=5)
    return memory.peak - before


def _in_new_process(call):
    """Return the value of an expression in a new process, in MiB."""
    code = f"from benchmarks.memory import *; print(json.dumps({call}))"
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return json.loads(out.stdout) / 2**20


@case("memory growth from the 20th to the 200th fit, against plain Keras", "<= 30 MiB")
def memory_growth(data, repeats):
    return Result(
        [_in_new_process("growth('ours')")],
        [_in_new_process("growth('baseline')")],
        unit="MiB",
    )


@case(
    "peak memory of a fit on MNIST beyond its 179 MiB, against plain Keras",
    "<= 579 MiB",
    needs_data=True,
)
def memory_peak(data, repeats):
    call = "peak({!r}, __import__('pathlib').Path({!r}))"
    return Result(
        [_in_new_process(call.format("ours", str(data)))],
        [_in_new_process(call.format("baseline", str(data)))],
        unit="MiB",
    )
