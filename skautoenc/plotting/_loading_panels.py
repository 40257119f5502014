"""How loadings are drawn: as bars, images, signals or a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._axes import (
    INCHES_PER_LETTER,
    LETTER_WIDTH,
    MAX_LETTERS,
    max_length,
    replace_with_grid,
    resolve_axes,
    set_tick_labels,
    size_in_inches,
    small_fontsize,
)
from ._images import MAX_IMAGES_PER_ROW, scale_to_unit
from ._style import COLORS, merge_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Maximum number of panels of bars in one row, and their minimum width in inches.
_MAX_BAR_PANELS_PER_ROW, _MIN_WIDTH_OF_BARS = 8, 0.4

# Width of a panel in inches below which its title is only the number of the component,
# and tick labels of bars are vertical.
_MIN_WIDTH_OF_TEXT = 0.85

# Maximum share of the width of bars, and of the height of signals, that feature names
# may take.
_MAX_SHARE_OF_NAMES, _MAX_SHARE_OF_NAMES_BELOW = 0.45, 0.3

# Width of axes in inches below which there is one column of signals.
_MIN_WIDTH_OF_TWO_COLUMNS = 4

# Minimum area of a panel of bars in square inches, and height of a row of signals.
_MIN_AREA_OF_BARS, _MIN_HEIGHT_OF_SIGNALS = 1, 0.5


def has_space_for_panels(ax: Axes, kind: str, n: int) -> bool:
    """Whether n panels of bars or signals can be read in `ax`.

    Parameters
    ----------
    ax : matplotlib Axes
    kind : {"bar", "signal"}
    n : int
    """
    width, height = size_in_inches(ax)
    if kind == "bar":
        return width * height >= n * _MIN_AREA_OF_BARS
    n_rows = math.ceil(n / _n_signal_columns(n, width))
    return height >= n_rows * _MIN_HEIGHT_OF_SIGNALS


def draw_bars(
    ax: Axes | None,
    loadings: np.ndarray,
    components: Sequence[int],
    feature_names: Sequence[str],
    bar_kwargs: dict[str, Any] | None,
) -> tuple[Axes, np.ndarray]:
    """Draw a panel with one horizontal bar per feature for each component.

    Parameters
    ----------
    ax : matplotlib Axes or None
    loadings : ndarray of shape (n_components, n_features)
    components : sequence of int of length n_components
    feature_names : list of str
    bar_kwargs : dict or None

    Returns
    -------
    ax : matplotlib Axes
        Switched off.
    panels : ndarray of Axes of shape (n_components,)
    """
    n, n_features = loadings.shape
    n_letters = min(max_length(feature_names), MAX_LETTERS)
    width = 0.6 + min(max(1.7 * n, 4), 9) + INCHES_PER_LETTER * n_letters
    n_rows, _ = _bar_grid(n, width)
    height = 0.6 + n_rows * (0.4 + 0.23 * n_features)
    ax = resolve_axes(ax, figsize=(width, min(height, 16)))
    width, height = size_in_inches(ax)
    max_inches = _MAX_SHARE_OF_NAMES * width
    names_width = min(LETTER_WIDTH * (max_length(feature_names) + 1), max_inches)
    n_rows, n_cols = _bar_grid(n, width - names_width)
    panel_width = (width - names_width) / n_cols
    is_narrow = panel_width < _MIN_WIDTH_OF_TEXT
    fontsize = small_fontsize(ax)
    grid = replace_with_grid(ax, n_rows, n_cols)
    panels = np.full(n, None)
    for i, title in enumerate(_titles(components, panel_width)):
        panel = panels[i] = ax.figure.add_subplot(
            grid[divmod(i, n_cols)], sharex=panels[0], sharey=panels[0]
        )
        bars = merge_kwargs("bar_kwargs", {"color": COLORS[0]}, bar_kwargs)
        panel.barh(range(n_features), loadings[i], **bars)
        panel.axvline(0, color="black", linewidth=0.8)
        panel.set_title(title, fontsize=fontsize or "small", pad=3)
        is_lowest = i // n_cols == n_rows - 1
        panel.tick_params(
            labelleft=i % n_cols == 0, labelbottom=is_lowest, labelsize=fontsize
        )
        if is_lowest:
            panel.set_xlabel("loading", fontsize=fontsize)
            panel.tick_params("x", labelrotation=90 * is_narrow)
    first = panels[0]
    first.set_ylim(n_features - 0.5, -0.5)
    first.locator_params("x", nbins=3)
    first.xaxis.set_major_formatter("{x:g}")  # without a factor beside the axis
    set_tick_labels(first.yaxis, feature_names, height / n_rows, max_inches)
    return ax, panels


def draw_images(
    ax: Axes | None,
    loadings: np.ndarray,
    components: Sequence[int],
    cmap: Any,
    image_kwargs: dict[str, Any] | None,
) -> tuple[Axes, np.ndarray]:
    """Draw the loadings of each component as an image, all on one colour scale.

    Parameters
    ----------
    ax : matplotlib Axes or None

    loadings : ndarray of shape (n_components, height, width) or \
            (n_components, height, width, channels)
        With several channels, loadings of 0 are grey, and there is no colour bar.

    components : sequence of int of length n_components
    cmap : str or matplotlib Colormap
    image_kwargs : dict or None

    Returns
    -------
    ax : matplotlib Axes
        Switched off.
    panels : ndarray of Axes of shape (n_components,)
    """
    n = len(loadings)
    aspect = min(max(loadings.shape[1] / loadings.shape[2], 0.2), 2)
    n_rows = math.ceil(n / MAX_IMAGES_PER_ROW)
    n_cols = math.ceil(n / n_rows)  # so that the last row is nearly full
    if ax is not None:
        n_cols = _columns_of_largest_images(n, aspect, ax)
        n_rows = math.ceil(n / n_cols)
    inches = 1 if n_cols > 4 else 1.7
    figsize = (1.2 + inches * n_cols, n_rows * (0.25 + inches * aspect))
    ax = resolve_axes(ax, figsize)
    fontsize = small_fontsize(ax)
    titles = _titles(components, size_in_inches(ax)[0] / n_cols)
    has_colors = loadings.ndim == 4 and loadings.shape[3] > 1
    if has_colors:
        loadings = scale_to_unit(loadings / _limit(loadings), -1, 1)
    imshow_kwargs = _imshow_kwargs(loadings, cmap, image_kwargs)
    grid = replace_with_grid(ax, n_rows, n_cols)
    panels = np.full(n, None)
    for i, title in enumerate(titles):
        panel = panels[i] = ax.figure.add_subplot(grid[divmod(i, n_cols)])
        image = panel.imshow(loadings[i], **imshow_kwargs)
        panel.set(xticks=[], yticks=[])
        panel.set_title(title, fontsize=fontsize or "small", pad=3)
    if not has_colors:
        _add_color_bar(image, list(panels), fontsize)
    return ax, panels


def draw_signals(
    ax: Axes | None,
    loadings: np.ndarray,
    components: Sequence[int],
    feature_names: Sequence[str] | None,
    line_kwargs: dict[str, Any] | None,
) -> tuple[Axes, np.ndarray]:
    """Draw a panel with a line over the features for each component.

    Parameters
    ----------
    ax : matplotlib Axes or None
    loadings : ndarray of shape (n_components, n_features)
    components : sequence of int of length n_components
    feature_names : list of str or None
    line_kwargs : dict or None

    Returns
    -------
    ax : matplotlib Axes
        Switched off.
    panels : ndarray of Axes of shape (n_components,)
    """
    n = len(loadings)
    n_cols = _n_signal_columns(n, math.inf if ax is None else size_in_inches(ax)[0])
    n_rows = math.ceil(n / n_cols)
    n_letters = min(max_length(feature_names or []), MAX_LETTERS)
    height = 0.8 + 1.2 * n_rows + INCHES_PER_LETTER * n_letters
    ax = resolve_axes(ax, figsize=(4.5 * n_cols, height))
    fontsize = small_fontsize(ax)
    max_inches = _MAX_SHARE_OF_NAMES_BELOW * size_in_inches(ax)[1]
    grid = replace_with_grid(ax, n_rows, n_cols)
    panels = np.full(n, None)
    for i, component in enumerate(components):
        panel = panels[i] = ax.figure.add_subplot(
            grid[divmod(i, n_cols)], sharex=panels[0], sharey=panels[0]
        )
        panel.axhline(0, color="0.7", linewidth=0.8)
        defaults = {"linewidth": 1, "color": COLORS[0]}
        panel.plot(loadings[i], **merge_kwargs("line_kwargs", defaults, line_kwargs))
        panel.set_title(
            f"component {component}", loc="left", fontsize=fontsize or "small", pad=3
        )
        is_lowest = i + n_cols >= n
        panel.tick_params(
            labelleft=i % n_cols == 0, labelbottom=is_lowest, labelsize=fontsize
        )
        if i % n_cols == 0:
            panel.set_ylabel("loading", fontsize=fontsize or "small")
        if is_lowest and feature_names:
            set_tick_labels(panel.xaxis, feature_names, max_inches=max_inches)
        elif is_lowest:
            panel.set_xlabel("feature", fontsize=fontsize)
    panels[0].margins(x=0.01)
    panels[0].locator_params("y", nbins=4)
    return ax, panels


def draw_table(
    ax: Axes | None,
    loadings: np.ndarray,
    components: Sequence[int],
    feature_names: Sequence[str] | None,
    cmap: Any,
    image_kwargs: dict[str, Any] | None,
) -> Axes:
    """Draw loadings as a heat map: a row per component, a column per feature.

    Parameters
    ----------
    ax : matplotlib Axes or None
    loadings : ndarray of shape (n_components, n_features)
    components : sequence of int of length n_components
    feature_names : list of str or None
    cmap : str or matplotlib Colormap
    image_kwargs : dict or None

    Returns
    -------
    matplotlib Axes
    """
    n, n_features = loadings.shape
    n_letters = min(max_length(feature_names or []), MAX_LETTERS)
    width = min(2.5 + 0.3 * n_features, 12)
    height = min(1.2 + 0.25 * n, 8) + INCHES_PER_LETTER * n_letters
    ax = resolve_axes(ax, figsize=(width, height))
    fontsize = small_fontsize(ax)
    imshow_kwargs = {"aspect": "auto", **_imshow_kwargs(loadings, cmap, image_kwargs)}
    image = ax.imshow(loadings, **imshow_kwargs)
    ax.tick_params(labelsize=fontsize)
    ax.set_ylabel("component", fontsize=fontsize)
    set_tick_labels(ax.yaxis, [str(component) for component in components])
    if feature_names:
        # The colour bar will narrow the axes in the layout.
        set_tick_labels(ax.xaxis, feature_names, max(size_in_inches(ax)[0] - 0.8, 0.5))
    else:
        ax.set_xlabel("feature", fontsize=fontsize)
    _add_color_bar(image, ax, fontsize)
    return ax


def _bar_grid(n, width):
    """Rows and columns of n panels: few rows, whose lengths are nearly the same."""
    max_cols = max(1, min(int(width / _MIN_WIDTH_OF_BARS), _MAX_BAR_PANELS_PER_ROW))
    n_rows = math.ceil(n / max_cols)
    return n_rows, math.ceil(n / n_rows)


def _columns_of_largest_images(n, aspect, ax):
    """Number of columns with which n titled images in `ax` are largest."""
    width, height = size_in_inches(ax)
    title_height = 0.14 if small_fontsize(ax) else 0.25

    def image_width(n_cols):
        n_rows = math.ceil(n / n_cols)
        return min(width / n_cols, (height / n_rows - title_height) / aspect)

    return max(range(1, n + 1), key=image_width)


def _n_signal_columns(n, width):
    return 1 if n < 4 or width < _MIN_WIDTH_OF_TWO_COLUMNS else 2


def _titles(components, panel_width):
    """Titles of panels: the numbers of the components, with a word if it fits."""
    is_narrow = panel_width < _MIN_WIDTH_OF_TEXT
    return [f"{i}" if is_narrow else f"component {i}" for i in components]


def _limit(loadings):
    """Largest absolute loading, which is the end of colour scales; 1 if all are 0."""
    return np.abs(loadings).max() or 1


def _imshow_kwargs(loadings, cmap, image_kwargs):
    limit = _limit(loadings)
    defaults = {"cmap": cmap, "vmin": -limit, "vmax": limit}
    return merge_kwargs("image_kwargs", defaults, image_kwargs)


def _add_color_bar(image, axes, fontsize):
    bar = image.figure.colorbar(image, ax=axes)
    bar.set_label("loading", fontsize=fontsize)
    bar.ax.tick_params(labelsize=fontsize)
