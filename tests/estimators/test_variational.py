"""VariationalAutoencoder."""

import pickle

import keras
import numpy as np
import pytest
from helpers import assert_draws_nothing_global, make_autoencoder

from skautoenc import ConvNetwork, DenseNetwork, VariationalAutoencoder


def quick(**params):
    return make_autoencoder(VariationalAutoencoder, **params)


@pytest.fixture(scope="module")
def fitted(digits):
    return quick(epochs=20, learning_rate=0.01, beta=0.1).fit(
        digits[:200], X_val=digits[200:]
    )


def test_transform_gives_the_means(fitted, digits):
    Z = fitted.transform(digits)
    np.testing.assert_array_equal(fitted.transform(digits), Z)
    np.testing.assert_allclose(fitted.encoder_(digits), Z, atol=1e-5)
    np.testing.assert_allclose(
        fitted.autoencoder_(digits), fitted.reconstruct(digits), atol=1e-5
    )


def divergence(estimator, X, features):
    """Mean over rows and features, from the weights of the log variance's layer."""
    kernel, bias = estimator._log_variance.weights
    mean, log_variance = estimator.transform(X), features @ kernel + bias
    of_rows = 0.5 * np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1)
    return of_rows.mean() / X.shape[1]


def test_kl_loss_is_that_of_two_normal_distributions(fitted, digits):
    X = digits[200:]
    kernel, bias = fitted.encoder_.get_weights()[:2]
    hidden = np.maximum(X @ kernel + bias, 0)
    wanted = divergence(fitted, X, hidden)
    assert fitted.history_["val_kl_loss"][-1] == pytest.approx(wanted, rel=1e-4)
    assert np.abs(fitted._log_variance.weights[0]).max() > 0.01


def test_kl_loss_starts_from_a_standard_deviation_of_one(digits):
    encoder = keras.Sequential([keras.Input((64,)), keras.layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(64)])
    kernel = np.zeros((64, 2), np.float32)
    kernel[20] = [1, -2]
    encoder.set_weights([kernel, np.float32([0, 0.5])])
    estimator = quick(
        n_components=2, network=(encoder, decoder), epochs=1, learning_rate=1e-12
    ).fit(digits)
    a = digits[:, 20]
    wanted = np.mean(0.5 * (a**2 + (0.5 - 2 * a) ** 2)) / 64
    assert estimator.history_["kl_loss"] == pytest.approx([wanted], rel=1e-4)


def test_fit_draws_codes_with_the_standard_deviation_of_their_row(digits):
    """With a linear decoder the error grows by what the noise in the code adds."""
    estimator = quick(
        hidden_layer_sizes=(),
        init="random",
        learning_rate=1e-12,
        batch_size=300,
        epochs=200,
    ).fit(digits)
    (decoder, _) = estimator.decoder_.get_weights()
    added = np.mean(estimator.history_["reconstruction_loss"])
    added -= estimator.reconstruction_error(digits).mean()
    assert added == pytest.approx((decoder**2).sum() / 64, rel=0.02)


@pytest.mark.parametrize("beta", [0, 0.5, 4])
def test_beta_weights_the_kl_loss_in_the_loss(digits, beta):
    history = quick(beta=beta).fit(digits[:200], X_val=digits[200:]).history_
    names = {"loss", "reconstruction_loss", "kl_loss"}
    assert set(history) == names | {f"val_{name}" for name in names}
    for prefix in ("", "val_"):
        np.testing.assert_allclose(
            history[f"{prefix}loss"],
            np.add(
                history[f"{prefix}reconstruction_loss"],
                np.multiply(beta, history[f"{prefix}kl_loss"]),
            ),
            rtol=1e-5,
        )


def test_beta_lowers_the_kl_loss(digits):
    last = [
        quick(beta=beta, init="random", epochs=40, learning_rate=0.01)
        .fit(digits)
        .history_
        for beta in (0, 0.1, 10)
    ]
    kl = [history["kl_loss"][-1] for history in last]
    error = [history["reconstruction_loss"][-1] for history in last]
    assert kl[0] > 3 * kl[1] > 9 * kl[2]
    assert error[0] < error[2]


def test_score_of_a_variational_fit(digits):
    estimator = quick(
        n_components=8,
        hidden_layer_sizes=(32,),
        beta=0.01,
        epochs=60,
        learning_rate=0.01,
    )
    assert estimator.fit(digits).score(digits) > 0.5


