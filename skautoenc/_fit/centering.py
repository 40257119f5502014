"""Centring of rows before they are rounded to float32, and warnings of rounding."""

from typing import Any

import numpy as np

from .._fitted.graph import output_activation
from .._fitted.network import FittedNetwork
from .._training import Rows, StreamedRows
from .._utils.blocks import row_blocks
from .._utils.losses import loss_properties
from .._utils.warnings import warn_user
from .data import Survey, is_streamed

# Subtracted from rows and from targets.
Shifts = tuple[np.ndarray | None, np.ndarray | None]

# Distance of the mean from zero, in standard deviations, beyond which initial weights
# drawn for values around zero do not suit the rows, and beyond which `fit` warns.
_FAR, _VERY_FAR = 3, 10

# Share of the standard deviation by which rounding causes a warning.
_MAX_ROUNDING = 0.01


def centred_networks(
    networks: dict[str, FittedNetwork],
    loss: Any,
    inputs: Survey,
    targets: Survey,
    dtype: Any,
    target_dtype: Any,
) -> tuple[dict[str, FittedNetwork], Shifts]:
    """Return the shifts of rows and targets, and networks that are adapted to them.

    Parameters
    ----------
    networks : dict of str to FittedNetwork
        With initial weights.

    loss : str or Keras loss
    inputs, targets : Survey
    dtype, target_dtype : dtype
        Of the rows and of the targets.

    Returns
    -------
    networks : dict of str to FittedNetwork
    shifts : tuple of (ndarray or None, ndarray or None)
        To be subtracted from rows and from targets, in their precision.
    """
    encoder, decoder = networks["_encoder"], networks["_decoder"]
    shifts = choose_shifts(encoder, decoder, loss, inputs, targets)
    if shifts[0] is not None:
        decoder = with_constant_outputs(decoder, targets)
        dtypes = dtype, target_dtype
        shifts = tuple(map(np.ndarray.astype, shifts, dtypes))
    elif encoder.dense_spec is not None:
        encoder = centred_first_layer(encoder, inputs)
    else:
        warn_of_distance(inputs)
    return {**networks, "_encoder": encoder, "_decoder": decoder}, shifts


def choose_shifts(
    encoder: FittedNetwork,
    decoder: FittedNetwork,
    loss: Any,
    inputs: Survey,
    targets: Survey,
) -> Shifts:
    """Return what is subtracted from rows, and added to their reconstructions.

    With a linear output and a loss of differences, training on centred rows is the
    same, and loses no digits to the mean. Other networks than dense ones are left as
    they are, unless the rows are far from zero.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
    loss : str or Keras loss
    inputs, targets : Survey

    Returns
    -------
    input_shift, output_shift : ndarray of shape (n_features,), float64, or None
    """
    if not loss_properties(loss).of_differences:
        return None, None
    if output_activation(decoder.config) != "linear":
        return None, None
    if None in (encoder.dense_spec, decoder.dense_spec) and not distance(inputs) > _FAR:
        return None, None
    shifts = _center(inputs), _center(targets)
    return shifts if any(shift.any() for shift in shifts) else (None, None)


def _center(survey):
    """The mean of each feature, rounded to a thousandth of the standard deviation.

    So it does not depend on the order in which rows were summed. Of a constant feature
    it is exactly the value.
    """
    varies = survey.variance > 0
    deviation = np.sqrt(np.where(varies, survey.variance, 1.0))
    grain = np.exp2(np.floor(np.log2(deviation)) - 10)
    return np.where(varies, np.round(survey.mean / grain) * grain, survey.low)


def distance(survey: Survey) -> float:
    """Return the distance of the mean row from zero, in standard deviations."""
    squares, variance = np.square(survey.mean).mean(), survey.variance.mean()
    if squares == 0:
        return 0.0
    return np.sqrt(squares / variance) if variance > 0 else np.inf


