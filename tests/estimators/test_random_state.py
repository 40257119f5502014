"""Same `random_state`, same bits; and nobody else's random numbers are touched."""

import random
import subprocess
import sys
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import global_states
from sklearn.base import clone

from skautoenc import AutoencoderTransformer, ConvNetwork, VariationalAutoencoder


@pytest.fixture(params=["adam", "nadam"])  # trained by NumPy, and by Keras's programs
def small(request, small):
    return small.set_params(optimizer=request.param)


def test_a_refit_and_a_clone_give_the_same_bits(small, digits):
    Z = small.fit_transform(digits)
    np.testing.assert_array_equal(small.fit_transform(digits), Z)
    np.testing.assert_array_equal(clone(small).fit_transform(digits), Z)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "nadam"])
def test_another_process_gives_the_same_bits(optimizer):
    code = f"""
import hashlib
from sklearn.datasets import load_digits
from skautoenc import AutoencoderTransformer, ConvNetwork, VariationalAutoencoder
X = load_digits().data[:300] / 16
Z = AutoencoderTransformer(
    3,
    hidden_layer_sizes=(8,),
    epochs=5,
    early_stopping=True,
    optimizer={optimizer!r},
    random_state=0,
).fit_transform(X)
print(hashlib.sha256(Z.tobytes()).hexdigest())
"""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    }
    assert len(outputs) == 1


def test_other_states_give_other_codes(small, digits):
    small.set_params(early_stopping=False)
    a = small.set_params(random_state=1).fit_transform(digits)
    b = small.set_params(random_state=2).fit_transform(digits)
    assert not np.allclose(a, b)


def test_none_is_different_at_every_fit(small, digits):
    # As asked, not as PCA, which is the same at every fit.
    small.set_params(random_state=None, early_stopping=False)
    assert not np.allclose(small.fit_transform(digits), small.fit_transform(digits))


def test_a_randomstate_instance_moves_on(small, digits):
    def codes(random_state):
        small.set_params(random_state=random_state)
        return [small.fit(digits).transform(digits) for _ in range(2)]

    first = codes(np.random.RandomState(3))
    again = codes(np.random.RandomState(3))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(*first)


def test_the_order_of_the_rows_does_not_matter(small, digits):
    order = np.random.default_rng(0).permutation(len(digits))
    small.set_params(early_stopping=True)
    a = small.fit(digits).transform(digits)
    b = small.fit(digits[order]).transform(digits)
    np.testing.assert_array_equal(a, b)


class ListensToBatches(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        pass


def test_global_states_stay_as_they_were(small, digits):
    def next_draws():
        return (
            tf.random.uniform((3,)).numpy().tolist(),
            np.asarray(keras.random.uniform((3,))).tolist(),
        )

    def seed():
        keras.utils.clear_session()  # older Keras does not seed its own generator
        keras.utils.set_random_seed(5)

    seed()
    wanted = next_draws()
    seed()
    before = global_states()
    for random_state in (0, None):
        small.set_params(random_state=random_state).fit(digits)
    small.autoencoder_.predict(digits, verbose=0)
    AutoencoderTransformer(
        2,
        network=lambda shape, k: noisy(shape, k),
        epochs=1,
        callbacks=[ListensToBatches()],  # runs on Model.fit
    ).fit(digits)
    assert global_states() == before
    assert next_draws() == wanted


def noisy(input_shape, n_components):
    encoder = keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.GaussianNoise(0.1),
            keras.layers.Dense(n_components),
        ]
    )
    decoder = keras.Sequential(
        [keras.Input((n_components,)), keras.layers.Dense(input_shape[0])]
    )
    return encoder, decoder


class BatchListener(keras.callbacks.Callback):
    """Listens to batches, so that Model.fit trains."""

    def on_train_batch_end(self, batch, logs=None):
        pass


SMALL = {"epochs": 1, "random_state": 0}
FITS = {
    "numpy": AutoencoderTransformer(2, hidden_layer_sizes=(4,), **SMALL),
    "compiled": AutoencoderTransformer(
        2, hidden_layer_sizes=(4,), optimizer="nadam", **SMALL
    ),
    "tied": AutoencoderTransformer(
        2, hidden_layer_sizes=(4,), tied_weights=True, **SMALL
    ),
    "variational": VariationalAutoencoder(2, hidden_layer_sizes=(4,), **SMALL),
    "convolutional": AutoencoderTransformer(
        2, network=ConvNetwork((8, 8, 1), filters=(2,)), **SMALL
    ),
    "own models": AutoencoderTransformer(3, network=noisy((64,), 3), **SMALL),
    "Model.fit": AutoencoderTransformer(
        2, hidden_layer_sizes=(4,), callbacks=[BatchListener()], **SMALL
    ),
}


@pytest.mark.parametrize("autoencoder", FITS.values(), ids=FITS)
def test_another_thread_draws_what_it_would_draw_alone_beside(autoencoder, digits):
    autoencoder = clone(autoencoder)  # Keras draws where it copies models
    python_state, numpy_state = random.getstate(), np.random.get_state()
    random.seed(5)
    np.random.seed(5)
    drawn, done = [], threading.Event()

    def draw():
        while not done.is_set():
            drawn.append((random.random(), np.random.random_sample()))
            time.sleep(1e-4)

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        fitted = autoencoder.fit(digits)
        fitted.transform(digits)
        assert fitted.autoencoder_.built
    finally:
        done.set()
        thread.join()
        random.setstate(python_state)
        np.random.set_state(numpy_state)
    python, numpy = random.Random(5), np.random.RandomState(5)
    assert drawn == [(python.random(), numpy.random_sample()) for _ in drawn]


def test_a_network_function_that_draws_is_seeded_by_the_random_state(digits):
    def drawing(input_shape, n_components):
        bias = keras.initializers.Constant(np.random.random() + random.random())
        dense = keras.layers.Dense(n_components, bias_initializer=bias)
        encoder = keras.Sequential([keras.Input(input_shape), dense])
        decoder = [keras.Input((n_components,)), keras.layers.Dense(*input_shape)]
        return encoder, keras.Sequential(decoder)

    def codes(seed):
        autoencoder = AutoencoderTransformer(
            2, network=drawing, init="random", epochs=1, random_state=seed
        )
        return autoencoder.fit(digits).transform(digits[:2])

    np.testing.assert_array_equal(codes(0), codes(0))
    assert not np.allclose(codes(0), codes(1))
