"""The steps of a fit, from validated data and options to trained networks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .._training import (
    Checkpoint,
    CosineSchedule,
    EarlyStopping,
    Hook,
    KerasCallbacks,
    RecordLearningRates,
    RepeatLearningRates,
    TrainingState,
    make_callbacks,
    progress_hooks,
    remove_checkpoint,
    run_epochs,
)
from .._utils.losses import is_squared_error
from .._utils.random import RandomStreams
from .augmentation import make_augmentation
from .centering import center_rows, with_shifts
from .checks import check_loss_domain
from .codes import arrange_codes
from .continuation import Continuation, continuation_of, resume
from .defaults import adam_from_pca, resolve_mixup, uses_default_adam
from .diagnosis import check_result, warn_of_collapse, warn_of_ending
from .fingerprint import find_checkpoint
from .initialization import center_start, initialize
from .mixed_columns import with_mixed_loss
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
from .values import FitData, FitOptions, FitResult, Networks, Seen, WarmStart

HookFactory = Callable[[Callable[[list[np.ndarray]], FitResult], int], Hook]


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
        Each is called as ``make_hook(result_of, n_epochs)`` and returns a hook of the
        epoch loop. ``result_of(weights)`` is what the fit would return with these
        weights, as ``Engine.get_weights`` gives them. `n_epochs` is the maximum number
        of epochs, including those of a repetition on all rows.

    Raises
    ------
    ValueError
        If the data do not suit the loss or the network, or if training diverges.
    """
    options = replace(options, callbacks=make_callbacks(options.callbacks))
    inputs, targets = _summarize(data)
    options = _with_checked_loss(options, data, targets)
    trainable = make_trainable(data, options, streams)
    networks, shifts = center_start(
        trainable.networks, data, inputs, targets, options, previous
    )
    rows, validation = center_rows(data, shifts, inputs.row_hashes)
    start = initialize(
        networks, rows, validation, inputs.row_hashes, options, streams, previous
    )
    config = _training_config(trainable, options, start, targets, shifts[1])
    seen = Seen(targets.extent, config.step_scales, config.loss_weights)
    make_result = functools.partial(
        FitResult,
        n_components=trainable.n_components,
        dtype=data.targets.dtype.type,
        mean=seen.extent.mean,
        largest=seen.extent.largest,
        mixup=config.augmentation.mixup,
        loss_weights=config.loss_weights,
        split_seed=start.split_seed,
    )

    def result_of(weights):
        networks = networks_with_weights(trainable, weights)
        return make_result(with_shifts(networks, shifts))

    n_epochs = (1 + start.is_repeated) * options.epochs
    hooks = [make_hook(result_of, n_epochs) for make_hook in make_hooks]
    hooks.append(_keras_callbacks(trainable, start, shifts, options))
    checkpoint = find_checkpoint(data, options, streams, trainable, start, config)
    trained = _train(trainable, start, config, options, streams, hooks, checkpoint)
    selection = _select(start, trained, rows, config, options)
    if trained.state.interrupted:
        start = start._replace(is_repeated=False)
    repeat = _hooks_for_all_rows(hooks, trained.rates, options)
    kept = use_all_rows(
        selection, trainable, start, networks, rows, config, streams, repeat
    )
    total = targets.variance.sum()
    learned, codes = _arrange_codes(kept, selection, rows, total, trainable, options)
    if options.verbose:
        print(_ending(trained.state) + selection.message, flush=True)
    remove_checkpoint(checkpoint)
    return make_result(
        with_shifts(learned, shifts),
        history=trained.state.history,
        n_iter=trained.n_iter,
        best_epoch=selection.epoch,
        codes=codes,
        seen=seen,
        training=_continuation(trained, start, selection),
    )


class _Trained(NamedTuple):
    """What the epochs gave.

    `best_epoch` is None without early stopping, `rates` are the learning rates, and
    `end` is where another training could go on.
    """

    networks: Networks
    state: TrainingState
    best_epoch: int | None
    rates: list[float | None]
    end: Continuation

    @property
    def n_iter(self) -> int:
        """Number of epochs."""
        return len(self.state.history["loss"])


def _ending(state):
    """Return the sentence that says what stopped training before the last epoch."""
    return f"Stopped after epoch {state.epoch} by {state.stopped_by}. " * state.stop


