"""Validation of the arrays that estimators take."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from .._fit.values import FitData, Schema
from .._utils.blocks import is_streamed
from .._utils.chunked import ChunkedArray, is_dask_collection, reduce_chunks
from .._utils.shapes import shapes_compatible
from .._utils.sklearn_compat import _check_sample_weight
from .stored_arrays import read_stored

# Training squares weighted gradients in float32, whose range is 2**-126 to 2**128. Half
# of the upper exponents are left to the gradients.
_MAX_WEIGHT = 2.0**32
_MIN_WEIGHT = 2.0**-63

# Types of the columns of a data frame whose values float32 represents exactly.
_EXACT_IN_FLOAT32 = {
    "bool",
    "boolean",
    "float16",
    "float32",
    "int16",
    "int8",
    "uint16",
    "uint8",
}

_MAX_FLOAT32 = float(np.finfo(np.float32).max)


def validate_training_data(estimator, X, sample_weight, X_val, X_clean) -> FitData:
    """Validate all arrays that `fit` takes. The estimator is not changed.

    Arrays may be a `ChunkedArray`, whose chunks are validated when they are read.

    Raises
    ------
    TypeError, ValueError
        Naming the array.
    """
    copy = object.__new__(type(estimator))  # to record the features of X
    vars(copy).update(vars(estimator))
    X, copy._row_shape = _validate_rows(copy, X, reset=True, order="C")
    if sample_weight is not None or not is_streamed(X):
        sample_weight = validate_weights(sample_weight, X)
    return FitData(
        X,
        sample_weight,
        _validate_clean_rows(copy, X_clean, X),
        _validate_validation_set(copy, X_val, X_clean is not None),
        Schema(X.shape[1], copy._row_shape, getattr(copy, "feature_names_in_", None)),
    )


def validate_chunk(estimator, X, sample_weight, X_clean) -> FitData:
    """Validate what `partial_fit` takes. The estimator is not changed.

    Raises
    ------
    TypeError, ValueError
        Naming the array.
    """
    given = {"X": X, "sample_weight": sample_weight, "X_clean": X_clean}
    for name, value in given.items():
        if is_dask_collection(value):
            raise TypeError(
                f"partial_fit takes a chunk of rows in memory, but {name} is a Dask "
                "collection. Call fit, which visits it chunk by chunk, or use "
                "dask_ml.wrappers.Incremental."
            )
    if not hasattr(estimator, "n_features_in_"):
        return validate_training_data(estimator, X, sample_weight, None, X_clean)
    X = validate_rows(estimator, X)
    if isinstance(X, np.ndarray):
        X = np.ascontiguousarray(X)
    if sample_weight is not None:
        sample_weight = validate_weights(sample_weight, X)
    X_clean = _validate_clean_rows(estimator, X_clean, X)
    names = getattr(estimator, "feature_names_in_", None)
    schema = Schema(estimator.n_features_in_, estimator._row_shape, names)
    return FitData(X, sample_weight, X_clean, None, schema)


def validate_rows(estimator, X, *, min_samples: int = 1):
    """Validate rows for a fitted estimator.

    Parameters
    ----------
    estimator : BaseAutoencoder
        Fitted.

    X : {array-like, ChunkedArray} of shape (n_samples, n_features) or (n_samples, ...)
    min_samples : int, default=1

    Returns
    -------
    {ndarray, CSR matrix, ChunkedArray} of shape (n_samples, n_features)
        float32 or float64.
    """
    if is_table_of_floats(X, estimator) and is_in_range(X):
        return X
    X, row_shape = _validate_rows(estimator, X, min_samples=min_samples)
    _check_row_shape(row_shape, estimator)
    return X


def validate_incomplete_rows(
    estimator, X, missing_values, *, reset=False, min_samples: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Validate rows that may have missing values, and record their features.

    Parameters
    ----------
    estimator : AutoencoderImputer
    X : array-like of shape (n_samples, n_features)
    missing_values : float, np.nan or pandas.NA
    reset : bool, default=False
        Whether to set the features of the estimator, or to compare X with them.

    min_samples : int, default=1

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        float32 or float64. Missing values are 0.

    observed : ndarray of shape (n_samples, n_features), bool

    Raises
    ------
    TypeError, ValueError
        If X is invalid, with text or infinite values for example.
    """
    _check_is_table(X)
    is_nan = is_pandas_na(missing_values) or missing_values != missing_values
    X = _without_pandas_na(read_stored(X))
    _check_is_flat(X, estimator)
    with _invalid_columns_named(X), np.errstate(over="ignore"):
        X = validate_data(
            estimator,
            X,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan",
            ensure_min_samples=min_samples,
            reset=reset,
        )
    if not is_nan and np.isnan(X).any():
        raise ValueError(
            f"Input X contains NaN, but missing_values={missing_values!r}. Set "
            "missing_values=np.nan to fill NaN."
        )
    observed = ~np.isnan(X) if is_nan else missing_values != X
    X = np.where(observed, X, X.dtype.type(0))
    _check_range(X)
    return X, observed


