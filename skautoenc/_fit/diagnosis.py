"""Checks of the result of training: finite values, and components that are used."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._fitted.network import FittedNetwork
from .._training import TrainingState
from .._utils.warnings import warn_user
from .values import FitOptions

# Maximum number of rows and of values that are checked, and minimum number of training
# steps for warnings of unused units.
_MAX_ROWS, _MAX_VALUES, _MIN_STEPS = 2**10, 2**22, 500

# Variance of the mean of a variational code below which a component is inactive.
# Y. Burda et al., "Importance Weighted Autoencoders", ICLR (2016).
_MIN_ACTIVE_VARIANCE = 0.01

# Minimum share of the variance that a network should explain, and minimum share of the
# variation of the features that a code or a feature should have.
_MIN_EXPLAINED, _MIN_SHARE = 0.01, 0.05

# Squared error, in units of that of PCA or of the variance, beyond which training has
# diverged.
_MAX_GROWTH = 1e9

# Relative fall of the validation loss in the last tenth of the epochs that is usual at
# the end of training, and that of one row, from which a mean of n rows differs by the
# square root of n.
_MAX_FALL, _MAX_FALL_OF_A_ROW = 0.02, 0.25

# Maximum share of unused units that is usual with activations such as relu.
_MAX_SHARE_UNUSED = 0.05


class Sample(NamedTuple):
    """Some rows after the decoder's shift is removed, their codes and outputs."""

    targets: np.ndarray
    codes: np.ndarray
    outputs: np.ndarray


