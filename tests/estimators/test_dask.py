"""Dask collections as input, computed by threads of this process."""

import textwrap

import cloudpickle
import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from helpers import make_autoencoder, run_python
from sklearn.decomposition import PCA

from skautoenc import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    DenoisingAutoencoder,
    EncoderClassifier,
    EncoderRegressor,
    VariationalAutoencoder,
)
from skautoenc._estimators import dask_input
from skautoenc._training import ChunkedRows, Rows
from skautoenc._utils.chunked import ChunkedArray
from skautoenc._utils.digest import Digest

N, D, LENGTHS = 3000, 8, (700, 300, 1000, 1, 999)


@pytest.fixture(scope="module")
def X():
    """Rows on a curved surface, sorted by their first value, float32."""
    rng = np.random.default_rng(0)
    t, u = np.sort(rng.uniform(-1, 1, N)), rng.uniform(-1, 1, N)
    columns = [t, u, t * u, t * t, np.sin(3 * t), np.cos(2 * u), t - u, u**3]
    return np.stack(columns, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def lazy(X):
    return da.from_array(X, chunks=(LENGTHS, D))


@pytest.fixture(scope="module")
def frame(X):
    names = [f"x{i}" for i in range(D)]
    table = pd.DataFrame(X, columns=names, index=2 * np.arange(N))
    return dd.from_pandas(table, npartitions=4)


@pytest.fixture(scope="module")
def fitted(X):
    """A fitted autoencoder, not to be changed."""
    return make_autoencoder().fit(X)


@pytest.fixture
def streamed(monkeypatch):
    """No collection is small enough to be computed into memory."""
    monkeypatch.setattr(dask_input, "_MAX_BYTES_IN_MEMORY", 0)


def by_chunk(method, X):
    """What a method gives for each chunk of `lazy`, one after another."""
    cuts = np.cumsum(LENGTHS)[:-1]
    return np.concatenate([method(rows) for rows in np.split(X, cuts)])


def to_array(X):
    chunks = [dask.delayed(rows) for rows in np.split(X, np.cumsum(LENGTHS)[:-1])]
    return ChunkedArray(tuple(chunks), LENGTHS, X[:0])


@pytest.mark.parametrize("n", [64, 500, 2**12])
def test_chunked_rows_visit_every_row_once_in_random_order(n):
    numbered = np.arange(2.0 * N, dtype=np.float32).reshape(N, 2)
    rows = ChunkedRows(to_array(numbered), None, to_array(-numbered))
    parts = list(rows.parts(n, np.random.default_rng(0)))
    assert {len(part) for part in parts[:-1]} <= {n}
    inputs, targets = zip(*[part.arrays() for part in parts], strict=True)
    found = np.concatenate(inputs)
    np.testing.assert_array_equal(found[np.argsort(found[:, 0])], numbered)
    np.testing.assert_array_equal(np.concatenate(targets), -found)
    assert 0.4 < np.mean(np.diff(found[:, 0]) > 0) < 0.6


def test_chunked_rows_split_has_every_row_once_and_a_share_of_each_chunk():
    numbered = np.arange(2.0 * N, dtype=np.float32).reshape(N, 2)
    training, validation = ChunkedRows(to_array(numbered), None, None).split(
        300, np.random.default_rng(0)
    )
    assert isinstance(validation, Rows)
    assert (len(training), len(validation)) == (N - 300, 300)
    held_out, _ = validation.arrays()
    kept = np.concatenate([part.arrays()[0] for part in training.parts(256)])
    both = np.concatenate([held_out, kept])
    np.testing.assert_array_equal(both[np.argsort(both[:, 0])], numbered)
    chunk = np.searchsorted(np.cumsum(LENGTHS), held_out[:, 0] / 2, side="right")
    np.testing.assert_allclose(np.bincount(chunk), np.array(LENGTHS) / 10, atol=1)


def test_chunked_rows_sample_is_spread_over_the_rows():
    numbered = np.arange(2.0 * N, dtype=np.float32).reshape(N, 2)
    sample, _ = ChunkedRows(to_array(numbered), None, None).sample(31).arrays()
    np.testing.assert_array_equal(
        sample[:, 0], 2 * np.linspace(0, N - 1, 31).astype(int)
    )


@pytest.mark.parametrize("kind", ["array", "float64", "frame", "sparse"])
def test_init_pca_is_pca_of_all_rows_of_a_dask_collection(
    X, lazy, frame, kind, streamed
):
    collections = {
        "array": lazy,
        "float64": lazy.astype(np.float64) + 1e6,
        "frame": frame,
        "sparse": lazy.map_blocks(sp.csr_matrix),
    }
    shift = 1e6 if kind == "float64" else 0
    estimator = AutoencoderTransformer(
        3,
        hidden_layer_sizes=(),
        init="pca",
        optimizer="sgd",
        learning_rate=1e-12,
        epochs=1,
        early_stopping=False,
    ).fit(collections[kind])
    pca = PCA(3).fit(X.astype(np.float64))
    wanted = pca.inverse_transform(pca.transform(X))
    given = X.astype(np.float64) + shift if shift else X
    if kind == "frame":
        assert list(estimator.feature_names_in_) == list(frame.columns)
        given = frame.compute()
    np.testing.assert_allclose(estimator.reconstruct(given) - shift, wanted, atol=1e-5)
    np.testing.assert_allclose(estimator.mean_ - shift, X.mean(axis=0), atol=1e-5)
    ratio = PCA(3).fit(X).explained_variance_ratio_
    np.testing.assert_allclose(estimator.explained_variance_ratio_, ratio, atol=1e-5)


def test_fit_on_a_dask_array_is_as_good_as_in_memory(X, lazy, streamed):
    params = {"hidden_layer_sizes": (32,), "epochs": 20, "early_stopping": False}
    errors = [
        1 - AutoencoderTransformer(2, random_state=0, **params).fit(rows).score(X)
        for rows in (lazy, X)
    ]
    assert errors[0] < 1.2 * errors[1]
    assert errors[0] < 0.5 * (1 - PCA(2).fit(X).explained_variance_ratio_.sum())


def test_early_stopping_on_a_dask_array_keeps_the_best_epoch(X, lazy, streamed):
    estimator = make_autoencoder(early_stopping=True).fit(lazy)
    losses = estimator.history_["val_loss"]
    assert estimator.best_epoch_ == 1 + np.argmin(losses)


@pytest.mark.parametrize("kind", [AutoencoderTransformer, VariationalAutoencoder])
def test_fit_on_a_dask_array_gives_the_same_bits_with_every_scheduler(
    kind, X, lazy, streamed
):
    codes = []
    for scheduler in ("synchronous", "threads"):
        with dask.config.set(scheduler=scheduler):
            estimator = make_autoencoder(kind, epochs=2).fit(lazy)
        codes.append(estimator.transform(X))
    np.testing.assert_array_equal(*codes)


def test_fit_computes_a_small_dask_collection_into_memory(X, lazy, frame):
    names = list(frame.columns)
    in_memory = make_autoencoder().fit(X)
    np.testing.assert_array_equal(
        make_autoencoder().fit(lazy).transform(X), in_memory.transform(X)
    )
    # Chunks of unknown lengths do not matter then, but are refused alike.
    of_frame = make_autoencoder().fit(frame)
    table = pd.DataFrame(X, columns=names)
    np.testing.assert_array_equal(of_frame.transform(table), in_memory.transform(X))


def test_fit_takes_a_clean_dask_array_and_a_validation_pair(X, lazy, streamed):
    rng = np.random.default_rng(0)
    noisy = X + rng.normal(scale=0.3, size=X.shape).astype(np.float32)
    lazy_noisy = da.from_array(noisy, chunks=(LENGTHS, D))
    denoiser = make_autoencoder(DenoisingAutoencoder, epochs=10).fit(
        lazy_noisy, X_clean=lazy, X_val=(lazy_noisy[:500], lazy[:500])
    )
    errors = [np.mean((rows - X) ** 2) for rows in (denoiser.reconstruct(noisy), noisy)]
    assert errors[0] < 0.6 * errors[1]
    assert len(denoiser.history_["val_loss"]) == 10


def test_sample_weight_of_a_dask_array_weights_the_loss(X, lazy, streamed):
    weight = np.where(X[:, 0] > 0, 1.0, 0.0)
    params = {"n_components": 1, "hidden_layer_sizes": (16,), "epochs": 10}
    of_vector, of_dask = (
        make_autoencoder(**params).fit(lazy, sample_weight=w)
        for w in (weight, da.from_array(weight, chunks=(LENGTHS,)))
    )
    np.testing.assert_array_equal(of_vector.transform(X), of_dask.transform(X))
    np.testing.assert_allclose(of_dask.mean_, X[X[:, 0] > 0].mean(axis=0), atol=1e-5)
    error = of_dask.reconstruction_error(X)
    assert error[weight == 1].mean() < 0.5 * error[weight == 0].mean()


def test_n_components_as_a_share_and_one_hot_groups_work_with_dask_arrays(X, streamed):
    rng = np.random.default_rng(0)
    table = np.hstack([X, np.eye(3, dtype=np.float32)[rng.integers(3, size=N)]])
    lazy = da.from_array(table, chunks=(LENGTHS, -1))
    estimator = make_autoencoder(n_components=0.8, one_hot_groups="auto").fit(lazy)
    assert estimator.one_hot_groups_ == [[8, 9, 10]]
    assert (
        estimator.n_components_
        == make_autoencoder(n_components=0.8).fit(table).n_components_
    )
    with pytest.raises(ValueError, match=r"one_hot_groups\[0\].*row 0 of X"):
        make_autoencoder(one_hot_groups=[[0, 1]]).fit(lazy)


def test_digest_of_chunks_depends_on_their_values_and_lengths(X):
    def digest(value):
        digest = Digest()
        digest.add(value)
        return digest.hexdigest()

    array = to_array(X)
    assert digest(array) == digest(to_array(X.copy()))
    assert digest(array) != digest(to_array(X[::-1]))
    whole = ChunkedArray((dask.delayed(X),), (N,), X[:0])
    assert digest(array) != digest(whole)


ROWS_OF_FIT = {
    "unknown lengths": (
        lambda x: x[x[:, 0] > 0],
        ValueError,
        r"X.*unknown lengths.*X\.compute_chunk_sizes\(\)",
    ),
    "chunks of features": (
        lambda x: x.rechunk((1000, 4)),
        ValueError,
        r"X.*along its features.*X\.rechunk\(\{1: -1\}\)",
    ),
    "text": (
        lambda x: x.to_dask_dataframe(columns=list("abcdefgh")).assign(c="text"),
        ValueError,
        r"X has the column 'c' of type .*X\.astype",
    ),
    "objects": (
        lambda x: x.to_dask_dataframe(columns=list("abcdefgh")).astype({"d": object}),
        ValueError,
        r"X has the column 'd' of type object.*X\.astype",
    ),
    "delayed": (lambda x: dask.delayed(x), TypeError, "X is a Dask Delayed"),
    "NaN": (lambda x: da.where(x > 0.5, np.nan, x), ValueError, "Input X contains NaN"),
    "no rows": (lambda x: x[:0], ValueError, "X has no rows"),
    "a vector": (lambda x: x[:, 0], ValueError, "Expected 2D array"),
}


@pytest.mark.parametrize("kind", ROWS_OF_FIT)
def test_fit_refuses_a_dask_collection(kind, lazy, streamed):
    make, error, match = ROWS_OF_FIT[kind]
    estimator = make_autoencoder()
    with pytest.raises(error, match=match):
        estimator.fit(make(lazy))
    assert not hasattr(estimator, "n_features_in_")


def test_fit_refuses_arrays_with_other_chunks_than_x(X, lazy, streamed):
    other = lazy.rechunk((1000, D))
    denoiser = make_autoencoder(DenoisingAutoencoder)
    with pytest.raises(ValueError, match=r"X_clean and X.*lengths.*X_clean\.rechunk"):
        denoiser.fit(lazy, X_clean=other)
    with pytest.raises(TypeError, match="X_clean must be one too"):
        denoiser.fit(lazy, X_clean=X)
    with pytest.raises(ValueError, match="sample_weight has 2 values, but X has 3000"):
        denoiser.fit(lazy, sample_weight=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"Negative values.*sample_weight"):
        denoiser.fit(lazy, sample_weight=-da.ones(N, chunks=(LENGTHS,)))


def test_partial_fit_refuses_a_dask_collection(lazy):
    with pytest.raises(TypeError, match=r"X is a Dask collection.*fit.*Incremental"):
        make_autoencoder().partial_fit(lazy)


def assert_lazy(result, values):
    """A Dask array of known type and width, which is computed to these values."""
    assert isinstance(result, da.Array)
    assert result.dtype == result._meta.dtype == values.dtype
    assert result.shape == values.shape
    np.testing.assert_array_equal(result.compute(), values)


METHODS = {
    "transform": {},
    "reconstruct": {},
    "score_samples": {"metric": "mean_absolute_error"},
    "reconstruction_error": {"per_feature": True},
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_an_autoencoder_are_lazy_for_dask_arrays(name, X, lazy, fitted):
    def method(rows):
        return getattr(fitted, name)(rows, **METHODS[name])

    assert_lazy(method(lazy), by_chunk(method, X))
    by_name = getattr(fitted, name)(X=lazy, **METHODS[name])
    assert_lazy(by_name, by_chunk(method, X))


def test_inverse_transform_and_score_take_dask_arrays(X, lazy, fitted):
    codes = fitted.transform(lazy)
    assert_lazy(fitted.inverse_transform(codes), by_chunk(fitted.reconstruct, X))
    weight = np.arange(N, dtype=float)
    for w in (None, weight):
        wanted = fitted.score(X, sample_weight=w)
        assert fitted.score(lazy, sample_weight=w) == pytest.approx(wanted, abs=1e-9)
    assert fitted.score(
        lazy, sample_weight=da.from_array(weight, chunks=(LENGTHS,))
    ) == (pytest.approx(fitted.score(X, sample_weight=weight), abs=1e-9))


def test_transform_takes_dask_arrays_of_sparse_rows_and_of_unknown_lengths(
    X, lazy, fitted
):
    codes = fitted.transform(lazy.map_blocks(sp.csr_matrix))
    assert codes.shape == (N, 3)
    np.testing.assert_allclose(codes.compute(), fitted.transform(X), atol=1e-5)
    some = fitted.transform(lazy[lazy[:, 0] > 0.5])
    assert some.shape[1] == 3
    wanted = fitted.transform(X[X[:, 0] > 0.5])
    np.testing.assert_allclose(some.compute(), wanted, atol=1e-5)


def test_methods_of_a_fit_to_images_keep_their_shape(X):
    images = X.reshape(N, 4, 2)
    lazy = da.from_array(images, chunks=(LENGTHS, 4, 2))
    estimator = make_autoencoder().fit(lazy)
    assert_lazy(estimator.transform(lazy), by_chunk(estimator.transform, images))
    assert_lazy(estimator.reconstruct(lazy), by_chunk(estimator.reconstruct, images))
    denoiser = make_autoencoder(DenoisingAutoencoder, output="reconstruction").fit(lazy)
    assert_lazy(denoiser.transform(lazy), by_chunk(denoiser.transform, images))


def test_transform_of_a_dask_data_frame_returns_what_set_output_asks_for(
    X, frame, lazy
):
    estimator = make_autoencoder().fit(frame)
    wanted = estimator.transform(frame.compute())
    codes = estimator.transform(frame)
    assert isinstance(codes, da.Array)
    assert codes.shape[1] == 3
    np.testing.assert_allclose(codes.compute(), wanted, atol=1e-5)
    estimator.set_output(transform="pandas")
    codes = estimator.transform(frame)
    assert isinstance(codes, dd.DataFrame)
    assert list(codes.columns) == list(estimator.get_feature_names_out())
    computed = codes.compute()
    pd.testing.assert_frame_equal(computed, estimator.transform(frame.compute()))
    of_array = make_autoencoder().fit(X).set_output(transform="pandas").transform(lazy)
    np.testing.assert_allclose(of_array.compute(), wanted, atol=1e-5)
    with pytest.raises(ValueError, match="cannot return polars"):
        estimator.set_output(transform="polars").transform(frame)


def test_methods_refuse_other_dask_collections_before_they_are_computed(
    lazy, frame, fitted
):
    with pytest.raises(ValueError, match="X has 4 features"):
        fitted.transform(lazy[:, :4])
    with pytest.raises(ValueError, match="Z has 8 components"):
        fitted.inverse_transform(lazy)
    with pytest.raises(ValueError, match="metric must be one of"):
        fitted.score_samples(lazy, metric="cosine")
    with pytest.raises(ValueError, match="along its features"):
        fitted.reconstruct(lazy.rechunk((1000, 4)))
    with pytest.raises(ValueError, match="feature names should match"):
        make_autoencoder().fit(frame).transform(frame[list(frame.columns[::-1])])
    with pytest.raises(ValueError, match="has the column 'x0' of type"):
        fitted.transform(frame.assign(x0="text"))


def test_outlier_detector_is_lazy_for_dask_arrays(X, lazy):
    detector = AutoencoderOutlierDetector(make_autoencoder(), random_state=0).fit(lazy)
    for name in ("score_samples", "predict", "feature_contributions"):
        method = getattr(detector, name)
        assert_lazy(method(lazy), by_chunk(method, X))
    with pytest.raises(ValueError, match="X has 4 features"):
        detector.predict(lazy[:, :4])


def test_encoder_with_a_head_is_lazy_for_dask_arrays(X, lazy):
    params = {"epochs": 2, "random_state": 0}
    y = np.where(X[:, 0] > 0, "right", "left")
    classifier = EncoderClassifier(make_autoencoder(), **params).fit(lazy, y)
    for method in (classifier.predict, classifier.predict_proba):
        assert_lazy(method(lazy), by_chunk(method, X))
    regressor = EncoderRegressor(make_autoencoder(), **params).fit(X, X[:, :2])
    assert_lazy(regressor.predict(lazy), by_chunk(regressor.predict, X))


def test_imputer_is_lazy_for_dask_arrays(X):
    missing = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    lazy = da.from_array(missing, chunks=(LENGTHS, D))
    params = {"hidden_layer_sizes": (), "add_indicator": True, "random_state": 0}
    imputer = AutoencoderImputer(**params).fit(lazy)
    assert_lazy(imputer.transform(lazy), by_chunk(imputer.transform, missing))
    with pytest.raises(ValueError, match="sample_posterior=True is not available"):
        AutoencoderImputer(sample_posterior=True, **params).fit(X).transform(lazy)


def test_the_estimator_is_in_the_graph_once_and_as_it_is_now(X, lazy):
    estimator = make_autoencoder(hidden_layer_sizes=(512, 512), epochs=1).fit(X[:100])
    codes = estimator.transform(lazy)
    wanted = by_chunk(estimator.transform, X)
    tasks = codes.__dask_graph__().to_dict()
    sizes = np.array([len(cloudpickle.dumps(task)) for task in tasks.values()])
    assert np.sum(sizes > 2**20) == 1
    estimator.fit(-X[:100])
    np.testing.assert_array_equal(codes.compute(), wanted)


def test_estimators_work_in_the_wrappers_of_dask_ml(X, lazy):
    from dask_ml.wrappers import Incremental, ParallelPostFit

    parallel = ParallelPostFit(make_autoencoder()).fit(X)
    wanted = by_chunk(parallel.estimator.transform, X)
    np.testing.assert_array_equal(parallel.transform(lazy).compute(), wanted)
    incremental = Incremental(make_autoencoder(), shuffle_blocks=False)
    incremental.fit(lazy, da.zeros(N, chunks=(LENGTHS,)))
    in_turn = make_autoencoder()
    for rows in np.split(X, np.cumsum(LENGTHS)[:-1]):
        in_turn.partial_fit(rows)
    np.testing.assert_array_equal(
        incremental.estimator_.transform(X), in_turn.transform(X)
    )


def test_nothing_imports_dask_but_a_collection():
    code = """
    import sys, numpy as np
    from skautoenc import AutoencoderTransformer
    X = np.random.default_rng(0).random((50, 4))
    AutoencoderTransformer(epochs=1).fit(X).transform(X)
    assert "dask" not in sys.modules
    """
    run_python(textwrap.dedent(code))
