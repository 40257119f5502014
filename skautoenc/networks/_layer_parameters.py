"""What the parameters of layers mean: sizes, activations, regularizers."""

import inspect
from numbers import Integral, Real

import numpy as np

from .._backend.keras import load

_STRENGTHS = {"L1": ("l1",), "L2": ("l2",), "L1L2": ("l1", "l2")}
_SPELLINGS = {"l1": "L1", "l2": "L2", "l1l2": "L1L2", "l1_l2": "L1L2"}
_DEFAULT_STRENGTH = 0.01  # Keras's, for L1 and L2
_MAX_STRENGTH = float(np.finfo(np.float32).max)


def is_count(value):
    """Whether it is a positive whole number; True is none."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value > 0


def hidden_sizes(sizes):
    """Return the units of each hidden layer; one number is one layer.

    Raises
    ------
    ValueError
        If they are not positive whole numbers.
    """
    listed = [sizes] if is_count(sizes) else sizes
    if (
        isinstance(sizes, str)
        or not np.iterable(listed)
        or not all(map(is_count, listed))
    ):
        raise ValueError(
            "hidden_layer_sizes must hold positive whole numbers, one per hidden "
            f"layer of the encoder; got {sizes!r}."
        )
    return [int(size) for size in listed]


def activation(value):
    """Return an activation as Keras takes it: None is linear."""
    return "linear" if value is None else value


def regularizer(name, value):
    """Return a regularizer as Keras serialises it where it is L1, L2 or both.

    Parameters
    ----------
    name : str
        Of the parameter.

    value : float, str, dict, object or None
        A number is the strength of an L2 penalty, ``{"l1": ..., "l2": ...}`` gives one
        or both.

    Returns
    -------
    dict or None
        Or `value`, where only Keras can read it.

    Raises
    ------
    ValueError
        If a dict holds what it should not, or if a strength is no finite number of at
        least 0.
    """
    if isinstance(value, Real):
        kind, config = "L2", {"l2": value}
    elif isinstance(value, str):
        kind, config = _SPELLINGS.get(value.lower()), {}
    elif isinstance(value, dict):
        kind, config = _named_regularizer(name, value)
    elif type(value).__module__.startswith("keras."):
        kind, config = type(value).__name__, value.get_config()
    else:
        kind = None
    if kind not in _STRENGTHS:
        return value
    _refuse_keys(name, value, config, _STRENGTHS[kind])
    if not config and kind == "L1L2":
        raise ValueError(
            f"{name}={value!r} has no strength. Write "
            '{"l1": ..., "l2": ...} with numbers.'
        )
    config = config or {_STRENGTHS[kind][0]: _DEFAULT_STRENGTH}
    for key, strength in config.items():
        is_number = isinstance(strength, Real) and not isinstance(strength, bool)
        if not (is_number and 0 <= strength <= _MAX_STRENGTH):
            raise ValueError(
                f"{name}={value!r}: {key} must be a finite number of at least 0; got "
                f"{strength!r}."
            )
    return {
        "module": "keras.regularizers",
        "class_name": kind,
        "config": {key: float(config.get(key, 0)) for key in _STRENGTHS[kind]},
        "registered_name": None,
    }


def _named_regularizer(name, value):
    """Class and config of a regularizer that is given as a dict."""
    if value and value.keys() <= {"l1", "l2"}:
        return ("L1L2" if len(value) == 2 else next(iter(value)).upper()), value
    if "class_name" not in value:
        raise ValueError(
            f'{name}={value!r} must be {{"l2": strength}}, with "l1" beside it or '
            'instead, or have a "class_name" and a "config".'
        )
    serialised = ("class_name", "config", "module", "registered_name")
    _refuse_keys(name, value, value, serialised)
    kind, config = value["class_name"], value.get("config")
    if ">" in str(value.get("registered_name")) or not isinstance(kind, str):
        return None, config
    if not isinstance(config, dict | None):
        raise ValueError(f'{name}={value!r}: "config" must be a dict; got {config!r}.')
    return _SPELLINGS.get(kind.lower(), kind), config or {}


def _refuse_keys(name, value, given, known):
    stray = [key for key in given if key not in known]
    if stray:
        raise ValueError(
            f"{name}={value!r} has {', '.join(map(repr, stray))}, which would be "
            f"ignored; known are {', '.join(map(repr, known))}. An L2 penalty is "
            'written {"l2": 1e-4}.'
        )


def keras_settings(network):
    """Return activations and regularizers of a network as Keras objects.

    Parameters
    ----------
    network : DenseNetwork or ConvNetwork

    Returns
    -------
    dict of str to object
        By the name of the parameter.

    Raises
    ------
    ValueError
        If Keras knows no such activation or regularizer, or if an activation gives
        another number of values than it takes.
    """
    _, keras = load()
    found = {}
    for name, value in network.get_params(deep=False).items():
        kind = name.rpartition("_")[-1]
        if kind == "activation":
            get, value = keras.activations.get, activation(value)
        elif kind == "regularizer":
            get, value = keras.regularizers.get, regularizer(name, value)
        else:
            continue
        try:
            found[name] = get(value)
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{name}={value!r} is not one that Keras knows. {error}"
            ) from None
        if kind == "activation":
            _check_keeps_width(name, value, found[name])
    return found


def _check_keeps_width(name, value, function):
    if not inspect.isfunction(function):
        return
    _, keras = load()
    given = (2, 4)
    shape = tuple(keras.ops.shape(function(keras.ops.zeros(given))))
    if shape != given:
        raise ValueError(
            f"{name}={value!r} makes an array of shape {shape} of one of shape "
            f"{given}. An activation must keep the shape; such a layer goes into a "
            "network of your own."
        )
