"""Parameters that the estimators share: their types, constraints and constructor."""

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import field, make_dataclass
from numbers import Integral, Real
from typing import Any, Literal, Protocol, TypeVar, cast, dataclass_transform

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import sparray, spmatrix

from .._backend.strategy import check_strategy
from .._utils.losses import is_squared_error
from .._utils.sklearn_compat import (
    HasMethods,
    Hidden,
    Interval,
    StrOptions,
    _fit_context,
)
from ..networks._layer_parameters import hidden_sizes, regularizer

Estimator = TypeVar("Estimator")
Method = TypeVar("Method", bound=Callable[..., Any])


class LearningRateSchedule(Protocol):
    """A ``keras.optimizers.schedules.LearningRateSchedule``, without a Keras import."""

    def __call__(self, step: Any, /) -> Any: ...
    def get_config(self) -> dict[str, Any]: ...


class Optimizer(Protocol):
    """A ``keras.optimizers.Optimizer``, without a Keras import."""

    def apply_gradients(self, grads_and_vars: Any, /) -> Any: ...


MatrixLike = ArrayLike | sparray | spmatrix
Auto = Literal["auto"]
Activation = str | Callable | None
Network = Literal["dense"] | Callable | tuple[Any, Any]
Regularizer = float | str | dict[str, Any] | Callable | None


class Number(Interval):
    """An interval of numbers that excludes bool."""

    def is_satisfied_by(self, val):
        return not isinstance(val, bool) and super().is_satisfied_by(val)


POSITIVE_INT = Number(Integral, 1, None, closed="left")
_COUNT = [StrOptions({"auto"}), POSITIVE_INT]
_ACTIVATION = [str, callable, None]
_REGULARIZER = [Number(Real, 0, None, closed="left"), str, callable, dict, None]

CONSTRAINTS = {
    "n_components": [
        POSITIVE_INT,
        Number(Real, 0, 1, closed="neither"),
        None,
        Hidden(StrOptions({"mle"})),  # refused with the reason
    ],
    "network": [StrOptions({"dense"}), callable, tuple, list],
    "hidden_layer_sizes": [POSITIVE_INT, "array-like"],
    "activation": _ACTIVATION,
    "code_activation": _ACTIVATION,
    "output_activation": _ACTIVATION,
    "kernel_regularizer": _REGULARIZER,
    "activity_regularizer": _REGULARIZER,
    "tied_weights": ["boolean"],
    "init": [StrOptions({"auto", "pca", "random"})],
    "loss": [str, callable],
    "optimizer": [str, HasMethods("apply_gradients")],
    "learning_rate": [
        Number(Real, 0, None, closed="neither"),
        HasMethods("get_config"),
        None,
    ],
    "batch_size": _COUNT,
    "epochs": _COUNT,
    "early_stopping": [StrOptions({"auto"}), "boolean"],
    "validation_fraction": [Number(Real, 0, 1, closed="neither")],
    "n_iter_no_change": _COUNT,
    "callbacks": [list, tuple, None],
    "warm_start": ["boolean"],
    "checkpoint": [str, os.PathLike, None],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
}


def validates_parameters(method: Method) -> Method:
    """Check ``_parameter_constraints`` and the strategy before a fit method runs."""
    validated = _fit_context(prefer_skip_nested_validation=True)(method)

    @functools.wraps(method)
    def checked(estimator, *args, **kwargs):
        check_strategy(method.__name__, estimator.random_state)
        _check_forms(estimator)
        return validated(estimator, *args, **kwargs)

    return cast(Method, checked)


def _check_forms(estimator):
    """Say what to give instead, where the types that are allowed would not say it."""
    network = getattr(estimator, "network", "dense")
    if isinstance(network, str) and network != "dense":
        raise ValueError(
            f"network={network!r} is not the name of a network; the only name is "
            "'dense'. Give ConvNetwork((height, width, channels)) for images, a "
            "DenseNetwork, or a function (input_shape, n_components) that returns an "
            "encoder and a decoder."
        )
    callbacks = getattr(estimator, "callbacks", None)
    if not isinstance(callbacks, list | tuple | None):
        raise TypeError(
            "callbacks must be a list of Keras callbacks, or of functions without "
            f"arguments that return one; got {callbacks!r}. Give a single one as "
            "callbacks=[callback]. scikit-learn's callbacks go to set_callbacks."
        )


