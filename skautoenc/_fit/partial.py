"""Training on one chunk of rows after another.

`fit_chunk` takes the progress so far, which is plain data, and returns the next one. A
`Session` holds what can be used again for the next chunk, above all the open engine. It
has no state of its training: each chunk starts from the state in the progress, so that
a chunk that fails changes nothing.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from .._training import (
    Engine,
    Hook,
    KerasCallbacks,
    Run,
    TrainingState,
    make_callbacks,
    run_epochs,
)
from .._training.portions import next_power_of_two
from .._utils.losses import is_squared_error
from .._utils.random import RandomStreams
from .._utils.stored import stored_as
from .._utils.warnings import warn_user
from .augmentation import make_augmentation
from .centering import Shifts, rows_in_order, with_shifts
from .checks import check_loss_domain
from .continuation import Continuation, continuation_of, resume
from .defaults import adam_from_pca, uses_default_adam
from .diagnosis import diverged
from .initialization import center_start, with_previous_weights
from .pca import (
    MAX_STREAMED_FEATURES,
    Covariance,
    components_of,
    covariance_of,
    noise_variance,
)
from .pca_weights import (
    can_be_linear,
    pca_init_error,
    reasons_of_networks,
    width_of_code,
    with_pca_weights,
)
from .step_scales import step_scales_of_pca
from .summary import Extent, extent_of, summarize
from .trainable import (
    Trainable,
    make_trainable,
    model_for_callbacks,
    networks_with_weights,
    open_engine_of,
    training_config,
)
from .values import FitData, FitOptions, FitResult, Networks, Seen, WarmStart

# Number of rows, and of rows for each feature, whose PCA training starts from.
_MIN_PCA_ROWS, _PCA_ROWS_OF_A_FEATURE = 256, 2

# PCA is computed again when the number of rows has grown by this factor.
_GROWTH = 1.1

# Weights are averaged over about the last 1 / 10 of the rows.
_AVERAGING = 10

_CHANGED = "partial_fit", "Call fit to train from new weights."


class Start(NamedTuple):
    """What the first chunk starts from.

    Attributes
    ----------
    streams : RandomStreams
    previous : WarmStart or None
        Networks of an earlier fit.

    seen : Seen or None
        The rows of that fit.
    """

    streams: RandomStreams
    previous: WarmStart | None
    seen: Seen | None


@stored_as("progress")
@dataclass(frozen=True)
class Progress:
    """What has been learned from the chunks so far.

    Attributes
    ----------
    streams : RandomStreams
    networks : dict of str to FittedNetwork
        PCA of the rows, or the average of the trained weights, without shifts.

    n_components : int
    shifts : tuple of (ndarray or None, ndarray or None)
        What is subtracted from inputs and targets.

    dtype : type
        Type of reconstructions.

    seen : Seen
    covariance : Covariance or None
        Of all rows, while PCA or the weight of the divergence is computed from it.

    n_rows_of_pca : int
        Number of rows when PCA was last computed.

    is_pca : bool
        Whether the networks are PCA, and training has not started.

    largest_chunk : int
        Number of rows.

    n_chunks : int
        Number of chunks that were trained on.

    training : Continuation or None
        Where training goes on, with weights that are not averaged.
    """

    streams: RandomStreams
    networks: Networks
    n_components: int
    shifts: Shifts
    dtype: type
    seen: Seen
    covariance: Covariance | None
    n_rows_of_pca: int
    is_pca: bool
    largest_chunk: int
    n_chunks: int = 0
    training: Continuation | None = None

    def with_chunk(self, extent: Extent) -> Progress:
        """Return the progress with the extent of another chunk."""
        seen = self.seen._replace(extent=self.seen.extent.merged(extent))
        largest = max(self.largest_chunk, extent.n_rows)
        return replace(self, seen=seen, largest_chunk=largest)


class Session(NamedTuple):
    """What is used for one chunk after another.

    Attributes
    ----------
    options : FitOptions
    n_rows : int
        See `session_rows`.

    callbacks : tuple of keras.callbacks.Callback
    trainable : Trainable
    training : _OpenTraining or None
        None before training starts.
    """

    options: FitOptions
    n_rows: int
    callbacks: tuple
    trainable: Trainable
    training: _OpenTraining | None = None


class _OpenTraining(NamedTuple):
    """An open engine, the settings it was opened for, and what Keras callbacks see."""

    engine: Engine
    config: Any
    key: tuple
    callbacks: KerasCallbacks | None
    closing: contextlib.ExitStack


def session_rows(n_rows: int, progress: Progress | Start) -> int:
    """Return the number of rows that a session is opened for.

    A power of two that is at least the size of every chunk so far, so that few chunks
    need another engine or another batch size.
    """
    largest = progress.largest_chunk if isinstance(progress, Progress) else 0
    return next_power_of_two(max(n_rows, largest))


def fit_chunk(
    data: FitData,
    options: FitOptions,
    progress: Progress | Start,
    session: Session | None = None,
) -> tuple[Progress, dict[str, float], Session]:
    """Learn from a chunk of rows: for PCA at first, then by one epoch of training.

    Parameters
    ----------
    data : FitData
        The chunk.

    options : FitOptions
    progress : Progress or Start
    session : Session or None, default=None
        What the last call returned. None opens another one, and changes no result.

    Returns
    -------
    progress : Progress
    losses : dict of str to float
        Mean losses of the chunk while it was trained on. Empty without training.

    session : Session

    Raises
    ------
    ValueError
        If the data do not suit the loss or the network, if the network has changed, or
        if training diverges.
    """
    n_rows = session_rows(data.X.shape[0], progress)
    if session is None or session.options is not options or session.n_rows != n_rows:
        callbacks = make_callbacks(options.callbacks)
        made = replace(options, callbacks=callbacks)
        trainable = make_trainable(data, made, progress.streams, n_rows)
        session = Session(options, n_rows, callbacks, trainable)
    extent = extent_of(data.targets, data.sample_weight)
    check_loss_domain(options.loss, data, extent)
    if isinstance(progress, Start):
        begun = _begin(data, options, progress, session.trainable)
    else:
        if session.training is None:
            fresh = session.trainable.networks
            with_previous_weights(fresh, progress.networks, _CHANGED)
        begun = progress.with_chunk(extent)
    rows = rows_in_order(data, begun.shifts)
    if begun.covariance is not None:
        begun = _with_covariance(begun, rows, options, session.trainable)
    if begun.is_pca:
        return begun, {}, session
    session = _with_open_engine(session, begun, has_noise=data.X_clean is None)
    trained, losses = _train(begun, session, rows, data.X.shape[0])
    return trained, losses, session


def result_of(progress: Progress, options: FitOptions) -> FitResult:
    """Return what has been learned, without a history."""
    extent = progress.seen.extent
    return FitResult(
        with_shifts(progress.networks, progress.shifts),
        progress.n_components,
        dtype=progress.dtype,
        mean=extent.mean,
        largest=extent.largest,
        n_iter=progress.n_chunks,
        best_epoch=progress.n_chunks,
        mixup=_mixup(options),
        loss_weights=progress.seen.loss_weights,
        seen=progress.seen,
    )


def _begin(data, options, start, trainable):
    """Return the progress before the first chunk, which is only summarized."""
    inputs, targets = _summarize(data)
    n_features = len(inputs.mean)
    networks, previous, seen = trainable.networks, start.previous, start.seen
    if previous is not None:
        networks = with_previous_weights(networks, previous.networks, _CHANGED)
    centered, shifts = _center(networks, data, inputs, targets, options, previous)
    is_pca = previous is None and _starts_from_pca(centered, options, n_features)
    is_wide = n_features > MAX_STREAMED_FEATURES
    estimates_beta = seen is None and _estimates_beta(options)
    needs_covariance = is_pca or (estimates_beta and not is_wide)

    def auto_beta():
        if seen is not None and "kl" in seen.loss_weights:
            return seen.loss_weights["kl"]
        if not _estimates_beta(options) or needs_covariance:
            return 1.0  # in the latter case replaced at once
        seed, rows = start.streams.seed("pca"), rows_in_order(data, shifts)
        return 2 * noise_variance(rows, trainable.n_components, seed)

    scales = None if seen is None else seen.step_scales
    extent = targets.extent if seen is None else seen.extent.merged(targets.extent)
    weights = options.objective.loss_weights(auto_beta)
    return Progress(
        start.streams,
        centered,
        trainable.n_components,
        shifts,
        data.targets.dtype.type,
        Seen(extent, scales, weights),
        _no_rows(n_features) if needs_covariance else None,
        n_rows_of_pca=0,
        is_pca=is_pca,
        largest_chunk=data.X.shape[0],
    )


def _summarize(data):
    """Summarize the inputs and the targets of the first chunk."""
    inputs = summarize(data.X, data.sample_weight, hash_rows=False)
    if data.X_clean is None:
        return inputs, inputs
    return inputs, summarize(data.X_clean, data.sample_weight, hash_rows=False)


def _no_rows(n_features):
    """Return the covariance that others are merged into."""
    return Covariance(0.0, np.zeros(n_features), np.zeros((n_features, n_features)))


def _center(networks, data, inputs, targets, options, previous):
    """Center networks as far as the first chunk allows it; a single row has no scale.

    Images without variation are not centered, as their network has no parameters with
    which it could learn another mean of each pixel.
    """
    pair = networks["encoder"], networks["decoder"]
    varies = inputs.variance.any() or previous is not None
    if not varies and any(network.dense_spec is None for network in pair):
        return networks, (None, None)
    centered, shifts = center_start(networks, data, inputs, targets, options, previous)
    return (centered if varies else networks), shifts


def _starts_from_pca(networks, options, n_features):
    """Whether training starts from PCA, as `init` demands or allows."""
    pair = networks["encoder"], networks["decoder"]
    if options.init == "random" or (
        options.init == "auto" and options.has_given_weights
    ):
        return False
    reasons = reasons_of_networks(*pair)
    if not reasons:
        n_components = width_of_code(pair[0])
        if n_features > MAX_STREAMED_FEATURES:
            reasons = [
                f"X has {n_features} features, and data in chunks may have at most "
                f"{MAX_STREAMED_FEATURES}"
            ]
        elif n_components > n_features:
            reasons = [f"n_components={n_components} is above {n_features} features"]
    if options.init == "pca" and reasons:
        raise pca_init_error(reasons)
    if reasons and can_be_linear(*pair):
        warn_user(
            f"Training starts from random weights, not from PCA: {reasons[0]}. Set "
            "init='random' to silence this warning."
        )
    return not reasons


def _estimates_beta(options):
    """Whether the weight of the divergence is computed from the covariance."""
    is_auto = getattr(options.objective, "beta", None) == "auto"
    return is_auto and is_squared_error(options.loss)


def _with_covariance(progress, rows, options, trainable):
    """Return the progress with the covariance of more rows, and PCA of them.

    PCA is computed again if there are clearly more rows than the last time, and a last
    time when there are enough.
    """
    covariance = progress.covariance.merged(covariance_of(rows))
    progress = replace(progress, covariance=covariance)
    n_rows, n_features = progress.seen.extent.n_rows, len(covariance.mean)
    is_last = n_rows >= max(_MIN_PCA_ROWS, _PCA_ROWS_OF_A_FEATURE * n_features)
    if not is_last and n_rows < _GROWTH * progress.n_rows_of_pca:
        return progress
    pca = components_of(covariance, min(progress.n_components, n_features))
    networks, scales = progress.networks, progress.seen.step_scales
    if progress.is_pca:
        networks = with_pca_weights(trainable.networks, pca)
        scales = step_scales_of_pca(networks, pca)
    weights = progress.seen.loss_weights
    if _estimates_beta(options):
        weights = options.objective.loss_weights(lambda: 2 * pca.noise_variance)
    return replace(
        progress,
        networks=networks,
        seen=Seen(progress.seen.extent, scales, weights),
        covariance=None if is_last else covariance,
        n_rows_of_pca=n_rows,
        is_pca=progress.is_pca and not is_last,
    )


def _with_open_engine(session, progress, *, has_noise):
    """Return the session with an engine for the next chunk, which noise is added to."""
    options, seen = session.options, progress.seen
    augmentation = options.augmentation
    if not has_noise:  # the inputs are given
        augmentation = replace(augmentation, noise=None)
    is_noisy = augmentation.noise is not None
    extremes = (seen.extent.minimum, seen.extent.maximum) if is_noisy else ()
    key = *extremes, *seen.loss_weights.items()
    if session.training is not None and session.training.key == key:
        return session
    if session.training is not None:
        session.training.closing.close()
    settings = {
        "loss_weights": seen.loss_weights,
        "augmentation": make_augmentation(
            augmentation, seen.extent, progress.shifts[1], _mixup(options)
        ),
    }
    if seen.step_scales is not None and uses_default_adam(options):
        optimizer = adam_from_pca(options.batch_size)
        settings |= {"optimizer": optimizer, "step_scales": seen.step_scales}
    config = training_config(options, **settings)
    closing = contextlib.ExitStack()
    engine = closing.enter_context(
        open_engine_of(
            session.trainable,
            progress.networks,
            config,
            (session.n_rows, 0),
            session.callbacks,
        )
    )
    callbacks = None
    if session.callbacks:
        model = model_for_callbacks(
            session.trainable, progress.networks, progress.shifts
        )
        callbacks = KerasCallbacks(session.callbacks, model)
    training = _OpenTraining(engine, config, key, callbacks, closing)
    return session._replace(training=training)


def _mixup(options):
    """Return the share of mixup; "auto" is none, as rows of a stream do not return."""
    mixup = options.augmentation.mixup
    return 0.0 if mixup == "auto" else float(mixup)


def _train(progress, session, rows, n_rows):
    """Train on a chunk; return the progress and the losses."""
    engine, config, _, callbacks, _ = session.training
    resume(engine, config, progress.training)
    hooks = [] if callbacks is None else [callbacks]
    if config.step_scales is not None:
        hooks.insert(0, _RateOfBatches(min(config.batch_size, n_rows)))
    state = TrainingState(progress.streams, epoch=progress.n_chunks)
    config = replace(config, epochs=progress.n_chunks + 1)
    state = run_epochs(engine, rows, None, config, state, hooks)
    if state.interrupted:
        raise KeyboardInterrupt
    learned = networks_with_weights(session.trainable, engine.get_weights())
    share = min(1.0, _AVERAGING * n_rows / progress.seen.extent.n_rows)
    progress = replace(
        progress,
        networks=_moved(progress.networks, learned, share),
        n_chunks=state.epoch,
        training=continuation_of(engine, config, state.engine, state.epoch),
    )
    return progress, {name: losses[-1] for name, losses in state.history.items()}


class _RateOfBatches(Hook):
    """Sets the learning rate of batches of this size, see `adam_from_pca`."""

    def __init__(self, batch_size):
        self._rate = adam_from_pca(batch_size)["config"]["learning_rate"]

    def on_train_begin(self, run: Run) -> None:
        run.engine.learning_rate = self._rate


def _moved(networks, learned, share):
    """Return networks whose weights are moved a share of the way to learned ones."""
    moved = {}
    for part, network in networks.items():
        weights = []
        for old, new in zip(network.weights, learned[part].weights, strict=True):
            if not np.isfinite(new).all():
                raise diverged("a weight is not finite after this chunk")
            is_averaged = share < 1 and new.dtype.kind == "f"
            if is_averaged:
                new = old + new.dtype.type(share) * (new - old)
            weights.append(new)
        moved[part] = network.with_weights(weights)
    return moved
