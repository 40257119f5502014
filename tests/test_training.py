"""The compiled engine held against Model.fit, and the programs that fits share."""

import threading

import keras
import numpy as np
import pytest

from skautoenc import AutoencoderTransformer, DenseNetwork
from skautoenc._keras import isolated
from skautoenc._objective import chain
from skautoenc.training import Rows, train
from skautoenc.training._compiled import _programs

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.003),
    "momentum": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.001),
}


def curves(X, network, *, n_components=4, weight=None, **settings):
    """History and final weights of both engines from one start."""
    results = []
    for engine in ("compiled", "model_fit"):
        with isolated(7):
            model = chain(*network((X.shape[1],), n_components))
        rows = Rows.all(X)
        if weight is not None:
            rows = Rows(X, rows.index, weight)
        rng = np.random.default_rng(3)
        history = train(model, rows, engine=engine, rng=rng, **settings)
        results.append((history, model.get_weights()))
    return results


def assert_same(results):
    (ours, our_weights), (keras_, keras_weights) = results
    assert ours.keys() == keras_.keys()
    for name in ours:
        np.testing.assert_allclose(ours[name], keras_[name], rtol=1e-4)
    for a, b in zip(our_weights, keras_weights, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


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
        validation=Rows.all(digits[203:]),
    )
    assert any(key[-1][-1] for key in _programs._idle)
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
        keras.optimizers.Adafactor(0.01),
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
    _programs._idle.clear()
    small.fit(digits[:299])
    small.fit(digits[:270])
    small.set_params(learning_rate=0.1, random_state=1).fit(digits)
    assert len(_programs) == 1


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
    for size in range(3, 23):
        AutoencoderTransformer(2, hidden_layer_sizes=(size,), epochs=1).fit(digits[:20])
    assert len(_programs) == 16


def test_threads_that_fit_at_once_get_what_they_get_alone(digits):
    def codes(seed):
        estimator = AutoencoderTransformer(
            3, hidden_layer_sizes=(8,), epochs=10, random_state=seed
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
            3, hidden_layer_sizes=(8,), epochs=3, batch_size=16, random_state=0
        )
        history = estimator.fit(digits, X_val=digits[:100]).history_
        return history["loss"] + history["val_loss"]

    whole = losses()
    monkeypatch.setattr("skautoenc.training._compiled.CHUNK_BYTES", 4 * 64 * 16 * 4)
    np.testing.assert_allclose(losses(), whole, rtol=1e-5)


class CountsBatches(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.batches = self.epochs = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1


class StopsAfterTwo(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        assert set(logs) == {"loss"}
        if epoch == 1:
            self.model.stop_training = True


def test_a_callback_that_listens_to_batches_hears_them(small, digits):
    callback = CountsBatches()
    without = small.fit(digits).history_["loss"]
    history = small.set_params(callbacks=[callback]).fit(digits).history_["loss"]
    assert callback.batches == 15
    np.testing.assert_allclose(history, without, rtol=1e-4)


def test_a_callback_stops_the_training(small, digits):
    small.set_params(callbacks=[StopsAfterTwo()]).fit(digits)
    assert small.n_iter_ == 2


def test_a_callback_sets_the_learning_rate(small, digits):
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 / (epoch + 1))
    plain = small.fit(digits).history_["loss"]
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
    small.set_params(callbacks=[callback]).fit(digits)
    saved = keras.models.load_model(path)
    np.testing.assert_allclose(
        saved.predict(digits, verbose=0), small.reconstruct(digits), atol=1e-5
    )
