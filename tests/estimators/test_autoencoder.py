"""What AutoencoderTransformer does."""

import contextlib
import io

import keras
import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skautoenc import AutoencoderTransformer, DenseNetwork


def linear(n_components, **params):
    return AutoencoderTransformer(
        n_components, hidden_layer_sizes=(), random_state=0, **params
    )


def test_score_and_score_samples_follow_from_reconstruct(fitted, digits):
    squared = (digits - fitted.reconstruct(digits)) ** 2
    np.testing.assert_allclose(
        fitted.reconstruction_error(digits, per_feature=True), squared, atol=1e-6
    )
    np.testing.assert_allclose(
        fitted.reconstruction_error(digits), squared.mean(axis=1), rtol=1e-5
    )
    np.testing.assert_allclose(
        fitted.score_samples(digits), -squared.mean(axis=1), rtol=1e-5
    )
    around_mean = ((digits - digits.mean(axis=0)) ** 2).sum()
    assert fitted.score(digits) == pytest.approx(1 - squared.sum() / around_mean)


def test_score_is_the_same_over_many_blocks_of_rows(fitted, digits):
    many = np.tile(digits, (40, 1))
    assert fitted.score(many) == pytest.approx(fitted.score(digits), rel=1e-5)
    np.testing.assert_allclose(
        fitted.score_samples(many), np.tile(fitted.score_samples(digits), 40), rtol=1e-4
    )


def test_reconstruction_error_is_below_that_of_pca():
    X = load_digits().data / 16
    train, test = X[:1300], X[1300:]
    autoencoder = AutoencoderTransformer(2, epochs=60, random_state=0).fit(train)
    pca = PCA(2).fit(train)
    pca_error = np.mean((test - pca.inverse_transform(pca.transform(test))) ** 2)
    assert autoencoder.reconstruction_error(test).mean() < 0.85 * pca_error


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_init_pca_is_pca(digits, container):
    pca = PCA(5).fit(digits)
    start = linear(5, epochs=1, learning_rate=1e-12).fit(container(digits))
    np.testing.assert_allclose(
        np.abs(start.transform(digits)), np.abs(pca.transform(digits)), atol=1e-4
    )
    np.testing.assert_allclose(
        start.reconstruct(digits),
        pca.inverse_transform(pca.transform(digits)),
        atol=1e-4,
    )
    assert start.score(digits) == pytest.approx(pca.explained_variance_ratio_.sum())


def test_init_random_converges_to_pca_in_a_linear_network(digits):
    pca = PCA(5).fit(digits)
    learned = linear(5, init="random", epochs=300, learning_rate=0.01).fit(digits)
    assert learned.score(digits) == pytest.approx(
        pca.explained_variance_ratio_.sum(), abs=0.01
    )


def test_early_stopping_false_runs_all_epochs(small, digits):
    small.set_params(early_stopping=False).fit(digits)
    assert small.best_epoch_ == 3
    assert small.n_iter_ == 3
    assert {name: len(values) for name, values in small.history_.items()} == {"loss": 3}


def test_early_stopping_restores_the_best_weights(small, digits):
    losses = {}

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            losses[logs["val_loss"]] = self.model.predict(digits[200:], verbose=0)

    small.set_params(
        init="random",
        early_stopping=True,
        n_iter_no_change=4,
        epochs=500,
        learning_rate=0.05,
        callbacks=[Watch()],
    )
    small.fit(digits[:200], X_val=digits[200:])
    values = small.history_["val_loss"]
    assert small.n_iter_ == len(values) < 500
    assert np.argmin(values) == len(values) - 5 == small.best_epoch_ - 1
    best = small.reconstruct(digits[200:])
    np.testing.assert_allclose(best, losses[min(values)], atol=1e-5)
    assert np.mean((best - digits[200:]) ** 2) == pytest.approx(min(values), rel=1e-4)


def test_early_stopping_uses_the_validation_fraction(small, digits):
    small.set_params(early_stopping=True, validation_fraction=0.5).fit(digits)
    assert set(small.history_) == {"loss", "val_loss"}


