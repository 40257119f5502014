"""Temporary replacement of attributes."""

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def patched(obj: Any, name: str, value: Any) -> Iterator[None]:
    """Replace an attribute of an object, and restore it on exit.

    An attribute inherited from the class is removed from the instance again.

    Parameters
    ----------
    obj : object
    name : str
        Name of an attribute that the object has.

    value : object
    """
    is_set_on_instance = name in vars(obj) or inspect.isdatadescriptor(
        getattr(type(obj), name, None)
    )
    previous = getattr(obj, name)
    setattr(obj, name, value)
    try:
        yield
    finally:
        if is_set_on_instance:
            setattr(obj, name, previous)
        else:
            delattr(obj, name)
