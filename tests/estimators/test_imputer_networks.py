"""AutoencoderImputer: networks, callbacks, and rows to validate on."""

import functools
import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from helpers import COMPILED
from sklearn import config_context
from sklearn.datasets import load_digits
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import AutoencoderImputer, ConvNetwork, DenseNetwork
from skautoenc._fit import imputation
from skautoenc._training import Rows, TrainingConfig, TrainingState, run_epochs
from skautoenc._training.engine import open_engine
from skautoenc._training.numpy_engine.engine import make_numpy_engine
from skautoenc._utils.losses import WeightedSquaredError
from skautoenc._utils.random import RandomStreams
from skautoenc.networks._incomplete import IncompleteNetwork
from skautoenc.networks._objectives import chain

DENSE = DenseNetwork((32,))


def quick(**params):
    return AutoencoderImputer(
        **{"hidden_layer_sizes": (16,), "epochs": 6, "random_state": 0, **params}
    )


@pytest.fixture(scope="module")
def pixels():
    """Rows of 64 pixels without holes, of which a few never vary."""
    return load_digits().data[:300]


@pytest.fixture(scope="module")
def holes(pixels):
    is_missing = np.random.default_rng(0).random(pixels.shape) < 0.2
    return np.where(is_missing, np.nan, pixels)


@keras.saving.register_keras_serializable("test_imputer_networks")
def shifted_relu(x):
    return keras.ops.relu(x + 0.1)


def two_layers(input_shape, n_components):
    """A network of the user, with a function of the user."""
    n_code = n_components or 24
    encoder = [keras.layers.Dense(n_code, activation=shifted_relu)]
    decoder = [keras.layers.Dense(input_shape[0])]
    return (
        keras.Sequential([keras.Input(input_shape), *encoder]),
        keras.Sequential([keras.Input((n_code,)), *decoder]),
    )


NETWORKS = {
    "DenseNetwork": {"network": DENSE, "n_components": 32},
    "with Keras": {
        "network": DenseNetwork((16,), activation=shifted_relu),
        "n_components": 32,
    },
    "feature map": {"network": ConvNetwork((8, 8, 1), filters=(4,))},
    "ConvNetwork": {
        "network": ConvNetwork((8, 8, 1), filters=(4,)),
        "n_components": 32,
    },
    "signal": {"network": ConvNetwork((64,), filters=(4,))},
    "function": {"network": two_layers},
}


@pytest.mark.parametrize("params", NETWORKS.values(), ids=NETWORKS)
def test_network_can_be_any_that_builds_two_models(holes, params):
    imputer = quick(**params).fit(holes)
    for losses in imputer.history_:
        assert losses["loss"][-1] < losses["loss"][0]
    filled = imputer.transform(holes)
    assert np.isfinite(filled).all()
    copied = pickle.loads(pickle.dumps(imputer))
    np.testing.assert_array_equal(copied.transform(holes), filled)


def test_network_lowers_the_error_of_curved_data():
    rng = np.random.default_rng(0)
    t = rng.uniform(-2, 2, (600, 2))
    columns = [t[:, 0], t[:, 1], t[:, 0] ** 2, t[:, 0] * t[:, 1], np.sin(2 * t[:, 1])]
    X = np.stack(columns * 2, axis=1) + 0.05 * rng.normal(size=(600, 10))
    is_missing = rng.random(X.shape) < 0.2
    holes = np.where(is_missing, np.nan, X)

    def error(imputer):
        return np.mean((imputer.fit_transform(holes) - X)[is_missing] ** 2) ** 0.5

    params = {"n_components": 64, "epochs": 300}
    assert error(quick(network=DenseNetwork((64,)), **params)) < 0.8 * error(
        quick(hidden_layer_sizes=())
    )


def test_conv_network_has_values_and_observed_as_channels_of_each_pixel():
    network = IncompleteNetwork(ConvNetwork((4, 6, 3), filters=(2,)))
    encoder, decoder = network((144,), None)
    assert encoder.input_shape == (None, 144)
    assert decoder.output_shape == (None, 4, 6, 3)
    images = next(h for h in encoder.layers if h.output.shape[1:] == (4, 6, 6))
    values = np.random.default_rng(0).normal(size=(2, 4, 6, 3))
    observed = values > 0
    rows = np.hstack([values.reshape(2, -1), observed.reshape(2, -1)])
    until = keras.Model(encoder.inputs[0], images.output)
    given = until(rows.astype(np.float32))
    np.testing.assert_allclose(given[..., ::2], values, rtol=1e-6)
    np.testing.assert_array_equal(given[..., 1::2], observed)


