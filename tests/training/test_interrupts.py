"""Ctrl-C in a fit: the first ends training, the second the fit."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from helpers import make_autoencoder

from skautoenc import AutoencoderTransformer
from skautoenc._training import interrupts

SETTINGS = {"epochs": 50, "init": "random", "learning_rate": 0.01}
INTERRUPTED = "Training was interrupted by Ctrl-C after epoch"


@pytest.fixture(autouse=True)
def default_handler(monkeypatch):
    """Handle Ctrl-C as Python does, and forget that of the test before."""
    monkeypatch.setattr(interrupts, "_last_time", -np.inf)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, handler)


class Interrupts:
    """A scikit-learn callback that presses Ctrl-C before the epoch after the third."""

    def __init__(self, times=1):
        self.times = times

    def setup(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "epoch" and context.task_id == 3:
            for _ in range(self.times):
                signal.raise_signal(signal.SIGINT)

    def on_fit_task_end(self, estimator, context): ...

    def teardown(self, estimator, context): ...


def test_ctrl_c_ends_training_and_keeps_the_best_weights(digits, engine):
    estimator = make_autoencoder(**{**SETTINGS, **engine}, early_stopping=True)
    estimator.set_callbacks(Interrupts())
    with pytest.warns(UserWarning, match=f"{INTERRUPTED} 3 of 50"):
        estimator.fit(digits, X_val=digits[:70])
    losses = estimator.history_["val_loss"]
    assert estimator.n_iter_ == len(losses) == len(estimator.history_["loss"]) == 3
    assert estimator.best_epoch_ == 1 + np.argmin(losses)
    error = estimator.reconstruction_error(digits[:70]).mean()
    assert error == pytest.approx(min(losses), rel=1e-4)


def test_ctrl_c_in_an_epoch_keeps_the_weights_of_its_last_step(digits, engine):
    estimator = make_autoencoder(**{**SETTINGS, **engine}, early_stopping=False)
    estimator.set_callbacks(Interrupts())
    with pytest.warns(UserWarning, match=INTERRUPTED):
        estimator.fit(digits)
    assert estimator.n_iter_ == estimator.best_epoch_ == 3
    plain = make_autoencoder(**{**SETTINGS, **engine, "epochs": 3}).fit(digits)
    np.testing.assert_array_equal(estimator.transform(digits), plain.transform(digits))


def test_ctrl_c_twice_raises_and_leaves_the_estimator_as_it_was(digits, engine):
    estimator = make_autoencoder(**{**SETTINGS, **engine, "epochs": 5}).fit(digits)
    before = {name: x for name, x in vars(estimator).items() if name != "epochs"}
    estimator.set_params(epochs=50).set_callbacks(Interrupts(2))
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(digits)
    estimator.set_callbacks()
    after = {name: x for name, x in vars(estimator).items() if name != "epochs"}
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)


def test_ctrl_c_in_two_fits_raises_if_it_is_pressed_again_soon(digits):
    estimator = make_autoencoder(**SETTINGS).set_callbacks(Interrupts())
    with pytest.warns(UserWarning, match=INTERRUPTED):
        estimator.fit(digits)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(digits)


def test_ctrl_c_before_the_first_epoch_ends_keeps_the_initial_weights(digits):
    class AtOnce(Interrupts):
        def on_fit_task_begin(self, estimator, context):
            if context.task_name == "epoch":
                signal.raise_signal(signal.SIGINT)

    estimator = make_autoencoder(epochs=50).set_callbacks(AtOnce())
    with pytest.warns(UserWarning, match=f"{INTERRUPTED} 0 of 50"):
        estimator.fit(digits)
    assert estimator.n_iter_ == estimator.best_epoch_ == 0
    assert estimator.history_ == {"loss": []}
    assert estimator.score(digits) == pytest.approx(
        estimator.explained_variance_ratio_.sum(), abs=1e-6
    )
    assert estimator.singular_values_.shape == (3,)  # it is PCA of all rows


class PressesAt(io.StringIO):
    """An output stream that presses Ctrl-C when a text is printed."""

    def __init__(self, text):
        super().__init__()
        self.text = text

    def write(self, text):
        if self.text in text:
            signal.raise_signal(signal.SIGINT)
        return super().write(text)


def test_ctrl_c_in_the_training_on_all_rows_keeps_the_first_weights(digits):
    settings = {"epochs": 40, "verbose": 5, "random_state": 0}
    out = PressesAt("All rows, epoch 10/40")
    with (
        contextlib.redirect_stdout(out),
        pytest.warns(UserWarning, match="Training on all rows was interrupted"),
    ):
        estimator = AutoencoderTransformer(8, **settings).fit(digits)
    assert "All rows, epoch 15" not in out.getvalue()
    assert estimator.n_iter_ == 40
    with contextlib.redirect_stdout(io.StringIO()):
        whole = AutoencoderTransformer(8, **settings).fit(digits)
    assert estimator.history_ == whole.history_
    difference = np.abs(estimator.reconstruct(digits) - whole.reconstruct(digits))
    assert 0 < difference.max() < 0.5


def test_ctrl_c_calls_a_handler_that_the_user_has_set(digits):
    pressed = []
    signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    estimator = make_autoencoder(epochs=5).set_callbacks(Interrupts())
    estimator.fit(digits)
    assert pressed == [signal.SIGINT]
    assert estimator.n_iter_ == 5
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_does_not_end_fits_in_other_threads(digits):
    other = make_autoencoder(epochs=60)
    thread = threading.Thread(target=other.fit, args=(digits,))

    class StartsThread(Interrupts):
        def on_fit_task_begin(self, estimator, context):
            if context.task_name == "fit":
                thread.start()
            super().on_fit_task_begin(estimator, context)

    estimator = make_autoencoder(**SETTINGS).set_callbacks(StartsThread())
    with pytest.warns(UserWarning, match=INTERRUPTED):
        estimator.fit(digits)
    thread.join()
    assert other.n_iter_ == 60


SEARCH = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from skautoenc import AutoencoderTransformer

class Tells:
    def setup(self, estimator, context): ...
    def teardown(self, estimator, context): ...
    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "epoch" and context.task_id == 5:
            print("training", flush=True)
    def on_fit_task_end(self, estimator, context): ...

estimator = AutoencoderTransformer(epochs=10**6, early_stopping=False)
estimator.set_callbacks(Tells())
search = GridSearchCV(estimator, {"n_components": [2, 3]}, cv=2, n_jobs=2)
try:
    search.fit(load_digits().data)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def processes_of_group(group):
    """The processes of a group that have not ended."""
    listed = subprocess.run(
        ["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True
    )
    lines = map(str.split, listed.stdout.splitlines())
    return [line for line in lines if int(line[0]) == group and line[1][0] != "Z"]


@pytest.mark.slow
def test_ctrl_c_ends_a_search_with_n_jobs_2_and_leaves_no_process():
    search = subprocess.Popen(
        [sys.executable, "-c", SEARCH],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert search.stdout.readline().startswith("training")
        os.killpg(search.pid, signal.SIGINT)  # as a terminal does
        out, _ = search.communicate(timeout=30)
        assert out.splitlines()[-1] == "interrupted"
        stop = time.monotonic() + 10
        while processes_of_group(search.pid) and time.monotonic() < stop:
            time.sleep(0.2)
        assert not processes_of_group(search.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(search.pid, signal.SIGKILL)
        search.communicate()
