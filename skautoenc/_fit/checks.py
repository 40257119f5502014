"""Checks of the targets and of the output activation against the loss."""

from __future__ import annotations

import json
import re

import numpy as np

from .._fitted.network import FittedNetwork
from .._training.numpy_engine.formulas import ALIASES
from .._utils.warnings import warn_user
from .summary import DataSummary, summarize
from .values import FitData

_UNIT, _SYMMETRIC, _POSITIVE = (0, 1), (-1, 1), (0, np.inf)
_REACH = {
    "exponential": _POSITIVE,
    "hard_sigmoid": _UNIT,
    "hard_tanh": _SYMMETRIC,
    "relu": _POSITIVE,
    "relu6": (0, 6),
    "sigmoid": _UNIT,
    "softmax": _UNIT,
    "softplus": _POSITIVE,
    "softsign": _SYMMETRIC,
    "sparse_plus": _POSITIVE,
    "sparse_sigmoid": _UNIT,
    "sparsemax": _UNIT,
    "squareplus": _POSITIVE,
    "tanh": _SYMMETRIC,
}
_RESHAPING = {"Flatten", "Reshape", "Cropping1D", "Cropping2D"}

# Rounding to float32 after scaling may exceed a range by this much.
_TOLERANCE = 1e-6


def check_loss_domain(loss, data: FitData, targets: DataSummary) -> None:
    """Raise a ValueError if a binary cross-entropy gets targets outside [0, 1].

    Parameters
    ----------
    loss : str or Keras loss
    data : FitData
    targets : DataSummary
        Of the targets of `data`.
    """
    if not _is_binary(loss):
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


def loss_name(loss):
    """Keras's name of a loss, such as "mean_squared_error"; None for a user's.

    Parameters
    ----------
    loss : str, keras.losses.Loss or callable
    """
    if isinstance(loss, str):
        return ALIASES.get(loss, loss)
    kind = loss if hasattr(loss, "__name__") else type(loss)
    if not kind.__module__.startswith("keras."):
        return None
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


def is_squared_error(loss):
    """Whether `loss`, a Keras loss, is the mean squared error."""
    return loss_name(loss) == "mean_squared_error"


def _is_binary(loss):
    return (loss_name(loss) or "").startswith("binary_")


def last_activation(config):
    """Name of a decoder's last activation; None where it has no name.

    Parameters
    ----------
    config : str
        What ``keras.Model.to_json`` gave.
    """
    layers = [
        spec
        for spec in json.loads(config)["config"]["layers"]
        if spec["class_name"] not in _RESHAPING
    ]
    if len(layers) > 1 and layers[-1]["class_name"] == "Add":
        layers.pop()  # the linear path is the last of what it adds
    name = layers[-1]["config"].get("activation") if layers else None
    return name if isinstance(name, str) else None


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
    activation = last_activation(decoder.config)
    if activation is None:
        return
    low, high = _REACH.get(activation, (-np.inf, np.inf))
    takes_logits = getattr(loss, "from_logits", False)
    if _is_binary(loss) and not takes_logits and (low < 0 or high > 1):
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
