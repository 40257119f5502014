"""ComparisonDisplay."""

import numpy as np
from sklearn.base import clone

from ._style import (
    axes_to_draw_in,
    choose_scale,
    inches,
    last_step,
    set_scale,
    style,
    styled,
    to_frame,
)

# What each measure is called, and whether a logarithmic axis suits it.
_MEASURES = {
    "test_mse": ("held-out mean squared error", True),
    "test_explained_variance": ("held-out share of variance explained", False),
    "test_score": ("held-out score", False),
    "fit_time": ("time to fit (s)", True),
    "transform_time": ("time to transform (s)", True),
}


class ComparisonDisplay:
    """Error of several reducers over the size of their codes.

    It is recommended to use :meth:`from_estimator`, or :meth:`from_results` with what
    :func:`skautoenc.compare_reducers` gave. Each reducer has a line, with its mean
    over the splits and bars of one standard deviation to both sides. Where each has
    one code size, there is a row for each instead.

    Parameters
    ----------
    results : dict of str to ndarray of shape (n_rows,)
        A row for each reducer, code size and split: ``reducer``, ``n_components`` and
        measures, as :func:`skautoenc.compare_reducers` names them.

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

    def __init__(self, *, results):
        self.results = results

    def plot(self, ax=None, *, measure="test_mse", scale="auto", errorbar_kwargs=None):
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        measure : {"test_mse", "test_explained_variance", "test_score", "fit_time", \
                "transform_time"}, default="test_mse"
            What is drawn. Reducers that lack it, as those without an inverse lack an
            error, are named with "not measured".

        scale : {"auto", "linear", "log"}, default="auto"
            Of the measure. "auto" is "log" for errors and times whose means are
            positive and span a factor of 10 to a million.

        errorbar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.errorbar`, for the line of each reducer.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `measure` is not known, or was measured for no reducer, or if the scale
            is not known or does not suit the values.
        """
        _check_measure(measure)
        if measure not in self.results:
            raise ValueError(
                f"results lack {measure!r}; they have {sorted(self.results)}."
            )
        lines = self._lines(measure)
        means = np.concatenate([mean for _, mean, _ in lines.values()])
        means = means[np.isfinite(means)]
        if not len(means):
            raise ValueError(
                f"results have no value of {measure} for any reducer. Errors need "
                "reducers with inverse_transform, and a score needs y."
            )
        label, may_be_log = _MEASURES[measure]
        if scale == "auto" and not may_be_log:
            scale = "linear"
        scale = choose_scale(scale, means)
        if all(len(sizes) == 1 for sizes, _, _ in lines.values()):
            self.ax_ = _plot_by_name(ax, lines, errorbar_kwargs)
            self.ax_.set_xlabel(label)
            set_scale(self.ax_.xaxis, scale)
        else:
            self.ax_ = _plot_by_size(ax, lines, errorbar_kwargs)
            self.ax_.set_ylabel(label)
            set_scale(self.ax_.yaxis, scale)
        self.figure_ = self.ax_.figure
        return self

    def frame(self):
        """Results as a table.

        Returns
        -------
        DataFrame
            A row for each reducer, code size and split, with the columns of `results`.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return to_frame(self.results)

    @classmethod
    def from_estimator(
        cls,
        reducers,
        X,
        y=None,
        *,
        n_components=(2, 4, 8, 16),
        cv=5,
        downstream=None,
        n_jobs=None,
        verbose=0,
        measure="test_mse",
        scale="auto",
        errorbar_kwargs=None,
        ax=None,
    ):
        """Fit reducers at several code sizes on splits of X, and draw their errors.

        Parameters
        ----------
        reducers : estimator instance or dict of str to estimator instance
            Cloned for each code size, which is set as `n_components`: in a pipeline
            that of the last step that has it.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to split.

        y : array-like of shape (n_samples,), default=None
            What `downstream` predicts from the codes.

        n_components : sequence of int, default=(2, 4, 8, 16)
            Code sizes.

        cv : int, cross-validation generator or iterable, default=5
            Splits, the same for every reducer and code size.

        downstream : estimator instance, default=None
            Predictor whose held-out score is ``test_score``, as in
            :func:`skautoenc.compare_reducers`.

        n_jobs : int, default=None
            Fits that run in parallel, as in :func:`skautoenc.compare_reducers`.

        verbose : int, default=0
            Goes to :func:`skautoenc.compare_reducers`.

        measure : {"test_mse", "test_explained_variance", "test_score", "fit_time", \
                "transform_time"}, default="test_mse"
            What is drawn. All are measured: ``display.plot(measure=...)`` draws
            another.

        scale : {"auto", "linear", "log"}, default="auto"
            Of the measure. "auto" is "log" for errors and times whose means are
            positive and span a factor of 10 to a million.

        errorbar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.errorbar`, for the line of each reducer.

        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        Returns
        -------
        display : :class:`ComparisonDisplay`

        Raises
        ------
        ValueError
            If a reducer has no `n_components`, if there are no code sizes, if
            `measure` is not known, or is ``"test_score"`` without y. Or as
            :func:`skautoenc.compare_reducers` does.

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
        from .._comparison import check_reducers, compare_reducers

        _check_measure(measure)
        if measure == "test_score" and y is None:
            raise ValueError("measure='test_score' needs y.")
        if not isinstance(reducers, dict):
            reducers = {type(last_step(reducers)).__name__: reducers}
        check_reducers(reducers, y)
        parameters = {name: _size_parameter(r) for name, r in reducers.items()}
        for name, parameter in parameters.items():
            if parameter is None:
                raise ValueError(
                    f"The reducer {name!r} has no parameter n_components, so its code "
                    "size cannot be set. Results of compare_reducers go to "
                    "ComparisonDisplay.from_results."
                )
        if np.ndim(n_components) != 1 or not len(n_components):
            raise ValueError(
                "n_components must be a sequence of code sizes, at least one; got "
                f"{n_components!r}."
            )
        # One call for all, so that they share the splits and the processor.
        names = {
            f"{name}, n_components={size}": (name, size)
            for name in reducers
            for size in n_components
        }
        results = compare_reducers(
            {
                key: clone(reducers[name]).set_params(**{parameters[name]: size})
                for key, (name, size) in names.items()
            },
            X,
            y,
            cv=cv,
            downstream=downstream,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        results["reducer"] = np.array([names[key][0] for key in results["reducer"]])
        return cls(results=results).plot(
            ax, measure=measure, scale=scale, errorbar_kwargs=errorbar_kwargs
        )

    @classmethod
    def from_results(
        cls,
        results,
        *,
        measure="test_mse",
        scale="auto",
        errorbar_kwargs=None,
        ax=None,
    ):
        """Draw what was measured by :func:`skautoenc.compare_reducers`.

        Parameters
        ----------
        results : dict of str to array-like of shape (n_rows,), DataFrame or list
            One result, or a list of one for each code size, with the same names of
            reducers.
            Where the code sizes of a reducer differ between the splits of one result,
            as with ``PCA(0.9)``, their median counts.

        measure : {"test_mse", "test_explained_variance", "test_score", "fit_time", \
                "transform_time"}, default="test_mse"
            What is drawn. Reducers that lack it, as those without an inverse lack an
            error, are named with "not measured".

        scale : {"auto", "linear", "log"}, default="auto"
            Of the measure. "auto" is "log" for errors and times whose means are
            positive and span a factor of 10 to a million.

        errorbar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.errorbar`, for the line of each reducer.

        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        Returns
        -------
        display : :class:`ComparisonDisplay`

        Raises
        ------
        ValueError
            If the results lack a key, have arrays of different lengths or other keys
            than each other, or as :meth:`plot` does.
        """
        results = [results] if hasattr(results, "keys") else list(results)
        if not results:
            raise ValueError("results is empty; it must hold what was measured.")
        results = [_checked(result) for result in results]
        keys = results[0].keys()
        if any(result.keys() != keys for result in results):
            raise ValueError(
                "All results must have the same keys; got "
                f"{[sorted(result) for result in results]}."
            )
        together = {
            key: np.concatenate([result[key] for result in results]) for key in keys
        }
        return cls(results=together).plot(
            ax, measure=measure, scale=scale, errorbar_kwargs=errorbar_kwargs
        )

    def _lines(self, measure):
        """Code sizes of each reducer, with the measure's means and deviations."""
        reducers, sizes, values = (
            np.asarray(self.results[key])
            for key in ("reducer", "n_components", measure)
        )
        lines = {}
        for name in dict.fromkeys(reducers.tolist()):
            own = reducers == name
            own_sizes = np.unique(sizes[own])
            splits = [values[own & (sizes == size)] for size in own_sizes]
            lines[name] = (
                own_sizes,
                np.array([np.mean(of_size) for of_size in splits]),
                np.array([np.std(of_size) for of_size in splits]),
            )
        return lines


