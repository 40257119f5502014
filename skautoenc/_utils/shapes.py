"""Shapes of rows."""

from collections.abc import Sequence


def fit_together(
    row_shape: Sequence[int] | None, other_shape: Sequence[int] | None
) -> bool:
    """Whether two shapes differ in axes of length 1 only, or one of them is flat.

    Parameters
    ----------
    row_shape, other_shape : sequence of int or None
        Shapes without the axis of the samples. None stands for flat rows.
    """
    axes = [[n for n in shape or () if n > 1] for shape in (row_shape, other_shape)]
    return min(map(len, axes)) < 2 or axes[0] == axes[1]
