"""Comparison of imputers on values that are hidden from them."""

from collections.abc import Sequence
from numbers import Integral, Real
from time import perf_counter
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import check_array, check_random_state
from sklearn.utils.parallel import delayed

from ._comparison import check_estimators, run_fits

# Share of the columns that are adjacent and hidden together by "blocks".
_BLOCK = 0.3

Mechanism = Literal["random", "blocks", "dependent"]


def compare_imputers(
    imputers: dict[str, Any],
    X: ArrayLike,
    *,
    mechanism: Mechanism = "random",
    fraction: float = 0.2,
    categorical_features: Sequence[int] | Sequence[str] | None = None,
    cv: Any = 5,
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: int | np.random.RandomState | None = None,
) -> dict[str, NDArray[Any]]:
    """Compare imputers by the values that they fill in for hidden ones.

    Some of the known values of X are hidden. Each imputer is fitted to the training
    rows of a split, and fills the hidden values of these rows and of the test rows. All
    imputers get the same splits and the same hidden values.

    Parameters
    ----------
    imputers : dict of str to estimator
        Imputers by name, with `fit` and `transform`: :class:`AutoencoderImputer`,
        :class:`~sklearn.impute.KNNImputer`, pipelines, or others. They are cloned
        before they are fitted, and must return all columns of X in their order.

    X : array-like of shape (n_samples, n_features)
        Numbers, in which NaN is a missing value. It is passed to the imputers as a
        float64 array.

    mechanism : {"random", "blocks", "dependent"}, default="random"
        Which values are hidden:

        - ``"random"``: each with the same probability.
        - ``"blocks"``: in some rows, 30 % of the columns, adjacent to each other.
        - ``"dependent"``: in half of the columns, drawn at random, where the value of
          another column is above its median. That column is drawn for each of them
          from the other half, of which no value is hidden.

    fraction : float, default=0.2
        Expected share of all values that are hidden, in (0, 1). At most 0.3 for
        ``"blocks"``, and 0.25 for ``"dependent"``.

    categorical_features : sequence of int or str, default=None
        Positions or names of columns that hold codes of categories, as
        :class:`~sklearn.preprocessing.OrdinalEncoder` returns them. Filled values are
        rounded there, and count as right or wrong.

    cv : int, cross-validation generator or iterable, default=5
        Cross-validation splits, as in :func:`~sklearn.model_selection.cross_validate`.

    n_jobs : int, default=None
        Number of fits to run in parallel. None means 1 unless in a
        :func:`joblib.parallel_config` context. Parallel fits compete for the processor,
        which increases the measured times.

    verbose : int, default=0
        If positive, a line is printed after each fit, below which a terminal or a
        notebook shows a progress bar. With the ``"multiprocessing"`` backend of joblib,
        all lines are printed at the end.

    random_state : int, RandomState instance or None, default=None
        Determines which values are hidden. Pass an int for reproducible results.

    Returns
    -------
    results : dict of str to ndarray of shape (n_imputers * n_splits,)
        Measurements, sorted by imputer, then by split. Can be passed to
        ``pandas.DataFrame``.

        ``imputer`` : str
            Name of the imputer.
        ``split`` : int
            Index of the split.
        ``fit_time``, ``transform_time`` : float
            Time of `fit`, and of `transform` of the test rows, in seconds.
        ``train_error``, ``test_error`` : float
            Root mean squared error of hidden numbers, in units of the standard
            deviation of their column: of the rows fitted to, and of the test rows. NaN
            if no number is hidden there.
        ``train_accuracy``, ``test_accuracy`` : float
            Share of the hidden categories that are right. Only if
            `categorical_features` are given.

    Raises
    ------
    TypeError
        If `imputers` is not a dict of names and estimators.
    ValueError
        If a parameter or X is invalid, or if an imputer leaves out columns or returns
        values that are not finite.

    See Also
    --------
    compare_reducers : Comparison of dimensionality reducers.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.impute import KNNImputer, SimpleImputer
    >>> from skautoenc import AutoencoderImputer, compare_imputers
    >>> from sklearn.preprocessing import scale
    >>> imputers = {
    ...     "mean": SimpleImputer(),
    ...     "neighbours": KNNImputer(),
    ...     "autoencoder": AutoencoderImputer(epochs=30, random_state=0),
    ... }
    >>> X = scale(load_breast_cancer().data)
    >>> result = compare_imputers(imputers, X, cv=2, random_state=0)
    >>> mean, neighbours, autoencoder = result["test_error"].reshape(3, 2).mean(axis=1)
    >>> bool(autoencoder < 0.8 * neighbours < 0.8 * mean)
    True
    """
    check_estimators("imputers", imputers, "{'neighbours': KNNImputer()}")
    names = getattr(X, "columns", None)
    table = _as_numbers(X)
    is_category = _category_mask(categorical_features, table.shape[1], names)
    hidden = _hidden_values(
        table, mechanism, fraction, check_random_state(random_state)
    )
    splits = list(check_cv(cv).split(table))
    if not splits:
        raise ValueError("cv gives no splits. It must give at least one.")
    calls = [
        delayed(_measure)(name, split, imputer, table, hidden, is_category, *parts)
        # By split first, so that an imputer that fails does so early.
        for split, parts in enumerate(splits)
        for name, imputer in imputers.items()
    ]
    return run_fits(
        calls, "imputer", list(imputers), n_jobs, "compare_imputers", _line, verbose
    )