def validate_dense_rows(estimator, X, *, reset: bool, min_samples: int) -> np.ndarray:
    """Validate rows for an estimator that takes neither images nor sparse matrices.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float64
    """
    X = read_stored(X)
    _check_is_flat(X, estimator)
    with _invalid_columns_named(X), _nan_explained():
        return validate_data(
            estimator, X, dtype=np.float64, reset=reset, ensure_min_samples=min_samples
        )


def _check_is_flat(X, estimator):
    """Raise a ValueError if X holds images."""
    X = array_of(X) if isinstance(X, list | tuple) else X
    if getattr(X, "ndim", 2) > 2:
        raise ValueError(
            f"X has the shape {X.shape}, but {type(estimator).__name__} takes a table "
            "with one row for each image: X.reshape(len(X), -1). ConvNetwork((height, "
            "width, channels)) as network takes such rows as images."
        )


def _without_pandas_na(X):
    """Return X with NaN in place of pandas.NA among Python objects.

    Columns of pandas's types for missing values are converted by scikit-learn.
    """
    if hasattr(X, "isetitem"):  # a pandas DataFrame
        positions = np.flatnonzero([dtype.kind == "O" for dtype in X.dtypes])
        if len(positions):
            X = X.copy()
        for i in positions:
            values = X.iloc[:, i].to_numpy()
            X.isetitem(i, _without_na_objects(values))
        return X
    X = array_of(X) if isinstance(X, list | tuple) else X
    is_objects = isinstance(X, np.ndarray) and X.dtype == object
    return _without_na_objects(X) if is_objects else X


def _without_na_objects(values):
    is_na = np.reshape([is_pandas_na(value) for value in values.flat], values.shape)
    return np.where(is_na, np.nan, values)


def is_pandas_na(value) -> bool:
    """Whether a value is pandas.NA; pandas is not imported."""
    return type(value).__name__ == "NAType" and type(value).__module__.startswith(
        "pandas."
    )


def validate_codes(
    Z, n_components: int, name: str, *, min_samples: int = 1
) -> np.ndarray:
    """Validate codes for an estimator of this class name."""
    if not (_has_floats(Z, n_components) and is_in_range(Z)):
        Z = check_array(
            Z, dtype=float_types(Z), ensure_min_samples=min_samples, input_name="Z"
        )
        _check_range(Z, "Z")
    if Z.shape[1] != n_components:
        raise ValueError(
            f"Z has {Z.shape[1]} components, but {name} was fitted with "
            f"n_components={n_components}."
        )
    return Z


def validate_more_rows(estimator, argument, X, schema: Schema):
    """Validate rows of an array that is given to `fit` beside X, as X was.

    Parameters
    ----------
    estimator : estimator
        Not changed.

    argument : str
        Name of the array.

    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
    schema : Schema
        Of the rows of the array X.

    Returns
    -------
    {ndarray, CSR matrix} of shape (n_samples, n_features)
    """
    copy = object.__new__(type(estimator))
    vars(copy).update(vars(estimator))
    copy.n_features_in_, copy._row_shape = schema.n_features, schema.row_shape
    vars(copy).pop("feature_names_in_", None)
    if schema.feature_names is not None:
        copy.feature_names_in_ = schema.feature_names
    return _validate_like_training_data(copy, argument, X)