@dataclass_transform(eq_default=False)
def init_from_fields(cls: type[Estimator]) -> type[Estimator]:
    """Generate ``__init__`` from annotated class attributes, as `dataclass` does.

    Every key of ``_parameter_constraints`` is a parameter. Those after ``_: KW_ONLY``
    are keyword-only.

    Only the constructor is taken from a dataclass. Instances of dataclasses are
    identified by their fields alone in dask, which would confuse estimators with the
    same parameters and different weights, and are converted to structs in polars.
    """
    types: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        types.update(inspect.get_annotations(base))
    names = list(types)
    first_keyword = names.index("_")
    fields = [
        (
            name,
            types[name],
            field(default=getattr(cls, name), kw_only=i > first_keyword),
        )
        for i, name in enumerate(names)
        if name in cls._parameter_constraints  # type: ignore[attr-defined]
    ]
    template: Any = make_dataclass(cls.__name__, fields)
    cls.__init__ = template.__init__  # type: ignore[method-assign]
    return cls


def check_network_parameters(estimator: Any) -> None:
    """Check the parameters of the network, as far as possible without Keras.

    Raises
    ------
    TypeError
        If the network is a class.
    ValueError
        If a parameter is out of range, or does not fit another one.
    """
    if estimator.n_components == "mle":
        raise ValueError(
            "n_components='mle' is not supported. It estimates the number of "
            "components of a linear model with normal noise, as PCA is one; an "
            "autoencoder usually needs fewer. Give a number, or a share of the "
            "variance such as 0.95."
        )
    if not isinstance(estimator.hidden_layer_sizes, str):  # "auto"
        hidden_sizes(estimator.hidden_layer_sizes)
    for name in ("kernel_regularizer", "activity_regularizer"):
        regularizer(name, getattr(estimator, name))
    network = estimator.network
    check_is_instance(network)
    if network == "dense":
        if estimator.n_components is None:
            raise ValueError(
                "n_components=None requires a network that determines the width of "
                "its code, such as ConvNetwork. A dense network needs a number."
            )
        return
    for name in ("kernel_regularizer", "activity_regularizer", "tied_weights"):
        if getattr(estimator, name):
            raise ValueError(
                f"{name}={getattr(estimator, name)!r} applies only to network='dense'. "
                "Set it in the given network instead."
            )


def check_is_instance(network: Any) -> None:
    """Raise a TypeError if a network is a class."""
    if isinstance(network, type):
        raise TypeError(
            f"network={network.__name__} is a class. Give an instance, such as "
            f"{network.__name__}(...)."
        )


def check_one_hot_groups(estimator: Any) -> None:
    """Check groups of columns, and that the network and the loss suit them.

    Raises
    ------
    ValueError
        If they are not groups of columns, or do not fit another parameter.
    """
    groups = getattr(estimator, "one_hot_groups", None)
    if groups is None:
        return
    if groups != "auto" and not all(map(_holds_integers, groups)):
        raise ValueError(
            "one_hot_groups must be a list of lists of column positions, such as "
            f"[[0, 1, 2], [5, 6]], or 'auto'; got {groups!r}."
        )
    if not is_squared_error(estimator.loss):
        raise ValueError(
            f"one_hot_groups and loss={estimator.loss!r} cannot be combined: the loss "
            "is a cross-entropy for the groups, and the squared error for other "
            "columns. Set loss='mean_squared_error'."
        )
    if estimator.output_activation not in ("linear", None):
        raise ValueError(
            "one_hot_groups and output_activation="
            f"{estimator.output_activation!r} cannot be combined: the activation is a "
            "softmax for the groups. Set output_activation='linear'."
        )
    if isinstance(estimator.network, tuple | list):
        raise ValueError(
            "one_hot_groups and network=(encoder, decoder) cannot be combined, because "
            "the decoder must return logits of the groups. Give a function that "
            "returns such models."
        )


def _holds_integers(group):
    return (
        np.iterable(group)
        and not isinstance(group, str)
        and all(isinstance(column, Integral) for column in group)
    )


def check_checkpoint(checkpoint: str | os.PathLike | None, random_state: Any) -> None:
    """Check the folder of checkpoints, and that a fit can be resumed at all.

    Raises
    ------
    ValueError
        If the path is not that of a folder, or if `random_state` is not an int.
    """
    if checkpoint is None:
        return
    if os.path.exists(checkpoint) and not os.path.isdir(checkpoint):
        raise ValueError(f"checkpoint={str(checkpoint)!r} is a file; give a folder.")
    if not isinstance(random_state, Integral):
        raise ValueError(
            "checkpoint requires an int as random_state, because the fit that is "
            f"resumed must draw the same random numbers; got {random_state!r}."
        )
