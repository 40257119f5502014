"""What a fit needs of its process: little, and it survives an interrupt."""

import os
import subprocess

import pytest
from helpers import NOT_IN_NUMPY, run_python

FIT = f"""
import numpy as np
from skautoenc import AutoencoderTransformer
X = np.random.default_rng(0).normal(size=(40, 4))
autoencoder = AutoencoderTransformer(
    2, hidden_layer_sizes=(3,), epochs=1, random_state=0, **{NOT_IN_NUMPY}
)
"""


QUIET_START = {
    "no sys.stderr": "import sys; sys.stderr = None",
    "a sys.stderr that only writes": """
import sys
class Writer:
    def write(self, text): pass
sys.stderr = Writer()
""",
    "a sys.stderr that cannot be flushed": """
import sys
class Writer:
    def write(self, text): pass
    def flush(self): raise OSError("cannot be flushed")
sys.stderr = Writer()
""",
    "a temporary folder that is not there": """
import tempfile
tempfile.tempdir = "/nonexistent"
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("prelude", QUIET_START.values(), ids=QUIET_START)
def test_fit_prints_nothing_when_tensorflow_is_imported_with(prelude):
    code = prelude + FIT + "print(autoencoder.fit(X).transform(X).shape)"
    done = run_python(code, check=False)
    assert (done.stdout, done.stderr) == ("(40, 2)\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "prelude",
    [
        "import os; os.close(2)",
        "import sys; sys.stderr.close()",
        """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # no folder takes a file
""",
    ],
    ids=["descriptor 2", "sys.stderr", "any temporary folder"],
)
def test_fit_imports_tensorflow_without(prelude):
    code = prelude + FIT + "print(autoencoder.fit(X).transform(X).shape)"
    done = run_python(code, stderr=subprocess.DEVNULL, check=False)
    assert (done.returncode, done.stdout) == (0, "(40, 2)\n")


@pytest.mark.slow
def test_fit_imports_tensorflow_where_stderr_was_closed_from_the_start():
    code = FIT + "print(autoencoder.fit(X).transform(X).shape)"
    done = run_python(code, preexec_fn=lambda: os.close(2), check=False)
    assert (done.returncode, done.stdout) == (0, "(40, 2)\n")


@pytest.mark.slow
def test_fit_imports_tensorflow_where_stderr_cannot_be_written():
    code = """
import os, threading
def log():
    while "tensorflow" not in sys.modules:
        try:
            os.write(2, b"a line of another thread\\n")
        except OSError:
            pass
import sys
threading.Thread(target=log, daemon=True).start()
"""
    code += FIT + "print(autoencoder.fit(X).transform(X).shape)"
    with open("/dev/full", "w") as full:
        done = run_python(code, stderr=full, check=False)
    assert (done.returncode, done.stdout) == (0, "(40, 2)\n")


INTERRUPTED = """
import os, signal, sys, threading, time
def interrupt():
    while len([name for name in list(sys.modules) if "tensorflow." in name]) < 400:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
"""


@pytest.mark.slow
def test_fit_ends_at_ctrl_c_during_the_tensorflow_import_and_can_be_repeated():
    code = INTERRUPTED + FIT
    code += """
handler = signal.getsignal(signal.SIGINT)
try:
    autoencoder.fit(X)
except KeyboardInterrupt:
    print("interrupted", hasattr(autoencoder, "n_iter_"))
print(signal.getsignal(signal.SIGINT) is handler)
print(autoencoder.fit(X).transform(X).shape)
"""
    done = run_python(code, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n") == ["interrupted False", "True", "(40, 2)", ""]


@pytest.mark.slow
def test_fit_reports_an_earlier_interrupted_tensorflow_import():
    code = INTERRUPTED + FIT
    code += """
try:
    import tensorflow
except KeyboardInterrupt:
    print("interrupted")
try:
    autoencoder.fit(X)
except RuntimeError as error:
    print(error)
"""
    done = run_python(code, check=False)
    assert done.stdout.startswith("interrupted\nAn earlier import"), done.stderr
    assert "Restart Python" in done.stdout
