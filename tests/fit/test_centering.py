"""Rows are centred before they are cut to float32."""

import warnings

import keras
import numpy as np
import pandas
import polars
import pytest
import scipy.sparse as sp
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    VariationalAutoencoder,
    denoising_scorer,
)

IRIS = load_iris().data


@pytest.mark.parametrize("offset", [1e6, 1e8, 1e12])
def test_score_with_an_offset_is_at_least_that_of_pca(offset, engine):
    X = IRIS + offset
    train, test = X[::2], X[1::2]
    pca = PCA(2).fit(train - offset)
    by_pca = pca.inverse_transform(pca.transform(test - offset)) + offset
    estimator = AutoencoderTransformer(2, epochs=5, random_state=0, **engine).fit(train)
    error = np.mean((estimator.reconstruct(test) - test) ** 2)
    assert error <= 1.02 * np.mean((by_pca - test) ** 2)
    assert estimator.score(test) == pytest.approx(
        1 - error / np.mean((test - train.mean(axis=0)) ** 2), abs=1e-3
    )


@pytest.mark.parametrize(
    "estimator",
    [
        AutoencoderTransformer(2, init="random"),
        AutoencoderTransformer(2, tied_weights=True),
        AutoencoderTransformer(2, loss="mean_absolute_error"),
        AutoencoderTransformer(8, code_activation="elu"),
        DenoisingAutoencoder(2),
        VariationalAutoencoder(2),
    ],
    ids=str,
)
def test_centering_gives_the_same_score_for_an_offset(estimator):
    estimator.set_params(epochs=200, random_state=0)
    scores = [
        estimator.fit(IRIS + offset).score(IRIS + offset) for offset in (0, 10, 2.0**23)
    ]
    np.testing.assert_allclose(scores, scores[0], atol=0.02)
    assert min(scores) > 0.9


def test_transform_tells_large_consecutive_numbers_apart():
    ids = (2**24 + np.arange(200))[:, None]
    estimator = AutoencoderTransformer(1, epochs=5, random_state=0).fit(ids)
    assert len(np.unique(estimator.transform(ids))) == 200
    np.testing.assert_allclose(estimator.reconstruct(ids), ids, atol=0.01)


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
@pytest.mark.parametrize("output", ["linear", "sigmoid"])
def test_inverse_transform_through_a_scaler_keeps_seconds(scaler, output):
    seconds = 1.7e9 + 1000 * np.random.default_rng(0).random((100, 2))
    pipeline = make_pipeline(
        scaler, AutoencoderTransformer(2, output_activation="linear", epochs=5)
    ).fit(seconds)
    pipeline[-1].set_params(output_activation=output)
    back = pipeline.inverse_transform(pipeline.transform(seconds))
    assert back.dtype == np.float64
    np.testing.assert_allclose(back, seconds, atol=1)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float32, np.float32),
        (np.float16, np.float32),
        (np.uint8, np.float32),
        (np.float64, np.float64),
        (np.int64, np.float64),
    ],
)
@pytest.mark.parametrize("output", ["linear", "sigmoid"])
def test_inverse_transform_returns_floats_that_hold_the_values(given, kept, output):
    X = np.random.default_rng(0).integers(0, 2, (50, 6)).astype(given)
    estimator = AutoencoderTransformer(2, output_activation=output, epochs=1).fit(X)
    codes = estimator.transform(X)
    assert codes.dtype == np.float32
    assert estimator.reconstruct(X).dtype == kept
    assert estimator.inverse_transform(codes).dtype == kept
    assert estimator.reconstruct(X.astype(np.float64)).dtype == kept
    assert estimator.score_samples(X).dtype == np.float64


def test_reconstruct_of_a_float32_data_frame_is_float32():
    frame = pandas.DataFrame(IRIS.astype(np.float32))
    estimator = AutoencoderTransformer(2, epochs=1).fit(frame.to_numpy())
    assert estimator.fit(frame).reconstruct(frame).dtype == np.float32
    assert estimator.fit(frame.astype(float)).reconstruct(frame).dtype == np.float64


