"""Numbers of a model that need not shape its program: strengths and rates.

A search tries many of them. So they are tensors while a program is traced, and its key
does not hold them.
"""

import contextlib

import numpy as np

from ..._backend.keras import load
from ..._backend.keras_internals import flatten_layers

_REGULARIZERS = {"L1": ("l1",), "L2": ("l2",), "L1L2": ("l1", "l2")}

# Layers that act in training alone. At 0 they draw nothing, which is another program.
_NOISE_LAYERS = {
    "Dropout": ("rate",),
    "GaussianDropout": ("rate",),
    "GaussianNoise": ("stddev",),
}


def numbers_of(model):
    """The numbers of a model, as an ndarray of float32."""
    return np.array(
        [
            float(getattr(holder, name))
            for _, _, holder, names in _sites(model)
            for name in names
        ],
        np.float32,
    )


def without_numbers(spec):
    """A serialised model without them.

    Parameters
    ----------
    spec : object
        What ``json.loads`` makes of ``model.to_json()``.
    """
    if isinstance(spec, list):
        return [without_numbers(item) for item in spec]
    if not isinstance(spec, dict):
        return spec
    place = spec.get("module"), spec.get("class_name")
    if place[0] == "keras.regularizers" and place[1] in _REGULARIZERS:
        return place
    if place[0] == "keras.layers" and place[1] in _NOISE_LAYERS:
        (name,) = _NOISE_LAYERS[place[1]]
        config = {**spec["config"], name: spec["config"][name] > 0}
        return {**spec, "config": config}
    return {key: without_numbers(value) for key, value in spec.items()}


@contextlib.contextmanager
def numbers_given(model, numbers):
    """While tracing, let the model take its numbers from a tensor.

    Parameters
    ----------
    model : keras.Model
    numbers : tensor of the shape that `numbers_of` gives
    """
    sites, start = list(_sites(model)), 0
    for owner, attribute, holder, names in sites:
        own = [numbers[start + i] for i in range(len(names))]
        start += len(names)
        if attribute == "call":
            owner.call = _noise(holder, *own)
        else:
            setattr(owner, attribute, _penalty(dict(zip(names, own, strict=True))))
    try:
        yield
    finally:
        for owner, attribute, holder, _ in sites:
            if attribute == "call":
                del owner.call
            else:
                setattr(owner, attribute, holder)


def _sites(model):
    """Where the numbers are: (object, attribute, what holds them, their names)."""
    for variable in model.trainable_variables:
        names = _names(_REGULARIZERS, variable.regularizer)
        if names:
            yield variable, "regularizer", variable.regularizer, names
    for layer in flatten_layers(model):
        names = _names(_REGULARIZERS, layer.activity_regularizer)
        if names:
            yield layer, "activity_regularizer", layer.activity_regularizer, names
        names = _names(_NOISE_LAYERS, layer)
        if names and getattr(layer, *names) > 0:
            yield layer, "call", layer, names


def _names(table, value):
    """The names that hold the numbers, if `value` is Keras's own and in the table."""
    kind = type(value)
    return table.get(kind.__name__) if kind.__module__.startswith("keras.") else None


def _penalty(strengths):
    tf, _ = load()

    def penalty(values):
        values = tf.cast(values, tf.float32)  # a sum may be out of reach of half floats
        total = 0.0
        if "l1" in strengths:
            total += strengths["l1"] * tf.reduce_sum(tf.abs(values))
        if "l2" in strengths:
            total += strengths["l2"] * tf.reduce_sum(tf.square(values))
        return total

    return penalty


def _noise(layer, number):
    tf, keras = load()

    def call(inputs, training=False):
        if not training:
            return inputs
        shape, seed = tf.shape(inputs), layer.seed_generator
        if type(layer).__name__ == "Dropout":
            shape = layer.noise_shape or shape
            kept = keras.random.uniform(shape, dtype="float32", seed=seed) >= number
            return tf.where(kept, inputs / tf.cast(1 - number, inputs.dtype), 0)
        normal = keras.random.normal(shape, dtype="float32", seed=seed)
        if type(layer).__name__ == "GaussianNoise":
            return inputs + tf.cast(number * normal, inputs.dtype)
        factors = 1 + tf.sqrt(number / (1 - number)) * normal
        return inputs * tf.cast(factors, inputs.dtype)

    return call
