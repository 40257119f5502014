"""Displays: what is drawn, with which words, and where."""

import subprocess
import sys
from itertools import pairwise

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from scipy.sparse import csr_array
from sklearn.datasets import load_diabetes, load_digits, load_iris, load_wine
from sklearn.decomposition import (
    PCA,
    KernelPCA,
    LatentDirichletAllocation,
    TruncatedSVD,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler

from skautoenc import (
    AutoencoderTransformer,
    DenoisingAutoencoder,
    VariationalAutoencoder,
    compare_reducers,
)
from skautoenc.plotting import (
    CodeDisplay,
    ComparisonDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
)

QUICK = {"hidden_layer_sizes": (8,), "batch_size": 64, "epochs": 3, "random_state": 0}


@pytest.fixture(autouse=True)
def _figures_are_closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def labels():
    return load_digits().target[:300]


@pytest.fixture(scope="module")
def pca(digits):
    return PCA(6).fit(digits)


def texts(artists):
    return [artist.get_text() for artist in artists]


def legend_of(ax):
    return texts(ax.get_legend().get_texts())


def drawn(display):
    """Draw the figure: what does not fit warns, and warnings are errors."""
    display.figure_.canvas.draw()
    return display


def overlap(ticklabels):
    """Whether tick labels that stand beside each other overlap."""
    boxes = [label.get_window_extent() for label in ticklabels if label.get_text()]
    return any(a.overlaps(b) for a, b in pairwise(boxes))


def in_grey(color):
    red, green, blue = (int(to_hex(color)[i : i + 2], 16) for i in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


# All displays


def test_importing_the_displays_imports_neither_matplotlib_nor_tensorflow():
    code = (
        "import sys, skautoenc.plotting\n"
        "assert not {'matplotlib', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    "draw",
    [
        ReconstructionDisplay.from_estimator,
        CodeDisplay.from_estimator,
        lambda estimator, X: LossCurveDisplay.from_estimator(estimator),
    ],
)
@pytest.mark.parametrize("pipeline", [False, True])
def test_an_estimator_that_is_not_fitted_is_refused(digits, small, draw, pipeline):
    estimator = make_pipeline(StandardScaler(), small) if pipeline else small
    with pytest.raises(NotFittedError):
        draw(estimator, digits)
    assert not plt.get_fignums()


def test_axes_that_are_given_are_drawn_in(digits, fitted, pca):
    figure, axes = plt.subplots(2, 4, layout="constrained", figsize=(16, 8))
    axes = iter(axes.flat)
    results = compare_reducers({"PCA": PCA(2)}, digits, cv=2)
    for display, has_panels in [
        (ReconstructionDisplay.from_estimator(pca, digits, ax=next(axes)), True),
        (
            ReconstructionDisplay.from_estimator(
                pca, digits, image_shape=(8, 8), ax=next(axes)
            ),
            True,
        ),
        (
            ReconstructionDisplay.from_estimator(
                pca, digits, kind="table", ax=next(axes)
            ),
            False,
        ),
        (CodeDisplay.from_codes(digits[:, 2:4], ax=next(axes)), False),
        (CodeDisplay.from_codes(digits[:, 2:5], ax=next(axes)), True),
        (CodeDisplay.from_codes(digits[:, 2:3], ax=next(axes)), False),
        (LossCurveDisplay.from_estimator(fitted, ax=next(axes)), False),
        (ComparisonDisplay.from_results(results, ax=next(axes)), False),
    ]:
        assert display.figure_ is figure
        assert display.ax_.axison is not has_panels
        place = display.ax_.get_subplotspec()
        if has_panels:
            panels = [panel for panel in display.axes_.flat if panel is not None]
            assert panels
            for panel in panels:
                assert panel.get_subplotspec().get_topmost_subplotspec() == place
    figure.canvas.draw()
    assert plt.get_fignums() == [figure.number]


def test_panels_can_be_drawn_in_a_subfigure(digits, pca):
    left, right = plt.figure(layout="constrained").subfigures(1, 2)
    for half in left, right:
        half.suptitle("PCA")
        ReconstructionDisplay.from_estimator(
            pca, digits, n_rows=2, image_shape=(8, 8), ax=half.subplots()
        )
    left.figure.canvas.draw()
    assert len(left.axes) == len(right.axes) == 1 + 2 * 2


def test_panels_are_not_drawn_twice_in_the_same_axes(digits):
    ax = CodeDisplay.from_codes(digits[:, 2:5]).ax_
    with pytest.raises(ValueError, match="axes of its own"):
        CodeDisplay.from_codes(digits[:, 2:5], ax=ax)


def test_panels_need_axes_in_a_grid(digits):
    ax = plt.figure().add_axes([0, 0, 1, 1])
    with pytest.raises(ValueError, match="ax is not in a grid"):
        CodeDisplay.from_codes(digits[:, 2:5], ax=ax)


def test_an_array_of_axes_is_refused(digits):
    _, axes = plt.subplots(1, 2)
    with pytest.raises(TypeError, match="ax must be one matplotlib Axes"):
        CodeDisplay.from_codes(digits[:, :2], ax=axes)


# ReconstructionDisplay


def test_images_lie_above_their_codes_and_reconstructions(digits, pca):
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
    for panels, (name, wanted) in zip(display.axes_, rows.items(), strict=True):
        assert [panel.get_ylabel() for panel in panels] == [name, "", "", ""]
        shown = [panel.images[0].get_array() for panel in panels]
        np.testing.assert_allclose(shown, wanted, atol=1e-6)
    maps = [panel.images[0].get_cmap().name for panel in display.axes_[:, 0]]
    assert maps == ["gray", "viridis", "gray"]


def test_images_share_the_scale_of_the_originals(digits, pca):
    display = ReconstructionDisplay.from_estimator(pca, digits, image_shape=(8, 8))
    limits = {panel.images[0].get_clim() for panel in display.axes_.flat}
    assert limits == {(digits[:8].min(), digits[:8].max())}


def test_the_error_of_each_row_stands_below_its_reconstruction(digits, pca):
    display = ReconstructionDisplay.from_estimator(pca, digits, image_shape=(8, 8))
    back = pca.inverse_transform(pca.transform(digits[:8]))
    wanted = np.mean((digits[:8] - back) ** 2, axis=1)
    np.testing.assert_allclose(display.errors_, wanted, rtol=1e-5)
    shown = [panel.get_xlabel() for panel in display.axes_[1]]
    assert shown == [f"MSE {error:.3g}" for error in display.errors_]
    assert {panel.get_xlabel() for panel in display.axes_[0]} == {""}


def test_more_than_ten_images_take_further_lines(digits, pca):
    display = ReconstructionDisplay.from_estimator(
        pca, digits, n_rows=13, image_shape=(8, 8)
    )
    places = [panel.get_subplotspec() for panel in display.axes_[0]]
    assert [place.rowspan.start for place in places] == [0] * 10 + [2] * 3
    assert len(display.figure_.axes) == 1 + 2 * 13


def test_fewer_rows_than_asked_for_are_all_drawn(digits, pca):
    display = ReconstructionDisplay.from_estimator(
        pca, digits[:3], image_shape=(8, 8), n_rows=8
    )
    assert display.axes_.shape == (2, 3)


@pytest.mark.parametrize("n", [1, 2, 10])
def test_the_names_of_the_lines_of_images_are_in_the_figure(digits, pca, n):
    display = drawn(
        ReconstructionDisplay.from_estimator(
            pca, digits, n_rows=n, image_shape=(8, 8), show_codes=True
        )
    )
    for panel in display.axes_[:, 0]:
        box = panel.yaxis.label.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= panel.get_window_extent().x0


def test_image_arrays_are_drawn_as_images(digits):
    X = digits.reshape(-1, 8, 8, 1)
    estimator = AutoencoderTransformer(2, **QUICK).fit(X)
    display = ReconstructionDisplay.from_estimator(estimator, X)
    wanted = estimator.reconstruct(X[:8])[..., 0]
    shown = [panel.images[0].get_array() for panel in display.axes_[1]]
    np.testing.assert_allclose(shown, wanted)


def test_colours_are_brought_between_0_and_1(digits):
    X = 255 * np.repeat(digits[:, :, None], 3, axis=2).reshape(-1, 192)
    display = ReconstructionDisplay.from_estimator(
        PCA(2).fit(X), X, image_shape=(8, 8, 3)
    )
    shown = np.array([panel.images[0].get_array() for panel in display.axes_.flat])
    assert shown.shape == (16, 8, 8, 3)
    assert (shown.min(), shown.max()) == (0, 1)
    np.testing.assert_allclose(shown[0], X[0].reshape(8, 8, 3) / 255, atol=1e-6)


def test_flat_rows_are_no_images_unless_a_shape_says_so(digits, pca):
    display = ReconstructionDisplay.from_estimator(pca, digits)
    assert not any(panel.images for panel in display.axes_)


def test_wide_rows_are_drawn_as_signals(digits, pca):
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


def test_narrow_rows_are_drawn_as_a_table_of_squared_errors():
    X = load_wine(as_frame=True).data
    reducer = make_pipeline(StandardScaler(), PCA(3)).fit(X)
    display = drawn(ReconstructionDisplay.from_estimator(reducer, X, n_rows=12))
    back = reducer.inverse_transform(reducer.transform(X))[:12]
    squares = (X.to_numpy()[:12] - back) ** 2
    np.testing.assert_allclose(display.ax_.images[0].get_array(), squares)
    assert texts(display.ax_.get_xticklabels()) == list(X.columns)
    assert not overlap(display.ax_.get_xticklabels())
    (means,) = display.ax_.child_axes
    errors = [f"{error:.3g}" for error in squares.mean(axis=1)]
    assert texts(means.get_yticklabels()) == errors
    assert display.figure_.axes[1].get_ylabel() == "squared error"


def test_a_table_names_as_many_features_and_rows_as_can_be_read(digits, pca):
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


def test_features_have_the_names_that_are_given(digits, pca):
    names = load_digits().feature_names
    display = drawn(
        ReconstructionDisplay.from_estimator(pca, digits, feature_names=names)
    )
    lowest = texts(display.axes_[-1].get_xticklabels())
    assert lowest[0] == "pixel_0_0"
    assert set(lowest) < set(names)
    assert not overlap(display.axes_[-1].get_xticklabels())


def test_rows_without_an_error_are_dark():
    X = load_iris().data
    same = FunctionTransformer(np.array, inverse_func=np.array).fit(X)
    display = drawn(ReconstructionDisplay.from_estimator(same, X))
    image = display.ax_.images[0]
    np.testing.assert_array_equal(image.norm(image.get_array()), 0)


def test_sparse_rows_are_reconstructed():
    X = csr_array(np.eye(6))
    display = ReconstructionDisplay.from_estimator(MaxAbsScaler().fit(X), X)
    np.testing.assert_array_equal(display.errors_, 0)


def test_reconstruct_is_used_where_there_is_no_inverse(digits):
    denoiser = DenoisingAutoencoder(2, output="reconstruction", **QUICK).fit(digits)
    display = ReconstructionDisplay.from_estimator(denoiser, digits)
    np.testing.assert_allclose(
        display.reconstructions, denoiser.reconstruct(digits[:8])
    )
    with pytest.raises(TypeError, match="no inverse_transform"):
        ReconstructionDisplay.from_estimator(
            denoiser, digits, image_shape=(8, 8), show_codes=True
        )


@pytest.mark.parametrize(("n", "wanted"), [(1, (1, 1)), (7, (1, 7)), (12, (3, 4))])
def test_codes_are_as_square_as_they_can_be(digits, n, wanted):
    display = ReconstructionDisplay.from_estimator(
        PCA(n).fit(digits), digits, image_shape=(8, 8), show_codes=True
    )
    assert display.codes.shape == (8, *wanted)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kind": "picture"}, "kind must be one of"),
        ({"kind": "image"}, "kind='image' needs image_shape"),
        ({"image_shape": (8, 9)}, r"image_shape=\(8, 9\) does not fit rows of 64"),
        ({"image_shape": 64}, "image_shape=64 does not fit"),
        ({"image_shape": (4, 8, 2)}, "1, 3 or 4 channels"),
        ({"code_shape": (2, 3)}, "code_shape goes with show_codes"),
        (
            {"image_shape": (8, 8), "show_codes": True, "code_shape": (2, 2)},
            r"code_shape=\(2, 2\) does not fit rows of 6",
        ),
        ({"show_codes": True}, "Codes are drawn with kind='image' alone"),
        ({"feature_names": ["a", "b"]}, "feature_names has 2 names, but X has 64"),
        ({"n_rows": 0}, "n_rows == 0"),
    ],
)
def test_what_does_not_fit_the_rows_is_refused(digits, pca, params, message):
    with pytest.raises(ValueError, match=message):
        ReconstructionDisplay.from_estimator(pca, digits, **params)
    assert not plt.get_fignums()


