"""What a fit refuses before it starts."""

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import issparse

from .._utils.sklearn_compat import _check_sample_weight

# Training squares weighted gradients in float32, which reaches from 2**-126 to 2**128:
# of the upper end half of the exponent is left to the gradients.
_MAX_WEIGHT = 2.0**32
_MIN_WEIGHT = 2.0**-63


def checked_weights(sample_weight, X):
    """Return weights as float64, one for each row of X.

    Raises
    ------
    ValueError
        If a weight is negative, or not finite, or beyond what float32 can square, or
        if all are so small that their squares are 0.
    """
    weights = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    largest = weights.max()
    if largest > _MAX_WEIGHT:
        raise ValueError(
            f"sample_weight[{weights.argmax()}]={largest:.4g} is too large: training "
            "squares weighted gradients in float32, which takes weights of up to "
            f"{_MAX_WEIGHT:.3g} (2**32). Scale the weights to a mean of 1."
        )
    if 0 < largest < _MIN_WEIGHT:
        raise ValueError(
            f"sample_weight is too small: its largest is {largest:.4g}, of which "
            f"nothing is left in float32 when it is squared (below {_MIN_WEIGHT:.3g}). "
            "Scale the weights to a mean of 1."
        )
    return weights


def check_holds_rows(X):
    """Raise a TypeError where X gives rows one after another, or is a file."""
    if hasattr(X, "__array__") or hasattr(X, "__dataframe__") or issparse(X):
        return
    if hasattr(X, "as_numpy_iterator"):
        way = "np.stack(list(X.unbatch().as_numpy_iterator())) of a batched one"
    elif isinstance(X, Iterator):
        way = "np.stack(list(X)) of rows, np.concatenate(list(X)) of batches"
    elif hasattr(X, "keys"):
        way = "the array that it holds under a name, such as np.asarray(X['data'])"
    elif hasattr(X, "__getitem__") and not isinstance(X, Sequence):
        way = (
            "np.concatenate([X[i] for i in range(len(X))]), of the batches' rows alone"
        )
    else:
        return
    raise TypeError(
        f"X must hold all rows, as an array; got an object of type "
        f"{type(X).__module__}.{type(X).__name__}. Use {way}. An array that does not "
        "fit into memory may be a memory map: np.load('X.npy', mmap_mode='r')."
    )


@contextlib.contextmanager
def words_named(X):
    """Name the column where rows hold words, which cannot become numbers."""
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
        column, word = _first_word(X)
        if column is None:
            raise
        raise ValueError(
            f"X has words in column {column!r}, such as {word!r}; it must hold numbers "
            "alone. Leave the column out, or encode it, with OneHotEncoder in a "
            "ColumnTransformer."
        ) from error


def _first_word(X):
    """A column that holds a word, and the word; None where there is none."""
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
