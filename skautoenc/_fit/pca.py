"""Networks initialized as PCA, and a test whether training has improved them."""

from collections.abc import Iterator

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import issparse
from scipy.stats import t
from sklearn.decomposition import PCA
from sklearn.utils.extmath import svd_flip

from .._fitted.graph import layers_of, output_activation
from .._fitted.network import FittedNetwork
from .._training import Rows, StreamedRows
from .._utils.threads import one_blas_thread

# Most features of which the covariance matrix is computed, of streamed rows and of
# others. Sparse and dense rows then have the same components.
MAX_STREAMED_FEATURES, _MAX_COVARIANCE = 2**12, 2**10

_NO_PATH = "it has hidden layers without the linear path of a DenseNetwork"

# Up to this many rows or features, a full SVD is used, not PCA's randomised solver.
_MAX_DECOMPOSED = 2**9

# Smallest scale of a component relative to that of the features; less is noise.
_MIN_SCALE = 1e-3

# Most rows from which the noise variance of wide data is estimated, and its smallest
# share of the mean variance: with less the prior has hardly any effect.
_MAX_SAMPLED, _MIN_NOISE = 2**12, 0.05

# Confidence level of the t-test.
_CONFIDENCE = 0.95


def why_not_pca(
    encoder: FittedNetwork, decoder: FittedNetwork, rows: Rows | StreamedRows
) -> list[str]:
    """Return why two networks cannot be exactly PCA of these rows.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
    rows : Rows or StreamedRows

    Returns
    -------
    list of str
        Empty if they can.
    """
    n_features = rows.X.shape[1]
    reasons = [
        _why_not_linear(part, name, network)
        for part, name, network in (
            ("encoder", "code_activation", encoder),
            ("decoder", "output_activation", decoder),
        )
        if not are_linear(network)
    ]
    # Networks that cannot have a linear path have none: the first reason suffices.
    reasons = [reason for reason in reasons if reason != _NO_PATH] or reasons[:1]
    if is_too_wide(rows):
        reasons.append(
            f"X has {n_features} features, and there may be at most "
            f"{MAX_STREAMED_FEATURES} if rows are visited in blocks"
        )
    elif not reasons and _n_components(encoder) > _max_components(rows):
        reasons.append(
            f"n_components={_n_components(encoder)} is above {_max_components(rows)}, "
            f"the most for n_samples={len(rows)} and n_features={n_features}"
        )
    return reasons


def are_linear(*networks: FittedNetwork) -> bool:
    """Whether there are weights with which each network is any linear function."""
    specs = [network.dense_spec for network in networks]
    return all(spec is not None and spec.can_be_linear for spec in specs)


def _why_not_linear(part, name, network):
    """Why a network cannot be made an arbitrary linear function."""
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


def _n_components(encoder):
    return encoder.weights[-1].shape[-1]


def _max_components(rows):
    n_max = min(rows.X.shape[1], len(rows))
    if issparse(rows.X) and not _takes_covariance(rows):
        n_max = min(min(rows.X.shape) - 1, n_max)  # all that ARPACK finds
    return n_max


def _takes_covariance(rows):
    return isinstance(rows, StreamedRows) or rows.X.shape[1] <= _MAX_COVARIANCE


def refusal(reasons: list[str]) -> ValueError:
    """Return the error if ``init="pca"`` is not possible."""
    return ValueError(
        f"init='pca' needs a network that can be PCA, but {'; '.join(reasons)}. Change "
        "that, or use init='auto' or init='random'."
    )


def is_too_wide(rows: Rows | StreamedRows) -> bool:
    """Whether rows are streamed and have too many features for their covariance."""
    return isinstance(rows, StreamedRows) and rows.X.shape[1] > MAX_STREAMED_FEATURES


def noise_variance(rows: Rows | StreamedRows, n_components: int, seed: int) -> float:
    """Return probabilistic PCA's noise variance, at least 5 % of the mean variance.

    M. E. Tipping, C. M. Bishop, "Probabilistic Principal Component Analysis", Journal
    of the Royal Statistical Society B 61 (1999).

    Parameters
    ----------
    rows : Rows or StreamedRows
    n_components : int
    seed : int

    Returns
    -------
    float
    """
    if not _takes_covariance(rows) or is_too_wide(rows):
        n_rows = min(len(rows), _MAX_SAMPLED)
        rows = rows.take(np.linspace(0, len(rows) - 1, n_rows).astype(np.intp))
    n_features = rows.X.shape[1]
    n_components = min(n_components, _max_components(rows))
    _, _, variances, total = principal_components(rows, n_components, seed)
    rest = variances[-1]
    if n_components < n_features:
        rest = (total - variances.sum()) / (n_features - n_components)
    return float(max(rest, _MIN_NOISE * total / n_features))


def pca_networks(
    encoder: FittedNetwork,
    decoder: FittedNetwork,
    rows: Rows | StreamedRows,
    seed: int,
) -> tuple[FittedNetwork, FittedNetwork]:
    """Return two networks with the weights with which they are PCA of `rows`.

    Hidden layers keep their kernels, but the first one is adapted to take centred rows,
    or codes, of unit scale. Their contribution to the output is zero at first.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
        With initial kernels, and no reason from `why_not_pca`, for these rows or those
        that they are a subset of. If the rows have fewer components than the code,
        the missing ones are zero.

    rows : Rows or StreamedRows
    seed : int
        For the randomised solver, which is used for large data.

    Returns
    -------
    encoder, decoder : FittedNetwork
    """
    n_components = min(_n_components(encoder), _max_components(rows))
    components, mean, variances, total = principal_components(rows, n_components, seed)
    n_missing = _n_components(encoder) - n_components
    components = np.pad(components, [(0, n_missing), (0, 0)])
    variances = np.pad(variances, (0, n_missing))
    scale = np.sqrt(total / len(mean))
    scales = np.maximum(np.sqrt(variances), _MIN_SCALE * scale)
    return (
        _linear(encoder, components.T, -mean @ components.T, mean, scale),
        _linear(decoder, components, mean, np.zeros(len(components)), scales),
    )


