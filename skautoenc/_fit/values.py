"""The values that a fit takes and returns."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from .._utils.stored import stored_as

if TYPE_CHECKING:
    from .._fitted.network import FittedNetwork
    from .augmentation import AugmentationOptions
    from .continuation import Continuation
    from .summary import Extent

# ndarray, CSR matrix or ChunkedArray of shape (n_samples, n_features)
Table = Any
Networks = dict[str, "FittedNetwork"]  # by part: "encoder", "decoder", ...


class Schema(NamedTuple):
    """The features of the training data.

    Attributes
    ----------
    n_features : int
    row_shape : tuple of int or None
        Shape of a row where `X` was an array of images or the like.

    feature_names : ndarray of str of shape (n_features,) or None
    """

    n_features: int
    row_shape: tuple[int, ...] | None = None
    feature_names: np.ndarray | None = None


@dataclass(frozen=True)
class FitData:
    """Validated training data.

    Attributes
    ----------
    X : {ndarray, CSR matrix, ChunkedArray} of shape (n_samples, n_features)
        float32 or float64. If it is a `ChunkedArray`, so are `sample_weight` and
        `X_clean`, with chunks of the same lengths.

    sample_weight : {ndarray, ChunkedArray} of shape (n_samples,), float64, or None
    X_clean : {ndarray, CSR matrix, ChunkedArray} of the shape of `X`, or None
        What the rows of `X` are to become. None for the rows themselves.

    validation : tuple of (table, table or None) or None
        Rows to validate on, and what they are to become, as `X` and `X_clean`.

    schema : Schema
    """

    X: Table
    sample_weight: Any
    X_clean: Table | None
    validation: tuple[Table, Table | None] | None
    schema: Schema

    @property
    def targets(self) -> Table:
        """Target rows."""
        return self.X if self.X_clean is None else self.X_clean

    @property
    def name_of_targets(self) -> str:
        return "X" if self.X_clean is None else "X_clean"


@dataclass(frozen=True)
class FitOptions:
    """How a network is trained: the parameters of an estimator, resolved.

    Attributes
    ----------
    network : DenseNetwork, ConvNetwork, callable or tuple
        Builds the encoder and the decoder, or holds them.

    n_components : int or None
    objective : Reconstruction or Variational
    augmentation : AugmentationOptions
    init : {"auto", "pca", "random"}
    loss, optimizer, learning_rate : object
        As an estimator takes them. During the fit, `loss` may be a `MixedLoss`.

    one_hot_groups : sequence of sequence of int, "auto" or None
        Columns of each group.

    batch_size, epochs, patience : int
    early_stopping : bool or "auto"
    validation_fraction : float
    callbacks : sequence of keras.callbacks.Callback or callable
        A callable returns a new callback for each fit.

    checkpoint : str, path-like or None
        Folder of the checkpoint.

    verbose : int
    """

    network: Any
    n_components: int | None
    objective: Any
    augmentation: AugmentationOptions
    init: Literal["auto", "pca", "random"]
    loss: Any
    optimizer: Any
    learning_rate: Any
    one_hot_groups: Any
    batch_size: int
    epochs: int
    patience: int
    early_stopping: bool | Literal["auto"]
    validation_fraction: float
    callbacks: tuple
    checkpoint: str | os.PathLike | None
    verbose: int

    @property
    def has_given_weights(self) -> bool:
        """Whether the network is models that have weights already."""
        return isinstance(self.network, tuple | list)


class WarmStart(NamedTuple):
    """What a fit continues from.

    Attributes
    ----------
    networks : dict of str to FittedNetwork
        Of the earlier fit, by part. A part may be missing.

    split_seed : int or None
        Seed of the earlier validation split.

    training : Continuation or None
        The end of its training, to go on with the same optimizer.
    """

    networks: Networks
    split_seed: int | None
    training: Continuation | None = None


class CodeStatistics(NamedTuple):
    """What the components of the code contribute, as the attributes of PCA.

    Attributes
    ----------
    components : ndarray of shape (n_components, n_features)
        Kernel of a linear decoder, or mean slope of the decoder along each component.

    explained_variance_ratio : ndarray of shape (n_components,)
        Increase of the score by each component, given those before. They sum to the
        score.

    explained_variance : ndarray of shape (n_components,)
        The same in units of variance, with ``n_samples - 1`` degrees of freedom.

    singular_values : ndarray of shape (n_components,) or None
    noise_variance : float or None
        As PCA has them. None for networks that are not PCA.
    """

    components: np.ndarray
    explained_variance_ratio: np.ndarray
    explained_variance: np.ndarray
    singular_values: np.ndarray | None = None
    noise_variance: float | None = None


@stored_as("seen")
class Seen(NamedTuple):
    """What is known of the rows that a network was trained on.

    Attributes
    ----------
    extent : Extent
        Of the targets.

    step_scales : list of float or None
    loss_weights : mapping of str to float
        See `TrainingConfig`.
    """

    extent: Extent
    step_scales: list[float] | None
    loss_weights: Mapping[str, float]


@dataclass(frozen=True)
class FitResult:
    """What a fit learned.

    Attributes
    ----------
    networks : dict of str to FittedNetwork
        "encoder", "decoder", and other parts of the objective.

    n_components : int
        Width of the code.

    dtype : type
        Type of reconstructions.

    mean : ndarray of shape (n_features,) or None
        Mean of the targets. None where the training data are not known.

    largest : ndarray of shape (n_features,) or float
        Largest absolute value of each feature.

    history : dict of str to list of float
    n_iter : int
        Epochs run.

    best_epoch : int
        Epoch whose weights were kept. 0 for the initial weights.

    mixup : float
        Largest share of the way that mixup moves a row in the first epoch.

    loss_weights : dict of str to float
        Weight of each auxiliary output of the objective in the loss.

    split_seed : int or None
        Seed of the validation split.

    codes : CodeStatistics or None
        None before the end of the fit, for codes with very many components, and where
        the training data are not known.

    seen : Seen or None
        None before the end of the fit, and where the training data are not known.

    training : Continuation or None
        The end of the training. None unless the weights of the last epoch are kept, and
        the learning rate was not annealed.
    """

    networks: Networks
    n_components: int
    dtype: type = np.float32
    mean: np.ndarray | None = None
    largest: np.ndarray | float = 0.0
    history: dict[str, list[float]] = field(default_factory=dict)
    n_iter: int = 0
    best_epoch: int = 0
    mixup: float = 0.0
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    split_seed: int | None = None
    codes: CodeStatistics | None = None
    seen: Seen | None = None
    training: Continuation | None = None
