"""CodeDisplay."""

import math

import numpy as np
from sklearn.decomposition import PCA
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from ._style import (
    COLORS,
    axes_to_draw_in,
    grid_within,
    inches,
    index_of,
    is_small,
    name_ticks,
    style,
    styled,
    to_frame,
)

# Whole numbers with more values than this are measurements, not classes.
_MAX_NUMBERED_CLASSES = 20
_MAX_CLASSES = 40

# Beyond so many components the panels of all pairs get too small.
_MAX_PAIRED = 5


class CodeDisplay:
    """Codes as points of the plane, coloured by a target.

    It is recommended to use :meth:`from_estimator` or :meth:`from_codes`. Classes
    have a marker each, beside their colour, so that they are told apart in grey.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        What `transform` gives.

    y : ndarray of shape (n_samples,), default=None
        Classes or numbers. Numbers of which some are not whole, or with more than 20
        values, are shown on a colour scale; all else are classes.

    row_names : sequence of length n_samples, default=None
        Index of `frame`. None counts from 0.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the points. With a panel for each pair of components, the axes that
        they lie in, which are themselves switched off.

    axes_ : ndarray of shape (n_components, n_components), dtype=object
        The panels of the pairs, with None above the diagonal. Only set where pairs
        were drawn.

    figure_ : matplotlib Figure
        Figure containing the points.

    Notes
    -----
    Panels cover the title of the axes that they lie in. Give a title to the figure,
    or to a subfigure of their own, with its `suptitle`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.decomposition import PCA
    >>> from skautoenc.plotting import CodeDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> display = CodeDisplay(codes=PCA(2).fit_transform(X), y=y).plot()
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['0', '1', '2']
    """

    def __init__(self, *, codes, y=None, row_names=None):
        self.codes = codes
        self.y = y
        self.row_names = row_names

    def plot(
        self, ax=None, *, projection="auto", scatter_kwargs=None, hist_kwargs=None
    ):
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels are laid out in its place. None makes a
            new figure.

        projection : {"auto", "pairs", "pca"}, default="auto"
            "auto" draws one component as a histogram, with classes as a strip of
            points for each, or with numbers against these; two as points; three to
            five as "pairs", a panel for each pair with histograms on the diagonal;
            more as "pca", projected on their first two principal components. The
            title then says how much of their variance these have.

        scatter_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.scatter`, for the points.

        hist_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.hist`, for the histograms.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `projection` is not known, or needs more than there is to project.
        """
        n_samples, n_components = self.codes.shape
        if projection not in ("auto", "pairs", "pca"):
            raise ValueError(
                f"projection must be 'auto', 'pairs' or 'pca'; got {projection!r}."
            )
        if projection != "auto" and n_components == 1:
            raise ValueError(
                f"projection={projection!r} needs 2 components or more, but the codes "
                "have 1. Use projection='auto'."
            )
        if projection == "auto" and n_components > 2:
            projection = "pairs" if n_components <= _MAX_PAIRED else "pca"
        size = _size(n_samples, share=0.4 if projection == "pairs" else 1)
        kind = _kind(self.y)
        groups = [
            (rows, _styled_points(look, scatter_kwargs))
            for rows, look in _groups(self.y, kind, size)
        ]
        if n_components == 1:
            self.ax_ = self._plot_strips(ax, kind, groups, hist_kwargs)
        elif projection == "pairs":
            self.ax_ = self._plot_pairs(ax, kind, groups, hist_kwargs)
        elif projection == "pca":
            self.ax_ = self._plot_projection(ax, kind, groups)
        else:
            self.ax_ = _plot_plane(ax, self.codes, kind, groups)
            self.ax_.set(xlabel="component 0", ylabel="component 1")
        self.figure_ = self.ax_.figure
        return self

    def frame(self):
        """Codes as a table.

        Returns
        -------
        DataFrame
            A row for each code, with the columns ``component_0`` and so on, and ``y``
            where there is one. Its index is that of X, where X was a data frame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        columns = {f"component_{i}": code for i, code in enumerate(self.codes.T)}
        if self.y is not None:
            columns["y"] = self.y
        return to_frame(columns, self.row_names)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        projection="auto",
        scatter_kwargs=None,
        hist_kwargs=None,
        ax=None,
    ):
        """Draw the codes of rows.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with `transform`; a pipeline too.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode, or whatever else `transform` takes.

        y : array-like of shape (n_samples,), default=None
            Classes or numbers to colour the points by. Numbers of which some are not
            whole, or with more than 20 values, get a colour bar; all else are
            classes, and get a legend.

        projection : {"auto", "pairs", "pca"}, default="auto"
            How more than two components are drawn: a panel for each pair, or their
            projection on two principal components. "auto" has pairs up to five.

        scatter_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.scatter`, for the points.

        hist_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.hist`, for the histograms.

        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels are laid out in its place. None makes a
            new figure.

        Returns
        -------
        display : :class:`CodeDisplay`

        Raises
        ------
        TypeError
            If the estimator has no `transform`.
        ValueError
            If y does not fit the rows, is no list of classes or numbers or has more
            than 40 classes, or if `projection` is not known or has too little to
            project.

        See Also
        --------
        CodeDisplay.from_codes : The same for codes that are there already.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from skautoenc import AutoencoderTransformer
        >>> from skautoenc.plotting import CodeDisplay
        >>> X, y = load_iris(return_X_y=True)
        >>> reducer = make_pipeline(StandardScaler(), AutoencoderTransformer(epochs=5))
        >>> display = CodeDisplay.from_estimator(reducer.fit(X), X, y)
        >>> display.ax_.get_xlabel()
        'component 0'
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "transform"):
            raise TypeError(
                f"{type(estimator).__name__} has no transform, so there are no codes "
                "to draw. Codes from elsewhere go to CodeDisplay.from_codes."
            )
        codes, y = _checked(estimator.transform(X), y)
        return cls(codes=codes, y=y, row_names=index_of(X)).plot(
            ax,
            projection=projection,
            scatter_kwargs=scatter_kwargs,
            hist_kwargs=hist_kwargs,
        )

    @classmethod
    def from_codes(
        cls,
        codes,
        y=None,
        *,
        projection="auto",
        scatter_kwargs=None,
        hist_kwargs=None,
        ax=None,
    ):
        """Draw codes.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_components)

        y : array-like of shape (n_samples,), default=None
            Classes or numbers to colour the points by. Numbers of which some are not
            whole, or with more than 20 values, get a colour bar; all else are
            classes, and get a legend.

        projection : {"auto", "pairs", "pca"}, default="auto"
            How more than two components are drawn: a panel for each pair, or their
            projection on two principal components. "auto" has pairs up to five.

        scatter_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.scatter`, for the points.

        hist_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.hist`, for the histograms.

        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels are laid out in its place. None makes a
            new figure.

        Returns
        -------
        display : :class:`CodeDisplay`

        Raises
        ------
        ValueError
            As :meth:`from_estimator`.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skautoenc.plotting import CodeDisplay
        >>> X, y = load_digits(return_X_y=True)
        >>> display = CodeDisplay.from_codes(X, y)
        >>> display.ax_.get_title()
        'PCA projection of 64 components, 29 % of their variance'
        """
        row_names = index_of(codes)
        codes, y = _checked(codes, y)
        return cls(codes=codes, y=y, row_names=row_names).plot(
            ax,
            projection=projection,
            scatter_kwargs=scatter_kwargs,
            hist_kwargs=hist_kwargs,
        )

    def _plot_strips(self, ax, kind, groups, hist_kwargs):
        """One component: a histogram, a strip for each class, or y over the code."""
        ax = axes_to_draw_in(ax, figsize=(6, 4))
        codes = self.codes[:, 0]
        ax.set_xlabel("component 0")
        if kind == "none":
            defaults = {"bins": "auto", "color": COLORS[0]}
            ax.hist(codes, **_styled_bars(defaults, hist_kwargs))
            ax.set_ylabel("rows")
        elif kind == "numbers":
            ((_, look),) = groups
            if look.get("c") is self.y:  # which is the height already
                look = {**look, "c": COLORS[0], "cmap": None}
            ax.scatter(codes, self.y, **look)
            ax.set_ylabel("y")
        else:
            jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(codes))
            for place, (rows, look) in enumerate(groups):
                ax.scatter(codes[rows], place + jitter[rows], **look)
            ax.set_ylabel("y")
            ax.invert_yaxis()
            name_ticks(ax.yaxis, [str(label) for label in np.unique(self.y)])
        return ax

    def _plot_projection(self, ax, kind, groups):
        if len(self.codes) < 2 or not np.ptp(self.codes, axis=0).any():
            raise ValueError(
                "projection='pca' needs codes that differ, but all rows have the same."
            )
        pca = PCA(2, random_state=0)
        ax = _plot_plane(ax, pca.fit_transform(self.codes), kind, groups)
        shares = pca.explained_variance_ratio_
        ax.set(
            xlabel=f"first principal component ({100 * shares[0]:.0f} %)",
            ylabel=f"second principal component ({100 * shares[1]:.0f} %)",
            title=f"PCA projection of {self.codes.shape[1]} components, "
            f"{100 * shares.sum():.0f} % of their variance",
        )
        if is_small(ax):
            for text in ax.title, ax.xaxis.label, ax.yaxis.label:
                text.set_fontsize("x-small")
        return ax

    def _plot_pairs(self, ax, kind, groups, hist_kwargs):
        """A panel for each pair below the diagonal; what names y lies above it."""
        from matplotlib.transforms import blended_transform_factory

        n = self.codes.shape[1]
        ax = axes_to_draw_in(ax, figsize=(min(1.5 + 1.6 * n, 10),) * 2)
        grid = grid_within(ax, n, n)
        fontsize = "x-small" if is_small(ax) else None
        axes = self.axes_ = np.full((n, n), None)
        for i, j in zip(*np.tril_indices(n), strict=True):
            panel = axes[i, j] = ax.figure.add_subplot(
                grid[i, j],
                sharex=axes[j, j],
                sharey=axes[i, 0] if i != j else None,
            )
            if i == j:
                _plot_histograms(panel, self.codes[:, i], groups, hist_kwargs)
            else:
                points = _plot_points(panel, self.codes[:, [j, i]], groups)
            panel.locator_params(nbins=4)
            panel.label_outer()
            if i == n - 1:
                panel.set_xlabel(f"component {j}", fontsize=fontsize)
            if j == 0 < i:
                panel.set_ylabel(f"component {i}", fontsize=fontsize)
        if _has_scale(kind, points):
            bar_axes = ax.inset_axes([0.6, 0.9, 0.38, 0.03])
            _color_bar(points, cax=bar_axes, orientation="horizontal")
        elif kind == "classes":
            # The panels need not end where the axes do that they lie in.
            corner = blended_transform_factory(
                axes[-1, -1].transAxes, axes[0, 0].transAxes
            )
            beside = {"loc": "upper right", "bbox_to_anchor": (1, 1)}
            _legend(ax, axes[1, 0], height=1.8, bbox_transform=corner, **beside)
        return ax


def _checked(codes, y):
    """Codes and y as arrays."""
    codes = check_array(codes, input_name="codes")
    if y is not None:
        y = column_or_1d(y, warn=False)
        if len(y) != len(codes):
            raise ValueError(
                f"y has {len(y)} values, but there are {len(codes)} codes; y needs "
                "one for each row."
            )
    return codes, y


def _kind(y):
    """What y holds: "none", "numbers" for a colour scale, or "classes"."""
    if y is None:
        return "none"
    if y.dtype.kind in "fiu":
        check_array(y, ensure_2d=False, input_name="y")  # finite
    if y.dtype == object and not all(isinstance(label, str) for label in y):
        raise ValueError(
            "y must hold strings or numbers, and no missing values; got objects of "
            f"other kinds: {y!r}."
        )
    target = type_of_target(y, input_name="y", raise_unknown=True)
    n_labels = len(np.unique(y))
    if target == "continuous" or (
        y.dtype.kind in "fiu" and n_labels > _MAX_NUMBERED_CLASSES
    ):
        return "numbers"
    if n_labels > _MAX_CLASSES:
        raise ValueError(
            f"y has {n_labels} classes; more than {_MAX_CLASSES} cannot be told "
            "apart. Join some, or pick rows of the classes that matter."
        )
    return "classes"


def _groups(y, kind, size):
    """Rows that are drawn alike, and how: one group, or one for each class."""
    if kind == "none":
        return [(slice(None), {"color": COLORS[0], **size})]
    if kind == "numbers":
        return [(slice(None), {"c": y, "cmap": "viridis", **size})]
    return [
        (y == label, {**style(i), "label": str(label), **size})
        for i, label in enumerate(np.unique(y))
    ]


def _styled_points(look, scatter_kwargs):
    """Keywords of the points, where a colour that is given replaces any other."""
    from matplotlib.collections import PathCollection

    given = styled("scatter_kwargs", {}, scatter_kwargs, PathCollection)
    if given.keys() & {"c", "color", "facecolor"}:
        look = {k: look[k] for k in look.keys() - {"c", "color", "cmap"}}
    return styled("scatter_kwargs", look, given, PathCollection)


def _styled_bars(defaults, hist_kwargs):
    from matplotlib.patches import Patch

    return styled("hist_kwargs", defaults, hist_kwargs, Patch)


def _size(n_samples, share=1):
    """Size and transparency of points: the more there are, the less of each."""
    root = math.sqrt(n_samples)
    return {
        "s": share * min(max(600 / root, 2), 40),
        "alpha": min(max(25 / root, 0.2), 0.8),
        "linewidths": 0,
    }


def _plot_points(ax, points, groups):
    for rows, look in groups:
        scatter = ax.scatter(*points[rows].T, **look)
    return scatter


def _plot_plane(ax, points, kind, groups):
    """Points in one panel, with a colour bar or a legend beside it."""
    n_legend_columns = math.ceil(len(groups) / 16)
    ax = axes_to_draw_in(ax, figsize=(5.2 + 1.2 * n_legend_columns, 4.8))
    scatter = _plot_points(ax, points, groups)
    if _has_scale(kind, scatter):
        _color_bar(scatter, ax=ax)
    elif kind == "classes":
        # Only a layout engine makes room for what stands beside the axes.
        beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}
        has_engine = ax.figure.get_layout_engine() is not None
        _legend(ax, ax, height=inches(ax)[1], **(beside if has_engine else {}))
    return ax


def _plot_histograms(ax, values, groups, hist_kwargs):
    """Filled histograms, faint as they overlap, with their outlines."""
    bins = np.histogram_bin_edges(values, bins=20)
    for rows, look in groups:
        defaults = {"bins": bins, "color": look.get("color", "0.5")}
        for more in {"alpha": 0.25}, {"histtype": "step"}:
            bars = _styled_bars({**defaults, **more}, hist_kwargs)
            ax.hist(values[rows], **bars)
    ax.set_yticks([])


def _has_scale(kind, points):
    """Whether colours stand for numbers, and were not replaced by one colour."""
    return kind == "numbers" and points.get_array() is not None


def _color_bar(points, **place):
    bar = points.figure.colorbar(points, label="y", **place)
    bar.solids.set_alpha(1)


def _legend(ax, labelled, height, **where):
    """Name the classes in `ax`, with markers larger than those of the points.

    Parameters
    ----------
    ax : matplotlib Axes
    labelled : matplotlib Axes
        Axes whose points have the names.

    height : float
        Inches that the names may take, one below the other.

    **where : object
        Goes to `Axes.legend`.
    """
    handles, labels = labelled.get_legend_handles_labels()
    style, line, size = {}, 0.22, 40
    if is_small(ax):
        style = {"fontsize": "x-small", "title_fontsize": "x-small"}
        style |= {"handletextpad": 0.2, "columnspacing": 0.5, "labelspacing": 0.3}
        line, size = 0.14, 20
    n_cols = math.ceil(len(labels) / max(1, int(height / line)))
    legend = ax.legend(handles, labels, title="y", ncols=n_cols, **style, **where)
    for handle in legend.legend_handles:
        handle.set(alpha=1, sizes=[size])
