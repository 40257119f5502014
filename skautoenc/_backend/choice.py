"""Which backend Keras uses: TensorFlow, JAX or PyTorch."""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

# The names of the libraries, by backend.
LIBRARIES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


def keras_backend() -> str:
    """Return the name of the backend that Keras uses, or will use once it is imported.

    Keras reads it from the environment variable KERAS_BACKEND, or else from its file
    keras.json.
    """
    imported: Any = getattr(sys.modules.get("keras"), "backend", None)
    if hasattr(imported, "backend"):
        return imported.backend()
    return os.environ.get("KERAS_BACKEND") or _backend_in_file() or "tensorflow"


def _backend_in_file():
    folder = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    try:
        return json.loads(Path(folder, "keras.json").read_text()).get("backend")
    except (OSError, ValueError):  # as Keras does, take its default
        return None


def backend_library() -> str:
    """Return the name of the library of Keras's backend, such as "PyTorch"."""
    return LIBRARIES[keras_backend()]


def check_backend() -> None:
    """Raise an ImportError if the backend is not supported or not installed."""
    name = keras_backend()
    if name not in LIBRARIES:
        raise ImportError(
            f"skautoenc does not support the backend {name!r} of Keras. Set the "
            "environment variable KERAS_BACKEND to 'tensorflow', 'jax' or 'torch' "
            "before Keras is imported."
        )
    if importlib.util.find_spec(name) is None:
        raise ImportError(
            f"Keras is to use the backend {name!r}, which is not installed. Install it "
            f"(pip install 'skautoenc[{name}]'), or set the environment variable "
            "KERAS_BACKEND to another backend, such as 'tensorflow', before Keras is "
            "imported."
        )