def test_an_estimator_must_be_able_to_reconstruct(digits):
    topics = LatentDirichletAllocation(2, max_iter=1).fit(digits)
    with pytest.raises(TypeError, match="LatentDirichletAllocation cannot reconstruct"):
        ReconstructionDisplay.from_estimator(topics, digits)


# CodeDisplay


def test_classes_are_told_apart_by_colour_and_marker(digits, labels):
    display = CodeDisplay.from_estimator(PCA(2).fit(digits), digits, labels)
    codes = PCA(2).fit(digits).transform(digits)
    ax = display.ax_
    assert legend_of(ax) == [str(digit) for digit in range(10)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("component 0", "component 1")
    looks, shapes = set(), set()
    for digit, points in enumerate(ax.collections):
        np.testing.assert_allclose(
            points.get_offsets(), codes[labels == digit], atol=1e-5
        )
        shape = points.get_paths()[0].vertices.tobytes()
        looks.add((to_hex(points.get_facecolor()[0]), shape))
        shapes.add(shape)
    assert len(looks) == len(shapes) == 10


def test_forty_classes_look_different_and_have_a_legend():
    rng = np.random.default_rng(0)
    y = np.repeat([f"class {i}" for i in range(40)], 3)
    display = drawn(CodeDisplay.from_codes(rng.normal(size=(120, 2)), y))
    looks = {
        (to_hex(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in display.ax_.collections
    }
    assert len(looks) == 40
    box = display.ax_.get_legend().get_window_extent()
    figure = display.figure_.bbox
    assert figure.y0 <= box.y0 < box.y1 <= figure.y1
    assert box.x1 <= figure.x1
    assert display.ax_.get_window_extent().width > 0.4 * figure.width


def test_more_classes_than_can_be_told_apart_are_refused():
    y = [f"class {i}" for i in range(41)]
    with pytest.raises(ValueError, match="y has 41 classes"):
        CodeDisplay.from_codes(np.ones((41, 2)), y)


@pytest.mark.parametrize(
    "y", [load_diabetes().target, np.arange(442) % 30, np.linspace(0, 1, 442)]
)
def test_numbers_are_shown_on_a_colour_scale(y):
    display = CodeDisplay.from_codes(load_diabetes().data[:, :2], y)
    (points,) = display.ax_.collections
    np.testing.assert_array_equal(points.get_array(), y)
    assert points.get_cmap().name == "viridis"
    assert [ax.get_ylabel() for ax in display.figure_.axes[1:]] == ["y"]
    assert display.ax_.get_legend() is None


@pytest.mark.parametrize(
    ("y", "names"),
    [
        (np.arange(60) % 20, [str(i) for i in range(20)]),
        (np.arange(60) % 2 == 0, ["False", "True"]),
        (pd.Series(["b", "a", "c"] * 20), ["a", "b", "c"]),
        (pd.Categorical(["b", "a", "c"] * 20), ["a", "b", "c"]),
    ],
)
def test_few_whole_numbers_and_strings_are_classes(digits, y, names):
    assert legend_of(CodeDisplay.from_codes(digits[:60, 2:4], y).ax_) == names


def test_without_a_target_all_points_look_alike(digits):
    display = CodeDisplay.from_codes(digits[:, 2:4])
    (points,) = display.ax_.collections
    assert len(points.get_offsets()) == 300
    assert len(points.get_facecolor()) == 1
    assert display.ax_.get_legend() is None
    assert len(display.figure_.axes) == 1


def test_more_points_are_smaller_and_fainter():
    rng = np.random.default_rng(0)
    few, many = (
        CodeDisplay.from_codes(rng.normal(size=(n, 2))).ax_.collections[0]
        for n in (100, 10_000)
    )
    assert many.get_sizes()[0] < few.get_sizes()[0]
    assert many.get_alpha() < few.get_alpha()


def test_one_component_is_a_histogram(digits):
    ax = CodeDisplay.from_codes(digits[:, 2:3]).ax_
    assert sum(bar.get_height() for bar in ax.patches) == 300
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("component 0", "rows")


def test_one_component_has_a_strip_for_each_class(digits, labels):
    ax = CodeDisplay.from_codes(digits[:, 2:3], labels).ax_
    assert texts(ax.get_yticklabels()) == [str(digit) for digit in range(10)]
    for digit, points in enumerate(ax.collections):
        x, y = points.get_offsets().T
        np.testing.assert_allclose(x, digits[labels == digit, 2])
        assert np.abs(y - digit).max() < 0.5


def test_numbers_lie_over_one_component():
    X, y = load_diabetes(return_X_y=True)
    display = CodeDisplay.from_codes(X[:, :1], y)
    (points,) = display.ax_.collections
    np.testing.assert_allclose(points.get_offsets().T, [X[:, 0], y])
    assert display.ax_.get_ylabel() == "y"


@pytest.mark.parametrize("n", [3, 5])
def test_up_to_five_components_have_a_panel_for_each_pair(digits, labels, n):
    codes = digits[:, 2 : 2 + n]
    display = drawn(CodeDisplay.from_codes(codes, labels))
    assert display.axes_.shape == (n, n)
    for (i, j), panel in np.ndenumerate(display.axes_):
        if i < j:
            assert panel is None
            continue
        assert panel.get_xlabel() == (f"component {j}" if i == n - 1 else "")
        assert panel.get_ylabel() == (f"component {i}" if j == 0 < i else "")
        assert not overlap(panel.get_xticklabels())
        if i == j:
            assert not panel.collections
            assert panel.patches
        else:
            np.testing.assert_allclose(
                panel.collections[3].get_offsets(), codes[labels == 3][:, [j, i]]
            )
    assert legend_of(display.ax_) == [str(digit) for digit in range(10)]
    box = display.ax_.get_legend().get_window_extent()
    for panel in display.axes_[np.tril_indices(n)]:
        assert not box.overlaps(panel.get_window_extent())


def test_pairs_have_a_colour_bar_for_numbers():
    X, y = load_diabetes(return_X_y=True)
    display = drawn(CodeDisplay.from_codes(X[:, [0, 2, 3]], y))
    (bar,) = display.ax_.child_axes
    assert bar.get_xlabel() == "y"
    for panel in display.axes_[np.tril_indices(3)]:
        assert not bar.get_tightbbox().overlaps(panel.get_window_extent())
    assert len(display.axes_[1, 1].patches) == 20 + 1


def test_more_components_are_projected_and_the_title_says_so(digits, labels):
    codes = PCA(32).fit_transform(digits)
    pca = PCA(2).fit(codes)
    share = 100 * pca.explained_variance_ratio_.sum()
    ax = CodeDisplay.from_codes(codes, labels).ax_
    assert ax.get_title() == (
        f"PCA projection of 32 components, {share:.0f} % of their variance"
    )
    points = ax.collections[3].get_offsets()
    np.testing.assert_allclose(points, pca.transform(codes[labels == 3]), atol=1e-4)


def test_the_projection_can_be_chosen(digits):
    codes = PCA(6).fit_transform(digits)
    display = CodeDisplay.from_codes(codes[:, :3], projection="pca")
    assert display.ax_.get_title().startswith("PCA projection of 3 components, ")
    pairs = CodeDisplay.from_codes(codes, projection="pairs")
    assert pairs.axes_.shape == (6, 6)


def test_codes_may_come_from_a_pipeline_with_data_frames(digits, labels):
    reducer = make_pipeline(StandardScaler(), AutoencoderTransformer(2, **QUICK))
    reducer.set_output(transform="pandas").fit(digits)
    display = CodeDisplay.from_estimator(reducer, digits, labels)
    np.testing.assert_array_equal(display.codes, reducer.transform(digits))


@pytest.mark.parametrize(
    ("codes", "params", "message"),
    [
        (np.eye(4, 2), {"y": [1, 2]}, "y has 2 values, but there are 4 codes"),
        (np.eye(4, 2), {"y": np.eye(4)}, "y should be a 1d array"),
        (np.eye(4, 2), {"y": [0.5, np.nan, 1, 2]}, "y contains NaN"),
        (np.eye(4, 2), {"y": ["a", None, "b", "c"]}, "y must hold strings or numbers"),
        (np.full((4, 2), np.inf), {}, "codes contains"),
        (np.eye(4, 2), {"projection": "umap"}, "projection must be"),
        (np.eye(4, 1), {"projection": "pca"}, "needs 2 components or more"),
        (np.ones((4, 8)), {}, "needs codes that differ"),
    ],
)
def test_what_cannot_be_drawn_as_codes_is_refused(codes, params, message):
    with pytest.raises(ValueError, match=message):
        CodeDisplay.from_codes(codes, **params)
    assert not plt.get_fignums()


def test_an_estimator_without_transform_has_no_codes(digits):
    model = LinearRegression().fit(digits, digits)
    with pytest.raises(TypeError, match=r"LinearRegression has no transform"):
        CodeDisplay.from_estimator(model, digits)


# LossCurveDisplay


def test_training_and_validation_losses_are_drawn(digits, small):
    small.set_params(epochs=8).fit(digits[:200], X_val=digits[200:])
    ax = LossCurveDisplay.from_estimator(small).ax_
    training, validation, best = ax.lines
    for line, key in [(training, "loss"), (validation, "val_loss")]:
        np.testing.assert_array_equal(line.get_xdata(), range(1, 9))
        np.testing.assert_array_equal(line.get_ydata(), small.history_[key])
    assert training.get_linestyle() != validation.get_linestyle()
    lowest = min(small.history_["val_loss"])
    epoch = small.history_["val_loss"].index(lowest) + 1
    assert best.get_xydata().tolist() == [[epoch, lowest]]
    assert legend_of(ax) == [
        "training loss",
        "validation loss",
        f"lowest validation loss: {lowest:.4g}, epoch {epoch}",
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


def test_the_best_epoch_is_the_first_with_the_lowest_loss():
    history = {"loss": [3.0, 1.0, 2.0, 1.0]}
    _, best = LossCurveDisplay(history=history).plot().ax_.lines
    assert best.get_xydata().tolist() == [[2, 1]]
    assert best.get_label() == "lowest training loss: 1, epoch 2"


def test_the_parts_of_a_loss_are_drawn_on_request(digits):
    vae = VariationalAutoencoder(2, **QUICK).fit(digits[:200], X_val=digits[200:])
    names = ["reconstruction_loss", "kl_loss"]
    ax = LossCurveDisplay.from_estimator(vae, losses=names).ax_
    assert legend_of(ax)[:4] == [
        "training reconstruction loss",
        "validation reconstruction loss",
        "training kl loss",
        "validation kl loss",
    ]
    assert legend_of(ax)[4].startswith("lowest validation reconstruction loss: ")
    for line, key in zip(ax.lines, [names[0], f"val_{names[0]}"], strict=False):
        np.testing.assert_array_equal(line.get_ydata(), vae.history_[key])
    assert len({line.get_marker() for line in ax.lines[:4]}) == 2
    one = LossCurveDisplay.from_estimator(vae, losses="kl_loss").ax_
    assert legend_of(one)[0] == "training kl loss"


@pytest.mark.parametrize(
    ("losses", "wanted"),
    [([5.0, 1.0], "linear"), ([20.0, 1.0], "log"), ([20.0, 0.0], "linear")],
)
def test_the_axis_is_logarithmic_where_that_helps(losses, wanted):
    display = LossCurveDisplay(history={"loss": losses})
    assert display.plot().ax_.get_yscale() == wanted
    assert display.plot(scale="linear").ax_.get_yscale() == "linear"


def test_a_logarithmic_axis_has_plain_numbers():
    display = drawn(LossCurveDisplay(history={"loss": [0.3, 0.05, 0.01]}).plot())
    labels = texts(display.ax_.get_yticklabels())
    assert {"0.01", "0.02", "0.05", "0.1", "0.2"} <= set(labels)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_epochs_are_whole_numbers(n):
    display = drawn(LossCurveDisplay(history={"loss": [1.0] * n}).plot())
    ticks = [tick for tick in display.ax_.get_xticks() if 1 <= tick <= n]
    assert ticks == list(range(1, n + 1))
    assert (display.ax_.lines[0].get_marker() == "o") == (n == 1)


def test_the_history_may_be_that_of_the_end_of_a_pipeline(digits, small):
    pipeline = make_pipeline(StandardScaler(), make_pipeline(small)).fit(digits)
    line = LossCurveDisplay.from_estimator(pipeline).ax_.lines[0]
    np.testing.assert_array_equal(line.get_ydata(), small.history_["loss"])


def test_an_estimator_without_losses_is_refused(fitted, pca):
    with pytest.raises(TypeError, match="PCA has no history_"):
        LossCurveDisplay.from_estimator(pca)
    untrained = AutoencoderTransformer.from_keras(fitted.encoder_, fitted.decoder_)
    with pytest.raises(ValueError, match="history_ is empty: the estimator was not"):
        LossCurveDisplay.from_estimator(untrained)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"losses": ["kl_loss"]}, r"'kl_loss', which history_ lacks; it has \['loss'"),
        ({"losses": []}, "losses is empty"),
        ({"scale": "cubic"}, "scale must be 'auto', 'linear' or 'log'"),
        ({"scale": "log"}, "scale='log' needs values above 0, but the lowest is -1"),
    ],
)
def test_losses_and_scales_that_do_not_fit_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        LossCurveDisplay(history={"loss": [1.0, -1.0]}).plot(**params)
    assert not plt.get_fignums()


