"""Heads: networks from codes to targets, before they are trained with the encoder."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from .._backend.keras import import_keras
from .._fitted.dense_spec import DenseSpec, LayerSpec
from .._fitted.network import FittedNetwork

# Strength of the L2 penalty of linear models of standardized codes.
_ALPHA = 10.0

_MAX_ITER = 1000


class Standardization(NamedTuple):
    """Mean and scale of columns.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_columns,), float64
        The scale of a column that is constant up to rounding is 1.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, sample_weight: np.ndarray) -> Self:
        """Return those of rows with weights."""
        rounding = 10 * np.finfo(values.dtype).eps
        values = values.astype(np.float64, copy=False)
        mean = np.average(values, axis=0, weights=sample_weight)
        variance = np.average((values - mean) ** 2, axis=0, weights=sample_weight)
        deviation = np.sqrt(variance)
        return cls(mean, np.where(deviation > rounding * np.abs(mean), deviation, 1.0))

    @classmethod
    def identity(cls, n_columns: int) -> Self:
        """Return what changes nothing."""
        return cls(np.zeros(n_columns), np.ones(n_columns))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return standardized values, as float64."""
        return (values - self.mean) / self.scale


def head_spec(
    n_components: int, n_outputs: int, hidden_layer_sizes: list[int]
) -> DenseSpec:
    """Return the description of a head, with a linear path beside hidden layers."""
    layers = [*(LayerSpec(n, "relu") for n in hidden_layer_sizes), LayerSpec(n_outputs)]
    has_linear_path = bool(hidden_layer_sizes)
    return DenseSpec(n_components, tuple(layers), has_linear_path, name="head")


def make_head(
    codes: np.ndarray,
    standardization: Standardization,
    targets: np.ndarray,
    groups: tuple[tuple[int, ...], ...],
    sample_weight: np.ndarray,
    hidden_layer_sizes: list[int],
    rng: np.random.Generator,
) -> FittedNetwork:
    """Return a head that is a linear model of the codes.

    Its hidden layers, if it has some, are beside a linear path, and are added with zero
    weights.

    Parameters
    ----------
    codes : ndarray of shape (n_samples, n_components)
    standardization : Standardization
        Of the codes.

    targets : ndarray of shape (n_samples, n_outputs)
        One-hot columns of groups, or standardized numbers.

    groups : tuple of tuple of int
        If empty, the linear model is a ridge regression, else a logistic regression for
        each group.

    sample_weight : ndarray of shape (n_samples,)
    hidden_layer_sizes : list of int
    rng : numpy.random.Generator
        Draws the weights of hidden layers.
    """
    standardized = standardization.apply(codes)
    fit = _logistic_regressions if groups else _ridge_regression
    kernel, bias = fit(standardized, targets, groups, sample_weight)
    # The head takes codes that are not standardized.
    kernel = kernel / standardization.scale[:, None]
    bias = bias - standardization.mean @ kernel
    kernel, bias = kernel.astype(np.float32), bias.astype(np.float32)
    spec = head_spec(codes.shape[1], targets.shape[1], hidden_layer_sizes)
    weights = [kernel, bias]
    if hidden_layer_sizes:
        weights = spec.initial_weights(rng)
        weights[-3:] = np.zeros_like(weights[-3]), bias, kernel
    return FittedNetwork(spec.to_config(), weights, groups=groups)


def _ridge_regression(codes, targets, groups, sample_weight):
    """Return kernel and bias of a linear model of numbers."""
    model = Ridge(_ALPHA).fit(codes, targets, sample_weight=sample_weight)
    return np.atleast_2d(model.coef_).T, np.atleast_1d(model.intercept_)


def _logistic_regressions(codes, targets, groups, sample_weight):
    """Return kernel and bias of the logits of all groups."""
    kernel = np.zeros((codes.shape[1], targets.shape[1]))
    bias = np.zeros(targets.shape[1])
    for group in groups:
        labels = targets[:, group].argmax(axis=1)
        present = np.unique(labels)
        columns = np.array(group)[present]
        # Categories that no row has keep a small probability.
        bias[list(group)] = -np.log(len(labels) + 1)
        bias[columns] = 0
        if len(present) == 1:
            continue
        model = LogisticRegression(C=1 / _ALPHA, max_iter=_MAX_ITER)
        model.fit(codes, labels, sample_weight=sample_weight)
        coef, intercept = model.coef_, model.intercept_
        if len(present) == 2:  # logits of both, whose difference is that of the model
            coef, intercept = (
                np.stack([-a[0] / 2, a[0] / 2]) for a in (coef, intercept)
            )
        kernel[:, columns], bias[columns] = coef.T, intercept
    return kernel, bias


def with_scaled_outputs(
    head: FittedNetwork, standardization: Standardization
) -> FittedNetwork:
    """Return a head of standardized numbers as one of the numbers themselves.

    The mean is added in the precision of the output.
    """
    mean, scale = standardization
    weights = list(head.weights)
    n_last = 3 if head.dense_spec.has_linear_path else 2
    weights[-n_last:] = [(w * scale).astype(np.float32) for w in weights[-n_last:]]
    return head.with_weights(weights).with_shifts(output_shift=mean)


def with_dropout(head: Any, rate: float) -> Any:
    """Return a model of the layers of a head, with dropout before each.

    Parameters
    ----------
    head : keras.Model
        A chain of dense layers, possibly with a linear path beside them.

    rate : float
        Share of the values that are set to zero in a training step.

    Returns
    -------
    keras.Model
        Shares the weights of `head`, in the same order.
    """
    keras = import_keras()

    def call(layer, *args, **kwargs):
        if isinstance(layer, keras.layers.Dense):
            args = keras.layers.Dropout(rate)(args[0]), *args[1:]
        return layer(*args, **kwargs)

    return keras.models.clone_model(
        head, clone_function=lambda x: x, call_function=call
    )