def test_validation_fraction_keeps_equal_rows_together(small, digits):
    small.set_params(early_stopping=True, validation_fraction=0.3, epochs=2)
    weighted = small.fit(digits[:50], sample_weight=np.full(50, 4.0)).history_
    plain = small.fit(digits[:50]).history_
    # The same rows are set aside, whatever they weigh.
    assert weighted["val_loss"][0] == pytest.approx(plain["val_loss"][0], rel=0.2)
    aside = digits[:50]
    small.set_params(epochs=400, learning_rate=0.01, n_iter_no_change=400)
    history = small.fit(np.repeat(aside, 4, axis=0)).history_
    assert min(history["val_loss"]) > 2 * history["loss"][-1]


def test_x_val_is_evaluated_and_not_trained_on(small, digits):
    plain = small.set_params(early_stopping=False).fit(digits[:200]).transform(digits)
    small.fit(digits[:200], X_val=digits[200:])
    np.testing.assert_array_equal(small.transform(digits), plain)
    error = np.mean((small.reconstruct(digits[200:]) - digits[200:]) ** 2)
    assert small.history_["val_loss"][-1] == pytest.approx(error, rel=1e-4)


def test_sample_weight_lowers_the_error_of_heavier_rows(digits):
    y = load_digits().target[:300]
    estimator = AutoencoderTransformer(
        1, hidden_layer_sizes=(8,), epochs=30, random_state=0
    )

    def error(weight):
        sample_weight = np.where(y == 3, weight, 1)
        fitted = estimator.fit(digits, sample_weight=sample_weight)
        return fitted.reconstruction_error(digits[y == 3]).mean()

    assert error(25.5) < error(1) < error(0.1)


def test_warm_start_continues(small, digits):
    small.set_params(warm_start=True, early_stopping=False, init="random")
    first = small.fit(digits).history_["loss"]
    second = small.fit(digits).history_["loss"]
    assert second[0] < first[-1]
    fresh = small.set_params(warm_start=False).fit(digits).history_["loss"]
    assert fresh == first


def test_warm_start_requires_the_same_network(small, digits):
    small.set_params(warm_start=True).fit(digits)
    small.set_params(hidden_layer_sizes=(9,))
    with pytest.raises(ValueError, match="warm_start=True continues"):
        small.fit(digits)
    small.set_params(hidden_layer_sizes=(8,)).fit(digits)


def test_learning_rate_none_is_that_of_the_optimizer_with_random_weights(small, digits):
    small.set_params(init="random")
    a = small.set_params(learning_rate=None).fit_transform(digits)
    b = small.set_params(learning_rate=0.001).fit_transform(digits)
    c = small.set_params(
        learning_rate=None, optimizer=keras.optimizers.Adam(0.02)
    ).fit_transform(digits)
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


def test_learning_rate_can_be_a_schedule(small, digits):
    frozen = keras.optimizers.schedules.ExponentialDecay(1e-3, 1, 1e-9)
    history = small.set_params(learning_rate=frozen, mixup=False).fit(digits).history_
    history = history["loss"]
    assert history[1] == pytest.approx(history[2], rel=1e-5)


def test_optimizer_instance_is_not_changed(small, digits):
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    small.set_params(optimizer=optimizer).fit(digits).fit(digits)
    assert int(optimizer.iterations) == 0
    assert not optimizer.built


def test_network_dense_gives_the_bits_of_dense_network(small, digits):
    Z = small.fit_transform(digits)
    small.set_params(network=DenseNetwork((8,)))
    np.testing.assert_array_equal(small.fit_transform(digits), Z)
    small.set_params(network__hidden_layer_sizes=(5,)).fit(digits)
    assert small.encoder_.layers[1].units == 5


def test_activity_regularizer_l1_makes_codes_sparse(digits):
    estimator = AutoencoderTransformer(
        16,
        hidden_layer_sizes=(),
        code_activation="relu",
        epochs=60,
        learning_rate=0.01,
        random_state=0,
    )
    dense = np.mean(estimator.fit_transform(digits) > 1e-3)
    estimator.set_params(activity_regularizer=keras.regularizers.L1(1e-2))
    assert np.mean(estimator.fit_transform(digits) > 1e-3) < 0.7 * dense


def test_verbose_prints_every_so_many_epochs(small, digits):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        small.set_params(verbose=2).fit(digits, X_val=digits)
    *lines, last = out.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["2/3", "3/3"]
    assert all("loss" in line and "val_loss" in line for line in lines)
    assert last.startswith("Kept ")
