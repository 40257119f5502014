"""The format of a pickled network."""

import copy
import pickle

import pytest

from skautoenc._fitted.network import FittedNetwork
from skautoenc._fitted.state import FORMAT


def load(state):
    network = object.__new__(FittedNetwork)
    network.__setstate__(state)
    return network


def test_state_has_the_format_number(fitted):
    assert fitted._encoder.__getstate__()["format"] == FORMAT == 1


def test_state_is_read_back(fitted, digits):
    network = fitted._encoder
    for other in (pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        assert (other(digits) == network(digits)).all()


def test_state_of_a_newer_version_is_refused(fitted):
    state = fitted._encoder.__getstate__() | {"format": FORMAT + 1}
    with pytest.raises(ValueError, match=r"newer version of skautoenc.*Upgrade"):
        load(state)


@pytest.mark.parametrize("number", [None, "1", 1.0, True, 0, -1])
def test_state_with_an_invalid_format_is_refused(fitted, number):
    state = fitted._encoder.__getstate__() | {"format": number}
    with pytest.raises(ValueError, match="no valid format number"):
        load(state)


@pytest.mark.parametrize("state", [None, {}, [], "state"])
def test_state_without_a_format_is_refused(state):
    with pytest.raises(ValueError, match="no valid format number"):
        load(state)
