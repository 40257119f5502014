"""Tests of ExplainedVarianceDisplay."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawing import QUICK, drawn, in_grey, legend_of, overlap
from scipy.sparse import csr_array
from sklearn.datasets import load_wine
from sklearn.decomposition import NMF, PCA, TruncatedSVD
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderTransformer, VariationalAutoencoder
from skautoenc.plotting import ExplainedVarianceDisplay

REFERENCE = "PCA (reference)"


@pytest.fixture(scope="module")
def wine():
    return load_wine(as_frame=True).data


def test_from_estimator_draws_the_ratios_of_the_estimator_and_of_pca(digits):
    autoencoder = AutoencoderTransformer(6, **QUICK).fit(digits)
    display = ExplainedVarianceDisplay.from_estimator(autoencoder, digits)
    expected = {
        "AutoencoderTransformer": autoencoder.explained_variance_ratio_,
        REFERENCE: PCA(6).fit(digits).explained_variance_ratio_,
    }
    assert list(display.ratios) == list(expected)
    for line, ratios in zip(display.ax_.lines, expected.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), range(6))
        np.testing.assert_allclose(line.get_ydata(), ratios, atol=1e-6)
    assert legend_of(display.ax_) == [
        f"{name}, sum {ratios.sum():.3f}" for name, ratios in expected.items()
    ]
    axes = display.ax_
    assert (axes.get_xlabel(), axes.get_ylabel()) == (
        "component",
        "explained variance ratio",
    )


@pytest.mark.parametrize("kind", [AutoencoderTransformer, VariationalAutoencoder])
def test_cumulative_ratios_end_at_the_score_of_the_training_rows(digits, kind):
    autoencoder = kind(4, **QUICK).fit(digits)
    display = ExplainedVarianceDisplay.from_estimator(
        autoencoder, digits, cumulative=True
    )
    line, reference = display.ax_.lines
    np.testing.assert_array_equal(line.get_xdata(), range(1, 5))
    assert line.get_ydata()[-1] == pytest.approx(autoencoder.score(digits), abs=1e-4)
    pca = PCA(4).fit(digits)
    np.testing.assert_allclose(
        reference.get_ydata(), np.cumsum(pca.explained_variance_ratio_), atol=1e-6
    )
    assert legend_of(display.ax_) == [kind.__name__, REFERENCE]
    assert display.ax_.get_xlabel() == "number of components"


def test_curves_coincide_if_the_initial_weights_were_kept():
    X = np.random.default_rng(0).normal(size=(80, 10)) * np.arange(10, 0, -1)
    autoencoder = AutoencoderTransformer(3, epochs=5, random_state=0).fit(X)
    assert autoencoder.best_epoch_ == 0
    display = ExplainedVarianceDisplay.from_estimator(autoencoder, X)
    np.testing.assert_allclose(*display.ratios.values(), atol=1e-6)


def test_pca_is_fitted_on_x_after_the_earlier_steps_of_a_pipeline(wine):
    pipeline = make_pipeline(StandardScaler(), PCA(4)).fit(wine)
    search = GridSearchCV(pipeline, {"pca__n_components": [4]}, cv=2).fit(wine)
    for estimator in pipeline, search:
        display = ExplainedVarianceDisplay.from_estimator(estimator, wine)
        np.testing.assert_allclose(display.ratios["PCA"], display.ratios[REFERENCE])


def test_x_may_be_sparse_or_images(digits):
    sparse = csr_array(np.where(digits > 0.5, digits, 0))
    svd = TruncatedSVD(4).fit(sparse)
    images = digits.reshape(-1, 8, 8)
    autoencoder = AutoencoderTransformer(4, **QUICK).fit(images)
    for estimator, X, flat in (svd, sparse, sparse), (autoencoder, images, digits):
        display = ExplainedVarianceDisplay.from_estimator(estimator, X)
        expected = PCA(4).fit(flat.toarray() if flat is sparse else flat)
        np.testing.assert_allclose(
            display.ratios[REFERENCE], expected.explained_variance_ratio_, rtol=1e-3
        )


def test_reference_has_at_most_as_many_components_as_features(wine):
    autoencoder = AutoencoderTransformer(15, **QUICK).fit(wine)
    ratios = ExplainedVarianceDisplay.from_estimator(autoencoder, wine).ratios
    assert [len(curve) for curve in ratios.values()] == [15, 13]
    frame = ExplainedVarianceDisplay(ratios=ratios).frame()
    assert frame.groupby("name", sort=False).size().tolist() == [15, 13]
    assert frame["component"].tolist() == [*range(15), *range(13)]
    last = frame.groupby("name", sort=False)["cumulative_ratio"].last()
    np.testing.assert_allclose(last, [np.sum(curve) for curve in ratios.values()])


CURVES = {
    "steep": np.geomspace(0.5, 1e-3, 12),
    "flat": np.full(32, 1 / 32),
    "increasing": np.linspace(0.01, 0.2, 8),
    "negative": np.array([0.4, -0.1, 0.3]),
    "zero": np.zeros(3),
    "one": np.array([0.8]),
    "two": np.array([0.5, 0.5]),
}


@pytest.mark.parametrize("cumulative", [False, True])
@pytest.mark.parametrize("figsize", [(6, 4), (3, 2), (4, 8)])
@pytest.mark.parametrize("shape", CURVES)
def test_legend_does_not_cover_curves_and_ticks_are_integers(
    shape, figsize, cumulative
):
    ratios = {"VariationalAutoencoder": CURVES[shape], REFERENCE: CURVES[shape]}
    ax = plt.subplots(figsize=figsize, layout="constrained")[1]
    display = ExplainedVarianceDisplay(ratios=ratios)
    drawn(display.plot(ax, cumulative=cumulative))
    legend = ax.get_legend().get_window_extent()
    for line in ax.lines:
        assert (
            not line.get_transform()
            .transform_path(line.get_path())
            .intersects_bbox(legend, filled=False)
        )
        points = ax.transData.transform(line.get_xydata())
        assert ((points >= ax.bbox.min - 1) & (points <= ax.bbox.max + 1)).all()
    figure = display.figure_.bbox
    for label in ax.xaxis.label, ax.yaxis.label:
        box = label.get_window_extent()
        assert box.x0 >= figure.x0
        assert box.y0 >= figure.y0
        assert box.y1 <= figure.y1
    assert not overlap(ax.get_xticklabels())
    ticks = [tick.get_text() for tick in ax.get_xticklabels() if tick.get_visible()]
    assert not any("." in text for text in ticks)
    assert max(ax.get_yticks()) <= 1


def test_curves_differ_without_colour_and_if_they_coincide():
    ratios = {"a": [0.5, 0.3], "b": [0.5, 0.3]}
    first, second = ExplainedVarianceDisplay(ratios=ratios).plot().ax_.lines
    assert first.get_linestyle() != second.get_linestyle()
    assert first.get_marker() != second.get_marker()
    assert abs(in_grey(first.get_color()) - in_grey(second.get_color())) > 40


def test_line_kwargs_restyle_the_curves(pca, digits):
    display = ExplainedVarianceDisplay.from_estimator(
        pca, digits, line_kwargs={"lw": 3, "mfc": "red"}
    )
    for line in display.ax_.lines:
        assert (line.get_linewidth(), line.get_markerfacecolor()) == (3, "red")


def test_estimators_without_ratios_are_refused(digits):
    with pytest.raises(TypeError, match="NMF has no explained_variance_ratio_"):
        ExplainedVarianceDisplay.from_estimator(
            NMF(2, random_state=0).fit(digits), digits
        )
    assert not plt.get_fignums()


def test_x_with_other_features_than_those_of_fit_is_refused(pca, digits):
    with pytest.raises(ValueError, match="X has 63 features, but PCA was fitted on 64"):
        ExplainedVarianceDisplay.from_estimator(pca, digits[:, 1:])


def test_ratios_must_not_be_empty():
    with pytest.raises(ValueError, match="ratios is empty"):
        ExplainedVarianceDisplay(ratios={}).plot()
