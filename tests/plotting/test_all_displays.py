"""Tests of all displays, including future ones that are added to `__all__`."""

import os
import re
import subprocess
import sys
from inspect import Parameter, cleandoc, getmembers, ismethod, signature

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from drawing import QUICK
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderOutlierDetector, VariationalAutoencoder, plotting

DISPLAYS = [getattr(plotting, name) for name in plotting.__all__]

# Arguments of `from_estimator` other than the data, if a display has them.
ARGUMENTS = {
    "reducers": {"PCA": PCA()},
    "imputers": {"mean": SimpleImputer(keep_empty_features=True)},
    "n_components": [2, 3],
    "cv": 2,
    "image_shape": (8, 8),
}

# Arguments without which a display does not use the keywords.
USED_WITH = {
    ("LoadingsDisplay", "bar_kwargs"): {"kind": "bar", "image_shape": None},
    ("LoadingsDisplay", "line_kwargs"): {"kind": "signal", "image_shape": None},
    ("ReconstructionDisplay", "code_kwargs"): {"show_codes": True},
    ("ReconstructionDisplay", "line_kwargs"): {"kind": "signal", "image_shape": None},
}

# Columns of `frame` for the arguments above.
PIXELS = [f"x{i}" for i in range(64)]
COLUMNS = {
    "CodeDisplay": "component_0 component_1 component_2".split(),
    "ComparisonDisplay": (
        "reducer split n_components fit_time transform_time test_mse "
        "test_explained_variance"
    ).split(),
    "ExplainedVarianceDisplay": (
        "name component explained_variance_ratio cumulative_ratio"
    ).split(),
    "ImageGridDisplay": ["row", "column", *PIXELS],
    "ImputerComparisonDisplay": (
        "imputer split fit_time transform_time train_error test_error"
    ).split(),
    "LoadingsDisplay": ["component", "feature", "loading"],
    "LossCurveDisplay": (
        "epoch loss reconstruction_loss kl_loss val_loss val_reconstruction_loss "
        "val_kl_loss"
    ).split(),
    "OutlierDisplay": ["row", "score", "feature", "share"],
    "ReconstructionDisplay": (
        "row feature original reconstruction squared_error relative_squared_error"
    ).split(),
}


def constructors(display_class):
    return {
        name: method
        for name, method in getmembers(display_class, ismethod)
        if name.startswith("from_")
    }


def keywords(function):
    parameters = signature(function).parameters.values()
    return {p.name for p in parameters if p.kind is Parameter.KEYWORD_ONLY}


PLOT_KWARGS = [
    (display_class, name)
    for display_class in DISPLAYS
    for name in sorted(keywords(display_class.plot))
    if name.endswith("_kwargs")
]

all_displays = pytest.mark.parametrize(
    "display_class", DISPLAYS, ids=lambda display_class: display_class.__name__
)


@pytest.fixture(scope="module")
def vae(digits):
    params = {"init": "random", "early_stopping": True}  # an epoch is kept, not PCA
    return VariationalAutoencoder(3, **QUICK, **params).fit(digits)


@pytest.fixture(scope="module")
def detector(digits):
    return AutoencoderOutlierDetector(PCA(3), random_state=0).fit(digits)


@pytest.fixture(scope="module")
def from_estimator(digits, vae, detector):
    """Call `from_estimator` of any display with the arguments that it has."""

    def draw(display_class, **given):
        known = signature(display_class.from_estimator).parameters
        estimator = detector if display_class is plotting.OutlierDisplay else vae
        arguments = {"estimator": estimator, "X": digits, **ARGUMENTS, **given}
        return display_class.from_estimator(
            **{name: value for name, value in arguments.items() if name in known}
        )

    return draw


