"""Checkpoints: what is resumed, what is refused, and what is left in the folder."""

import functools
import os
import re
import signal
import tempfile

import keras
import numpy as np
import pytest
from engines import ENGINES
from helpers import COMPILED, make_autoencoder, run_python
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)
from skautoenc._fit import fit as fit_module
from skautoenc._training import checkpoint as checkpoint_module

callbacks = keras.callbacks


class Interrupted(Exception):
    pass


class Interrupts:
    """A callback of scikit-learn that ends the fit, or the process, after epochs."""

    def __init__(self, n_epochs=None, kills=False):
        self.n_epochs, self.kills, self.n_seen = n_epochs, kills, 0

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "epoch" and self.n_seen == self.n_epochs:
            if self.kills:
                os.kill(os.getpid(), signal.SIGKILL)
            raise Interrupted

    def on_fit_task_end(self, estimator, context):
        self.n_seen += context.task_name == "epoch"

    def teardown(self, estimator, context):
        pass


@pytest.fixture
def every_epoch(monkeypatch):
    """Write a checkpoint after every epoch, however long that takes."""
    monkeypatch.setattr(checkpoint_module, "_MAX_SHARE", 1e9)


def interrupt(estimator, *args, n_epochs=2, **kwargs):
    with pytest.raises(Interrupted):
        estimator.set_callbacks(Interrupts(n_epochs)).fit(*args, **kwargs)
    estimator.set_callbacks()


def n_epochs_trained(estimator, *args, **kwargs):
    counter = Interrupts()
    estimator.set_callbacks(counter).fit(*args, **kwargs)
    estimator.set_callbacks()
    return counter.n_seen


def test_checkpoint_keeps_the_numbers_of_the_epochs_for_callbacks(
    digits, tmp_path, every_epoch
):
    class Numbers(Interrupts):
        epochs = []

        def on_fit_task_end(self, estimator, context):
            super().on_fit_task_end(estimator, context)
            if context.task_name == "epoch":
                self.epochs.append(context.task_id)

    estimator = make_autoencoder(checkpoint=tmp_path, epochs=5)
    interrupt(estimator, digits, n_epochs=3)
    estimator.set_callbacks(Numbers()).fit(digits)
    assert Numbers.epochs == [3, 4]


def assert_same_fits(first, second):
    assert first.history_ == second.history_
    assert first.best_epoch_ == second.best_epoch_
    for part in ("_encoder", "_decoder"):
        weights = [getattr(each, part).weights for each in (first, second)]
        for a, b in zip(*weights, strict=True):
            np.testing.assert_array_equal(a, b)


def add_noise(X, rng):
    return X + 0.1 * rng.normal(size=X.shape)


def plateau():
    return callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=9)


FITS = {
    **{name: (AutoencoderTransformer, params) for name, params in ENGINES.items()},
    "repeated": (AutoencoderTransformer, {"epochs": 30, "n_iter_no_change": 10}),
    "callbacks": (AutoencoderTransformer, {"callbacks": [plateau]}),
    "averaged": (
        AutoencoderTransformer,
        {
            "optimizer": keras.optimizers.Adam(0.01, use_ema=True),
            "early_stopping": False,
        },
    ),
    "scheduled": (
        AutoencoderTransformer,
        {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.01, 5, 0.5)},
    ),
    "conv": (
        AutoencoderTransformer,
        {"network": ConvNetwork((8, 8, 1), (2,)), "n_components": None},
    ),
    "noise": (DenoisingAutoencoder, {"noise": add_noise}),
    "variational": (VariationalAutoencoder, {"early_stopping": True}),
}


@pytest.mark.parametrize("name", FITS)
def test_checkpoint_resumes_a_fit_with_the_bits_of_an_uninterrupted_one(
    digits, tmp_path, every_epoch, name
):
    kind, params = FITS[name]
    params = {"epochs": 5, "random_state": 0, **params}
    whole = make_autoencoder(kind, **params).fit(digits)
    estimator = make_autoencoder(kind, checkpoint=tmp_path, **params)
    interrupt(estimator, digits)
    assert not hasattr(estimator, "history_")
    assert len(os.listdir(tmp_path)) == 1
    assert n_epochs_trained(estimator, digits) == whole.n_iter_ - 2
    assert_same_fits(estimator, whole)
    assert os.listdir(tmp_path) == []


