"""Parameters: their constructor, and the errors that they raise."""

import dataclasses
import inspect
import pickle
import re
import typing

import numpy as np
import polars
import pytest
from sklearn.base import clone

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)

ESTIMATORS = [AutoencoderTransformer, DenoisingAutoencoder, VariationalAutoencoder]


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_init_takes_n_components_by_position_and_others_by_keyword(cls):
    first, *others = inspect.signature(cls).parameters.values()
    assert (first.name, first.kind) == ("n_components", first.POSITIONAL_OR_KEYWORD)
    assert {parameter.kind for parameter in others} == {first.KEYWORD_ONLY}
    assert set(typing.get_type_hints(cls.__init__)) > {p.name for p in others}
    with pytest.raises(TypeError, match=rf"{cls.__name__}.__init__\(\) .*'n_epochs'"):
        cls(n_epochs=3)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_init_has_the_parameters_of_a_subclass_after_the_shared_ones(cls):
    shared = [set(inspect.signature(each).parameters) for each in ESTIMATORS]
    shared = set.intersection(*shared)
    names = list(inspect.signature(cls).parameters)
    assert set(names[: len(shared)]) == shared


def test_init_of_a_subclass_can_be_written_by_hand():
    class Mine(AutoencoderTransformer):
        def __init__(self, n_components=3, *, scale=1.0):
            super().__init__(n_components, epochs=2)
            self.scale = scale

    assert repr(clone(Mine(scale=2.0))) == "Mine(scale=2.0)"
    assert Mine().epochs == 2


def test_estimators_are_not_instances_of_dataclasses(small):
    # Or dask would take estimators with equal parameters for equal, whatever their
    # weights, and polars would keep their parameters alone.
    assert not dataclasses.is_dataclass(small)
    assert polars.Series([small, clone(small)]).dtype == polars.Object


def test_pickles_keep_parameters():
    estimator = DenoisingAutoencoder(3, noise="masking", clip=(0, 1))
    copied = pickle.loads(pickle.dumps(estimator))
    assert copied.get_params() == estimator.get_params()


COUNTS = [0, -1, 2.5, True, "many"]
REGULARIZERS = [-0.1, {"l2": -1}, {"l1": np.inf}, {"rate": 1}, {}, float("inf")]
SHARED = {
    "n_components": [0, 0.0, 1.0, 1.5, True, "two", "mle", None],
    "network": ["conv", 3, ConvNetwork],
    "hidden_layer_sizes": [0, (8, 0), (2.5,), "wide", None],
    "activation": [3, ["relu"]],
    "code_activation": [3, ["relu"]],
    "output_activation": [3, ["relu"]],
    "kernel_regularizer": REGULARIZERS,
    "activity_regularizer": REGULARIZERS,
    "tied_weights": ["yes", None],
    "init": ["zeros", None],
    "loss": [3, None],
    "optimizer": [3, None],
    "learning_rate": [0, -1.0, "fast", True],
    "batch_size": COUNTS,
    "epochs": COUNTS,
    "early_stopping": ["always", 3],
    "validation_fraction": [0, 1, -0.5, "half"],
    "n_iter_no_change": COUNTS,
    "callbacks": ["stop", 3],
    "warm_start": ["yes", 3],
    "checkpoint": [3, True, __file__],
    "verbose": [-1, "loud"],
    "random_state": [-1, "seed"],
}
OWN = {
    AutoencoderTransformer: {
        "contractive": [-1, "strong", True],
        "one_hot_groups": ["all", 3, [1, 2], ["ab"], [[0.5, 1]]],
        "mixup": ["always", 3],
    },
    DenoisingAutoencoder: {
        "contractive": [-1, "strong", True],
        "one_hot_groups": ["all", 3, [1, 2], ["ab"], [[0.5, 1]]],
        "noise": ["speckle", 3],
        "noise_level": [-0.1, "high", True],
        "clip": [3, "range", (0,), (1, 0), (0, 1, 2), (0, np.nan), ("a", "b")],
        "output": ["both", None],
    },
    VariationalAutoencoder: {"beta": [-1, "small", True]},
}
INVALID = [
    pytest.param(cls, {name: value}, name, id=f"{cls.__name__}-{name}-{value}")
    for cls in ESTIMATORS
    for name, values in (SHARED | OWN[cls]).items()
    for value in values
]
INVALID += [
    (DenoisingAutoencoder, {"noise": noise, "noise_level": 1.5}, "noise_level")
    for noise in ("masking", "salt_and_pepper", "swap")
]
INVALID += [
    (cls, {"network": ConvNetwork((8, 8)), name: value}, name)
    for cls in ESTIMATORS
    for name, value in {
        "kernel_regularizer": 0.1,
        "activity_regularizer": "l1",
        "tied_weights": True,
    }.items()
]


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_invalid_values_are_listed_for_each_parameter(cls):
    assert set(SHARED | OWN[cls]) == set(inspect.signature(cls).parameters)


@pytest.mark.parametrize(("cls", "params", "name"), INVALID)
def test_an_invalid_parameter_is_reported_before_an_invalid_x(cls, params, name):
    X = np.full((20, 3), np.nan)
    with pytest.raises((TypeError, ValueError), match=rf"\b{re.escape(name)}\b"):
        cls(**params).fit(X)
