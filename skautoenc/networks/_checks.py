"""Checks that a model can be stored: it can be rebuilt, and it is deterministic."""

import json
from typing import Any

import numpy as np

from .._backend.keras import import_keras, isolated_random_state
from .._backend.keras_internals import node_of, operation_name
from .._fitted.graph import parts_of
from .._fitted.network import FittedNetwork, config_of
from .._fitted.rebuilding import holds_code, is_custom, model_from_config


def check_can_be_rebuilt(part: str, model: Any) -> None:
    """Raise a ValueError if Keras cannot rebuild a model from its config.

    Checked only if the config names something that is not part of Keras.

    Parameters
    ----------
    part : {"encoder", "decoder", "model"}
    model : keras.Model
    """
    spec, reason = None, ""
    try:
        config = config_of(model)
        spec = json.loads(config)
        if _names_something_custom(spec):
            with isolated_random_state(0):
                model_from_config(config)
        return
    except (KeyError, NotImplementedError, OSError, TypeError, ValueError) as error:
        reason, without_source = str(error), isinstance(error, OSError)
    # Keras shows the source of a lambda, which does not exist in interactive sessions.
    if without_source or (spec is not None and holds_code(spec)):
        raise ValueError(
            f"network: the {part} holds a Python lambda (in a Lambda layer, or as an "
            "activation), whose code is never stored. Call functions of keras.ops on "
            "the tensors instead, or define a layer class or a function with "
            "@keras.saving.register_keras_serializable()."
        )
    raise ValueError(
        f"network: the {part} holds functions or layers that Keras cannot rebuild "
        "from their config, so they cannot be stored after training. "
        "Decorate them with @keras.saving.register_keras_serializable(), and give "
        f"a layer get_config. {reason[:300]}"
    )


def _names_something_custom(spec):
    return any(map(is_custom, parts_of(spec)))


def check_is_reproducible(part: str, model: Any) -> None:
    """Raise a ValueError if a model is random at inference, or changed when rebuilt.

    Checked only if the config names something that is not part of Keras.

    Parameters
    ----------
    part : {"encoder", "decoder"}
    model : keras.Model
        With flat rows as its input and output.
    """
    network = FittedNetwork.from_keras(model)
    if not _names_something_custom(json.loads(network.config)):
        return
    rebuilt = network.to_keras()
    layer, inputs = _first_that_differs(rebuilt, rebuilt)
    if layer is not None:
        raise ValueError(
            f"network: the layer {layer!r} of the {part} draws random numbers at "
            "inference, so the same row would have another result at each call. "
            + _without_draws(part, layer, inputs)
        )
    layer, _ = _first_that_differs(model, rebuilt)
    if layer is not None:
        raise ValueError(
            f"network: the layer {layer!r} of the {part}, rebuilt from its config, "
            "has other outputs, so it cannot be stored after training. Its get_config "
            "must hold every argument of its __init__."
        )


def _without_draws(part, layer, inputs):
    """The remedy for a layer that draws random numbers, given its inputs' names."""
    training = "Or let the layer draw only if its argument `training` is true."
    mean = next(filter(names_a_mean, inputs), inputs[0] if len(inputs) > 1 else None)
    if mean is None:
        return f"Let it return the mean of the distribution. {training}"
    mean = f"{part}.get_layer({mean!r}).output"
    if part == "decoder":
        return (
            "Leave the layer out: give keras.Model(decoder.inputs[0], "
            f"{mean}) as the decoder. {training}"
        )
    return (
        "End the encoder at the mean: give keras.Model(encoder.inputs[0], "
        f"{mean}) as the encoder; of one model, network=("
        f"{mean.replace('encoder', 'keras.Model(model.inputs[0], model', 1)}), "
        f"keras.Model(model.get_layer({layer!r}).output, model.outputs[0])). "
        f"{training} VariationalAutoencoder draws codes around any encoder."
    )


def _first_that_differs(model, other):
    """The first layer in which the outputs of two equal models differ.

    Outputs must be equal for equal rows, and for the same rows at another call.

    Returns
    -------
    layer : str or None
        Its name; within nested models the innermost.

    inputs : list of str
        Names of the layers whose outputs are its inputs.
    """
    shape = model.inputs[0].shape[1:]
    if len(model.inputs) != 1 or None in shape:
        return None, []
    rows = np.random.default_rng(0).random((4, *shape)).astype(np.float32)
    rows = np.repeat(rows, 2, axis=0)
    for (layer, first), (twin, second) in zip(
        _outputs_of_layers(model, rows), _outputs_of_layers(other, rows), strict=True
    ):
        if all(map(_are_close, (a[::2] for a in first), (b[1::2] for b in second))):
            continue
        if getattr(layer, "inputs", None):
            inner = _first_that_differs(layer, twin)
            if inner[0] is not None:
                return inner
        tensors = node_of(model, layer).input_tensors
        return layer.name, list(map(operation_name, tensors))
    return None, []


def _outputs_of_layers(model, rows):
    """Every layer of a model, with its outputs for rows."""
    keras = import_keras()
    tensors = [node_of(model, layer).outputs for layer in model.layers]
    flat = [tensor for outputs in tensors for tensor in outputs]
    with isolated_random_state(0):
        found = keras.Model(model.inputs[0], flat)(rows, training=False)
    arrays = map(keras.ops.convert_to_numpy, keras.tree.flatten(found))
    return [
        (layer, [next(arrays) for _ in outputs])
        for layer, outputs in zip(model.layers, tensors, strict=True)
    ]


def _are_close(a, b):
    a, b = (np.asarray(array, np.float64) for array in (a, b))
    with np.errstate(invalid="ignore"):
        atol = 1e-5 * np.max(np.abs(a), initial=0)
        return np.allclose(a, b, rtol=0, atol=atol, equal_nan=True)


def names_a_mean(name: Any) -> bool:
    """Whether the name of an output or a layer suggests that it is a mean."""
    return any(word in str(name).lower() for word in ("mean", "mu", "loc"))
