"""Corruptions, and DenoisingAutoencoder."""

import pickle

import numpy as np
import pandas
import pytest
import scipy.sparse as sp
from helpers import make_autoencoder
from scipy.stats import ks_2samp
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skautoenc import ConvNetwork, DenoisingAutoencoder
from skautoenc._fit.augmentation import bind_noise
from skautoenc.noise import NOISES, gaussian, masking, salt_and_pepper, swap


def quick(**params):
    return make_autoencoder(DenoisingAutoencoder, **params)


@pytest.fixture(scope="module")
def noisy(digits):
    return gaussian(digits, 0.3, np.random.default_rng(5))


CORRUPTIONS = [gaussian, masking, salt_and_pepper, swap]


@pytest.fixture(scope="module")
def values():
    """More than one block of rows."""
    X = np.random.default_rng(0).uniform(0.2, 0.8, (10_000, 64)).astype(np.float32)
    X.flags.writeable = False
    return X


def test_gaussian_noise_is_normal_and_independent(values):
    noise = gaussian(values, 0.5, np.random.default_rng(0)) - values
    assert noise.mean() == pytest.approx(0, abs=0.003)
    assert noise.std() == pytest.approx(0.5, rel=0.005)
    assert np.mean(np.abs(noise) < 0.5) == pytest.approx(0.683, abs=0.003)
    among_rows = np.corrcoef(noise[::500]) - np.eye(20)
    assert np.abs(among_rows).max() < 0.6


def test_masking_sets_a_fraction_to_zero(values):
    corrupted = masking(values, 0.3, np.random.default_rng(0))
    masked = corrupted == 0
    assert masked.mean() == pytest.approx(0.3, abs=0.003)
    np.testing.assert_array_equal(corrupted[~masked], values[~masked])


def test_salt_and_pepper_set_half_of_the_fraction_each(values):
    rng = np.random.default_rng(0)
    corrupted = salt_and_pepper(values, 0.3, rng, low=-1.0, high=2.0)
    salt, pepper = corrupted == 2, corrupted == -1
    assert salt.mean() == pytest.approx(0.15, abs=0.003)
    assert pepper.mean() == pytest.approx(0.15, abs=0.003)
    kept = ~(salt | pepper)
    np.testing.assert_array_equal(corrupted[kept], values[kept])


@pytest.fixture(scope="module")
def origins():
    """Values that tell their row and column, in more than one block of rows."""
    row, column = np.indices((10_000, 300))
    return (row + 10_000 * column).astype(np.float32)


def test_swap_draws_values_from_the_other_rows_of_their_column(origins):
    corrupted = swap(origins, 0.3, np.random.default_rng(0))
    changed = corrupted != origins
    assert changed.mean() == pytest.approx(0.3, abs=0.002)
    source = corrupted - origins[0]
    assert source.min() >= 0
    assert source.max() < len(origins)
    # The rows of all blocks are drawn from, in every block.
    assert source[:1000][changed[:1000]].mean() == pytest.approx(5000, rel=0.02)
    assert source[-1000:][changed[-1000:]].mean() == pytest.approx(5000, rel=0.02)


def test_swap_replaces_the_columns_of_a_group_together():
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(400, 2))
    categories = rng.integers(3, size=400)
    X = np.column_stack([numbers, np.eye(3)[categories]]).astype(np.float32)
    corrupted = swap(X, 0.5, rng, groups=((2, 3, 4),))
    np.testing.assert_array_equal(corrupted[:, 2:].sum(axis=1), 1)
    changed = (corrupted[:, 2:] != X[:, 2:]).any(axis=1).mean()
    # Two thirds of the other rows have another category.
    assert changed == pytest.approx(0.5 * 2 / 3, abs=0.08)
    assert np.mean(corrupted[:, 0] != X[:, 0]) == pytest.approx(0.5, abs=0.1)


def test_swap_draws_each_value_by_itself(origins):
    corrupted = swap(origins, 1.0, np.random.default_rng(0))
    assert (corrupted != origins).all()
    source = (corrupted - origins[0])[:, :20]
    among_columns = np.corrcoef(source.T) - np.eye(20)
    assert np.abs(among_columns).max() < 0.06


def test_swap_keeps_a_single_row(values):
    kept = swap(values[:1], 1.0, np.random.default_rng(0))
    np.testing.assert_array_equal(kept, values[:1])


