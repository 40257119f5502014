"""What a fit ends with: finite networks, reasons, warnings, attributes all at once."""

import contextlib
import copy
import io
import pickle
import warnings

import numpy as np
import pandas
import pytest
import scipy.sparse as sp
from engines import ENGINES, BatchListener, engines_used
from helpers import COMPILED, make_autoencoder
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    DenseNetwork,
    VariationalAutoencoder,
)

IRIS = load_iris().data


@pytest.mark.parametrize("rate", [1e1, 1e2, 1e3, 1e4, 1e5])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("engine", ENGINES)
def test_learning_rate_too_high_is_finite_or_diverges(
    rate, optimizer, early_stopping, engine
):
    X = IRIS / 8
    estimator = AutoencoderTransformer(
        2,
        hidden_layer_sizes=(8,),
        optimizer=optimizer,
        learning_rate=rate,
        epochs=2,
        early_stopping=early_stopping,
        callbacks=[BatchListener()] if engine == "keras" else None,
        contractive=1e-9 if engine == COMPILED else 0,
        random_state=0,
    )
    with warnings.catch_warnings(record=True) as caught, engines_used() as used:
        warnings.simplefilter("always")
        try:
            estimator.fit(X)
        except ValueError as error:
            assert "diverged" in str(error)  # noqa: PT017
            assert not hasattr(estimator, "n_features_in_")
        else:
            assert np.isfinite(estimator.transform(X)).all()
            assert np.isfinite(estimator.reconstruct(X)).all()
            assert np.isfinite(estimator.score(X))
            assert np.isfinite(estimator.score_samples(X)).all()
            for model in (estimator.encoder_, estimator.decoder_):
                assert all(np.isfinite(w).all() for w in model.get_weights())
    assert not caught
    assert used == {engine}


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e30, 1e37])
def test_fit_gives_no_runtime_warning_at_any_scale(scale):
    X = (IRIS - IRIS.mean(axis=0)) * scale
    estimator = AutoencoderTransformer(2, epochs=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            estimator.fit(X)
        except ValueError as error:
            assert "diverged" in str(error)  # noqa: PT017
        else:
            estimator.transform(X * 8)
            assert np.isfinite(estimator.score(X))


def test_reconstruct_beyond_float32_gives_no_warning(fitted, digits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.reconstruct(digits * np.float32(3e38))
        fitted.score_samples(digits * np.float32(3e38))


def kept_line(estimator, *args, **kwargs):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        estimator.set_params(verbose=1000).fit(*args, **kwargs)
    return out.getvalue().splitlines()[-1]


def test_verbose_ends_with_the_restored_epoch_and_the_reason(digits):
    def line(X=digits, **params):
        settings = {"epochs": 3, "random_state": 0, **params}
        return kept_line(AutoencoderTransformer(2, **settings), X)

    assert line(learning_rate=1.0) == (
        "Kept epoch 0, which is PCA: no epoch had a lower validation loss."
    )
    assert line(IRIS[:40], epochs=20).endswith("is not significant.")
    assert line(early_stopping=False) == (
        "Kept epoch 3, the last: there is no early stopping."
    )
    assert line(early_stopping=True, init="random") == (
        "Kept epoch 3: it has the lowest validation loss."
    )


@pytest.mark.parametrize(
    ("load", "n_components", "least"),
    [(load_iris, 2, 0.9), (load_wine, 2, 0.45), (load_breast_cancer, 2, 0.6)],
)
def test_beta_auto_learns_min_max_scaled_data(load, n_components, least):
    X = MinMaxScaler().fit_transform(load().data)
    estimator = VariationalAutoencoder(n_components, random_state=0).fit(X[::2])
    assert estimator.score(X[1::2]) > least
    noise_variance = PCA(n_components, svd_solver="full").fit(X[::2]).noise_variance_
    n = len(X[::2])
    noise_variance = max(noise_variance * (n - 1) / n, 0.05 * X[::2].var(axis=0).mean())
    estimator.set_params(early_stopping=False, epochs=1).fit(X[::2])
    assert estimator.noise_variance_ == pytest.approx(noise_variance, rel=1e-3)
    assert estimator.beta_ == 2 * estimator.noise_variance_
    other = pickle.loads(pickle.dumps(estimator))
    assert other.beta_ == estimator.beta_


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csc_matrix])
def test_beta_auto_follows_from_the_noise_variance(digits, container):
    settings = {"early_stopping": False, "epochs": 1, "random_state": 0}
    dense = VariationalAutoencoder(8, **settings).fit(digits)
    other = VariationalAutoencoder(8, **settings).fit(container(digits))
    assert other.beta_ == pytest.approx(dense.beta_, rel=1e-4)
    images = VariationalAutoencoder(
        8, network=ConvNetwork((8, 8, 1), filters=(4,)), **settings
    ).fit(digits.reshape(-1, 8, 8))
    assert images.beta_ == pytest.approx(dense.beta_, rel=1e-4)