@all_displays
def test_from_estimator_draws_in_a_new_figure_that_stays_open(
    from_estimator, display_class
):
    display = from_estimator(display_class)
    assert type(display) is display_class
    assert display.ax_ in display.figure_.axes
    assert plt.get_fignums() == [display.figure_.number]
    # A figure that is shown, or a layout without space, is a warning, hence an error.
    display.figure_.canvas.draw()


@all_displays
def test_plot_with_ax_draws_in_it_and_returns_self(from_estimator, display_class):
    display = from_estimator(display_class)
    first = display.figure_
    data = {name: getattr(display, name) for name in keywords(display_class.__init__)}
    figure, (ax, other) = plt.subplots(1, 2, layout="constrained", figsize=(12, 5))
    assert display.plot(ax=ax) is display
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert not other.has_data()
    assert plt.get_fignums() == [first.number, figure.number]
    figure.canvas.draw()
    for name, value in data.items():
        assert getattr(display, name) is value


@all_displays
def test_plot_refuses_an_array_of_axes(from_estimator, display_class):
    display = from_estimator(display_class)
    _, axes = plt.subplots(1, 2)
    with pytest.raises(TypeError, match="ax must be one matplotlib Axes"):
        display.plot(ax=axes)


@all_displays
def test_frame_is_a_data_frame_of_the_drawn_data(from_estimator, display_class):
    frame = from_estimator(display_class).frame()
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) > 0
    if display_class.__name__ in COLUMNS:
        assert list(frame) == COLUMNS[display_class.__name__]


def test_frame_without_pandas_raises_an_error_with_the_remedy():
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


@pytest.mark.parametrize("in_pipeline", [False, True])
@pytest.mark.parametrize(
    "display_class",
    # Displays of reducers fit clones of them.
    [d for d in DISPLAYS if "estimator" in signature(d.from_estimator).parameters],
)
def test_from_estimator_refuses_an_estimator_that_is_not_fitted(
    from_estimator, vae, display_class, in_pipeline
):
    estimator = clone(vae)
    if in_pipeline:
        estimator = make_pipeline(StandardScaler(), estimator)
    with pytest.raises(NotFittedError):
        from_estimator(display_class, estimator=estimator)
    assert not plt.get_fignums()


@pytest.mark.parametrize(("display_class", "name"), PLOT_KWARGS)
def test_plot_kwargs_must_be_a_dict(from_estimator, display_class, name):
    used_with = USED_WITH.get((display_class.__name__, name), {})
    assert from_estimator(display_class, **used_with, **{name: {"alpha": 0.5}})
    with pytest.raises(TypeError, match=f"{name} must be a dict"):
        from_estimator(display_class, **used_with, **{name: ["red"]})


def parameter_docs(function):
    """Description of each documented parameter."""
    section = cleandoc(function.__doc__).split("Parameters\n----------\n")[1]
    section = re.split(r"\n\n\w[\w ]*\n-+\n", section)[0]
    entries = re.split(r"^(\w[\w, ]*) : ", section, flags=re.MULTILINE)[1:]
    return dict(zip(entries[::2], map(str.strip, entries[1::2]), strict=True))


@all_displays
def test_plot_parameters_are_documented_alike_in_all_constructors(display_class):
    docs = parameter_docs(display_class.plot)
    for name, constructor in constructors(display_class).items():
        assert keywords(display_class.plot) <= keywords(constructor), name
        in_constructor = parameter_docs(constructor)
        for parameter, description in docs.items():
            assert in_constructor[parameter] == description, (name, parameter)


@all_displays
def test_public_methods_are_annotated(display_class):
    methods = [display_class.__init__, display_class.plot, display_class.frame]
    for method in [*methods, *constructors(display_class).values()]:
        parameters = signature(method).parameters
        annotated = {*parameters} - {"self"} | {"return"}
        function = getattr(method, "__func__", method)
        assert annotated == {*function.__annotations__}, method


def test_importing_plotting_imports_neither_matplotlib_nor_tensorflow():
    code = (
        "import sys, skautoenc.plotting\n"
        "assert not {'matplotlib', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
