"""The networks of an imputer: options, training and outputs.

A network takes a row with zeros for missing values, and which values are observed, and
gives all values of the row. Values are standardized.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np

from .._imputation.cells import Validation
from .._training import (
    Augmentation,
    CosineSchedule,
    EarlyStopping,
    Hook,
    KerasCallbacks,
    Rows,
    TrainingState,
    make_callbacks,
    progress_hooks,
    run_epochs,
)
from .._utils.blocks import row_blocks
from .._utils.losses import WeightedSquaredError
from .._utils.random import RandomStreams
from .._utils.threads import one_blas_thread
from ..networks import ConvNetwork
from ..networks._incomplete import IncompleteNetwork
from ..networks._objectives import Reconstruction
from .augmentation import AugmentationOptions
from .diagnosis import warn_of_interruption
from .trainable import (
    Trainable,
    make_trainable,
    model_for_callbacks,
    networks_with_weights,
    open_engine_of,
    training_config,
)
from .values import FitData, FitOptions, Networks, Schema

# Number of networks, whose outputs are averaged. A third one hardly lowers the error.
N_NETWORKS = 2

# Share of the values that are hidden in a training step, besides those that are missing
# in another row.
_HIDDEN = 0.1

# Maximum number of rows on which the network is validated after an epoch.
_MAX_VALIDATION_ROWS = 1000

# Limit of standardized inputs and targets of the network.
_LIMIT = 10.0

# Number of training steps, and of a convolutional network, whose steps take longer.
_STEPS, _CONVOLUTIONAL_STEPS = 3000, 600

_BATCH_SIZE = 128

# Smallest number of epochs without a lower error after which training ends, and the
# largest for a fifth of the epochs. For small tables, which have many epochs, a tenth
# is enough; for larger ones it increases the error.
_MIN_PATIENCE, _MAX_FIFTH = 10, 60

_ADAM = {"class_name": "Adam", "config": {"learning_rate": 0.003, "beta_2": 0.99}}


def imputation_options(
    n_rows: int,
    network: Any,
    n_components: int | None,
    batch_size: int | Literal["auto"],
    epochs: int | Literal["auto"],
    patience: int | Literal["auto"],
    callbacks: Sequence[Any],
    verbose: int,
) -> FitOptions:
    """Return how the networks of an imputer are trained.

    Parameters
    ----------
    n_rows : int
        For which settings that are "auto" are chosen.

    network : callable, list of int or None
        See `IncompleteNetwork`. None trains no networks.

    n_components : int or None
    batch_size, epochs, patience : int or "auto"
    callbacks : sequence of keras.callbacks.Callback or callable
    verbose : int
    """
    size = _BATCH_SIZE if batch_size == "auto" else batch_size
    is_convolutional = isinstance(network, ConvNetwork)
    n_steps = _CONVOLUTIONAL_STEPS if is_convolutional else _STEPS
    if epochs == "auto":
        epochs = math.ceil(n_steps / math.ceil(n_rows / size))
    if patience == "auto":
        fifth = min(int(epochs) // 5, _MAX_FIFTH)
        patience = max(_MIN_PATIENCE, fifth, int(epochs) // 10)
    return FitOptions(
        network=None if network is None else IncompleteNetwork(network),
        n_components=n_components,
        objective=Reconstruction(),
        augmentation=AugmentationOptions(),
        init="random",
        loss=WeightedSquaredError(),
        optimizer=_ADAM,
        learning_rate=None,
        one_hot_groups=None,
        batch_size=int(size),
        epochs=int(epochs),
        patience=int(patience),
        early_stopping=True,
        validation_fraction=0.1,
        callbacks=tuple(callbacks),
        checkpoint=None,
        verbose=verbose,
    )


def incomplete_data(values: np.ndarray, known: np.ndarray) -> FitData:
    """Return the data that networks are trained on.

    A row is the values, and then the weight of each in the loss, which is 0 where a
    value is not known.
    """
    values = np.clip(values, -_LIMIT, _LIMIT).astype(np.float32)
    table = _with_weights(values, known)
    return FitData(table, None, None, None, Schema(table.shape[1]))


class UntrainedNetwork(NamedTuple):
    """A network to be trained.

    Attributes
    ----------
    trainable : Trainable
    options : FitOptions
        With instances of callbacks.

    streams : RandomStreams
    title : str
        For progress.
    """

    trainable: Trainable
    options: FitOptions
    streams: RandomStreams
    title: str


def make_networks(
    data: FitData, options: FitOptions, streams: RandomStreams
) -> list[UntrainedNetwork]:
    """Build the networks of an imputer, with random weights.

    Raises
    ------
    TypeError, ValueError
        If a callback is invalid, or if the network does not fit the data.
    """
    networks = []
    for i in range(N_NETWORKS):
        own = replace(options, callbacks=make_callbacks(options.callbacks))
        own_streams = RandomStreams(streams.seed("network", i))
        trainable = make_trainable(data, own, own_streams)
        title = f"Network {i + 1} of {N_NETWORKS}, epoch"
        networks.append(UntrainedNetwork(trainable, own, own_streams, title))
    return networks


class TrainedNetwork(NamedTuple):
    """A network, and how it was trained.

    Attributes
    ----------
    networks : dict of str to FittedNetwork
    history : dict of str to list of float
        Losses of the epochs.

    best_epoch : int
        The epoch whose weights are kept.

    was_stopped : bool
        Whether early stopping has ended the training.
    """

    networks: Networks
    history: dict[str, list[float]]
    best_epoch: int
    was_stopped: bool


def train_network(
    network: UntrainedNetwork,
    data: FitData,
    validation: Validation,
    hook: Hook | None,
) -> TrainedNetwork:
    """Train a network to give the known values of rows in which some are hidden.

    Parameters
    ----------
    network : UntrainedNetwork
    data : FitData
        Of `incomplete_data`.

    validation : Validation
        Its hidden values determine the epoch whose weights are kept.

    hook : Hook or None
        Called after early stopping.

    Raises
    ------
    ValueError
        If training diverges.
    """
    trainable, options, streams, title = network
    rows, validation_rows = Rows.all(data.X), _validation_rows(validation)
    config = training_config(
        options,
        augmentation=Augmentation(
            corruption=_hide_values, thread_safe=True, corrupts_validation=False
        ),
    )
    early_stopping = EarlyStopping(options.patience)
    hooks = [CosineSchedule(), early_stopping]
    if hook is not None:
        hooks.append(hook)
    if options.callbacks:
        model = model_for_callbacks(trainable, trainable.networks, (None, None))
        hooks.append(KerasCallbacks(options.callbacks, model))
    hooks += progress_hooks(options.verbose, title)
    lengths = len(rows), len(validation_rows)
    holds_blas = one_blas_thread if trainable.objective is None else nullcontext()
    with (
        open_engine_of(
            trainable, trainable.networks, config, lengths, options.callbacks
        ) as engine,
        holds_blas,
    ):
        state = TrainingState(streams)
        state = run_epochs(engine, rows, validation_rows, config, state, hooks)
        learned = networks_with_weights(trainable, engine.get_weights())
    warn_of_interruption(state, config.epochs)
    return TrainedNetwork(
        learned,
        state.history,
        early_stopping.best_epoch or 0,
        state.stopped_by == "early stopping",
    )


def _validation_rows(validation):
    """Return rows without the hidden values, which are the targets."""
    indices = np.flatnonzero(validation.hidden.any(axis=1))
    indices = indices[:: math.ceil(len(indices) / _MAX_VALIDATION_ROWS)]
    values, known, hidden = (array[indices] for array in validation)
    values = np.clip(values, -_LIMIT, _LIMIT)
    return Rows.all(_inputs(values, known), _with_weights(values, hidden))


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


def mean_output(
    networks: Sequence[Networks], values: np.ndarray, observed: np.ndarray
) -> np.ndarray:
    """Return the mean of the rows that networks give.

    Parameters
    ----------
    networks : sequence of dict of str to FittedNetwork
    values : ndarray of shape (n_samples, n_features)
        Missing values are not read.

    observed : ndarray of shape (n_samples, n_features), bool

    Returns
    -------
    ndarray of shape (n_samples, n_features), float32
    """
    mean = np.empty(values.shape, np.float32)
    for rows in row_blocks(*values.shape):
        inputs = _inputs(values[rows], observed[rows])
        outputs = [parts["decoder"](parts["encoder"](inputs)) for parts in networks]
        mean[rows] = np.mean(outputs, axis=0)
    return mean


def _inputs(values, observed):
    """Return the inputs of the network: observed values, and which are observed."""
    limited = np.clip(np.where(observed, values, 0.0), -_LIMIT, _LIMIT)
    return np.hstack([limited, observed], dtype=np.float32)


def _with_weights(values, cells):
    """Return targets: values, and weights with which the loss is a mean over cells."""
    return np.hstack([values * cells, cells / cells.mean()], dtype=np.float32)
