"""A process that was forked after a fit fits and encodes as any other."""

import csv
import multiprocessing
import os
import signal
import threading
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import run_in_threads
from sklearn.base import clone
from sklearn.callback import ScoringMonitor

from skautoenc import AutoencoderTransformer, ConvNetwork

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")

ESTIMATORS = {
    "numpy": AutoencoderTransformer(
        2, hidden_layer_sizes=(8,), batch_size=64, epochs=1, random_state=0
    ),
    "convolutional": AutoencoderTransformer(
        None,
        network=ConvNetwork((8, 8, 1), filters=(2,)),
        epochs=2,
        batch_size=64,
        random_state=0,
    ),
}


def in_a_fork(function):
    """What a function returns in a forked process, or raises."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work():
        try:
            sender.send(function())
        except Exception as error:
            sender.send(error)

    process = context.Process(target=work)
    process.start()
    answers = receiver.poll(120)
    result = receiver.recv() if answers else None
    process.join(10)
    process.kill()
    assert answers
    if isinstance(result, Exception):
        raise result
    return result


def running():
    """The number of each running process, with that of its parent."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has ended meanwhile
            continue
        if state != "Z":
            found[int(status.parent.name)] = int(parent)
    return found


def children():
    """The running processes that this one has started."""
    return [process for process, parent in running().items() if parent == os.getpid()]


@pytest.fixture(scope="module", params=ESTIMATORS.values(), ids=ESTIMATORS)
def each(request, digits):
    fitted = clone(request.param).fit(digits)
    assert fitted.encoder_.built  # so TensorFlow runs in this process
    return fitted


@pytest.fixture(scope="module")
def fitted(digits):
    return clone(ESTIMATORS["convolutional"]).fit(digits)


def test_fit_and_transform_work_in_a_forked_process(digits, each):
    def work():
        again = clone(each).fit(digits)
        return each.transform(digits), each.score(digits), again.transform(digits)

    codes, score, codes_again = in_a_fork(work)
    np.testing.assert_array_equal(codes, each.transform(digits))
    np.testing.assert_array_equal(codes_again, codes)
    assert score == each.score(digits)


def test_subprocess_is_shared_by_the_threads_of_a_forked_process(digits, fitted):
    def work():
        results = run_in_threads(
            lambda _: (fitted.transform(digits), fitted.score(digits)), range(8)
        )
        clone(fitted).fit(digits)
        return results, children()

    results, started = in_a_fork(work)
    wanted = fitted.transform(digits), fitted.score(digits)
    assert len(started) == 1
    assert len(results) == 8
    for codes, score in results:
        np.testing.assert_array_equal(codes, wanted[0])
        assert score == wanted[1]
    deadline = time.monotonic() + 60
    while started[0] in running():  # it ends with the process
        assert time.monotonic() < deadline


@pytest.mark.slow
def test_subprocess_that_was_killed_is_replaced(digits, fitted):
    def work():
        fitted.transform(digits)
        (killed,) = children()
        os.kill(killed, signal.SIGKILL)
        codes = fitted.transform(digits)
        return killed, children(), codes

    killed, started, codes = in_a_fork(work)
    assert len(started) == 1
    assert started != [killed]
    np.testing.assert_array_equal(codes, fitted.transform(digits))


@pytest.mark.slow
def test_subprocess_is_not_shared_with_a_fork_of_a_fork(digits, fitted):
    def work():
        fitted.transform(digits)
        ours = children()

        def in_the_fork():
            codes = fitted.transform(digits)
            return codes, children()

        codes, theirs = in_a_fork(in_the_fork)
        return codes, fitted.transform(digits), ours == children(), ours != theirs

    *both, is_kept, is_another = in_a_fork(work)
    np.testing.assert_array_equal(both, [fitted.transform(digits)] * 2)
    assert is_kept
    assert is_another


@pytest.mark.slow
def test_subprocess_fit_ends_at_an_interrupt_and_later_calls_work(digits, fitted):
    def work():
        fitted.transform(digits)
        (busy,) = children()
        long = clone(fitted).set_params(epochs=10**6)
        threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            long.fit(digits)
        return busy in children(), fitted.transform(digits)

    goes_on, codes = in_a_fork(work)
    assert not goes_on
    np.testing.assert_array_equal(codes, fitted.transform(digits))


@pytest.mark.slow
def test_subprocess_works_with_closed_standard_streams(digits, fitted):
    def work():
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        return fitted.transform(digits), clone(fitted).fit(digits).transform(digits)

    wanted = fitted.transform(digits)
    np.testing.assert_array_equal(in_a_fork(work), [wanted, wanted])


