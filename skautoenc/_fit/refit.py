"""The last step of a fit that held out rows: all rows are used."""

from __future__ import annotations

from dataclasses import replace

from .._training import CosineSchedule, TrainingConfig, TrainingState, run_epochs
from .._utils.random import RandomStreams
from .initialization import Initialization, with_pca_weights
from .selection import Selection
from .split import MAX_REFITTED_ROWS
from .step_scales import step_scales
from .trainable import Trainable, engine_of, networks_with_weights
from .values import FitOptions, Networks


def is_refitted(
    selection: Selection, start: Initialization, rows, options: FitOptions
) -> bool:
    """Whether the selected networks are trained again, on all rows.

    Callbacks are called in one training only, so with them nothing is trained again.
    """
    return (
        start.is_held_out
        and start.is_pca
        and not selection.is_pca
        and options.early_stopping == "auto"
        and not options.callbacks
        and len(rows) < MAX_REFITTED_ROWS
    )


def start_of_all_rows(start: Initialization, networks: Networks, rows):
    """Return the initialization of a training on all rows, from their PCA.

    Parameters
    ----------
    start : Initialization
        Of the training on a part of the rows.

    networks : dict of str to FittedNetwork
        With random weights.

    rows : Rows
    """
    networks = with_pca_weights(networks, rows, start.pca_seed)
    return start._replace(networks=networks, training=rows, validation=None)


def refit(
    trainable: Trainable,
    start: Initialization,
    config: TrainingConfig,
    epochs: int,
    streams: RandomStreams,
) -> Networks:
    """Repeat the first epochs of a training.

    Parameters
    ----------
    trainable : Trainable
    start : Initialization
        Of all rows.

    config : TrainingConfig
        Of the training on a part of the rows.

    epochs : int
        Number of epochs to repeat, at the learning rates that they had.

    streams : RandomStreams
    """
    schedule = CosineSchedule(config.epochs)
    config = replace(config, epochs=epochs)
    if config.step_scales is not None:
        scales = step_scales(start.networks, start.training)
        config = replace(config, step_scales=scales)
    with engine_of(trainable, start, config, ()) as engine:
        state = TrainingState(streams)
        run_epochs(engine, start.training, None, config, state, [schedule])
        return networks_with_weights(trainable, engine.get_weights())
