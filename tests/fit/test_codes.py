"""Codes after a fit: their basis, and the attributes that estimators share with PCA."""

import keras
import numpy as np
import pytest
import scipy.sparse as sp
from helpers import make_autoencoder
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    DenseNetwork,
    VariationalAutoencoder,
)
from skautoenc._fit.codes import arrange_codes
from skautoenc._training import Rows

MAX_CORRELATION = MAX_MEAN = 1e-3
MAX_CHANGE = 1e-5


def assert_arranged(codes, weight=None):
    """Assert that codes are centered, uncorrelated and ordered by variance."""
    codes = codes.astype(np.float64)
    mean = np.average(codes, axis=0, weights=weight)
    covariance = np.cov(codes, rowvar=False, aweights=weight)
    spread = np.sqrt(np.diag(covariance))
    assert (np.abs(mean) <= MAX_MEAN * spread).all()
    correlation = covariance / np.outer(spread, spread)
    assert np.abs(np.triu(correlation, 1)).max() <= MAX_CORRELATION
    assert (np.diff(spread) <= 0).all()


def assert_signs(components):
    largest = np.abs(components).argmax(axis=1)
    assert (components[np.arange(len(components)), largest] > 0).all()


def convolutional(input_shape, n_components):
    """Models with layers on both sides of the dense layers beside the code."""
    layers = keras.layers
    encoder = keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(2, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(n_components),
            layers.Reshape((n_components,)),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((n_components,)),
            layers.Reshape((1, n_components)),
            layers.Dense(16, activation="tanh"),
            layers.Reshape((4, 4, 1)),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
            layers.Flatten(),
        ]
    )
    return encoder, decoder


KINDS = {
    "linear path": {"early_stopping": False},
    "single layer": {"hidden_layer_sizes": (), "init": "random"},
    "no linear path": {"init": "random"},
    "sigmoid output": {"output_activation": "sigmoid"},
    "tied weights": {"tied_weights": True},
    "tied single layer": {"tied_weights": True, "hidden_layer_sizes": ()},
    "contractive": {"contractive": 1e-3, "early_stopping": False},
    "L2 penalties": {
        "kernel_regularizer": 1e-5,
        "activity_regularizer": 1e-5,
        "early_stopping": False,
    },
    "ConvNetwork": {"network": ConvNetwork((8, 8, 1), (2,)), "early_stopping": False},
    "ConvNetwork without linear path": {
        "network": ConvNetwork((8, 8, 1), (2,), linear_path=False)
    },
    "own network": {"network": convolutional},
}


@pytest.mark.parametrize("params", KINDS.values(), ids=KINDS)
def test_codes_are_centered_uncorrelated_and_ordered(digits, params):
    estimator = make_autoencoder(**params).fit(digits)
    assert_arranged(estimator.transform(digits))
    assert_signs(estimator.components_)
    total = estimator.explained_variance_ratio_.sum()
    assert total == pytest.approx(estimator.score(digits), abs=1e-6)
    assert estimator.components_.shape == (3, 64)


def test_codes_are_arranged_after_each_engine(digits, engine):
    estimator = make_autoencoder(early_stopping=False, **engine).fit(digits)
    assert_arranged(estimator.transform(digits))
    assert_signs(estimator.components_)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_codes_of_weighted_rows_are_arranged_by_weight(digits, container):
    weight = np.random.default_rng(0).choice([0, 0.5, 1, 3], len(digits))
    X = container(digits)
    estimator = make_autoencoder(early_stopping=False).fit(X, sample_weight=weight)
    assert_arranged(estimator.transform(X), weight)
    ratio = estimator.explained_variance_ratio_
    score = estimator.score(X, sample_weight=weight)
    assert ratio.sum() == pytest.approx(score, abs=1e-6)


def test_codes_of_rows_in_blocks_are_arranged():
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, (2**18 + 1001, 2)).astype(np.float32)
    X = np.hstack([t, t**2, t[:, :1] * t[:, 1:], np.sin(3 * t)])
    settings = {"batch_size": 4096, "epochs": 1}
    estimator = make_autoencoder(early_stopping=False, **settings).fit(X)
    assert_arranged(estimator.transform(X))
    ratio = estimator.explained_variance_ratio_
    assert ratio.sum() == pytest.approx(estimator.score(X), abs=1e-5)
    # PCA of the training blocks, arranged on all rows.
    estimator.set_params(learning_rate=1e-30, early_stopping="auto").fit(X)
    assert estimator.best_epoch_ == 0
    assert_arranged(estimator.transform(X))
    pca = PCA(3).fit(X)
    np.testing.assert_allclose(
        estimator.singular_values_, pca.singular_values_, rtol=0.01
    )


