"""Weights with which a network reproduces PCA."""

from __future__ import annotations

import numpy as np

from .._fitted.graph import layers_of, output_activation
from .._fitted.network import FittedNetwork
from .pca import (
    MAX_STREAMED_FEATURES,
    is_too_wide,
    max_components,
    principal_components,
)

_NO_PATH = "it has hidden layers without the linear path of a DenseNetwork"

# Minimum scale of a component relative to that of a feature; smaller ones are noise.
_MIN_SCALE = 1e-3


def reasons_against_pca(
    encoder: FittedNetwork, decoder: FittedNetwork, rows
) -> list[str]:
    """Return why two networks cannot be exactly PCA of these rows; empty if they can.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
    rows : Rows or StreamedRows
    """
    n_features = rows.X.shape[1]
    reasons = [
        _why_not_linear(part, name, network)
        for part, name, network in (
            ("encoder", "code_activation", encoder),
            ("decoder", "output_activation", decoder),
        )
        if not can_be_linear(network)
    ]
    # Any other reason is also why there is no linear path.
    reasons = [reason for reason in reasons if reason != _NO_PATH] or reasons[:1]
    if is_too_wide(rows):
        reasons.append(
            f"X has {n_features} features, and data that are visited in blocks may "
            f"have at most {MAX_STREAMED_FEATURES}"
        )
    elif not reasons and _n_components(encoder) > max_components(rows):
        reasons.append(
            f"n_components={_n_components(encoder)} is above {max_components(rows)}, "
            f"the maximum for n_samples={len(rows)} and n_features={n_features}"
        )
    return reasons


def can_be_linear(*networks: FittedNetwork) -> bool:
    """Whether there are weights with which each network is any linear function."""
    specs = [network.dense_spec for network in networks]
    return all(spec is not None and spec.can_be_linear for spec in specs)


def _why_not_linear(part, name, network):
    """Return why a network cannot be an arbitrary linear function."""
    spec, layers = network.dense_spec, layers_of(network.config)
    if spec is not None and spec.is_transposed:
        return "tied_weights=True"
    others = sorted({layer["class_name"] for layer in layers} - {"Dense", "Add"})
    if others or not layers:
        return f"the {part} has layers of the kinds {', '.join(others)}"
    activation = output_activation(network.config)
    if activation not in (None, "linear"):
        return f"{name}={activation!r} is not 'linear'"
    if len(layers) > 1:
        return _NO_PATH
    return f"the {part} is not a functional model of dense layers with biases"


def pca_init_error(reasons: list[str]) -> ValueError:
    """Return the error for ``init="pca"`` with a network that cannot be PCA."""
    return ValueError(
        f"init='pca' needs a network that can be PCA, but {'; '.join(reasons)}. Change "
        "that, or use init='auto' or init='random'."
    )


def pca_networks(
    encoder: FittedNetwork, decoder: FittedNetwork, rows, seed: int
) -> tuple[FittedNetwork, FittedNetwork]:
    """Return the two networks with the weights with which they are PCA of `rows`.

    Hidden layers keep their random kernels, whose inputs are centered rows and codes of
    unit scale, whatever the scale of the data; their contribution starts at zero.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
        With random kernels, and no `reasons_against_pca`. If the rows are too few, or
        vary in fewer directions, the missing components are zero.

    rows : Rows or StreamedRows
    seed : int
        Of the randomized solver of PCA, which is used for large data.
    """
    n_components = min(_n_components(encoder), max_components(rows))
    components, mean, variances, total = principal_components(rows, n_components, seed)
    n_missing = _n_components(encoder) - n_components
    components = np.pad(components, [(0, n_missing), (0, 0)])
    variances = np.pad(variances, (0, n_missing))
    scale = np.sqrt(total / len(mean))
    scales = np.maximum(np.sqrt(variances), _MIN_SCALE * scale)
    return (
        _with_linear(encoder, components.T, -mean @ components.T, mean, scale),
        _with_linear(decoder, components, mean, np.zeros(len(components)), scales),
    )


def _n_components(encoder):
    return encoder.dense_spec.widths[-1]


def _with_linear(network, kernel, bias, location, scale):
    """Return the network as a linear function, with standardized hidden layers."""
    kernel, bias = kernel.astype(np.float32), bias.astype(np.float32)
    spec = network.dense_spec
    if not spec.has_linear_path:
        return network.with_weights([kernel, bias])
    weights = spec.by_role(network.weights)
    # Scales that are zero, or denormal in float32, are not divided by.
    scale = np.where(scale > np.finfo(np.float32).tiny, scale, 1.0)
    first = (weights.kernels[0] / np.reshape(scale, (-1, 1))).astype(np.float32)
    weights.kernels[0] = first
    weights.biases[0] = (-location @ first.astype(np.float64)).astype(np.float32)
    weights.kernels[-1] = np.zeros_like(weights.kernels[-1])
    weights.biases[-1], weights.linear_path = bias, kernel
    return network.with_weights(weights.arrays())
