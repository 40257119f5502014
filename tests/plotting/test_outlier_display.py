"""OutlierDisplay."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from drawing import drawn, legend_of, texts
from sklearn.cluster import KMeans
from sklearn.datasets import load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderOutlierDetector
from skautoenc.plotting import OutlierDisplay


@pytest.fixture(scope="module")
def wine():
    """A frame with names of rows, in which one value of bottle 7 is wrong."""
    X = load_wine(as_frame=True).data.add_prefix("of ")
    X.index = [f"bottle {i}" for i in range(len(X))]
    X.iloc[7, 3] = 150
    return X


@pytest.fixture(scope="module")
def pipeline(wine):
    detector = AutoencoderOutlierDetector(PCA(3), contamination=0.1, random_state=0)
    return make_pipeline(StandardScaler(), detector).fit(wine)


@pytest.fixture(scope="module")
def detector(digits):
    return AutoencoderOutlierDetector(PCA(8), random_state=0).fit(digits)


def titles(display):
    return texts([panel.title for panel in display.axes_.flat])


def test_from_estimator_of_a_pipeline_names_rows_and_features(pipeline, wine):
    display = drawn(OutlierDisplay.from_estimator(pipeline, wine))
    assert display.axes_.shape == (3,)
    assert titles(display)[0].startswith("row bottle 7: score -")
    labels = texts(display.axes_[0].get_yticklabels())
    assert labels[0] == "of alcalinity_of_ash"[: len(labels[0])] or "…" in labels[0]
    assert display.feature_names[3] == "of alcalinity_of_ash"
    assert legend_of(display.score_ax_)[0] == "threshold: 18 of 178 rows below"
    bars = [bar.get_width() for bar in display.axes_[0].patches]
    assert bars == sorted(bars, reverse=True)
    assert len(bars) == 8


def test_frame_has_the_shares_of_the_drawn_rows_in_descending_order(pipeline, wine):
    display = OutlierDisplay.from_estimator(pipeline, wine, rows=["bottle 7"])
    frame = display.frame()
    assert frame.shape == (13, 4)
    assert frame.loc[0, ["row", "feature"]].tolist() == [
        "bottle 7",
        "of alcalinity_of_ash",
    ]
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["share"].is_monotonic_decreasing
    assert frame["score"].unique() == pipeline.score_samples(wine)[7]


def test_rows_are_labels_of_the_index_or_positions(pipeline, wine):
    display = OutlierDisplay.from_estimator(
        pipeline, wine, rows=["bottle 100", "bottle 7"]
    )
    assert display.rows == [100, 7]
    with pytest.warns(UserWarning, match="feature names"):
        display = OutlierDisplay.from_estimator(
            pipeline, wine.to_numpy(), rows=[100, 7]
        )
    assert titles(display)[0].startswith("row 100: score")


@pytest.mark.parametrize("rows", [["bottle 900"], [7]])
def test_rows_that_are_not_in_the_index_are_refused(pipeline, wine, rows):
    with pytest.raises(ValueError, match="rows must be labels that the index of X"):
        OutlierDisplay.from_estimator(pipeline, wine, rows=rows)


@pytest.mark.parametrize("rows", [[300], [-1], [0.5], ["first"]])
def test_rows_that_are_not_positions_are_refused(detector, digits, rows):
    with pytest.raises(ValueError, match="rows must be integers from 0 to 299"):
        OutlierDisplay.from_estimator(detector, digits, rows=rows)


def test_rows_with_repeated_labels_are_refused(pipeline, wine):
    repeated = pd.concat([wine, wine.iloc[:10]])
    with pytest.raises(ValueError, match="labels that the index of X has once"):
        OutlierDisplay.from_estimator(pipeline, repeated, rows=["bottle 7"])


def test_image_shape_draws_images_above_their_shares(detector, digits):
    display = drawn(
        OutlierDisplay.from_estimator(detector, digits, n_rows=12, image_shape=(8, 8))
    )
    assert display.axes_.shape == (2, 12)
    scores = detector.score_samples(digits)
    lowest = np.argsort(scores)[0]
    image, share = (panel.images[0].get_array() for panel in display.axes_[:, 0])
    np.testing.assert_allclose(image, digits[lowest].reshape(8, 8))
    assert share.sum() == pytest.approx(1)
    assert f"row {lowest}" in titles(display)[0]


def test_shares_of_images_with_colours_are_summed_over_the_channels(digits):
    X = np.repeat(digits, 3, axis=1)
    detector = AutoencoderOutlierDetector(PCA(8), random_state=0).fit(X)
    display = drawn(
        OutlierDisplay.from_estimator(detector, X, n_rows=2, image_shape=(8, 8, 3))
    )
    assert display.axes_[0, 0].images[0].get_array().shape == (8, 8, 3)
    assert display.axes_[1, 0].images[0].get_array().shape == (8, 8)


def test_kind_bar_draws_bars_of_pixels(detector, digits):
    arguments = {"image_shape": (8, 8), "kind": "bar", "n_features": 5}
    display = drawn(OutlierDisplay.from_estimator(detector, digits, **arguments))
    assert [len(panel.patches) for panel in display.axes_] == [5, 5, 5]


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"kind": "pie"}, "kind must be one of"),
        ({"kind": "image"}, "kind='image' needs image_shape"),
        ({"image_shape": (8, 9)}, "image_shape=\\(8, 9\\) does not fit"),
        ({"feature_names": ["a"]}, "feature_names has 1 names"),
        ({"n_rows": -1}, "n_rows"),
        ({"n_features": 0}, "n_features"),
    ],
)
def test_invalid_arguments_are_refused_before_a_figure_is_made(
    detector, digits, arguments, match
):
    with pytest.raises(ValueError, match=match):
        OutlierDisplay.from_estimator(detector, digits, **arguments)
    assert not plt.get_fignums()


def test_n_rows_0_draws_the_scores_only(detector, digits):
    display = drawn(OutlierDisplay.from_estimator(detector, digits, n_rows=0))
    assert display.ax_ is display.score_ax_
    assert display.axes_.shape == (0,)
    assert list(display.frame()) == ["row", "score"]


def test_from_estimator_of_another_detector_draws_its_scores(digits):
    forest = IsolationForest(random_state=0).fit(digits)
    display = drawn(OutlierDisplay.from_estimator(forest, digits))
    assert len(display.rows) == 0
    assert display.threshold == forest.offset_
    np.testing.assert_array_equal(display.scores, forest.score_samples(digits))
    with pytest.raises(TypeError, match="IsolationForest has no feature_contributions"):
        OutlierDisplay.from_estimator(forest, digits, rows=[0])


def test_from_estimator_refuses_an_estimator_without_scores(digits):
    with pytest.raises(TypeError, match="KMeans has no score_samples"):
        OutlierDisplay.from_estimator(KMeans(2, random_state=0).fit(digits), digits)


def test_without_threshold_only_the_rows_are_in_the_legend():
    display = OutlierDisplay(
        scores=np.arange(5.0), rows=[0, 3], contributions=np.full((2, 4), 0.25)
    )
    drawn(display.plot())
    assert legend_of(display.score_ax_) == ["rows drawn"]
    assert texts(display.axes_[1].get_yticklabels()) == ["x0", "x1", "x2", "x3"]
