"""The axes of the code, chosen as PCA does, and what each component contributes.

Codes are centered, uncorrelated and ordered by decreasing variance, and the signs of
components are determined. The dense layers on both sides of the code absorb the change,
so that the reconstruction remains the same. Distances between codes remain the same as
well, and with them tied weights and contractive penalties. Centering can only decrease
an L2 penalty on the code.
"""

from __future__ import annotations

import functools
import operator
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh

from .._fitted.code_layers import find_code_layers
from .._fitted.linear_path import find_linear_path
from .._utils.blocks import ceil_div
from .._utils.threads import map_in_threads, one_blas_thread
from .diagnosis import diverged
from .values import CodeStatistics, Networks

# Maximum number of rows and of values that are read at once, and the number of parts of
# these that threads share. It does not depend on the number of threads, as sums of
# floats depend on their parts.
_BLOCK_ROWS, _BLOCK_VALUES, _N_PARTS = 2**12, 2**22, 8

# Correlations, and means in units of the spread, that count as zero.
_ROUNDING = 1e-5

# Components of larger codes are not described, unless the decoder is linear.
MAX_COMPONENTS = 2**9

# Minimum and maximum number of rows that are decoded for each component, and what the
# numbers of rows and of values for all components should not exceed.
_MIN_ROWS, _MAX_ROWS, _MAX_DECODED, _MAX_VALUES = 8, 2**10, 2**12, 2**26

# One in so many of these rows is used for the slopes of the decoder.
_SLOPES_EVERY = 4


class CodeBasis(NamedTuple):
    """An orthonormal basis of the space of codes, and its origin.

    Attributes
    ----------
    origin : ndarray of shape (n_components,)
    axes : ndarray of shape (n_components, n_components)
        Orthogonal; each column is an axis.
    """

    origin: np.ndarray
    axes: np.ndarray

    def to(self, codes: np.ndarray) -> np.ndarray:
        """Return codes in this basis, in float64."""
        return (codes - self.origin) @ self.axes

    def back(self, codes: np.ndarray) -> np.ndarray:
        """Return codes of this basis in the basis of the network, in float32."""
        return (codes @ self.axes.T + self.origin).astype(np.float32)


class _Moments(NamedTuple):
    """Weighted moments of the codes of all rows, and of their errors.

    `cross` is the covariance of codes and errors, None if it was not asked for, and
    `error` the squared error by row, summed over features.
    """

    mean: np.ndarray
    covariance: np.ndarray
    error: float
    cross: np.ndarray | None


class _Sample(NamedTuple):
    """Some rows: their codes in the basis of the network, targets and weights.

    The weights sum to 1.
    """

    codes: np.ndarray
    targets: np.ndarray
    weight: np.ndarray


def arrange_codes(
    networks: Networks,
    rows,
    n_components: int,
    total_variance: float,
    *,
    keep_basis: bool,
    is_pca: bool,
) -> tuple[Networks, CodeStatistics | None]:
    """Return the networks with the axes of PCA for their code, and its statistics.

    The reconstruction does not change. The codes do not either if they are not linear,
    see `find_code_layers`. Components are only reordered, and their signs determined,
    if a penalty depends on the axes (L1), or the posterior of a variational
    autoencoder.

    The moments of the optimizer belong to the weights before this change, from which a
    warm start goes on, see `Continuation`.

    Parameters
    ----------
    networks : dict of str to FittedNetwork
        The result of the training, by part.

    rows : Rows or StreamedRows
        All rows of the fit.

    n_components : int
        Width of the code.

    total_variance : float
        Sum of the variances of all features of the targets.

    keep_basis : bool
        Whether the codes stay as they are, as those of networks with given weights.

    is_pca : bool
        Whether the networks are PCA.

    Returns
    -------
    networks : dict of str to FittedNetwork
    statistics : CodeStatistics or None
        None for a decoder that is not linear, with more than `MAX_COMPONENTS`
        components.

    Raises
    ------
    ValueError
        If codes or reconstructions are not finite.
    """
    encoder, decoder = networks["encoder"], networks["decoder"]
    layers = None
    if not keep_basis:
        layers = find_code_layers(encoder, decoder, n_components)
    kernel = _linear_kernel(decoder)
    is_described = kernel is not None or n_components <= MAX_COMPONENTS
    if layers is None and not is_described:
        return networks, None
    # Results must not depend on the number of threads.
    with one_blas_thread, np.errstate(over="ignore", invalid="ignore"):
        moments = _moments(rows, encoder, decoder, with_cross=kernel is not None)
        basis = _choose_basis(moments, layers, "log_variance" in networks)
        if not is_described:
            return _with_basis(networks, layers, basis), None
        score = 1 - moments.error / total_variance if total_variance > 0 else 0.0
        if kernel is not None:
            components = basis.axes.T @ kernel
            gains = _linear_gains(moments, basis, components)
            gains /= total_variance or 1.0
        else:
            sample = _take_sample(rows, n_components, encoder)
            components = _mean_slopes(sample, moments, basis, decoder)
            gains = _measured_gains(sample, moments, basis, decoder)
        if layers is not None:
            signs = _signs(components)
            basis = basis._replace(axes=basis.axes * signs)
            components = components * signs[:, None]
        statistics = _statistics(
            components,
            _with_sum(gains, score),
            total_variance,
            np.diag(_covariance_in(basis, moments)) if is_pca else None,
            len(rows),
        )
        return _with_basis(networks, layers, basis), statistics


