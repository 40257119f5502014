"""Cost of callbacks of Keras and of checkpoints, against the same fit without them."""

import tempfile
from dataclasses import replace

from sklearn.datasets import load_digits

from skautoenc._training import checkpoint
from skautoenc._utils.patching import patched

from ._cases import Result, case, mnist, seconds, time_both
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


def _cost_by_epoch(make_callback, repeats):
    """Compare what a callback adds to an epoch to its methods on a model of Keras."""
    import keras

    recipe, n_epochs = replace(DIGITS_32, optimizer="nadam"), 400
    X = load_digits().data.astype("float32") / 16
    with_callback, plain = (
        recipe.estimator(epochs=n_epochs, random_state=0, callbacks=callbacks)
        for callbacks in ([make_callback()], None)
    )
    sides = time_both(lambda: with_callback.fit(X), lambda: plain.fit(X), repeats)
    added = [1e3 * (ours - base) / n_epochs for ours, base in zip(*sides, strict=True)]
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32)])
    model.compile("nadam", "mean_squared_error")
    callback = make_callback()
    callback.set_model(model)
    callback.on_train_begin()

    def call():
        for epoch in range(n_epochs):
            callback.on_epoch_begin(epoch)
            callback.on_epoch_end(epoch, {"loss": 1 / (epoch + 1)})

    call()
    alone = [1e3 * seconds(call) / n_epochs for _ in range(repeats)]
    return Result(added, alone, "ms")


def _title_of_epochs(name):
    return (
        f"digits-32 by TensorFlow (Nadam): time that {name} adds to an epoch, against "
        "Keras's code alone"
    )


@case(_title_of_epochs("EarlyStopping"), "")
def early_stopping_digits_32(data, repeats):
    from keras.callbacks import EarlyStopping

    return _cost_by_epoch(lambda: EarlyStopping("loss", patience=400), repeats)


@case(_title_of_epochs("ReduceLROnPlateau"), "")
def plateau_digits_32(data, repeats):
    from keras.callbacks import ReduceLROnPlateau

    return _cost_by_epoch(lambda: ReduceLROnPlateau("loss", patience=400), repeats)


@case(_title_of_epochs("LearningRateScheduler"), "")
def scheduler_digits_32(data, repeats):
    from keras.callbacks import LearningRateScheduler

    return _cost_by_epoch(
        lambda: LearningRateScheduler(lambda epoch, rate: 0.999 * rate), repeats
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
