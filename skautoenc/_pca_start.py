"""PCA as the start of two networks, and whether they have become better than it."""

import json

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import issparse
from scipy.stats import t
from sklearn.decomposition import PCA
from sklearn.utils.extmath import svd_flip

from ._threads import one_blas_thread
from .training import StreamedRows

# The covariance of streamed rows is held as a whole, and of others where that is quick:
# sparse and dense rows then have the same.
_MOST_STREAMED_FEATURES, _MOST_COVARIANCES = 2**12, 2**10

_NO_LINE = "it has hidden layers without the linear path of a DenseNetwork"

# Fewer rows than this are decomposed whole, not by PCA's randomised solver.
_MOST_DECOMPOSED = 2**9

# Of a component's scale, beside that of a feature: what varies less is noise.
_LEAST_SCALE = 1e-3

# Of having done better than by chance.
_CONFIDENCE = 0.95


def why_not_pca(encoder, decoder, rows):
    """Return why two networks cannot be exactly PCA on these rows.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
    rows : Rows or StreamedRows

    Returns
    -------
    list of str
        Empty where they can.
    """
    reasons = [
        reason
        for part, name, network in (
            ("encoder", "code_activation", encoder),
            ("decoder", "output_activation", decoder),
        )
        for reason in _why_no_line(part, name, network)
    ]
    # Where something else keeps it out, there is no linear path either.
    reasons = [reason for reason in reasons if reason != _NO_LINE] or reasons[:1]
    n_features = rows.X.shape[1]
    if isinstance(rows, StreamedRows) and n_features > _MOST_STREAMED_FEATURES:
        reasons.append(
            f"X has {n_features} features, and of rows that are visited in blocks "
            f"there may be {_MOST_STREAMED_FEATURES} at most"
        )
    elif not reasons and _n_components(encoder) > _most_components(rows):
        reasons.append(
            f"n_components={_n_components(encoder)} is above {_most_components(rows)}, "
            f"the most for n_samples={len(rows)} and n_features={n_features}"
        )
    return reasons


def _why_no_line(part, name, network):
    """Why a network has no linear path from its input to its output."""
    layers = json.loads(network.config)["config"]["layers"][1:]
    kinds = [spec["class_name"] for spec in layers]
    if "TransposedDense" in kinds:
        return ["tied_weights=True"]
    others = sorted(set(kinds) - {"Dense", "Add"})
    if others or not kinds:
        return [f"the {part} has layers of the kinds {', '.join(others)}"]
    last = layers[-1]["config"].get("activation", "linear")
    if last != "linear":
        return [f"{name}={last!r} is not 'linear'"]
    if kinds == ["Dense"]:
        return [] if _has_bias(layers[0]) else [f"the {part} has no bias"]
    if (
        kinds == ["Dense"] * (len(kinds) - 1) + ["Add"]
        and [_has_bias(spec) for spec in layers[-3:-1]] == [True, False]
        and {spec["config"]["activation"] for spec in layers[-3:-1]} == {"linear"}
    ):
        return []
    return [_NO_LINE]


def _has_bias(spec):
    return spec["config"]["use_bias"]


def _n_components(encoder):
    return encoder.weights[-1].shape[-1]


def _most_components(rows):
    n_most = min(rows.X.shape[1], len(rows))
    if issparse(rows.X) and not _takes_covariance(rows):
        n_most = min(min(rows.X.shape) - 1, n_most)  # all that ARPACK finds
    return n_most


def _takes_covariance(rows):
    return isinstance(rows, StreamedRows) or rows.X.shape[1] <= _MOST_COVARIANCES


def refusal(reasons):
    """The error where PCA is asked for and cannot be had."""
    return ValueError(
        f"init='pca' needs a network that can be PCA, but {'; '.join(reasons)}. Change "
        "that, or use init='auto' or init='random'."
    )


