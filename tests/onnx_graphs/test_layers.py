"""Activations and layers as ONNX nodes, held against Keras."""

import keras
import numpy as np
import pytest
from conversion import assert_equal_within_1e5, outputs_of
from sklearn.base import BaseEstimator

from skautoenc._backend.keras import isolated_random_state
from skautoenc._estimators.onnx import OnnxMixin
from skautoenc._fitted.activations import ACTIVATIONS as OF_NUMPY
from skautoenc._fitted.graph import _WEIGHT_NAMES
from skautoenc._fitted.network import FittedNetwork
from skautoenc._onnx.activations import ACTIVATIONS
from skautoenc._onnx.network import CONVERTERS
from skautoenc._onnx.reducers import AutoencoderConversion

layers = keras.layers


class Encoder(OnnxMixin, BaseEstimator):
    """An estimator whose `transform` is a Keras model."""

    def fit(self, model):
        self.network_ = FittedNetwork.from_keras(model)
        n_in = model.input_shape[1]
        self.n_in_, self.n_out_ = n_in, model(np.zeros((1, n_in))).shape[1]
        return self

    def _onnx_conversion(self):
        network, shape = self.network_, (self.n_in_,)
        return AutoencoderConversion(network, network, np.float32, shape, self.n_out_)


def randomised(model):
    rng = np.random.default_rng(1)
    model.set_weights(
        [rng.uniform(-1, 1, w.shape).astype(w.dtype) for w in model.get_weights()]
    )
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            weights = layer.get_weights()
            layer.set_weights([*weights[:-1], 0.5 + np.square(weights[-1])])
    return model


def assert_onnx_equals_keras(model, X=None, **settings):
    """Assert that onnxruntime and Keras agree, for a model with rows as inputs."""
    if X is None:
        X = np.random.default_rng(0).normal(0, 2, (50, model.input_shape[1]))
        X = X.astype(np.float32)
    wanted = np.asarray(model(X, training=False))
    found = outputs_of(Encoder().fit(model), X, **settings)["transform"]
    assert_equal_within_1e5(found, wanted)


def model_of(*parts, n_in=6):
    """A sequential model, without warnings of a global random state."""
    with isolated_random_state(0):
        made = [part() if callable(part) else part for part in parts]
        return keras.Sequential([keras.Input((n_in,)), *made])


def test_all_activations_of_numpy_have_a_converter():
    assert ACTIVATIONS.keys() == OF_NUMPY.keys()


def test_all_layers_of_known_weights_have_a_converter():
    assert CONVERTERS.keys() == _WEIGHT_NAMES.keys() - {"InputLayer"}


@pytest.mark.parametrize("opset", [13, None])
@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_every_activation(name, opset):
    model = model_of(lambda: layers.Dense(8, activation=name))
    assert_onnx_equals_keras(randomised(model), target_opset=opset)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS.keys() - {"exponential"}))
def test_activations_of_large_values(name):
    X = np.array([[-1e4, -100, 100, 1e4], [-20, -0.5, 0.5, 20]], np.float32)
    model = model_of(lambda: layers.Activation(name), n_in=4)
    assert_onnx_equals_keras(model, X)


LAYERS = [
    lambda: layers.Dense(5, use_bias=False),
    lambda: layers.Dense(1),
    lambda: layers.ReLU(max_value=1.5, negative_slope=0.2, threshold=0.3),
    lambda: layers.ReLU(),
    lambda: layers.LeakyReLU(negative_slope=0.05),
    lambda: layers.ELU(alpha=0.7),
    lambda: layers.PReLU(),
    lambda: layers.Softmax(),
    lambda: layers.BatchNormalization(),
    lambda: layers.BatchNormalization(axis=1),
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
]


@pytest.mark.parametrize("opset", [13, None])
@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer()).__name__)
def test_layers_of_rows(layer, opset):
    model = model_of(layer, lambda: layers.ReLU())
    assert_onnx_equals_keras(randomised(model), target_opset=opset)


