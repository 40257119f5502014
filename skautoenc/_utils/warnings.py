"""Warnings that point at the user's line."""

import inspect
import warnings
from pathlib import Path

import sklearn

_OWN = tuple(
    str(folder) for folder in (Path(__file__).parents[1], Path(sklearn.__file__).parent)
)


def warn_user(message):
    """Give a UserWarning at the first line outside this package and scikit-learn."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
        level += 1
    warnings.warn(message, UserWarning, stacklevel=level)
