"""Columns that encode categories are reconstructed as probabilities."""

import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from helpers import make_autoencoder
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skautoenc import AutoencoderTransformer, ConvNetwork, DenoisingAutoencoder
from skautoenc.noise import NOISES, swap

GROUPS = [[4, 5, 6], [7, 8]]


@pytest.fixture(scope="module")
def frame():
    """Four numbers of wines, their cultivar, and whether the alcohol is above 13 %."""
    wine = load_wine(as_frame=True)
    frame = wine.data[["alcohol", "flavanoids", "color_intensity", "hue"]]
    return frame.assign(
        cultivar=np.array(["Barolo", "Grignolino", "Barbera"])[wine.target],
        strength=np.where(frame["alcohol"] > 13, "strong", "light"),
    )


@pytest.fixture(scope="module")
def encode(frame):
    """A transformer of the frame; its groups of columns are GROUPS."""
    return make_column_transformer(
        (StandardScaler(), ["alcohol", "flavanoids", "color_intensity", "hue"]),
        (OneHotEncoder(sparse_output=False), ["cultivar", "strength"]),
    ).fit(frame)


@pytest.fixture(scope="module")
def X(frame, encode):
    return encode.transform(frame)


@pytest.fixture(scope="module")
def fitted(X):
    """A fitted autoencoder, not to be changed."""
    return make_autoencoder(one_hot_groups=GROUPS, epochs=60).fit(X)


