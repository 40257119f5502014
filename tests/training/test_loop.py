"""The epoch loop: what all engines have in common, and how a run is resumed."""

import contextlib
import pickle
from dataclasses import replace
from typing import ClassVar

import keras
import numpy as np
import pytest
from engines import ENGINES
from helpers import COMPILED

from skautoenc import DenseNetwork
from skautoenc._backend.keras import isolated_random_state
from skautoenc._fit.defaults import adam_from_pca
from skautoenc._training import (
    Augmentation,
    CosineSchedule,
    EarlyStopping,
    Hook,
    Rows,
    TrainingConfig,
    TrainingState,
    make_numpy_engine,
    open_engine,
    run_epochs,
)
from skautoenc._utils.random import RandomStreams
from skautoenc.networks._dense import dense_pair
from skautoenc.networks._objectives import deterministic, variational
from skautoenc.noise import gaussian

STREAMS = RandomStreams(7)


def add_noise(X, rng, out):
    gaussian(X, 0.2, rng, out)


CONFIG = TrainingConfig("mean_squared_error", "adam", 0.003, 32, 4)
AUGMENTED = replace(CONFIG, augmentation=Augmentation(1.0, 8, add_noise))


def dropout(model):
    """The same with units dropped at random, which Keras draws."""
    inputs = keras.Input(model.input_shape[1:])
    return keras.Model(inputs, model(keras.layers.Dropout(0.2, seed=3)(inputs)))


@contextlib.contextmanager
def opened(
    kind, config, n_rows, *, objective=deterministic, change=lambda model: model
):
    """A new engine with the same first weights."""
    pair = dense_pair(DenseNetwork((8,)), 64, 3, np.random.default_rng(0))
    if kind == "numpy":
        with make_numpy_engine(pair, config, n_rows) as engine:
            yield engine
        return
    with isolated_random_state(0):
        model = change(objective(*[half.to_keras() for half in pair])[0])
    with open_engine(model, config, n_rows, n_rows, kind=kind) as engine:
        yield engine


class StopsAfter(Hook):
    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_epoch_end(self, run, logs):
        run.state.stop |= run.state.epoch == self.n_epochs


def assert_same_bits(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("stops_early", [False, True])
@pytest.mark.parametrize("config", [CONFIG, AUGMENTED], ids=["plain", "augmented"])
@pytest.mark.parametrize("engine", ENGINES)
def test_resumed_run_has_the_bits_of_an_uninterrupted_one(
    digits, engine, config, stops_early
):
    rows, validation = Rows.all(digits[:203]), Rows.all(digits[203:])

    def trained(state, hooks, *more):
        with opened(engine, config, len(rows)) as at_work:
            state = run_epochs(
                at_work, rows, validation, config, state, [*hooks, *more]
            )
            return pickle.loads(pickle.dumps((state, hooks))), at_work.get_weights()

    def hooks():
        return [CosineSchedule(), *([EarlyStopping(2)] if stops_early else [])]

    start = TrainingState(STREAMS)
    (whole, _), weights = trained(start, hooks())
    (half, used), _ = trained(start, hooks(), StopsAfter(2))
    assert half.epoch == 2
    (resumed, _), resumed_weights = trained(half, used)
    assert start == TrainingState(STREAMS)
    assert half.epoch == 2
    assert resumed.history == whole.history
    assert_same_bits(resumed_weights, weights)


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9),
        keras.optimizers.Nadam(
            keras.optimizers.schedules.ExponentialDecay(0.01, 9, 0.5)
        ),
    ],
    ids=["averaged", "scheduled"],
)
@pytest.mark.parametrize("engine", [COMPILED, "keras"])
def test_resumed_run_goes_on_with_dropout_averages_and_schedule(
    digits, engine, optimizer
):
    config = replace(CONFIG, optimizer=optimizer, learning_rate=None)
    rows = Rows.all(digits[:96])

    def trained(state, *hooks):
        with opened(engine, config, len(rows), change=dropout) as at_work:
            state = run_epochs(at_work, rows, None, config, state, hooks)
            return state, at_work.get_weights()

    whole, weights = trained(TrainingState(STREAMS))
    half, _ = trained(TrainingState(STREAMS), StopsAfter(2))
    resumed, resumed_weights = trained(half)
    assert resumed.history == whole.history
    assert_same_bits(resumed_weights, weights)


@pytest.mark.parametrize("engine", ENGINES)
def test_state_that_is_set_is_the_state_that_is_got(digits, engine):
    rows = Rows.all(digits[:64])
    with opened(engine, CONFIG, len(rows)) as at_work:
        at_work.train_epoch(rows, STREAMS, 0)
        state, weights = at_work.get_state(), at_work.get_weights()
        losses = at_work.train_epoch(rows, STREAMS, 1)
        at_work.set_state(state)
        assert_same_bits(at_work.get_weights(), weights)
        assert at_work.iterations == 2
        assert at_work.train_epoch(rows, STREAMS, 1) == losses


