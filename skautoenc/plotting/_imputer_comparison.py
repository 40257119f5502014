"""ImputerComparisonDisplay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from .._imputer_comparison import compare_imputers
from ._axes import resolve_axes
from ._rows import to_frame
from ._style import color_and_marker, merge_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from pandas import DataFrame

    from .._imputer_comparison import Mechanism

# Label of each measure, and the columns of results that are drawn.
_MEASURES = {
    "error": (
        "error of hidden numbers (standard deviations)",
        ("train_error", "test_error"),
    ),
    "accuracy": (
        "share of hidden categories that are right",
        ("train_accuracy", "test_accuracy"),
    ),
    "time": ("time (s)", ("fit_time", "transform_time")),
}
_LEGEND = {
    "train": "rows fitted to",
    "test": "new rows",
    "fit": "fit",
    "transform": "transform of new rows",
}


class ImputerComparisonDisplay:
    """Errors of several imputers on hidden values.

    It is recommended to use :meth:`from_estimator`, or the output of
    :func:`skautoenc.compare_imputers`. Each imputer has a line with the means over the
    splits, with error bars of one standard deviation to both sides.

    Parameters
    ----------
    results : dict of str to ndarray of shape (n_rows,)
        Result of :func:`skautoenc.compare_imputers`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the errors.

    figure_ : matplotlib Figure
        Figure containing the errors.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.impute import KNNImputer, SimpleImputer
    >>> from skautoenc.plotting import ImputerComparisonDisplay
    >>> display = ImputerComparisonDisplay.from_estimator(
    ...     {"mean": SimpleImputer(), "neighbours": KNNImputer()},
    ...     load_iris().data,
    ...     random_state=0,
    ... )
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['mean', 'neighbours']
    """

    def __init__(self, *, results: dict[str, Any]) -> None:
        self.results = results

    def plot(
        self,
        ax: Axes | None = None,
        *,
        measure: str = "error",
        errorbar_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw a measure of each imputer.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        measure : {"error", "accuracy", "time"}, default="error"
            What to draw: errors of numbers, accuracies of categories, or times.

        errorbar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `measure` is unknown, or not in the results.
        """
        if measure not in _MEASURES:
            raise ValueError(f"measure must be one of {[*_MEASURES]}; got {measure!r}.")
        label, keys = _MEASURES[measure]
        missing = [key for key in keys if key not in self.results]
        if missing:
            raise ValueError(
                f"results lack {missing[0]!r}; they have {sorted(self.results)}. An "
                "accuracy needs categorical_features."
            )
        imputers = np.asarray(self.results["imputer"])
        names = list(dict.fromkeys(imputers.tolist()))
        self.ax_ = resolve_axes(ax, figsize=(6, 1.4 + 0.5 * len(names)))
        for i, key in enumerate(keys):
            values = [np.asarray(self.results[key])[imputers == name] for name in names]
            defaults = {
                "linestyle": "none",
                "capsize": 3,
                "label": _LEGEND[key.split("_")[0]],
                **color_and_marker(i),
            }
            kwargs = merge_kwargs("errorbar_kwargs", defaults, errorbar_kwargs)
            positions = np.arange(len(names)) + 0.16 * (2 * i - 1)
            means = [value.mean() for value in values]
            deviations = [value.std() for value in values]
            self.ax_.errorbar(means, positions, xerr=deviations, **kwargs)
        self.ax_.set_yticks(range(len(names)), names)
        self.ax_.set_ylim(len(names) - 0.5, -0.5)
        self.ax_.set_xlabel(label)
        if measure == "time":
            self.ax_.set_xscale("log")
        self.ax_.grid(axis="x", alpha=0.3)
        self.ax_.legend()
        self.figure_ = self.ax_.figure
        return self

    def frame(self) -> DataFrame:
        """Results as a table.

        Returns
        -------
        DataFrame
            One row per imputer and split, with the columns of `results`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return to_frame(self.results)

    @classmethod
    def from_estimator(
        cls,
        imputers: dict[str, BaseEstimator],
        X: ArrayLike,
        *,
        mechanism: Mechanism = "random",
        fraction: float = 0.2,
        categorical_features: Sequence[int] | Sequence[str] | None = None,
        cv: Any = 5,
        n_jobs: int | None = None,
        verbose: int = 0,
        random_state: int | np.random.RandomState | None = None,
        measure: str = "error",
        errorbar_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Hide values of X, fill them with each imputer, and draw the errors.

        Parameters
        ----------
        imputers : dict of str to estimator instance
            Imputers by name.

        X : array-like of shape (n_samples, n_features)
            Numbers; NaN is a missing value.

        mechanism : {"random", "blocks", "dependent"}, default="random"
            Which values are hidden, see :func:`skautoenc.compare_imputers`.

        fraction : float, default=0.2
            Share of the values that are hidden.

        categorical_features : sequence of int or str, default=None
            Columns that hold codes of categories.

        cv : int, cross-validation generator or iterable, default=5
            Splits, the same for every imputer.

        n_jobs : int, default=None
            Number of parallel fits.

        verbose : int, default=0
            Passed to :func:`skautoenc.compare_imputers`.

        random_state : int, RandomState instance or None, default=None
            Determines which values are hidden.

        measure : {"error", "accuracy", "time"}, default="error"
            What to draw: errors of numbers, accuracies of categories, or times.

        errorbar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.errorbar`.

        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        Returns
        -------
        display : :class:`ImputerComparisonDisplay`

        Raises
        ------
        ValueError
            As in :func:`skautoenc.compare_imputers` and :meth:`plot`.
        """
        results = compare_imputers(
            imputers,
            X,
            mechanism=mechanism,
            fraction=fraction,
            categorical_features=categorical_features,
            cv=cv,
            n_jobs=n_jobs,
            verbose=verbose,
            random_state=random_state,
        )
        return cls(results=results).plot(
            ax, measure=measure, errorbar_kwargs=errorbar_kwargs
        )
