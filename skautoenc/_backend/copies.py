"""Objects copied to another process, with changes written back to the originals.

The memo of pickle numbers the pickled objects in the same way in both processes. So a
change to a copy can be applied to the object that it is a copy of, such as a list that
a callback appends to, or the global variables of a function.
"""

import contextlib
import dis
import io
import pickle
import sys
import warnings
from collections import deque
from types import FunctionType
from typing import Any

import cloudpickle
import numpy as np


class Originals:
    """Objects in this process that are copied to another one.

    Parameters
    ----------
    objects : object
        Any object that can be pickled by cloudpickle.

    Attributes
    ----------
    data : bytes
        The pickled objects, for `Copies`.
    """

    def __init__(self, objects: Any):
        file = io.BytesIO()
        pickler = cloudpickle.Pickler(file)
        pickler.dump(objects)
        self.data = file.getvalue()
        self._by_number = dict(pickler.memo.copy().values())

    def update(self, changes: bytes) -> None:
        """Apply the changes that `Copies.changes` returned."""
        namespaces = {
            id(vars(original))
            for original in self._by_number.values()
            if hasattr(original, "__dict__")
        }
        contents = _Unpickler(io.BytesIO(changes), self._by_number).load()
        for number, (items, state) in contents.items():
            original = self._by_number[number]
            if id(original) not in namespaces:
                _set_items(original, items)
                _set_state(original, state)


class Copies:
    """The copied objects, in the other process.

    Parameters
    ----------
    data : bytes
        The attribute `data` of `Originals`.

    Attributes
    ----------
    objects : object
    """

    def __init__(self, data: bytes):
        unpickler = pickle.Unpickler(io.BytesIO(data))
        self.objects = unpickler.load()
        memo: dict[int, Any] = unpickler.memo.copy()
        functions = [c for c in memo.values() if isinstance(c, FunctionType)]
        namespaces = {id(function.__globals__) for function in functions}
        self._by_number = {
            number: copy
            for number, copy in memo.items()
            if (isinstance(copy, (*_CONTAINERS, *_CODE)) or _has_plain_state(copy))
            and id(copy) not in namespaces
        }

    def changes(self) -> bytes:
        """Return the current contents of the copies, for `Originals.update`.

        Attributes that cannot be pickled are left out with a warning, so that those of
        the originals stay. Other contents that cannot be pickled raise an error.
        """
        contents = {
            number: (
                _items(copy),
                self._state(copy) if _has_plain_state(copy) else None,
            )
            for number, copy in self._by_number.items()
        }
        return self._pickled(contents)

    def _state(self, copy):
        state = copy.__getstate__()
        if not isinstance(state, dict):
            return state
        errors = {name: self._pickling_error(value) for name, value in state.items()}
        for name, error in errors.items():
            if error is not None:
                warnings.warn(
                    f"The attribute {name!r} of {type(copy).__name__} cannot be copied "
                    f"from one process to another after training: {error}",
                    stacklevel=2,
                )
        return {name: state[name] for name, error in errors.items() if error is None}

    def _pickling_error(self, value):
        try:
            self._pickled(value)
        except Exception as error:
            return error
        return None

    def _pickled(self, value):
        file = io.BytesIO()
        _Pickler(file, self._by_number).dump(value)
        return file.getvalue()


class _Pickler(cloudpickle.Pickler):
    """A pickler that writes the number of a copy in place of its contents."""

    def __init__(self, file, by_number):
        super().__init__(file)
        self._numbers = {id(copy): number for number, copy in by_number.items()}

    def persistent_id(self, obj):
        return self._numbers.get(id(obj))

    def reducer_override(self, obj):
        if isinstance(obj, io.IOBase) and obj.closed:  # such as the file of CSVLogger
            return _closed_file, ()
        return super().reducer_override(obj)


class _Unpickler(pickle.Unpickler):
    """An unpickler that replaces the number of a copy by its original."""

    def __init__(self, file, by_number):
        super().__init__(file)
        self._by_number = by_number

    def persistent_load(self, number):
        return self._by_number[number]


def _closed_file():
    file = io.StringIO()
    file.close()
    return file


_CONTAINERS = (list, deque, dict, set, np.ndarray)
_CODE = (type, FunctionType)


def _has_plain_state(copy):
    """Whether an object has attributes and is pickled by them, without `__reduce__`."""
    kind = type(copy)
    return (
        hasattr(copy, "__dict__")
        and not isinstance(copy, type)
        and kind.__module__ != "builtins"
        and kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
    )


def _items(copy):
    """Return the items of a container or variables of a function, else None."""
    if isinstance(copy, FunctionType):
        return _function_variables(copy)
    for kind in (list, deque, dict, set):
        if isinstance(copy, kind):
            return kind(copy)
    return np.array(copy) if isinstance(copy, np.ndarray) else None


def _function_variables(function):
    """Return the global variables that a function sets, and its closure's contents.

    Both are empty for a function that was pickled by its name, not by its code.
    """
    module = sys.modules.get(function.__module__)
    if function.__globals__ is getattr(module, "__dict__", None):
        return {}, {}
    instructions = dis.get_instructions(function)
    names = {i.argval for i in instructions if i.opname == "STORE_GLOBAL"}
    closure = {}
    for i, cell in enumerate(function.__closure__ or ()):
        with contextlib.suppress(ValueError):  # the cell is empty
            closure[i] = cell.cell_contents
    variables = {k: v for k, v in function.__globals__.items() if k in names}
    return variables, closure


def _set_items(original, items):
    if isinstance(original, FunctionType):
        variables, closure = items
        original.__globals__.update(variables)
        for i, contents in closure.items():
            original.__closure__[i].cell_contents = contents
    elif isinstance(original, np.ndarray):
        if original.flags.writeable:
            original[...] = items
    elif isinstance(original, dict | set):
        original.clear()
        original.update(items)
    elif items is not None:
        original.clear()
        original.extend(items)


def _set_state(original, state):
    if state is None:
        return
    if hasattr(original, "__setstate__"):
        original.__setstate__(state)
        return
    attributes, slots = state if isinstance(state, tuple) else (state, {})
    vars(original).update(attributes or {})
    for name, value in slots.items():
        setattr(original, name, value)
