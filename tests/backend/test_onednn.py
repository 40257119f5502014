"""Layers that are computed by oneDNN held against the layers of Keras."""

import keras
import numpy as np
import pytest
from helpers import COMPILED

from skautoenc._backend.onednn import _is_available, onednn_used

pytestmark = pytest.mark.skipif(
    COMPILED != "tensorflow", reason="oneDNN is called by its names in TensorFlow"
)

layers = keras.layers
OPERATIONS = {
    "Conv2D",
    "Conv2DBackpropInput",
    "Conv2DBackpropFilter",
    "MaxPool",
    "MaxPoolGrad",
}
SEEDED = {
    "kernel_initializer": keras.initializers.GlorotUniform(seed=0),
    "bias_initializer": keras.initializers.Constant(0.1),
}
LAYERS = [
    (layers.Conv2D(4, 3, padding="same", **SEEDED), (7, 6, 3)),
    (layers.Conv2D(4, (2, 3), strides=2, **SEEDED), (7, 6, 3)),
    (layers.Conv2D(1, 5, strides=(2, 1), padding="same", **SEEDED), (9, 6, 2)),
    (layers.Conv1D(4, 3, strides=2, padding="same", **SEEDED), (7, 3)),
    (layers.Conv1D(4, 3, activation="silu", **SEEDED), (7, 3)),
    (layers.Conv2DTranspose(4, 3, strides=2, padding="same", **SEEDED), (4, 3, 2)),
    (layers.Conv2DTranspose(2, (2, 3), use_bias=False, **SEEDED), (4, 3, 2)),
    (layers.Conv2DTranspose(2, 3, strides=2, output_padding=1, **SEEDED), (4, 3, 2)),
    (layers.Conv1DTranspose(4, 5, strides=2, activation="silu", **SEEDED), (7, 3)),
    (layers.MaxPooling2D(2, padding="same"), (7, 6, 3)),
    (layers.MaxPooling2D((3, 2), strides=(2, 1)), (7, 6, 3)),
    (layers.MaxPooling1D(3), (7, 2)),
]


def outputs_and_gradients(layer, images):
    """Return outputs, gradients, gradients of their squares, and the operations."""
    import tensorflow as tf

    def compute(images):
        inputs = [images, *layer.trainable_variables]
        with tf.GradientTape(persistent=True) as outer:
            outer.watch(images)
            with tf.GradientTape() as inner:
                inner.watch(images)
                outputs = layer(images)
                loss = tf.reduce_sum(tf.sin(outputs))
            gradients = inner.gradient(loss, inputs)
            size = tf.add_n([tf.reduce_sum(g**2) for g in gradients])
        return outputs, *gradients, *outer.gradient(size, inputs)

    images = tf.constant(images)
    traced = tf.function(compute, autograph=False).get_concrete_function(images)
    operations = {operation.type for operation in traced.graph.get_operations()}
    return traced(images), operations


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_onednn_has_the_outputs_and_the_gradients_of_keras(layer, shape):
    model = keras.Sequential([keras.Input(shape), layer])
    rng = np.random.default_rng(0)
    images = rng.permuted(np.arange(5.0 * np.prod(shape), dtype=np.float32))
    images = (images / images.size).reshape(5, *shape)  # without ties, for max pooling
    expected, operations_of_keras = outputs_and_gradients(layer, images)
    with onednn_used(model):
        found, operations = outputs_and_gradients(layer, images)
    for ours, theirs in zip(found, expected, strict=True):
        rounding = 1e-5 * np.abs(theirs).max()  # of sums, in which values cancel out
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=rounding)
    replaced = OPERATIONS & operations_of_keras
    assert replaced
    if _is_available():
        assert not replaced & operations
        assert {"_MklNative" + operation for operation in replaced} <= operations
    else:
        assert operations == operations_of_keras


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 3, groups=2),
        layers.Conv2D(4, 3, dilation_rate=2),
        layers.Conv2D(4, 3, dtype="mixed_bfloat16"),
        layers.Conv2D(4, 3, data_format="channels_first"),
        layers.Conv2DTranspose(4, 3, dilation_rate=2),
        layers.AveragePooling2D(2),
    ],
    ids="groups dilation half-precision channels-first transposed average".split(),
)
def test_other_layers_are_left_as_they_are(layer):
    model = keras.Sequential([keras.Input((8, 8, 8)), layer])
    attributes = dict(vars(layer))
    with onednn_used(model):
        assert vars(layer) == attributes


def test_transposed_convolutions_of_images_of_any_size_are_left_to_keras():
    import tensorflow as tf

    layer = layers.Conv2DTranspose(3, 3, strides=2, **SEEDED)
    model = keras.Sequential([keras.Input((None, None, 2)), layer])
    call = tf.function(layer, autograph=False)
    with onednn_used(model):
        call.get_concrete_function(tf.TensorSpec((None, None, None, 2)))
    images = np.random.default_rng(0).random((2, 4, 5, 2), dtype=np.float32)
    np.testing.assert_allclose(call(images), layer(images), atol=1e-6)


def test_layers_are_restored_after_an_error():
    layer = layers.Conv2D(4, 3)
    model = keras.Sequential([keras.Input((8, 8, 2)), layer])
    attributes = dict(vars(layer))
    with pytest.raises(RuntimeError), onednn_used(model):
        raise RuntimeError
    assert vars(layer) == attributes