def test_checkpoint_resumes_a_fit_with_a_validation_set_and_weights(
    digits, tmp_path, every_epoch
):
    data = {"X_val": digits[200:], "sample_weight": np.linspace(0, 3, 200)}
    params = {"epochs": 5, "hidden_layer_sizes": ()}
    whole = make_autoencoder(**params).fit(digits[:200], **data)
    estimator = make_autoencoder(checkpoint=tmp_path, **params)
    interrupt(estimator, digits[:200], **data)
    assert n_epochs_trained(estimator, digits[:200], **data) == 3
    assert_same_fits(estimator, whole)


def test_checkpoint_resumes_a_warm_start(digits, tmp_path, every_epoch):
    first = make_autoencoder(warm_start=True, checkpoint=tmp_path).fit(digits)
    second = clone(first).fit(digits)
    interrupt(first, digits)
    assert n_epochs_trained(first, digits) == 1
    assert_same_fits(first, second.fit(digits))


def test_checkpoint_is_resumed_at_its_last_epoch_if_a_later_step_was_interrupted(
    digits, tmp_path, every_epoch
):
    def interrupted(*args):
        raise Interrupted

    params = {"n_iter_no_change": 1, "learning_rate": 9.0, "epochs": 5}
    whole = make_autoencoder(**params).fit(digits)
    assert whole.n_iter_ < 5
    estimator = make_autoencoder(checkpoint=tmp_path, **params)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_module, "use_all_rows", interrupted)
        with pytest.raises(Interrupted):
            estimator.fit(digits)
    assert n_epochs_trained(estimator, digits) == 0
    assert_same_fits(estimator, whole)


def test_checkpoint_restores_what_keras_callbacks_have_recorded(
    digits, tmp_path, every_epoch
):
    estimator = make_autoencoder(
        epochs=5, checkpoint=tmp_path, callbacks=[callbacks.History()]
    )
    interrupt(estimator, digits)
    (history,) = estimator.callbacks
    estimator.fit(digits)
    assert history.epoch == [0, 1, 2, 3, 4]
    assert history.history == estimator.history_


KILLED = """
import sys
sys.path.insert(0, {tests!r})
sys.path.insert(0, {folder!r})
import numpy as np
from helpers import make_autoencoder
from training.test_checkpoint import Interrupts
from skautoenc._training import checkpoint
from sklearn.datasets import load_digits
X = (load_digits().data[:300] / 16).astype(np.float32)
estimator = make_autoencoder(checkpoint={checkpoint!r}, **{params!r})
checkpoint._MAX_SHARE = 1e9
estimator.set_callbacks(Interrupts(12, kills=True)).fit(X)
"""


@pytest.mark.parametrize("engine", ["numpy", COMPILED])
def test_checkpoint_resumes_a_fit_whose_process_was_killed(digits, tmp_path, engine):
    params = {"epochs": 20, "early_stopping": False, **ENGINES[engine]}
    tests = os.path.dirname(os.path.dirname(__file__))
    code = KILLED.format(
        tests=tests,
        folder=os.path.dirname(tests),
        checkpoint=str(tmp_path),
        params=params,
    )
    done = run_python(code, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    estimator = make_autoencoder(checkpoint=str(tmp_path), **params)
    assert n_epochs_trained(estimator, digits) == 8
    assert_same_fits(estimator, make_autoencoder(**params).fit(digits))
    assert os.listdir(tmp_path) == []


def add_more_noise(X, rng):
    return X + 0.2 * rng.normal(size=X.shape)


@pytest.fixture(scope="module")
def in_float64(digits):
    return digits.astype(np.float64)


OTHER_FITS = {
    "learning_rate": {"learning_rate": 0.01},
    "optimizer": {"optimizer": "rmsprop"},
    "optimizer's settings": {"optimizer": keras.optimizers.Adam(beta_1=0.8)},
    "batch_size": {"batch_size": 32},
    "epochs": {"epochs": 6},
    "random_state": {"random_state": 1},
    "n_components": {"n_components": 4},
    "hidden_layer_sizes": {"hidden_layer_sizes": (9,)},
    "activation": {"activation": "elu"},
    "kernel_regularizer": {"kernel_regularizer": 1e-4},
    "early_stopping": {"early_stopping": True},
    "n_iter_no_change": {"n_iter_no_change": 4},
    "noise_level": {"noise_level": 0.3},
    "noise": {"noise": add_noise},
    "code of noise": {"noise": add_more_noise},
    "arguments of noise": {"noise": functools.partial(add_more_noise)},
    "callbacks": {"callbacks": [callbacks.EarlyStopping("loss", patience=3)]},
    "functions of callbacks": {
        "callbacks": [callbacks.LearningRateScheduler(lambda epoch, rate: rate)]
    },
    "other functions of callbacks": {
        "callbacks": [callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)]
    },
    "settings of callbacks": {
        "callbacks": [callbacks.EarlyStopping("loss", patience=4)]
    },
}