def test_weighted_squared_error_is_the_same_in_every_engine(pixels):
    """A row has values and weights; its inputs are its values and zeros."""
    network = IncompleteNetwork(DENSE)
    X = (pixels / 16).astype(np.float32)
    weights = np.random.default_rng(0).uniform(0, 2, X.shape)
    targets = np.hstack([X, weights], dtype=np.float32)
    rows = Rows.all(np.hstack([X, np.zeros_like(X)]), targets)
    config = TrainingConfig(WeightedSquaredError(), "adam", 0.003, 32, 3)
    pair = network.dense_pair(128, 8, np.random.default_rng(0))
    found = []
    for kind in ("numpy", COMPILED, "keras"):
        state = TrainingState(RandomStreams.from_random_state(0))
        if kind == "numpy":
            with make_numpy_engine(pair, config, len(X)) as engine:
                state = run_epochs(engine, rows, rows, config, state)
        else:
            model = chain(*(part.build() for part in pair))
            sizes = len(X), len(X)
            with open_engine(model, config, *sizes, kind=kind) as engine:
                state = run_epochs(engine, rows, rows, config, state)
        found.append(state.history)
    for history in found[1:]:
        for name in ("loss", "val_loss"):
            np.testing.assert_allclose(history[name], found[0][name], rtol=1e-4)
    outputs = pair[1](pair[0](rows.X))
    assert np.mean(weights * (outputs - X) ** 2) > found[0]["val_loss"][0]


def of_another_width(input_shape, n_components):
    return two_layers((64,), n_components)


def fails(input_shape, n_components):
    raise RuntimeError("no such layer")


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"network": "conv"}, ValueError, "network='conv'.*'dense'.*ConvNetwork"),
        ({"network": DenseNetwork}, TypeError, "is a class. Give an instance"),
        ({"network": (1, 2)}, ValueError, r"network=\(encoder, decoder\) is not supp"),
        ({"network": DENSE}, ValueError, "A DenseNetwork needs a number; a narrow"),
        (
            {"network": DenseNetwork(tied_weights=True), "n_components": 2},
            ValueError,
            "Set tied_weights=False",
        ),
        (
            {"network": ConvNetwork((8, 8, 1), output_activation="sigmoid")},
            ValueError,
            "Set output_activation='linear'",
        ),
        ({"network": ConvNetwork((8, 9, 1))}, ValueError, "72 values, but a row of X"),
        ({"network": of_another_width}, ValueError, "takes 128 values: the 64 of a"),
        ({"network": fails}, RuntimeError, "no such layer"),
        ({"network": lambda shape, n: 3}, TypeError, "not subscriptable|cannot unpack"),
        ({"n_components": 0.5}, ValueError, "'n_components' parameter"),
        ({"callbacks": "early"}, TypeError, "callbacks must be a list of Keras"),
        ({"callbacks": [3]}, TypeError, "callbacks takes instances of Keras callbac"),
    ],
)
def test_invalid_networks_and_callbacks_are_refused(holes, params, error, message):
    imputer = quick(**params)
    with pytest.raises(error, match=message) as caught:
        imputer.fit(holes)
    assert "_fitted" not in vars(imputer)
    if params.get("network") is fails:
        assert "An imputer calls network with the shape (64,)" in str(
            caught.value.__notes__
        )


class Recorder(keras.callbacks.Callback):
    """Records the losses of each training, and the shapes of its model."""

    def __init__(self):
        super().__init__()
        self.losses, self.shapes = [], []

    def on_train_begin(self, logs=None):
        self.losses.append([])
        self.shapes.append((self.model.input_shape, self.model.output_shape))

    def on_epoch_end(self, epoch, logs=None):
        self.losses[-1].append(logs["val_loss"])


def test_callbacks_are_called_for_each_network_and_change_no_bit(holes):
    recorder = Recorder()
    imputer, without = quick(callbacks=[recorder]).fit(holes), quick().fit(holes)
    assert recorder.losses == [losses["val_loss"] for losses in imputer.history_]
    assert recorder.shapes == [((None, 128), (None, 64))] * 2
    assert imputer.history_ == without.history_
    np.testing.assert_array_equal(imputer.transform(holes), without.transform(holes))


def test_callbacks_made_by_a_function_are_new_for_each_network_and_can_stop_it(holes):
    made = []

    def stop_early():
        made.append(keras.callbacks.EarlyStopping("loss", min_delta=9, patience=2))
        return made[-1]

    imputer = quick(callbacks=[stop_early]).fit(holes)
    assert len(set(map(id, made))) == 2
    assert [len(losses["loss"]) for losses in imputer.history_] == [3, 3]
    assert imputer.n_iter_ == 6


def test_callbacks_with_batch_methods_train_the_same_numbers(holes):
    batches = []
    count = functools.partial(
        keras.callbacks.LambdaCallback,
        on_train_batch_end=lambda batch, logs: batches.append(batch),
    )
    imputer, without = quick(callbacks=[count]).fit(holes), quick().fit(holes)
    assert len(batches) == 2 * 6 * 3
    for losses, expected in zip(imputer.history_, without.history_, strict=True):
        np.testing.assert_allclose(losses["loss"], expected["loss"], rtol=1e-3)


class Scores:
    """A callback of scikit-learn that records what an imputer fills so far."""

    def __init__(self, X):
        self.X, self.tasks, self.filled = X, [], []

    def setup(self, estimator, context):
        self.max_tasks = context.max_subtasks

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        self.tasks.append((context.task_name, context.task_id))
        self.filled.append(fitted_estimator.transform(self.X))

    def teardown(self, estimator, context):
        pass


