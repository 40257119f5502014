"""Estimators are stored by skops, with few trusted types, and without code."""

import copy
import io
import pickle
import re
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import sklearn
import skops.io
from helpers import make_autoencoder, run_python
from keras import layers
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import skautoenc
from skautoenc import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    DenseNetwork,
    EncoderClassifier,
    EncoderRegressor,
    VariationalAutoencoder,
)
from skautoenc._utils.stored import from_plain, to_plain

DOCS = Path(__file__).parents[2] / "docs" / "saving.md"


def documented_types():
    """The list of trusted types in the documentation."""
    (block,) = re.findall(r"trusted = \[(.*?)\]", DOCS.read_text(), re.DOTALL)
    return re.findall(r'"(.*?)"', block)


def through_skops(estimator):
    return skops.io.loads(skops.io.dumps(estimator), trusted=documented_types())


def shown(estimator):
    """The parameters of an estimator, without the address of a RandomState."""
    return re.sub(" at 0x[0-9A-F]+", "", repr(estimator))


def models():
    keras.utils.set_random_seed(0)
    return (
        keras.Sequential([keras.Input((64,)), layers.Dense(3)]),
        keras.Sequential([keras.Input((3,)), layers.Dense(64)]),
    )


KINDS = {
    "autoencoder": make_autoencoder(),
    "pca": make_autoencoder(hidden_layer_sizes=()),
    "tied": make_autoencoder(tied_weights=True, init="random"),
    "denoising": make_autoencoder(DenoisingAutoencoder, noise="swap"),
    "variational": make_autoencoder(VariationalAutoencoder),
    "dense": make_autoencoder(network=DenseNetwork((8,), kernel_regularizer=0.01)),
    "convolutional": make_autoencoder(network=ConvNetwork((8, 8, 1), (2,))),
    "warm": make_autoencoder(warm_start=True, init="random", early_stopping=False),
    "one_hot": make_autoencoder(one_hot_groups=[(0, 1)]),
    "generator": make_autoencoder(random_state=np.random.RandomState(0)),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_fitted_autoencoder_is_stored_by_skops(digits, name):
    X = np.where(
        np.arange(64) < 2, np.eye(2)[np.arange(300) % 2][:, [0, 1] * 32], digits
    )
    X = X if name == "one_hot" else digits
    estimator = copy.deepcopy(KINDS[name]).fit(X)
    other = through_skops(estimator)
    np.testing.assert_array_equal(other.reconstruct(X), estimator.reconstruct(X))
    assert shown(other) == shown(estimator)
    assert other.history_ == estimator.history_
    assert other.score(X) == estimator.score(X)
    for each in (estimator, other):
        each.set_params(random_state=0, epochs=2).fit(X)
    np.testing.assert_array_equal(other.transform(X), estimator.transform(X))


@pytest.mark.parametrize("name", KINDS)
def test_an_unfitted_autoencoder_is_stored_by_skops(name):
    estimator = KINDS[name]
    assert shown(through_skops(estimator)) == shown(estimator)


def test_a_path_as_parameter_is_stored_by_skops():
    assert through_skops(make_autoencoder(checkpoint=DOCS)).checkpoint == DOCS


def test_partial_fit_goes_on_after_skops(digits):
    first = make_autoencoder().partial_fit(digits)
    for _ in range(2):
        other = through_skops(first)
        for each in (first, other):
            each.partial_fit(digits)
        np.testing.assert_array_equal(other.transform(digits), first.transform(digits))


def test_models_given_as_network_are_stored_by_skops(digits):
    pair = models()
    estimators = [
        AutoencoderTransformer.from_keras(*pair),
        make_autoencoder(network=pair).fit(digits),
        make_autoencoder(network=pair, learning_rate=1e-12),
    ]
    for estimator in estimators:
        other = through_skops(estimator)
        if not hasattr(estimator, "n_iter_"):
            estimator, other = estimator.fit(digits), other.fit(digits)
        np.testing.assert_allclose(
            other.transform(digits), estimator.transform(digits), atol=1e-6
        )


@pytest.mark.parametrize("dtype", [int, str, object])
def test_a_classifier_on_an_encoder_is_stored_by_skops(digits, dtype):
    y = load_digits().target[:300].astype(str).astype(dtype)
    autoencoder = FrozenEstimator(make_autoencoder().fit(digits))
    classifier = EncoderClassifier(autoencoder, epochs=3, random_state=0)
    other = through_skops(classifier.fit(digits, y))
    np.testing.assert_array_equal(other.predict(digits), classifier.predict(digits))
    np.testing.assert_array_equal(
        other.predict_proba(digits), classifier.predict_proba(digits)
    )


def test_a_regressor_on_an_encoder_is_stored_by_skops(digits):
    autoencoder = make_autoencoder(init="random")
    regressor = EncoderRegressor(autoencoder, epochs=3, random_state=0)
    other = through_skops(regressor.fit(digits, digits[:, :2]))
    np.testing.assert_array_equal(other.predict(digits), regressor.predict(digits))


@pytest.mark.parametrize(
    "reducer", [None, PCA(3), make_autoencoder(), FrozenEstimator(PCA(3))]
)
def test_an_outlier_detector_is_stored_by_skops(digits, reducer):
    X = digits[:100]
    if isinstance(reducer, FrozenEstimator):
        reducer.estimator.fit(X)
    detector = AutoencoderOutlierDetector(reducer, random_state=0).fit(X)
    other = through_skops(detector)
    np.testing.assert_array_equal(other.score_samples(X), detector.score_samples(X))
    np.testing.assert_array_equal(
        other.feature_contributions(X), detector.feature_contributions(X)
    )


@pytest.mark.parametrize("n_features", [20, 210])
def test_an_imputer_is_stored_by_skops(digits, n_features):
    X = np.tile(digits, (1, 4))[:, :n_features]
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    imputer = AutoencoderImputer(
        hidden_layer_sizes=(8,),
        epochs=2,
        sample_posterior=True,
        add_indicator=True,
        keep_empty_features=True,
        random_state=0,
    ).fit(X)
    other = through_skops(imputer)
    np.testing.assert_array_equal(other.transform(X), imputer.transform(X))


def test_a_pipeline_is_stored_by_skops(digits, tmp_path):
    import pandas as pd

    y = np.arange(300) % 2
    X = pd.DataFrame(digits.astype(float)).rename(columns="pixel {}".format)
    pipeline = make_pipeline(
        MinMaxScaler(),
        make_autoencoder(DenoisingAutoencoder),
        LogisticRegression(max_iter=5000),
    ).set_output(transform="pandas")
    pipeline.fit(X, y)
    skops.io.dump(pipeline, tmp_path / "pipeline.skops")
    untrusted = skops.io.get_untrusted_types(file=tmp_path / "pipeline.skops")
    assert untrusted == ["skautoenc.DenoisingAutoencoder"]
    other = skops.io.load(
        tmp_path / "pipeline.skops", trusted=[skautoenc.DenoisingAutoencoder]
    )
    np.testing.assert_array_equal(other.predict_proba(X), pipeline.predict_proba(X))
    assert list(other[1].feature_names_in_) == list(X.columns)


def test_metadata_requests_are_stored_by_skops():
    estimator = make_autoencoder()
    with sklearn.config_context(enable_metadata_routing=True):
        estimator.set_fit_request(X_val=True, sample_weight="weight")
        for other in (
            through_skops(estimator),
            pickle.loads(pickle.dumps(estimator)),
            copy.deepcopy(estimator),
        ):
            assert str(other.get_metadata_routing()) == str(
                estimator.get_metadata_routing()
            )


def test_a_stored_estimator_is_loaded_without_tensorflow(fitted, digits, tmp_path):
    skops.io.dump(fitted, tmp_path / "autoencoder.skops")
    np.save(tmp_path / "X.npy", digits)
    np.save(tmp_path / "wanted.npy", fitted.transform(digits))
    code = f"""
import sys
import numpy as np
import skops.io

autoencoder = skops.io.load("autoencoder.skops", trusted={documented_types()})
Z = autoencoder.transform(np.load("X.npy"))
np.testing.assert_array_equal(Z, np.load("wanted.npy"))
assert not {{"keras", "tensorflow"}} & set(sys.modules)
"""
    run_python(code, "-W", "error", cwd=tmp_path)


def test_each_documented_type_is_a_public_class_that_needs_to_be_trusted(digits):
    networks = ("DenseNetwork", "ConvNetwork")
    others = (
        AutoencoderImputer,
        AutoencoderOutlierDetector,
        EncoderClassifier,
        EncoderRegressor,
    )
    stored = [*(kind() for kind in others), *KINDS.values()]
    found = set()
    for estimator in stored:
        data = skops.io.dumps(estimator)
        found |= set(skops.io.get_untrusted_types(data=data))
    assert sorted(documented_types()) == sorted(found)
    public = {
        name for name in skautoenc.__all__ if isinstance(getattr(skautoenc, name), type)
    }
    assert found == {f"skautoenc.{name}" for name in public}
    assert {f"skautoenc.{name}" for name in networks} < found


def test_a_file_is_small(fitted):
    data = skops.io.dumps(fitted, compression=zipfile.ZIP_DEFLATED)
    arrays = [*fitted._encoder.weights, *fitted._decoder.weights, fitted.components_]
    assert len(data) < sum(array.nbytes for array in arrays) + 12_000
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert {Path(name).suffix for name in file.namelist()} == {".json", ".npy"}


KERAS_OBJECTS = [
    ("optimizer", lambda: keras.optimizers.Adam(0.01)),
    ("learning_rate", lambda: keras.optimizers.schedules.CosineDecay(0.01, 10)),
    ("loss", keras.losses.MeanAbsoluteError),
    ("loss", lambda: keras.losses.huber),
    ("activation", lambda: keras.activations.relu),
    ("activation", lambda: keras.layers.LeakyReLU(0.3)),
    ("kernel_regularizer", lambda: keras.regularizers.L2(0.01)),
    ("callbacks", lambda: [keras.callbacks.TerminateOnNaN()]),
    ("callbacks", lambda: (OwnCallback(),)),
]


class OwnCallback(keras.callbacks.Callback):
    pass


@pytest.mark.parametrize(("name", "make"), KERAS_OBJECTS)
def test_skops_refuses_keras_objects_as_parameters(name, make):
    estimator = make_autoencoder(**{name: make()})
    message = rf"(?s)^{name} is or contains .*a Keras object.*Give a name.*or a dict"
    for refused in (estimator, make_pipeline(MinMaxScaler(), estimator)):
        with pytest.raises(TypeError, match=message):
            skops.io.dumps(refused)
    if name == "activation":
        network = DenseNetwork((8,), activation=make())
        with pytest.raises(TypeError, match=message):
            skops.io.dumps(make_autoencoder(network=network))


def test_skops_refuses_functions_that_cannot_be_imported_by_their_name():
    with pytest.raises(TypeError, match="(?s)^loss is or contains .*imported by its"):
        skops.io.dumps(make_autoencoder(loss=lambda y, p: keras.ops.abs(y - p)))
    with pytest.raises(TypeError, match="(?s)^network is or contains .*imported by"):
        skops.io.dumps(make_autoencoder(network=lambda shape, n: models()))


@pytest.mark.parametrize(("name", "make"), KERAS_OBJECTS)
def test_keras_objects_as_parameters_are_pickled_and_copied(name, make):
    estimator = make_autoencoder(**{name: make()})
    value = getattr(estimator, name)
    assert getattr(copy.copy(estimator), name) is value
    for other in (pickle.loads(pickle.dumps(estimator)), copy.deepcopy(estimator)):
        assert type(getattr(other, name)) is type(value)


def test_skops_stores_a_fitted_estimator_after_keras_objects_were_replaced(digits):
    estimator = make_autoencoder(optimizer=keras.optimizers.Adam(0.01)).fit(digits)
    estimator.set_params(optimizer="adam")
    np.testing.assert_array_equal(
        through_skops(estimator).transform(digits), estimator.transform(digits)
    )


@pytest.mark.parametrize("harmful", ["os.system", "builtins.eval", "skautoenc._fit"])
def test_skops_does_not_load_other_types(fitted, harmful):
    data = skops.io.dumps(make_pipeline(fitted, IsolationForest()))
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        members = {name: file.read(name).decode() for name in ["schema.json"]}
    module, _, name = harmful.rpartition(".")
    schema = members["schema.json"].replace('"IsolationForest"', f'"{name}"')
    schema = schema.replace('"sklearn.ensemble._iforest"', f'"{module}"')
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for member in old.namelist():
            is_schema = member == "schema.json"
            new.writestr(member, schema if is_schema else old.read(member))
    with pytest.raises(TypeError, match=f"Untrusted types.*{re.escape(harmful)}"):
        skops.io.loads(buffer.getvalue(), trusted=documented_types())


@pytest.mark.parametrize(
    "plain",
    [
        {"stored_as": "unknown"},
        {"stored_as": ["network"]},
        {"stored_as": "seen"},
        {"stored_as": "seen", "other": 1},
        {"stored_as": "floats", "values": [1.0]},
        {"stored_as": "floats", "values": np.zeros(3, "U5")},
        {"stored_as": "generator", "bit_generator": "MT19937"},
        {"stored_as": "metadata_request", "owner": "x", "fit": {"X": object()}},
        {"stored_as": "network", "format": 1, "config": "{}"},
    ],
)
def test_plain_data_of_no_object_are_refused(plain):
    with pytest.raises(ValueError, match="stored as|fields of a .* are invalid"):
        from_plain([plain])


def test_plain_data_are_read_back():
    values = {"short": [0.1, 2.0], "long": [*map(float, range(50))], "of": (1, [None])}
    plain = to_plain(values)
    assert isinstance(plain["long"]["values"], np.ndarray)
    assert from_plain(plain) == values
