"""Convolutional networks with a linear path, whose training starts from PCA."""

import pickle

import numpy as np
import pytest
from engines import BatchListener, engines_used
from helpers import COMPILED, make_autoencoder
from keras import Input, Model, layers
from sklearn.decomposition import PCA

from skautoenc import AutoencoderTransformer, ConvNetwork, DenseNetwork
from skautoenc._fit.step_scales import step_scales
from skautoenc._training import Rows

# A rate with which no weight moves, on all rows.
FROZEN = {"epochs": 1, "learning_rate": 1e-30, "early_stopping": False}
SMALL = ConvNetwork((8, 8, 1), (4, 3))


def by_pca(X, n_components):
    pca = PCA(n_components, svd_solver="full").fit(X)
    return pca.inverse_transform(pca.transform(X))


def start_of(network, X, n_components=5, **params):
    """An autoencoder that is PCA of X."""
    return AutoencoderTransformer(
        n_components, network=network, init="pca", random_state=0, **FROZEN, **params
    ).fit(X)


@pytest.mark.parametrize(
    ("image_shape", "params"),
    [
        ((8, 8, 1), {}),
        ((7, 9, 1), {}),
        ((7, 3, 3), {"upsampling": "transpose"}),
        ((3, 7, 3), {"downsampling": "stride"}),
        ((64,), {"downsampling": ("stride", "average_pool")}),
        ((21, 3), {"upsampling": "transpose", "kernel_size": 5}),
        ((9, 7, 1), {"activation": "tanh", "activity_regularizer": "l1"}),
    ],
)
def test_init_pca_of_a_conv_network_is_pca_before_the_first_step(
    digits, image_shape, params
):
    X = digits[:, : np.prod(image_shape)]
    start = start_of(ConvNetwork(image_shape, (4, 3), **params), X)
    np.testing.assert_allclose(start.reconstruct(X), by_pca(X, 5), atol=1e-5)
    pca = PCA(5, svd_solver="full").fit(X.astype(np.float64))
    np.testing.assert_allclose(start.transform(X), pca.transform(X), atol=1e-5)
    np.testing.assert_allclose(start.components_, pca.components_, atol=1e-5)


@pytest.mark.parametrize(("factor", "offset"), [(1e-3, 0), (1e3, 0), (1, 1e4)])
def test_init_pca_of_a_conv_network_follows_the_scale_of_the_data(
    digits, factor, offset
):
    X = factor * digits.astype(np.float64) + offset
    start = start_of(SMALL, X)
    found = (start.reconstruct(X) - offset) / factor
    np.testing.assert_allclose(found, by_pca(digits, 5), atol=1e-5 + 1e-9 * offset)


def test_init_pca_of_a_conv_network_standardizes_channels(digits):
    """The first layer subtracts the mean of each channel, and divides by the scale."""
    channels = np.stack([digits, 0.6 - digits], axis=-1).reshape(-1, 8, 8, 2)
    network = ConvNetwork((8, 8, 2), (4,))
    kernel, bias = start_of(network, channels)._encoder.weights[:2]
    mean = channels.mean(axis=(0, 1, 2), dtype=np.float64)
    np.testing.assert_allclose(bias, -np.einsum("xycf,c->f", kernel, mean), rtol=1e-4)
    scaled, bias_of_scaled = start_of(network, 10 * channels)._encoder.weights[:2]
    np.testing.assert_allclose(10 * scaled, kernel, rtol=1e-4)
    np.testing.assert_allclose(bias_of_scaled, bias, rtol=1e-4)


def test_a_conv_network_improves_on_pca(digits):
    estimator = AutoencoderTransformer(
        5,
        network=ConvNetwork((8, 8, 1), (8, 8)),
        mixup=False,
        early_stopping=False,
        epochs=30,
        random_state=0,
    ).fit(digits)
    of_pca = np.mean((by_pca(digits, 5) - digits) ** 2)
    assert estimator.history_["loss"][0] < 1.01 * of_pca
    assert estimator.reconstruction_error(digits).mean() < 0.9 * of_pca


def test_a_conv_network_that_learns_nothing_is_kept_as_pca(digits):
    estimator = AutoencoderTransformer(
        5, network=SMALL, learning_rate=1.0, epochs=5, random_state=0
    ).fit(digits)
    assert estimator.best_epoch_ == 0
    assert len(estimator.history_["val_loss"]) == 5
    pca = PCA(5).fit(digits)
    assert estimator.n_components_ == 5
    np.testing.assert_allclose(
        estimator.reconstruct(digits), by_pca(digits, 5), atol=1e-5
    )
    for name in (
        "components_",
        "explained_variance_",
        "explained_variance_ratio_",
        "singular_values_",
        "noise_variance_",
    ):
        found, expected = getattr(estimator, name), getattr(pca, name)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_conv_network_from_pca_is_pickled(digits):
    estimator = make_autoencoder(network=SMALL, early_stopping=False).fit(digits)
    other = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(
        other.reconstruct(digits), estimator.reconstruct(digits)
    )
    rows = other.autoencoder_.predict(digits, verbose=0)
    np.testing.assert_allclose(rows, estimator.reconstruct(digits), atol=1e-5)
    error = estimator.reconstruction_error(digits).mean()
    other.set_params(warm_start=True, mixup=False, **FROZEN).fit(digits)
    assert other.history_["loss"][0] == pytest.approx(error, rel=1e-4)