def test_codes_of_a_denoising_autoencoder_are_those_of_the_rows_given(digits):
    noisy = digits + np.random.default_rng(0).normal(0, 0.1, digits.shape)
    estimator = make_autoencoder(DenoisingAutoencoder, early_stopping=False)
    estimator.fit(noisy, X_clean=digits)
    assert_arranged(estimator.transform(noisy))
    error = np.square(estimator.reconstruct(noisy) - digits).sum()
    score = 1 - error / np.square(digits - digits.mean(axis=0)).sum()
    assert estimator.explained_variance_ratio_.sum() == pytest.approx(score, abs=1e-6)


def networks_of(estimator):
    """The fitted networks with codes in another basis, by part."""
    parts = ("encoder", "decoder", "log_variance")
    return {
        part: getattr(estimator, f"_{part}")
        for part in parts
        if hasattr(estimator, f"_{part}")
    }


def arrange(estimator, X, **options):
    """Arrange the codes of an estimator anew, as those of rows `X`.

    Returns the networks before and after, and the rows that they take.
    """
    networks = networks_of(estimator)
    shift = networks["encoder"].input_shift
    rows = Rows.all((X if shift is None else X - shift).astype(np.float32))
    bare = {part: network.with_shifts() for part, network in networks.items()}
    options = {"keep_basis": False, "is_pca": False} | options
    n_components = estimator.n_components_
    arranged, _ = arrange_codes(bare, rows, n_components, 1.0, **options)
    return bare, arranged, rows.arrays()[0]


@pytest.mark.parametrize("params", KINDS.values(), ids=KINDS)
def test_the_basis_of_the_codes_does_not_change_the_reconstruction(digits, params):
    # Other rows than those of the fit have codes in another basis.
    others = digits[100:].copy()
    others[:, 20:30] *= 2
    estimator = make_autoencoder(**params).fit(digits[:100])
    before, after, rows = arrange(estimator, others)
    assert after["encoder"] is not before["encoder"]
    assert_arranged(after["encoder"](rows))
    outputs, others = (
        pair["decoder"](pair["encoder"](rows)).astype(np.float64)
        for pair in (before, after)
    )
    assert np.linalg.norm(others - outputs) <= MAX_CHANGE * np.linalg.norm(outputs)


def test_codes_that_are_arranged_already_keep_their_weights(digits):
    estimator = make_autoencoder(early_stopping=False).fit(digits)
    before, after, _ = arrange(estimator, digits)
    for part in before:
        for a, b in zip(before[part].weights, after[part].weights, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "params",
    [
        {"code_activation": "tanh"},
        {"network": ConvNetwork((8, 8, 1), (2,)), "n_components": None},
    ],
)
def test_codes_that_are_not_linear_keep_their_basis(digits, params):
    estimator = make_autoencoder(**params).fit(digits)
    before, after, _ = arrange(estimator, digits[:50])
    assert all(after[part] is before[part] for part in before)


def test_codes_of_given_models_keep_their_basis(digits):
    encoder, decoder = DenseNetwork((5,))((64,), 3)
    estimator = make_autoencoder(
        network=(encoder, decoder), learning_rate=1e-30, epochs=1
    ).fit(digits)
    codes = encoder.predict(digits, verbose=0)
    np.testing.assert_allclose(estimator.transform(digits), codes, atol=1e-5)
    assert np.abs(np.corrcoef(codes.T)[0, 1]) > MAX_CORRELATION
    assert estimator.explained_variance_ratio_.sum() == pytest.approx(
        estimator.score(digits), abs=1e-6
    )


def assert_signed_permutation(before, after):
    """Assert that codes are others in another order, with other signs."""
    n = before.shape[1]
    correlation = np.corrcoef(before.T, after.T)[:n, n:]
    order = np.abs(correlation).argmax(axis=0)
    assert sorted(order) == list(range(n))
    signs = np.sign(correlation[order, range(n)])
    np.testing.assert_allclose(after, before[:, order] * signs, atol=1e-6)
    return order


