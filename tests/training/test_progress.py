"""What is shown of the progress of training, and callbacks of scikit-learn."""

import collections
import contextlib
import io
import re
import sys
import time

import numpy as np
import pandas
import pytest
import scipy.sparse as sp
from helpers import make_autoencoder, run_in_threads, terminal_output
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import AutoencoderTransformer, compare_reducers

IRIS = load_iris().data

# Training stops after about a hundred epochs.
STOPS_EARLY = {"epochs": 400, "n_iter_no_change": 60, "random_state": 0}


def fit_in_terminal(estimator, X, **settings):
    with terminal_output(**settings) as text:
        estimator.fit(X)
    return text()


def frames(text):
    """The rows of progress bars in the order in which they were drawn."""
    return [row.strip() for row in re.split(r"[\r\n]+", text) if "%" in row]


def test_verbose_1_shows_a_bar_with_losses_and_time(digits):
    estimator = AutoencoderTransformer(8, verbose=1, epochs=25, random_state=0)
    text = fit_in_terminal(estimator, digits, columns=80)
    first, *_, last = frames(text)
    assert re.fullmatch(r"Epoch  0/25 ━+   0%", first)
    loss, val_loss = (estimator.history_[name][-1] for name in ("loss", "val_loss"))
    losses = rf"loss {loss:.4g}  val_loss {val_loss:.4g}"
    assert any(
        re.fullmatch(rf"Epoch 25/25 ━+ 100% {losses}  in \d\d:\d\d", row)
        for row in frames(text)
    )
    assert re.fullmatch(r"All rows, epoch 25/25 ━+ 100% loss .*  in \d\d:\d\d", last)
    assert text.splitlines()[-1] == "Kept epoch 25: it has the lowest validation loss."


def test_verbose_1_shows_the_time_left(digits):
    estimator = make_autoencoder(verbose=1, epochs=8).set_callbacks(Sleeps(0.06))
    text = fit_in_terminal(estimator, digits)
    assert re.search(r"Epoch [2-7]/8 ━+ +\d\d% loss .*  00:00 left", text)


class Quiet:
    """A scikit-learn callback that does nothing."""

    def setup(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context): ...

    def teardown(self, estimator, context): ...


class Sleeps(Quiet):
    """Gives a bar time to be drawn."""

    def __init__(self, seconds):
        self.seconds = seconds

    def on_fit_task_end(self, estimator, context):
        time.sleep(self.seconds)


def test_verbose_1_bar_ends_at_100_percent_when_training_stops_early():
    estimator = AutoencoderTransformer(verbose=1, **STOPS_EARLY)
    text = fit_in_terminal(estimator, IRIS)
    n = estimator.n_iter_
    assert n < 400
    assert f"Epoch {n:3d}/400 {16 * '━'} 100% loss" in text
    last = text.splitlines()[-1]
    assert last.startswith(f"Stopped after epoch {n} by early stopping. Kept epoch ")


@pytest.mark.parametrize("epochs", [3, 25, 200])
def test_verbose_1_prints_a_few_lines_where_there_is_no_terminal(digits, epochs):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        make_autoencoder(verbose=1, epochs=epochs).fit(digits, X_val=digits)
    *lines, _ = out.getvalue().splitlines()
    assert 3 <= len(lines) <= 11
    assert lines[-1].startswith(f"Epoch {epochs}/{epochs}  loss 0.0")
    assert "\x1b" not in out.getvalue()


def test_verbose_prints_the_training_on_all_rows(digits):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        AutoencoderTransformer(8, verbose=10, epochs=20, random_state=0).fit(digits)
    lines = [line.split("  ")[0] for line in out.getvalue().splitlines()[:-1]]
    assert lines == [
        "Epoch 10/20",
        "Epoch 20/20",
        "All rows, epoch 10/20",
        "All rows, epoch 20/20",
    ]


def test_verbose_1_bars_of_threads_are_shown_together(digits):
    def fit(seed):
        return make_autoencoder(verbose=1, epochs=40, random_state=seed).fit(digits)

    with terminal_output() as text:
        estimators = run_in_threads(fit, [0, 1])
    for estimator in estimators:
        loss = estimator.history_["val_loss"][-1]
        assert f"100% loss {estimator.history_['loss'][-1]:.4g}" in text()
        assert f"val_loss {loss:.4g}" in text()
    assert text().splitlines()[-1].startswith("Kept ")


def test_verbose_1_restores_standard_output_when_a_fit_fails(small, digits):
    small.set_params(verbose=1, optimizer="sgd", learning_rate=1e9)
    with terminal_output() as text:
        stdout = sys.stdout
        with pytest.raises(ValueError, match="diverged"):
            small.fit(digits)
        assert sys.stdout is stdout
        make_autoencoder(verbose=1).fit(digits)
    assert "Epoch 3/3" in text()


def test_verbose_1_of_compare_reducers_shows_a_bar_below_the_lines(digits, small):
    reducers = {"PCA": PCA(2), "autoencoder": small.set_params(verbose=1)}
    with terminal_output() as text:
        compare_reducers(reducers, digits, cv=2, verbose=1)
    assert re.search(r"\[2/4\] autoencoder, split 0: mse .*fit \d", text())
    assert re.fullmatch(
        r"compare_reducers ━+ 100% 4/4 fits  in 00:\d\d", text().splitlines()[-1]
    )


