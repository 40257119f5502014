"""Where training starts: how much of it, the validation split, the first weights."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .._utils.warnings import warn_user
from .pca import (
    MAX_STREAMED_FEATURES,
    are_linear,
    is_better,
    is_too_wide,
    pca_networks,
    refusal,
    squared_errors,
    why_not_pca,
)

# Distinct rows that an automatic validation split needs, and its size at least.
_MIN_ROWS_TO_SPLIT, _MIN_VALIDATION_ROWS = 10, 10

# Squared error of a validation row, in medians, from which on its weight falls.
_MAX_ERROR = 10

# Steps that a fit takes unless told otherwise, within these epochs.
_STEPS, _MIN_EPOCHS, _MAX_EPOCHS = 6000, 30, 1000
_MIN_PATIENCE = 10


def draw_seed(rng):
    """A seed for another generator, or for Keras."""
    return int(rng.integers(2**32))


class Effort(NamedTuple):
    """How much a fit trains."""

    batch_size: int
    epochs: int
    patience: int


def effort_for(n_samples, batch_size, epochs, patience):
    """Settle what may be ``"auto"``.

    Batches grow with the data, and a fit is to take about as many steps whatever their
    size: what was best on the panel of the benchmarks.

    Parameters
    ----------
    n_samples : int
    batch_size, epochs, patience : int or "auto"

    Returns
    -------
    Effort
    """
    if batch_size == "auto":
        batch_size = int(np.clip(n_samples // 32, 32, 256))
    if epochs == "auto":
        steps = -(-n_samples // batch_size)
        epochs = int(np.clip(_STEPS // steps, _MIN_EPOCHS, _MAX_EPOCHS))
    if patience == "auto":
        patience = max(_MIN_PATIENCE, epochs // 5)
    return Effort(int(batch_size), int(epochs), int(patience))


class Start(NamedTuple):
    """What training starts with.

    Attributes
    ----------
    networks : dict of str to FittedNetwork
        With the first weights, by the attribute that an estimator keeps them in.

    rows : Rows or StreamedRows
        The training rows.

    validation : Rows, StreamedRows or None
    is_pca : bool
        Whether the networks are PCA of the training rows.

    refines_pca : bool
        Whether the networks were PCA at first, though they may go on from an earlier
        fit.

    stops_early : bool
    seed : int
        For the randomised solver of PCA.
    """

    networks: dict
    rows: object
    validation: object
    is_pca: bool
    refines_pca: bool
    stops_early: bool
    seed: int


def prepare_start(
    drawn,
    rows,
    validation,
    place,
    *,
    init,
    has_weights,
    codes_are_exact,
    early_stopping,
    fraction,
    fitted,
    split_rng,
    rng,
):
    """Split the rows, and give the networks their first weights.

    Parameters
    ----------
    drawn : dict of str to FittedNetwork
        The networks, with the weights that were drawn or given. A network beside the
        encoder and the decoder is left as it is.

    rows : Rows or StreamedRows
    validation : Rows, StreamedRows or None
        What was given to validate on.

    place : ndarray of shape (n_samples,) or None
        See `Survey`.

    init : {"auto", "pca", "random"}
    has_weights : bool
        Whether the networks came with weights to go on from.

    codes_are_exact : bool
        Whether the decoder gets just what the encoder gives.

    early_stopping : bool or "auto"
    fraction : float
        Share of the rows to validate on.

    fitted : dict
        Where the networks of an earlier fit are, if training is to go on from there.

    split_rng, rng : numpy.random.Generator
        For the split, and for all else.

    Returns
    -------
    Start

    Raises
    ------
    ValueError
        If PCA is asked for and cannot be had.
    """
    pair = drawn["_encoder"], drawn["_decoder"]
    reasons = why_not_pca(*pair, rows)
    can_be = codes_are_exact and not reasons
    if init == "pca" and not can_be:
        raise refusal(reasons)
    may_be_pca = init == "auto" and codes_are_exact and not has_weights
    if may_be_pca and is_too_wide(rows) and are_linear(*pair):
        warn_user(
            "Training starts from random weights, not at PCA: X has "
            f"{rows.X.shape[1]} features, and of data visited in blocks PCA takes "
            f"{MAX_STREAMED_FEATURES} "
            "at most. Set init='random' to say that this is meant."
        )
    refines_pca = can_be and (init == "pca" or (init == "auto" and not has_weights))
    stops_early = early_stopping
    if early_stopping == "auto":
        fraction = _validation_fraction(rows, place, fraction) if refines_pca else 0
        has_some = validation is not None or fraction > 0
        stops_early = refines_pca and has_some
    was_split = stops_early and validation is None
    if was_split:
        rows, validation = split(rows, place, fraction, split_rng)
    seed = draw_seed(rng)
    is_pca = refines_pca and "_encoder" not in fitted
    networks = _continued(drawn, fitted)
    if is_pca:
        networks = {**networks, **_named(pca_networks(*pair, rows, seed))}
    if was_split and place is not None:
        reference = (networks["_encoder"], networks["_decoder"]) if is_pca else None
        validation = _bounded(validation, reference)
    return Start(networks, rows, validation, is_pca, refines_pca, stops_early, seed)


def _named(pair):
    return dict(zip(("_encoder", "_decoder"), pair, strict=True))


def pca_is_kept(start, best_epoch, learned, *, significance):
    """Whether a fit is to end as the PCA that it started from, and why.

    Parameters
    ----------
    start : Start
    best_epoch : int or None
        0 where no epoch was better than the start.

    learned : dict of str to FittedNetwork
        The networks that training ended with.

    significance : bool
        Whether PCA is left only for a significantly lower squared error.

    Returns
    -------
    reason : str or None
        None where what was learned is kept.
    """
    if not (start.is_pca and start.stops_early):
        return None
    if best_epoch == 0:
        return "no epoch had a lower validation loss"
    before, after = (
        (networks["_encoder"], networks["_decoder"])
        for networks in (start.networks, learned)
    )
    if significance and not is_better(after, before, start.validation):
        return (
            f"on {len(start.validation)} validation rows the lower loss of epoch "
            f"{best_epoch} is not significant"
        )
    return None


def pca_of(drawn, rows, seed):
    """The networks as PCA of rows, by the attribute that they are kept in."""
    return _named(pca_networks(drawn["_encoder"], drawn["_decoder"], rows, seed))


def check_continues(networks, fitted):
    """Raise if networks are other ones than those of an earlier fit.

    Raises
    ------
    ValueError
    """
    for name, network in networks.items():
        # Around models trained elsewhere there may be none.
        if name in fitted and fitted[name].config != network.config:
            raise ValueError(
                "warm_start=True continues from the fitted weights, but the "
                "network or the number of features has changed since: the "
                f"{name[1:]} is another. Set warm_start=False to start anew."
            )


def _continued(networks, fitted):
    """The networks with the weights of an earlier fit, where there was one."""
    return {
        name: network.with_weights(fitted[name].weights) if name in fitted else network
        for name, network in networks.items()
    }


def _bounded(validation, reference):
    """Validation rows, none of which rules the mean loss.

    A row whose squared error at the start is far above the median gets a weight below
    1, so that it counts as one that is `_MAX_ERROR` times the median.

    Parameters
    ----------
    validation : Rows
    reference : tuple of (FittedNetwork, FittedNetwork) or None
        The networks at the start, if they are PCA. None takes the error of the mean.
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


