"""Cost of callbacks of Keras and of checkpoints, against the same fit without them."""

import contextlib
import tempfile
from dataclasses import replace
from time import thread_time

from sklearn.datasets import load_digits

from skautoenc._training import checkpoint
from skautoenc._utils.patching import patched

from ._cases import Result, case, mnist, time_both
from .recipes import DIGITS_32, MNIST_SIMPLE


def _cost(recipe, X, epochs, repeats, **params):
    """Time fits with and without some parameters."""
    ours = recipe.estimator(epochs=epochs, random_state=0, **params)
    plain = recipe.estimator(epochs=epochs, random_state=0)
    return Result(*time_both(lambda: ours.fit(X), lambda: plain.fit(X), repeats))


@case(
    "digits-32 by TensorFlow (Nadam), 400 epochs: a Keras callback that reads the "
    "losses, against none",
    "1/1.05",
)
def callback_digits_32(data, repeats):
    import keras

    losses = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: losses.append(logs["loss"])
    )
    X = load_digits().data.astype("float32") / 16
    recipe = replace(DIGITS_32, optimizer="nadam")
    return _cost(recipe, X, 400, repeats, callbacks=[callback])


def _cost_by_epoch(kind, repeats, *args, **params):
    """Compare what a callback adds to a fit to what its methods take in it.

    The time is that of the processor for this thread, as other threads and programs
    take more than callbacks do.
    """
    recipe = replace(DIGITS_32, optimizer="nadam")
    X = load_digits().data.astype("float32") / 16
    with_callback, plain = (
        recipe.estimator(epochs=400, random_state=0, callbacks=callbacks)
        for callbacks in ([kind(*args, **params)], None)
    )
    seconds = 0.0

    def timed(method):
        def call(*args):
            nonlocal seconds
            start = thread_time()
            method(*args)
            seconds += thread_time() - start

        return call

    added, in_methods = [], []
    with contextlib.ExitStack() as stack:
        for name in ("on_epoch_begin", "on_epoch_end"):
            if name in vars(kind):
                method = timed(getattr(kind, name))
                stack.enter_context(patched(kind, name, method))
        for _ in range(repeats + 1):
            fit, seconds = _processor_time(lambda: plain.fit(X)), 0.0
            added.append(
                100 * (_processor_time(lambda: with_callback.fit(X)) / fit - 1)
            )
            in_methods.append(100 * seconds / fit)
    return Result(added[1:], in_methods[1:], "%")


def _processor_time(function):
    """Return the processor time of a call in this thread, in seconds."""
    start = thread_time()
    function()
    return thread_time() - start


def _title_of_epochs(name):
    return (
        f"digits-32 by TensorFlow (Nadam), 400 epochs: processor time that {name} "
        "adds, against its methods in the fit"
    )


@case(_title_of_epochs("EarlyStopping"), "<= 5 %")
def early_stopping_digits_32(data, repeats):
    from keras.callbacks import EarlyStopping

    return _cost_by_epoch(EarlyStopping, repeats, "loss", patience=400)


@case(_title_of_epochs("ReduceLROnPlateau"), "<= 5 %")
def plateau_digits_32(data, repeats):
    from keras.callbacks import ReduceLROnPlateau

    return _cost_by_epoch(ReduceLROnPlateau, repeats, "loss", patience=400)


@case(_title_of_epochs("LearningRateScheduler"), "<= 5 %")
def scheduler_digits_32(data, repeats):
    from keras.callbacks import LearningRateScheduler

    return _cost_by_epoch(
        LearningRateScheduler, repeats, lambda epoch, rate: 0.999 * rate
    )


@case(
    "mnist-simple, 10 epochs: EarlyStopping, ReduceLROnPlateau and CSVLogger, "
    "against none",
    "1/1.05",
    needs_data=True,
)
def callback_mnist_simple(data, repeats):
    from keras import callbacks

    with tempfile.TemporaryDirectory() as folder:
        used = [
            callbacks.EarlyStopping("loss", patience=10),
            callbacks.ReduceLROnPlateau("loss", patience=10),
            callbacks.CSVLogger(f"{folder}/log.csv"),
        ]
        return _cost(MNIST_SIMPLE, mnist(data), 10, repeats, callbacks=used)


@case(
    "mnist-simple, 10 epochs: a checkpoint after every epoch, against none",
    "1/1.1",
    needs_data=True,
)
def checkpoint_mnist_simple(data, repeats):
    every_epoch = patched(checkpoint, "_MAX_SHARE", float("inf"))
    with tempfile.TemporaryDirectory() as folder, every_epoch:
        return _cost(MNIST_SIMPLE, mnist(data), 10, repeats, checkpoint=folder)
