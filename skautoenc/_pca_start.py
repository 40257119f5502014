"""Start where PCA ends."""

import json

import numpy as np
from scipy.linalg import eigh
from sklearn.decomposition import PCA

from .training import StreamedRows


def pca_is_exact(encoder, decoder, n_features, n_rows):
    """Whether two networks can be exactly PCA: one linear dense layer each.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
    n_features, n_rows : int
    """
    if not (_is_linear(encoder) and _is_linear(decoder)):
        return False
    n_components = len(encoder.weights[1])
    return n_components <= min(n_features, n_rows)


def _is_linear(network):
    layers = [
        spec
        for spec in json.loads(network.config)["config"]["layers"]
        if spec["class_name"] != "InputLayer"
    ]
    return (
        [spec["class_name"] for spec in layers] == ["Dense"]
        and layers[0]["config"]["activation"] == "linear"
        and len(network.weights) == 2
    )


def start_at_pca(encoder, decoder, rows, seed):
    """Give the two networks the weights with which they are PCA on `rows`.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
        For which `pca_is_exact`.

    rows : Rows or StreamedRows
    seed : int
        For the randomised solver, which PCA takes for large data.
    """
    n_components = len(encoder.weights[1])
    if isinstance(rows, StreamedRows):
        components, mean = _streamed_pca(rows, n_components)
    else:
        pca = PCA(n_components, random_state=seed).fit(rows.X[rows.index])
        components, mean = pca.components_, pca.mean_
    encoder.weights = [components.T.copy(), -mean @ components.T]
    decoder.weights = [components, mean]


def _streamed_pca(rows, n_components):
    """Components and mean from the covariance, in one pass."""
    n_features = rows.X.shape[1]
    total, products = np.zeros(n_features), np.zeros((n_features, n_features))
    for part in rows.parts(2**12):
        block = np.empty((len(part), n_features), np.float32)
        part.copy_to(block, block)
        block = block.astype(np.float64)
        total += block.sum(axis=0)
        products += block.T @ block
    mean = total / len(rows)
    covariance = products / len(rows) - np.outer(mean, mean)
    first = n_features - n_components
    _, vectors = eigh(covariance, subset_by_index=[first, n_features - 1])
    return vectors.T[::-1].astype(np.float32), mean.astype(np.float32)
