"""All displays: where they draw, and what they have in common."""

import os
import subprocess
import sys

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import compare_reducers, plotting
from skautoenc.plotting import (
    CodeDisplay,
    ComparisonDisplay,
    ImageGridDisplay,
    LossCurveDisplay,
    ReconstructionDisplay,
)


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


@pytest.fixture(scope="module")
def displays(digits, labels, fitted, pca):
    """One of each kind, with the columns of its frame."""
    pixels = " ".join(f"x{i}" for i in range(64))
    results = compare_reducers({"PCA": PCA(2)}, digits, cv=2)
    return [
        (
            ReconstructionDisplay.from_estimator(pca, digits),
            "row feature original reconstruction squared_error relative_squared_error",
        ),
        (
            CodeDisplay.from_codes(digits[:, 2:4], labels),
            "component_0 component_1 y",
        ),
        (
            ImageGridDisplay.from_images(digits, image_shape=(8, 8), n_rows=2),
            f"row column {pixels}",
        ),
        (LossCurveDisplay.from_estimator(fitted), "epoch loss val_loss"),
        (ComparisonDisplay.from_results(results), " ".join(results)),
    ]


def test_every_display_gives_its_data_as_a_frame(displays):
    assert {type(display).__name__ for display, _ in displays} == set(plotting.__all__)
    for display, columns in displays:
        frame = display.frame()
        assert isinstance(frame, pd.DataFrame)
        assert list(frame) == columns.split()
        assert len(frame) > 0


def test_a_frame_without_pandas_is_an_error_that_says_so():
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "from skautoenc.plotting import LossCurveDisplay\n"
        "display = LossCurveDisplay(history={'loss': [1.0]}).plot()\n"
        "try:\n    display.frame()\n"
        "except ImportError as error:\n    print(error)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "Agg"},
    ).stdout
    assert "pandas is not installed" in shown


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (lambda X, **style: CodeDisplay.from_codes(X[:, 2:4], **style), "scatter"),
        (lambda X, **style: CodeDisplay.from_codes(X[:, 2:3], **style), "hist"),
        (
            lambda X, **style: ImageGridDisplay.from_images(
                X, image_shape=(8, 8), **style
            ),
            "image",
        ),
        (
            lambda X, **style: LossCurveDisplay(history={"loss": [1.0]}).plot(**style),
            "line",
        ),
        (
            lambda X, **style: LossCurveDisplay(history={"loss": [1.0]}).plot(**style),
            "best_epoch",
        ),
    ],
)
def test_keywords_of_artists_must_be_a_dict(digits, draw, name):
    assert draw(digits, **{f"{name}_kwargs": {"alpha": 0.5}})
    with pytest.raises(TypeError, match=f"{name}_kwargs must be a dict"):
        draw(digits, **{f"{name}_kwargs": ["red"]})