def principal_components(
    rows: Rows | StreamedRows, n_components: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Compute PCA of rows, in float64 if the covariance is computed.

    Parameters
    ----------
    rows : Rows or StreamedRows
    n_components : int
    seed : int

    Returns
    -------
    components : ndarray of shape (n_components, n_features)
        Zero for components and features without variance.

    mean : ndarray of shape (n_features,)
    variances : ndarray of shape (n_components,)
        Along the components.

    total : float
        Variance, summed over the features.
    """
    # One row, or constant ones, have no variance to divide by.
    with one_blas_thread, np.errstate(all="ignore"):
        if _takes_covariance(rows):
            components, mean, covariance, variances = _pca(rows, n_components)
            total, constant = np.trace(covariance), np.diag(covariance) == 0
        else:
            components, mean, variances, total, constant = _pca_of_wide(
                rows, n_components, seed
            )
    total = max(np.nan_to_num(total), 0.0)
    variances = np.nan_to_num(variances).clip(0)
    varies = variances > total * np.finfo(np.float64).eps
    return components * np.outer(varies, ~constant), mean, variances, total


def _linear(network, kernel, bias, location, scale):
    """The network made linear, with hidden layers that take centred, scaled input."""
    kernel, bias = kernel.astype(np.float32), bias.astype(np.float32)
    spec = network.dense_spec
    if not spec.has_linear_path:
        return network.with_weights([kernel, bias])
    weights = spec.by_role(network.weights)
    # Input with no variance, or too little for float32, is not scaled.
    scale = np.where(scale > np.finfo(np.float32).tiny, scale, 1.0)
    first = (weights.kernels[0] / np.reshape(scale, (-1, 1))).astype(np.float32)
    weights.kernels[0] = first
    weights.biases[0] = (-location @ first.astype(np.float64)).astype(np.float32)
    weights.kernels[-1] = np.zeros_like(weights.kernels[-1])
    weights.biases[-1], weights.linear_path = bias, kernel
    return network.with_weights(weights.arrays())


def _pca_of_wide(rows, n_components, seed):
    """PCA of wide tables, with total variance and which features are constant."""
    if issparse(rows.X):
        X = rows.X[rows.index]
        constant = np.zeros(X.shape[1], bool)
    else:
        X, _ = rows.arrays()
        constant = X.max(axis=0) == X.min(axis=0)
    is_small = not issparse(X) and min(X.shape) <= _MAX_DECOMPOSED
    solver = "full" if is_small else "auto"
    pca = PCA(n_components, svd_solver=solver, random_state=seed).fit(X)
    mean = pca.mean_
    if issparse(X) and rows.shift is not None:
        mean = mean - rows.shift
    variances = pca.explained_variance_
    total = variances.sum() / pca.explained_variance_ratio_.sum()
    return pca.components_, mean, variances, total, constant


def _pca(rows, n_components):
    """Components, mean, covariance and its eigenvalues, in one pass over the rows."""
    n_features = rows.X.shape[1]
    total, products = np.zeros(n_features), np.zeros((n_features, n_features))
    weight, origin = 0.0, None
    for part in rows.parts(2**12):
        block, _ = part.arrays()
        if origin is None:  # near the mean, so that squares lose no digits
            origin = block.mean(axis=0, dtype=np.float64)
        block = block - origin
        weighted = block * part.weight[:, None]
        weight += part.weight.sum(dtype=np.float64)
        total += weighted.sum(axis=0)
        products += weighted.T @ block
    mean = total / weight
    covariance = products / weight - np.outer(mean, mean)
    first = n_features - n_components
    variances, vectors = eigh(covariance, subset_by_index=[first, n_features - 1])
    _, components = svd_flip(None, vectors.T[::-1], u_based_decision=False)
    return components, origin + mean, covariance, variances[::-1]


def is_better(
    learned: tuple[FittedNetwork, FittedNetwork],
    start: tuple[FittedNetwork, FittedNetwork],
    rows: Rows | StreamedRows,
) -> bool:
    """Whether `learned` has a significantly lower squared error than `start`.

    A one-sided paired t-test at the level of 5 %.

    Parameters
    ----------
    learned, start : tuple of (FittedNetwork, FittedNetwork)
        Encoder and decoder.

    rows : Rows or StreamedRows
    """
    count = total = squares = 0.0
    for part, before, after in zip(
        rows.parts(2**12),
        squared_errors(rows, *start),
        squared_errors(rows, *learned),
        strict=True,
    ):
        gains = part.weight * (before - after)
        count += len(part)
        total += gains.sum()
        squares += np.square(gains).sum()
    if count == 1:
        return total > 0
    variance = max(0.0, squares - total**2 / count) / (count - 1)
    return total / count > t.ppf(_CONFIDENCE, count - 1) * np.sqrt(variance / count)


def squared_errors(
    rows: Rows | StreamedRows, encoder: FittedNetwork, decoder: FittedNetwork
) -> Iterator[np.ndarray]:
    """Yield the mean squared error of each row in float64, for blocks of rows."""
    for part in rows.parts(2**12):
        inputs, targets = part.arrays()
        errors = decoder(encoder(inputs)).astype(np.float64)
        errors -= targets
        yield np.square(errors, out=errors).mean(axis=1)
