"""Converted estimators and pipelines, evaluated by onnxruntime."""

import sys

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from conversion import assert_equal_within_1e5, convert, outputs_of
from helpers import make_autoencoder, run_python
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from skautoenc import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    DenseNetwork,
    VariationalAutoencoder,
)

METHODS = ["transform", "reconstruct", "reconstruction_error", "score_samples"]
TYPES = [np.float32, np.float64]


def assert_all_methods_agree(estimator, X):
    """Assert that the graphs of an autoencoder give what its methods return."""
    found = outputs_of(estimator, X, options={"outputs": METHODS})
    for name in METHODS:
        assert_equal_within_1e5(found[name], getattr(estimator, name)(X))
        assert found[name].dtype == X.dtype
    Z = estimator.transform(X).astype(X.dtype)
    found = outputs_of(estimator, Z, options={"outputs": ["inverse_transform"]})
    wanted = estimator.inverse_transform(Z)
    assert_equal_within_1e5(found["inverse_transform"], wanted)


def own_models(input_shape, n_components):
    import keras
    from keras import layers

    n_features = int(np.prod(input_shape))
    encoder = keras.Sequential(
        [
            keras.Input((n_features,)),
            layers.Dense(8, "mish"),
            layers.Dropout(0.1),
            layers.Dense(n_components),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((n_components,)),
            layers.BatchNormalization(),
            layers.Dense(n_features),
        ]
    )
    return encoder, decoder


NETWORKS = {
    "dense": {},
    "linear": {"hidden_layer_sizes": ()},
    "tied": {"tied_weights": True},
    "random": {"init": "random", "activation": "gelu", "code_activation": "tanh"},
    "sigmoid": {"output_activation": "sigmoid", "loss": "binary_crossentropy"},
    "linear path": {"network": DenseNetwork((8,), activation="elu", linear_path=True)},
    "own": {"network": own_models},
    "strides": {"network": ConvNetwork((8, 8, 1), (4, 6))},
    "pooling": {
        "network": ConvNetwork(
            (8, 8, 1), (4, 6, 4), downsampling=["max_pool", "average_pool", "stride"]
        )
    },
    "transpose": {
        "network": ConvNetwork((8, 8, 1), 4, (3, 2), upsampling="transpose"),
    },
    "no path": {
        "network": ConvNetwork((8, 8, 1), 4, activation="relu", linear_path=False)
    },
    "feature map": {
        "network": ConvNetwork((8, 8, 1), (4, 2), output_activation="sigmoid"),
        "n_components": None,
    },
    "odd image": {
        "network": ConvNetwork(
            (4, 16, 1),
            (
                3,
                3,
            ),
            5,
        )
    },
    "signal": {"network": ConvNetwork((64,), (4, 4))},
    "channels": {"network": ConvNetwork((32, 2), 4, upsampling="transpose")},
}


@pytest.mark.parametrize("params", NETWORKS.values(), ids=NETWORKS.keys())
def test_every_network(digits, params):
    estimator = make_autoencoder(epochs=2, **params).fit(digits)
    for dtype in TYPES:
        assert_all_methods_agree(estimator, digits.astype(dtype))


@pytest.mark.parametrize(
    "network", ["dense", ConvNetwork((8, 8, 1), 4)], ids=["dense", "convolutional"]
)
@pytest.mark.parametrize("kind", [DenoisingAutoencoder, VariationalAutoencoder])
def test_other_autoencoders(digits, kind, network):
    estimator = make_autoencoder(kind, network=network, epochs=2).fit(digits)
    assert_all_methods_agree(estimator, digits)


@pytest.mark.parametrize("odd", [(7, 5, 1), (35,)])
def test_images_whose_sizes_are_odd(odd):
    X = np.random.default_rng(0).random((100, 35), np.float32)
    network = ConvNetwork(odd, (3, 4), downsampling="max_pool")
    assert_all_methods_agree(make_autoencoder(network=network).fit(X), X)


def test_a_fit_that_ends_as_pca():
    X = load_wine().data
    kept = AutoencoderTransformer(2, learning_rate=1.0, epochs=3, random_state=0).fit(X)
    assert kept.best_epoch_ == 0
    assert_all_methods_agree(kept, X)


