"""Where training starts: the rows set aside, and the first weights."""

import json

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import issparse
from sklearn.decomposition import PCA

from ._threads import one_blas_thread
from .training import StreamedRows

# The covariance of streamed rows is held as a whole.
_MOST_STREAMED_FEATURES = 2**12


def split(rows, place, fraction, rng):
    """Return the rows to train on and those to validate on.

    Equal rows go to the same side, or what was trained on would be validated on; but
    streamed ones go by blocks.

    Parameters
    ----------
    rows : Rows or StreamedRows
    place : ndarray of shape (n_samples,) or None
        See `Survey`.

    fraction : float
    rng : numpy.random.Generator

    Raises
    ------
    ValueError
        If none would be left to train on.
    """
    if place is None:
        kinds = np.arange(rows.n_blocks)
    else:
        place = place[rows.index]
        kinds = np.unique(place)
    n_aside = int(np.ceil(fraction * len(kinds)))
    if n_aside >= len(kinds):
        what = "distinct rows" if place is not None else "blocks of rows"
        raise ValueError(
            f"early_stopping=True sets validation_fraction={fraction} of the {what} "
            f"aside, which leaves none to train on: n_samples={len(rows)}, "
            f"{len(kinds)} {what}. Give X_val, or set early_stopping=False."
        )
    if place is None:
        return rows.split(n_aside, rng)
    aside = np.isin(place, rng.permutation(kinds)[:n_aside])
    return rows.take(~aside), rows.take(aside)


def give_first_weights(networks, rows, *, fitted, init, may_be_pca, seed):
    """Give the networks the weights that training starts from, if not those they have.

    Parameters
    ----------
    networks : dict of str to FittedNetwork
    rows : Rows or StreamedRows
    fitted : dict
        Where the networks of an earlier fit are, if training is to go on from there.

    init : {"auto", "pca", "random"}
    may_be_pca : bool
        Whether the decoder gets just what the encoder gives.

    seed : int

    Raises
    ------
    ValueError
        If an earlier network is another, or if PCA is asked for and cannot be had.
    """
    if "_encoder" in fitted:
        for name, network in networks.items():
            earlier = fitted.get(name)
            if earlier is None:
                continue  # around models trained elsewhere
            if earlier.config != network.config:
                raise ValueError(
                    "warm_start=True continues from the fitted weights, but the "
                    "network or the number of features has changed since: the "
                    f"{name[1:]} is another. Set warm_start=False to start anew."
                )
            network.weights = earlier.weights
        return
    encoder, decoder = networks["_encoder"], networks["_decoder"]
    exact = may_be_pca and pca_is_exact(encoder, decoder, rows)
    if init == "pca" and not exact:
        raise ValueError(
            "init='pca' needs a network that can be PCA: one linear layer to the "
            "code and one back (hidden_layer_sizes=(), code_activation='linear', "
            "output_activation='linear') and n_components of at most "
            f"min(n_samples, n_features)={min(len(rows), rows.X.shape[1])}, below "
            "that for sparse X. Of data that are too many to be held, there may be at "
            f"most {_MOST_STREAMED_FEATURES} features. Use init='auto' or "
            "init='random'."
        )
    if exact and init != "random":
        start_at_pca(encoder, decoder, rows, seed)


def pca_is_exact(encoder, decoder, rows):
    """Whether two networks can be exactly PCA: one linear dense layer each.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
    rows : Rows or StreamedRows
    """
    if not (_is_linear(encoder) and _is_linear(decoder)):
        return False
    n_features = rows.X.shape[1]
    if isinstance(rows, StreamedRows) and n_features > _MOST_STREAMED_FEATURES:
        return False
    n_most = min(n_features, len(rows))
    if issparse(rows.X):
        n_most = min(rows.X.shape) - 1  # all that ARPACK finds
    return len(encoder.weights[1]) <= n_most


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
    # One row, or constant ones, have no variance to divide by.
    with one_blas_thread, np.errstate(all="ignore"):
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
    weight = 0.0
    for part in rows.parts(2**12):
        block = np.empty((len(part), n_features), np.float32)
        part.copy_to(block, block)
        block = block.astype(np.float64)
        weighted = block * part.weight[:, None]
        weight += part.weight.sum(dtype=np.float64)
        total += weighted.sum(axis=0)
        products += weighted.T @ block
    mean = total / weight
    covariance = products / weight - np.outer(mean, mean)
    first = n_features - n_components
    _, vectors = eigh(covariance, subset_by_index=[first, n_features - 1])
    return vectors.T[::-1].astype(np.float32), mean.astype(np.float32)
