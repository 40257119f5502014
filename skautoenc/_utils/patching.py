"""Attributes of live objects, replaced for a while."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Set an attribute of an object, and restore it at the end.

    Parameters
    ----------
    owner : object
    name : str
        An attribute of the object or of its class.

    value : object
    """
    previous = getattr(owner, name)
    is_own = name in vars(owner) or inspect.isdatadescriptor(
        getattr(type(owner), name, None)
    )
    setattr(owner, name, value)
    try:
        yield
    finally:
        if is_own:
            setattr(owner, name, previous)
        else:
            delattr(owner, name)
