"""NumPy's forward pass held against Keras."""

import json

import keras
import numpy as np
import pytest
from keras.src.activations import ALL_OBJECTS_DICT

from skautoenc._backend.keras import isolated_random_state
from skautoenc._fitted.activations import ACTIVATIONS
from skautoenc._fitted.forward import plan_forward
from skautoenc._fitted.network import FittedNetwork

layers = keras.layers


def assert_numpy_equals_keras(model, X=None):
    """Both ways to evaluate a model, at once and in blocks."""
    if X is None:
        X = np.random.default_rng(0).normal(0, 2, (3000, model.input_shape[1]))
        X = X.astype(np.float32)
    before = X.copy()
    network = FittedNetwork.from_keras(model)
    assert network._forward is not None
    wanted = keras.ops.convert_to_numpy(model(X, training=False))
    # 1e-5 of what float32 resolves at the size of the values.
    scale = max(1.0, np.abs(wanted).max())
    np.testing.assert_allclose(network(X), wanted, rtol=1e-5, atol=1e-5 * scale)
    np.testing.assert_allclose(network(X[:7]), wanted[:7], rtol=1e-5, atol=1e-5 * scale)
    np.testing.assert_array_equal(X, before)


def randomised(model):
    rng = np.random.default_rng(1)
    model.set_weights(
        [rng.uniform(0.1, 1, w.shape).astype(w.dtype) for w in model.get_weights()]
    )
    return model


# Keras's own threshold asks for arguments that a layer cannot give it.
@pytest.mark.parametrize("name", sorted(ALL_OBJECTS_DICT.keys() - {"threshold"}))
def test_every_activation_of_keras(name):
    with isolated_random_state(0):
        inputs = keras.Input((6,))
        model = keras.Model(inputs, layers.Dense(8, activation=name)(inputs))
    assert_numpy_equals_keras(model)
    with isolated_random_state(0):
        alone = keras.Sequential([keras.Input((6,)), layers.Activation(name)])
    assert_numpy_equals_keras(alone)


@pytest.mark.parametrize("name", ["sigmoid", "softmax", "softplus", "mish", "gelu"])
def test_large_values_do_not_overflow(name):
    with isolated_random_state(0):
        model = keras.Sequential([keras.Input((4,)), layers.Activation(name)])
    X = np.array([[-1e4, -100, 100, 1e4]], np.float32)
    assert_numpy_equals_keras(model, X)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Dense(5, use_bias=False),
        lambda: layers.Dense(1),
        lambda: layers.ReLU(max_value=1.5, negative_slope=0.2, threshold=0.3),
        lambda: layers.LeakyReLU(negative_slope=0.05),
        lambda: layers.ELU(alpha=0.7),
        lambda: layers.PReLU(),
        lambda: layers.Softmax(),
        lambda: layers.BatchNormalization(),
        lambda: layers.BatchNormalization(scale=False),
        lambda: layers.BatchNormalization(center=False, epsilon=0.1),
        lambda: layers.LayerNormalization(),
        lambda: layers.LayerNormalization(scale=False, center=False),
        lambda: layers.Rescaling(1 / 3, offset=-1),
        lambda: layers.Dropout(0.5),
        lambda: layers.AlphaDropout(0.5),
        lambda: layers.GaussianNoise(0.5),
        lambda: layers.GaussianDropout(0.5),
        lambda: layers.ActivityRegularization(l1=0.1),
        lambda: layers.Identity(),
    ],
    ids=lambda layer: layer().__class__.__name__,
)
def test_layers_of_dense_networks(layer):
    with isolated_random_state(0):
        model = keras.Sequential([keras.Input((6,)), layer(), layers.ReLU()])
    assert_numpy_equals_keras(randomised(model))


def test_branches_do_not_overwrite_each_other():
    with isolated_random_state(0):
        inputs = keras.Input((6,))
        h = layers.Dense(6)(inputs)
        branches = [
            layers.Activation("relu")(h),
            layers.Activation("tanh")(h),
            layers.Activation("sigmoid")(layers.Dropout(0.1)(inputs)),
            h,
            inputs,
        ]
        total = layers.Add()(branches)
        model = keras.Model(inputs, layers.Concatenate()([total, h]))
    assert_numpy_equals_keras(model)


def nested(inner, outer):
    """A model with a nested model called twice and a layer called twice."""
    inner_inputs = keras.Input((6,))
    functional = keras.Model(inner_inputs, layers.Dense(6, "relu")(inner(inner_inputs)))
    sequential = keras.Sequential([keras.Input((6,)), layers.Dense(6)])
    inputs = keras.Input((6,))
    h = functional(functional(inputs))
    return keras.Model(inputs, sequential(outer(outer(h))))


def test_shared_layers_and_nested_models():
    with isolated_random_state(0):
        model = nested(layers.Dense(6, "tanh"), layers.Dense(6, "tanh"))
    assert_numpy_equals_keras(model)


@keras.saving.register_keras_serializable("tests")
class Dense(keras.layers.Dense):
    """Bears the name of a Keras layer, and does something else."""

    def call(self, inputs):
        return 2 * super().call(inputs)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: Dense(4),
        lambda: layers.Dense(4, dtype="mixed_bfloat16"),
        lambda: layers.Dense(4, activation=layers.LeakyReLU(0.3)),
        lambda: layers.UnitNormalization(),
    ],
)
def test_layers_that_numpy_does_not_support_are_evaluated_by_keras(layer):
    with isolated_random_state(0):
        model = keras.Sequential([keras.Input((6,)), layer()])
    assert plan_forward(json.loads(model.to_json()), len(model.weights)) is None
    X = np.random.default_rng(0).normal(size=(5000, 6)).astype(np.float32)
    network = FittedNetwork.from_keras(model)
    for rows in (slice(1), slice(5), slice(None)):
        wanted = keras.ops.convert_to_numpy(model(X[rows], training=False))
        np.testing.assert_allclose(network(X[rows]), wanted, rtol=1e-5, atol=1e-5)


def test_activations_all_have_names_of_keras():
    assert ACTIVATIONS.keys() <= ALL_OBJECTS_DICT.keys()


@pytest.mark.parametrize(("n_in", "n_out"), [(64, 8), (10, 3), (150, 33)])
def test_few_rows_of_a_small_network_have_the_same_bits_in_any_order(n_in, n_out):
    with isolated_random_state(0):
        hidden = layers.Dense(40, activation="relu")
        model = keras.Sequential([keras.Input((n_in,)), hidden, layers.Dense(n_out)])
    network = FittedNetwork.from_keras(model)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, n_in)).astype(np.float32)
    out, order = network(X), rng.permutation(len(X))
    np.testing.assert_array_equal(network(X[order]), out[order])
    for n in (1, 2, 3, 4, 5, 23):
        np.testing.assert_array_equal(network(X[:n]), out[:n])