def _validation_fraction(rows, place, fraction):
    """The share to validate on without being asked to: more of few rows, 0 of a dozen.

    Parameters
    ----------
    rows : Rows or StreamedRows
    place : ndarray of shape (n_samples,) or None
        See `Survey`.

    fraction : float
        That of many rows.
    """
    n = len(np.unique(_groups(rows, place)))
    if n < _MIN_ROWS_TO_SPLIT:
        return 0
    return max(fraction, min(_MIN_VALIDATION_ROWS, n // 4) / n)


def split(rows, place, fraction, rng):
    """Return the rows to train on and those to validate on.

    Equal rows go to the same side, or what was trained on would be validated on; but
    streamed ones go by blocks. The side of a row follows from its values and one draw,
    so a fit that goes on with the same generator validates on the same rows, though
    others may have come.

    Parameters
    ----------
    rows : Rows or StreamedRows
    place : ndarray of shape (n_samples,) or None
        See `Survey`.

    fraction : float
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        If none would be left to train on.
    """
    groups = _groups(rows, place)
    distinct = np.unique(groups)
    n_validation = int(np.ceil(fraction * len(distinct)))
    if n_validation >= len(distinct):
        what = "distinct rows" if place is not None else "blocks of rows"
        raise ValueError(
            f"early_stopping=True validates on validation_fraction={fraction} of the "
            f"{what}, which leaves none to train on: n_samples={len(rows)}, "
            f"{len(distinct)} {what}. Give X_val, or set early_stopping=False."
        )
    if place is None:
        return rows.split(n_validation, rng)
    ranks = distinct * (rng.integers(2**64, dtype=np.uint64) | np.uint64(1))
    chosen = np.isin(groups, distinct[np.argsort(ranks)[:n_validation]])
    return rows.take(~chosen), rows.take(chosen)


def _groups(rows, place):
    """What goes to one side of a split: a block of rows, or all rows that are equal."""
    return np.arange(rows.n_blocks) if place is None else place[rows.index]
