"""What every autoencoder of the package does alike, whatever it adds."""

import copy
import pickle

import joblib
import keras
import numpy as np
import pandas
import polars
import pytest
from helpers import assert_draws_nothing_global, make_autoencoder
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import skautoenc

ESTIMATORS = [
    public
    for public in (getattr(skautoenc, name) for name in skautoenc.__all__)
    if hasattr(public, "transform")
]
AUTOENCODERS = [kind for kind in ESTIMATORS if hasattr(kind, "reconstruct")]


def make_estimator(kind):
    """An estimator whose fit on `rows` takes a fraction of a second."""
    if kind in AUTOENCODERS:
        return make_autoencoder(kind)
    return kind(hidden_layer_sizes=(8,), epochs=3, random_state=0)


@pytest.fixture(scope="module", params=ESTIMATORS)
def any_kind(request):
    return request.param


@pytest.fixture
def any_small(any_kind):
    return make_estimator(any_kind)


@pytest.fixture(scope="module")
def any_fitted(any_kind, rows):
    """A fitted estimator, not to be changed."""
    return make_estimator(any_kind).fit(rows)


@pytest.fixture(scope="module")
def rows(any_kind, digits):
    """Digits, with missing values for estimators that fill them."""
    if any_kind in AUTOENCODERS:
        return digits
    is_missing = np.random.default_rng(0).random(digits.shape) < 0.1
    return np.where(is_missing, np.float32(np.nan), digits)[:, digits.any(axis=0)]


@pytest.fixture(scope="module", params=AUTOENCODERS)
def kind(request):
    return request.param


@pytest.fixture
def small(kind):
    return make_autoencoder(kind)


@pytest.fixture(scope="module")
def fitted(kind, digits):
    """A fitted autoencoder, not to be changed."""
    return make_autoencoder(kind).fit(digits)


@pytest.fixture(scope="module")
def frame(digits):
    return pandas.DataFrame(digits).add_prefix("pixel")


def test_all_has_three_autoencoders_and_an_imputer_or_more():
    assert len(AUTOENCODERS) >= 3
    assert len(ESTIMATORS) >= 4


def test_fit_sets_n_features_in_and_feature_names_in(any_small, rows):
    frame = pandas.DataFrame(rows).add_prefix("pixel")
    assert not hasattr(any_small, "n_features_in_")
    any_small.set_params(epochs=1).fit(frame)
    assert any_small.n_features_in_ == rows.shape[1]
    assert list(any_small.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="feature names"):
        any_small.transform(frame[frame.columns[::-1]])
    assert not hasattr(any_small.fit(rows), "feature_names_in_")


def test_get_feature_names_out_has_the_name_of_the_estimator(kind, fitted):
    names = [f"{kind.__name__.lower()}{i}" for i in range(3)]
    assert list(fitted.get_feature_names_out()) == names


@pytest.mark.parametrize(
    ("output", "container"),
    [("pandas", pandas.DataFrame), ("polars", polars.DataFrame)],
)
def test_set_output_gives_data_frames(any_fitted, rows, output, container):
    Z = copy.deepcopy(any_fitted).set_output(transform=output).transform(rows)
    assert isinstance(Z, container)
    assert list(Z.columns) == list(any_fitted.get_feature_names_out())
    np.testing.assert_array_equal(Z.to_numpy(), any_fitted.transform(rows))


def test_transform_and_inverse_transform_give_float32_of_the_right_shape(
    fitted, digits
):
    Z = fitted.transform(digits)
    X = fitted.inverse_transform(Z)
    assert (Z.shape, Z.dtype) == ((300, 3), np.float32)
    assert (X.shape, X.dtype) == ((300, 64), np.float32)
    np.testing.assert_array_equal(fitted.reconstruct(digits), X)


def test_fit_transform_is_fit_and_transform(any_small, any_fitted, rows):
    Z = any_small.fit_transform(rows)
    np.testing.assert_array_equal(Z, any_fitted.transform(rows))


def through_pickle(estimator, tmp_path):
    return pickle.loads(pickle.dumps(estimator))


def through_joblib(estimator, tmp_path):
    joblib.dump(estimator, tmp_path / "estimator.joblib")
    return joblib.load(tmp_path / "estimator.joblib")


def through_deepcopy(estimator, tmp_path):
    return copy.deepcopy(estimator)


COPIES = [through_pickle, through_joblib, through_deepcopy]


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_gives_the_same_numbers(any_fitted, rows, way, tmp_path):
    other = way(any_fitted, tmp_path)
    np.testing.assert_array_equal(other.transform(rows), any_fitted.transform(rows))
    assert other.history_ == any_fitted.history_


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_gives_the_same_reconstructions(fitted, digits, way, tmp_path):
    other = way(fitted, tmp_path)
    np.testing.assert_array_equal(other.reconstruct(digits), fitted.reconstruct(digits))
    assert other.score(digits) == fitted.score(digits)


