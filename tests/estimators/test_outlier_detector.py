"""AutoencoderOutlierDetector."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from helpers import assert_draws_nothing_global, make_autoencoder
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import NMF, PCA, KernelPCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.manifold import TSNE
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler, scale

from skautoenc import AutoencoderOutlierDetector, AutoencoderTransformer

METHODS = ["score_samples", "decision_function", "predict", "feature_contributions"]


def pca_detector(n_components=2, **params):
    return AutoencoderOutlierDetector(
        PCA(n_components), **{"random_state": 0, **params}
    )


@pytest.fixture(scope="module")
def table():
    """400 rows near a plane in 6 dimensions."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6))
    X = scale(X + 0.1 * rng.normal(size=X.shape))
    X.flags.writeable = False
    return X


@pytest.fixture(scope="module")
def fitted(table):
    """A fitted detector, not to be changed."""
    return pca_detector().fit(table)


def with_typing_errors():
    """Standardized breast cancer data with two wrong rows, 100 and 400."""
    X = load_breast_cancer().data
    X[100, 0] *= 20
    X[400, [4, 8]] = 3.0, 1.5
    return scale(X)


@pytest.mark.parametrize("seed", range(5))
def test_score_samples_of_wrong_training_rows_are_the_lowest(seed):
    X = with_typing_errors()
    detector = AutoencoderOutlierDetector(random_state=seed).fit(X)
    assert set(np.argsort(detector.score_samples(X))[:2]) == {100, 400}
    shares = detector.feature_contributions(X)
    assert shares[100].argmax() == 0
    assert set(np.argsort(-shares[400])[:2]) == {4, 8}


def test_residual_of_one_fit_does_not_find_the_wrong_training_rows():
    X = with_typing_errors()
    autoencoder = AutoencoderTransformer(0.8, random_state=0).fit(X)
    errors = np.square(X - autoencoder.reconstruct(X)).mean(axis=1)
    assert np.argsort(np.argsort(-errors))[[100, 400]].max() > 20


@pytest.mark.parametrize("autoencoder", [None, PCA(1)])
def test_predict_finds_an_outlier_far_along_the_components(autoencoder):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 1)) * [1, 1, 1] + 0.01 * rng.normal(size=(400, 3))
    detector = AutoencoderOutlierDetector(autoencoder, random_state=0)
    far = np.full((1, 3), 50.0)
    assert detector.fit(X).predict(np.vstack([far, X[:1]])).tolist() == [-1, 1]
    assert detector.fit(np.vstack([X, far])).score_samples(far) < -20


class NearestRow(TransformerMixin, BaseEstimator):
    """A reducer that reconstructs its training rows exactly."""

    def fit(self, X, y=None):
        self.search_ = NearestNeighbors(n_neighbors=1).fit(X)
        self.rows_ = X
        return self

    def transform(self, X):
        return self.search_.kneighbors(X, return_distance=False)

    def inverse_transform(self, Z):
        return self.rows_[Z[:, 0].astype(int)]


