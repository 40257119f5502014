"""Detection of a fork after TensorFlow was imported."""

import os
import sys

_forked = False


def forked_after_tensorflow() -> bool:
    """Whether this process inherited TensorFlow by a fork, and so cannot call it."""
    return _forked


def _record_fork():
    global _forked
    _forked = _forked or "tensorflow" in sys.modules


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_record_fork)
