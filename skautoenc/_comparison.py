"""Comparison of dimensionality reducers by cross-validation."""

import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from joblib.parallel import get_active_backend
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import check_cv
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import indexable
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.parallel import Parallel, delayed

from ._utils.blocks import row_blocks, to_dense
from ._utils.metrics import ExplainedVariance
from ._utils.progress import progress_bar
from ._utils.sklearn_compat import _safe_indexing

_DOWNSTREAM_OF = {
    "binary": LogisticRegression(max_iter=1000),
    "multiclass": LogisticRegression(max_iter=1000),
    "continuous": Ridge(),
    "continuous-multioutput": Ridge(),
}


def compare_reducers(
    reducers: dict[str, Any],
    X: Any,
    y: ArrayLike | None = None,
    *,
    cv: Any = 5,
    downstream: Any = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> dict[str, NDArray[Any]]:
    """Compare dimensionality reducers by cross-validation on the same splits.

    Each reducer is fitted on the training rows of a split, and its reconstruction error
    is measured on the test rows. If `y` is given, a downstream model is fitted on the
    codes of the training rows and scored on the codes of the test rows.

    Parameters
    ----------
    reducers : dict of str to estimator
        Reducers by name: autoencoders, :class:`~sklearn.decomposition.PCA`, pipelines,
        searches, or other estimators with `fit` and `transform`. For reducers without
        `inverse_transform`, only the downstream score is measured. The reducers are
        cloned before they are fitted.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data, or other input that the reducers accept, such as images of shape
        (n_samples, height, width). Data frames are passed as data frames. Sparse
        matrices are converted to CSR, and to dense arrays in small blocks only.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Target of the downstream model. It is also passed to the `fit` of the reducers,
        as :class:`~sklearn.discriminant_analysis.LinearDiscriminantAnalysis` requires
        it.

    cv : int, cross-validation generator or iterable, default=5
        Cross-validation splits, as in :func:`~sklearn.model_selection.cross_validate`.
        An int is the number of folds, which are stratified if the downstream model is a
        classifier. All reducers use the same splits.

    downstream : estimator, default=None
        Downstream model with `fit` and `score`. If None, it is
        :class:`~sklearn.linear_model.LogisticRegression` for classes and
        :class:`~sklearn.linear_model.Ridge` for continuous targets, on standardized
        codes. Integers are classes, see
        :func:`~sklearn.utils.multiclass.type_of_target`.

    n_jobs : int, default=None
        Number of fits to run in parallel, over all reducers and splits. None means 1
        unless in a :func:`joblib.parallel_config` context. Parallel fits compete for
        the processor, which increases the measured times.

    verbose : int, default=0
        If positive, a line is printed after each fit, below which a terminal or a
        notebook shows a progress bar. With the ``"multiprocessing"`` backend of joblib,
        all lines are printed at the end.

    Returns
    -------
    results : dict of str to ndarray of shape (n_reducers * n_splits,)
        Measurements, sorted by reducer, then by split. Can be passed to
        ``pandas.DataFrame``.

        ``reducer`` : str
            Name of the reducer.
        ``split`` : int
            Index of the split.
        ``n_components`` : int
            Number of components of the code.
        ``fit_time`` : float
            Time of `fit` in seconds. The first fit that requires TensorFlow imports it.
        ``transform_time`` : float
            Time of `transform` on the test rows in seconds.
        ``test_mse`` : float
            Mean squared error over all values of the test rows. NaN if the reducer has
            no inverse.
        ``test_explained_variance`` : float
            Explained variance ratio: 1 - (sum of squared errors) / (sum of squared
            deviations from the mean of the training rows). If the test rows do not
            vary, it is 1 if they are reconstructed within the precision of float32,
            and 0 otherwise. NaN if the reducer has no inverse.
        ``test_score`` : float
            Score of the downstream model on the test rows. Only if `y` is given.

    Raises
    ------
    TypeError
        If `reducers` is not a dict, if a name is not a str, or if a reducer or
        `downstream` is a class or lacks a method.
    ValueError
        If `reducers` is empty, if `X` and `y` have different lengths, or if `y` is
        missing and a reducer has no inverse or `downstream` is given.

    See Also
    --------
    sklearn.model_selection.cross_validate : Cross-validation of one estimator.

    Notes
    -----
    Errors of a reducer or of the downstream model are raised unchanged, with a note
    that names the reducer and the split.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skautoenc import AutoencoderTransformer, compare_reducers
    >>> X = load_digits().data / 16
    >>> reducers = {
    ...     "PCA": PCA(8),
    ...     "autoencoder": AutoencoderTransformer(8, epochs=30, random_state=0),
    ... }
    >>> result = compare_reducers(reducers, X, cv=2)
    >>> result["reducer"].tolist()
    ['PCA', 'PCA', 'autoencoder', 'autoencoder']
    >>> pca, autoencoder = result["test_mse"].reshape(2, 2).mean(axis=1)
    >>> bool(autoencoder < pca)
    True
    """
    check_reducers(reducers, y)
    X, y = indexable(X, y)
    downstream = _downstream_for(y, downstream)
    cv = check_cv(cv, y, classifier=y is not None and is_classifier(downstream))
    positions = np.arange(np.shape(X)[0])
    splits = [[positions[rows] for rows in parts] for parts in cv.split(X, y)]
    if not splits:
        raise ValueError("cv gives no splits. It must give at least one.")

    calls = [
        delayed(_measure)(name, split, reducer, downstream, X, y, *parts)
        # By split first, so that a reducer that fails does so early.
        for split, parts in enumerate(splits)
        for name, reducer in reducers.items()
    ]
    return run_fits(
        calls, "reducer", list(reducers), n_jobs, "compare_reducers", _line, verbose
    )


def run_fits(
    calls: Sequence[Any],
    kind: str,
    names: Sequence[str],
    n_jobs: int | None,
    title: str,
    line: Callable[[dict[str, Any]], str],
    verbose: int,
) -> dict[str, NDArray[Any]]:
    """Fit and measure estimators, and return the results of a comparison.

    Parameters
    ----------
    calls : sequence of tuple
        Delayed calls, in the order in which they are made. Each returns a dict of
        measurements, with the name of the estimator as `kind`, and the "split".

    kind : str
        Key of the names.

    names : sequence of str
        Names by which results are sorted.

    n_jobs : int or None
    title : str
        Shown beside the progress bar.

    line : callable
        Returns the line that is printed for the measurements of a fit.

    verbose : int
        Whether lines are printed, and a progress bar is shown.

    Returns
    -------
    dict of str to ndarray of shape (len(calls),)
    """
    # Not every backend supports generators.
    backend, _ = get_active_backend()
    return_as = "generator_unordered" if backend.supports_return_generator else "list"
    rows = Parallel(n_jobs=n_jobs, return_as=return_as)(calls)
    if verbose > 0:
        rows = _with_progress(rows, len(calls), title, line)
    rows = sorted(rows, key=lambda row: (names.index(row[kind]), row["split"]))
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def check_reducers(reducers, y):
    """Raise an error if `reducers` is not a dict of names and valid reducers."""
    check_estimators("reducers", reducers, "{'PCA': PCA(8)}")
    for name, reducer in reducers.items():
        if y is None and not hasattr(reducer, "inverse_transform"):
            raise _nothing_to_measure(name)


def check_estimators(parameter, estimators, example):
    """Raise an error if a parameter is not a dict of names and transformers.

    Parameters
    ----------
    parameter : str
    estimators : object
        Its value.

    example : str
        For the error.
    """
    if not isinstance(estimators, dict):
        raise TypeError(
            f"{parameter} must be a dict of names and estimators, such as {example}; "
            f"got {estimators!r}."
        )
    if not estimators:
        raise ValueError(f"{parameter} is empty. Give at least one name and estimator.")
    for name, estimator in estimators.items():
        if not isinstance(name, str):
            raise TypeError(f"The names in {parameter} must be str; got {name!r}.")
        _check_estimator(f"{parameter}[{name!r}]", estimator, ("fit", "transform"))


def _check_estimator(place, estimator, methods):
    if isinstance(estimator, type):
        raise TypeError(
            f"{place} is a class. Give an instance, such as {estimator.__name__}()."
        )
    methods = (*methods, "get_params")
    missing = [method for method in methods if not hasattr(estimator, method)]
    if missing:
        raise TypeError(
            f"{place} must be an estimator with {', '.join(methods)}; {estimator!r} "
            f"lacks {', '.join(missing)}."
        )


def _nothing_to_measure(name):
    return ValueError(
        f"reducers[{name!r}] has no inverse, so it can only be measured with a "
        "downstream model. Give y, or remove this reducer."
    )


def _downstream_for(y, downstream):
    """Return the model to score codes with, or None if there is no y."""
    if y is None:
        if downstream is not None:
            raise ValueError("downstream needs y to predict. Give y as well.")
        return None
    if downstream is not None:
        _check_estimator("downstream", downstream, ("fit", "score"))
        return downstream
    kind = type_of_target(y, input_name="y")
    if kind not in _DOWNSTREAM_OF:
        raise ValueError(
            f"There is no default downstream model for y of type {kind!r}. Give one as "
            "downstream."
        )
    return make_pipeline(StandardScaler(), _DOWNSTREAM_OF[kind])


def _measure(name, split, reducer, downstream, X, y, train, test):
    """Fit and measure a clone of one reducer on one split."""
    try:
        reducer = clone(reducer)
        targets = [] if y is None else [_safe_indexing(y, train)]
        _, fit_time = _timed(reducer.fit, _safe_indexing(X, train), *targets)
        codes, transform_time = _timed(reducer.transform, _safe_indexing(X, test))
        try:
            mse, explained = _reconstruction(reducer, codes, X, train, test)
        except NotFittedError as error:  # KernelPCA without fit_inverse_transform
            if y is None:
                raise _nothing_to_measure(name) from error
            mse = explained = np.nan
        row = {
            "reducer": name,
            "split": split,
            "n_components": codes.shape[1],
            "fit_time": fit_time,
            "transform_time": transform_time,
            "test_mse": mse,
            "test_explained_variance": explained,
        }
        if y is not None:
            codes_to_fit = reducer.transform(_safe_indexing(X, train))
            model = clone(downstream).fit(codes_to_fit, *targets)
            row["test_score"] = model.score(codes, _safe_indexing(y, test))
    except Exception as error:
        error.add_note(f"Raised for the reducer {name!r} in split {split}.")
        raise
    return row


def _timed(function, *arguments):
    start = perf_counter()
    result = function(*arguments)
    return result, perf_counter() - start


def _reconstruction(reducer, codes, X, train, test):
    """Return the mean squared error and the explained variance ratio, or NaNs."""
    if not hasattr(reducer, "inverse_transform"):
        return np.nan, np.nan
    mean = sum(block.sum(axis=0) for _, block in _blocks(X, train)) / len(train)
    explained = ExplainedVariance(len(mean))
    sum_of_squares = 0.0
    for rows, expected in _blocks(X, test):
        errors = _as_float64(reducer.inverse_transform(_safe_indexing(codes, rows)))
        if errors.shape != expected.shape:
            raise ValueError(
                f"inverse_transform returned an array of shape {errors.shape} for rows "
                f"of shape {expected.shape}."
            )
        errors -= expected
        sum_of_squares += np.vdot(errors, errors)
        explained.add(expected, errors, mean)
    return sum_of_squares / (len(test) * len(mean)), explained.result()


def _blocks(X, indices):
    """Yield the positions and values of the rows with these indices, in blocks.

    Blocks are copies, as reducers with ``copy=False`` modify their input.
    """
    positions = np.arange(len(indices))
    for block in row_blocks(len(indices), math.prod(np.shape(X)[1:])):
        yield positions[block], _as_float64(_safe_indexing(X, indices[block]))


def _as_float64(rows):
    """Return rows as a float64 array of shape (n_samples, n_features)."""
    rows = to_dense(rows)
    return rows.reshape(len(rows), -1).astype(np.float64)


def _with_progress(rows, n_rows, title, line):
    """Yield rows of the result, print a line for each, and show a progress bar."""
    with progress_bar(title, n_rows) as bar:
        for done, row in enumerate(rows, 1):
            print(f"[{done:{len(str(n_rows))}}/{n_rows}] {line(row)}", flush=True)
            if bar is not None:
                bar.update(done, f"{done}/{n_rows} fits")
            yield row


def _line(row):
    """Return the line that is printed for a row of the result."""
    measures = {"mse": row["test_mse"], "score": row.get("test_score", np.nan)}
    shown = [f"{key} {x:.4g}" for key, x in measures.items() if not np.isnan(x)]
    shown.append(f"fit {row['fit_time']:.2f} s")
    return f"{row['reducer']}, split {row['split']}: {', '.join(shown)}"
