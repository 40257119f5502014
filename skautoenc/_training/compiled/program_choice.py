"""Choice of the program that trains a model: its chunks, calls and padding."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._backend.keras import custom_layers
from ..._backend.keras_internals import all_nodes, flatten_layers, graph_of, nodes
from ..._utils.regularizers import STRENGTHS
from ..portions import n_batches, next_power_of_two, previous_power_of_two

# Bytes of a chunk: it fits the last-level cache of most machines, and bounds the memory
# of a fit.
CHUNK_BYTES = 32 * 2**20

# Multiplications of a call: up to a second of convolutions on 2 cores. A fit cannot be
# interrupted during a call.
CALL_WORK = 10**10

_MIXES_ROWS = {"BatchNormalization", "Lambda", "TFSMLayer"}

# Operations of keras.ops that a network may hold beside its layers.
_ELEMENTWISE = set(
    "Absolute Add Cast Clip Divide Elu Exp Expm1 Gelu Identity LeakyRelu Log Log1p "
    "Maximum Minimum Multiply Negative Power Relu Relu6 Selu Sigmoid Silu Softplus "
    "Sqrt Square Subtract Tanh TrueDivide".split()
)
_ALONG_AN_AXIS = set(
    "LogSoftmax Logsumexp Max Mean Min Prod Softmax Std Sum Var".split()
)


def chunk_steps(n_rows: int, batch_size: int, row_shape: Sequence[int]) -> int:
    """Return the batches of a chunk: a power of two, so that folds share a program."""
    fitting = CHUNK_BYTES // (4 * batch_size * int(np.prod(row_shape)))
    return min(
        next_power_of_two(n_batches(n_rows, batch_size)),
        previous_power_of_two(fitting),
    )


def call_steps(model: Any, batch_size: int) -> int:
    """Return the largest number of batches that one call trains on."""
    return max(1, CALL_WORK // (3 * batch_size * max(1, multiplications(model))))


def multiplications(operation: Any, positions: int = 1) -> int:
    """Return the multiplications of a layer or model for one row.

    Parameters
    ----------
    operation : keras.Model or keras.Operation
    positions : int, default=1
        Number of positions at which it is applied, such as pixels.
    """
    if graph_of(operation) is not None:
        return sum(
            multiplications(node.operation, _positions(node))
            for node in nodes(operation)
        )
    if isinstance(operation, custom_layers().EncoderWithJacobian):
        encoder = operation.encoder  # once for each component
        return encoder.output_shape[1] * multiplications(encoder)
    return positions * sum(
        int(np.prod(weight.shape)) for weight in getattr(operation, "weights", ())
    )


def _positions(node):
    """Return the positions at which a layer is applied, at its larger side."""
    tensors = (*node.input_tensors, *node.outputs)
    return max(
        int(np.prod([size or 1 for size in tensor.shape[1:-1]])) for tensor in tensors
    )


def has_convolutions(model: Any) -> bool:
    """Whether a layer of a model is a convolution, transposed ones included."""
    return any("Conv" in type(layer).__name__ for layer in flatten_layers(model))


def is_row_wise(model: Any, loss: Any) -> bool:
    """Whether the outputs and the loss of a row do not depend on its batch.

    Padding then changes nothing. Layers, functions and losses of the user may depend on
    the whole batch, and so may activity regularization other than L1 and L2.
    """
    operations = [node.operation for node in all_nodes(model)]
    return _is_known(loss) and all(
        _layer_is_row_wise(operation)
        if hasattr(operation, "activity_regularizer")
        else _operation_is_row_wise(operation)
        for operation in (*flatten_layers(model), *operations)
    )


def _is_known(value):
    """Whether a class, object or function is from Keras or this package."""
    return value.__module__.split(".")[0] in ("keras", "skautoenc")


def _layer_is_row_wise(layer):
    functions = [
        value
        for name, value in vars(layer).items()
        if name.endswith("activation") and value is not None
    ]
    penalty = layer.activity_regularizer
    return (
        all(map(_is_known, (layer, *functions)))
        and type(layer).__name__ not in _MIXES_ROWS
        and 0 not in np.atleast_1d(getattr(layer, "axis", -1))
        and (penalty is None or _is_known(penalty))
        and (penalty is None or type(penalty).__name__ in STRENGTHS)
    )


def _operation_is_row_wise(operation):
    name = type(operation).__name__
    return _is_known(operation) and (
        name in _ELEMENTWISE
        or (name in _ALONG_AN_AXIS and operation.axis in (-1, (-1,), [-1]))
    )
