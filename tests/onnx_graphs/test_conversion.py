"""What other estimators than autoencoders use: labels, and options of classifiers."""

from typing import ClassVar

import numpy as np
import pytest
import skl2onnx
from conversion import assert_equal_within_1e5, convert, evaluate, outputs_of
from helpers import make_autoencoder
from skl2onnx.common.data_types import FloatTensorType
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderTransformer
from skautoenc._estimators.onnx import OnnxMixin
from skautoenc._onnx.conversion import Output
from skautoenc._onnx.network import add_network


class LargestComponent(OnnxMixin, ClassifierMixin, BaseEstimator):
    """A classifier: the component of the code that is the largest."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.autoencoder_ = make_autoencoder(n_components=len(self.classes_)).fit(X)
        return self

    def predict(self, X):
        return self.classes_[self.autoencoder_.transform(X).argmax(axis=1)]

    def _onnx_conversion(self):
        return LargestComponentConversion(self)


class LargestComponentConversion:
    # Pipelines of skl2onnx set the option "zipmap" of each classifier.
    options: ClassVar = {"zipmap": [True, False]}
    defaults: ClassVar = {}

    def __init__(self, estimator):
        self.estimator = estimator

    def n_columns(self, options):
        return self.estimator.autoencoder_.n_features_in_

    def outputs(self, options, given):
        classes = self.estimator.classes_
        dtype = np.str_ if classes.dtype.kind == "U" else np.int64
        return [
            Output("label", dtype, ()),
            Output("scores", given.dtype, (len(classes),)),
        ]

    def add(self, nodes, options, rows):
        scores = add_network(nodes, self.estimator.autoencoder_._encoder, rows)
        return [nodes.labels(scores, self.estimator.classes_), scores]


@pytest.mark.parametrize("names", [np.arange(3), np.array(["one", "two", "three"])])
def test_a_classifier_with_labels_in_a_pipeline(names):
    X, y = load_wine(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), LargestComponent()).fit(X, names[y])
    for options in (None, {"zipmap": False}):
        found = outputs_of(pipeline, X, options=options)
        np.testing.assert_array_equal(found["label"], pipeline.predict(X))
        assert found["scores"].shape == (len(X), 3)


def test_an_unknown_number_of_columns(fitted, digits):
    types = [("X", FloatTensorType([None, None]))]
    outputs = {"outputs": ["transform", "reconstruct"]}
    graph = skl2onnx.to_onnx(fitted, initial_types=types, options=outputs)
    found = evaluate(graph, digits)
    assert_equal_within_1e5(found["transform"], fitted.transform(digits))
    assert_equal_within_1e5(found["reconstruct"], fitted.reconstruct(digits))


def test_a_second_conversion_is_equal(digits):
    class Mine(AutoencoderTransformer):
        pass

    estimator = make_autoencoder(Mine).fit(digits)
    first, second = (convert(estimator, digits) for _ in range(2))
    assert first == second
