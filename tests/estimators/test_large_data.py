"""Rows that may be larger than memory are visited in blocks."""

import h5py
import numpy as np
import pytest
from engines import ENGINES, engines_used
from helpers import COMPILED
from sklearn.decomposition import PCA

from skautoenc import AutoencoderTransformer, DenoisingAutoencoder
from skautoenc._estimators.stored_arrays import read_stored, warn_of_reading
from skautoenc._training import BlockedRows

N = 2**18 + 1001  # streamed, with a short last block


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """A memory map of float32 rows on a curved surface, sorted by their first value."""
    path = tmp_path_factory.mktemp("large") / "X.npy"
    X = np.lib.format.open_memmap(path, "w+", np.float32, (N, 8))
    rng = np.random.default_rng(0)
    t = np.linspace(-1, 1, N, dtype=np.float32)
    u = rng.uniform(-1, 1, N).astype(np.float32)
    columns = [t, u, t * u, t * t, np.sin(3 * t), np.cos(2 * u), t - u, u**3]
    for i, column in enumerate(columns):
        X[:, i] = column
    X.flush()
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("n", [300, 5000, 2**14])
def test_streamed_rows_visit_every_row_once(mapped, n):
    rows = BlockedRows(mapped, None, None)
    parts = [part.index for part in rows.parts(n, np.random.default_rng(0))]
    assert {len(part) for part in parts[:-1]} == {n}
    assert 0 < len(parts[-1]) <= n
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(N))


def test_streamed_rows_of_a_part_are_from_all_over_in_random_order(mapped):
    rows = BlockedRows(mapped, None, None)
    first = next(rows.parts(2**15, np.random.default_rng(0))).index
    assert first.min() < 0.2 * N
    assert first.max() > 0.8 * N
    assert 0.4 < np.mean(np.diff(first) > 0) < 0.6


