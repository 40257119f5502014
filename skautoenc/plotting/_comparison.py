"""ComparisonDisplay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from .._comparison import check_reducers, compare_reducers
from ._axes import (
    LETTER_WIDTH,
    resolve_axes,
    resolve_scale,
    set_scale,
    size_in_inches,
)
from ._pipelines import last_step
from ._rows import to_frame
from ._style import color_and_marker, merge_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike
    from pandas import DataFrame

# Label of each measure, and whether "auto" may give it a logarithmic scale.
_MEASURES = {
    "test_mse": ("held-out mean squared error", True),
    "test_explained_variance": ("held-out share of variance explained", False),
    "test_score": ("held-out score", False),
    "fit_time": ("time to fit (s)", True),
    "transform_time": ("time to transform (s)", True),
}


class Curve(NamedTuple):
    """A measure of one reducer at each code size, over the splits."""

    sizes: np.ndarray
    means: np.ndarray
    deviations: np.ndarray


class ComparisonDisplay:
    """Error of several reducers over the size of their codes.

    It is recommended to use :meth:`from_estimator`, or :meth:`from_results` with the
    output of :func:`skautoenc.compare_reducers`. Each reducer has a line through the
    means over the splits, with error bars of one standard deviation to both sides. If
    every reducer has only one code size, there is one row per reducer instead.

    Parameters
    ----------
    results : dict of str to ndarray of shape (n_rows,)
        One row per reducer, code size and split, with the keys ``reducer``,
        ``n_components`` and the measures of :func:`skautoenc.compare_reducers`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the lines.

    figure_ : matplotlib Figure
        Figure containing the lines.

    Examples
    --------
    >>> import numpy as np
    >>> from skautoenc.plotting import ComparisonDisplay
    >>> results = {
    ...     "reducer": np.repeat(["PCA", "autoencoder"], 4),
    ...     "n_components": np.tile([2, 2, 8, 8], 2),
    ...     "test_mse": np.array([0.5, 0.6, 0.2, 0.2, 0.3, 0.4, 0.1, 0.2]),
    ... }
    >>> display = ComparisonDisplay(results=results).plot()
    >>> display.ax_.get_xlabel()
    'code size (n_components)'
    """

    def __init__(self, *, results: dict[str, Any]) -> None:
        self.results = results

    def plot(
        self,
        ax: Axes | None = None,
        *,
        measure: str = "test_mse",
        scale: str = "auto",
        errorbar_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        measure : {"test_mse", "test_explained_variance", "test_score", "fit_time", \
                "transform_time"}, default="test_mse"
            Measure to draw. Reducers without it, such as those that have no inverse and
            hence no error, are labelled "not measured". Results contain all measures:
            ``display.plot(measure=...)`` draws another.

        scale : {"auto", "linear", "log"}, default="auto"
            Scale of the measure. "auto" means "log" for errors and times whose means
            are positive and span a factor between 10 and a million, else "linear".

        errorbar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.errorbar` for the line of each reducer.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `measure` is unknown, or was measured for no reducer, or if the scale is
            unknown or does not suit the values.
        """
        _check_measure(measure)
        if measure not in self.results:
            raise ValueError(
                f"results lack {measure!r}; they have {sorted(self.results)}."
            )
        curves = self._curves(measure)
        means = np.concatenate([curve.means for curve in curves.values()])
        means = means[np.isfinite(means)]
        if not len(means):
            raise ValueError(
                f"results have no value of {measure} for any reducer. Errors need "
                "reducers with inverse_transform, and a score needs y."
            )
        label, may_be_log = _MEASURES[measure]
        if scale == "auto" and not may_be_log:
            scale = "linear"
        scale = resolve_scale(scale, means)
        if all(len(curve.sizes) == 1 for curve in curves.values()):
            self.ax_ = _plot_by_name(ax, curves, errorbar_kwargs)
            axis = self.ax_.xaxis
        else:
            self.ax_ = _plot_by_size(ax, curves, errorbar_kwargs)
            axis = self.ax_.yaxis
        axis.set_label_text(label)
        set_scale(axis, scale)
        self.figure_ = self.ax_.figure
        return self

    def frame(self) -> DataFrame:
        """Results as a table.

        Returns
        -------
        DataFrame
            One row per reducer, code size and split, with the columns of `results`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return to_frame(self.results)

    @classmethod
    def from_estimator(
        cls,
        reducers: BaseEstimator | dict[str, BaseEstimator],
        X: ArrayLike,
        y: ArrayLike | None = None,
        *,
        n_components: Sequence[int] = (2, 4, 8, 16),
        cv: Any = 5,
        downstream: BaseEstimator | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        measure: str = "test_mse",
        scale: str = "auto",
        errorbar_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Fit reducers at several code sizes on splits of X, and draw their errors.

        Parameters
        ----------
        reducers : estimator instance or dict of str to estimator instance
            Reducers, which are cloned for each code size. The size is set as
            `n_components`, in a pipeline as that of the last step that has it.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to split.

        y : array-like of shape (n_samples,), default=None
            Target that `downstream` predicts from the codes.

        n_components : sequence of int, default=(2, 4, 8, 16)
            Code sizes.

        cv : int, cross-validation generator or iterable, default=5
            Splits, the same for every reducer and code size.

        downstream : estimator instance, default=None
            Predictor whose held-out score is ``test_score``, as in
            :func:`skautoenc.compare_reducers`.

        n_jobs : int, default=None
            Number of parallel fits, as in :func:`skautoenc.compare_reducers`.

        verbose : int, default=0
            Passed to :func:`skautoenc.compare_reducers`.

        measure : {"test_mse", "test_explained_variance", "test_score", "fit_time", \
                "transform_time"}, default="test_mse"
            Measure to draw. Reducers without it, such as those that have no inverse and
            hence no error, are labelled "not measured". Results contain all measures:
            ``display.plot(measure=...)`` draws another.

        scale : {"auto", "linear", "log"}, default="auto"
            Scale of the measure. "auto" means "log" for errors and times whose means
            are positive and span a factor between 10 and a million, else "linear".

        errorbar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.errorbar` for the line of each reducer.

        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        Returns
        -------
        display : :class:`ComparisonDisplay`

        Raises
        ------
        ValueError
            If a reducer has no `n_components`, if there are no code sizes, or if
            `measure` is unknown or is ``"test_score"`` without y; and as in
            :func:`skautoenc.compare_reducers`.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.decomposition import NMF, PCA
        >>> from skautoenc.plotting import ComparisonDisplay
        >>> X = load_digits().data[:200] / 16
        >>> display = ComparisonDisplay.from_estimator(
        ...     {"PCA": PCA(), "NMF": NMF(max_iter=1000)}, X, n_components=[2, 4], cv=2
        ... )
        >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
        ['PCA', 'NMF']
        """
        _check_measure(measure)
        if measure == "test_score" and y is None:
            raise ValueError("measure='test_score' needs y.")
        if not isinstance(reducers, dict):
            reducers = {type(last_step(reducers)).__name__: reducers}
        check_reducers(reducers, y)
        if np.ndim(n_components) != 1 or not len(n_components):
            raise ValueError(
                "n_components must be a sequence of code sizes, at least one; got "
                f"{n_components!r}."
            )
        resized = {
            f"{name}, n_components={size}": (name, _resized(name, reducer, size))
            for name, reducer in reducers.items()
            for size in n_components
        }
        # One call for all, so that they use the same splits and are fitted in parallel.
        results = compare_reducers(
            {key: reducer for key, (_, reducer) in resized.items()},
            X,
            y,
            cv=cv,
            downstream=downstream,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        results["reducer"] = np.array([resized[key][0] for key in results["reducer"]])
        return cls(results=results).plot(
            ax, measure=measure, scale=scale, errorbar_kwargs=errorbar_kwargs
        )

    @classmethod
    def from_results(
        cls,
        results: Any,
        *,
        measure: str = "test_mse",
        scale: str = "auto",
        errorbar_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw results of :func:`skautoenc.compare_reducers`.

        Parameters
        ----------
        results : dict of str to array-like of shape (n_rows,), DataFrame or list
            One result, or a list of results, such as one per code size. If the code
            sizes of a reducer differ between the splits of one result, as with
            ``PCA(0.9)``, their median is used.

        measure : {"test_mse", "test_explained_variance", "test_score", "fit_time", \
                "transform_time"}, default="test_mse"
            Measure to draw. Reducers without it, such as those that have no inverse and
            hence no error, are labelled "not measured". Results contain all measures:
            ``display.plot(measure=...)`` draws another.

        scale : {"auto", "linear", "log"}, default="auto"
            Scale of the measure. "auto" means "log" for errors and times whose means
            are positive and span a factor between 10 and a million, else "linear".

        errorbar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.errorbar` for the line of each reducer.

        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        Returns
        -------
        display : :class:`ComparisonDisplay`

        Raises
        ------
        ValueError
            If the results lack a key, have arrays of different lengths or different
            keys; and as in :meth:`plot`.
        """
        results = [results] if hasattr(results, "keys") else list(results)
        if not results:
            raise ValueError(
                "results is empty. Give at least one result of compare_reducers."
            )
        results = [_check_result(result) for result in results]
        keys = results[0].keys()
        if any(result.keys() != keys for result in results):
            raise ValueError(
                "All results must have the same keys; got "
                f"{[sorted(result) for result in results]}."
            )
        joined = {
            key: np.concatenate([result[key] for result in results]) for key in keys
        }
        return cls(results=joined).plot(
            ax, measure=measure, scale=scale, errorbar_kwargs=errorbar_kwargs
        )

    def _curves(self, measure):
        """The curve of each reducer, by name."""
        reducers, sizes, values = (
            np.asarray(self.results[key])
            for key in ("reducer", "n_components", measure)
        )
        curves = {}
        for name in dict.fromkeys(reducers.tolist()):
            is_reducer = reducers == name
            reducer_sizes = np.unique(sizes[is_reducer])
            splits = [values[is_reducer & (sizes == size)] for size in reducer_sizes]
            curves[name] = Curve(
                reducer_sizes,
                means=np.array([np.mean(split) for split in splits]),
                deviations=np.array([np.std(split) for split in splits]),
            )
        return curves


def _plot_by_size(ax, curves, errorbar_kwargs):
    """Draw the measure of each reducer over the code sizes."""
    ax = resolve_axes(ax, figsize=(6, 4))
    for i, (name, (sizes, means, deviations)) in enumerate(curves.items()):
        label = name if np.isfinite(means).any() else f"{name} (not measured)"
        defaults = {"capsize": 3, "label": label, **color_and_marker(i)}
        kwargs = merge_kwargs("errorbar_kwargs", defaults, errorbar_kwargs)
        ax.errorbar(sizes, means, deviations, **kwargs)
    ax.set_xscale("log", base=2)
    sizes = np.unique(np.concatenate([curve.sizes for curve in curves.values()]))
    labelled = _sizes_with_space(sizes, size_in_inches(ax)[0])
    ax.set_xticks(labelled, [f"{size:g}" for size in labelled])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("code size (n_components)")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def _plot_by_name(ax, curves, errorbar_kwargs):
    """Draw the measure of each reducer in one row."""
    ax = resolve_axes(ax, figsize=(6, 1.2 + 0.5 * len(curves)))
    labels = []
    for i, (name, (sizes, means, deviations)) in enumerate(curves.items()):
        defaults = {"capsize": 3, **color_and_marker(i)}
        kwargs = merge_kwargs("errorbar_kwargs", defaults, errorbar_kwargs)
        ax.errorbar(means, [i], xerr=deviations, **kwargs)
        is_measured = np.isfinite(means[0])
        detail = f"n_components={sizes[0]:g}" if is_measured else "not measured"
        labels.append(f"{name}\n{detail}")
    ax.set_yticks(range(len(curves)), labels)
    ax.set_ylim(len(curves) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.3)
    return ax


def _sizes_with_space(sizes, width):
    """Sizes whose labels do not overlap on a logarithmic axis of `width` inches."""
    positions = np.log2(sizes / sizes[0])
    positions *= width / max(positions[-1], 1)
    labelled = [0]
    for i in range(1, len(sizes)):
        distance = positions[i] - positions[labelled[-1]]
        if distance > LETTER_WIDTH * (len(f"{sizes[i]:g}") + 1):
            labelled.append(i)
    return sizes[labelled]


def _check_measure(measure):
    if measure not in _MEASURES:
        raise ValueError(f"measure must be one of {[*_MEASURES]}; got {measure!r}.")


def _check_result(result):
    """The result with arrays, and one code size for each of its reducers."""
    for key in ("reducer", "n_components"):
        if key not in result:
            raise ValueError(f"results lack {key!r}; they have {sorted(result)}.")
    result = {key: np.asarray(values) for key, values in result.items()}
    lengths = {key: len(values) for key, values in result.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The arrays of results differ in length: {lengths}.")
    sizes = result["n_components"].astype(np.float64)
    for name in np.unique(result["reducer"]):
        is_reducer = result["reducer"] == name
        sizes[is_reducer] = np.median(sizes[is_reducer])
    return {**result, "n_components": sizes}


def _resized(name, reducer, size):
    """A clone of the reducer with another code size."""
    parameter = _size_parameter(reducer)
    if parameter is None:
        raise ValueError(
            f"The reducer {name!r} has no parameter n_components, so its code size "
            "cannot be set. Use ComparisonDisplay.from_results with results of "
            "compare_reducers."
        )
    return clone(reducer).set_params(**{parameter: size})


def _size_parameter(reducer):
    """Name of the parameter that sets the code size, or None."""
    for name, step in reversed(getattr(reducer, "steps", [])):
        if parameter := _size_parameter(step):
            return f"{name}__{parameter}"
    has = hasattr(reducer, "get_params") and "n_components" in reducer.get_params()
    return "n_components" if has else None