def test_checkpoint_is_named_after_data_and_parameters(digits, tmp_path, every_epoch):
    estimator = make_autoencoder(DenoisingAutoencoder, epochs=5, checkpoint=tmp_path)
    changed = digits.copy()
    changed[7, 20] += 1e-3
    weight = np.ones(300)
    weight[0] = 1.5
    fits = [
        *[(clone(estimator).set_params(**p), digits, {}) for p in OTHER_FITS.values()],
        (estimator, changed, {}),
        (estimator, digits.astype(np.float64), {}),
        (estimator, digits[:299], {}),
        (estimator, digits, {"sample_weight": weight}),
        (estimator, digits, {"X_val": digits[:9]}),
        (estimator, digits, {"X_val": digits[1:10]}),
        (estimator, digits, {"X_clean": digits[::-1]}),
        (estimator, digits, {}),
    ]
    for i, (other, X, data) in enumerate(fits, start=1):
        interrupt(other, X, n_epochs=1, **data)
        assert len(os.listdir(tmp_path)) == i
        interrupt(other, X, n_epochs=0, **data)
        assert len(os.listdir(tmp_path)) == i
    assert n_epochs_trained(estimator, digits) == 4
    assert len(os.listdir(tmp_path)) == len(fits) - 1


def test_checkpoint_does_not_depend_on_verbose_and_order_of_keys(digits, tmp_path):
    estimator = make_autoencoder(
        checkpoint=tmp_path, kernel_regularizer={"l1": 1, "l2": 2}
    )
    interrupt(estimator, digits, n_epochs=0)
    estimator.set_params(verbose=0, kernel_regularizer={"l2": 2, "l1": 1})
    interrupt(estimator, digits, n_epochs=0)
    assert len(os.listdir(tmp_path)) == 1


def test_checkpoint_with_verbose_tells_where_training_is_resumed(
    digits, tmp_path, every_epoch, capsys
):
    estimator = make_autoencoder(checkpoint=tmp_path, verbose=1)
    interrupt(estimator, digits)
    estimator.fit(digits)
    assert "Resumed after epoch 2: " in capsys.readouterr().out


def test_checkpoint_folder_is_created_and_shared_by_a_search(digits, tmp_path):
    folder = tmp_path / "new" / "folder"
    estimator = make_autoencoder(checkpoint=folder)
    search = GridSearchCV(estimator, {"n_components": [2, 3]}, cv=2, n_jobs=2)
    search.fit(digits)
    plain = GridSearchCV(make_autoencoder(), {"n_components": [2, 3]}, cv=2)
    assert search.best_score_ == plain.fit(digits).best_score_
    assert os.listdir(folder) == []


