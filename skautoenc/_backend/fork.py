"""Whether this process was forked after TensorFlow's import."""

import os
import sys

_forked = False


def forked_after_tensorflow():
    """Whether this process has TensorFlow from a parent, and so cannot use it."""
    return _forked


def _note_fork():
    global _forked
    _forked = _forked or "tensorflow" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)
