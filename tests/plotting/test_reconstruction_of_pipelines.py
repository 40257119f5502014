"""Tests of ReconstructionDisplay: names, units and shapes of pipelines and frames."""

import numpy as np
import pandas as pd
import pytest
from drawing import QUICK, drawn, texts
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from skautoenc import AutoencoderTransformer, ConvNetwork
from skautoenc.plotting import ReconstructionDisplay


def test_errors_of_a_table_equal_score_samples_of_standardized_rows():
    X = load_wine().data * np.logspace(-6, 6, 13)
    autoencoder = AutoencoderTransformer(3, **QUICK)
    pipeline = make_pipeline(StandardScaler(), autoencoder).fit(X)
    display = ReconstructionDisplay.from_estimator(pipeline, X, n_rows=len(X))
    scores = autoencoder.score_samples(pipeline[0].transform(X))
    np.testing.assert_allclose(display.errors_, -scores, rtol=1e-3)


@pytest.mark.parametrize("scaler", [StandardScaler(), MaxAbsScaler()])
def test_kind_table_does_not_depend_on_the_units_of_columns(scaler):
    X = load_iris().data
    tables = []
    for rows in X, X * [1e3, 1, 1e-3, 1e-9]:
        reducer = make_pipeline(scaler, PCA(2)).fit(rows)
        display = ReconstructionDisplay.from_estimator(reducer, rows)
        tables.append(display.ax_.images[0].get_array())
    np.testing.assert_allclose(*tables, rtol=1e-6)


@pytest.mark.parametrize("form", [np.array, csr_array, pd.DataFrame, list])
def test_variances_are_those_of_all_rows_and_1_for_constant_features(form):
    X = np.random.default_rng(0).normal(size=(50, 4)) * [1, 5, 0, 1e-3] + [0, 0, 0.1, 0]
    given = [list(row) for row in X] if form is list else form(X)
    scaler = StandardScaler(with_mean=False).fit(given)
    display = ReconstructionDisplay.from_estimator(scaler, given, n_rows=3)
    expected = [*X[:, :2].var(axis=0), 1, X[:, 3].var()]
    np.testing.assert_allclose(display.variances, expected)


def test_row_names_are_the_index_of_a_data_frame():
    X = load_wine(as_frame=True).data
    X.index = [f"bottle {i}" for i in range(len(X))]
    pca = PCA(3).fit(X)
    ax = ReconstructionDisplay.from_estimator(pca, X).ax_
    names = list(X.index[:8])
    assert texts(ax.get_yticklabels()) == names
    display = drawn(ReconstructionDisplay.from_estimator(pca, X, kind="signal"))
    titles = [panel.get_title("left").split(":")[0] for panel in display.axes_]
    assert titles == [f"row {name}" for name in names]
    frame = display.frame()
    assert frame["row"].unique().tolist() == names
    assert frame["feature"].unique().tolist() == list(X.columns)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (pd.date_range("2024-01-30", periods=300), ["2024-01-30", "2024-01-31"]),
        (np.arange(300) / 4, ["0.0", "0.25"]),
        (pd.MultiIndex.from_product([["a", "b"], range(150)]), ["a, 0", "a, 1"]),
    ],
)
def test_row_names_may_be_dates_floats_or_a_multi_index(digits, index, expected):
    X = pd.DataFrame(digits, index=index).rename(columns=str)
    pca = PCA(3).fit(X)
    display = ReconstructionDisplay.from_estimator(pca, X, kind="table", n_rows=2)
    np.testing.assert_array_equal(display.originals, digits[:2])
    assert texts(display.ax_.get_yticklabels()) == expected
    images = drawn(
        ReconstructionDisplay.from_estimator(pca, X, image_shape=(8, 8), n_rows=2)
    )
    assert [panel.get_title() for panel in images.axes_[0]] == expected


def on_images(**network):
    return AutoencoderTransformer(2, batch_size=64, epochs=1, random_state=0, **network)


def test_image_shape_is_that_of_the_network(digits):
    autoencoder = on_images(network=ConvNetwork((8, 8, 1), filters=(2,))).fit(digits)
    pipeline = make_pipeline(MaxAbsScaler(), clone(autoencoder)).fit(digits)
    search = GridSearchCV(pipeline, {"autoencodertransformer__n_components": [2]}, cv=2)
    for estimator in autoencoder, pipeline, search.fit(digits):
        display = ReconstructionDisplay.from_estimator(
            estimator, digits, show_codes=True
        )
        assert display.originals.shape == (8, 8, 8, 1)
        assert display.axes_.shape == (3, 8)


def test_image_shape_is_that_of_images_passed_to_fit(digits):
    autoencoder = on_images().fit(digits.reshape(-1, 8, 8))
    display = ReconstructionDisplay.from_estimator(autoencoder, digits)
    assert display.originals.shape == (8, 8, 8)


def test_kind_auto_is_signal_for_a_network_of_signals(digits):
    network = ConvNetwork((64, 1), filters=(2,))
    autoencoder = on_images(network=network).fit(digits)
    for X in digits, digits[:, :, np.newaxis]:
        display = ReconstructionDisplay.from_estimator(autoencoder, X)
        assert display.axes_.shape == (8,)


def test_kind_and_image_shape_override_those_of_the_network(digits):
    autoencoder = on_images(network=ConvNetwork((8, 8, 1), filters=(2,))).fit(digits)
    display = ReconstructionDisplay.from_estimator(autoencoder, digits, kind="table")
    assert display.ax_.images[0].get_array().shape == (8, 64)
    display = ReconstructionDisplay.from_estimator(
        autoencoder, digits, image_shape=(4, 16)
    )
    assert display.originals.shape == (8, 4, 16)


def test_image_shape_of_a_network_is_ignored_for_another_number_of_features(digits):
    autoencoder = on_images(network=ConvNetwork((4, 4, 1), filters=(2,)))
    pipeline = make_pipeline(PCA(16), autoencoder).fit(digits)
    display = ReconstructionDisplay.from_estimator(pipeline, digits)
    assert display.axes_.shape == (8,)
