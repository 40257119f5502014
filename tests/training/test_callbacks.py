"""Keras callbacks: which engine they leave a fit to, what they see and may change."""

import contextlib
import csv
import functools
import importlib.util
import pickle
import shutil

import keras
import numpy as np
import pytest
from engines import ENGINES, BatchListener, engines_used
from helpers import COMPILED, make_autoencoder, run_in_threads
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skautoenc import ConvNetwork, VariationalAutoencoder
from skautoenc._training import listens_to_batches

callbacks = keras.callbacks

# Callbacks that do not listen to batches are called by two of the engines.
FITS = {
    "numpy": ENGINES["numpy"],
    COMPILED: ENGINES[COMPILED],
    "conv": {"network": ConvNetwork((8, 8, 1), (2,))},
}


@contextlib.contextmanager
def assert_trained_by(engine):
    """Assert that the engine of a member of `FITS` trains meanwhile, and no other."""
    with engines_used() as used:
        yield
    assert used == {COMPILED if engine == "conv" else engine}


@pytest.fixture(params=FITS)
def engine(request):
    with assert_trained_by(request.param):
        yield request.param


def quick(engine, **params):
    return make_autoencoder(**{"early_stopping": False, **FITS[engine], **params})


def weights_of(estimator):
    return estimator._encoder.weights + estimator._decoder.weights


def assert_same_bits(a, b):
    assert a.history_ == b.history_
    for first, second in zip(weights_of(a), weights_of(b), strict=True):
        np.testing.assert_array_equal(first, second)


class Derived(callbacks.ModelCheckpoint):
    """Overrides nothing that Keras calls at batches."""

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)


IN_EPOCH_FORM = {
    "backup": lambda folder: callbacks.BackupAndRestore(folder / "backup"),
    "checkpoint": lambda folder: callbacks.ModelCheckpoint(folder / "{epoch}.keras"),
    "csv": lambda folder: callbacks.CSVLogger(folder / "log.csv"),
    "derived": lambda folder: Derived(folder / "derived.keras"),
    "early": lambda folder: callbacks.EarlyStopping("loss", patience=9),
    "function": lambda folder: callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: None
    ),
    "history": lambda folder: callbacks.History(),
    "nan": lambda folder: callbacks.TerminateOnNaN(),
    "plateau": lambda folder: callbacks.ReduceLROnPlateau("loss"),
    "progress": lambda folder: callbacks.ProgbarLogger(),
    "schedule": lambda folder: callbacks.LearningRateScheduler(
        lambda epoch, rate: rate
    ),
    "weights": lambda folder: callbacks.ModelCheckpoint(
        folder / "best.weights.h5", save_weights_only=True, save_best_only=True
    ),
}


@pytest.fixture(scope="module", params=FITS)
def without(request, digits):
    return request.param, quick(request.param).fit(digits, X_val=digits[:70])


@pytest.mark.parametrize("kind", IN_EPOCH_FORM)
def test_callbacks_at_epochs_change_no_bit(digits, without, kind, tmp_path):
    engine, plain = without
    callback = IN_EPOCH_FORM[kind](tmp_path)
    with assert_trained_by(engine):
        estimator = quick(engine, callbacks=[callback]).fit(digits, X_val=digits[:70])
    assert_same_bits(estimator, plain)
    assert callback.model is None


def test_callbacks_change_no_bit_without_validation(digits, engine, tmp_path):
    kinds = IN_EPOCH_FORM.keys() - {"weights"}  # watches val_loss
    all_of_them = [IN_EPOCH_FORM[kind](tmp_path) for kind in kinds]
    estimator = quick(engine, callbacks=all_of_them).fit(digits)
    assert_same_bits(estimator, quick(engine).fit(digits))


def test_callbacks_change_no_bit_of_a_variational_fit(digits, tmp_path):
    path = tmp_path / "{epoch}.keras"
    params = {"hidden_layer_sizes": (8,), "epochs": 2, "random_state": 0}
    params["early_stopping"] = False
    plain = VariationalAutoencoder(2, **params).fit(digits)
    estimator = VariationalAutoencoder(
        2, callbacks=[callbacks.ModelCheckpoint(path)], **params
    ).fit(digits)
    assert_same_bits(estimator, plain)
    saved = keras.models.load_model(tmp_path / "2.keras")
    reconstruction, _ = saved([digits, np.zeros((300, 2), np.float32)])
    np.testing.assert_allclose(reconstruction, estimator.reconstruct(digits), atol=1e-5)