def _as_numbers(X) -> NDArray[np.float64]:
    try:
        return check_array(
            X, dtype=np.float64, ensure_all_finite="allow-nan", input_name="X"
        )
    except ValueError as error:
        if "could not convert" not in str(error):
            raise
        raise ValueError(
            "X must hold numbers, with NaN for missing values. Encode text with "
            "OrdinalEncoder, and give these columns as categorical_features."
        ) from error


def _category_mask(features, n_features, names):
    """Return which columns hold categories."""
    mask = np.zeros(n_features, bool)
    for feature in () if features is None else features:
        if isinstance(feature, str):
            if names is None or feature not in list(names):
                raise ValueError(
                    f"categorical_features has {feature!r}, which is not a column of X."
                )
            mask[list(names).index(feature)] = True
        elif isinstance(feature, Integral) and 0 <= feature < n_features:
            mask[feature] = True
        else:
            raise ValueError(
                "categorical_features must hold names of columns of X, or positions "
                f"from 0 to {n_features - 1}; got {feature!r}."
            )
    return mask


def _hidden_values(X, mechanism, fraction, rng):
    """Return which of the known values are hidden."""
    limits = {"random": 1.0, "blocks": _BLOCK, "dependent": 0.25}
    if mechanism not in limits:
        raise ValueError(f"mechanism must be one of {[*limits]}; got {mechanism!r}.")
    limit = limits[mechanism]
    if not (isinstance(fraction, Real) and 0 < fraction < 1 and fraction <= limit):
        raise ValueError(
            f"fraction must be a number above 0 and below 1, at most {limit} for "
            f"mechanism={mechanism!r}; got {fraction!r}."
        )
    if mechanism != "random" and X.shape[1] < 2:
        raise ValueError(f"mechanism={mechanism!r} needs at least 2 columns of X.")
    chosen = {"random": _random, "blocks": _blocks, "dependent": _dependent}
    hidden = chosen[mechanism](X, fraction, rng) & ~np.isnan(X)
    if not hidden.any():
        raise ValueError(
            f"fraction={fraction} hides no value of X, which has {len(X)} rows and "
            f"{X.shape[1]} columns. Give a larger one."
        )
    return hidden


def _random(X, fraction, rng):
    return rng.uniform(size=X.shape) < fraction


def _blocks(X, fraction, rng):
    n_rows, n_columns = X.shape
    width = max(1, round(_BLOCK * n_columns))
    start = rng.randint(n_columns, size=(n_rows, 1))
    in_block = (np.arange(n_columns) - start) % n_columns < width
    return in_block & (rng.uniform(size=(n_rows, 1)) < fraction * n_columns / width)


def _dependent(X, fraction, rng):
    n_rows, n_columns = X.shape
    order = rng.permutation(n_columns)
    hidden = np.zeros(X.shape, bool)
    columns, others = order[: n_columns // 2], order[n_columns // 2 :]
    # Half of the rows are above the median of the other column.
    probability = fraction * n_columns / len(columns) * 2
    for column in columns:
        other = X[:, rng.choice(others)]
        is_high = other > np.nanmedian(other)
        hidden[:, column] = is_high & (rng.uniform(size=n_rows) < probability)
    return hidden


def _measure(name, split, imputer, X, hidden, is_category, train, test):
    """Fit and measure a clone of one imputer on one split."""
    # Columns must keep a known value in the rows that are fitted to.
    hidden = hidden & (~np.isnan(X) & ~hidden)[train].any(axis=0)
    incomplete = np.where(hidden, np.nan, X)
    try:
        imputer = clone(imputer)
        start = perf_counter()
        imputer.fit(incomplete[train])
        fitted = perf_counter()
        filled = {"test": imputer.transform(incomplete[test])}
        end = perf_counter()
        filled["train"] = imputer.transform(incomplete[train])
        row = {
            "imputer": name,
            "split": split,
            "fit_time": fitted - start,
            "transform_time": end - fitted,
        }
        deviation = np.nanstd(X, axis=0)
        deviation[deviation == 0] = 1.0
        for part, rows in (("train", train), ("test", test)):
            values = _as_table(filled[part], X[rows])
            wrong = (values - X[rows]) / deviation
            numbers = hidden[rows] & ~is_category
            row[f"{part}_error"] = _mean(wrong[numbers] ** 2) ** 0.5
            if is_category.any():
                categories = hidden[rows] & is_category
                is_right = np.round(values[categories]) == X[rows][categories]
                row[f"{part}_accuracy"] = _mean(is_right)
    except Exception as error:
        error.add_note(f"Raised for the imputer {name!r} in split {split}.")
        raise
    return row


def _as_table(filled, X):
    """Return filled rows as float64, after checks."""
    filled = np.asarray(filled, dtype=np.float64)
    if filled.shape != X.shape:
        raise ValueError(
            f"transform returned an array of shape {filled.shape} for rows of shape "
            f"{X.shape}. An imputer must return all columns; set "
            "keep_empty_features=True if X has columns without a value, and "
            "add_indicator=False."
        )
    if not np.isfinite(filled).all():
        raise ValueError("transform returned values that are not finite.")
    return filled


def _line(row):
    """Return the line that is printed for a row of the result."""
    found = {key: row.get(f"test_{key}", np.nan) for key in ("error", "accuracy")}
    shown = [f"{key} {x:.4g}" for key, x in found.items() if not np.isnan(x)]
    shown.append(f"fit {row['fit_time']:.2f} s")
    return f"{row['imputer']}, split {row['split']}: {', '.join(shown)}"


def _mean(values):
    return float(np.mean(values)) if len(values) else np.nan
