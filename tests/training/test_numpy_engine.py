"""The NumPy engine held against Model.fit, and what it is chosen for."""

import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from engines_under_test import plan_dense, train, train_dense
from helpers import assert_same, run_in_threads
from sklearn.base import clone
from threadpoolctl import threadpool_info, threadpool_limits

from skautoenc import AutoencoderTransformer, DenoisingAutoencoder, DenseNetwork
from skautoenc._backend.choice import keras_backend
from skautoenc._fitted.activations import ACTIVATIONS
from skautoenc._fitted.dense_spec import DenseSpec, LayerSpec
from skautoenc._fitted.network import FittedNetwork, config_of
from skautoenc._training import (
    Augmentation,
    Rows,
    TrainingConfig,
    TrainingState,
    make_numpy_engine,
    run_epochs,
)
from skautoenc._training.numpy_engine.optimizers import (
    NEUTRAL_SETTINGS,
    OPTIMIZERS,
    get_numpy_optimizer,
)
from skautoenc._utils.losses import MixedLoss, WeightedSquaredError
from skautoenc._utils.random import RandomStreams
from skautoenc.networks._dense import dense_pair
from skautoenc.networks._objectives import deterministic
from skautoenc.noise import gaussian

KERAS_OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.003, beta_1=0.8),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "nesterov": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "sgd": lambda: keras.optimizers.SGD(0.2),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.001, rho=0.8),
}


def trained_with_value_weights(X, weights, networks):
    """History and final weights of training on targets with a weight for each value."""
    loss = WeightedSquaredError()
    config = TrainingConfig(loss, "adam", None, batch_size=32, epochs=4)
    targets = np.hstack([X, weights], dtype=np.float32)
    augmentation = Augmentation(corruption=first_half)
    config = replace(config, augmentation=augmentation)
    with make_numpy_engine(networks, config, len(X)) as engine:
        state = TrainingState(RandomStreams.from_random_state(0))
        rows, validation = Rows.all(targets), Rows.all(targets[:50])
        history = run_epochs(engine, rows, validation, config, state).history
        return history, engine.get_weights()


def first_half(targets, rng, inputs):
    """Write inputs that are the values and zeros."""
    inputs[:] = targets
    inputs[:, targets.shape[1] // 2 :] = 0


def chain_with_zeros(n_features):
    """A network of rows and as many zeros, and one of the rows alone."""
    rng = np.random.default_rng(0)
    layers = LayerSpec(16, "relu"), LayerSpec(n_features)
    wide, narrow = (DenseSpec(n, layers) for n in (2 * n_features, n_features))
    kernel, *others = wide.initial_weights(rng)
    kernel[n_features:] = 0
    return [
        FittedNetwork(spec.to_config(), [k, *others])
        for spec, k in ((wide, kernel), (narrow, kernel[:n_features]))
    ]


def test_value_weights_of_one_are_the_mean_squared_error(digits):
    wide, narrow = chain_with_zeros(64)
    X = digits[:203]
    ours, our_weights = trained_with_value_weights(X, np.ones(X.shape), [wide])
    config = TrainingConfig("mse", "adam", None, batch_size=32, epochs=4)
    with make_numpy_engine([narrow], config, len(X)) as engine:
        state = TrainingState(RandomStreams.from_random_state(0))
        rows, validation = Rows.all(X), Rows.all(X[:50])
        theirs = run_epochs(engine, rows, validation, config, state).history
        weights = engine.get_weights()
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-5)
    np.testing.assert_allclose(ours["val_loss"], theirs["val_loss"], rtol=1e-5)
    np.testing.assert_allclose(our_weights[0][:64], weights[0], atol=1e-4)
    np.testing.assert_allclose(our_weights[2], weights[2], atol=1e-4)