def _plot_by_size(ax, lines, errorbar_kwargs):
    ax = axes_to_draw_in(ax, figsize=(6, 4))
    for i, (name, (sizes, means, deviations)) in enumerate(lines.items()):
        label = name if np.isfinite(means).any() else f"{name} (not measured)"
        defaults = {"capsize": 3, "label": label, **style(i)}
        ax.errorbar(sizes, means, deviations, **_styled(defaults, errorbar_kwargs))
    ax.set_xscale("log", base=2)
    sizes = np.unique(np.concatenate([sizes for sizes, _, _ in lines.values()]))
    shown = _apart(sizes, inches(ax)[0])
    ax.set_xticks(shown, [f"{size:g}" for size in shown])
    ax.set_xticks([], minor=True)
    ax.set_xlabel("code size (n_components)")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax


def _plot_by_name(ax, lines, errorbar_kwargs):
    ax = axes_to_draw_in(ax, figsize=(6, 1.2 + 0.5 * len(lines)))
    labels = []
    for i, (name, (sizes, means, deviations)) in enumerate(lines.items()):
        defaults = {"capsize": 3, **style(i)}
        ax.errorbar(means, [i], xerr=deviations, **_styled(defaults, errorbar_kwargs))
        measured = (
            f"n_components={sizes[0]:g}" if np.isfinite(means[0]) else "not measured"
        )
        labels.append(f"{name}\n{measured}")
    ax.set_yticks(range(len(lines)), labels)
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.grid(axis="x", alpha=0.3)
    return ax


def _styled(defaults, errorbar_kwargs):
    from matplotlib.lines import Line2D

    return styled("errorbar_kwargs", defaults, errorbar_kwargs, Line2D)


def _apart(sizes, width):
    """Those sizes whose labels have room on a logarithmic axis of `width` inches."""
    places = np.log2(sizes / sizes[0])
    places *= width / max(places[-1], 1)
    shown = [0]
    for i in range(1, len(sizes)):
        if places[i] - places[shown[-1]] > 0.1 * (len(f"{sizes[i]:g}") + 1):
            shown.append(i)
    return sizes[shown]


def _check_measure(measure):
    if measure not in _MEASURES:
        raise ValueError(f"measure must be one of {[*_MEASURES]}; got {measure!r}.")


def _checked(result):
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
        own = result["reducer"] == name
        sizes[own] = np.median(sizes[own])
    return {**result, "n_components": sizes}


def _size_parameter(reducer):
    """Name of the parameter that sets the code size, or None."""
    for name, step in reversed(getattr(reducer, "steps", [])):
        if parameter := _size_parameter(step):
            return f"{name}__{parameter}"
    has = hasattr(reducer, "get_params") and "n_components" in reducer.get_params()
    return "n_components" if has else None
