"""Reducers of any kind, measured side by side on the same held-out rows."""

import math
from time import perf_counter

import numpy as np
from joblib.parallel import get_active_backend
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
from ._utils.sklearn_compat import _safe_indexing

_DOWNSTREAM_OF = {
    "binary": LogisticRegression(max_iter=1000),
    "multiclass": LogisticRegression(max_iter=1000),
    "continuous": Ridge(),
    "continuous-multioutput": Ridge(),
}


def compare_reducers(
    reducers, X, y=None, *, cv=5, downstream=None, n_jobs=None, verbose=0
):
    """Measure reducers by cross-validation, all on the same splits.

    A reducer is fitted on the training rows of a split. The held-out rows are encoded
    and decoded, and the error of what comes back is measured. With `y`, a downstream
    model is fitted on the codes of the training rows, and scored on those of the
    held-out rows.

    Parameters
    ----------
    reducers : dict of str to estimator
        Names and reducers: autoencoders, :class:`~sklearn.decomposition.PCA`,
        pipelines, searches, or anything else with `fit` and `transform`. A reducer
        without `inverse_transform` is measured by its downstream score alone. Clones
        are fitted, the reducers themselves stay as they are.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Or whatever else the reducers take, such as images of shape
        (n_samples, height, width). Data frames stay data frames. Sparse matrices
        become CSR, and errors are measured without making them dense whole.

    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        What the downstream model predicts. It is also passed to the `fit` of the
        reducers, as :class:`~sklearn.discriminant_analysis.LinearDiscriminantAnalysis`
        needs it.

    cv : int, cross-validation generator or iterable, default=5
        As in :func:`~sklearn.model_selection.cross_validate`. The splits are made
        once. Whole numbers stratify by `y` where the downstream model is a
        classifier.

    downstream : estimator, default=None
        Model with `fit` and `score`. None takes
        :class:`~sklearn.linear_model.LogisticRegression` where `y` holds classes and
        :class:`~sklearn.linear_model.Ridge` where it holds numbers, on standardized
        codes. Whole numbers count as classes, as in
        :func:`~sklearn.utils.multiclass.type_of_target`.

    n_jobs : int, default=None
        Fits at a time, over all reducers and splits. None means 1 unless in a
        :func:`joblib.parallel_config` context. Fits that share the processor take
        longer, each by itself.

    verbose : int, default=0
        Above 0, print a line as each fit is done. Joblib's ``"multiprocessing"``
        backend hands results back only at the end, and lines come then.

    Returns
    -------
    dict of ndarray of shape (n_reducers * n_splits,)
        Ordered by reducer, then by split; ``pandas.DataFrame`` takes it as it is.

        ``reducer`` : str
            Name of the reducer.
        ``split`` : int
            Number of the split, from 0.
        ``n_components`` : int
            Width of the code.
        ``fit_time`` : float
            Seconds taken by `fit`. The first that needs TensorFlow imports it.
        ``transform_time`` : float
            Seconds taken to encode the held-out rows.
        ``test_mse`` : float
            Mean squared error over all values of the held-out rows. NaN without an
            inverse.
        ``test_explained_variance`` : float
            Share of variance explained: 1 - squared errors / squares around the mean
            of the training rows. Rows without variance give 1 if they are
            reconstructed up to the rounding of float32, else 0. NaN without an inverse.
        ``test_score`` : float
            With `y`: score of the downstream model on the held-out rows.

    Raises
    ------
    TypeError
        If `reducers` is not a dict, a name not a str, or if a reducer or `downstream`
        is a class or lacks a method.
    ValueError
        If `reducers` is empty, `X` and `y` differ in length, a reducer has no inverse
        and there is no `y`, or there is a `downstream` and no `y`. Errors of a reducer
        or of the downstream model are raised as they are, with a note that names the
        reducer and the split.

    See Also
    --------
    sklearn.model_selection.cross_validate : The same for one estimator and its scores.

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

    # Not every backend gives results one by one.
    backend, _ = get_active_backend()
    return_as = "generator_unordered" if backend.supports_return_generator else "list"
    rows = Parallel(n_jobs=n_jobs, return_as=return_as)(
        delayed(_measure)(name, split, reducer, downstream, X, y, *parts)
        # By split first: a reducer that fails does so before the others have run long.
        for split, parts in enumerate(splits)
        for name, reducer in reducers.items()
    )
    if verbose > 0:
        rows = _reported(rows, len(splits) * len(reducers))
    names = list(reducers)
    rows = sorted(rows, key=lambda row: (names.index(row["reducer"]), row["split"]))
    return {key: np.array([row[key] for row in rows]) for key in rows[0]}


def check_reducers(reducers, y):
    """Raise if `reducers` is no dict of names and reducers that can be measured."""
    if not isinstance(reducers, dict):
        raise TypeError(
            "reducers must be a dict of names and estimators, such as "
            f"{{'PCA': PCA(8)}}; got {reducers!r}."
        )
    if not reducers:
        raise ValueError("reducers is empty. Give at least one name and estimator.")
    for name, reducer in reducers.items():
        if not isinstance(name, str):
            raise TypeError(f"The names in reducers must be str; got {name!r}.")
        _check_estimator(f"reducers[{name!r}]", reducer, ("fit", "transform"))
        if y is None and not hasattr(reducer, "inverse_transform"):
            raise _nothing_to_measure(name)


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
        f"reducers[{name!r}] has no inverse, so that only a downstream model can "
        "measure it. Give y, or leave this reducer out."
    )


def _downstream_for(y, downstream):
    """The model to score codes with; None without y."""
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
            f"y is of type {kind!r}, for which there is no default model. Give one as "
            "downstream."
        )
    return make_pipeline(StandardScaler(), _DOWNSTREAM_OF[kind])


def _measure(name, split, reducer, downstream, X, y, train, test):
    """Fit a clone of one reducer on one split; return its row of the result."""
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
    """Mean squared error and share of variance explained; NaN without an inverse."""
    if not hasattr(reducer, "inverse_transform"):
        return np.nan, np.nan
    mean = sum(table.sum(axis=0) for _, table in _tables(X, train)) / len(train)
    explained = ExplainedVariance(len(mean))
    errors = 0.0
    for rows, wanted in _tables(X, test):
        given = _table(reducer.inverse_transform(_safe_indexing(codes, rows)))
        if given.shape != wanted.shape:
            raise ValueError(
                f"inverse_transform gave an array of shape {given.shape} for rows of "
                f"shape {wanted.shape}."
            )
        given -= wanted
        errors += np.vdot(given, given)
        explained.add(wanted, given, mean)
    return errors / (len(test) * len(mean)), explained.result()


def _tables(X, indices):
    """Visit rows of X in blocks: which of `indices` they are, and their values.

    Blocks are copies, as reducers with ``copy=False`` write to what they are given.
    """
    positions = np.arange(len(indices))
    for block in row_blocks(len(indices), math.prod(np.shape(X)[1:])):
        yield positions[block], _table(_safe_indexing(X, indices[block]))


def _table(rows):
    """Rows in float64, whatever they came as."""
    rows = to_dense(rows)
    return rows.reshape(len(rows), -1).astype(np.float64)


def _reported(rows, n_rows):
    """Print a line for each row as it comes, and pass it on."""
    for done, row in enumerate(rows, 1):
        measures = {"mse": row["test_mse"], "score": row.get("test_score", np.nan)}
        shown = [f"{key} {x:.4g}" for key, x in measures.items() if not np.isnan(x)]
        shown.append(f"fit {row['fit_time']:.2f} s")
        print(
            f"[{done:{len(str(n_rows))}}/{n_rows}] {row['reducer']}, "
            f"split {row['split']}: {', '.join(shown)}",
            flush=True,
        )
        yield row