class Own(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        pass


class OwnAtBatches(callbacks.TerminateOnNaN):
    def on_train_batch_begin(self, batch, logs=None):
        pass


@pytest.mark.parametrize(
    ("callback", "listens"),
    [
        (Own(), False),
        (OwnAtBatches(), True),
        (callbacks.TensorBoard(), False),
        (callbacks.TensorBoard(update_freq="batch"), True),
        (callbacks.TensorBoard(update_freq=10), True),
        (callbacks.ModelCheckpoint("a.keras", save_freq=10), True),
        (Derived("a.keras", save_freq=10), True),
        (callbacks.BackupAndRestore("a", save_freq=10), True),
        (callbacks.RemoteMonitor(), False),
        (callbacks.SwapEMAWeights(), True),
        (callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None), True),
        (callbacks.LambdaCallback(on_test_end=lambda logs: None), True),
    ],
)
def test_callbacks_listen_to_batches_where_their_methods_do_something(
    callback, listens
):
    assert listens_to_batches(callback) == listens


@pytest.mark.parametrize("wrong", [callbacks.EarlyStopping, "early", None])
@pytest.mark.parametrize("engine", FITS)
def test_callbacks_of_another_type_are_refused(digits, engine, wrong):
    with pytest.raises(TypeError, match="callbacks takes instances of Keras"):
        quick(engine, callbacks=[wrong]).fit(digits)