def _validate_clean_rows(estimator, X_clean, X):
    """Return what the rows of `X` are to become; None if that is themselves."""
    if X_clean is None:
        return None
    X_clean = _validate_like_training_data(estimator, "X_clean", X_clean)
    _check_same_length("X_clean", X_clean, "X", X)
    return X_clean


def _validate_like_training_data(estimator, argument, X):
    """Validate rows of another array than X, and name it in errors."""
    try:
        X, row_shape = _validate_rows(estimator, X, order="C")
        _check_row_shape(row_shape, estimator)
    except ValueError as error:
        raise ValueError(f"{argument}: {error}") from None
    return X


def _validate_rows(estimator, X, *, reset=False, order=None, min_samples=1):
    """Return rows as a float table, and the shape of a row if it is not a vector."""
    if isinstance(X, ChunkedArray):
        empty, row_shape = _validate_rows(
            estimator, X.empty, reset=reset, order="C", min_samples=0
        )
        return X.map(functools.partial(_valid_chunk, empty.dtype), empty), row_shape
    _check_is_table(X)
    X, row_shape = flatten_rows(X)
    if not reset:
        _check_size(X, row_shape, estimator)
    # Values that overflow become infinite, which validation refuses.
    with _invalid_columns_named(X), _nan_explained(), np.errstate(over="ignore"):
        X = validate_data(
            estimator,
            X,
            accept_sparse="csr",
            dtype=float_types(X),
            order=order,
            ensure_min_samples=min_samples,
            reset=reset,
        )
    _check_range(X)
    return X, row_shape


def _valid_chunk(dtype, X):
    """Return a chunk of a `ChunkedArray` as a float table of this type."""
    X, _ = flatten_rows(X)
    with _invalid_columns_named(X), _nan_explained(), np.errstate(over="ignore"):
        X = check_array(X, accept_sparse="csr", dtype=dtype, order="C", input_name="X")
    _check_range(X)
    return X


def _validate_validation_set(estimator, X_val, has_targets):
    """Return (rows, targets) of the validation set; None without one."""
    if X_val is None:
        return None
    is_pair = isinstance(X_val, tuple) and [np.ndim(a) for a in X_val] == [2, 2]
    if is_pair and not has_targets:
        raise ValueError(
            "X_val is a pair, which goes with X_clean: (noisy rows, clean rows). "
            "Without X_clean it is rows like X."
        )
    if not has_targets:
        return _validate_like_training_data(estimator, "X_val", X_val), None
    if not (isinstance(X_val, tuple | list) and len(X_val) == 2):
        raise ValueError(
            "With X_clean, X_val must be a pair too: (noisy rows, clean rows)."
        )
    noisy, clean = (
        _validate_like_training_data(estimator, f"X_val[{i}]", X_val[i])
        for i in range(2)
    )
    _check_same_length("X_val[1]", clean, "X_val[0]", noisy)
    return noisy, clean


def _check_same_length(name, X, other_name, other):
    if X.shape[0] != other.shape[0]:
        raise ValueError(
            f"{name} has {X.shape[0]} rows, but {other_name} has {other.shape[0]}; "
            "they must belong together row by row."
        )


def _check_size(X, row_shape, estimator):
    """Raise if rows have other sizes, and some of them are images."""
    fitted_shape = estimator._row_shape
    if (row_shape or fitted_shape) and X.shape[1] != estimator.n_features_in_:
        found = f"rows of shape {row_shape}" if row_shape else f"{X.shape[1]} features"
        fitted = f"rows of shape {fitted_shape or (estimator.n_features_in_,)}"
        raise ValueError(
            f"X has {found}, but {type(estimator).__name__} was fitted on {fitted}. A "
            "list of tables is taken as one array of images: join the chunks of a "
            "table with np.concatenate."
        )


