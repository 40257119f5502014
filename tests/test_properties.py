"""Property tests: every call succeeds with sound results or raises a clear error.

Set the environment variable MANY_EXAMPLES=1 for ten times as many examples.
"""

import inspect
import os
import random
import warnings

import keras  # noqa: F401  importing TensorFlow sets environment variables
import numpy as np
import pandas as pd
import pytest
from engines import engines_used
from helpers import COMPILED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from skautoenc import (
    AutoencoderTransformer,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)

FACTOR = 10 if os.environ.get("MANY_EXAMPLES") else 1
KINDS = [AutoencoderTransformer, DenoisingAutoencoder, VariationalAutoencoder]

# What a message must name: a parameter, an array, or its rows, features or values.
NAMES = {name for kind in KINDS for name in inspect.signature(kind).parameters} | {
    "X",
    "sample",
    "feature",
    "Input",
    "array",
    "weight",
    "Training diverged",
}


def profile(n_examples):
    return settings(
        max_examples=FACTOR * n_examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
    )


def mostly(usual, unusual):
    """Draw from the first strategy nine times out of ten."""
    return st.integers(0, 9).flatmap(lambda i: unusual if i == 0 else usual)


SCALES = st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e3, 1e6, 1e30, 1e300])
BAD = st.sampled_from([np.nan, np.inf, -np.inf, 1e39])
CONTAINERS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2],
    "reversed": lambda X: X[::-1, ::-1],
    "read-only": lambda X: _read_only(X.copy()),
    "list": lambda X: X.tolist(),
    "frame": lambda X: pd.DataFrame(X, columns=[f"f{i}" for i in range(X.shape[1])]),
    "csr": sparse.csr_array,
    "coo": sparse.coo_array,
    "images": lambda X: X[:, :, None],
}


def _read_only(X):
    X.flags.writeable = False
    return X


