"""Which dense layers beside the code can absorb a change of its basis."""

import keras
import pytest
from keras import layers, regularizers

from skautoenc import ConvNetwork, DenseNetwork
from skautoenc._fitted.code_layers import CodeLayer, find_code_layers
from skautoenc._fitted.network import FittedNetwork

N_FEATURES, N_COMPONENTS = 6, 3


def found(encoder, decoder, n_components=N_COMPONENTS):
    pair = FittedNetwork.from_keras(encoder), FittedNetwork.from_keras(decoder)
    return find_code_layers(*pair, n_components)


def encoder_with(*last):
    return keras.Sequential([keras.Input((N_FEATURES,)), layers.Dense(4), *last])


def decoder_with(*first):
    return keras.Sequential([keras.Input((N_COMPONENTS,)), *first])


def test_layers_of_a_dense_network_without_a_linear_path():
    network = DenseNetwork((4,), linear_path=False)
    result = found(*network((N_FEATURES,), N_COMPONENTS))
    assert result.encoder == [CodeLayer(kernel=2, code_axis=1, bias=3)]
    assert result.decoder == [CodeLayer(kernel=0, code_axis=0, bias=1)]
    assert result.is_rotatable


def test_layers_of_a_linear_path_add_to_the_bias_of_the_last_layer():
    result = found(*DenseNetwork((4,))((N_FEATURES,), N_COMPONENTS))
    assert sorted(result.encoder) == [CodeLayer(2, 1, 3), CodeLayer(4, 1, None)]
    assert sorted(result.decoder) == [CodeLayer(0, 0, 1), CodeLayer(4, 0, 3)]


def test_layers_of_tied_weights_have_transposed_kernels():
    network = DenseNetwork((4,), tied_weights=True)
    result = found(*network((N_FEATURES,), N_COMPONENTS))
    assert result.encoder == [CodeLayer(2, 1, 3)]
    assert result.decoder == [CodeLayer(0, 1, 1)]


def test_layers_beside_convolutions_are_found():
    network = ConvNetwork((4, 4, 1), (2, 3), linear_path=False)
    encoder, decoder = network((16,), N_COMPONENTS)
    result = found(encoder, decoder)
    assert result.encoder == [CodeLayer(4, 1, 5)]
    assert result.decoder == [CodeLayer(0, 0, 1)]


@pytest.mark.parametrize("upsampling", ["nearest", "transpose"])
def test_layers_of_a_linear_path_beside_convolutions_are_found(upsampling):
    network = ConvNetwork((3, 5, 1), (2, 3), upsampling=upsampling)
    encoder, decoder = network((15,), N_COMPONENTS)
    result = found(encoder, decoder)
    names = [w.path for w in encoder.weights], [w.path for w in decoder.weights]

    def names_of(layers, names):
        return {
            (names[x.kernel], None if x.bias is None else names[x.bias]) for x in layers
        }

    assert names_of(result.encoder, names[0]) == {
        ("code_nonlinear/kernel", "code_nonlinear/bias"),
        ("code_linear/kernel", None),
    }
    assert names_of(result.decoder, names[1]) == {
        ("decoder_dense/kernel", "decoder_dense/bias"),
        ("reconstruction_linear/kernel", "reconstruction_linear/bias"),
    }
    assert {x.code_axis for x in result.encoder} == {1}
    assert {x.code_axis for x in result.decoder} == {0}


@pytest.mark.parametrize("regularizer", [None, regularizers.L2(0.1)])
def test_layers_without_l1_penalties_may_rotate(regularizer):
    last = layers.Dense(
        N_COMPONENTS, kernel_regularizer=regularizer, activity_regularizer=regularizer
    )
    assert found(encoder_with(last), decoder_with(layers.Dense(5))).is_rotatable


@pytest.mark.parametrize(
    "name", ["kernel_regularizer", "activity_regularizer", "bias_regularizer"]
)
@pytest.mark.parametrize(
    "regularizer",
    [regularizers.L1(0.1), regularizers.L1L2(0.1, 0.1), regularizers.L2(0.1)],
)
def test_layers_with_a_penalty_that_depends_on_the_axes_may_not_rotate(
    name, regularizer
):
    last = layers.Dense(N_COMPONENTS, **{name: regularizer})
    result = found(encoder_with(last), decoder_with(layers.Dense(5)))
    is_l2 = isinstance(regularizer, regularizers.L2)
    assert result.is_rotatable == (is_l2 and name != "bias_regularizer")


ENCODERS = {
    "activation": lambda: encoder_with(layers.Dense(N_COMPONENTS, activation="tanh")),
    "normalization": lambda: encoder_with(
        layers.Dense(N_COMPONENTS), layers.LayerNormalization()
    ),
    "without bias": lambda: encoder_with(layers.Dense(N_COMPONENTS, use_bias=False)),
    "constrained": lambda: encoder_with(
        layers.Dense(N_COMPONENTS, kernel_constraint="unit_norm")
    ),
    "frozen": lambda: encoder_with(layers.Dense(N_COMPONENTS, trainable=False)),
    "half precision": lambda: encoder_with(
        layers.Dense(N_COMPONENTS, dtype="mixed_bfloat16")
    ),
    "no layer with weights": lambda: keras.Sequential(
        [keras.Input((N_COMPONENTS,)), layers.Flatten()]
    ),
    "dense on pixels": lambda: keras.Sequential(
        [
            keras.Input((N_COMPONENTS,)),
            layers.Reshape((N_COMPONENTS, 1)),
            layers.Dense(1),
            layers.Flatten(),
        ]
    ),
}


@pytest.mark.parametrize("make", ENCODERS.values(), ids=ENCODERS)
def test_an_encoder_that_cannot_absorb_a_change_has_no_layers(make):
    assert found(make(), decoder_with(layers.Dense(5))) is None


def residual():
    inputs = keras.Input((N_COMPONENTS,))
    return keras.Model(inputs, layers.Add()([inputs, layers.Dense(3)(inputs)]))


DECODERS = {
    "activation first": lambda: decoder_with(layers.ReLU(), layers.Dense(5)),
    "without bias": lambda: decoder_with(layers.Dense(5, use_bias=False)),
    "frozen": lambda: decoder_with(layers.Dense(5, trainable=False)),
    "the code itself": residual,
    "dense on pixels": lambda: decoder_with(
        layers.Reshape((N_COMPONENTS, 1)), layers.Dense(2), layers.Flatten()
    ),
}


@pytest.mark.parametrize("make", DECODERS.values(), ids=DECODERS)
def test_a_decoder_that_cannot_absorb_a_change_has_no_layers(make):
    encoder = encoder_with(layers.Dense(N_COMPONENTS))
    assert found(encoder, make()) is None


def test_layers_that_are_called_twice_are_not_found():
    dense = layers.Dense(N_FEATURES)
    encoder = keras.Sequential([keras.Input((N_FEATURES,)), dense])
    inputs = keras.Input((N_FEATURES,))
    twice = keras.Model(inputs, dense(layers.ReLU()(dense(inputs))))
    nested = keras.Model(inputs, dense(layers.ReLU()(encoder(inputs))))
    decoder = keras.Sequential([keras.Input((N_FEATURES,)), layers.Dense(5)])
    assert found(encoder, decoder, N_FEATURES) is not None
    assert found(twice, decoder, N_FEATURES) is None
    assert found(nested, decoder, N_FEATURES) is None