@pytest.mark.parametrize("corrupt", CORRUPTIONS)
def test_noise_functions_do_not_change_their_argument(values, corrupt):
    before = values.copy()
    corrupted = corrupt(values, 0.5, np.random.default_rng(0))
    assert corrupted.dtype == np.float32
    assert not np.shares_memory(corrupted, values)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("corrupt", CORRUPTIONS)
def test_noise_level_of_zero_changes_nothing(values, corrupt):
    corrupted = corrupt(values, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(corrupted, values)


def test_noise_level_of_one_changes_every_value(values):
    assert not masking(values, 1.0, np.random.default_rng(0)).any()
    corrupted = salt_and_pepper(values, 1.0, np.random.default_rng(0))
    assert set(np.unique(corrupted)) == {0.0, 1.0}


@pytest.mark.parametrize("corrupt", CORRUPTIONS)
def test_noise_does_not_depend_on_the_number_of_threads(values, corrupt, monkeypatch):
    results = []
    for n_threads in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
        results.append(corrupt(values, 0.4, np.random.default_rng(3)))
    np.testing.assert_array_equal(*results)
    other = corrupt(values, 0.4, np.random.default_rng(4))
    assert not np.array_equal(other, results[0])


class Records:
    """Adds noise, and keeps what it was given and what it added."""

    def __init__(self):
        self.seen = []

    def __call__(self, X, rng):
        noise = rng.normal(scale=0.1, size=X.shape)
        self.seen.append((X.copy(), noise))
        return X + noise


def test_noise_is_drawn_anew_in_each_epoch(digits):
    noise = Records()
    quick(noise=noise).fit(digits)
    assert len(noise.seen) == 3
    for X, _ in noise.seen:
        assert X.dtype == np.float32
        np.testing.assert_array_equal(X[np.lexsort(X.T)], digits[np.lexsort(digits.T)])
    draws = [np.sort(drawn.ravel()) for _, drawn in noise.seen]
    assert not np.intersect1d(draws[0], draws[1]).size
    assert not np.intersect1d(draws[1], draws[2]).size


def test_noise_of_x_val_is_the_same_in_each_epoch(digits):
    noise = Records()
    quick(noise=noise).fit(digits[:200], X_val=digits[200:])
    of_training, of_validation = noise.seen[::2], noise.seen[1::2]
    assert [len(X) for X, _ in of_training] == [200] * 3
    for X, drawn in of_validation:
        np.testing.assert_array_equal(X, digits[200:])
        np.testing.assert_array_equal(drawn, of_validation[0][1])


def test_noise_of_x_val_is_measured_against_clean_rows(digits):
    noise = Records()
    estimator = quick(noise=noise).fit(digits[:200], X_val=digits[200:])
    X, drawn = noise.seen[-1]
    cleaned = estimator.reconstruct((X + drawn).astype(np.float32))
    assert estimator.history_["val_loss"][-1] == pytest.approx(
        np.mean((cleaned - X) ** 2), rel=1e-4
    )


def test_early_stopping_stops_a_denoiser(digits):
    estimator = quick(early_stopping=True, n_iter_no_change=2, epochs=200)
    estimator.set_params(learning_rate=0.05, init="random").fit(digits)
    assert np.argmin(estimator.history_["val_loss"]) == estimator.n_iter_ - 3


def test_noise_callable_may_change_its_argument(digits):
    def in_place(X, rng):
        X *= rng.random(X.shape) > 0.5
        return X

    before = digits.copy()
    estimator = quick(noise=in_place).fit(digits)
    np.testing.assert_array_equal(digits, before)
    plain = make_autoencoder().fit(digits)
    assert not np.allclose(estimator.transform(digits), plain.transform(digits))


@pytest.mark.parametrize(
    ("n_components", "sizes"), [(7, (128, 64)), (8, (320,)), (0.9, (320,))]
)
def test_hidden_layer_sizes_auto_follow_from_n_components(digits, n_components, sizes):
    params = {"epochs": 1, "random_state": 0}
    auto = DenoisingAutoencoder(n_components, **params).fit(digits)
    given = DenoisingAutoencoder(n_components, hidden_layer_sizes=sizes, **params)
    np.testing.assert_array_equal(
        auto.transform(digits), given.fit(digits).transform(digits)
    )


def test_noise_level_zero_is_the_autoencoder_transformer(digits):
    unlike = {"early_stopping": False, "mixup": False}
    plain = make_autoencoder(**unlike).fit(digits)
    for params in ({"noise_level": 0}, {"noise": lambda X, rng: X}):
        np.testing.assert_array_equal(
            quick(**params).fit_transform(digits), plain.transform(digits)
        )


@pytest.mark.parametrize("noise", [*NOISES, Records()])
def test_random_state_gives_the_same_bits_for_any_noise(digits, noise):
    estimator = quick(noise=noise, early_stopping=True, init="random")
    Z = estimator.fit_transform(digits)
    np.testing.assert_array_equal(estimator.fit_transform(digits), Z)
    order = np.random.default_rng(0).permutation(len(digits))
    np.testing.assert_array_equal(estimator.fit(digits[order]).transform(digits), Z)
    assert not np.allclose(
        clone(estimator.set_params(random_state=1)).fit_transform(digits), Z
    )


def inputs_of_training(X, **params):
    """What the model sees in each epoch, from a callable that runs last."""
    seen = []

    def spread(X, rng):
        return X + rng.normal(scale=5.0, size=X.shape)

    def bind(noise, summary, shift):
        corrupt = bind_noise(noise, summary, shift)

        def recording(X, rng, out):
            corrupt(X, rng, out)
            seen.append(out + shift)

        return recording

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("skautoenc._fit.augmentation.bind_noise", bind)
        quick(**{"epochs": 1, "noise": spread, **params}).fit(X)
    return seen


@pytest.mark.parametrize(
    ("clip", "bounds"),
    [(True, (0.5, 2.5)), ((-1, 1.5), (-1, 1.5)), ([0.0, 9.0], (0, 9))],
)
def test_clip_limits_corrupted_rows(digits, clip, bounds):
    [seen] = inputs_of_training(2 * digits + 0.5, clip=clip)
    assert (seen.min(), seen.max()) == bounds
    assert np.mean((seen > bounds[0]) & (seen < bounds[1])) > 0.05


def test_clip_false_does_not_limit_corrupted_rows(digits):
    [seen] = inputs_of_training(digits)
    assert seen.min() < -5
    assert seen.max() > 5


def test_noise_salt_and_pepper_has_the_extremes_of_the_data(digits):
    X = 2 * digits + 0.5
    [seen] = inputs_of_training(X, noise="salt_and_pepper", noise_level=1.0)
    assert set(np.unique(seen)) == {0.5, 2.5}


def test_noise_masking_sets_values_to_zero_in_the_units_of_x(digits):
    [seen] = inputs_of_training(2 * digits + 5, noise="masking", noise_level=1.0)
    np.testing.assert_allclose(seen, 0, atol=1e-6)


def test_noise_swap_keeps_the_distributions_of_the_columns(digits, engine):
    X = 2 * digits + 5
    seen = inputs_of_training(X, noise="swap", noise_level=1.0, epochs=4, **engine)
    corrupted = np.concatenate(seen)
    assert len(corrupted) == 4 * len(X)
    for column, original in zip(corrupted.T, X.T, strict=True):
        assert ks_2samp(column, original).pvalue > 1e-4
        nearest = np.abs(np.unique(column)[:, None] - np.unique(original)).min(axis=1)
        assert nearest.max() < 1e-5
    correlated, independent = (
        np.corrcoef(rows[:, [21, 29]].T)[0, 1] for rows in (X, corrupted)
    )
    assert correlated > 0.5
    assert abs(independent) < 0.1


def test_noise_swap_of_a_single_row_in_partial_fit_is_no_noise(digits):
    swapped, plain = (
        quick(noise="swap", noise_level=level).partial_fit(digits)
        for level in (1.0, 0.0)
    )
    assert not np.array_equal(swapped.transform(digits), plain.transform(digits))
    swapped, plain = (
        quick(noise="swap", noise_level=level, init="random").partial_fit(digits[:1])
        for level in (1.0, 0.0)
    )
    np.testing.assert_array_equal(swapped.transform(digits), plain.transform(digits))


def test_reconstruct_denoises_better_than_pca(noisy):
    X = (load_digits().data / 16).astype(np.float32)
    train, test = X[300:], X[:300]
    denoiser = DenoisingAutoencoder(
        32, noise_level=0.3, epochs=40, batch_size=64, random_state=0
    ).fit(train)
    pca = PCA(32).fit(train)
    of_pca = pca.inverse_transform(pca.transform(noisy))
    error = np.mean((denoiser.reconstruct(noisy) - test) ** 2)
    assert error < 0.6 * np.mean((of_pca - test) ** 2)


def test_x_clean_is_the_target(digits, noisy):
    estimator = quick(epochs=20, learning_rate=0.01)
    estimator.fit(noisy, X_clean=digits)
    np.testing.assert_allclose(estimator.mean_, digits.mean(axis=0), rtol=1e-5)
    mirrored = clone(estimator).fit(noisy, X_clean=1 - digits)
    assert estimator.reconstruct(noisy).mean() == pytest.approx(digits.mean(), abs=0.03)
    assert mirrored.reconstruct(noisy).mean() == pytest.approx(
        1 - digits.mean(), abs=0.03
    )


def test_x_clean_turns_noise_and_clip_off(digits, noisy):
    def fails(X, rng):
        raise AssertionError

    estimator = quick().fit(noisy, X_clean=digits)
    other = quick(noise=fails, clip=(0, 0.1)).fit(noisy, X_clean=digits)
    np.testing.assert_array_equal(other.transform(noisy), estimator.transform(noisy))


def test_x_clean_is_validated_on_pairs_in_x_val(digits, noisy):
    estimator = quick().fit(
        noisy[:200], X_clean=digits[:200], X_val=(noisy[200:], digits[200:])
    )
    error = np.mean((estimator.reconstruct(noisy[200:]) - digits[200:]) ** 2)
    assert estimator.history_["val_loss"][-1] == pytest.approx(error, rel=1e-4)


def test_x_clean_is_split_with_x_for_validation(digits, noisy):
    history = quick(early_stopping=True, epochs=2).fit(noisy, X_clean=digits).history_
    order = np.random.default_rng(0).permutation(300)
    shuffled = quick(early_stopping=True, epochs=2)
    shuffled.fit(noisy[order], X_clean=digits[order])
    np.testing.assert_array_equal(shuffled.history_["val_loss"], history["val_loss"])


@pytest.mark.parametrize(
    ("of_noisy", "of_clean"),
    [
        (sp.csr_array, sp.csr_matrix),
        (sp.csc_matrix, np.asarray),
        (np.asarray, sp.csc_array),
        (pandas.DataFrame, pandas.DataFrame),
        (np.ndarray.tolist, np.asfortranarray),
    ],
)
def test_x_clean_can_be_in_any_container(digits, of_noisy, of_clean):
    masked = masking(digits, 0.3, np.random.default_rng(0))
    dense = quick().fit(masked, X_clean=digits)
    estimator = quick().fit(of_noisy(masked), X_clean=of_clean(digits))
    np.testing.assert_allclose(
        estimator.transform(of_noisy(masked)), dense.transform(masked), atol=1e-4
    )


def test_noise_of_sparse_rows_is_that_of_dense_rows(digits):
    Z = quick().fit_transform(digits)
    np.testing.assert_allclose(
        quick().fit_transform(sp.csr_array(digits)), Z, atol=1e-4
    )


def test_sample_weight_repeats_pairs(digits, noisy):
    weight = np.random.default_rng(0).integers(0, 4, len(digits))
    weighted = quick().fit(noisy, X_clean=digits, sample_weight=weight)
    repeated = quick().fit(
        np.repeat(noisy, weight, axis=0), X_clean=np.repeat(digits, weight, axis=0)
    )
    np.testing.assert_array_equal(weighted.transform(noisy), repeated.transform(noisy))
    np.testing.assert_allclose(weighted.mean_, repeated.mean_)


def test_x_clean_can_be_images(digits, noisy):
    images, noisy_images = digits.reshape(-1, 8, 8), noisy.reshape(-1, 8, 8)
    network = ConvNetwork((8, 8, 1), filters=(4,))
    estimator = quick(network=network).fit(noisy_images, X_clean=images)
    assert estimator.reconstruct(noisy_images).shape == images.shape
    flat = quick(network=network).fit(noisy, X_clean=digits)
    np.testing.assert_array_equal(
        estimator.transform(noisy_images), flat.transform(noisy)
    )


def test_x_clean_is_routed_through_a_pipeline(digits, noisy):
    with config_context(enable_metadata_routing=True):
        denoiser = quick(output="reconstruction").set_fit_request(
            X_clean=True, X_val=True, sample_weight=True
        )
        pipeline = make_pipeline(
            denoiser,
            LogisticRegression(max_iter=2000).set_fit_request(sample_weight=False),
        )
        y = load_digits().target[:300]
        weight = np.r_[np.ones(200), np.zeros(100)]
        pipeline.fit(
            noisy,
            y,
            X_clean=digits,
            X_val=(noisy[200:], digits[200:]),
            sample_weight=weight,
        )
    alone = quick(output="reconstruction").fit(
        noisy[:200], X_clean=digits[:200], X_val=(noisy[200:], digits[200:])
    )
    np.testing.assert_array_equal(pipeline[0].transform(noisy), alone.transform(noisy))
    assert pipeline[0].history_ == alone.history_


def test_x_clean_and_the_pair_x_val_are_transformed_by_the_steps_before(digits, noisy):
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(
            StandardScaler(with_std=False),
            quick().set_fit_request(X_clean=True, X_val=True),
            transform_input=["X_clean", "X_val"],
        ).fit(noisy[:200], X_clean=digits[:200], X_val=(noisy[200:], digits[200:]))
    scale = StandardScaler(with_std=False).fit(noisy[:200]).transform
    alone = quick().fit(
        scale(noisy[:200]),
        X_clean=scale(digits[:200]),
        X_val=(scale(noisy[200:]), scale(digits[200:])),
    )
    assert pipeline[-1].history_ == alone.history_


def test_output_reconstruction_is_what_transform_gives(digits, noisy):
    estimator = quick(output="reconstruction").fit(digits)
    np.testing.assert_array_equal(
        estimator.transform(noisy), estimator.reconstruct(noisy)
    )
    codes = quick().fit(digits)
    np.testing.assert_array_equal(estimator.transform(noisy), codes.reconstruct(noisy))
    assert codes.transform(noisy).shape == (300, 3)
    assert estimator.score(digits) == codes.score(digits)


def test_output_reconstruction_has_the_shape_of_images(digits):
    images = digits.reshape(-1, 8, 8)
    estimator = quick(output="reconstruction").fit(images)
    assert estimator.transform(images).shape == images.shape


def test_get_feature_names_out_of_output_reconstruction_are_the_features(digits):
    frame = pandas.DataFrame(digits).add_prefix("p")
    estimator = quick(output="reconstruction").set_output(transform="pandas")
    cleaned = estimator.fit_transform(frame)
    assert list(cleaned.columns) == list(frame.columns)
    assert list(estimator.get_feature_names_out()) == list(frame.columns)
    estimator = quick(output="reconstruction").fit(digits)
    assert list(estimator.get_feature_names_out()[:2]) == ["x0", "x1"]
    with pytest.raises(ValueError, match="feature_names_in_|number of features"):
        estimator.get_feature_names_out(["a", "b"])


def test_inverse_transform_is_missing_with_output_reconstruction(digits):
    estimator = quick(output="reconstruction").fit(digits)
    assert not hasattr(estimator, "inverse_transform")
    with pytest.raises(AttributeError, match="inverse_transform") as caught:
        estimator.inverse_transform(digits)
    assert "output='code'" in str(caught.value)
    assert hasattr(estimator.set_params(output="code"), "inverse_transform")


def test_noise_is_searched_within_a_pipeline():
    X, y = load_digits(return_X_y=True)
    pipeline = Pipeline(
        [
            ("scale", MinMaxScaler()),
            (
                "clean",
                quick(output="reconstruction", n_components=16, hidden_layer_sizes=()),
            ),
            ("classify", LogisticRegression(max_iter=2000)),
        ]
    )
    grid = {"clean__noise_level": [0.1, 0.2], "clean__noise": ["gaussian", "masking"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise")
    search.fit(X[:300], y[:300])
    assert search.score(X[300:600], y[300:600]) > 0.6


def test_output_reconstruction_is_pickled(digits, noisy):
    estimator = quick(output="reconstruction").fit(digits)
    other = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(other.transform(noisy), estimator.transform(noisy))


def test_contractive_works_with_noise(digits):
    history = quick(contractive=0.1).fit(digits).history_
    assert set(history) == {"loss", "reconstruction_loss", "contractive_loss"}


def test_warm_start_continues_a_denoiser(digits):
    estimator = quick(warm_start=True, noise_level=0.1, epochs=10)
    first = estimator.fit(digits).history_["loss"]
    assert estimator.fit(digits).history_["loss"][0] < first[0]


def one_column(X, rng):
    return X[:, :1]


def blank(X, rng):
    return np.full_like(X, np.nan)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"noise_level": -0.1}, "noise_level"),
        (
            {"noise": "masking", "noise_level": 1.5},
            r"noise_level=1.5 must be in \[0, 1",
        ),
        ({"noise": "salt_and_pepper", "noise_level": 2}, "noise='salt_and_pepper'"),
        ({"noise": "swap", "noise_level": 1.1}, r"\[0, 1\] with noise='swap'"),
        ({"noise": "speckle"}, "noise"),
        ({"noise": one_column}, r"rows of shape \(300, 64\) and returned \(300, 1\)"),
        ({"noise": blank}, "returned values that are not finite"),
        ({"clip": (1, 0)}, r"clip must be True, False or .*got \(1, 0\)"),
        ({"clip": (0, 1, 2)}, "clip must be True, False or two numbers"),
        ({"clip": ("low", "high")}, "clip must be True, False or two numbers"),
        ({"clip": (0, np.nan)}, "clip must be True, False or two numbers"),
        ({"clip": 3}, "clip"),
        ({"output": "both"}, "output"),
    ],
)
def test_noise_clip_and_output_are_checked(digits, params, message):
    estimator = quick(**params)
    with pytest.raises(ValueError, match=message):
        estimator.fit(digits)
    assert not hasattr(estimator, "n_features_in_")


