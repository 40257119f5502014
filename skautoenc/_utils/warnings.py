"""Warnings that point to the user's code."""

import inspect
import warnings
from pathlib import Path

import sklearn

_SKIPPED_FOLDERS = tuple(
    str(folder) for folder in (Path(__file__).parents[1], Path(sklearn.__file__).parent)
)


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Give a warning at the first line outside this package and scikit-learn."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_SKIPPED_FOLDERS):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
