"""ExplainedVarianceDisplay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

from ._axes import resolve_axes, size_in_inches, small_fontsize
from ._pipelines import steps_of, transform_steps
from ._rows import to_frame
from ._style import color_and_marker, merge_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from pandas import DataFrame

_MAX_SHARE_OF_LEGEND = 0.6


class ExplainedVarianceDisplay:
    """Scree plot: the share of the variance that each component explains.

    It is recommended to use :meth:`from_estimator`, which draws PCA of the same rows as
    a reference.

    Parameters
    ----------
    ratios : dict of str to array-like of shape (n_components,)
        Explained variance ratio of each component, for each curve by name. The numbers
        of components may differ.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure containing the curves.

    See Also
    --------
    LoadingsDisplay : The features that change with each component.
    ComparisonDisplay : Held-out errors of reducers over the size of their codes.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.preprocessing import scale
    >>> from skautoenc.plotting import ExplainedVarianceDisplay
    >>> X = load_wine().data
    >>> ratios = {
    ...     "standardized": PCA().fit(scale(X)).explained_variance_ratio_,
    ...     "not standardized": PCA().fit(X).explained_variance_ratio_,
    ... }
    >>> display = ExplainedVarianceDisplay(ratios=ratios).plot(cumulative=True)
    >>> display.ax_.get_xlabel()
    'number of components'
    """

    def __init__(self, *, ratios: Mapping[str, ArrayLike]) -> None:
        self.ratios = ratios

    def plot(
        self,
        ax: Axes | None = None,
        *,
        cumulative: bool = False,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        cumulative : bool, default=False
            Draw the sum over each component and those before it, over the number of
            components. False draws the ratio of each component, counted from 0, and the
            legend states the sum over all.

        line_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for the curves.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `ratios` is empty.
        """
        if not self.ratios:
            raise ValueError("ratios is empty. Give at least one name and its ratios.")
        ax = resolve_axes(ax, figsize=(6, 4))
        highest, lowest = 0.0, 0.0
        for i, (name, ratios) in enumerate(self.ratios.items()):
            values = np.asarray(ratios)
            components = np.arange(len(values))
            label = f"{name}, sum {values.sum():.3f}"
            if cumulative:
                components, values, label = components + 1, np.cumsum(values), name
            # Curves that coincide are both visible.
            is_dashed = i % 2 == 1
            defaults = {
                **color_and_marker(i),
                "linestyle": "--" if is_dashed else "-",
                "markerfacecolor": "none" if is_dashed else None,
                "markersize": 4,
                "label": label,
            }
            kwargs = merge_kwargs("line_kwargs", defaults, line_kwargs)
            ax.plot(components, values, **kwargs)
            lowest = min(lowest, values.min())
            highest = max(highest, values.max())
        fontsize = small_fontsize(ax)
        xlabel = "number of components" if cumulative else "component"
        ylabel = "explained variance ratio"
        ax.set_xlabel(xlabel, fontsize=fontsize)
        ax.set_ylabel(
            f"cumulative\n{ylabel}" if cumulative else ylabel, fontsize=fontsize
        )
        ax.tick_params(labelsize=fontsize)
        ax.locator_params("x", integer=True, min_n_ticks=1)
        ax.grid(alpha=0.3)
        ax.legend(loc="upper right", fontsize=fontsize)
        share = _share_of_legend(ax, len(self.ratios))
        top = lowest + ((highest - lowest) or 1) / (1 - share)
        ax.set_ylim(lowest, top)
        # No ratio is above 1, only the legend is.
        ax.set_yticks([y for y in ax.get_yticks() if lowest <= y <= min(top, 1)])
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    def frame(self) -> DataFrame:
        """Explained variance ratios as a table.

        Returns
        -------
        DataFrame
            One row per curve and component, with the columns ``name``, ``component``,
            ``explained_variance_ratio`` and ``cumulative_ratio``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        curves = {name: np.asarray(ratios) for name, ratios in self.ratios.items()}
        return to_frame(
            {
                "name": np.repeat(
                    [*curves], [len(ratios) for ratios in curves.values()]
                ),
                "component": np.concatenate(
                    [np.arange(len(ratios)) for ratios in curves.values()]
                ),
                "explained_variance_ratio": np.concatenate([*curves.values()]),
                "cumulative_ratio": np.concatenate(
                    [np.cumsum(ratios) for ratios in curves.values()]
                ),
            }
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        *,
        cumulative: bool = False,
        line_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the explained variance ratios of a fitted reducer beside those of PCA.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with ``explained_variance_ratio_``; or a pipeline that ends with
            one.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that the estimator was fitted on. PCA with as many components is fitted
            on them, after the earlier steps of a pipeline.

        cumulative : bool, default=False
            Draw the sum over each component and those before it, over the number of
            components. False draws the ratio of each component, counted from 0, and the
            legend states the sum over all.

        line_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for the curves.

        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        Returns
        -------
        display : :class:`ExplainedVarianceDisplay`

        Raises
        ------
        TypeError
            If the estimator has no ``explained_variance_ratio_``.
        ValueError
            If X does not have the features that the estimator was fitted on.

        Notes
        -----
        No linear reconstruction explains more variance of X than PCA. The ratios of an
        autoencoder are described with its attribute ``explained_variance_ratio_``;
        their sum is its score on the rows that it was fitted on.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skautoenc import AutoencoderTransformer
        >>> from skautoenc.plotting import ExplainedVarianceDisplay
        >>> X = load_digits().data / 16
        >>> autoencoder = AutoencoderTransformer(8, epochs=5).fit(X)
        >>> display = ExplainedVarianceDisplay.from_estimator(autoencoder, X)
        >>> list(display.ratios)
        ['AutoencoderTransformer', 'PCA (reference)']
        """
        check_is_fitted(estimator)
        *earlier_steps, reducer = steps_of(estimator)
        name = type(reducer).__name__
        try:
            ratios = np.asarray(reducer.explained_variance_ratio_)
        except AttributeError as error:
            raise TypeError(
                f"{name} has no explained_variance_ratio_, so there is no curve to "
                "draw. Use ComparisonDisplay to compare reconstruction errors."
            ) from error
        rows = _check_rows(transform_steps(earlier_steps, X), reducer)
        n_components = min(len(ratios), *rows.shape)
        pca = PCA(n_components, random_state=0).fit(rows)
        curves = {name: ratios, "PCA (reference)": pca.explained_variance_ratio_}
        return cls(ratios=curves).plot(
            ax, cumulative=cumulative, line_kwargs=line_kwargs
        )


def _share_of_legend(ax, n_lines):
    """Share of the height of `ax` that its legend takes, which is left free for it."""
    line_height = 0.16 if small_fontsize(ax) else 0.22
    return min(
        (n_lines + 1) * line_height / size_in_inches(ax)[1], _MAX_SHARE_OF_LEGEND
    )


def _check_rows(X, reducer):
    """X as rows of the features that the reducer was fitted on."""
    rows = check_array(
        X, accept_sparse=True, dtype=[np.float64, np.float32], allow_nd=True
    )
    if rows.ndim > 2:
        rows = rows.reshape(len(rows), -1)
    n_features = getattr(reducer, "n_features_in_", rows.shape[1])
    if rows.shape[1] != n_features:
        raise ValueError(
            f"X has {rows.shape[1]} features, but {type(reducer).__name__} was fitted "
            f"on {n_features}. Give the rows that it was fitted on."
        )
    return rows
