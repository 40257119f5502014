"""The fit of an encoder with a head: a network from codes to targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from .._fitted.network import FittedNetwork
from .._training import EarlyStopping, Rows, make_callbacks
from .._utils.losses import MixedLoss
from .._utils.one_hot import Groups
from .._utils.random import RandomStreams
from .diagnosis import diverged
from .head_training import (
    HeadOptions,
    HeadStart,
    StopAfter,
    ValidationLosses,
    head_config,
    is_trained_in_numpy,
    train_head,
)
from .heads import Standardization, head_spec, make_head, with_scaled_outputs
from .summary import summarize
from .values import Table

# Number of folds with which epochs are chosen. From so many distinct rows on, one fold
# of more is enough.
_FOLDS, _MANY_ROWS, _MANY_FOLDS = 3, 1000, 5

_MIN_PATIENCE = 10


@dataclass(frozen=True)
class LabelledRows:
    """Rows, of which some have targets.

    Attributes
    ----------
    X : {ndarray, CSR matrix} of shape (n_samples, n_features)
    sample_weight : ndarray of shape (n_samples,), float64
    labelled : ndarray of shape (n_labelled,), int
        Positions of the rows with targets. Their weights are positive.

    targets : ndarray of shape (n_labelled, n_outputs), float64
        Numbers, or one-hot columns.

    groups : tuple of tuple of int
        The columns of each target that is a category. Empty for numbers.

    target_weight : ndarray of shape (n_labelled,), float64
        Weights of the targets in the loss.

    held_out : ndarray of shape (n_labelled,), bool
        The validation set.
    """

    X: Table
    sample_weight: np.ndarray
    labelled: np.ndarray
    targets: np.ndarray
    groups: Groups
    target_weight: np.ndarray
    held_out: np.ndarray

    @property
    def loss(self) -> Any:
        """The mean squared error, or the mean cross-entropy of the categories."""
        if not self.groups:
            return "mean_squared_error"
        share = self.targets.shape[1] / len(self.groups)
        return MixedLoss(self.groups, (share,) * len(self.groups))


class SupervisedResult(NamedTuple):
    """An encoder with a head.

    Attributes
    ----------
    encoder, head : FittedNetwork
    history : dict of str to list of float
    n_iter : int
        Epochs run.

    best_epoch : int
        Epoch whose weights are kept, 0 for the linear head on the given encoder.
    """

    encoder: FittedNetwork
    head: FittedNetwork
    history: dict[str, list[float]]
    n_iter: int
    best_epoch: int


def fit_supervised(
    encoder: FittedNetwork,
    data: LabelledRows,
    options: HeadOptions,
    streams: RandomStreams,
) -> SupervisedResult:
    """Train a head on an encoder, and then both.

    The head starts as a linear model of the codes, since the gradients of a head with
    random weights would change the encoder at random (A. Kumar et al., "Fine-Tuning can
    Distort Pretrained Features and Underperform Out-of-Distribution", ICLR 2022).

    Parameters
    ----------
    encoder : FittedNetwork
    data : LabelledRows
    options : HeadOptions
    streams : RandomStreams

    Raises
    ------
    ValueError
        If training diverges, or if Keras does not have the optimizer.
    """
    options = replace(options, callbacks=make_callbacks(options.callbacks))
    hashes = _hashes(data.X)
    everything = Rows.weighted(data.X, np.argsort(hashes), data.sample_weight)
    keys = np.stack([hashes[data.labelled], _hashes(data.targets)])
    order = np.lexsort(keys)
    held_out = data.held_out[order]
    X = data.X[data.labelled]
    training = Rows.weighted(X, order[~held_out], data.target_weight)
    of_targets = Standardization.identity(data.targets.shape[1])
    if not data.groups:
        of_targets = Standardization.of(data.targets[training.index], training.weight)
    problem = _Problem(
        encoder,
        Standardization.of(_codes(encoder, everything), everything.weight),
        X,
        replace(data, targets=of_targets.apply(data.targets).astype(np.float32)),
        options,
        streams,
    )
    networks, history, best_epoch = _train(problem, order, held_out, keys)
    head = networks["decoder"]
    if options.fine_tune:
        encoder = networks["encoder"].with_shifts(encoder.input_shift)
    if not data.groups:
        head = with_scaled_outputs(head, of_targets)
    _check_is_finite(encoder, head, training)
    return SupervisedResult(encoder, head, history, len(history["loss"]), best_epoch)


class _Problem(NamedTuple):
    """What is trained. `X` are the labelled rows.

    The targets of `data` are standardized, and float32.
    """

    encoder: FittedNetwork
    of_codes: Standardization
    X: Table
    data: LabelledRows
    options: HeadOptions
    streams: RandomStreams

    def config(self, n_rows):
        return head_config(self.data.loss, self.options, n_rows)


def _train(problem, order, held_out, keys):
    """Return trained networks, the losses of all epochs, and the epoch they are of."""
    options = problem.options
    start = _start(problem, order[~held_out], order[held_out])
    if not (options.fine_tune or options.hidden_layer_sizes):
        return start.networks, {"loss": []}, 0
    config = problem.config(len(start.training))
    hook, val_losses = None, []
    if options.early_stopping == "auto":
        folds = _in_folds(order, keys, problem.data)
        val_losses = _cross_validated_losses(problem, folds)
        best = int(np.argmin(val_losses)) if len(val_losses) else config.epochs
        if best == 0:
            return start.networks, {"loss": []}, 0
        hook = StopAfter(best)
    elif start.validation is not None:
        patience = options.patience
        if patience == "auto":
            patience = max(_MIN_PATIENCE, config.epochs // 5)
        hook = EarlyStopping(patience)
    hooks = [] if hook is None else [hook]
    networks, state = train_head(start, config, options, problem.streams, hooks)
    history = state.history
    if len(val_losses):
        history["val_loss"] = val_losses[1 : state.epoch + 1]
    best_epoch = hook.best_epoch if isinstance(hook, EarlyStopping) else state.epoch
    return networks, history, best_epoch


def _cross_validated_losses(problem, folds):
    """Return the mean loss of held-out rows at the start and after each epoch.

    Empty if there are too few rows. If Ctrl-C has ended the training, the start alone
    has a loss, so that it is kept.
    """
    options = replace(problem.options, callbacks=(), early_stopping=True)
    problem = problem._replace(options=options)
    total, n_rows = 0.0, 0
    for i, (known, held_out) in enumerate(folds):
        start = _start(problem, known, held_out)
        losses = ValidationLosses()
        config = problem.config(len(start.training))
        title = f"Fold {i + 1} of {len(folds)}, epoch"
        _, state = train_head(start, config, options, problem.streams, [losses], title)
        if state.interrupted:
            return [0.0]
        total += len(held_out) * np.array(losses.losses)
        n_rows += len(held_out)
    return (total / n_rows).tolist() if n_rows else []


def _start(problem, known, held_out):
    """Return an encoder with a linear head that is fitted to labelled rows.

    `known` and `held_out` are positions among the labelled rows, in a fixed order.
    """
    encoder, of_codes, _, data, options, streams = problem
    training = _rows(problem, known)
    head = make_head(
        _codes(encoder, training),
        of_codes,
        data.targets[training.index],
        data.groups,
        training.weight,
        options.hidden_layer_sizes,
        streams.generator("head"),
    )
    validation = _rows(problem, held_out) if len(held_out) else None
    if options.fine_tune:
        networks = {"encoder": encoder.with_shifts(), "decoder": head}
        return HeadStart(networks, training, validation)
    rows = [part and _rows_of_codes(encoder, part) for part in (training, validation)]
    return HeadStart({"decoder": head}, *rows)


def _rows(problem, positions):
    """Return labelled rows with their targets."""
    data, shift = problem.data, problem.encoder.input_shift
    return Rows.weighted(
        problem.X, positions, data.target_weight, data.targets, shift=shift
    )


def _hashes(X):
    """Return hashes by which rows are ordered, so that their order has no influence."""
    hashes = summarize(X, None).row_hashes
    return np.arange(X.shape[0]) if hashes is None else hashes


def _codes(encoder, rows):
    """Return the codes of rows in this order, on which their last bits depend."""
    return encoder(rows.X[rows.index])


def _rows_of_codes(encoder, rows):
    """Return rows with their codes in place of them."""
    codes, targets = _codes(encoder, rows), rows.targets[rows.index]
    return Rows(codes, np.arange(len(rows)), rows.weight, targets)


def _in_folds(order, keys, data):
    """Return (known, held out) positions of each fold of the labelled rows.

    Equal rows are in the same fold. Classes and the range of numbers are spread evenly
    over the folds.
    """
    _, group = np.unique(keys[:, order], axis=1, return_inverse=True)
    first = np.unique(group, return_index=True)[1]
    by_target = np.lexsort(data.targets[order][first].T)
    n_distinct = len(first)
    if n_distinct < 2 * _FOLDS:
        return []
    n_folds, used = _FOLDS, range(_FOLDS)
    if n_distinct >= _MANY_ROWS:
        n_folds, used = _MANY_FOLDS, range(1)
    fold = np.empty(n_distinct, np.intp)
    fold[by_target] = np.arange(n_distinct) % n_folds
    fold = fold[group.ravel()]
    return [(order[fold != i], order[fold == i]) for i in used]


def needs_keras(
    encoder: FittedNetwork, data: LabelledRows, options: HeadOptions
) -> bool:
    """Whether `fit_supervised` builds Keras models.

    Parameters
    ----------
    encoder : FittedNetwork
    data : LabelledRows
    options : HeadOptions
    """
    if encoder.dense_spec is None:
        return True
    spec = head_spec(
        encoder.dense_spec.widths[-1],
        data.targets.shape[1],
        options.hidden_layer_sizes,
    )
    head = FittedNetwork(
        spec.to_config(), spec.initial_weights(np.random.default_rng())
    )
    n_rows = len(data.labelled)
    config = head_config(data.loss, options, n_rows)
    networks = {"encoder": encoder, "decoder": head}
    if not options.fine_tune:
        del networks["encoder"]
    return not is_trained_in_numpy(networks, config, options, n_rows)


def _check_is_finite(encoder, head, rows):
    """Raise if training has diverged."""
    for name, network in (("encoder", encoder), ("head", head)):
        if not all(np.isfinite(array).all() for array in network.weights):
            raise diverged(f"the weights of the {name} are not finite")
    if not np.isfinite(head(_codes(encoder, rows))).all():
        raise diverged("the output of the head is not finite")