IMAGES = [
    lambda: layers.Conv2D(4, 3, padding="same", activation="tanh"),
    lambda: layers.Conv2D(4, (3, 2), strides=2, padding="same"),
    lambda: layers.Conv2D(4, 3, strides=(1, 2), padding="valid", use_bias=False),
    lambda: layers.Conv2D(4, 3, dilation_rate=2, padding="same"),
    lambda: layers.Conv2D(4, 3, groups=2),
    lambda: layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="silu"),
    lambda: layers.Conv2DTranspose(3, 4, strides=(2, 1), padding="same"),
    lambda: layers.Conv2DTranspose(3, 1, strides=2, padding="same"),
    lambda: layers.Conv2DTranspose(3, (4, 3), strides=2, padding="valid"),
    lambda: layers.Conv2DTranspose(3, 2, strides=3, padding="valid"),
    lambda: layers.MaxPooling2D(2, padding="same"),
    lambda: layers.MaxPooling2D(3, strides=2),
    lambda: layers.AveragePooling2D(2, padding="same"),
    lambda: layers.AveragePooling2D((3, 2)),
    lambda: layers.GlobalMaxPooling2D(),
    lambda: layers.GlobalAveragePooling2D(keepdims=True),
    lambda: layers.UpSampling2D((2, 3)),
    lambda: layers.UpSampling2D(2, interpolation="bilinear"),
    lambda: layers.Cropping2D(((0, 1), (2, 0))),
    lambda: layers.ZeroPadding2D(((0, 1), (2, 3))),
    lambda: layers.Permute((3, 1, 2)),
    lambda: layers.SpatialDropout2D(0.5),
    lambda: layers.BatchNormalization(),
    lambda: layers.PReLU(shared_axes=(1, 2)),
    lambda: layers.Softmax(axis=1),
    lambda: layers.LayerNormalization(),
    lambda: layers.Dense(3, "relu"),
]


@pytest.mark.parametrize("opset", [13, None])
@pytest.mark.parametrize("layer", IMAGES, ids=lambda layer: type(layer()).__name__)
def test_layers_of_images(layer, opset):
    shape = (7, 6, 4)
    model = model_of(
        lambda: layers.Reshape(shape), layer, lambda: layers.Flatten(), n_in=7 * 6 * 4
    )
    assert_onnx_equals_keras(randomised(model), target_opset=opset)


SIGNALS = [
    lambda: layers.Conv1D(4, 3, strides=2, padding="same", activation="relu"),
    lambda: layers.Conv1D(4, 3, dilation_rate=2, padding="causal"),
    lambda: layers.Conv1DTranspose(3, 3, strides=2, padding="same"),
    lambda: layers.MaxPooling1D(2, padding="same"),
    lambda: layers.AveragePooling1D(3, strides=2, padding="same"),
    lambda: layers.GlobalMaxPooling1D(keepdims=True),
    lambda: layers.GlobalAveragePooling1D(),
    lambda: layers.UpSampling1D(3),
    lambda: layers.Cropping1D((1, 2)),
    lambda: layers.ZeroPadding1D((1, 2)),
    lambda: layers.SpatialDropout1D(0.5),
]


@pytest.mark.parametrize("layer", SIGNALS, ids=lambda layer: type(layer()).__name__)
def test_layers_of_signals(layer):
    model = model_of(
        lambda: layers.Reshape((9, 2)), layer, lambda: layers.Flatten(), n_in=18
    )
    assert_onnx_equals_keras(randomised(model))