def test_times_since_1970_in_float64():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 5)) + rng.normal(size=(300, 5))
    X = 1.7e9 + X * [1, 10, 1e4, 2, 5]
    estimator = make_autoencoder(n_components=2).fit(X)
    found = outputs_of(estimator, X, options={"outputs": METHODS})
    centred = X.mean(axis=0)
    reconstructed = estimator.reconstruct(X) - centred
    assert_equal_within_1e5(found["reconstruct"] - centred, reconstructed)
    assert_equal_within_1e5(found["transform"], estimator.transform(X))
    errors = estimator.reconstruction_error(X)
    assert_equal_within_1e5(found["reconstruction_error"], errors)


def test_one_hot_groups_become_probabilities():
    X = load_breast_cancer().data[:300, :4]
    categories = np.digitize(X[:, :2], np.percentile(X[:, :2], [30, 60, 80]))
    hot = OneHotEncoder(sparse_output=False).fit_transform(categories)
    X = np.hstack([StandardScaler().fit_transform(X), hot])[
        :, [4, 5, 0, 6, 7, *range(8, 12), 1, 2, 3]
    ]
    estimator = make_autoencoder(one_hot_groups="auto").fit(X)
    assert len(estimator.one_hot_groups_) == 1
    assert_all_methods_agree(estimator, X)


@pytest.mark.parametrize("dtype", TYPES)
def test_scaler_autoencoder_and_classifier_become_one_graph(dtype):
    X, y = load_digits(return_X_y=True)
    X = X[:500].astype(dtype)
    pipeline = make_pipeline(MinMaxScaler(), make_autoencoder(), LogisticRegression())
    pipeline.fit(X, y[:500])
    found = outputs_of(pipeline, X, options={id(pipeline): {"zipmap": False}})
    assert_equal_within_1e5(found["probabilities"], pipeline.predict_proba(X))
    np.testing.assert_array_equal(found["label"], pipeline.predict(X))
    assert found["probabilities"].dtype == dtype


@pytest.mark.parametrize("dtype", TYPES)
def test_a_column_transformer_before(dtype):
    X, y = load_breast_cancer(return_X_y=True)
    X = np.hstack([X[:, :12], np.digitize(X[:, 12:13], [1, 2, 4])]).astype(dtype)
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(StandardScaler(), MinMaxScaler()), slice(0, 8)),
            ("codes", make_autoencoder(n_components=1), slice(8, 12)),
            ("categories", OneHotEncoder(sparse_output=False), [12]),
        ]
    )
    classifier = Pipeline([("ae", make_autoencoder()), ("lr", LogisticRegression())])
    pipeline = Pipeline([("columns", columns), ("classifier", classifier)]).fit(X, y)
    options = {id(classifier.steps[-1][1]): {"zipmap": False}}
    found = outputs_of(pipeline, X, options=options)
    assert_equal_within_1e5(found["probabilities"], pipeline.predict_proba(X))


def test_a_data_frame_with_words():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    table["word"] = np.where(table["a"] + rng.normal(size=200) > 0, "yes", "no")
    columns = make_column_transformer(
        (StandardScaler(), ["a", "b", "c"]), (OneHotEncoder(), ["word"])
    )
    autoencoder = make_autoencoder(one_hot_groups="auto")
    pipeline = Pipeline([("columns", columns), ("ae", autoencoder)]).fit(table)
    graph = convert(pipeline, table, options={"ae__outputs": ["reconstruct"]})
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    inputs = {name: table[[name]].to_numpy() for name in table}
    (found,) = session.run(None, inputs)
    rows = pipeline["ae"].reconstruct(columns.transform(table))
    assert_equal_within_1e5(found, rows)


def test_codes_beside_other_features():
    X = load_wine().data
    union = FeatureUnion([("ae", make_autoencoder()), ("pca", PCA(2))])
    pipeline = make_pipeline(StandardScaler(), union).fit(X)
    (found,) = outputs_of(pipeline, X).values()
    assert_equal_within_1e5(found, pipeline.transform(X))


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_the_best_estimator_of_a_search(digits, in_pipeline):
    estimator, name = make_autoencoder(), "epochs"
    if in_pipeline:
        estimator, name = Pipeline([("ae", estimator)]), "ae__epochs"
    search = GridSearchCV(estimator, {name: [1, 2]}, cv=2).fit(digits)
    (found,) = outputs_of(search, digits).values()
    assert_equal_within_1e5(found, search.transform(digits))


