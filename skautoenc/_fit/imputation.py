"""The fit of an imputer: a linear model, networks, and the blend of both.

The linear model is a normal distribution, or a factor model for tables with many
columns. Both it and the networks give all values of a row; the blend is fitted on
observed values that were hidden from both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .._imputation.cells import (
    Scale,
    Validation,
    blend_weight,
    hold_out_cells,
    scale_of,
)
from .._imputation.factors import FactorModel, fit_factors
from .._imputation.gaussian import Gaussian, fit_gaussian
from .._training import Hook
from .._utils.random import RandomStreams
from .._utils.stored import stored_as
from .diagnosis import diverged
from .imputation_networks import (
    incomplete_data,
    make_networks,
    mean_output,
    train_network,
)
from .trainable import networks_with_weights
from .values import FitOptions, Networks

# Number of columns up to which a normal distribution is fitted, whose time grows with
# the cube of it.
_MAX_GAUSSIAN_FEATURES = 200

# Share of the observed values that are held out, maximum number of rows that have some,
# and number of held-out values from which on networks are trained.
_HELD_OUT, _MAX_HELD_OUT_ROWS, _MIN_HELD_OUT = 0.1, 20_000, 100

# Share of the first network in the blend below which no other one is trained, if early
# stopping has ended its training: on such tables networks hardly lower the error.
_MIN_SHARE = 0.1


class IncompleteRows(NamedTuple):
    """Rows with missing values.

    Attributes
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Missing values are not read.

    observed : ndarray of shape (n_samples, n_features), bool
    """

    X: np.ndarray
    observed: np.ndarray


@stored_as("imputation")
@dataclass(frozen=True)
class FittedImputation:
    """What fills the missing values of rows.

    Attributes
    ----------
    scale : Scale
    linear : Gaussian or FactorModel
        Of standardized columns.

    networks : list of dict of str to FittedNetwork
        An encoder and a decoder each.

    weight : float
        Share of the networks in the blend.

    histories : list of dict of str to list of float
        Losses of each epoch of each network: mean squared errors of standardized
        values.
    """

    scale: Scale
    linear: Gaussian | FactorModel
    networks: list[Networks] = field(default_factory=list)
    weight: float = 0.0
    histories: list[dict[str, list[float]]] = field(default_factory=list)

    def fill(
        self,
        X: np.ndarray,
        observed: np.ndarray,
        rng: np.random.Generator | None = None,
    ) -> np.ndarray:
        """Return rows with missing values replaced, in units of X.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Missing values are not read.

        observed : ndarray of shape (n_samples, n_features), bool
        rng : numpy.random.Generator or None, default=None
            Draws values from their conditional distribution. None takes its mean.
        """
        if observed.all():
            return X.copy()
        values = self.scale.standardize(np.where(observed, X, 0.0))
        filled = self.linear.fill(values, observed)
        if self.weight > 0:
            other = mean_output(self.networks, values, observed)
            filled += self.weight * (other - filled)
        if rng is not None:
            filled += self.linear.deviations(observed, rng)
        return np.where(observed, X, self.scale.restore(filled))


HookFactory = Callable[[Callable[[list[np.ndarray]], FittedImputation]], Hook]


def fit_imputation(
    rows: IncompleteRows,
    validation_rows: IncompleteRows | None,
    options: FitOptions,
    streams: RandomStreams,
    make_hook: HookFactory | None = None,
) -> FittedImputation:
    """Fit what fills the missing values of rows.

    Parameters
    ----------
    rows : IncompleteRows
        Each column has an observed value.

    validation_rows : IncompleteRows or None
        Rows of which values are held out. None holds out values of `rows`.

    options : FitOptions
        See `imputation_options`.

    streams : RandomStreams
    make_hook : callable or None, default=None
        Called for each network as ``make_hook(result_of)``; returns a hook of the epoch
        loop. ``result_of(weights)`` is what the fit would return with the networks
        before, and the current one with these weights.

    Raises
    ------
    TypeError, ValueError
        If the validation rows have too few values, if a callback is invalid, if the
        network does not fit the columns, or if training diverges.
    """
    observed = rows.observed
    scale = scale_of(*rows)
    values = scale.standardize(np.where(observed, rows.X, 0.0))
    known, validation = _split(values, observed, validation_rows, scale, streams)
    untrained: list = []
    if _trains_networks(options, validation, is_given=validation_rows is not None):
        data = incomplete_data(values, known)
        untrained = make_networks(data, options, streams)  # raises errors early
    without, linear = _fit_linear(values, known, observed, validation, streams)
    start = without.fill(validation.X, validation.known)
    trained: list = []
    fitted = FittedImputation(scale, linear)

    def result(networks):
        other = mean_output(networks, validation.X, validation.known)
        if not np.isfinite(other).all():
            raise diverged("the output of a network is not finite")
        weight = blend_weight(start, other, validation.X, validation.hidden)
        histories = [network.history for network in trained]
        return FittedImputation(scale, linear, networks, weight, histories)

    for network in untrained:
        before = [each.networks for each in trained]

        def result_of(weights, trainable=network.trainable, before=before):
            return result([*before, networks_with_weights(trainable, weights)])

        hook = None if make_hook is None else make_hook(result_of)
        trained.append(train_network(network, data, validation, hook))
        fitted = result([*before, trained[-1].networks])
        if trained[-1].was_stopped and fitted.weight < _MIN_SHARE:
            break
    if options.verbose and trained:
        print(_ending(trained, fitted.weight), flush=True)
    return fitted


def _split(values, observed, validation_rows, scale, streams):
    """Return which values are fitted to, and the rows of which values are held out."""
    rng = streams.generator("held out")
    if validation_rows is None:
        held_out = _held_out(observed, rng)
        return observed & ~held_out, _validation(values, observed, held_out)
    X, visible = validation_rows
    X = scale.standardize(np.where(visible, X, 0.0))
    return observed, _validation(X, visible, _held_out(visible, rng))


def _held_out(observed, rng):
    """Return which observed values are held out; of many rows, in some of them."""
    n_rows = len(observed)
    if n_rows <= _MAX_HELD_OUT_ROWS:
        return hold_out_cells(observed, _HELD_OUT, rng)
    rows = rng.permutation(n_rows)[:_MAX_HELD_OUT_ROWS]
    held_out = np.zeros(observed.shape, bool)
    held_out[rows] = hold_out_cells(observed[rows], _HELD_OUT, rng)
    return held_out


def _validation(X, observed, held_out):
    """Return the rows that have values held out."""
    rows = held_out.any(axis=1)
    return Validation(X[rows], (observed & ~held_out)[rows], held_out[rows])


def _trains_networks(options, validation, *, is_given):
    """Whether networks are trained: if there are enough values to validate them on."""
    n_hidden = int(validation.hidden.sum())
    if options.network is None or n_hidden >= _MIN_HELD_OUT:
        return options.network is not None
    if is_given:
        raise ValueError(
            f"X_val has too few observed values: {n_hidden} of them are hidden to "
            f"validate the networks on, and {_MIN_HELD_OUT} are needed. Give more "
            "rows, or leave X_val out."
        )
    return False


def _fit_linear(values, known, observed, validation, streams):
    """Fit the linear model, without the held-out values and with all."""
    is_wide = values.shape[1] > _MAX_GAUSSIAN_FEATURES
    fit = fit_factors if is_wide else fit_gaussian
    rng = streams.generator("factors" if is_wide else "rows")
    return fit(values, known, observed, validation, rng)


def _ending(trained, weight):
    """Return the sentence that says which weights are kept."""
    epochs = " and ".join(str(network.best_epoch) for network in trained)
    return (
        f"Kept epochs {epochs}: they have the lowest validation losses. The networks "
        f"have a share of {weight:.0%} in the blend."
    )
