"""The compiled engine held against Model.fit, and the programs that fits share."""

import threading
import warnings
from contextlib import contextmanager, nullcontext

import cloudpickle
import keras
import numpy as np
import pytest
from engines_under_test import train
from helpers import COMPILED, assert_same

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    DenseNetwork,
    VariationalAutoencoder,
)
from skautoenc._backend.keras import isolated_random_state
from skautoenc._training import Rows
from skautoenc._training.compiled import program_choice
from skautoenc._training.compiled.cache import ProgramCache, programs
from skautoenc._training.compiled.program_choice import (
    CALL_WORK,
    call_steps,
    chunk_steps,
    multiplications,
)
from skautoenc.networks._objectives import deterministic, variational
from skautoenc.networks._resolve import build_pair

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.003),
    "momentum": lambda: keras.optimizers.SGD(0.02, momentum=0.9),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.001),
}

# An optimizer that the NumPy engine leaves to the compiled one.
BY_KERAS = {"optimizer": "nadam"}


@contextmanager
def run_eagerly():
    """Let ``Model.fit`` call TensorFlow's operations one by one."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    try:
        with warnings.catch_warnings():
            # Those that read the rows are run as a graph.
            warnings.filterwarnings("ignore", ".*does not apply to tf.data functions")
            yield
    finally:
        tf.config.run_functions_eagerly(False)


def curves(
    X,
    network,
    *,
    n_components=4,
    weight=None,
    targets=None,
    objective=deterministic,
    seed=4,
    eager=False,
    **settings,
):
    """History and final weights of both engines from one start.

    With `eager`, ``Model.fit`` traces no program, which takes longer than a few steps.
    """
    results = []
    for engine in ("compiled", "model_fit"):
        with isolated_random_state(7):
            pair = build_pair(network, X.shape[1:], n_components)
            model, _, penalties = objective(*pair)
        rows = Rows.all(X, targets)
        if weight is not None:
            rows = Rows(X, rows.index, weight, targets)
        rng = np.random.default_rng(seed)
        eagerly = eager and engine == "model_fit" and COMPILED == "tensorflow"
        with run_eagerly() if eagerly else nullcontext():
            monitor = train(
                model, rows, engine=engine, penalties=penalties, rng=rng, **settings
            )
        results.append((monitor.history, model.get_weights()))
    return results


@pytest.mark.parametrize("regularized", [False, True])
@pytest.mark.parametrize("loss", ["mean_squared_error", "binary_crossentropy"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_graph_has_the_loss_curve_of_model_fit(digits, optimizer, loss, regularized):
    network = DenseNetwork(
        (16,),
        output_activation="sigmoid",
        kernel_regularizer="l2" if regularized else None,
        activity_regularizer="l1" if regularized else None,
    )
    results = curves(
        digits[:203],  # 7 batches, the last of 11 rows
        network,
        loss=loss,
        optimizer=OPTIMIZERS[optimizer](),
        batch_size=32,
        epochs=8,
        validation=Rows.all(digits[203:]),
    )
    assert_same(results)


@pytest.mark.parametrize("loss", ["mean_squared_error", "binary_crossentropy"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_xla_has_the_loss_curve_of_model_fit(digits, optimizer, loss):
    network = DenseNetwork(
        (2000,),  # enough work for XLA to pay
        output_activation="sigmoid",
        kernel_regularizer="l2",
        activity_regularizer="l1",
    )
    results = curves(
        digits[:203],
        network,
        loss=loss,
        optimizer=OPTIMIZERS[optimizer](),
        batch_size=32,
        epochs=12,
        # With other seeds, rounding alone moves activities across the kink of L1.
        seed=3,
        validation=Rows.all(digits[203:]),
    )
    assert any(dict(key[-1])["xla"] for key in programs.keys)
    (ours, _), (keras_, _) = results
    for name in ours:
        np.testing.assert_allclose(ours[name], keras_[name], rtol=1e-4)


def test_weights_of_rows_enter_the_loss_as_in_keras(digits):
    weight = np.random.default_rng(0).uniform(0.2, 3, 300).astype(np.float32)
    assert_same(
        curves(
            digits,
            DenseNetwork((16,)),
            loss="mse",
            weight=weight,
            batch_size=64,
            epochs=5,
        )
    )


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Adam(0.01, clipnorm=0.1),  # by variable: no common vector
        keras.optimizers.Adam(0.01, global_clipnorm=0.1),
        keras.optimizers.AdamW(0.01, weight_decay=0.1),
        # With JAX, its updates are NaN in Keras too, for the empty pixels of digits.
        *([] if COMPILED == "jax" else [keras.optimizers.Adafactor(0.01)]),
        keras.optimizers.Nadam(
            keras.optimizers.schedules.ExponentialDecay(0.01, 9, 0.5)
        ),
    ],
    ids=lambda optimizer: optimizer.name,
)
def test_any_optimizer_steps_as_in_keras(digits, optimizer):
    assert_same(
        curves(
            digits,
            DenseNetwork((16,)),
            loss="mse",
            optimizer=optimizer,
            batch_size=64,
            epochs=5,
        )
    )


def test_averaged_weights_are_the_final_ones_as_in_keras(digits):
    optimizer = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9)
    assert_same(
        curves(
            digits,
            DenseNetwork((16,)),
            loss="mse",
            optimizer=optimizer,
            batch_size=64,
            epochs=5,
        )
    )


def normalised(input_shape, n_components):
    (n_features,) = input_shape
    encoder = keras.Sequential(
        [
            keras.Input((n_features,)),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(16, "relu", kernel_constraint="max_norm"),
            keras.layers.Dense(n_components),
        ]
    )
    decoder = keras.Sequential(
        [keras.Input((n_components,)), keras.layers.Dense(n_features)]
    )
    return encoder, decoder


def test_moving_statistics_and_constraints_as_in_keras(digits):
    assert_same(curves(digits[:256], normalised, loss="mse", batch_size=64, epochs=5))


def mirrored(X, rng, out):
    out[:] = X[:, ::-1]


def test_targets_of_their_own_are_trained_on_as_in_keras(digits):
    weight = np.random.default_rng(0).uniform(0.2, 3, 203).astype(np.float32)
    assert_same(
        curves(
            digits[:203],
            DenseNetwork((16,)),
            loss="mse",
            weight=weight,
            targets=1 - digits[:203] ** 2,
            validation=Rows.all(digits[203:], np.sqrt(digits[203:])),
            batch_size=32,
            epochs=5,
        )
    )


def test_corrupted_rows_are_trained_on_as_in_keras(digits):
    settings = {"loss": "mse", "batch_size": 32, "epochs": 5}
    settings["validation"] = Rows.all(digits[203:])
    results = curves(digits[:203], DenseNetwork((16,)), corrupt=mirrored, **settings)
    assert_same(results)
    explicit = curves(
        np.ascontiguousarray(digits[:203, ::-1]),
        DenseNetwork((16,)),
        targets=digits[:203],
        **{**settings, "validation": Rows.all(digits[203:, ::-1], digits[203:])},
    )
    assert_same([results[0], explicit[0]])


@pytest.mark.parametrize(
    "network",
    [
        ConvNetwork((8, 8, 1), filters=(8, 4), kernel_regularizer="l2"),
        ConvNetwork((8, 8, 1), (4,), downsampling="stride", activity_regularizer="l1"),
        ConvNetwork((32, 2), (4,), 5, upsampling="transpose"),
    ],
)
def test_convolutions_are_trained_as_in_keras(digits, network):
    results = curves(
        digits[:203],
        network,
        loss="mse",
        batch_size=32,
        epochs=3,
        validation=Rows.all(digits[203:]),
    )
    assert_same(results)


OBJECTIVES = {
    "contractive": lambda *pair: deterministic(*pair, 0.3),
    "variational": lambda *pair: variational(*pair, 0.7),
}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_penalties_enter_the_loss_as_in_keras(digits, objective):
    # Whole batches: the engines then draw the same numbers for the same rows.
    assert_same(
        curves(
            digits[:192],
            DenseNetwork((16,), activation="tanh", activity_regularizer="l1"),
            objective=OBJECTIVES[objective],
            weight=np.random.default_rng(0).uniform(0.2, 3, 192).astype(np.float32),
            loss="mse",
            optimizer=keras.optimizers.Adam(0.003),
            batch_size=64,
            epochs=6,
        )
    )


def test_a_short_batch_is_contracted_as_in_keras(digits):
    results = curves(
        digits[:203],
        DenseNetwork((16,), activation="tanh", kernel_regularizer="l2"),
        objective=OBJECTIVES["contractive"],
        loss="mse",
        batch_size=32,
        epochs=5,
        validation=Rows.all(digits[203:]),
    )
    assert_same(results)


@keras.saving.register_keras_serializable("tests")
class DistanceFrom(keras.regularizers.Regularizer):
    """Not zero for a row of zeros."""

    def __init__(self, target=0.5):
        self.target = target

    def __call__(self, activity):
        return keras.ops.sum(keras.ops.square(activity - self.target))

    def get_config(self):
        return {"target": self.target}


@keras.saving.register_keras_serializable("tests")
class MeanActivity(keras.regularizers.Regularizer):
    """Kullback-Leibler divergence of the batch's mean activation from a rate."""

    def __call__(self, activity):
        rate, mean = 0.1, keras.ops.mean(keras.ops.sigmoid(activity), axis=0)
        return 50 * keras.ops.sum(
            rate * keras.ops.log(rate / mean)
            + (1 - rate) * keras.ops.log((1 - rate) / (1 - mean))
        )

    def get_config(self):
        return {}


