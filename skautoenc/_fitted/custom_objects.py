"""Checks and pickles of parameters that are objects of custom classes.

Keras pickles a loss or an optimizer as a config that names its class, which a process
that has not imported the class cannot load. So they are pickled here as the class
itself with the config, and the class is registered when they are loaded.
"""

import inspect
import json
import sys
from collections.abc import Mapping
from typing import Any

from .._backend.keras import import_keras
from .graph import parts_of
from .rebuilding import is_custom, registered_name

# Last words of the names of parameters whose values may be Keras objects.
_KINDS = ("loss", "optimizer", "rate", "activation", "regularizer")


def _keras():
    """Keras if it is imported, else None: then nothing is registered."""
    module = sys.modules.get("keras")
    return module if hasattr(module, "saving") else None


def _is_from_keras(value):
    return _module_of(value).split(".")[0] == "keras"


def _name(value):
    """The registered name of a class, a function, or an object's class, or None."""
    saving = _keras().saving
    kind = value if _is_definition(value) else type(value)
    name = saving.get_registered_name(kind)
    return name if saving.get_registered_object(name) is kind else None


def _is_definition(value):
    return inspect.isfunction(value) or inspect.isclass(value)


def check_can_be_loaded(parameters: Mapping[str, Any]) -> None:
    """Raise if a loss, optimizer or the like could not be loaded from a pickle.

    Parameters
    ----------
    parameters : mapping of str to object
        Losses, optimizers, learning rates, activations and regularizers are checked.

    Raises
    ------
    ValueError
        If one could not be loaded. The message names it, and what its class lacks.
    """
    for name, value in parameters.items():
        if name.rpartition("_")[-1] in _KINDS:
            _check(name, value)


def _check(name, value):
    is_layers = name.endswith(("activation", "regularizer"))
    if hasattr(value, "get_config") and not inspect.isclass(value):
        _check_object(name, value)
    elif callable(value) and is_layers and not _is_from_keras(value):
        # It is part of the network's config; a loss is only called.
        _check_registered(name, value)


def _check_registered(name, value):
    if _name(value) is not None:
        return
    kind = value if _is_definition(value) else type(value)
    known = _keras().saving.get_registered_name(kind)
    if known != kind.__name__:
        raise ValueError(
            f"{name}={value!r} could not be loaded from a pickle: another object has "
            f"been registered as {known!r} since. Pass that one, or rename this one."
        )
    raise ValueError(_not_registered(name, value, kind.__name__))


def _not_registered(name, value, kind):
    if kind == "<lambda>":
        remedy = "Write it as a function (def), and decorate that"
    else:
        remedy = f"Decorate {kind}"
    return (
        f"{name}={value!r} could not be loaded from a pickle, because {kind} is not "
        f"registered. {remedy} with @keras.saving.register_keras_serializable()."
    )


def _check_object(name, value):
    """Raise if an object differs after it is rebuilt from its config."""
    keras = import_keras()
    try:
        spec = keras.saving.serialize_keras_object(value)
        lost = []
        for part in filter(is_custom, parts_of(spec)):
            cls = keras.saving.get_registered_object(registered_name(part))
            if cls is None:
                raise ValueError(_not_registered(name, value, part["class_name"]))
            lost += [each for each in _arguments(cls) if each not in part["config"]]
        if not lost and not _is_from_keras(value):
            rebuilt = type(value).from_config(value.get_config())
            lost = _changed(vars(value), vars(rebuilt))
    except (AttributeError, KeyError, NotImplementedError, TypeError) as error:
        raise ValueError(
            f"{name}={value!r} could not be copied or loaded: it must be rebuilt from "
            f"what its get_config returns. {error}"
        ) from error
    if lost:
        raise ValueError(
            f"{name}={value!r} could not be copied or loaded as it is: "
            f"{', '.join(map(repr, lost))} would be lost. get_config must return every "
            "argument of __init__."
        )


def _changed(before, after):
    """Names of plain attributes that differ in a rebuilt object."""
    return [
        name
        for name, value in before.items()
        if isinstance(value, bool | int | float | str)
        and not name.startswith("_")
        and name != "built"
        and after.get(name, value) != value
    ]


def _arguments(cls):
    """Names of the arguments of a class, unless its constructor is Keras's."""
    if inspect.isfunction(cls) or _is_from_keras(cls.__init__):
        return []
    return [
        a.name
        for a in inspect.signature(cls).parameters.values()
        if a.kind in (a.POSITIONAL_OR_KEYWORD, a.KEYWORD_ONLY) and a.name != "dtype"
    ]


