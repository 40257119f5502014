"""Networks in half and double precision, by layer or by Keras's dtype policy."""

import functools
import pickle

import keras
import numpy as np
import pytest
from engines import ENGINES, BatchListener
from helpers import COMPILED
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    DenseNetwork,
    VariationalAutoencoder,
)

layers = keras.layers
POLICIES = ["mixed_float16", "mixed_bfloat16", "float64"]


@pytest.fixture(params=POLICIES)
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    assert keras.config.dtype_policy().name == request.param
    keras.config.set_dtype_policy("float32")


def own(input_shape, n_components):
    """Layers that take numbers of their own while a program is traced."""
    encoder = keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Dense(8, "relu", kernel_regularizer="l2"),
            layers.GaussianNoise(0.01),
            layers.GaussianDropout(0.01),
            layers.Dropout(0.01),
            layers.Dense(n_components, activity_regularizer="l1"),
        ]
    )
    decoder = keras.Sequential(
        [keras.Input((n_components,)), layers.Dense(input_shape[0])]
    )
    return encoder, decoder


def on_images(input_shape, n_components):
    """Ends in a convolution that is fused with the up-sampling before."""
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(n_components),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((n_components,)),
            layers.Dense(4 * 4 * 8, "relu"),
            layers.Reshape((4, 4, 8)),
            layers.UpSampling2D(),
            layers.Conv2D(1, 3, padding="same"),
        ]
    )
    return encoder, decoder


CONV = ConvNetwork((8, 8, 1), (4,), kernel_regularizer="l1", activity_regularizer="l2")

ESTIMATORS = {
    "conv": AutoencoderTransformer(3, network=CONV),
    "feature_map": AutoencoderTransformer(None, network=CONV),
    "contractive": AutoencoderTransformer(3, network=CONV, contractive=0.1),
    "denoising": DenoisingAutoencoder(3, network=CONV),
    "variational": VariationalAutoencoder(3, network=CONV),
    "own": AutoencoderTransformer(3, network=own),
    "images": AutoencoderTransformer(3, network=on_images),
}


@pytest.mark.parametrize(
    ("kind", "callbacks"),
    [*((kind, []) for kind in ESTIMATORS), ("own", [BatchListener()])],
)
def test_dtype_policy_gives_float32_codes(digits, policy, kind, callbacks):
    estimator = ESTIMATORS[kind].set_params(
        epochs=3, batch_size=64, random_state=0, callbacks=callbacks
    )
    Z = estimator.fit(digits, X_val=digits[:70]).transform(digits)
    losses = estimator.history_["loss"]
    assert losses[-1] < losses[0]
    for found in (Z, estimator.inverse_transform(Z), estimator.reconstruct(digits)):
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
    of_weights = "float64" if policy == "float64" else "float32"
    network = estimator._encoder.weights + estimator._decoder.weights
    assert {weight.dtype for weight in network} == {np.dtype(of_weights)}
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.transform(digits), Z)


@pytest.fixture(scope="module")
def losses_of(digits):
    """A function that gives the losses of 10 epochs with a policy, computed once."""

    @functools.cache
    def losses(kind, policy):
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        estimator = ESTIMATORS[kind].set_params(
            epochs=10, batch_size=64, random_state=0, callbacks=None
        )
        try:
            return estimator.fit(digits).history_
        finally:
            keras.config.set_dtype_policy(before)

    return losses


@pytest.mark.parametrize("policy", POLICIES[:2])
@pytest.mark.parametrize("kind", ["conv", "contractive", "variational"])
def test_dtype_policy_of_half_precision_has_the_losses_of_float32(
    losses_of, policy, kind
):
    losses, in_full = losses_of(kind, policy), losses_of(kind, "float32")
    assert losses.keys() == in_full.keys()
    for name in losses:
        np.testing.assert_allclose(losses[name], in_full[name], rtol=0.02)


@pytest.mark.parametrize(
    "params",
    [
        {},
        ENGINES[COMPILED],
        {"tied_weights": True},
        {"contractive": 0.1},
        {"network": lambda shape, k: DenseNetwork((8,))(shape, k)},
    ],
)
def test_dtype_policy_does_not_change_a_dense_network(digits, small, policy, params):
    under = small.set_params(**params).fit_transform(digits)
    keras.config.set_dtype_policy("float32")
    plain = small.fit_transform(digits)
    keras.config.set_dtype_policy(policy)
    np.testing.assert_array_equal(under, plain)


