"""The encoder and decoder that a fit trains, from any form that `network` can have."""

import contextlib
from typing import Any

import numpy as np

from .._backend.keras import (
    global_generators_seeded,
    import_keras,
    isolated_random_state,
)
from .._backend.keras_internals import apply_graph, node_of, operation_name
from .._fitted.custom_objects import with_definitions
from .._fitted.network import FittedNetwork
from .._utils.shapes import shapes_compatible
from ._checks import check_can_be_rebuilt, check_is_reproducible, names_a_mean
from ._conv import ConvNetwork
from ._dense import DenseNetwork
from ._incomplete import IncompleteNetwork


def build_pair(
    network: Any, input_shape: tuple[int, ...], n_components: int | None
) -> tuple[Any, Any]:
    """Build the two models that a fit trains, and check that they fit the data.

    Parameters
    ----------
    network : callable or tuple
        ``(input_shape, n_components) -> (encoder, decoder)``; or the two models; or
        one model and the name of its code layer. Models are copied, and may be given
        as `FittedNetwork`. The decoder of an `IncompleteNetwork` gives half as many
        values as the encoder takes.

    input_shape : tuple of int
        Shape of one row of the data.

    n_components : int or None
        Width of the code; None uses that of the network.

    Returns
    -------
    encoder, decoder : keras.Model
        Functional or Sequential, between rows of shape (n_features,) and codes of
        shape (n_components,).

    Raises
    ------
    TypeError
        If `network` does not provide two Keras models.
    ValueError
        If a model's input or output differs in size from the data or the code, if
        Keras cannot rebuild a model from its config, or if a model draws random
        numbers at inference.
    """
    if isinstance(network, tuple | list):
        pair = _from_models(network, input_shape)
    else:
        pair = _from_callable(network, input_shape, n_components)
    encoder, decoder = pair
    n_features = int(np.prod(input_shape))
    encoder = _as_flat_model("encoder", encoder, n_features, input_shape)
    n_code = encoder.output_shape[1]
    decoder = _as_flat_model("decoder", decoder, n_code, (n_code,))
    n_out = decoder.output_shape[1]
    if n_components not in (None, n_code):
        raise ValueError(
            f"network: the encoder gives codes of {n_code} values, but n_components="
            f"{n_components}. Set n_components to {n_code}, or to None, which uses "
            "the width of the network's code."
        )
    if isinstance(network, IncompleteNetwork):
        n_features //= 2
    if n_out != n_features:
        raise ValueError(
            f"network: the decoder ends in {n_out} values, but a row of X has "
            f"{n_features} (n_features={n_features})."
        )
    for part, model in (("encoder", encoder), ("decoder", decoder)):
        check_is_reproducible(part, model)
    return encoder, decoder


def to_picklable(network: Any, is_fitted: bool) -> Any:
    """Return `network` with Keras models replaced by `FittedNetwork`.

    Parameters
    ----------
    network : object
    is_fitted : bool
        Whether it was trained. Otherwise it may be trained in the process that loads
        it, and is pickled with the custom classes that it needs.

    Raises
    ------
    ValueError
        If Keras cannot rebuild a model from its config.
    """
    if isinstance(network, tuple | list):
        for item in network:
            if _is_model(item):
                check_can_be_rebuilt("model", item)
        network = tuple(
            FittedNetwork.from_keras(item) if _is_model(item) else item
            for item in network
        )
    return network if is_fitted else with_definitions(network)


def _is_model(item):
    return hasattr(item, "to_json") and hasattr(item, "get_weights")


def _from_callable(network, input_shape, n_components):
    keras = import_keras()
    if isinstance(network, keras.Model):
        raise TypeError(
            "network is one Keras model. Say which of its layers gives the code, "
            "network=(model, 'name of the layer'), or give two models, "
            "network=(encoder, decoder)."
        )
    is_builtin = type(network) in (ConvNetwork, DenseNetwork)
    try:
        with contextlib.nullcontext() if is_builtin else global_generators_seeded():
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
        check_can_be_rebuilt(part, model)
    return pair


def _from_models(network, input_shape):
    """Copy given models."""
    keras = import_keras()
    accepted = keras.Model | FittedNetwork
    if len(network) == 2 and isinstance(network[0], accepted):
        first, second = network
        if isinstance(second, str):
            return _split_at_layer(_copy("model", first), second, input_shape)
        if isinstance(second, accepted):
            return _copy("encoder", first), _copy("decoder", second)
    raise TypeError(
        "network as a pair must be two Keras models, (encoder, decoder), or one and "
        f"the name of its code layer, (model, 'code'); got {_describe(network)}."
    )


