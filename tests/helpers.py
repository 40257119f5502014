"""Functions that several test modules share."""

import hashlib
import random

import numpy as np


def assert_same(results):
    """Assert that two engines have the same loss curves and final weights."""
    (ours, our_weights), (keras_, keras_weights) = results
    assert ours.keys() == keras_.keys()
    for name in ours:
        # A small part of the loss is no closer than the whole.
        atol = 1e-4 * min(ours["loss"]) if name not in ("loss", "val_loss") else 0
        np.testing.assert_allclose(ours[name], keras_[name], rtol=1e-4, atol=atol)
    for a, b in zip(our_weights, keras_weights, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-3)


def global_states():
    """Hashes of the global random states of Python and NumPy."""
    return (
        hashlib.sha256(repr(random.getstate()).encode()).hexdigest(),
        hashlib.sha256(np.random.get_state()[1].tobytes()).hexdigest(),
    )