def percentages(text, name):
    """What the bars with this name have shown, in ascending order, without repeats."""
    rows = [row for row in frames(text) if row.startswith(name)]
    return sorted({int(re.search(r"(\d+)%", row)[1]) for row in rows})


def test_set_callbacks_progress_bar_moves_by_epoch_and_ends_at_100_percent():
    estimator = AutoencoderTransformer(**STOPS_EARLY)
    text = fit_in_terminal(estimator.set_callbacks(ProgressBar(), Sleeps(0.01)), IRIS)
    assert estimator.n_iter_ < 400
    shown = percentages(text, "AutoencoderTransformer - fit")
    assert shown[-1] == 100
    assert shown[-2] <= 100 * estimator.n_iter_ / 400
    assert len(shown) > 2


class CountsTasks(Quiet):
    """Counts the tasks of each name, and asks to stop after each of them."""

    def __init__(self):
        self.names, self.ids = collections.Counter(), []

    def on_fit_task_end(self, estimator, context):
        self.names[context.task_name] += 1
        self.ids.append(context.task_id)
        return context.task_name == "epoch on all rows"


def test_set_callbacks_progress_bar_moves_in_the_training_on_all_rows(digits):
    counter = CountsTasks()
    estimator = AutoencoderTransformer(8, epochs=40, random_state=0)
    estimator.set_callbacks(ProgressBar(), counter, Sleeps(0.01))
    text = fit_in_terminal(estimator, digits)
    n, best = estimator.n_iter_, estimator.best_epoch_
    assert counter.names == {"epoch": n, "epoch on all rows": best, "fit": 1}
    assert counter.ids == [*range(n + best), 0]
    shown = percentages(text, "AutoencoderTransformer - fit")
    assert shown[-1] == 100
    assert len([percent for percent in shown if 50 < percent < 100]) > 2
    plain = AutoencoderTransformer(8, epochs=40, random_state=0).fit(digits)
    np.testing.assert_array_equal(estimator.transform(digits), plain.transform(digits))


@pytest.mark.filterwarnings("ignore:.*MinMaxScaler does not support callbacks")
def test_set_callbacks_progress_bar_of_a_pipeline_shows_the_autoencoder():
    pipeline = make_pipeline(MinMaxScaler(), AutoencoderTransformer(**STOPS_EARLY))
    pipeline.set_callbacks(ProgressBar())
    text = fit_in_terminal(pipeline, IRIS, columns=200)
    name = "Pipeline - fit-final-estimator | AutoencoderTransformer - fit"
    assert percentages(text, name)[-1] == 100
    assert percentages(text, "Pipeline - fit ")[-1] == 100


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_set_callbacks_progress_bar_of_a_search_shows_each_fit(n_jobs):
    search = GridSearchCV(
        AutoencoderTransformer(**STOPS_EARLY),
        {"n_components": [1, 2]},
        cv=2,
        n_jobs=n_jobs,
    )
    search.set_callbacks(ProgressBar())
    text = fit_in_terminal(search, IRIS, columns=200)
    last = [row for row in frames(text) if "AutoencoderTransformer - fit" in row][-5:]
    assert all("100%" in row for row in last)
    assert sum("candidate-split-evaluation" in row for row in last) == 4


@pytest.mark.parametrize(
    "container", [np.asarray, sp.csr_array, lambda X: X.reshape(-1, 8, 8)]
)
def test_set_callbacks_scoring_monitor_logs_the_score_of_each_epoch(
    small, digits, container
):
    monitor, X = ScoringMonitor(scoring=None), container(digits)
    small.set_params(early_stopping=False).set_callbacks(monitor).fit(X)
    log = monitor.get_logs().data
    assert [row["task_name"] for row in log] == ["fit", *3 * ["epoch"]]
    whole, *epochs = [row["score"] for row in log]
    assert whole == pytest.approx(small.score(X))
    assert epochs == sorted(epochs)
    assert epochs[-1] == pytest.approx(whole)


def test_set_callbacks_scoring_monitor_logs_each_fit_of_a_search(small, digits):
    monitor = ScoringMonitor(scoring=None)
    grid = {"n_components": [1, 2]}
    GridSearchCV(small.set_callbacks(monitor), grid, cv=2).fit(digits)
    scores = [row["score"] for row in monitor.get_logs().data]
    assert len(scores) == (2 * 2 + 1) * (3 + 1)
    assert np.isfinite(scores).all()


class KeepsFittedEstimators(Quiet):
    def __init__(self):
        self.estimators = []

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.estimators.append(fitted_estimator)


def test_set_callbacks_are_given_estimators_without_attributes_of_an_earlier_fit(
    small, digits
):
    callback = KeepsFittedEstimators()
    small.set_params(epochs=2).fit(pandas.DataFrame(digits).add_prefix("p"))
    small.set_callbacks(callback).fit(IRIS)
    *epochs, whole = callback.estimators
    assert len(epochs) == 2
    for estimator in epochs:
        assert estimator.transform(IRIS).shape == (150, 3)
        assert not hasattr(estimator, "components_")
        assert not hasattr(estimator, "feature_names_in_")
        assert estimator.get_params() == small.get_params()
    np.testing.assert_array_equal(whole.components_, small.components_)