def test_values_of_weight_zero_do_not_change_the_loss_and_the_gradient(digits):
    wide, _ = chain_with_zeros(64)
    X = digits[:203].copy()
    weights = (np.random.default_rng(0).random(X.shape) < 0.7).astype(np.float32)
    trainer = make_numpy_engine(
        [wide],
        TrainingConfig(WeightedSquaredError(), "sgd", 0.1, 203, 1),
        203,
    )._trainer
    inputs, results = np.hstack([X, np.zeros_like(X)]), []
    for values in (X, np.where(weights == 0, 99, X)):
        trainer.load(wide.weights)
        targets = np.hstack([values, weights], dtype=np.float32)
        losses = trainer.train(inputs, targets, None, len(inputs))
        results.append((losses[0], trainer.arrays()))
    outputs = wide(inputs)
    expected = np.sum(weights * (outputs - X) ** 2) / 64
    assert results[0][0] == pytest.approx(expected, rel=1e-5)
    assert results[1][0] == results[0][0]
    for a, b in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_array_equal(a, b)
    # The bias of the last layer moves against its gradient.
    gradient = 2 * np.mean(weights * (outputs - X), axis=0) / 64
    np.testing.assert_allclose(results[0][1][-1], -0.1 * gradient, atol=1e-6)


def plan_of(pair, **settings):
    how = {"loss": "mean_squared_error", "optimizer": "adam", "learning_rate": None}
    how |= {"batch_size": 32, "epochs": 8, "n_rows": 200}
    return plan_dense(pair, **how | settings)


def pair_of(network, n_features=64, n_components=4):
    return dense_pair(network, n_features, n_components, np.random.default_rng(0))


def curves(rows, network, *, loss="mean_squared_error", optimizer="adam", **settings):
    """History and final weights of both engines from one start."""
    settings = {"batch_size": 32, "epochs": 8, **settings}
    pair = pair_of(network)
    plan = plan_of(pair, loss=loss, optimizer=optimizer)
    plan.load([array for half in pair for array in half.weights])
    ours = train_dense(plan, rows, rng=np.random.default_rng(3), **settings)
    model = deterministic(*[half.to_keras() for half in pair]).model
    theirs = train(
        model,
        rows,
        loss=loss,
        optimizer=optimizer,
        engine="model_fit",
        rng=np.random.default_rng(3),
        **settings,
    )
    return (ours.history, plan.arrays()), (theirs.history, model.get_weights())


@pytest.mark.parametrize(
    ("loss", "regularized"),
    [
        ("mean_squared_error", False),
        ("mean_squared_error", True),
        ("binary_crossentropy", False),
        ("binary_crossentropy", True),
        ("mean_absolute_error", False),
    ],
)
@pytest.mark.parametrize("optimizer", KERAS_OPTIMIZERS)
def test_numpy_has_the_loss_curve_of_model_fit(digits, optimizer, loss, regularized):
    network = DenseNetwork(
        (16,),
        output_activation="sigmoid",
        kernel_regularizer=keras.regularizers.L1L2(1e-4, 1e-3) if regularized else None,
        activity_regularizer="l1" if regularized else None,
    )
    rows, validation = Rows.all(digits[:203]), Rows.all(digits[203:])
    optimizer = KERAS_OPTIMIZERS[optimizer]()
    assert_same(
        curves(rows, network, loss=loss, optimizer=optimizer, validation=validation)
    )


def test_mixed_loss_has_the_loss_curve_of_model_fit(digits):
    rows = digits.copy()
    groups = (4, 2, 60, 33), tuple(range(10, 20))
    for group in groups:
        shares = rows[:, group] + 0.01
        rows[:, group] = shares / shares.sum(axis=1, keepdims=True)
    weight = np.linspace(0.5, 3, 203, dtype=np.float32)
    training = Rows(rows[:203], np.arange(203), weight)
    loss = MixedLoss(groups, (0.4, 3.0))
    assert_same(
        curves(
            training, DenseNetwork((16,)), loss=loss, validation=Rows.all(rows[203:])
        )
    )


@pytest.mark.parametrize(
    "activation", [name for name, a in ACTIVATIONS.items() if a.derivative is not None]
)
def test_an_activation_has_the_derivative_that_keras_computes(digits, activation):
    network = DenseNetwork((12, 8), activation=activation, output_activation=activation)
    rows = Rows.all(digits)
    assert_same(curves(rows, network, optimizer=keras.optimizers.SGD(0.05)))


def test_weights_of_rows_enter_the_loss_as_in_keras(digits):
    weight = np.linspace(0.5, 3, 300, dtype=np.float32)
    rows = Rows(digits, np.arange(300), weight)
    assert_same(curves(rows, DenseNetwork((16,))))


