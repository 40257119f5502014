"""Centering of rows before they become float32, and warnings of lost precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._fitted.graph import output_activation
from .._fitted.network import FittedNetwork
from .._training import BlockedRows, ChunkedRows, Rows, StreamedRows
from .._utils.blocks import is_streamed, row_blocks
from .._utils.chunked import ChunkedArray
from .._utils.losses import loss_properties
from .._utils.warnings import warn_user
from .summary import DataSummary
from .values import FitData, Networks

Shifts = tuple[np.ndarray | None, np.ndarray | None]

# Ratio of mean to standard deviation from which on random initial weights, which suit
# values around zero, do not suit the rows; and from which on a warning is given.
_FAR, _VERY_FAR = 3, 10

# Maximum rounding error, in standard deviations, without a warning.
_MAX_ROUNDING = 0.01


def center_networks(
    networks: Networks,
    loss: Any,
    inputs: DataSummary,
    targets: DataSummary,
    data: FitData,
) -> tuple[Networks, Shifts]:
    """Adapt networks with random weights to rows that are centered, as far as possible.

    Parameters
    ----------
    networks : dict of str to FittedNetwork
    loss : str or Keras loss
    inputs, targets : DataSummary
    data : FitData

    Returns
    -------
    networks : dict of str to FittedNetwork
    shifts : tuple of (ndarray or None, ndarray or None)
        What is subtracted from inputs and targets, in their types.
    """
    encoder, decoder = networks["encoder"], networks["decoder"]
    input_shift, target_shift = choose_shifts(encoder, decoder, loss, inputs, targets)
    if input_shift is not None and target_shift is not None:
        decoder = with_constant_outputs(decoder, targets)
        input_shift = input_shift.astype(data.X.dtype)
        target_shift = target_shift.astype(data.targets.dtype)
    elif encoder.dense_spec is not None:
        encoder = center_first_layer(encoder, inputs)
    else:
        _warn_of_distance(inputs)
    networks = {**networks, "encoder": encoder, "decoder": decoder}
    return networks, (input_shift, target_shift)


def choose_shifts(
    encoder: FittedNetwork,
    decoder: FittedNetwork,
    loss: Any,
    inputs: DataSummary,
    targets: DataSummary,
) -> Shifts:
    """Return what is subtracted from inputs and targets before they become float32.

    With a linear output and a loss of differences, training on centered rows is
    equivalent to training on the original ones, and no digits are lost to the mean.
    Networks that are not stacks of dense layers are trained on rows as they are, unless
    these are far from zero.

    Returns
    -------
    input_shift, target_shift : ndarray of shape (n_features,), float64, or None
    """
    if not loss_properties(loss).of_differences:
        return None, None
    if output_activation(decoder.config) != "linear":
        return None, None
    is_dense = encoder.dense_spec is not None and decoder.dense_spec is not None
    if not is_dense and not distance(inputs) > _FAR:
        return None, None
    shifts = _center(inputs), _center(targets)
    for shift in shifts:  # the targets of cross-entropies are shares
        shift[_in_groups(decoder)] = 0
    return shifts if any(shift.any() for shift in shifts) else (None, None)


def _center(summary):
    """Return the rounded mean of each feature, and exactly the value of constant ones.

    The mean is rounded to a thousandth of the standard deviation, so that it does not
    depend on the order of summation.
    """
    varies = summary.variance > 0
    deviation = np.sqrt(np.where(varies, summary.variance, 1.0))
    unit = np.exp2(np.floor(np.log2(deviation)) - 10)
    return np.where(varies, np.round(summary.mean / unit) * unit, summary.low)


def _in_groups(decoder):
    """Return the columns of one-hot groups."""
    return [column for group in decoder.groups for column in group]


def distance(summary: DataSummary) -> float:
    """Return the distance of rows from zero, in standard deviations over features."""
    squares, variance = np.square(summary.mean).mean(), summary.variance.mean()
    if squares == 0:
        return 0.0
    return np.sqrt(squares / variance) if variance > 0 else np.inf


def center_first_layer(encoder: FittedNetwork, inputs: DataSummary) -> FittedNetwork:
    """Return a dense encoder whose initial first layer subtracts the mean of the rows.

    With rows far from zero, most units would be always or never active.
    """
    if not distance(inputs) > _FAR:
        return encoder
    spec = encoder.dense_spec
    return encoder.with_weights(spec.fold(encoder.weights, inputs.mean))


def with_constant_outputs(
    decoder: FittedNetwork, targets: DataSummary
) -> FittedNetwork:
    """Return a dense decoder whose output is zero for constant features.

    After the shift these are zero, so their error and gradient are zero and remain so,
    and they are reconstructed exactly.
    """
    spec, varies = decoder.dense_spec, targets.variance > 0
    varies[_in_groups(decoder)] = True
    if spec is None or spec.is_transposed or varies.all():
        return decoder
    mask = varies.astype(np.float32)
    weights = spec.by_role(decoder.weights)
    weights.kernels[-1] = weights.kernels[-1] * mask
    if weights.linear_path is not None:
        weights.linear_path = weights.linear_path * mask
    return decoder.with_weights(weights.arrays())


def _warn_of_distance(inputs):
    """Warn of rows so far from zero that their variation is hard to learn."""
    if distance(inputs) > _VERY_FAR:
        warn_user(
            "The values of X are far from zero: their means are "
            f"{distance(inputs):.3g} times their standard deviations, and this network "
            "is not centered. Scale X with StandardScaler or MinMaxScaler.",
        )


def warn_of_rounding(
    inputs: DataSummary,
    shift: np.ndarray | None,
    dtype: np.dtype,
    names: np.ndarray | None = None,
) -> None:
    """Warn of features whose variation float32 cannot resolve.

    Parameters
    ----------
    inputs : DataSummary
    shift : ndarray of shape (n_features,) or None
        What is subtracted from the rows before they become float32.

    dtype : {np.float32, np.float64}
        Of the rows as they were given. Those of float32 are rounded already.

    names : ndarray of str of shape (n_features,) or None, default=None
    """
    origin = 0.0 if shift is None or dtype == np.float32 else shift
    largest = np.maximum(abs(inputs.low - origin), abs(inputs.high - origin))
    rounding = np.spacing(largest.astype(np.float32))
    is_lost = rounding > _MAX_ROUNDING * np.sqrt(inputs.variance)
    is_lost &= inputs.low < inputs.high
    if not is_lost.any():
        return
    lost = np.flatnonzero(is_lost)
    shown = [f"x{i}" if names is None else str(names[i]) for i in lost[:10]]
    more = ", ..." if len(lost) > len(shown) else ""
    remedy = (
        "Give X as float64, with an origin near these values subtracted"
        if dtype == np.float32
        else "Subtract their means first, as StandardScaler does"
    )
    warn_user(
        f"float32 cannot resolve the variation of {len(lost)} feature(s) of X, which "
        f"are large relative to their standard deviation: {', '.join(shown)}{more}. "
        f"{remedy}.",
    )


def center_rows(
    data: FitData, shifts: Shifts, row_hashes: np.ndarray | None
) -> tuple[Rows | StreamedRows, Rows | StreamedRows | None]:
    """Return the rows for training, and those for validation if they were given.

    Rows in memory are put in the order of their hashes, so that a fit does not depend
    on the order in which they are given. float64 rows in memory are centered and
    converted to float32 once, other rows whenever they are read.

    Parameters
    ----------
    data : FitData
    shifts : tuple of (ndarray or None, ndarray or None)
    row_hashes : ndarray of shape (n_samples,) or None
        See `DataSummary`.
    """
    order = None if row_hashes is None else np.argsort(row_hashes, kind="stable")
    rows = _rows(data.X, data.X_clean, shifts, data.sample_weight, order)
    if data.validation is None:
        return rows, None
    return rows, _rows(*data.validation, shifts)


def rows_in_order(data: FitData, shifts: Shifts) -> Rows | StreamedRows:
    """Return the rows for training in the order in which they are given."""
    is_weighted = data.sample_weight is not None
    order = np.arange(data.X.shape[0]) if is_weighted else None
    return _rows(data.X, data.X_clean, shifts, data.sample_weight, order)


def with_shifts(networks: Networks, shifts: Shifts) -> Networks:
    """Return the networks with the shifts around them."""
    return {
        **networks,
        "encoder": networks["encoder"].with_shifts(input_shift=shifts[0]),
        "decoder": networks["decoder"].with_shifts(output_shift=shifts[1]),
    }


def _rows(X, targets, shifts, sample_weight=None, order=None):
    shift, target_shift = shifts
    if isinstance(X, ChunkedArray):
        return ChunkedRows(X, sample_weight, targets, shift, target_shift)
    if is_streamed(X):
        return BlockedRows(
            X, sample_weight, targets, shift=shift, target_shift=target_shift
        )
    X, shift = _to_float32(X, shift)
    targets, target_shift = _to_float32(targets, target_shift)
    shifts = {"shift": shift, "target_shift": target_shift}
    if order is None:
        return Rows.all(X, targets, **shifts)
    return Rows.weighted(X, order, sample_weight, targets, **shifts)


def _to_float32(X, shift):
    """Return rows that are float32 if possible, and what is still to be subtracted."""
    if X is None or X.dtype == np.float32:
        return X, shift
    if shift is None:
        return X.astype(np.float32), None
    if not isinstance(X, np.ndarray):
        return X, shift
    centered = np.empty(X.shape, np.float32)
    for rows in row_blocks(*X.shape):
        centered[rows] = X[rows] - shift
    return centered, None
