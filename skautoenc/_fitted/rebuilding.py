"""Keras models from configs and weights that may come from anywhere."""

import json

import numpy as np

from .._backend.keras import load, own_layers
from .._backend.keras_internals import safe_mode
from .forward import plan_forward

_MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError)


def model_of(config):
    """Build the Keras model of a config.

    Code in the config (a Python lambda) is refused, whatever
    ``keras.config.enable_unsafe_deserialization`` has set.

    Parameters
    ----------
    config : str
        What ``keras.Model.to_json`` gave.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        Naming what is not registered, or what Keras says.
    """
    _, keras = load()
    own_layers()
    try:
        with safe_mode():
            model = keras.models.model_from_json(config)
    except _MALFORMED as error:
        raise ValueError(_cannot_be_built(config, error)) from error
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"A network's config must be that of a Keras model; it gives {model!r}."
        )
    return model


def weights_set(model, weights):
    """Give a Keras model its weights, and return it.

    Raises
    ------
    ValueError
        If they differ from the model's in number, shape or dtype.
    """
    _check_weights(weights, [(tuple(w.shape), str(w.dtype)) for w in model.weights])
    model.set_weights(weights)
    return model


def check_pickled(state):
    """Check a network as it comes out of a pickle, as far as Keras is not needed.

    Parameters
    ----------
    state : dict
        With ``config``, ``weights``, ``input_shift`` and ``output_shift``.

    Raises
    ------
    ValueError
        If the config is not that of a Keras model, or holds code, or if the weights
        are not those of its layers.
    """
    config, weights = state.get("config"), state.get("weights")
    try:
        spec = json.loads(config)
        is_model = isinstance(spec["class_name"], str) and isinstance(
            spec["config"], dict
        )
    except _MALFORMED:
        is_model = False
    if not is_model:
        raise ValueError(
            "A pickled network must have the config of a Keras model as JSON; got "
            f"{str(config)[:80]!r}."
        )
    _refuse_code(spec)
    if not isinstance(weights, list | tuple) or not all(
        isinstance(w, np.ndarray) for w in weights
    ):
        raise ValueError("The weights of a pickled network must be a list of arrays.")
    for name in ("input_shift", "output_shift"):
        shift = state.get(name)
        if shift is not None and not (
            isinstance(shift, np.ndarray)
            and shift.dtype in (np.float32, np.float64)
            and shift.ndim == 1
        ):
            raise ValueError(f"{name} of a pickled network must be a vector or None.")
    try:
        forward = plan_forward(spec, len(weights))
        wanted = _wanted_weights(spec)
    except _MALFORMED as error:
        raise ValueError(
            f"The config of a pickled network is damaged: {error!r}."
        ) from None
    # Nested models may share weights, which no config tells.
    if wanted is not None and (forward is not None or not _has_models(spec)):
        _check_weights(weights, wanted)


def parts_of(spec):
    """Yield every dict in a config, the outer ones first."""
    if isinstance(spec, dict):
        yield spec
        spec = list(spec.values())
    if isinstance(spec, list | tuple):
        for item in spec:
            yield from parts_of(item)


def holds_code(spec):
    """Whether a config holds a Python lambda."""
    return any(map(_is_code, parts_of(spec)))


def _is_code(part):
    # A lambda as activation is serialised without a class.
    is_bare = part.keys() == {"value"} and isinstance(part["value"], list)
    return is_bare or part.get("class_name") == "__lambda__"


def is_custom(part):
    """Whether a dict in a config stands for a class or function that is not Keras's."""
    if _is_code(part) or part.get("class_name") in ("function", "Lambda"):
        return True
    if "registered_name" not in part:
        return False
    place = part.get("module") or part["registered_name"] or ""
    return place.split(">")[0].split(".")[0] not in ("builtins", "keras", "skautoenc")


def with_modules(config):
    """Name the module of each registered class and function: Keras leaves it out.

    Parameters
    ----------
    config : str
        What ``keras.Model.to_json`` gave.

    Returns
    -------
    str
    """
    _, keras = load()
    spec = json.loads(config)
    for part in parts_of(spec):
        if part.get("module", "") in (None, "builtins") and "class_name" in part:
            found = keras.saving.get_registered_object(registered_name(part))
            part["module"] = getattr(found, "__module__", part["module"])
    return json.dumps(spec)


