"""Dense networks trained in NumPy: forward pass, backward pass, one step."""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..._fitted.activations import ACTIVATIONS
from ..._fitted.dense_spec import DenseSpec, LayerSpec
from ..._utils.regularizers import STRENGTHS, l1_l2
from .losses import Loss
from .optimizers import Optimizer


class DenseLayer:
    """A dense layer, and views of its part of the weights and the gradient.

    Parameters
    ----------
    spec : LayerSpec
    n_in : int
    n_linear_inputs : int, default=0
        Width of the linear path that ends in this layer; 0 for none.

    path_start : int, default=-1
        Position of the layer whose outputs the linear path takes; -1 for the rows.

    Attributes
    ----------
    weights : ndarray of shape (n_in + n_linear_inputs + 1, n_out), float32
        The kernel, that of the linear path, and below them the bias, so that one
        product with rows that end in a 1 computes all.

    gradient : ndarray of the same shape
    kernel, linear_path, bias : ndarray
        Views of `weights`.
    """

    def __init__(
        self,
        spec: LayerSpec,
        n_in: int,
        n_linear_inputs: int = 0,
        path_start: int = -1,
    ):
        self.n_in, self.n_out = n_in, spec.units
        self.n_linear_inputs, self.path_start = n_linear_inputs, path_start
        self.activation = spec.activation
        self.kernel_regularizer = l1_l2(spec.kernel_regularizer)
        self.activity_regularizer = l1_l2(spec.activity_regularizer)

    @property
    def size(self) -> int:
        """Number of weights."""
        return (self.n_in + self.n_linear_inputs + 1) * self.n_out

    def bind(self, weights: np.ndarray, gradient: np.ndarray) -> None:
        """Let the layer use these vectors of `size` numbers."""
        shape = -1, self.n_out
        self.weights, self.gradient = weights.reshape(shape), gradient.reshape(shape)
        self.kernel, self.linear_path = np.split(self.weights[:-1], [self.n_in])
        self.bias = self.weights[-1]

    def arrays(self) -> list[np.ndarray]:
        """Return kernel, bias, and the linear path if any, in Keras's order."""
        linear_path = [self.linear_path] if self.n_linear_inputs else []
        return [self.kernel, self.bias, *linear_path]


def dense_layers(specs: Sequence[DenseSpec | None]) -> list[DenseLayer] | None:
    """Return the layers of networks that follow one another.

    Parameters
    ----------
    specs : sequence of DenseSpec or None

    Returns
    -------
    list of DenseLayer or None
        None if NumPy cannot train a network, for example one of its activations, or a
        single layer.
    """
    layers: list[DenseLayer] = []
    for spec in specs:
        if spec is None or spec.is_transposed:
            return None
        if not all(map(_is_supported, spec.layers)):
            return None
        n_linear_inputs = [0] * len(spec.layers)
        if spec.has_linear_path:
            n_linear_inputs[-1] = spec.n_in
        starts = [len(layers) - 1] * len(spec.layers)
        layers += map(DenseLayer, spec.layers, spec.widths, n_linear_inputs, starts)
    return layers if len(layers) > 1 else None


def _is_supported(layer):
    regularizers = layer.kernel_regularizer, layer.activity_regularizer
    return (
        isinstance(layer.activation, str)
        and layer.activation in ACTIVATIONS
        and ACTIVATIONS[layer.activation].derivative is not None
        and all(r is None or r["class_name"] in STRENGTHS for r in regularizers)
    )


def _penalty(strengths, values):
    """The L1 and L2 penalty on values."""
    l1, l2 = strengths
    total = l1 * np.vdot(np.sign(values), values) if l1 else 0.0
    return float(total + l2 * np.vdot(values, values) if l2 else total)


def _penalty_gradient(strengths, values):
    l1, l2 = strengths
    gradient = np.multiply(values, np.float32(2 * l2))
    if l1:
        gradient += np.float32(l1) * np.sign(values)
    return gradient


