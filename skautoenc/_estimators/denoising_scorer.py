"""Scorer for searches over denoising autoencoders."""

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_scalar

from .._utils.blocks import to_dense
from .._utils.metrics import ExplainedVariance
from ..noise import NOISES, NoiseName


def denoising_scorer(
    noise: NoiseName | Callable = "gaussian",
    noise_level: float = 0.25,
    *,
    random_state: int = 0,
) -> "DenoisingScorer":
    """Make a scorer that measures how well an estimator removes noise.

    The `score` of a :class:`DenoisingAutoencoder` measures the reconstruction of the
    given rows, so a search over `noise_level` that uses it selects 0. This scorer adds
    noise to the test rows, which is the same for all candidates, and compares the
    denoised rows with the clean ones.

    Parameters
    ----------
    noise : {"gaussian", "masking", "salt_and_pepper", "swap"} or callable, \
            default="gaussian"
        Corruption of the test rows, as in :class:`DenoisingAutoencoder`.
        ``"salt_and_pepper"`` uses the lowest and highest value of the test rows.

    noise_level : float, default=0.25
        Level of the noise, as in :class:`DenoisingAutoencoder`.

    random_state : int, default=0
        Seed of the noise.

    Returns
    -------
    scorer : callable
        ``(estimator, X, y=None) -> float``, the explained variance ratio of the
        denoised rows, as in :meth:`AutoencoderTransformer.score`, but around the mean
        of the test rows. Higher is better. Rows are denoised with `reconstruct`, or
        with `transform` and `inverse_transform` if the estimator does not have it.

    Raises
    ------
    TypeError
        If `noise_level` is not a number.
    ValueError
        If `noise` or `noise_level` is invalid.

    See Also
    --------
    DenoisingAutoencoder : Autoencoder that learns to remove noise.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skautoenc import DenoisingAutoencoder, denoising_scorer
    >>> X = load_digits().data / 16
    >>> search = GridSearchCV(
    ...     DenoisingAutoencoder(16, hidden_layer_sizes=(), epochs=10, random_state=0),
    ...     {"noise_level": [0.0, 0.3]},
    ...     scoring=denoising_scorer(noise_level=0.3),
    ...     cv=2,
    ... ).fit(X)
    >>> search.best_params_
    {'noise_level': 0.3}
    """
    if not callable(noise) and noise not in NOISES:
        raise ValueError(
            f"noise must be one of {sorted(NOISES)} or a callable; got {noise!r}."
        )
    max_level = np.inf if callable(noise) else NOISES[noise].max_level
    check_scalar(noise_level, "noise_level", Real, min_val=0, max_val=max_level)
    return DenoisingScorer(noise, noise_level, random_state)


class DenoisingScorer:
    """What `denoising_scorer` returns."""

    def __init__(
        self, noise: str | Callable, noise_level: float, random_state: int
    ) -> None:
        self.noise = noise
        self.noise_level = noise_level
        self.random_state = random_state

    def __repr__(self) -> str:
        return (
            f"denoising_scorer(noise={self.noise!r}, noise_level={self.noise_level!r}, "
            f"random_state={self.random_state!r})"
        )

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        """Add noise to clean rows, and score how well the estimator removes it."""
        clean = to_dense(X)
        dtype = clean.dtype if clean.dtype == np.float32 else np.float64
        shape, clean = clean.shape, clean.reshape(len(clean), -1).astype(dtype)
        noisy = self._add_noise(clean).reshape(shape)
        if hasattr(X, "iloc"):
            noisy = type(X)(noisy, columns=X.columns, index=X.index)
        elif hasattr(X, "columns"):
            noisy = type(X)(noisy, schema=X.columns)
        denoised = np.asarray(_denoise(estimator, noisy)).reshape(clean.shape)
        mean = clean.mean(axis=0, dtype=np.float64)
        explained = ExplainedVariance(clean.shape[1], dtype)
        clean = clean.astype(np.float64, copy=False)
        explained.add(clean, denoised - clean, mean)
        return explained.result()

    def _add_noise(self, X):
        """Return noisy rows. They are centered, as the noise is added in float32."""
        rng = np.random.default_rng(self.random_state)
        if callable(self.noise):
            return np.asarray(self.noise(X.copy(), rng))
        mean, extremes = X.mean(axis=0, dtype=np.float64), (X.min(), X.max())
        centered = (X - mean).astype(np.float32)
        noisy = NOISES[self.noise].add(centered, self.noise_level, rng, mean, extremes)
        return (noisy + mean).astype(X.dtype)


def _denoise(estimator, X):
    """Return the rows that a fitted estimator or pipeline denoised, in units of X."""
    if isinstance(estimator, Pipeline) and not hasattr(estimator, "inverse_transform"):
        *steps, (_, denoiser) = estimator.steps
        if not steps:
            return denoiser.reconstruct(X)
        scaling = Pipeline(steps)
        return scaling.inverse_transform(denoiser.reconstruct(scaling.transform(X)))
    if hasattr(estimator, "reconstruct"):
        return estimator.reconstruct(X)
    return estimator.inverse_transform(estimator.transform(X))
