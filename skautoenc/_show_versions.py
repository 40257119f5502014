"""Versions of everything that a report of a bug should name."""

import os
import platform
import re
import sys
from importlib import metadata

import joblib


def show_versions() -> None:
    """Print the versions of the system, of skautoenc, and of the packages it uses.

    The output belongs into a report of a bug. No package is imported for it, so that it
    also works where an import fails.

    Examples
    --------
    >>> import skautoenc
    >>> skautoenc.show_versions()  # doctest: +ELLIPSIS
    skautoenc: 0.1.0
    Python: 3...
    """
    print(f"skautoenc: {metadata.version('skautoenc')}")
    print(f"Python: {sys.version.split()[0]} ({sys.executable})")
    print(f"system: {platform.platform()}, {platform.machine()}")
    print(f"cores: {joblib.cpu_count()}")
    for variable in ("KERAS_BACKEND", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"):
        print(f"{variable}: {os.environ.get(variable, 'not set')}")
    for name in _dependencies():
        print(f"{name}: {_version(name)}")


def _dependencies():
    """Names of the packages that skautoenc requires, and of those in its extras."""
    names = []
    for requirement in metadata.requires("skautoenc") or ():
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        is_for_developers = re.search(r"extra == ['\"](test|docs)['\"]", requirement)
        if not is_for_developers and name not in names:
            names.append(name)
    return names


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
