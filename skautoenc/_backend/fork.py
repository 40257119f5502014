"""Detection of a fork after the backend of Keras was imported."""

import os
import sys

from .choice import LIBRARIES, keras_backend

_inherited: set[str] = set()


def forked_after_import() -> bool:
    """Whether this process inherited Keras's backend by a fork, and cannot call it."""
    return bool(_inherited) and keras_backend() in _inherited


def _record_fork():
    _inherited.update(name for name in LIBRARIES if name in sys.modules)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_record_fork)