@pytest.mark.parametrize("name", ["activity_regularizer", "kernel_regularizer"])
def test_codes_with_an_l1_penalty_are_reordered_without_rotation(digits, name):
    params = {name: {"l1": 1e-5}, "early_stopping": False}
    estimator = make_autoencoder(**params).fit(digits[:100])
    before, after, rows = arrange(estimator, digits[100:] ** 2)
    codes = after["encoder"](rows)
    assert_signed_permutation(before["encoder"](rows), codes)
    assert (np.diff(codes.var(axis=0)) <= 0).all()


@pytest.mark.parametrize("sizes", [(), (8,)])
def test_codes_of_a_variational_autoencoder_are_reordered_with_their_variances(
    digits, sizes
):
    estimator = make_autoencoder(
        VariationalAutoencoder, hidden_layer_sizes=sizes, epochs=20, n_components=5
    ).fit(digits)
    assert (np.diff(estimator.transform(digits).var(axis=0)) <= 0).all()
    assert_signs(estimator.components_)
    before, after, rows = arrange(estimator, digits[:60] ** 3)
    order = assert_signed_permutation(before["encoder"](rows), after["encoder"](rows))
    assert list(order) != sorted(order)
    for a, b in zip(
        before["log_variance"].weights, after["log_variance"].weights, strict=True
    ):
        np.testing.assert_array_equal(a[..., order], b)


def test_components_are_alike_for_different_random_states():
    X = StandardScaler().fit_transform(load_wine().data)
    first, second = (
        AutoencoderTransformer(2, random_state=seed, early_stopping=False)
        .fit(X)
        .transform(X)
        for seed in range(2)
    )
    correlation = np.corrcoef(first.T, second.T)[:2, 2:]
    assert (np.abs(np.diag(correlation)) > 0.9).all()


def test_components_of_a_linear_autoencoder_are_those_of_pca():
    X = StandardScaler().fit_transform(load_wine().data)
    params = {"hidden_layer_sizes": (), "init": "random", "learning_rate": 0.01}
    estimator = AutoencoderTransformer(2, epochs=400, random_state=0, **params).fit(X)
    pca = PCA(2).fit(X)
    components = estimator.components_
    components /= np.linalg.norm(components, axis=1)[:, None]
    np.testing.assert_allclose(np.vecdot(components, pca.components_), 1, atol=2e-3)
    np.testing.assert_allclose(
        estimator.explained_variance_, pca.explained_variance_, rtol=1e-2
    )


def test_warm_start_continues_from_arranged_codes(digits):
    estimator = make_autoencoder(early_stopping=False, warm_start=True).fit(digits)
    codes = estimator.transform(digits)
    estimator.set_params(learning_rate=1e-30, epochs=1).fit(digits)
    np.testing.assert_array_equal(estimator.transform(digits), codes)
    estimator.set_params(tied_weights=True, warm_start=False, epochs=3).fit(digits)
    codes = estimator.transform(digits)
    estimator.set_params(warm_start=True, epochs=1).fit(digits)
    np.testing.assert_allclose(estimator.transform(digits), codes, atol=1e-5)


# Attributes.

FROZEN = {"epochs": 1, "learning_rate": 1e-30, "random_state": 0}
OF_PCA = (
    "components_",
    "explained_variance_",
    "explained_variance_ratio_",
    "singular_values_",
    "noise_variance_",
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(), (8,)])
@pytest.mark.parametrize("shape", [(300, 64), (30, 64)])
def test_attributes_after_a_fit_that_ended_as_pca_are_those_of_pca(
    digits, dtype, sizes, shape
):
    X = digits[: shape[0]].astype(dtype)
    estimator = AutoencoderTransformer(8, hidden_layer_sizes=sizes, **FROZEN).fit(X)
    pca = PCA(8, svd_solver="full").fit(X)
    for name in OF_PCA:
        np.testing.assert_allclose(
            getattr(estimator, name), getattr(pca, name), rtol=1e-4, atol=1e-5
        )
    assert estimator.components_.dtype == dtype


def test_attributes_after_a_fit_on_wide_rows_are_those_of_pca():
    X = np.random.default_rng(0).normal(size=(60, 1500)) * np.geomspace(1, 0.1, 1500)
    estimator = AutoencoderTransformer(4, hidden_layer_sizes=(4,), **FROZEN).fit(X)
    pca = PCA(4, svd_solver="full").fit(X)
    for name in OF_PCA:
        np.testing.assert_allclose(
            getattr(estimator, name), getattr(pca, name), rtol=1e-4, atol=1e-5
        )


