"""The forward pass of a Keras model, compiled as its backend allows."""

import functools
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from .choice import keras_backend
from .keras import import_backend, import_keras, isolated_random_state
from .layer_calls import fast_layers

if TYPE_CHECKING:
    import keras

Arrays = Sequence[np.ndarray]
Forward = Callable[[np.ndarray], np.ndarray]

# Rows that are evaluated at once by JAX and PyTorch. JAX compiles a program for each
# number of rows, so fewer rows are padded to the next one.
_SMALL_BLOCK, _BLOCK = 32, 256


def compile_forward(model: "keras.Model") -> Callable[[Arrays], Forward]:
    """Return a function that makes a forward pass, as in inference, of weights.

    Parameters
    ----------
    model : keras.Model
        Has one input and one output. It must not be changed or used otherwise.

    Returns
    -------
    callable
        Takes arrays like those of ``model.get_weights()``. Returns a function that maps
        a float32 ndarray of shape (n_rows, ...) to the float32 output of the model with
        these weights, and may be called from several threads. All share one program.
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
    load, evaluate = _state_loader(model), _evaluation(model)
    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    specs = [[tf.TensorSpec(v.shape, v.dtype) for v in each] for each in _state(model)]
    function = tf.function(evaluate, autograph=False)
    with isolated_random_state(0), fast_layers(model):
        program = function.get_concrete_function(specs, spec)

    def bind(weights):
        state = load(weights)
        return lambda rows: program(state, tf.convert_to_tensor(rows)).numpy()

    return bind


def _jax_forward(model):
    """Compile a program for each of two numbers of rows, when it is first needed."""
    jax = import_backend()
    load, evaluate = _state_loader(model), jax.jit(_evaluation(model))
    programs, compiling = {}, threading.Lock()

    def program(state, n_rows):
        with compiling:
            if n_rows not in programs:
                shape = n_rows, *model.input_shape[1:]
                rows = jax.ShapeDtypeStruct(shape, np.float32)
                with isolated_random_state(0), fast_layers(model):
                    programs[n_rows] = evaluate.lower(state, rows).compile()
        return programs[n_rows]

    def forward(state, rows):
        parts, start = [], 0
        while start < len(rows):
            n_left = len(rows) - start
            size = _BLOCK if n_left > _BLOCK // 2 else _SMALL_BLOCK
            block = rows[start : start + size]
            padding = [(0, size - len(block)), *[(0, 0)] * (rows.ndim - 1)]
            outputs = program(state, size)(state, np.pad(block, padding))
            parts.append(np.asarray(outputs)[: len(block)])
            start += size
        return np.concatenate(parts)

    return lambda weights: functools.partial(forward, load(weights))


def _torch_forward(model):
    """Call the layers one by one, as PyTorch does."""
    torch, ops = import_backend(), import_keras().ops
    load, evaluate = _state_loader(model), _evaluation(model)
    model.eval()

    def forward(state, rows):
        parts = []
        with torch.no_grad():
            for start in range(0, len(rows), _BLOCK):
                block = ops.convert_to_tensor(rows[start : start + _BLOCK])
                parts.append(ops.convert_to_numpy(evaluate(state, block)))
        return np.concatenate(parts)

    return lambda weights: functools.partial(forward, load(weights))


def _state(model):
    """Return the variables as ``model.stateless_call`` takes them."""
    return model.trainable_variables, model.non_trainable_variables


def _state_loader(model):
    """Return a function that gives the values of the variables for some weights.

    Variables that are no weights, as the states of generators, keep their values.
    """
    ops = import_keras().ops
    place = {id(variable): i for i, variable in enumerate(model.weights)}

    def loader(variable):
        dtype = variable.dtype
        if id(variable) in place:
            i = place[id(variable)]
            return lambda weights: ops.convert_to_tensor(weights[i], dtype)
        value = ops.convert_to_tensor(variable.numpy(), dtype)
        return lambda weights: value

    loaders = [[loader(v) for v in variables] for variables in _state(model)]
    return lambda weights: [[load(weights) for load in each] for each in loaders]


def _evaluation(model):
    """Return a function of the values of the variables, and of rows."""
    ops = import_keras().ops

    def evaluate(state, rows):
        outputs, _ = model.stateless_call(*state, rows, training=False)
        return ops.cast(outputs, "float32")

    return evaluate
