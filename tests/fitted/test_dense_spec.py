"""DenseSpec: the description of a dense network, as a config and by its weights."""

import json

import keras
import numpy as np
import pytest

from skautoenc import ConvNetwork, DenseNetwork
from skautoenc._backend.keras import isolated_random_state
from skautoenc._fitted.dense_spec import DenseSpec, LayerSpec
from skautoenc._fitted.network import FittedNetwork, config_of

layers = keras.layers
L2 = {
    "module": "keras.regularizers",
    "class_name": "L2",
    "config": {"l2": 0.5},
    "registered_name": None,
}
SPECS = {
    "one layer": DenseSpec(6, (LayerSpec(3, "tanh"),)),
    "hidden layers": DenseSpec(6, (LayerSpec(5, "relu"), LayerSpec(3, "sigmoid"))),
    "linear path": DenseSpec(
        6,
        (LayerSpec(5, "relu", L2), LayerSpec(3, "linear", L2, L2)),
        has_linear_path=True,
    ),
    "transposed": DenseSpec(
        6, (LayerSpec(5, "relu"), LayerSpec(3)), is_transposed=True
    ),
}
EACH_SPEC = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


def network_of(spec):
    """The network of a spec, with random biases too."""
    rng = np.random.default_rng(0)
    weights = spec.initial_weights(rng)
    weights = [w if w.ndim > 1 else rng.normal(size=w.shape) for w in weights]
    return FittedNetwork(spec.to_config(), [w.astype(np.float32) for w in weights])


@EACH_SPEC
def test_from_config_reads_what_to_config_writes(spec):
    assert DenseSpec.from_config(spec.to_config()) == spec


@EACH_SPEC
def test_from_config_reads_the_config_that_keras_writes(spec):
    with isolated_random_state(0):
        model = network_of(spec).build()
    found = DenseSpec.from_config(config_of(model))
    assert (found.widths, found.has_linear_path) == (spec.widths, spec.has_linear_path)
    assert found.layers[-1].activation == spec.layers[-1].activation


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_from_config_describes_the_models_of_a_dense_network(activation, tied):
    network = DenseNetwork((5,), output_activation=activation, tied_weights=tied)
    with isolated_random_state(0):
        pair = network((6,), 2)
    encoder, decoder = (FittedNetwork.from_keras(model).dense_spec for model in pair)
    assert encoder.widths == (6, 5, 2)
    assert decoder.widths == (2, 5, 6)
    assert encoder.ends_linear
    assert decoder.ends_linear == (activation == "linear")
    assert decoder.is_transposed == tied
    assert encoder.has_linear_path == (activation == "linear" and not tied)


def functional(*stack):
    with isolated_random_state(0):
        inputs = h = keras.Input((6,))
        for layer in stack:
            h = layer(h)
        return keras.Model(inputs, h)


def residual():
    with isolated_random_state(0):
        inputs = keras.Input((6,))
        h = layers.Dense(6)(layers.Dense(4)(inputs))
        return keras.Model(inputs, layers.Add()([h, inputs]))


def biased_path():
    with isolated_random_state(0):
        inputs = keras.Input((6,))
        h = layers.Dense(2)(layers.Dense(4)(inputs))
        return keras.Model(inputs, layers.Add()([h, layers.Dense(2)(inputs)]))


@pytest.mark.parametrize(
    "build",
    [
        lambda: functional(layers.Dense(4), layers.BatchNormalization()),
        lambda: functional(layers.Dense(4, use_bias=False)),
        lambda: ConvNetwork((4, 4, 1), (2,))((16,), 3)[0],
        residual,
        biased_path,
    ],
)
def test_from_config_returns_none_for_other_networks(build):
    assert DenseSpec.from_config(config_of(build())) is None


def test_dense_spec_of_a_network_survives_other_weights_and_shifts():
    network = network_of(SPECS["linear path"])
    other = network.with_weights(network.weights).with_shifts(np.ones(6))
    assert other.dense_spec == network.dense_spec == SPECS["linear path"]


@EACH_SPEC
def test_fold_has_the_effect_of_the_shifts(spec):
    rng = np.random.default_rng(0)
    network, X = network_of(spec), rng.normal(size=(20, 6)).astype(np.float32)
    low, high = rng.normal(size=6), rng.normal(size=3)
    high = high if spec.ends_linear else None
    folded = network.with_weights(spec.fold(network.weights, low, high))
    wanted = network.with_shifts(low, high)(X)
    np.testing.assert_allclose(folded(X), wanted, atol=1e-5)


@EACH_SPEC
def test_by_role_keeps_the_order_of_weights(spec):
    weights = network_of(spec).weights
    found = spec.by_role(weights)
    assert all(a is b for a, b in zip(found.arrays(), weights, strict=True))
    assert len(found.kernels) == len(found.biases) == len(spec.layers)
    assert (found.linear_path is None) != spec.has_linear_path


def test_initial_weights_are_those_of_glorot_and_bengio():
    spec = DenseSpec(300, (LayerSpec(200), LayerSpec(100)), has_linear_path=True)
    weights = spec.by_role(spec.initial_weights(np.random.default_rng(0)))
    for kernel in (*weights.kernels, weights.linear_path):
        limit = np.sqrt(6 / sum(kernel.shape))
        assert 0.99 * limit < np.abs(kernel).max() <= limit
    assert not any(bias.any() for bias in weights.biases)


def test_to_config_is_that_of_a_keras_model():
    spec = json.loads(SPECS["linear path"].to_config())
    assert spec["class_name"] == "Functional"
    assert keras.models.model_from_json(json.dumps(spec)).output_shape == (None, 3)
