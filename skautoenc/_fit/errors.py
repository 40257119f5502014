"""Squared errors of networks on rows, and their comparison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import t

from .._fitted.network import FittedNetwork

_BLOCK_ROWS = 2**12

# Significance level of the comparison is 1 minus this.
_CONFIDENCE = 0.99

# Minimum reduction of the mean squared error, and how much more of it is required of
# few rows, times the square root of their number.
_MIN_GAIN, _MIN_GAIN_OF_A_ROW = 0.05, 0.75

# Added to the errors of rows before their logarithm, relative to the mean error.
_OFFSET = 1e-3

Pair = tuple[FittedNetwork, FittedNetwork]


def squared_errors(
    rows, encoder: FittedNetwork, decoder: FittedNetwork
) -> Iterator[np.ndarray]:
    """Yield the mean squared errors of rows in float64, a block of rows at a time."""
    for block in rows.parts(_BLOCK_ROWS):
        inputs, targets = block.arrays()
        errors = decoder(encoder(inputs)).astype(np.float64)
        errors -= targets
        yield np.square(errors, out=errors).mean(axis=1)


def significantly_better(learned: Pair, start: Pair, rows) -> bool:
    """Whether `learned` has a significantly lower squared error than `start`.

    The mean error must be lower by 5 %, or more if there are few rows, and the mean
    logarithm of the errors significantly lower: a one-sided paired t-test at the level
    of 1 %. With the logarithm a few rows with large errors do not decide.

    Parameters
    ----------
    learned, start : tuple of (FittedNetwork, FittedNetwork)
        Encoder and decoder.

    rows : Rows or StreamedRows
    """
    weight = np.concatenate([block.weight for block in rows.parts(_BLOCK_ROWS)])
    before = weight * np.concatenate(list(squared_errors(rows, *start)))
    after = weight * np.concatenate(list(squared_errors(rows, *learned)))
    gain = max(_MIN_GAIN, _MIN_GAIN_OF_A_ROW / np.sqrt(len(weight)))
    if not after.mean() < (1 - gain) * before.mean():
        return False
    if len(weight) == 1:
        return True
    offset = _OFFSET * before.mean()
    gains = np.log(before + offset) - np.log(after + offset)
    bound = t.ppf(_CONFIDENCE, len(gains) - 1)
    return bool(gains.mean() > bound * gains.std(ddof=1) / np.sqrt(len(gains)))
