"""A fitted network is a value: nothing writes to it, and all views of it agree."""

import pickle

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)

ESTIMATORS = [AutoencoderTransformer, DenoisingAutoencoder, VariationalAutoencoder]


@keras.saving.register_keras_serializable("tests")
def bent(x):
    """An activation that only Keras can evaluate."""
    return x + 0.5 * keras.ops.sin(x)


def dense_models(input_shape, n_components):
    n_features = int(np.prod(input_shape))
    layers = keras.layers
    encoder = keras.Sequential(
        [
            keras.Input((n_features,)),
            layers.Dense(8, "tanh"),
            layers.Dense(n_components),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((n_components,)),
            layers.BatchNormalization(),
            layers.Dense(n_features),
        ]
    )
    return encoder, decoder


NETWORKS = {
    "dense": "dense",
    "convolutional": ConvNetwork((8, 8, 1), filters=(4,)),
    "callable": dense_models,
    "pair": dense_models((64,), 2),
}


def called(model, X):
    """The output of a Keras model; `predict` would trace a program first."""
    return keras.ops.convert_to_numpy(model(X))


def assert_views_agree(estimator, X):
    Z, X_back = estimator.transform(X), estimator.reconstruct(X)
    other = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(other.transform(X), Z)
    np.testing.assert_array_equal(other.reconstruct(X), X_back)
    size = np.abs(X).max()
    encoder, decoder = estimator.encoder_, estimator.decoder_
    np.testing.assert_allclose(
        called(encoder, X), Z, atol=1e-4 * max(1, np.abs(Z).max())
    )
    np.testing.assert_allclose(called(decoder, Z), X_back, atol=1e-4 * max(1, size))
    whole = called(estimator.autoencoder_, X)
    np.testing.assert_allclose(whole, X_back, atol=1e-4 * max(1, size))


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("activation", ["relu", bent])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_pickle_and_keras_models_agree_with_transform(
    digits, kind, activation, early_stopping
):
    estimator = kind(
        2,
        activation=activation,
        early_stopping=early_stopping,
        epochs=2,
        random_state=0,
    ).fit(digits + 1)
    assert_views_agree(estimator, digits + 1)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_encoder_and_decoder_of_any_network_agree_with_transform(digits, kind, network):
    estimator = kind(2, network=network, epochs=2, random_state=0)
    for X in (digits, digits + 10):
        assert_views_agree(estimator.fit(X), X)


def test_a_fit_that_keeps_pca_has_the_weights_of_pca_of_all_rows(digits):
    kept = AutoencoderTransformer(2, learning_rate=1.0, epochs=3, random_state=0)
    kept.fit(digits)
    assert kept.best_epoch_ == 0
    frozen = AutoencoderTransformer(
        2, learning_rate=1e-30, epochs=1, early_stopping=False, random_state=0
    ).fit(digits)
    for ours, theirs in zip(
        kept.encoder_.get_weights() + kept.decoder_.get_weights(),
        frozen.encoder_.get_weights() + frozen.decoder_.get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-25)


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e-3, 1e6, 1e12])
def test_pca_initialization_adapts_to_the_scale_of_the_data(scale):
    X = load_iris().data
    X = (X - X.mean(axis=0)) * scale
    estimator = AutoencoderTransformer(
        2, learning_rate=1e-30, epochs=1, early_stopping=False, random_state=0
    ).fit(X)
    assert estimator.score(X) == pytest.approx(0.97769, abs=1e-5)
    hidden = keras.Model(
        (encoder := estimator.encoder_).input, encoder.layers[1].output
    ).predict(X, verbose=0)
    assert 0.1 < hidden.std() < 10


def test_init_pca_of_data_of_tiny_scale():
    X = load_iris().data
    X = (X - X.mean(axis=0)) * 1e-20
    estimator = AutoencoderTransformer(2, random_state=0).fit(X)
    assert estimator.score(X) == pytest.approx(0.97769, abs=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1e6])
def test_warm_start_continues_from_a_kept_pca_at_any_scale(scale):
    X = load_digits().data[:500] / 16 * scale
    estimator = AutoencoderTransformer(
        2, warm_start=True, epochs=1, learning_rate=1.0, random_state=0
    ).fit(X)
    assert estimator.best_epoch_ == 0
    before = estimator.score(X)
    estimator.set_params(epochs=30, learning_rate=None).fit(X)
    assert estimator.score(X) >= before - 1e-3


def test_network_may_be_the_keras_models_of_an_earlier_fit(digits):
    X = digits + 10
    first = AutoencoderTransformer(3, epochs=2, random_state=0).fit(X)
    pair = first.encoder_, first.decoder_
    again = AutoencoderTransformer(
        3, network=pair, epochs=1, learning_rate=1e-30, random_state=0
    ).fit(X)
    np.testing.assert_allclose(again.transform(X), first.transform(X), atol=1e-4)


def test_weights_are_read_only(fitted):
    with pytest.raises(ValueError, match="read-only"):
        fitted._encoder.weights[0][:] = 0


@keras.saving.register_keras_serializable("tests")
class Counted(keras.layers.Layer):
    """Counts how often it is traced."""

    n_calls = 0

    def call(self, inputs):
        Counted.n_calls += 1
        return inputs


def counted(input_shape, n_components):
    layers = keras.layers
    encoder = [layers.Dense(8, "tanh"), Counted(), layers.Dense(n_components)]
    decoder = [keras.Input((n_components,)), layers.Dense(*input_shape)]
    encoder = keras.Sequential([keras.Input(input_shape), *encoder])
    return encoder, keras.Sequential(decoder)


@pytest.mark.tensorflow
def test_rows_are_encoded_by_the_program_of_the_fit(digits):
    estimator = AutoencoderTransformer(2, network=counted, epochs=2, random_state=0)
    estimator.fit(digits)
    n_calls = Counted.n_calls
    Z = estimator.transform(digits)
    assert Counted.n_calls == n_calls > 0
    # It has the final weights, as the program of a copy does.
    other = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(other.transform(digits), Z)
    assert Counted.n_calls > n_calls