@keras.saving.register_keras_serializable("tests")
class AddsLoss(keras.layers.Layer):
    """A penalty on the mean of the batch, by `add_loss`."""

    def call(self, inputs):
        self.add_loss(keras.ops.sum(keras.ops.square(keras.ops.mean(inputs, 0) - 1)))
        return inputs


def adds_loss(input_shape, n_components):
    encoder, decoder = DenseNetwork((16,))(input_shape, n_components)
    return keras.Model(encoder.inputs, AddsLoss()(encoder.outputs[0])), decoder


def subtracts_the_mean(input_shape, n_components):
    encoder, decoder = DenseNetwork((16,))(input_shape, n_components)
    codes = encoder.outputs[0]
    codes = codes - keras.ops.mean(codes, axis=0, keepdims=True)
    return keras.Model(encoder.inputs, codes), decoder


LOOK_AT_THE_BATCH = {
    "distance": DenseNetwork((16,), activity_regularizer=DistanceFrom()),
    "mean": DenseNetwork((16,), activity_regularizer=MeanActivity()),
    "conv": ConvNetwork((8, 8, 1), (2,), activity_regularizer=MeanActivity()),
    "add_loss": adds_loss,
    "operation": subtracts_the_mean,
    "normalised": normalised,
}

OBJECTIVES["deterministic"] = deterministic


