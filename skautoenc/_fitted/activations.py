"""The activations of Keras in NumPy: one table of functions, derivatives and ranges."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

# NumPy ufuncs dispatch faster on 0-d arrays than on Python floats; this halves the
# time for a single row.
_ONE = np.array(1, np.float32)


class Activation(NamedTuple):
    """An activation of Keras.

    Attributes
    ----------
    function : callable
        ``(x) -> activations``. May overwrite its argument.

    derivative : callable or None
        ``(activations, out)``, which writes the derivative at the point where the
        function gave `activations`. None if the NumPy engine cannot train it.

    low, high : float
        Range of the function, if `fit` warns of data outside it; else infinite.
    """

    function: Callable
    derivative: Callable | None = None
    low: float = -np.inf
    high: float = np.inf


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    if threshold == 0 and negative_slope == 0:
        x = np.maximum(x, 0, out=x)
    else:
        x = np.where(x >= threshold, x, negative_slope * (x - threshold))
    return x if max_value is None else np.minimum(x, max_value, out=x)


def _relu_derivative(h, out):
    np.sign(h, out=out)


def leaky_relu(x, negative_slope=0.2):
    return relu(x, negative_slope=negative_slope)


def _leaky_relu_derivative(h, out):
    out[:] = np.where(h > 0, np.float32(1), np.float32(0.2))


def elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _elu_derivative(h, out):
    np.minimum(h, 0, out=out)
    np.add(out, 1, out=out)


def _selu(x):
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def _celu(x, alpha=1.0):
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha)


def _linear_derivative(h, out):
    out.fill(1)


def _sigmoid(x):
    # 1 / (1 + exp(-x)), also where the exponential is infinite. On processors without
    # AVX-512, NumPy's tanh takes twice as long.
    np.negative(x, x)
    np.exp(x, x)
    np.add(x, _ONE, x)
    return np.divide(_ONE, x, x)


def _sigmoid_derivative(h, out):
    np.subtract(_ONE, h, out=out)
    out *= h


def _tanh_derivative(h, out):
    np.multiply(h, h, out=out)
    np.subtract(_ONE, out, out=out)


def _hard_sigmoid(x):
    x *= 1 / 6
    x += 0.5
    return np.clip(x, 0, 1, out=x)


def softmax(x, axis=-1):
    x -= x.max(axis=axis, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=axis, keepdims=True)
    return x


def _log_softmax(x, axis=-1):
    x -= x.max(axis=axis, keepdims=True)
    x -= np.log(np.exp(x).sum(axis=axis, keepdims=True))
    return x


def _sparsemax(x, axis=-1):
    # With Keras's threshold, which is not that of Martins and Astudillo (2016): it
    # sums the cumulative sums over the support, while they take the last one.
    ordered = -np.sort(-x, axis=axis)
    total = np.cumsum(ordered, axis=axis)
    shape = [1] * x.ndim
    shape[axis] = -1
    rank = np.arange(1, x.shape[axis] + 1, dtype=x.dtype).reshape(shape)
    support = ordered - (total - 1) / rank > 0
    size = support.sum(axis=axis, keepdims=True, dtype=x.dtype)
    total = np.where(support, total, 0).sum(axis=axis, keepdims=True)
    return np.maximum(x - (total - 1) / size, 0)


def _softplus(x):
    return np.logaddexp(x, np.float32(0))


def _softplus_derivative(h, out):
    np.negative(h, out=out)
    np.expm1(out, out=out)
    np.negative(out, out=out)


def _gelu(x):
    return x * (0.5 + 0.5 * special.erf(x * np.float32(0.7071067811865476)))


def _glu(x, axis=-1):
    value, gate = np.split(x, 2, axis=axis)
    return value * _sigmoid(gate.copy())


def _hard_shrink(x):
    return np.where(np.abs(x) > 0.5, x, 0)


def _soft_shrink(x):
    return np.where(np.abs(x) > 0.5, x - 0.5 * np.sign(x), 0)


def _sparse_plus(x):
    return np.where(x < 1, np.square(np.maximum(x, -1) + 1) / 4, x)


ACTIVATIONS: dict[str, Activation] = {
    "celu": Activation(_celu),
    "elu": Activation(elu, _elu_derivative),
    "exponential": Activation(lambda x: np.exp(x, out=x), low=0),
    "gelu": Activation(_gelu),
    "glu": Activation(_glu),
    "hard_shrink": Activation(_hard_shrink),
    "hard_sigmoid": Activation(_hard_sigmoid, low=0, high=1),
    "hard_silu": Activation(lambda x: x * _hard_sigmoid(x.copy())),
    "hard_tanh": Activation(lambda x: np.clip(x, -1, 1, out=x), low=-1, high=1),
    "leaky_relu": Activation(leaky_relu, _leaky_relu_derivative),
    "linear": Activation(lambda x: x, _linear_derivative),
    "log_sigmoid": Activation(lambda x: special.log_expit(x)),
    "log_softmax": Activation(_log_softmax),
    "mish": Activation(lambda x: x * np.tanh(_softplus(x))),
    "relu": Activation(relu, _relu_derivative, low=0),
    "relu6": Activation(lambda x: np.clip(x, 0, 6, out=x), low=0, high=6),
    "selu": Activation(_selu),
    "sigmoid": Activation(_sigmoid, _sigmoid_derivative, low=0, high=1),
    "silu": Activation(lambda x: x * _sigmoid(x.copy())),
    "soft_shrink": Activation(_soft_shrink),
    "softmax": Activation(softmax, low=0, high=1),
    "softplus": Activation(_softplus, _softplus_derivative, low=0),
    "softsign": Activation(lambda x: x / (1 + np.abs(x)), low=-1, high=1),
    "sparse_plus": Activation(_sparse_plus, low=0),
    "sparse_sigmoid": Activation(lambda x: np.clip(0.5 * (x + 1), 0, 1), low=0, high=1),
    "sparsemax": Activation(_sparsemax, low=0, high=1),
    "squareplus": Activation(lambda x: 0.5 * (x + np.sqrt(np.square(x) + 4)), low=0),
    "tanh": Activation(lambda x: np.tanh(x, out=x), _tanh_derivative, low=-1, high=1),
    "tanh_shrink": Activation(lambda x: x - np.tanh(x)),
}
