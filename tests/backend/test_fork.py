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

from skautoenc import AutoencoderImputer, AutoencoderTransformer, ConvNetwork

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
    answers = receiver.poll(400)
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


@pytest.fixture(scope="module")
def each_fitted(digits):
    fitted = {name: clone(ESTIMATORS[name]).fit(digits) for name in ESTIMATORS}
    # So TensorFlow runs in this process.
    assert all(estimator.encoder_.built for estimator in fitted.values())
    return fitted


@pytest.fixture(scope="module")
def fitted(each_fitted):
    return each_fitted["convolutional"]


WORK = []


def in_one_fork(work):
    """Register a function that `fork` calls with the fixtures that it has."""
    WORK.append(work)
    return work


@pytest.fixture(scope="module")
def fork(digits, each_fitted, fitted, with_custom_layers, tmp_path_factory):
    """A function that gives what a registered function returned, or raises its error.

    One forked process calls all of them, in the order of this file, as each subprocess
    takes seconds to start.
    """
    fixtures = {
        "digits": digits,
        "each_fitted": each_fitted,
        "fitted": fitted,
        "with_custom_layers": with_custom_layers,
        "folder": tmp_path_factory.mktemp("fork"),
    }

    def outcome(work):
        try:
            return work(**fixtures)
        except BaseException as error:
            return error

    outcomes = in_a_fork(lambda: [outcome(work) for work in WORK])

    def result(work):
        found = outcomes[WORK.index(work)]
        if isinstance(found, BaseException):
            raise found
        return found

    return result


@in_one_fork
def call_in_threads(digits, fitted, **_):
    """Called first, so that the threads start the subprocess."""
    started_before = children()
    results = run_in_threads(
        lambda _: (fitted.transform(digits), fitted.score(digits)), range(8)
    )
    clone(fitted).fit(digits)
    return results, started_before, children()


def test_subprocess_is_shared_by_the_threads_of_a_forked_process(digits, fitted, fork):
    results, started_before, started = fork(call_in_threads)
    wanted = fitted.transform(digits), fitted.score(digits)
    assert not started_before
    assert len(started) == 1
    assert len(results) == 8
    for codes, score in results:
        np.testing.assert_array_equal(codes, wanted[0])
        assert score == wanted[1]
    (last,) = fork(subprocesses_at_the_end)
    deadline = time.monotonic() + 60
    while last in running():  # it ends with the process
        assert time.monotonic() < deadline


@in_one_fork
def fit_and_transform(digits, each_fitted, **_):
    def results_of(fitted):
        again = clone(fitted).fit(digits)
        again_codes, ratio = again.transform(digits), again.explained_variance_ratio_
        return fitted.transform(digits), fitted.score(digits), again_codes, ratio

    return {name: results_of(fitted) for name, fitted in each_fitted.items()}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_fit_and_transform_work_in_a_forked_process(digits, each_fitted, fork, name):
    codes, score, codes_again, ratio_again = fork(fit_and_transform)[name]
    fitted = each_fitted[name]
    np.testing.assert_array_equal(codes, fitted.transform(digits))
    np.testing.assert_array_equal(codes_again, codes)
    np.testing.assert_array_equal(ratio_again, fitted.explained_variance_ratio_)
    assert score == fitted.score(digits)


def imputer_of_images(**params):
    network = ConvNetwork((8, 8, 1), filters=(2,))
    return AutoencoderImputer(network=network, epochs=2, random_state=0, **params)


def with_holes(X):
    return np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)


@in_one_fork
def fit_an_imputer(digits, **_):
    holes, history = with_holes(digits), keras.callbacks.History()
    filled = imputer_of_images(callbacks=[history]).fit_transform(holes)
    return filled, history.history


def test_imputer_works_in_a_forked_process(digits, fork):
    filled, history = fork(fit_an_imputer)
    imputer, holes = imputer_of_images(), with_holes(digits)
    np.testing.assert_array_equal(filled, imputer.fit_transform(holes))
    assert history == imputer.history_[-1]