def test_sample_decodes_normal_codes(fitted):
    X = fitted.sample(500, random_state=0)
    assert (X.shape, X.dtype) == ((500, 64), np.float32)
    np.testing.assert_array_equal(fitted.sample(500, random_state=0), X)
    assert not np.allclose(fitted.sample(500, random_state=1), X)
    assert not np.allclose(fitted.sample(2), fitted.sample(2))
    assert fitted.sample().shape == (1, 64)
    codes = np.random.default_rng(7).standard_normal((20_000, 3), np.float32)
    wanted = fitted.inverse_transform(codes)
    many = fitted.sample(20_000, random_state=0)
    np.testing.assert_allclose(many.mean(axis=0), wanted.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(many.std(axis=0), wanted.std(axis=0), atol=0.02)


def test_sample_advances_a_random_state_instance(fitted):
    state = np.random.RandomState(3)
    first, second = fitted.sample(2, random_state=state), fitted.sample(2, state)
    assert not np.allclose(first, second)
    again = fitted.sample(2, random_state=np.random.RandomState(3))
    np.testing.assert_array_equal(again, first)


def test_sample_has_the_mean_of_the_data(digits):
    estimator = quick(
        n_components=2,
        output_activation="sigmoid",
        loss="binary_crossentropy",
        epochs=60,
        learning_rate=0.01,
    ).fit(digits)
    samples = estimator.sample(2000, random_state=0)
    np.testing.assert_allclose(samples.mean(axis=0), digits.mean(axis=0), atol=0.15)


def test_sample_draws_nothing_from_global_generators(fitted):
    with assert_draws_nothing_global():
        for random_state in (0, None):
            fitted.sample(3, random_state)


@pytest.mark.parametrize(
    ("n_samples", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)]
)
def test_sample_requires_a_positive_whole_n_samples(fitted, n_samples, error):
    with pytest.raises(error, match="n_samples"):
        fitted.sample(n_samples)


def pair():
    encoder = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)]
    )
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(64)])
    return encoder, decoder


def cut():
    encoder, decoder = pair()
    inputs = keras.Input((64,))
    code = keras.layers.Identity(name="code")(encoder(inputs))
    return keras.Model(inputs, decoder(code)), "code"


def nested():
    encoder, decoder = pair()
    inputs = keras.Input((8, 8, 1))
    outer = keras.Model(inputs, encoder(keras.layers.Flatten()(inputs)))
    return outer, decoder


def normalised():
    encoder = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(3),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
        ]
    )
    return encoder, pair()[1]


@pytest.mark.parametrize(
    ("network", "n_components"),
    [
        (lambda: DenseNetwork(()), 3),
        (lambda: DenseNetwork((8,), tied_weights=True), 3),
        (lambda: ConvNetwork((8, 8, 1), filters=(4, 2)), 3),
        (lambda: ConvNetwork((8, 8, 1), filters=(4, 2)), None),
        (lambda: ConvNetwork((64,), filters=(2,), upsampling="transpose"), None),
        (pair, 3),
        (cut, 3),
        (nested, 3),
        (normalised, 3),
    ],
    ids="linear tied conv feature-map signal pair cut nested normalised".split(),
)
def test_network_of_any_kind_becomes_variational(digits, network, n_components):
    images = digits.reshape(-1, 8, 8)
    estimator = quick(network=network(), n_components=n_components, init="random").fit(
        images
    )
    Z = estimator.transform(images)
    np.testing.assert_allclose(estimator.encoder_(digits), Z, atol=1e-5)
    assert estimator.sample(2).shape == (2, 8, 8)
    other = pickle.loads(pickle.dumps(estimator)).set_params(warm_start=True)
    np.testing.assert_array_equal(other.transform(images), Z)
    assert other.fit(images).history_["loss"][-1] < estimator.history_["loss"][0]


def test_early_stopping_monitors_the_loss_with_kl(digits):
    estimator = quick(
        early_stopping=True, n_iter_no_change=3, epochs=500, learning_rate=0.02
    ).fit(digits)
    assert np.argmin(estimator.history_["val_loss"]) == estimator.n_iter_ - 4


def test_x_val_is_evaluated_with_the_same_draws_in_each_epoch(digits):
    history = quick(learning_rate=1e-12).fit(digits[:200], X_val=digits[200:]).history_
    assert len(set(history["val_reconstruction_loss"])) == 1
    assert len(set(history["reconstruction_loss"])) == 3


def test_warm_start_continues_with_the_log_variance(fitted, digits):
    estimator = pickle.loads(pickle.dumps(fitted))
    before = [w.copy() for w in estimator._log_variance.weights]
    estimator.set_params(warm_start=True, epochs=1, learning_rate=1e-12)
    estimator.fit(digits[:200], X_val=digits[200:])
    for a, b in zip(estimator._log_variance.weights, before, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert estimator.history_["val_kl_loss"][-1] == pytest.approx(
        fitted.history_["val_kl_loss"][-1], rel=1e-4
    )


def test_beta_must_not_be_negative(digits):
    with pytest.raises(ValueError, match="beta"):
        quick(beta=-1).fit(digits)
