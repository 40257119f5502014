"""Work that needs TensorFlow, in a process that was forked after its import.

TensorFlow's threads do not survive a fork, and who waits for them waits for ever. So
the work is done by a new Python, started for it.
"""

import os
import subprocess
import sys
from io import BytesIO

import cloudpickle

_forked = False


def _note_fork():
    global _forked
    _forked = _forked or "tensorflow" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def forked_after_tensorflow():
    """Whether this process has TensorFlow from a parent, and so cannot use it."""
    return _forked


_SERVE = """
import pickle, sys
task, answer = sys.stdin.buffer, open({fd}, "wb")
sys.path[:] = pickle.load(task)
import cloudpickle
function, arguments = pickle.load(task)
try:
    result = True, function(*arguments)
except Exception as error:
    result = False, error
cloudpickle.dump(result, answer)
answer.close()
"""


def in_fresh_process(function, *arguments):
    """Call a function in a new process; return what it returns, raise what it raises.

    Parameters
    ----------
    function : callable
    *arguments : object
        Copied to the process by cloudpickle, as is the result on its way back.
    """
    task = BytesIO()
    for part in (sys.path, (function, arguments)):
        cloudpickle.dump(part, task)
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE.format(fd=write_end)],
        stdin=subprocess.PIPE,
        pass_fds=[write_end],
    )
    os.close(write_end)
    with process, open(read_end, "rb") as answer:
        try:
            process.stdin.write(task.getbuffer())
            process.stdin.close()
            data = answer.read()
        except BaseException:
            process.kill()
            raise
    if not data:
        raise RuntimeError(
            "The process that was to train in the place of this one, which was forked "
            f"after TensorFlow was imported, ended with status {process.returncode}. "
            "Start processes with the 'spawn' method, or with joblib."
        )
    succeeded, result = cloudpickle.loads(data)
    if not succeeded:
        raise result
    return result
