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
LAYERS = [
    (layers.Conv2D(4, 3, padding="same"), (7, 6, 3)),
    (layers.Conv2D(4, (2, 3), strides=2), (7, 6, 3)),
    (layers.Conv2D(1, 5, strides=(2, 1), padding="same", activation="silu"), (9, 6, 2)),
    (layers.Conv1D(4, 3, strides=2, padding="same"), (7, 3)),
    (layers.MaxPooling2D(2, padding="same"), (7, 6, 3)),
    (layers.MaxPooling2D((3, 2), strides=(2, 1)), (7, 6, 3)),
    (layers.MaxPooling1D(3), (7, 2)),
]


def outputs_and_gradients(layer, images):
    """Return outputs, their gradients, and gradients of a product of gradients."""
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

    return tf.function(compute, autograph=False)(tf.constant(images))


@pytest.mark.parametrize(("layer", "shape"), LAYERS)
def test_onednn_has_the_outputs_and_the_gradients_of_keras(layer, shape):
    model = keras.Sequential([keras.Input(shape), layer])
    rng = np.random.default_rng(0)
    images = rng.permuted(np.arange(5.0 * np.prod(shape), dtype=np.float32))
    images = (images / images.size).reshape(5, *shape)  # without ties, for max pooling
    expected = outputs_and_gradients(layer, images)
    attributes = dict(vars(layer))
    with onednn_used(model):
        assert (vars(layer) != attributes) == _is_available()
        found = outputs_and_gradients(layer, images)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 3, groups=2),
        layers.Conv2D(4, 3, dilation_rate=2),
        layers.Conv2D(4, 3, dtype="mixed_bfloat16"),
        layers.Conv2D(4, 3, data_format="channels_first"),
        layers.AveragePooling2D(2),
    ],
    ids="groups dilation half-precision channels-first average".split(),
)
def test_other_layers_are_left_as_they_are(layer):
    model = keras.Sequential([keras.Input((8, 8, 8)), layer])
    attributes = dict(vars(layer))
    with onednn_used(model):
        assert vars(layer) == attributes


def test_layers_are_restored_after_an_error():
    layer = layers.Conv2D(4, 3)
    model = keras.Sequential([keras.Input((8, 8, 2)), layer])
    attributes = dict(vars(layer))
    with pytest.raises(RuntimeError), onednn_used(model):
        raise RuntimeError
    assert vars(layer) == attributes