@pytest.mark.parametrize("n_rows", [64, 65, 96, 127])
@pytest.mark.parametrize("network", LOOK_AT_THE_BATCH)
def test_a_short_batch_is_looked_at_as_in_keras(digits, network, n_rows):
    results = curves(
        digits[:n_rows],
        LOOK_AT_THE_BATCH[network],
        eager=True,
        loss="mse",
        batch_size=64,
        epochs=3,
        validation=Rows.all(digits[200 : 200 + n_rows]),
    )
    assert_same(results)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("n_rows", [64, 65, 127])
def test_every_objective_looks_at_a_short_batch_as_in_keras(digits, objective, n_rows):
    results = curves(
        digits[:n_rows],
        DenseNetwork((16,), activation="tanh", activity_regularizer=MeanActivity()),
        objective=OBJECTIVES[objective],
        eager=True,
        loss="mse",
        batch_size=64,
        epochs=3,
        validation=Rows.all(digits[200 : 200 + n_rows]),
    )
    assert_same(results)


def test_corrupted_short_batches_are_looked_at_as_in_keras(digits):
    results = curves(
        digits[:65],
        DenseNetwork((16,), activity_regularizer=DistanceFrom()),
        corrupt=mirrored,
        eager=True,
        loss="mse",
        batch_size=64,
        epochs=3,
        validation=Rows.all(digits[200:265]),
    )
    assert_same(results)