def _summarize(data):
    """Summarize the inputs and the targets."""
    inputs = summarize(data.X, data.sample_weight)
    if data.X_clean is None:
        return inputs, inputs
    return inputs, summarize(data.X_clean, data.sample_weight)


def _with_checked_loss(options, data, targets):
    """Return options with the loss for these data, which suit it."""
    options = with_mixed_loss(options, data, targets)
    check_loss_domain(options.loss, data, targets)
    return options


def _training_config(trainable, options, start, targets, shift):
    """Return the configuration of the epoch loop."""
    augmentation = options.augmentation
    if start.training.targets is not None:
        augmentation = replace(augmentation, noise=None)  # the inputs are given
    mixup, mixup_epochs = resolve_mixup(
        augmentation.mixup,
        start.pca_initialized,
        len(start.training),
        start.training.X.shape[1],
        options.epochs,
    )

    def auto_beta():
        if not is_squared_error(options.loss):
            return 1.0
        if start.pca is not None:
            return 2 * start.pca.noise_variance
        n_components = trainable.n_components
        return 2 * noise_variance(start.training, n_components, start.pca_seed)

    settings = {
        "loss_weights": options.objective.loss_weights(auto_beta),
        "augmentation": make_augmentation(
            augmentation, targets, shift, mixup, mixup_epochs
        ),
    }
    if start.pca_initialized and uses_default_adam(options):
        scales = step_scales(start.networks, start.training)
        if scales is not None:
            optimizer = adam_from_pca(options.batch_size)
            settings |= {"optimizer": optimizer, "step_scales": scales}
    return training_config(options, **settings)


def _train(trainable, start, config, options, streams, hooks, checkpoint):
    """Run the epochs."""
    rates = RecordLearningRates()
    early_stopping = EarlyStopping(options.patience) if start.stops_early else None
    hooks = [
        CosineSchedule() if start.pca_initialized else None,
        early_stopping,
        *hooks,
        *progress_hooks(options.verbose),
        rates,
    ]
    hooks = [hook for hook in hooks if hook is not None]
    if checkpoint is not None:
        hooks.append(Checkpoint(checkpoint, hooks, verbose=bool(options.verbose)))
    with engine_of(trainable, start, config, options.callbacks) as engine:
        state = TrainingState(streams)
        if resume(engine, config, start.training_before):
            state.n_earlier = start.training_before.n_epochs
        state = run_epochs(
            engine, start.training, start.validation, config, state, hooks
        )
        learned = networks_with_weights(trainable, engine.get_weights())
        # Callbacks may have changed the weights when training ended.
        end = engine.get_state() if options.callbacks else state.engine
        n_epochs = state.n_earlier + state.epoch
        end = continuation_of(engine, config, end, n_epochs)
    best_epoch = None if early_stopping is None else early_stopping.best_epoch
    return _Trained(learned, state, best_epoch, rates.rates, end)


def _continuation(trained, start, selection):
    """Return where a warm start goes on; None if it can only go on from the weights."""
    if start.pca_initialized or selection.epoch != trained.n_iter:
        return None
    return trained.end


def _hooks_for_all_rows(hooks, rates, options):
    """Return the hooks of the repetition of the training on all rows."""
    repeated = [hook.for_all_rows() for hook in hooks if hook is not None]
    return [
        RepeatLearningRates(rates),
        *[hook for hook in repeated if hook is not None],
        *progress_hooks(options.verbose, "All rows, epoch"),
    ]


def _keras_callbacks(trainable, start, shifts, options):
    """Return the hook of Keras callbacks; None without any."""
    if not options.callbacks:
        return None
    model = model_for_callbacks(trainable, start.networks, shifts)
    return KerasCallbacks(options.callbacks, model)


def _select(start, trained, rows, config, options):
    """Check the result of the training, and select the networks that are kept."""
    learned = trained.networks
    sample = check_result(learned, rows, start.networks if start.is_pca else None)
    n_validation = 0 if start.validation is None else len(start.validation)
    warn_of_ending(trained.state, config.epochs, n_validation)
    selection = select_networks(
        start,
        learned,
        trained.best_epoch,
        trained.n_iter,
        require_significance=options.early_stopping == "auto"
        and not options.objective.stochastic_encoder
        and config.augmentation.corruption is None
        and is_squared_error(options.loss),
    )
    if not selection.is_pca:
        n_steps = trained.n_iter * len(start.training) // config.batch_size
        warn_of_collapse(options, learned["encoder"], rows, sample, n_steps)
    return selection


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