def test_subprocess_errors_and_warnings_are_raised_in_the_fork(digits, fitted):
    class Warning_(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            warnings.warn("said in training", stacklevel=1)

    def work():
        with pytest.warns(UserWarning, match="said in training"):
            clone(fitted).set_params(callbacks=[Warning_()]).fit(digits)
        with pytest.raises(ValueError, match="nonsense") as caught:
            clone(fitted).set_params(loss="nonsense").fit(digits)
        return str(caught.value)

    assert "loss" in in_a_fork(work)


@pytest.mark.slow
def test_subprocess_that_exits_during_a_fit_is_reported(digits, fitted):
    class Exit(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            os._exit(7)

    def work():
        with pytest.raises(RuntimeError, match=r"status 7.*spawn"):
            clone(fitted).set_params(callbacks=[Exit()]).fit(digits)
        return fitted.transform(digits)

    np.testing.assert_array_equal(in_a_fork(work), fitted.transform(digits))


def test_callbacks_records_are_copied_back_from_the_subprocess(
    digits, fitted, tmp_path
):
    class Recorder(keras.callbacks.Callback):
        losses = []

        def __init__(self, last, by_epoch):
            super().__init__()
            self.last, self.by_epoch = last, by_epoch

        def on_epoch_end(self, epoch, logs=None):
            self.last["loss"] = logs["loss"]
            self.by_epoch[epoch] = logs["loss"]
            self.losses.append(logs["loss"])
            self.n_epochs = epoch + 1

    def callbacks(folder):
        last, by_epoch, listed, n = {}, np.zeros(2), [], 0

        def listen(epoch, logs):
            nonlocal n
            n += 1
            listed.append(logs["loss"])

        chosen = [
            keras.callbacks.History(),
            keras.callbacks.CSVLogger(folder / "log.csv"),
            keras.callbacks.EarlyStopping(monitor="loss"),
            keras.callbacks.ModelCheckpoint(folder / "model.keras", monitor="loss"),
            keras.callbacks.LambdaCallback(on_epoch_end=listen),
            Recorder(last, by_epoch),
        ]
        return chosen, lambda: (last, by_epoch.tolist(), listed, n)

    def recorded(folder):
        folder.mkdir()
        Recorder.losses.clear()
        chosen, of_closures = callbacks(folder)
        estimator = clone(fitted)
        estimator.callbacks = chosen
        estimator.fit(digits)
        history, log, stopping, checkpoint, _, recorder = chosen
        with open(folder / "log.csv") as file:
            rows = list(csv.reader(file))
        return (
            *(history.history, history.epoch, log.csv_file.closed, rows),
            *(stopping.best, stopping.wait, checkpoint.best),
            *((folder / "model.keras").exists(), of_closures()),
            *(Recorder.losses, recorder.n_epochs),
        )

    wanted = recorded(tmp_path / "here")
    assert len(wanted[0]["loss"]) == 2
    assert in_a_fork(lambda: recorded(tmp_path / "there")) == wanted


def test_callbacks_records_are_copied_back_when_the_fit_fails(digits, fitted):
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.seen = epoch
            raise LookupError("no such epoch")

    def work():
        callback = Failing()
        estimator = clone(fitted)
        estimator.callbacks = [callback]
        with pytest.raises(LookupError, match="no such epoch"):
            estimator.fit(digits)
        return callback.seen

    assert in_a_fork(work) == 0


def test_callbacks_that_cannot_be_copied_are_refused_in_a_fork(digits, fitted):
    class Locked(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.lock = threading.Lock()

    class LockedLater(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.lock, self.ended = threading.Lock(), True

    def work():
        estimator = clone(fitted)
        estimator.callbacks = [Locked()]
        with pytest.raises(TypeError, match=r"callbacks cannot be copied.*lock"):
            estimator.fit(digits)
        estimator.callbacks = [LockedLater()]
        with pytest.warns(UserWarning, match="attribute 'lock' of LockedLater"):
            estimator.fit(digits)
        return estimator.callbacks[0].ended

    assert in_a_fork(work)


def test_set_callbacks_is_refused_where_a_fork_needs_the_subprocess(digits, each):
    monitor = ScoringMonitor(scoring={"score": lambda fitted, X, y: fitted.score(X)})
    estimator = clone(each).set_callbacks(monitor)
    y = np.zeros(len(digits))
    if each.network == "dense":
        n_logged = in_a_fork(
            lambda: len(estimator.fit(digits, y) and monitor.get_logs().data)
        )
        assert n_logged > 0
    else:
        with pytest.raises(RuntimeError, match=r"set_callbacks: .*spawn"):
            in_a_fork(lambda: estimator.fit(digits, y))


def test_network_with_custom_layers_works_in_the_subprocess(digits):
    @keras.saving.register_keras_serializable("test_fork")
    class Doubled(keras.layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    @keras.saving.register_keras_serializable("test_fork")
    def bent(inputs):
        return inputs + 0.1 * keras.ops.square(inputs)

    def network(input_shape, n_components):
        dense = keras.layers.Dense(n_components, activation=bent)
        encoder = keras.Sequential([keras.Input(input_shape), dense, Doubled()])
        decoder = [keras.Input((n_components,)), keras.layers.Dense(*input_shape)]
        return encoder, keras.Sequential(decoder)

    own = AutoencoderTransformer(2, network=network, epochs=1, random_state=0)
    own.fit(digits)

    def work():
        return own.transform(digits), clone(own).fit(digits).transform(digits)

    np.testing.assert_array_equal(in_a_fork(work), [own.transform(digits)] * 2)


def test_encoder_attribute_is_refused_in_a_fork(fitted):
    assert fitted.encoder_.built
    with pytest.raises(RuntimeError, match="spawn"):
        in_a_fork(lambda: fitted.encoder_)
