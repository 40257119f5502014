"""Functions of the rows that a fitted estimator is given, in blocks and threads."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np

from .._fitted.network import FittedNetwork
from .._utils.blocks import map_blocks, map_rows
from .validation import is_in_range, is_table_of_floats, validate_rows

# Values of X up to which one call is enough.
_MAX_VALUES = 2**14


class _NotInRange(Exception):
    pass


def map_valid_rows(
    estimator: Any,
    function: Callable[[Any], np.ndarray],
    X: Any,
    *networks: FittedNetwork,
) -> np.ndarray:
    """Validate rows, and return the results of a function of blocks of them.

    Values are checked when their block is computed: a check of all rows before would
    read them from memory once more, which takes a tenth of the time of an encoding.

    Parameters
    ----------
    estimator : BaseAutoencoder
        Fitted.

    function : callable
        From some rows, which have been validated, to an array with one element for each
        of them.

    X : array-like of shape (n_samples, n_features) or (n_samples, ...)
    *networks : FittedNetwork
        Those that the function evaluates.
    """
    has_floats = is_table_of_floats(X, estimator)
    if has_floats and X.size <= _MAX_VALUES and is_in_range(X):
        return function(X)  # for a single row, what follows takes time
    settings = _settings(networks)

    def checked(rows):
        if not is_in_range(rows):
            raise _NotInRange
        return function(rows)

    if has_floats:
        with contextlib.suppress(_NotInRange):  # validate_rows raises the error
            return map_rows(checked, X, **settings)
    return map_rows(function, validate_rows(estimator, X), **settings)


def map_slices(
    function: Callable[[slice], Any], X: Any, *networks: FittedNetwork
) -> list:
    """Return the results of a function of slices of rows, which have been validated.

    Parameters
    ----------
    function : callable
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    *networks : FittedNetwork
        Those that the function evaluates.
    """
    return map_blocks(function, X, **_settings(networks))


def _settings(networks):
    return {
        "width": max(network.width for network in networks),
        "in_threads": not any(network.needs_keras for network in networks),
    }