# ComparisonDisplay


@pytest.fixture(scope="module")
def results(digits, labels):
    """Two reducers and one without an inverse, at three code sizes."""
    return [
        compare_reducers(
            {"PCA": PCA(n), "SVD": TruncatedSVD(n), "kernel PCA": KernelPCA(n)},
            digits,
            labels,
            cv=3,
        )
        for n in (2, 4, 8)
    ]


def values(results, name, measure):
    return np.array([result[measure][result["reducer"] == name] for result in results])


@pytest.mark.parametrize("measure", ["test_mse", "test_score", "fit_time"])
def test_each_reducer_has_a_line_of_means_and_deviations(results, measure):
    ax = ComparisonDisplay.from_results(results, measure=measure).ax_
    for name, bars in zip(["PCA", "SVD"], ax.containers, strict=False):
        wanted = values(results, name, measure)
        line, _, (deviations,) = bars.lines
        np.testing.assert_array_equal(line.get_xdata(), [2, 4, 8])
        np.testing.assert_allclose(line.get_ydata(), wanted.mean(axis=1))
        low, high = np.transpose([s[:, 1] for s in deviations.get_segments()])
        np.testing.assert_allclose((high - low) / 2, wanted.std(axis=1), atol=1e-12)


def test_lines_are_told_apart_without_colour(results):
    ax = ComparisonDisplay.from_results(results, measure="test_score").ax_
    lines = [bars.lines[0] for bars in ax.containers]
    assert legend_of(ax) == ["PCA", "SVD", "kernel PCA"]
    assert len({line.get_marker() for line in lines}) == 3
    greys = [in_grey(line.get_color()) for line in lines]
    assert np.abs(np.diff(greys)).min() > 40


