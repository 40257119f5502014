"""CodeDisplay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_is_fitted

from ._code_panels import (
    draw_component,
    draw_pairs,
    draw_plane,
    draw_projection,
    point_size,
)
from ._rows import get_index, to_frame
from ._target import Target

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from pandas import DataFrame

# With more components the panels of all pairs are too small.
_MAX_PAIRED = 5


class CodeDisplay:
    """Codes as points in the plane, coloured by a target.

    It is recommended to use :meth:`from_estimator` or :meth:`from_codes`. Classes
    differ in their markers as well as in their colours, so that they can be
    distinguished in grey.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
        Output of `transform`.

    y : ndarray of shape (n_samples,), default=None
        Classes or numbers to colour the points by. Numbers that are not all integers,
        or with more than 20 distinct values, get a colour bar. Everything else is
        treated as classes, and gets a legend.

    row_names : sequence of length n_samples, default=None
        Index of `frame`. None means 0, 1 and so on.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the points. If pairs of components are drawn, the axes that contain
        the panels, which are switched off.

    axes_ : ndarray of shape (n_components, n_components), dtype=object
        The panels of the pairs, with None above the diagonal. Only set if pairs were
        drawn.

    figure_ : matplotlib Figure
        Figure containing the points.

    Notes
    -----
    Panels cover the title of the axes that contain them. Use `suptitle` of the figure
    or subfigure instead.

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

    def __init__(
        self,
        *,
        codes: np.ndarray,
        y: np.ndarray | None = None,
        row_names: Sequence[Any] | None = None,
    ) -> None:
        self.codes = codes
        self.y = y
        self.row_names = row_names

    def plot(
        self,
        ax: Axes | None = None,
        *,
        projection: str = "auto",
        scatter_kwargs: dict[str, Any] | None = None,
        hist_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels replace them. None creates a new figure.

        projection : {"auto", "pairs", "pca"}, default="auto"
            How codes with more than two components are drawn. "pairs" draws a panel
            for each pair, with histograms on the diagonal. "pca" projects the codes on
            their first two principal components, and the title states the explained
            share of their variance. "auto" means "pairs" for up to five components,
            else "pca". Two components are drawn as points; one component as a
            histogram, as a strip of points for each class, or against the numbers.

        scatter_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.scatter` for the points. A colour replaces
            those of `y`.

        hist_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.hist` for the histograms.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `projection` is unknown or needs more components or different codes.
        """
        n_samples, n_components = self.codes.shape
        if projection not in ("auto", "pairs", "pca"):
            raise ValueError(
                f"projection must be 'auto', 'pairs' or 'pca'; got {projection!r}."
            )
        if projection != "auto" and n_components == 1:
            raise ValueError(
                f"projection={projection!r} needs at least 2 components, but the codes "
                "have 1. Use projection='auto'."
            )
        if projection == "auto" and n_components > 2:
            projection = "pairs" if n_components <= _MAX_PAIRED else "pca"
        target = Target.from_y(self.y)
        size = point_size(n_samples, share=0.4 if projection == "pairs" else 1)
        groups = target.point_groups(size, scatter_kwargs)
        if n_components == 1:
            codes = self.codes[:, 0]
            self.ax_ = draw_component(ax, codes, target, groups, hist_kwargs)
        elif projection == "pairs":
            self.ax_, self.axes_ = draw_pairs(
                ax, self.codes, target, groups, hist_kwargs
            )
        elif projection == "pca":
            self.ax_ = draw_projection(ax, self.codes, target, groups)
        else:
            self.ax_ = draw_plane(ax, self.codes, target, groups)
            self.ax_.set(xlabel="component 0", ylabel="component 1")
        self.figure_ = self.ax_.figure
        return self

    def frame(self) -> DataFrame:
        """Codes as a table.

        Returns
        -------
        DataFrame
            One row per code, with the columns ``component_0`` and so on, and ``y`` if
            it was given. Its index is that of X, if X was a data frame.

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
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        projection: str = "auto",
        scatter_kwargs: dict[str, Any] | None = None,
        hist_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the codes of rows.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with `transform`; or a pipeline.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode, or whatever else `transform` accepts.

        y : array-like of shape (n_samples,), default=None
            Classes or numbers to colour the points by. Numbers that are not all
            integers, or with more than 20 distinct values, get a colour bar. Everything
            else is treated as classes, and gets a legend.

        projection : {"auto", "pairs", "pca"}, default="auto"
            How codes with more than two components are drawn. "pairs" draws a panel
            for each pair, with histograms on the diagonal. "pca" projects the codes on
            their first two principal components, and the title states the explained
            share of their variance. "auto" means "pairs" for up to five components,
            else "pca". Two components are drawn as points; one component as a
            histogram, as a strip of points for each class, or against the numbers.

        scatter_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.scatter` for the points. A colour replaces
            those of `y`.

        hist_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.hist` for the histograms.

        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels replace them. None creates a new figure.

        Returns
        -------
        display : :class:`CodeDisplay`

        Raises
        ------
        TypeError
            If the estimator has no `transform`.
        ValueError
            If y does not have one value per row, holds neither classes nor numbers or
            has more than 40 classes, or if `projection` is unknown or needs more
            components or different codes.

        See Also
        --------
        CodeDisplay.from_codes : The same for codes that are already computed.

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
                "to draw. Use CodeDisplay.from_codes for codes from another source."
            )
        codes, target = _check_codes(estimator.transform(X), y)
        return cls(codes=codes, y=target, row_names=get_index(X)).plot(
            ax,
            projection=projection,
            scatter_kwargs=scatter_kwargs,
            hist_kwargs=hist_kwargs,
        )

    @classmethod
    def from_codes(
        cls,
        codes: ArrayLike,
        y: ArrayLike | None = None,
        *,
        projection: str = "auto",
        scatter_kwargs: dict[str, Any] | None = None,
        hist_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw codes.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_components)

        y : array-like of shape (n_samples,), default=None
            Classes or numbers to colour the points by. Numbers that are not all
            integers, or with more than 20 distinct values, get a colour bar. Everything
            else is treated as classes, and gets a legend.

        projection : {"auto", "pairs", "pca"}, default="auto"
            How codes with more than two components are drawn. "pairs" draws a panel
            for each pair, with histograms on the diagonal. "pca" projects the codes on
            their first two principal components, and the title states the explained
            share of their variance. "auto" means "pairs" for up to five components,
            else "pca". Two components are drawn as points; one component as a
            histogram, as a strip of points for each class, or against the numbers.

        scatter_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.scatter` for the points. A colour replaces
            those of `y`.

        hist_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.hist` for the histograms.

        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels replace them. None creates a new figure.

        Returns
        -------
        display : :class:`CodeDisplay`

        Raises
        ------
        ValueError
            As in :meth:`from_estimator`.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skautoenc.plotting import CodeDisplay
        >>> X, y = load_digits(return_X_y=True)
        >>> display = CodeDisplay.from_codes(X, y)
        >>> display.ax_.get_title()
        'PCA projection of 64 components, 29 % of their variance'
        """
        points, target = _check_codes(codes, y)
        return cls(codes=points, y=target, row_names=get_index(codes)).plot(
            ax,
            projection=projection,
            scatter_kwargs=scatter_kwargs,
            hist_kwargs=hist_kwargs,
        )


def _check_codes(codes, y):
    """Codes and y as arrays of the same length."""
    codes = check_array(codes, input_name="codes")
    if y is not None:
        y = column_or_1d(y, warn=False)
        if len(y) != len(codes):
            raise ValueError(
                f"y has {len(y)} values, but there are {len(codes)} codes. Give one "
                "value per row."
            )
    return codes, y
