"""The forward pass of a Keras model, compiled as its backend allows."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .choice import keras_backend
from .fusion import upsampling_fused
from .keras import import_backend, import_keras, isolated_random_state

if TYPE_CHECKING:
    import keras

# Rows that are evaluated at once by JAX and PyTorch. JAX compiles a program for each
# number of rows, so fewer rows are padded to the next one.
_SMALL_BLOCK, _BLOCK = 32, 256


def compile_forward(model: "keras.Model") -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that evaluates a Keras model, as in inference.

    Parameters
    ----------
    model : keras.Model
        Has one input and one output. It must not be changed or used otherwise.

    Returns
    -------
    callable
        Maps a float32 ndarray of shape (n_rows, ...) to the float32 output. It may be
        called from several threads.
    """
    compilers = {
        "tensorflow": _tensorflow_forward,
        "jax": _jax_forward,
        "torch": _torch_forward,
    }
    return compilers[keras_backend()](model)


def _tensorflow_forward(model):
    """Trace a program for any number of rows."""
    tf = import_backend()
    function = tf.function(
        lambda x: tf.cast(model(x, training=False), tf.float32), autograph=False
    )
    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    with isolated_random_state(0), upsampling_fused(model):
        program = function.get_concrete_function(spec)
    return lambda rows: program(tf.convert_to_tensor(rows)).numpy()


def _jax_forward(model):
    """Compile a program for each of two numbers of rows, when it is first needed."""
    jax, ops = import_backend(), import_keras().ops
    variables = model.trainable_variables, model.non_trainable_variables
    state = [[v.value for v in each] for each in variables]
    programs, compiling = {}, threading.Lock()

    @jax.jit
    def evaluate(state, rows):
        outputs, _ = model.stateless_call(*state, rows, training=False)
        return ops.cast(outputs, "float32")

    def program(n_rows):
        with compiling:
            if n_rows not in programs:
                shape = n_rows, *model.input_shape[1:]
                rows = jax.ShapeDtypeStruct(shape, np.float32)
                with isolated_random_state(0), upsampling_fused(model):
                    programs[n_rows] = evaluate.lower(state, rows).compile()
        return programs[n_rows]

    def forward(rows):
        parts, start = [], 0
        while start < len(rows):
            n_left = len(rows) - start
            size = _BLOCK if n_left > _BLOCK // 2 else _SMALL_BLOCK
            block = rows[start : start + size]
            padding = [(0, size - len(block)), *[(0, 0)] * (rows.ndim - 1)]
            outputs = program(size)(state, np.pad(block, padding))
            parts.append(np.asarray(outputs)[: len(block)])
            start += size
        return np.concatenate(parts)

    return forward


def _torch_forward(model):
    """Call the layers one by one, as PyTorch does."""
    torch, ops = import_backend(), import_keras().ops
    model.eval()

    def forward(rows):
        parts = []
        with torch.no_grad():
            for start in range(0, len(rows), _BLOCK):
                block = ops.convert_to_tensor(rows[start : start + _BLOCK])
                outputs = ops.cast(model(block, training=False), "float32")
                parts.append(ops.convert_to_numpy(outputs))
        return np.concatenate(parts)

    return forward