def test_a_frozen_autoencoder(digits):
    frozen = FrozenEstimator(make_autoencoder().fit(digits))
    pipeline = make_pipeline(frozen, MinMaxScaler()).fit(digits)
    options = {id(frozen.estimator): {"outputs": ["transform"]}}
    for given in (None, options):
        (found,) = outputs_of(pipeline, digits, options=given).values()
        assert_equal_within_1e5(found, pipeline.transform(digits))


def test_options_of_a_step_by_its_name(digits):
    pipeline = Pipeline([("scale", MinMaxScaler()), ("ae", make_autoencoder())])
    X = pipeline.fit(digits)["scale"].transform(digits)
    for options in (
        {"ae__outputs": ["reconstruct"]},
        {id(pipeline["ae"]): {"outputs": "reconstruct"}},
        {AutoencoderTransformer: {"outputs": ["reconstruct"]}},
    ):
        found = outputs_of(pipeline, digits, options=options)
        assert found.keys() == {"reconstruct"}
        assert_equal_within_1e5(found["reconstruct"], pipeline["ae"].reconstruct(X))


def test_images_are_taken_and_returned_in_their_shape(digits):
    images = digits.reshape(-1, 8, 8)
    estimator = make_autoencoder().fit(images)
    found = outputs_of(estimator, images, options={"outputs": METHODS[:2]})
    assert_equal_within_1e5(found["transform"], estimator.transform(images))
    assert found["reconstruct"].shape == images.shape
    Z = estimator.transform(images)
    found = outputs_of(estimator, Z, options={"outputs": "inverse_transform"})
    assert found["inverse_transform"].shape == images.shape


@pytest.mark.parametrize(("dtype", "returned"), [("int64", "f8"), ("int8", "f4")])
def test_integers(dtype, returned):
    X = load_digits().data[:300].astype(dtype)
    estimator = make_autoencoder().fit(X)
    found = outputs_of(estimator, X, options={"outputs": METHODS})
    for name in METHODS:
        assert_equal_within_1e5(found[name], getattr(estimator, name)(X))
        assert found[name].dtype == returned


def test_columns_that_are_separate_inputs(digits):
    X = digits[:, 20:23]
    estimator = make_autoencoder(n_components=1).fit(X)
    types = [(f"x{i}", FloatTensorType([None, 1])) for i in range(3)]
    graph = skl2onnx.to_onnx(estimator, initial_types=types)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    (found,) = session.run(None, {f"x{i}": X[:, [i]] for i in range(3)})
    assert_equal_within_1e5(found, estimator.transform(X))


def test_a_denoising_step_returns_rows(digits):
    estimator = make_autoencoder(DenoisingAutoencoder, output="reconstruction")
    pipeline = make_pipeline(estimator.fit(digits), MinMaxScaler()).fit(digits)
    (found,) = outputs_of(pipeline, digits).values()
    assert_equal_within_1e5(found, pipeline.transform(digits))
    with pytest.raises(ValueError, match="'outputs' must be a list of methods"):
        convert(estimator, digits, options={"outputs": ["inverse_transform"]})


@pytest.mark.parametrize(
    "reducer",
    [
        None,
        PCA(3),
        PCA(3, whiten=True),
        make_autoencoder(network=ConvNetwork((8, 8, 1), 4)),
    ],
    ids=["default", "PCA", "whitened PCA", "convolutional"],
)
def test_labels_and_scores_of_an_outlier_detector(reducer):
    X = load_digits().data / 16
    detector = AutoencoderOutlierDetector(reducer, contamination=0.1, random_state=0)
    detector.fit(X[:400])
    for dtype in TYPES:
        new = X[400:1000].astype(dtype)
        found = outputs_of(detector, new, options={"score_samples": True})
        assert list(found) == ["label", "scores", "score_samples"]
        assert_equal_within_1e5(found["scores"], detector.decision_function(new))
        assert_equal_within_1e5(found["score_samples"], detector.score_samples(new))
        is_clear = np.abs(found["scores"]) > 1e-4
        wanted = detector.predict(new)[is_clear[:, 0]]
        np.testing.assert_array_equal(found["label"][is_clear], wanted)
        assert set(wanted) == {-1, 1}


