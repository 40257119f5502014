"""Start where PCA ends."""

import json

from sklearn.decomposition import PCA


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

    rows : Rows
    seed : int
        For the randomised solver, which PCA takes for large data.
    """
    pca = PCA(len(encoder.weights[1]), random_state=seed)
    pca.fit(rows.X[rows.index])
    components, mean = pca.components_, pca.mean_
    encoder.weights = [components.T.copy(), -mean @ components.T]
    decoder.weights = [components, mean]
