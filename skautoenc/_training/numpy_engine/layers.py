"""Dense layers trained in NumPy: forward pass, backward pass, one step."""

import functools

import numpy as np

from ..._fitted.forward import ACTIVATIONS
from .formulas import LOSSES, SLOPES


class DenseLayer:
    """One layer, as its Keras config says, and where its weights lie.

    Parameters
    ----------
    config : dict
    n_in : int

    Attributes
    ----------
    n_line : int
        Width of what goes past the hidden layers to this one, beside what they give: 0
        where there is no linear path.

    weights : ndarray of shape (n_in + n_line + 1, n_out), float32
        The kernel, that of the linear path, and below them the bias, so that one
        product with rows that end in a 1 does it all.

    gradient : ndarray of the same shape
    """

    def __init__(self, config, n_in):
        self.n_in, self.n_out, self.n_line = n_in, config["units"], 0
        self.activation = config["activation"]
        self.kernel_penalty = _penalty(config.get("kernel_regularizer"))
        self.end(config)

    def end(self, config):
        """Take over what stands in the config of the layer that ends this one."""
        self.activity_penalty = _penalty(config.get("activity_regularizer"))

    @property
    def size(self):
        return (self.n_in + self.n_line + 1) * self.n_out

    def place(self, weights, gradient):
        shape = -1, self.n_out
        self.weights, self.gradient = weights.reshape(shape), gradient.reshape(shape)
        self.kernel, self.line = np.split(self.weights[:-1], [self.n_in])
        self.bias = self.weights[-1]

    def arrays(self):
        """Kernel, bias, and the kernel of the linear path if any, as Keras has them."""
        return [self.kernel, self.bias, *([self.line] if self.n_line else [])]


def _penalty(spec):
    """The l1 and l2 of a serialised regularizer, or None."""
    return spec and (spec["config"].get("l1", 0.0), spec["config"].get("l2", 0.0))


def _penalised(penalty, values):
    """A penalty on values, and its gradient."""
    l1, l2 = penalty
    sign = np.sign(values)
    loss = l1 * np.vdot(sign, values) + l2 * np.vdot(values, values)
    return float(loss), np.float32(l1) * sign + np.float32(2 * l2) * values


class DensePlan:
    """A chain of dense layers, its loss and its optimizer.

    Parameters
    ----------
    layers : list of DenseLayer
    loss : str
        Keras's name of it.

    optimizer : callable
        ``(n_weights) -> object with update(weights, gradient)``.
    """

    def __init__(self, layers, loss, optimizer):
        self.loss = loss
        self._layers, self._factor = layers, LOSSES[loss].factor
        n = sum(layer.size for layer in layers)
        self.weights, self._gradient = np.empty((2, n), np.float32)
        start = 0
        for layer in layers:
            own = slice(start, start + layer.size)
            layer.place(self.weights[own], self._gradient[own])
            start = own.stop
        self.optimizer = optimizer(n)
        self.iterations = 0
        self.regularizes = [
            any(layer.kernel_penalty for layer in layers),
            any(layer.activity_penalty for layer in layers),
        ]
        self._batch_of = functools.cache(
            functools.partial(_Batch, layers, LOSSES[loss])
        )

    def load(self, arrays):
        """Start from kernels and biases in Keras's order."""
        for own, array in zip(self._arrays(), arrays, strict=True):
            own[:] = array

    def arrays(self):
        """Copies of the kernels and biases."""
        return [array.copy() for array in self._arrays()]

    def _arrays(self):
        return [array for layer in self._layers for array in layer.arrays()]

    def unload(self, model):
        """Write the weights as they now are into the Keras model of these layers."""
        model.set_weights(self._arrays())

    def take(self, model):
        """Go on from the weights of that model."""
        self.load(model.get_weights())

    @property
    def rate(self):
        """The learning rate."""
        return self.optimizer.rate

    @rate.setter
    def rate(self, rate):
        self.optimizer.rate = rate

    def train(self, inputs, targets, weights):
        """Take one step.

        Returns
        -------
        error, kernel_penalty, activity_penalty : float
            The loss of the batch in parts, summed over its rows.
        """
        self.iterations += 1
        n, n_features = targets.shape
        batch = self._batch_of(n)
        error, activity_penalty = batch.forward(inputs, targets, weights)
        batch.backward(inputs, weights)
        self._gradient *= self._factor / (n * n_features)
        kernel_penalty = n * self._penalise_kernels()
        self.optimizer.update(self.weights, self._gradient)
        return error, kernel_penalty, activity_penalty

    def validate(self, inputs, targets, weights):
        """The same sums without training."""
        n = len(targets)
        error, activity_penalty = self._batch_of(n).forward(inputs, targets, weights)
        return error, n * self._penalise_kernels(), activity_penalty

    def _penalise_kernels(self):
        """Return the penalties on kernels, and add to the gradient."""
        total = 0.0
        for layer in self._layers:
            if layer.kernel_penalty:
                loss, gradient = _penalised(layer.kernel_penalty, layer.weights[:-1])
                layer.gradient[:-1] += gradient
                total += loss
        return total


