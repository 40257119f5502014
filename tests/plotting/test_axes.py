"""Tests of the parameter ax of displays with one and with several panels."""

import matplotlib.pyplot as plt
import pytest

from skautoenc.plotting import CodeDisplay, LoadingsDisplay, ReconstructionDisplay


@pytest.mark.parametrize(
    ("draw", "has_panels"),
    [
        (lambda X, pca, ax: ReconstructionDisplay.from_estimator(pca, X, ax=ax), True),
        (
            lambda X, pca, ax: ReconstructionDisplay.from_estimator(
                pca, X, image_shape=(8, 8), ax=ax
            ),
            True,
        ),
        (
            lambda X, pca, ax: ReconstructionDisplay.from_estimator(
                pca, X, kind="table", ax=ax
            ),
            False,
        ),
        (
            lambda X, pca, ax: LoadingsDisplay.from_estimator(pca, kind="bar", ax=ax),
            True,
        ),
        (
            lambda X, pca, ax: LoadingsDisplay.from_estimator(
                pca, image_shape=(8, 8), ax=ax
            ),
            True,
        ),
        (lambda X, pca, ax: CodeDisplay.from_codes(X[:, 2:4], ax=ax), False),
        (lambda X, pca, ax: CodeDisplay.from_codes(X[:, 2:5], ax=ax), True),
        (lambda X, pca, ax: CodeDisplay.from_codes(X[:, 2:3], ax=ax), False),
    ],
)
def test_ax_contains_the_drawing_or_its_panels(digits, pca, draw, has_panels):
    figure, axes = plt.subplots(1, 2, layout="constrained", figsize=(8, 4))
    display = draw(digits, pca, axes[1])
    assert display.ax_ is axes[1]
    assert display.ax_.axison is not has_panels
    if has_panels:
        panels = [panel for panel in display.axes_.flat if panel is not None]
        assert panels
        for panel in panels:
            outer = panel.get_subplotspec().get_topmost_subplotspec()
            assert outer == axes[1].get_subplotspec()
    figure.canvas.draw()
    assert plt.get_fignums() == [figure.number]


def test_ax_may_be_in_a_subfigure(digits, pca):
    left, right = plt.figure(layout="constrained").subfigures(1, 2)
    for half in left, right:
        half.suptitle("PCA")
        ReconstructionDisplay.from_estimator(
            pca, digits, n_rows=2, image_shape=(8, 8), ax=half.subplots()
        )
    left.figure.canvas.draw()
    assert len(left.axes) == len(right.axes) == 1 + 2 * 2


def test_ax_with_panels_is_refused_for_a_second_display(digits):
    ax = CodeDisplay.from_codes(digits[:, 2:5]).ax_
    with pytest.raises(ValueError, match="Use different axes for each display"):
        CodeDisplay.from_codes(digits[:, 2:5], ax=ax)


def test_ax_outside_a_grid_is_refused_for_panels(digits):
    ax = plt.figure().add_axes([0, 0, 1, 1])
    with pytest.raises(ValueError, match="ax is not in a grid"):
        CodeDisplay.from_codes(digits[:, 2:5], ax=ax)
