"""The steps of a fit, from validated data and options to trained networks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import numpy as np

from .._training import (
    Augmentation,
    CosineSchedule,
    EarlyStopping,
    Hook,
    KerasCallbacks,
    TrainingState,
    Verbose,
    run_epochs,
)
from .._utils.losses import is_squared_error
from .._utils.random import RandomStreams
from .augmentation import bind_noise
from .centering import center_networks, center_rows, warn_of_rounding
from .checks import check_loss_domain, warn_of_output_range
from .codes import arrange_codes
from .defaults import use_mixup
from .diagnosis import check_result, warn_of_collapse
from .initialization import initialize, with_pca_weights
from .pca import noise_variance
from .selection import select_networks
from .summary import summarize
from .trainable import (
    engine_of,
    make_trainable,
    model_for_callbacks,
    networks_with_weights,
    training_config,
)
from .values import FitData, FitOptions, FitResult, WarmStart

HookFactory = Callable[[Callable[[list[np.ndarray]], FitResult]], Hook]


def fit_autoencoder(
    data: FitData,
    options: FitOptions,
    streams: RandomStreams,
    previous: WarmStart | None = None,
    make_hooks: Iterable[HookFactory] = (),
) -> FitResult:
    """Train an autoencoder.

    Parameters
    ----------
    data : FitData
    options : FitOptions
    streams : RandomStreams
    previous : WarmStart or None, default=None
        Networks to continue from.

    make_hooks : iterable of callable, default=()
        Each is called as ``make_hook(result_of)`` and returns a hook of the epoch loop.
        ``result_of(weights)`` is what the fit would return with these weights, as
        ``Engine.get_weights`` gives them.

    Raises
    ------
    ValueError
        If the data do not suit the loss or the network, or if training diverges.
    """
    inputs, targets = _summarize(data)
    check_loss_domain(options.loss, data, targets)
    trainable = make_trainable(data, options, streams)
    networks, shifts = _center_networks(
        trainable.networks, data, inputs, targets, options, previous
    )
    rows, validation = center_rows(data, shifts, inputs.row_hashes)
    start = initialize(
        networks, rows, validation, inputs.row_hashes, options, streams, previous
    )
    config = _training_config(trainable, options, start, targets, shifts[1])
    make_result = functools.partial(
        FitResult,
        n_components=trainable.n_components,
        dtype=data.targets.dtype.type,
        mean=targets.mean,
        largest=np.maximum(-targets.low, targets.high),
        uses_mixup=config.augmentation.mixup,
        loss_weights=config.loss_weights,
        split_seed=start.split_seed,
    )

    def result_of(weights):
        networks = networks_with_weights(trainable, weights)
        return make_result(_with_shifts(networks, shifts))

    learned, history, best_epoch = _train(
        trainable,
        start,
        config,
        options,
        TrainingState(streams),
        [make_hook(result_of) for make_hook in make_hooks],
        shifts,
    )
    sample = check_result(learned, rows, start.networks if start.is_pca else None)
    n_iter = len(history["loss"])
    selection = _select(start, learned, best_epoch, n_iter, config, options)
    if not selection.is_pca:
        n_steps = n_iter * len(start.training) // config.batch_size
        warn_of_collapse(options, sample, n_steps)
    learned, codes = _arrange_codes(
        selection, networks, rows, trainable.n_components, targets, start, options
    )
    if options.verbose:
        print(selection.message, flush=True)
    return make_result(
        _with_shifts(learned, shifts),
        history=history,
        n_iter=n_iter,
        best_epoch=selection.epoch,
        codes=codes,
    )


def _summarize(data):
    """Summarize the inputs and the targets."""
    inputs = summarize(data.X, data.sample_weight)
    if data.X_clean is None:
        return inputs, inputs
    return inputs, summarize(data.X_clean, data.sample_weight)


def _center_networks(networks, data, inputs, targets, options, previous):
    """Center networks with random weights; return them and the shifts of the data."""
    if previous is not None:
        pair = previous.networks["encoder"], previous.networks["decoder"]
        shifts = pair[0].input_shift, pair[1].output_shift
    elif options.has_given_weights:  # trained on rows that are not centered
        shifts = None, None
    else:
        networks, shifts = center_networks(
            networks, options.loss, inputs, targets, data
        )
    name = data.name_of_targets
    warn_of_output_range(networks["decoder"], options.loss, targets, name)
    warn_of_rounding(inputs, shifts[0], data.X.dtype, data.schema.feature_names)
    return networks, shifts


def _with_shifts(networks, shifts):
    """Return the networks with the shifts around them."""
    return {
        **networks,
        "encoder": networks["encoder"].with_shifts(input_shift=shifts[0]),
        "decoder": networks["decoder"].with_shifts(output_shift=shifts[1]),
    }


def _training_config(trainable, options, start, targets, shift):
    """Return the configuration of the epoch loop."""
    noise = options.augmentation.noise
    if start.training.targets is not None:
        noise = None  # the inputs are given
    mixup = use_mixup(
        options.augmentation.mixup, start.pca_initialized, len(start.training)
    )
    corruption = None if noise is None else bind_noise(noise, targets, shift)
    thread_safe = noise is not None and not callable(noise.kind)

    def auto_beta():
        if not is_squared_error(options.loss):
            return 1.0
        n_components = trainable.n_components
        return 2 * noise_variance(start.training, n_components, start.pca_seed)

    return training_config(
        options,
        loss_weights=options.objective.loss_weights(auto_beta),
        augmentation=Augmentation(mixup, corruption, thread_safe=thread_safe),
    )


def _train(trainable, start, config, options, state, hooks, shifts):
    """Run the epochs; return the networks, the history and the best epoch if any."""
    early_stopping = EarlyStopping(options.patience) if start.stops_early else None
    hooks = [
        CosineSchedule() if start.pca_initialized else None,
        early_stopping,
        *hooks,
        _keras_callbacks(trainable, start, shifts, options),
        Verbose(options.verbose) if options.verbose else None,
    ]
    hooks = [hook for hook in hooks if hook is not None]
    with engine_of(trainable, start, config, options.callbacks) as engine:
        state = run_epochs(
            engine, start.training, start.validation, config, state, hooks
        )
        learned = networks_with_weights(trainable, engine.get_weights())
    best_epoch = None if early_stopping is None else early_stopping.best_epoch
    return learned, state.history, best_epoch


def _keras_callbacks(trainable, start, shifts, options):
    """Return the hook of Keras callbacks; None without any."""
    if not options.callbacks:
        return None
    model = model_for_callbacks(trainable, start.networks, shifts)
    return KerasCallbacks(options.callbacks, model)


def _select(start, learned, best_epoch, n_iter, config, options):
    """Select the networks that are kept."""
    return select_networks(
        start,
        learned,
        best_epoch,
        n_iter,
        require_significance=options.early_stopping == "auto"
        and config.augmentation.corruption is None
        and is_squared_error(options.loss),
    )


def _arrange_codes(selection, networks, rows, n_components, targets, start, options):
    """Return the networks that are kept, with ordered codes, and their statistics."""
    kept = selection.networks
    # Data that are visited in blocks are not read again for PCA.
    is_pca_of_all_rows = selection.is_pca and targets.row_hashes is not None
    if is_pca_of_all_rows:
        kept = with_pca_weights(networks, rows, start.pca_seed)
    return arrange_codes(
        kept,
        rows,
        n_components,
        targets.variance.sum(),
        keep_basis=is_pca_of_all_rows or options.has_given_weights,
        is_pca=selection.is_pca,
    )
