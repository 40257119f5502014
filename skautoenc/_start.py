"""Where training starts: how much of it, the rows set aside, and the first weights."""

from typing import NamedTuple

import numpy as np

from ._pca_start import is_better, refusal, start_at_pca, why_not_pca
from .training import draw_seed

# Of fewer distinct rows, none are set aside without being asked for; of few, so many.
_FEWEST_TO_SPLIT, _FEWEST_ASIDE = 10, 10

# Steps that a fit takes unless told otherwise, within these epochs.
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 6000, 30, 1000
_LEAST_PATIENCE = 10


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
        epochs = int(np.clip(_STEPS // steps, _FEWEST_EPOCHS, _MOST_EPOCHS))
    if patience == "auto":
        patience = max(_LEAST_PATIENCE, epochs // 5)
    return Effort(int(batch_size), int(epochs), int(patience))


class Start:
    """What a fit starts with: its rows and first weights, which it may fall back to.

    Parameters
    ----------
    networks : dict of str to FittedNetwork
        Get the weights that training starts from, if not those they have.

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
        The share of the rows to set aside.

    fitted : dict
        Where the networks of an earlier fit are, if training is to go on from there.

    rng : numpy.random.Generator

    Attributes
    ----------
    rows : Rows or StreamedRows
        Those to train on.

    validation : Rows, StreamedRows or None
    refines_pca : bool
        Whether the networks can be PCA and are meant to be at first, though they may
        go on from an earlier fit.

    stops_early : bool
    networks : dict of str to FittedNetwork

    Raises
    ------
    ValueError
        If an earlier network is another, or if PCA is asked for and cannot be had.
    """

    def __init__(
        self,
        networks,
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
        rng,
    ):
        self._ends = networks["_encoder"], networks["_decoder"]
        reasons = why_not_pca(*self._ends, rows)
        can_be = codes_are_exact and not reasons
        if init == "pca" and not can_be:
            raise refusal(reasons)
        wanted = init == "pca" or (init == "auto" and not has_weights)
        self.refines_pca = can_be and wanted
        self._is_careful = early_stopping == "auto"
        self.stops_early = early_stopping
        if self._is_careful:
            fraction = _share_aside(rows, place, fraction) if self.refines_pca else 0
            has_some = validation is not None or fraction > 0
            self.stops_early = self.refines_pca and has_some
        self.networks, self._all_rows, self._place = networks, rows, place
        self.rows, self.validation = rows, validation
        if self.stops_early and validation is None:
            self.rows, self.validation = split(rows, place, fraction, rng)
        self._seed = draw_seed(rng)
        self._is_pca = self.refines_pca and "_encoder" not in fitted
        if self._is_pca:
            start_at_pca(*self._ends, self.rows, self._seed)
        elif fitted:
            _continue(networks, fitted)

    def is_kept(self, best_epoch, learned, comparable):
        """Whether the fit is to end as the PCA that it started from.

        It is then PCA of all rows, those that were set aside too, unless they would
        take another pass over data that memory may not hold.

        Parameters
        ----------
        best_epoch : int or None
            0 where no epoch was better than the start.

        learned : dict of str to FittedNetwork
            The networks that training ended with.

        comparable : bool
            Whether training was for the squared error of the rows as they are, so that
            doing better in that is what was looked for.
        """
        if not (self._is_pca and self.stops_early):
            return False
        if best_epoch != 0:
            doubts = self._is_careful and comparable
            ends = learned["_encoder"], learned["_decoder"]
            if not doubts or is_better(ends, self._ends, self.validation):
                return False
        if self._place is not None:
            start_at_pca(*self._ends, self._all_rows, self._seed)
        return True


def _continue(networks, fitted):
    """Give the networks the weights of an earlier fit."""
    for name, network in networks.items():
        earlier = fitted.get(name)
        if earlier is None:
            continue  # around models trained elsewhere
        if earlier.config != network.config:
            raise ValueError(
                "warm_start=True continues from the fitted weights, but the "
                "network or the number of features has changed since: the "
                f"{name[1:]} is another. Set warm_start=False to start anew."
            )
        network.weights = earlier.weights


def _share_aside(rows, place, fraction):
    """The share to set aside without being asked for: of few rows more, of a handful 0.

    Parameters
    ----------
    rows : Rows or StreamedRows
    place : ndarray of shape (n_samples,) or None
        See `Survey`.

    fraction : float
        That of many rows.
    """
    n = len(_kinds(rows, place))
    if n < _FEWEST_TO_SPLIT:
        return 0
    return max(fraction, min(_FEWEST_ASIDE, n // 4) / n)


def split(rows, place, fraction, rng):
    """Return the rows to train on and those to validate on.

    Equal rows go to the same side, or what was trained on would be validated on; but
    streamed ones go by blocks.

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
    kinds = _kinds(rows, place)
    n_aside = int(np.ceil(fraction * len(kinds)))
    if n_aside >= len(kinds):
        what = "distinct rows" if place is not None else "blocks of rows"
        raise ValueError(
            f"early_stopping=True sets validation_fraction={fraction} of the {what} "
            f"aside, which leaves none to train on: n_samples={len(rows)}, "
            f"{len(kinds)} {what}. Give X_val, or set early_stopping=False."
        )
    if place is None:
        return rows.split(n_aside, rng)
    aside = np.isin(place[rows.index], rng.permutation(kinds)[:n_aside])
    return rows.take(~aside), rows.take(aside)


def _kinds(rows, place):
    """What goes to one side of a split: a block of rows, or all rows that are equal."""
    if place is None:
        return np.arange(rows.n_blocks)
    return np.unique(place[rows.index])