def _linear_kernel(decoder):
    """Return the kernel of a decoder that is linear, in float64; None if it is not."""
    if decoder.groups:  # probabilities are not linear
        return None
    path, weights = find_linear_path(decoder), decoder.weights
    if path is not None:
        hidden = path.hidden
        is_linear = hidden is None or not weights[hidden.last.kernel].any()
        return weights[path.kernel].astype(np.float64) if is_linear else None
    spec = decoder.dense_spec
    if spec is None or spec.has_hidden_layers or not spec.ends_linear:
        return None
    kernel = weights[0].T if spec.is_transposed else weights[0]
    return kernel.astype(np.float64)


def _moments(rows, encoder, decoder, *, with_cross):
    """Return the moments of codes and errors, in one pass over the rows."""
    n_rows = max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // rows.X.shape[1]))
    # Near the mean, or products would lose digits to it.
    first, _ = next(iter(rows.parts(ceil_div(n_rows, _N_PARTS)))).arrays()
    origin = encoder(first).mean(axis=0, dtype=np.float64)
    add_up = functools.partial(_sums, encoder, decoder, origin, with_cross)
    total = None
    for block in rows.parts(n_rows):
        parts = list(block.parts(ceil_div(n_rows, _N_PARTS)))
        for sums in map_in_threads(add_up, parts):
            total = sums if total is None else _Sums(*map(operator.add, total, sums))
    mean = total.codes / total.weight
    covariance = total.products / total.weight - np.outer(mean, mean)
    error = total.error / total.weight
    if not np.isfinite(covariance).all() or not np.isfinite(error):
        raise diverged("codes or reconstructions of the last epoch are not finite")
    cross = None
    if with_cross:
        cross = (total.cross - np.outer(mean, total.errors)) / total.weight
    return _Moments(origin + mean, covariance, error, cross)


class _Sums(NamedTuple):
    """Weighted sums over rows: of their codes, errors, and products of these.

    `errors` and `cross` are zero if they were not asked for.
    """

    weight: float
    codes: np.ndarray
    products: np.ndarray
    error: float
    errors: np.ndarray
    cross: np.ndarray


def _sums(encoder, decoder, origin, with_cross, rows):
    """Return the sums over some rows, with codes relative to an origin."""
    inputs, targets = rows.arrays()
    with np.errstate(over="ignore", invalid="ignore"):  # of this thread
        codes = encoder(inputs)
        errors = decoder(codes).astype(np.float64)
        errors -= targets
        codes = codes - origin
        weight = rows.weight.astype(np.float64)
        weighted = codes * weight[:, None]
        return _Sums(
            weight.sum(),
            weighted.sum(axis=0),
            weighted.T @ codes,
            weight @ np.vecdot(errors, errors),
            weight @ errors if with_cross else 0.0,
            weighted.T @ errors if with_cross else 0.0,
        )


def _choose_basis(moments, layers, is_variational):
    """Return the basis to which the codes change."""
    unchanged = CodeBasis(np.zeros_like(moments.mean), np.eye(len(moments.mean)))
    if layers is None or _are_arranged(moments):
        return unchanged
    if layers.is_rotatable and not is_variational:
        _, axes = eigh(moments.covariance)
        return CodeBasis(moments.mean, axes[:, ::-1])
    order = np.argsort(-np.diag(moments.covariance), kind="stable")
    return unchanged._replace(axes=unchanged.axes[:, order])


def _are_arranged(moments):
    """Whether the codes are centered, uncorrelated and ordered already."""
    variances = np.diag(moments.covariance)
    spread = np.sqrt(variances.clip(0))
    limits = _ROUNDING * np.outer(spread, spread)
    return (
        (np.abs(moments.mean) <= _ROUNDING * spread).all()
        and (np.abs(np.triu(moments.covariance, 1)) <= limits).all()
        and (np.diff(variances) <= 0).all()
    )


def _covariance_in(basis, moments):
    return basis.axes.T @ moments.covariance @ basis.axes


def _linear_gains(moments, basis, components):
    """Return by how much each component of a linear decoder reduces the squared error.

    The error is a quadratic function of the codes, so that their moments determine it.
    """
    shared = components @ components.T * _covariance_in(basis, moments)
    gains = np.diag(shared) + 2 * np.triu(shared, 1).sum(axis=1)
    return gains - 2 * np.vecdot(components, basis.axes.T @ moments.cross)