def test_code_sizes_are_the_ticks_of_a_logarithmic_axis(results):
    display = drawn(ComparisonDisplay.from_results(results))
    assert display.ax_.get_xscale() == "log"
    assert texts(display.ax_.get_xticklabels()) == ["2", "4", "8"]
    assert display.ax_.get_xlabel() == "code size (n_components)"


def test_code_sizes_that_lie_close_have_room_for_their_labels():
    sizes = np.array([1, 2, 10, 20, 30, 31, 32, 100, 101, 1000])
    results = {"reducer": ["a"] * 10, "n_components": sizes, "test_mse": 1 / sizes}
    display = drawn(ComparisonDisplay(results=results).plot())
    labels = display.ax_.get_xticklabels()
    assert not overlap(labels)
    assert texts(labels) == ["1", "2", "10", "20", "32", "100", "1000"]


@pytest.mark.parametrize(
    ("measure", "factor", "wanted"),
    [
        ("test_mse", 0.01, "log"),
        ("test_mse", 0.5, "linear"),
        ("test_mse", 1e-30, "linear"),
        ("fit_time", 100, "log"),
        ("test_score", 0.01, "linear"),
        ("test_explained_variance", 0.01, "linear"),
    ],
)
def test_the_measure_has_a_logarithmic_axis_where_that_helps(measure, factor, wanted):
    results = {"reducer": ["a", "a"], "n_components": [2, 4], measure: [1.0, factor]}
    display = ComparisonDisplay(results=results).plot(measure=measure)
    assert display.ax_.get_yscale() == wanted


