"""`compare_reducers`: the same held-out rows for every reducer."""

import re
import tracemalloc

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import global_states
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.decomposition import NMF, PCA, KernelPCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.manifold import TSNE
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from skautoenc import AutoencoderTransformer, ConvNetwork, compare_reducers

MEASURES = ["n_components", "test_mse", "test_explained_variance", "test_score"]


@pytest.fixture(scope="module")
def labels():
    return load_digits().target[:300]


@pytest.fixture
def reducers(small):
    return {
        "PCA": PCA(4),
        "scaled PCA": make_pipeline(StandardScaler(), PCA(4)),
        "kernel PCA": KernelPCA(4, kernel="rbf"),
        "kernel PCA, both ways": KernelPCA(4, kernel="rbf", fit_inverse_transform=True),
        "NMF": NMF(4, tol=1e-2, random_state=0),
        "autoencoder": small,
        "search": GridSearchCV(small, {"n_components": [1, 2]}, cv=2),
        "LDA": LinearDiscriminantAnalysis(n_components=4),
    }


def assert_same_numbers(result, other):
    assert list(result) == list(other)
    for key in MEASURES:
        np.testing.assert_allclose(result[key], other[key], rtol=1e-5, err_msg=key)


def test_compare_reducers_measures_are_those_computed_by_hand(digits, labels):
    result = compare_reducers({"PCA": PCA(5)}, digits, labels, cv=3)
    splits = list(StratifiedKFold(3).split(digits, labels))
    for i, (train, test) in enumerate(splits):
        pca = PCA(5).fit(digits[train])
        restored = pca.inverse_transform(pca.transform(digits[test]))
        errors = (restored - digits[test]).astype(np.float64) ** 2
        squares = (digits[test] - digits[train].mean(axis=0, dtype=np.float64)) ** 2
        explained = 1 - errors.sum() / squares.sum()
        assert result["test_mse"][i] == pytest.approx(errors.mean())
        assert result["test_explained_variance"][i] == pytest.approx(explained)
    model = make_pipeline(PCA(5), StandardScaler(), LogisticRegression(max_iter=1000))
    scores = cross_val_score(model, digits, labels, cv=splits)
    np.testing.assert_allclose(result["test_score"], scores)


def test_compare_reducers_explained_variance_is_the_score_of_an_autoencoder(
    digits, small
):
    result = compare_reducers({"autoencoder": small}, digits, cv=2)
    for i, (train, test) in enumerate(KFold(2).split(digits)):
        fitted = clone(small).fit(digits[train])
        score = fitted.score(digits[test])
        error = fitted.reconstruction_error(digits[test]).mean()
        assert result["test_explained_variance"][i] == pytest.approx(score, rel=1e-5)
        assert result["test_mse"][i] == pytest.approx(error, rel=1e-5)


def test_reducers_of_all_kinds_make_a_data_frame(digits, labels, reducers):
    result = pd.DataFrame(compare_reducers(reducers, digits, labels, cv=2))
    assert result["reducer"].tolist() == np.repeat(list(reducers), 2).tolist()
    assert result["split"].tolist() == [0, 1] * len(reducers)
    widths = result.groupby("reducer", sort=False)["n_components"].first()
    assert widths.tolist() == [4, 4, 4, 4, 4, 3, 2, 4]
    assert (result[["fit_time", "transform_time"]] > 0).all(axis=None)
    assert result["test_score"].between(0.2, 1).all()

    without_inverse = result["reducer"].isin(["kernel PCA", "LDA"])
    errors = result[["test_mse", "test_explained_variance"]]
    assert errors[without_inverse].isna().all(axis=None)
    assert errors[~without_inverse].notna().all(axis=None)


def test_compare_reducers_leaves_estimators_unfitted(digits, labels):
    pca, model = PCA(2), LogisticRegression(max_iter=1000)
    compare_reducers({"PCA": pca}, digits, labels, cv=2, downstream=model)
    assert not hasattr(pca, "components_")
    assert not hasattr(model, "coef_")


def test_compare_reducers_has_no_test_score_without_y(digits):
    assert "test_score" not in compare_reducers({"PCA": PCA(2)}, digits, cv=2)