def test_warning_names_columns_that_float32_cannot_resolve():
    frame = pandas.DataFrame(IRIS, columns=["a", "b", "c", "d"]).astype(np.float32)
    frame["c"] = (frame["c"] + 1e7).astype(np.float32)
    with pytest.warns(
        UserWarning, match=r"cannot resolve .* 1 feature\(s\).*: c\. Giv"
    ):
        AutoencoderTransformer(2, epochs=1).fit(frame)


def test_warning_of_rounding_if_rows_are_not_centred():
    X = IRIS + 1e7
    pair = AutoencoderTransformer(2, epochs=1).fit(IRIS)
    pair = pair.encoder_, pair.decoder_
    with pytest.warns(UserWarning, match=r"cannot resolve.*x0, x1, x2, x3\. Subtract"):
        AutoencoderTransformer(2, network=pair, epochs=1).fit(X)


def test_fit_transform_warnings_name_the_line_of_the_caller():
    X = IRIS.astype(np.float32) + np.float32(1e7)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make_pipeline(AutoencoderTransformer(2, epochs=1)).fit_transform(X)
    assert [warning.filename for warning in caught] == [__file__]


def test_sparse_rows_far_from_zero_have_the_results_of_dense_ones():
    X = IRIS.astype(np.float32) + 50
    dense = AutoencoderTransformer(2, init="random", epochs=5, random_state=0).fit(X)
    sparse = AutoencoderTransformer(2, init="random", epochs=5, random_state=0)
    sparse.fit(sp.csr_array(X))
    np.testing.assert_allclose(sparse.transform(X), dense.transform(X), atol=1e-4)
    np.testing.assert_allclose(
        dense.transform(sp.csr_array(X)), dense.transform(X), atol=1e-3
    )


def test_centering_of_a_conv_network_or_a_warning(digits):
    images = digits.reshape(-1, 8, 8) + 100
    settings = {"epochs": 60, "random_state": 0, "learning_rate": 0.01}
    network = ConvNetwork((8, 8, 1), filters=(8,))
    estimator = AutoencoderTransformer(8, network=network, **settings).fit(images)
    assert estimator.score(images) > 0.3
    network = ConvNetwork((8, 8, 1), filters=(8,), output_activation="relu")
    with pytest.warns(UserWarning, match="far from zero.*StandardScaler"):
        AutoencoderTransformer(8, network=network, epochs=1).fit(images)


def test_centering_of_a_large_constant_column():
    X = np.c_[IRIS, np.full(150, 1e6)]
    for kind in (AutoencoderTransformer, VariationalAutoencoder):
        estimator = kind(2, epochs=200, random_state=0).fit(X)
        assert estimator.score(X) > 0.9
        np.testing.assert_array_equal(estimator.reconstruct(X)[:, 4], 1e6)


@pytest.mark.filterwarnings("ignore:.*components of the code do not vary")
def test_code_activation_relu_is_not_dead_far_from_zero():
    X = load_iris().data / 10 + 100
    estimator = AutoencoderTransformer(
        8,
        hidden_layer_sizes=(),
        code_activation="relu",
        epochs=300,
        random_state=0,
    ).fit(X)
    assert estimator.score(X) > 0.9


@pytest.mark.parametrize("output", ["relu", "softplus"])
def test_output_activation_relu_centres_the_first_layer(output):
    X = IRIS + 30
    estimator = AutoencoderTransformer(
        2, output_activation=output, epochs=1, learning_rate=1e-30, random_state=0
    ).fit(X)
    encoder = estimator.encoder_
    hidden = keras.Model(encoder.input, encoder.layers[1].output)
    active = (hidden.predict(X, verbose=0) > 0).mean(axis=0)
    assert np.mean((active > 0) & (active < 1)) > 0.9


@pytest.mark.parametrize(
    "kind", [AutoencoderTransformer, DenoisingAutoencoder, VariationalAutoencoder]
)
@pytest.mark.parametrize("value", [1.0, 0.1, 1e9])
def test_reconstruct_of_data_without_variance_is_exact(kind, value):
    X = np.tile([value, 2 * value, 3 * value], (9, 1))
    estimator = kind(2, random_state=0).fit(X)
    np.testing.assert_array_equal(estimator.reconstruct(X), X)
    assert estimator.score(X) == 1