def test_beta_auto_of_wide_data_and_of_many_components():
    X = np.random.default_rng(0).normal(size=(40, 1500)).astype(np.float32)
    settings = {"early_stopping": False, "epochs": 1, "random_state": 0}
    wide = VariationalAutoencoder(3, **settings).fit(X)
    expected = PCA(3).fit(X).noise_variance_ * 37 / 1497  # over all features
    assert 0.05 < wide.noise_variance_ == pytest.approx(expected, rel=0.1)
    full = VariationalAutoencoder(4, **settings).fit(IRIS)
    smallest = np.linalg.eigvalsh(np.cov(IRIS.T, bias=True))[0]
    mean = IRIS.var(axis=0).mean()
    assert full.noise_variance_ == pytest.approx(max(smallest, 0.05 * mean), rel=1e-3)


def test_beta_given_is_kept_and_is_1_for_other_losses(digits):
    settings = {"epochs": 1, "random_state": 0}
    given = VariationalAutoencoder(2, beta=0.3, **settings).fit(digits)
    assert given.beta_ == 0.3
    assert given.noise_variance_ == 0.15
    given.set_params(
        beta="auto", loss="binary_crossentropy", output_activation="sigmoid"
    ).fit(digits)
    assert given.beta_ == 1
    assert not hasattr(given, "noise_variance_")
    history = given.history_
    np.testing.assert_allclose(
        history["loss"],
        np.add(history["reconstruction_loss"], history["kl_loss"]),
        rtol=1e-5,
    )


def test_beta_warns_of_collapsed_components():
    X = MinMaxScaler().fit_transform(IRIS)
    estimator = VariationalAutoencoder(
        2, beta=1.0, early_stopping=False, epochs=300, random_state=0
    )
    with pytest.warns(UserWarning, match=r"2 of 2 components.*beta below 1"):
        estimator.fit(X)


def test_code_activation_relu_warns_of_dead_units():
    X = load_digits().data / 16
    estimator = AutoencoderTransformer(
        16,
        hidden_layer_sizes=(),
        code_activation="relu",
        output_activation="relu",
        random_state=0,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X)
    dead = int((estimator.transform(X).max(axis=0) == 0).sum())
    messages = [str(warning.message) for warning in caught]
    assert dead > 0
    assert messages[0].startswith(f"{dead} of 16 components of the code do not vary")
    assert "features of the reconstruction are constant" in messages[1]


def test_code_activation_relu_warns_of_units_that_are_dead_for_all_rows():
    X = np.random.default_rng(0).random((5000, 16)).astype(np.float32)
    estimator = AutoencoderTransformer(
        16,
        hidden_layer_sizes=(),
        code_activation="relu",
        learning_rate=0.3,
        epochs=30,
        random_state=0,
    )
    with pytest.warns(UserWarning, match="components of the code") as caught:
        estimator.fit(X)
    dead = int((np.ptp(estimator.transform(X), axis=0) == 0).sum())
    assert str(caught[0].message).startswith(f"{dead} of 16 components")


FEW_EPOCHS = "validation loss still fell by .* in the last 3 of 30 epochs. Raise epochs"


@pytest.mark.parametrize("with_val", [False, True])
def test_epochs_warns_if_the_validation_loss_still_fell_at_the_end(digits, with_val):
    estimator = AutoencoderTransformer(
        8,
        init="random",
        early_stopping=not with_val,
        epochs=30,
        learning_rate=3e-4,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning, match=FEW_EPOCHS):
        estimator.fit(digits, X_val=digits[::3] if with_val else None)