def wide(**params):
    """A network with enough work for XLA to pay."""

    def network(input_shape, n_components):
        return DenseNetwork((2000,), **params)(input_shape, n_components)

    return network


def wide_and_normalised(input_shape, n_components):
    encoder, decoder = DenseNetwork((2000,))(input_shape, n_components)
    inputs = keras.Input(input_shape)
    return keras.Model(
        inputs, encoder(keras.layers.BatchNormalization()(inputs))
    ), decoder


def batch_loss(targets, outputs):
    errors = keras.ops.mean(keras.ops.square(targets - outputs), axis=-1)
    return errors + 0.1 * keras.ops.square(errors - keras.ops.mean(errors))


@keras.saving.register_keras_serializable("tests")
def mixing(x):
    return x - keras.ops.mean(x, axis=0)


@pytest.mark.parametrize(
    ("network", "loss", "n_rows", "xla"),
    [
        (wide(activity_regularizer="l2"), "mse", 193, True),
        (wide(activity_regularizer=DistanceFrom()), "mse", 193, False),
        (wide(activation=mixing), "mse", 193, False),
        (wide(), batch_loss, 193, False),
        (wide_and_normalised, "mse", 193, False),
        (wide_and_normalised, "mse", 192, True),
    ],
)
def test_xla_pads_no_batch_that_is_looked_at_as_a_whole(
    digits, network, loss, n_rows, xla
):
    programs.clear()
    results = curves(
        digits[:n_rows],
        network,
        loss=loss,
        optimizer=keras.optimizers.SGD(0.01),
        batch_size=32,
        epochs=13,
    )
    assert [dict(key[-1])["xla"] for key in programs.keys] == [xla]
    assert_same(results)


def test_what_is_drawn_for_rows_is_data_of_a_program(digits):
    fast = {"hidden_layer_sizes": (8,), "epochs": 2, "random_state": 0} | BY_KERAS
    fast["early_stopping"] = False  # so all fits have as many rows
    programs.clear()
    losses = [
        DenoisingAutoencoder(**fast, **params).fit(digits).history_["loss"][-1]
        for params in (
            {"noise_level": 0.1},
            {"noise_level": 0.9},
            {"noise": "masking"},
            {"clip": True},
        )
    ]
    losses += AutoencoderTransformer(**fast).fit(digits).history_["loss"][-1:]
    DenoisingAutoencoder(**fast).fit(digits, X_clean=np.sqrt(digits))
    assert len(programs) == 1
    assert len(set(losses)) == 5


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (VariationalAutoencoder(), "beta"),
        (AutoencoderTransformer(), "contractive"),
        (DenoisingAutoencoder(), "contractive"),
    ],
)
def test_factors_of_penalties_are_data_of_a_program(digits, estimator, name):
    estimator.set_params(hidden_layer_sizes=(8,), epochs=2, random_state=0)
    estimator.set_params(early_stopping=False)  # so all fits have as many rows
    programs.clear()
    losses = {
        estimator.set_params(**{name: factor}).fit(digits).history_["loss"][-1]
        for factor in (0.1, 1, 10.0)
    }
    assert len(programs) == 1
    assert len(losses) == 3


def with_dropout(input_shape, n_components):
    encoder, decoder = DenseNetwork((16,))(input_shape, n_components)
    inputs = keras.Input(input_shape)
    return keras.Model(inputs, encoder(keras.layers.Dropout(0.3)(inputs))), decoder