class Recorder(StandardScaler):
    """Notes which rows it is fitted on, by their first value."""

    fitted_on = []

    def fit(self, X, y=None, sample_weight=None):
        self.fitted_on.append(X[:, 0].tolist())
        return super().fit(X, y, sample_weight)


@pytest.fixture
def numbered(digits, monkeypatch):
    monkeypatch.setattr(Recorder, "fitted_on", [])
    return np.column_stack([np.arange(300), digits])


def test_reducers_and_downstream_models_are_fitted_on_training_rows(numbered, labels):
    train = [part.tolist() for part, _ in StratifiedKFold(3).split(numbered, labels)]
    compare_reducers({"recorder": Recorder()}, numbered, labels, cv=3)
    assert Recorder.fitted_on == train

    Recorder.fitted_on.clear()
    identity = FunctionTransformer()
    model = make_pipeline(Recorder(), LogisticRegression())
    compare_reducers({"all": identity}, numbered, labels, cv=3, downstream=model)
    assert Recorder.fitted_on == train


def test_cv_gives_every_reducer_the_same_random_splits(numbered):
    cv = ShuffleSplit(3, random_state=np.random.RandomState(0))
    compare_reducers({"a": Recorder(), "b": Recorder()}, numbered, cv=cv)
    splits = [tuple(rows) for rows in Recorder.fitted_on]
    assert len(splits) == 6
    assert len(set(splits)) == 3


def test_cv_can_be_masks(digits):
    masks = [(np.arange(300) < 200, np.arange(300) >= 200)]
    indices = [np.flatnonzero(mask) for mask in masks[0]]
    by_mask = compare_reducers({"PCA": PCA(2)}, digits, cv=masks)
    by_index = compare_reducers({"PCA": PCA(2)}, digits, cv=[indices])
    assert by_mask["test_mse"] == by_index["test_mse"]


def test_downstream_is_ridge_for_numbers():
    X, y = load_diabetes(return_X_y=True)
    y = y / 10
    result = compare_reducers({"PCA": PCA(4)}, X, y, cv=3)
    scores = cross_val_score(
        make_pipeline(PCA(4), StandardScaler(), Ridge()), X, y, cv=KFold(3)
    )
    np.testing.assert_allclose(result["test_score"], scores)
    of_two = compare_reducers({"PCA": PCA(4)}, X, np.column_stack([y, y]), cv=3)
    np.testing.assert_allclose(of_two["test_score"], scores)


def test_downstream_can_be_given(digits, labels):
    forest = RandomForestClassifier(5, random_state=0)
    result = compare_reducers({"PCA": PCA(4)}, digits, labels, cv=2, downstream=forest)
    scores = cross_val_score(make_pipeline(PCA(4), forest), digits, labels, cv=2)
    np.testing.assert_allclose(result["test_score"], scores)

    regressor = compare_reducers(
        {"PCA": PCA(4)}, digits, labels, cv=2, downstream=Ridge()
    )
    scores = cross_val_score(
        make_pipeline(PCA(4), Ridge()), digits, labels, cv=KFold(2)
    )
    np.testing.assert_allclose(regressor["test_score"], scores, rtol=1e-5)


def test_compare_reducers_passes_data_frames_on(digits, labels):
    names = [f"pixel{i}" for i in range(64)]
    wanted = compare_reducers({"PCA": PCA(4)}, digits, labels, cv=2)

    X = pd.DataFrame(digits, columns=names, index=np.arange(300)[::-1])
    frames = FunctionTransformer(frame_to_frame, pd.DataFrame)
    pca = make_pipeline(frames, PCA(4)).set_output(transform="pandas")
    result = compare_reducers({"PCA": pca}, X, pd.Series(labels), cv=2)
    assert_same_numbers(result, wanted)

    X = pl.DataFrame(digits, schema=names)
    pca = PCA(4).set_output(transform="polars")
    result = compare_reducers({"PCA": pca}, X, pl.Series(labels), cv=2)
    assert_same_numbers(result, wanted)


def frame_to_frame(X):
    assert isinstance(X, pd.DataFrame)
    return X


