"""Tests of ImageGridDisplay."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawing import QUICK, drawn, overlap, texts
from matplotlib.colors import Normalize
from scipy.sparse import csr_array
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, LatentDirichletAllocation
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skautoenc import AutoencoderTransformer, ConvNetwork, VariationalAutoencoder
from skautoenc.plotting import ImageGridDisplay


def tile(display, row, column):
    """The drawn pixels of one image."""
    height, width = display.images.shape[1:3]
    mosaic = display.ax_.images[0].get_array()
    down, across = height + 1, width + 1
    return mosaic[
        down * row : down * row + height, across * column : across * column + width
    ]


@pytest.fixture(scope="module")
def vae(digits):
    return VariationalAutoencoder(2, **QUICK).fit(digits)


# from_images


@pytest.mark.parametrize(
    ("params", "n_rows", "n_cols"),
    [
        ({"n_rows": 2, "n_cols": 3}, 2, 3),
        ({"n_cols": 4}, 4, 4),
        ({"n_rows": 3}, 3, 5),
        ({}, 2, 10),
        ({"n_rows": 9, "n_cols": 5}, 3, 5),
    ],
)
def test_n_rows_and_n_cols_arrange_images_row_by_row(digits, params, n_rows, n_cols):
    display = drawn(
        ImageGridDisplay.from_images(digits[:13], image_shape=(8, 8), **params)
    )
    mosaic = display.ax_.images[0].get_array()
    assert mosaic.shape == (9 * n_rows - 1, 9 * n_cols - 1)
    for i in range(min(13, n_rows * n_cols)):
        shown = tile(display, *divmod(i, n_cols))
        np.testing.assert_array_equal(shown, digits[i].reshape(8, 8))
    assert mosaic.count() == 64 * min(13, n_rows * n_cols)


def test_image_centres_have_integer_coordinates_in_ax(digits):
    display = drawn(
        ImageGridDisplay.from_images(digits[:12], n_cols=4, image_shape=(8, 8))
    )
    image = display.ax_.images[0]
    mosaic = np.zeros(image.get_array().shape)
    mosaic[9:17, 18:26] = 1  # row 1, column 2
    image.set(data=mosaic, interpolation="nearest")
    x, y = display.ax_.transData.transform((2, 1))
    left, bottom = display.ax_.transData.transform((1.6, 1.4))
    assert abs((x - left) - (y - bottom)) < 1e-6  # pixels are square
    pixels, x0, y0, _ = image.make_image(display.figure_.canvas.get_renderer())
    white = np.argwhere(pixels[..., 0] > 200)
    np.testing.assert_allclose(white.mean(axis=0), [y - y0, x - x0], atol=1)


def test_from_images_accepts_arrays_sparse_rows_and_colours(digits):
    sparse = ImageGridDisplay.from_images(csr_array(digits[:4]), image_shape=(8, 8))
    np.testing.assert_array_equal(tile(sparse, 0, 3), digits[3].reshape(8, 8))
    deep = ImageGridDisplay.from_images(digits[:4].reshape(4, 8, 8, 1))
    np.testing.assert_array_equal(tile(deep, 0, 3), digits[3].reshape(8, 8))
    images = np.repeat(255 * digits[:4].reshape(4, 8, 8, 1), 3, axis=3)
    colour = drawn(ImageGridDisplay.from_images(images))
    np.testing.assert_allclose(tile(colour, 0, 3), images[3] / 255, atol=1e-6)


def test_row_names_and_column_names_are_tick_labels(digits):
    names = {"row_names": ["clean", "noisy"], "column_names": ["a", "b", "c"]}
    display = drawn(
        ImageGridDisplay.from_images(digits[:6], n_cols=3, image_shape=(8, 8), **names)
    )
    assert texts(display.ax_.get_yticklabels()) == names["row_names"]
    assert texts(display.ax_.get_xticklabels()) == names["column_names"]
    frame = display.frame()
    assert frame["row"].tolist() == ["clean"] * 3 + ["noisy"] * 3
    assert frame["column"].tolist() == ["a", "b", "c"] * 2
    np.testing.assert_array_equal(frame.iloc[:, 2:], digits[:6])


def test_row_names_and_column_names_that_are_long_stay_in_the_figure(digits):
    _, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    names = {
        "row_names": ["digits of the test set", "the same digits again"],
        "column_names": [f"a number that is written as {i}" for i in range(10)],
    }
    for ax in axes[0, 0], None:
        display = drawn(
            ImageGridDisplay.from_images(
                digits[:20], image_shape=(8, 8), **names, ax=ax
            )
        )
        labels = display.ax_.get_xticklabels() + display.ax_.get_yticklabels()
        for label in labels:
            box = label.get_window_extent()
            assert box.x0 >= 0
            assert box.y0 >= 0
        assert not overlap(display.ax_.get_xticklabels())


def test_cmap_and_image_kwargs_restyle_the_grid(digits):
    for keywords in {"vmin": -1, "vmax": 2}, {"norm": Normalize(-1, 2)}:
        image = ImageGridDisplay.from_images(
            digits, image_shape=(8, 8), cmap="gray_r", image_kwargs=keywords
        ).ax_.images[0]
        assert image.get_clim() == (-1, 2)
        assert image.get_cmap().name == "gray_r"


@pytest.mark.parametrize(
    ("images", "params", "message"),
    [
        (np.zeros((5, 64)), {}, "images are flat rows of 64 values. Give image_shape"),
        (np.zeros((5, 64)), {"image_shape": (8, 9)}, r"image_shape=\(8, 9\) does not"),
        (np.zeros((5, 8, 8, 2)), {}, "images must have the shape"),
        (np.zeros((5, 8, 8)), {"n_rows": 0}, "n_rows == 0"),
        (np.zeros((5, 8, 8)), {"n_cols": 0}, "n_cols == 0"),
        (
            np.zeros((5, 8, 8)),
            {"row_names": ["a", "b"]},
            "row_names has 2 names, but there are 1 rows",
        ),
        (
            np.zeros((5, 8, 8)),
            {"column_names": ["a"]},
            "column_names has 1 names, but there are 5 columns",
        ),
        (np.full((5, 8, 8), np.nan), {}, "Input images contains NaN"),
    ],
)
def test_from_images_refuses_invalid_images_shapes_and_names(images, params, message):
    with pytest.raises(ValueError, match=message):
        ImageGridDisplay.from_images(images, **params)
    assert not plt.get_fignums()


# from_estimator


def test_from_estimator_draws_samples(vae):
    display = ImageGridDisplay.from_estimator(
        vae, n_rows=2, n_cols=3, random_state=0, image_shape=(8, 8)
    )
    expected = vae.sample(6, random_state=0).reshape(6, 8, 8)
    np.testing.assert_array_equal(display.images, expected)
    np.testing.assert_array_equal(tile(display, 1, 2), expected[5])


def test_from_estimator_inverts_the_scaler_of_a_pipeline(digits):
    X = 255 * digits
    pipeline = make_pipeline(MinMaxScaler(), VariationalAutoencoder(2, **QUICK)).fit(X)
    display = ImageGridDisplay.from_estimator(
        pipeline, random_state=0, image_shape=(8, 8)
    )
    scaler, vae = pipeline[0], pipeline[1]
    expected = scaler.inverse_transform(vae.sample(40, random_state=0))
    np.testing.assert_allclose(display.images, expected.reshape(40, 8, 8))


def test_from_estimator_uses_the_image_shape_of_the_network(digits):
    network = ConvNetwork((8, 8, 1), filters=(2,))
    vae = VariationalAutoencoder(2, network=network, epochs=1, random_state=0)
    pipeline = make_pipeline(MinMaxScaler(), vae).fit(digits)
    display = ImageGridDisplay.from_estimator(pipeline, n_rows=1, n_cols=2)
    assert display.images.shape == (2, 8, 8, 1)


def test_from_estimator_refuses_an_estimator_without_sample_or_image_shape(fitted, vae):
    with pytest.raises(TypeError, match="AutoencoderTransformer has no sample"):
        ImageGridDisplay.from_estimator(fitted)
    with pytest.raises(ValueError, match="samples are flat rows of 64 values"):
        ImageGridDisplay.from_estimator(vae)


# from_code_plane


def test_from_code_plane_decodes_a_regular_grid_of_codes(vae):
    display = drawn(
        ImageGridDisplay.from_code_plane(
            vae, limits=(-2, 2), n_rows=3, n_cols=5, image_shape=(8, 8)
        )
    )
    ax = display.ax_
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("component 0", "component 1")
    assert texts(ax.get_xticklabels()) == ["-2", "-1", "0", "1", "2"]
    assert texts(ax.get_yticklabels()) == ["2", "0", "-2"]
    expected = vae.inverse_transform([[-1, 2]]).reshape(8, 8)
    np.testing.assert_allclose(tile(display, 0, 1), expected, rtol=1e-6)
    expected = vae.inverse_transform([[2, -2]]).reshape(8, 8)
    np.testing.assert_allclose(tile(display, 2, 4), expected, rtol=1e-6)
    assert display.frame()["column"].tolist() == [-2, -1, 0, 1, 2] * 3


def test_from_code_plane_uses_components_and_limits_of_any_reducer(digits):
    pipeline = make_pipeline(StandardScaler(), PCA(4)).fit(digits)
    display = ImageGridDisplay.from_code_plane(
        pipeline, digits, components=(2, 1), n_rows=2, n_cols=3, image_shape=(8, 8)
    )
    codes = pipeline.transform(digits)
    low, high = np.percentile(codes, [2, 98], axis=0)
    code = codes.mean(axis=0)
    code[[2, 1]] = high[2], low[1]
    expected = pipeline.inverse_transform([code]).reshape(8, 8)
    np.testing.assert_allclose(display.images[-1], expected, atol=1e-6)
    assert display.ax_.get_xlabel() == "component 2"
    without_rows = ImageGridDisplay.from_code_plane(
        pipeline, limits=((0, 1), (2, 3)), n_rows=1, n_cols=1, image_shape=(8, 8)
    )
    expected = pipeline.inverse_transform([[0, 2, 0, 0]]).reshape(1, 8, 8)
    np.testing.assert_allclose(without_rows.images, expected)


def test_from_code_plane_uses_the_image_shape_seen_in_fit(digits):
    X = digits.reshape(-1, 8, 8)
    autoencoder = AutoencoderTransformer(2, **QUICK).fit(X)
    display = ImageGridDisplay.from_code_plane(autoencoder, X, n_rows=2, n_cols=2)
    assert display.images.shape == (4, 8, 8)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "Give X, whose codes determine them, or limits"),
        ({"limits": (2, -2)}, r"limits must be two numbers, .*got \(2, -2\)"),
        ({"limits": (1, 2, 3)}, "limits must be two numbers"),
        ({"limits": "wide"}, "limits must be two numbers"),
        ({"limits": (0, 1), "components": (0, 0)}, "components must be two different"),
        ({"limits": (0, 1), "components": (0, 2)}, "integers from 0 to 1"),
        ({"limits": (0, 1), "n_rows": 0}, "n_rows == 0"),
    ],
)
def test_from_code_plane_refuses_invalid_limits_components_and_n_rows(
    vae, params, message
):
    with pytest.raises(ValueError, match=message):
        ImageGridDisplay.from_code_plane(vae, image_shape=(8, 8), **params)
    assert not plt.get_fignums()


def test_from_code_plane_refuses_a_single_component():
    X = load_iris().data
    with pytest.raises(ValueError, match="1 component"):
        ImageGridDisplay.from_code_plane(PCA(1).fit(X), X, image_shape=(2, 2))


def test_from_code_plane_refuses_an_estimator_without_inverse_transform(digits):
    topics = LatentDirichletAllocation(2, max_iter=1).fit(digits)
    with pytest.raises(TypeError, match="has no inverse_transform"):
        ImageGridDisplay.from_code_plane(topics, digits, image_shape=(8, 8))