class DenseTrainer:
    """A chain of dense layers that is trained.

    Parameters
    ----------
    layers : list of DenseLayer
    loss : Loss
    optimizer : callable
        ``(n_weights) -> Optimizer``.

    Attributes
    ----------
    weights : ndarray of shape (n_weights,), float32
        Of all layers.

    optimizer : Optimizer
    iterations : int
        Number of steps so far.

    regularizes : list of two bool
        Whether there are penalties on kernels, and on activities.
    """

    def __init__(
        self,
        layers: list[DenseLayer],
        loss: Loss,
        optimizer: Callable[[int], Optimizer],
    ):
        self._layers, self._n_out = layers, layers[-1].n_out
        self._factor = loss.factor
        n = sum(layer.size for layer in layers)
        self.weights, self._gradient = np.empty((2, n), np.float32)
        start = 0
        for layer in layers:
            own = slice(start, start + layer.size)
            layer.bind(self.weights[own], self._gradient[own])
            start = own.stop
        self.optimizer = optimizer(n)
        self.iterations = 0
        self._regularized = [layer for layer in layers if layer.kernel_regularizer]
        self.regularizes = [
            bool(self._regularized),
            any(layer.activity_regularizer for layer in layers),
        ]
        self._batch_of = functools.cache(functools.partial(_Batch, layers, loss))

    def load(self, arrays: Sequence[np.ndarray]) -> None:
        """Set the weights, given in Keras's order."""
        for own, array in zip(self._arrays(), arrays, strict=True):
            own[:] = array

    def scale_steps(self, scales: Sequence[float]) -> None:
        """Multiply the learning rates of the weights, given in Keras's order."""
        weights = self.weights.copy()
        for own, scale in zip(self._arrays(), scales, strict=True):
            own[:] = scale
        self.optimizer.step_scales = self.weights.copy()
        self.weights[:] = weights

    def arrays(self) -> list[np.ndarray]:
        """Return copies of the weights, in Keras's order."""
        return [array.copy() for array in self._arrays()]

    def _arrays(self):
        return [array for layer in self._layers for array in layer.arrays()]

    @property
    def learning_rate(self) -> float:
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        self.optimizer.learning_rate = learning_rate

    def train(
        self, inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
    ) -> tuple[float, float, float]:
        """Take one step.

        Parameters
        ----------
        inputs : ndarray of shape (n, n_in), float32
        targets : ndarray of shape (n, n_out), float32
            Or, with a `WeightedSquaredError`, of shape (n, 2 * n_out).

        weights : ndarray of shape (n,) or None
            Of the rows; None if all are 1.

        Returns
        -------
        error, kernel_penalty, activity_penalty : float
            The parts of the batch's loss, summed over its rows.
        """
        self.iterations += 1
        n = len(targets)
        batch = self._batch_of(n)
        error, activity_penalty = batch.forward(inputs, targets, weights)
        kernel_penalty = n * self._kernel_penalty()
        batch.backward(inputs, weights)
        self._gradient *= self._factor / (n * self._n_out)
        for layer in self._regularized:
            layer.gradient[:-1] += _penalty_gradient(
                layer.kernel_regularizer, layer.weights[:-1]
            )
        self.optimizer.update(self.weights, self._gradient)
        return error, kernel_penalty, activity_penalty

    def validate(
        self, inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray | None
    ) -> tuple[float, float, float]:
        """Return what `train` returns, without training."""
        n = len(targets)
        error, activity_penalty = self._batch_of(n).forward(inputs, targets, weights)
        return error, n * self._kernel_penalty(), activity_penalty

    def _kernel_penalty(self):
        total = 0.0
        for layer in self._regularized:
            total += _penalty(layer.kernel_regularizer, layer.weights[:-1])
        return total


class _Hidden(NamedTuple):
    """A hidden layer, and the arrays that its passes over a batch write to.

    `below` is the output of the layer below with a row of ones, and None for the first
    layer, which takes the rows themselves. `starts_path` says whether the linear path
    to the last layer begins here.
    """

    layer: DenseLayer
    transposed: np.ndarray
    below: np.ndarray | None
    outputs: np.ndarray
    function: Callable | None
    regularizer: tuple[float, float] | None
    linear_rows: np.ndarray
    derivative: Callable | None
    starts_path: bool
    errors: np.ndarray
    errors_below: np.ndarray | None
    scratch: np.ndarray


