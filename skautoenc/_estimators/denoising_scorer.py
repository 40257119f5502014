"""A scorer that corrupts the rows it is given."""

from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline
from sklearn.utils import check_scalar

from .._utils.metrics import ExplainedVariance
from ..noise import NOISES


def denoising_scorer(noise="gaussian", noise_level=0.25, *, random_state=0):
    """Make a scorer of how well an estimator cleans rows.

    The `score` of a denoiser compares the reconstruction of rows with the rows as they
    are, so that a search over `noise_level` picks none. This scorer corrupts the
    held-out rows, all candidates' in the same way, and compares with the clean ones.

    Parameters
    ----------
    noise : {"gaussian", "masking", "salt_and_pepper"} or callable, default="gaussian"
        Corruption, as in :class:`DenoisingAutoencoder`; salt and pepper are the
        extremes of the rows that are scored.

    noise_level : float, default=0.25
        Its level, in units of X.

    random_state : int, default=0
        Seed of the corruption.

    Returns
    -------
    scorer : callable
        ``(estimator, X, y=None) -> float``, the share of the clean rows' variance
        around their mean that the cleaned ones explain; higher is better. Cleaned rows
        are those that `reconstruct` gives, or the inverse transform of the codes.

    Raises
    ------
    TypeError
        If `noise_level` is no number.
    ValueError
        If `noise` is not known, or `noise_level` is out of its range.

    See Also
    --------
    DenoisingAutoencoder : Learns to undo a corruption.

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
    highest = None if callable(noise) or np.isinf(NOISES[noise][1]) else 1
    check_scalar(noise_level, "noise_level", Real, min_val=0, max_val=highest)
    return DenoisingScorer(noise, noise_level, random_state)


class DenoisingScorer:
    """What `denoising_scorer` returns."""

    def __init__(self, noise, noise_level, random_state):
        self.noise, self.noise_level = noise, noise_level
        self.random_state = random_state

    def __repr__(self):
        return (
            f"denoising_scorer(noise={self.noise!r}, noise_level={self.noise_level!r}, "
            f"random_state={self.random_state!r})"
        )

    def __call__(self, estimator, X, y=None):
        """Score a fitted estimator on clean rows."""
        clean = X.toarray() if issparse(X) else np.asarray(X)
        dtype = clean.dtype if clean.dtype == np.float32 else np.float64
        shape, clean = clean.shape, clean.reshape(len(clean), -1).astype(dtype)
        noisy = self._corrupted(clean).reshape(shape)
        if hasattr(X, "iloc"):
            noisy = type(X)(noisy, columns=X.columns, index=X.index)
        elif hasattr(X, "columns"):
            noisy = type(X)(noisy, schema=X.columns)
        cleaned = np.asarray(_clean(estimator, noisy)).reshape(clean.shape)
        mean = clean.mean(axis=0, dtype=np.float64)
        explained = ExplainedVariance(clean.shape[1], dtype)
        clean = clean.astype(np.float64, copy=False)
        explained.add(clean, cleaned - clean, mean)
        return explained.result()

    def _corrupted(self, X):
        """Rows with noise, which is drawn in float32 around their mean."""
        rng = np.random.default_rng(self.random_state)
        if callable(self.noise):
            return np.asarray(self.noise(X.copy(), rng))
        function, _ = NOISES[self.noise]
        mean = X.mean(axis=0, dtype=np.float64)
        values = {}
        if self.noise == "masking":
            values = {"value": -mean}
        elif self.noise == "salt_and_pepper":
            values = {"low": X.min() - mean, "high": X.max() - mean}
        centred = (X - mean).astype(np.float32)
        noisy = function(centred, self.noise_level, rng, **values)
        return (noisy + mean).astype(X.dtype)


def _clean(estimator, X):
    """Rows as a fitted estimator cleans them, in the units that they came in."""
    if isinstance(estimator, Pipeline) and not hasattr(estimator, "inverse_transform"):
        *before, (_, last) = estimator.steps
        before = Pipeline(before) if before else None
        cleaned = last.reconstruct(X if before is None else before.transform(X))
        return cleaned if before is None else before.inverse_transform(cleaned)
    if hasattr(estimator, "reconstruct"):
        return estimator.reconstruct(X)
    return estimator.inverse_transform(estimator.transform(X))