@pytest.mark.parametrize("way", COPIES)
def test_a_copy_before_fit_stays_unfitted(any_small, rows, way, tmp_path):
    other = way(any_small, tmp_path)
    assert repr(other.get_params()) == repr(any_small.get_params())
    with pytest.raises(NotFittedError):
        other.transform(rows)
    other.fit(rows)


def test_clone_keeps_parameters_and_no_fit(any_kind, any_fitted):
    other = clone(any_fitted)
    assert type(other) is any_kind
    assert repr(other.get_params()) == repr(any_fitted.get_params())
    assert [name for name in vars(other) if name.endswith("_")] == []


@pytest.mark.parametrize(
    "name",
    [
        "inverse_transform",
        "reconstruct",
        "score",
        "score_samples",
        "reconstruction_error",
    ],
)
def test_methods_before_fit_raise_not_fitted_error(small, digits, name):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(small, name)(digits)


def test_transform_before_fit_raises_not_fitted_error(any_small, rows):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        any_small.transform(rows)


def test_models_are_missing_before_fit(small):
    for name in ("encoder_", "decoder_", "autoencoder_"):
        assert not hasattr(small, name)


def test_random_state_gives_the_same_bits_in_a_refit_and_a_clone(any_small, rows):
    Z = any_small.fit_transform(rows)
    np.testing.assert_array_equal(any_small.fit_transform(rows), Z)
    np.testing.assert_array_equal(clone(any_small).fit_transform(rows), Z)


def test_random_state_gives_the_same_bits_with_early_stopping(small, digits):
    small.set_params(early_stopping=True)
    Z = small.fit_transform(digits)
    np.testing.assert_array_equal(small.fit_transform(digits), Z)
    np.testing.assert_array_equal(clone(small).fit_transform(digits), Z)
    small.set_params(early_stopping=False)
    Z = small.fit_transform(digits)
    assert not np.allclose(small.set_params(random_state=1).fit_transform(digits), Z)


def test_fit_does_not_depend_on_the_order_of_the_rows(small, digits):
    order = np.random.default_rng(0).permutation(len(digits))
    small.set_params(early_stopping=True)
    Z = small.fit(digits).transform(digits)
    np.testing.assert_array_equal(small.fit(digits[order]).transform(digits), Z)


def test_sample_weight_of_whole_numbers_repeats_rows(small, digits):
    weight = np.random.default_rng(0).integers(0, 4, len(digits))
    weighted = small.fit(digits, sample_weight=weight)
    Z, mean = weighted.transform(digits), weighted.mean_
    repeated = small.fit(np.repeat(digits, weight, axis=0))
    np.testing.assert_array_equal(repeated.transform(digits), Z)
    np.testing.assert_allclose(repeated.mean_, mean)


def test_fit_draws_nothing_from_global_generators(any_small, rows):
    with assert_draws_nothing_global():
        for random_state in (0, None):
            any_small.set_params(random_state=random_state).fit(rows)


class Interrupts(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise KeyboardInterrupt


def test_fit_that_fails_leaves_a_fitted_estimator_as_it_was(fitted, digits, frame):
    estimator = copy.deepcopy(fitted).set_params(callbacks=[Interrupts()])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(frame.iloc[:, :10])
    assert not hasattr(estimator, "feature_names_in_")
    assert estimator.n_features_in_ == 64
    np.testing.assert_array_equal(estimator.transform(digits), fitted.transform(digits))


def test_fit_that_fails_leaves_a_new_estimator_as_it_was(small, frame):
    with pytest.raises(KeyboardInterrupt):
        small.set_params(callbacks=[Interrupts()]).fit(frame)
    assert [name for name in vars(small) if name.endswith("_")] == []


def test_keras_models_give_the_same_numbers(fitted, digits):
    Z = fitted.transform(digits)
    X = fitted.inverse_transform(Z)
    for model, given, wanted in (
        (fitted.encoder_, digits, Z),
        (fitted.decoder_, Z, X),
        (fitted.autoencoder_, digits, X),
    ):
        assert isinstance(model, keras.Model)
        predicted = model.predict(given, verbose=0)
        np.testing.assert_allclose(predicted, wanted, rtol=1e-5, atol=1e-5)


def test_a_change_of_encoder_leaves_the_estimator_alone(fitted, digits):
    before = fitted.transform(digits)
    encoder = fitted.encoder_
    encoder.set_weights([0 * w for w in encoder.get_weights()])
    np.testing.assert_array_equal(fitted.transform(digits), before)
