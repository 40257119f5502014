"""Reducers that displays draw, alone, in pipelines or in searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._utils.blocks import to_dense


def steps_of(estimator: Any) -> list[Any]:
    """The estimators of a pipeline in order, including those of nested pipelines.

    A search is represented by its best estimator; any other estimator is one step.
    """
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not hasattr(estimator, "steps"):
        return [] if estimator in (None, "passthrough") else [estimator]
    return [step for _, part in estimator.steps for step in steps_of(part)]


def last_step(estimator: Any) -> Any:
    """The last estimator of a pipeline; any other estimator itself."""
    while hasattr(estimator, "steps"):
        estimator = estimator.steps[-1][1]
    return estimator


def transform_steps(steps: Sequence[Any], rows: Any) -> Any:
    """Apply `transform` of the steps, the first one first."""
    for step in steps:
        rows = step.transform(rows)
    return rows


def inverse_transform_steps(steps: Sequence[Any], rows: Any) -> Any:
    """Apply `inverse_transform` of the steps, the last one first."""
    for step in reversed(steps):
        rows = step.inverse_transform(rows)
    return rows


def input_names_of_last_step(estimator: Any) -> Sequence[str] | None:
    """Names of the features that the last step gets; None if they have no names."""
    *earlier_steps, last = steps_of(estimator)
    if hasattr(last, "feature_names_in_"):
        return last.feature_names_in_
    names = None
    for step in earlier_steps:
        if not hasattr(step, "get_feature_names_out"):
            return None
        names = step.get_feature_names_out(names)
    return names


def encode_and_decode(
    estimator: Any, X: Any, return_codes: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Reconstruct rows.

    Parameters
    ----------
    estimator : estimator instance
        With `reconstruct` in its last step, which is used then, or with `transform`
        and `inverse_transform`.

    X : {array-like, sparse matrix} of shape (n_rows, n_features)
        Or whatever else the estimator accepts.

    return_codes : bool

    Returns
    -------
    reconstructions : ndarray of shape (n_rows, ...), dtype float64
    codes : ndarray of shape (n_rows, n_components), or None without `return_codes`

    Raises
    ------
    TypeError
        If the estimator lacks the methods.
    """
    name = type(estimator).__name__
    has_inverse = hasattr(estimator, "transform") and hasattr(
        estimator, "inverse_transform"
    )
    *earlier_steps, last = steps_of(estimator)
    reconstructs = hasattr(last, "reconstruct") and all(
        hasattr(step, "inverse_transform") for step in earlier_steps
    )
    if not (reconstructs or has_inverse):
        raise TypeError(
            f"{name} cannot reconstruct: it needs the methods transform and "
            "inverse_transform, or reconstruct."
        )
    if return_codes and not has_inverse:
        raise TypeError(
            f"show_codes=True, but {name} has no inverse_transform, so the output of "
            "transform is not a code. Use show_codes=False."
        )
    codes = estimator.transform(X) if return_codes or not reconstructs else None
    if reconstructs:
        rows = transform_steps(earlier_steps, X)
        decoded = inverse_transform_steps(earlier_steps, last.reconstruct(rows))
    else:
        decoded = estimator.inverse_transform(codes)
    return to_dense(decoded).astype(np.float64), to_dense(
        codes
    ) if return_codes else None
