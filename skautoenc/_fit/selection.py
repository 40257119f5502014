"""Which networks a fit keeps: those that were trained, or the PCA it started from."""

from __future__ import annotations

from .._fitted.network import FittedNetwork
from .pca import significantly_better

Networks = dict[str, FittedNetwork]


def reason_to_keep_pca(
    pca: Networks,
    learned: Networks,
    validation,
    best_epoch: int | None,
    *,
    require_significance: bool,
) -> str | None:
    """Return why the initial PCA is kept; None if the trained networks are better.

    Parameters
    ----------
    pca, learned : dict of str to FittedNetwork
        Initial and trained networks.

    validation : Rows or StreamedRows
    best_epoch : int or None
        Epoch of the lowest validation loss. 0 for the initial networks.

    require_significance : bool
        Whether the squared error of the trained networks must be significantly lower.
    """
    if best_epoch == 0:
        return "no epoch had a lower validation loss"
    if require_significance and not significantly_better(
        (learned["encoder"], learned["decoder"]),
        (pca["encoder"], pca["decoder"]),
        validation,
    ):
        return (
            f"on {len(validation)} validation rows the lower loss of epoch "
            f"{best_epoch} is not significant"
        )
    return None


def describe_selection(reason: str | None, best_epoch: int | None, n_iter: int) -> str:
    """Return a line that says which epoch's weights are kept, and why."""
    if reason is not None:
        return f"Kept epoch 0, which is PCA: {reason}."
    if best_epoch is None:
        return f"Kept epoch {n_iter}, the last: there is no early stopping."
    if best_epoch == 0:
        return (
            "Kept epoch 0, the initial weights: no epoch had a lower validation loss."
        )
    return f"Kept epoch {best_epoch}: it has the lowest validation loss."
