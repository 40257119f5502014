"""OutlierDisplay."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar, indexable
from sklearn.utils.validation import check_is_fitted

from .._utils.sklearn_compat import _safe_indexing
from ._axes import check_axes, replace_with_grid, resolve_axes
from ._images import as_images
from ._outlier_panels import (
    SCORES_HEIGHT,
    bar_grid,
    colors_in_unit_range,
    draw_bars,
    draw_images,
    draw_scores,
    image_grid,
)
from ._pipelines import input_names_of_last_step, steps_of, transform_steps
from ._rows import (
    as_floats,
    check_feature_names,
    flat,
    format_row_names,
    get_index,
    to_frame,
)
from ._style import COLORS, merge_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from numpy.typing import ArrayLike
    from pandas import DataFrame

_KINDS = ("auto", "bar", "image")


class OutlierDisplay:
    """Scores of an outlier detector, and the features that make rows outliers.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Scores of all rows; the lower, the more abnormal.

    threshold : float, default=None
        Score below which a row is an outlier. None draws no threshold.

    rows : sequence of int, default=()
        Positions of the rows to draw.

    contributions : ndarray of shape (n_rows, n_features), default=None
        Share of each feature in the score of each drawn row. Or images, of shape
        (n_rows, height, width) or (n_rows, height, width, channels). Needed if there
        are `rows`.

    values : ndarray of the shape of `contributions`, default=None
        Values of the drawn rows, drawn above their contributions if these are images.

    feature_names : sequence of str of length n_features, default=None
        None means "x0", "x1" and so on.

    row_names : sequence of length n_samples, default=None
        None means 0, 1 and so on.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes that contain the panels, which are switched off; or, without rows, those
        with the histogram.

    score_ax_ : matplotlib Axes
        Panel with the histogram of the scores.

    axes_ : ndarray of Axes
        Panels of the rows, of shape (n_rows,) for bars. For images, the shape is
        (1, n_rows), or (2, n_rows) with values above the contributions.

    figure_ : matplotlib Figure
        Figure containing all axes.

    See Also
    --------
    ReconstructionDisplay : Rows beside their reconstructions.

    Notes
    -----
    Panels cover the title of the axes that contain them. Use `suptitle` of the figure
    or subfigure instead.

    Examples
    --------
    >>> import numpy as np
    >>> from skautoenc.plotting import OutlierDisplay
    >>> display = OutlierDisplay(
    ...     scores=np.array([-1.2, -0.9, -4.0]),
    ...     threshold=-2.0,
    ...     rows=[2],
    ...     contributions=np.array([[0.1, 0.9]]),
    ... ).plot()
    >>> display.axes_[0].get_title()
    'row 2: score -4'
    """

    def __init__(
        self,
        *,
        scores: np.ndarray,
        threshold: float | None = None,
        rows: Sequence[int] = (),
        contributions: np.ndarray | None = None,
        values: np.ndarray | None = None,
        feature_names: Sequence[str] | None = None,
        row_names: Sequence[Any] | None = None,
    ) -> None:
        self.scores = scores
        self.threshold = threshold
        self.rows = rows
        self.contributions = contributions
        self.values = values
        self.feature_names = feature_names
        self.row_names = row_names

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: str = "auto",
        n_features: int = 8,
        cmap: str | Colormap = "viridis",
        hist_kwargs: dict[str, Any] | None = None,
        bar_kwargs: dict[str, Any] | None = None,
        image_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw a histogram of the scores, and a panel for each chosen row.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels replace them. None creates a new figure.

        kind : {"auto", "bar", "image"}, default="auto"
            "bar" draws the features with the largest shares as bars, "image" draws the
            shares of all features as an image, below that of the row. "auto" means
            "image" for images, else "bar".

        n_features : int, default=8
            Maximum number of bars in a panel.

        cmap : str or matplotlib Colormap, default="viridis"
            Colour map of the shares in images.

        hist_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.hist` for the scores.

        bar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.barh` for bars.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow` for the images of shares.

        Returns
        -------
        self : object

        Raises
        ------
        TypeError
            If `ax` or keywords have the wrong type.
        ValueError
            If `kind` is unknown or does not suit the rows.
        """
        check_axes(ax)
        check_scalar(n_features, "n_features", Integral, min_val=1)
        hist = {"bins": "auto", "color": COLORS[0]}
        hist = merge_kwargs("hist_kwargs", hist, hist_kwargs)
        bars = merge_kwargs("bar_kwargs", {"color": COLORS[8]}, bar_kwargs)
        images = {"cmap": cmap, "vmin": 0}
        images = merge_kwargs("image_kwargs", images, image_kwargs)
        resolved = self._resolve_kind(kind)
        if resolved is None:
            self.ax_ = self.score_ax_ = resolve_axes(ax, (6, 1.2 * SCORES_HEIGHT))
            self.axes_ = np.empty(0, object)
            draw_scores(self.ax_, self.scores, self.threshold, (), hist)
            self.figure_ = self.ax_.figure
            return self
        names, titles = self._feature_names(), self._titles()
        n, n_bars = len(titles), min(n_features, len(names))
        is_bar = resolved == "bar"
        size = bar_grid(n, n_bars, names) if is_bar else image_grid(n)
        n_lines, n_cols, width, height = size
        container = resolve_axes(ax, (width, SCORES_HEIGHT + height))
        ratios = SCORES_HEIGHT, height
        outer = replace_with_grid(container, 2, 1, height_ratios=ratios)
        self.score_ax_ = container.figure.add_subplot(outer[0])
        draw_scores(self.score_ax_, self.scores, self.threshold, self.rows, hist)
        grid = outer[1].subgridspec(n_lines, n_cols)
        if is_bar:
            shares = flat(np.asarray(self.contributions))
            panels = draw_bars(container, grid, shares, titles, names, n_bars, bars)
        else:
            titles = [title.replace(": score", "\n") for title in titles]
            panels = draw_images(container, grid, self._strips(images), titles)
        self.ax_, self.axes_, self.figure_ = container, panels, container.figure
        return self

    def frame(self) -> DataFrame:
        """Scores and shares of the features as a table.

        Returns
        -------
        DataFrame
            One row for each feature of each drawn row, the largest share first. The
            columns are ``row``, which holds the index of X if X was a data frame,
            ``score``, ``feature`` and ``share``. Without drawn rows, there is one row
            for each row of X, with ``row`` and ``score``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        names = range(len(self.scores)) if self.row_names is None else self.row_names
        if not len(self.rows):
            return to_frame({"row": list(names), "score": self.scores})
        shares = flat(np.asarray(self.contributions))
        features = np.array(self._feature_names())
        order = np.argsort(-shares, axis=1, kind="stable")
        n_features = len(features)
        return to_frame(
            {
                "row": [names[i] for i in self.rows for _ in range(n_features)],
                "score": np.repeat(self.scores[list(self.rows)], n_features),
                "feature": features[order].ravel(),
                "share": np.take_along_axis(shares, order, axis=1).ravel(),
            }
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        *,
        rows: Sequence[Any] | None = None,
        n_rows: int = 3,
        kind: str = "auto",
        n_features: int = 8,
        image_shape: Sequence[int] | None = None,
        feature_names: Sequence[str] | None = None,
        cmap: str | Colormap = "viridis",
        hist_kwargs: dict[str, Any] | None = None,
        bar_kwargs: dict[str, Any] | None = None,
        image_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the scores of all rows of X, and the features of chosen rows.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with `score_samples`; or a pipeline that ends with one. Its
            ``offset_`` is the threshold, if it has one. Features are drawn if it has
            `feature_contributions`, as :class:`skautoenc.AutoencoderOutlierDetector`
            has. The features of a pipeline are those that its last step gets, in its
            units.

        X : array-like of shape (n_samples, n_features)
            Rows. The index of a data frame provides the row names.

        rows : sequence, default=None
            Rows to draw: labels of the index of a data frame, or positions. None means
            those with the lowest scores.

        n_rows : int, default=3
            Number of rows to draw, if `rows` is None and the estimator has
            `feature_contributions`. 0 draws the scores only.

        kind : {"auto", "bar", "image"}, default="auto"
            "bar" draws the features with the largest shares as bars, "image" draws the
            shares of all features as an image, below that of the row. "auto" means
            "image" for images, else "bar".

        n_features : int, default=8
            Maximum number of bars in a panel.

        image_shape : tuple of int, default=None
            Shape of the image that a row represents: (height, width) or (height,
            width, channels). None draws no images.

        feature_names : sequence of str of length n_features, default=None
            Labels of the features. None means those seen in `fit`, or "x0", "x1" and so
            on.

        cmap : str or matplotlib Colormap, default="viridis"
            Colour map of the shares in images.

        hist_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.hist` for the scores.

        bar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.barh` for bars.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow` for the images of shares.

        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels replace them. None creates a new figure.

        Returns
        -------
        display : :class:`OutlierDisplay`

        Raises
        ------
        TypeError
            If the estimator lacks `score_samples`, or `feature_contributions` and
            `rows` are given.
        ValueError
            If `rows` are not rows of X, if `image_shape` or the number of names does
            not fit the features, or if `kind` is unknown or does not suit the rows.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from skautoenc import AutoencoderOutlierDetector
        >>> from skautoenc.plotting import OutlierDisplay
        >>> X = load_wine(as_frame=True).data
        >>> detector = AutoencoderOutlierDetector(random_state=0)
        >>> pipeline = make_pipeline(StandardScaler(), detector).fit(X)
        >>> display = OutlierDisplay.from_estimator(pipeline, X, rows=[121, 69])
        >>> display.contributions.shape
        (2, 13)
        """
        check_is_fitted(estimator)
        check_scalar(n_rows, "n_rows", Integral, min_val=0)
        *earlier_steps, detector = steps_of(estimator)
        _check_detector(detector, rows)
        (X,) = indexable(X)
        inputs = transform_steps(earlier_steps, X)
        scores = np.asarray(detector.score_samples(inputs), dtype=np.float64)
        if rows is None and hasattr(detector, "feature_contributions"):
            positions = np.argsort(scores, kind="stable")[:n_rows]
        else:
            positions = _positions(() if rows is None else rows, X, len(scores))
        contributions = values = None
        if len(positions):
            chosen = _safe_indexing(inputs, positions)
            contributions = detector.feature_contributions(chosen)
            contributions = as_images(contributions, image_shape)
            values = as_floats("X", chosen).reshape(contributions.shape)
            if feature_names is None:
                feature_names = input_names_of_last_step(estimator)
            if feature_names is not None:
                check_feature_names(feature_names, flat(contributions).shape[1])
        return cls(
            scores=scores,
            threshold=getattr(detector, "offset_", None),
            rows=positions.tolist(),
            contributions=contributions,
            values=values,
            feature_names=feature_names,
            row_names=get_index(X),
        ).plot(
            ax,
            kind=kind,
            n_features=n_features,
            cmap=cmap,
            hist_kwargs=hist_kwargs,
            bar_kwargs=bar_kwargs,
            image_kwargs=image_kwargs,
        )

    def _feature_names(self):
        if self.feature_names is None:
            n_features = flat(np.asarray(self.contributions)).shape[1]
            return [f"x{i}" for i in range(n_features)]
        return [str(name) for name in self.feature_names]

    def _strips(self, imshow_kwargs):
        """Images of the rows, if there are any, and of the shares of their features."""
        shares = np.asarray(self.contributions)
        shares = shares.reshape(*shares.shape[:3], -1).sum(axis=3)
        strips = [("share", shares, imshow_kwargs)]
        if self.values is not None:
            rows = colors_in_unit_range(self.values)
            strips.insert(0, ("row", rows, {"cmap": "gray"}))
        return strips

    def _titles(self):
        names = range(len(self.scores)) if self.row_names is None else self.row_names
        names = format_row_names(names[i] for i in self.rows)
        scores = self.scores[list(self.rows)]
        return [
            f"row {name}: score {score:.3g}"
            for name, score in zip(names, scores, strict=True)
        ]

    def _resolve_kind(self, kind):
        """Replace "auto", and check that the kind suits the rows; None without rows."""
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {_KINDS}; got {kind!r}.")
        if not len(self.rows):
            return None
        is_image = np.ndim(self.contributions) > 2
        if kind == "image" and not is_image:
            raise ValueError("kind='image' needs image_shape, because rows are flat.")
        return ("image" if is_image else "bar") if kind == "auto" else kind


def _check_detector(detector, rows):
    """Raise if the detector has no scores, or cannot explain the rows to draw."""
    name = type(detector).__name__
    if not hasattr(detector, "score_samples"):
        raise TypeError(f"{name} has no score_samples, so there are no scores.")
    if rows is not None and not hasattr(detector, "feature_contributions"):
        raise TypeError(
            f"{name} has no feature_contributions, so no rows can be drawn. Use "
            "rows=None."
        )


def _positions(rows, X, n_samples):
    """Return the positions of rows: labels of the index of X, or positions."""
    index = get_index(X)
    rows = list(rows)
    if not rows:
        return np.empty(0, int)
    if index is None:
        positions = np.array(rows)
        is_valid = np.issubdtype(positions.dtype, np.integer) and bool(
            np.all((positions >= 0) & (positions < n_samples))
        )
    else:
        positions = index.get_indexer_for(rows)
        is_valid = len(positions) == len(rows) and bool(np.all(positions >= 0))
    if not is_valid:
        what = f"integers from 0 to {n_samples - 1}"
        if index is not None:
            what = "labels that the index of X has once"
            rows = [label for label in rows if list(index).count(label) != 1]
        raise ValueError(f"rows must be {what}; got {rows!r}.")
    return positions
