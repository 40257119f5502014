"""The linear path of a network, found in its config."""

import keras
import numpy as np
import pytest
from keras import layers

from skautoenc import ConvNetwork, DenseNetwork
from skautoenc._backend.keras import isolated_random_state
from skautoenc._fitted.dense_spec import DenseSpec, LayerSpec
from skautoenc._fitted.linear_path import find_linear_path
from skautoenc._fitted.network import FittedNetwork
from skautoenc.networks._resolve import build_pair

HIDDEN = LayerSpec(5, "relu")


def names_in(model):
    """The names of the weights of the linear path and of the hidden layers."""
    path = find_linear_path(FittedNetwork.from_keras(model))
    names = [weight.path for weight in model.weights]
    positions = path.kernel, path.bias, *path.hidden.first, *path.hidden.last
    return [names[i] for i in positions]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (DenseSpec(6, (LayerSpec(3),)), True),
        (DenseSpec(6, (LayerSpec(3, "tanh"),)), False),
        (DenseSpec(6, (HIDDEN, LayerSpec(3))), False),
        (DenseSpec(6, (HIDDEN, LayerSpec(3, "sigmoid"))), False),
        (DenseSpec(6, (HIDDEN, LayerSpec(3)), has_linear_path=True), True),
        (DenseSpec(6, (HIDDEN, LayerSpec(3)), is_transposed=True), False),
    ],
)
def test_a_dense_network_has_a_path_if_it_is_linear_or_has_linear_path(spec, expected):
    weights = spec.initial_weights(np.random.default_rng(0))
    path = find_linear_path(FittedNetwork(spec.to_config(), weights))
    assert (path is not None) == expected
    if path is not None:
        assert weights[path.kernel].shape == (6, 3)
        assert weights[path.bias].shape == (3,)
        assert (path.hidden is not None) == spec.has_hidden_layers


def test_the_path_of_a_dense_network_has_the_bias_of_the_last_layer():
    encoder, _ = DenseNetwork((5, 4))((6,), 3)
    assert names_in(encoder) == [
        "code_linear/kernel",
        "code_nonlinear/bias",
        "encoder_1/kernel",
        "encoder_1/bias",
        "code_nonlinear/kernel",
        "code_nonlinear/bias",
    ]


@pytest.mark.parametrize("image_shape", [(6, 4, 1), (8,), (7, 5, 3), (9, 2)])
@pytest.mark.parametrize(
    "params",
    [{}, {"upsampling": "transpose", "downsampling": ("stride", "average_pool")}],
)
def test_a_conv_network_has_a_path_beside_its_convolutions(image_shape, params):
    network = ConvNetwork(image_shape, (3, 2), **params)
    encoder, decoder = build_pair(network, (int(np.prod(image_shape)),), 3)
    assert names_in(encoder) == [
        "code_linear/kernel",
        "code_nonlinear/bias",
        "encoder_1/kernel",
        "encoder_1/bias",
        "code_nonlinear/kernel",
        "code_nonlinear/bias",
    ]
    assert names_in(decoder) == [
        "reconstruction_linear/kernel",
        "reconstruction_linear/bias",
        "decoder_dense/kernel",
        "decoder_dense/bias",
        "reconstruction_nonlinear/kernel",
        "reconstruction_nonlinear/bias",
    ]


@pytest.mark.parametrize(
    ("params", "n_components"),
    [
        ({"linear_path": False}, 3),
        ({"output_activation": "sigmoid"}, 3),
        ({"code_activation": "tanh"}, 3),
        ({}, None),
    ],
)
def test_other_conv_networks_have_no_path(params, n_components):
    network = ConvNetwork((4, 4, 1), (2,), **params)
    pair = build_pair(network, (16,), n_components)
    assert [find_linear_path(FittedNetwork.from_keras(model)) for model in pair] == [
        None,
        None,
    ]


def summed(hidden, path=None, n_out=3):
    """A model that adds hidden layers and a linear path."""
    inputs = h = keras.Input((6,))
    for layer in hidden:
        h = layer(h)
    path = layers.Dense(n_out) if path is None else path
    return keras.Model(inputs, layers.Add()([path(inputs), h]))


def test_the_first_term_may_be_the_path_and_hidden_layers_of_other_kinds():
    first, last = layers.Dense(8, name="first"), layers.Dense(3, name="last")
    model = summed([first, layers.LayerNormalization(), layers.Dropout(0.1), last])
    names = names_in(model)
    assert [name.split("/")[0] for name in names[2:]] == ["first"] * 2 + ["last"] * 2
    assert names[1].split("/")[0] not in ("first", "last")


def shared_layer():
    dense = layers.Dense(6)
    return [layers.Dense(6), dense, layers.ReLU(), dense]


def dense(**params):
    return layers.Dense(3, **params)


def residual():
    inputs = keras.Input((3,))
    return keras.Model(inputs, layers.Add()([dense()(inputs), inputs]))


OTHERS = {
    "a path that is not linear": lambda: summed(
        [layers.Dense(4), dense()], dense(activation="relu")
    ),
    "a last layer that is not linear": lambda: summed(
        [layers.Dense(4), dense(activation="relu")]
    ),
    "two paths": lambda: summed([dense()]),
    "no bias": lambda: summed(
        [layers.Dense(4), dense(use_bias=False)], dense(use_bias=False)
    ),
    "the input as a term": residual,
    "a path in half precision": lambda: summed(
        [layers.Dense(4), dense()], dense(dtype="mixed_bfloat16")
    ),
    "a flattened input in half precision": lambda: summed(
        [layers.Dense(4), dense()],
        lambda x: dense()(layers.Flatten(dtype="mixed_bfloat16")(x)),
    ),
    "a constrained path": lambda: summed(
        [layers.Dense(4), dense()], dense(kernel_constraint="non_neg")
    ),
    "a frozen layer": lambda: summed([layers.Dense(4, trainable=False), dense()]),
    "weights that are not trained": lambda: summed(
        [layers.Dense(4), layers.BatchNormalization(), dense()]
    ),
    "a shared layer": lambda: summed(shared_layer(), layers.Dense(6)),
    "another first layer": lambda: summed([layers.ReLU(), layers.Dense(4), dense()]),
    "a layer that is not known": lambda: summed(
        [layers.Dense(4), layers.UnitNormalization(), dense()]
    ),
    "a Sequential model": lambda: keras.Sequential([keras.Input((6,)), dense()]),
}


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_models_that_cannot_start_as_a_linear_function_have_no_path(make):
    with isolated_random_state(0):
        assert find_linear_path(FittedNetwork.from_keras(make())) is None
