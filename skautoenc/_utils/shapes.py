"""Shapes of rows."""

from __future__ import annotations


def shapes_compatible(
    row_shape: tuple[int, ...] | None, other_shape: tuple[int, ...] | None
) -> bool:
    """Whether rows of one shape can be used as rows of the other.

    They can if one of them is a vector (None or one axis), or if they differ by axes of
    length 1 only.
    """
    axes = [[n for n in shape or () if n > 1] for shape in (row_shape, other_shape)]
    return min(map(len, axes)) < 2 or axes[0] == axes[1]
