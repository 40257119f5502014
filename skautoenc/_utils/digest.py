"""Digests of values, which are equal in every process."""

import dataclasses
import dis
import functools
import hashlib
import inspect
import os
from collections.abc import Callable, Mapping
from types import (
    CodeType,
    EllipsisType,
    FunctionType,
    MethodType,
    ModuleType,
    NotImplementedType,
)
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .blocks import row_blocks
from .chunked import ChunkedArray

# Packages whose code is identified by the version, not by the code itself.
_FRAMEWORKS = {"jax", "keras", "tensorflow", "torch"}
_VERSIONED = {"numpy", "scipy", "skautoenc", "sklearn", *_FRAMEWORKS}

_CONSTANTS: Any = type(None) | EllipsisType | NotImplementedType


class Digest:
    """A SHA-256 digest of values.

    Values are numbers, strings, arrays, sparse matrices, containers, dataclasses,
    functions, classes, and objects with `get_config` or `get_params`. Of functions and
    classes the code counts, and the global variables that it reads. Other values are
    refused, because two different ones could not be distinguished; of other global
    variables, such as a logger, the type counts.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._open: list[int] = []  # ids of the functions and classes being added

    def add(self, value: Any) -> None:
        """Add a value.

        Raises
        ------
        TypeError
            If a value is of another type. The message names the type.
        """
        if isinstance(value, ChunkedArray):
            self.add(value.lengths)
            for _, chunk in value.blocks():
                self._array(chunk)
            return
        if isinstance(getattr(value, "shape", None), tuple):
            self._array(value)
            return
        self._tag(type(value).__name__)
        if isinstance(value, int | float | complex | str | _CONSTANTS):
            self._tag(repr(value))
        elif isinstance(value, bytes):
            self._bytes(value)
        elif isinstance(value, os.PathLike):
            self.add(os.fspath(value))
        elif isinstance(value, np.dtype | ModuleType):
            self._tag(str(value))
        elif isinstance(value, Mapping):
            self._items(sorted(value.items(), key=lambda item: str(item[0])))
        elif isinstance(value, set | frozenset):
            self._items(sorted(value, key=repr))
        elif isinstance(value, list | tuple):
            self._items(value)
        else:
            self._object(value)

    def hexdigest(self) -> str:
        """Return the digest of the values so far."""
        return self._hash.hexdigest()

    def _tag(self, text):
        self._bytes(text.encode())

    def _bytes(self, data):
        self._hash.update(len(data).to_bytes(8, "little"))
        self._hash.update(data)

    def _items(self, items):
        self._tag(str(len(items)))
        for item in items:
            self.add(item)

    def _array(self, array):
        if issparse(array):
            csr = array.tocsr()
            self.add((array.shape, csr.data, csr.indices, csr.indptr))
            return
        self._tag(f"{array.dtype} {tuple(array.shape)}")
        if len(array.shape) < 2:
            array = np.asarray(array)
            if array.dtype.hasobject:
                self._items(array.ravel().tolist())
            else:
                self._hash.update(np.ascontiguousarray(array).reshape(-1).view("u1"))
            return
        for rows in row_blocks(array.shape[0], int(np.prod(array.shape[1:]))):
            self._array(np.asarray(array[rows]).ravel())

    def _object(self, value):
        if isinstance(value, functools.partial):
            self.add((value.func, value.args, value.keywords))
        elif isinstance(value, MethodType):
            self.add((value.__func__, value.__self__))
        elif isinstance(value, CodeType):
            self._code(value)
        elif isinstance(value, type | FunctionType):
            self._definition(value)
        elif isinstance(value, np.random.Generator):
            self.add(value.bit_generator.state)
        elif inspect.isbuiltin(value) or isinstance(value, np.ufunc):
            self._tag(f"{getattr(value, '__module__', '')}.{value.__name__}")
        elif dataclasses.is_dataclass(value):
            fields = [getattr(value, f.name) for f in dataclasses.fields(value)]
            self.add((type(value), fields))
        elif hasattr(value, "get_config"):
            self.add((type(value), value.get_config()))
        elif hasattr(value, "get_params"):
            self.add((type(value), value.get_params(deep=False)))
        else:
            raise TypeError(
                f"{value!r} has no get_config, so that it cannot be compared with "
                f"another {type(value).__name__}"
            )

    def _definition(self, definition):
        """Add the name and the code of a function or class."""
        module = getattr(definition, "__module__", None) or ""
        self._tag(f"{module}.{definition.__qualname__}")
        if module.split(".")[0] in _VERSIONED or id(definition) in self._open:
            return
        self._open.append(id(definition))
        if isinstance(definition, type):
            self.add(definition.__bases__)
            own = {name: _unwrapped(x) for name, x in vars(definition).items()}
            self.add({name: x for name, x in own.items() if _can_vary(x)})
        else:
            self.add((definition.__defaults__, definition.__kwdefaults__))
            self.add([_contents(cell) for cell in definition.__closure__ or ()])
            self.add(definition.__code__)
            for name, value in _globals_read(definition).items():
                self._global(name, value)
        self._open.pop()

    def _global(self, name, value):
        other = Digest()
        other._open = self._open
        try:
            other.add(value)
        except TypeError:
            other.add(type(value).__qualname__)
        self.add((name, other.hexdigest()))

    def _code(self, code):
        self.add((code.co_code, code.co_names, code.co_consts, code.co_varnames))


def _contents(cell):
    try:
        return cell.cell_contents
    except ValueError:  # not set yet
        return None


def _unwrapped(value: Any) -> Any:
    """Return the function of a static method, class method or property."""
    if isinstance(value, property):
        return value.fget
    return getattr(value, "__func__", value)


def _can_vary(value: Any) -> bool:
    return isinstance(value, FunctionType | str | int | float)


def _globals_read(function: Callable) -> dict[str, Any]:
    """Return the global variables that a function reads, as far as they can vary.

    Functions and classes of other modules count by name alone.
    """
    found = {}
    for name in sorted(_names_in(function.__code__)):
        if name not in function.__globals__:
            continue
        value = function.__globals__[name]
        is_definition = isinstance(value, type | FunctionType)
        if is_definition and value.__module__ != function.__module__:
            value = f"{value.__module__}.{value.__qualname__}"
        found[name] = value
    return found


def _names_in(code):
    """Return the global names that code and the functions within it read."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names