def registered_name(part):
    """The name that a class or function in a config is registered by."""
    is_function = part["class_name"] == "function"
    return part["config"] if is_function else part.get("registered_name")


def _refuse_code(spec):
    if holds_code(spec):
        raise ValueError(
            "The network's config holds the code of a Python lambda, which is never "
            "run. Use keras.ops, or a registered layer or function, and fit anew."
        )


def _check_weights(weights, wanted):
    """Compare weights with the shape and dtype that each should have."""
    if len(weights) != len(wanted):
        raise ValueError(
            f"The network's config asks for {len(wanted)} arrays of weights; there "
            f"are {len(weights)}."
        )
    for i, (array, (shape, dtype)) in enumerate(zip(weights, wanted, strict=True)):
        if array.shape != shape or str(array.dtype) != dtype:
            raise ValueError(
                f"weights[{i}] of the network must be of shape {shape} and {dtype}, as "
                f"its config says; it is of shape {array.shape} and {array.dtype}."
            )


def _cannot_be_built(config, error):
    """What to do where Keras cannot build a model from its config."""
    _, keras = load()
    spec = json.loads(config)
    _refuse_code(spec)
    missing = {}
    for part in filter(is_custom, parts_of(spec)):
        name = registered_name(part) or part["class_name"]
        if name != "Lambda" and keras.saving.get_registered_object(name) is None:
            missing[name] = part.get("module")
    if not missing:
        # Keras shows the whole config first, and what was wrong with it last.
        reason = str(error).rpartition("Exception encountered: ")[2]
        return f"Keras cannot build the network from its config. It says: {reason}"
    modules = sorted({str(m) for m in missing.values()} - {"None", "builtins"})
    where = f"import {', '.join(modules)}" if modules else "import what defines them"
    if "__main__" in modules:
        where = (
            "put what was defined in a script or notebook (__main__) into a module, "
            "and import that"
        )
    return (
        f"The network needs {', '.join(map(repr, missing))}, registered with "
        "keras.saving.register_keras_serializable, which this process does not have: "
        f"{where} first."
    )


def _has_models(spec):
    kinds = {layer["class_name"] for layer in spec["config"]["layers"]}
    return bool(kinds & {"Functional", "Sequential"})


def _wanted_weights(spec):
    """Shape and dtype of every array of weights; None where a layer is unknown."""
    wanted = []
    for layer in spec["config"].get("layers", [None]):
        arrays = None if layer is None else _weights_of(layer)
        if arrays is None:
            return None
        wanted += arrays
    return wanted


def _weights_of(layer):
    kind, config = layer["class_name"], layer["config"]
    if kind in ("Functional", "Sequential"):
        return _wanted_weights(layer)
    if kind in _WITHOUT_WEIGHTS:
        return []
    shape = _input_shape(layer)
    if (
        kind not in _SHAPES
        or shape is None
        or config.get("lora_rank")
        or config.get("quantization_config")
    ):
        return None
    dtype = config.get("dtype", "float32")
    dtype = dtype["config"]["name"] if isinstance(dtype, dict) else dtype
    dtype = "float32" if dtype.startswith("mixed_") else dtype
    return [(tuple(array), dtype) for array in _SHAPES[kind](config, shape)]


def _input_shape(layer):
    """Of what a serialised layer takes, if it says so."""
    built = layer.get("build_config") or {}
    if built.get("input_shape"):
        return built["input_shape"]
    for part in parts_of(layer.get("inbound_nodes", ())):
        if part.get("class_name") == "__keras_tensor__":
            return part["config"]["shape"]
    return None


def _dense(config, shape):
    return [(shape[-1], config["units"]), (config["units"],)][: 1 + config["use_bias"]]


def _normalization(n_statistics):
    def shapes(config, shape):
        axes = np.atleast_1d(config["axis"])
        n_arrays = n_statistics + config["scale"] + config["center"]
        return [[shape[axis] for axis in axes]] * n_arrays

    return shapes


_SHAPES = {
    "Dense": _dense,
    "TransposedDense": lambda c, shape: [(c["units"], shape[-1]), (c["units"],)],
    "BatchNormalization": _normalization(2),
    "LayerNormalization": _normalization(0),
}
_WITHOUT_WEIGHTS = {
    "Activation",
    "Add",
    "Concatenate",
    "Dropout",
    "Flatten",
    "GaussianNoise",
    "Identity",
    "InputLayer",
    "ReLU",
    "Rescaling",
    "Reshape",
}
