"""`n_components` as a share of the variance."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import make_autoencoder
from sklearn.base import clone
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)

ESTIMATORS = [AutoencoderTransformer, DenoisingAutoencoder, VariationalAutoencoder]
N_STREAMED = 2**18 + 1


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_n_components_as_a_share_is_the_number_that_pca_needs(digits, cls, share):
    estimator = make_autoencoder(cls, n_components=share, epochs=1).fit(digits)
    assert estimator.n_components == share
    assert estimator.n_components_ == PCA(share).fit(digits).n_components_
    assert estimator.transform(digits).shape == (300, estimator.n_components_)


@pytest.mark.parametrize("share", [0.2, 0.9, 0.999999])
@pytest.mark.parametrize(
    "X",
    [
        load_digits().data + 1e6,
        load_wine().data,
        np.random.default_rng(0).normal(size=(40, 1200)),
        np.ones((12, 3)) * np.arange(12)[:, None],
    ],
    ids=["far from zero", "one large feature", "wide", "one direction"],
)
def test_n_components_as_a_share_agrees_with_pca_on_all_kinds_of_rows(X, share):
    estimator = make_autoencoder(n_components=share, epochs=1).fit(X)
    assert estimator.n_components_ == PCA(share, svd_solver="full").fit(X).n_components_


def test_n_components_as_a_share_explains_at_least_that_share(digits):
    estimator = AutoencoderTransformer(0.8, epochs=1, learning_rate=1e-30).fit(digits)
    assert estimator.score(digits) > 0.8
    one_less = PCA(estimator.n_components_ - 1).fit(digits)
    assert one_less.explained_variance_ratio_.sum() < 0.8


def test_n_components_as_a_share_counts_rows_by_sample_weight(digits):
    weight = np.random.default_rng(0).integers(0, 3, len(digits))
    estimator = make_autoencoder(n_components=0.7, epochs=1)
    estimator.fit(digits[:40], sample_weight=weight[:40])
    repeated = np.repeat(digits[:40], weight[:40], axis=0)
    assert estimator.n_components_ == PCA(0.7).fit(repeated).n_components_
    estimator.fit(sp.csr_array(digits[:40]), sample_weight=weight[:40])
    assert estimator.n_components_ == PCA(0.7).fit(repeated).n_components_


def test_n_components_as_a_share_works_with_rows_in_blocks():
    X = np.random.default_rng(0).normal(size=(N_STREAMED, 5)).astype(np.float32)
    X *= [4, 3, 2, 1, 0.5]
    estimator = make_autoencoder(n_components=0.9, epochs=1, batch_size=2**14).fit(X)
    assert estimator.n_components_ == PCA(0.9).fit(X).n_components_ == 3


def test_n_components_as_a_share_works_with_a_network(digits):
    network = ConvNetwork((8, 8, 1), (2,))
    estimator = make_autoencoder(n_components=0.5, network=network, epochs=1)
    estimator.fit(digits)
    assert estimator.n_components_ == PCA(0.5).fit(digits).n_components_


def test_n_components_of_constant_rows_is_one():
    assert make_autoencoder(n_components=0.9).fit(np.ones((9, 3))).n_components_ == 1


@pytest.mark.parametrize(
    ("X", "limit"),
    [
        (sp.random_array((20, 1025), density=0.1, format="csr", rng=0), 1024),
        (np.broadcast_to(np.float32(1), (N_STREAMED, 4097)), 4096),
    ],
    ids=["sparse", "streamed"],
)
def test_n_components_as_a_share_is_refused_if_pca_is_too_large(X, limit):
    from skautoenc._fit.pca import n_components_for_share
    from skautoenc._training import BlockedRows, Rows

    is_sparse = sp.issparse(X)
    rows = Rows.all(X) if is_sparse else BlockedRows(X, None, None)
    with pytest.raises(ValueError, match=f"n_components=0.9 .* at most {limit}"):
        n_components_for_share(rows, 0.9, 0)
    if is_sparse:
        with pytest.raises(ValueError, match=f"n_components=0.9 .* at most {limit}"):
            make_autoencoder(n_components=0.9).fit(X)


def test_n_components_mle_is_refused_with_the_reason(digits):
    with pytest.raises(ValueError, match="n_components='mle' is not .* linear model"):
        AutoencoderTransformer("mle").fit(digits)


def test_n_components_as_a_share_is_cloned_and_searched(digits):
    estimator = make_autoencoder(n_components=0.25, epochs=1, learning_rate=1e-30)
    assert clone(estimator).n_components == 0.25
    search = GridSearchCV(estimator, {"n_components": [0.3, 0.9, 2]}, cv=2).fit(digits)
    assert search.best_params_ == {"n_components": 0.9}
    assert search.best_estimator_.n_components_ == PCA(0.9).fit(digits).n_components_