def _check_row_shape(row_shape, estimator):
    if not shapes_compatible(row_shape, estimator._row_shape):
        raise ValueError(
            f"X has rows of shape {row_shape}, but {type(estimator).__name__} was "
            f"fitted on rows of shape {estimator._row_shape}."
        )


def validate_weights(sample_weight, X):
    """Return weights as float64, one for each row of `X`.

    Parameters
    ----------
    sample_weight : {array-like, ChunkedArray} of shape (n_samples,), or None
    X : {array-like, ChunkedArray} of shape (n_samples, ...)

    Returns
    -------
    {ndarray, ChunkedArray} of shape (n_samples,)

    Raises
    ------
    ValueError
        If a weight is negative, not finite, or so large that float32 cannot represent
        its square, or if all are so small that their squares are 0.
    """
    if isinstance(sample_weight, ChunkedArray):
        weights = sample_weight.map(_valid_weights, np.empty(0))
        _check_largest_weight("sample_weight", reduce_chunks(np.max, max, weights))
        return weights
    weights = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    i = weights.argmax()
    _check_largest_weight(f"sample_weight[{i}]", weights[i])
    return weights


def _valid_weights(sample_weight):
    """Return a chunk of weights as float64; all of them may be 0."""
    return _check_sample_weight(
        sample_weight,
        sample_weight,
        dtype=np.float64,
        ensure_non_negative=True,
        allow_all_zero_weights=True,
    )


def _check_largest_weight(name, largest):
    if largest > _MAX_WEIGHT:
        raise ValueError(
            f"{name}={largest:.4g} is too large: training squares weighted gradients "
            f"in float32, which takes weights of up to {_MAX_WEIGHT:.3g} (2**32). "
            "Scale the weights to a mean of 1."
        )
    if largest < _MIN_WEIGHT:
        raise ValueError(
            f"sample_weight is too small: its largest is {largest:.4g}, whose square "
            f"is 0 in float32 (below {_MIN_WEIGHT:.3g}). Scale the weights to a mean "
            "of 1."
        )


def flatten_rows(X):
    """Return `X` as a table, and the shape of its rows if they are arrays themselves.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...), sparse matrix or DataFrame

    Returns
    -------
    X : array-like of shape (n_samples, n_features)
    row_shape : tuple of int or None
    """
    X = array_of(X) if isinstance(X, list | tuple) else read_stored(X)
    if getattr(X, "ndim", 2) < 3:
        return X, None
    row_shape = tuple(X.shape[1:])
    return X.reshape((X.shape[0], int(np.prod(row_shape)))), row_shape


def array_of(rows: Sequence) -> np.ndarray:
    """Return a list of rows as an array.

    Raises
    ------
    ValueError
        If its elements have different shapes.
    """
    try:
        return np.asarray(rows)
    except ValueError as error:
        raise ValueError(
            "X is a list of arrays of different shapes, but rows have one shape. Join "
            f"the chunks of a table with np.concatenate(X). NumPy says: {error}"
        ) from error


def float_types(X):
    """Return the float types that rows may have after validation.

    Returns
    -------
    dtype or list of dtype
        float32 if that represents all values, else float64 or float32. As
        scikit-learn's validation takes them: the first one, unless X has another.
    """
    if hasattr(X, "columns"):
        names = {str(dtype).lower() for dtype in X.dtypes}
        return np.float32 if names <= _EXACT_IN_FLOAT32 else [np.float64, np.float32]
    dtype = getattr(X, "dtype", None)
    is_number = isinstance(dtype, np.dtype) and dtype.kind in "biuf"
    if is_number and np.result_type(dtype, np.float32) == np.float32:
        return np.float32
    return [np.float64, np.float32]


def is_table_of_floats(X, estimator) -> bool:
    """Whether rows need no conversion, and no other check than `is_in_range`.

    For a single row, scikit-learn's checks take ten times as long as encoding it.
    """
    return not hasattr(estimator, "feature_names_in_") and _has_floats(
        X, estimator.n_features_in_
    )


