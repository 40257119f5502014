"""Functions that corrupt training data with noise.

Noise is drawn for fixed blocks of rows, each with a separate random generator, so that
the result does not depend on the number of threads.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._utils.blocks import row_blocks
from ._utils.one_hot import Groups
from ._utils.threads import map_in_threads

__all__ = ["gaussian", "masking", "salt_and_pepper", "swap"]

FloatArray = NDArray[np.float32]

NoiseName = Literal["gaussian", "masking", "salt_and_pepper", "swap"]


def gaussian(
    X: FloatArray,
    level: float,
    rng: np.random.Generator,
    out: FloatArray | None = None,
) -> FloatArray:
    """Add normal noise.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows, as float32.

    level : float
        Standard deviation of the noise in units of X, at least 0.

    rng : numpy.random.Generator
        Random number generator.

    out : ndarray of shape (n_samples, n_features) or None, default=None
        C-contiguous float32 array to write the result to, other than X. If None, a new
        array is allocated.

    Returns
    -------
    X_noisy : ndarray of shape (n_samples, n_features)
        Corrupted rows, as float32. It is `out`, if given.

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
    return _corrupt(_add_normal, X, level, rng, out)


def masking(
    X: FloatArray,
    level: float,
    rng: np.random.Generator,
    out: FloatArray | None = None,
    value: ArrayLike = 0.0,
) -> FloatArray:
    """Set each value to `value` with probability `level`.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows, as float32.

    level : float
        Probability of setting a value, in [0, 1].

    rng : numpy.random.Generator
        Random number generator.

    out : ndarray of shape (n_samples, n_features) or None, default=None
        C-contiguous float32 array to write the result to, other than X. If None, a new
        array is allocated.

    value : float or ndarray of shape (n_features,), default=0.0
        Value to set, which may differ between features.

    Returns
    -------
    X_noisy : ndarray of shape (n_samples, n_features)
        Corrupted rows, as float32. It is `out`, if given.

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
    return _corrupt(_set_value, X, level, rng, out, value)


def salt_and_pepper(
    X: FloatArray,
    level: float,
    rng: np.random.Generator,
    out: FloatArray | None = None,
    low: ArrayLike = 0.0,
    high: ArrayLike = 1.0,
) -> FloatArray:
    """Set each value to `low` or `high` with probability ``level / 2`` each.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows, as float32.

    level : float
        Probability of setting a value, in [0, 1].

    rng : numpy.random.Generator
        Random number generator.

    out : ndarray of shape (n_samples, n_features) or None, default=None
        C-contiguous float32 array to write the result to, other than X. If None, a new
        array is allocated.

    low : float or ndarray of shape (n_features,), default=0.0
        Low value (pepper), which may differ between features.

    high : float or ndarray of shape (n_features,), default=1.0
        High value (salt), which may differ between features.

    Returns
    -------
    X_noisy : ndarray of shape (n_samples, n_features)
        Corrupted rows, as float32. It is `out`, if given.

    Examples
    --------
    >>> import numpy as np
    >>> from skautoenc.noise import salt_and_pepper
    >>> X = np.full((1000, 10), 0.5, np.float32)
    >>> noisy = salt_and_pepper(X, 0.2, np.random.default_rng(0))
    >>> [round(float(np.mean(noisy == value)), 1) for value in (0, 0.5, 1)]
    [0.1, 0.8, 0.1]
    """
    return _corrupt(_set_low_or_high, X, level, rng, out, low, high)


def swap(
    X: FloatArray,
    level: float,
    rng: np.random.Generator,
    out: FloatArray | None = None,
    *,
    groups: Groups = (),
) -> FloatArray:
    """Replace each value by that of another row with probability `level`.

    The other row is drawn at random for each value, so that the columns keep their
    distributions, but not their dependence on each other.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows, as float32. A single row is not changed.

    level : float
        Probability of replacing a value, in [0, 1].

    rng : numpy.random.Generator
        Random number generator.

    out : ndarray of shape (n_samples, n_features) or None, default=None
        C-contiguous float32 array to write the result to, other than X. If None, a new
        array is allocated.

    groups : tuple of tuple of int, default=()
        Columns that are replaced together, as those that encode one category.

    Returns
    -------
    X_noisy : ndarray of shape (n_samples, n_features)
        Corrupted rows, as float32. It is `out`, if given.

    References
    ----------
    D. Bahri et al., "SCARF: Self-Supervised Contrastive Learning using Random Feature
    Corruption", ICLR (2022), arXiv 2106.15147.

    Examples
    --------
    >>> import numpy as np
    >>> from skautoenc.noise import swap
    >>> X = np.array([[0, 10], [1, 11]], np.float32)
    >>> swap(X, 1.0, np.random.default_rng(0))
    array([[ 1., 11.],
           [ 0., 10.]], dtype=float32)
    """
    return _corrupt(_set_value_of_other_row, X, level, rng, out, groups)


def _corrupt(
    corrupt_block: Callable[..., None],
    X: FloatArray,
    level: float,
    rng: np.random.Generator,
    out: FloatArray | None,
    *values: ArrayLike,
) -> FloatArray:
    """Corrupt blocks of rows on all threads.

    ``corrupt_block(X, rows, level, rng, out, *values)`` writes the corrupted rows of
    the slice `rows` to `out`.
    """
    corrupted = np.empty(X.shape, np.float32) if out is None else out
    blocks = row_blocks(len(X), 4 * X.shape[1])
    seeds = rng.integers(2**63, size=len(blocks))

    def corrupt(rows: slice, seed: int) -> None:
        block_rng = np.random.Generator(np.random.SFC64(seed))
        corrupt_block(X, rows, level, block_rng, corrupted[rows], *values)

    map_in_threads(corrupt, blocks, seeds)
    return corrupted


def _add_normal(X, rows, level, rng, out):
    # The Box-Muller transform, which is vectorized, unlike NumPy's method. It turns
    # pairs of uniform numbers into pairs of normal ones, in place.
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
    out += X[rows]


def _set_value(X, rows, level, rng, out, value):
    out[:] = X[rows]
    np.copyto(out, value, where=_choose(level, rng, out.shape))


def _set_value_of_other_row(X, rows, level, rng, out, groups):
    out[:] = X[rows]

    def other_rows(row):
        distance = rng.integers(1, max(len(X), 2), size=len(row))
        return (rows.start + row + distance) % len(X)

    chosen = _choose(level, rng, out.shape)
    of_groups = [np.flatnonzero(chosen[:, group[0]]) for group in groups]
    for group in groups:
        chosen[:, group] = False
    row, column = np.nonzero(chosen)
    out[row, column] = X[other_rows(row), column]
    for group, row in zip(groups, of_groups, strict=True):
        out[np.ix_(row, group)] = X[np.ix_(other_rows(row), group)]


def _choose(level, rng, shape):
    """Return a mask in which each value is True with probability `level`."""
    return rng.random(shape, np.float32) < np.float32(level)


def _set_low_or_high(X, rows, level, rng, out, low, high):
    draw = rng.random(out.shape, np.float32)
    out[:] = X[rows]
    np.copyto(out, low, where=draw < level / 2)
    np.copyto(out, high, where=draw >= 1 - level / 2)


class Noise(NamedTuple):
    """A kind of noise that estimators take by its name.

    Attributes
    ----------
    function : callable
        ``(X, level, rng, out=None, **values)``, applied to centered rows.

    max_level : float
        Maximum level.

    values : callable
        ``(zero, low, high, groups) -> dict``, keyword arguments of `function` from
        zero and the extremes of the data, in the units of the centered rows, and from
        the groups of one-hot columns.
    """

    function: Callable
    max_level: float = np.inf
    values: Callable[..., dict[str, Any]] = lambda **_: {}

    def add(
        self,
        X: NDArray[np.float32],
        level: float,
        rng: np.random.Generator,
        center: NDArray[np.float64],
        extremes: tuple[float, float],
        out: NDArray[np.float32] | None = None,
        groups: Groups = (),
    ) -> NDArray[np.float32]:
        """Return centered rows with noise.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features), float32
            Rows from which `center` has been subtracted.

        level : float
        rng : numpy.random.Generator
        center : ndarray of shape (n_features,), float64
        extremes : tuple of (float, float)
            Minimum and maximum of the data.

        out : ndarray of the shape of X, float32, or None, default=None
        groups : tuple of tuple of int, default=()
            One-hot columns.
        """
        originals = {"zero": 0.0, "low": extremes[0], "high": extremes[1]}
        shifted = {
            name: (value - center).astype(np.float32)
            for name, value in originals.items()
        }
        return self.function(
            X, level, rng, out, **self.values(**shifted, groups=groups)
        )


NOISES = {
    "gaussian": Noise(gaussian),
    "masking": Noise(masking, 1.0, lambda zero, **_: {"value": zero}),
    "salt_and_pepper": Noise(
        salt_and_pepper, 1.0, lambda low, high, **_: {"low": low, "high": high}
    ),
    "swap": Noise(swap, 1.0, lambda groups, **_: {"groups": groups}),
}