def check_result(
    networks: dict[str, FittedNetwork],
    rows: Any,
    pca: dict[str, FittedNetwork] | None = None,
) -> Sample:
    """Raise if training has diverged; return what the networks give for some rows.

    Parameters
    ----------
    networks : dict of str to FittedNetwork
    rows : Rows or StreamedRows
    pca : dict of str to FittedNetwork or None, default=None
        The initial networks, if they are PCA. Their error is the scale of errors.

    Raises
    ------
    ValueError
    """
    encoder, decoder = networks["encoder"], networks["decoder"]
    n = min(len(rows), _MAX_ROWS, max(1, _MAX_VALUES // rows.X.shape[1]))
    sample = rows.sample(n)
    inputs, targets = sample.arrays()
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
        initial = pca["decoder"](pca["encoder"](inputs)).astype(np.float64)
        before = np.square(initial - targets).mean()
        after = errors.mean(dtype=np.float64) / targets.shape[1]
        limit = _MAX_GROWTH * max(before, targets.var(axis=0, dtype=np.float64).mean())
        if after > limit > 0:
            raise diverged(
                "the squared error of the reconstruction ends at more than "
                f"{_MAX_GROWTH:.0e} times the variance of X"
            )
    return Sample(targets, codes, outputs)


def warn_of_ending(state: TrainingState, epochs: int, n_validation: int) -> None:
    """Warn if Ctrl-C has ended training, or if the validation loss still fell.

    Losses of fewer than 10 epochs are not judged. The schedule after a start from PCA
    ends with small steps, so that the loss hardly changes in the last epochs, whether
    or not more epochs would lower it.

    Parameters
    ----------
    state : TrainingState
        After training.

    epochs : int
        Number of epochs that were asked for.

    n_validation : int
        Number of validation rows. The loss of few rows falls by chance, too.
    """
    warn_of_interruption(state, epochs)
    losses = state.history.get("val_loss", ())
    n = len(losses) // 10
    if state.stop or n == 0:
        return
    max_fall = max(_MAX_FALL, _MAX_FALL_OF_A_ROW / np.sqrt(n_validation))
    before, after = np.median(losses[-2 * n : -n]), np.median(losses[-n:])
    if before - after > max_fall * abs(before):
        warn_user(
            f"The validation loss still fell by {1 - after / before:.1%} in the last "
            f"{n} of {epochs} epochs. Raise epochs, or the learning_rate.",
            ConvergenceWarning,
        )


def warn_of_interruption(state: TrainingState, epochs: int) -> None:
    """Warn if Ctrl-C has ended training.

    Parameters
    ----------
    state : TrainingState
        After training.

    epochs : int
        Number of epochs that were asked for.
    """
    if state.interrupted:
        warn_user(
            f"Training was interrupted by Ctrl-C after epoch {state.epoch} of "
            f"{epochs}. The best weights so far are kept."
        )


def diverged(what: str) -> ValueError:
    """Return the error for a training that diverged."""
    return ValueError(
        f"Training diverged: {what}. Scale the features (MinMaxScaler or "
        "StandardScaler), or use a smaller learning_rate; a loss that takes outputs of "
        "one sign needs an output_activation to match."
    )


def warn_of_collapse(
    options: FitOptions,
    encoder: FittedNetwork,
    rows: Any,
    sample: Sample,
    n_steps: int,
) -> None:
    """Warn of components and features that a network does not use.

    Parameters
    ----------
    options : FitOptions
        Determine which remedies are suggested.

    encoder : FittedNetwork
    rows : Rows or StreamedRows
        All rows of the fit.

    sample : Sample
        What `check_result` returned.

    n_steps : int
        Number of training steps.
    """
    targets, codes, outputs = sample
    variances = targets.var(axis=0, dtype=np.float64)
    if n_steps < _MIN_STEPS or not variances.any():
        return
    remedies = _remedies(options)
    is_variational = options.objective.stochastic_encoder
    if is_variational:
        is_unused = codes.var(axis=0, dtype=np.float64) <= _MIN_ACTIVE_VARIANCE
    else:
        is_unused = _is_constant(codes, encoder, rows)
    n_unused = int(is_unused.sum())
    accepted = 0 if is_variational else _MAX_SHARE_UNUSED * codes.shape[1]
    if n_unused > accepted and remedies["code"]:
        warn_user(
            f"{n_unused} of {codes.shape[1]} components of the code do not vary with "
            f"X. Try {', or '.join(remedies['code'])}."
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
    accepted = _MAX_SHARE_UNUSED * targets.shape[1]
    if n_constant > accepted and n_unused < codes.shape[1] and remedies["output"]:
        warn_user(
            f"{n_constant} of {targets.shape[1]} features of the reconstruction are "
            f"constant, though X varies. Try {', or '.join(remedies['output'])}."
        )


def _is_constant(codes, encoder, rows):
    """Return which components of the code, given those of a sample, are constant."""
    first = codes[0]
    is_constant = (codes == first).all(axis=0)
    if not is_constant.any() or len(codes) == len(rows):
        return is_constant
    for block in rows.parts(max(1, _MAX_VALUES // rows.X.shape[1])):
        inputs, _ = block.arrays()
        is_constant &= (encoder(inputs) == first).all(axis=0)
    return is_constant


def _share_explained(targets, outputs):
    residual = np.square(outputs.astype(np.float64) - targets).sum()
    total = np.square(targets - targets.mean(axis=0)).sum(dtype=np.float64)
    return 1 - residual / total


def _remedies(options):
    """Return remedies for a constant code or output, as parts of a sentence."""
    network, objective = options.network, options.objective
    penalties = [
        f"a smaller strength of {name}"
        for name in ("kernel_regularizer", "activity_regularizer")
        if getattr(network, name, None) is not None
    ]
    if getattr(objective, "contractive", 0) > 0:
        penalties.append(f"contractive below {objective.contractive:.3g}")
    remedies = {"code": list(penalties), "penalty": penalties, "output": []}
    if hasattr(objective, "beta"):
        beta = objective.beta
        beta = "a smaller beta" if beta == "auto" else f"beta below {beta:.3g}"
        remedies["code"].append(f"{beta}, or fewer components")
    for part in ("code", "output"):
        activation = getattr(network, f"{part}_activation", "linear")
        if activation not in ("linear", None):
            remedies[part].append(
                f"another {part}_activation than {activation!r}, a smaller "
                "learning_rate, or another random_state"
            )
    return remedies