def centred_first_layer(encoder: FittedNetwork, survey: Survey) -> FittedNetwork:
    """Return a dense encoder whose first bias compensates the mean of the rows.

    Otherwise, with rows far from zero, most units would be always on or always off.

    Parameters
    ----------
    encoder : FittedNetwork
        With a `dense_spec`.

    survey : Survey
    """
    if not distance(survey) > _FAR:
        return encoder
    spec = encoder.dense_spec
    return encoder.with_weights(spec.fold(encoder.weights, survey.mean))


def with_constant_outputs(decoder: FittedNetwork, survey: Survey) -> FittedNetwork:
    """Return a dense decoder whose output is zero for features that do not vary.

    These are zero after the shift, so their errors and gradients are, too, and neither
    training nor noise changes them.

    Parameters
    ----------
    decoder : FittedNetwork
    survey : Survey
    """
    spec, varies = decoder.dense_spec, survey.variance > 0
    if spec is None or spec.is_transposed or varies.all():
        return decoder
    mask = varies.astype(np.float32)
    weights = spec.by_role(decoder.weights)
    weights.kernels[-1] = weights.kernels[-1] * mask
    if weights.linear_path is not None:
        weights.linear_path = weights.linear_path * mask
    return decoder.with_weights(weights.arrays())


def warn_of_distance(survey: Survey) -> None:
    """Warn if rows are so far from zero that training will hardly be successful."""
    if distance(survey) > _VERY_FAR:
        warn_user(
            "The values of X are far from zero: their means are "
            f"{distance(survey):.3g} times their standard deviations, and rows are not "
            "centred for this network. Scale X with StandardScaler or MinMaxScaler.",
        )


def warn_of_rounding(
    survey: Survey,
    shift: np.ndarray | None,
    dtype: Any,
    names: np.ndarray | None = None,
) -> None:
    """Warn of features that vary less than float32 can resolve.

    Parameters
    ----------
    survey : Survey
    shift : ndarray of shape (n_features,) or None
    dtype : {np.float32, np.float64}
        Of X. Values in float32 have been rounded before.

    names : ndarray of str of shape (n_features,) or None, default=None
    """
    if shift is None or dtype == np.float32:
        shift = 0.0
    largest = np.maximum(abs(survey.low - shift), abs(survey.high - shift))
    rounding = np.spacing(largest.astype(np.float32))
    is_lost = rounding > _MAX_ROUNDING * np.sqrt(survey.variance)
    is_lost &= survey.low < survey.high
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


def centred_rows(
    X: Any,
    targets: Any,
    shifts: Shifts,
    sample_weight: np.ndarray | None = None,
    place: np.ndarray | None = None,
) -> Rows | StreamedRows:
    """Return the rows of a table for training or validation.

    Rows are centred as they are read. Those of float64 in memory are centred and
    rounded to float32 once. Very many rows are streamed.

    Parameters
    ----------
    X, targets : ndarray or CSR matrix, or None for no `targets`
    shifts : tuple of (ndarray or None, ndarray or None)
    sample_weight : ndarray of shape (n_samples,) or None, default=None
    place : ndarray of shape (n_samples,) or None, default=None
        By which rows are sorted.
    """
    shift, target_shift = shifts
    if is_streamed(X):
        return StreamedRows(
            X, sample_weight, targets, shift=shift, target_shift=target_shift
        )
    X, shift = _in_float32(X, shift)
    targets, target_shift = _in_float32(targets, target_shift)
    shifts = {"shift": shift, "target_shift": target_shift}
    if place is None:
        return Rows.all(X, targets, **shifts)
    order = np.argsort(place, kind="stable")
    return Rows.weighted(X, order, sample_weight, targets, **shifts)


def _in_float32(X, shift):
    """Rows in float32 if possible, and what is still to be subtracted from them."""
    if X is None or X.dtype == np.float32:
        return X, shift
    if shift is None:
        return X.astype(np.float32), None
    if not isinstance(X, np.ndarray):
        return X, shift
    centred = np.empty(X.shape, np.float32)
    for rows in row_blocks(*X.shape):
        centred[rows] = X[rows] - shift
    return centred, None