def test_dropout_is_drawn_from_the_random_state(digits):
    estimator = AutoencoderTransformer(3, network=with_dropout, epochs=3)
    codes = [
        estimator.set_params(random_state=seed).fit(digits).transform(digits)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(codes[0], codes[1])
    assert not np.allclose(codes[0], codes[2])


def test_folds_of_different_length_share_a_program(small, digits):
    programs.clear()
    small.set_params(**BY_KERAS).fit(digits[:299])
    small.fit(digits[:290])
    small.set_params(learning_rate=0.1, random_state=1).fit(digits)
    assert len(programs) == 1


def test_strengths_of_regularizers_are_data_of_a_program(digits):
    programs.clear()
    regularizers = keras.regularizers
    losses = [
        AutoencoderTransformer(
            3,
            hidden_layer_sizes=(8,),
            kernel_regularizer=regularizers.L1L2(strength, 2 * strength),
            activity_regularizer=regularizers.L1(strength),
            epochs=2,
            random_state=0,
            **BY_KERAS,
        )
        .fit(digits)
        .history_["loss"][0]
        for strength in (0.0, 0.01, 0.1)
    ]
    assert len(programs) == 1
    assert losses[0] < losses[1] < losses[2]


@pytest.mark.filterwarnings("ignore:The validation loss still fell")
@pytest.mark.parametrize(
    ("layer", "attribute"),
    [
        (keras.layers.Dropout, "rate"),
        (keras.layers.GaussianDropout, "rate"),
        (keras.layers.GaussianNoise, "stddev"),
    ],
)
def test_the_strength_of_a_noise_layer_is_data_of_a_program(digits, layer, attribute):
    programs.clear()

    def loss(strength):
        def network(input_shape, n_components):
            encoder, decoder = DenseNetwork((16,))(input_shape, n_components)
            inputs = keras.Input(input_shape)
            return keras.Model(inputs, encoder(layer(strength)(inputs))), decoder

        estimator = AutoencoderTransformer(
            8, network=network, epochs=30, random_state=0
        ).fit(digits, X_val=digits)
        return estimator.history_["loss"][-1]

    by_strength = [loss(strength) for strength in (0.1, 0.5, 0.9)]
    assert len(programs) == 1
    assert by_strength[0] < by_strength[1] < by_strength[2]
    assert loss(0.0) < by_strength[0]
    assert len(programs) == 2  # draws nothing


def scaled(targets, outputs):
    return keras.ops.mean(keras.ops.square(targets - outputs), axis=-1)


def test_functions_of_one_name_do_not_share_a_program(small, digits):
    first = scaled

    def scaled_(targets, outputs):
        return 100 * first(targets, outputs)

    scaled_.__name__ = "scaled"
    a = small.set_params(loss=first).fit(digits).history_["loss"]
    b = small.set_params(loss=scaled_).fit(digits).history_["loss"]
    assert b[0] > 50 * a[0]


def test_copies_of_a_local_function_share_a_program(small, digits):
    """Worker processes get a copy with each candidate of a search."""

    def loss(factor):
        return lambda targets, outputs: factor * scaled(targets, outputs)

    programs.clear()
    small.set_params(early_stopping=False)  # so all fits have as many rows
    losses = [
        small.set_params(loss=function).fit(digits).history_["loss"]
        for function in map(cloudpickle.loads, 2 * [cloudpickle.dumps(loss(1.0))])
    ]
    assert len(programs) == 1
    assert losses[0] == losses[1]
    assert small.set_params(loss=loss(100.0)).fit(digits).history_["loss"] > losses[0]
    assert len(programs) == 2


def test_layers_of_one_config_and_other_classes_do_not_share_a_program(digits):
    def loss(slope):
        @keras.saving.register_keras_serializable("tests")
        class Bent(keras.layers.Layer):
            def call(self, inputs):
                return slope * inputs

        def network(input_shape, n_components):
            encoder, decoder = DenseNetwork((8,))(input_shape, n_components)
            inputs = keras.Input((n_components,))
            return encoder, keras.Model(inputs, decoder(Bent()(inputs)))

        estimator = AutoencoderTransformer(3, network=network, epochs=1, random_state=0)
        return estimator.fit(digits).history_["loss"][0]

    assert loss(1.0) != loss(0.0)


def test_penalties_of_one_config_and_other_classes_do_not_share_a_program(digits):
    def loss(strength):
        @keras.saving.register_keras_serializable("tests")
        class Penalty(keras.regularizers.Regularizer):
            def __call__(self, x):
                return strength * keras.ops.sum(keras.ops.square(x))

            def get_config(self):
                return {}

        estimator = AutoencoderTransformer(
            3, kernel_regularizer=Penalty(), epochs=1, random_state=0
        )
        return estimator.fit(digits).history_["loss"][0]

    assert loss(1.0) > 2 * loss(0.0)


def test_the_cache_of_programs_is_bounded(digits):
    for size in range(3, 20):
        AutoencoderTransformer(2, hidden_layer_sizes=(size,), epochs=1, **BY_KERAS).fit(
            digits[:20]
        )
    assert len(programs) == 16


def test_programs_of_fits_at_once_are_kept_for_the_next_ones():
    cache, built = ProgramCache(max_size=2), iter(range(9))

    def borrow_two():
        with (
            cache.borrow("key", built.__next__) as first,
            cache.borrow("key", built.__next__) as second,
        ):
            return first, second

    assert borrow_two() == (0, 1)
    assert sorted(borrow_two()) == [0, 1]
    with cache.borrow("another", built.__next__) as other:
        assert other == 2
    assert cache.keys == ["key", "another"]


def test_threads_that_fit_at_once_get_what_they_get_alone(digits):
    def codes(seed):
        estimator = AutoencoderTransformer(
            3, hidden_layer_sizes=(8,), epochs=10, random_state=seed, **BY_KERAS
        )
        return estimator.fit(digits).transform(digits)

    alone = [codes(seed) for seed in range(4)]
    together = [None] * 4

    def work(seed):
        together[seed] = codes(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a, b)


def test_data_of_several_chunks_trains_as_one(digits, monkeypatch):
    def losses():
        estimator = AutoencoderTransformer(
            3,
            hidden_layer_sizes=(8,),
            epochs=3,
            batch_size=16,
            mixup=False,  # with rows of the same chunk
            random_state=0,
            **BY_KERAS,
        )
        history = estimator.fit(digits, X_val=digits[:100]).history_
        return history["loss"] + history["val_loss"]

    whole = losses()
    monkeypatch.setattr(
        program_choice,
        "CHUNK_BYTES",
        4 * 64 * 16 * 4,
    )
    np.testing.assert_allclose(losses(), whole, rtol=1e-5)


def test_a_chunk_of_several_calls_trains_as_one(digits, monkeypatch):
    def fitted():
        programs.clear()
        estimator = AutoencoderTransformer(
            3, hidden_layer_sizes=(8,), epochs=3, batch_size=16, random_state=0
        )
        estimator.set_params(**BY_KERAS).fit(digits, X_val=digits[:100])
        return estimator

    whole = fitted()
    monkeypatch.setattr(program_choice, "CALL_WORK", 1)
    parts = fitted()
    np.testing.assert_array_equal(parts.transform(digits), whole.transform(digits))
    np.testing.assert_allclose(parts.history_["loss"], whole.history_["loss"])


def built_by(network, objective=deterministic, n_features=784, n_components=8):
    with isolated_random_state(0):
        return objective(*build_pair(network, (n_features,), n_components)).model


def test_multiplications_of_a_network_are_counted():
    dense = 784 * 16 + 16 + 16 * 8 + 8
    mirrored_dense = 8 * 16 + 16 + 16 * 784 + 784
    network = DenseNetwork((16,), linear_path=False)
    assert multiplications(built_by(network)) == dense + mirrored_dense
    contractive = built_by(network, OBJECTIVES["contractive"])
    assert multiplications(contractive) == 8 * dense + mirrored_dense
    conv = (9 * 2 + 2) * 28**2 + (14 * 14 * 2 * 8 + 8)
    mirrored_conv = 9 * 392 + (9 * 2 * 2 + 2) * 14**2 + (9 * 2 + 1) * 28**2
    network = ConvNetwork((28, 28, 1), (2,), linear_path=False)
    assert multiplications(built_by(network)) == conv + mirrored_conv


@pytest.mark.parametrize(
    ("network", "objective", "n_features"),
    [
        (ConvNetwork((28, 28, 1), (64, 32)), deterministic, 784),
        (ConvNetwork((128, 128, 3), (64, 32)), deterministic, 49152),
        (ConvNetwork((28, 28, 1)), OBJECTIVES["contractive"], 784),
        (DenseNetwork((4000, 4000)), deterministic, 784),
    ],
)
def test_a_call_is_bounded_in_work_on_many_rows(network, objective, n_features):
    model = built_by(network, objective, n_features)
    steps = call_steps(model, 32)
    assert 1 <= steps < chunk_steps(200_000, 32, (n_features,))
    assert 3 * 32 * steps * multiplications(model) <= CALL_WORK or steps == 1


def test_a_small_network_trains_on_a_chunk_in_one_call():
    model = built_by(DenseNetwork((128, 64, 32)))
    assert call_steps(model, 256) >= chunk_steps(200_000, 256, (784,))


class CountsBatches(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.batches = self.epochs = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (AutoencoderTransformer(contractive=0.5), "contractive"),
        (DenoisingAutoencoder(contractive=0.5), "contractive"),
        (VariationalAutoencoder(beta=0.5), "kl"),
    ],
)
def test_losses_add_up_for_one_that_listens_to_batches(digits, estimator, name):
    estimator.set_params(
        hidden_layer_sizes=(8,),
        epochs=3,
        random_state=0,
        batch_size=128,
        callbacks=[CountsBatches()],
    )
    history = estimator.fit(digits, X_val=digits[:150]).history_
    for prefix in ("", "val_"):
        np.testing.assert_allclose(
            history[f"{prefix}loss"],
            np.add(
                history[f"{prefix}reconstruction_loss"],
                np.multiply(0.5, history[f"{prefix}{name}_loss"]),
            ),
            rtol=1e-4,
        )


