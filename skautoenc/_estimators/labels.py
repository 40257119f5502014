"""Labels of classifiers as one-hot columns, and back."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .._utils.one_hot import Groups
from .._utils.stored import stored_as

# What marks a row without a label.
UNLABELLED = -1


@stored_as("labels")
class Labels(NamedTuple):
    """The classes of each output.

    Attributes
    ----------
    classes : list of ndarray
        Sorted classes of each output.

    kind : {"multiclass", "multilabel", "multioutput"}
        One output; several of classes 0 and 1; several others.
    """

    classes: list[NDArray]
    kind: str

    @property
    def groups(self) -> Groups:
        """The one-hot columns of each output."""
        ends = np.cumsum([len(classes) for classes in self.classes]).tolist()
        return tuple(
            tuple(range(end - len(classes), end))
            for end, classes in zip(ends, self.classes, strict=True)
        )

    def one_hot(self, y: NDArray) -> NDArray[np.float64]:
        """Return the one-hot columns of labels of shape (n_samples, n_outputs)."""
        columns = [
            labels[:, None] == classes
            for labels, classes in zip(y.T, self.classes, strict=True)
        ]
        return np.hstack(columns).astype(np.float64)

    def probabilities(self, rows: NDArray[np.float64]) -> Any:
        """Return the columns of one-hot rows as `predict_proba` gives them."""
        # The network computes in float32, and others check sums in float64.
        by_output = [rows[:, group] for group in self.groups]
        by_output = [part / part.sum(axis=1, keepdims=True) for part in by_output]
        if self.kind == "multiclass":
            return by_output[0]
        if self.kind == "multilabel":
            return np.stack([part[:, 1] for part in by_output], axis=1)
        return by_output

    def predictions(self, rows: NDArray[np.float64]) -> NDArray:
        """Return the most probable class of each output."""
        by_output = [
            classes[rows[:, group].argmax(axis=1)]
            for classes, group in zip(self.classes, self.groups, strict=True)
        ]
        return by_output[0] if self.kind == "multiclass" else np.stack(by_output, 1)

    def public_classes(self) -> Any:
        """Return the attribute `classes_`."""
        if self.kind == "multiclass":
            return self.classes[0]
        if self.kind == "multilabel":
            return np.arange(len(self.classes))
        return self.classes


def is_labelled(y: NDArray) -> NDArray[np.bool_]:
    """Return which rows have a label.

    -1 marks the others, in all outputs. Labels -1 and 1 alone are two classes.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)

    Raises
    ------
    ValueError
        If -1 is text, as other labels are.
    """
    if y.dtype.kind in "UT" and (y == str(UNLABELLED)).any():
        raise ValueError(
            f"y holds the text '{UNLABELLED}'. To mark rows without a label by "
            f"{UNLABELLED}, give y as an array of objects, such as "
            f"np.where(known, y.astype(object), {UNLABELLED}), or give these rows as "
            "X_unlabeled."
        )
    is_marked = np.asarray(y == UNLABELLED)
    if y.dtype.kind not in "iufO" or not is_marked.any():
        return np.ones(len(y), bool)
    if y.ndim == 1 and set(np.unique(y[~is_marked]).tolist()) == {1}:
        return np.ones(len(y), bool)
    return np.asarray(~is_marked.reshape(len(y), -1).all(axis=1))


def find_labels(y: NDArray) -> Labels:
    """Return the classes of labels.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Of labelled rows.

    Raises
    ------
    ValueError
        If they are not classes, or are all the same.
    """
    check_classification_targets(y)
    if y.ndim == 1:
        kind, outputs = "multiclass", [y]
    else:
        is_indicator = type_of_target(y) == "multilabel-indicator"
        kind, outputs = "multilabel" if is_indicator else "multioutput", list(y.T)
    classes = [np.unique(labels) for labels in outputs]
    if kind == "multilabel":
        classes = [np.array([0, 1], y.dtype)] * len(outputs)
    for position, found in enumerate(classes):
        if len(found) < 2:
            where = "" if y.ndim == 1 else f" in output {position}"
            raise ValueError(
                f"y has 1 class{where}, {found.item()!r}, among the rows with a label; "
                f"a classifier needs at least 2. The value {UNLABELLED} marks a row "
                "without a label."
            )
    return Labels(classes, kind)


def as_columns(y: ArrayLike) -> NDArray:
    """Return labels or numbers in the shape (n_samples, n_outputs)."""
    y = np.asarray(y)
    return y[:, None] if y.ndim == 1 else y
