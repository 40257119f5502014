"""Data shared by the tests."""

import os

# scikit-learn runs its array API check only where SciPy was imported with this.
os.environ["SCIPY_ARRAY_API"] = "1"

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skautoenc import AutoencoderTransformer


@pytest.fixture(scope="session")
def digits():
    """300 digits in [0, 1], float32."""
    X = (load_digits().data[:300] / 16).astype(np.float32)
    X.flags.writeable = False
    return X


@pytest.fixture
def small():
    """An autoencoder whose fit on `digits` takes a fraction of a second."""
    return AutoencoderTransformer(
        3, hidden_layer_sizes=(8,), batch_size=64, epochs=3, random_state=0
    )


@pytest.fixture(scope="session")
def fitted(digits):
    return AutoencoderTransformer(
        3, hidden_layer_sizes=(8,), batch_size=64, epochs=3, random_state=0
    ).fit(digits)
