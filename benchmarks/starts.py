"""Cold starts: imports, first fits, and pickles that must answer at once."""

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

from ._rows import Result, mnist, row, seconds
from .recipes import MNIST_DEEP

# The figure that a parent gets for its child counts the parent's pages too.
_PEAK = """
with open("/proc/self/status") as status:
    print(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


def _python(code):
    """Seconds and most resident KiB of a new process that runs `code`."""
    start = time.perf_counter()
    process = subprocess.run(
        [sys.executable, "-c", code + _PEAK],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=True,
        capture_output=True,
        text=True,
    )
    return time.perf_counter() - start, int(process.stdout)


def _processes(ours, rival, repeats, what=0):
    """One figure of both sides' processes, run by turns after one of each."""
    _python(ours), _python(rival)
    figures = [(_python(ours)[what], _python(rival)[what]) for _ in range(repeats)]
    return list(map(list, zip(*figures, strict=True)))


@row("import skautoenc, against sklearn.decomposition", "1/1.2")
def importing(data, repeats):
    sides = "import skautoenc", "import sklearn.decomposition"
    return Result(*_processes(*sides, max(repeats, 7)))


FIT = """
from sklearn.datasets import load_digits
X = load_digits().data.astype("float32") / 16
from benchmarks.recipes import DIGITS_32
DIGITS_32.{}
"""


@row("digits-32, 100 epochs: new process, imports and first fit", "")
def new_process(data, repeats):
    ours = FIT.format("estimator(epochs=100, random_state=0).fit(X)")
    return Result(*_processes(ours, FIT.format("plain_keras(X, 100)"), repeats))


def _serve(what):
    """Load a pickled classifier on codes in a new process, and let it predict."""
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
            figures = _processes(*sides, max(repeats, 7), what)
        if what == 0:
            return Result(*figures)
        return Result(*([n / 2**10 for n in side] for side in figures), unit="MiB")

    return run


@row("load a pickled pipeline and predict, new process, against PCA's", "1/1.25")
def cold_pickle(data, repeats):
    return _serve(0)(data, repeats)


@row("the same, most memory", "1/1.25")
def cold_pickle_memory(data, repeats):
    return _serve(1)(data, repeats)


@row(
    "mnist-deep: tracing of the first fit, against compiling by XLA",
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
    """Seconds to trace a program, and seconds that its first call is longer."""
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
