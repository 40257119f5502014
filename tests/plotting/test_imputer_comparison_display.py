"""ImputerComparisonDisplay."""

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.impute import KNNImputer, SimpleImputer

from skautoenc.plotting import ImputerComparisonDisplay


@pytest.fixture(scope="module")
def display():
    wine = load_wine()
    X = np.column_stack([wine.data, wine.target])
    imputers = {"mean": SimpleImputer(), "neighbours": KNNImputer()}
    return ImputerComparisonDisplay.from_estimator(
        imputers, X, categorical_features=[13], cv=3, random_state=0
    )


@pytest.mark.parametrize(
    ("measure", "keys"),
    [
        ("error", ("train_error", "test_error")),
        ("accuracy", ("train_accuracy", "test_accuracy")),
        ("time", ("fit_time", "transform_time")),
    ],
)
def test_plot_draws_the_means_of_a_measure(display, measure, keys):
    ax = display.plot(measure=measure).ax_
    for key, container in zip(keys, ax.containers, strict=True):
        means = display.results[key].reshape(2, 3).mean(axis=1)
        np.testing.assert_allclose(container.lines[0].get_xdata(orig=False), means)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "mean",
        "neighbours",
    ]


def test_plot_refuses_an_unknown_measure_and_one_without_results(display):
    with pytest.raises(ValueError, match="measure must be one of"):
        display.plot(measure="loss")
    results = {k: v for k, v in display.results.items() if "accuracy" not in k}
    with pytest.raises(ValueError, match="An accuracy needs categorical_features"):
        ImputerComparisonDisplay(results=results).plot(measure="accuracy")
