"""Cold starts: time of imports, first fits and loaded pickles."""

import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import AutoencoderTransformer

from ._cases import Result, case, mnist, seconds
from .recipes import MNIST_DEEP

# Measured in the child, because the value that the parent reads includes its pages.
_PEAK = """
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


def _python(code):
    """Run `code` in a new process, and return its seconds and peak memory in KiB."""
    start = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-c", code + _PEAK],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
        capture_output=True,
        text=True,
    )
    return time.perf_counter() - start, int(process.stdout)


def _processes(ours, baseline, repeats, measure=0):
    """Measure processes of both sides alternately, after one unmeasured run each."""
    _python(ours), _python(baseline)
    figures = [
        (_python(ours)[measure], _python(baseline)[measure]) for _ in range(repeats)
    ]
    return list(map(list, zip(*figures, strict=True)))


@case("import skautoenc, against sklearn.decomposition", "1/1.2")
def importing(data, repeats):
    sides = "import skautoenc", "import sklearn.decomposition"
    return Result(*_processes(*sides, max(repeats, 7)))


FIT = """
from sklearn.datasets import load_digits
X = load_digits().data.astype("float32") / 16
from benchmarks.recipes import DIGITS_32
DIGITS_32.{}
"""


@case("digits-32, 100 epochs: new process, imports and first fit", "")
def new_process(data, repeats):
    ours = FIT.format("estimator(epochs=100, random_state=0).fit(X)")
    return Result(*_processes(ours, FIT.format("plain_keras(X, 100)"), repeats))


def _serve(measure):
    """Return a case that loads a pickled pipeline in a new process and predicts."""
    X, y = load_digits(return_X_y=True)
    code = (
        "import pickle\n"
        "with open({!r}, 'rb') as file:\n"
        "    pickle.load(file).predict([[0.0] * 64])\n"
    )

    def run(data, repeats):
        with tempfile.TemporaryDirectory() as folder:
            sides = []
            for reducer in (AutoencoderTransformer(16, epochs=5), PCA(16)):
                classifier = LogisticRegression(max_iter=1000)
                pipeline = make_pipeline(MinMaxScaler(), reducer, classifier).fit(X, y)
                path = Path(folder, type(reducer).__name__)
                path.write_bytes(pickle.dumps(pipeline))
                sides.append(code.format(str(path)))
            figures = _processes(*sides, max(repeats, 7), measure)
        if measure == 0:
            return Result(*figures)
        return Result(*([n / 2**10 for n in side] for side in figures), unit="MiB")

    return run


@case("load a pickled pipeline and predict, new process, against PCA", "1/1.25")
def cold_pickle(data, repeats):
    return _serve(0)(data, repeats)


@case("the same: peak memory", "1/1.25")
def cold_pickle_memory(data, repeats):
    return _serve(1)(data, repeats)


@case(
    "mnist-deep: tracing in the first fit, against XLA compilation",
    "",
    needs_data=True,
)
def trace_and_compile(data, repeats):
    call = f"compile_times({str(data)!r})"
    code = f"from benchmarks.starts import compile_times; print(*{call})"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.split()
        for _ in range(repeats)
    ]
    return Result(*[list(map(float, side)) for side in zip(*runs, strict=True)])


def compile_times(data):
    """Return the seconds to trace a program, and the excess time of its first call."""
    from skautoenc._training.tensorflow_engine.program import Program

    traced, called = [], []

    def timed(name, into):
        method = getattr(Program, name)

        def timing(*args):
            results = []
            into.append(seconds(lambda: results.append(method(*args))))
            return results[0]

        setattr(Program, name, timing)

    timed("_compile", traced), timed("train", called)
    MNIST_DEEP.estimator(epochs=5, random_state=0).fit(mnist(Path(data)))
    return traced[0], called[0] - sorted(called)[len(called) // 2]
