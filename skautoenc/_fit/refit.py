"""The last step of a fit that held out rows: all rows are used."""

from __future__ import annotations

from dataclasses import replace

from .._training import (
    CosineSchedule,
    StreamedRows,
    TrainingConfig,
    TrainingState,
    run_epochs,
)
from .._utils.random import RandomStreams
from .initialization import Initialization, with_pca_weights
from .selection import Selection
from .split import MAX_REFITTED_ROWS
from .step_scales import step_scales
from .trainable import Trainable, engine_of, networks_with_weights
from .values import FitOptions, Networks


def use_all_rows(
    selection: Selection,
    trainable: Trainable,
    start: Initialization,
    networks: Networks,
    rows,
    config: TrainingConfig,
    options: FitOptions,
    streams: RandomStreams,
) -> Networks:
    """Return the selected networks, fitted to all rows where that is done.

    PCA is computed again. Networks of few rows are trained again, for as many epochs as
    were best.

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

    options : FitOptions
    streams : RandomStreams
    """
    is_repeated = _is_repeated(selection, start, rows, options)
    if not (is_repeated or kept_pca(selection, rows)):
        return selection.networks
    pca = with_pca_weights(networks, rows, start.pca_seed)
    if not is_repeated:
        return pca
    start = start._replace(networks=pca, training=rows, validation=None)
    return _repeat(trainable, start, config, selection.epoch, streams)


def kept_pca(selection: Selection, rows) -> bool:
    """Whether the result is PCA of all rows; streamed rows are not read again."""
    return selection.is_pca and not isinstance(rows, StreamedRows)


def _is_repeated(selection, start, rows, options):
    """Whether the training is repeated with all rows.

    Callbacks are called in one training only, so with them it is not.
    """
    return (
        start.is_held_out
        and start.is_pca
        and not selection.is_pca
        and options.early_stopping == "auto"
        and not options.callbacks
        and len(rows) < MAX_REFITTED_ROWS
    )


def _repeat(trainable, start, config, epochs, streams):
    """Train for the first epochs of a configuration, with their learning rates."""
    schedule = CosineSchedule(config.epochs)
    config = replace(config, epochs=epochs)
    if config.step_scales is not None:
        scales = step_scales(start.networks, start.training)
        config = replace(config, step_scales=scales)
    with engine_of(trainable, start, config, ()) as engine:
        state = TrainingState(streams)
        run_epochs(engine, start.training, None, config, state, [schedule])
        return networks_with_weights(trainable, engine.get_weights())
