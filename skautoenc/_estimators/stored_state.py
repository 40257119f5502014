"""The state in which estimators are pickled, and stored by skops."""

from typing import Any

from sklearn.base import BaseEstimator

from .._fitted.custom_objects import picklable
from .._fitted.state import check_format
from .._utils.sklearn_compat import DocumentationLink
from .._utils.stored import checksum, from_plain, to_plain

# Format of stored estimators. To be raised when names or meanings of their attributes
# change; former formats must then still be read. Format 1 has objects of private
# classes, and no checksum.
FORMAT = 2


class StoredState(DocumentationLink, BaseEstimator):
    """Base class of the estimators: their state consists of plain data.

    Parameters may also be estimators, functions and Keras objects. The latter are
    pickled, and refused by skops.
    """

    def __copy__(self):
        # Not by `__getstate__`, which is for files: values are shared, not converted.
        other = object.__new__(type(self))
        vars(other).update(self._attributes())
        return other

    def __getstate__(self):
        state = {**to_plain(self._picklable_attributes()), "_format": FORMAT}
        return {**state, "_checksum": checksum(state)}

    def __setstate__(self, state):
        super().__setstate__(_checked(state, type(self).__name__))

    def _attributes(self):
        """Return the attributes that a copy has."""
        return dict(super().__getstate__())

    def _picklable_attributes(self):
        """Return the attributes with Keras objects replaced by what is pickled."""
        attributes = self._attributes().items()
        return {name: picklable(name, value) for name, value in attributes}


def _checked(state: Any, name: str) -> dict[str, Any]:
    """Return the attributes in the state of an estimator.

    Raises
    ------
    ValueError
        If the state is of an unknown format, or was changed since it was written.
    """
    number: Any = state.get("_format") if isinstance(state, dict) else None
    check_format(number, FORMAT, f"an {name}" if name[0] in "AEIOU" else f"a {name}")
    values = {key: value for key, value in state.items() if key != "_checksum"}
    given = state.get("_checksum")
    if number > 1 and not (isinstance(given, str) and given == checksum(values)):
        raise ValueError(
            f"The state of this {name} is damaged: its checksum is wrong. Load another "
            "copy of the file, or fit the estimator again."
        )
    del values["_format"]
    try:
        return values if number == 1 else from_plain(values)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"The state of this {name} cannot be read: {error}") from error