def test_a_reducer_without_the_measure_is_named(results):
    ax = ComparisonDisplay.from_results(results).ax_
    assert legend_of(ax) == ["PCA", "SVD", "kernel PCA (not measured)"]


def test_reducers_with_one_code_size_each_are_compared_by_name(results):
    display = drawn(ComparisonDisplay.from_results(results[1]))
    ax = display.ax_
    assert texts(ax.get_yticklabels()) == [
        "PCA\nn_components=4",
        "SVD\nn_components=4",
        "kernel PCA\nnot measured",
    ]
    for i, name in enumerate(["PCA", "SVD"]):
        mean = values(results[1:2], name, "test_mse").mean()
        ((x, y),) = ax.containers[i].lines[0].get_xydata()
        assert (x, y) == (pytest.approx(mean), i)
    assert ax.get_xlabel() == "held-out mean squared error"
    assert not overlap(ax.get_yticklabels())


def test_the_code_size_of_a_reducer_is_the_median_of_its_splits(digits):
    found = compare_reducers({"PCA": PCA(0.8)}, digits, cv=ShuffleSplit(5, test_size=9))
    found["n_components"] = found["n_components"] + [0, 0, 0, 1, 2]
    ax = ComparisonDisplay.from_results(found).ax_
    size = np.median(found["n_components"])
    assert texts(ax.get_yticklabels()) == [f"PCA\nn_components={size:g}"]


