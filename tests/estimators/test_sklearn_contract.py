"""scikit-learn's contract, whole."""

import keras
import numpy as np
import pandas
import pytest
from helpers import run_python
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.estimator_checks import parametrize_with_checks

from skautoenc import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    DenoisingAutoencoder,
    EncoderClassifier,
    EncoderRegressor,
    VariationalAutoencoder,
)

SMALL = {"hidden_layer_sizes": (4,), "epochs": 2}


@parametrize_with_checks(
    [
        AutoencoderTransformer(),
        AutoencoderTransformer(1, hidden_layer_sizes=(), epochs=3),
        AutoencoderTransformer(
            hidden_layer_sizes=(4,), epochs=5, early_stopping=True, batch_size=7
        ),
        AutoencoderTransformer(**SMALL, tied_weights=True),
        AutoencoderTransformer(**SMALL, contractive=0.1),
        DenoisingAutoencoder(**SMALL),
        DenoisingAutoencoder(**SMALL, noise="masking", output="reconstruction"),
        VariationalAutoencoder(**SMALL),
        AutoencoderImputer(**SMALL),
        AutoencoderImputer(**SMALL, sample_posterior=True, add_indicator=True),
        AutoencoderImputer(**SMALL, missing_values=-1, keep_empty_features=True),
        AutoencoderOutlierDetector(),
        AutoencoderOutlierDetector(AutoencoderTransformer(1, **SMALL)),
        AutoencoderOutlierDetector(PCA(1), contamination=0.1),
        EncoderClassifier(AutoencoderTransformer(epochs=20, init="random")),
        EncoderRegressor(AutoencoderTransformer(epochs=20, init="random")),
    ]
)
def test_estimator_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def labelled():
    X, y = load_digits(return_X_y=True)
    names = "zero one two three four five six seven eight nine".split()
    return X[:400], np.array(names)[y[:400]]


@pytest.fixture
def pipeline():
    return Pipeline(
        [
            ("scale", MinMaxScaler()),
            (
                "ae",
                AutoencoderTransformer(
                    8, hidden_layer_sizes=(16,), epochs=60, random_state=0
                ),
            ),
            ("classify", LogisticRegression(max_iter=2000)),
        ]
    )


def test_clone_and_set_params_of_a_pipeline(pipeline):
    pipeline.set_params(ae__n_components=4, ae__optimizer=keras.optimizers.SGD(0.1))
    other = clone(pipeline)
    assert other["ae"].n_components == 4
    assert other["ae"].optimizer.momentum == 0
    assert other["ae"] is not pipeline["ae"]


def test_repr_and_html_repr(pipeline):
    assert repr(AutoencoderTransformer(5)) == "AutoencoderTransformer(n_components=5)"
    assert "AutoencoderTransformer" in estimator_html_repr(pipeline)


def test_pipeline_predicts_string_labels(pipeline, labelled):
    X, y = labelled
    pipeline.fit(X[:300], y[:300])
    assert pipeline.score(X[300:], y[300:]) > 0.7
    assert set(pipeline.predict(X)) <= set(y)


def test_cross_val_score_with_and_without_labels(pipeline, labelled):
    X, y = labelled
    assert cross_val_score(pipeline, X, y, cv=3).min() > 0.6
    scores = cross_val_score(pipeline[:2], X, cv=3)
    assert ((scores > 0.3) & (scores < 1)).all()


GRID = {
    "n_components": [2, 4],
    "hidden_layer_sizes": [(), (8,)],
    "learning_rate": [0.001, 0.01],
    "loss": ["mean_squared_error", "binary_crossentropy"],
}


@pytest.mark.parametrize("with_y", [False, True])
def test_grid_search(labelled, with_y):
    X, y = labelled
    search = GridSearchCV(
        AutoencoderTransformer(output_activation="sigmoid", epochs=10, random_state=0),
        GRID,
        cv=2,
        error_score="raise",
    )
    search.fit(MinMaxScaler().fit_transform(X), y if with_y else None)
    scores = search.cv_results_["mean_test_score"]
    assert len(scores) == 16
    assert np.isfinite(scores).all()
    assert search.best_params_["n_components"] == 4
    assert search.best_params_["learning_rate"] == 0.01


@pytest.mark.slow
def test_grid_search_with_n_jobs_2_gives_the_bits_of_1():
    code = """
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler
from skautoenc import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
autoencoder = AutoencoderTransformer(hidden_layer_sizes=(16,), epochs=5, random_state=0)
steps = [("scale", MinMaxScaler()), ("ae", autoencoder)]
grid = {"ae__n_components": [2, 6], "ae__learning_rate": [0.001, 0.01]}
scores = [
    GridSearchCV(Pipeline(steps), grid, cv=2, n_jobs=n_jobs, error_score="raise")
    .fit(X[:400], y[:400])
    .cv_results_["mean_test_score"]
    for n_jobs in (1, 2)
]
np.testing.assert_array_equal(*scores)
"""
    # joblib gives each worker one thread, so the first search gets one as well.
    run_python(code, env={"OMP_NUM_THREADS": "1"})


