"""Training of a chain of networks that ends in a head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._backend.keras import isolated_random_state
from .._fitted.custom_objects import check_can_be_loaded
from .._training import (
    CosineSchedule,
    Hook,
    KerasCallbacks,
    Rows,
    Run,
    TrainingConfig,
    TrainingState,
    get_optimizer,
    listens_to_batches,
    progress_hooks,
    run_epochs,
    trains_in_numpy,
)
from .._utils.losses import MixedLoss
from .._utils.random import RandomStreams
from .._utils.threads import one_blas_thread
from ..networks._objectives import Objective, chain
from .diagnosis import warn_of_interruption
from .heads import with_dropout
from .trainable import (
    Trainable,
    model_for_callbacks,
    networks_with_weights,
    open_engine_of,
)
from .values import Networks

# Steps of the training, and limits of the number of epochs and of the batch size.
_STEPS, _MIN_EPOCHS, _MAX_EPOCHS = 1000, 10, 200
_BATCHES, _MIN_BATCH_SIZE, _MAX_BATCH_SIZE = 32, 32, 256

# Learning rate of Adam for categories. Probabilities are closer to 0 and 1 than they
# should be after all epochs at a higher one.
_CLASSIFIER_RATE = 5e-4


@dataclass(frozen=True)
class HeadOptions:
    """How a head and its encoder are trained: the parameters of an estimator.

    Attributes
    ----------
    hidden_layer_sizes : list of int
        Of the head.

    dropout : float
    fine_tune : bool
        Whether the encoder is trained, too.

    optimizer, learning_rate : object
    batch_size, epochs, patience : int or "auto"
    early_stopping : bool or "auto"
        ``"auto"`` chooses the number of epochs by cross-validation.

    callbacks : tuple of keras.callbacks.Callback or callable
    verbose : int
    """

    hidden_layer_sizes: list[int]
    dropout: float
    fine_tune: bool
    optimizer: Any
    learning_rate: Any
    batch_size: Any
    epochs: Any
    patience: Any
    early_stopping: Any
    callbacks: tuple
    verbose: int


class HeadStart(NamedTuple):
    """Networks before they are trained, and the rows to train on.

    Attributes
    ----------
    networks : dict of str to FittedNetwork
        "decoder" is the head. Without "encoder", rows are codes.

    training : Rows
    validation : Rows or None
    """

    networks: Networks
    training: Rows
    validation: Rows | None


class ValidationLosses(Hook):
    """Records the validation loss of the start and of each epoch.

    Attributes
    ----------
    losses : list of float
    """

    def __init__(self) -> None:
        self.losses: list[float] = []

    def on_epoch_begin(self, run: Run) -> None:
        if not self.losses:
            self.losses.append(run.evaluate()["val_loss"])

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        self.losses.append(logs["val_loss"])


class StopAfter(Hook):
    """Stops training after a number of epochs.

    Parameters
    ----------
    n_epochs : int
    """

    def __init__(self, n_epochs: int):
        self._n_epochs = n_epochs

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        if run.state.epoch == self._n_epochs:
            run.stop("the number of epochs that cross-validation has chosen")


def train_head(
    start: HeadStart,
    config: TrainingConfig,
    options: HeadOptions,
    streams: RandomStreams,
    hooks: Sequence[Hook],
    title: str = "Labelled rows, epoch",
) -> tuple[Networks, TrainingState]:
    """Train networks, at a learning rate that is annealed to zero.

    Parameters
    ----------
    start : HeadStart
    config : TrainingConfig
    options : HeadOptions
        `callbacks` holds objects alone.

    streams : RandomStreams
    hooks : sequence of Hook
    title : str
        What precedes the number of the epoch in reports of the progress.

    Returns
    -------
    networks : dict of str to FittedNetwork
    state : TrainingState
    """
    networks, training, validation = start
    callbacks = options.callbacks
    n_rows = len(training), 0 if validation is None else len(validation)
    trainable = _make_trainable(networks, config, options, n_rows[0], streams)
    hooks = [CosineSchedule(), *hooks]
    if callbacks:
        model = model_for_callbacks(trainable, networks, (training.shift, None))
        hooks.append(KerasCallbacks(callbacks, model))
    hooks += progress_hooks(options.verbose, title)
    holds_blas = one_blas_thread if trainable.objective is None else nullcontext()
    with (
        open_engine_of(trainable, networks, config, n_rows, callbacks) as engine,
        holds_blas,
    ):
        state = TrainingState(streams)
        state = run_epochs(engine, training, validation, config, state, hooks)
        networks = networks_with_weights(trainable, engine.get_weights())
    warn_of_interruption(state, config.epochs)
    return networks, state


def head_config(loss: Any, options: HeadOptions, n_rows: int) -> TrainingConfig:
    """Return the configuration of the epoch loop for so many rows."""
    batch_size, epochs = options.batch_size, options.epochs
    if batch_size == "auto":
        batch_size = int(np.clip(n_rows // _BATCHES, _MIN_BATCH_SIZE, _MAX_BATCH_SIZE))
    if epochs == "auto":
        n_epochs = math.ceil(_STEPS / math.ceil(n_rows / batch_size))
        epochs = int(np.clip(n_epochs, _MIN_EPOCHS, _MAX_EPOCHS))
    rate = options.learning_rate
    if rate is None and options.optimizer == "adam" and isinstance(loss, MixedLoss):
        rate = _CLASSIFIER_RATE
    return TrainingConfig(loss, options.optimizer, rate, batch_size, epochs)


def is_trained_in_numpy(
    networks: Networks, config: TrainingConfig, options: HeadOptions, n_rows: int
) -> bool:
    """Whether networks are trained without Keras."""
    if options.dropout or any(map(listens_to_batches, options.callbacks)):
        return False
    return trains_in_numpy(list(networks.values()), config, n_rows)


def _make_trainable(networks, config, options, n_rows, streams):
    """Return the networks, as Keras models only if NumPy cannot train them."""
    n_components = networks["decoder"].dense_spec.n_in
    if is_trained_in_numpy(networks, config, options, n_rows):
        return Trainable(networks, n_components, None)
    check_can_be_loaded({"optimizer": options.optimizer})
    with isolated_random_state(streams.seed("head")):
        get_optimizer(config.optimizer, config.learning_rate)
        models = {part: network.build() for part, network in networks.items()}
        if options.dropout:
            models["decoder"] = with_dropout(models["decoder"], options.dropout)
        model = chain(*models.values()) if len(models) > 1 else models["decoder"]
    return Trainable(networks, n_components, Objective(model, models, {}))