def test_score_of_copies_of_the_mean_is_1():
    for X in (IRIS, StandardScaler().fit_transform(IRIS), IRIS.astype(np.float32)):
        estimator = AutoencoderTransformer(
            2, epochs=1, learning_rate=1e-30, early_stopping=False, random_state=0
        ).fit(X)
        mean = np.tile(X.mean(axis=0), (3, 1))
        assert estimator.score(mean) == 1


UNTRAINED = {"init": "random", "epochs": 1, "learning_rate": 1e-30, "random_state": 0}


@pytest.mark.parametrize(
    "X",
    [
        np.c_[IRIS, np.full(150, 1e6)].astype(np.float32),
        np.c_[IRIS * 10, np.full(150, 1.7e18)],
        IRIS + 1e9,
    ],
)
def test_score_is_not_hidden_by_a_large_constant(X):
    estimator = AutoencoderTransformer(1, **UNTRAINED).fit(X)
    assert estimator.score(X) < 0.1


@pytest.mark.parametrize("n_features", [4, 1200])
def test_score_of_sparse_rows_far_from_zero_keeps_digits(n_features):
    X = np.random.default_rng(0).normal(size=(60, n_features)) + 1e8
    sparse = sp.csr_array(X)
    settings = {"epochs": 1, "learning_rate": 1e-30, "early_stopping": False}
    dense = AutoencoderTransformer(2, random_state=0, **settings).fit(X)
    estimator = AutoencoderTransformer(2, random_state=0, **settings).fit(sparse)
    assert estimator.score(sparse) == pytest.approx(dense.score(X), abs=1e-3)
    np.testing.assert_array_equal(dense.transform(sparse), dense.transform(X))


@pytest.mark.parametrize(
    "noise",
    [
        "gaussian",
        "masking",
        "salt_and_pepper",
        "swap",
        lambda X, rng: X + rng.normal(scale=0.1, size=X.shape),
    ],
)
def test_clip_keeps_the_digits_of_rows_far_from_zero(noise):
    scores = [
        DenoisingAutoencoder(
            2, clip=True, noise=noise, noise_level=0.1, epochs=60, random_state=0
        )
        .fit(IRIS + offset)
        .score(IRIS + offset)
        for offset in (0, 1e8)
    ]
    assert scores[1] == pytest.approx(scores[0], abs=0.02)


def test_denoising_scorer_keeps_the_digits_of_rows_far_from_zero():
    scorer = denoising_scorer(noise_level=0.1)
    untrained = AutoencoderTransformer(2, **UNTRAINED).fit(IRIS + 1e7)
    assert scorer(untrained, IRIS + 1e7) < 0.1


def test_x_clean_sets_the_dtype_of_reconstructions():
    X = IRIS.astype(np.float32)
    estimator = DenoisingAutoencoder(3, epochs=3, random_state=0)
    cleaned = estimator.fit(X, X_clean=IRIS + 1e8).reconstruct(X)
    assert cleaned.dtype == np.float64
    np.testing.assert_allclose(cleaned, IRIS + 1e8, atol=1, rtol=0)


@pytest.mark.parametrize("frame", [pandas.DataFrame, polars.DataFrame])
@pytest.mark.parametrize("kind", ["float32", "uint8", "int16", "bool", "int64"])
def test_reconstruct_of_data_frames_has_the_dtype_of_arrays(frame, kind):
    X = frame(IRIS.astype(kind))
    estimator = AutoencoderTransformer(2, epochs=1).fit(X)
    expected = np.float64 if kind == "int64" else np.float32
    assert estimator.reconstruct(X).dtype == expected


@pytest.mark.parametrize("scale", [1e-10, 1e-20])
def test_fit_that_ends_far_above_pca_has_diverged(scale):
    X = (IRIS - IRIS.mean(axis=0)) * scale
    estimator = AutoencoderTransformer(
        2, learning_rate=0.001, early_stopping=False, epochs=50, random_state=0
    )
    with pytest.raises(ValueError, match=r"diverged.*1e\+09 times the variance"):
        estimator.fit(X)
    assert not hasattr(estimator, "n_features_in_")


def test_fit_names_a_column_of_dates():
    frame = pandas.DataFrame(IRIS, columns=list("abcd"))
    frame["when"] = pandas.date_range("2020", periods=150)
    with pytest.raises(ValueError, match="dates or times in column 'when'"):
        AutoencoderTransformer(2).fit(frame)
