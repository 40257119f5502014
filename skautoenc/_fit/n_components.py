"""The number of components, given as a number or as a share of the variance."""

from __future__ import annotations

from dataclasses import replace

from .centering import center_rows
from .pca import n_components_for_share
from .summary import summarize
from .values import FitData


def resolve_n_components(
    n_components: float | None, data: FitData, seed: int
) -> int | None:
    """Return the number of components.

    Parameters
    ----------
    n_components : int, float or None
        A number below 1 is a share of the variance of `data.X`, and means as many
        components as PCA needs for it.

    data : FitData
    seed : int
        Of the randomized solver of PCA.

    Returns
    -------
    int or None
        None for None.

    Raises
    ------
    ValueError
        If a share is given, and not all components of PCA can be computed.
    """
    if n_components is None:
        return None
    if n_components >= 1:
        return int(n_components)
    summary = summarize(data.X, data.sample_weight)
    inputs = replace(data, X_clean=None, validation=None)
    shift = summary.mean.astype(data.X.dtype)
    rows, _ = center_rows(inputs, (shift, shift), summary.row_hashes)
    return n_components_for_share(rows, n_components, seed)
