"""The activations of Keras as ONNX nodes: one table."""

from collections.abc import Callable

import numpy as np

from .nodes import Nodes

_F = np.float32


def _gelu(nodes, x):
    erf = nodes.add("Erf", nodes.add("Mul", x, _F(0.7071067811865476)))
    half = nodes.add("Mul", x, _F(0.5))
    return nodes.add("Mul", half, nodes.add("Add", erf, _F(1)))


def _glu(nodes, x):
    value, gate = nodes.split_in_two(x)
    return nodes.add("Mul", value, nodes.add("Sigmoid", gate))


def _hard_sigmoid(nodes, x):
    return nodes.add("HardSigmoid", x, alpha=1 / 6, beta=0.5)


def _log_sigmoid(nodes, x):
    softplus = nodes.add("Softplus", nodes.add("Neg", x))
    return nodes.add("Neg", softplus)


def _clipped(low, high):
    return lambda nodes, x: nodes.add("Clip", x, _F(low), _F(high))


def _sparse_plus(nodes, x):
    above = nodes.add("Add", nodes.add("Max", x, _F(-1)), _F(1))
    curve = nodes.add("Div", nodes.add("Mul", above, above), _F(4))
    return nodes.add("Where", nodes.add("Less", x, _F(1)), curve, x)


def _sparse_sigmoid(nodes, x):
    line = nodes.add("Mul", nodes.add("Add", x, _F(1)), _F(0.5))
    return nodes.add("Clip", line, _F(0), _F(1))


def _sparsemax(nodes, x):
    # As in NumPy: with the threshold of Keras.
    width = nodes.add("Gather", nodes.add("Shape", x), np.array([-1]), axis=0)
    ordered, _ = nodes.add_all("TopK", x, width, outputs=[None, None], axis=-1)
    excess = nodes.add("Sub", nodes.add("CumSum", ordered, np.array(-1)), _F(1))
    ones = nodes.add("Add", nodes.add("Mul", ordered, _F(0)), _F(1))
    rank = nodes.add("CumSum", ones, np.array(-1))
    support = nodes.add("Greater", ordered, nodes.add("Div", excess, rank))
    support = nodes.cast(support, np.float32)
    size = nodes.reduce("ReduceSum", support, [-1])
    total = nodes.add("Mul", nodes.add("Add", excess, _F(1)), support)
    total = nodes.reduce("ReduceSum", total, [-1])
    threshold = nodes.add("Div", nodes.add("Sub", total, _F(1)), size)
    return nodes.add("Relu", nodes.add("Sub", x, threshold))


def _squareplus(nodes, x):
    square = nodes.add("Add", nodes.add("Mul", x, x), _F(4))
    total = nodes.add("Add", x, nodes.add("Sqrt", square))
    return nodes.add("Mul", total, _F(0.5))


def _operator(name, **attributes):
    return lambda nodes, x: nodes.add(name, x, **attributes)


def _times(gate):
    """The product of the input and a function of it."""
    return lambda nodes, x: nodes.add("Mul", x, gate(nodes, x))


# By Keras's names: ``(nodes, name of the input) -> name of the output``.
ACTIVATIONS: dict[str, Callable[[Nodes, str], str]] = {
    "celu": _operator("Celu"),
    "elu": _operator("Elu"),
    "exponential": _operator("Exp"),
    "gelu": _gelu,
    "glu": _glu,
    "hard_shrink": _operator("Shrink", lambd=0.5),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _times(_hard_sigmoid),
    "hard_tanh": _clipped(-1, 1),
    "leaky_relu": _operator("LeakyRelu", alpha=0.2),
    "linear": lambda nodes, x: x,
    "log_sigmoid": _log_sigmoid,
    "log_softmax": _operator("LogSoftmax", axis=-1),
    "mish": _times(lambda nodes, x: nodes.add("Tanh", nodes.add("Softplus", x))),
    "relu": _operator("Relu"),
    "relu6": _clipped(0, 6),
    "selu": _operator("Selu"),
    "sigmoid": _operator("Sigmoid"),
    "silu": _times(_operator("Sigmoid")),
    "soft_shrink": _operator("Shrink", lambd=0.5, bias=0.5),
    "softmax": _operator("Softmax", axis=-1),
    "softplus": _operator("Softplus"),
    "softsign": _operator("Softsign"),
    "sparse_plus": _sparse_plus,
    "sparse_sigmoid": _sparse_sigmoid,
    "sparsemax": _sparsemax,
    "squareplus": _squareplus,
    "tanh": _operator("Tanh"),
    "tanh_shrink": lambda nodes, x: nodes.add("Sub", x, nodes.add("Tanh", x)),
}