def test_corrupted_rows_are_trained_on_as_in_keras(digits):
    calls = []

    def corrupt(X, rng, out):
        """Noise that does not depend on how many rows come at once."""
        calls.append(len(X))
        out[:] = X + 0.1 * np.sin(np.arange(64, dtype=np.float32))

    assert_same(curves(Rows.all(digits), DenseNetwork((16,)), corrupt=corrupt))
    assert calls


def test_settings_of_optimizers_are_those_of_keras():
    for name, kind in OPTIMIZERS.items():
        config = keras.optimizers.get(name).get_config()
        for key, value in kind.defaults.items():
            assert config.pop(key) == pytest.approx(value)
        for key in ("name", "ema_momentum"):
            config.pop(key)
        assert all(
            value in (None, NEUTRAL_SETTINGS.get(key)) for key, value in config.items()
        )


@pytest.mark.parametrize(
    "network",
    [
        DenseNetwork(),
        DenseNetwork((), code_activation="relu", output_activation="sigmoid"),
        DenseNetwork((5,), kernel_regularizer="l1", activity_regularizer="l2"),
        DenseNetwork((5,), kernel_regularizer=keras.regularizers.L2(0.3)),
    ],
)
def test_the_config_is_that_of_the_models_keras_builds(network):
    for ours, theirs in zip(pair_of(network), network((64,), 4), strict=True):
        assert config_of(ours.to_keras()) == config_of(theirs)


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "huber"},
        {"loss": "binary_crossentropy"},  # on what is not a sigmoid
        {"optimizer": "lion"},
        {"optimizer": keras.optimizers.Adam(clipnorm=1.0)},
        {"optimizer": keras.optimizers.SGD(weight_decay=0.1)},
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)},
    ],
)
def test_keras_trains_what_numpy_cannot(params):
    pair = pair_of(DenseNetwork((64,)))
    assert plan_of(pair) is not None
    assert plan_of(pair, **params) is None


def test_keras_trains_large_networks_except_with_torch():
    plan = plan_of(
        pair_of(DenseNetwork((64,))), epochs=100_000, batch_size=2000, n_rows=2000
    )
    assert (plan is None) == (keras_backend() != "torch")


@pytest.mark.tensorflow
def test_keras_trains_within_a_strategy(digits, small):
    import tensorflow as tf

    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        assert plan_of(pair_of(DenseNetwork())) is None


def test_a_fit_and_its_codes_need_no_tensorflow():
    code = """
import sys
from sklearn.datasets import load_iris
from skautoenc import AutoencoderTransformer, DenoisingAutoencoder
for kind in AutoencoderTransformer, DenoisingAutoencoder:
    Z = kind(2, epochs=2, early_stopping=True).fit_transform(load_iris().data)
    assert Z.shape == (150, 2)
l2 = {"class_name": "L2", "config": {"l2": 1e-4}}
estimator = AutoencoderTransformer(2, epochs=2, kernel_regularizer=l2)
assert "history_" in estimator.fit(load_iris().data)._repr_html_()
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_bits_do_not_depend_on_the_threads_of_blas():
    code = """
import hashlib
import numpy as np
from skautoenc import AutoencoderTransformer
X = np.random.default_rng(0).random((600, 300), np.float32)
estimator = AutoencoderTransformer(30, epochs=2, batch_size=300, random_state=0)
Z = estimator.fit_transform(X)
print(hashlib.sha256(Z.tobytes()).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            env={"OMP_NUM_THREADS": n, "OPENBLAS_NUM_THREADS": n},
        ).stdout
        for n in ("1", "2")
    }
    assert len(digests) == 1


def test_threads_of_blas_are_as_before_when_fits_at_once_are_over(digits, small):
    def n_threads():
        return [pool["num_threads"] for pool in threadpool_info()]

    with threadpool_limits(2, user_api="blas"):
        before = n_threads()
        assert 2 in before
        alone = clone(small).fit(digits).transform(digits)
        codes = run_in_threads(
            lambda _: clone(small).fit(digits).transform(digits), range(4)
        )
        assert n_threads() == before
    assert all(np.array_equal(found, alone) for found in codes)


def test_warm_start_goes_on_from_one_engine_to_the_other(digits, small):
    small.set_params(warm_start=True, epochs=20).fit(digits)  # NumPy
    first = small.history_["loss"][-1]
    small.set_params(optimizer="nadam").fit(digits)  # compiled
    assert small.history_["loss"][0] < 1.05 * first
    second = small.history_["loss"][-1]
    small.set_params(optimizer="adam").fit(digits)
    assert small.history_["loss"][0] < 1.05 * second


