"""The target that colours the points of codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.multiclass import type_of_target

from ._style import COLORS, color_and_marker, merge_kwargs

# Integers with more distinct values than this are numbers, not classes.
_MAX_INTEGER_CLASSES = 20
_MAX_CLASSES = 40


class PointGroup(NamedTuple):
    """Points with the same keywords.

    Attributes
    ----------
    rows : slice or ndarray of bool of shape (n_samples,)
    scatter_kwargs : dict
        Keywords of `matplotlib.axes.Axes.scatter`.
    """

    rows: slice | np.ndarray
    scatter_kwargs: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Target:
    """Values that colour points, if any.

    Attributes
    ----------
    kind : {"none", "numbers", "classes"}
        Whether points have one colour, a colour scale, or a colour and marker for each
        class.

    values : ndarray of shape (n_samples,) or None
        `y` of the display.

    labels : list
        The sorted classes; empty for other kinds.
    """

    kind: Literal["none", "numbers", "classes"]
    values: np.ndarray | None = None
    labels: list[Any] = field(default_factory=list)

    @classmethod
    def from_y(cls, y: np.ndarray | None) -> Target:
        """Decide whether `y` holds classes or numbers.

        Raises
        ------
        ValueError
            If `y` holds neither, has missing values, or has more than 40 classes.
        """
        if y is None:
            return cls("none")
        is_numeric = y.dtype.kind in "fiu"
        if is_numeric:
            check_array(y, ensure_2d=False, input_name="y")  # finite
        if y.dtype == object and not all(isinstance(label, str) for label in y):
            raise ValueError(
                "y must contain strings or numbers, without missing values; got other "
                f"objects: {y!r}."
            )
        target_type = type_of_target(y, input_name="y", raise_unknown=True)
        labels = list(np.unique(y))
        if target_type == "continuous" or (
            is_numeric and len(labels) > _MAX_INTEGER_CLASSES
        ):
            return cls("numbers", y)
        if len(labels) > _MAX_CLASSES:
            raise ValueError(
                f"y has {len(labels)} classes; more than {_MAX_CLASSES} cannot be "
                "distinguished. Merge some classes, or select rows of fewer classes."
            )
        return cls("classes", y, labels)

    def point_groups(
        self, size_kwargs: dict[str, Any], scatter_kwargs: dict[str, Any] | None
    ) -> list[PointGroup]:
        """One group of points for each class, or one for all points.

        Parameters
        ----------
        size_kwargs : dict
            Keywords of `matplotlib.axes.Axes.scatter` that all groups share.

        scatter_kwargs : dict or None
            Keywords of the user, which replace others.
        """
        groups: list[tuple[slice | np.ndarray, dict[str, Any]]]
        if self.kind == "none":
            groups = [(slice(None), {"color": COLORS[0]})]
        elif self.kind == "numbers":
            groups = [(slice(None), {"c": self.values, "cmap": "viridis"})]
        else:
            groups = [
                (self.values == label, {**color_and_marker(i), "label": str(label)})
                for i, label in enumerate(self.labels)
            ]
        return [
            PointGroup(
                rows,
                merge_kwargs(
                    "scatter_kwargs", {**kwargs, **size_kwargs}, scatter_kwargs
                ),
            )
            for rows, kwargs in groups
        ]

    def is_color_scale(self, groups: list[PointGroup]) -> bool:
        """Whether the colours of points are `values`, not replaced by the user."""
        return (
            self.kind == "numbers" and groups[0].scatter_kwargs.get("c") is self.values
        )
