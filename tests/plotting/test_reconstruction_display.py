"""Tests of ReconstructionDisplay."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawing import QUICK, drawn, legend_of, overlap, texts
from matplotlib.colors import Normalize
from scipy.sparse import csr_array
from sklearn.datasets import load_digits, load_iris, load_wine
from sklearn.decomposition import PCA, LatentDirichletAllocation
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler

from skautoenc import AutoencoderTransformer, DenoisingAutoencoder
from skautoenc.plotting import ReconstructionDisplay


def test_show_codes_draws_codes_between_images_and_reconstructions(digits, pca):
    display = ReconstructionDisplay.from_estimator(
        pca, digits, n_rows=4, image_shape=(8, 8), show_codes=True
    )
    assert display.axes_.shape == (3, 4)
    codes = pca.transform(digits[:4])
    rows = {
        "original": digits[:4].reshape(4, 8, 8),
        "code": codes.reshape(4, 2, 3),
        "reconstruction": pca.inverse_transform(codes).reshape(4, 8, 8),
    }
    for panels, (name, expected) in zip(display.axes_, rows.items(), strict=True):
        assert [panel.get_ylabel() for panel in panels] == [name, "", "", ""]
        shown = [panel.images[0].get_array() for panel in panels]
        np.testing.assert_allclose(shown, expected, atol=1e-6)
    maps = [panel.images[0].get_cmap().name for panel in display.axes_[:, 0]]
    assert maps == ["gray", "viridis", "gray"]


def test_kind_image_has_the_colour_scale_of_the_originals(digits, pca):
    display = ReconstructionDisplay.from_estimator(pca, digits, image_shape=(8, 8))
    limits = {panel.images[0].get_clim() for panel in display.axes_.flat}
    assert limits == {(digits[:8].min(), digits[:8].max())}


def test_errors_are_written_below_the_reconstructed_images(digits, pca):
    display = ReconstructionDisplay.from_estimator(pca, digits, image_shape=(8, 8))
    back = pca.inverse_transform(pca.transform(digits[:8]))
    expected = np.mean((digits[:8] - back) ** 2, axis=1)
    np.testing.assert_allclose(display.errors_, expected, rtol=1e-5)
    shown = [panel.get_xlabel() for panel in display.axes_[1]]
    assert shown == [f"MSE {error:.3g}" for error in display.errors_]
    assert {panel.get_xlabel() for panel in display.axes_[0]} == {""}


def test_n_rows_above_ten_continues_in_further_lines_of_images(digits, pca):
    display = ReconstructionDisplay.from_estimator(
        pca, digits, n_rows=13, image_shape=(8, 8)
    )
    specs = [panel.get_subplotspec() for panel in display.axes_[0]]
    assert [spec.rowspan.start for spec in specs] == [0] * 10 + [2] * 3
    assert len(display.figure_.axes) == 1 + 2 * 13


def test_n_rows_above_the_length_of_x_draws_all_rows(digits, pca):
    display = ReconstructionDisplay.from_estimator(
        pca, digits[:3], image_shape=(8, 8), n_rows=8
    )
    assert display.axes_.shape == (2, 3)


@pytest.mark.parametrize("n", [1, 2, 10])
def test_kind_image_has_its_labels_inside_the_figure(digits, pca, n):
    display = drawn(
        ReconstructionDisplay.from_estimator(
            pca, digits, n_rows=n, image_shape=(8, 8), show_codes=True
        )
    )
    for panel in display.axes_[:, 0]:
        box = panel.yaxis.label.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= panel.get_window_extent().x0


def test_kind_auto_is_image_for_image_arrays(digits):
    X = digits.reshape(-1, 8, 8, 1)
    estimator = AutoencoderTransformer(2, **QUICK).fit(X)
    display = ReconstructionDisplay.from_estimator(estimator, X)
    expected = estimator.reconstruct(X[:8])[..., 0]
    shown = [panel.images[0].get_array() for panel in display.axes_[1]]
    np.testing.assert_allclose(shown, expected)


def test_kind_image_scales_colours_to_between_0_and_1(digits):
    X = 255 * np.repeat(digits[:, :, None], 3, axis=2).reshape(-1, 192)
    display = ReconstructionDisplay.from_estimator(
        PCA(2).fit(X), X, image_shape=(8, 8, 3)
    )
    shown = np.array([panel.images[0].get_array() for panel in display.axes_.flat])
    assert shown.shape == (16, 8, 8, 3)
    assert (shown.min(), shown.max()) == (0, 1)
    np.testing.assert_allclose(shown[0], X[0].reshape(8, 8, 3) / 255, atol=1e-6)


def test_kind_auto_is_not_image_for_flat_rows_without_image_shape(digits, pca):
    display = ReconstructionDisplay.from_estimator(pca, digits)
    assert not any(panel.images for panel in display.axes_)


def test_kind_auto_is_signal_for_wide_rows(digits, pca):
    display = drawn(ReconstructionDisplay.from_estimator(pca, digits, n_rows=5))
    assert display.axes_.shape == (5,)
    back = pca.inverse_transform(pca.transform(digits[:5]))
    for i, panel in enumerate(display.axes_):
        original, reconstruction = panel.lines
        np.testing.assert_allclose(original.get_ydata(), digits[i])
        np.testing.assert_allclose(reconstruction.get_ydata(), back[i], atol=1e-6)
        assert original.get_linestyle() != reconstruction.get_linestyle()
        assert panel.get_title("left") == f"row {i}: MSE {display.errors_[i]:.3g}"
    assert legend_of(display.axes_[1]) == ["original", "reconstruction"]
    labelled = [panel.get_xlabel() for panel in display.axes_]
    assert labelled == ["", "", "", "feature", "feature"]


def test_kind_auto_is_table_of_relative_errors_for_narrow_rows():
    X = load_wine(as_frame=True).data
    reducer = make_pipeline(StandardScaler(), PCA(3)).fit(X)
    display = drawn(ReconstructionDisplay.from_estimator(reducer, X, n_rows=12))
    back = reducer.inverse_transform(reducer.transform(X))[:12]
    squares = (X.to_numpy()[:12] - back) ** 2 / X.to_numpy().var(axis=0)
    np.testing.assert_allclose(display.ax_.images[0].get_array(), squares)
    assert texts(display.ax_.get_xticklabels()) == list(X.columns)
    assert not overlap(display.ax_.get_xticklabels())
    (means,) = display.ax_.child_axes
    errors = [f"{error:.3g}" for error in squares.mean(axis=1)]
    assert texts(means.get_yticklabels()) == errors
    label = display.figure_.axes[1].get_ylabel()
    assert label == "squared error / variance of the feature"


def test_kind_table_labels_as_many_features_and_rows_as_can_be_read(digits, pca):
    _, ax = plt.subplots(figsize=(4, 3), layout="constrained")
    display = drawn(
        ReconstructionDisplay.from_estimator(
            pca, digits, kind="table", n_rows=100, ax=ax
        )
    )
    names = texts(ax.get_xticklabels())
    assert names[:2] == ["x0", f"x{64 // len(names) + 1}"]
    (means,) = ax.child_axes
    np.testing.assert_array_equal(means.get_yticks(), ax.get_yticks())
    errors = [f"{display.errors_[int(row)]:.3g}" for row in ax.get_yticks()]
    assert texts(means.get_yticklabels()) == errors
    for axis in ax.xaxis, ax.yaxis, means.yaxis:
        assert 5 < len(axis.get_ticklabels()) < 30
        assert not overlap(axis.get_ticklabels())


def test_feature_names_are_tick_labels(digits, pca):
    names = load_digits().feature_names
    display = drawn(
        ReconstructionDisplay.from_estimator(pca, digits, feature_names=names)
    )
    lowest = texts(display.axes_[-1].get_xticklabels())
    assert lowest[0] == "pixel_0_0"
    assert set(lowest) < set(names)
    assert not overlap(display.axes_[-1].get_xticklabels())


def test_kind_table_is_dark_without_errors():
    X = load_iris().data
    same = FunctionTransformer(np.array, inverse_func=np.array).fit(X)
    display = drawn(ReconstructionDisplay.from_estimator(same, X))
    image = display.ax_.images[0]
    np.testing.assert_array_equal(image.norm(image.get_array()), 0)


def test_from_estimator_accepts_sparse_rows():
    X = csr_array(np.eye(6))
    display = ReconstructionDisplay.from_estimator(MaxAbsScaler().fit(X), X)
    np.testing.assert_array_equal(display.errors_, 0)


def test_from_estimator_uses_reconstruct_if_there_is_no_inverse_transform(digits):
    denoiser = DenoisingAutoencoder(2, output="reconstruction", **QUICK).fit(digits)
    display = ReconstructionDisplay.from_estimator(denoiser, digits)
    np.testing.assert_allclose(
        display.reconstructions, denoiser.reconstruct(digits[:8])
    )
    with pytest.raises(TypeError, match="no inverse_transform"):
        ReconstructionDisplay.from_estimator(
            denoiser, digits, image_shape=(8, 8), show_codes=True
        )


@pytest.mark.parametrize(("n", "expected"), [(1, (1, 1)), (7, (1, 7)), (12, (3, 4))])
def test_code_shape_is_as_square_as_possible_by_default(digits, n, expected):
    display = ReconstructionDisplay.from_estimator(
        PCA(n).fit(digits), digits, image_shape=(8, 8), show_codes=True
    )
    assert display.codes.shape == (8, *expected)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kind": "picture"}, "kind must be one of"),
        ({"kind": "image"}, "kind='image' needs image_shape"),
        ({"image_shape": (8, 9)}, r"image_shape=\(8, 9\) does not fit rows of 64"),
        ({"image_shape": 64}, "image_shape=64 does not fit"),
        ({"image_shape": (4, 8, 2)}, "1, 3 or 4 channels"),
        ({"code_shape": (2, 3)}, "code_shape has an effect only with show_codes"),
        (
            {"image_shape": (8, 8), "show_codes": True, "code_shape": (2, 2)},
            r"code_shape=\(2, 2\) does not fit rows of 6",
        ),
        ({"show_codes": True}, "Codes are only drawn with kind='image'"),
        ({"feature_names": ["a", "b"]}, "feature_names has 2 names, but there are 64"),
        ({"n_rows": 0}, "n_rows == 0"),
    ],
)
def test_from_estimator_refuses_parameters_that_do_not_fit_the_rows(
    digits, pca, params, message
):
    with pytest.raises(ValueError, match=message):
        ReconstructionDisplay.from_estimator(pca, digits, **params)
    assert not plt.get_fignums()


def test_from_estimator_refuses_an_estimator_that_cannot_reconstruct(digits):
    topics = LatentDirichletAllocation(2, max_iter=1).fit(digits)
    with pytest.raises(TypeError, match="LatentDirichletAllocation cannot reconstruct"):
        ReconstructionDisplay.from_estimator(topics, digits)


# X_clean


@pytest.fixture(scope="module")
def noisy(digits):
    return digits + np.random.default_rng(0).normal(scale=0.3, size=digits.shape)


def test_X_clean_is_what_cleaned_images_are_compared_with(digits, noisy, pca):
    display = drawn(
        ReconstructionDisplay.from_estimator(
            pca, noisy, X_clean=digits, n_rows=4, image_shape=(8, 8)
        )
    )
    cleaned = pca.inverse_transform(pca.transform(noisy[:4]))
    assert display.axes_.shape == (3, 4)
    rows = {"noisy": noisy[:4], "cleaned": cleaned, "clean": digits[:4]}
    for panels, (name, expected) in zip(display.axes_, rows.items(), strict=True):
        assert [panel.get_ylabel() for panel in panels] == [name, "", "", ""]
        shown = [panel.images[0].get_array() for panel in panels]
        np.testing.assert_allclose(shown, expected.reshape(4, 8, 8), atol=1e-6)
    errors = np.mean((cleaned - digits[:4]) ** 2, axis=1)
    np.testing.assert_allclose(display.errors_, errors, rtol=1e-5)
    shown = [panel.get_xlabel() for panel in display.axes_[1]]
    assert shown == [f"MSE {error:.3g}" for error in errors]
    limits = {panel.images[0].get_clim() for panel in display.axes_.flat}
    assert limits == {(digits[:4].min(), digits[:4].max())}


def test_X_clean_and_show_codes_draw_codes_below_the_noisy_images(digits, noisy, pca):
    display = ReconstructionDisplay.from_estimator(
        pca, noisy, X_clean=digits, image_shape=(8, 8), show_codes=True
    )
    names = [panel.get_ylabel() for panel in display.axes_[:, 0]]
    assert names == ["noisy", "code", "cleaned", "clean"]
    assert display.axes_[2, 0].get_xlabel() == f"MSE {display.errors_[0]:.3g}"


def test_X_clean_is_drawn_with_cleaned_signals(digits, noisy, pca):
    display = drawn(ReconstructionDisplay.from_estimator(pca, noisy, X_clean=digits))
    assert legend_of(display.axes_[1]) == ["noisy", "cleaned", "clean"]
    for i, panel in enumerate(display.axes_):
        np.testing.assert_allclose(panel.lines[0].get_ydata(), noisy[i])
        np.testing.assert_allclose(panel.lines[2].get_ydata(), digits[i])
        assert len({line.get_color() for line in panel.lines}) == 3
    cleaned = pca.inverse_transform(pca.transform(noisy[:8]))
    errors = np.mean((cleaned - digits[:8]) ** 2, axis=1)
    np.testing.assert_allclose(display.errors_, errors, rtol=1e-5)


def test_X_clean_is_what_errors_in_a_table_are_relative_to():
    X = load_wine().data
    noise = np.random.default_rng(0).normal(scale=0.3, size=X.shape) * X.std(axis=0)
    reducer = make_pipeline(StandardScaler(), PCA(3)).fit(X)
    display = drawn(ReconstructionDisplay.from_estimator(reducer, X + noise, X_clean=X))
    cleaned = reducer.inverse_transform(reducer.transform(X + noise))
    errors = ((X - cleaned) ** 2 / X.var(axis=0))[:8]
    np.testing.assert_allclose(display.ax_.images[0].get_array(), errors)
    label = display.figure_.axes[1].get_ylabel()
    assert label == "squared error to clean / variance of the feature"


def test_X_clean_may_be_images_if_X_is_flat(digits, noisy, pca):
    display = ReconstructionDisplay.from_estimator(
        pca, noisy, X_clean=digits.reshape(-1, 8, 8)
    )
    np.testing.assert_array_equal(display.targets, digits[:8])


@pytest.mark.parametrize(
    ("X_clean", "message"),
    [
        (np.zeros((7, 64)), "X_clean has 7 rows, but X has 300"),
        (np.zeros((300, 63)), "X_clean has rows of 63 values, but X has rows of 64"),
        (np.full((300, 64), np.nan), "Input X_clean contains NaN"),
    ],
)
def test_X_clean_that_does_not_fit_X_is_refused(digits, pca, X_clean, message):
    with pytest.raises(ValueError, match=message):
        ReconstructionDisplay.from_estimator(pca, digits, X_clean=X_clean)
    assert not plt.get_fignums()


def test_X_clean_with_other_columns_is_refused():
    X = load_wine(as_frame=True).data
    reducer = make_pipeline(StandardScaler(), PCA(3)).fit(X)
    with pytest.raises(ValueError, match="X_clean has the columns"):
        ReconstructionDisplay.from_estimator(reducer, X, X_clean=X.iloc[:, ::-1])


def test_from_estimator_inverts_the_scaler_before_a_denoiser(digits):
    cleaner = DenoisingAutoencoder(8, output="reconstruction", **QUICK)
    pipeline = make_pipeline(StandardScaler(), cleaner).fit(255 * digits)
    display = ReconstructionDisplay.from_estimator(pipeline, 255 * digits)
    scaler = pipeline[0]
    expected = scaler.inverse_transform(pipeline.transform(255 * digits[:8]))
    np.testing.assert_allclose(display.reconstructions, expected, rtol=1e-5, atol=1e-4)


# Layout and style


def test_kind_table_shortens_long_names_in_a_small_ax():
    X = load_wine(as_frame=True).data
    X = X.rename(columns=lambda name: f"{name}, measured in the laboratory")
    X.index = [f"bottle {i} of the vineyard in the valley" for i in range(len(X))]
    _, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    pca = PCA(3).fit(X)
    display = drawn(ReconstructionDisplay.from_estimator(pca, X, ax=axes[0, 0]))
    for axis in display.ax_.xaxis, display.ax_.yaxis:
        assert len(axis.get_ticklabels()) > 1
        assert not overlap(axis.get_ticklabels())
        assert all("…" in text for text in texts(axis.get_ticklabels()))
    assert display.ax_.get_window_extent().width > 50


def test_kind_image_has_errors_that_do_not_overlap_in_a_small_ax(digits, pca):
    _, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    display = drawn(
        ReconstructionDisplay.from_estimator(
            pca, digits, image_shape=(8, 8), ax=axes[0, 0]
        )
    )
    labels = [panel.xaxis.label for panel in display.axes_[1]]
    assert not overlap(labels)
    assert texts(labels) == [f"{error:.2g}" for error in display.errors_]
    assert display.axes_[1, 0].get_ylabel() == "reconstruction,\nMSE"


def test_image_kwargs_code_kwargs_and_line_kwargs_restyle_all_kinds(digits, pca):
    display = ReconstructionDisplay.from_estimator(
        pca,
        digits,
        image_shape=(8, 8),
        show_codes=True,
        image_kwargs={"cmap": "magma", "vmax": 2},
        code_kwargs={"cmap": "gray", "norm": "linear"},
    )
    for i, (name, limits) in enumerate(
        [("magma", (0, 2)), ("gray", None), ("magma", (0, 2))]
    ):
        image = display.axes_[i, 0].images[0]
        assert image.get_cmap().name == name
        assert limits in (None, image.get_clim())
    display = ReconstructionDisplay.from_estimator(
        pca, digits, line_kwargs={"lw": 3, "c": "red"}
    )
    for line in display.axes_[0].lines:
        assert (line.get_linewidth(), line.get_color()) == (3, "red")
    for keywords in {"vmax": 7}, {"norm": Normalize(0, 7)}:
        display = ReconstructionDisplay.from_estimator(
            pca, digits, kind="table", image_kwargs=keywords
        )
        assert display.ax_.images[0].get_clim() == (0, 7)


def test_frame_of_reconstructions_has_one_row_per_value(digits, noisy, pca):
    display = ReconstructionDisplay.from_estimator(
        pca, noisy, X_clean=digits, n_rows=3, kind="table"
    )
    frame = display.frame()
    assert list(frame)[2:5] == ["noisy", "cleaned", "clean"]
    assert len(frame) == 3 * 64
    np.testing.assert_array_equal(frame["clean"], digits[:3].ravel())
    squares = (frame["cleaned"] - frame["clean"]) ** 2
    np.testing.assert_allclose(frame["squared_error"], squares)
    table = display.ax_.images[0].get_array().ravel()
    np.testing.assert_allclose(frame["relative_squared_error"], table)
