"""Learning rates by layer of networks that start from PCA."""

from __future__ import annotations

import numpy as np

from .._fitted.linear_path import find_linear_path
from .errors import squared_errors
from .pca import Components
from .values import Networks

# Maximum number of rows that are measured.
_MAX_ROWS = 1024

# Number of inputs of a unit above which the steps of the encoder's first layer and of
# its linear path are smaller.
_MAX_INPUTS = 64

# Minimum error of a feature, relative to its spread.
_MIN_ERROR = 1e-3


def step_scales(networks: Networks, rows) -> list[float] | None:
    """Return a factor on the learning rate of each weight of encoder and decoder.

    A step of Adam has the same size for all weights. With these factors it changes
    codes and reconstructions by a small part of the error of the networks, and the
    inputs of hidden layers by as much as if the data had unit variance.

    Parameters
    ----------
    networks : dict of str to FittedNetwork
        With their initial weights.

    rows : Rows or StreamedRows
        Training rows.

    Returns
    -------
    list of float or None
        In Keras's order. None for other networks than two with linear paths, and for
        rows that hardly vary.
    """
    if not _have_hidden_layers(networks):
        return None
    encoder, decoder = networks["encoder"], networks["decoder"]
    n_rows = min(len(rows), _MAX_ROWS)
    sample = rows.sample(n_rows)
    inputs, targets = sample.arrays()
    spread = np.sqrt(targets.astype(np.float64).var(axis=0).mean())
    errors = np.concatenate(list(squared_errors(sample, encoder, decoder)))
    codes = encoder(inputs).astype(np.float64)
    code_spread = np.sqrt(codes.var(axis=0).mean())
    return _scales_for(networks, spread, np.sqrt(errors.mean()), code_spread)


def step_scales_of_pca(networks: Networks, pca: Components) -> list[float] | None:
    """Return `step_scales` of networks that are PCA, on the rows that PCA is of."""
    n_features = len(pca.mean)
    residual = max(pca.total - pca.variances.sum(), 0.0)
    spread, error = np.sqrt([pca.total / n_features, residual / n_features])
    return _scales_for(networks, spread, error, np.sqrt(pca.variances.mean()))


def _have_hidden_layers(networks):
    """Whether these are two networks with hidden layers beside a linear path."""
    paths = [find_linear_path(network) for network in networks.values()]
    return set(networks) == {"encoder", "decoder"} and all(
        path is not None and path.hidden is not None for path in paths
    )


def _scales_for(networks, spread, error, code_spread):
    """Return the scales for rows and codes of this spread, and errors of this size."""
    has_spread = min(spread, code_spread) > np.finfo(np.float32).tiny
    if not (has_spread and _have_hidden_layers(networks)):
        return None
    error = max(error, _MIN_ERROR * spread)
    linear = np.sqrt(error / spread)
    return [
        *_scales(networks["encoder"], 1 / spread, linear, error, _MAX_INPUTS),
        *_scales(networks["decoder"], 1 / code_spread, linear, error, np.inf),
    ]


def _scales(network, first, linear, last, max_inputs):
    """Return the scales of a network, whose other layers have 1."""
    scales = [1.0] * len(network.weights)
    path = find_linear_path(network)
    for i, scale in ((path.hidden.first.kernel, first), (path.kernel, linear)):
        n_inputs = np.prod(network.weights[i].shape[:-1])
        scales[i] = float(scale * min(1.0, np.sqrt(max_inputs / n_inputs)))
    for i in (*path.hidden.last, path.bias):
        scales[i] = float(last)
    return scales