class _Pickled:
    """An object that is pickled as a call that returns it, and not stored by skops.

    Parameters
    ----------
    function : callable
    *arguments : object
    name : str, default=""
        Name of the parameter, for the error.
    """

    def __init__(self, function, *arguments, name=""):
        self._call, self._name = (function, arguments), name

    def __reduce_ex__(self, protocol):
        return self._call

    def __reduce__(self):
        # Pickle and copy call `__reduce_ex__`, skops calls this method.
        raise TypeError(
            f"{self._name} is or contains {_shown(self)}, which skops does not store: "
            "it is a Keras object, or cannot be imported by its name. Give a name, "
            "such as optimizer='adam' with learning_rate=0.01, or a dict, such as "
            "kernel_regularizer={'l2': 0.01}; set callbacks=None. A fitted estimator "
            "does not use such parameters: set_params can change them before it is "
            "stored. A function is stored if it can be imported by its name and is "
            "not registered with Keras. Or use pickle."
        )


def _shown(value):
    while isinstance(value, _Pickled):
        value = value._call[1][-1]
    return repr(value)


def picklable(name: str, value: Any) -> Any:
    """Return a parameter so that it is pickled with the definitions that it needs.

    Parameters
    ----------
    name : str
        Name of the parameter, for errors.

    value : object

    Returns
    -------
    object
        `value` itself unless it is, or contains, an object of Keras, one that is
        registered with Keras, or a function that cannot be imported by its name.
    """
    if type(value) is dict:
        return {key: picklable(name, item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(picklable(name, item) for item in value)
    if _is_definition(value):
        return _picklable_definition(name, value)
    if _keras() is None:
        return value
    if hasattr(value, "get_config"):
        return _with_config(name, value)
    is_of_keras = any(
        base.__module__.startswith("keras.") for base in type(value).mro()
    )
    return _Pickled(_last, value, name=name) if is_of_keras else value


def _picklable_definition(name, value):
    """Return a function or class, as `picklable` does."""
    if _keras() is not None and _name(value) is not None:
        return _Pickled(_registered, *_named(value), name=name)
    is_local = "<" in value.__qualname__  # of a lambda, or in a function
    if is_local or _is_from_keras(value):
        return _Pickled(_last, value, name=name)
    return value


def _with_config(name, value):
    """Return an object that has a config, as `picklable` does."""
    config = value.get_config()
    definitions = _definitions_in(config)
    if _name(value) is not None:
        definitions.append(_named(type(value)))
    if definitions:
        value = _Pickled(_from_config, type(value), config, name=name)
    return _beside(name, value, definitions)


def with_definitions(network: Any) -> Any:
    """Return a network so that it is pickled with the definitions that it needs.

    Parameters
    ----------
    network : object
        A callable, or `FittedNetwork` in a tuple.
    """
    if _keras() is None:
        return network
    if isinstance(network, tuple):
        configs = [json.loads(p.config) for p in network if hasattr(p, "config")]
        definitions = _definitions_in(configs)
        if not definitions:
            return network
        return tuple(
            _beside("network", part, definitions) if hasattr(part, "config") else part
            for part in network
        )
    if _module_of(network) == "__main__":
        # Definitions in a script or notebook are not imported in worker processes.
        known = _keras().saving.get_custom_objects().values()
        definitions = [_named(each) for each in known if each.__module__ == "__main__"]
        return _beside("network", network, definitions) if definitions else network
    return network


def _definitions_in(config):
    """The registered classes and functions in a config, with their names."""
    get = _keras().saving.get_registered_object
    names = {registered_name(part) for part in parts_of(config) if is_custom(part)}
    return [_named(get(name)) for name in sorted(map(str, names)) if get(name)]


def _named(definition):
    return definition, _name(definition)


def _beside(name, value, definitions):
    """A value that is pickled after the definitions, so that these are registered."""
    registered = (_Pickled(_registered, *each) for each in definitions)
    return _Pickled(_last, *registered, value, name=name)


def _last(*values):
    return values[-1]


def _registered(definition, name):
    """Register a class or function, unless importing it has done so."""
    keras = import_keras()
    if keras.saving.get_registered_object(name) is not definition:
        package, _, last = name.rpartition(">")
        keras.saving.register_keras_serializable(package, last)(definition)
    return definition


def _from_config(cls, config):
    return cls.from_config(config)


def _module_of(value):
    return (value if _is_definition(value) else type(value)).__module__ or ""
