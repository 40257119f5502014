"""The loss of tables with numbers and one-hot columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._utils.losses import MixedLoss
from .._utils.one_hot import Groups, resolve_groups
from .._utils.warnings import warn_user
from .summary import DataSummary
from .values import FitData, FitOptions

# Minimum entropy of a group, in nats, so that rare categories do not dominate.
_MIN_ENTROPY = 0.05


def with_mixed_loss(
    options: FitOptions, data: FitData, targets: DataSummary
) -> FitOptions:
    """Return options with a `MixedLoss` if the data have groups of one-hot columns.

    Noise is given the groups as well.

    Parameters
    ----------
    options : FitOptions
    data : FitData
    targets : DataSummary
        Of the targets of `data`.

    Raises
    ------
    ValueError
        If the groups do not suit the data.
    """
    names = data.schema.feature_names
    groups = resolve_groups(
        options.one_hot_groups, data.targets, data.name_of_targets, names
    )
    if not groups:
        if options.one_hot_groups == "auto":
            warn_user(
                "one_hot_groups='auto' has found no groups in X: there are no adjacent "
                "columns of 0 and 1 of which exactly one is 1 in each row. Give their "
                "positions, or set one_hot_groups=None."
            )
        return options
    if data.validation is not None:
        rows, clean = data.validation
        resolve_groups(groups, rows if clean is None else clean, "X_val")
    augmentation = options.augmentation
    if augmentation.noise is not None:
        noise = replace(augmentation.noise, groups=groups)
        augmentation = replace(augmentation, noise=noise)
    loss = mixed_loss(groups, targets)
    return replace(options, loss=loss, augmentation=augmentation)


def mixed_loss(groups: Groups, targets: DataSummary) -> MixedLoss:
    """Return the loss in which each group has half the weight of a number.

    Without a reconstruction, a cross-entropy is the entropy of the group, and a squared
    error the variance of the number. Each is divided by that, and multiplied by the
    mean variance of the numbers, so that the scale of the loss remains theirs.
    """
    is_number = np.ones(len(targets.mean), bool)
    is_number[np.concatenate(groups)] = False
    variance = targets.variance[is_number].mean() if is_number.any() else 1.0
    entropies = [_entropy(targets.mean[list(group)]) for group in groups]
    return MixedLoss(
        groups,
        tuple(float(variance / (2 * max(e, _MIN_ENTROPY))) for e in entropies),
    )


def _entropy(shares):
    positive = shares[shares > 0]
    return -np.sum(positive * np.log(positive))