@in_one_fork
def warn_and_fail(digits, fitted, **_):
    class Warning_(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            warnings.warn("said in training", stacklevel=1)

    with pytest.warns(UserWarning, match="said in training"):
        clone(fitted).set_params(callbacks=[Warning_()]).fit(digits)
    with pytest.raises(ValueError, match="nonsense") as caught:
        clone(fitted).set_params(loss="nonsense").fit(digits)
    return str(caught.value)


def test_subprocess_errors_and_warnings_are_raised_in_the_fork(fork):
    assert "loss" in fork(warn_and_fail)


@in_one_fork
def record(digits, fitted, folder, **_):
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


def test_callbacks_records_are_copied_back_from_the_subprocess(
    digits, fitted, fork, tmp_path
):
    wanted = record(digits, fitted, tmp_path)
    assert len(wanted[0]["loss"]) == 2
    assert fork(record) == wanted


@in_one_fork
def record_and_fail(digits, fitted, **_):
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.seen = epoch
            raise LookupError("no such epoch")

    callback = Failing()
    estimator = clone(fitted)
    estimator.callbacks = [callback]
    with pytest.raises(LookupError, match="no such epoch"):
        estimator.fit(digits)
    return callback.seen


def test_callbacks_records_are_copied_back_when_the_fit_fails(fork):
    assert fork(record_and_fail) == 0


@in_one_fork
def record_locks(digits, fitted, **_):
    class Locked(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.lock = threading.Lock()

    class LockedLater(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            self.lock, self.ended = threading.Lock(), True

    estimator = clone(fitted)
    estimator.callbacks = [Locked()]
    with pytest.raises(TypeError, match=r"callbacks cannot be copied.*lock"):
        estimator.fit(digits)
    estimator.callbacks = [LockedLater()]
    with pytest.warns(UserWarning, match="attribute 'lock' of LockedLater"):
        estimator.fit(digits)
    return estimator.callbacks[0].ended


def test_callbacks_that_cannot_be_copied_are_refused_in_a_fork(fork):
    assert fork(record_locks)


@pytest.fixture(scope="module")
def with_custom_layers(digits):
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
    return own.fit(digits)


@in_one_fork
def call_custom_layers(digits, with_custom_layers, **_):
    again = clone(with_custom_layers).fit(digits)
    return with_custom_layers.transform(digits), again.transform(digits)


def test_network_with_custom_layers_works_in_the_subprocess(
    digits, with_custom_layers, fork
):
    codes = with_custom_layers.transform(digits)
    np.testing.assert_array_equal(fork(call_custom_layers), [codes] * 2)


@in_one_fork
def fork_again(digits, fitted, **_):
    fitted.transform(digits)
    ours = children()

    def in_the_fork():
        codes = fitted.transform(digits)
        return codes, children()

    codes, theirs = in_a_fork(in_the_fork)
    return codes, fitted.transform(digits), ours == children(), ours != theirs


@pytest.mark.slow
def test_subprocess_is_not_shared_with_a_fork_of_a_fork(digits, fitted, fork):
    *both, is_kept, is_another = fork(fork_again)
    np.testing.assert_array_equal(both, [fitted.transform(digits)] * 2)
    assert is_kept
    assert is_another


@in_one_fork
def kill(digits, fitted, **_):
    fitted.transform(digits)
    (killed,) = children()
    os.kill(killed, signal.SIGKILL)
    codes = fitted.transform(digits)
    return killed, children(), codes


@pytest.mark.slow
def test_subprocess_that_was_killed_is_replaced(digits, fitted, fork):
    killed, started, codes = fork(kill)
    assert len(started) == 1
    assert started != [killed]
    np.testing.assert_array_equal(codes, fitted.transform(digits))


@in_one_fork
def interrupt(digits, fitted, **_):
    fitted.transform(digits)
    (busy,) = children()
    long = clone(fitted).set_params(epochs=10**6)
    threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        long.fit(digits)
    return busy in children(), fitted.transform(digits)


@pytest.mark.slow
def test_subprocess_fit_ends_at_an_interrupt_and_later_calls_work(digits, fitted, fork):
    goes_on, codes = fork(interrupt)
    assert not goes_on
    np.testing.assert_array_equal(codes, fitted.transform(digits))


@in_one_fork
def exit_in_a_fit(digits, fitted, **_):
    class Exit(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            os._exit(7)

    with pytest.raises(RuntimeError, match=r"status 7.*spawn"):
        clone(fitted).set_params(callbacks=[Exit()]).fit(digits)
    return fitted.transform(digits)


@pytest.mark.slow
def test_subprocess_that_exits_during_a_fit_is_reported(digits, fitted, fork):
    np.testing.assert_array_equal(fork(exit_in_a_fit), fitted.transform(digits))


@in_one_fork
def subprocesses_at_the_end(**_):
    return children()


@pytest.mark.slow
def test_subprocess_works_with_closed_standard_streams(digits, fitted):
    def work():
        for descriptor in (0, 1, 2):
            os.close(descriptor)
        # The fit starts the subprocess.
        return clone(fitted).fit(digits).transform(digits), fitted.transform(digits)

    wanted = fitted.transform(digits)
    np.testing.assert_array_equal(in_a_fork(work), [wanted, wanted])


@pytest.mark.parametrize("name", ESTIMATORS)
def test_set_callbacks_is_refused_where_a_fork_needs_the_subprocess(
    digits, each_fitted, name
):
    monitor = ScoringMonitor(scoring={"score": lambda fitted, X, y: fitted.score(X)})
    estimator = clone(each_fitted[name]).set_callbacks(monitor)
    y = np.zeros(len(digits))
    if name == "numpy":
        n_logged = in_a_fork(
            lambda: len(estimator.fit(digits, y) and monitor.get_logs().data)
        )
        assert n_logged > 0
    else:
        with pytest.raises(RuntimeError, match=r"set_callbacks: .*spawn"):
            in_a_fork(lambda: estimator.fit(digits, y))


def test_encoder_attribute_is_refused_in_a_fork(fitted):
    assert fitted.encoder_.built
    with pytest.raises(RuntimeError, match="spawn"):
        in_a_fork(lambda: fitted.encoder_)