class _Batch:
    """Both passes over batches of n rows, and the arrays that they write to.

    Hidden layers hold a row in a column, above a row of ones for the biases: so all
    arrays are contiguous. The last layer holds it in a row, as the data do. Where a
    linear path leads from the code to it, the code lies below the last hidden layer,
    and both are one array to it.
    """

    def __init__(self, layers, loss, n):
        *hidden, last = layers
        self._loss, self._last, self._ones = loss, last, np.ones(n, np.float32)
        padded = [np.ones((a.n_out + 1, n), np.float32) for a in hidden[:-1]]
        joint = np.ones((last.n_in + last.n_line + 1, n), np.float32)
        outputs = [*(above[:-1] for above in padded), joint[: last.n_in]]
        code = next((i for i, a in enumerate(hidden) if a.n_line), None)
        if code is not None:
            padded[code] = joint[last.n_in :]
            outputs[code] = joint[last.n_in : -1]
        errors = [np.empty_like(h) for h in outputs]
        functions = [_function(a.activation) for a in layers]
        slopes = [SLOPES[a.activation] for a in layers]
        if loss.activation is not None:
            functions[-1] = slopes[-1] = None
        penalties = [a.activity_penalty for a in hidden]

        # Views and functions, looked up once: small steps are mostly that.
        self._first = layers[0].kernel, layers[0].bias[:, None]
        self._first_rows = np.empty((n, layers[0].n_out), np.float32)
        self._line_rows = np.empty((n, last.n_line), np.float32)
        self._up = [
            (above, above.weights.T, below, h, function, penalty)
            for above, below, h, function, penalty in zip(
                hidden, [None, *padded], outputs, functions, penalties, strict=False
            )
        ]
        self._top = joint.T, functions[-1], slopes[-1]
        self._outputs = np.empty((n, last.n_out), np.float32)
        self._errors = np.empty_like(self._outputs)
        self._scratch = np.empty_like(self._outputs)
        self._below_last = joint, np.empty((n, last.n_in + last.n_line), np.float32)
        down = zip(
            hidden,
            outputs,
            errors,
            [None, *padded],
            [None, *errors],
            slopes,
            penalties,
            strict=False,
        )
        self._down = [(*step, np.empty_like(step[1])) for step in down][::-1]

    def forward(self, inputs, targets, weights):
        """The loss and the penalty on activities, summed over rows."""
        penalties = 0.0
        for above, kernel, below, h, function, penalty in self._up:
            if below is None:
                np.dot(inputs, self._first[0], out=self._first_rows)
                np.add(self._first_rows.T, self._first[1], out=h)
            elif above.n_line:
                np.dot(above.kernel.T, below[:-1], out=h)
                np.dot(inputs, above.line, out=self._line_rows)
                self._line_rows += above.bias
                h += self._line_rows.T
            else:
                np.dot(kernel, below, out=h)
            if function is not None:
                function(h)
            if penalty:
                penalties += _penalised(penalty, h)[0]
        below, function, _ = self._top
        np.dot(below, self._last.weights, out=self._outputs)
        if function is not None:
            function(self._outputs)
        losses = self._loss.function(
            self._outputs, targets, self._errors, self._scratch
        )
        return float(losses @ (self._ones if weights is None else weights)), penalties

    def backward(self, inputs, weights):
        """Write the gradient, but for its factor, after `forward`."""
        if weights is not None:
            self._errors *= weights[:, None]
        slope = self._top[2]
        if slope is not None:
            slope(self._outputs, self._scratch)
            self._errors *= self._scratch
        below, rows = self._below_last
        np.dot(below, self._errors, out=self._last.gradient)
        np.dot(self._errors, self._last.weights[:-1].T, out=rows)
        np.copyto(self._down[0][2], rows[:, : self._last.n_in].T)
        for (
            layer,
            h,
            errors,
            below,
            errors_below,
            slope,
            penalty,
            scratch,
        ) in self._down:
            if layer.n_line:
                errors += rows[:, self._last.n_in :].T
            if penalty:
                gradient = _penalised(penalty, h)[1]
                gradient *= self._last.n_out / self._loss.factor
                errors += gradient
            if slope is not None:
                slope(h, scratch)
                errors *= scratch
            if below is None:
                np.dot(inputs.T, errors.T, out=layer.gradient[:-1])
                np.dot(errors, self._ones, out=layer.gradient[-1])
            elif layer.n_line:
                np.dot(below[:-1], errors.T, out=layer.gradient[: layer.n_in])
                np.dot(inputs.T, errors.T, out=layer.gradient[layer.n_in : -1])
                np.dot(errors, self._ones, out=layer.gradient[-1])
                np.dot(layer.kernel, errors, out=errors_below)
            else:
                np.dot(below, errors.T, out=layer.gradient)
                np.dot(layer.kernel, errors, out=errors_below)


def _function(name):
    """An activation that works in place, or None for none."""
    if name == "linear":
        return None
    function = ACTIVATIONS[name]

    def in_place(h):
        activated = function(h)
        if activated is not h:
            h[:] = activated

    return function if name in ("relu", "sigmoid", "tanh") else in_place