def test_branches_and_nested_models():
    with isolated_random_state(0):
        inner_inputs = keras.Input((6,))
        inner = keras.Model(inner_inputs, layers.Dense(6, "relu")(inner_inputs))
        inputs = keras.Input((6,))
        shared = layers.Dense(6, "tanh")
        h = shared(inner(inner(inputs)))
        terms = [h, inputs, shared(inputs)]
        merged = [
            kind()(terms)
            for kind in (
                layers.Add,
                layers.Average,
                layers.Maximum,
                layers.Minimum,
                layers.Multiply,
            )
        ]
        merged.append(layers.Subtract()([h, inputs]))
        merged.append(layers.Flatten()(layers.RepeatVector(2)(h)))
        model = keras.Model(inputs, layers.Concatenate()(merged))
    assert_onnx_equals_keras(randomised(model))


@keras.saving.register_keras_serializable("tests")
class Dense(keras.layers.Dense):
    """Bears the name of a Keras layer, and does something else."""

    def call(self, inputs):
        return 2 * super().call(inputs)


@keras.saving.register_keras_serializable("tests")
def unknown_function(x):
    return x + 0.5 * keras.ops.sin(x)


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (lambda: Dense(4, name="own"), r"'own' of class test_layers.Dense has no conv"),
        (
            lambda: layers.UnitNormalization(name="unit"),
            r"'unit' of class keras.layers.UnitNormalization has no converter",
        ),
        (
            lambda: layers.Dense(4, dtype="mixed_bfloat16", name="half"),
            r"'half' of class keras.layers.Dense computes in mixed_bfloat16",
        ),
        (
            lambda: layers.Dense(4, activation=layers.LeakyReLU(0.3), name="leaky"),
            r"'leaky' of class Dense .* activation, keras.layers.LeakyReLU, has no con",
        ),
        (
            lambda: layers.Activation(unknown_function, name="own"),
            r"'own' of class Activation .* activation, test_layers.unknown_function, ",
        ),
        (
            lambda: layers.LayerNormalization(axis=[1, 2], name="both"),
            r"'both' of class LayerNormalization .*: axis=\[1, 2\] has no converter",
        ),
        (
            lambda: layers.UpSampling2D(interpolation="bicubic", name="larger"),
            r"'larger' of class UpSampling2D .* interpolation='bicubic' has no conv",
        ),
        (
            lambda: layers.Conv2DTranspose(1, 2, 2, output_padding=1, name="padded"),
            r"'padded' of class Conv2DTranspose .*: output_padding has no converter",
        ),
        (
            lambda: layers.MaxPooling2D(data_format="channels_first", name="first"),
            r"'first' of class MaxPooling2D .* data_format='channels_first' has no",
        ),
    ],
)
def test_a_layer_without_a_converter_is_named_with_its_class(layer, named):
    model = model_of(
        lambda: layers.Reshape((4, 3, 2)), layer, lambda: layers.Flatten(), n_in=24
    )
    encoder = Encoder().fit(model)
    with pytest.raises(NotImplementedError, match=f"(?s){named}.*export"):
        outputs_of(encoder, np.ones((1, 24), np.float32))


def test_all_layers_without_a_converter_are_listed():
    model = model_of(
        lambda: layers.UnitNormalization(name="one"),
        lambda: Dense(4, name="two"),
    )
    encoder = Encoder().fit(model)
    with pytest.raises(NotImplementedError, match="'one' .*; the layer 'two' "):
        outputs_of(encoder, np.ones((1, 6), np.float32))


def test_models_that_share_layers_are_refused():
    with isolated_random_state(0):
        shared = layers.Dense(6)
        parts = [keras.Sequential([keras.Input((6,)), shared]) for _ in range(2)]
        inputs = keras.Input((6,))
        model = keras.Model(inputs, parts[1](parts[0](inputs)))
    encoder = Encoder().fit(model)
    with pytest.raises(NotImplementedError, match="models that share layers"):
        outputs_of(encoder, np.ones((1, 6), np.float32))


def test_an_old_target_opset_is_refused():
    encoder = Encoder().fit(model_of(layers.Identity))
    with pytest.raises(ValueError, match=r"target_opset=11 is too old.*at least 13"):
        outputs_of(encoder, np.ones((1, 6), np.float32), target_opset=11)
