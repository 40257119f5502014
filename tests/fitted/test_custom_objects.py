"""Losses, optimizers and the like of the user's classes: kept whole, or refused."""

import copy
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import make_autoencoder, run_python
from sklearn.base import clone

from skautoenc import ConvNetwork, DenseNetwork

ops = keras.ops
registered = keras.saving.register_keras_serializable("own_objects")


def quick(**params):
    return make_autoencoder(**{"init": "random", "epochs": 2, **params})


class UnknownLoss(keras.losses.Loss):
    def __init__(self, factor=1.0, name="own", **kwargs):
        super().__init__(name=name, **kwargs)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * ops.mean(ops.square(y_true - y_pred), axis=-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@registered
class OwnLoss(UnknownLoss):
    pass


@registered
class PlainLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)


@registered
class ForgetfulLoss(OwnLoss):
    def get_config(self):
        return keras.losses.Loss.get_config(self)


@registered
class DemandingLoss(PlainLoss):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)


@registered
class ClosedLoss(PlainLoss):
    def __init__(self):
        super().__init__()


@registered
class PoppingLoss(PlainLoss):
    def __init__(self, **kwargs):
        self.factor = kwargs.pop("factor", 1.0)
        super().__init__(**kwargs)


class UnknownOptimizer(keras.optimizers.Adam):
    pass


@registered
class OwnOptimizer(keras.optimizers.Adam):
    pass


