"""Where rows are centred before float32, and what float32 cannot resolve of them."""

import numpy as np

from .._fitted.graph import output_activation
from .._training import Rows, StreamedRows
from .._utils.blocks import row_blocks
from .._utils.losses import loss_properties
from .._utils.warnings import warn_user
from .data import is_streamed

# Means of so many standard deviations are far from zero for a network whose first
# weights were drawn for values around zero; so many are warned of.
_FAR, _VERY_FAR = 3, 10

# Rounding by more than this share of the standard deviation is warned of.
_MAX_ROUNDING = 0.01


def centred_networks(networks, loss, inputs, targets, dtype, target_dtype):
    """Networks whose weights were drawn, made for rows centred as far as they can be.

    Parameters
    ----------
    networks : dict of str to FittedNetwork
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


def choose_shifts(encoder, decoder, loss, inputs, targets):
    """What is subtracted from rows before a network sees them, and added afterwards.

    A network with a linear output that is trained on a loss of differences does the
    same on centred rows as on others, without losing digits to their mean. Networks
    that are not stacks of dense layers are left as they are, unless the rows are far
    from zero.

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
    """About the mean of each feature, exactly the value of a constant one.

    The mean is rounded to a thousandth of the standard deviation, so that it does not
    depend on the order in which rows were summed.
    """
    varies = survey.variance > 0
    deviation = np.sqrt(np.where(varies, survey.variance, 1.0))
    grain = np.exp2(np.floor(np.log2(deviation)) - 10)
    return np.where(varies, np.round(survey.mean / grain) * grain, survey.low)


def distance(survey):
    """How far rows are from zero, over the features, in standard deviations."""
    squares, variance = np.square(survey.mean).mean(), survey.variance.mean()
    if squares == 0:
        return 0.0
    return np.sqrt(squares / variance) if variance > 0 else np.inf


def centred_first_layer(encoder, survey):
    """A dense encoder whose first layer takes rows less their mean, at first.

    Rows that are far from zero would leave most units always on, or always off.

    Parameters
    ----------
    encoder : FittedNetwork
        Of dense layers.

    survey : Survey
    """
    if not distance(survey) > _FAR:
        return encoder
    spec = encoder.dense_spec
    return encoder.with_weights(spec.fold(encoder.weights, survey.mean))


def with_constant_outputs(decoder, survey):
    """A dense decoder that gives zero for features that do not vary.

    These are zero after the shift, so the error and the gradient are too, and neither
    training nor noise moves them.

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


def warn_of_distance(survey):
    """Warn of rows so far from zero that a network will hardly learn what varies."""
    if distance(survey) > _VERY_FAR:
        warn_user(
            "The values of X are far from zero: their means are "
            f"{distance(survey):.3g} times their standard deviations, and this network "
            "is not centred. Scale X with StandardScaler or MinMaxScaler.",
        )


def warn_of_rounding(survey, shift, dtype, names=None):
    """Warn of features that vary less than float32 can resolve.

    Parameters
    ----------
    survey : Survey
    shift : ndarray of shape (n_features,) or None
    dtype : {np.float32, np.float64}
        Of the rows as they were given. Those of float32 are rounded already.

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
        f"float32 cannot resolve what varies in {len(lost)} feature(s) of X, which "
        f"are large beside their standard deviation: {', '.join(shown)}{more}. "
        f"{remedy}.",
    )


def centred_rows(X, targets, shifts, sample_weight=None, place=None):
    """The rows of a table for training or validation, streamed where they are many.

    float64 rows in memory are centred and cut to float32 once, others as they are read.

    Parameters
    ----------
    X, targets : ndarray or CSR matrix, or None for no `targets`
    shifts : tuple of (ndarray or None, ndarray or None)
    sample_weight : ndarray of shape (n_samples,) or None, default=None
    place : ndarray of shape (n_samples,) or None, default=None
        Orders the rows.
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
    """Rows in float32, and what is still to be subtracted from them."""
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
