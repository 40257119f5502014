"""The fingerprint of a fit, which names its checkpoint."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from .._backend.choice import keras_backend
from .._fitted.graph import parts_of
from .._fitted.rebuilding import is_custom, registered_name
from .._training import TrainingConfig, callback_settings, checkpoint_path
from .._utils.digest import Digest
from .._utils.random import RandomStreams
from .initialization import Initialization
from .trainable import Trainable
from .values import FitData, FitOptions

# Options that are added in another form, or do not change the result.
_OTHER_FORM = {"callbacks", "checkpoint", "network", "verbose"}


def find_checkpoint(
    data: FitData,
    options: FitOptions,
    streams: RandomStreams,
    trainable: Trainable,
    start: Initialization,
    config: TrainingConfig,
) -> Path | None:
    """Return the path of the checkpoint of a fit; None if none is to be written.

    Its name is a digest of the data, the parameters, the initial weights, and the
    versions of the packages. A network counts as its config, its initial weights and
    the code of custom layers, a Keras callback as its class and the arguments of its
    constructor.

    Raises
    ------
    TypeError
        If a parameter cannot be compared with that of another fit. The message names
        the parameter.
    """
    if options.checkpoint is None:
        return None
    digest = Digest()
    digest.add(_versions(uses_keras=trainable.objective is not None))
    schema = data.schema._replace(feature_names=None)
    digest.add((streams, replace(data, schema=schema)))
    for field in fields(options):
        if field.name not in _OTHER_FORM:
            _add_parameter(digest, field.name, getattr(options, field.name))
    for network in start.networks.values():
        digest.add((network.config, network.weights))
        _add_parameter(digest, "network", _custom_objects(network.config))
    seeds = start.split_seed, start.pca_seed
    digest.add(start.training_before)
    digest.add((seeds, config.optimizer, config.loss_weights, config.step_scales))
    for callback in options.callbacks:
        settings = callback_settings(callback)
        _add_parameter(digest, "callbacks", (type(callback), settings))
    return checkpoint_path(options.checkpoint, digest.hexdigest())


def _versions(uses_keras: bool) -> dict[str, str]:
    packages = ["skautoenc", "numpy", "scipy", "sklearn"]
    if uses_keras:
        packages += ["keras", keras_backend()]
    versions = {name: sys.modules[name].__version__ for name in packages}
    return {**versions, "python": platform.python_version()}


def _add_parameter(digest: Digest, name: str, value: Any) -> None:
    try:
        digest.add(value)
    except TypeError as error:
        raise TypeError(
            f"checkpoint: the parameter {name} cannot be compared with that of the "
            f"fit that is resumed, because {error}. Give a function, or an object "
            "with get_config, or set checkpoint=None."
        ) from error


def _custom_objects(config: str) -> list:
    """Return the custom classes and functions that a network's config names."""
    names = {registered_name(p) for p in parts_of(json.loads(config)) if is_custom(p)}
    if not names:
        return []
    get = sys.modules["keras"].saving.get_registered_object
    return [get(name) for name in sorted(map(str, names))]
