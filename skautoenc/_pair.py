"""The encoder and decoder of a fit: whatever `network` is, flat rows in and out."""

import contextlib
import json

import numpy as np

from ._checks import fit_together
from ._fitted import FittedNetwork, config_of
from ._keras import global_generators_seeded, isolated, load
from .networks import ConvNetwork, DenseNetwork


def build_pair(network, input_shape, n_components):
    """Build the two models that a fit trains, and check that they fit the data.

    Parameters
    ----------
    network : callable or tuple
        ``(input_shape, n_components) -> (encoder, decoder)``; or the pair itself; or
        one model and the name of its code layer. Models are copied, never changed,
        and may be given as `FittedNetwork`.

    input_shape : tuple of int
        Shape of one row of the data.

    n_components : int or None
        Width of the code; None takes that of the network.

    Returns
    -------
    encoder, decoder : keras.Model
        Functional or Sequential, between rows of shape (n_features,) and codes of
        shape (n_components,).

    Raises
    ------
    TypeError
        If `network` is or gives something else than two Keras models.
    ValueError
        If a model's input or output has another size than the data or the code, or if
        Keras could not build a model again from its config.
    """
    if isinstance(network, tuple | list):
        pair = _copies(network, input_shape)
    else:
        pair = _called(network, input_shape, n_components)
    encoder, decoder = pair
    n_features = int(np.prod(input_shape))
    encoder = _flat("encoder", encoder, n_features, input_shape)
    n_code = encoder.output_shape[1]
    decoder = _flat("decoder", decoder, n_code, (n_code,))
    n_out = decoder.output_shape[1]
    if n_components not in (None, n_code):
        raise ValueError(
            f"network: the encoder gives codes of {n_code} values, but n_components="
            f"{n_components}. Set n_components to {n_code}, or to None, which takes "
            "the width of the network's code."
        )
    if n_out != n_features:
        raise ValueError(
            f"network: the decoder ends in {n_out} values, but a row of X has "
            f"{n_features} (n_features={n_features})."
        )
    return encoder, decoder


def plain(network):
    """Return `network` with Keras models replaced by what can be pickled plainly.

    Raises
    ------
    ValueError
        If Keras could not build a model again from its config.
    """
    if not isinstance(network, tuple | list):
        return network
    for item in network:
        if _is_model(item):
            _check_can_be_rebuilt("model", item)
    return tuple(
        FittedNetwork.from_keras(item) if _is_model(item) else item for item in network
    )


def _is_model(item):
    return hasattr(item, "to_json") and hasattr(item, "get_weights")


def _called(network, input_shape, n_components):
    _, keras = load()
    if isinstance(network, keras.Model):
        raise TypeError(
            "network is one Keras model. Say which of its layers gives the code, "
            "network=(model, 'name of the layer'), or give two models, "
            "network=(encoder, decoder)."
        )
    is_ours = type(network) in (ConvNetwork, DenseNetwork)
    try:
        with contextlib.nullcontext() if is_ours else global_generators_seeded():
            pair = network(input_shape, n_components)
    except Exception as error:
        error.add_note(
            f"Raised by network={network!r}, which is called as "
            f"network({input_shape}, {n_components})."
        )
        raise
    if not (
        isinstance(pair, tuple | list)
        and len(pair) == 2
        and all(isinstance(model, keras.Model) for model in pair)
    ):
        raise TypeError(
            "network must return two Keras models, (encoder, decoder), but "
            f"{network!r} returned {_describe(pair)}."
        )
    for part, model in zip(("encoder", "decoder"), pair, strict=True):
        _check_can_be_rebuilt(part, model)
    return pair


def _copies(network, input_shape):
    """New models with the weights of those that were given."""
    _, keras = load()
    accepted = keras.Model | FittedNetwork
    if len(network) == 2 and isinstance(network[0], accepted):
        first, second = network
        if isinstance(second, str):
            return _cut(_copy("model", first), second, input_shape)
        if isinstance(second, accepted):
            return _copy("encoder", first), _copy("decoder", second)
    raise TypeError(
        "network as a pair must be two Keras models, (encoder, decoder), or one and "
        f"the name of its code layer, (model, 'code'); got {_describe(network)}."
    )


def _copy(part, model):
    if not isinstance(model, FittedNetwork):
        _check_can_be_rebuilt(part, model)
        model = FittedNetwork.from_keras(model)
    return model.build()


def _cut(model, name, input_shape):
    """Cut one model in two behind the layer of this name."""
    _, keras = load()
    if isinstance(model, keras.Sequential) and not model.built:
        model.build((None, *input_shape))
    names = [layer.name for layer in model.layers]
    if name not in names or not getattr(model, "inputs", None):
        raise ValueError(
            f"network: {name!r} is to be the code layer of the model "
            f"{model.name!r}, a functional or Sequential one, which has the layers "
            f"{names}."
        )
    (code,) = node_of(model, model.get_layer(name)).outputs
    try:
        return (
            keras.Model(model.inputs[0], code),
            keras.Model(code, model.outputs[0]),
        )
    except ValueError as error:
        raise ValueError(
            f"network: not everything behind the layer {name!r} follows from it, so "
            f"that the model cannot be cut there. Keras says: {str(error)[:200]}"
        ) from None


