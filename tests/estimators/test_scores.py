"""Scores, weighted and searched by, and what they say at the edges."""

import pickle

import numpy as np
import pandas
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import (
    AutoencoderTransformer,
    DenoisingAutoencoder,
    denoising_scorer,
)

IRIS = load_iris().data


def test_score_of_huge_rows_is_finite(fitted, digits):
    X = digits * np.float32(1e20)
    samples = fitted.score_samples(X)
    assert np.isfinite(fitted.score(X))
    assert np.isfinite(samples).all()
    errors = fitted.reconstruct(X).astype(np.float64) - X
    np.testing.assert_allclose(samples, -np.square(errors).mean(axis=1))


@pytest.mark.parametrize("container", [np.asarray, sp.csr_array])
def test_score_sample_weight_counts_rows(fitted, digits, container):
    weight = np.arange(300) % 4
    repeated = container(np.repeat(digits, weight, axis=0))
    assert fitted.score(container(digits), sample_weight=weight) == pytest.approx(
        fitted.score(repeated)
    )
    assert fitted.score(container(digits), sample_weight=np.full(300, 3.5)) == (
        pytest.approx(fitted.score(container(digits)))
    )
    with pytest.raises(ValueError, match="sample_weight"):
        fitted.score(container(digits), sample_weight=-weight)


def test_score_sample_weight_is_routed_through_a_pipeline():
    weight = np.arange(150) % 2
    with config_context(enable_metadata_routing=True):
        autoencoder = AutoencoderTransformer(2, epochs=2, random_state=0)
        plain = make_pipeline(StandardScaler(), autoencoder).fit(IRIS)
        assert np.isfinite(plain.score(IRIS))
        autoencoder.set_fit_request(sample_weight=True)
        autoencoder.set_score_request(sample_weight=True)
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False), autoencoder
        )
        search = GridSearchCV(
            pipeline, {"autoencodertransformer__n_components": [1, 2]}, cv=2
        ).fit(IRIS, sample_weight=weight)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        scaled = pipeline.fit(IRIS, sample_weight=weight)[0].transform(IRIS)
        assert pipeline.score(IRIS, sample_weight=weight) == pytest.approx(
            autoencoder.score(scaled[1::2])
        )


def test_x_clean_is_routed_through_a_search():
    noisy = IRIS + np.random.default_rng(0).normal(scale=0.1, size=IRIS.shape)
    with config_context(enable_metadata_routing=True):
        denoiser = DenoisingAutoencoder(2, epochs=2, random_state=0)
        denoiser.set_fit_request(X_clean=True)
        search = GridSearchCV(
            make_pipeline(StandardScaler(), denoiser),
            {"denoisingautoencoder__n_components": [1, 2]},
            cv=2,
        ).fit(noisy, X_clean=IRIS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_metric_mean_absolute_error_is_the_absolute_error(fitted, digits):
    difference = np.abs(fitted.reconstruct(digits).astype(np.float64) - digits)
    metric = {"metric": "mean_absolute_error"}
    np.testing.assert_allclose(
        fitted.reconstruction_error(digits, per_feature=True, **metric),
        difference,
        atol=1e-7,
    )
    np.testing.assert_allclose(
        fitted.score_samples(digits, **metric), -difference.mean(axis=1), atol=1e-7
    )
    for score in (fitted.reconstruction_error, fitted.score_samples):
        with pytest.raises(ValueError, match=r"metric must be one of .*; got 'r2'"):
            score(digits, metric="r2")


def test_set_callbacks_scoring_monitor_scores_each_epoch_without_y():
    monitor = ScoringMonitor(
        scoring={"s": lambda estimator, X, y=None: estimator.score(X)}
    )
    estimator = AutoencoderTransformer(2, epochs=3, early_stopping=False)
    estimator.set_callbacks(monitor).fit(IRIS)
    scores = [row.get("s") for row in monitor.get_logs().data]
    assert len(scores) == 4
    assert scores[0] == estimator.score(IRIS)


@pytest.mark.parametrize("kind", ["numpy", "frame", "sparse", "images"])
def test_denoising_scorer_selects_a_noise_level_in_a_search(kind):
    X = (load_digits().data[:600] / 16).astype(np.float32)
    if kind == "frame":
        X = pandas.DataFrame(X).add_prefix("pixel")
    elif kind == "sparse":
        X = sp.csr_array(X)
    elif kind == "images":
        X = X.reshape(-1, 8, 8)
    search = GridSearchCV(
        DenoisingAutoencoder(
            16, hidden_layer_sizes=(), epochs=10, batch_size=64, random_state=0
        ),
        {"noise_level": [0.0, 0.3]},
        scoring=denoising_scorer(noise_level=0.3),
        cv=2,
        error_score="raise",
    ).fit(X)
    assert search.best_params_ == {"noise_level": 0.3}


@pytest.mark.parametrize("output", ["code", "reconstruction"])
def test_denoising_scorer_scores_a_pipeline_in_the_units_of_x(output):
    X = load_digits().data[:300]
    pipeline = make_pipeline(
        StandardScaler(),
        DenoisingAutoencoder(8, output=output, epochs=3, random_state=0),
    ).fit(X)
    noise = np.random.default_rng(7).normal(size=X.shape)
    scorer = denoising_scorer(lambda X, rng: X + noise, random_state=1)
    denoiser = pipeline[-1]
    cleaned = pipeline[0].inverse_transform(
        denoiser.reconstruct(pipeline[0].transform(X + noise))
    )
    expected = 1 - np.sum((cleaned - X) ** 2) / np.sum((X - X.mean(axis=0)) ** 2)
    assert scorer(pipeline, X) == pytest.approx(expected, abs=1e-5)


def test_denoising_scorer_is_deterministic_and_is_pickled(digits):
    pca = PCA(8).fit(digits)
    for noise in ("gaussian", "masking", "salt_and_pepper", "swap"):
        scorer = denoising_scorer(noise, 0.2)
        score = scorer(pca, digits)
        assert score == scorer(pca, digits)
        assert score == pickle.loads(pickle.dumps(scorer))(pca, digits)
        assert score < denoising_scorer(noise, 0.0)(pca, digits)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"noise": "pink"}, "noise must be one of"),
        ({"noise": "masking", "noise_level": 1.5}, "noise_level == 1.5, must be <= 1"),
        ({"noise_level": -1}, "noise_level == -1, must be >= 0"),
    ],
)
def test_denoising_scorer_refuses_invalid_noise(settings, message):
    with pytest.raises(ValueError, match=message):
        denoising_scorer(**settings)
