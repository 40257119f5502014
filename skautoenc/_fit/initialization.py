"""Initial weights: random, from PCA, or from an earlier fit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._utils.losses import is_squared_error
from .._utils.random import RandomStreams
from .._utils.warnings import warn_user
from .centering import Shifts, center_networks, warn_of_rounding
from .checks import warn_of_output_range, warn_of_scale
from .continuation import Continuation
from .pca import (
    MAX_STREAMED_FEATURES,
    Components,
    is_too_wide,
    principal_components,
)
from .pca_weights import (
    can_be_linear,
    pca_init_error,
    reasons_against_pca,
    width_of_code,
    with_pca_weights,
)
from .split import limit_outlier_weights, split_rows
from .summary import DataSummary
from .values import FitData, FitOptions, Networks, WarmStart

_WARM_START = (
    "warm_start=True",
    "Set warm_start=False to train from new weights.",
)


class Initialization(NamedTuple):
    """What training starts from.

    Attributes
    ----------
    networks : dict of str to FittedNetwork
        With their initial weights, by part.

    training : Rows or StreamedRows
    validation : Rows, StreamedRows or None
    stops_early : bool
        Whether the epoch of the lowest validation loss is kept.

    is_repeated : bool
        Whether the training, if its result is kept, is repeated with all rows.

    pca_initialized : bool
        Whether the weights of the network are those of PCA, or were at the start of the
        fit that a warm start continues.

    pca : Components or None
        PCA of the training rows, if the networks are PCA.

    split_seed, pca_seed : int
        Seeds of the validation split, and of the randomized solver of PCA.

    training_before : Continuation or None
        The training that goes on. None if its learning rate was annealed to zero.
    """

    networks: Networks
    training: Any
    validation: Any
    stops_early: bool
    is_repeated: bool
    pca_initialized: bool
    pca: Components | None
    split_seed: int
    pca_seed: int
    training_before: Continuation | None

    @property
    def is_pca(self) -> bool:
        """Whether the networks are PCA of the training rows."""
        return self.pca is not None


def center_start(
    networks: Networks,
    data: FitData,
    inputs: DataSummary,
    targets: DataSummary,
    options: FitOptions,
    previous: WarmStart | None,
) -> tuple[Networks, Shifts]:
    """Center networks with random weights, and warn of data that do not suit them.

    Parameters
    ----------
    networks : dict of str to FittedNetwork
        With random or given weights, by part.

    data : FitData
    inputs, targets : DataSummary
        Of `data`.

    options : FitOptions
    previous : WarmStart or None
        Its shifts are kept.

    Returns
    -------
    networks : dict of str to FittedNetwork
    shifts : tuple of (ndarray or None, ndarray or None)
        What is subtracted from inputs and targets.
    """
    shifts: Shifts = None, None
    if previous is not None:
        pair = previous.networks["encoder"], previous.networks["decoder"]
        shifts = pair[0].input_shift, pair[1].output_shift
    elif not options.has_given_weights:  # those were trained on rows as they are
        networks, shifts = center_networks(
            networks, options.loss, inputs, targets, data
        )
    name = data.name_of_targets
    warn_of_output_range(networks["decoder"], options.loss, targets, name)
    if options.objective.stochastic_encoder and is_squared_error(options.loss):
        warn_of_scale(targets, name)
    warn_of_rounding(inputs, shifts[0], data.X.dtype, data.schema.feature_names)
    return networks, shifts


def initialize(
    networks: Networks,
    rows,
    validation,
    row_hashes: np.ndarray | None,
    options: FitOptions,
    streams: RandomStreams,
    previous: WarmStart | None,
) -> Initialization:
    """Split the rows, and give the networks their initial weights.

    Parameters
    ----------
    networks : dict of str to FittedNetwork
        With random or given weights, by part.

    rows : Rows or StreamedRows
    validation : Rows, StreamedRows or None
        Validation rows that the user gave.

    row_hashes : ndarray of shape (n_samples,) or None
        See `DataSummary`.

    options : FitOptions
    streams : RandomStreams
    previous : WarmStart or None
        Takes precedence over other initial weights.

    Raises
    ------
    ValueError
        If ``init="pca"`` and the network cannot represent PCA, if no rows are left for
        training, or if the networks are not those of `previous`.
    """
    pca_initialized = _starts_from_pca(networks, rows, options)
    split_seed, pca_seed = streams.seed("split"), streams.seed("pca")
    if previous is not None and previous.split_seed is not None:
        split_seed = previous.split_seed
    split = split_rows(
        rows, validation, row_hashes, options, pca_initialized, split_seed
    )
    pca = None
    if previous is not None:
        networks = with_previous_weights(networks, previous.networks, _WARM_START)
    elif pca_initialized:
        n_components = width_of_code(networks["encoder"])
        pca = principal_components(split.training, n_components, pca_seed)
        networks = with_pca_weights(networks, pca)
    validation = split.validation
    if split.is_held_out and row_hashes is not None:
        pair = networks["encoder"], networks["decoder"]
        validation = limit_outlier_weights(validation, None if pca is None else pair)
    return Initialization(
        networks,
        split.training,
        validation,
        split.stops_early,
        split.is_repeated and pca is not None,
        pca_initialized,
        pca,
        split_seed,
        pca_seed,
        previous.training if previous and not pca_initialized else None,
    )


def _starts_from_pca(networks, rows, options):
    """Whether training starts from PCA, as `init` demands or allows."""
    pair = networks["encoder"], networks["decoder"]
    reasons = reasons_against_pca(*pair, rows)
    if options.init == "pca" and reasons:
        raise pca_init_error(reasons)
    if options.init == "random" or (
        options.init == "auto" and options.has_given_weights
    ):
        return False
    if is_too_wide(rows) and can_be_linear(*pair):
        warn_user(
            "Training starts from random weights, not from PCA: X has "
            f"{rows.X.shape[1]} features, and PCA of data that are visited in blocks "
            f"takes at most {MAX_STREAMED_FEATURES}. Set init='random' to silence this "
            "warning."
        )
    return not reasons


def with_previous_weights(
    networks: Networks, previous: Networks, messages: tuple[str, str]
) -> Networks:
    """Return the networks with the weights of an earlier fit.

    Parameters
    ----------
    networks, previous : dict of str to FittedNetwork
    messages : tuple of (str, str)
        What continues from the weights, and the remedy, for the error.

    Raises
    ------
    ValueError
        If the networks differ in more than their weights.
    """
    continued = dict(networks)
    for part, network in networks.items():
        if part not in previous:  # as after `from_keras`
            continue
        if previous[part].config != network.config:
            raise ValueError(
                f"{messages[0]} continues from the fitted weights, but the network or "
                f"the number of features has changed since: the {part} differs. "
                f"{messages[1]}"
            )
        continued[part] = network.with_weights(previous[part].weights)
    return continued
