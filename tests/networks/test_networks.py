"""Networks: convolutional, dense, tied and contractive."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import make_autoencoder
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import ConvNetwork, DenseNetwork
from skautoenc._backend.keras import isolated_random_state

layers = keras.layers


def quick(network="dense", **params):
    return make_autoencoder(network=network, **{"epochs": 2, **params})


@pytest.fixture(scope="module")
def images(digits):
    return digits.reshape(-1, 8, 8)


@pytest.fixture(scope="module")
def of_images(images):
    return quick(ConvNetwork((8, 8, 1), filters=(4, 3))).fit(images)


@pytest.mark.parametrize(
    "network", [ConvNetwork((8, 8, 1), filters=(4,)), DenseNetwork((5,))]
)
def test_networks_have_get_params_set_params_and_clone(network):
    other = clone(network).set_params(activation="tanh", kernel_regularizer="l2")
    assert other.get_params() == {
        **network.get_params(),
        "activation": "tanh",
        "kernel_regularizer": "l2",
    }
    assert repr(clone(network)) == repr(network)
    assert pickle.loads(pickle.dumps(network)).get_params() == network.get_params()


def test_clone_clones_the_network_of_an_estimator():
    estimator = quick(ConvNetwork((8, 8, 1), filters=(4,)))
    other = clone(estimator).set_params(network__filters=(2,))
    assert other.network.filters == (2,)
    assert estimator.network.filters == (4,)


@pytest.mark.parametrize(
    ("image_shape", "n_layers", "smallest"),
    [
        ((28, 28, 1), 3, (4, 4)),
        ((9, 5, 3), 2, (3, 2)),
        ((9, 5, 3), 3, (2, 1)),
        ((13,), 2, (4,)),
        ((7, 4), 3, (1,)),
    ],
)
@pytest.mark.parametrize("upsampling", ["nearest", "transpose"])
@pytest.mark.parametrize("downsampling", ["max_pool", "average_pool", "stride"])
def test_image_shape_may_have_odd_sizes(
    image_shape, n_layers, smallest, upsampling, downsampling
):
    network = ConvNetwork(
        image_shape, [2] * n_layers, downsampling=downsampling, upsampling=upsampling
    )
    with isolated_random_state(0):
        encoder, decoder = network((int(np.prod(image_shape)),), None)
    assert encoder.output_shape == (None, *smallest, 2)
    channels = image_shape if len(image_shape) > 1 else (*image_shape, 1)
    assert decoder.output_shape == (None, *channels)


def test_downsampling_may_differ_between_layers():
    network = ConvNetwork(
        (8, 8, 1), (4, 3, 2), downsampling=["stride", "average_pool", "max_pool"]
    )
    with isolated_random_state(0):
        encoder, _ = network((8, 8), 2)
    kinds = [type(layer).__name__ for layer in encoder.layers]
    assert kinds.index("AveragePooling2D") < kinds.index("MaxPooling2D")
    convolutions = [
        layer for layer in encoder.layers if isinstance(layer, layers.Conv2D)
    ]
    assert [layer.strides for layer in convolutions] == [(2, 2), (1, 1), (1, 1)]


def test_filters_and_kernel_size_are_those_of_the_keras_layers():
    with isolated_random_state(0):
        encoder, decoder = ConvNetwork((8, 4, 1), (4, 3), (5, 3))((32,), 2)
    shapes = [
        tuple(layer.kernel.shape)
        for model in (encoder, decoder)
        for layer in model.layers
        if isinstance(layer, layers.Conv2D)
    ]
    assert shapes == [
        (5, 3, 1, 4),
        (5, 3, 4, 3),
        (5, 3, 3, 3),
        (5, 3, 3, 4),
        (5, 3, 4, 1),
    ]


def test_image_shape_and_filters_may_be_numpy_integers():
    of_numpy = ConvNetwork((8, 8, 1), np.array([4, 2]), np.int64(3))
    with isolated_random_state(0):
        encoder, _ = of_numpy((64,), 2)
    assert encoder.layers[1].kernel.shape == (3, 3, 1, 4)


def test_activations_and_regularizers_belong_to_the_documented_layers():
    network = ConvNetwork(
        (8, 8, 1),
        (2,),
        activation="tanh",
        code_activation="softmax",
        output_activation="sigmoid",
        kernel_regularizer="l2",
        activity_regularizer="l1",
    )
    for n_components in (3, None):
        with isolated_random_state(0):
            encoder, decoder = network((64,), n_components)
        code, output = encoder.get_layer("code"), decoder.layers[-1]
        assert code.activation is keras.activations.softmax
        assert isinstance(code.activity_regularizer, keras.regularizers.L1)
        assert output.activation is keras.activations.sigmoid
        for layer in (*encoder.layers, *decoder.layers):
            if hasattr(layer, "kernel"):
                assert isinstance(layer.kernel_regularizer, keras.regularizers.L2)


def test_n_components_none_takes_the_flat_feature_map_as_code(images):
    network = ConvNetwork((8, 8, 1), filters=(4, 3))
    estimator = quick(network, n_components=None).fit(images)
    Z = estimator.transform(images)
    assert Z.shape == (300, 2 * 2 * 3)
    assert list(estimator.get_feature_names_out()[:2]) == [
        "autoencodertransformer0",
        "autoencodertransformer1",
    ]
    assert estimator.inverse_transform(Z).shape == (300, 8, 8)


@pytest.mark.parametrize(
    ("image_shape", "upsampling"),
    [
        ((8, 8, 1), "nearest"),
        ((8, 8, 1), "transpose"),
        ((64,), "nearest"),
        ((16, 4), "transpose"),
    ],
)
def test_transform_and_inverse_transform_equal_the_keras_models(
    digits, image_shape, upsampling
):
    network = ConvNetwork(image_shape, (8, 4), upsampling=upsampling)
    estimator = quick(network).fit(digits)
    Z = estimator.transform(digits)
    assert Z.shape == (300, 3)
    assert Z.dtype == np.float32
    for given, wanted, got in (
        (digits, estimator.encoder_, Z),
        (Z, estimator.decoder_, estimator.inverse_transform(Z)),
        (digits, estimator.autoencoder_, estimator.reconstruct(digits)),
    ):
        np.testing.assert_allclose(wanted(given), got, atol=1e-5)


def test_conv_network_learns(digits):
    network = ConvNetwork((8, 8, 1), filters=(8,))
    estimator = quick(
        network, n_components=8, epochs=20, batch_size=32, learning_rate=0.01
    )
    assert estimator.fit(digits).score(digits) > 0.5


@pytest.mark.parametrize(
    "network", ["dense", ConvNetwork((8, 8, 1), filters=(4,))], ids=["dense", "conv"]
)
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (1, 8, 8)])
def test_inverse_transform_gives_images_their_shape(digits, network, shape):
    images = digits.reshape(-1, *shape)
    estimator = quick(network).fit(images)
    Z = estimator.transform(images)
    assert estimator.n_features_in_ == 64
    assert Z.shape == (300, 3)
    assert estimator.inverse_transform(Z).shape == images.shape
    assert estimator.reconstruct(images).shape == images.shape
    flat = quick(network).fit(digits)
    np.testing.assert_array_equal(Z, flat.transform(digits))
    for name in ("reconstruction_error", "score_samples", "score"):
        np.testing.assert_array_equal(
            getattr(estimator, name)(images), getattr(flat, name)(digits)
        )
    assert estimator.reconstruction_error(images, per_feature=True).shape == (300, 64)


def test_inverse_transform_of_flat_rows_is_flat(of_images, digits, images):
    flat = clone(of_images).fit(digits)
    assert flat.inverse_transform(flat.transform(digits)).shape == (300, 64)
    assert flat.reconstruct(digits).shape == (300, 64)
    assert flat.reconstruct(images).shape == (300, 8, 8)
    assert of_images.reconstruct(digits).shape == (300, 64)
    np.testing.assert_array_equal(
        of_images.transform(digits), of_images.transform(images)
    )


def test_inverse_transform_of_lists_gives_images(of_images, images):
    few = images[:5]
    as_lists = clone(of_images).fit(images.tolist())
    np.testing.assert_array_equal(
        as_lists.transform(few.tolist()), of_images.transform(few)
    )
    assert as_lists.reconstruct(few.tolist()).shape == (5, 8, 8)


def test_x_val_may_hold_images(of_images, images):
    estimator = clone(of_images).set_params(early_stopping=False)
    estimator.fit(images[:200], X_val=images[200:])
    error = estimator.reconstruction_error(images[200:]).mean()
    assert estimator.history_["val_loss"][-1] == pytest.approx(error, rel=1e-4)


def test_transform_refuses_rows_of_another_shape(of_images, digits):
    with pytest.raises(ValueError, match=r"rows of shape \(4, 16\).*\(8, 8\)"):
        of_images.transform(digits.reshape(-1, 4, 16))
    with pytest.raises(ValueError, match="49 features"):
        of_images.transform(digits[:, :49])


def test_grid_search_over_filters_in_a_pipeline():
    X, y = load_digits(return_X_y=True)
    pipeline = Pipeline(
        [
            ("scale", MinMaxScaler()),
            ("ae", quick(ConvNetwork((8, 8, 1)), n_components=None)),
            ("classify", LogisticRegression(max_iter=2000)),
        ]
    )
    grid = {"ae__network__filters": [(1,), (8,)]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    search.fit(X[:300], y[:300])
    assert search.best_params_["ae__network__filters"] == (8,)
    assert search.best_estimator_["ae"].transform(X[:5]).shape == (5, 4 * 4 * 8)


def test_random_state_fixes_all_bits_of_a_convolutional_network(of_images, images):
    np.testing.assert_array_equal(
        clone(of_images).fit_transform(images), of_images.transform(images)
    )


def test_pickle_of_a_conv_network_gives_the_same_numbers(of_images, images):
    other = pickle.loads(pickle.dumps(of_images))
    np.testing.assert_array_equal(
        other.reconstruct(images), of_images.reconstruct(images)
    )


def test_warm_start_continues_a_conv_network(of_images, images):
    estimator = clone(of_images).set_params(warm_start=True, init="random")
    first = estimator.fit(images).history_["loss"]
    assert estimator.fit(images).history_["loss"][0] < first[-1]


def test_output_activation_that_does_not_suit_images_causes_a_warning(images):
    network = ConvNetwork((8, 8, 1), filters=(2,), output_activation="sigmoid")
    with pytest.warns(UserWarning, match=r"values in \[0, 1\], but X ranges"):
        quick(network, epochs=1).fit(images * 16)
    linear = ConvNetwork((8, 8, 1), filters=(2,))
    with pytest.warns(UserWarning, match="Use output_activation='sigmoid'"):
        quick(linear, epochs=1, loss="binary_crossentropy").fit(images)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"image_shape": (7, 7, 1)}, r"\(7, 7, 1\) has 49 values, but .* has 64"),
        ({"image_shape": 64}, "image_shape must be"),
        ({"image_shape": (4, 4, 2, 2)}, "image_shape must be"),
        ({"image_shape": (8, -8, -1)}, "image_shape must be"),
        ({"filters": (4,) * 4}, "4 layers that halve the image, but after 3 of them"),
        ({"filters": ()}, "filters must hold positive whole numbers"),
        ({"filters": (4, 0)}, "filters must hold positive whole numbers"),
        ({"filters": (4, 2.5)}, "filters must hold positive whole numbers"),
        ({"filters": -4}, "filters must hold positive whole numbers"),
        ({"kernel_size": 0}, "kernel_size must be a positive whole number"),
        ({"kernel_size": 2.5}, "kernel_size must be a positive whole number"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size must be a positive whole number"),
        ({"kernel_size": (3,)}, "kernel_size must be a positive whole number"),
        ({"downsampling": "halve"}, "downsampling must be one of.*got 'halve'"),
        ({"downsampling": ("stride",)}, "one for each of the 2 layers"),
        ({"downsampling": ("stride", "halve")}, "downsampling must be one of"),
        ({"downsampling": None}, "downsampling must be one of"),
        ({"upsampling": "bilinear"}, "upsampling must be 'nearest' or 'transpose'"),
    ],
)
def test_invalid_parameters_of_networks_are_refused(digits, params, message):
    network = ConvNetwork(**{"image_shape": (8, 8, 1), **params})
    with pytest.raises(ValueError, match=message):
        quick(network).fit(digits)


def test_n_components_none_is_refused_by_a_dense_network(digits):
    with pytest.raises(ValueError, match="A dense network needs a number"):
        quick(n_components=None).fit(digits)


@pytest.fixture(scope="module")
def tied(digits):
    return quick(tied_weights=True, activation="tanh", epochs=5).fit(digits)


def test_tied_weights_are_the_transposed_kernels_of_the_encoder(tied, digits):
    encoder, decoder = tied.encoder_.get_weights(), tied.decoder_.get_weights()
    np.testing.assert_array_equal(decoder[0], encoder[2].T)
    np.testing.assert_array_equal(decoder[2], encoder[0].T)
    Z = tied.transform(digits)
    h = np.tanh(Z @ encoder[2].T + decoder[1])
    wanted = h @ encoder[0].T + decoder[3]
    np.testing.assert_allclose(tied.inverse_transform(Z), wanted, atol=1e-5)
    assert np.abs(decoder[1]).min() > 0


def test_tied_weights_need_no_hidden_layers(digits):
    estimator = quick(hidden_layer_sizes=(), tied_weights=True, epochs=1).fit(digits)
    kernels = [
        network.weights[0] for network in (estimator._encoder, estimator._decoder)
    ]
    np.testing.assert_array_equal(*kernels)


def test_tied_weights_are_evaluated_by_numpy_as_by_keras(tied, digits):
    Z = tied.transform(digits)
    assert tied._decoder._forward is not None
    np.testing.assert_allclose(tied.decoder_(Z), tied.inverse_transform(Z), atol=1e-5)


def test_tied_weights_are_pickled(tied, digits):
    other = pickle.loads(pickle.dumps(tied))
    np.testing.assert_array_equal(other.reconstruct(digits), tied.reconstruct(digits))
    Z = tied.transform(digits)
    np.testing.assert_array_equal(other.decoder_(Z), tied.decoder_(Z))


def test_tied_weights_learn_and_continue(tied, digits):
    estimator = clone(tied).set_params(warm_start=True, epochs=30, learning_rate=0.01)
    estimator.fit(digits)
    assert estimator.score(digits) > 0.3
    last = estimator.history_["loss"][-1]
    assert estimator.fit(digits).history_["loss"][-1] < last
    encoder, decoder = estimator._encoder.weights, estimator._decoder.weights
    np.testing.assert_array_equal(decoder[0], encoder[2])


def test_tied_weights_are_loaded_from_a_checkpoint(tied, digits, tmp_path):
    path = tmp_path / "autoencoder.keras"
    estimator = clone(tied).set_params(
        callbacks=[keras.callbacks.ModelCheckpoint(path)]
    )
    estimator.fit(digits)
    loaded = keras.models.load_model(path, compile=False)
    np.testing.assert_allclose(loaded(digits), estimator.reconstruct(digits), atol=1e-5)


def contractive(strength, **params):
    return quick(
        hidden_layer_sizes=(),
        code_activation="sigmoid",
        init="random",
        contractive=strength,
        **params,
    )


def squared_jacobian(estimator, X):
    """Mean over rows of the squared Frobenius norm, for one sigmoid layer."""
    kernel, _ = estimator.encoder_.get_weights()
    Z = estimator.transform(X)
    return float(np.mean((Z * (1 - Z)) ** 2 @ (kernel**2).sum(axis=0)))


def test_contractive_loss_is_the_squared_norm_of_the_jacobian(digits):
    estimator = contractive(0.1).fit(digits[:200], X_val=digits[200:])
    history = estimator.history_
    assert history["val_contractive_loss"][-1] == pytest.approx(
        squared_jacobian(estimator, digits[200:]), rel=1e-4
    )
    for prefix in ("", "val_"):
        np.testing.assert_allclose(
            history[f"{prefix}loss"],
            np.add(
                history[f"{prefix}reconstruction_loss"],
                np.multiply(0.1, history[f"{prefix}contractive_loss"]),
            ),
            rtol=1e-5,
        )
    error = estimator.reconstruction_error(digits[200:]).mean()
    assert history["val_reconstruction_loss"][-1] == pytest.approx(error, rel=1e-4)


def test_contractive_reduces_the_norm_of_the_jacobian(digits):
    norms = [
        squared_jacobian(
            contractive(strength, epochs=20, learning_rate=0.01).fit(digits), digits
        )
        for strength in (0.0, 0.1, 10.0)
    ]
    assert norms[0] > 1.5 * norms[1] > 4 * norms[2]


def test_contractive_zero_adds_no_loss(digits):
    assert set(contractive(0.0).fit(digits).history_) == {"loss"}
    with pytest.raises(ValueError, match="contractive"):
        contractive(-1.0).fit(digits)


def test_contractive_with_a_convolutional_encoder(images):
    network = ConvNetwork((8, 8, 1), filters=(2,))
    estimator = quick(network, contractive=1.0, early_stopping=False)
    estimator.fit(images, X_val=images[:50])
    X = tf.constant(images[:50].reshape(50, 64))
    encoder = estimator.encoder_
    with tf.GradientTape() as tape:
        tape.watch(X)
        Z = encoder(X)
    norms = np.square(tape.batch_jacobian(Z, X)).sum(axis=(1, 2))
    assert estimator.history_["val_contractive_loss"][-1] == pytest.approx(
        norms.mean(), rel=1e-4
    )
