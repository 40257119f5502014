"""What a fit needs to know of its rows, in one pass over them."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import issparse

from .._fitted.activations import ACTIVATIONS, Activation
from .._fitted.graph import output_activation
from .._fitted.network import MAX_DENSE_FEATURES
from .._utils.blocks import row_blocks
from .._utils.losses import loss_properties
from .._utils.warnings import warn_user

# From so many rows, or bytes of float32, on, training streams.
_MOST_ROWS = 2**18
_MOST_BYTES = 2**30

# Types of a data frame's columns whose values float32 holds, in small letters.
_IN_FLOAT32 = {
    "bool",
    "boolean",
    "float16",
    "float32",
    "int16",
    "int8",
    "uint16",
    "uint8",
}

_MAX_FLOAT = float(np.finfo(np.float32).max)

# Rounding to float32 after scaling may overstep a range by this much.
_TOLERANCE = 1e-6


def flatten_rows(X):
    """Return X as a table, and the shape of its rows where they are arrays themselves.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...), sparse matrix or DataFrame

    Returns
    -------
    X : array-like of shape (n_samples, n_features)
    row_shape : tuple of int or None
    """
    # An HDF5 data set has an array's shape, but cannot be reshaped.
    if isinstance(X, list | tuple) or type(X).__module__.startswith("h5py."):
        X = np.asarray(X)
    if getattr(X, "ndim", 2) < 3:
        return X, None
    row_shape = tuple(X.shape[1:])
    return X.reshape((X.shape[0], int(np.prod(row_shape)))), row_shape


def float_types(X):
    """The types of float in which rows are kept: float32 where that holds them all.

    Parameters
    ----------
    X : array-like

    Returns
    -------
    dtype or list of dtype
        As scikit-learn's validation takes them: the first one, unless X has another.
    """
    if hasattr(X, "columns"):
        names = {str(dtype).lower() for dtype in X.dtypes}
        return np.float32 if names <= _IN_FLOAT32 else [np.float64, np.float32]
    dtype = getattr(X, "dtype", None)
    is_number = isinstance(dtype, np.dtype) and dtype.kind in "biuf"
    if is_number and np.result_type(dtype, np.float32) == np.float32:
        return np.float32
    return [np.float64, np.float32]


def finite_table(X, n_features):
    """Whether all that validation would find is that a table of rows is valid.

    scikit-learn's checks take ten times as long as it takes to encode a row.

    Parameters
    ----------
    X : object
    n_features : int
    """
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.ndim == 2
        and X.shape[1] == n_features
        and len(X) > 0
        and np.minimum.reduce(X, axis=None) >= -_MAX_FLOAT
        and np.maximum.reduce(X, axis=None) <= _MAX_FLOAT
    )


def check_range(X, name="X"):
    """Raise if float64 values are too large for float32, in which networks work.

    Raises
    ------
    ValueError
    """
    values = X.data if issparse(X) else X
    if X.dtype == np.float64 and not (
        values.min(initial=0) >= -_MAX_FLOAT and values.max(initial=0) <= _MAX_FLOAT
    ):
        raise ValueError(
            f"Input {name} contains infinity or a value too large for "
            "dtype('float32'), in which networks work."
        )


@dataclass(frozen=True)
class Survey:
    """Summary of a data matrix.

    Attributes
    ----------
    place : ndarray of shape (n_samples,), uint64, or None
        A hash of each row's values, by which rows are put in order. None where they
        are too many for that.

    mean, variance : ndarray of shape (n_features,)
        Of each feature, weighted.

    low, high : ndarray of shape (n_features,)
        Lowest and highest value of each feature, in rows that have a weight.
    """

    place: np.ndarray | None
    mean: np.ndarray
    variance: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def minimum(self):
        """Lowest of all values."""
        return self.low.min()

    @property
    def maximum(self):
        """Highest of all values."""
        return self.high.max()


def is_streamed(X):
    """Whether training visits X in blocks, and holds no number for each row."""
    n_samples, n_features = X.shape
    return n_samples > _MOST_ROWS or 4 * n_samples * n_features > _MOST_BYTES


def survey(X, sample_weight):
    """Summarise the rows of `X`, a block at a time, in float64.

    Parameters
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,) or None

    Returns
    -------
    Survey
    """
    n_samples, n_features = X.shape
    place = None if is_streamed(X) else np.empty(n_samples, np.uint64)
    weight, total, squares = 0.0, np.zeros(n_features), np.zeros(n_features)
    low, high = np.full((2, n_features), [[np.inf], [-np.inf]])
    # Near the mean, or squares would lose what varies. Wide sparse rows stay sparse.
    origin = np.zeros(n_features)
    for rows in row_blocks(n_samples, 2 * n_features):
        block = X[rows].astype(np.float64)
        if issparse(block) and n_features <= MAX_DENSE_FEATURES:
            block = block.toarray()
        if place is not None:
            place[rows] = _hashed(block)
        own = np.ones(block.shape[0]) if sample_weight is None else sample_weight[rows]
        if not own.all():
            block, own = block[own > 0], own[own > 0]
        if len(own) == 0:
            continue
        low = np.minimum(low, _along_rows(block.min(axis=0)))
        high = np.maximum(high, _along_rows(block.max(axis=0)))
        if issparse(block):
            squared = block.multiply(block).tocsr()
        else:
            if weight == 0:
                origin = block[0].copy()
            block -= origin
            squared = np.square(block)
        weight += own.sum()
        total += own @ block
        squares += own @ squared
    mean = total / weight
    variance = (squares / weight - mean**2).clip(0)
    variance[low == high] = 0
    return Survey(place, origin + mean, variance, low, high)


def _hashed(block):
    """A hash of each row of float64, dense or sparse: equal rows have equal ones.

    Whole numbers, unlike sums of floats, do not depend on what else is in a block.
    """
    n_samples, n_features = block.shape
    factors = np.random.default_rng(0).integers(
        2**64, size=(2, n_features), dtype=np.uint64
    )
    factors |= np.uint64(1)
    values = block.data if issparse(block) else block
    columns = block.indices if issparse(block) else slice(None)
    bits = (values + 0.0).view(np.uint64)  # no negative zero
    bits *= factors[0, columns]
    bits ^= bits >> np.uint64(31)
    bits *= factors[1, columns]
    if not issparse(block):
        return bits.sum(axis=1, dtype=np.uint64)
    row = np.repeat(np.arange(n_samples), np.diff(block.indptr))
    sums = np.zeros(n_samples, np.uint64)
    np.add.at(sums, row, bits)
    return sums


def _along_rows(values):
    return values.toarray().ravel() if issparse(values) else values


def check_loss_takes(loss, found, name="X"):
    """Raise if `loss`, a Keras loss, is not defined on the data surveyed.

    Raises
    ------
    ValueError
        If a binary cross-entropy meets data outside [0, 1].
    """
    if not loss_properties(loss).binary:
        return
    if found.minimum < -_TOLERANCE or found.maximum > 1 + _TOLERANCE:
        raise ValueError(
            f"loss={_name(loss)!r} needs data in [0, 1], but {name} ranges from "
            f"{found.minimum:.4g} to {found.maximum:.4g}. Scale it with "
            "MinMaxScaler(clip=True), or use loss='mean_squared_error'."
        )


def _name(loss):
    if isinstance(loss, str):
        return loss
    return getattr(loss, "__name__", getattr(loss, "name", ""))


def warn_of_output(decoder, loss, found, name_of_data="X"):
    """Warn if the decoder's last activation does not suit the data or the loss.

    Parameters
    ----------
    decoder : FittedNetwork
    loss : str or Keras loss
    found : Survey
    name_of_data : str, default="X"
    """
    name = output_activation(decoder.config)
    if name is None:
        return
    _, _, low, high = ACTIVATIONS.get(name, Activation(None))
    takes_logits = getattr(loss, "from_logits", False)
    takes_unit_interval = loss_properties(loss).binary and not takes_logits
    if takes_unit_interval and (low < 0 or high > 1):
        warn_user(
            f"loss={_name(loss)!r} takes outputs in [0, 1], which "
            f"output_activation={name!r} oversteps. Use output_activation='sigmoid' "
            "(in the network, where one is given).",
        )
    if found.minimum < low - _TOLERANCE or found.maximum > high + _TOLERANCE:
        warn_user(
            f"output_activation={name!r} gives values in [{low}, {high}], but "
            f"{name_of_data} ranges from {found.minimum:.4g} to {found.maximum:.4g}: "
            f"what lies outside cannot be reconstructed. Scale {name_of_data}, or use "
            "output_activation='linear' (in the network, where one is given).",
        )
