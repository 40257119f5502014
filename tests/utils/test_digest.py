"""Digests: equal in every process for equal values, and different for others."""

import functools
import itertools
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import run_python
from scipy.sparse import csr_matrix

from skautoenc import ConvNetwork
from skautoenc._utils.digest import Digest
from skautoenc.noise import gaussian

SCALE = 0.3
LOCK = object()


def helper(x):
    return SCALE * x


def function(x, power=2):
    return [helper(y) ** power for y in x if y in {"a", "b"}]


def other_function(x, power=2):
    return [helper(y) ** power for y in x if y in {"a", "c"}]


class Loss(keras.losses.Loss):
    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor

    def call(self, targets, outputs):
        return helper(targets - outputs)

    def get_config(self):
        return {"factor": self.factor}


def closure(number):
    def inner(x):
        return number * x

    return inner


def digest(*values):
    made = Digest()
    for value in values:
        made.add(value)
    return made.hexdigest()


VALUES = [
    None,
    1,
    True,
    1.0,
    "1",
    b"1",
    [1],
    (1,),
    {"a": 1},
    {"a": 2},
    {1},
    ...,
    np.float32(1),
    np.arange(6.0),
    np.arange(6.0).reshape(2, 3),
    np.arange(6.0).reshape(3, 2),
    np.arange(6),
    np.array(["a", None], object),
    csr_matrix(np.eye(3)),
    csr_matrix(2 * np.eye(3)),
    np.random.default_rng(0),
    function,
    other_function,
    functools.partial(function, power=2),
    functools.partial(function, power=3),
    closure(1),
    closure(2),
    Loss(),
    Loss(2.0),
    Loss,
    gaussian,
    len,
    np.less,
    keras.optimizers.Adam(0.1),
    keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.2)),
    ConvNetwork((8, 8, 1), (2,)),
    ConvNetwork((8, 8, 1), (3,)),
]


def test_digest_differs_for_different_values():
    for (i, a), (j, b) in itertools.product(enumerate(map(digest, VALUES)), repeat=2):
        assert (a == b) == (i == j), (VALUES[i], VALUES[j])


def test_digest_distinguishes_how_values_are_grouped():
    assert digest(["a", "b"]) != digest(["ab"])
    assert digest([["a"], "b"]) != digest([["a", "b"]])
    assert digest("a", "b") != digest("ab")


def test_digest_is_equal_for_equal_values():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    rows = np.arange(12.0).reshape(3, 4)
    assert digest(rows) == digest(np.asfortranarray(rows)) == digest(rows.copy())
    many = np.random.default_rng(0).random((5000, 700))
    assert digest(many) == digest(many.copy()) != digest(many[::-1])


def test_digest_of_a_function_depends_on_the_global_variables_that_it_reads(
    monkeypatch,
):
    before = digest(function), digest(Loss())
    monkeypatch.setitem(globals(), "SCALE", 0.4)
    after = digest(function), digest(Loss())
    assert before[0] != after[0]
    assert before[1] != after[1]


IN_OTHER_PROCESSES = """
import sys
sys.path.insert(0, {tests!r})
from utils.test_digest import VALUES, digest
print(*map(digest, VALUES))
"""


def test_digest_is_equal_in_other_processes():
    code = IN_OTHER_PROCESSES.format(tests=str(Path(__file__).parents[1]))
    first, second = (
        run_python(code, env={"PYTHONHASHSEED": seed}).stdout for seed in "12"
    )
    assert first == second
    assert len(first.split()) == len(VALUES)


def test_digest_refuses_objects_that_cannot_be_compared():
    with pytest.raises(TypeError, match="has no get_config, so that it cannot"):
        digest([1, LOCK])
