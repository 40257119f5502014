"""The backend of Keras: how it is chosen, and that a fitted network fits each."""

import json
import pickle

import numpy as np
import pytest
from helpers import NOT_IN_NUMPY, make_autoencoder, run_python

from skautoenc import ConvNetwork
from skautoenc._backend.choice import keras_backend

FIT = f"""
import sys
import numpy as np
from skautoenc import AutoencoderTransformer
sys.modules["openvino"] = sys.modules["jax"] = None  # as if not installed
X = np.random.default_rng(0).random((40, 5))
by_numpy = AutoencoderTransformer(2, epochs=1).fit(X)
AutoencoderTransformer(2, epochs=1, **{NOT_IN_NUMPY}).fit(X)
"""


@pytest.mark.parametrize(
    ("backend", "reason"),
    [("openvino", "not support the backend 'openvino'"), ("jax", "skautoenc[jax]")],
)
def test_keras_backend_is_refused_if_it_is_not_supported_or_not_installed(
    backend, reason
):
    done = run_python(FIT, env={"KERAS_BACKEND": backend}, check=False)
    error = done.stderr.splitlines()[-1]
    assert error.startswith("ImportError: ")
    assert reason in error
    assert "KERAS_BACKEND" in error


OTHER = "jax" if keras_backend() == "tensorflow" else "tensorflow"

WITH_OTHER = f"""
import os, pickle, sys
import numpy as np
X, estimator = pickle.loads(sys.stdin.buffer.read())
found = [estimator.transform(X), estimator.reconstruct(X)]
assert ("tensorflow" in sys.modules) == ({OTHER!r} == "tensorflow")
assert {OTHER!r} in sys.modules and os.environ["KERAS_BACKEND"] == ""
sys.stdout.buffer.write(pickle.dumps(found))
"""


@pytest.mark.slow
def test_a_pickle_of_one_keras_backend_gives_the_same_numbers_with_another(
    digits, tmp_path
):
    """The network is convolutional, so Keras evaluates it."""
    (tmp_path / "keras.json").write_text(json.dumps({"backend": OTHER}))
    estimator = make_autoencoder(network=ConvNetwork((8, 8, 1), (2,))).fit(digits)
    done = run_python(
        WITH_OTHER,
        env={"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": ""},
        input=pickle.dumps((digits, estimator)),
        text=False,
    )
    assert done.stderr == b""
    Z, X = pickle.loads(done.stdout)
    np.testing.assert_allclose(Z, estimator.transform(digits), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(X, estimator.reconstruct(digits), rtol=1e-4, atol=1e-4)