def _take_sample(rows, n_components, encoder):
    """Return evenly spaced rows, few enough to be decoded for each component."""
    n_values = n_components * rows.X.shape[1]
    n_rows = min(_MAX_DECODED // n_components, _MAX_VALUES // n_values)
    n_rows = min(len(rows), max(_MIN_ROWS, min(n_rows, _MAX_ROWS)))
    sample = rows.sample(n_rows)
    inputs, targets = sample.arrays()
    weight = sample.weight.astype(np.float64)
    return _Sample(encoder(inputs), targets, weight / weight.sum())


def _mean_slopes(sample, moments, basis, decoder):
    """Return the mean slope of the decoder along each component.

    A difference quotient, with a step of one standard deviation to both sides.
    """
    some = slice(None, None, _SLOPES_EVERY)
    if len(sample.weight) < _SLOPES_EVERY * _MIN_ROWS:
        some = slice(None)
    codes, weight = basis.to(sample.codes[some]), sample.weight[some]
    weight = weight / (weight.sum() or 1.0)
    n_components, n_features = len(moments.mean), sample.targets.shape[1]
    steps = np.sqrt(np.diag(_covariance_in(basis, moments)).clip(0))
    resolved = steps > np.finfo(np.float32).eps * steps.max()
    slopes = np.zeros((n_components, n_features))
    for j in np.flatnonzero(resolved):
        step = np.where(np.arange(n_components) == j, steps, 0)
        outputs = decoder(basis.back(np.concatenate([codes - step, codes + step])))
        before, after = weight @ outputs.reshape(2, len(codes), -1)
        slopes[j] = (after - before) / (2 * steps[j])
    return slopes


def _measured_gains(sample, moments, basis, decoder):
    """Return by how much each component increases the score of some rows."""
    targets, weight = sample.targets.astype(np.float64), sample.weight
    deviations = targets - weight @ targets
    total = weight @ np.vecdot(deviations, deviations)
    codes, mean = basis.to(sample.codes), basis.to(moments.mean)
    errors = []
    for n in range(len(mean) + 1):
        used = np.where(np.arange(len(mean)) < n, codes, mean)
        differences = decoder(basis.back(used)).astype(np.float64)
        differences -= targets
        errors.append(weight @ np.vecdot(differences, differences))
    return -np.diff(errors) / (total or 1.0)


def _with_sum(gains, score):
    """Return gains that sum to the score, with changes in proportion to their sizes.

    Their sum differs from the score if the decoder does not map the mean of the codes
    to the mean of the data, or if they are measured on some rows only.
    """
    sizes = np.abs(gains)
    sizes = sizes / sizes.sum() if sizes.any() else np.full_like(sizes, 1 / len(sizes))
    return gains + (score - gains.sum()) * sizes


def _statistics(components, ratio, total_variance, variances_of_pca, n_samples):
    """Return the statistics of codes; those that only PCA has if they are its codes.

    As in scikit-learn's `PCA`, variances have ``n_samples - 1`` degrees of freedom.
    """
    variance = total_variance * n_samples / max(n_samples - 1, 1)
    explained = ratio * variance
    if variances_of_pca is None:
        return CodeStatistics(components, ratio, explained)
    n_components, n_features = components.shape
    n_left = min(n_features, n_samples) - n_components
    residual = max(variance - explained.sum(), 0.0)
    return CodeStatistics(
        components,
        ratio,
        explained,
        singular_values=np.sqrt(variances_of_pca.clip(0) * n_samples),
        noise_variance=float(residual / n_left) if n_left > 0 else 0.0,
    )


def _signs(components):
    """Return signs with which the largest entry of each component is positive."""
    largest = np.abs(components).argmax(axis=1)[:, None]
    values = np.take_along_axis(components, largest, axis=1)[:, 0]
    return np.where(values < 0, -1.0, 1.0)


def _with_basis(networks, layers, basis):
    """Return the networks with codes in another basis, computed in float64."""
    if layers is None:
        return networks
    encoder, decoder = networks["encoder"], networks["decoder"]
    weights, shift = list(encoder.weights), basis.origin
    for layer in layers.encoder:
        weights[layer.kernel] = _rotated(weights[layer.kernel], layer, basis)
        if layer.bias is not None:
            weights[layer.bias] = (weights[layer.bias] - shift) @ basis.axes
            shift = 0.0  # it is subtracted from one term of the sum
    changed = {**networks, "encoder": _with_weights(encoder, weights)}
    weights = list(decoder.weights)
    for layer in layers.decoder:
        kernel = weights[layer.kernel]
        of_code = kernel if layer.code_axis == 0 else kernel.T
        weights[layer.bias] = weights[layer.bias] + basis.origin @ of_code
        weights[layer.kernel] = _rotated(kernel, layer, basis)
    changed["decoder"] = _with_weights(decoder, weights)
    if "log_variance" in networks:  # its components are reordered in the same way
        head, order = networks["log_variance"], np.abs(basis.axes).argmax(axis=0)
        changed["log_variance"] = head.with_weights(
            [array[..., order] for array in head.weights]
        )
    return changed


def _rotated(kernel, layer, basis):
    """Return the kernel of a layer for codes in another basis."""
    return kernel @ basis.axes if layer.code_axis == 1 else basis.axes.T @ kernel


def _with_weights(network, weights):
    """Return a network with weights that are rounded to the types of its weights."""
    pairs = zip(weights, network.weights, strict=True)
    return network.with_weights(
        [new.astype(old.dtype, copy=False) for new, old in pairs]
    )
