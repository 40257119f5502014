"""What a fit checks of its result: that it is finite, and that no part is idle."""

import numpy as np

from .._utils.warnings import warn_user

# Rows and values that are looked at, and steps of training after which units count as
# idle.
_MAX_ROWS, _MAX_VALUES, _MIN_STEPS = 2**10, 2**22, 500

# Variance of a variational code's mean below which a component is not used.
# Y. Burda et al., "Importance Weighted Autoencoders", ICLR (2016).
_MIN_ACTIVE_VARIANCE = 0.01

# Share of the variance that a network should explain, and share of what features vary
# by with which a code or a feature does.
_MIN_EXPLAINED, _MIN_SHARE = 0.01, 0.05

# Squared error, in those of PCA or in variances, beyond which training has diverged.
_MAX_GROWTH = 1e9

# Share of units without use that is usual with activations such as relu.
_MAX_SHARE_IDLE = 0.05


def check_result(encoder, decoder, rows, pca=None):
    """Raise if networks have diverged; return what they make of some rows.

    Parameters
    ----------
    encoder, decoder : FittedNetwork
    rows : Rows or StreamedRows
    pca : tuple of (FittedNetwork, FittedNetwork) or None, default=None
        The networks at the start, if they were PCA: it tells how large errors may be.

    Returns
    -------
    targets, codes, outputs : ndarray of shape (n, ...), float32

    Raises
    ------
    ValueError
    """
    n = min(len(rows), _MAX_ROWS, max(1, _MAX_VALUES // rows.X.shape[1]))
    part = rows.take(np.linspace(0, len(rows) - 1, n).astype(np.intp))
    inputs, targets = part.arrays()
    codes = encoder(inputs)
    outputs = decoder(codes)
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.square(outputs - targets).sum(axis=1)
    arrays = {
        "the weights": np.concatenate(
            [np.ravel(w) for w in (*encoder.weights, *decoder.weights)]
        ),
        "the codes": codes,
        "the reconstruction": outputs,
        "its squared error": errors,
    }
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise diverged(f"{name} of the last epoch is not finite")
    if pca is not None:
        before = np.square(pca[1](pca[0](inputs)).astype(np.float64) - targets).mean()
        after = errors.mean(dtype=np.float64) / targets.shape[1]
        limit = _MAX_GROWTH * max(before, targets.var(axis=0, dtype=np.float64).mean())
        if after > limit > 0:
            raise diverged(
                "the squared error of the reconstruction ends at more than "
                f"{_MAX_GROWTH:.0e} times the variance of X"
            )
    return targets, codes, outputs


def diverged(what):
    """The error where training has diverged."""
    return ValueError(
        f"Training diverged: {what}. Scale the features (MinMaxScaler or "
        "StandardScaler), or use a smaller learning_rate; a loss that takes outputs of "
        "one sign needs an output_activation to match."
    )


def warn_of_collapse(estimator, sample, n_steps):
    """Warn of components and features that a network does not use.

    Parameters
    ----------
    estimator : estimator instance
        Its parameters tell the remedy.

    sample : tuple of (targets, codes, outputs)
        What `check_result` gave.

    n_steps : int
        How long training was.
    """
    targets, codes, outputs = sample
    variances = targets.var(axis=0, dtype=np.float64)
    if n_steps < _MIN_STEPS or not variances.any():
        return
    remedies = _remedies(estimator)
    is_variational = hasattr(estimator, "beta")
    limit = _MIN_ACTIVE_VARIANCE if is_variational else 0.0
    n_idle = int((codes.var(axis=0, dtype=np.float64) <= limit).sum())
    accepted = 0 if is_variational else _MAX_SHARE_IDLE * codes.shape[1]
    if n_idle > accepted and remedies["code"]:
        warn_user(
            f"{n_idle} of {codes.shape[1]} components of the code do not vary with X. "
            f"Try {', or '.join(remedies['code'])}."
        )
    elif remedies["penalty"] and (
        codes.std() < _MIN_SHARE * np.sqrt(variances.mean())
        and _share_explained(targets, outputs) < _MIN_EXPLAINED
    ):
        warn_user(
            f"The code is nearly zero, and explains less than {_MIN_EXPLAINED:.0%} of "
            f"the variance of X. Try {', or '.join(remedies['penalty'])}."
        )
    varies = variances > _MIN_SHARE * variances.mean()
    n_constant = int((varies & (outputs.max(axis=0) == outputs.min(axis=0))).sum())
    accepted = _MAX_SHARE_IDLE * targets.shape[1]
    if n_constant > accepted and n_idle < codes.shape[1] and remedies["output"]:
        warn_user(
            f"{n_constant} of {targets.shape[1]} features of the reconstruction are "
            f"constant, though X varies. Try {', or '.join(remedies['output'])}."
        )


def _share_explained(targets, outputs):
    rest = np.square(outputs.astype(np.float64) - targets).sum()
    return 1 - rest / np.square(targets - targets.mean(axis=0)).sum(dtype=np.float64)


def _remedies(estimator):
    """What may help where code, output, or all is constant, as parts of a sentence."""
    shape = estimator if estimator.network == "dense" else estimator.network
    penalties = [
        f"a smaller strength of {name}"
        for name in ("kernel_regularizer", "activity_regularizer")
        if getattr(shape, name, None) is not None
    ]
    if getattr(estimator, "contractive", 0) > 0:
        penalties.append(f"contractive below {estimator.contractive:.3g}")
    remedies = {"code": list(penalties), "penalty": penalties, "output": []}
    if hasattr(estimator, "beta"):
        beta = estimator.beta
        beta = "a smaller beta" if beta == "auto" else f"beta below {beta:.3g}"
        remedies["code"].append(f"{beta}, or fewer components")
    for part in ("code", "output"):
        activation = getattr(shape, f"{part}_activation", "linear")
        if activation not in ("linear", None):
            remedies[part].append(
                f"another {part}_activation than {activation!r}, a smaller "
                "learning_rate, or another random_state"
            )
    return remedies
