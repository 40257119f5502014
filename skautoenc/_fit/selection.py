"""Selection of the networks that a fit keeps: the trained ones, or PCA."""

from __future__ import annotations

from typing import NamedTuple

from .errors import significantly_better
from .initialization import Initialization
from .values import Networks


class Selection(NamedTuple):
    """The networks that are kept.

    Attributes
    ----------
    networks : dict of str to FittedNetwork
    epoch : int
        Epoch of their weights. 0 for the initial weights.

    is_pca : bool
    message : str
        Says which epoch is kept, and why.
    """

    networks: Networks
    epoch: int
    is_pca: bool
    message: str


def select_networks(
    start: Initialization,
    learned: Networks,
    best_epoch: int | None,
    n_iter: int,
    *,
    require_significance: bool,
) -> Selection:
    """Keep the trained networks, or PCA if they are not better.

    Parameters
    ----------
    start : Initialization
    learned : dict of str to FittedNetwork
        The networks after training.

    best_epoch : int or None
        Epoch of the lowest validation loss; None without early stopping.

    n_iter : int
        Number of epochs run.

    require_significance : bool
        Whether the trained networks must have a significantly lower squared error.
    """
    if best_epoch is None:
        line = f"Kept epoch {n_iter}, the last: there is no early stopping."
        return Selection(learned, n_iter, False, line)
    lowest = f"Kept epoch {best_epoch}: it has the lowest validation loss."
    none_lower = "no epoch had a lower validation loss"
    if not start.is_pca:
        if best_epoch == 0:
            lowest = f"Kept epoch 0, the initial weights: {none_lower}."
        return Selection(learned, best_epoch, False, lowest)
    if best_epoch == 0:
        line = f"Kept epoch 0, which is PCA: {none_lower}."
        return Selection(start.networks, 0, True, line)
    if require_significance and not significantly_better(
        (learned["encoder"], learned["decoder"]),
        (start.networks["encoder"], start.networks["decoder"]),
        start.validation,
    ):
        line = (
            f"Kept epoch 0, which is PCA: on {len(start.validation)} validation rows "
            f"the lower loss of epoch {best_epoch} is not significant."
        )
        return Selection(start.networks, 0, True, line)
    return Selection(learned, best_epoch, False, lowest)
