"""Tests of LoadingsDisplay."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from drawing import QUICK, drawn, overlap, texts
from scipy.sparse import csr_array
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.decomposition import NMF, PCA, KernelPCA, TruncatedSVD
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skautoenc import AutoencoderTransformer, ConvNetwork
from skautoenc.plotting import LoadingsDisplay


@pytest.fixture(scope="module")
def wine():
    return load_wine(as_frame=True).data


def scaled_pca(X, n_components):
    return make_pipeline(StandardScaler(), PCA(n_components)).fit(X)


def visible(labels):
    return [label for label in labels if label.get_visible() and label.get_text()]


def test_loadings_are_components_of_the_last_step(wine):
    pipeline = scaled_pca(wine, 3)
    nested = make_pipeline(StandardScaler(), make_pipeline("passthrough", PCA(3)))
    search = GridSearchCV(pipeline, {"pca__n_components": [3]}, cv=2)
    for estimator in pipeline, nested.fit(wine), search.fit(wine):
        display = LoadingsDisplay.from_estimator(estimator)
        np.testing.assert_allclose(
            np.abs(display.loadings), np.abs(pipeline[-1].components_), atol=1e-6
        )
        assert display.feature_names == list(wine.columns)


@pytest.mark.parametrize(
    "reducer",
    [
        PCA(4),
        PCA(4, whiten=True),
        TruncatedSVD(4),
        NMF(4, max_iter=2000, random_state=0),
    ],
)
def test_slopes_over_x_of_a_linear_reducer_are_its_decoding_matrix(digits, reducer):
    reducer.fit(digits)
    loadings = LoadingsDisplay.from_estimator(reducer, digits).loadings
    zero = reducer.inverse_transform(np.zeros((1, 4)))
    expected = reducer.inverse_transform(np.eye(4)) - zero
    np.testing.assert_allclose(loadings, expected, atol=1e-4)


@pytest.mark.parametrize("form", [np.array, pd.DataFrame, csr_array])
def test_x_is_transformed_by_the_earlier_steps_of_a_pipeline(wine, form):
    X = form(wine)
    pipeline = make_pipeline(StandardScaler(with_mean=False), TruncatedSVD(3)).fit(X)
    loadings = LoadingsDisplay.from_estimator(pipeline, X).loadings
    np.testing.assert_allclose(loadings, pipeline[-1].components_, atol=1e-6)


class Quadratic(FunctionTransformer):
    """Decodes a code z to (z, z ** 2, 5)."""

    def transform(self, X):
        return np.asarray(X)[:, :1]

    def inverse_transform(self, X):
        return np.column_stack([X[:, 0], X[:, 0] ** 2, np.full(len(X), 5.0)])


@pytest.mark.parametrize("codes", [[1, 2, 6], [0, 0, 0], [7, 7, 7], [1e-9, 3e-9, 0]])
def test_slopes_over_x_are_means_over_its_rows(codes):
    X = np.outer(codes, [1.0, 0, 0])
    display = LoadingsDisplay.from_estimator(Quadratic().fit(X), X)
    np.testing.assert_allclose(
        display.loadings, [[1, 2 * np.mean(codes), 0]], atol=1e-8
    )


def test_slopes_over_x_are_those_of_components_if_the_decoder_is_not_linear(digits):
    params = {**QUICK, "epochs": 30, "early_stopping": False}
    autoencoder = AutoencoderTransformer(3, **params).fit(digits)
    loadings = LoadingsDisplay.from_estimator(autoencoder, digits).loadings
    for found, expected in zip(loadings, autoencoder.components_, strict=True):
        assert np.corrcoef(found, expected)[0, 1] > 0.95


def test_x_gives_loadings_of_reducers_without_components(digits):
    kernel_pca = KernelPCA(2, kernel="rbf", fit_inverse_transform=True).fit(digits)
    fitted = AutoencoderTransformer(2, **QUICK).fit(digits)
    converted = AutoencoderTransformer.from_keras(fitted.encoder_, fitted.decoder_)
    for reducer in kernel_pca, converted:
        assert not hasattr(reducer, "components_")
        display = LoadingsDisplay.from_estimator(reducer, digits)
        assert display.loadings.shape == (2, 64)
        assert np.abs(display.loadings).max(axis=1).all()


def test_loadings_are_those_of_pca_if_the_initial_weights_were_kept():
    X = np.random.default_rng(0).normal(size=(80, 10)) * np.arange(10, 0, -1)
    autoencoder = AutoencoderTransformer(3, epochs=5, random_state=0).fit(X)
    assert autoencoder.best_epoch_ == 0
    expected = PCA(3).fit(X).components_
    for rows in None, X:
        loadings = LoadingsDisplay.from_estimator(autoencoder, rows).loadings
        np.testing.assert_allclose(loadings, expected, atol=1e-4)


@pytest.mark.parametrize("given", [False, True])
def test_components_are_drawn_in_the_given_order(digits, pca, given):
    display = LoadingsDisplay.from_estimator(
        pca, digits if given else None, components=[4, 0], kind="signal"
    )
    np.testing.assert_allclose(display.loadings, pca.components_[[4, 0]], atol=1e-4)
    assert [panel.get_title("left") for panel in display.axes_] == [
        "component 4",
        "component 0",
    ]
    assert display.frame()["component"].unique().tolist() == [4, 0]


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((2, 4), "bar"),
        ((8, 50), "bar"),
        ((8, 51), "signal"),
        ((9, 4), "table"),
        ((9, 784), "table"),
        ((32, 8, 8), "image"),
        ((32, 8, 8, 3), "image"),
        ((2, 8, 1), "bar"),
    ],
)
def test_kind_auto_depends_on_the_shape_of_the_loadings(shape, kind):
    loadings = np.random.default_rng(0).normal(size=shape)
    display = drawn(LoadingsDisplay(loadings=loadings).plot())
    panels = [display.ax_] if kind == "table" else display.axes_
    assert len(panels) == (1 if kind == "table" else shape[0])
    for panel in panels:
        found = {
            "bar": panel.patches,
            "signal": len(panel.lines) == 2,
            "image": panel.images,
            "table": panel.images,
        }
        assert found[kind], kind
    assert display.ax_.axison is (kind == "table")


@pytest.mark.parametrize("n_features", [13, 100])
def test_kind_auto_is_table_in_axes_without_space_for_panels(n_features):
    loadings = np.random.default_rng(0).normal(size=(8, n_features))
    _, ax = plt.subplots(figsize=(3, 2), layout="constrained")
    display = drawn(LoadingsDisplay(loadings=loadings).plot(ax))
    assert display.ax_.images[0].get_array().shape == (8, n_features)


def test_kind_bar_has_a_bar_per_feature_from_top_to_bottom(wine):
    pipeline = scaled_pca(wine, 3)
    display = drawn(LoadingsDisplay.from_estimator(pipeline))
    for panel, component in zip(display.axes_, pipeline[-1].components_, strict=True):
        np.testing.assert_allclose([b.get_width() for b in panel.patches], component)
        assert panel.get_ylim() == (12.5, -0.5)
        assert panel.get_xlim() == display.axes_[0].get_xlim()
    names = texts(display.axes_[0].get_yticklabels())
    assert len(names) == 13
    assert names[:2] == ["alcohol", "malic_acid"]
    assert not visible(display.axes_[1].get_yticklabels())


@pytest.mark.parametrize("n_components", [1, 4])
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
@pytest.mark.parametrize("figsize", [None, (3, 2), (6, 4), (12, 3)])
def test_kind_bar_has_labels_that_do_not_overlap(load, n_components, figsize):
    display = LoadingsDisplay.from_estimator(
        scaled_pca(load(as_frame=True).data, n_components),
        kind="bar",
        ax=None
        if figsize is None
        else plt.subplots(figsize=figsize, layout="constrained")[1],
    )
    drawn(display)
    for panel in display.axes_:
        assert not overlap(visible(panel.get_xticklabels()))
        assert not overlap(visible(panel.get_yticklabels()))
    assert not overlap([panel.title for panel in display.axes_])
    figure = display.figure_.bbox
    for name in visible(display.axes_[0].get_yticklabels()):
        assert name.get_window_extent().x0 >= figure.x0


def test_kind_image_has_one_colour_scale_around_0(digits, pca):
    display = LoadingsDisplay.from_estimator(pca, image_shape=(8, 8))
    limit = np.abs(pca.components_).max()
    for panel, component in zip(display.axes_, pca.components_, strict=True):
        (image,) = panel.images
        np.testing.assert_array_equal(image.get_array(), component.reshape(8, 8))
        assert image.get_clim() == (-limit, limit)
        assert image.get_cmap().name == "RdBu_r"
    (bar,) = set(display.figure_.axes) - {display.ax_, *display.axes_}
    assert bar.get_ylabel() == "loading"


def test_kind_image_of_several_channels_has_grey_for_0():
    loadings = np.zeros((2, 4, 4, 3))
    loadings[0, 0, 0] = [-2, 0, 2]
    first, second = LoadingsDisplay(loadings=loadings).plot().axes_
    np.testing.assert_allclose(first.images[0].get_array()[0, 0], [0, 0.5, 1])
    np.testing.assert_allclose(second.images[0].get_array(), 0.5)


@pytest.mark.parametrize("n_components", [1, 2, 32])
@pytest.mark.parametrize("figsize", [(3, 2), (6, 2), (3, 8)])
def test_kind_image_arranges_images_without_overlap(n_components, figsize):
    loadings = np.random.default_rng(0).normal(size=(n_components, 8, 8))
    ax = plt.subplots(figsize=figsize, layout="constrained")[1]
    display = drawn(LoadingsDisplay(loadings=loadings).plot(ax))
    panels = [panel.get_tightbbox() for panel in display.axes_]
    for i, panel in enumerate(panels):
        assert panel.width > 5
        assert panel.count_overlaps(panels[i + 1 :]) == 0


def test_image_shape_is_that_of_the_network(digits):
    autoencoder = AutoencoderTransformer(
        2, network=ConvNetwork((8, 8, 1), filters=(2,)), epochs=1, random_state=0
    ).fit(digits)
    display = LoadingsDisplay.from_estimator(autoencoder, digits[:20])
    assert display.loadings.shape == (2, 8, 8, 1)
    assert display.axes_[0].images


def test_kind_signal_is_a_line_per_component(digits, pca):
    display = drawn(LoadingsDisplay.from_estimator(pca))
    assert [panel.get_title("left") for panel in display.axes_] == [
        f"component {i}" for i in range(6)
    ]
    for panel, component in zip(display.axes_, pca.components_, strict=True):
        np.testing.assert_array_equal(panel.lines[1].get_ydata(), component)
    assert display.axes_[0].get_ylabel() == "loading"
    assert display.axes_[-1].get_xlabel() == "feature"


def test_kind_table_has_a_row_per_component_and_a_column_per_feature(wine):
    display = drawn(LoadingsDisplay.from_estimator(scaled_pca(wine, 13)))
    np.testing.assert_array_equal(display.ax_.images[0].get_array(), display.loadings)
    assert texts(display.ax_.get_yticklabels()) == [str(i) for i in range(13)]
    assert texts(display.ax_.get_xticklabels())[0] == "alcohol"
    assert not hasattr(display, "axes_")


def test_feature_names_are_those_of_the_last_step(wine, digits):
    named = scaled_pca(wine, 2)
    reduced = make_pipeline(PCA(4), PCA(2)).fit(wine)
    unnamed = make_pipeline(FunctionTransformer(), PCA(2)).fit(wine.to_numpy())
    for estimator, expected in [
        (named, list(wine.columns)),
        (PCA(2).fit(wine), list(wine.columns)),
        (reduced, ["pca0", "pca1", "pca2", "pca3"]),
        (unnamed, None),
    ]:
        display = LoadingsDisplay.from_estimator(estimator)
        assert display.feature_names == expected
    frame = display.frame()
    assert frame["feature"].tolist() == [f"x{i}" for i in range(13)] * 2
    np.testing.assert_array_equal(frame["loading"], unnamed[-1].components_.ravel())


def test_feature_names_replace_those_of_the_estimator(wine):
    names = [f"column {i}" for i in range(13)]
    display = LoadingsDisplay.from_estimator(scaled_pca(wine, 2), feature_names=names)
    assert texts(display.axes_[0].get_yticklabels()) == names


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("bar", {"bar_kwargs": {"fc": "red"}}),
        ("signal", {"line_kwargs": {"c": "red"}}),
        ("table", {"image_kwargs": {"vmax": 2}, "cmap": "PiYG"}),
    ],
)
def test_plot_kwargs_restyle_the_artists(pca, kind, kwargs):
    display = LoadingsDisplay.from_estimator(pca, kind=kind, **kwargs)
    if kind == "bar":
        assert display.axes_[0].patches[0].get_facecolor() == (1, 0, 0, 1)
    elif kind == "signal":
        assert display.axes_[0].lines[1].get_color() == "red"
    else:
        (image,) = display.ax_.images
        assert (image.get_clim()[1], image.get_cmap().name) == (2, "PiYG")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"components": [6]}, "components must be a sequence of integers from 0 to 5"),
        ({"components": []}, "at least one; got \\[\\]"),
        ({"components": 2}, "components must be a sequence of integers"),
        ({"components": [0.5]}, "components must be a sequence of integers"),
        ({"kind": "heatmap"}, "kind must be one of"),
        ({"kind": "image"}, "kind='image' needs image_shape"),
        ({"image_shape": (8, 9)}, "image_shape=\\(8, 9\\) does not fit"),
        ({"feature_names": ["a"]}, "feature_names has 1 names, but there are 64"),
    ],
)
def test_from_estimator_refuses_invalid_parameters(pca, params, message):
    with pytest.raises(ValueError, match=message):
        LoadingsDisplay.from_estimator(pca, **params)
    assert not plt.get_fignums()


def test_from_estimator_refuses_estimators_without_loadings(digits):
    kernel_pca = KernelPCA(2).fit(digits)
    with pytest.raises(TypeError, match="KernelPCA has no components_. Give X"):
        LoadingsDisplay.from_estimator(kernel_pca)
    k_means = KMeans(2).fit(digits)
    with pytest.raises(TypeError, match="KMeans lacks transform or inverse_transform"):
        LoadingsDisplay.from_estimator(k_means, digits)
