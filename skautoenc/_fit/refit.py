"""The last step of a fit that held out rows: all rows are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .._training import (
    Hook,
    StreamedRows,
    TrainingConfig,
    TrainingState,
    run_epochs,
)
from .._utils.random import RandomStreams
from .._utils.warnings import warn_user
from .initialization import Initialization
from .pca import principal_components
from .pca_weights import with_pca_weights
from .selection import Selection
from .step_scales import step_scales
from .trainable import Trainable, engine_of, networks_with_weights
from .values import Networks


def use_all_rows(
    selection: Selection,
    trainable: Trainable,
    start: Initialization,
    networks: Networks,
    rows,
    config: TrainingConfig,
    streams: RandomStreams,
    hooks: Sequence[Hook],
) -> Networks:
    """Return the selected networks, fitted to all rows where that is done.

    PCA is computed again. The training of few rows is repeated up to the best epoch, at
    the same learning rates and without Keras callbacks.

    Parameters
    ----------
    selection : Selection
    trainable : Trainable
    start : Initialization
        Of the training on a part of the rows.

    networks : dict of str to FittedNetwork
        With random weights.

    rows : Rows or StreamedRows
        All rows.

    config : TrainingConfig
        Of the training on a part of the rows.

    streams : RandomStreams
    hooks : sequence of Hook
        Of the repeated training. They set the learning rates of the first one.
    """
    is_repeated = start.is_repeated and not selection.is_pca
    if not (is_repeated or kept_pca(selection, rows)):
        return selection.networks
    pca = principal_components(rows, trainable.n_components, start.pca_seed)
    networks = with_pca_weights(networks, pca)
    if not is_repeated:
        return networks
    start = start._replace(networks=networks, training=rows, validation=None)
    config = replace(config, epochs=selection.epoch)
    repeated = _repeat(trainable, start, config, streams, hooks)
    if repeated is None:
        warn_user(
            "Training on all rows was interrupted by Ctrl-C. The weights that were "
            "trained without the validation set are kept."
        )
        return selection.networks
    return repeated


def kept_pca(selection: Selection, rows) -> bool:
    """Whether the result is PCA of all rows; streamed rows are not read again."""
    return selection.is_pca and not isinstance(rows, StreamedRows)


def _repeat(trainable, start, config, streams, hooks):
    """Return the networks after training on all rows; None if it was interrupted."""
    if config.step_scales is not None:
        scales = step_scales(start.networks, start.training)
        config = replace(config, step_scales=scales)
    with engine_of(trainable, start, config, ()) as engine:
        state = TrainingState(streams)
        state = run_epochs(engine, start.training, None, config, state, hooks)
        if state.interrupted:
            return None
        return networks_with_weights(trainable, engine.get_weights())