def assert_probabilities(rows):
    for group in GROUPS:
        assert (rows[:, group] >= 0).all()
        np.testing.assert_allclose(rows[:, group].sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("groups", [GROUPS, "auto"])
@pytest.mark.parametrize("kind", [AutoencoderTransformer, DenoisingAutoencoder])
def test_inverse_transform_gives_probabilities_of_each_group(X, kind, groups):
    autoencoder = make_autoencoder(kind, one_hot_groups=groups).fit(X)
    assert autoencoder.one_hot_groups_ == GROUPS
    rows = autoencoder.inverse_transform(np.zeros((5, 3)))
    assert_probabilities(rows)
    assert_probabilities(autoencoder.reconstruct(X[:1]))


def test_one_hot_groups_of_a_fit_with_any_engine_restore_categories(X, engine):
    autoencoder = make_autoencoder(
        one_hot_groups=GROUPS, epochs=60, early_stopping=False, **engine
    ).fit(X)
    losses = autoencoder.history_["loss"]
    assert losses[-1] < 0.7 * losses[0]
    restored = autoencoder.reconstruct(X)
    pca = PCA(3).fit(X)
    of_pca = pca.inverse_transform(pca.transform(X))
    numbers = slice(0, 4)
    assert np.square(restored - X)[:, numbers].mean() < (
        np.square(of_pca - X)[:, numbers].mean()
    )
    for group in GROUPS:
        is_right = restored[:, group].argmax(axis=1) == X[:, group].argmax(axis=1)
        assert is_right.mean() > 0.95


def test_one_hot_groups_start_close_to_pca(X):
    one_epoch = make_autoencoder(
        one_hot_groups=GROUPS, learning_rate=1e-9, epochs=1, early_stopping=False
    ).fit(X)
    pca = PCA(3).fit(X)
    of_pca = pca.inverse_transform(pca.transform(X))
    restored = one_epoch.reconstruct(X)
    np.testing.assert_allclose(restored[:, :4], of_pca[:, :4], atol=1e-4)
    # The softmax of one-hot rows is close to them, as it is not linear.
    correlation = np.corrcoef(restored[:, 4:].ravel(), of_pca[:, 4:].ravel())[0, 1]
    assert correlation > 0.95


def test_one_hot_groups_are_equal_in_keras_models_and_pickles(X, fitted, tmp_path):
    restored = fitted.reconstruct(X)
    copied = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(copied.reconstruct(X), restored)
    fitted.decoder_.save(tmp_path / "decoder.keras")
    decoder = keras.saving.load_model(tmp_path / "decoder.keras")
    np.testing.assert_allclose(
        decoder(fitted.transform(X)), restored, rtol=1e-5, atol=1e-5
    )


def test_one_hot_groups_give_the_same_fit_for_sparse_rows(X):
    autoencoder = make_autoencoder(one_hot_groups="auto", epochs=5)
    dense = clone(autoencoder).fit(X).reconstruct(X)
    sparse = clone(autoencoder).fit(csr_matrix(X)).reconstruct(X)
    np.testing.assert_allclose(sparse, dense, atol=1e-5)


def test_one_hot_groups_in_a_pipeline_give_back_the_categories(frame, encode):
    pipeline = make_pipeline(
        clone(encode), make_autoencoder(one_hot_groups="auto", epochs=60)
    )
    codes = pipeline.fit_transform(frame)
    rows = pipeline[-1].inverse_transform(codes)
    fitted = pipeline[0].named_transformers_
    restored = pd.DataFrame(
        fitted["onehotencoder"].inverse_transform(rows[:, 4:]),
        columns=["cultivar", "strength"],
    )
    assert restored.notna().all(axis=None)
    assert (restored["cultivar"] == frame["cultivar"]).mean() > 0.95
    alcohol = fitted["standardscaler"].inverse_transform(rows[:, :4])[:, 0]
    assert np.corrcoef(alcohol, frame["alcohol"])[0, 1] > 0.9


def test_callbacks_see_the_probabilities_of_one_hot_groups(X):
    seen = []

    class Predict(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            seen.append(self.model.predict(X[:20], verbose=0))

    make_autoencoder(one_hot_groups=GROUPS, callbacks=[Predict()]).fit(X)
    assert_probabilities(seen[0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": "mean_absolute_error"}, "one_hot_groups and loss="),
        ({"output_activation": "sigmoid"}, "one_hot_groups and output_activation="),
        ({"one_hot_groups": [["cultivar", "hue"]]}, "one_hot_groups must be a list"),
        ({"one_hot_groups": [4, 5]}, "one_hot_groups must be a list"),
        ({"one_hot_groups": [[0, 1]]}, r"one_hot_groups\[0\] is not a group"),
        ({"one_hot_groups": [[4, 5, 60]]}, "has the column 60"),
    ],
)
def test_one_hot_groups_that_do_not_fit_are_refused(X, fitted, params, message):
    before = fitted.reconstruct(X)
    autoencoder = clone(fitted).set_params(**params)
    with pytest.raises(ValueError, match=message):
        autoencoder.fit(X)
    assert not hasattr(autoencoder, "n_components_")
    np.testing.assert_array_equal(fitted.reconstruct(X), before)


def test_one_hot_groups_are_checked_in_x_val_and_x_clean(X):
    wrong = X.copy()
    wrong[3, 5] += 1
    autoencoder = make_autoencoder(one_hot_groups=GROUPS)
    with pytest.raises(ValueError, match="in row 3 of X_val"):
        autoencoder.fit(X, X_val=wrong)
    denoiser = make_autoencoder(DenoisingAutoencoder, one_hot_groups=GROUPS)
    with pytest.raises(ValueError, match="in row 3 of X_clean"):
        denoiser.fit(X, X_clean=wrong)
    noisy = X + np.random.default_rng(0).normal(size=X.shape)
    assert_probabilities(denoiser.fit(noisy, X_clean=X).reconstruct(noisy))


def test_swap_noise_keeps_one_hot_groups_valid(X, monkeypatch):
    seen = []

    def record(*args, **kwargs):
        corrupted = swap(*args, **kwargs)
        seen.append(corrupted.copy())
        return corrupted

    monkeypatch.setitem(NOISES, "swap", NOISES["swap"]._replace(function=record))
    params = {"noise": "swap", "noise_level": 0.5, "one_hot_groups": "auto"}
    make_autoencoder(DenoisingAutoencoder, **params).fit(X)
    for rows in seen:
        assert_probabilities(rows)


def test_one_hot_groups_auto_warns_if_there_are_no_groups(X):
    autoencoder = make_autoencoder(one_hot_groups="auto")
    with pytest.warns(UserWarning, match="one_hot_groups='auto' has found no groups"):
        autoencoder.fit(X[:, :4])
    assert autoencoder.one_hot_groups_ == []


def test_partial_fit_refuses_one_hot_groups(X):
    with pytest.raises(ValueError, match="partial_fit does not support one_hot_groups"):
        make_autoencoder(one_hot_groups=GROUPS).partial_fit(X)


def test_one_hot_groups_and_given_models_are_refused():
    encoder = keras.Sequential([keras.Input((9,)), keras.layers.Dense(2)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(9)])
    with pytest.raises(ValueError, match="one_hot_groups and network="):
        AutoencoderTransformer.from_keras(encoder, decoder, one_hot_groups=GROUPS)


def test_warm_start_continues_with_one_hot_groups(X):
    autoencoder = make_autoencoder(one_hot_groups=GROUPS, warm_start=True).fit(X)
    before = autoencoder.history_["loss"][0]
    autoencoder.fit(X)
    assert autoencoder.history_["loss"][0] < before
    assert_probabilities(autoencoder.reconstruct(X))


def test_one_hot_groups_work_with_convolutions():
    """Each image has exactly one white pixel in its first row."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(60, 8, 8)).astype(np.float32)
    images[:, 0] = np.eye(8)[rng.integers(8, size=60)]
    autoencoder = AutoencoderTransformer(
        2,
        network=ConvNetwork((8, 8, 1), filters=(2,)),
        one_hot_groups=[range(8)],
        epochs=2,
        random_state=0,
    ).fit(images)
    first = autoencoder.reconstruct(images)[:, 0]
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-5)
