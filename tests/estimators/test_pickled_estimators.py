"""Pickles of each format load and give the same results."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from helpers import make_autoencoder

from skautoenc import AutoencoderTransformer
from skautoenc._estimators.reducer import FORMAT

FOLDER = Path(__file__).parents[1] / "data"
PICKLES = sorted(FOLDER.glob("*.pickle"))


def test_there_are_pickles_of_each_format():
    for number in range(1, FORMAT + 1):
        assert [path for path in PICKLES if path.stem.endswith(f"_format_{number}")]


@pytest.mark.parametrize("path", PICKLES, ids=lambda path: path.stem)
def test_a_stored_pickle_loads_and_reconstructs_as_before(path):
    estimator = pickle.loads(path.read_bytes())
    name, _, number = path.stem.partition("_format_")
    with np.load(FOLDER / f"expected_format_{number}.npz") as expected:
        X = expected["X"]
        if name == "unfitted":
            estimator.fit(X)
            return
        np.testing.assert_allclose(
            estimator.reconstruct(X), expected[name], rtol=1e-4, atol=1e-5
        )
    assert estimator.best_epoch_ <= estimator.n_iter_ == len(estimator.history_["loss"])


def test_a_pickle_of_an_estimator_without_components_says_so():
    estimator = make_autoencoder(epochs=1).fit(np.eye(12, 3))
    state = estimator.__getstate__()
    del state["components_"]
    other = AutoencoderTransformer()
    other.__setstate__(state)
    assert other.transform(np.eye(12, 3)).shape == (12, 3)
    with pytest.raises(AttributeError, match="has no components_"):
        other.components_  # noqa: B018


def test_a_pickle_of_a_newer_version_is_refused():
    estimator = make_autoencoder()
    state = estimator.__getstate__() | {"_format": FORMAT + 1}
    with pytest.raises(ValueError, match=r"newer version of skautoenc.*Upgrade"):
        estimator.__setstate__(state)


def test_a_pickle_without_a_format_is_refused():
    estimator = make_autoencoder()
    state = estimator.__getstate__()
    del state["_format"]
    with pytest.raises(ValueError, match="no valid format number"):
        estimator.__setstate__(state)
