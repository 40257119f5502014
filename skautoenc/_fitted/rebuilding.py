"""Keras models rebuilt from configs and weights, which may be untrusted."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._backend.keras import custom_layers, import_keras, isolated_random_state
from .._backend.keras_internals import flatten_layers, safe_mode
from .graph import parts_of

# Exceptions that reading a damaged config may raise.
MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def model_from_config(config: str) -> Any:
    """Build the Keras model of a config.

    Code in the config (a Python lambda) is refused, even after
    ``keras.config.enable_unsafe_deserialization``.

    Parameters
    ----------
    config : str
        Output of ``keras.Model.to_json``.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        If Keras cannot build it. The message names what is not registered, or
        contains the error of Keras.
    """
    keras = import_keras()
    custom_layers()
    try:
        with safe_mode():
            model = keras.models.model_from_json(config)
    except MALFORMED as error:
        raise ValueError(_cannot_be_built(config, error)) from error
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"A network's config must be that of a Keras model; it gives {model!r}."
        )
    return model


def without_tied_layers(model: Any) -> Any:
    """Return a Keras model with a `Dense` layer for each `TransposedDense` layer.

    A program that does not use skautoenc can load it from a file.

    Parameters
    ----------
    model : keras.Model
        Built from a config, so that kernels are not shared by layers.

    Returns
    -------
    keras.Model
        The model itself if there is no such layer.
    """
    kind = custom_layers().TransposedDense
    layers = [x for x in flatten_layers(model) if isinstance(x, kind)]
    if not layers:
        return model
    spec = json.loads(model.to_json())
    for part in parts_of(spec):
        if part.get("registered_name") == "skautoenc>TransposedDense":
            part.update(module="keras.layers", class_name="Dense", registered_name=None)
            part.pop("build_config", None)
    with isolated_random_state(0):
        plain = model_from_config(json.dumps(spec))
    kernels = {id(layer.kernel) for layer in layers}
    plain.set_weights(
        [w.numpy().T if id(w) in kernels else w.numpy() for w in model.weights]
    )
    return plain


def set_weights(model: Any, weights: Sequence[np.ndarray]) -> None:
    """Set the weights of a Keras model.

    Raises
    ------
    ValueError
        If they differ from the model's in number, shape or dtype.
    """
    check_weights(weights, [(tuple(w.shape), str(w.dtype)) for w in model.weights])
    model.set_weights(weights)


def check_weights(
    weights: Sequence[np.ndarray], shapes: Sequence[tuple[tuple[int, ...], str]]
) -> None:
    """Compare weights with the shape and dtype that each should have.

    Raises
    ------
    ValueError
    """
    if len(weights) != len(shapes):
        raise ValueError(
            f"The network's config requires {len(shapes)} arrays of weights; there "
            f"are {len(weights)}."
        )
    for i, (array, (shape, dtype)) in enumerate(zip(weights, shapes, strict=True)):
        if array.shape != shape or str(array.dtype) != dtype:
            raise ValueError(
                f"weights[{i}] of the network must be of shape {shape} and {dtype}, as "
                f"its config says; it is of shape {array.shape} and {array.dtype}."
            )


def check_no_code(spec: dict) -> None:
    """Raise a ValueError if a config holds a Python lambda."""
    if holds_code(spec):
        raise ValueError(
            "The network's config holds the code of a Python lambda, which is never "
            "run. Use keras.ops, or a registered layer or function, and fit again."
        )


def holds_code(spec: dict) -> bool:
    """Whether a config holds a Python lambda."""
    return any(map(_is_code, parts_of(spec)))


def _is_code(part):
    # A lambda as activation is serialised without a class.
    is_bare = part.keys() == {"value"} and isinstance(part["value"], list)
    return is_bare or part.get("class_name") == "__lambda__"


def is_custom(part: dict) -> bool:
    """Whether a dict in a config represents a custom class or function."""
    if _is_code(part) or part.get("class_name") in ("function", "Lambda"):
        return True
    if "registered_name" not in part:
        return False
    path = part.get("module") or part["registered_name"] or ""
    return path.split(">")[0].split(".")[0] not in ("builtins", "keras", "skautoenc")


def with_modules(config: str) -> str:
    """Add the module of each registered class and function, which Keras leaves out.

    Parameters
    ----------
    config : str
        Output of ``keras.Model.to_json``.
    """
    keras = import_keras()
    spec = json.loads(config)
    for part in parts_of(spec):
        if part.get("module", "") in (None, "builtins") and "class_name" in part:
            found = keras.saving.get_registered_object(registered_name(part))
            part["module"] = getattr(found, "__module__", part["module"])
    return json.dumps(spec)


def registered_name(part: dict) -> str | None:
    """Return the name under which a class or function in a config is registered."""
    is_function = part["class_name"] == "function"
    return part["config"] if is_function else part.get("registered_name")


def _cannot_be_built(config, error):
    """The message of the error if Keras cannot build a model from its config."""
    keras = import_keras()
    spec = json.loads(config)
    check_no_code(spec)
    missing = {}
    for part in filter(is_custom, parts_of(spec)):
        name = registered_name(part) or part["class_name"]
        if name != "Lambda" and keras.saving.get_registered_object(name) is None:
            missing[name] = part.get("module")
    if not missing:
        # The message of Keras contains the whole config first, and the reason last.
        reason = str(error).rpartition("Exception encountered: ")[2]
        return f"Keras cannot build the network from its config: {reason}"
    modules = sorted({str(m) for m in missing.values()} - {"None", "builtins"})
    remedy = f"import {', '.join(modules)}" if modules else "import their modules"
    if "__main__" in modules:
        remedy = (
            "move the definitions of the script or notebook (__main__) into a module, "
            "and import it"
        )
    return (
        f"The network needs {', '.join(map(repr, missing))}, registered with "
        "keras.saving.register_keras_serializable, which this process does not have: "
        f"{remedy} first."
    )
