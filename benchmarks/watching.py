"""Cost of progress bars, and the time from Ctrl-C to the end of a fit."""

import contextlib
import os
import pty
import signal
import threading
import warnings
from time import perf_counter, process_time

from sklearn.callback import ProgressBar
from sklearn.datasets import load_digits
from sklearn.preprocessing import MinMaxScaler

from skautoenc._training.numpy_engine import engine as numpy_engine
from skautoenc._utils.patching import patched

from ._cases import Result, case, mnist, time_both
from .recipes import DIGITS_32, MNIST_DEEP, MNIST_SIMPLE


@contextlib.contextmanager
def terminal():
    """Make standard output a terminal that discards what is written."""
    ours, theirs = pty.openpty()

    def read():
        with contextlib.suppress(OSError):  # raised when the other end is closed
            while os.read(ours, 2**16):
                pass

    reader = threading.Thread(target=read)
    reader.start()
    with open(theirs, "w") as file, contextlib.redirect_stdout(file):
        yield
    reader.join()
    os.close(ours)


def _cost(recipe, X, epochs, repeats, *, verbose=0, callbacks=()):
    """Compare a fit with progress bars to one without."""
    params = {"epochs": epochs, "random_state": 0}
    watched = recipe.estimator(verbose=verbose, **params).set_callbacks(*callbacks)
    plain = recipe.estimator(**params)
    with terminal():
        return Result(*time_both(lambda: watched.fit(X), lambda: plain.fit(X), repeats))


def _digits():
    return MinMaxScaler().fit_transform(load_digits().data).astype("float32")


@case("digits-32, 100 epochs: fit with verbose=1, against verbose=0", "1/1.05")
def verbose_digits_32(data, repeats):
    return _cost(DIGITS_32, _digits(), 100, 10 * repeats, verbose=1)


@case("digits-32, 100 epochs: fit with scikit-learn's ProgressBar", "1/1.05")
def progress_bar_digits_32(data, repeats):
    return _cost(DIGITS_32, _digits(), 100, 10 * repeats, callbacks=[ProgressBar()])


@case(
    "mnist-simple, 10 epochs: fit with verbose=1, against verbose=0",
    "1/1.05",
    needs_data=True,
)
def verbose_mnist_simple(data, repeats):
    return _cost(MNIST_SIMPLE, mnist(data), 10, repeats, verbose=1)


@case(
    "mnist-simple, 10 epochs: fit with scikit-learn's ProgressBar",
    "1/1.05",
    needs_data=True,
)
def progress_bar_mnist_simple(data, repeats):
    return _cost(MNIST_SIMPLE, mnist(data), 10, repeats, callbacks=[ProgressBar()])


@case(
    "the same: processor time of all threads",
    "1/1.05",
    needs_data=True,
)
def progress_bar_processor_time(data, repeats):
    X, params = mnist(data), {"epochs": 10, "random_state": 0}
    watched = MNIST_SIMPLE.estimator(**params).set_callbacks(ProgressBar())
    sides = [], []
    with terminal():
        for _ in range(repeats + 1):
            for side, estimator in zip(
                sides, (watched, MNIST_SIMPLE.estimator(**params)), strict=True
            ):
                start = process_time()
                estimator.fit(X)
                side.append(process_time() - start)
    return Result(*(side[1:] for side in sides))


class Interrupts:
    """A callback of scikit-learn that sends Ctrl-C within the third epoch."""

    def setup(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context):
        if context.task_name != "epoch":
            return
        if context.task_id == 1:
            self._started = perf_counter()
        elif context.task_id == 2:
            self.epoch = perf_counter() - self._started
            threading.Timer(self.epoch / 2, self._interrupt).start()

    def on_fit_task_end(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def _interrupt(self):
        self.sent = perf_counter()
        os.kill(os.getpid(), signal.SIGINT)


def _interrupted(data, repeats, **params):
    """Measure the time from Ctrl-C to the return of `fit`, and that of an epoch."""
    X, callback = mnist(data), Interrupts()
    estimator = MNIST_DEEP.estimator(epochs=100, **params).set_callbacks(callback)
    ours, baseline = [], []
    for seed in range(repeats):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Training was interrupted")
            estimator.set_params(random_state=seed).fit(X)
        ours.append(perf_counter() - callback.sent)
        baseline.append(callback.epoch)
    return Result(ours, baseline)


def _interrupt_case(engine):
    title = f"mnist-deep, {engine}: from Ctrl-C to the end of fit, against an epoch"
    return case(title, "<= 1 s", needs_data=True)


@_interrupt_case("NumPy engine")
def interrupt_numpy(data, repeats):
    with patched(numpy_engine, "_BREAK_EVEN_STEP", 1e12):
        return _interrupted(data, repeats)


@_interrupt_case("TensorFlow engine")
def interrupt_tensorflow(data, repeats):
    return _interrupted(data, repeats)


@_interrupt_case("Model.fit")
def interrupt_model_fit(data, repeats):
    import keras  # not before other cases

    class ListensToBatches(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None): ...

    return _interrupted(data, repeats, callbacks=[ListensToBatches()])
