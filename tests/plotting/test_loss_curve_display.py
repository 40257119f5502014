"""Tests of LossCurveDisplay."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawing import QUICK, drawn, legend_of, texts
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import (
    AutoencoderTransformer,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)
from skautoenc.plotting import LossCurveDisplay


def test_history_is_drawn_as_training_and_validation_losses(digits, small):
    small.set_params(epochs=8, mixup=False).fit(digits[:200], X_val=digits[200:])
    ax = LossCurveDisplay(history=small.history_).plot().ax_
    training, validation, best = ax.lines
    for line, key in [(training, "loss"), (validation, "val_loss")]:
        np.testing.assert_array_equal(line.get_xdata(), range(1, 9))
        np.testing.assert_array_equal(line.get_ydata(), small.history_[key])
    assert training.get_linestyle() != validation.get_linestyle()
    lowest = min(small.history_["val_loss"])
    epoch = small.history_["val_loss"].index(lowest) + 1
    assert best.get_xydata().tolist() == [[epoch, lowest]]
    assert legend_of(ax) == [
        "training loss",
        "validation loss",
        f"lowest validation loss: {lowest:.4g}, epoch {epoch}",
    ]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


@pytest.mark.parametrize("kept", [2, 3])
def test_best_epoch_gets_the_ring(kept):
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [2.0, 1.5, 1.25]}
    display = LossCurveDisplay(history=history, best_epoch=kept).plot()
    ring = display.ax_.lines[-1]
    loss = history["val_loss"][kept - 1]
    assert ring.get_xydata().tolist() == [[kept, loss]]
    assert ring.get_label() == f"kept: epoch {kept}, validation loss {loss}"


def test_best_epoch_gets_the_ring_if_the_drawn_loss_is_lower_elsewhere(digits):
    vae = VariationalAutoencoder(2, **QUICK, early_stopping=True).fit(digits)
    display = LossCurveDisplay.from_estimator(vae, losses="kl_loss")
    ((epoch, loss),) = display.ax_.lines[-1].get_xydata()
    assert epoch == vae.best_epoch_
    assert loss == vae.history_["val_kl_loss"][vae.best_epoch_ - 1]


def test_best_epoch_is_the_last_without_early_stopping(digits, small):
    small.set_params(early_stopping=False, learning_rate=0.5).fit(digits)
    display = LossCurveDisplay.from_estimator(small)
    assert display.ax_.lines[-1].get_xdata().tolist() == [3]


def test_best_epoch_0_has_no_ring():
    history = {"loss": [3.0, 1.0], "val_loss": [2.0, 1.5]}
    display = LossCurveDisplay(history=history, best_epoch=0).plot()
    assert len(display.ax_.lines) == 2
    title = display.ax_.get_legend().get_title().get_text()
    assert title == "kept: initial weights"


@pytest.mark.parametrize("best_epoch", [-1, 3, 1.5])
def test_best_epoch_outside_history_is_refused(best_epoch):
    display = LossCurveDisplay(history={"loss": [3.0, 1.0]}, best_epoch=best_epoch)
    with pytest.raises((ValueError, TypeError), match="best_epoch"):
        display.plot()
    assert not plt.get_fignums()


@pytest.mark.parametrize(("mixup", "mark"), [("auto", " (mixup)"), (False, "")])
def test_mixup_is_in_the_label_of_the_training_loss(digits, small, mixup, mark):
    small.set_params(mixup=mixup, early_stopping=True).fit(digits)
    assert small.mixup_ == (mixup == "auto")
    assert legend_of(LossCurveDisplay.from_estimator(small).ax_)[:2] == [
        f"training loss{mark}",
        "validation loss",
    ]


def test_mixup_is_not_in_the_label_if_it_is_off_by_default(digits, small):
    random = small.set_params(init="random").fit(digits)
    denoiser = DenoisingAutoencoder(2, **QUICK).fit(digits)
    for fitted in random, denoiser:
        assert fitted.mixup_ == 0
        display = LossCurveDisplay.from_estimator(fitted)
        assert legend_of(display.ax_)[0] == "training loss"


def test_history_may_contain_arrays():
    history = {"loss": np.array([3.0, 1.0, 2.0])}
    ring = LossCurveDisplay(history=history).plot().ax_.lines[-1]
    assert ring.get_xydata().tolist() == [[2, 1]]


def test_best_epoch_none_is_the_first_epoch_with_the_lowest_loss():
    history = {"loss": [3.0, 1.0, 2.0, 1.0]}
    _, best = LossCurveDisplay(history=history).plot().ax_.lines
    assert best.get_xydata().tolist() == [[2, 1]]
    assert best.get_label() == "lowest training loss: 1, epoch 2"


def test_losses_selects_parts_of_the_loss(digits):
    vae = VariationalAutoencoder(2, **QUICK, early_stopping=False).fit(
        digits[:200], X_val=digits[200:]
    )
    names = ["reconstruction_loss", "kl_loss"]
    ax = LossCurveDisplay.from_estimator(vae, losses=names).ax_
    assert legend_of(ax)[:4] == [
        "training reconstruction loss",
        "validation reconstruction loss",
        "training kl loss",
        "validation kl loss",
    ]
    assert legend_of(ax)[4].startswith("kept: epoch 3, validation reconstruction loss ")
    for line, key in zip(ax.lines, [names[0], f"val_{names[0]}"], strict=False):
        np.testing.assert_array_equal(line.get_ydata(), vae.history_[key])
    assert len({line.get_marker() for line in ax.lines[:4]}) == 2
    one = LossCurveDisplay.from_estimator(vae, losses="kl_loss").ax_
    assert legend_of(one)[0] == "training kl loss"


@pytest.mark.parametrize(
    ("losses", "expected"),
    [([5.0, 1.0], "linear"), ([20.0, 1.0], "log"), ([20.0, 0.0], "linear")],
)
def test_scale_auto_is_logarithmic_for_wide_ranges(losses, expected):
    display = LossCurveDisplay(history={"loss": losses})
    assert display.plot().ax_.get_yscale() == expected
    assert display.plot(scale="linear").ax_.get_yscale() == "linear"


def test_scale_log_has_plain_tick_labels():
    display = drawn(LossCurveDisplay(history={"loss": [0.3, 0.05, 0.01]}).plot())
    labels = texts(display.ax_.get_yticklabels())
    assert {"0.01", "0.02", "0.05", "0.1", "0.2"} <= set(labels)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_ticks_of_epochs_are_integers(n):
    display = drawn(LossCurveDisplay(history={"loss": [1.0] * n}).plot())
    ticks = [tick for tick in display.ax_.get_xticks() if 1 <= tick <= n]
    assert ticks == list(range(1, n + 1))
    assert (display.ax_.lines[0].get_marker() == "o") == (n == 1)


def test_from_estimator_uses_the_last_step_of_a_pipeline(digits, small):
    pipeline = make_pipeline(StandardScaler(), make_pipeline(small)).fit(digits)
    line = LossCurveDisplay.from_estimator(pipeline).ax_.lines[0]
    np.testing.assert_array_equal(line.get_ydata(), small.history_["loss"])


def test_from_estimator_refuses_an_estimator_without_history(fitted, pca):
    with pytest.raises(TypeError, match="PCA has no history_"):
        LossCurveDisplay.from_estimator(pca)
    untrained = AutoencoderTransformer.from_keras(fitted.encoder_, fitted.decoder_)
    with pytest.raises(ValueError, match="history is empty: the estimator was not"):
        LossCurveDisplay.from_estimator(untrained)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"losses": ["kl_loss"]}, r"'kl_loss', which history lacks; it has \['loss'"),
        ({"losses": []}, "losses is empty"),
        ({"scale": "cubic"}, "scale must be 'auto', 'linear' or 'log'"),
        ({"scale": "log"}, "scale='log' needs values above 0, but the lowest is -1"),
    ],
)
def test_losses_and_scale_that_are_invalid_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        LossCurveDisplay(history={"loss": [1.0, -1.0]}).plot(**params)
    assert not plt.get_fignums()


def test_from_estimator_states_that_best_epoch_is_0():
    X = load_digits().data[:300] / 16
    autoencoder = AutoencoderTransformer(8, learning_rate=1.0, epochs=3, random_state=0)
    display = LossCurveDisplay.from_estimator(autoencoder.fit(X))
    title = display.ax_.get_legend().get_title().get_text()
    assert title == "kept: initial weights"
    autoencoder.set_params(early_stopping=False).fit(X)
    display = LossCurveDisplay.from_estimator(autoencoder)
    assert not display.ax_.get_legend().get_title().get_text()


def test_frame_of_losses_has_one_row_per_epoch(digits, small):
    small.set_params(early_stopping=True).fit(digits)
    frame = LossCurveDisplay.from_estimator(small).frame()
    assert list(frame) == ["epoch", "loss", "val_loss"]
    assert frame["epoch"].tolist() == [1, 2, 3]
    assert frame["val_loss"].tolist() == small.history_["val_loss"]


def test_line_kwargs_and_best_epoch_kwargs_restyle_curves_and_ring(digits, small):
    small.set_params(init="random", early_stopping=True).fit(digits)
    display = LossCurveDisplay.from_estimator(
        small, line_kwargs={"lw": 3, "c": "red"}, best_epoch_kwargs={"ms": 20}
    )
    curve, *_, ring = display.ax_.lines
    assert (curve.get_linewidth(), curve.get_color()) == (3, "red")
    assert ring.get_markersize() == 20


def test_legend_of_losses_is_inside_a_small_ax(digits, small):
    small.set_params(early_stopping=True).fit(digits)
    _, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    display = drawn(LossCurveDisplay.from_estimator(small, ax=axes[0, 0]))
    box = display.ax_.get_legend().get_window_extent()
    assert box.x0 >= display.ax_.get_window_extent().x0