def test_an_outlier_detector_far_from_zero_with_a_frozen_autoencoder():
    X = load_wine().data + 1e6
    frozen = FrozenEstimator(make_autoencoder().fit(X[::2]))
    pipeline = Pipeline([("detector", AutoencoderOutlierDetector(frozen))]).fit(X[::2])
    found = outputs_of(pipeline, X[1::2])
    assert list(found) == ["label", "scores"]
    assert_equal_within_1e5(found["scores"], pipeline.decision_function(X[1::2]))


def test_an_outlier_detector_with_another_reducer_is_refused(digits):
    detector = AutoencoderOutlierDetector(TruncatedSVD(3)).fit(digits)
    with pytest.raises(
        NotImplementedError, match=r"autoencoder=TruncatedSVD\(.* or PCA"
    ):
        convert(detector, digits)


def test_an_imputer_is_refused_with_a_remedy():
    X = np.where(np.eye(12, 3) == 1, np.nan, 1.0)
    X[:, 0] = range(12)
    imputer = AutoencoderImputer(hidden_layer_sizes=()).fit(X)
    with pytest.raises(NotImplementedError, match="AutoencoderImputer cannot.*KNNImp"):
        convert(imputer, X)


def test_an_autoencoder_that_is_not_fitted_is_refused(digits):
    with pytest.raises(NotFittedError):
        convert(make_autoencoder(), digits)


@pytest.mark.parametrize(
    ("outputs", "match"),
    [
        (["codes"], r"'outputs' must be a list of methods, out of \['transform'"),
        ([], "'outputs' must be"),
        (["transform", "transform"], "'outputs' must be"),
        (["transform", "inverse_transform"], "convert it alone"),
    ],
)
def test_outputs_that_are_not_methods_are_refused(fitted, digits, outputs, match):
    with pytest.raises(ValueError, match=match):
        convert(fitted, digits, options={"outputs": outputs})


def test_an_option_that_does_not_exist_is_refused(fitted, digits):
    with pytest.raises(NameError, match=r"'output' not in \['outputs'\]"):
        convert(fitted, digits, options={"output": ["transform"]})


def test_rows_of_another_width_are_refused(fitted, digits):
    with pytest.raises(ValueError, match=r"shape \(9,\) .* but takes 64 columns"):
        convert(fitted, digits[:, :9])
    with pytest.raises(ValueError, match=r"shape \(64,\) .* but takes 3 columns"):
        convert(fitted, digits, options={"outputs": ["inverse_transform"]})


def test_text_is_refused(fitted):
    types = [("X", StringTensorType([None, 64]))]
    with pytest.raises(ValueError, match="'X' is a StringTensorType; .* numbers"):
        skl2onnx.to_onnx(fitted, initial_types=types)


def test_without_skl2onnx_the_extra_is_named(fitted, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'skautoenc\[onnx\]'"):
        fitted.onnx_parser()


def test_listing_attributes_builds_no_keras_models():
    code = """if True:
        import sys
        import numpy as np
        from skautoenc import AutoencoderTransformer
        estimator = AutoencoderTransformer(1, epochs=1)
        assert "encoder_" not in dir(estimator)
        names = dir(estimator.fit(np.random.default_rng(0).random((20, 3))))
        assert {"encoder_", "decoder_", "autoencoder_", "components_"} <= set(names)
        assert not {"keras", "tensorflow"} & sys.modules.keys()
    """
    run_python(code)


def test_dense_networks_are_converted_without_importing_tensorflow():
    code = """if True:
        import sys
        import skl2onnx
        from sklearn.datasets import load_wine
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler
        from skautoenc import AutoencoderOutlierDetector, AutoencoderTransformer
        X, y = load_wine(return_X_y=True)
        for last in (LogisticRegression(), AutoencoderOutlierDetector()):
            steps = [("scale", StandardScaler()), ("ae", AutoencoderTransformer(3))]
            pipeline = Pipeline([*steps, ("last", last)]).fit(X, y)
            skl2onnx.to_onnx(pipeline, X[:1])
            skl2onnx.to_onnx(pipeline, X[:1], options={"ae__outputs": ["transform"]})
        assert not {"keras", "tensorflow"} & sys.modules.keys()
    """
    run_python(code)
