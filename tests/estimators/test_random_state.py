"""Same `random_state`, same bits; and nobody else's random numbers are touched."""

import contextlib
import io
import random
import threading
import time

import keras
import numpy as np
import pytest
from engines import ENGINES, engines_used
from helpers import (
    COMPILED,
    NOT_IN_NUMPY,
    assert_draws_nothing_global,
    make_autoencoder,
    run_python,
)
from sklearn.base import clone

from skautoenc import AutoencoderTransformer, ConvNetwork, VariationalAutoencoder

by_two_engines = pytest.mark.parametrize("engine", ["numpy", COMPILED], indirect=True)


@pytest.fixture
def small(engine):
    return make_autoencoder(**engine)


def test_random_state_gives_the_same_bits_in_a_refit_and_a_clone(small, digits):
    Z = small.fit_transform(digits)
    np.testing.assert_array_equal(small.fit_transform(digits), Z)
    np.testing.assert_array_equal(clone(small).fit_transform(digits), Z)


@pytest.mark.slow
def test_random_state_gives_the_same_bits_in_another_process():
    code = f"""
import hashlib, sys
from sklearn.datasets import load_digits
from skautoenc import AutoencoderTransformer
X = load_digits().data[:300] / 16
for params in ({{}}, {NOT_IN_NUMPY}):
    Z = AutoencoderTransformer(
        3,
        hidden_layer_sizes=(8,),
        epochs=5,
        early_stopping=True,
        random_state=0,
        **params,
    ).fit_transform(X)
    print(hashlib.sha256(Z.tobytes()).hexdigest(), "keras" in sys.modules)
"""
    lines = [line.split() for line in run_python(code).stdout.splitlines()]
    here = io.StringIO()
    with contextlib.redirect_stdout(here):
        exec(code, {})
    assert [line[0] for line in lines] == here.getvalue().split()[::2]
    assert [line[1] for line in lines] == ["False", "True"]


@by_two_engines
def test_random_state_changes_the_codes(small, digits):
    small.set_params(early_stopping=False)
    a = small.set_params(random_state=1).fit_transform(digits)
    b = small.set_params(random_state=2).fit_transform(digits)
    assert not np.allclose(a, b)


@by_two_engines
def test_random_state_none_differs_at_every_fit(small, digits):
    # As asked, not as PCA, which is the same at every fit.
    small.set_params(random_state=None, early_stopping=False)
    assert not np.allclose(small.fit_transform(digits), small.fit_transform(digits))


@by_two_engines
def test_random_state_instance_is_advanced(small, digits):
    def codes(random_state):
        small.set_params(random_state=random_state, early_stopping=False)
        return [small.fit(digits).transform(digits) for _ in range(2)]

    first = codes(np.random.RandomState(3))
    again = codes(np.random.RandomState(3))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(*first)


@by_two_engines
def test_fit_does_not_depend_on_the_order_of_the_rows(small, digits):
    order = np.random.default_rng(0).permutation(len(digits))
    small.set_params(early_stopping=True)
    a = small.fit(digits).transform(digits)
    b = small.fit(digits[order]).transform(digits)
    np.testing.assert_array_equal(a, b)


@by_two_engines
def test_fit_draws_nothing_from_global_generators(small, digits):
    with assert_draws_nothing_global():
        for random_state in (0, None):
            small.set_params(random_state=random_state).fit(digits)
        small.autoencoder_.predict(digits, verbose=0)


@pytest.mark.parametrize("engine", ["keras"], indirect=True)
def test_fit_of_a_network_with_random_layers_draws_nothing_from_global_generators(
    engine, digits
):
    with assert_draws_nothing_global():
        AutoencoderTransformer(
            2, network=lambda shape, k: noisy(shape, k), epochs=1, **engine
        ).fit(digits)


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


FITS = {
    **{name: make_autoencoder(epochs=1, **ENGINES[name]) for name in ENGINES},
    "tied": make_autoencoder(epochs=1, tied_weights=True),
    "variational": make_autoencoder(VariationalAutoencoder, epochs=1),
    "convolutional": make_autoencoder(
        epochs=1, network=ConvNetwork((8, 8, 1), filters=(2,))
    ),
    "own models": make_autoencoder(epochs=1, network=noisy((64,), 3)),
}


@pytest.mark.parametrize("kind", FITS)
def test_fit_does_not_disturb_random_draws_of_another_thread(kind, digits):
    autoencoder = clone(FITS[kind])  # Keras draws where it copies models
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
        with engines_used() as used:
            fitted = autoencoder.fit(digits)
        fitted.transform(digits)
        assert fitted.autoencoder_.built
    finally:
        done.set()
        thread.join()
        random.setstate(python_state)
        np.random.set_state(numpy_state)
    assert used == {kind if kind in ENGINES else COMPILED}
    python, numpy = random.Random(5), np.random.RandomState(5)
    assert drawn == [(python.random(), numpy.random_sample()) for _ in drawn]


def test_random_state_seeds_a_network_function_that_draws(digits):
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
