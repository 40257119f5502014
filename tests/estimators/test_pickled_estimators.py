"""Files of each format load and give the same results."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import skops.io
from helpers import make_autoencoder

from skautoenc import AutoencoderTransformer
from skautoenc._estimators.stored_state import FORMAT

FOLDER = Path(__file__).parents[1] / "data"
sys.path.insert(0, str(FOLDER))

from write_files import FEW, result  # noqa: E402

FILES = sorted([*FOLDER.glob("*.pickle"), *FOLDER.glob("*.skops")])


def load(path):
    if path.suffix == ".pickle":
        return pickle.loads(path.read_bytes())
    return skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path))


def test_there_are_files_of_each_format():
    for number in range(1, FORMAT + 1):
        kinds = {p.suffix for p in FILES if p.stem.endswith(f"_format_{number}")}
        assert kinds == ({".pickle"} if number == 1 else {".pickle", ".skops"})


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_stored_file_loads_and_computes_as_before(path):
    estimator = load(path)
    name, _, number = path.stem.partition("_format_")
    with np.load(FOLDER / f"expected_format_{number}.npz") as expected:
        X = expected["X"]
        if name == "unfitted":
            estimator.fit(X)
            return
        if name == "classifier":
            assert set(estimator.predict(X)) <= set("abcdefghij")
        np.testing.assert_allclose(
            result(name, estimator, X), expected[name], rtol=1e-4, atol=1e-5
        )
        if name == "chunks":
            assert estimator.partial_fit(X[:, FEW]).n_iter_ == 0
    if name not in ("chunks", "pipeline", "outliers", "imputer"):
        n_epochs = len(estimator.history_["loss"])
        assert estimator.best_epoch_ <= estimator.n_iter_ == n_epochs


def state_of_format_1(estimator):
    return {**vars(estimator), "_format": 1}


def test_a_pickle_of_an_estimator_without_components_says_so():
    state = state_of_format_1(make_autoencoder(epochs=1).fit(np.eye(12, 3)))
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