def test_noise_callable_is_named_in_its_errors(digits):
    with pytest.raises(ValueError, match="noise=<function one_column"):
        quick(noise=one_column).fit(digits)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda X: {"X_clean": X[:200]}, "X_clean has 200 rows, but X has 300"),
        (lambda X: {"X_clean": X[:, :9]}, "X_clean: .*9 features"),
        (lambda X: {"X_clean": X * np.nan}, "X_clean: .*NaN"),
        (
            lambda X: {"X_clean": X.reshape(-1, 8, 8), "X": X.reshape(-1, 16, 4)},
            r"X_clean: .*shape \(8, 8\)",
        ),
        (lambda X: {"X_clean": X, "X_val": X}, r"X_val must be a pair.*\(noisy rows"),
        (lambda X: {"X_clean": X, "X_val": (X, X, X)}, "X_val must be a pair"),
        (
            lambda X: {"X_clean": X, "X_val": (X, X[:9])},
            r"X_val\[1\] has 9 rows, but X_val\[0\] has 300",
        ),
        (lambda X: {"X_clean": X, "X_val": (X[:, :9], X)}, r"X_val\[0\]: .*9 features"),
        (lambda X: {"X_val": (X, X)}, "X_val.*X_clean"),
    ],
)
def test_x_clean_and_x_val_that_do_not_match_x_are_refused(digits, given, message):
    estimator = quick()
    with pytest.raises(ValueError, match=message):
        estimator.fit(**{"X": digits, **given(digits)})
    assert not hasattr(estimator, "n_features_in_")


def test_loss_binary_crossentropy_requires_x_clean_in_the_unit_interval(digits, noisy):
    estimator = quick(loss="binary_crossentropy", output_activation="sigmoid")
    estimator.fit(noisy * 16, X_clean=digits)
    with pytest.raises(ValueError, match="X_clean ranges from 0 to 16"):
        estimator.fit(digits, X_clean=digits * 16)


def test_output_activation_that_cannot_reach_x_clean_warns(digits):
    estimator = quick(output_activation="sigmoid")
    with pytest.warns(UserWarning, match="X_clean ranges from 0 to 16") as record:
        estimator.fit(digits, X_clean=digits * 16)
    assert record[0].filename == __file__


def test_y_that_is_x_clean_is_refused(digits, noisy):
    with pytest.raises(ValueError, match="X_clean"):
        quick().fit(noisy, digits)
