"""Corruptions of training data: NumPy functions of (X, level, rng).

They draw for fixed blocks of rows, each from a generator of its own, so that several
threads give the bits of one.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ._utils.blocks import row_blocks
from ._utils.threads import run_in_threads


def _by_blocks(corrupt_block):
    """Let a function of (X, level, rng, out) corrupt whole arrays, on all threads."""

    @functools.wraps(corrupt_block)
    def corrupt(X, level, rng, out=None, **bounds):
        if out is None:
            out = np.empty(X.shape, np.float32)
        blocks = row_blocks(len(X), 4 * X.shape[1])
        seeds = rng.integers(2**63, size=len(blocks))

        def block(rows, seed):
            draws = np.random.Generator(np.random.SFC64(seed))
            corrupt_block(X[rows], level, draws, out[rows], **bounds)

        run_in_threads(block, blocks, seeds)
        return out

    del corrupt.__wrapped__  # the signature is the one above
    return corrupt


@_by_blocks
def gaussian(X, level, rng, out):
    """Add normal noise of standard deviation `level`.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32
    level : float
        In units of X; at least 0.

    rng : numpy.random.Generator
    out : ndarray of the shape of X, float32, C-contiguous, or None, default=None
        Written to, where given. Not X itself.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float32

    References
    ----------
    G. E. P. Box, M. E. Muller, "A Note on the Generation of Random Normal Deviates",
    Annals of Mathematical Statistics 29 (1958).

    Examples
    --------
    >>> import numpy as np
    >>> from skautoenc.noise import gaussian
    >>> X = np.zeros((10_000, 10), np.float32)
    >>> round(float(gaussian(X, 0.5, np.random.default_rng(0)).std()), 2)
    0.5
    """
    # Box and Muller's way: two uniform numbers become two normal ones, in place and,
    # unlike NumPy's own, vectorised.
    values = out.reshape(-1)
    rng.random(out=values, dtype=np.float32)
    half = values.size // 2
    radius, angle = values[:half], values[half : 2 * half]
    np.log(np.subtract(1, radius, out=radius), out=radius)
    radius *= np.float32(-2)
    np.sqrt(radius, out=radius)
    radius *= np.float32(level)
    angle *= np.float32(2 * np.pi)
    cosine = np.cos(angle)
    np.sin(angle, out=angle)
    angle *= radius
    radius *= cosine
    values[2 * half :] = np.float32(level) * rng.standard_normal(values.size % 2)
    out += X


@_by_blocks
def masking(X, level, rng, out, value=0.0):
    """Set each value to `value` with probability `level`.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32
    level : float
        In [0, 1].

    rng : numpy.random.Generator
    out : ndarray of the shape of X, float32, C-contiguous, or None, default=None
        Written to, where given. Not X itself.

    value : float or ndarray of shape (n_features,), default=0

    Returns
    -------
    ndarray of shape (n_samples, n_features), float32

    References
    ----------
    P. Vincent et al., "Extracting and Composing Robust Features with Denoising
    Autoencoders", ICML (2008).

    Examples
    --------
    >>> import numpy as np
    >>> from skautoenc.noise import masking
    >>> X = np.ones((1000, 10), np.float32)
    >>> round(float(masking(X, 0.3, np.random.default_rng(0)).mean()), 1)
    0.7
    """
    out[:] = X
    np.copyto(out, value, where=rng.random(X.shape, np.float32) < np.float32(level))


@_by_blocks
def salt_and_pepper(X, level, rng, out, low=0.0, high=1.0):
    """Set each value to `low` or `high` with probability ``level / 2`` each.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32
    level : float
        In [0, 1].

    rng : numpy.random.Generator
    out : ndarray of the shape of X, float32, C-contiguous, or None, default=None
        Written to, where given. Not X itself.

    low, high : float or ndarray of shape (n_features,), default=0, 1
        Pepper and salt.

    Returns
    -------
    ndarray of shape (n_samples, n_features), float32

    Examples
    --------
    >>> import numpy as np
    >>> from skautoenc.noise import salt_and_pepper
    >>> X = np.full((1000, 10), 0.5, np.float32)
    >>> noisy = salt_and_pepper(X, 0.2, np.random.default_rng(0))
    >>> [round(float(np.mean(noisy == value)), 1) for value in (0, 0.5, 1)]
    [0.1, 0.8, 0.1]
    """
    draw = rng.random(X.shape, np.float32)
    out[:] = X
    np.copyto(out, low, where=draw < level / 2)
    np.copyto(out, high, where=draw >= 1 - level / 2)


class Noise(NamedTuple):
    """A kind of noise, and the highest level that it takes."""

    function: Callable
    max_level: float


NOISES = {
    "gaussian": Noise(gaussian, np.inf),
    "masking": Noise(masking, 1.0),
    "salt_and_pepper": Noise(salt_and_pepper, 1.0),
}
