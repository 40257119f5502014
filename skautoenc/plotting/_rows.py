"""Rows that displays compare, and reducers, alone or in pipelines, that give them."""

import math

import numpy as np
from scipy.sparse import issparse
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array, gen_batches

# Numbers that are held at a time while variances are measured.
_BLOCK_SIZE = 2**22


def dense(rows):
    return rows.toarray() if issparse(rows) else np.asarray(rows)


def flat(rows):
    return rows.reshape(len(rows), -1)


def steps_of(estimator):
    """The estimators of a pipeline in their order, also of pipelines in it.

    A search stands for its best estimator; anything else is a single step.
    """
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not hasattr(estimator, "steps"):
        return [] if estimator in (None, "passthrough") else [estimator]
    return [step for _, part in estimator.steps for step in steps_of(part)]


def inverse_of_steps(steps, rows):
    """Rows as they were before `steps` transformed them."""
    for step in reversed(steps):
        rows = step.inverse_transform(rows)
    return rows


def encode_and_decode(estimator, X, show_codes):
    """Reconstructions, and codes or None."""
    name = type(estimator).__name__
    inverts = hasattr(estimator, "transform") and hasattr(
        estimator, "inverse_transform"
    )
    *before, last = steps_of(estimator)
    reconstructs = hasattr(last, "reconstruct") and all(
        hasattr(step, "inverse_transform") for step in before
    )
    if not (reconstructs or inverts):
        raise TypeError(
            f"{name} cannot reconstruct: it needs transform and inverse_transform, or "
            "reconstruct."
        )
    if show_codes and not inverts:
        raise TypeError(
            f"show_codes=True, but {name} has no inverse_transform, so what transform "
            "gives are no codes."
        )
    codes = estimator.transform(X) if show_codes or not reconstructs else None
    if reconstructs:
        rows = X
        for step in before:
            rows = step.transform(rows)
        back = inverse_of_steps(before, last.reconstruct(rows))
    else:
        back = estimator.inverse_transform(codes)
    return dense(back).astype(np.float64), dense(codes) if show_codes else None


def as_floats(name, X):
    return check_array(dense(X), dtype=np.float64, allow_nd=True, input_name=name)


def take(X, rows):
    # A slice of a data frame may count its labels, not its rows.
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _n_rows(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


def check_pairs(X, X_clean):
    """Raise where noisy and clean rows do not belong together row by row."""
    if _n_rows(X) != _n_rows(X_clean):
        raise ValueError(
            f"X_clean has {_n_rows(X_clean)} rows, but X has {_n_rows(X)}; they must "
            "belong together row by row."
        )
    if hasattr(X, "columns") and hasattr(X_clean, "columns"):
        columns, clean_columns = list(X.columns), list(X_clean.columns)
        if columns != clean_columns:
            raise ValueError(
                f"X_clean has the columns {clean_columns}, but X has {columns}; they "
                "must be the same, in the same order."
            )


def variances_of(X):
    """Variance of each feature over all rows of X, and 1 where it is constant."""
    scaler = StandardScaler(with_mean=False)
    n_features = math.prod(np.shape(X)[1:])
    for rows in gen_batches(_n_rows(X), max(1, _BLOCK_SIZE // n_features)):
        block = check_array(
            take(X, rows),
            accept_sparse="csr",
            dtype=np.float64,
            allow_nd=True,
            ensure_all_finite="allow-nan",
        )
        scaler.partial_fit(block.reshape(block.shape[0], n_features))
    return np.square(scaler.scale_)
