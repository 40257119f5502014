"""Training that starts at PCA, and never ends below it."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import COMPILED
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skautoenc import (
    AutoencoderTransformer,
    DenoisingAutoencoder,
    DenseNetwork,
)
from skautoenc._fit.defaults import resolve_auto_settings, resolve_mixup
from skautoenc._fit.errors import significantly_better
from skautoenc._fit.step_scales import step_scales
from skautoenc._training import Rows

# A rate with which no weight moves, on all rows.
FROZEN = {"epochs": 1, "learning_rate": 1e-30, "early_stopping": False}


def by_pca(X, n_components):
    pca = PCA(n_components, svd_solver="full").fit(X)
    return pca.inverse_transform(pca.transform(X))


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("sizes", [(), (128, 64), (3, 2), (7,)])
@pytest.mark.parametrize("engine", ["numpy", COMPILED], indirect=True)
def test_init_pca_equals_pca_before_the_first_step(digits, sizes, engine, container):
    start = AutoencoderTransformer(
        8, hidden_layer_sizes=sizes, init="pca", **engine, **FROZEN
    ).fit(container(digits))
    np.testing.assert_allclose(start.reconstruct(digits), by_pca(digits, 8), atol=2e-6)
    codes = PCA(8).fit_transform(digits)
    np.testing.assert_allclose(start.transform(digits), codes, atol=2e-5)


@pytest.mark.parametrize("activation", ["relu", "tanh", "elu", "sigmoid", "gelu"])
def test_init_pca_is_exact_with_any_activation(digits, activation):
    start = AutoencoderTransformer(4, activation=activation, **FROZEN).fit(digits)
    np.testing.assert_allclose(start.reconstruct(digits), by_pca(digits, 4), atol=2e-6)


def test_init_pca_with_more_features_than_rows():
    X = np.random.default_rng(0).normal(size=(30, 2000)).astype(np.float32)
    start = AutoencoderTransformer(8, hidden_layer_sizes=(5,), **FROZEN).fit(X)
    np.testing.assert_allclose(start.reconstruct(X), by_pca(X, 8), atol=1e-4)


def test_init_pca_of_data_far_from_zero():
    X = load_digits().data[:200] + 10_000
    start = AutoencoderTransformer(4, hidden_layer_sizes=(5,), **FROZEN).fit(X)
    np.testing.assert_allclose(start.reconstruct(X), by_pca(X, 4), atol=0.01)


def test_init_pca_of_a_denoising_autoencoder(digits):
    start = DenoisingAutoencoder(4, hidden_layer_sizes=(5,), **FROZEN).fit(digits)
    np.testing.assert_allclose(start.reconstruct(digits), by_pca(digits, 4), atol=2e-6)


@pytest.mark.parametrize("engine", ["numpy", COMPILED], indirect=True)
def test_pca_of_all_rows_is_kept_if_nothing_is_learned(digits, engine):
    estimator = AutoencoderTransformer(
        8, learning_rate=1.0, epochs=5, random_state=0, **engine
    ).fit(digits)
    assert estimator.best_epoch_ == 0
    assert len(estimator.history_["val_loss"]) == 5
    np.testing.assert_allclose(
        estimator.reconstruct(digits), by_pca(digits, 8), atol=2e-6
    )


@pytest.mark.parametrize(
    ("load", "size", "least_gain"),
    [(load_digits, 2, 0.3), (load_digits, 32, 0.1), (load_breast_cancer, 8, 0)],
)
def test_default_parameters_are_at_least_as_good_as_pca(load, size, least_gain):
    train, test = train_test_split(load().data, random_state=0)
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    pca = PCA(size).fit(train)
    of_pca = np.mean((test - pca.inverse_transform(pca.transform(test))) ** 2)
    autoencoder = AutoencoderTransformer(size, random_state=0).fit(train)
    error = autoencoder.reconstruction_error(test).mean()
    assert error <= (1.02 - least_gain) * of_pca


def test_pca_of_few_rows_is_kept_unless_the_gain_is_significant():
    X = load_iris().data[:20]
    estimator = AutoencoderTransformer(2, epochs=5, random_state=0).fit(X)
    np.testing.assert_allclose(estimator.reconstruct(X), by_pca(X, 2), atol=1e-5)


def test_early_stopping_true_keeps_the_best_epoch(digits):
    estimator = AutoencoderTransformer(
        3, early_stopping=True, mixup=False, epochs=40, random_state=0
    ).fit(digits[:200], X_val=digits[200:])
    error = estimator.reconstruction_error(digits[200:]).mean()
    assert error == pytest.approx(min(estimator.history_["val_loss"]), rel=1e-4)
    assert estimator.best_epoch_ == 1 + np.argmin(estimator.history_["val_loss"])


def test_early_stopping_auto_validates_only_with_pca_initialization(digits):
    for params in (
        {"init": "random"},
        {"output_activation": "sigmoid"},
        {"tied_weights": True},
        {"n_components": 64, "hidden_layer_sizes": ()},
    ):
        estimator = AutoencoderTransformer(epochs=2, random_state=0).set_params(
            **params
        )
        validates = "val_loss" in estimator.fit(digits).history_
        assert validates == ("n_components" in params)


@pytest.mark.parametrize("engine", ["numpy", COMPILED], indirect=True)
def test_learning_rate_is_annealed_to_zero_after_pca_initialization(digits, engine):
    def moved(epochs):
        """How far the last epoch moves the codes."""
        params = {"early_stopping": False, "mixup": False, "random_state": 0}
        estimator = AutoencoderTransformer(3, **engine, **params)
        losses = estimator.set_params(epochs=epochs).fit(digits).history_["loss"]
        return abs(losses[-1] - losses[-2]) / losses[-1]

    assert moved(60) < 0.005


def test_mixup_draws_new_points_in_each_epoch(digits):
    params = {"early_stopping": False, "learning_rate": 1e-30, "random_state": 0}
    estimator = AutoencoderTransformer(4, epochs=3, **params)
    first, second, third = estimator.fit(digits).history_["loss"]
    assert first != second != third
    # Between two rows there is less to lose than at them.
    assert max(first, second, third) < estimator.reconstruction_error(digits).mean()
    estimator.set_params(mixup=False).fit(digits)
    np.testing.assert_allclose(
        estimator.history_["loss"],
        estimator.reconstruction_error(digits).mean(),
        rtol=1e-4,
    )


def test_mixup_reduces_overfitting():
    X = StandardScaler().fit_transform(load_breast_cancer().data)
    train, test = X[:200], X[200:]

    def error(mixup):
        estimator = AutoencoderTransformer(
            2, mixup=mixup, early_stopping=False, epochs=300, random_state=0
        )
        return estimator.fit(train).reconstruction_error(test).mean()

    assert error(True) < 0.95 * error(False)


def test_linear_path_is_part_of_the_keras_models(fitted, digits):
    encoder, decoder = fitted.encoder_, fitted.decoder_
    assert [layer.name for layer in encoder.layers[-3:]] == [
        "code_nonlinear",
        "code_linear",
        "code",
    ]
    codes = fitted.transform(digits)
    np.testing.assert_allclose(encoder.predict(digits, verbose=0), codes, atol=1e-5)
    np.testing.assert_allclose(
        decoder.predict(codes, verbose=0), fitted.inverse_transform(codes), atol=1e-5
    )


def test_linear_path_false_gives_a_chain_of_layers():
    encoder, decoder = DenseNetwork((5,), linear_path=False)((8,), 2)
    assert [w.shape for w in encoder.get_weights()] == [(8, 5), (5,), (5, 2), (2,)]
    assert [w.shape for w in decoder.get_weights()] == [(2, 5), (5,), (5, 8), (8,)]


def test_linear_path_true_needs_linear_activations(digits):
    network = DenseNetwork((5,), linear_path=True, output_activation="sigmoid")
    with pytest.raises(ValueError, match="linear_path=True needs code_activation"):
        AutoencoderTransformer(2, network=network).fit(digits)
    with pytest.raises(ValueError, match="linear_path=True needs code_activation"):
        network((64,), 2)


def test_init_pca_is_refused_if_it_is_impossible(digits):
    plain = DenseNetwork((5,), linear_path=False)
    for params in ({"network": plain}, {"tied_weights": True}, {"n_components": 65}):
        estimator = AutoencoderTransformer(epochs=1, init="pca").set_params(**params)
        with pytest.raises(ValueError, match="init='pca' needs"):
            estimator.fit(digits)


def test_init_auto_keeps_the_weights_of_given_models(digits):
    trained = AutoencoderTransformer(3, epochs=5, random_state=0).fit(digits)
    pair = trained.encoder_, trained.decoder_
    again = AutoencoderTransformer(3, network=pair, **FROZEN).fit(digits)
    np.testing.assert_allclose(
        again.transform(digits), trained.transform(digits), atol=1e-5
    )


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "epochs"),
    [(1, 32, 1000), (150, 32, 1000), (1797, 56, 181), (60_000, 256, 30)],
)
def test_batch_size_and_epochs_auto_follow_from_the_number_of_rows(
    n_samples, batch_size, epochs
):
    settings = resolve_auto_settings(n_samples, "auto", "auto", "auto")
    assert settings == (batch_size, epochs, max(10, epochs // 5))
    assert resolve_auto_settings(n_samples, 7, 9, 11) == (7, 9, 11)


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "epochs"),
    [(1, 32, 250), (1347, 32, 27), (3750, 58, 18), (60_000, 128, 4)],
)
def test_batch_size_and_epochs_auto_of_a_conv_network_are_fewer_steps(
    n_samples, batch_size, epochs
):
    settings = resolve_auto_settings(
        n_samples, "auto", "auto", "auto", is_convolutional=True
    )
    assert settings == (batch_size, epochs, max(10, epochs // 5))


@pytest.mark.parametrize(
    ("mixup", "from_pca", "n_samples", "n_features", "expected"),
    [
        ("auto", True, 150, 4, (1.0, 9)),
        ("auto", True, 2000, 4, (1.0, 9)),
        ("auto", True, 4000, 4, (0.25, 9)),
        ("auto", True, 4000, 800, (1.0, 9)),
        ("auto", True, 60_000, 9, (0.0, 9)),
        ("auto", False, 150, 4, (0.0, None)),
        (True, False, 60_000, 9, (1.0, None)),
        (False, True, 150, 4, (0.0, None)),
    ],
)
def test_mixup_auto_follows_from_the_shape_of_the_data(
    mixup, from_pca, n_samples, n_features, expected
):
    found = resolve_mixup(mixup, from_pca, n_samples, n_features, epochs=9)
    assert found == expected


@pytest.mark.parametrize("scale", [10, 1e3])
def test_learning_rate_none_follows_a_large_scale_of_the_data(digits, scale):
    X = StandardScaler(with_std=False).fit_transform(digits)

    def score(X):
        estimator = AutoencoderTransformer(8, epochs=40, random_state=0)
        return estimator.fit(X).score(X)

    assert score(scale * X) == pytest.approx(score(X), abs=0.01)


def test_step_scales_of_layers(digits):
    pair = AutoencoderTransformer(8, **FROZEN).fit(digits)
    networks = {"encoder": pair._encoder, "decoder": pair._decoder}
    scales = step_scales(networks, Rows.all(digits))
    error = np.sqrt(np.mean((by_pca(digits, 8) - digits) ** 2))
    spread = np.sqrt(np.var(digits, axis=0).mean())
    rest = [1.0, 1.0, 1.0, error, error, np.sqrt(error / spread)]
    of_codes = np.sqrt(np.var(pair.transform(digits), axis=0).mean())
    expected = [1 / spread, *rest, 1 / of_codes, *rest]
    np.testing.assert_allclose(scales, expected, rtol=1e-4)
    wide = np.tile(digits, 4)
    pair = AutoencoderTransformer(8, **FROZEN).fit(wide)
    networks = {"encoder": pair._encoder, "decoder": pair._decoder}
    scales = step_scales(networks, Rows.all(wide))
    assert scales[0] == pytest.approx(0.5 / spread)
    assert scales[6] == pytest.approx(0.5 * scales[13])
    chain = AutoencoderTransformer(8, hidden_layer_sizes=(), **FROZEN).fit(digits)
    networks = {"encoder": chain._encoder, "decoder": chain._decoder}
    assert step_scales(networks, Rows.all(digits)) is None


@pytest.mark.parametrize(
    ("factors", "expected"),
    [
        ([0.9, 0.8], True),  # nearly every row gains
        ([0.99, 0.98], False),  # less than 5 %
        ([0.1, 1.9], False),  # as many rows lose
    ],
)
def test_pca_is_kept_unless_the_errors_of_rows_are_lower(digits, factors, expected):
    pca = AutoencoderTransformer(8, hidden_layer_sizes=(), **FROZEN).fit(digits)
    before = pca._encoder, pca._decoder
    rows = Rows.all(digits)
    residuals = digits - pca.reconstruct(digits)
    factors = np.resize(np.sqrt(factors), len(digits))[:, None]

    def learned(codes, dtype=None):
        return (digits - factors * residuals).astype(np.float32)

    after = before[0], learned
    assert significantly_better(after, before, rows) == expected


def test_pca_is_kept_if_only_an_outlier_gains(digits):
    pca = AutoencoderTransformer(2, hidden_layer_sizes=(), **FROZEN).fit(digits)
    before = pca._encoder, pca._decoder
    rows = digits.copy()
    rows[0, ::2] += 100

    def learned(codes, dtype=None):
        found = pca.reconstruct(rows).astype(np.float32)
        found[0] = rows[0]
        return found

    assert not significantly_better((before[0], learned), before, Rows.all(rows))
