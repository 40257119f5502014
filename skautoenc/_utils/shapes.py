"""Shapes of rows."""


def fit_together(row_shape, other_shape):
    """Whether rows have one shape but for axes of length 1, or one of them is flat."""
    axes = [[n for n in shape or () if n > 1] for shape in (row_shape, other_shape)]
    return min(map(len, axes)) < 2 or axes[0] == axes[1]
