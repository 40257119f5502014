"""Tests of ComparisonDisplay."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from drawing import QUICK, drawn, in_grey, legend_of, overlap, texts
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, KernelPCA, TruncatedSVD
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderTransformer, compare_reducers
from skautoenc.plotting import ComparisonDisplay


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
def test_measure_has_a_line_of_means_and_deviations_per_reducer(results, measure):
    ax = ComparisonDisplay.from_results(results, measure=measure).ax_
    for name, bars in zip(["PCA", "SVD"], ax.containers, strict=False):
        expected = values(results, name, measure)
        line, _, (deviations,) = bars.lines
        np.testing.assert_array_equal(line.get_xdata(), [2, 4, 8])
        np.testing.assert_allclose(line.get_ydata(), expected.mean(axis=1))
        low, high = np.transpose([s[:, 1] for s in deviations.get_segments()])
        np.testing.assert_allclose((high - low) / 2, expected.std(axis=1), atol=1e-12)


def test_from_results_draws_lines_that_differ_without_colour(results):
    ax = ComparisonDisplay.from_results(results, measure="test_score").ax_
    lines = [bars.lines[0] for bars in ax.containers]
    assert legend_of(ax) == ["PCA", "SVD", "kernel PCA"]
    assert len({line.get_marker() for line in lines}) == 3
    greys = [in_grey(line.get_color()) for line in lines]
    assert np.abs(np.diff(greys)).min() > 40


def test_from_results_labels_code_sizes_on_a_logarithmic_axis(results):
    display = drawn(ComparisonDisplay.from_results(results))
    assert display.ax_.get_xscale() == "log"
    assert texts(display.ax_.get_xticklabels()) == ["2", "4", "8"]
    assert display.ax_.get_xlabel() == "code size (n_components)"


def test_plot_labels_only_code_sizes_that_do_not_overlap():
    sizes = np.array([1, 2, 10, 20, 30, 31, 32, 100, 101, 1000])
    results = {"reducer": ["a"] * 10, "n_components": sizes, "test_mse": 1 / sizes}
    display = drawn(ComparisonDisplay(results=results).plot())
    labels = display.ax_.get_xticklabels()
    assert not overlap(labels)
    assert texts(labels) == ["1", "2", "10", "20", "32", "100", "1000"]


@pytest.mark.parametrize(
    ("measure", "factor", "expected"),
    [
        ("test_mse", 0.01, "log"),
        ("test_mse", 0.5, "linear"),
        ("test_mse", 1e-30, "linear"),
        ("fit_time", 100, "log"),
        ("test_score", 0.01, "linear"),
        ("test_explained_variance", 0.01, "linear"),
    ],
)
def test_scale_auto_depends_on_measure_and_range(measure, factor, expected):
    results = {"reducer": ["a", "a"], "n_components": [2, 4], measure: [1.0, factor]}
    display = ComparisonDisplay(results=results).plot(measure=measure)
    assert display.ax_.get_yscale() == expected


def test_measure_that_a_reducer_lacks_is_labelled_not_measured(results):
    ax = ComparisonDisplay.from_results(results).ax_
    assert legend_of(ax) == ["PCA", "SVD", "kernel PCA (not measured)"]


def test_from_results_compares_by_name_with_one_code_size_each(results):
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


def test_from_results_uses_the_median_code_size_of_the_splits(digits):
    found = compare_reducers({"PCA": PCA(0.8)}, digits, cv=ShuffleSplit(5, test_size=9))
    found["n_components"] = found["n_components"] + [0, 0, 0, 1, 2]
    ax = ComparisonDisplay.from_results(found).ax_
    size = np.median(found["n_components"])
    assert texts(ax.get_yticklabels()) == [f"PCA\nn_components={size:g}"]


def test_from_results_accepts_data_frames(results):
    frames = [pd.DataFrame(result) for result in results]
    for given in frames, results:
        ax = ComparisonDisplay.from_results(given, measure="test_score").ax_
        assert len(ax.containers) == 3


def test_plot_draws_another_measure_without_fitting_again(results):
    display = ComparisonDisplay.from_results(results)
    first = display.ax_
    again = display.plot(measure="test_score")
    assert again is display
    assert display.ax_ is not first
    assert display.ax_.get_ylabel() == "held-out score"


def test_from_estimator_fits_reducers_with_each_of_n_components(digits, labels):
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


def test_cv_gives_the_same_splits_to_all_code_sizes(digits):
    cv = ShuffleSplit(3, test_size=0.3)
    same = ComparisonDisplay.from_estimator(
        {"a": PCA(), "b": PCA()}, digits, n_components=[2, 4], cv=cv
    ).results
    a, b = same["test_mse"].reshape(2, 2, 3)
    np.testing.assert_array_equal(a, b)


def test_n_components_is_set_in_the_last_step_that_has_it(digits):
    pipeline = make_pipeline(PCA(6), make_pipeline(PCA(5)), StandardScaler())
    display = ComparisonDisplay.from_estimator(
        pipeline, digits, n_components=[2, 3], cv=2
    )
    assert display.results["n_components"].tolist() == [2, 2, 3, 3]


def test_reducers_that_are_one_estimator_are_named_by_its_class(digits):
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
def test_from_estimator_refuses_invalid_parameters_before_fitting(
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
def test_reducers_without_the_required_methods_are_refused(digits, reducers, message):
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
def test_from_results_refuses_incomplete_results(results, message):
    with pytest.raises(ValueError, match=message):
        ComparisonDisplay.from_results(results)
    assert not plt.get_fignums()


def test_reducers_that_are_a_class_are_refused():
    with pytest.raises(TypeError, match="is a class. Give an instance, such as PCA"):
        ComparisonDisplay.from_estimator(PCA, load_iris().data)


def test_frame_of_a_comparison_has_the_results(results):
    frame = ComparisonDisplay.from_results(results).frame()
    assert len(frame) == 3 * 3 * 3
    assert list(frame) == list(results[0])
    assert frame["reducer"].value_counts().to_dict() == dict.fromkeys(
        ["PCA", "SVD", "kernel PCA"], 9
    )


def test_errorbar_kwargs_restyles_lines_and_bars(results):
    for given in results, results[1]:
        display = ComparisonDisplay.from_results(
            given,
            measure="test_score",
            errorbar_kwargs={"lw": 3, "c": "red", "capsize": 1},
        )
        line, caps, _ = display.ax_.containers[0].lines
        assert (line.get_linewidth(), line.get_color()) == (3, "red")
        assert caps[0].get_markersize() == 2
