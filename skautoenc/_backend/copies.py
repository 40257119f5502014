"""Objects that another process works on in the place of the user's own.

Pickling numbers the objects that it copies, in the same way on both sides. So what was
changed in a copy can be written into the very object that it is a copy of, whoever
holds it: a list that a callback appends to, or the variables of a function.
"""

import contextlib
import dis
import io
import pickle
import sys
import warnings
from collections import deque
from types import FunctionType

import cloudpickle
import numpy as np


class Originals:
    """Objects that are copied to another process.

    Parameters
    ----------
    objects : object

    Attributes
    ----------
    data : bytes
        For `Copies`.
    """

    def __init__(self, objects):
        file = io.BytesIO()
        pickler = cloudpickle.Pickler(file)
        pickler.dump(objects)
        self.data = file.getvalue()
        self._numbered = dict(pickler.memo.copy().values())

    def update(self, changed):
        """Write what `Copies.changed` gave into the objects."""
        namespaces = {
            id(vars(original))
            for original in self._numbered.values()
            if hasattr(original, "__dict__")
        }
        unpickler = pickle.Unpickler(io.BytesIO(changed))
        unpickler.persistent_load = self._numbered.__getitem__
        for number, (items, state) in unpickler.load().items():
            original = self._numbered[number]
            if id(original) not in namespaces:
                _set_items(original, items)
                _set_state(original, state)


class Copies:
    """The copies, in the other process.

    Parameters
    ----------
    data : bytes
        Of `Originals`.

    Attributes
    ----------
    objects : object
    """

    def __init__(self, data):
        unpickler = pickle.Unpickler(io.BytesIO(data))
        self.objects = unpickler.load()
        copies = unpickler.memo.copy()
        functions = [c for c in copies.values() if isinstance(c, FunctionType)]
        namespaces = {id(function.__globals__) for function in functions}
        self._numbered = {
            number: copy
            for number, copy in copies.items()
            if (isinstance(copy, (*_CONTAINERS, *_CODE)) or _is_plain(copy))
            and id(copy) not in namespaces
        }

    def changed(self):
        """What the copies now hold, as bytes; an error if it cannot be pickled.

        An attribute that cannot is left as the original has it, with a warning.
        """
        held = {
            number: (_items(copy), self._state(copy) if _is_plain(copy) else None)
            for number, copy in self._numbered.items()
        }
        return self._pickled(held)

    def _state(self, copy):
        state = copy.__getstate__()
        if not isinstance(state, dict):
            return state
        left = {name: self._reason_to_leave(value) for name, value in state.items()}
        for name, reason in left.items():
            if reason is not None:
                warnings.warn(
                    f"What {type(copy).__name__} holds in {name!r} after training "
                    f"cannot be copied from one process to another: {reason}",
                    stacklevel=2,
                )
        return {name: state[name] for name, reason in left.items() if reason is None}

    def _reason_to_leave(self, value):
        try:
            self._pickled(value)
        except Exception as error:
            return error

    def _pickled(self, value):
        file = io.BytesIO()
        _Pickler(file, self._numbered).dump(value)
        return file.getvalue()


class _Pickler(cloudpickle.Pickler):
    """Refers to copies by their numbers."""

    def __init__(self, file, numbered):
        super().__init__(file)
        self._numbers = {id(copy): number for number, copy in numbered.items()}

    def persistent_id(self, obj):
        return self._numbers.get(id(obj))

    def reducer_override(self, obj):
        if isinstance(obj, io.IOBase) and obj.closed:  # as CSVLogger's
            return _closed_file, ()
        return super().reducer_override(obj)


def _closed_file():
    file = io.StringIO()
    file.close()
    return file


_CONTAINERS = (list, deque, dict, set, np.ndarray)
_CODE = (type, FunctionType)


def _is_plain(copy):
    """Whether a copy has attributes, and is pickled by them."""
    kind = type(copy)
    return (
        hasattr(copy, "__dict__")
        and not isinstance(copy, type)
        and kind.__module__ != "builtins"
        and kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
    )


def _items(copy):
    """What a copy holds besides attributes, in a new object; None for nothing."""
    if isinstance(copy, FunctionType):
        return _variables(copy)
    for kind in (list, deque, dict, set):
        if isinstance(copy, kind):
            return kind(copy)
    return np.array(copy) if isinstance(copy, np.ndarray) else None


def _variables(function):
    """The global variables that a function sets, and those that it encloses.

    None of a function that was imported there.
    """
    module = sys.modules.get(function.__module__)
    if function.__globals__ is getattr(module, "__dict__", None):
        return {}, {}
    steps = dis.get_instructions(function)
    names = {step.argval for step in steps if step.opname == "STORE_GLOBAL"}
    enclosed = {}
    for i, cell in enumerate(function.__closure__ or ()):
        with contextlib.suppress(ValueError):  # it holds nothing yet
            enclosed[i] = cell.cell_contents
    given = {k: v for k, v in function.__globals__.items() if k in names}
    return given, enclosed


def _set_items(original, items):
    if isinstance(original, FunctionType):
        variables, enclosed = items
        original.__globals__.update(variables)
        for i, contents in enclosed.items():
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
