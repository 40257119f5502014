"""Tests of CodeDisplay."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from drawing import QUICK, drawn, legend_of, overlap, texts
from matplotlib.colors import to_hex, to_rgb
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderTransformer
from skautoenc.plotting import CodeDisplay


def test_y_of_classes_determines_colours_and_markers(digits, labels):
    display = CodeDisplay.from_estimator(PCA(2).fit(digits), digits, labels)
    codes = PCA(2).fit(digits).transform(digits)
    ax = display.ax_
    assert legend_of(ax) == [str(digit) for digit in range(10)]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("component 0", "component 1")
    styles, shapes = set(), set()
    for digit, points in enumerate(ax.collections):
        np.testing.assert_allclose(
            points.get_offsets(), codes[labels == digit], atol=1e-5
        )
        shape = points.get_paths()[0].vertices.tobytes()
        styles.add((to_hex(points.get_facecolor()[0]), shape))
        shapes.add(shape)
    assert len(styles) == len(shapes) == 10


def test_y_of_forty_classes_has_forty_styles_and_a_legend_in_the_figure():
    rng = np.random.default_rng(0)
    y = np.repeat([f"class {i}" for i in range(40)], 3)
    display = drawn(CodeDisplay.from_codes(rng.normal(size=(120, 2)), y))
    styles = {
        (to_hex(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in display.ax_.collections
    }
    assert len(styles) == 40
    box = display.ax_.get_legend().get_window_extent()
    figure = display.figure_.bbox
    assert figure.y0 <= box.y0 < box.y1 <= figure.y1
    assert box.x1 <= figure.x1
    assert display.ax_.get_window_extent().width > 0.4 * figure.width


def test_y_of_more_than_forty_classes_is_refused():
    y = [f"class {i}" for i in range(41)]
    with pytest.raises(ValueError, match="y has 41 classes"):
        CodeDisplay.from_codes(np.ones((41, 2)), y)


@pytest.mark.parametrize(
    "y", [load_diabetes().target, np.arange(442) % 30, np.linspace(0, 1, 442)]
)
def test_y_of_numbers_has_a_colour_scale(y):
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
def test_y_of_few_integers_or_strings_is_treated_as_classes(digits, y, names):
    assert legend_of(CodeDisplay.from_codes(digits[:60, 2:4], y).ax_) == names


def test_without_y_all_codes_have_the_same_style(digits):
    display = CodeDisplay.from_codes(digits[:, 2:4])
    (points,) = display.ax_.collections
    assert len(points.get_offsets()) == 300
    assert len(points.get_facecolor()) == 1
    assert display.ax_.get_legend() is None
    assert len(display.figure_.axes) == 1


def test_more_codes_are_drawn_smaller_and_fainter():
    rng = np.random.default_rng(0)
    few, many = (
        CodeDisplay.from_codes(rng.normal(size=(n, 2))).ax_.collections[0]
        for n in (100, 10_000)
    )
    assert many.get_sizes()[0] < few.get_sizes()[0]
    assert many.get_alpha() < few.get_alpha()


def test_codes_of_one_component_are_a_histogram(digits):
    ax = CodeDisplay.from_codes(digits[:, 2:3]).ax_
    assert sum(bar.get_height() for bar in ax.patches) == 300
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("component 0", "rows")


def test_codes_of_one_component_with_y_of_classes_are_strips(digits, labels):
    ax = CodeDisplay.from_codes(digits[:, 2:3], labels).ax_
    assert texts(ax.get_yticklabels()) == [str(digit) for digit in range(10)]
    for digit, points in enumerate(ax.collections):
        x, y = points.get_offsets().T
        np.testing.assert_allclose(x, digits[labels == digit, 2])
        assert np.abs(y - digit).max() < 0.5


def test_codes_of_one_component_with_y_of_numbers_are_points():
    X, y = load_diabetes(return_X_y=True)
    display = CodeDisplay.from_codes(X[:, :1], y)
    (points,) = display.ax_.collections
    np.testing.assert_allclose(points.get_offsets().T, [X[:, 0], y])
    assert display.ax_.get_ylabel() == "y"


@pytest.mark.parametrize("n", [3, 5])
def test_projection_auto_draws_pairs_of_up_to_five_components(digits, labels, n):
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


def test_projection_pairs_with_y_of_numbers_has_a_colour_bar():
    X, y = load_diabetes(return_X_y=True)
    display = drawn(CodeDisplay.from_codes(X[:, [0, 2, 3]], y))
    (bar,) = display.ax_.child_axes
    assert bar.get_xlabel() == "y"
    for panel in display.axes_[np.tril_indices(3)]:
        assert not bar.get_tightbbox().overlaps(panel.get_window_extent())
    assert len(display.axes_[1, 1].patches) == 20 + 1


def test_projection_auto_is_pca_for_more_than_five_components(digits, labels):
    codes = PCA(32).fit_transform(digits)
    pca = PCA(2).fit(codes)
    share = 100 * pca.explained_variance_ratio_.sum()
    ax = CodeDisplay.from_codes(codes, labels).ax_
    assert ax.get_title() == (
        f"PCA projection of 32 components, {share:.0f} % of their variance"
    )
    points = ax.collections[3].get_offsets()
    np.testing.assert_allclose(points, pca.transform(codes[labels == 3]), atol=1e-4)


def test_projection_pca_and_pairs_are_drawn_for_any_number_of_components(digits):
    codes = PCA(6).fit_transform(digits)
    display = CodeDisplay.from_codes(codes[:, :3], projection="pca")
    assert display.ax_.get_title().startswith("PCA projection of 3 components, ")
    pairs = CodeDisplay.from_codes(codes, projection="pairs")
    assert pairs.axes_.shape == (6, 6)


def test_from_estimator_accepts_a_pipeline_that_outputs_data_frames(digits, labels):
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
        (
            np.eye(4, 2),
            {"y": ["a", None, "b", "c"]},
            "y must contain strings or numbers",
        ),
        (np.full((4, 2), np.inf), {}, "codes contains"),
        (np.eye(4, 2), {"projection": "umap"}, "projection must be"),
        (np.eye(4, 1), {"projection": "pca"}, "needs at least 2 components"),
        (np.ones((4, 8)), {}, "needs codes that differ"),
    ],
)
def test_from_codes_refuses_invalid_codes_y_and_projection(codes, params, message):
    with pytest.raises(ValueError, match=message):
        CodeDisplay.from_codes(codes, **params)
    assert not plt.get_fignums()


def test_from_estimator_refuses_an_estimator_without_transform(digits):
    model = LinearRegression().fit(digits, digits)
    with pytest.raises(TypeError, match=r"LinearRegression has no transform"):
        CodeDisplay.from_estimator(model, digits)


def lightness(color):
    """L* of CIELAB, from 0 to 100."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in to_rgb(color)
    ]
    luminance = np.dot([0.2126, 0.7152, 0.0722], linear)
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 0