def test_noise_is_drawn_from_the_random_state(digits):
    def fitted(seed):
        estimator = DenoisingAutoencoder(3, epochs=3, random_state=seed)
        return estimator.fit(digits).transform(digits)

    assert np.array_equal(fitted(0), fitted(0))
    assert not np.array_equal(fitted(0), fitted(1))


def test_moments_of_units_that_stopped_learning_are_flushed_to_zero():
    adam = OPTIMIZERS["adam"](2, 0.001, 0.9, 0.999, 1e-7)
    weights = np.zeros(2, np.float32)
    adam.gradient[:] = 1, 0
    adam.update(weights)
    adam.gradient[:] = 0
    for _ in range(1999):
        adam.update(weights)
    moments = np.abs(adam.moments[0])
    assert not ((moments > 0) & (moments < np.finfo(np.float32).tiny)).any()


@pytest.mark.parametrize("name", KERAS_OPTIMIZERS)
def test_an_optimizer_continues_from_its_state(name):
    make = get_numpy_optimizer(KERAS_OPTIMIZERS[name](), None)
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(6, 5)).astype(np.float32)

    def update(optimizer, weights, gradients):
        for gradient in gradients:
            optimizer.gradient[:] = gradient
            optimizer.update(weights)
            optimizer.learning_rate *= 0.9

    first, second, wanted = make(5), make(5), np.zeros(5, np.float32)
    update(first, wanted, gradients[:3])
    weights, state = wanted.copy(), first.get_state()
    update(first, wanted, gradients[3:])
    second.set_state(state)
    update(second, weights, gradients[3:])
    np.testing.assert_array_equal(weights, wanted)
    assert second.learning_rate == first.learning_rate


def test_gaussian_noise_reaches_numpy_too(digits):
    rng = np.random.default_rng(0)
    noisy = gaussian(digits, 0.3, rng)
    denoiser = DenoisingAutoencoder(32, epochs=60, noise_level=0.3, random_state=0)
    cleaned = denoiser.fit(digits).reconstruct(noisy)
    assert np.mean((cleaned - digits) ** 2) < 0.5 * np.mean((noisy - digits) ** 2)


def test_the_cross_entropy_of_data_fitted_exactly_falls_to_zero(digits):
    X = (digits[:32] > 0.5).astype(np.float32)
    estimator = AutoencoderTransformer(
        32,
        hidden_layer_sizes=(64,),
        output_activation="sigmoid",
        loss="bce",
        learning_rate=0.01,
        epochs=600,
        random_state=0,
    )
    ours = estimator.fit(X).history_["loss"]
    clips = keras.optimizers.Adam(0.01, clipvalue=1e9)  # which NumPy's does not
    estimator.set_params(optimizer=clips)
    theirs = estimator.fit(X).history_["loss"]
    assert 0 <= ours[-1] < 1e-4
    np.testing.assert_allclose(ours, theirs, rtol=0.02)


@pytest.mark.parametrize(
    "params", [{"n_components": np.int64(3)}, {"batch_size": np.int32(16)}]
)
@pytest.mark.parametrize("optimizer", ["adam", "nadam"])
def test_integers_of_numpy_are_integers(digits, small, params, optimizer):
    small.set_params(optimizer=optimizer, **params).fit(digits)
    assert small.transform(digits).shape == (300, 3)


@pytest.mark.parametrize("sizes", [(0,), (-3,), (2.5,), -5, "ab"])
def test_sizes_of_a_network_that_is_given_are_checked(digits, sizes):
    network = DenseNetwork(sizes)
    with pytest.raises(ValueError, match="hidden_layer_sizes must hold positive"):
        AutoencoderTransformer(network=network).fit(digits)


def test_sigmoids_that_saturate_give_finite_losses():
    X = np.repeat(np.float32([[0, 1] * 8]), 64, axis=0)
    estimator = AutoencoderTransformer(
        1,
        hidden_layer_sizes=(),
        output_activation="sigmoid",
        loss="binary_crossentropy",
        optimizer="sgd",
        learning_rate=50.0,
        epochs=30,
        random_state=0,
    ).fit(X)
    assert 0 <= estimator.history_["loss"][-1] < 1e-2