def test_results_may_be_data_frames(results):
    frames = [pd.DataFrame(result) for result in results]
    for given in frames, results:
        ax = ComparisonDisplay.from_results(given, measure="test_score").ax_
        assert len(ax.containers) == 3


def test_another_measure_is_drawn_without_measuring_again(results):
    display = ComparisonDisplay.from_results(results)
    first = display.ax_
    again = display.plot(measure="test_score")
    assert again is display
    assert display.ax_ is not first
    assert display.ax_.get_ylabel() == "held-out score"


def test_reducers_are_fitted_at_each_code_size(digits, labels):
    reducers = {
        "PCA": PCA(5),
        "autoencoder": make_pipeline(StandardScaler(), AutoencoderTransformer(**QUICK)),
    }
    display = ComparisonDisplay.from_estimator(
        reducers, digits, labels, n_components=[2, 4], cv=2, measure="test_score"
    )
    found = display.results
    assert found["reducer"].tolist() == ["PCA"] * 4 + ["autoencoder"] * 4
    assert found["n_components"].tolist() == [2, 2, 4, 4] * 2
    direct = compare_reducers({"PCA": PCA(4)}, digits, labels, cv=2)
    np.testing.assert_allclose(found["test_mse"][2:4], direct["test_mse"])
    np.testing.assert_allclose(found["test_score"][2:4], direct["test_score"])
    assert legend_of(display.ax_) == ["PCA", "autoencoder"]
    assert reducers["PCA"].n_components == 5


