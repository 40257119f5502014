"""What a fit needs to know of its rows, in one pass over them."""

import json
import math
import warnings
from dataclasses import dataclass

import numpy as np

from ._fitted import row_blocks

_UNIT, _SYMMETRIC, _POSITIVE = (0, 1), (-1, 1), (0, np.inf)
_REACH = {
    "exponential": _POSITIVE,
    "hard_sigmoid": _UNIT,
    "hard_tanh": _SYMMETRIC,
    "relu": _POSITIVE,
    "relu6": (0, 6),
    "sigmoid": _UNIT,
    "softmax": _UNIT,
    "softplus": _POSITIVE,
    "softsign": _SYMMETRIC,
    "sparse_plus": _POSITIVE,
    "sparse_sigmoid": _UNIT,
    "sparsemax": _UNIT,
    "squareplus": _POSITIVE,
    "tanh": _SYMMETRIC,
}
_RESHAPING = {"Flatten", "Reshape", "Cropping1D", "Cropping2D"}

# From so many rows, or bytes of float32, on, training streams.
_MOST_ROWS = 2**18
_MOST_BYTES = 2**30

# Frames from a warning here to the line that called fit: this module's function, _fit,
# fit, and scikit-learn's wrapper around it.
_CALLER_OF_FIT = 5

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


def finite_table(X, n_features):
    """Return X as float32 where all that validation would find is that it is valid.

    scikit-learn's checks take ten times as long as it takes to encode a row.

    Parameters
    ----------
    X : object
    n_features : int

    Returns
    -------
    ndarray of shape (n_samples, n_features), float32
        Or None, where scikit-learn should look.
    """
    if not (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)
        and X.ndim == 2
        and X.shape[1] == n_features
        and len(X) > 0
    ):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        X = X.astype(np.float32, copy=False)
        # Finite numbers may have an infinite sum: that is then looked at closely.
        return X if math.isfinite(np.add.reduce(X, axis=None)) else None


@dataclass(frozen=True)
class Survey:
    """Summary of a data matrix.

    Attributes
    ----------
    place : ndarray of shape (n_samples,) or None
        A number for each row that follows from its values alone, the same for equal
        rows. None where the rows are too many to be put in order.

    mean : ndarray of shape (n_features,)
        Weighted mean of each feature.

    minimum, maximum : float
        Over all values.
    """

    place: np.ndarray | None
    mean: np.ndarray
    minimum: float
    maximum: float


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
    # Distinct rows differ in their projection on a random direction. The second column
    # makes this a matrix product, which rounds a row alike wherever it stands.
    directions = np.random.default_rng(0).standard_normal((n_features, 2))
    place = None if is_streamed(X) else np.empty(n_samples)
    total, weight = np.zeros(n_features), 0.0
    minimum, maximum = np.inf, -np.inf
    for rows in row_blocks(n_samples, 2 * n_features):
        block = X[rows].astype(np.float64)
        if place is not None:
            place[rows] = (block @ directions)[:, 0]
        own = np.ones(block.shape[0]) if sample_weight is None else sample_weight[rows]
        total += own @ block
        weight += own.sum()
        minimum, maximum = min(minimum, block.min()), max(maximum, block.max())
    return Survey(place, total / weight, minimum, maximum)


def check_loss_takes(loss, found, name="X"):
    """Raise if `loss`, a Keras loss, is not defined on the data surveyed.

    Raises
    ------
    ValueError
        If a binary cross-entropy meets data outside [0, 1].
    """
    if not _is_binary(loss):
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


def is_squared_error(loss):
    """Whether `loss`, a Keras loss, is the mean squared error."""
    return _name(loss) in ("mean_squared_error", "mse")


def _is_binary(loss):
    return _name(loss).startswith("binary_")


def warn_of_output(decoder, loss, found, name_of_data="X"):
    """Warn if the decoder's last activation does not suit the data or the loss.

    Parameters
    ----------
    decoder : FittedNetwork
    loss : str or Keras loss
    found : Survey
    name_of_data : str, default="X"
    """
    layers = [
        spec
        for spec in json.loads(decoder.config)["config"]["layers"]
        if spec["class_name"] not in _RESHAPING
    ]
    if len(layers) > 1 and layers[-1]["class_name"] == "Add":
        layers.pop()  # the linear path is the last of what it adds
    name = layers[-1]["config"].get("activation") if layers else None
    if not isinstance(name, str):
        return
    low, high = _REACH.get(name, (-np.inf, np.inf))
    takes_logits = getattr(loss, "from_logits", False)
    if _is_binary(loss) and not takes_logits and (low < 0 or high > 1):
        warnings.warn(
            f"loss={_name(loss)!r} takes outputs in [0, 1], which "
            f"output_activation={name!r} oversteps. Use output_activation='sigmoid' "
            "(in the network, where one is given).",
            UserWarning,
            stacklevel=_CALLER_OF_FIT,
        )
    if found.minimum < low - _TOLERANCE or found.maximum > high + _TOLERANCE:
        warnings.warn(
            f"output_activation={name!r} gives values in [{low}, {high}], but "
            f"{name_of_data} ranges from {found.minimum:.4g} to {found.maximum:.4g}: "
            f"what lies outside cannot be reconstructed. Scale {name_of_data}, or use "
            "output_activation='linear' (in the network, where one is given).",
            UserWarning,
            stacklevel=_CALLER_OF_FIT,
        )
