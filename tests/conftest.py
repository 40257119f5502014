"""Data shared by the tests."""

import gc
import os
import random

# scikit-learn runs its array API check only where SciPy was imported with this.
os.environ["SCIPY_ARRAY_API"] = "1"

import numpy as np
import pytest
from helpers import COMPILED, make_autoencoder
from sklearn.datasets import load_digits


def pytest_configure(config):
    """Give each process of pytest-xdist, which it starts later, one thread of BLAS.

    There is a process for each core. Threads that wait for each other take time.
    """
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_collection_finish(session):
    """Exempt the objects of TensorFlow from garbage collection, which saves 5 %."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Seed what layers and scikit-learn's estimators without a seed draw from.

    A test that depends on these numbers passes or fails in each run, and alone as well.
    """
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(scope="session")
def digits():
    """300 digits in [0, 1], float32."""
    X = (load_digits().data[:300] / 16).astype(np.float32)
    X.flags.writeable = False
    return X


@pytest.fixture
def small():
    """A new autoencoder, see `make_autoencoder`."""
    return make_autoencoder()


@pytest.fixture(scope="session")
def fitted(digits):
    """A fitted autoencoder, not to be changed."""
    return make_autoencoder().fit(digits)


@pytest.fixture(params=["numpy", COMPILED, "keras"])
def engine(request):
    """Parameters that one engine trains a dense autoencoder with, and no other.

    The test must fit with this engine alone, in this process. `indirect` names some.
    """
    from engines import ENGINES, engines_used  # imports Keras

    with engines_used() as used:
        yield ENGINES[request.param]
    assert used == {request.param}
