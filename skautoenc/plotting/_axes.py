"""Axes of the displays: position, size, ticks and scales."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis
    from matplotlib.gridspec import GridSpecFromSubplotSpec

# Width of a letter and height of a line of tick labels in inches, with some margin.
LETTER_WIDTH, _LINE_HEIGHT = 0.1, 0.2

# Maximum number of letters of a name for which a new figure has space, and inches for
# each.
MAX_LETTERS, INCHES_PER_LETTER = 30, 0.08

# Inches of width below which axes have small text.
_MIN_WIDTH_OF_NORMAL_TEXT = 3.3

# Maximum share of the height or width of axes that tick labels may take.
_MAX_SHARE_OF_LABELS = 0.6


def check_axes(ax: Axes | None) -> None:
    """Raise if `ax` is neither one Axes nor None."""
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes | None):
        raise TypeError(f"ax must be one matplotlib Axes or None; got {type(ax)}.")


def resolve_axes(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    """Return `ax`, or the only axes of a new figure of `figsize` inches."""
    check_axes(ax)
    if ax is None:
        import matplotlib.pyplot as plt

        return plt.subplots(figsize=figsize, layout="constrained")[1]
    return ax


def replace_with_grid(
    ax: Axes, n_rows: int, n_cols: int, **ratios: Any
) -> GridSpecFromSubplotSpec:
    """Switch `ax` off and return a grid for panels in its place.

    Parameters
    ----------
    ax : matplotlib Axes
    n_rows, n_cols : int
    **ratios : object
        Passed to `GridSpecFromSubplotSpec`, such as ``height_ratios``.

    Raises
    ------
    ValueError
        If `ax` is not in a grid, or is switched off already.
    """
    from matplotlib.gridspec import GridSpecFromSubplotSpec

    subplot_spec = ax.get_subplotspec()
    if subplot_spec is None:
        raise ValueError(
            "ax is not in a grid, so no panels can be laid out in it. Create it with "
            "plt.subplots or figure.add_subplot."
        )
    if not ax.axison:
        raise ValueError(
            "ax is switched off, because a display of several panels was already "
            "drawn in it. Use different axes for each display."
        )
    ax.set_axis_off()
    return GridSpecFromSubplotSpec(n_rows, n_cols, subplot_spec=subplot_spec, **ratios)


def size_in_inches(ax: Axes) -> tuple[float, float]:
    """Width and height of `ax`."""
    extent = ax.get_window_extent()
    return extent.width / ax.figure.dpi, extent.height / ax.figure.dpi


def small_fontsize(ax: Axes) -> str | None:
    """Font size of legends and labels in narrow axes; None in wider axes."""
    is_narrow = size_in_inches(ax)[0] < _MIN_WIDTH_OF_NORMAL_TEXT
    return "x-small" if is_narrow else None


def max_length(names: Iterable[str]) -> int:
    """Number of letters of the longest name; 0 without names."""
    return max(map(len, names), default=0)


def shorten(names: Iterable[str], max_letters: float) -> list[str]:
    """Replace the middle of names with more than `max_letters` letters by "…"."""
    n = max(3, int(max_letters))
    n_last = (n - 1) // 2
    return [
        name if len(name) <= n else f"{name[: n - 1 - n_last]}…{name[-n_last:]}"
        for name in names
    ]


def set_tick_labels(
    axis: XAxis | YAxis,
    names: Sequence[str],
    length: float | None = None,
    max_inches: float | None = None,
) -> None:
    """Label the positions 0, 1, ... of an axis with as many names as can be read.

    Parameters
    ----------
    axis : matplotlib XAxis or YAxis

    names : sequence of str
        Names that need more than `max_inches` are shortened.

    length : float, default=None
        Length of the axis in inches. None means its current length.

    max_inches : float, default=None
        Maximum extent of the names perpendicular to the axis, in inches. None means a
        share of the size of the axes.
    """
    is_x = axis.axis_name == "x"
    width, height = size_in_inches(axis.axes)
    if not is_x:
        width, height = height, width
    spacing = (width if length is None else length) / len(names)
    is_vertical = is_x and LETTER_WIDTH * (max_length(names) + 1) > spacing
    if is_vertical or not is_x:
        if max_inches is None:
            max_inches = _MAX_SHARE_OF_LABELS * height
        names = shorten(names, max_inches / LETTER_WIDTH)
    ticks = range(0, len(names), max(1, math.ceil(_LINE_HEIGHT / spacing)))
    axis.set_ticks(ticks, [names[i] for i in ticks], rotation=90 * is_vertical)


def resolve_scale(scale: str, values: Sequence[float]) -> str:
    """Return "linear" or "log".

    "auto" becomes "log" if all values are positive and span a factor between 10 and a
    million. Beyond that factor the lowest value is practically zero, and a logarithmic
    axis would compress the others.
    """
    if scale not in ("auto", "linear", "log"):
        raise ValueError(f"scale must be 'auto', 'linear' or 'log'; got {scale!r}.")
    low, high = min(values), max(values)
    if scale == "log" and low <= 0:
        raise ValueError(
            f"scale='log' needs values above 0, but the lowest is {low:.3g}. Use "
            "scale='linear'."
        )
    if scale == "auto":
        return "log" if 0 < 10 * low < high < 1e6 * low else "linear"
    return scale


def set_scale(axis: XAxis | YAxis, scale: str) -> None:
    """Set the scale of an axis; ticks of a logarithmic scale are plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.axes.set(**{f"{axis.axis_name}scale": scale})
    if scale == "log":
        low, high = axis.get_view_interval()
        subs = (1, 2, 5) if high < 200 * low else (1,)
        axis.set_major_locator(LogLocator(subs=subs))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