@pytest.mark.parametrize("sparse_format", [sparse.csr_matrix, sparse.csc_array])
def test_compare_reducers_measures_sparse_rows_as_dense_rows(
    digits, small, sparse_format
):
    reducers = {
        "SVD": TruncatedSVD(4, algorithm="arpack", random_state=0),
        "autoencoder": small,
        "selection": VarianceThreshold(0.05),
    }
    labels, model = digits[:, 20] > 0.5, LogisticRegression()
    wanted, result = (
        compare_reducers(reducers, X, labels, cv=2, downstream=model)
        for X in (digits, sparse_format(digits))
    )
    assert_same_numbers(result, wanted)


def test_compare_reducers_never_densifies_all_sparse_rows():
    X = sparse.random_array(
        (1500, 20_000),
        density=1e-4,
        random_state=np.random.default_rng(0),
        format="csr",
    )
    dense_bytes = 8 * X.shape[0] * X.shape[1]
    tracemalloc.start()
    try:
        svd = TruncatedSVD(2, random_state=0)
        compare_reducers({"SVD": svd}, X, cv=[(np.arange(50), np.arange(50, 1500))])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * dense_bytes


def test_compare_reducers_takes_lists(digits, labels):
    result = compare_reducers({"PCA": PCA(4)}, digits.tolist(), labels.tolist(), cv=2)
    wanted = compare_reducers({"PCA": PCA(4)}, digits, labels, cv=2)
    assert_same_numbers(result, wanted)


def test_compare_reducers_measures_images_as_flat_rows(digits, labels, small):
    images = digits.reshape(-1, 8, 8)
    network = ConvNetwork((8, 8, 1), filters=(2,))
    reducers = {
        "dense": small,
        "convolutional": AutoencoderTransformer(
            None, network=network, epochs=1, random_state=0
        ),
    }
    flat = compare_reducers(reducers, digits, labels, cv=2)
    assert_same_numbers(compare_reducers(reducers, images, labels, cv=2), flat)


def test_reducers_that_write_to_their_input_are_measured_by_the_original(digits):
    def reducers(copy):
        return {
            "PCA": PCA(4, copy=copy),
            "scaled": make_pipeline(StandardScaler(copy=copy), PCA(4)),
            "scaler": MinMaxScaler(copy=copy),
        }

    labels, model = digits[:, 20] > 0.5, LogisticRegression()
    wanted, result = (
        compare_reducers(reducers(copy), digits, labels, cv=2, downstream=model)
        for copy in (True, False)
    )
    assert_same_numbers(result, wanted)


def test_compare_reducers_explained_variance_of_rows_without_variance():
    X = np.ones((10, 4))
    exact, inexact = (
        FunctionTransformer(inverse_func=inverse) for inverse in (None, np.negative)
    )
    result = compare_reducers({"exact": exact, "not": inexact}, X, cv=2)
    assert result["test_explained_variance"].tolist() == [1, 1, 0, 0]
    assert result["test_mse"].tolist() == [0, 0, 4, 4]


def test_n_jobs_2_gives_the_numbers_of_1(digits, labels, reducers):
    one = compare_reducers(reducers, digits, labels, cv=2)
    two = compare_reducers(reducers, digits, labels, cv=2, n_jobs=2)
    assert two["reducer"].tolist() == one["reducer"].tolist()
    assert_same_numbers(two, one)


@pytest.mark.parametrize("backend", ["sequential", "threading", "multiprocessing"])
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_compare_reducers_works_with_any_backend_of_joblib(
    digits, labels, small, backend, capsys
):
    reducers = {"PCA": PCA(4), "autoencoder": small}
    wanted = compare_reducers(reducers, digits, labels, cv=2)
    with joblib.parallel_config(backend, n_jobs=2):
        result = compare_reducers(reducers, digits, labels, cv=2, verbose=1)
    assert_same_numbers(result, wanted)
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_verbose_prints_a_line_for_each_fit(digits, labels, n_jobs, capsys):
    reducers = {"PCA": PCA(4), "LDA": LinearDiscriminantAnalysis()}
    result = compare_reducers(reducers, digits, labels, n_jobs=n_jobs, verbose=1)
    lines = capsys.readouterr().out.splitlines()
    starts, ends = zip(*(line.split("] ") for line in lines), strict=True)
    assert list(starts) == [f"[{i:2}/10" for i in range(1, 11)]
    mse, score, time = (
        result[key][0] for key in ("test_mse", "test_score", "fit_time")
    )
    assert f"PCA, split 0: mse {mse:.4g}, score {score:.4g}, fit {time:.2f} s" in ends
    score, time = (result[key][-1] for key in ("test_score", "fit_time"))
    assert f"LDA, split 4: score {score:.4g}, fit {time:.2f} s" in ends