def test_column_transformer_has_feature_names_out(digits):
    frame = pandas.DataFrame(digits).add_prefix("p")
    columns = ColumnTransformer(
        [
            ("top", AutoencoderTransformer(2, epochs=1), list(frame.columns[:32])),
            ("bottom", PCA(3), list(frame.columns[32:])),
        ]
    )
    assert columns.fit_transform(frame).shape == (300, 5)
    assert list(columns.get_feature_names_out())[:2] == [
        "top__autoencodertransformer0",
        "top__autoencodertransformer1",
    ]


def test_feature_union_with_pca(digits):
    union = FeatureUnion([("pca", PCA(2)), ("ae", AutoencoderTransformer(3, epochs=1))])
    assert union.fit_transform(digits).shape == (300, 5)


def test_pipeline_with_memory_fits_once(pipeline, labelled, tmp_path):
    X, y = labelled
    pipeline.set_params(memory=str(tmp_path))
    first = pipeline.fit(X, y).predict(X)
    cached = clone(pipeline).fit(X, y)
    np.testing.assert_array_equal(cached.predict(X), first)
    assert cached["ae"].history_ == pipeline["ae"].history_


def test_sample_weight_and_x_val_are_routed(labelled):
    X, y = labelled
    X = X / 16
    with config_context(enable_metadata_routing=True):
        estimator = AutoencoderTransformer(
            2, hidden_layer_sizes=(), epochs=2, init="random", random_state=0
        ).set_fit_request(sample_weight=True, X_val=True)
        pipeline = make_pipeline(
            estimator, RandomForestClassifier(10).set_fit_request(sample_weight=False)
        )
        weight = np.r_[np.ones(200), np.zeros(200)]
        pipeline.fit(X, y, sample_weight=weight, X_val=X[200:])
    alone = clone(estimator).fit(X[:200], X_val=X[200:])
    np.testing.assert_array_equal(pipeline[0].transform(X), alone.transform(X))
    assert pipeline[0].history_ == alone.history_


@pytest.mark.parametrize("in_search", [False, True])
def test_x_val_is_transformed_by_the_steps_before(labelled, in_search):
    X, _ = labelled
    autoencoder = AutoencoderTransformer(
        2, hidden_layer_sizes=(), epochs=2, init="random", random_state=0
    )
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            MinMaxScaler(),
            clone(autoencoder).set_fit_request(X_val=True),
            transform_input=["X_val"],
        )
        if in_search:
            grid = {"autoencodertransformer__n_components": [2]}
            search = GridSearchCV(pipeline, grid, cv=2)
            pipeline = search.fit(X[:200], X_val=X[200:]).best_estimator_
        else:
            pipeline.fit(X[:200], X_val=X[200:])
    scaler = MinMaxScaler().fit(X[:200])
    train, val = scaler.transform(X[:200]), scaler.transform(X[200:])
    assert pipeline[-1].history_ == autoencoder.fit(train, X_val=val).history_


class Records:
    """A scikit-learn callback that stops the fit after the second epoch."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        self.seen.append("setup")

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.seen.append(("begin", context.task_name, X.shape))

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        score = fitted_estimator.score(X)
        self.seen.append(("end", context.task_name, round(score, 6)))
        return context.task_name == "epoch" and context.task_id == 1

    def teardown(self, estimator, context):
        self.seen.append("teardown")


def test_set_callbacks_observe_and_stop_epochs(small, digits):
    callback = Records()
    small.set_params(epochs=10, early_stopping=False)
    small.set_callbacks(callback).fit(digits)
    assert small.n_iter_ == 2
    assert callback.seen[0] == "setup"
    assert callback.seen[-1] == "teardown"
    names = [entry[:2] for entry in callback.seen[1:-1]]
    epoch = [("begin", "epoch"), ("end", "epoch")]
    assert names == [("begin", "fit"), *epoch, *epoch, ("end", "fit")]
    last_epoch, last = callback.seen[-3], callback.seen[-2]
    assert last[2] == last_epoch[2] == round(small.score(digits), 6)


def test_set_callbacks_are_torn_down_when_a_fit_fails(small, digits):
    callback = Records()
    small.set_params(optimizer="sgd", learning_rate=1e9).set_callbacks(callback)
    with pytest.raises(ValueError, match="diverged"):
        small.fit(digits)
    assert callback.seen[-1] == "teardown"
