"""Damaged files: an error or the right object, and nothing else happens."""

import contextlib
import os
from pathlib import Path

import keras
import numpy as np
import pytest
from damage import N, flipped, foreign, truncated
from helpers import make_autoencoder, run_python

from skautoenc import AutoencoderImputer, AutoencoderOutlierDetector
from skautoenc import AutoencoderTransformer as Autoencoder
from skautoenc._training.checkpoint_file import (
    checkpoint_path,
    read_checkpoint,
    write_checkpoint,
)
from skautoenc._utils.stored import checksum

TESTS = Path(__file__).parents[1]

# In a new process, whose memory is limited, and which has not imported TensorFlow.
PROGRAM = """
import collections, contextlib, pickle, sys
import numpy as np
import skops.io
from damage import *
from helpers import make_autoencoder
from skautoenc import AutoencoderTransformer

X = np.random.default_rng(0).random((40, 3))
estimator = make_autoencoder(n_components=2, hidden_layer_sizes=(2,)).fit(X)
wanted = estimator.reconstruct(X)
events = limit_memory(2**31)


def load_skops(data):
    return skops.io.loads(data, trusted=[AutoencoderTransformer])


def is_fitted(other):
    # skops loads an object without content without calling it.
    return bool(vars(other))


def check(name, load, data, damages, n):
    rng = np.random.default_rng(len(data))
    for damage in damages:
        n_refused = 0
        for _ in range(n):
            try:
                other = load(damage(data, rng))
            except Exception:
                other = None
            if not isinstance(other, AutoencoderTransformer) or not is_fitted(other):
                n_refused += 1
                continue
            assert other.get_params() == estimator.get_params(), damage
            np.testing.assert_array_equal(other.reconstruct(X), wanted)
        print(name, damage.__name__, n_refused)
        assert n_refused > n / 4, (name, damage, n_refused)


of_files = [truncated, flipped, foreign]
check("skops", load_skops, skops.io.dumps(estimator), of_files, N)
check("skops", load_skops, skops.io.dumps(estimator), [with_altered_schema], N)
check("pickle", pickle.loads, pickle.dumps(estimator), of_files, N)
assert not events, events
assert not {"tensorflow", "keras"} & set(sys.modules)
"""


def test_damaged_skops_files_and_pickles_are_refused_or_give_the_same_estimator():
    path = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = run_python(PROGRAM, env={"PYTHONPATH": path})
    assert len(done.stdout.splitlines()) == 7


def test_damaged_checkpoints_are_refused_or_give_the_same_state(tmp_path):
    rng = np.random.default_rng(0)
    path = checkpoint_path(tmp_path, "fingerprint")
    state = {"weights": [np.arange(12.0).reshape(3, 4), np.ones(5)], "epoch": 7}
    write_checkpoint(path, state)
    data = path.read_bytes()
    for damage in (truncated, flipped, foreign):
        for _ in range(N):
            path.write_bytes(damage(data, rng))
            with contextlib.suppress(ValueError):
                np.testing.assert_equal(read_checkpoint(path), state)


def test_damaged_keras_files_are_refused_or_give_the_same_estimator(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "model.keras"
    layers = [keras.layers.Dense(1, name="code"), keras.layers.Dense(2)]
    keras.Sequential([keras.Input((2,)), *layers]).save(path)
    X, data = np.eye(2), path.read_bytes()

    def load():
        return Autoencoder.from_keras(keras.saving.load_model(path), "code")

    wanted = load().reconstruct(X)
    for damage in (truncated, flipped, foreign):
        for _ in range(N):
            path.write_bytes(damage(data, rng))
            try:
                other = load()
            except Exception:
                continue
            np.testing.assert_array_equal(other.reconstruct(X), wanted)


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).random((60, 5))


@pytest.fixture(scope="module")
def states(rows):
    """States of fitted estimators."""
    autoencoder = make_autoencoder(n_components=2)
    incomplete = np.where(rows < 0.3, np.nan, rows)
    estimators = [
        autoencoder.fit(rows),
        make_autoencoder(n_components=2).partial_fit(rows),
        AutoencoderOutlierDetector(autoencoder, random_state=0).fit(rows),
        AutoencoderImputer(hidden_layer_sizes=(3,), epochs=2, random_state=0).fit(
            np.tile(incomplete, (5, 1))
        ),
    ]
    return [(type(each), each.__getstate__()) for each in estimators]


CONTAINERS = dict, list, tuple


def paths(value, path=()):
    """The keys that lead to each value within a state."""
    if type(value) in CONTAINERS:
        for key in value if type(value) is dict else range(len(value)):
            yield (*path, key)
            yield from paths(value[key], (*path, key))


def at(value, path):
    return at(value[path[0]], path[1:]) if path else value


def replaced(value, path, other):
    """A copy of a state with another value, or without one if it is `REMOVED`."""
    if not path:
        return other
    items = dict(value) if type(value) is dict else list(value)
    items[path[0]] = replaced(items[path[0]], path[1:], other)
    if items[path[0]] is REMOVED:
        del items[path[0]]
    return type(value)(items)


REMOVED = object()


def damaged(value, rng):
    """A value with one bit, character or number changed."""
    if isinstance(value, np.ndarray) and value.nbytes and not value.dtype.hasobject:
        changed = np.frombuffer(flipped(value.tobytes(), rng), value.dtype)
        return changed.reshape(value.shape)
    if isinstance(value, str) and value:
        i = rng.integers(len(value))
        other = chr(ord(value[i]) ^ 1 << int(rng.integers(6)))
        return value[:i] + other + value[i + 1 :]
    if isinstance(value, bool):
        return not value
    is_number = isinstance(value, int | float) and value == value
    return -value - 1 if is_number else "damaged"


def changed_states(state, n):
    """Copies of a state in which something is changed."""
    rng, found = np.random.default_rng(0), list(paths(state))
    for _ in range(n):
        path, other = (found[rng.integers(len(found))] for _ in range(2))
        change = rng.integers(3)
        if change == 0:
            yield replaced(state, path, REMOVED)
        elif change == 1 and repr(at(state, path)) != repr(at(state, other)):
            yield replaced(state, path, at(state, other))
        else:
            yield replaced(state, path, damaged(at(state, path), rng))


def load(kind, state):
    estimator = object.__new__(kind)
    estimator.__setstate__(state)
    return estimator


def test_a_changed_state_is_refused(states):
    message = "checksum is wrong|format number|newer version"
    for kind, state in states:
        for changed in changed_states(state, N):
            with pytest.raises(ValueError, match=message):
                load(kind, changed)


def test_a_changed_state_with_a_valid_checksum_runs_nothing(states, rows, monkeypatch):
    """The author of a file can compute its checksum."""

    def fail(*args, **kwargs):
        raise SystemExit("something was run")

    for name in ("system", "popen", "execv", "fork", "remove", "unlink"):
        monkeypatch.setattr(os, name, fail)
    for kind, state in states:
        method = "transform" if hasattr(kind, "transform") else "score_samples"
        for changed in changed_states(state, N // len(states)):
            changed.pop("_checksum", None)
            changed["_checksum"] = checksum(changed)
            with np.errstate(all="ignore"), contextlib.suppress(Exception):
                getattr(load(kind, changed), method)(rows)
