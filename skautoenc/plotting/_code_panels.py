"""How codes are drawn: one component, two, pairs of components, or a projection."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.decomposition import PCA

from ._axes import (
    replace_with_grid,
    resolve_axes,
    set_tick_labels,
    size_in_inches,
    small_fontsize,
)
from ._style import COLORS, merge_kwargs
from ._target import PointGroup, Target

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def point_size(n_samples: int, share: float = 1) -> dict[str, float]:
    """Keywords for the area and opacity of points: both decrease with their number.

    Parameters
    ----------
    n_samples : int
    share : float, default=1
        Factor of the area, for small panels.
    """
    root = math.sqrt(n_samples)
    return {
        "s": share * min(max(600 / root, 2), 40),
        "alpha": min(max(25 / root, 0.2), 0.8),
        "linewidths": 0,
    }


def draw_component(
    ax: Axes | None,
    codes: np.ndarray,
    target: Target,
    groups: list[PointGroup],
    hist_kwargs: dict[str, Any] | None,
) -> Axes:
    """Draw codes of one component: a histogram, a strip for each class, or y over it.

    Parameters
    ----------
    ax : matplotlib Axes or None
    codes : ndarray of shape (n_samples,)
    target : Target
    groups : list of PointGroup
    hist_kwargs : dict or None

    Returns
    -------
    matplotlib Axes
    """
    ax = resolve_axes(ax, figsize=(6, 4))
    ax.set_xlabel("component 0")
    if target.values is None:
        defaults = {"bins": "auto", "color": COLORS[0]}
        ax.hist(codes, **merge_kwargs("hist_kwargs", defaults, hist_kwargs))
        ax.set_ylabel("rows")
        return ax
    ax.set_ylabel("y")
    if target.kind == "numbers":
        ((_, kwargs),) = groups
        if target.is_color_scale(groups):  # the vertical axis shows y already
            kwargs = {**kwargs, "c": COLORS[0], "cmap": None}
        ax.scatter(codes, target.values, **kwargs)
        return ax
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(codes))
    for i, (rows, kwargs) in enumerate(groups):
        ax.scatter(codes[rows], i + jitter[rows], **kwargs)
    ax.invert_yaxis()
    set_tick_labels(ax.yaxis, [str(label) for label in target.labels])
    return ax


def draw_plane(
    ax: Axes | None, points: np.ndarray, target: Target, groups: list[PointGroup]
) -> Axes:
    """Draw points of shape (n_samples, 2), with a colour bar or a legend."""
    n_legend_columns = math.ceil(len(groups) / 16)
    ax = resolve_axes(ax, figsize=(5.2 + 1.2 * n_legend_columns, 4.8))
    scatter = _draw_points(ax, points, groups)
    if target.is_color_scale(groups):
        _add_color_bar(scatter, ax=ax)
    elif target.kind == "classes":
        # Without a layout engine there is no space beside the axes.
        has_engine = ax.figure.get_layout_engine() is not None
        beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
        height = size_in_inches(ax)[1]
        _add_legend(ax, ax, height, **(beside if has_engine else {}))
    return ax


def draw_projection(
    ax: Axes | None, codes: np.ndarray, target: Target, groups: list[PointGroup]
) -> Axes:
    """Draw codes projected on their first two principal components."""
    if len(codes) < 2 or not np.ptp(codes, axis=0).any():
        raise ValueError(
            "projection='pca' needs codes that differ, but all rows have the same code."
        )
    pca = PCA(2, random_state=0)
    ax = draw_plane(ax, pca.fit_transform(codes), target, groups)
    shares = pca.explained_variance_ratio_
    ax.set(
        xlabel=f"first principal component ({100 * shares[0]:.0f} %)",
        ylabel=f"second principal component ({100 * shares[1]:.0f} %)",
        title=f"PCA projection of {codes.shape[1]} components, "
        f"{100 * shares.sum():.0f} % of their variance",
    )
    if fontsize := small_fontsize(ax):
        for text in ax.title, ax.xaxis.label, ax.yaxis.label:
            text.set_fontsize(fontsize)
    return ax


def draw_pairs(
    ax: Axes | None,
    codes: np.ndarray,
    target: Target,
    groups: list[PointGroup],
    hist_kwargs: dict[str, Any] | None,
) -> tuple[Axes, np.ndarray]:
    """Draw a panel for each pair of components, with histograms on the diagonal.

    The panels fill the lower triangle; the legend or colour bar is above it.

    Parameters
    ----------
    ax : matplotlib Axes or None
    codes : ndarray of shape (n_samples, n_components)
    target : Target
    groups : list of PointGroup
    hist_kwargs : dict or None

    Returns
    -------
    ax : matplotlib Axes
        Switched off.
    panels : ndarray of shape (n_components, n_components), dtype=object
        Axes, and None above the diagonal.
    """
    from matplotlib.transforms import blended_transform_factory

    n = codes.shape[1]
    ax = resolve_axes(ax, figsize=(min(1.5 + 1.6 * n, 10),) * 2)
    grid = replace_with_grid(ax, n, n)
    fontsize = small_fontsize(ax)
    panels = np.full((n, n), None)
    lower_triangle = [(i, j) for i in range(n) for j in range(i + 1)]
    for i, j in lower_triangle:
        panel = panels[i, j] = ax.figure.add_subplot(
            grid[i, j],
            sharex=panels[j, j],
            sharey=panels[i, 0] if i != j else None,
        )
        if i == j:
            _draw_histograms(panel, codes[:, i], groups, hist_kwargs)
        else:
            scatter = _draw_points(panel, codes[:, [j, i]], groups)
        panel.locator_params(nbins=4)
        panel.label_outer()
        if i == n - 1:
            panel.set_xlabel(f"component {j}", fontsize=fontsize)
        if j == 0 < i:
            panel.set_ylabel(f"component {i}", fontsize=fontsize)
    if target.is_color_scale(groups):
        bar_axes = ax.inset_axes((0.6, 0.9, 0.38, 0.03))
        _add_color_bar(scatter, cax=bar_axes, orientation="horizontal")
    elif target.kind == "classes":
        # The corner of the panels, which may differ from that of the axes around them.
        corner = blended_transform_factory(
            panels[-1, -1].transAxes, panels[0, 0].transAxes
        )
        beside = {"loc": "upper right", "bbox_to_anchor": (1, 1)}
        _add_legend(ax, panels[1, 0], 1.8, bbox_transform=corner, **beside)
    return ax, panels


def _draw_points(ax, points, groups):
    """Draw all groups; return the artist of the last one."""
    for rows, kwargs in groups:
        scatter = ax.scatter(*points[rows].T, **kwargs)
    return scatter


def _draw_histograms(ax, values, groups, hist_kwargs):
    """Draw filled transparent histograms and their outlines."""
    bins = np.histogram_bin_edges(values, bins=20)
    for rows, kwargs in groups:
        defaults = {"bins": bins, "color": kwargs.get("color", "0.5")}
        for layer in {"alpha": 0.25}, {"histtype": "step"}:
            bars = merge_kwargs("hist_kwargs", {**defaults, **layer}, hist_kwargs)
            ax.hist(values[rows], **bars)
    ax.set_yticks([])


def _add_color_bar(scatter, **kwargs):
    bar = scatter.figure.colorbar(scatter, label="y", **kwargs)
    bar.solids.set_alpha(1)


def _add_legend(ax, labelled, height, **kwargs):
    """Add a legend of the classes, with larger markers than those of the points.

    Parameters
    ----------
    ax : matplotlib Axes
        Axes that get the legend.

    labelled : matplotlib Axes
        Axes whose points have the labels.

    height : float
        Maximum height of a column of labels in inches.

    **kwargs : object
        Passed to `Axes.legend`.
    """
    handles, labels = labelled.get_legend_handles_labels()
    line_height, marker_size = 0.22, 40
    if fontsize := small_fontsize(ax):
        kwargs |= {"fontsize": fontsize, "title_fontsize": fontsize}
        kwargs |= {"handletextpad": 0.2, "columnspacing": 0.5, "labelspacing": 0.3}
        line_height, marker_size = 0.14, 20
    n_cols = math.ceil(len(labels) / max(1, int(height / line_height)))
    legend = ax.legend(handles, labels, title="y", ncols=n_cols, **kwargs)
    for handle in legend.legend_handles:
        handle.set(alpha=1, sizes=[marker_size])
