"""The steps of a fit, from validated data and options to trained networks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from .._training import (
    Augmentation,
    Checkpoint,
    CosineSchedule,
    EarlyStopping,
    Hook,
    KerasCallbacks,
    RecordLearningRates,
    TrainingState,
    Verbose,
    make_callbacks,
    remove_checkpoint,
    run_epochs,
)
from .._utils.losses import is_squared_error
from .._utils.random import RandomStreams
from .augmentation import bind_noise
from .centering import center_networks, center_rows, warn_of_rounding
from .checks import check_loss_domain, warn_of_output_range, warn_of_scale
from .codes import arrange_codes
from .defaults import adam_from_pca, resolve_mixup, uses_default_adam
from .diagnosis import check_result, warn_of_collapse
from .fingerprint import find_checkpoint
from .initialization import initialize
from .pca import noise_variance
from .refit import kept_pca, use_all_rows
from .selection import select_networks
from .step_scales import step_scales
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
    options = replace(options, callbacks=make_callbacks(options.callbacks))
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
        mixup=config.augmentation.mixup,
        loss_weights=config.loss_weights,
        split_seed=start.split_seed,
    )

    def result_of(weights):
        networks = networks_with_weights(trainable, weights)
        return make_result(_with_shifts(networks, shifts))

    hooks = [make_hook(result_of) for make_hook in make_hooks]
    hooks.append(_keras_callbacks(trainable, start, shifts, options))
    checkpoint = find_checkpoint(data, options, streams, trainable, start, config)
    learned, history, best_epoch, rates = _train(
        trainable, start, config, options, streams, hooks, checkpoint
    )
    sample = check_result(learned, rows, start.networks if start.is_pca else None)
    n_iter = len(history["loss"])
    selection = _select(start, learned, best_epoch, n_iter, config, options)
    if not selection.is_pca:
        n_steps = n_iter * len(start.training) // config.batch_size
        warn_of_collapse(options, sample, n_steps)
    kept = use_all_rows(
        selection, trainable, start, networks, rows, config, streams, rates
    )
    total = targets.variance.sum()
    learned, codes = _arrange_codes(kept, selection, rows, total, trainable, options)
    if options.verbose:
        print(selection.message, flush=True)
    remove_checkpoint(checkpoint)
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
    if options.objective.stochastic_encoder and is_squared_error(options.loss):
        warn_of_scale(targets, name)
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
    mixup, mixup_epochs = resolve_mixup(
        options.augmentation.mixup,
        start.pca_initialized,
        len(start.training),
        start.training.X.shape[1],
        options.epochs,
    )
    corruption = None if noise is None else bind_noise(noise, targets, shift)
    thread_safe = noise is not None and not callable(noise.kind)

    def auto_beta():
        if not is_squared_error(options.loss):
            return 1.0
        if start.pca is not None:
            return 2 * start.pca.noise_variance
        n_components = trainable.n_components
        return 2 * noise_variance(start.training, n_components, start.pca_seed)

    settings = {
        "loss_weights": options.objective.loss_weights(auto_beta),
        "augmentation": Augmentation(
            mixup, mixup_epochs, corruption, thread_safe=thread_safe
        ),
    }
    if start.pca_initialized and uses_default_adam(options):
        scales = step_scales(start.networks, start.training)
        if scales is not None:
            optimizer = adam_from_pca(options.batch_size)
            settings |= {"optimizer": optimizer, "step_scales": scales}
    return training_config(options, **settings)


def _train(trainable, start, config, options, streams, hooks, checkpoint):
    """Run the epochs.

    Returns the networks, the history, the best epoch if any and the learning rates.
    """
    rates = RecordLearningRates()
    early_stopping = EarlyStopping(options.patience) if start.stops_early else None
    hooks = [
        CosineSchedule() if start.pca_initialized else None,
        early_stopping,
        *hooks,
        Verbose(options.verbose) if options.verbose else None,
        rates,
    ]
    hooks = [hook for hook in hooks if hook is not None]
    if checkpoint is not None:
        hooks.append(Checkpoint(checkpoint, hooks, verbose=bool(options.verbose)))
    with engine_of(trainable, start, config, options.callbacks) as engine:
        state = TrainingState(streams)
        state = run_epochs(
            engine, start.training, start.validation, config, state, hooks
        )
        learned = networks_with_weights(trainable, engine.get_weights())
    best_epoch = None if early_stopping is None else early_stopping.best_epoch
    return learned, state.history, best_epoch, rates.rates


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
        and not options.objective.stochastic_encoder
        and config.augmentation.corruption is None
        and is_squared_error(options.loss),
    )


def _arrange_codes(kept, selection, rows, total_variance, trainable, options):
    """Choose the axes of the code; return the networks and the code's statistics."""
    return arrange_codes(
        kept,
        rows,
        trainable.n_components,
        total_variance,
        keep_basis=options.has_given_weights or kept_pca(selection, rows),
        is_pca=selection.is_pca and not options.objective.stochastic_encoder,
    )
