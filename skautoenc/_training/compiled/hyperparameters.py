"""Hyperparameters of layers: strengths of regularizers and of noise, dropout rates.

They are inputs of a program and not part of its key, so that the candidates of a search
share one program.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..._backend.choice import keras_backend
from ..._backend.keras import import_keras
from ..._backend.keras_internals import flatten_layers
from ..._utils.patching import patched
from ..._utils.regularizers import STRENGTHS

# Layers that only act in training. A strength of 0 draws nothing: another program.
_NOISE_LAYERS = {
    "Dropout": ("rate",),
    "GaussianDropout": ("rate",),
    "GaussianNoise": ("stddev",),
}


def get_hyperparameters(model: Any) -> np.ndarray:
    """Return the hyperparameters of a model, in float32."""
    return np.array(
        [
            float(getattr(holder, name))
            for _, _, holder, names in _locations(model)
            for name in names
        ],
        np.float32,
    )


def strip_hyperparameters(spec: Any) -> Any:
    """Return a serialized model without its hyperparameters.

    Parameters
    ----------
    spec : object
        What ``json.loads`` makes of ``model.to_json()``.
    """
    if isinstance(spec, list):
        return [strip_hyperparameters(item) for item in spec]
    if not isinstance(spec, dict):
        return spec
    module, class_name = spec.get("module"), spec.get("class_name")
    if module == "keras.regularizers" and class_name in STRENGTHS:
        return module, class_name
    if module == "keras.layers" and class_name in _NOISE_LAYERS:
        (name,) = _NOISE_LAYERS[class_name]
        config = {**spec["config"], name: spec["config"][name] > 0}
        return {**spec, "config": config}
    return {key: strip_hyperparameters(value) for key, value in spec.items()}


@contextlib.contextmanager
def bind_hyperparameters(model: Any, hyperparameters: Any) -> Iterator[None]:
    """While tracing, let the model take its hyperparameters from a tensor.

    Parameters
    ----------
    model : keras.Model
    hyperparameters : tensor of the shape that `get_hyperparameters` gives
    """
    start = 0
    with contextlib.ExitStack() as stack:
        for owner, attribute, holder, names in list(_locations(model)):
            values = [hyperparameters[start + i] for i in range(len(names))]
            start += len(names)
            if attribute == "call":
                replacement = _noise(holder, *values)
            else:
                replacement = _penalty(dict(zip(names, values, strict=True)))
            stack.enter_context(patched(owner, attribute, replacement))
        yield


def _locations(model):
    """Yield (object, attribute, what holds the hyperparameters, their names)."""
    for variable in model.trainable_variables:
        names = _names(STRENGTHS, variable.regularizer)
        if names:
            yield variable, "regularizer", variable.regularizer, names
    for layer in flatten_layers(model):
        names = _names(STRENGTHS, layer.activity_regularizer)
        if names:
            yield layer, "activity_regularizer", layer.activity_regularizer, names
        names = _names(_NOISE_LAYERS, layer)
        if names and getattr(layer, *names) > 0:
            yield layer, "call", layer, names


def _names(table, value):
    """Return the names that a table has for an object of one of Keras's classes."""
    kind = type(value)
    return table.get(kind.__name__) if kind.__module__.startswith("keras.") else None


def _penalty(strengths):
    ops = import_keras().ops

    def penalty(values):
        values = ops.cast(values, "float32")  # a sum may overflow float16
        total = 0.0
        if "l1" in strengths:
            total += strengths["l1"] * ops.sum(ops.abs(values))
        if "l2" in strengths:
            total += strengths["l2"] * ops.sum(ops.square(values))
        return total

    return penalty


def _noise(layer, number):
    keras = import_keras()
    ops = keras.ops

    def call(inputs, training=False):
        if not training:
            return inputs
        shape, seed = ops.shape(inputs), layer.seed_generator
        if type(layer).__name__ == "Dropout":
            pairs = zip(layer.noise_shape or shape, shape, strict=True)
            shape = [size if given is None else given for given, size in pairs]
            kept = _is_kept(keras.random.uniform(shape, seed=seed), number)
            scale = ops.cast(1 - number, inputs.dtype)
            return ops.where(kept, inputs / scale, ops.zeros_like(inputs))
        normal = keras.random.normal(shape, dtype="float32", seed=seed)
        if type(layer).__name__ == "GaussianNoise":
            return inputs + ops.cast(number * normal, inputs.dtype)
        factors = 1 + ops.sqrt(number / (1 - number)) * normal
        return inputs * ops.cast(factors, inputs.dtype)

    return call


def _is_kept(draws, rate):
    """Return which values dropout keeps, as Keras does on this backend."""
    return draws < 1 - rate if keras_backend() == "jax" else draws >= rate
