"""The dense network without Keras: the configs of its two halves, and first weights."""

import json

import numpy as np

from .._backend.keras_internals import FUNCTIONAL_MODULE
from .._fitted.forward import ACTIVATIONS
from .._fitted.network import FittedNetwork
from ._dense import DenseNetwork
from ._layer_parameters import activation, hidden_sizes, regularizer


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
    has_line = network.has_line()
    n_components = int(n_components)
    sizes = hidden_sizes(network.hidden_layer_sizes)
    try:
        kernel, penalty = (
            _regularizer(name, getattr(network, name))
            for name in ("kernel_regularizer", "activity_regularizer")
        )
        hidden, to_code, to_output = map(
            _activation,
            (network.activation, network.code_activation, network.output_activation),
        )
    except _NeedsKeras:
        return None
    halves = (
        ("encoder", [n_features, *sizes, n_components], "code", to_code, penalty),
        (
            "decoder",
            [n_components, *sizes[::-1], n_features],
            "reconstruction",
            to_output,
            None,
        ),
    )
    return tuple(
        _network(*half, hidden=hidden, kernel=kernel, has_line=has_line, rng=rng)
        for half in halves
    )


def _activation(value):
    name = activation(value)
    if not isinstance(name, str) or name not in ACTIVATIONS or name == "glu":
        raise _NeedsKeras  # which refuses glu: it halves the width
    return name


def _regularizer(name, value):
    """A regularizer as Keras serialises it."""
    found = regularizer(name, value)
    if found is value and value is not None:
        raise _NeedsKeras
    return found


def _network(part, widths, name, activation, penalty, *, hidden, kernel, has_line, rng):
    """Dense layers from the first width to the last, as `DenseNetwork` stacks them."""
    weights = []

    def dense(name, source, units, activation="linear", use_bias=True, **settings):
        n_in = source[1]
        limit = np.sqrt(6 / (n_in + units))
        weights.append(rng.uniform(-limit, limit, (n_in, units)).astype(np.float32))
        if use_bias:
            weights.append(np.zeros(units, np.float32))
        settings |= {"activation": activation, "kernel_regularizer": kernel}
        settings |= {"units": units, "use_bias": use_bias, "dtype": "float32"}
        return _node("Dense", {"name": name, **settings}, [_tensor(*source)])

    *inner, last = widths[1:]
    given = previous = f"{part}_input", widths[0]
    layers = [_node("InputLayer", {"name": given[0], "batch_shape": [None, given[1]]})]
    for i, width in enumerate(inner, 1):
        layers.append(dense(f"{part}_{i}", previous, width, hidden))
        previous = f"{part}_{i}", width
    end = {"activity_regularizer": penalty} if penalty else {}
    if has_line:
        terms = (f"{name}_nonlinear", last), (f"{name}_linear", last)
        layers.append(dense(terms[0][0], previous, last))
        layers.append(dense(terms[1][0], given, last, use_bias=False))
        tensors = [_tensor(*term) for term in terms]
        end |= {"name": name, "dtype": "float32"}
        layers.append(_node("Add", end, [tensors]))
    else:
        layers.append(dense(name, previous, last, activation, **end))
    config = {
        "name": part,
        "trainable": True,
        "layers": layers,
        "input_layers": [given[0], 0, 0],
        "output_layers": [name, 0, 0],
    }
    model = _keras_object(FUNCTIONAL_MODULE, "Functional", config)
    return FittedNetwork(json.dumps(model), weights)


def _node(class_name, config, args=()):
    """A layer as Keras serialises it, called with `args`, if with anything."""
    layer = _keras_object("keras.layers", class_name, config)
    calls = [{"args": args, "kwargs": {}}] if args else []
    return {**layer, "name": config["name"], "inbound_nodes": calls}


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
