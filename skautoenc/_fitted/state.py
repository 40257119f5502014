"""The state of a pickled network: its format, and the checks on loading it."""

import json
from typing import Any

import numpy as np

from .forward import plan_forward
from .graph import weight_shapes
from .rebuilding import MALFORMED, check_no_code, check_weights

# To be raised when the keys of a state or their meaning change. The former format must
# then still be read.
FORMAT = 1


def check_state(state: Any) -> None:
    """Check the state of a pickled network, as far as possible without Keras.

    Parameters
    ----------
    state : dict
        With ``format``, ``config``, ``weights``, ``input_shift``, ``output_shift`` and
        possibly ``groups``.

    Raises
    ------
    ValueError
        If its format is not known, if the config is not that of a Keras model, or
        holds code, or if the weights are not those of its layers.
    """
    number = state.get("format") if isinstance(state, dict) else None
    check_format(number, FORMAT, "a network")
    spec = _read_config(state.get("config"))
    check_no_code(spec)
    weights = state.get("weights")
    if not isinstance(weights, list | tuple) or not all(
        isinstance(w, np.ndarray) for w in weights
    ):
        raise ValueError("The weights of a pickled network must be a list of arrays.")
    for name in ("input_shift", "output_shift"):
        _check_shift(name, state.get(name))
    _check_groups(state.get("groups", ()))
    try:
        forward = plan_forward(spec, len(weights))
        shapes = weight_shapes(spec)
    except MALFORMED as error:
        raise ValueError(
            f"The config of a pickled network is damaged: {error!r}."
        ) from None
    # Nested models may share weights, which a config does not record.
    if shapes is not None and (forward is not None or not _has_models(spec)):
        check_weights(weights, shapes)


def check_format(number: Any, newest: int, name: str) -> None:
    """Check the format number of a pickled object.

    Parameters
    ----------
    number : object
        What the pickle has as format number.

    newest : int
        Highest number that this version reads.

    name : str
        Name of the object, for errors.

    Raises
    ------
    ValueError
        If it is not a number from 1 to `newest`.
    """
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(
            f"This is not the state of {name} of skautoenc: it has no valid format "
            f"number (format={number!r}). The pickle is damaged, or was written by a "
            "development version; fit the estimator again."
        )
    if number > newest:
        raise ValueError(
            f"The state of {name} was written by a newer version of skautoenc (format "
            f"{number}; this version reads up to {newest}). Upgrade skautoenc to load "
            "it."
        )


def _read_config(config):
    try:
        spec = json.loads(config)
        is_model = isinstance(spec["class_name"], str) and isinstance(
            spec["config"], dict
        )
    except MALFORMED:
        is_model = False
    if not is_model:
        raise ValueError(
            "A pickled network must have the config of a Keras model as JSON; got "
            f"{str(config)[:80]!r}."
        )
    return spec


def _check_shift(name, shift):
    if shift is not None and not (
        isinstance(shift, np.ndarray)
        and shift.dtype in (np.float32, np.float64)
        and shift.ndim == 1
    ):
        raise ValueError(f"{name} of a pickled network must be a vector or None.")


def _check_groups(groups):
    is_valid = isinstance(groups, tuple) and all(
        isinstance(group, tuple)
        and len(group) > 0
        and all(type(column) is int and column >= 0 for column in group)
        for group in groups
    )
    if not is_valid:
        raise ValueError("groups of a pickled network must be tuples of columns.")


def _has_models(spec):
    kinds = {layer["class_name"] for layer in spec["config"]["layers"]}
    return bool(kinds & {"Functional", "Sequential"})
