"""Rows that displays draw: their types, names, variances and tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array

from .._utils.blocks import row_blocks, to_dense

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from pandas import DataFrame


def flat(rows: np.ndarray) -> np.ndarray:
    """Rows in the shape (n_rows, n_features)."""
    return rows.reshape(len(rows), -1)


def as_floats(name: str, X: Any) -> np.ndarray:
    """X as a dense float64 array of finite values; errors name the parameter `name`."""
    return check_array(to_dense(X), dtype=np.float64, allow_nd=True, input_name=name)


def take(X: Any, rows: slice) -> Any:
    """A slice of the rows of an array, sparse matrix or data frame."""
    # Slices of a data frame itself may count labels instead of positions.
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def get_index(X: Any) -> Any:
    """The index of a pandas DataFrame; None for other types."""
    return X.index if hasattr(X, "iloc") else None


def format_row_names(names: Iterable[Any]) -> list[str]:
    """Names of rows as text; dates omit the time if all are at midnight."""
    texts = [
        ", ".join(map(str, name)) if isinstance(name, tuple) else str(name)
        for name in names
    ]
    if all(text.endswith(" 00:00:00") for text in texts):
        texts = [text.removesuffix(" 00:00:00") for text in texts]
    return texts


def check_feature_names(feature_names: Sequence[str], n_features: int) -> None:
    """Raise if there is not one name for each feature."""
    if len(feature_names) != n_features:
        raise ValueError(
            f"feature_names has {len(feature_names)} names, but there are "
            f"{n_features} features."
        )


def to_frame(columns: Mapping[str, ArrayLike], index: Any = None) -> DataFrame:
    """A pandas DataFrame of columns of equal length."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(
            "frame() returns a pandas DataFrame, but pandas is not installed. Install "
            "it with `pip install pandas`."
        ) from error
    return pd.DataFrame(columns, index)


def check_same_rows(X: Any, X_clean: Any) -> None:
    """Raise if noisy and clean rows differ in number or columns."""
    if _n_rows(X) != _n_rows(X_clean):
        raise ValueError(
            f"X_clean has {_n_rows(X_clean)} rows, but X has {_n_rows(X)}. Each row of "
            "X_clean must be the clean version of the same row of X."
        )
    if hasattr(X, "columns") and hasattr(X_clean, "columns"):
        columns, clean_columns = list(X.columns), list(X_clean.columns)
        if columns != clean_columns:
            raise ValueError(
                f"X_clean has the columns {clean_columns}, but X has {columns}. They "
                "must be the same, in the same order."
            )


def feature_variances(X: Any) -> np.ndarray:
    """Variance of each feature over all rows of X; 1 for constant features.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_rows, n_features)
        Or an array of images. NaN is ignored.

    Returns
    -------
    ndarray of shape (n_features,)
    """
    scaler = StandardScaler(with_mean=False)
    n_features = math.prod(np.shape(X)[1:])
    for rows in row_blocks(_n_rows(X), n_features):
        block = check_array(
            take(X, rows),
            accept_sparse="csr",
            dtype=np.float64,
            allow_nd=True,
            ensure_all_finite="allow-nan",
        )
        scaler.partial_fit(block.reshape(block.shape[0], n_features))
    return np.square(scaler.scale_)


def _n_rows(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)
