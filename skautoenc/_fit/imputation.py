"""The fit of an imputer: a linear model, networks, and the blend of both.

The linear model is a normal distribution, or a factor model for tables with many
columns. A network takes a row with zeros for missing values, and which values are
observed. Both give all values of a row; the blend is fitted on observed values that
were hidden from both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from .._fitted.dense_spec import DenseSpec, LayerSpec
from .._fitted.network import FittedNetwork
from .._imputation.cells import Scale, blend_weight, hold_out_cells, scale_of
from .._imputation.factors import FactorModel, fit_factors
from .._imputation.gaussian import Gaussian, fit_gaussian
from .._training import (
    Augmentation,
    CosineSchedule,
    EarlyStopping,
    Rows,
    TrainingConfig,
    TrainingState,
    make_numpy_engine,
    progress_hooks,
    run_epochs,
)
from .._utils.random import RandomStreams
from .._utils.stored import stored_as
from .diagnosis import diverged, warn_of_interruption

# Number of columns up to which a normal distribution is fitted, whose time grows with
# the cube of it.
_MAX_GAUSSIAN_FEATURES = 200

# Share of the observed values that are held out, and number of them from which on a
# network is trained.
_HELD_OUT, _MIN_HELD_OUT = 0.1, 100

# Number of networks, whose outputs are averaged. A third one hardly lowers the error.
_N_NETWORKS = 2

# Share of the values that are hidden in a training step, besides those that are missing
# in another row.
_HIDDEN = 0.1

# Maximum number of rows on which the network is validated after an epoch.
_MAX_VALIDATION_ROWS = 1000

# Limit of standardized inputs and targets of the network.
_LIMIT = 10.0

_BATCH_SIZE, _STEPS, _MIN_PATIENCE = 128, 3000, 10
_ADAM = {"class_name": "Adam", "config": {"learning_rate": 0.003, "beta_2": 0.99}}


@dataclass(frozen=True)
class ImputationOptions:
    """How an imputer is trained.

    Attributes
    ----------
    hidden_layer_sizes : list of int
        If empty, no networks are trained.

    batch_size, epochs, patience : int or "auto"
    verbose : int
    """

    hidden_layer_sizes: list[int]
    batch_size: int | Literal["auto"]
    epochs: int | Literal["auto"]
    patience: int | Literal["auto"]
    verbose: int


@stored_as("imputation")
@dataclass(frozen=True)
class FittedImputation:
    """What fills the missing values of rows.

    Attributes
    ----------
    scale : Scale
    linear : Gaussian or FactorModel
        Of standardized columns.

    networks : list of FittedNetwork
    weight : float
        Share of the networks in the blend.

    histories : list of dict of str to list of float
        Losses of each epoch of each network: mean squared errors of standardized
        values.
    """

    scale: Scale
    linear: Gaussian | FactorModel
    networks: list[FittedNetwork] = field(default_factory=list)
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
            other = _mean_output(self.networks, values, observed)
            filled += self.weight * (other - filled)
        if rng is not None:
            filled += self.linear.deviations(observed, rng)
        return np.where(observed, X, self.scale.restore(filled))


def fit_imputation(
    X: np.ndarray,
    observed: np.ndarray,
    options: ImputationOptions,
    streams: RandomStreams,
) -> FittedImputation:
    """Fit what fills the missing values of rows.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Missing values are not read.

    observed : ndarray of shape (n_samples, n_features), bool
        Each column has an observed value.

    options : ImputationOptions
    streams : RandomStreams

    Raises
    ------
    ValueError
        If training diverges.
    """
    scale = scale_of(X, observed)
    values = scale.standardize(np.where(observed, X, 0.0))
    held_out = hold_out_cells(observed, _HELD_OUT, streams.generator("held out"))
    without: Gaussian | FactorModel
    linear: Gaussian | FactorModel
    if X.shape[1] <= _MAX_GAUSSIAN_FEATURES:
        without, linear = fit_gaussian(values, observed, held_out)
    else:
        rng = streams.generator("factors")
        without, linear = fit_factors(values, observed, held_out, rng)
    if not options.hidden_layer_sizes or held_out.sum() < _MIN_HELD_OUT:
        return FittedImputation(scale, linear)
    known = observed & ~held_out
    networks, histories = [], []
    for i in range(_N_NETWORKS):
        own = RandomStreams(streams.seed("network", i))
        title = f"Network {i + 1} of {_N_NETWORKS}, epoch"
        network, state = _train(values, known, held_out, options, own, title)
        networks.append(network)
        histories.append(state.history)
    other = _mean_output(networks, values, known)
    if not np.isfinite(other).all():
        raise diverged("the output of a network is not finite")
    weight = blend_weight(without.fill(values, known), other, values, held_out)
    return FittedImputation(scale, linear, networks, weight, histories)


def _train(values, known, held_out, options, streams, title):
    """Train a network to give the known values of rows in which some are hidden.

    The row of a target is the values, and then the weight of each in the loss.
    """
    n_rows, n_features = values.shape
    values = np.clip(values, -_LIMIT, _LIMIT).astype(np.float32)
    training = Rows.all(_with_weights(values, known))
    rows = np.flatnonzero(held_out.any(axis=1))
    rows = rows[:: math.ceil(len(rows) / _MAX_VALIDATION_ROWS)]
    validation = Rows.all(
        _inputs(values[rows], known[rows]), _with_weights(values[rows], held_out[rows])
    )
    sizes = options.hidden_layer_sizes
    layers = [*(LayerSpec(size, "relu") for size in sizes), LayerSpec(n_features)]
    spec = DenseSpec(2 * n_features, tuple(layers))
    weights = spec.initial_weights(streams.generator("weights"))
    network = FittedNetwork(spec.to_config(), weights)
    config, patience = _config(n_rows, options)
    progress = progress_hooks(options.verbose, title)
    hooks = [CosineSchedule(), EarlyStopping(patience), *progress]
    with make_numpy_engine([network], config, n_rows) as engine:
        state = TrainingState(streams)
        state = run_epochs(engine, training, validation, config, state, hooks)
        network = network.with_weights(engine.get_weights())
    warn_of_interruption(state, config.epochs)
    return network, state


def _config(n_rows, options):
    """Return the configuration of the epoch loop, and the patience."""
    batch_size, epochs, patience = options.batch_size, options.epochs, options.patience
    if batch_size == "auto":
        batch_size = _BATCH_SIZE
    if epochs == "auto":
        epochs = math.ceil(_STEPS / math.ceil(n_rows / batch_size))
    if patience == "auto":
        patience = max(_MIN_PATIENCE, epochs // 5)
    augmentation = Augmentation(
        corruption=_hide_values, thread_safe=True, corrupts_validation=False
    )
    config = TrainingConfig(
        "mean_squared_error",
        _ADAM,
        None,
        batch_size,
        epochs,
        augmentation=augmentation,
        has_value_weights=True,
    )
    return config, patience


def _hide_values(targets, rng, inputs):
    """Write inputs in which more values are hidden than are missing.

    Values are hidden that are missing in another row, so that the inputs have missing
    values in the same patterns as the table, and some more at random.
    """
    n_features = targets.shape[1] // 2
    known = targets[:, n_features:] > 0
    visible = known & known[rng.permutation(len(known))]
    visible &= rng.random(visible.shape, np.float32) >= np.float32(_HIDDEN)
    np.multiply(targets[:, :n_features], visible, out=inputs[:, :n_features])
    inputs[:, n_features:] = visible


def _mean_output(networks, values, observed):
    """Return the mean of the rows that networks give."""
    inputs = _inputs(values, observed)
    return np.mean([network(inputs) for network in networks], axis=0)


def _inputs(values, observed):
    """Return the inputs of the network: observed values, and which are observed."""
    limited = np.clip(np.where(observed, values, 0.0), -_LIMIT, _LIMIT)
    return np.hstack([limited, observed], dtype=np.float32)


def _with_weights(values, cells):
    """Return targets: values, and weights with which the loss is a mean over cells."""
    return np.hstack([values * cells, cells / cells.mean()], dtype=np.float32)