def test_attributes_of_all_components_leave_no_noise_variance():
    X = load_wine().data
    estimator = AutoencoderTransformer(13, **FROZEN).fit(X)
    assert estimator.noise_variance_ == 0
    assert estimator.explained_variance_ratio_.sum() == pytest.approx(1)


def test_explained_variance_ratio_is_measured_on_rows_that_are_decoded(digits):
    estimator = make_autoencoder(
        hidden_layer_sizes=(16,), early_stopping=False, epochs=50
    ).fit(digits)
    codes, deviations = estimator.transform(digits), digits - digits.mean(axis=0)
    errors = []
    for n in range(4):
        partial = np.where(np.arange(3) < n, codes, 0)
        errors.append(np.square(estimator.inverse_transform(partial) - digits).sum())
    gains = -np.diff(errors) / np.square(deviations).sum()
    gains *= estimator.score(digits) / gains.sum()
    np.testing.assert_allclose(estimator.explained_variance_ratio_, gains, rtol=1e-4)
    variance = deviations.var(axis=0, ddof=1).sum()
    np.testing.assert_allclose(
        estimator.explained_variance_, gains * variance, rtol=1e-4
    )


def test_components_are_the_mean_slopes_of_the_decoder(digits):
    estimator = make_autoencoder(
        hidden_layer_sizes=(16,), activation="tanh", early_stopping=False, epochs=50
    ).fit(digits)
    codes = estimator.transform(digits)
    for j, component in enumerate(estimator.components_):
        step = 0.1 * np.eye(3)[j]
        slopes = estimator.inverse_transform(codes + step)
        slopes = (slopes - estimator.inverse_transform(codes - step)) / 0.2
        np.testing.assert_allclose(slopes.mean(axis=0), component, atol=0.02)
        assert np.abs(component).max() > 0.2


@pytest.mark.parametrize("early_stopping", ["auto", False])
def test_components_without_variance_are_zero(early_stopping):
    X = np.outer(np.linspace(-1, 1, 40), [0.0, 1.0, 0.0])
    estimator = AutoencoderTransformer(2, hidden_layer_sizes=(4,), **FROZEN)
    components = estimator.set_params(early_stopping=early_stopping).fit(X).components_
    np.testing.assert_allclose(components, [[0, 1, 0], [0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(estimator.explained_variance_ratio_, [1, 0], atol=1e-6)


def test_explained_variance_of_constant_rows_is_zero():
    estimator = AutoencoderTransformer(1, **FROZEN).fit(np.ones((12, 3)))
    np.testing.assert_array_equal(estimator.explained_variance_ratio_, [0])
    np.testing.assert_array_equal(estimator.explained_variance_, [0])


@pytest.mark.parametrize("name", ["singular_values_", "noise_variance_"])
def test_attributes_of_pca_are_refused_after_another_fit(digits, name):
    estimator = make_autoencoder(early_stopping=False).fit(digits)
    with pytest.raises(AttributeError, match=f"has no {name}.*only if .* ended as PCA"):
        getattr(estimator, name)


def test_components_of_large_codes_are_refused_unless_the_decoder_is_linear():
    X = np.random.default_rng(0).normal(size=(20, 600))
    estimator = AutoencoderTransformer(
        513, hidden_layer_sizes=(2,), epochs=1, init="random"
    ).fit(X)
    for name in ("components_", "explained_variance_", "explained_variance_ratio_"):
        with pytest.raises(AttributeError, match=f"has no {name}.*at most 512"):
            getattr(estimator, name)
    estimator.set_params(hidden_layer_sizes=()).fit(X)
    assert estimator.components_.shape == (513, 600)


def test_components_of_from_keras_are_refused():
    estimator = AutoencoderTransformer.from_keras(*DenseNetwork((5,))((8,), 2))
    with pytest.raises(AttributeError, match="has no components_.*from_keras"):
        estimator.components_  # noqa: B018


def test_attributes_of_an_earlier_fit_do_not_remain(digits):
    estimator = AutoencoderTransformer(2, hidden_layer_sizes=(4,), **FROZEN)
    assert hasattr(estimator.fit(digits), "singular_values_")
    estimator.set_params(early_stopping=False).fit(digits)
    assert not hasattr(estimator, "singular_values_")
    assert "components_" in estimator._repr_html_()