@registered
class ForgetfulOptimizer(keras.optimizers.Adam):
    def __init__(self, learning_rate=0.01, warm_up=10, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.warm_up = warm_up


class UnknownSchedule(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rate=0.01):
        self.rate = rate

    def __call__(self, step):
        return self.rate

    def get_config(self):
        return {"rate": self.rate}


@registered
class OwnSchedule(UnknownSchedule):
    pass


@registered
class ForgetfulSchedule(UnknownSchedule):
    def get_config(self):
        return {}


@registered
class SilentSchedule(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.01


class UnknownRegularizer(keras.regularizers.Regularizer):
    def __init__(self, strength=0.1):
        self.strength = strength

    def __call__(self, x):
        return self.strength * ops.sum(ops.square(x))

    def get_config(self):
        return {"strength": self.strength}


@registered
class OwnRegularizer(UnknownRegularizer):
    pass


@registered
class ForgetfulRegularizer(UnknownRegularizer):
    def get_config(self):
        return {}


def unknown_function(x):
    return ops.tanh(x)


@registered
def own_function(x):
    return ops.tanh(x)


def loss_function(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


class CallableLoss:
    def __call__(self, y_true, y_pred):
        return loss_function(y_true, y_pred)


def of_schedule(schedule):
    return keras.optimizers.SGD(schedule)


@pytest.mark.parametrize(
    "params",
    [
        {"loss": OwnLoss(0.5)},
        {"loss": PlainLoss()},
        {"loss": PlainLoss(name="other")},
        {"loss": OwnLoss},
        {"loss": UnknownLoss},
        {"loss": loss_function},
        {"loss": CallableLoss()},
        {"optimizer": OwnOptimizer(0.02)},
        {"optimizer": of_schedule(OwnSchedule(0.02))},
        {"learning_rate": OwnSchedule(0.02)},
        {"kernel_regularizer": OwnRegularizer(0.02)},
        {"kernel_regularizer": OwnRegularizer},
        {"activity_regularizer": OwnRegularizer(0.02)},
        {"activation": own_function},
        {"activation": keras.layers.LeakyReLU(0.3)},
        {"network": DenseNetwork((8,), kernel_regularizer=OwnRegularizer(0.02))},
        {"network": ConvNetwork((8, 8, 1), (2,), activation=own_function)},
    ],
)
def test_objects_of_the_users_classes_are_copied_and_pickled(digits, params):
    X = digits[:64]
    estimator = quick(**params)
    copies = [
        clone(estimator),
        copy.deepcopy(estimator),
        pickle.loads(pickle.dumps(estimator)),
    ]
    Z = estimator.fit_transform(X)
    copies.append(pickle.loads(pickle.dumps(estimator)))
    np.testing.assert_array_equal(copies[-1].transform(X), Z)
    for other in copies:
        np.testing.assert_array_equal(other.fit_transform(X), Z)


def test_loss_is_pickled_with_its_arguments():
    estimator = quick(loss=OwnLoss(0.5), kernel_regularizer=OwnRegularizer(0.02))
    other = pickle.loads(pickle.dumps(estimator))
    assert type(other.loss) is OwnLoss
    assert other.loss.factor == 0.5
    assert other.kernel_regularizer.strength == 0.02


UNKNOWN = r"is not registered.*@keras.saving.register_keras_serializable"
LOST = r"would be lost. get_config must return every argument of __init__"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": UnknownLoss()}, f"loss=.*{UNKNOWN}"),
        ({"loss": ForgetfulLoss(0.5)}, f"loss=.*'factor' {LOST}"),
        ({"loss": clone(ForgetfulLoss(0.5), safe=False)}, f"loss=.*'factor' {LOST}"),
        ({"loss": DemandingLoss(2.0)}, f"loss=.*'factor' {LOST}"),
        (
            {"loss": ClosedLoss()},
            "loss=.*must be rebuilt from what its get_config returns",
        ),
        ({"loss": PoppingLoss(factor=2.0)}, f"loss=.*'factor' {LOST}"),
        ({"optimizer": UnknownOptimizer()}, f"optimizer=.*{UNKNOWN}"),
        ({"optimizer": ForgetfulOptimizer()}, f"optimizer=.*'warm_up' {LOST}"),
        (
            {"optimizer": of_schedule(UnknownSchedule())},
            f"optimizer=.*UnknownSchedule {UNKNOWN}",
        ),
        (
            {"optimizer": of_schedule(ForgetfulSchedule())},
            f"optimizer=.*'rate' {LOST}",
        ),
        ({"learning_rate": UnknownSchedule()}, f"learning_rate=.*{UNKNOWN}"),
        ({"learning_rate": ForgetfulSchedule(0.1)}, f"learning_rate=.*'rate' {LOST}"),
        ({"learning_rate": SilentSchedule()}, "learning_rate=.*its get_config returns"),
        (
            {"kernel_regularizer": UnknownRegularizer()},
            f"kernel_regularizer=.*{UNKNOWN}",
        ),
        ({"kernel_regularizer": UnknownRegularizer}, f"kernel_regularizer=.*{UNKNOWN}"),
        (
            {"kernel_regularizer": ForgetfulRegularizer()},
            f"kernel_regularizer=.*'strength' {LOST}",
        ),
        ({"kernel_regularizer": unknown_function}, f"kernel_regularizer=.*{UNKNOWN}"),
        ({"activation": unknown_function}, f"activation=.*{UNKNOWN}"),
        ({"code_activation": unknown_function}, f"code_activation=.*{UNKNOWN}"),
        ({"activation": lambda x: x}, "activation=.*Write it as a function"),
        (
            {"network": DenseNetwork((8,), activation=unknown_function)},
            f"activation=.*{UNKNOWN}",
        ),
        (
            {
                "network": ConvNetwork(
                    (8, 8, 1), activity_regularizer=UnknownRegularizer()
                )
            },
            f"activity_regularizer=.*{UNKNOWN}",
        ),
    ],
)
def test_custom_objects_that_cannot_be_loaded_are_refused_in_fit(
    digits, params, message
):
    estimator = quick(**params)
    with pytest.raises(ValueError, match=rf"(?s){message}"):
        estimator.fit(digits)
    assert not hasattr(estimator, "n_features_in_")


def test_a_function_whose_name_was_registered_again_is_refused(digits):
    def defined():
        @registered
        def twice_defined(x):
            return ops.tanh(x)

        return twice_defined

    first, second = defined(), defined()
    quick(activation=second).fit(digits)
    with pytest.raises(ValueError, match="activation=.*registered as .*twice_defined"):
        quick(activation=first).fit(digits)


MODULE = """
import keras

registered = keras.saving.register_keras_serializable("mine")

@registered
class Loss(keras.losses.Loss):
    def __init__(self, factor=1.0, name="own", **kwargs):
        super().__init__(name=name, **kwargs)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}

@registered
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step):
        return 0.01

    def get_config(self):
        return {}

@registered
def activation(x):
    return keras.ops.tanh(x)

@registered
class Doubling(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs

def network(shape, n_components):
    return (
        keras.Sequential([keras.Input(shape), Doubling(), keras.layers.Dense(2)]),
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(*shape)]),
    )
"""
SEARCH = """
import numpy as np
from sklearn.model_selection import GridSearchCV
from skautoenc import AutoencoderTransformer

flat = AutoencoderTransformer(
    2,
    hidden_layer_sizes=(4,),
    activation=activation,
    loss=Loss(0.5),
    optimizer=keras.optimizers.Adam(Schedule()),
    random_state=0,
)
of_pair = AutoencoderTransformer(2, network=network((6,), 2))
of_function = AutoencoderTransformer(2, network=network)
X = np.random.default_rng(0).random((40, 6))
# One split is fitted in another process, and then all rows in this one.
split = [(np.arange(20), np.arange(20, 40))]
for estimator in (flat, of_pair, of_function):
    grid = {"epochs": [2]}
    search = GridSearchCV(estimator, grid, cv=split, n_jobs=2, error_score="raise")
    assert search.fit(X).best_estimator_.n_iter_ in (1, 2)
"""


@pytest.fixture(scope="module")
def places_searched(tmp_path_factory):
    """Where the classes of grid searches that ended without an error are defined.

    One script searches over its classes, then over those of a module, in the same two
    processes, each of which takes seconds to import TensorFlow: its own, and another.
    """
    folder = tmp_path_factory.mktemp("search")
    (folder / "mine.py").write_text(MODULE)
    code = MODULE.replace('("mine")', '("script")')
    code += SEARCH + "print('script', flush=True)\nfrom mine import *\n"
    code += SEARCH + "print('module', flush=True)\n"
    (folder / "search.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "search.py"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stdout.split(), done.returncode


@pytest.mark.slow
@pytest.mark.parametrize("place", ["module", "script"])
def test_grid_search_over_the_users_classes_in_two_processes(places_searched, place):
    places, status = places_searched
    assert place in places
    assert status == 0


@pytest.mark.slow
def test_loss_is_loaded_where_its_module_was_not_imported(tmp_path, monkeypatch):
    (tmp_path / "my_loss.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import my_loss

    estimator = quick(loss=my_loss.Loss(0.5))
    (tmp_path / "estimator.pkl").write_bytes(pickle.dumps(estimator))
    code = """
import pickle
import subprocess
import sys
with open("estimator.pkl", "rb") as file:
    assert pickle.load(file).loss.factor == 0.5
"""
    run_python(code, cwd=tmp_path)