@pytest.mark.parametrize("dtype", POLICIES)
def test_dtype_of_single_layers_is_trained_with(digits, dtype):
    encoder = keras.Sequential(
        [keras.Input((64,)), layers.Dense(8, "relu", dtype=dtype), layers.Dense(3)]
    )
    decoder = keras.Sequential([keras.Input((3,)), layers.Dense(64, dtype=dtype)])
    params = {"epochs": 3, "random_state": 0}
    estimator = AutoencoderTransformer(3, network=(encoder, decoder), **params)
    assert estimator.fit(digits).reconstruct(digits).dtype == np.float32
    assert estimator.history_["loss"][-1] < estimator.history_["loss"][0]
    ready = AutoencoderTransformer.from_keras(encoder, decoder)
    assert ready.reconstruct(digits).dtype == np.float32


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_dtype_of_weights_in_half_precision_is_refused(digits, dtype):
    encoder = keras.Sequential([keras.Input((64,)), layers.Dense(3, dtype=dtype)])
    decoder = keras.Sequential([keras.Input((3,)), layers.Dense(64)])
    estimator = AutoencoderTransformer(3, network=(encoder, decoder))
    with pytest.raises(ValueError, match=rf"dense.*kernel' are {dtype}.*mixed_float16"):
        estimator.fit(digits)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_dtype_policy_with_weights_in_half_precision_is_refused(digits, name):
    keras.config.set_dtype_policy(name)
    try:
        with pytest.raises(ValueError, match=rf"weights .* {name}.*'mixed_bfloat16'"):
            AutoencoderTransformer(3, network=CONV).fit(digits)
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("policy", ["mixed_bfloat16"], indirect=True)
def test_dtype_policy_of_half_precision_gives_a_lower_error_than_pca(policy):
    X = load_digits().data / 16
    network = ConvNetwork((8, 8, 1), (4,))
    autoencoder = AutoencoderTransformer(8, network=network, epochs=20, random_state=0)
    error = autoencoder.fit(X).reconstruction_error(X).mean()
    pca = PCA(8).fit(X)
    of_pca = np.mean((pca.inverse_transform(pca.transform(X)) - X) ** 2)
    assert error < 0.9 * of_pca


@pytest.mark.parametrize("callbacks", [[], [BatchListener()]])
def test_dtype_mixed_float16_scales_small_gradients(digits, callbacks):
    def network(input_shape, n_components):
        encoder = keras.Sequential([keras.Input((64,)), layers.Dense(3)])
        decoder = keras.Sequential(
            [keras.Input((3,)), layers.Dense(64, dtype="mixed_float16")]
        )
        return encoder, decoder

    estimator = AutoencoderTransformer(
        3,
        network=network,
        loss=lambda targets, outputs: (
            1e-6 * keras.ops.mean(keras.ops.square(targets - outputs), axis=-1)
        ),
        optimizer=keras.optimizers.SGD(3e6),
        init="random",
        epochs=10,
        random_state=0,
        callbacks=callbacks,
    )
    losses = estimator.fit(digits).history_["loss"]
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Adam(0.01, loss_scale_factor=1024.0),
        keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01)),
    ],
)
@pytest.mark.parametrize("callbacks", [[], [BatchListener()]])
def test_loss_scale_factor_does_not_change_the_loss(digits, optimizer, callbacks):
    params = {"hidden_layer_sizes": (8,), "epochs": 3, "mixup": False}
    params |= {"random_state": 0, "early_stopping": False}
    plain = AutoencoderTransformer(3, learning_rate=0.01, **params).fit(digits)
    scaled = AutoencoderTransformer(
        3, optimizer=optimizer, callbacks=callbacks, **params
    ).fit(digits)
    np.testing.assert_allclose(
        scaled.history_["loss"], plain.history_["loss"], rtol=1e-3
    )


@pytest.mark.parametrize("policy", POLICIES[:2], indirect=True)
def test_dtype_policy_of_half_precision_starts_conv_networks_from_pca(digits, policy):
    network = ConvNetwork((8, 8, 1), (4,))
    start = AutoencoderTransformer(
        3, network=network, epochs=1, learning_rate=1e-30, early_stopping=False
    ).fit(digits)
    pca = PCA(3).fit(digits)
    expected = pca.inverse_transform(pca.transform(digits))
    np.testing.assert_allclose(start.reconstruct(digits), expected, atol=1e-5)
    start.set_params(learning_rate=None, epochs=3).fit(digits)
    covariance = np.cov(start.transform(digits).T)
    off_diagonal = covariance - np.diag(np.diag(covariance))
    np.testing.assert_allclose(off_diagonal, 0, atol=1e-4 * covariance[0, 0])
