"""Weights with which a network reproduces PCA."""

from __future__ import annotations

import numpy as np

from .._fitted.graph import layers_of, output_activation
from .._fitted.linear_path import find_linear_path
from .._fitted.network import FittedNetwork
from .pca import MAX_STREAMED_FEATURES, Components, is_too_wide, max_components
from .values import Networks

_NO_PATH = (
    "it has hidden layers without the linear path of a DenseNetwork or ConvNetwork"
)

# Minimum scale of a component relative to that of a feature; smaller ones are noise.
_MIN_SCALE = 1e-3

# Minimum share of a category, of which there may be no rows.
_MIN_SHARE = 1e-4


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
    reasons = reasons_of_networks(encoder, decoder)
    if is_too_wide(rows):
        reasons.append(
            f"X has {n_features} features, and data that are visited in blocks may "
            f"have at most {MAX_STREAMED_FEATURES}"
        )
    elif not reasons and width_of_code(encoder) > max_components(rows):
        reasons.append(
            f"n_components={width_of_code(encoder)} is above {max_components(rows)}, "
            f"the maximum for n_samples={len(rows)} and n_features={n_features}"
        )
    return reasons


def reasons_of_networks(encoder: FittedNetwork, decoder: FittedNetwork) -> list[str]:
    """Return why two networks cannot be PCA of any rows; empty if they can."""
    reasons = [
        _why_not_linear(part, name, network)
        for part, name, network in (
            ("encoder", "code_activation", encoder),
            ("decoder", "output_activation", decoder),
        )
        if not can_be_linear(network)
    ]
    # Any other reason is also why there is no linear path.
    return [reason for reason in reasons if reason != _NO_PATH] or reasons[:1]


def can_be_linear(*networks: FittedNetwork) -> bool:
    """Whether there are weights with which each network is any linear function."""
    return all(find_linear_path(network) is not None for network in networks)


def width_of_code(encoder: FittedNetwork) -> int:
    """Return the width of the code of an encoder that can be linear.

    Raises
    ------
    ValueError
        If it cannot.
    """
    path = find_linear_path(encoder)
    if path is None:
        raise ValueError("The encoder has no linear path.")
    return encoder.weights[path.kernel].shape[1]


def _why_not_linear(part, name, network):
    """Return why a network cannot be an arbitrary linear function."""
    spec, layers = network.dense_spec, layers_of(network.config)
    if spec is not None and spec.is_transposed:
        return "tied_weights=True"
    activation = output_activation(network.config)
    if activation not in (None, "linear"):
        return f"{name}={activation!r} is not 'linear'"
    with_kernels = [x for x in layers if x["class_name"].startswith(("Conv", "Dense"))]
    if part == "encoder" and with_kernels and "filters" in with_kernels[-1]["config"]:
        return "the code is the output of convolutions, as with n_components=None"
    if len(layers) > 1:
        return _NO_PATH
    return f"the {part} is not a functional model of dense layers with biases"


def pca_init_error(reasons: list[str]) -> ValueError:
    """Return the error for ``init="pca"`` with a network that cannot be PCA."""
    return ValueError(
        f"init='pca' needs a network that can be PCA, but {'; '.join(reasons)}. Change "
        "that, or use init='auto' or init='random'."
    )


def with_pca_weights(networks: Networks, pca: Components) -> Networks:
    """Return the networks with the weights with which they are PCA.

    With a part "log_variance" they are probabilistic PCA: among the linear models it is
    the one with the highest evidence lower bound. J. Lucas et al., "Don't Blame the
    ELBO! A Linear VAE Perspective on Posterior Collapse", NeurIPS (2019).

    If columns are probabilities, the networks are PCA to first order around the mean.

    Hidden layers keep their random kernels, whose inputs are centered rows and codes of
    unit scale, whatever the scale of the data; their contribution starts at zero. The
    inputs of a convolution are centered and scaled by channel.

    Parameters
    ----------
    networks : dict of str to FittedNetwork
        With random kernels, and no `reasons_against_pca`.

    pca : Components
        If they are fewer than those of the code, the others are zero.
    """
    encoder, decoder = networks["encoder"], networks["decoder"]
    n_missing = width_of_code(encoder) - len(pca.components)
    components = np.pad(pca.components, [(0, n_missing), (0, 0)])
    variances = np.pad(pca.variances, (0, n_missing))
    scale = np.sqrt(pca.total / len(pca.mean))
    if "log_variance" in networks:
        into, out, log_variance = _posterior(variances, pca.noise_variance)
        head = _with_constant_output(networks["log_variance"], log_variance)
        networks = {**networks, "log_variance": head}
        scales = np.ones(len(components))
    else:
        into = out = np.ones(len(components))
        scales = np.maximum(np.sqrt(variances), _MIN_SCALE * scale)
    into, out = components.T * into, components * out[:, None]
    origin, mean = np.zeros(len(components)), pca.mean
    if decoder.groups:
        out, mean = _logits(out, mean, np.concatenate(decoder.groups))
    return {
        **networks,
        "encoder": _with_linear(encoder, into, -pca.mean @ into, pca.mean, scale),
        "decoder": _with_linear(decoder, out, mean, origin, scales),
    }


def _logits(components, mean, columns):
    """Return components and mean such that probabilities are PCA to first order.

    The slope of a probability is that of its logit times the probability.
    """
    shares = np.maximum(mean[columns], _MIN_SHARE)
    components, mean = components.copy(), mean.copy()
    components[:, columns] /= shares
    mean[columns] = np.log(shares)
    return components, mean


def _posterior(variances, noise_variance):
    """Return the factors of the components, and the log variance of their codes.

    The components are multiplied by one factor in the encoder, so that codes have a
    variance of 1, and by another one in the decoder. Components whose variance is below
    that of the noise are not used.
    """
    noise_variance = max(noise_variance, np.finfo(np.float64).tiny)
    variances = np.maximum(variances, noise_variance)
    out = np.sqrt(variances - noise_variance)
    return out / variances, out, np.log(noise_variance / variances)


def _with_constant_output(network, output):
    """Return a network of one layer whose output does not depend on its input."""
    kernel, _ = network.weights
    return network.with_weights([np.zeros_like(kernel), output.astype(np.float32)])


def _with_linear(network, kernel, bias, location, scale):
    """Return the network as a linear function, with standardized hidden layers."""
    path, weights = find_linear_path(network), list(network.weights)
    if path.hidden is not None:
        positions, last = path.hidden
        # Scales that are zero, or denormal in float32, are not divided by.
        scale = np.where(scale > np.finfo(np.float32).tiny, scale, 1.0)
        scale = np.broadcast_to(scale, location.shape)
        first = weights[positions.kernel]
        n_channels = first.shape[-2]
        location, scale = (
            values.reshape(-1, n_channels).mean(axis=0) for values in (location, scale)
        )
        first = (first / scale[:, None]).astype(first.dtype)
        weights[positions.kernel] = first
        taps = first.astype(np.float64).reshape(-1, *first.shape[-2:])
        weights[positions.bias] = -location @ taps.sum(axis=0)
        for i in last:
            weights[i] = np.zeros_like(weights[i])
    weights[path.kernel], weights[path.bias] = kernel, bias
    pairs = zip(weights, network.weights, strict=True)
    return network.with_weights([new.astype(old.dtype) for new, old in pairs])
