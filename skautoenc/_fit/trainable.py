"""The networks of a fit, and the engine that trains them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from .._backend.fork import forked_after_import
from .._backend.keras import isolated_random_state
from .._fitted.custom_objects import check_can_be_loaded
from .._fitted.network import FittedNetwork, between_shifts, config_of
from .._training import (
    Engine,
    TrainingConfig,
    get_loss,
    get_optimizer,
    listens_to_batches,
    make_numpy_engine,
    open_engine,
    trains_in_numpy,
)
from .._utils.losses import MixedLoss
from .._utils.random import RandomStreams
from .._utils.threads import one_blas_thread
from ..networks._dense import dense_pair
from ..networks._incomplete import IncompleteNetwork
from ..networks._objectives import Objective, chain
from ..networks._resolve import build_pair
from .initialization import Initialization
from .values import FitData, FitOptions, Networks

# The limit of `trains_in_numpy` for an imputer, in multiplications. Its steps are large
# products, for which a compiled step takes as much processor time, and Keras seconds to
# start. Early stopping ends most of its trainings.
_MAX_GAIN_OF_IMPUTERS = 2e11


@dataclass(frozen=True)
class Trainable:
    """Networks that can be trained.

    Attributes
    ----------
    networks : dict of str to FittedNetwork
        "encoder", "decoder" and other parts of the objective, with random or given
        weights.

    n_components : int
        Width of the code.

    objective : Objective or None
        Keras models of the networks. None for networks that NumPy trains.
    """

    networks: Networks
    n_components: int
    objective: Objective | None


def training_config(options: FitOptions, **settings) -> TrainingConfig:
    """Return the configuration of the training that `options` ask for."""
    names = "loss", "optimizer", "learning_rate", "batch_size", "epochs"
    return TrainingConfig(**{name: getattr(options, name) for name in names} | settings)


def make_trainable(
    data: FitData,
    options: FitOptions,
    streams: RandomStreams,
    n_rows: int | None = None,
) -> Trainable:
    """Build the networks of a fit, as Keras models only if NumPy cannot train them.

    Parameters
    ----------
    data : FitData
    options : FitOptions
    streams : RandomStreams
    n_rows : int or None, default=None
        Number of rows in an epoch; None for those of `data`.
    """
    pair = _dense_pair(data, options, streams)
    if _is_trained_in_numpy(pair, n_rows or data.X.shape[0], options):
        networks = dict(zip(("encoder", "decoder"), pair, strict=True))
        n_components = pair[0].dense_spec.widths[-1]
        return Trainable(_with_groups(networks, options), n_components, None)
    check_can_be_loaded(_custom_parameters(options))
    with isolated_random_state(streams.seed("weights")):
        # Unknown names are refused before anything is computed.
        get_loss(options.loss)
        get_optimizer(options.optimizer, options.learning_rate)
        if pair is None:
            row_shape = data.schema.row_shape or (data.schema.n_features,)
            models = build_pair(options.network, row_shape, options.n_components)
        else:
            models = pair[0].build(), pair[1].build()
        objective = options.objective.build(*models)
    networks = {
        part: FittedNetwork(config_of(model), model.get_weights())
        for part, model in objective.parts.items()
    }
    if pair is not None:
        networks |= zip(("encoder", "decoder"), pair, strict=True)
    n_components = objective.parts["encoder"].output_shape[1]
    return Trainable(_with_groups(networks, options), n_components, objective)


def _with_groups(networks, options):
    """Return the networks with a decoder that gives the probabilities of groups."""
    if not isinstance(options.loss, MixedLoss):
        return networks
    decoder = networks["decoder"].with_groups(options.loss.groups)
    return {**networks, "decoder": decoder}


def _custom_parameters(options):
    """Return the parameters of the fit and of its network that may hold objects."""
    network = options.network
    has_params = hasattr(network, "get_params") and not isinstance(network, type)
    return {
        "loss": options.loss,
        "optimizer": options.optimizer,
        "learning_rate": options.learning_rate,
        **(network.get_params(deep=False) if has_params else {}),
    }


def needs_keras(
    data: FitData,
    options: FitOptions,
    streams: RandomStreams,
    n_rows: int | None = None,
) -> bool:
    """Whether `make_trainable` builds Keras models."""
    pair = _dense_pair(data, options, streams)
    return not _is_trained_in_numpy(pair, n_rows or data.X.shape[0], options)


def _dense_pair(data, options, streams):
    network, rng = options.network, streams.generator("weights")
    sizes = data.schema.n_features, options.n_components
    if isinstance(network, IncompleteNetwork):
        return network.dense_pair(*sizes, rng)
    return dense_pair(network, *sizes, rng)


def _is_trained_in_numpy(pair, n_rows, options):
    if pair is None or options.objective.has_auxiliary_outputs:
        return False
    if options.callbacks and (
        forked_after_import() or any(map(listens_to_batches, options.callbacks))
    ):
        return False
    config = training_config(options)
    if isinstance(options.network, IncompleteNetwork):
        return trains_in_numpy(pair, config, n_rows, _MAX_GAIN_OF_IMPUTERS)
    return trains_in_numpy(pair, config, n_rows)


@contextlib.contextmanager
def engine_of(
    trainable: Trainable,
    start: Initialization,
    config: TrainingConfig,
    callbacks: tuple,
) -> Iterator[Engine]:
    """Open the engine of a fit, with its initial weights."""
    n_validation = 0 if start.validation is None else len(start.validation)
    n_rows = len(start.training), n_validation
    holds_blas = one_blas_thread if trainable.objective is None else nullcontext()
    with (
        open_engine_of(trainable, start.networks, config, n_rows, callbacks) as engine,
        holds_blas,
    ):
        yield engine


@contextlib.contextmanager
def open_engine_of(
    trainable: Trainable,
    networks: Networks,
    config: TrainingConfig,
    n_rows: tuple[int, int],
    callbacks: tuple,
) -> Iterator[Engine]:
    """Open the engine that trains `trainable`, from the weights of `networks`.

    Parameters
    ----------
    trainable : Trainable
    networks : dict of str to FittedNetwork
    config : TrainingConfig
    n_rows : tuple of (int, int)
        Number of training and validation rows.

    callbacks : tuple of keras.callbacks.Callback
    """
    if trainable.objective is None:
        yield make_numpy_engine(list(networks.values()), config, n_rows[0])
        return
    model, parts, _ = trainable.objective
    for part, keras_model in parts.items():
        keras_model.set_weights(networks[part].weights)
    with open_engine(model, config, *n_rows, callbacks) as engine:
        yield engine


def networks_with_weights(trainable: Trainable, weights: list[np.ndarray]) -> Networks:
    """Return the networks with weights in the order that the engine has them."""
    if trainable.objective is None:
        arrays = iter(weights)
        return {
            part: network.with_weights([next(arrays) for _ in network.weights])
            for part, network in trainable.networks.items()
        }
    model, parts, _ = trainable.objective
    weight_of = {
        id(variable): weight
        for variable, weight in zip(model.weights, weights, strict=True)
    }
    return {
        part: network.with_weights([weight_of[id(v)] for v in parts[part].weights])
        for part, network in trainable.networks.items()
    }


def model_for_callbacks(
    trainable: Trainable,
    networks: Networks,
    shifts: tuple[np.ndarray | None, np.ndarray | None],
):
    """Return the Keras model that callbacks see, which takes rows before `shifts`."""
    groups = networks["decoder"].groups
    if trainable.objective is not None:
        return between_shifts(trainable.objective.model, *shifts, groups=groups)
    with isolated_random_state(0):
        models = [network.build() for network in networks.values()]
        model = chain(*models) if len(models) > 1 else models[0]
    return between_shifts(model, *shifts, groups=groups)
