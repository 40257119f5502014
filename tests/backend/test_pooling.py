"""Max pooling by blocks held against the layers of Keras."""

import keras
import numpy as np
import pytest
from helpers import COMPILED

from skautoenc._backend.pooling import pooling_by_blocks

layers = keras.layers
POOLINGS = [
    (layers.MaxPooling2D(2, padding="same"), (7, 6, 3)),
    (layers.MaxPooling2D((2, 3)), (7, 7, 2)),
    (layers.MaxPooling1D(3, padding="same"), (7, 2)),
]


@pytest.mark.parametrize(("layer", "shape"), POOLINGS)
def test_pooling_by_blocks_has_the_outputs_and_gradient_of_keras(layer, shape):
    model = keras.Sequential([keras.Input(shape), layer])
    images = np.random.default_rng(0).integers(0, 3, (5, *shape)).astype(np.float32)

    def computed():
        outputs = np.asarray(layer.call(keras.ops.convert_to_tensor(images)))
        if COMPILED != "jax":
            return (outputs,)
        import jax

        gradient = jax.grad(lambda x: (layer.call(x) ** 2).sum())(images)
        return outputs, np.asarray(gradient)

    expected = computed()
    with pooling_by_blocks(model):
        for ours, theirs in zip(computed(), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
