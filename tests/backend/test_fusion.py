"""Convolutions of upsampled images and signals, fused, held against Keras's own."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import make_autoencoder

from skautoenc._backend.fusion import upsampling_fused
from skautoenc._backend.keras import isolated_random_state
from skautoenc._backend.layer_calls import fast_layers

layers = keras.layers


def doubled(filters=1, kernel_size=3, size=2, interpolation="nearest", **convolution):
    return [
        layers.UpSampling2D(size, interpolation=interpolation),
        layers.Conv2D(
            filters,
            kernel_size,
            **{"padding": "same", "bias_initializer": "normal", **convolution},
        ),
    ]


def doubled_signal(filters=1, kernel_size=3, size=2, **convolution):
    settings = {"padding": "same", "bias_initializer": "normal", **convolution}
    return [layers.UpSampling1D(size), layers.Conv1D(filters, kernel_size, **settings)]


def sequential(*parts, input_shape=(5, 3, 8)):
    return keras.Sequential([keras.Input(input_shape), *parts])


def functional(*parts):
    inputs = h = keras.Input((5, 3, 8))
    for layer in parts:
        h = layer(h)
    return keras.Model(inputs, h)


def nested(*parts):
    inputs = keras.Input((5, 3, 8))
    return keras.Model(inputs, functional(*parts)(sequential(layers.ReLU())(inputs)))


def sequential_in_sequential(*parts):
    return sequential(layers.ReLU(), sequential(*parts))


def replaced(model):
    return [layer for layer in model._flatten_layers() if "call" in vars(layer)]


def outputs_and_gradients(model, fused):
    X = np.random.default_rng(0).normal(size=(4, *model.input_shape[1:]))
    X = X.astype(np.float32)
    watched = contextlib.nullcontext()
    if fused:
        watched = upsampling_fused(model)
    with watched, tf.GradientTape() as tape:
        outputs = model(X)
        loss = tf.add_n([tf.reduce_sum(tf.sin(y)) for y in tf.nest.flatten(outputs)])
    return [*tf.nest.flatten(outputs), *tape.gradient(loss, model.trainable_variables)]


def assert_fusing_changes_nothing(model):
    plain = outputs_and_gradients(model, fused=False)
    for a, b in zip(outputs_and_gradients(model, fused=True), plain, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert replaced(model) == []
    for a, b in zip(outputs_and_gradients(model, fused=False), plain, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "kind", [functional, sequential, nested, sequential_in_sequential]
)
def test_fused_convolutions_give_the_same_numbers_and_gradients(kind):
    with isolated_random_state(0):
        model = kind(
            layers.Conv2D(8, 3, padding="same", activation="relu"),
            *doubled(2, activation="sigmoid"),
            layers.Conv2D(8, 1),
            *doubled(1, use_bias=False),
        )
    with upsampling_fused(model):
        assert len(replaced(model)) == 4
    assert_fusing_changes_nothing(model)


def test_fused_convolutions_of_signals_give_the_same_numbers_and_gradients():
    with isolated_random_state(0):
        model = sequential(
            *doubled_signal(4, activation="relu"),
            *doubled_signal(1, use_bias=False),
            input_shape=(5, 8),
        )
    with upsampling_fused(model):
        assert len(replaced(model)) == 4
    assert_fusing_changes_nothing(model)


def test_fused_convolutions_of_images_of_any_size():
    with isolated_random_state(0):
        model = keras.Sequential([keras.Input((None, None, 8)), *doubled(2)])
    call = tf.function(model, autograph=False)
    with upsampling_fused(model):
        call.get_concrete_function(tf.TensorSpec((None, None, None, 8)))
    images = np.random.default_rng(0).random((2, 4, 5, 8), dtype=np.float32)
    np.testing.assert_allclose(call(images), model(images), rtol=1e-4, atol=1e-5)


def test_all_replaced_calls_together_give_the_same_numbers():
    with isolated_random_state(0):
        model = sequential(
            layers.Conv1D(8, 3, padding="same", activation="relu"),
            layers.MaxPooling1D(2),
            layers.Conv1DTranspose(8, 3, padding="same"),
            *doubled_signal(),
            input_shape=(6, 2),
        )
    signals = np.random.default_rng(0).normal(size=(4, 6, 2)).astype(np.float32)
    call = tf.function(model, autograph=False)
    with fast_layers(model):
        call.get_concrete_function(tf.constant(signals))
    assert replaced(model) == []
    np.testing.assert_allclose(call(signals), model(signals), rtol=1e-4, atol=1e-5)


def branching(parts):
    """The doubled image goes to the convolution, and elsewhere."""
    upsampling, convolution = parts
    inputs = keras.Input((5, 3, 8))
    h = upsampling(inputs)
    return keras.Model(inputs, layers.Concatenate()([convolution(h), h]))


def called_twice(parts):
    upsampling, convolution = parts
    inputs = keras.Input((5, 3, 8))
    h = convolution(upsampling(inputs))
    return keras.Model(inputs, layers.Add()([h, convolution(upsampling(-inputs))]))


def both_given(parts):
    upsampling, convolution = parts
    inputs = keras.Input((5, 3, 8))
    h = upsampling(inputs)
    return keras.Model(inputs, [h, convolution(h)])


@pytest.mark.parametrize(
    "build",
    [
        lambda: sequential(*doubled(filters=9)),
        lambda: sequential(*doubled(kernel_size=5)),
        lambda: sequential(*doubled(size=3)),
        lambda: sequential(*doubled(size=(2, 1))),
        lambda: sequential(*doubled(interpolation="bilinear")),
        lambda: sequential(*doubled(strides=2)),
        lambda: sequential(*doubled(dilation_rate=2)),
        lambda: sequential(*doubled(padding="valid")),
        lambda: sequential(*doubled(filters=2, groups=2)),
        lambda: sequential(*doubled_signal(size=3), input_shape=(5, 8)),
        lambda: sequential(*doubled_signal(padding="causal"), input_shape=(5, 8)),
        lambda: branching(doubled()),
        lambda: called_twice(doubled()),
        lambda: both_given(doubled()),
    ],
    ids=(
        "filters kernel thrice one-axis bilinear strided dilated valid groups "
        "signal-thrice causal branching twice both"
    ).split(),
)
def test_other_convolutions_are_left_as_they_are(build):
    with isolated_random_state(0):
        model = build()
    with upsampling_fused(model):
        assert replaced(model) == []
    assert_fusing_changes_nothing(model)


def test_fused_layers_are_restored_after_an_error():
    with isolated_random_state(0):
        model = sequential(*doubled())
    with pytest.raises(RuntimeError), upsampling_fused(model):
        raise RuntimeError
    assert replaced(model) == []


def test_upsampling_fused_trains_in_lower_precision(digits):
    def network(input_shape, n_components):
        encoder = keras.Sequential([keras.Input((64,)), layers.Dense(n_components)])
        decoder = keras.Sequential(
            [
                keras.Input((n_components,)),
                layers.Dense(4 * 4 * 8),
                layers.Reshape((4, 4, 8)),
                layers.UpSampling2D(dtype="mixed_bfloat16"),
                layers.Conv2D(1, 3, padding="same", dtype="mixed_bfloat16"),
                layers.Activation("linear", dtype="float32"),
            ]
        )
        return encoder, decoder

    estimator = make_autoencoder(network=network, epochs=2).fit(digits)
    np.testing.assert_allclose(
        estimator.reconstruct(digits),
        estimator.autoencoder_(digits),
        atol=0.03,
    )