@pytest.mark.parametrize("engine", ENGINES)
def test_set_weights_takes_what_get_weights_gives(digits, engine):
    rows = Rows.all(digits[:64])
    with opened(engine, CONFIG, len(rows)) as at_work:
        first, losses = at_work.get_weights(), at_work.evaluate(rows, STREAMS)
        snapshot = at_work.snapshot()
        at_work.train_epoch(rows, STREAMS, 0)
        trained = at_work.get_weights()
        at_work.set_weights(first)
        assert_same_bits(at_work.get_weights(), first)
        assert at_work.evaluate(rows, STREAMS) == losses
        at_work.set_weights(trained)
        at_work.restore(snapshot)
        assert_same_bits(at_work.get_weights(), first)


class Records:
    """A corruption that remembers each portion, and what it made of it, once."""

    def __init__(self):
        self.portions = {}

    def __call__(self, X, rng, out):
        add_noise(X, rng, out)
        # Model.fit reads the first portion more than once.
        self.portions[out.tobytes()] = X.copy(), out.copy()


def outcome(engine, rows, config):
    """Weights and losses of a run, and the learning rate of each epoch."""

    class Rates(Hook):
        rates: ClassVar = []

        def on_epoch_end(self, run, logs):
            self.rates.append(run.engine.learning_rate)

    Rates.rates = []
    with opened(engine, config, len(rows)) as opened_engine:
        hooks = [CosineSchedule(), Rates()]
        state = TrainingState(STREAMS)
        state = run_epochs(opened_engine, rows, None, config, state, hooks)
        return opened_engine.get_weights(), state.history.get("loss", []), Rates.rates