class StopsAfterTwo(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        assert set(logs) == {"loss", "val_loss"}
        if epoch == 1:
            self.model.stop_training = True


def test_a_callback_that_listens_to_batches_hears_them(small, digits):
    callback = CountsBatches()
    small.set_params(early_stopping=False, mixup=False)
    without = small.fit(digits).history_["loss"]
    history = small.set_params(callbacks=[callback]).fit(digits).history_["loss"]
    assert callback.batches == 15
    np.testing.assert_allclose(history, without, rtol=1e-4)


def test_a_callback_stops_the_training(small, digits):
    small.set_params(callbacks=[StopsAfterTwo()]).fit(digits)
    assert small.n_iter_ == 2


def test_a_callback_sets_the_learning_rate(small, digits):
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 / (epoch + 1))
    plain = small.set_params(learning_rate=1e-3).fit(digits).history_["loss"]
    slowed = small.set_params(callbacks=[schedule]).fit(digits).history_["loss"]
    assert slowed[0] == pytest.approx(plain[0], rel=1e-5)
    assert slowed[-1] > plain[-1]


def test_callbacks_let_go_of_the_model(small, digits):
    callbacks = [StopsAfterTwo(), CountsBatches()]
    for callback in callbacks:
        small.set_params(callbacks=[callback]).fit(digits)
        assert callback.model is None