def truncate(data):
    return data[: len(data) // 2]


def flip_a_bit(data):
    at = data.rindex(b"\x93NUMPY") + 400  # in the last array
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def save_objects(data):
    import io

    file = io.BytesIO()
    np.savez(file, np.array([print], dtype=object))
    return file.getvalue()


def save_numbers(data):
    import io

    file = io.BytesIO()
    np.save(file, np.arange(3))
    return file.getvalue()


@pytest.mark.parametrize(
    "damage",
    [truncate, flip_a_bit, save_objects, save_numbers, bytes.upper, lambda data: b""],
)
def test_checkpoint_that_is_damaged_or_foreign_is_refused(
    digits, tmp_path, every_epoch, damage
):
    estimator = make_autoencoder(checkpoint=tmp_path)
    interrupt(estimator, digits)
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    message = rf"checkpoint: .*{path.name} is not a checkpoint of this fit, or is damag"
    with pytest.raises(ValueError, match=message):
        estimator.fit(digits)
    assert not hasattr(estimator, "history_")


def test_checkpoint_of_another_fit_is_refused_under_this_name(
    digits, tmp_path, every_epoch
):
    estimator = make_autoencoder(checkpoint=tmp_path)
    interrupt(estimator, digits)
    (path,) = tmp_path.iterdir()
    other = clone(estimator).set_params(random_state=1)
    interrupt(other, digits)
    (of_other,) = set(tmp_path.iterdir()) - {path}
    path.rename(of_other)
    with pytest.raises(ValueError, match=r"written by another fit, and renamed\. Del"):
        other.fit(digits)


def test_checkpoint_holds_no_pickle(digits, tmp_path, every_epoch):
    estimator = make_autoencoder(checkpoint=tmp_path, optimizer="nadam")
    interrupt(estimator, digits)
    (path,) = tmp_path.iterdir()
    with np.load(path, allow_pickle=False) as file:
        kinds = {file[name].dtype.kind for name in file.files}
    assert kinds <= set("biuf")


def test_checkpoint_half_written_is_ignored_and_removed(digits, tmp_path, every_epoch):
    estimator = make_autoencoder(checkpoint=tmp_path)
    interrupt(estimator, digits)
    (path,) = tmp_path.iterdir()
    (tmp_path / f"{path.stem}.abc.tmp").write_bytes(path.read_bytes()[:99])
    assert n_epochs_trained(estimator, digits) == 1
    assert os.listdir(tmp_path) == []


LIMITED = """
import resource, sys
sys.path.insert(0, {tests!r})
import numpy as np
from helpers import make_autoencoder
from skautoenc._training import checkpoint
from sklearn.datasets import load_digits
checkpoint._MAX_SHARE = 1e9
X = (load_digits().data[:300] / 16).astype(np.float32)

class Fills:
    def setup(self, estimator, context): pass
    def on_fit_task_begin(self, estimator, context):
        if context.task_name == "epoch" and context.task_id == {epoch}:
            resource.setrlimit(resource.RLIMIT_FSIZE, (999, 999))
    def on_fit_task_end(self, estimator, context): pass
    def teardown(self, estimator, context): pass

if {epoch} < 0:
    resource.setrlimit(resource.RLIMIT_FSIZE, (999, 999))
estimator = make_autoencoder(checkpoint={folder!r}).set_callbacks(Fills())
try:
    estimator.fit(X)
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize(("epoch", "n_left"), [(-1, 3), (2, 1)])
def test_checkpoint_that_cannot_be_written_is_an_error_and_loses_no_epoch(
    digits, tmp_path, every_epoch, epoch, n_left
):
    tests = os.path.dirname(os.path.dirname(__file__))
    code = LIMITED.format(tests=tests, folder=str(tmp_path), epoch=epoch)
    message = run_python(code).stdout
    assert f"checkpoint={str(tmp_path)!r} cannot be written: File too large" in message
    assert ("The former one is kept" in message) == (epoch > 0)
    assert len(os.listdir(tmp_path)) == (epoch > 0)
    estimator = make_autoencoder(checkpoint=str(tmp_path))
    assert n_epochs_trained(estimator, digits) == n_left
    assert_same_fits(estimator, make_autoencoder().fit(digits))


READ_ONLY = """
import os, sys
sys.path.insert(0, {tests!r})
import numpy as np
from helpers import make_autoencoder
from sklearn.datasets import load_digits
X = (load_digits().data[:300] / 16).astype(np.float32)
make_autoencoder().fit(X)
if os.geteuid() == 0:
    os.setuid(65534)  # root may write anywhere
try:
    make_autoencoder(checkpoint={folder!r}).fit(X)
except PermissionError as error:
    print(error)
"""


def test_checkpoint_in_a_read_only_folder_is_an_error_before_training():
    tests = os.path.dirname(os.path.dirname(__file__))
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        done = run_python(READ_ONLY.format(tests=tests, folder=folder))
    assert re.search(
        "checkpoint='.*' cannot be written: Permission denied", done.stdout
    )


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_checkpoint_requires_an_int_as_random_state(digits, tmp_path, random_state):
    estimator = make_autoencoder(checkpoint=tmp_path, random_state=random_state)
    with pytest.raises(ValueError, match=r"checkpoint requires an int as random_state"):
        estimator.fit(digits)
    make_autoencoder(checkpoint=tmp_path, random_state=np.int64(3)).fit(digits)


def test_checkpoint_must_be_a_folder(digits, tmp_path):
    path = tmp_path / "file"
    path.write_text("text")
    with pytest.raises(ValueError, match=r"checkpoint='.*file' is a file; give a fold"):
        make_autoencoder(checkpoint=path).fit(digits)


class NoiseObject:
    def __call__(self, X, rng):
        return X


def test_checkpoint_refuses_objects_that_cannot_be_compared(digits, tmp_path):
    estimator = make_autoencoder(
        DenoisingAutoencoder, noise=NoiseObject(), checkpoint=tmp_path
    )
    message = r"checkpoint: the parameter augmentation .* has no get_config"
    with pytest.raises(TypeError, match=message):
        estimator.fit(digits)