def test_score_samples_of_training_rows_are_like_those_of_new_rows():
    """Even if the reducer overfits the training rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 6))
    detector = AutoencoderOutlierDetector(NearestRow(), random_state=0).fit(X[:400])
    of_training, of_new = np.split(detector.score_samples(X), 2)
    assert np.median(of_training) == pytest.approx(np.median(of_new), abs=0.3)
    assert np.std(of_training) == pytest.approx(np.std(of_new), rel=0.5)


def test_outliers_among_the_training_rows_are_found_better_than_by_a_single_fit():
    X = load_digits().data[:630] / 16
    X[range(30), range(20, 50)] += 20  # one pixel of each outlier
    pca = PCA(40).fit(X)
    errors = np.square(X - pca.inverse_transform(pca.transform(X))).mean(axis=1)
    scores = pca_detector(40).fit(X).score_samples(X)
    is_inlier = np.arange(630) >= 30
    of_single_fit = roc_auc_score(is_inlier, -errors)
    assert roc_auc_score(is_inlier, scores) > max(of_single_fit + 0.2, 0.99)


def test_offset_with_contamination_is_the_quantile_of_out_of_fold_scores(table):
    detector = pca_detector(contamination=0.1).fit(table)
    assert (detector.predict(table) == -1).sum() == 40
    assert detector.offset_ == np.percentile(detector.score_samples(table), 10)


def test_contamination_is_the_rate_of_false_alarms_on_new_inliers():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(3, 10))
    rates = []
    for _ in range(10):
        X = rng.normal(size=(1400, 3)) @ mixing + 0.3 * rng.normal(size=(1400, 10))
        detector = pca_detector(3, contamination=0.05).fit(X[:400])
        rates.append((detector.predict(X[400:]) == -1).mean())
    assert 0.03 < np.mean(rates) < 0.07


def test_offset_with_contamination_auto_hardly_depends_on_the_outliers(table):
    rng = np.random.default_rng(1)
    outliers = rng.uniform(-6, 6, (40, 6))
    clean = pca_detector().fit(table)
    dirty = pca_detector().fit(np.vstack([table, outliers]))
    assert (clean.predict(table) == -1).mean() < 0.02
    assert (dirty.predict(table) == -1).mean() < 0.02
    assert (dirty.predict(outliers) == -1).mean() > 0.9


def test_score_samples_does_not_depend_on_rounding_of_training_rows(fitted, table):
    rounded = table.astype(np.float32)
    np.testing.assert_allclose(
        fitted.score_samples(rounded), fitted.score_samples(table), atol=1e-3
    )


def test_score_samples_is_higher_for_the_row_than_for_a_changed_one(fitted, table):
    changed = table.copy()
    changed[:, 3] += 3
    assert (fitted.score_samples(changed) < fitted.score_samples(table)).mean() > 0.99


def test_feature_contributions_are_shares_that_name_the_changed_feature(fitted, table):
    changed = table[:50].copy()
    changed[:, 3] += 3
    shares = fitted.feature_contributions(changed)
    assert shares.shape == (50, 6)
    assert shares.dtype == np.float64
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares.argmax(axis=1) == 3).mean() > 0.9


def test_feature_contributions_of_a_row_far_along_the_components_are_its_loadings():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 1)) * [3, 1, 0] + 0.01 * rng.normal(size=(400, 3))
    detector = pca_detector(1).fit(X)
    shares = detector.feature_contributions([[60.0, 20.0, 0.0]])
    np.testing.assert_allclose(shares, [[0.9, 0.1, 0.0]], atol=0.05)


def test_a_digit_that_was_not_in_the_training_rows_has_low_scores():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    inliers = X[y != 4]
    detector = AutoencoderOutlierDetector(random_state=0).fit(inliers[:1200])
    test = np.vstack([inliers[1200:], X[y == 4]])
    is_inlier = np.arange(len(test)) < len(inliers) - 1200
    assert roc_auc_score(is_inlier, detector.score_samples(test)) > 0.95


REDUCERS = {
    "autoencoder": make_autoencoder(n_components=2),
    "PCA": PCA(2),
    "NMF": NMF(2, max_iter=2000, random_state=0),
    "KernelPCA": KernelPCA(2, kernel="rbf", fit_inverse_transform=True),
    "pipeline": make_pipeline(StandardScaler(), PCA(2)),
    "fitted": FrozenEstimator(PCA(2).fit(np.random.default_rng(0).random((50, 6)))),
}


@pytest.mark.parametrize("name", REDUCERS)
def test_autoencoder_may_be_any_reducer_with_an_inverse(table, name):
    X = MinMaxScaler().fit_transform(table)  # NMF takes no negative values
    detector = AutoencoderOutlierDetector(REDUCERS[name], random_state=0)
    labels = detector.fit_predict(X)
    assert (labels == 1).mean() > 0.9
    np.testing.assert_array_equal(labels, detector.fit(X).predict(X))
    assert detector.predict(X[:1] + 5 * np.eye(6)[:1]).tolist() == [-1]
    np.testing.assert_allclose(detector.feature_contributions(X).sum(axis=1), 1)


def test_autoencoder_is_cloned_and_a_frozen_one_is_used_as_it_is(table):
    pca = PCA(2)
    assert not hasattr(pca_detector().set_params(autoencoder=pca).fit(table), "mean_")
    assert not hasattr(pca, "mean_")
    frozen = FrozenEstimator(pca.fit(table))
    first, second = AutoencoderOutlierDetector(frozen).fit(table).estimators_
    assert first.estimator is second.estimator is pca


def test_fit_of_a_data_frame_passes_it_to_the_reducer_and_records_its_names(table):
    frame = pd.DataFrame(table, columns=list("abcdef"), index=range(100, 500))
    detector = pca_detector().fit(frame)
    assert list(detector.feature_names_in_) == list("abcdef")
    assert list(detector.estimators_[0].feature_names_in_) == list("abcdef")
    of_array = pca_detector().fit(table).score_samples(table)
    np.testing.assert_allclose(detector.score_samples(frame), of_array)
    with pytest.raises(ValueError, match="feature names"):
        detector.predict(frame[list("fedcba")])


def test_random_state_gives_the_same_scores_and_another_one_other_scores(table):
    scores = pca_detector().fit(table).score_samples(table)
    again = pca_detector().fit(table).score_samples(table)
    np.testing.assert_array_equal(again, scores)
    other = pca_detector(random_state=1).fit(table).score_samples(table)
    assert not np.allclose(other, scores)


def test_score_samples_of_training_rows_does_not_depend_on_their_order(fitted, table):
    order = np.random.default_rng(0).permutation(len(table))
    other = pca_detector().fit(table[order])
    np.testing.assert_allclose(
        other.score_samples(table), fitted.score_samples(table), rtol=1e-6
    )


def test_fit_draws_nothing_from_global_generators(table):
    detector = AutoencoderOutlierDetector(make_autoencoder(n_components=2))
    with assert_draws_nothing_global():
        detector.fit(table)


def test_equal_training_rows_are_in_the_same_half(table):
    repeated = np.repeat(table[:100], 4, axis=0)
    detector = pca_detector().fit(repeated)
    means = [reducer.mean_ for reducer in detector.estimators_]
    np.testing.assert_allclose(np.mean(means, axis=0), table[:100].mean(axis=0))
    assert detector.score_samples(repeated).reshape(100, 4).std(axis=1).max() == 0


@pytest.mark.parametrize(
    "way", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_a_copy_gives_the_same_numbers(fitted, table, way):
    other = way(fitted)
    for name in METHODS:
        np.testing.assert_array_equal(
            getattr(other, name)(table), getattr(fitted, name)(table)
        )


@pytest.mark.parametrize("name", METHODS)
def test_methods_before_fit_raise_not_fitted_error(table, name):
    with pytest.raises(NotFittedError):
        getattr(pca_detector(), name)(table)


def test_fit_that_fails_leaves_a_fitted_detector_as_it_was(fitted, table):
    detector = copy.deepcopy(fitted).set_params(autoencoder=KernelPCA(2))
    frame = pd.DataFrame(table[:, :4]).add_prefix("x")
    with pytest.raises(ValueError, match="no inverse transform after fit"):
        detector.fit(frame)
    assert detector.n_features_in_ == 6
    assert not hasattr(detector, "feature_names_in_")
    np.testing.assert_array_equal(
        detector.score_samples(table), fitted.score_samples(table)
    )


def test_fit_that_fails_leaves_a_new_detector_as_it_was(table):
    detector = AutoencoderOutlierDetector(KernelPCA(2))
    with pytest.raises(ValueError, match="no inverse transform after fit"):
        detector.fit(table)
    assert [name for name in vars(detector) if name.endswith("_")] == []


@pytest.mark.parametrize(
    ("autoencoder", "error", "match"),
    [
        (TSNE(), TypeError, "lacks transform, inverse_transform"),
        (PCA, TypeError, "autoencoder=PCA is a class"),
        ("pca", TypeError, "autoencoder='pca' lacks fit"),
        (KernelPCA(2), ValueError, "Set fit_inverse_transform=True"),
        (AutoencoderTransformer(8, epochs=1), ValueError, "8 components, but X has"),
    ],
)
def test_fit_refuses_an_autoencoder_without_inverse_or_with_a_large_code(
    table, autoencoder, error, match
):
    with pytest.raises(error, match=match):
        AutoencoderOutlierDetector(autoencoder).fit(table)


def test_an_error_of_the_autoencoder_states_that_it_got_half_of_the_rows(table):
    with pytest.raises(ValueError, match="n_components=5") as raised:
        pca_detector(5).fit(table[:8])
    assert "on 4 rows, half of X" in raised.value.__notes__[0]


@pytest.mark.parametrize("contamination", [0, -0.1, 0.51, 1, True, "low", None])
def test_fit_refuses_a_contamination_out_of_range(table, contamination):
    with pytest.raises(ValueError, match=r"'contamination'.*in the range \(0.0, 0.5\]"):
        pca_detector(contamination=contamination).fit(table)


def test_contamination_may_be_exactly_one_row(table):
    detector = pca_detector(contamination=1 / 49).fit(table[:49])  # 49 / 49 < 1
    assert detector.offset_ >= detector.score_samples(table[:49]).min()


def test_fit_refuses_a_contamination_of_less_than_one_row(table):
    pca_detector(contamination=1 / 400).fit(table)
    with pytest.raises(ValueError, match="contamination=0.002 of n_samples=400"):
        pca_detector(contamination=0.002).fit(table)


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (np.ones((20, 3)), "All 20 rows of X are equal"),
        (np.ones((1, 3)), "1 sample"),
        (np.eye(3), "3 distinct rows"),
        (np.ones((20, 8, 8)), r"AutoencoderOutlierDetector takes.*X.reshape\("),
        (np.ones((20, 8, 8)).tolist(), r"\(20, 8, 8\).*X.reshape\("),
        (np.array([[1.0, np.nan]] * 5), "NaN.*AutoencoderImputer"),
        (pd.DataFrame({"a": [1.0] * 5, "b": list("uvwxy")}), "text in column 'b'"),
        (1e200 * np.eye(5), "variance of some features of X is too large"),
    ],
)
def test_fit_refuses_invalid_rows(X, match):
    with pytest.raises(ValueError, match=match):
        pca_detector(1).fit(X)


def test_fit_of_few_rows_and_of_one_feature(table):
    for X in table[:4], table[:, :1]:
        detector = AutoencoderOutlierDetector(random_state=0).fit(X)
        assert np.isfinite(detector.score_samples(X)).all()
        assert (detector.predict(X + 100) == -1).all()


def test_fit_of_a_reducer_without_error_scores_by_the_neighbours(table):
    detector = pca_detector(6).fit(table)
    assert (detector.predict(table) == -1).mean() < 0.05
    assert (detector.predict(table + 3 * np.eye(6)[0]) == -1).mean() > 0.3
