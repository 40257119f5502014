"""Learning rates by layer of networks that start from PCA."""

from __future__ import annotations

import itertools

import numpy as np

from .._fitted.dense_spec import DenseSpec
from .errors import squared_errors
from .pca import Components
from .values import Networks

# Maximum number of rows that are measured.
_MAX_ROWS = 1024

# Number of features above which the steps of the first layer are smaller.
_MAX_FEATURES = 64

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
    if _linear_path_specs(networks) is None:
        return None
    encoder, decoder = networks["encoder"], networks["decoder"]
    n_rows = min(len(rows), _MAX_ROWS)
    sample = rows.take(np.linspace(0, len(rows) - 1, n_rows).astype(np.intp))
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


def _linear_path_specs(networks):
    """Return the specs of an encoder and a decoder with linear paths; else None."""
    if set(networks) != {"encoder", "decoder"}:
        return None
    specs = networks["encoder"].dense_spec, networks["decoder"].dense_spec
    if not all(spec is not None and spec.has_linear_path for spec in specs):
        return None
    return specs


def _scales_for(networks, spread, error, code_spread):
    """Return the scales for rows and codes of this spread, and errors of this size."""
    specs = _linear_path_specs(networks)
    if specs is None or not min(spread, code_spread) > np.finfo(np.float32).tiny:
        return None
    error, n_features = max(error, _MIN_ERROR * spread), specs[0].n_in
    wide = min(1.0, np.sqrt(_MAX_FEATURES / n_features))
    linear = np.sqrt(error / spread)
    return [
        *_scales(specs[0], wide / spread, wide * linear, error),
        *_scales(specs[1], 1 / code_spread, linear, error),
    ]


def _scales(spec: DenseSpec, first: float, linear: float, last: float):
    """Return the scales of a network, whose other layers have 1."""
    n = len(spec.layers) - 1
    kernels = [first, *[1.0] * (n - 1), last]
    pairs = zip(kernels, [*[1.0] * n, last], strict=True)
    return [*itertools.chain.from_iterable(pairs), linear]