@pytest.mark.parametrize(
    ("kind", "n_components", "load"),
    [
        (AutoencoderTransformer, 2, load_digits),
        (AutoencoderTransformer, 8, load_breast_cancer),
        (VariationalAutoencoder, 2, load_digits),
    ],
)
def test_epochs_by_default_give_no_warning(kind, n_components, load):
    X = MinMaxScaler().fit_transform(load().data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kind(n_components, random_state=0).fit(X)


@pytest.mark.parametrize("where", ["flat", "network"])
def test_kernel_regularizer_warns_of_a_code_of_zeros(where):
    X = StandardScaler().fit_transform(IRIS)
    params = {"kernel_regularizer": {"l1": 1.0}}
    if where == "network":
        params = {"network": DenseNetwork(**params)}
    estimator = AutoencoderTransformer(
        2, epochs=200, learning_rate=0.01, early_stopping=False, **params
    )
    with pytest.warns(UserWarning, match="smaller strength of kernel_regularizer"):
        estimator.fit(X)


def test_n_components_attribute_is_the_width_of_the_code(digits):
    network = ConvNetwork((8, 8, 1), filters=(4,))
    estimator = AutoencoderTransformer(None, network=network, epochs=1).fit(digits)
    assert estimator.n_components_ == 4 * 4 * 4
    assert estimator.n_components is None
    trained = AutoencoderTransformer(3, epochs=1).fit(digits)
    assert trained.n_components_ == 3
    around = AutoencoderTransformer.from_keras(trained.encoder_, trained.decoder_)
    assert (around.n_components_, around.best_epoch_, around.n_iter_) == (3, 0, 0)


class AsksDuringTheFit:
    """A scikit-learn callback that calls the estimator while it is fitted again."""

    def __init__(self, X):
        self.X, self.codes = X, []

    def setup(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context):
        self.codes.append((estimator.n_features_in_, estimator.transform(self.X)))

    def teardown(self, estimator, context): ...


def test_transform_uses_the_former_fit_until_a_refit_has_ended(digits):
    frame = pandas.DataFrame(digits).add_prefix("p")
    estimator = AutoencoderTransformer(2, epochs=2, random_state=0).fit(frame)
    before = estimator.transform(frame)
    callback = AsksDuringTheFit(frame)
    estimator.set_callbacks(callback).fit(IRIS)
    assert len(callback.codes) == 3
    for n_features, codes in callback.codes:
        assert n_features == 64
        np.testing.assert_array_equal(codes, before)
    assert estimator.n_features_in_ == 4
    assert not hasattr(estimator, "feature_names_in_")


def test_warm_start_validates_on_the_rows_of_the_first_fit(digits):
    estimator = AutoencoderTransformer(
        3, warm_start=True, early_stopping=True, epochs=2, mixup=False, init="random"
    )

    first = estimator.fit(digits).history_["val_loss"][-1]
    estimator.set_params(epochs=1, learning_rate=1e-30)
    again = estimator.fit(digits).history_["val_loss"][0]
    # No weight moves, so the loss is the same on the same rows, and on no others.
    assert again == pytest.approx(first, rel=1e-5)


@pytest.mark.parametrize(
    "clean",
    [
        lambda X: X.reshape(len(X), -1),
        lambda X: X.reshape(len(X), -1).tolist(),
        lambda X: X[..., None],
        lambda X: pandas.DataFrame(X.reshape(len(X), -1)),
        lambda X: sp.csr_array(X.reshape(len(X), -1)),
        lambda X: X.tolist(),
    ],
)
@pytest.mark.parametrize("flat", [True, False])
def test_y_that_looks_like_rows_is_refused(digits, clean, flat):
    images = digits[:40].reshape(-1, 8, 8)
    X = images.reshape(40, -1) if flat else images
    with pytest.raises(ValueError, match="y looks like rows of X.*X_clean"):
        DenoisingAutoencoder(2, epochs=1).fit(X, clean(images))


def test_y_of_labels_is_ignored(digits):
    y = np.arange(40)
    for labels in (y, y.tolist(), y[:, None], pandas.Series(y), y.astype(str)):
        DenoisingAutoencoder(2, hidden_layer_sizes=(), epochs=1).fit(
            digits[:40], labels
        )


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_flattens_images_of_output_reconstruction(digits, container):
    images = digits[:40].reshape(-1, 8, 8)
    estimator = DenoisingAutoencoder(2, output="reconstruction", epochs=1)
    frame = estimator.set_output(transform=container).fit(images).transform(images)
    assert frame.shape == (40, 64)
    assert list(frame.columns) == list(estimator.get_feature_names_out())
    np.testing.assert_array_equal(
        np.asarray(frame), estimator.reconstruct(images).reshape(40, -1)
    )


def test_validation_fraction_loss_is_not_dominated_by_one_row():
    X = StandardScaler().fit_transform(load_breast_cancer().data)
    rows = []
    for outlier in (1.0, 1e3):
        # The same row is an outlier in every split that it falls into.
        Y = np.r_[X, np.full((1, 30), outlier) * np.resize([1, -1], 30)]
        losses = [
            AutoencoderTransformer(
                8,
                epochs=1,
                learning_rate=1e-30,
                validation_fraction=0.9,
                random_state=s,
            )
            .fit(Y)
            .history_["val_loss"][0]
            for s in range(3)
        ]
        rows.append(max(losses))
    assert rows[1] < 3 * rows[0]


def test_init_warns_where_wide_streamed_rows_have_no_pca():
    X = sp.random_array(
        (60_000, 5000),
        density=0.0005,
        random_state=np.random.default_rng(0),
        format="csr",
    )
    estimator = AutoencoderTransformer(
        2, hidden_layer_sizes=(), batch_size=2048, epochs=1, random_state=0
    )
    with pytest.warns(UserWarning, match=r"not from PCA.*5000 features.*init='random'"):
        estimator.fit(X.astype(np.float32))
    assert "val_loss" not in estimator.history_


@pytest.mark.parametrize("engine", ["numpy", COMPILED, "keras"], indirect=True)
def test_warm_start_continues_the_optimizer_with_the_same_bits(digits, engine):
    params = {"init": "random", "activity_regularizer": 1e-3, **engine}
    whole = make_autoencoder(**params, epochs=9).fit(digits)
    continued = make_autoencoder(**params, epochs=3, warm_start=True)
    losses = []
    for i in range(3):
        losses += continued.fit(digits).history_["loss"]
        if i == 1 and "callbacks" not in engine:
            continued = pickle.loads(pickle.dumps(continued))
    assert losses == whole.history_["loss"]
    # The axes of the code are arranged after each fit, but not in the training.
    np.testing.assert_array_equal(continued.transform(digits), whole.transform(digits))


def test_warm_start_of_a_denoiser_draws_other_noise_in_each_fit(digits):
    params = {"init": "random", "random_state": 0, "hidden_layer_sizes": (8,)}
    whole = DenoisingAutoencoder(3, epochs=4, **params).fit(digits)
    continued = DenoisingAutoencoder(3, epochs=2, warm_start=True, **params)
    losses = [continued.fit(digits).history_["loss"] for _ in range(2)]
    assert losses[0] + losses[1] == whole.history_["loss"]


def test_warm_start_uses_a_learning_rate_that_has_changed(digits):
    estimator = make_autoencoder(init="random", warm_start=True).fit(digits)
    codes = estimator.transform(digits)
    estimator.set_params(learning_rate=1e-30).fit(digits)
    np.testing.assert_array_equal(estimator.transform(digits), codes)
    other = copy.deepcopy(estimator).set_params(learning_rate=0.01).fit(digits)
    assert np.abs(other.transform(digits) - codes).max() > 0.1


def test_warm_start_keeps_moments_only_of_weights_that_are_kept(digits):
    """The state of the optimizer does not belong to the weights of an earlier epoch."""
    estimator = make_autoencoder(
        init="random", warm_start=True, early_stopping=True, learning_rate=0.5
    ).fit(digits)
    assert estimator.best_epoch_ < estimator.n_iter_
    codes = estimator.transform(digits)
    estimator.set_params(learning_rate=1e-30, early_stopping=False).fit(digits)
    np.testing.assert_allclose(estimator.transform(digits), codes, atol=1e-5)