def _has_floats(X, n_features):
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.ndim == 2
        and X.shape[1] == n_features
        and len(X) > 0
    )


def is_in_range(X: np.ndarray) -> bool:
    """Whether all values are finite in float32."""
    if X.flags.c_contiguous:
        # Where the sum of squares is in range, so is each value: one pass, not two.
        values = X.reshape(-1)
        with np.errstate(all="ignore"):
            squares = float(np.dot(values, values))
        if squares <= _MAX_FLOAT32**2:
            return True
    return (
        np.minimum.reduce(X, axis=None) >= -_MAX_FLOAT32
        and np.maximum.reduce(X, axis=None) <= _MAX_FLOAT32
    )


def _check_range(X, name="X"):
    """Raise a ValueError if float64 values are too large for float32."""
    values = X.data if issparse(X) else X
    if X.dtype == np.float64 and not (
        values.min(initial=0) >= -_MAX_FLOAT32 and values.max(initial=0) <= _MAX_FLOAT32
    ):
        raise ValueError(
            f"Input {name} contains infinity or a value too large for "
            "dtype('float32'), in which networks compute."
        )


def _check_is_table(X):
    """Raise a TypeError if X is an iterator, a data set or a file, not an array."""
    if hasattr(X, "__array__") or hasattr(X, "__dataframe__") or issparse(X):
        return
    if hasattr(X, "as_numpy_iterator"):
        remedy = "np.stack(list(X.unbatch().as_numpy_iterator())) of a batched one"
    elif isinstance(X, Iterator):
        remedy = "np.stack(list(X)) of rows, np.concatenate(list(X)) of batches"
    elif hasattr(X, "keys"):
        remedy = "the array that it holds under a name, such as np.asarray(X['data'])"
    elif hasattr(X, "__getitem__") and not isinstance(X, Sequence):
        remedy = "np.concatenate([X[i] for i in range(len(X))]), of the rows alone"
    else:
        return
    raise TypeError(
        f"X must hold all rows, as an array; got an object of type "
        f"{type(X).__module__}.{type(X).__name__}. Use {remedy}. An array that does "
        "not fit into memory may be a memory map: np.load('X.npy', mmap_mode='r'); "
        "or call partial_fit with one chunk of rows after another."
    )


@contextlib.contextmanager
def _nan_explained():
    """Say what to do about NaN, for which scikit-learn suggests other estimators."""
    try:
        yield
    except ValueError as error:
        if "contains NaN" not in str(error):
            raise
        raise ValueError(
            "Input X contains NaN. Fill missing values first, for example with "
            "AutoencoderImputer as a step before in a pipeline."
        ) from None


@contextlib.contextmanager
def _invalid_columns_named(X):
    """Name the column if X holds dates or text, which cannot become numbers."""
    try:
        yield
    except (TypeError, ValueError) as error:
        dates = [
            str(name)
            for name in getattr(X, "columns", ())
            if str(X[name].dtype).lower().startswith(("date", "time"))
        ]
        if dates:
            raise ValueError(
                f"X has dates or times in column {dates[0]!r}; it must hold numbers. "
                "Convert them, to seconds for example."
            ) from error
        column, text = _first_text(X)
        if column is None:
            raise
        raise ValueError(
            f"X has text in column {column!r}, such as {text!r}; it must hold numbers "
            "alone. Leave the column out, or encode it, with OneHotEncoder in a "
            "ColumnTransformer. If the text stands for a missing value, replace it by "
            "NaN, and fill it with AutoencoderImputer."
        ) from error


def _first_text(X):
    """Return a column that holds text, and the text; None and None without one."""
    if issparse(X):
        return None, None
    names = getattr(X, "columns", None)
    if names is None:
        table = np.asarray(X)
        columns = enumerate(table.T) if table.ndim == 2 else ()
    else:
        columns = ((str(name), np.asarray(X[name])) for name in names)
    for name, values in columns:
        if values.dtype.kind not in "OSTU":
            continue
        for value in values.ravel().tolist():
            if isinstance(value, str | bytes) and not _is_number(value):
                return name, value
    return None, None


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