def test_step_scales_of_a_conv_network(digits):
    start = start_of(SMALL, digits)
    networks = {"encoder": start._encoder, "decoder": start._decoder}
    scales = step_scales(networks, Rows.all(digits))
    error = np.sqrt(np.mean((by_pca(digits, 5) - digits) ** 2))
    spread = np.sqrt(np.var(digits, axis=0).mean())
    of_codes = np.sqrt(np.var(start.transform(digits), axis=0).mean())
    linear = np.sqrt(error / spread)
    expected = {
        "encoder_1/kernel": 1 / spread,
        "code_nonlinear/kernel": error,
        "code_nonlinear/bias": error,
        "code_linear/kernel": linear,
        "decoder_dense/kernel": 1 / of_codes,
        "reconstruction_nonlinear/kernel": error,
        "reconstruction_nonlinear/bias": error,
        "reconstruction_linear/kernel": linear,
        "reconstruction_linear/bias": error,
    }
    with_names = [*start.encoder_.weights, *start.decoder_.weights]
    wanted = [expected.get(weight.path, 1.0) for weight in with_names]
    assert len(expected) == sum(weight.path in expected for weight in with_names)
    np.testing.assert_allclose(scales, wanted, rtol=1e-4)


def test_a_conv_network_from_pca_is_trained_alike_by_both_engines(digits):
    results = []
    for name, callbacks in ((COMPILED, []), ("keras", [BatchListener()])):
        with engines_used() as used:
            estimator = make_autoencoder(
                network=SMALL, init="pca", early_stopping=False, callbacks=callbacks
            ).fit(digits)
        assert used == {name}
        results.append((estimator.history_["loss"], estimator.reconstruct(digits)))
    for ours, keras in zip(*results, strict=True):
        np.testing.assert_allclose(ours, keras, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("network", [SMALL, DenseNetwork((5,))])
def test_init_random_has_no_linear_path_unless_it_is_true(digits, network):
    def names(**params):
        estimator = make_autoencoder(network=network, epochs=1, **params).fit(digits)
        return [layer.name for layer in estimator.encoder_.layers]

    assert "code_linear" in names()
    assert "code_linear" not in names(init="random")
    network = type(network)(**network.get_params() | {"linear_path": True})
    assert "code_linear" in names(init="random")


def test_linear_path_true_of_a_conv_network_needs_a_linear_code_of_given_width():
    network = ConvNetwork((8, 8, 1), (2,), linear_path=True)
    with pytest.raises(ValueError, match="linear_path=True needs.*n_components=None"):
        network((64,), None)
    network.set_params(code_activation="tanh")
    with pytest.raises(ValueError, match="linear_path=True needs.*'tanh', 'linear'"):
        network((64,), 3)


@pytest.mark.parametrize("network", [SMALL, DenseNetwork((5,))])
def test_invalid_linear_path_is_refused(digits, network):
    network = type(network)(**network.get_params() | {"linear_path": "yes"})
    with pytest.raises(ValueError, match="linear_path must be True, False or 'auto'"):
        make_autoencoder(network=network).fit(digits)


def own(input_shape, n_components):
    """Hidden layers of several kinds beside a linear path."""
    inputs = Input(input_shape)
    h = layers.Dense(8, activation="relu")(inputs)
    h = layers.Dense(n_components)(layers.LayerNormalization()(h))
    path = layers.Dense(n_components)(inputs)
    encoder = Model(inputs, layers.Add()([path, h]))
    codes = Input((n_components,))
    h = layers.Reshape((8, 8, 1))(layers.Dense(64, activation="relu")(codes))
    h = layers.Flatten()(layers.Conv2D(1, 3, padding="same")(h))
    path = layers.Dense(*input_shape)(codes)
    return encoder, Model(codes, layers.Add()([h, path]))


def test_init_pca_of_models_with_a_linear_path(digits):
    start = start_of(own, digits)
    np.testing.assert_allclose(start.reconstruct(digits), by_pca(digits, 5), atol=1e-5)


@pytest.mark.parametrize(("mixup", "share"), [("auto", 0), (True, 1)])
def test_mixup_auto_is_not_used_for_a_conv_network(digits, mixup, share):
    estimator = AutoencoderTransformer(3, network=SMALL, mixup=mixup, epochs=1)
    assert estimator.fit(digits).mixup_ == share
