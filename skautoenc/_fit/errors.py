"""Squared errors of networks on rows, and their comparison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import t

from .._fitted.network import FittedNetwork

_BLOCK_ROWS = 2**12

# Significance level of the comparison is 1 minus this.
_CONFIDENCE = 0.95

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

    A one-sided paired t-test at the level of 5 %.

    Parameters
    ----------
    learned, start : tuple of (FittedNetwork, FittedNetwork)
        Encoder and decoder.

    rows : Rows or StreamedRows
    """
    count = total = squares = 0.0
    for block, before, after in zip(
        rows.parts(_BLOCK_ROWS),
        squared_errors(rows, *start),
        squared_errors(rows, *learned),
        strict=True,
    ):
        gains = block.weight * (before - after)
        count += len(block)
        total += gains.sum()
        squares += np.square(gains).sum()
    if count == 1:
        return total > 0
    variance = max(0.0, squares - total**2 / count) / (count - 1)
    return total / count > t.ppf(_CONFIDENCE, count - 1) * np.sqrt(variance / count)
