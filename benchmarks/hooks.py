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


def _callback_cost(recipe, X, epochs, repeats):
    import keras

    callback = keras.callbacks.EarlyStopping("loss", patience=epochs)
    return _cost(recipe, X, epochs, repeats, callbacks=[callback])


@case(
    "digits-32 by TensorFlow (Nadam), 100 epochs: Keras's EarlyStopping, against none",
    "1/1.05",
)
def callback_digits_32(data, repeats):
    X = load_digits().data.astype("float32") / 16
    return _callback_cost(replace(DIGITS_32, optimizer="nadam"), X, 100, repeats)


@case(
    "mnist-simple, 10 epochs: Keras's EarlyStopping, against none",
    "1/1.05",
    needs_data=True,
)
def callback_mnist_simple(data, repeats):
    return _callback_cost(MNIST_SIMPLE, mnist(data), 10, repeats)


@case(
    "mnist-simple, 10 epochs: a checkpoint after every epoch, against none",
    "1/1.1",
    needs_data=True,
)
def checkpoint_mnist_simple(data, repeats):
    every_epoch = patched(checkpoint, "_MAX_SHARE", float("inf"))
    with tempfile.TemporaryDirectory() as folder, every_epoch:
        return _cost(MNIST_SIMPLE, mnist(data), 10, repeats, checkpoint=folder)