def test_a_callback_saves_the_model_of_an_epoch(small, digits, tmp_path):
    path = tmp_path / "autoencoder.keras"
    callback = keras.callbacks.ModelCheckpoint(path)
    small.set_params(callbacks=[callback], early_stopping=False).fit(digits)
    saved = keras.models.load_model(path)
    np.testing.assert_allclose(
        saved.predict(digits, verbose=0), small.reconstruct(digits), atol=1e-5
    )


def test_history_has_the_same_penalties_within_a_mirrored_strategy(digits):
    import tensorflow as tf

    params = {"hidden_layer_sizes": (8,), "epochs": 2, "random_state": 0}
    params |= {"kernel_regularizer": "l2", "activity_regularizer": "l1"}
    params |= {"mixup": False, "early_stopping": False}
    plain = AutoencoderTransformer(3, **params).fit(digits, X_val=digits[:70])
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        mirrored = AutoencoderTransformer(3, **params).fit(digits, X_val=digits[:70])
    assert mirrored.history_.keys() == plain.history_.keys()
    loss, *parts = mirrored.history_.values()
    np.testing.assert_allclose(np.sum(parts[:3], axis=0), loss, rtol=1e-5)


def test_the_rate_falls_within_a_mirrored_strategy_too(digits):
    import tensorflow as tf

    params = {"epochs": 10, "early_stopping": False, "random_state": 0}
    params["mixup"] = False  # losses of rows that are mixed less and less increase
    with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
        losses = AutoencoderTransformer(3, **params).fit(digits).history_["loss"]
    assert losses[-1] < losses[0]