def test_set_callbacks_gives_the_imputer_after_each_epoch(holes):
    scores = Scores(holes)
    imputer = quick(hidden_layer_sizes=(64,), epochs=30, n_iter_no_change=30)
    imputer.set_callbacks(scores).fit(holes)
    assert scores.max_tasks == 60
    assert scores.tasks == [*(("epoch", i) for i in range(60)), ("fit", 0)]
    assert imputer.network_weight_ > 0
    np.testing.assert_array_equal(scores.filled[-1], imputer.transform(holes))
    assert not np.array_equal(scores.filled[0], scores.filled[-2])


def test_set_callbacks_sees_a_fit_without_networks(holes):
    scores = Scores(holes)
    imputer = quick(hidden_layer_sizes=()).set_callbacks(scores).fit(holes)
    assert (scores.max_tasks, scores.tasks) == (0, [("fit", 0)])
    np.testing.assert_array_equal(scores.filled[0], imputer.transform(holes))


def test_verbose_ends_with_the_epochs_that_are_kept(holes, capsys):
    imputer = quick(verbose=6, n_iter_no_change=6).fit(holes)
    best = [int(np.argmin(losses["val_loss"])) + 1 for losses in imputer.history_]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"Kept epochs {best[0]} and {best[1]}: they have the lowest")
    assert f"a share of {imputer.network_weight_:.0%} in the blend" in last


def test_x_val_determines_the_validation_losses_and_not_the_scale(holes):
    X, X_val = holes[:200], holes[200:]
    imputer = quick().fit(X, X_val=X_val)
    own = quick().fit(X)
    assert imputer.history_[0]["val_loss"] != own.history_[0]["val_loss"]
    far = quick().fit(X, X_val=X_val + 50)
    assert far.history_[0]["loss"][0] == imputer.history_[0]["loss"][0]
    assert min(far.history_[0]["val_loss"]) > 10 * min(imputer.history_[0]["val_loss"])


def test_x_val_can_be_complete_and_lets_all_values_of_x_be_fitted(pixels, holes):
    X, X_val = holes[:200], pixels[200:]
    start = quick(hidden_layer_sizes=())
    filled = start.fit(X, X_val=X_val).transform(X)
    other = start.fit(X, X_val=X_val[::-1]).transform(X)
    np.testing.assert_allclose(filled, other, atol=1e-8)  # the same shrinkage


def test_x_val_is_a_frame_with_pandas_na_and_empty_columns(holes):
    columns = [f"x{i}" for i in range(64)]
    X = pd.DataFrame(holes[:200], columns=columns).assign(x3=np.nan)
    X_val = pd.DataFrame(holes[200:], columns=columns).astype("Float64")
    assert X_val.isna().to_numpy().any()
    with pytest.warns(UserWarning, match="1 column.* left out: x3"):
        imputer = quick().fit(X, X_val=X_val.assign(x4=pd.NA))
    kept = [i for i in range(64) if i != 3]
    X_val = holes[200:][:, kept].copy()
    X_val[:, 3] = np.nan
    assert imputer.history_ == quick().fit(holes[:200, kept], X_val=X_val).history_


def test_x_val_is_passed_on_by_a_pipeline(holes):
    X, X_val = holes[:200], holes[200:]
    with config_context(enable_metadata_routing=True):
        steps = [
            ("scale", MinMaxScaler()),
            ("fill", quick().set_fit_request(X_val=True)),
        ]
        pipeline = Pipeline(steps, transform_input=["X_val"]).fit(X, X_val=X_val)
    scaler = MinMaxScaler().fit(X)
    imputer = quick().fit(scaler.transform(X), X_val=scaler.transform(X_val))
    assert pipeline["fill"].history_ == imputer.history_


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: np.full_like(X, np.nan), "X_val has no observed value"),
        (lambda X: X[:4], "X_val has too few observed values: .* and 100 are needed"),
        (lambda X: X[:, :9], "X_val: X has 9 features"),
        (lambda X: np.where(X > 9, np.inf, X), "X_val: Input X contains infinity"),
        (lambda X: X.astype(str)[:9] + "a", "X_val: X has text in column 0"),
    ],
)
def test_invalid_x_val_is_refused_and_changes_nothing(holes, change, message):
    imputer = quick(hidden_layer_sizes=()).fit(holes)
    filled, names = imputer.transform(holes), set(vars(imputer))
    imputer.set_params(hidden_layer_sizes=(8,))
    with pytest.raises(ValueError, match=message):
        imputer.fit(holes[:200], X_val=change(holes[200:]))
    assert set(vars(imputer)) == names
    np.testing.assert_array_equal(imputer.transform(holes), filled)


def test_values_of_many_rows_are_held_out_in_some_of_them(monkeypatch):
    observed = np.ones((500, 4), bool)
    monkeypatch.setattr(imputation, "_MAX_HELD_OUT_ROWS", 100)
    held_out = imputation._held_out(observed, np.random.default_rng(0))
    assert 20 <= held_out.any(axis=1).sum() <= 100
    assert held_out.sum() == pytest.approx(40, abs=20)
