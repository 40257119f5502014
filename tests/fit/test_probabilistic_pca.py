"""Training of a variational autoencoder that starts from probabilistic PCA."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skautoenc import ConvNetwork, DenseNetwork, VariationalAutoencoder

# A rate with which no weight moves, on all rows.
FROZEN = {
    "epochs": 1,
    "learning_rate": 1e-30,
    "early_stopping": False,
    "random_state": 0,
}
IRIS = load_iris().data


class ProbabilisticPCA:
    """Mean and variance of the codes, and the decoder, from their matrix inverse."""

    def __init__(self, n_components, X):
        X = np.asarray(X, np.float64)
        pca = PCA(n_components, svd_solver="full").fit(X)
        variances = pca.explained_variance_ * (len(X) - 1) / len(X)
        self.noise_variance = (X.var(axis=0).sum() - variances.sum()) / (
            X.shape[1] - n_components
        )
        self.mean = pca.mean_
        scales = np.sqrt(variances - self.noise_variance)
        self.kernel = pca.components_ * scales[:, None]
        precision = self.kernel @ self.kernel.T
        precision += self.noise_variance * np.eye(n_components)
        inverse = np.linalg.inv(precision)
        self.encoder = self.kernel.T @ inverse
        self.code_variance = self.noise_variance * np.diag(inverse)

    def transform(self, X):
        return (X - self.mean) @ self.encoder

    def inverse_transform(self, Z):
        return Z @ self.kernel + self.mean

    def log_likelihood(self, X):
        """Mean over rows, in nats, of the exact likelihood."""
        n_features = X.shape[1]
        covariance = self.kernel.T @ self.kernel
        covariance += self.noise_variance * np.eye(n_features)
        _, log_determinant = np.linalg.slogdet(2 * np.pi * covariance)
        difference = X - self.mean
        distances = np.sum(difference @ np.linalg.inv(covariance) * difference, axis=1)
        return -0.5 * (log_determinant + distances.mean())


def log_variances(estimator):
    kernel, bias = estimator._log_variance.weights
    np.testing.assert_allclose(kernel, 0, atol=1e-20)
    return bias


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
@pytest.mark.parametrize(
    "params",
    [
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (16, 3)},
        {"network": ConvNetwork((8, 8, 1), (4, 3))},
    ],
    ids=["linear", "dense", "conv"],
)
def test_init_pca_equals_probabilistic_pca_before_the_first_step(
    digits, params, container
):
    expected = ProbabilisticPCA(5, digits)
    start = VariationalAutoencoder(5, init="pca", **params, **FROZEN)
    start.fit(container(digits))
    codes = expected.transform(digits)
    np.testing.assert_allclose(start.transform(digits), codes, atol=1e-5)
    np.testing.assert_allclose(
        start.inverse_transform(codes), expected.inverse_transform(codes), atol=2e-6
    )
    np.testing.assert_allclose(
        log_variances(start), np.log(expected.code_variance), rtol=1e-4
    )
    assert start.noise_variance_ == pytest.approx(expected.noise_variance, rel=1e-4)


def test_loss_of_init_pca_is_the_negative_likelihood_of_probabilistic_pca(digits):
    start = VariationalAutoencoder(5, hidden_layer_sizes=(), **FROZEN)
    start.set_params(epochs=100).fit(digits)
    variance, n_features = start.noise_variance_, digits.shape[1]
    loss = np.mean(start.history_["loss"])  # over many draws of the codes
    bound = -0.5 * n_features * (loss / variance + np.log(2 * np.pi * variance))
    expected = ProbabilisticPCA(5, digits).log_likelihood(digits)
    assert bound == pytest.approx(expected, abs=0.05)


def test_init_pca_does_not_use_components_with_less_variance_than_the_noise():
    start = VariationalAutoencoder(4, **FROZEN).fit(IRIS)
    silent = PCA(4).fit(IRIS).explained_variance_ < start.noise_variance_
    assert silent.tolist() == [False, False, False, True]
    np.testing.assert_array_equal(start.transform(IRIS).std(axis=0) == 0, silent)
    np.testing.assert_array_equal(log_variances(start) == 0, silent)


def test_init_pca_of_data_far_from_zero():
    X = load_digits().data[:200] + 10_000
    start = VariationalAutoencoder(4, **FROZEN).fit(X)
    expected = ProbabilisticPCA(4, X)
    np.testing.assert_allclose(start.transform(X), expected.transform(X), atol=1e-4)
    np.testing.assert_allclose(
        start.reconstruct(X),
        expected.inverse_transform(expected.transform(X)),
        atol=0.01,
    )


def test_init_pca_of_constant_rows_gives_finite_codes():
    X = np.full((40, 6), 3.0)
    start = VariationalAutoencoder(2, **FROZEN).fit(X)
    np.testing.assert_array_equal(start.transform(X), 0)
    np.testing.assert_array_equal(start.reconstruct(X), X)
    assert start.beta_ == 0


def test_init_pca_is_refused_by_networks_without_a_linear_path(digits):
    for params, reason in (
        (
            {"network": ConvNetwork((8, 8, 1), (4,), output_activation="relu")},
            "output_activation='relu'",
        ),
        ({"output_activation": "sigmoid"}, "output_activation='sigmoid'"),
        (
            {"network": ConvNetwork((8, 8, 1), (4,), linear_path=False)},
            "without the linear path",
        ),
        (
            {"network": DenseNetwork((5,), linear_path=False)},
            "without the linear path",
        ),
    ):
        estimator = VariationalAutoencoder(2, epochs=1, init="pca").set_params(**params)
        with pytest.raises(ValueError, match=f"init='pca' needs.*{reason}"):
            estimator.fit(digits)


def test_init_auto_is_random_where_there_is_no_linear_path(digits):
    for params in (
        {"network": ConvNetwork((8, 8, 1), filters=(4,), linear_path=False)},
        {"output_activation": "sigmoid"},
        {"output_activation": "sigmoid", "loss": "binary_crossentropy"},
        {"init": "random"},
    ):
        start = VariationalAutoencoder(2, **FROZEN).set_params(**params).fit(digits)
        np.testing.assert_allclose(log_variances(start), 0, atol=1e-20)
        start.set_params(early_stopping="auto").fit(digits)
        assert "val_loss" not in start.history_


def test_early_stopping_auto_keeps_probabilistic_pca_if_nothing_is_learned(digits):
    estimator = VariationalAutoencoder(
        5, hidden_layer_sizes=(16,), learning_rate=1.0, epochs=5, random_state=0
    ).fit(digits)
    assert estimator.best_epoch_ == 0
    assert len(estimator.history_["val_loss"]) == 5
    expected = ProbabilisticPCA(5, digits)  # of all rows
    np.testing.assert_allclose(
        estimator.transform(digits), expected.transform(digits), atol=1e-5
    )
    np.testing.assert_allclose(
        log_variances(estimator), np.log(expected.code_variance), rtol=1e-4
    )


def test_early_stopping_auto_reduces_overfitting_of_few_rows():
    X = StandardScaler().fit_transform(load_wine().data)
    train, test = X[::4], np.concatenate([X[1::4], X[2::4], X[3::4]])

    def last_loss(early_stopping):
        estimator = VariationalAutoencoder(
            8, early_stopping=early_stopping, epochs=300, random_state=0
        ).fit(train)
        # The loss of other rows, with weights that do not move.
        estimator.set_params(
            warm_start=True, epochs=1, learning_rate=1e-30, beta=estimator.beta_
        )
        return estimator.fit(train, X_val=test).history_["val_loss"][-1]

    assert last_loss("auto") < 0.98 * last_loss(False)


def test_default_parameters_explain_more_variance_than_pca():
    X = load_digits().data / 16
    estimator = VariationalAutoencoder(8, epochs=30, random_state=0).fit(X[::2])
    pca = PCA(8).fit(X[::2])
    residual = X[1::2] - pca.inverse_transform(pca.transform(X[1::2]))
    of_pca = 1 - np.square(residual).mean() / X[1::2].var(axis=0).mean()
    assert estimator.score(X[1::2]) > of_pca + 0.08
    assert estimator.transform(X[1::2]).var(axis=0).min() > 0.5
    other = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(other.sample(9, 0), estimator.sample(9, 0))
    other.set_params(warm_start=True, epochs=5, learning_rate=1e-4).fit(X[::2])
    assert other.score(X[1::2]) > estimator.score(X[1::2]) - 0.01


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_scale_of_x_that_is_hard_to_learn_is_warned_of(scale):
    X = StandardScaler().fit_transform(load_wine().data) * scale
    estimator = VariationalAutoencoder(2, epochs=10, random_state=0)
    with pytest.warns(UserWarning, match="features of X have standard deviations"):
        estimator.fit(X[::2])
    assert estimator.score(X[1::2]) > 0.45
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator.fit(X[::2] / scale * 20)


def test_fit_of_a_memory_map_starts_from_probabilistic_pca(tmp_path):
    path = tmp_path / "X.npy"
    X = np.lib.format.open_memmap(path, "w+", np.float32, (2**18, 6))
    rng = np.random.default_rng(0)
    X[:] = rng.normal(size=X.shape) * [3, 2, 0.5, 0.5, 0.5, 0.5] + 1
    X.flush()
    mapped = np.load(path, mmap_mode="r")
    start = VariationalAutoencoder(
        2, hidden_layer_sizes=(), epochs=1, learning_rate=1e-30, random_state=0
    ).fit(mapped)
    assert start.best_epoch_ == 0
    expected = ProbabilisticPCA(2, X)
    codes, wanted = start.transform(X[:1000]), expected.transform(X[:1000])
    np.testing.assert_allclose(codes, wanted, atol=0.05)
    np.testing.assert_allclose(
        log_variances(start), np.log(expected.code_variance), rtol=0.02
    )