def test_all_code_sizes_meet_the_same_splits(digits):
    cv = ShuffleSplit(3, test_size=0.3)
    same = ComparisonDisplay.from_estimator(
        {"a": PCA(), "b": PCA()}, digits, n_components=[2, 4], cv=cv
    ).results
    a, b = same["test_mse"].reshape(2, 2, 3)
    np.testing.assert_array_equal(a, b)


def test_the_last_step_that_has_code_sizes_gets_them(digits):
    pipeline = make_pipeline(PCA(6), make_pipeline(PCA(5)), StandardScaler())
    display = ComparisonDisplay.from_estimator(
        pipeline, digits, n_components=[2, 3], cv=2
    )
    assert display.results["n_components"].tolist() == [2, 2, 3, 3]


def test_one_reducer_is_called_by_its_class(digits):
    for reducer in PCA(), make_pipeline(StandardScaler(), PCA()):
        display = ComparisonDisplay.from_estimator(
            reducer, digits, n_components=[2, 4], cv=2
        )
        assert legend_of(display.ax_) == ["PCA"]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"reducers": {"scaler": StandardScaler()}}, "'scaler' has no parameter n_c"),
        ({"reducers": StandardScaler()}, "'StandardScaler' has no parameter"),
        ({"n_components": []}, "n_components must be a sequence of code sizes"),
        ({"n_components": 4}, "n_components must be a sequence of code sizes"),
        ({"measure": "mse"}, r"measure must be one of \['test_mse', "),
        ({"measure": "test_score"}, "measure='test_score' needs y"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_it_is_fitted(
    digits, params, message
):
    with pytest.raises(ValueError, match=message):
        ComparisonDisplay.from_estimator(
            **{"reducers": PCA(), "X": digits, "cv": 2, **params}
        )


@pytest.mark.parametrize(
    ("reducers", "message"),
    [
        (LinearRegression(), r"reducers\['LinearRegression'\] must be an estimator"),
        ({"PCA": PCA}, r"reducers\['PCA'\] is a class"),
    ],
)
def test_what_is_no_reducer_is_refused_before_it_is_compared(digits, reducers, message):
    with pytest.raises(TypeError, match=message):
        ComparisonDisplay.from_estimator(reducers, digits, cv=2)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([], "results is empty"),
        ({"reducer": ["a"]}, r"results lack 'n_components'; they have \['reducer'\]"),
        ({"reducer": ["a"], "n_components": [2]}, "results lack 'test_mse'"),
        (
            {"reducer": ["a"], "n_components": [2], "test_mse": [0.1, 0.2]},
            "differ in length",
        ),
        (
            [
                {"reducer": ["a"], "n_components": [2], "test_mse": [0.1]},
                {"reducer": ["a"], "n_components": [2], "test_score": [0.1]},
            ],
            "must have the same keys",
        ),
        (
            {"reducer": ["a"], "n_components": [2], "test_mse": [np.nan]},
            "no value of test_mse for any reducer",
        ),
    ],
)
def test_results_that_are_not_complete_are_refused(results, message):
    with pytest.raises(ValueError, match=message):
        ComparisonDisplay.from_results(results)
    assert not plt.get_fignums()


def test_loss_curves_say_that_the_start_was_kept():
    X = load_digits().data[:300] / 16
    autoencoder = AutoencoderTransformer(8, learning_rate=1.0, epochs=3, random_state=0)
    display = LossCurveDisplay.from_estimator(autoencoder.fit(X))
    title = display.ax_.get_legend().get_title().get_text()
    assert title == "kept: the weights of the start"
    autoencoder.set_params(early_stopping=False).fit(X)
    display = LossCurveDisplay.from_estimator(autoencoder)
    assert not display.ax_.get_legend().get_title().get_text()


def test_a_class_is_no_reducer_to_draw():
    with pytest.raises(TypeError, match="is a class. Give an instance, such as PCA"):
        ComparisonDisplay.from_estimator(PCA, load_iris().data)