@st.composite
def tables(draw, n_features=None):
    """A table of random rows in some container."""
    n_rows = draw(mostly(st.integers(5, 40), st.integers(0, 4)))
    if n_features is None:
        n_features = draw(mostly(st.integers(2, 8), st.integers(0, 1)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    X = rng.normal(size=(n_rows, n_features))
    X = X * draw(mostly(st.just(1.0), SCALES)) + draw(mostly(st.just(0.0), SCALES))
    if draw(st.integers(0, 9)) == 0 and X.size:
        X.flat[draw(st.integers(0, X.size - 1))] = draw(BAD)
    dtypes = mostly(
        st.sampled_from(["f8", "f4"]), st.sampled_from(["f2", "i8", "u1", "?", "O"])
    )
    with np.errstate(all="ignore"):
        X = X.astype(draw(dtypes))
    names = mostly(st.sampled_from(["C", "F"]), st.sampled_from(list(CONTAINERS)))
    container = draw(names)
    if container in ("csr", "coo") and X.dtype in (np.float16, object):
        container = "C"
    return CONTAINERS[container](X)


PARAMETERS = {
    "n_components": mostly(
        st.integers(1, 4),
        st.sampled_from([0, -1, 50, 0.9, 1.0, None, "mle", True, "2"]),
    ),
    "hidden_layer_sizes": mostly(
        st.sampled_from([(), (3,), 4, (5, 2), [3], np.array([4])]),
        st.sampled_from([0, -1, (0,), "auto", (2.5,), None, ((2,),)]),
    ),
    "activation": mostly(
        st.sampled_from(["relu", "tanh", "silu", None]), st.sampled_from(["no", 3])
    ),
    "init": mostly(st.sampled_from(["auto", "random"]), st.sampled_from(["pca", 1])),
    "batch_size": mostly(
        st.sampled_from(["auto", 1, 7, 1000]), st.sampled_from([0, -2, 2.5, "all"])
    ),
    "epochs": mostly(st.integers(1, 3), st.sampled_from([0, -1, 1.5, "many"])),
    "learning_rate": mostly(
        st.sampled_from([None, 1e-3, 0.1]),
        st.sampled_from([0.0, -1.0, np.nan, np.inf, 1e30, "fast"]),
    ),
    "early_stopping": mostly(
        st.sampled_from(["auto", True, False]), st.sampled_from([2, "yes"])
    ),
    "validation_fraction": mostly(
        st.sampled_from([0.1, 0.5]), st.sampled_from([0.0, 1.0, -0.5, np.nan, "half"])
    ),
    "random_state": mostly(
        st.sampled_from([0, 1, None]), st.sampled_from([-1, "seed", 2**40])
    ),
    "verbose": mostly(st.just(0), st.sampled_from([-1, 0.5, "loud"])),
}
PARAMS = st.lists(st.sampled_from(sorted(PARAMETERS)), unique=True, max_size=4).flatmap(
    lambda names: st.fixed_dictionaries({n: PARAMETERS[n] for n in names})
)


# A fit of a variational autoencoder compiles a program, which takes most of the time.
MOSTLY_IN_NUMPY = st.sampled_from([*KINDS[:2] * 4, VariationalAutoencoder])


def estimators():
    return st.builds(
        lambda kind, params: kind(
            **{"n_components": 2, "epochs": 1, "hidden_layer_sizes": (4,)} | params
        ),
        MOSTLY_IN_NUMPY,
        PARAMS,
    )


def global_state():
    """What a call must not change."""
    state = np.random.get_state()  # noqa: NPY002
    return (
        random.getstate(),
        (state[0], state[1].tolist(), *state[2:]),
        dict(os.environ),
        list(warnings.filters),
        np.geterr(),
    )


def content(X):
    if isinstance(X, list):
        return repr(X)
    if sparse.issparse(X):
        return X.shape, X.tocsr().data.tobytes(), X.tocsr().indices.tobytes()
    return np.asarray(X).tobytes() if np.asarray(X).dtype != object else repr(X)


def check_error(error):
    assert type(error) in (ValueError, TypeError) or isinstance(
        error, ValueError | TypeError
    ), repr(error)
    message = str(error)
    assert len(message) > 20, repr(error)
    assert any(name in message for name in NAMES), repr(error)


def check_results(estimator, X):
    """Check all outputs of a fitted estimator for the rows that it was fitted on."""
    rows = X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=float)
    n = len(rows)
    Z = estimator.transform(X)
    assert Z.shape == (n, estimator.n_components_)
    assert np.isfinite(Z).all()
    for restored in (estimator.inverse_transform(Z), estimator.reconstruct(X)):
        assert restored.shape == rows.shape
        assert np.isfinite(restored).all()
    assert estimator.score_samples(X).shape == (n,)
    assert not np.isnan(estimator.score(X))


def fit_or_clear_error(call):
    """Return whether a call succeeded; check its error otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = global_state()
        try:
            call()
        except Exception as error:
            check_error(error)
            return False
        finally:
            assert global_state() == before
    return True


@profile(1400)
@given(estimators(), tables())
def test_fit_and_transform_succeed_or_raise_a_clear_error(estimator, X):
    before, params = content(X), repr(estimator.get_params())
    if fit_or_clear_error(lambda: estimator.fit(X)):
        assert fit_or_clear_error(lambda: check_results(estimator, X))
    assert content(X) == before
    assert repr(estimator.get_params()) == params


# The others would need a new program for almost every example.
OF_ONE_PROGRAM = st.fixed_dictionaries(
    {name: PARAMETERS[name] for name in ("learning_rate", "random_state")}
)


@profile(60)
@given(st.sampled_from(KINDS), OF_ONE_PROGRAM, tables(n_features=5), st.booleans())
def test_fits_by_tensorflow_succeed_or_raise_a_clear_error(kind, params, X, in_chunks):
    settings = {"hidden_layer_sizes": (4,), "batch_size": 8, "epochs": 2}
    estimator = kind(2, **settings, optimizer="nadam", init="random", **params)
    before = content(X)
    with engines_used() as used:
        fit = estimator.partial_fit if in_chunks else estimator.fit
        if fit_or_clear_error(lambda: fit(X)):
            assert fit_or_clear_error(lambda: check_results(estimator, X))
            assert used == {COMPILED}
    assert content(X) == before


FITTED = {}


def fitted(kind):
    """Return an estimator of 5 features, fitted once."""
    if kind not in FITTED:
        X = np.random.default_rng(0).normal(size=(30, 5))
        FITTED[kind] = kind(2, hidden_layer_sizes=(4,), epochs=2, random_state=0).fit(X)
    return FITTED[kind]


@profile(400)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(
        ["transform", "reconstruct", "score_samples", "score", "inverse_transform"]
    ),
    mostly(tables(n_features=5), tables()),
)
def test_methods_of_a_fitted_estimator_succeed_or_raise_a_clear_error(kind, method, X):
    before = content(X)
    fit_or_clear_error(lambda: getattr(fitted(kind), method)(X))
    assert content(X) == before


WEIGHTS = mostly(
    st.sampled_from(["ones", "integers", "zeros in part"]),
    st.sampled_from(["short", "negative", "nan", "all zero", "matrix"]),
)


def weights_of(kind, n):
    rng = np.random.default_rng(0)
    return {
        "ones": np.ones(n),
        "integers": rng.integers(1, 4, n),
        "zeros in part": rng.integers(0, 2, n).astype(float),
        "short": np.ones(max(n - 1, 0)),
        "negative": -np.ones(n),
        "nan": np.full(n, np.nan),
        "all zero": np.zeros(n),
        "matrix": np.ones((n, 2)),
    }[kind]


@profile(200)
@given(estimators(), tables(n_features=5), WEIGHTS, tables(n_features=5))
def test_sample_weight_and_x_val_are_used_or_refused(estimator, X, weights, X_val):
    n = X.shape[0] if hasattr(X, "shape") else len(X)
    sample_weight = weights_of(weights, n)
    before = content(X), content(X_val)

    def call():
        estimator.fit(X, sample_weight=sample_weight, X_val=X_val)

    if fit_or_clear_error(call):
        assert fit_or_clear_error(lambda: check_results(estimator, X))
    assert (content(X), content(X_val)) == before


def codes_of(estimator):
    """The codes of some rows; None before the first fit."""
    if not hasattr(estimator, "n_features_in_"):
        return None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        return estimator.transform(np.eye(5))


@profile(200)
@given(st.sampled_from(KINDS), st.lists(tables(n_features=5), min_size=1, max_size=3))
def test_partial_fit_succeeds_or_keeps_the_estimator(kind, chunks):
    estimator = kind(2, hidden_layer_sizes=(4,), random_state=0)
    for X in chunks:
        before, codes = content(X), codes_of(estimator)
        succeeded = fit_or_clear_error(lambda X=X: estimator.partial_fit(X))
        if not succeeded:
            np.testing.assert_array_equal(codes_of(estimator), codes)
        assert content(X) == before


@pytest.mark.parametrize("kind", KINDS)
def test_errors_before_fit_name_the_remedy(kind):
    with pytest.raises(ValueError, match="fit"):
        kind().transform(np.eye(3))
