"""How outliers are drawn: a histogram of scores, and the features of single rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ._axes import (
    INCHES_PER_LETTER,
    MAX_LETTERS,
    max_length,
    set_tick_labels,
    shorten,
    size_in_inches,
    small_fontsize,
)
from ._images import MAX_IMAGES_PER_ROW, scale_to_unit
from ._style import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.gridspec import GridSpecFromSubplotSpec

# Height of the histogram in inches, of a bar, and of what else a panel has.
SCORES_HEIGHT, _BAR_HEIGHT, _MARGIN = 2.2, 0.24, 0.7

# Panels of bars beside each other, and their width in inches without names.
_MAX_BAR_PANELS_PER_ROW, _BARS_WIDTH = 3, 1.7

# Letters per inch in the font size "small".
_LETTERS_PER_INCH = 13

_THRESHOLD_COLOR, _ROW_COLOR = COLORS[2], COLORS[8]


def bar_grid(
    n_rows: int, n_bars: int, names: Sequence[str]
) -> tuple[int, int, float, float]:
    """Return numbers of lines and columns of bar panels, and their size in inches."""
    n_cols = min(n_rows, _MAX_BAR_PANELS_PER_ROW)
    n_lines = math.ceil(n_rows / n_cols)
    n_letters = min(max_length(names), MAX_LETTERS)
    width = max(n_cols * (_BARS_WIDTH + INCHES_PER_LETTER * n_letters), 5)
    return n_lines, n_cols, width, n_lines * (_MARGIN + _BAR_HEIGHT * n_bars)


def image_grid(n_rows: int) -> tuple[int, int, float, float]:
    """Return numbers of lines and columns of image panels, and their size in inches."""
    n_cols = min(n_rows, MAX_IMAGES_PER_ROW)
    n_lines = 2 * math.ceil(n_rows / n_cols)
    return n_lines, n_cols, max(1 + 1.1 * n_cols, 5), 1.25 * n_lines


def draw_scores(
    ax: Axes,
    scores: np.ndarray,
    threshold: float | None,
    drawn: Sequence[int],
    hist_kwargs: dict[str, Any],
) -> None:
    """Draw a histogram of scores, the threshold, and markers of the drawn rows.

    Parameters
    ----------
    ax : matplotlib Axes
    scores : ndarray of shape (n_samples,)
    threshold : float or None
    drawn : sequence of int
        Positions of rows.

    hist_kwargs : dict
    """
    fontsize = small_fontsize(ax)
    ax.hist(scores, **hist_kwargs)
    ax.set_yscale("log")
    ax.set_ylim(bottom=0.7)  # so that bars of one row are visible
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("score (low: outlier)", fontsize=fontsize)
    ax.set_ylabel("rows", fontsize=fontsize)
    if threshold is not None:
        label = f"threshold: {np.sum(scores < threshold)} of {len(scores)} rows below"
        ax.axvline(threshold, color=_THRESHOLD_COLOR, linestyle="--", label=label)
    if len(drawn):
        ax.plot(
            scores[drawn],
            np.full(len(drawn), 0.04),
            "v",
            color=_ROW_COLOR,
            transform=ax.get_xaxis_transform(),
            label="rows drawn",
        )
    if threshold is not None or len(drawn):
        ax.legend(fontsize=fontsize or "small")


def draw_bars(
    ax: Axes,
    grid: GridSpecFromSubplotSpec,
    shares: np.ndarray,
    titles: Sequence[str],
    feature_names: Sequence[str],
    n_bars: int,
    bar_kwargs: dict[str, Any],
) -> np.ndarray:
    """Draw the features with the largest shares of each row as horizontal bars.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes that contain the panels.

    grid : GridSpecFromSubplotSpec
    shares : ndarray of shape (n_rows, n_features)
    titles : list of str of length n_rows
    feature_names : list of str of length n_features
    n_bars : int
    bar_kwargs : dict

    Returns
    -------
    ndarray of Axes of shape (n_rows,)
    """
    panels = np.full(len(shares), None)
    width, height = size_in_inches(ax)
    panel_width, panel_height = width / grid.ncols, height / (grid.nrows + 1)
    fontsize = small_fontsize(ax)
    for i, title in enumerate(shorten(titles, _LETTERS_PER_INCH * panel_width)):
        panel = panels[i] = ax.figure.add_subplot(
            grid[divmod(i, grid.ncols)], sharex=panels[0]
        )
        order = np.argsort(-shares[i], kind="stable")[:n_bars]
        panel.barh(range(len(order)), shares[i, order], **bar_kwargs)
        panel.set_ylim(n_bars - 0.5, -0.5)
        names = [feature_names[j] for j in order]
        set_tick_labels(panel.yaxis, names, panel_height, 0.55 * panel_width)
        panel.set_title(title, fontsize=fontsize or "small")
        panel.tick_params(labelsize=fontsize)
        panel.set_xlabel("share of the score", fontsize=fontsize)
    return panels


def draw_images(
    ax: Axes,
    grid: GridSpecFromSubplotSpec,
    strips: Sequence[tuple[str, np.ndarray, dict[str, Any]]],
    titles: Sequence[str],
) -> np.ndarray:
    """Draw strips of images below each other, such as images and their shares.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes that contain the panels.

    grid : GridSpecFromSubplotSpec
    strips : list of (str, ndarray of shape (n_rows, height, width, ...), dict)
        Name, images, and keywords of `matplotlib.axes.Axes.imshow`.

    titles : list of str of length n_rows

    Returns
    -------
    ndarray of Axes of shape (n_strips, n_rows)
    """
    panels = np.full((len(strips), len(titles)), None)
    for i, (name, images, imshow_kwargs) in enumerate(strips):
        for j, image in enumerate(images):
            block, column = divmod(j, grid.ncols)
            panel = ax.figure.add_subplot(grid[len(strips) * block + i, column])
            panel.imshow(image, **imshow_kwargs)
            panel.set(xticks=[], yticks=[])
            if column == 0:
                panel.set_ylabel(name, fontsize="small")
            if i == 0:
                panel.set_title(titles[j], fontsize="small")
            panels[i, j] = panel
    return panels


def colors_in_unit_range(images: np.ndarray) -> np.ndarray:
    """Images with colours scaled to [0, 1]; others unchanged."""
    if images.ndim == 4 and images.shape[3] > 1:
        return scale_to_unit(images, images.min(), images.max())
    return images
