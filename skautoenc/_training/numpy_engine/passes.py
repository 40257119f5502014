"""The forward and the backward pass over batches of a fixed number of rows."""

import functools
from collections.abc import Callable

import numpy as np

from ..._fitted.activations import ACTIVATIONS
from .layers import DenseLayer
from .losses import Loss
from .penalties import penalty, penalty_gradient


class Passes:
    """Both passes over batches of n rows, and the arrays that they write to.

    Hidden layers hold samples in columns, above a row of ones for the biases, so all
    arrays are contiguous. The last layer holds them in rows, as the data do. If a
    linear path leads to it, the values it takes, the code or the rows, lie below the
    last hidden layer, and both are one array to it.

    Small steps consist mainly of the fixed cost of calls. Each pass is therefore a list
    of calls of NumPy on arrays that were allocated once.

    Parameters
    ----------
    layers : list of DenseLayer
    loss : Loss
    n : int
        Number of rows of a batch.
    """

    def __init__(self, layers: list[DenseLayer], loss: Loss, n: int):
        *hidden, last = layers
        self._loss, self._last = loss, last
        self._scale = np.array(loss.factor / (n * last.n_out), np.float32)
        padded = [np.ones((a.n_out + 1, n), np.float32) for a in hidden[:-1]]
        self._joint = np.ones((last.n_in + last.n_linear_inputs + 1, n), np.float32)
        self._joint_rows = self._joint.T
        outputs = [*(above[:-1] for above in padded), self._joint[: last.n_in]]
        code = last.path_start if last.n_linear_inputs else -1
        linear_inputs = self._joint[last.n_in : -1]
        if code >= 0:
            padded[code] = self._joint[last.n_in :]
            outputs[code] = linear_inputs
        takes_rows = last.n_linear_inputs and code == -1
        self._rows_in_joint = linear_inputs if takes_rows else None
        self._errors = np.empty((n, last.n_out), np.float32)
        self._scratch = np.empty_like(self._errors)
        is_joined = loss.activation is not None
        self._function = None if is_joined else _function(last.activation)
        self._derivative = None if is_joined else _derivative(last.activation)
        self._penalized = [
            (layer.activity_regularizer, h)
            for layer, h in zip(hidden, outputs, strict=True)
            if layer.activity_regularizer
        ]

        # The rows of a batch are in another array each time. Their products with
        # kernels and with errors are therefore separate lists, of factor and result.
        self._products: list[tuple[np.ndarray, np.ndarray]] = []
        self._gradients: list[tuple[np.ndarray, np.ndarray]] = []
        self._forward = self._forward_calls(hidden, padded, outputs, n)
        self._backward = self._backward_calls(hidden, padded, outputs, code, n)

    def forward(self, inputs: np.ndarray, outputs: np.ndarray) -> None:
        """Compute the outputs of the last layer.

        They are the input of its activation if the loss takes that.

        Parameters
        ----------
        inputs : ndarray of shape (n, n_in), float32
        outputs : ndarray of shape (n, n_out), float32
            Written to.
        """
        columns = inputs.T
        if self._rows_in_joint is not None:
            np.copyto(self._rows_in_joint, columns)
        for kernel, product in self._products:
            np.dot(kernel, columns, product)
        for call, arguments in self._forward:
            call(*arguments)
        np.dot(self._joint_rows, self._last.weights, outputs)
        if self._function is not None:
            self._function(outputs)

    def activity_penalty(self) -> float:
        """Return the penalty on activities, summed over rows; after `forward`."""
        return sum((penalty(*penalized) for penalized in self._penalized), 0.0)

    def differentiate_loss(
        self,
        targets: np.ndarray,
        weights: np.ndarray | None,
        outputs: np.ndarray,
        kept: np.ndarray,
    ) -> None:
        """Compute the gradient of the mean loss by the outputs.

        Parameters
        ----------
        targets : ndarray of shape (n, n_targets), float32
        weights : ndarray of shape (n,), float32, or None
        outputs : ndarray of shape (n, n_out), float32
            What `forward` gave.

        kept : ndarray of shape (n, n_out), float32
            Written to: what ``loss.losses`` takes.
        """
        scale = self._scale
        if weights is not None:
            scale = scale * weights[:, None]
        self._loss.gradient(outputs, targets, scale, self._errors, kept)

    def backward(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray | None,
        outputs: np.ndarray,
        kept: np.ndarray,
    ) -> None:
        """Write the gradients of the layers; after `forward`.

        Parameters
        ----------
        inputs : ndarray of shape (n, n_in), float32
        targets, weights, outputs, kept
            See `differentiate_loss`.
        """
        self.differentiate_loss(targets, weights, outputs, kept)
        if self._derivative is not None:
            self._derivative(outputs, self._scratch)
            self._errors *= self._scratch
        for call, arguments in self._backward:
            call(*arguments)
        columns = inputs.T
        for errors, gradient in self._gradients:
            np.dot(columns, errors, gradient)

    def _forward_calls(self, hidden, padded, outputs, n):
        """Return the calls that compute the outputs of the hidden layers."""
        calls = []
        for i, (layer, h) in enumerate(zip(hidden, outputs, strict=True)):
            if i == 0:
                self._products.append((layer.kernel.T, h))
                calls.append((np.add, (h, layer.bias[:, None], h)))
            elif layer.n_linear_inputs:
                linear = np.empty((layer.n_out, n), np.float32)
                self._products.append((layer.linear_path.T, linear))
                calls.append((np.add, (linear, layer.bias[:, None], linear)))
                calls.append((np.dot, (layer.kernel.T, padded[i - 1][:-1], h)))
                calls.append((np.add, (h, linear, h)))
            else:
                calls.append((np.dot, (layer.weights.T, padded[i - 1], h)))
            if layer.activation == "relu":
                # NumPy has vector instructions for the maximum of two arrays only.
                maximum = functools.partial(np.maximum, out=h)
                calls.append((maximum, (h, np.zeros_like(h))))
            elif layer.activation != "linear":
                calls.append((_function(layer.activation), (h,)))
        return calls

    def _backward_calls(self, hidden, padded, outputs, code, n):
        """Return the calls that compute the gradients, from those of the last layer."""
        last, ones = self._last, np.ones(n, np.float32)
        n_joint = last.n_in if code == -1 else len(self._joint) - 1
        errors_joint = np.empty((n_joint, n), np.float32)
        calls = [
            (np.dot, (self._joint, self._errors, last.gradient)),
            (np.dot, (last.weights[:n_joint], self._errors.T, errors_joint)),
        ]
        errors = errors_joint[: last.n_in]
        for i in reversed(range(len(hidden))):
            layer, h = hidden[i], outputs[i]
            if i == code:
                calls.append((np.add, (errors, errors_joint[last.n_in :], errors)))
            if layer.activity_regularizer:
                calls.append(
                    (_add_penalty_gradient, (layer.activity_regularizer, h, errors))
                )
            derivative = _derivative(layer.activation)
            if derivative is not None:
                scratch = np.empty_like(h)
                calls.append((derivative, (h, scratch)))
                calls.append((np.multiply, (errors, scratch, errors)))
            if i == 0:
                self._gradients.append((errors.T, layer.gradient[:-1]))
                calls.append((np.dot, (errors, ones, layer.gradient[-1])))
                break
            if layer.n_linear_inputs:
                below, gradient = padded[i - 1][:-1], layer.gradient
                calls.append((np.dot, (below, errors.T, gradient[: layer.n_in])))
                self._gradients.append((errors.T, gradient[layer.n_in : -1]))
                calls.append((np.dot, (errors, ones, gradient[-1])))
            else:
                calls.append((np.dot, (padded[i - 1], errors.T, layer.gradient)))
            errors_below = np.empty_like(outputs[i - 1])
            calls.append((np.dot, (layer.kernel, errors, errors_below)))
            errors = errors_below
        return calls


def _add_penalty_gradient(strengths, activities, errors):
    """Add the gradient of the mean penalty over rows."""
    gradient = penalty_gradient(strengths, activities)
    gradient /= activities.shape[1]
    errors += gradient


def _function(name: str) -> Callable | None:
    """An activation that overwrites its argument, or None for the linear one."""
    if name == "linear":
        return None
    function = ACTIVATIONS[name].function

    def overwrite(h):
        activated = function(h)
        if activated is not h:
            h[:] = activated

    return overwrite


def _derivative(name: str) -> Callable | None:
    return None if name == "linear" else ACTIVATIONS[name].derivative
