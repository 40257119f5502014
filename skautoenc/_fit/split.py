"""The validation set that is held out of the training data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from .._fitted.network import FittedNetwork
from .errors import squared_errors
from .values import FitOptions

# Minimum number of distinct rows for an automatic validation split, and the minimum
# size of that split.
_MIN_ROWS_TO_SPLIT, _MIN_VALIDATION_ROWS = 10, 10

# Number of rows below which a third of them is held out, and the training is repeated
# with all rows.
_MAX_REPEATED_ROWS, _SMALL_FRACTION = 500, 1 / 3

# Maximum squared error of a validation row, in medians, that counts in full.
_MAX_ERROR = 10


class Split(NamedTuple):
    """Training and validation rows.

    Attributes
    ----------
    training : Rows or StreamedRows
    validation : Rows, StreamedRows or None
    stops_early : bool
        Whether the epoch of the lowest validation loss is kept.

    is_held_out : bool
        Whether the validation rows were split off the training data.

    is_repeated : bool
        Whether training is to be repeated with all rows, as there are few.
    """

    training: Any
    validation: Any
    stops_early: bool
    is_held_out: bool
    is_repeated: bool


def split_rows(
    rows,
    validation,
    row_hashes: np.ndarray | None,
    options: FitOptions,
    pca_initialized: bool,
    seed: int,
) -> Split:
    """Hold out a validation set if early stopping needs one.

    Parameters
    ----------
    rows : Rows or StreamedRows
    validation : Rows, StreamedRows or None
        Validation rows that the user gave.

    row_hashes : ndarray of shape (n_samples,) or None
        See `DataSummary`.

    options : FitOptions
    pca_initialized : bool
    seed : int
    """
    stops_early, fraction = options.early_stopping, options.validation_fraction
    if stops_early == "auto":
        stops_early = pca_initialized
        if stops_early and validation is None:
            fraction = auto_validation_fraction(rows, row_hashes, fraction)
            stops_early = fraction > 0
    if validation is not None or not stops_early:
        return Split(rows, validation, bool(stops_early), False, False)
    training, validation = hold_out(rows, row_hashes, fraction, seed)
    is_repeated = options.early_stopping == "auto" and len(rows) < _MAX_REPEATED_ROWS
    return Split(training, validation, True, True, is_repeated)


def auto_validation_fraction(rows, row_hashes: np.ndarray | None, fraction: float):
    """Return the fraction of rows to hold out by default; 0 for too few rows.

    Parameters
    ----------
    rows : Rows or StreamedRows
    row_hashes : ndarray of shape (n_samples,) or None
        See `DataSummary`.

    fraction : float
        Fraction of large data. Of small data more is held out.
    """
    n = len(_distinct(rows, row_hashes))
    if n < _MIN_ROWS_TO_SPLIT:
        return 0.0
    if len(rows) < _MAX_REPEATED_ROWS:
        return max(fraction, _SMALL_FRACTION)
    return max(fraction, min(_MIN_VALIDATION_ROWS, n // 4) / n)


def hold_out(rows, row_hashes: np.ndarray | None, fraction: float, seed: int):
    """Split rows into training and validation rows.

    Equal rows are put on the same side, as validation on training rows would say
    nothing; of streamed rows any block or row may be on either side. The side of a row
    depends on its values and the seed alone, so a warm start with other data keeps the
    validation rows that it had.

    Parameters
    ----------
    rows : Rows or StreamedRows
    row_hashes : ndarray of shape (n_samples,) or None
        See `DataSummary`.

    fraction : float
        Fraction of distinct rows, or of the units of streamed rows, to hold out.

    seed : int

    Returns
    -------
    training, validation : Rows or StreamedRows

    Raises
    ------
    ValueError
        If no rows would be left for training.
    """
    rng = np.random.default_rng(seed)
    distinct = _distinct(rows, row_hashes)
    n_validation = int(np.ceil(fraction * len(distinct)))
    if n_validation >= len(distinct):
        what = rows.unit if row_hashes is None else "distinct rows"
        raise ValueError(
            f"early_stopping=True validates on validation_fraction={fraction} of the "
            f"{what}, which leaves none for training: n_samples={len(rows)}, "
            f"{len(distinct)} {what}. Give X_val, or set early_stopping=False."
        )
    if row_hashes is None:
        return rows.split(n_validation, rng)
    ranks = distinct * (rng.integers(2**64, dtype=np.uint64) | np.uint64(1))
    chosen = np.isin(row_hashes[rows.index], distinct[np.argsort(ranks)[:n_validation]])
    return rows.take(~chosen), rows.take(chosen)


def _distinct(rows, row_hashes):
    """Return labels of the rows, or blocks of rows, that are split as a whole."""
    if row_hashes is None:
        return range(rows.n_units)
    return np.unique(row_hashes[rows.index])


def limit_outlier_weights(
    validation, reference: tuple[FittedNetwork, FittedNetwork] | None
):
    """Return validation rows with lower weights of those with very large errors.

    A row whose squared error is more than `_MAX_ERROR` times the median counts like
    one whose error is that, so that no single row determines the mean.

    Parameters
    ----------
    validation : Rows
    reference : tuple of (FittedNetwork, FittedNetwork) or None
        Encoder and decoder whose errors are taken. None for the errors of the mean.
    """
    if reference is None:
        _, targets = validation.arrays()
        targets = targets.astype(np.float64)
        errors = np.square(targets - targets.mean(axis=0)).mean(axis=1)
    else:
        errors = np.concatenate(list(squared_errors(validation, *reference)))
    limit = _MAX_ERROR * np.median(errors)
    if limit == 0:
        return validation
    weight = validation.weight * np.minimum(1, limit / np.maximum(errors, limit))
    return replace(validation, weight=weight.astype(np.float32))
