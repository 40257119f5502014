"""How rows and their reconstructions are drawn: as images, signals or a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._axes import (
    INCHES_PER_LETTER,
    MAX_LETTERS,
    max_length,
    replace_with_grid,
    resolve_axes,
    set_tick_labels,
    shorten,
    size_in_inches,
)
from ._images import MAX_IMAGES_PER_ROW
from ._style import COLORS, merge_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Width of an image in inches below which its error has no "MSE" and a smaller font.
_MIN_WIDTH_OF_MSE = 0.75

# Letters per inch in the font size "small".
_LETTERS_PER_INCH = 14

# Maximum share of the height of all signals that feature names may take.
_MAX_SHARE_OF_NAMES = 0.45

# Width of axes in inches below which there is one column of signals.
_MIN_WIDTH_OF_TWO_COLUMNS = 7

_LINES = {
    "original": {"color": "black"},
    "reconstruction": {"color": COLORS[8], "linestyle": "--"},
    "noisy": {"color": "0.7"},
    "cleaned": {"color": COLORS[8], "linestyle": "--"},
    "clean": {"color": "black"},
}


def draw_images(
    ax: Axes | None,
    strips: Mapping[str, tuple[np.ndarray, dict[str, Any]]],
    errors: np.ndarray,
    reconstruction: str,
    row_names: Sequence[str] | None,
) -> tuple[Axes, np.ndarray]:
    """Draw strips of images below each other, at most ten images side by side.

    Parameters
    ----------
    ax : matplotlib Axes or None

    strips : dict of str to (ndarray of shape (n_rows, height, width, ...), dict)
        Images by name, with their keywords of `matplotlib.axes.Axes.imshow`.

    errors : ndarray of shape (n_rows,)
        Written below the reconstructions.

    reconstruction : str
        Name of the strip of reconstructions.

    row_names : list of str or None
        Titles of the first strip.

    Returns
    -------
    ax : matplotlib Axes
        Switched off.
    panels : ndarray of Axes of shape (n_strips, n_rows)
    """
    n, n_strips = len(errors), len(strips)
    n_cols = min(n, MAX_IMAGES_PER_ROW)
    n_blocks = math.ceil(n / n_cols)
    heights = [_height_ratio(images) for images, _ in strips.values()]
    ax = resolve_axes(
        ax, figsize=(1.3 + n_cols, n_blocks * (0.3 + 1.02 * sum(heights)))
    )
    panel_width = size_in_inches(ax)[0] / n_cols
    grid = replace_with_grid(
        ax, n_blocks * n_strips, n_cols, height_ratios=heights * n_blocks
    )
    panels = np.empty((n_strips, n), dtype=object)
    for i, (name, (images, imshow_kwargs)) in enumerate(strips.items()):
        for j, image in enumerate(images):
            block, column = divmod(j, n_cols)
            panel = ax.figure.add_subplot(grid[block * n_strips + i, column])
            panel.imshow(image, **imshow_kwargs)
            panel.set(xticks=[], yticks=[], anchor="W")
            if column == 0:
                panel.set_ylabel(name, rotation=0, ha="right", va="center")
            panels[i, j] = panel
    if row_names is not None:
        names = shorten(row_names, _LETTERS_PER_INCH * panel_width)
        for panel, name in zip(panels[0], names, strict=True):
            panel.set_title(name, fontsize="small")
    below = panels[list(strips).index(reconstruction)]
    is_narrow = panel_width < _MIN_WIDTH_OF_MSE
    for panel, error in zip(below, errors, strict=True):
        if is_narrow:
            panel.set_xlabel(f"{error:.2g}", fontsize=5)
        else:
            panel.set_xlabel(f"MSE {error:.3g}", fontsize="small")
    if is_narrow:
        for panel in below[::n_cols]:
            panel.yaxis.label.set_text(f"{reconstruction},\nMSE")
    return ax, panels


def _height_ratio(images):
    """Height over width, limited so that no strip dominates the figure."""
    return min(max(images.shape[1] / images.shape[2], 0.2), 2)


def draw_signals(
    ax: Axes | None,
    signals: Mapping[str, np.ndarray],
    errors: np.ndarray,
    row_names: Sequence[str],
    feature_names: Sequence[str] | None,
    line_kwargs: dict[str, Any] | None,
) -> tuple[Axes, np.ndarray]:
    """Draw a panel with lines for each row.

    Parameters
    ----------
    ax : matplotlib Axes or None

    signals : dict of str to ndarray of shape (n_rows, n_features)
        Rows of each line, by name.

    errors : ndarray of shape (n_rows,)
        Written above the panels.

    row_names : list of str
    feature_names : list of str or None
    line_kwargs : dict or None

    Returns
    -------
    ax : matplotlib Axes
        Switched off.
    panels : ndarray of Axes of shape (n_rows,)
    """
    n = len(errors)
    is_narrow = ax is not None and size_in_inches(ax)[0] < _MIN_WIDTH_OF_TWO_COLUMNS
    n_cols = 1 if n < 4 or is_narrow else 2
    n_lines = math.ceil(n / n_cols)
    n_letters = min(max_length(feature_names or []), MAX_LETTERS)
    height = 0.8 + 1.2 * n_lines + INCHES_PER_LETTER * n_letters
    ax = resolve_axes(ax, figsize=(4.5 * n_cols, height))
    max_inches = _MAX_SHARE_OF_NAMES * size_in_inches(ax)[1]
    grid = replace_with_grid(ax, n_lines, n_cols)
    titles = [
        f"row {name}: MSE {error:.3g}"
        for name, error in zip(shorten(row_names, MAX_LETTERS), errors, strict=True)
    ]
    panels = np.full(n, None)
    for i in range(n):
        panel = panels[i] = ax.figure.add_subplot(
            grid[divmod(i, n_cols)], sharex=panels[0], sharey=panels[0]
        )
        for name, rows in signals.items():
            defaults = {"linewidth": 1, "label": name, **_LINES[name]}
            panel.plot(rows[i], **merge_kwargs("line_kwargs", defaults, line_kwargs))
        panel.set_title(titles[i], loc="left", fontsize="small")
        is_lowest = i + n_cols >= n
        panel.tick_params(labelleft=i % n_cols == 0, labelbottom=is_lowest)
        if is_lowest and feature_names:
            set_tick_labels(panel.xaxis, feature_names, max_inches=max_inches)
        elif is_lowest:
            panel.set_xlabel("feature")
    panels[0].margins(x=0.01)
    is_crowded = is_narrow or max_length(titles) > MAX_LETTERS
    _add_line_legend(panels[n_cols - 1], len(signals), above_title=is_crowded)
    return ax, panels


def _add_line_legend(panel, n_lines, above_title):
    """Add a legend above the panel, beside its title or above it."""
    from matplotlib.transforms import offset_copy

    panel.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 0.97),
        bbox_transform=offset_copy(
            panel.transAxes, panel.figure, y=12 * above_title, units="points"
        ),
        ncols=n_lines,
        fontsize="small",
        frameon=False,
    )


def draw_table(
    ax: Axes | None,
    errors: np.ndarray,
    row_names: Sequence[str],
    feature_names: Sequence[str],
    label: str,
    cmap: Any,
    image_kwargs: dict[str, Any] | None,
) -> Axes:
    """Draw errors as a heat map, with the means of the rows beside it.

    Parameters
    ----------
    ax : matplotlib Axes or None
    errors : ndarray of shape (n_rows, n_features)
    row_names, feature_names : list of str
    label : str
        Label of the colour bar.
    cmap : str or matplotlib Colormap
    image_kwargs : dict or None

    Returns
    -------
    matplotlib Axes
    """
    from matplotlib.colors import PowerNorm

    n, n_features = errors.shape
    width = min(3.5 + 0.3 * n_features, 12)
    n_letters = min(max_length(feature_names), MAX_LETTERS)
    height = min(1.2 + 0.3 * n, 8) + INCHES_PER_LETTER * n_letters
    ax = resolve_axes(ax, figsize=(width, height))
    defaults = {"cmap": cmap, "vmin": 0, "vmax": errors.max() or 1, "aspect": "auto"}
    imshow_kwargs = merge_kwargs("image_kwargs", defaults, image_kwargs)
    if "norm" not in imshow_kwargs:
        # The square root keeps one large error from hiding the others.
        limits = {name: imshow_kwargs.pop(name) for name in ("vmin", "vmax")}
        imshow_kwargs["norm"] = PowerNorm(0.5, **limits)
    image = ax.imshow(errors, **imshow_kwargs)
    means = ax.secondary_yaxis("right")
    # Row names, row means and the colour bar will narrow the axes in the layout.
    n_letters = min(max_length(row_names), MAX_LETTERS)
    length = max(size_in_inches(ax)[0] - 0.8 - 0.09 * n_letters, 0.5)
    set_tick_labels(ax.xaxis, feature_names, length)
    set_tick_labels(ax.yaxis, row_names)
    rows = ax.get_yticks()
    means.set_yticks(rows, [f"{error:.3g}" for error in errors.mean(axis=1)[rows]])
    means.set_ylabel("mean of the row")
    ax.set_ylabel("row")
    ax.figure.colorbar(image, ax=ax, label=label)
    return ax