def _copy(part, model):
    if not isinstance(model, FittedNetwork):
        check_can_be_rebuilt(part, model)
        model = FittedNetwork.from_keras(model)
    return model.build()


def _split_at_layer(model, name, input_shape):
    """Split one model after the layer of this name."""
    keras = import_keras()
    if isinstance(model, keras.Sequential) and not model.built:
        model.build((None, *input_shape))
    if not _has_layer(model, name):
        raise ValueError(f"network: {_no_code_layer(model, name)}")
    outputs = node_of(model, model.get_layer(name)).outputs
    if len(outputs) != 1:
        raise ValueError(
            f"network: the layer {name!r} has {len(outputs)} outputs; the code layer "
            "must have one. "
            + _which_to_keep("encoder", model.get_layer(name))
            + f" Here encoder = model.get_layer({name!r}), and the decoder consists of "
            "the layers after it."
        )
    encoder = keras.Model(model.inputs[0], outputs[0])
    decoder = _model_from(outputs[0], model)
    if decoder is None:
        raise ValueError(
            f"network: the model cannot be split at the layer {name!r}: the layers "
            f"after it do not depend on it alone.{_where_to_begin(model, name)}"
        )
    return encoder, decoder


def _has_layer(model, name):
    """Whether a model has a graph, and a layer of this name in it."""
    names = [layer.name for layer in model.layers]
    return name in names and bool(getattr(model, "inputs", None))


def _no_code_layer(model, name):
    """Why a model cannot be split at a layer, and what to do."""
    names = [layer.name for layer in model.layers]
    within = [
        layer.name
        for layer in model.layers
        if name in [inner.name for inner in getattr(layer, "layers", [])]
    ]
    if not getattr(model, "inputs", None):
        reason = (
            f"The model {model.name!r} cannot be split at a layer, as it is neither a "
            f"functional nor a Sequential one. It has the layers {names}"
        )
    elif within:
        reason = f"{name!r} is a layer of {within[0]!r}, a model within the model"
    else:
        reason = (
            f"{name!r} must be a layer of the model {model.name!r}, which has the "
            f"layers {names}"
        )
    return (
        f"{reason}. Give two models, encoder and decoder, which may be layers or "
        "attributes of this one."
    )


def _model_from(tensor, model):
    """The part of a model after a tensor; None if it has other inputs too."""
    keras = import_keras()
    try:
        return keras.Model(tensor, model.outputs[0])
    except ValueError:
        return None


def _where_to_begin(model, name):
    """How the decoder can begin at another layer than the code layer."""
    layers = model.layers
    following = layers[layers.index(model.get_layer(name)) + 1 :]
    width = node_of(model, model.get_layer(name)).outputs[0].shape
    for layer in following:
        outputs = node_of(model, layer).outputs
        if [tensor.shape for tensor in outputs] != [width]:
            continue
        if _model_from(outputs[0], model) is not None:
            return (
                " The decoder can begin after another layer: network=("
                f"keras.Model(model.inputs[0], model.get_layer({name!r}).output), "
                f"keras.Model(model.get_layer({layer.name!r}).output, "
                "model.outputs[0]))"
            )
    return " Give two models, network=(encoder, decoder)."


def _which_to_keep(part, model):
    """How to make a model with one output from one with several."""
    if getattr(model, "outputs", None):
        names = list(map(operation_name, model.outputs))
        given, of = f"{part}.inputs[0]", f"{part}.outputs"
        picks = range(len(names))
    else:
        keras = import_keras()
        shape = given_shape(part, model)
        outputs = model(keras.Input(shape))
        names = picks = (
            list(outputs) if isinstance(outputs, dict) else range(len(outputs))
        )
        given, of = "inputs", f"{part}(inputs)"
    mean = next((i for i, n in enumerate(names) if names_a_mean(n)), 0)
    code = f"keras.Model({given}, {of}[{list(picks)[mean]!r}])"
    if given == "inputs":
        code = f"inputs = keras.Input({shape}) and {code}"
    return (
        f"Keep one of the outputs {', '.join(map(repr, names))}: of a variational "
        f"encoder the mean, here probably {list(names)[mean]!r}. Give {code} as the "
        f"{part}."
    )


