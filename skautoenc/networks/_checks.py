"""Whether a model can be kept: built again from its config, the same at each call."""

import json

import numpy as np

from .._backend.keras import isolated, load
from .._backend.keras_internals import node_of, operation_name
from .._fitted.network import FittedNetwork, config_of
from .._fitted.rebuilding import holds_code, is_custom, model_of, parts_of


def check_can_be_rebuilt(part, model):
    """Raise where Keras could not build the model again from its config.

    Tried only where the config names something that is not Keras's own.
    """
    spec, reason = None, ""
    try:
        config = config_of(model)
        spec = json.loads(config)
        if _names_something_custom(spec):
            with isolated(0):
                model_of(config)
        return
    except (KeyError, NotImplementedError, OSError, TypeError, ValueError) as error:
        reason, without_source = str(error), isinstance(error, OSError)
    # Of a lambda Keras shows the source, which an interactive session has not.
    if without_source or (spec is not None and holds_code(spec)):
        raise ValueError(
            f"network: the {part} holds a Python lambda (in a Lambda layer, or as an "
            "activation), whose code is never kept. Call functions of keras.ops on "
            "the tensors instead, or use a layer class or a function of your own with "
            "@keras.saving.register_keras_serializable()."
        )
    raise ValueError(
        f"network: the {part} holds functions or layers that Keras cannot build "
        "again from their config, so that they could not be kept after training. "
        "Decorate them with @keras.saving.register_keras_serializable(), and give "
        f"a layer get_config. {reason[:300]}"
    )


def _names_something_custom(spec):
    return any(map(is_custom, parts_of(spec)))


def check_is_kept(part, model):
    """Raise where a model gives other numbers at each call, or when built again.

    Tried only where the config names something that is not Keras's own.

    Parameters
    ----------
    part : {"encoder", "decoder"}
    model : keras.Model
        Between flat rows.
    """
    kept = FittedNetwork.from_keras(model)
    if not _names_something_custom(json.loads(kept.config)):
        return
    again = kept.to_keras()
    layer, takes = _first_that_differs(again, again)
    if layer is not None:
        raise ValueError(
            f"network: the layer {layer!r} of the {part} draws random numbers at "
            "inference, so that the same row would get other numbers at each call. "
            + _without_draws(part, layer, takes)
        )
    layer, _ = _first_that_differs(model, again)
    if layer is not None:
        raise ValueError(
            f"network: the layer {layer!r} of the {part}, built again from its "
            "config, gives other numbers, so that it could not be kept after training. "
            "Its get_config must hold every argument of its __init__."
        )


def _without_draws(part, layer, takes):
    """What to do about a layer that draws, given what it takes."""
    training = "Or let the layer draw only where its argument `training` is true."
    mean = next(filter(names_a_mean, takes), takes[0] if len(takes) > 1 else None)
    if mean is None:
        return f"Let it give the mean of what is drawn. {training}"
    mean = f"{part}.get_layer({mean!r}).output"
    if part == "decoder":
        return (
            "Leave the layer out: give keras.Model(decoder.input, "
            f"{mean}) as the decoder. {training}"
        )
    return (
        "End the encoder at the mean of what is drawn: give keras.Model(encoder.input, "
        f"{mean}) as the encoder; of one model, network=("
        f"{mean.replace('encoder', 'keras.Model(model.input, model', 1)}), "
        f"keras.Model(model.get_layer({layer!r}).output, model.output)). {training} "
        "VariationalAutoencoder draws codes around any encoder."
    )


def _first_that_differs(model, other):
    """The first layer in which two equal models give different numbers.

    Equal rows must get equal numbers, and so must the same rows at another call.

    Returns
    -------
    layer : str or None
        Its name; within nested models the innermost.

    takes : list of str
        Names of the layers that it takes.
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
        return layer.name, [operation_name(tensor) for tensor in tensors]
    return None, []


def _outputs_of_layers(model, rows):
    """Every layer of a model, with the arrays that it gives for rows."""
    _, keras = load()
    tensors = [node_of(model, layer).outputs for layer in model.layers]
    flat = [tensor for outputs in tensors for tensor in outputs]
    with isolated(0):
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


def names_a_mean(name):
    return any(word in str(name).lower() for word in ("mean", "mu", "loc"))
