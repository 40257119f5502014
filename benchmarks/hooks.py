"""Cost of callbacks of Keras and of checkpoints, against the same fit without them."""

import tempfile
from dataclasses import replace

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
