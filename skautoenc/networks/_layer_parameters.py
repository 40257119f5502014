"""The parameters of layers: sizes, activations, regularizers."""

import inspect
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from .._backend.keras import import_keras
from .._fitted.activations import ACTIVATIONS
from .._utils.regularizers import DEFAULT_STRENGTH, SPELLINGS, STRENGTHS, serialised

_MAX_STRENGTH = float(np.finfo(np.float32).max)


def is_count(value: Any) -> bool:
    """Whether a value is a positive whole number; True is not."""
    return (
        isinstance(value, Integral) and not isinstance(value, bool) and int(value) > 0
    )


def hidden_sizes(sizes: int | Sequence[int]) -> list[int]:
    """Return the units of each hidden layer; one number is one layer.

    Raises
    ------
    ValueError
        If they are not positive whole numbers.
    """
    listed: Any = [sizes] if is_count(sizes) else sizes
    if (
        isinstance(sizes, str)
        or not np.iterable(listed)
        or not all(map(is_count, listed))
    ):
        raise ValueError(
            "hidden_layer_sizes must hold positive whole numbers, one per hidden "
            f"layer; got {sizes!r}."
        )
    return [int(size) for size in listed]


def activation(value: Any) -> Any:
    """Return an activation in a form that Keras accepts: None is linear."""
    return "linear" if value is None else value


def has_linear_path(network: Any, needs: str, got: str, is_possible: bool) -> bool:
    """Return whether a network gets a linear path.

    Parameters
    ----------
    network : DenseNetwork or ConvNetwork
    needs, got : str
        What a linear path needs besides a linear code and output, and what the network
        has, for the error.

    is_possible : bool
        Whether it has what is needed.

    Raises
    ------
    ValueError
        If `linear_path` is invalid, or True though a linear path is not possible.
    """
    given = network.linear_path
    is_auto = isinstance(given, str) and given == "auto"
    if not (is_auto or isinstance(given, bool | np.bool_)):
        raise ValueError(f"linear_path must be True, False or 'auto'; got {given!r}.")
    code = activation(network.code_activation)
    output = activation(network.output_activation)
    is_possible = is_possible and (code, output) == ("linear", "linear")
    if given and not (is_auto or is_possible):
        raise ValueError(
            "linear_path=True needs code_activation='linear', "
            f"output_activation='linear' and {needs}; got {code!r}, {output!r} and "
            f"{got}."
        )
    return bool(given) and is_possible


def regularizer(name: str, value: Any) -> Any:
    """Return a regularizer as Keras serialises it if it is L1, L2 or both.

    Parameters
    ----------
    name : str
        Name of the parameter.

    value : float, str, dict, object or None
        A number is the strength of an L2 penalty, ``{"l1": ..., "l2": ...}`` gives one
        or both.

    Returns
    -------
    dict or object
        `value` itself if it is none of these, or None.

    Raises
    ------
    ValueError
        If a dict has unknown or missing keys, or if a strength is not a finite number
        of at least 0.
    """
    kind, config = _kind_and_config(name, value)
    if kind not in STRENGTHS:
        return value
    _check_keys(name, value, config, STRENGTHS[kind])
    if not config and kind == "L1L2":
        raise ValueError(
            f"{name}={value!r} has no strength. Write "
            '{"l1": ..., "l2": ...} with numbers.'
        )
    config = config or {STRENGTHS[kind][0]: DEFAULT_STRENGTH}
    for key, strength in config.items():
        is_number = isinstance(strength, Real) and not isinstance(strength, bool)
        if not (is_number and 0 <= strength <= _MAX_STRENGTH):
            raise ValueError(
                f"{name}={value!r}: {key} must be a finite number of at least 0; got "
                f"{strength!r}."
            )
    return serialised(kind, config)


def _kind_and_config(name, value):
    """Keras's class name of a regularizer, None if unknown, and its strengths."""
    if isinstance(value, Real):
        return "L2", {"l2": value}
    if isinstance(value, str):
        return SPELLINGS.get(value.lower()), {}
    if isinstance(value, dict):
        return _kind_and_config_of_dict(name, value)
    if type(value).__module__.startswith("keras."):
        return type(value).__name__, value.get_config()
    return None, {}


def _kind_and_config_of_dict(name, value):
    if value and value.keys() <= {"l1", "l2"}:
        return ("L1L2" if len(value) == 2 else next(iter(value)).upper()), value
    if "class_name" not in value:
        raise ValueError(
            f'{name}={value!r} must be {{"l2": strength}}, with "l1" beside it or '
            'instead, or have a "class_name" and a "config".'
        )
    _check_keys(
        name, value, value, ("class_name", "config", "module", "registered_name")
    )
    kind, config = value["class_name"], value.get("config")
    if ">" in str(value.get("registered_name")) or not isinstance(kind, str):
        return None, config
    if not isinstance(config, dict | None):
        raise ValueError(f'{name}={value!r}: "config" must be a dict; got {config!r}.')
    return SPELLINGS.get(kind.lower(), kind), config or {}


def _check_keys(name, value, given, known):
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ValueError(
            f"{name}={value!r} has {', '.join(map(repr, unknown))}, which would be "
            f"ignored; valid keys are {', '.join(map(repr, known))}. An L2 penalty is "
            'written {"l2": 1e-4}.'
        )


def plain_settings(network: Any) -> dict[str, Any] | None:
    """Return the activations and regularizers of a network as Keras serialises them.

    Parameters
    ----------
    network : DenseNetwork or ConvNetwork

    Returns
    -------
    dict of str to (str, dict or None), or None
        By the name of the parameter. None if Keras is needed to serialise one, or to
        report an invalid one.
    """
    found = {}
    for name, value in network.get_params(deep=False).items():
        kind = name.rpartition("_")[-1]
        if kind == "activation":
            found[name] = activation(value)
            # Keras refuses glu, which halves the width.
            is_plain = isinstance(found[name], str) and found[name] in ACTIVATIONS
            if not is_plain or found[name] == "glu":
                return None
        elif kind == "regularizer":
            found[name] = regularizer(name, value)
            if found[name] is value and value is not None:
                return None
    return found


def keras_settings(network: Any) -> dict[str, Any]:
    """Return the activations and regularizers of a network as Keras objects.

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
        If Keras has no such activation or regularizer, or if an activation changes
        the shape of its input.
    """
    keras = import_keras()
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
                f"{name}={value!r} is not supported by Keras. {error}"
            ) from None
        if kind == "activation":
            _check_keeps_shape(name, value, found[name])
    return found


def _check_keeps_shape(name, value, function):
    if not inspect.isfunction(function):
        return
    keras = import_keras()
    given = (2, 4)
    shape = tuple(keras.ops.shape(function(keras.ops.zeros(given))))
    if shape != given:
        raise ValueError(
            f"{name}={value!r} returns an array of shape {shape} for one of shape "
            f"{given}. An activation must keep the shape; for other functions, give "
            "a network with a layer that applies them."
        )
