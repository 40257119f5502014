"""Values as plain data, in which estimators are stored in files.

Plain data are numbers, strings, arrays, and lists, tuples and dicts of them. An object
of a registered class is a dict of its fields and of the name that the class was
registered under, which stays the same if the class is renamed or moved.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from sklearn.utils.metadata_routing import MetadataRequest

from .digest import Digest

Class = TypeVar("Class", bound=type)

# Key of the name of a class.
_NAME = "stored_as"

# Number of floats up to which a list is stored as it is.
_SHORT = 16

_SCALARS = bool, int, float, complex, str, bytes, type(None)


class _Kind(NamedTuple):
    """A class, what its fields are, and the function that creates an object of them."""

    cls: type
    fields: Callable[[Any], dict[str, Any]]
    create: Callable[..., Any]


_KINDS: dict[str, _Kind] = {}
_NAMES: dict[type, str] = {}


def stored_as(
    name: str,
    fields: Callable[[Any], dict[str, Any]] | None = None,
    create: Callable[..., Any] | None = None,
) -> Callable[[Class], Class]:
    """Register a class, so that its objects can be stored; a class decorator.

    Parameters
    ----------
    name : str
        Stands for the class in files, and must not be changed.

    fields : callable or None, default=None
        Returns the fields of an object as a dict. If None, the fields of a dataclass or
        a named tuple.

    create : callable or None, default=None
        Takes the fields as keyword arguments, and returns the object. If None, the
        class.
    """

    def register(cls):
        _KINDS[name] = _Kind(cls, fields or _fields, create or cls)
        _NAMES[cls] = name
        return cls

    return register


def _fields(value):
    if not dataclasses.is_dataclass(value):
        return value._asdict()
    fields = dataclasses.fields(value)
    return {field.name: getattr(value, field.name) for field in fields}


def to_plain(value: Any) -> Any:
    """Return a value with objects of registered classes as dicts.

    A long list of floats becomes an array, which takes less space. Objects of other
    classes, such as estimators, are left as they are.
    """
    kind = type(value)
    if kind in _NAMES:
        name = _NAMES[kind]
        return {_NAME: name, **to_plain(_KINDS[name].fields(value))}
    if kind is dict:
        return {key: to_plain(item) for key, item in value.items()}
    if kind is list and len(value) > _SHORT and {*map(type, value)} == {float}:
        return {_NAME: "floats", "values": np.array(value)}
    if kind in (list, tuple):
        return kind(map(to_plain, value))
    return value


def from_plain(value: Any) -> Any:
    """Return the value that `to_plain` was called with.

    Raises
    ------
    ValueError
        If an object cannot be created from its fields.
    """
    if type(value) in (list, tuple):
        return type(value)(map(from_plain, value))
    if type(value) is not dict:
        return value
    fields = {key: from_plain(item) for key, item in value.items()}
    if _NAME not in fields:
        return fields
    name = fields.pop(_NAME)
    if not isinstance(name, str) or name not in _KINDS:
        raise ValueError(f"there is no class that is stored as {name!r}")
    try:
        return _KINDS[name].create(**fields)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"the fields of a {name} are invalid: {error}") from error


def checksum(value: Any) -> str:
    """Return a checksum of plain data; objects of other classes do not count."""
    digest = Digest()
    digest.add(_without_objects(value))
    return digest.hexdigest()[:16]


def _without_objects(value):
    """Return a value with an ellipsis for whatever is not plain data."""
    kind = type(value)
    if kind in (list, tuple):
        return kind(map(_without_objects, value))
    if kind is dict:
        return {key: _without_objects(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        if not value.dtype.hasobject:
            return value
        is_text = value.ndim == 1 and all(type(item) is str for item in value)
        return value if is_text else ...
    if isinstance(value, type):  # of the reconstructions
        return value if issubclass(value, np.generic) else ...
    return value if kind in _SCALARS or isinstance(value, np.generic) else ...


# Classes of other packages.


def _floats(values):
    if not (isinstance(values, np.ndarray) and values.dtype == np.float64):
        raise TypeError("values must be an array of float64")
    return values.tolist()


def _generator(**state):
    generator = np.random.Generator(np.random.PCG64())
    generator.bit_generator.state = state
    return generator


def _metadata_requests(request):
    # The owner is an estimator, of which scikit-learn shows the name.
    fields = {"owner": _owner_name(request.owner)}
    for name, method in vars(request).items():
        if name != "owner" and method.requests:
            fields[name] = dict(method.requests)
    return fields


def _owner_name(owner):
    return owner if isinstance(owner, str) else type(owner).__name__


def _metadata_request(owner, **methods):
    request = MetadataRequest(owner=owner)
    for name, requests in methods.items():
        for param, alias in requests.items():
            getattr(request, name).add_request(param=param, alias=alias)
    return request


_KINDS["floats"] = _Kind(list, lambda value: {"values": np.array(value)}, _floats)
stored_as("generator", lambda value: value.bit_generator.state, _generator)(
    np.random.Generator
)
stored_as("path", lambda value: {"path": str(value)}, lambda path: Path(path))(
    type(Path())
)
stored_as("metadata_request", _metadata_requests, _metadata_request)(MetadataRequest)
