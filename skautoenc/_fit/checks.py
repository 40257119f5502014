"""Checks of the targets and of the output activation against the loss."""

from __future__ import annotations

import numpy as np

from .._fitted.activations import ACTIVATIONS
from .._fitted.graph import output_activation
from .._fitted.network import FittedNetwork
from .._utils.losses import loss_properties
from .._utils.warnings import warn_user
from .summary import DataSummary, Extent, summarize
from .values import FitData

# Standard deviations of a feature at which the steps of optimizers suit the weights of
# an output layer.
_MIN_DEVIATION, _MAX_DEVIATION = 1 / 300, 30

# Rounding to float32 after scaling may exceed a range by this much.
_TOLERANCE = 1e-6


def check_loss_domain(loss, data: FitData, targets: DataSummary | Extent) -> None:
    """Raise a ValueError if a binary cross-entropy gets targets outside [0, 1].

    Parameters
    ----------
    loss : str or Keras loss
    data : FitData
    targets : DataSummary or Extent
        Of the targets of `data`.
    """
    if not loss_properties(loss).binary:
        return
    summaries = {data.name_of_targets: targets}
    if data.validation is not None:
        rows, clean = data.validation
        summaries["X_val"] = summarize(rows if clean is None else clean, None)
    for name, summary in summaries.items():
        if summary.minimum < -_TOLERANCE or summary.maximum > 1 + _TOLERANCE:
            raise ValueError(
                f"loss={_name(loss)!r} needs data in [0, 1], but {name} ranges from "
                f"{summary.minimum:.4g} to {summary.maximum:.4g}. Scale it with "
                "MinMaxScaler(clip=True), or use loss='mean_squared_error'."
            )


def _name(loss):
    if isinstance(loss, str):
        return loss
    return getattr(loss, "__name__", getattr(loss, "name", ""))


def warn_of_output_range(
    decoder: FittedNetwork, loss, targets: DataSummary, name_of_targets: str
) -> None:
    """Warn if the output activation does not suit the loss or the range of the targets.

    Parameters
    ----------
    decoder : FittedNetwork
    loss : str or Keras loss
    targets : DataSummary
    name_of_targets : str
    """
    activation = output_activation(decoder.config)
    if activation is None:
        return
    low, high = -np.inf, np.inf
    if activation in ACTIVATIONS:
        low, high = ACTIVATIONS[activation].low, ACTIVATIONS[activation].high
    takes_logits = getattr(loss, "from_logits", False)
    takes_probabilities = loss_properties(loss).binary and not takes_logits
    if takes_probabilities and (low < 0 or high > 1):
        warn_user(
            f"loss={_name(loss)!r} takes outputs in [0, 1], but the range of "
            f"output_activation={activation!r} is larger. Use "
            "output_activation='sigmoid' (in the network, if one is given).",
        )
    if targets.minimum < low - _TOLERANCE or targets.maximum > high + _TOLERANCE:
        warn_user(
            f"output_activation={activation!r} gives values in [{low}, {high}], but "
            f"{name_of_targets} ranges from {targets.minimum:.4g} to "
            f"{targets.maximum:.4g}: values outside cannot be reconstructed. Scale "
            f"{name_of_targets}, or use output_activation='linear' (in the network, if "
            "one is given).",
        )


def warn_of_scale(targets: DataSummary, name_of_targets: str) -> None:
    """Warn if the targets are so large or so small that they are hard to learn.

    Parameters
    ----------
    targets : DataSummary
    name_of_targets : str
    """
    deviation = np.sqrt(targets.variance.mean())
    if deviation > 0 and not _MIN_DEVIATION <= deviation <= _MAX_DEVIATION:
        warn_user(
            f"The features of {name_of_targets} have standard deviations of about "
            f"{deviation:.3g}, to which the learning rate does not adapt: training may "
            "end close to its initial weights. Scale them with StandardScaler or "
            "MinMaxScaler."
        )