@pytest.mark.parametrize("engine", ENGINES)
def test_step_scales_multiply_the_learning_rate_of_each_weight(digits, engine):
    rows = Rows.all(digits)
    n = 10  # kernel and bias of two layers, and a linear path, of each network
    config = replace(CONFIG, epochs=2, optimizer=adam_from_pca(32), learning_rate=None)
    start, *_ = outcome(engine, rows, replace(config, epochs=0))
    assert len(start) == n
    by_scale = replace(config, step_scales=[0.0] * 3 + [0.5] * 3 + [0.0] * 4)
    weights, losses, _ = outcome(engine, rows, by_scale)
    moved = [not np.array_equal(a, b) for a, b in zip(start, weights, strict=True)]
    assert moved == [False] * 3 + [True] * 3 + [False] * 4
    same, all_losses, _ = outcome(engine, rows, replace(config, step_scales=[1.0] * n))
    plain, plain_losses, _ = outcome(engine, rows, config)
    np.testing.assert_allclose(all_losses, plain_losses, rtol=1e-6)
    assert losses[-1] > all_losses[-1]
    for a, b in zip(same, plain, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("engine", [COMPILED, "keras"])
def test_step_scales_give_the_losses_of_the_numpy_engine(digits, engine):
    rows = Rows.all(digits)
    scales = np.linspace(0.1, 2, 10).tolist()
    config = replace(CONFIG, epochs=8, optimizer=adam_from_pca(32), learning_rate=None)
    config = replace(config, step_scales=scales, augmentation=Augmentation(0.5, 6))
    for ours, numpy in zip(
        outcome(engine, rows, config), outcome("numpy", rows, config), strict=True
    ):
        for a, b in zip(ours, numpy, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_cosine_schedule_begins_with_a_warmup_and_ends_near_zero(digits):
    config = replace(CONFIG, epochs=100)
    *_, rates = outcome("numpy", Rows.all(digits[:32]), config)
    warmup = np.minimum(1, np.arange(1, 101) / 5)
    cosine = 0.5 * (1 + np.cos(np.pi * np.arange(100) / 100))
    np.testing.assert_allclose(rates, 0.003 * warmup * cosine, rtol=1e-6)


def test_augmentation_mixup_falls_to_zero():
    rows = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)

    def moved(augmentation, epoch):
        """The mean distance of the mixed rows from the rows."""
        mixed = rows.copy()
        rng = np.random.default_rng(1)
        augmentation.at_epoch(epoch).apply(mixed, mixed, rng)
        return np.abs(mixed - rows).mean()

    falling, constant = Augmentation(0.8, 10), Augmentation(0.8)
    full = moved(Augmentation(1.0), 0)
    shares = [moved(falling, epoch) / full for epoch in (0, 5, 9, 10, 11)]
    np.testing.assert_allclose(shares, [0.8, 0.4, 0.08, 0, 0], rtol=1e-5, atol=1e-7)
    assert moved(constant, 9) == moved(constant, 0)
    assert moved(falling.for_validation(), 0) == 0


@pytest.mark.parametrize("corrupts", [True, False])
def test_augmentation_corrupts_validation_rows_if_it_is_to(corrupts):
    augmentation = Augmentation(
        corruption=lambda X, rng, out: np.negative(X, out=out),
        corrupts_validation=corrupts,
    )
    inputs, targets = np.zeros((2, 3, 4), np.float32)
    targets += 1
    augmentation.for_validation().apply(inputs, targets, np.random.default_rng(0))
    assert (inputs == (-1 if corrupts else 0)).all()
    augmentation.apply(inputs, targets, np.random.default_rng(0))
    assert (inputs == -1).all()


@pytest.mark.parametrize("n_rows", [20, 203])
def test_every_engine_corrupts_the_same_rows_alike(n_rows):
    """Also where the validation set is larger than the training set."""
    X = np.random.default_rng(0).random((10_000, 64), np.float32)
    rows, validation = Rows.all(X[:n_rows]), Rows.all(X)
    results = []
    for engine in ENGINES:
        records = Records()
        config = replace(CONFIG, augmentation=Augmentation(1.0, corruption=records))
        with opened(engine, config, len(rows)) as at_work:
            losses = [at_work.evaluate(validation, STREAMS)["loss"] for _ in range(2)]
            assert losses[1] == pytest.approx(losses[0], rel=1e-6)
            losses.append(at_work.train_epoch(rows, STREAMS, 5)["loss"])
        given, made = map(np.concatenate, zip(*records.portions.values(), strict=True))
        np.testing.assert_array_equal(given[: len(X)], X)  # not mixed
        assert given.shape == (len(X) + n_rows, 64)
        results.append((losses, given, made))
    first, *others = results
    for losses, given, made in others:
        assert losses == pytest.approx(first[0], rel=1e-5)
        assert_same_bits((given, made), first[1:])


def test_noise_of_the_variational_model_is_alike_in_every_engine(digits):
    config = replace(CONFIG, loss_weights={"kl": 0.5})
    rows = Rows.all(digits[:203])
    losses = []
    for kind in (COMPILED, "keras"):
        with opened(
            kind,
            config,
            len(rows),
            objective=lambda *pair: variational(*pair, beta=0.5),
        ) as at_work:
            losses.append(
                [
                    at_work.evaluate(rows, STREAMS),
                    at_work.train_epoch(rows, STREAMS, 0),
                    at_work.evaluate(rows, STREAMS),
                ]
            )
    for ours, theirs in zip(*losses, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4)


def test_early_stopping_restores_the_start_if_no_epoch_is_better(digits):
    rows = Rows.all(digits[:64])
    config = replace(CONFIG, learning_rate=10.0)
    stopping = EarlyStopping(2)
    with opened("numpy", config, len(rows)) as at_work:
        first = at_work.get_weights()
        state = run_epochs(
            at_work, rows, rows, config, TrainingState(STREAMS), [stopping]
        )
        assert stopping.best_epoch == 0
        assert state.epoch == 2
        assert_same_bits(at_work.get_weights(), first)


class Order(Hook):
    def __init__(self):
        self.calls = []

    def on_train_begin(self, run):
        self.calls.append("train begins")

    def on_epoch_begin(self, run):
        self.calls.append(("epoch begins", run.state.epoch))

    def on_validation_begin(self, run):
        self.calls.append("validation begins")

    def on_validation_end(self, run, logs):
        self.calls.append(("validation ends", sorted(logs)))

    def on_epoch_end(self, run, logs):
        self.calls.append(("epoch ends", run.state.epoch, sorted(logs)))

    def on_train_end(self, run):
        self.calls.append("train ends")

    def close(self):
        self.calls.append("closed")


@pytest.mark.parametrize("engine", ENGINES)
def test_hooks_are_called_in_the_same_order_with_every_engine(digits, engine):
    rows, hook = Rows.all(digits[:64]), Order()
    config = replace(CONFIG, epochs=1)
    with opened(engine, config, len(rows)) as at_work:
        run_epochs(at_work, rows, rows, config, TrainingState(STREAMS), [hook])
    assert hook.calls == [
        "train begins",
        ("epoch begins", 0),
        "validation begins",
        ("validation ends", ["val_loss"]),
        ("epoch ends", 1, ["loss", "val_loss"]),
        "train ends",
        "closed",
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_hooks_are_closed_when_training_diverges(digits, engine):
    rows, hook = Rows.all(digits[:64]), Order()
    config = replace(CONFIG, optimizer="sgd", learning_rate=1e30)
    with (
        opened(engine, config, len(rows)) as at_work,
        pytest.raises(ValueError, match=r"Training diverged: loss is .* in epoch \d"),
    ):
        run_epochs(at_work, rows, None, config, TrainingState(STREAMS), [hook])
    assert hook.calls[-1] == "closed"
    assert "train ends" not in hook.calls