def regularized(input_shape, n_components):
    """Penalties on kernels, a bias and activities, and one that a layer adds."""
    encoder, decoder = DenseNetwork(
        (16,), kernel_regularizer="l2", activity_regularizer="l1"
    )(input_shape, n_components)
    codes = keras.layers.Dense(n_components, bias_regularizer=DistanceFrom(1.0))(
        encoder.outputs[0]
    )
    return keras.Model(encoder.inputs, AddsLoss()(codes)), decoder


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_history_has_penalties_by_themselves(digits, objective):
    results = curves(
        digits[:203],
        regularized,
        objective=OBJECTIVES[objective],
        loss="mse",
        batch_size=32,
        epochs=3,
    )
    assert_same(results)
    for history, _ in results:
        parts = dict(history)
        total = np.array(parts.pop("loss"))
        for name, factor in (("contractive_loss", 0.3), ("kl_loss", 0.7)):
            total -= factor * np.array(parts.pop(name, 0.0))
        assert parts.keys() == {
            "reconstruction_loss",
            "kernel_regularization_loss",
            "activity_regularization_loss",
        }
        np.testing.assert_allclose(sum(map(np.array, parts.values())), total, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, set()),
        ({"kernel_regularizer": "l2"}, {"kernel"}),
        ({"activity_regularizer": "l1"}, {"activity"}),
        (
            {"kernel_regularizer": "l1", "activity_regularizer": "l2"},
            {"kernel", "activity"},
        ),
    ],
)
@pytest.mark.parametrize("engine", ["numpy", "compiled", "model_fit"])
def test_history_has_the_penalties_that_there_are(digits, engine, settings, names):
    params = {
        "numpy": {},
        "compiled": {"optimizer": keras.optimizers.Adam(clipvalue=1e9)},
        "model_fit": {"callbacks": [CountsBatches()]},
    }
    estimator = AutoencoderTransformer(
        3,
        hidden_layer_sizes=(8,),
        batch_size=64,
        epochs=1,
        early_stopping=False,
        mixup=False,
        random_state=0,
        **settings,
        **params[engine],
    ).fit(digits, X_val=digits[:70])
    history = {name: value for name, (value,) in estimator.history_.items()}
    wanted = {"loss"} | {f"{name}_regularization_loss" for name in names}
    wanted |= {"reconstruction_loss"} if names else set()
    assert history.keys() == wanted | {f"val_{name}" for name in wanted}
    if not names:
        return
    reconstruction = estimator.reconstruction_error(digits[:70]).mean()
    assert history["val_reconstruction_loss"] == pytest.approx(reconstruction, rel=1e-4)
    regularize = keras.regularizers.get
    if "kernel" in names:
        kernels = [w for w in weights_of(estimator) if w.ndim == 2]
        penalty = sum(regularize(settings["kernel_regularizer"])(w) for w in kernels)
        assert history["val_kernel_regularization_loss"] == pytest.approx(
            float(penalty), rel=1e-4
        )
    if "activity" in names:
        penalty = regularize(settings["activity_regularizer"])
        codes = estimator.transform(digits[:70])
        assert history["val_activity_regularization_loss"] == pytest.approx(
            float(penalty(codes)) / 70, rel=1e-4
        )


def weights_of(estimator):
    return estimator._encoder.weights + estimator._decoder.weights