def test_y_of_twelve_classes_differs_in_colour_and_in_grey():
    y = np.arange(120) % 12
    codes = np.random.default_rng(0).normal(size=(120, 2))
    ax = CodeDisplay.from_codes(codes, y).ax_
    colours = [points.get_facecolor()[0] for points in ax.collections]
    assert len({to_hex(colour) for colour in colours}) == 12
    lightnesses = [lightness(colour) for colour in colours]
    assert np.diff(sorted(lightnesses)).min() > 4
    assert max(lightnesses) < 80  # dark enough for small points on white
    # Classes that are similar in grey differ in their markers.
    shapes = [points.get_paths()[0].vertices.tobytes() for points in ax.collections]
    for i, j in combinations(range(12), 2):
        if abs(lightnesses[i] - lightnesses[j]) < 12:
            assert shapes[i] != shapes[j]


def test_frame_of_codes_has_codes_and_y_and_the_index_of_x(labels):
    X = pd.DataFrame(load_diabetes().data, index=np.arange(442) + 1000)
    pca = PCA(3).fit(X.to_numpy())
    display = CodeDisplay.from_estimator(pca, X, load_diabetes().target)
    frame = display.frame()
    assert list(frame) == ["component_0", "component_1", "component_2", "y"]
    np.testing.assert_array_equal(frame.index, X.index)
    np.testing.assert_array_equal(frame.iloc[:, :3], pca.transform(X.to_numpy()))
    np.testing.assert_array_equal(frame["y"], load_diabetes().target)
    assert list(CodeDisplay.from_codes(X.iloc[:, :2]).frame().index) == list(X.index)
    assert "y" not in CodeDisplay.from_codes(X.iloc[:, :2]).frame()


@pytest.mark.parametrize("name", ["c", "color", "facecolor", "fc"])
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("target", ["none", "numbers", "classes"])
def test_scatter_kwargs_with_a_colour_replaces_the_colours_of_y(
    digits, labels, name, n, target
):
    y = {"none": None, "numbers": labels / 2 + 0.1, "classes": labels}[target]
    display = drawn(
        CodeDisplay.from_codes(
            digits[:, 2 : 2 + n], y, scatter_kwargs={name: "red", "s": 7}
        )
    )
    for ax in display.figure_.axes:
        for points in ax.collections:
            assert to_hex(points.get_facecolor()[0]) == "#ff0000"
            assert points.get_sizes() == [7]


def test_scatter_kwargs_with_colour_values_has_no_colour_bar_of_y(digits):
    numbers = np.linspace(0, 1, 300)
    for n, n_points in (2, 1), (3, 3):
        display = CodeDisplay.from_codes(
            digits[:, 2 : 2 + n], numbers, scatter_kwargs={"c": digits[:, 10]}
        )
        points = [points for ax in display.figure_.axes for points in ax.collections]
        assert len(points) == n_points
        for of_panel in points:
            np.testing.assert_array_equal(of_panel.get_array(), digits[:, 10])
        assert not display.ax_.child_axes
        assert "y" not in [ax.get_ylabel() for ax in display.figure_.axes]


def test_hist_kwargs_restyles_histograms(digits, labels):
    ax = CodeDisplay.from_codes(
        digits[:, 2:3], hist_kwargs={"bins": 3, "fc": "red"}
    ).ax_
    assert len(ax.patches) == 3
    assert to_hex(ax.patches[0].get_facecolor()) == "#ff0000"
    display = CodeDisplay.from_codes(
        digits[:, 2:5], labels, hist_kwargs={"bins": 4, "alpha": 0.9}
    )
    assert {bar.get_alpha() for bar in display.axes_[0, 0].patches} == {0.9}


def test_projection_pairs_in_small_axes_has_its_legend_beside_the_panels(
    digits, labels
):
    _, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    names = np.array([f"digit {i}" for i in labels])
    display = CodeDisplay.from_codes(digits[:, 2:5], labels, ax=axes[0, 1])
    CodeDisplay.from_codes(digits[:, 2:4], names, ax=axes[1, 1])
    drawn(display)
    box = display.ax_.get_legend().get_window_extent()
    for panel in display.axes_[np.tril_indices(3)]:
        assert not box.overlaps(panel.get_window_extent())