def start_at_pca(encoder, decoder, rows, seed):
    """Give the two networks the weights with which they are PCA on `rows`.

    Hidden layers keep the kernels they have, which take centred rows and codes of unit
    scale, whatever the scale of the data; what they add starts at zero.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
        Those for which `why_not_pca` gives no reason, on these rows or on those they
        were taken from. Where these are too few, the components that are missing are
        zero.

    rows : Rows or StreamedRows
    seed : int
        For the randomised solver, which PCA takes for large data.
    """
    n_components = min(_n_components(encoder), _most_components(rows))
    # One row, or constant ones, have no variance to divide by.
    with one_blas_thread, np.errstate(all="ignore"):
        if _takes_covariance(rows):
            components, mean, variances, total = _pca(rows, n_components)
        else:
            X = rows.X[rows.index]
            is_small = not issparse(X) and min(X.shape) <= _MOST_DECOMPOSED
            solver = "full" if is_small else "auto"
            pca = PCA(n_components, svd_solver=solver, random_state=seed).fit(X)
            components, mean = pca.components_, pca.mean_
            variances = pca.explained_variance_
            total = variances.sum() / pca.explained_variance_ratio_.sum()
    n_missing = _n_components(encoder) - n_components
    components = np.pad(components, [(0, n_missing), (0, 0)]).astype(np.float32)
    scale = np.sqrt(total / len(mean))
    if not (np.isfinite(scale) and scale > 0):
        scale = 1.0
    scales = np.pad(np.sqrt(np.nan_to_num(variances).clip(0)), (0, n_missing))
    scales = np.maximum(scales, _LEAST_SCALE * scale)
    mean = mean.astype(np.float32)
    _set_line(encoder, components.T, -mean @ components.T, mean, scale)
    _set_line(decoder, components, mean, np.zeros(len(components)), scales)


def _set_line(network, kernel, bias, location, scale):
    """Make a network linear; what hidden layers take is centred and scaled first."""
    if len(network.weights) == 2:
        network.weights = [kernel.copy(), bias]
        return
    first, _, *inner, nonlinear, _, _ = network.weights
    first = (first / np.reshape(scale, (-1, 1))).astype(np.float32)
    network.weights = [
        first,
        (-location @ first).astype(np.float32),
        *inner,
        np.zeros_like(nonlinear),
        bias,
        kernel.copy(),
    ]


def _pca(rows, n_components):
    """Components, mean, variances and their total from the covariance, in one pass."""
    n_features = rows.X.shape[1]
    total, products = np.zeros(n_features), np.zeros((n_features, n_features))
    weight, origin = 0.0, None
    for part in rows.parts(2**12):
        block = np.empty((len(part), n_features), np.float32)
        part.copy_to(block, block)
        if origin is None:  # near the mean, or squares would swallow what varies
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
    return components, origin + mean, variances[::-1], np.trace(covariance)


def is_better(learned, start, rows):
    """Whether networks do better on rows than others, by more than their number allows.

    That is, by more than the standard error of the mean over rows, for few rows with
    Student's factor. L. Breiman et al., "Classification and Regression Trees" (1984),
    for the rule of one standard error.

    Parameters
    ----------
    learned, start : tuple of (FittedNetwork, FittedNetwork)
        Encoder and decoder.

    rows : Rows or StreamedRows
    """
    count = total = squares = 0.0
    for part in rows.parts(2**12):
        inputs = targets = np.empty((len(part), rows.X.shape[1]), np.float32)
        if part.targets is not None:
            inputs = np.empty_like(targets)
        part.copy_to(inputs, targets)
        before, after = (
            np.square(decoder(encoder(inputs)) - targets).mean(axis=1, dtype=np.float64)
            for encoder, decoder in (start, learned)
        )
        gains = part.weight * (before - after)
        count += len(part)
        total += gains.sum()
        squares += np.square(gains).sum()
    if count == 1:
        return total > 0
    variance = max(0.0, squares - total**2 / count) / (count - 1)
    return total / count > t.ppf(_CONFIDENCE, count - 1) * np.sqrt(variance / count)