class Watches(callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.rates, self.iterations, self.predictions = [], [], []
        self.order = []

    def on_train_begin(self, logs=None):
        self.order.append(("train begins", self.params["steps"]))

    def on_epoch_begin(self, epoch, logs=None):
        self.order.append(("epoch begins", epoch))
        self.rates.append(float(self.model.optimizer.learning_rate))

    def on_epoch_end(self, epoch, logs=None):
        self.order.append(("epoch ends", epoch))
        self.iterations.append(int(self.model.optimizer.iterations))
        self.predictions.append(np.asarray(self.model(self.rows)))

    def on_train_end(self, logs=None):
        self.order.append(("train ends", sorted(logs)))


def test_callbacks_see_the_model_as_it_is(digits, engine):
    callback = Watches()
    callback.rows = digits
    estimator = quick(engine, epochs=2, learning_rate=0.01, callbacks=[callback])
    estimator.fit(digits)
    assert callback.order == [
        ("train begins", 5),
        ("epoch begins", 0),
        ("epoch ends", 0),
        ("epoch begins", 1),
        ("epoch ends", 1),
        ("train ends", ["loss"]),
    ]
    assert callback.iterations == [5, 10]
    assert callback.rates[0] == pytest.approx(0.01)
    assert not np.allclose(*callback.predictions)
    np.testing.assert_allclose(
        callback.predictions[-1], estimator.reconstruct(digits), atol=1e-5
    )


class RecordsCalls(callbacks.Callback):
    """Records each call of a method with the number of the epoch or batch."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append("train begins")

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("epoch begins", epoch))

    def on_train_batch_begin(self, batch, logs=None):
        self.calls.append(("batch begins", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(("batch ends", batch))

    def on_test_begin(self, logs=None):
        self.calls.append("test begins")

    def on_test_batch_begin(self, batch, logs=None):
        self.calls.append(("test batch begins", batch))

    def on_test_batch_end(self, batch, logs=None):
        self.calls.append(("test batch ends", batch))

    def on_test_end(self, logs=None):
        self.calls.append(("test ends", sorted(logs)))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("epoch ends", epoch, sorted(logs)))

    def on_train_end(self, logs=None):
        self.calls.append(("train ends", sorted(logs)))


def test_callbacks_are_called_in_the_order_of_model_fit(digits):
    ours, of_keras = RecordsCalls(), RecordsCalls()
    estimator = quick("numpy", early_stopping=True, callbacks=[ours])
    estimator.fit(digits, X_val=digits[:70])
    model = estimator.autoencoder_
    model.compile(loss="mse")
    model.fit(
        digits,
        digits,
        batch_size=64,
        epochs=3,
        validation_data=(digits[:70], digits[:70]),
        validation_batch_size=64,
        callbacks=[of_keras],
        verbose=0,
    )
    assert ours.calls == of_keras.calls


class SetsWeights(callbacks.Callback):
    def __init__(self, method):
        super().__init__()
        setattr(self, method, self.set_weights)

    def set_weights(self, *args, **kwargs):
        self.model.set_weights([0 * w for w in self.model.get_weights()])


@pytest.mark.parametrize("method", ["on_epoch_end", "on_train_end"])
def test_callbacks_can_set_the_final_weights(digits, engine, method):
    estimator = quick(engine, epochs=1, callbacks=[SetsWeights(method)]).fit(digits)
    assert not any(w.any() for w in weights_of(estimator))


def test_callbacks_can_set_weights_to_train_from(digits, engine):
    setter = SetsWeights("on_epoch_begin")
    estimator = quick(engine, learning_rate=1e-9, callbacks=[setter]).fit(digits)
    assert max(np.abs(w).max() for w in weights_of(estimator)) < 1e-6


def test_callbacks_early_stopping_restores_the_best_weights(digits, engine):
    stopping = callbacks.EarlyStopping(
        "val_loss", patience=2, restore_best_weights=True
    )
    estimator = quick(
        engine, epochs=60, learning_rate=0.3, init="random", callbacks=[stopping]
    ).fit(digits, X_val=digits[:70])
    losses = estimator.history_["val_loss"]
    assert estimator.n_iter_ == 1 + np.argmin(losses) + 2 < 60
    error = estimator.reconstruction_error(digits[:70]).mean()
    assert error == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.parametrize("engine", FITS)
@pytest.mark.parametrize(
    "schedule",
    [
        lambda: callbacks.ReduceLROnPlateau(
            "loss", factor=0.1, patience=1, min_delta=9
        ),
        lambda: callbacks.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1)),
    ],
)
def test_callbacks_can_set_the_learning_rate(digits, engine, schedule):
    histories = []
    for more in [], [BatchListener()]:
        watch = Watches()
        watch.rows = digits[:1]
        params = {"mixup": False, "epochs": 6, "learning_rate": 0.01}
        estimator = quick(engine, callbacks=[watch, schedule(), *more], **params)
        with assert_trained_by("keras" if more else engine):
            estimator.fit(digits)
        histories.append((estimator.history_["loss"], watch.rates))
    (losses, rates), (of_keras, rates_of_keras) = histories
    np.testing.assert_allclose(rates, rates_of_keras, rtol=1e-6)
    assert rates[-1] < 0.5 * rates[0]
    np.testing.assert_allclose(losses, of_keras, rtol=1e-4)


def test_callbacks_that_keep_the_optimizer_see_and_set_its_learning_rate(
    digits, engine
):
    class Keeps(callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.optimizer, self.rates = self.model.optimizer, []

        def on_epoch_end(self, epoch, logs=None):
            rate = float(np.asarray(self.optimizer.learning_rate))
            self.rates.append(rate)
            self.optimizer.learning_rate = rate / 2
            kinds = keras.optimizers.Adam, keras.optimizers.Nadam
            assert self.optimizer.__class__ in kinds

    keeps = Keeps()
    params = {"epochs": 3, "init": "random", "learning_rate": 0.01}
    quick(engine, callbacks=[keeps], **params).fit(digits)
    assert keeps.rates == pytest.approx([0.01, 0.005, 0.0025])


def test_callbacks_can_compile_the_model_again(digits, engine):
    class Compiles(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.compile(optimizer="sgd", loss="mean_squared_error")
            self.loss = self.model.evaluate(digits, digits, verbose=0)

    compiles = Compiles()
    estimator = quick(engine, callbacks=[compiles]).fit(digits)
    error = np.square(estimator.reconstruct(digits) - digits).mean()
    assert compiles.loss == pytest.approx(error, rel=1e-4)


def test_callbacks_write_files(digits, engine, tmp_path):
    kept = callbacks.ModelCheckpoint(tmp_path / "last.keras")
    log = callbacks.CSVLogger(tmp_path / "log.csv")
    estimator = quick(engine, callbacks=[kept, log]).fit(digits, X_val=digits[:70])
    saved = keras.models.load_model(tmp_path / "last.keras")
    np.testing.assert_allclose(saved(digits), estimator.reconstruct(digits), atol=1e-5)
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    for name in ("loss", "val_loss"):
        assert [float(row[name]) for row in rows] == estimator.history_[name]


def falling_rate(epoch, rate):
    return 0.02 / (epoch + 1)


def log_nothing(epoch, logs):
    pass


# Callbacks of which some change the training, and some write files.
ACTIVE = {
    **{
        k: make for k, make in IN_EPOCH_FORM.items() if k not in ("function", "derived")
    },
    "early": lambda folder: callbacks.EarlyStopping(
        "val_loss", patience=1, min_delta=0.01, restore_best_weights=True
    ),
    "function": lambda folder: callbacks.LambdaCallback(on_epoch_end=log_nothing),
    "plateau": lambda folder: callbacks.ReduceLROnPlateau(
        "loss", patience=1, min_delta=9, cooldown=1
    ),
    "schedule": lambda folder: callbacks.LearningRateScheduler(falling_rate),
}


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize("kind", ACTIVE)
def test_callbacks_give_the_same_fit_when_they_are_used_again_and_copied(
    digits, tmp_path, kind
):
    with assert_trained_by(COMPILED):
        estimator = quick(
            COMPILED, epochs=5, callbacks=[ACTIVE[kind](tmp_path)], init="random"
        )
        X_val = digits[:70]
        first = pickle.loads(pickle.dumps(estimator.fit(digits, X_val=X_val)))
        files = files_in(tmp_path)
        for again in estimator, clone(estimator), first, clone(first):
            shutil.rmtree(tmp_path)
            tmp_path.mkdir()
            expected = first.history_, weights_of(first)
            again.fit(digits, X_val=X_val)
            assert again.history_ == expected[0]
            for a, b in zip(weights_of(again), expected[1], strict=True):
                np.testing.assert_array_equal(a, b)
            assert files_in(tmp_path) == files
    if kind == "history":
        assert estimator.callbacks[0].history == estimator.history_


def test_callbacks_tensorboard_writes_the_losses(digits, tmp_path):
    """Without the package tensorboard, TensorFlow raises an error that names it."""
    estimator = quick(COMPILED, callbacks=[callbacks.TensorBoard(tmp_path)])
    if importlib.util.find_spec("tensorboard") is None:
        with pytest.raises(Exception, match="TensorBoard is not installed"):
            estimator.fit(digits)
        assert not hasattr(estimator, "history_")
        return
    for _ in range(2):
        estimator = clone(estimator).fit(digits)
        assert_same_bits(estimator, quick(COMPILED).fit(digits))
        assert any("events" in name for name in files_in(tmp_path))


def test_learning_rate_schedule_is_followed_and_seen_by_callbacks(digits):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.02, 5, 0.5)
    params = {"epochs": 4, "learning_rate": schedule, "mixup": False, "init": "random"}
    histories = []
    for engine, more in (COMPILED, []), ("keras", [BatchListener()]):
        watch = Watches()
        watch.rows = digits[:1]
        estimator = quick("numpy", callbacks=[watch, *more], **params)
        with assert_trained_by(engine):
            estimator.fit(digits)
        np.testing.assert_allclose(watch.rates, [0.02, 0.01, 0.005, 0.0025], rtol=1e-6)
        histories.append(estimator.history_["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-4)


def test_learning_rate_schedule_can_be_used_again_copied_and_searched(digits):
    schedule = keras.optimizers.schedules.CosineDecay(0.02, 20)
    estimator = quick("numpy", learning_rate=schedule).fit(digits)
    first = pickle.loads(pickle.dumps(estimator))
    for again in estimator, clone(estimator), clone(first):
        assert_same_bits(again.fit(digits), first)
    search = GridSearchCV(estimator, {"learning_rate": [schedule]}, cv=2)
    assert_same_bits(search.fit(digits).best_estimator_, first)


stop_early = functools.partial(callbacks.EarlyStopping, "loss", patience=1, min_delta=1)


def test_callbacks_made_by_a_function_are_new_in_each_fit(digits, engine):
    made = []

    def make():
        made.append(Watches())
        made[-1].rows = digits[:1]
        return made[-1]

    estimator = quick(engine, epochs=9, callbacks=[make, stop_early])
    first = estimator.fit(digits).history_
    assert clone(estimator).fit(digits).history_ == first
    assert len(first["loss"]) == 2
    assert len(made) == 2
    assert made[0].order == made[1].order
    assert made[0].model is None


def test_callbacks_made_by_a_function_are_safe_in_searches_and_threads(digits):
    estimator = quick("numpy", epochs=9, callbacks=[stop_early])
    search = GridSearchCV(estimator, {"learning_rate": [0.01, 0.02]}, cv=2, n_jobs=2)
    search.fit(digits)
    assert search.best_estimator_.n_iter_ == 2
    pickle.loads(pickle.dumps(search))
    fits = run_in_threads(
        lambda each: each.fit(digits), [clone(estimator) for _ in range(3)]
    )
    assert {fit.n_iter_ for fit in fits} == {2}
    for fit in fits[1:]:
        assert_same_bits(fit, fits[0])


@pytest.mark.parametrize("engine", FITS)
def test_callbacks_made_by_a_function_must_be_callbacks(digits, engine):
    with pytest.raises(TypeError, match=r"functions without arg.*; got 3 from <func"):
        quick(engine, callbacks=[lambda: 3]).fit(digits)


def test_callbacks_made_by_a_function_may_listen_to_batches(digits):
    with assert_trained_by("keras"):
        quick("numpy", callbacks=[lambda: BatchListener()]).fit(digits)


class KeepsLayer(callbacks.Callback):
    """Uses the model once, and reads a layer of it in each epoch."""

    def set_model(self, model):
        super().set_model(model)
        if model is not None:
            self.kernel = model.trainable_variables[0]
            self.kernels = []

    def on_epoch_end(self, epoch, logs=None):
        self.kernels.append(self.kernel.numpy())


def test_callbacks_that_keep_a_layer_see_its_weights_in_each_epoch(digits, engine):
    keeps, watches = KeepsLayer(), Watches()
    watches.rows = digits[:1]
    quick(engine, callbacks=[watches, keeps]).fit(digits)
    assert len(keeps.kernels) == 3
    assert not np.array_equal(keeps.kernels[0], keeps.kernels[1])
    assert not np.array_equal(keeps.kernels[1], keeps.kernels[2])


class ReadsModel(callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.types = type(self.model), self.model.__class__
        self.weights = self.model.get_weights()
        self.type_after = type(self.model)


def test_callbacks_find_the_class_of_the_model(digits, engine):
    reads = ReadsModel()
    quick(engine, callbacks=[reads]).fit(digits)
    assert issubclass(reads.types[0], keras.Model)
    assert reads.types[1] is reads.type_after
    assert reads.type_after.__module__.startswith("keras.")


class Interrupts(callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise RuntimeError("interrupted")


def test_callbacks_backup_and_restore_continues_a_fit(digits, engine, tmp_path):
    def backup():
        return callbacks.BackupAndRestore(tmp_path / "backup", delete_checkpoint=False)

    params = {"epochs": 4, "init": "random", "learning_rate": 0.01}
    estimator = quick(engine, callbacks=[backup(), Interrupts()], **params)
    with pytest.raises(RuntimeError, match="interrupted"):
        estimator.fit(digits)
    history = callbacks.History()
    estimator.set_params(callbacks=[backup(), history]).fit(digits)
    assert history.epoch == [2, 3]
    assert estimator.n_iter_ == 2
    plain = quick(engine, **params).fit(digits).history_["loss"]
    assert estimator.history_["loss"][0] < plain[1]
    with pytest.raises(ValueError, match=r"after epoch 4 .* nothing is left to train"):
        estimator.fit(digits)