def test_streamed_rows_split_has_every_row_once(mapped):
    rows = BlockedRows(mapped, None, None)
    parts = rows.split(rows.n_units // 10, np.random.default_rng(0))
    index = [np.concatenate([p.index for p in part.parts(4096)]) for part in parts]
    assert [len(part) for part in parts] == [len(i) for i in index]
    np.testing.assert_array_equal(np.sort(np.concatenate(index)), np.arange(N))
    assert len(index[1]) == pytest.approx(0.1 * N, rel=0.06)


@pytest.mark.parametrize("engine", ["numpy", COMPILED], indirect=True)
def test_fit_learns_from_sorted_rows_of_a_memory_map(mapped, engine):
    estimator = AutoencoderTransformer(
        2,
        hidden_layer_sizes=(16,),
        **engine,
        batch_size=512,
        epochs=2,
        early_stopping=True,
        mixup=False,
        random_state=0,
    ).fit(mapped)
    part = np.asarray(mapped[::50])
    assert estimator.score(part) > PCA(2).fit(part).explained_variance_ratio_.sum()
    assert estimator.history_["val_loss"][-1] < 1.2 * estimator.history_["loss"][-1]


def test_random_state_gives_the_same_bits_for_streamed_rows(mapped):
    denoiser = DenoisingAutoencoder(
        2, hidden_layer_sizes=(4,), batch_size=2048, epochs=1, random_state=0
    )
    codes = denoiser.fit(mapped).transform(mapped[:100])
    np.testing.assert_array_equal(denoiser.fit(mapped).transform(mapped[:100]), codes)


def test_sample_weight_of_streamed_rows_weights_their_loss(mapped):
    weight = np.where(mapped[:, 0] > 0, 1.0, 0.0)
    estimator = AutoencoderTransformer(
        1, hidden_layer_sizes=(8,), batch_size=512, epochs=2, random_state=0
    ).fit(mapped, sample_weight=weight)
    error = estimator.reconstruction_error(mapped[::50])
    assert error[len(error) // 2 :].mean() < 0.5 * error[: len(error) // 2].mean()


@pytest.mark.parametrize("engine", ["numpy", COMPILED], indirect=True)
def test_sample_weight_zero_counts_in_the_mean_of_streamed_rows(mapped, engine):
    """As in Keras; rows in memory that weigh nothing are not visited."""
    params = {"hidden_layer_sizes": (4,), "batch_size": 4096, "epochs": 1}
    estimator = AutoencoderTransformer(
        2, learning_rate=1e-9, random_state=0, **engine, **params
    )
    whole = estimator.fit(mapped).history_["loss"][0]
    half = np.tile([1.0, 0.0], N)[:N]
    weighted = estimator.fit(mapped, sample_weight=half).history_["loss"][0]
    assert weighted == pytest.approx(whole / 2, rel=0.02)


def test_callbacks_at_batches_shuffle_streamed_rows_alike(mapped):
    estimator = AutoencoderTransformer(
        2,
        hidden_layer_sizes=(8,),
        batch_size=1024,
        epochs=1,
        early_stopping=False,
        mixup=False,
        random_state=0,
    )
    losses = {}
    for engine in ("numpy", "keras"):
        with engines_used() as used:
            estimator.set_params(**ENGINES[engine]).fit(mapped)
        assert used == {engine}
        losses[engine] = estimator.history_["loss"]
    assert losses["keras"] == pytest.approx(losses["numpy"], rel=1e-3)


def test_validation_fraction_that_leaves_no_streamed_rows_is_refused(mapped):
    wide = AutoencoderTransformer(early_stopping=True, validation_fraction=0.999)
    with pytest.raises(ValueError, match="validation_fraction"):
        wide.fit(mapped)


def test_init_pca_is_pca_of_all_streamed_rows(mapped):
    pca = PCA(3).fit(np.asarray(mapped, np.float64))
    estimator = AutoencoderTransformer(
        3,
        hidden_layer_sizes=(),
        init="pca",
        optimizer="sgd",
        learning_rate=1e-12,
        epochs=1,
        batch_size=2**15,
        early_stopping=False,
    ).fit(mapped)
    rows = np.asarray(mapped[::100])
    wanted = pca.inverse_transform(pca.transform(rows))
    np.testing.assert_allclose(estimator.reconstruct(rows), wanted, atol=1e-5)


def test_fit_reads_a_large_hdf5_data_set_in_blocks(mapped, tmp_path):
    estimator = AutoencoderTransformer(
        2, hidden_layer_sizes=(4,), batch_size=4096, epochs=1, random_state=0
    )
    codes = estimator.fit(mapped).transform(mapped[:100])
    with h5py.File(tmp_path / "X.h5", "w", userblock_size=512) as file:
        stored = file.create_dataset("X", data=mapped)
        read = read_stored(stored)
        assert isinstance(read, np.memmap)
        np.testing.assert_array_equal(read, mapped)
        del read
        estimator.fit(stored)
    np.testing.assert_array_equal(estimator.transform(mapped[:100]), codes)


def test_fit_reads_hdf5_data_sets_that_are_not_one_block(mapped, tmp_path):
    settings = {"chunks": (1000, 8)}, {"compression": "gzip"}
    with h5py.File(tmp_path / "X.h5", "w") as file:
        for i, options in enumerate(settings):
            stored = file.create_dataset(f"X{i}", data=mapped, **options)
            np.testing.assert_array_equal(read_stored(stored), mapped)
    with h5py.File("X.h5", "w", driver="core", backing_store=False) as file:
        stored = file.create_dataset("X", data=mapped)
        np.testing.assert_array_equal(read_stored(stored), mapped)


def test_fit_and_partial_fit_take_zarr_arrays(mapped, tmp_path):
    import zarr

    settings = {"hidden_layer_sizes": (4,), "epochs": 1, "random_state": 0}
    X = np.array(mapped[:3000])
    stored = zarr.create_array(tmp_path / "X.zarr", data=X, chunks=(1000, 8))
    assert isinstance(read_stored(stored), np.ndarray)
    codes = [
        AutoencoderTransformer(2, **settings).fit(rows).transform(rows)
        for rows in (stored, X)
    ]
    np.testing.assert_array_equal(*codes)
    in_chunks, at_once = (AutoencoderTransformer(2, **settings) for _ in range(2))
    for start in range(0, len(X), 1000):
        in_chunks.partial_fit(stored[start : start + 1000])
        at_once.partial_fit(X[start : start + 1000])
    np.testing.assert_array_equal(in_chunks.transform(stored), at_once.transform(X))
    large = zarr.create_array(
        tmp_path / "large.zarr", shape=(2**20, 512), dtype="f4", chunks=(2**10, 512)
    )
    with pytest.warns(UserWarning, match=r"zarr array of 2.0 GiB.*partial_fit"):
        warn_of_reading(large)


def test_fit_warns_of_a_large_array_that_is_read_as_a_whole(tmp_path):
    with h5py.File(tmp_path / "X.h5", "w") as file:
        shape = 2**20, 512
        stored = file.create_dataset("X", shape, np.float32, chunks=(2**10, 512))
        with pytest.warns(UserWarning, match=r"h5py array of 2.0 GiB.*partial_fit"):
            warn_of_reading(stored)