def networks_of_models(
    encoder: Any, decoder: Any
) -> tuple[dict[str, FittedNetwork], tuple[int, ...], int]:
    """Return trained models as fitted networks.

    Parameters
    ----------
    encoder : keras.Model
    decoder : keras.Model or str
        Or the name of the code layer of `encoder`.

    Returns
    -------
    networks : dict of str to FittedNetwork
        "encoder" and "decoder".

    row_shape : tuple of int
        Shape of a row.

    n_components : int

    Raises
    ------
    TypeError, ValueError
        See `build_pair`.
    """
    row_shape = given_shape("encoder", encoder)
    if not isinstance(decoder, str):
        given_shape("decoder", decoder)
    elif not _has_layer(encoder, decoder):
        raise TypeError(
            "decoder must be a Keras model, or the name of the code layer of encoder; "
            f"got the str {decoder!r}. {_no_code_layer(encoder, decoder)}"
        )
    with isolated_random_state(0):
        models = build_pair((encoder, decoder), row_shape, None)
    fitted = map(FittedNetwork.from_keras, models)
    networks = dict(zip(("encoder", "decoder"), fitted, strict=True))
    return networks, row_shape, models[0].output_shape[1]


def given_shape(part: str, model: Any) -> tuple[int, ...]:
    """Return the shape of the rows that a trained model takes.

    Raises
    ------
    TypeError
        If it is not a Keras model.
    ValueError
        If it has never been called.
    """
    keras = import_keras()
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


def _as_flat_model(part, model, n_in, shape_in):
    """Return the model, built, with flat rows as its input and output.

    Parameters
    ----------
    part : {"encoder", "decoder"}
    model : keras.Model
    n_in : int
        Number of values in a row.

    shape_in : tuple of int
        Their shape, for a model without an input shape.
    """
    keras = import_keras()
    if isinstance(model, keras.Sequential) and not model.built:
        model.build((None, *shape_in))
    _check_ends(part, model, shape_in)
    given = shape_in if len(shape_in) > 1 else None
    if model.built:
        shape_in = given_shape(part, model)
    if np.prod(shape_in) != n_in:
        takes = "a row of X has" if part == "encoder" else "the encoder gives codes of"
        raise ValueError(
            f"network: the {part} takes rows of shape {shape_in}, but {takes} {n_in} "
            f"values ({'n_features' if part == 'encoder' else 'n_components'}={n_in})."
        )
    if len(shape_in) > 1 and not shapes_compatible(given, shape_in):
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
        # A model made with lists of one tensor must be called with such lists.
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if len(shape_in) > 1 or len(model.output_shape) > 2:
        model = _wrap_with_reshape(part, model, shape_in)
    if None in model.output_shape[1:]:
        raise ValueError(
            f"network: the {part} returns rows of shape {model.output_shape[1:]}; "
            "their size must be fixed."
        )
    return model


def _check_ends(part, model, shape_in):
    """Raise unless a model has one input and one output."""
    keras = import_keras()
    n_inputs, outputs = 1, getattr(model, "outputs", None)
    if outputs is None:
        shape_in = given_shape(part, model) if model.built else shape_in
        outputs = keras.tree.flatten(model(keras.Input(shape_in)))
    else:
        n_inputs = len(model.inputs)
    if n_inputs != 1 or len(outputs) != 1:
        way = _which_to_keep(part, model) if n_inputs == 1 else ""
        raise ValueError(
            f"network: the {part} must have one input and one output; it has "
            f"{n_inputs} and {len(outputs)}. {way}"
        )


def _wrap_with_reshape(part, model, shape_in):
    """The same graph between a layer that reshapes rows and one that flattens them."""
    keras = import_keras()
    inputs = keras.Input((int(np.prod(shape_in)),), name=f"{part}_rows")
    images = keras.layers.Reshape(shape_in, dtype="float32", name=f"{part}_reshape")(
        inputs
    )
    outputs = apply_graph(model, images)
    (outputs,) = keras.tree.flatten(outputs)
    outputs = keras.layers.Flatten(dtype="float32", name=f"{part}_flatten")(outputs)
    return keras.Model(inputs, outputs, name=f"{part}_of_rows")


def _describe(value):
    if isinstance(value, tuple | list):
        return f"({', '.join(type(item).__name__ for item in value)})"
    return f"an object of type {type(value).__name__}"
