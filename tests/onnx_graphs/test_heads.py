"""EncoderClassifier and EncoderRegressor as ONNX graphs."""

import numpy as np
import pytest
from conversion import assert_equal_within_1e5, convert, outputs_of
from helpers import make_autoencoder
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import EncoderClassifier, EncoderRegressor


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return X, y


def classifier(**params):
    autoencoder = make_autoencoder(init="random", epochs=30)
    return EncoderClassifier(autoencoder, epochs=30, random_state=0, **params)


def regressor(**params):
    autoencoder = make_autoencoder(init="random", epochs=30)
    return EncoderRegressor(autoencoder, epochs=30, random_state=0, **params)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("names", [np.arange(3), np.array(["one", "two", "three"])])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (8,)])
def test_labels_and_probabilities_in_a_pipeline(wine, names, dtype, hidden_layer_sizes):
    X, y = wine[0].astype(dtype), names[wine[1]]
    head = classifier(hidden_layer_sizes=hidden_layer_sizes)
    pipeline = make_pipeline(StandardScaler(), head).fit(X, y)
    found = outputs_of(pipeline, X)
    assert list(found) == ["label", "probabilities"]
    np.testing.assert_array_equal(found["label"], pipeline.predict(X))
    assert found["probabilities"].dtype == dtype
    assert_equal_within_1e5(found["probabilities"], pipeline.predict_proba(X))


def test_several_labels_of_a_row(wine):
    X, y = StandardScaler().fit_transform(wine[0]), wine[1]
    head = classifier().fit(X, np.stack([y == 0, y < 2], axis=1).astype(int))
    found = outputs_of(head, X)
    np.testing.assert_array_equal(found["label"], head.predict(X))
    assert_equal_within_1e5(found["probabilities"], head.predict_proba(X))


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_predictions_of_a_regressor(wine, n_outputs):
    X = StandardScaler().fit_transform(wine[0])
    y = 1e6 + wine[0][:, :n_outputs]
    head = regressor().fit(X, y.ravel() if n_outputs == 1 else y)
    found = outputs_of(head, X)["variable"]
    predicted = head.predict(X).reshape(found.shape)
    assert_equal_within_1e5(found - 1e6, predicted - 1e6)


def test_several_outputs_of_more_classes_are_refused(wine):
    X, y = wine
    head = classifier().fit(X, np.stack([y, y], axis=1))
    with pytest.raises(NotImplementedError, match="several outputs"):
        convert(head, X)


def test_classes_that_are_floats_are_refused(wine):
    X, y = wine
    head = classifier().fit(X, y.astype(float))
    with pytest.raises(NotImplementedError, match="LabelEncoder"):
        convert(head, X)