class _Batch:
    """Both passes over batches of n rows, and the arrays that they write to.

    Hidden layers hold samples in columns, above a row of ones for the biases, so all
    arrays are contiguous. The last layer holds them in rows, as the data do. If a
    linear path leads to it, the values it takes, the code or the rows, lie below the
    last hidden layer, and both are one array to it.
    """

    def __init__(self, layers: list[DenseLayer], loss: Loss, n: int):
        *hidden, last = layers
        self._loss, self._last, self._ones = loss, last, np.ones(n, np.float32)
        padded = [np.ones((a.n_out + 1, n), np.float32) for a in hidden[:-1]]
        joint = np.ones((last.n_in + last.n_linear_inputs + 1, n), np.float32)
        outputs = [*(above[:-1] for above in padded), joint[: last.n_in]]
        code = last.path_start if last.n_linear_inputs else -1
        if code >= 0:
            padded[code] = joint[last.n_in :]
            outputs[code] = joint[last.n_in : -1]
        takes_rows = last.n_linear_inputs and code == -1
        self._rows_in_joint = joint[last.n_in : -1] if takes_rows else None
        functions = [_function(a.activation) for a in layers]
        derivatives = [_derivative(a.activation) for a in layers]
        if loss.activation is not None:
            functions[-1] = derivatives[-1] = None
        errors = [np.empty_like(h) for h in outputs]
        below, errors_below = [None, *padded], [None, *errors]

        # Views and functions, looked up once: small steps are mostly that.
        self._hidden = [
            _Hidden(
                layer,
                layer.weights.T,
                below[i],
                outputs[i],
                functions[i],
                layer.activity_regularizer,
                np.empty((n, layer.n_out if layer.n_linear_inputs else 0), np.float32),
                derivatives[i],
                i == code,
                errors[i],
                errors_below[i],
                np.empty_like(outputs[i]),
            )
            for i, layer in enumerate(hidden)
        ]
        self._reversed = self._hidden[::-1]
        self._first = layers[0].kernel, layers[0].bias[:, None]
        self._first_rows = np.empty((n, layers[0].n_out), np.float32)
        self._function, self._derivative = functions[-1], derivatives[-1]
        self._joint, self._joint_rows = joint, joint.T
        self._errors_joint = np.empty((n, len(joint) - 1), np.float32)
        self._outputs = np.empty((n, last.n_out), np.float32)
        self._errors = np.empty_like(self._outputs)
        self._scratch = np.empty_like(self._outputs)

    def forward(self, inputs, targets, weights):
        """Return the loss and the penalty on activities, summed over rows."""
        penalties = 0.0
        if self._rows_in_joint is not None:
            np.copyto(self._rows_in_joint, inputs.T)
        for step in self._hidden:
            layer, transposed, below, h, function, regularizer, linear_rows = step[:7]
            if below is None:
                np.dot(inputs, self._first[0], out=self._first_rows)
                np.add(self._first_rows.T, self._first[1], out=h)
            elif layer.n_linear_inputs:
                np.dot(layer.kernel.T, below[:-1], out=h)
                np.dot(inputs, layer.linear_path, out=linear_rows)
                linear_rows += layer.bias
                h += linear_rows.T
            else:
                np.dot(transposed, below, out=h)
            if function is not None:
                function(h)
            if regularizer:
                penalties += _penalty(regularizer, h)
        np.dot(self._joint_rows, self._last.weights, out=self._outputs)
        if self._function is not None:
            self._function(self._outputs)
        losses = self._loss.function(
            self._outputs, targets, self._errors, self._scratch
        )
        return float(losses @ (self._ones if weights is None else weights)), penalties

    def backward(self, inputs, weights):
        """Write the gradient up to its factor; to be called after `forward`."""
        last, errors_joint = self._last, self._errors_joint
        if weights is not None:
            self._errors *= weights[:, None]
        if self._derivative is not None:
            self._derivative(self._outputs, self._scratch)
            self._errors *= self._scratch
        np.dot(self._joint, self._errors, out=last.gradient)
        np.dot(self._errors, last.weights[:-1].T, out=errors_joint)
        np.copyto(self._reversed[0].errors, errors_joint[:, : last.n_in].T)
        for step in self._reversed:
            layer, below, errors = step.layer, step.below, step.errors
            if step.starts_path:
                errors += errors_joint[:, last.n_in :].T
            if step.regularizer:
                gradient = _penalty_gradient(step.regularizer, step.outputs)
                gradient *= last.n_out / self._loss.factor
                errors += gradient
            if step.derivative is not None:
                step.derivative(step.outputs, step.scratch)
                errors *= step.scratch
            if below is None:
                np.dot(inputs.T, errors.T, out=layer.gradient[:-1])
                np.dot(errors, self._ones, out=layer.gradient[-1])
            elif layer.n_linear_inputs:
                np.dot(below[:-1], errors.T, out=layer.gradient[: layer.n_in])
                np.dot(inputs.T, errors.T, out=layer.gradient[layer.n_in : -1])
                np.dot(errors, self._ones, out=layer.gradient[-1])
                np.dot(layer.kernel, errors, out=step.errors_below)
            else:
                np.dot(below, errors.T, out=layer.gradient)
                np.dot(layer.kernel, errors, out=step.errors_below)


def _function(name):
    """An activation that overwrites its argument, or None for the linear one."""
    if name == "linear":
        return None
    function = ACTIVATIONS[name].function

    def overwrite(h):
        activated = function(h)
        if activated is not h:
            h[:] = activated

    return overwrite


def _derivative(name):
    return None if name == "linear" else ACTIVATIONS[name].derivative
