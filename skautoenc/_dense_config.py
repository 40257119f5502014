"""The dense network without Keras: the configs of its two halves, and first weights."""

import json
from numbers import Real

import numpy as np

from ._fitted import FittedNetwork
from ._forward import ACTIVATIONS
from .networks import DenseNetwork

_REGULARIZERS = {"l1": ("L1", {"l1": 0.01}), "l2": ("L2", {"l2": 0.01})}


class _NeedsKeras(Exception):
    """A parameter of the network that only Keras can read."""


def dense_pair(network, n_features, n_components, rng):
    """Write down the models that a `DenseNetwork` would build, as fitted state.

    Parameters
    ----------
    network : object
    n_features, n_components : int
    rng : numpy.random.Generator
        Draws the kernels, uniformly as X. Glorot and Y. Bengio, "Understanding the
        Difficulty of Training Deep Feedforward Neural Networks", AISTATS (2010).

    Returns
    -------
    encoder, decoder : FittedNetwork
        Or None, where the network is another or has parameters that only Keras knows.
    """
    if type(network) is not DenseNetwork or network.tied_weights or not n_components:
        return None
    n_components = int(n_components)
    sizes = [int(size) for size in network.hidden_layer_sizes]
    try:
        kernel = _regularizer(network.kernel_regularizer)
        hidden = {
            "activation": _activation(network.activation),
            "kernel_regularizer": kernel,
        }
        code = {
            "name": "code",
            "activation": _activation(network.code_activation),
            "kernel_regularizer": kernel,
            "activity_regularizer": _regularizer(network.activity_regularizer),
        }
        output = {
            "name": "reconstruction",
            "activation": _activation(network.output_activation),
            "kernel_regularizer": kernel,
        }
    except _NeedsKeras:
        return None
    return (
        _network("encoder", [n_features, *sizes, n_components], hidden, code, rng),
        _network(
            "decoder", [n_components, *sizes[::-1], n_features], hidden, output, rng
        ),
    )


def _activation(name):
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise _NeedsKeras
    return name


def _regularizer(value):
    """A regularizer as Keras serialises it."""
    if value is None:
        return None
    if isinstance(value, str) and value in _REGULARIZERS:
        name, config = _REGULARIZERS[value]
    elif isinstance(value, dict):
        name, config = value.get("class_name"), value.get("config")
    elif type(value).__module__.startswith("keras."):
        name, config = type(value).__name__, value.get_config()
    else:
        raise _NeedsKeras
    strengths = {"L1": {"l1"}, "L2": {"l2"}, "L1L2": {"l1", "l2"}}.get(name)
    if not isinstance(config, dict) or config.keys() != strengths:
        raise _NeedsKeras
    if not all(isinstance(strength, Real) for strength in config.values()):
        raise _NeedsKeras
    config = {key: float(strength) for key, strength in config.items()}
    return _keras_object("keras.regularizers", name, config)


def _network(part, widths, hidden, last, rng):
    """A chain of dense layers, from the first width to the last."""
    previous, weights = f"{part}_input", []
    layers = [
        _node("InputLayer", {"name": previous, "batch_shape": [None, widths[0]]}, [])
    ]
    settings = [{"name": f"{part}_{i}", **hidden} for i in range(1, len(widths) - 1)]
    for n_in, n_out, config in zip(widths, widths[1:], [*settings, last], strict=False):
        layers.append(
            _node(
                "Dense",
                {**config, "units": n_out, "use_bias": True, "dtype": "float32"},
                [{"args": [_tensor(previous, n_in)], "kwargs": {}}],
            )
        )
        previous = config["name"]
        limit = np.sqrt(6 / (n_in + n_out))
        weights.append(rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32))
        weights.append(np.zeros(n_out, np.float32))
    config = {
        "name": part,
        "trainable": True,
        "layers": layers,
        "input_layers": [f"{part}_input", 0, 0],
        "output_layers": [previous, 0, 0],
    }
    model = _keras_object("keras.src.models.functional", "Functional", config)
    return FittedNetwork(json.dumps(model), weights)


def _node(class_name, config, inbound_nodes):
    layer = _keras_object("keras.layers", class_name, config)
    return {**layer, "name": config["name"], "inbound_nodes": inbound_nodes}


def _tensor(name, width):
    config = {"shape": [None, width], "dtype": "float32", "keras_history": [name, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}


def _keras_object(module, class_name, config):
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": None,
    }