def given_shape(part, model):
    """Shape of the rows that a model trained elsewhere takes.

    Raises
    ------
    TypeError
        If it is no Keras model.
    ValueError
        If it has never been called.
    """
    _, keras = load()
    if not isinstance(model, keras.Model):
        raise TypeError(f"{part} must be a Keras model; got {_describe(model)}.")
    if not model.built:
        raise ValueError(
            f"The {part} has no weights yet. Give it a keras.Input, or call it once "
            "on rows of your data."
        )
    if getattr(model, "inputs", None):
        shape = tuple(model.inputs[0].shape[1:])
    else:
        shape = tuple(model.get_build_config()["input_shape"][1:])
    if None in shape:
        raise ValueError(
            f"The {part} takes rows of shape {shape}; their size must be fixed."
        )
    return shape


def node_of(model, layer):
    """Where a layer stands in the graph of a functional or Sequential model."""
    levels = getattr(model, "_functional", model)._nodes_by_depth.values()
    return next(node for level in levels for node in level if node.operation is layer)


def _flat(part, model, n_in, shape_in):
    """Return the model between flat rows, built, whatever shapes it works with.

    Parameters
    ----------
    part : {"encoder", "decoder"}
    model : keras.Model
    n_in : int
        Values in a row that it is to take.

    shape_in : tuple of int
        Their shape, for a model that does not say what it takes.
    """
    _, keras = load()
    if isinstance(model, keras.Sequential) and not model.built:
        model.build((None, *shape_in))
    n_ends = [len(getattr(model, ends, None) or [1]) for ends in ("inputs", "outputs")]
    if n_ends != [1, 1]:
        raise ValueError(
            f"network: the {part} must have one input and one output; it has "
            f"{n_ends[0]} and {n_ends[1]}."
        )
    given = shape_in if len(shape_in) > 1 else None
    if model.built:
        shape_in = given_shape(part, model)
    if np.prod(shape_in) != n_in:
        takes = "a row of X has" if part == "encoder" else "the encoder gives codes of"
        raise ValueError(
            f"network: the {part} takes rows of shape {shape_in}, but {takes} {n_in} "
            f"values ({'n_features' if part == 'encoder' else 'n_components'}={n_in})."
        )
    if len(shape_in) > 1 and not fit_together(given, shape_in):
        raise ValueError(
            f"network: the {part} takes images of shape {shape_in}, but X has rows of "
            f"shape {given}. Bring the axes of X into that order (channels last)."
        )
    if not getattr(model, "inputs", None):
        inputs = keras.Input(shape_in)
        model = keras.Model(inputs, model(inputs), name=f"functional_{part}")
    if not isinstance(model, keras.Sequential) and any(
        isinstance(ends, list | tuple | dict) for ends in (model.input, model.output)
    ):
        # Made with lists of one tensor, which it would want to be called with.
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if len(shape_in) > 1 or len(model.output_shape) > 2:
        model = _between_flat_rows(part, model, shape_in)
    if None in model.output_shape[1:]:
        raise ValueError(
            f"network: the {part} gives rows of shape {model.output_shape[1:]}; their "
            "size must be fixed."
        )
    return model


def _between_flat_rows(part, model, shape_in):
    """The same graph between a layer that reshapes rows and one that flattens them."""
    _, keras = load()
    inputs = keras.Input((int(np.prod(shape_in)),), name=f"{part}_rows")
    images = keras.layers.Reshape(shape_in, name=f"{part}_reshape")(inputs)
    graph = getattr(model, "_functional", model)
    outputs = graph._run_through_graph(images, operation_fn=lambda operation: operation)
    (outputs,) = keras.tree.flatten(outputs)
    outputs = keras.layers.Flatten(name=f"{part}_flatten")(outputs)
    return keras.Model(inputs, outputs, name=f"{part}_of_rows")


def _check_can_be_rebuilt(part, model):
    """Raise where Keras could not build the model again from its config.

    Tried only where the config names something that is not Keras's own.
    """
    _, keras = load()
    try:
        config = config_of(model)
        if _names_something_custom(json.loads(config)):
            with isolated(0):
                keras.models.model_from_json(config)
    except (KeyError, NotImplementedError, TypeError, ValueError) as error:
        # Keras shows the whole config first, and what was wrong with it last.
        reason = str(error).rpartition("Exception encountered: ")[2]
        raise ValueError(
            f"network: the {part} holds functions or layers that Keras cannot build "
            "again from their config, so that they could not be kept after training. "
            "Decorate them with @keras.saving.register_keras_serializable(), and give "
            f"a layer get_config. Keras says: {reason[:200]}"
        ) from None


def _names_something_custom(spec):
    if isinstance(spec, dict):
        if spec.get("class_name") in ("function", "__lambda__", "Lambda"):
            return True
        if spec.keys() == {"value"}:  # the code of a lambda as activation
            return True
        if "registered_name" in spec:
            module = spec.get("module") or ""
            if module.split(".")[0] not in ("keras", "builtins", "skautoenc"):
                return True
        spec = list(spec.values())
    return isinstance(spec, list) and any(map(_names_something_custom, spec))


def _describe(value):
    if isinstance(value, tuple | list):
        return f"({', '.join(type(item).__name__ for item in value)})"
    return f"an object of type {type(value).__name__}"