def test_verbose_0_prints_nothing(digits, capsys):
    compare_reducers({"PCA": PCA(4)}, digits, cv=2)
    assert capsys.readouterr() == ("", "")


def test_compare_reducers_draws_nothing_from_global_generators(digits, labels, small):
    before = global_states()
    reducers = {"PCA": PCA(4), "autoencoder": small.set_params(random_state=None)}
    compare_reducers(reducers, digits, labels, cv=2)
    assert global_states() == before


class Halved(TransformerMixin, BaseEstimator):
    """Gives back half of the features."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X

    def inverse_transform(self, Z):
        return Z[:, ::2]


@pytest.mark.parametrize(
    ("reducer", "n_jobs", "message"),
    [
        (PCA(65), None, "n_components=65 must be between"),
        (PCA(65), 2, "n_components=65 must be between"),
        (
            Halved(),
            None,
            r"inverse_transform returned .* \(150, 32\) for rows of .* \(150, 64\)",
        ),
        (KernelPCA(2), None, r"reducers\['second'\] has no inverse, .* Give y"),
    ],
)
def test_compare_reducers_error_names_the_reducer_and_split(
    digits, reducer, n_jobs, message
):
    reducers = {"first": PCA(2), "second": reducer}
    with pytest.raises(ValueError, match=message) as caught:
        compare_reducers(reducers, digits, cv=2, n_jobs=n_jobs)
    # Splits that run side by side may fail in either order.
    splits = "01" if n_jobs == 2 else "0"
    (note,) = caught.value.__notes__
    assert re.fullmatch(rf"Raised for the reducer 'second' in split [{splits}]\.", note)


@pytest.mark.parametrize(
    ("reducers", "error", "message"),
    [
        ([PCA()], TypeError, "reducers must be a dict"),
        ({}, ValueError, "reducers is empty"),
        ({1: PCA()}, TypeError, "names in reducers must be str; got 1"),
        ({"a": PCA}, TypeError, r"reducers\['a'\] is a class.*instance.*PCA\(\)"),
        ({"a": TSNE()}, TypeError, r"reducers\['a'\].*TSNE\(\) lacks transform"),
        ({"a": Ridge()}, TypeError, r"Ridge\(\) lacks transform"),
        ({"a": None}, TypeError, "None lacks fit, transform"),
        (
            {"a": PCA(), "b": LinearDiscriminantAnalysis()},
            ValueError,
            r"reducers\['b'\] has no inverse.*Give y",
        ),
    ],
)
def test_reducers_that_cannot_be_measured_are_refused(digits, reducers, error, message):
    with pytest.raises(error, match=message):
        compare_reducers(reducers, digits)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"downstream": Ridge()}, ValueError, "downstream needs y"),
        ({"y": range(299)}, ValueError, r"inconsistent numbers.*\[300, 299\]"),
        ({"y": [0, 1] * 150, "downstream": Ridge}, TypeError, "downstream is a class"),
        (
            {"y": [0, 1] * 150, "downstream": StandardScaler()},
            TypeError,
            r"downstream must.*StandardScaler\(\) lacks score",
        ),
        ({"y": [[0, 1], [1, 1]] * 150}, ValueError, "multilabel.*downstream"),
        ({"cv": []}, ValueError, "cv gives no splits"),
    ],
)
def test_compare_reducers_checks_downstream_y_and_cv(digits, arguments, error, message):
    with pytest.raises(error, match=message):
        compare_reducers({"PCA": PCA(2)}, digits, **arguments)
