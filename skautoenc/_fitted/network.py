"""Fitted state as plain data: a Keras config and NumPy weights."""

import contextlib
import json
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._backend.fork import forked_after_import
from .._backend.forward import compile_forward
from .._backend.keras import import_keras, isolated_random_state
from .._backend.keras_internals import flatten_layers
from .._backend.strategy import outside_strategy
from .._backend.worker import run_in_subprocess
from .._utils.blocks import map_rows, row_blocks
from .._utils.one_hot import Groups, with_probabilities
from .._utils.stored import stored_as
from .._utils.threads import MAX_SINGLE_THREADED, one_blas_thread
from .dense_spec import DenseSpec
from .forward import plan_forward
from .numpy_ops import padding_positions
from .rebuilding import (
    model_from_config,
    set_weights,
    with_modules,
    without_tied_layers,
)
from .state import FORMAT, check_state

# Sparse rows with at most this many features are made dense in blocks to be centred.
MAX_DENSE_FEATURES = 2**12


def config_of(model: Any) -> str:
    """Return the structure of a Keras model as JSON, without its compile config."""
    compiled = [m for m in flatten_layers(model) if getattr(m, "compiled", False)]
    for part in compiled:
        part.compiled = False
    try:
        return with_modules(model.to_json())
    finally:
        for part in compiled:
            part.compiled = True


_NO_CONTEXT = contextlib.nullcontext()


class FittedNetwork:
    """A network as plain data, which can be stored, copied and called without Keras.

    It is immutable: weights are read-only arrays.

    Parameters
    ----------
    config : str
        Output of ``keras.Model.to_json``.

    weights : sequence of ndarray
        Output of ``keras.Model.get_weights``.

    input_shift : ndarray of shape (n_in,) or None, default=None
        Subtracted from rows, in their precision, before they enter the network.

    output_shift : ndarray of shape (n_out,) or None, default=None
        Added to the output of the network.

    groups : tuple of tuple of int, default=()
        Columns of the output that are logits. The softmax of each group is returned.

    Attributes
    ----------
    dense_spec : DenseSpec or None
        Its structure, if it is a dense encoder or decoder.

    width : int
        Largest number of values per row in the output of a layer with weights.
    """

    def __init__(
        self,
        config: str,
        weights: Sequence[np.ndarray],
        input_shift: np.ndarray | None = None,
        output_shift: np.ndarray | None = None,
        groups: Groups = (),
    ):
        self.config = config
        self.weights = tuple(map(_read_only, weights))
        self.input_shift = _read_only(input_shift)
        self.output_shift = _read_only(output_shift)
        self.groups = groups
        self._prepare()

    @classmethod
    def from_keras(cls, model: Any) -> "FittedNetwork":
        """Read config and weights of a Keras model, without its compile config."""
        return cls(config_of(model), model.get_weights())

    @property
    def needs_keras(self) -> bool:
        """Whether only Keras can evaluate it."""
        return self._forward is None

    def with_weights(self, weights: Sequence[np.ndarray]) -> "FittedNetwork":
        """Return the network with other weights."""
        other = self._with(weights=tuple(map(_read_only, weights)))
        other._compiled = None
        return other

    def with_shifts(
        self,
        input_shift: np.ndarray | None = None,
        output_shift: np.ndarray | None = None,
    ) -> "FittedNetwork":
        """Return the network with other shifts."""
        return self._with(
            input_shift=_read_only(input_shift), output_shift=_read_only(output_shift)
        )

    def with_groups(self, groups: Groups) -> "FittedNetwork":
        """Return the network with other groups of columns that are logits."""
        return self._with(groups=groups)

    def _with(self, **changes):
        other = object.__new__(FittedNetwork)
        vars(other).update(vars(self), **changes)
        other._folded_weights = None
        other._compiling = threading.Lock()
        return other

    def _prepare(self):
        spec = json.loads(self.config)
        self._forward = plan_forward(spec, len(self.weights))
        self.dense_spec = DenseSpec.from_config(self.config)
        self.width = max((w.shape[-1] for w in self.weights if w.ndim), default=1)
        self._largest_kernel = max(
            (w.size for w in self.weights if w.ndim > 1), default=0
        )
        # Computed on first use.
        self._compiled = self._folded_weights = None
        self._program = _SharedProgram()
        self._compiling = threading.Lock()

    def __repr__(self):
        name = json.loads(self.config)["config"]["name"]
        return f"<FittedNetwork {name!r}, {sum(w.size for w in self.weights)} weights>"

    def __getstate__(self):
        state = {
            "format": FORMAT,
            "config": self.config,
            "weights": list(self.weights),
            "input_shift": self.input_shift,
            "output_shift": self.output_shift,
        }
        return {**state, "groups": self.groups} if self.groups else state

    @classmethod
    def _from_state(cls, **state):
        network = object.__new__(cls)
        network.__setstate__(state)
        return network

    def __setstate__(self, state):
        check_state(state)
        shifts = state.get("input_shift"), state.get("output_shift")
        groups = state.get("groups", ())
        self.__init__(state["config"], state["weights"], *shifts, groups)

    def __call__(self, X: Any, dtype: Any = np.float32) -> np.ndarray:
        """Evaluate the network.

        It computes in float32. Rows are shifted before they are rounded to float32,
        and the output is shifted in `dtype`.

        Parameters
        ----------
        X : {ndarray, sparse matrix} of shape (n_samples, n_in), float32 or float64
        dtype : {np.float32, np.float64}, default=np.float32
            Data type of the result.

        Returns
        -------
        ndarray of shape (n_samples, n_out)
        """
        if self._forward is None:
            return self._call_keras(X, dtype)
        return map_rows(lambda rows: self._evaluate(rows, dtype), X, self.width)

    def _evaluate(self, X, dtype):
        """Evaluate a block of rows."""
        n_rows = X.shape[0]
        positions = padding_positions(n_rows)
        if positions is not None:
            return self._evaluate(X[positions], dtype)[:n_rows]
        # Bits of larger products may depend on the number of threads.
        is_large = n_rows * self._largest_kernel > MAX_SINGLE_THREADED
        # Beyond the range of float32 a result is infinite, so no warning is needed.
        with (
            one_blas_thread if is_large else _NO_CONTEXT,
            np.errstate(over="ignore", under="ignore", invalid="ignore"),
        ):
            out = self._shifted(self._forward(*self._taken(X)), dtype)
        return out.copy() if out is X else out

    def _taken(self, X):
        """Return rows as the forward pass takes them, and its weights."""
        is_wide = not isinstance(X, np.ndarray) and X.shape[1] > MAX_DENSE_FEATURES
        if is_wide and self.input_shift is not None and self.dense_spec:
            # Such rows stay sparse: the shift is folded into the biases instead.
            return X.astype(np.float32, copy=False), self._folded()
        return self._inputs(X), self.weights

    def _folded(self):
        if self._folded_weights is None:
            self._folded_weights = self.dense_spec.fold(self.weights, self.input_shift)
        return self._folded_weights

    def _inputs(self, X):
        """Return the rows, shifted and then rounded to float32."""
        if self.input_shift is None:
            return X.astype(np.float32, copy=False)
        X = X if isinstance(X, np.ndarray) else X.toarray()
        out = np.empty(X.shape, np.float32)
        return np.subtract(X, self.input_shift, out=out, casting="same_kind")

    def _shifted(self, values, dtype):
        """Return the output of the network, shifted, in `dtype`."""
        if self.groups:
            values = with_probabilities(values, self.groups)
        if self.output_shift is not None:
            return np.add(values, self.output_shift, dtype=dtype)
        return values.astype(dtype, copy=False)

    def _call_keras(self, X, dtype):
        """Evaluate by a program of Keras's backend.

        It is compiled once for all networks that differ in their weights or shifts.
        """
        if forked_after_import():
            return run_in_subprocess(self, X, dtype)
        import_keras()
        with self._compiling:
            if self._compiled is None:
                bind = self._program.get(lambda: outside_strategy(self._compile))
                self._compiled = bind(self.weights)
        out = []
        for rows in row_blocks(X.shape[0], X.shape[1]):
            block = self._inputs(X[rows])
            block = block if isinstance(block, np.ndarray) else block.toarray()
            out.append(self._shifted(self._compiled(block), dtype))
        return out[0] if len(out) == 1 else np.concatenate(out)

    def _compile(self):
        """Return a function that makes a forward pass, without shifts, of weights."""
        with isolated_random_state(0):
            model = self.build()
        return compile_forward(model)

    def to_keras(self) -> Any:
        """Build a new Keras model that computes the same, including the shifts.

        It has layers of Keras, and those of the user, but none of skautoenc.
        """
        with isolated_random_state(0):
            model = self.build()
        shifts = self.input_shift, self.output_shift
        if self.dense_spec is not None:
            model.set_weights(self.dense_spec.fold(self.weights, *shifts))
            shifts = None, None
        return between_shifts(without_tied_layers(model), *shifts, self.groups)

    def build(self) -> Any:
        """Build a new Keras model with this config and these weights, without shifts.

        Random layers are seeded from Keras's current state.

        Raises
        ------
        ValueError
            If Keras cannot build the model, or if the weights do not fit it.
        """
        model = model_from_config(self.config)
        set_weights(model, self.weights)
        return model


class _SharedProgram:
    """What `compile_forward` gives, made on first use."""

    def __init__(self):
        self._lock, self._bind = threading.Lock(), None

    def get(self, compile_):
        with self._lock:
            if self._bind is None:
                self._bind = compile_()
            return self._bind


stored_as("network", FittedNetwork.__getstate__, FittedNetwork._from_state)(
    FittedNetwork
)


def _read_only(array):
    if array is None:
        return None
    array = np.asarray(array).view()
    array.flags.writeable = False
    return array


def between_shifts(
    model: Any,
    input_shift: np.ndarray | None,
    output_shift: np.ndarray | None,
    groups: Groups = (),
) -> Any:
    """Put a Keras model between layers that shift its input and its output.

    Parameters
    ----------
    model : keras.Model
        Its first input and its first output are shifted. Weights are shared.

    input_shift, output_shift : ndarray or None
        Subtracted and added.

    groups : tuple of tuple of int, default=()
        Columns of the output that are logits.

    Returns
    -------
    keras.Model
        The model itself if nothing is to be shifted, and no columns are logits.
    """
    if input_shift is None and output_shift is None and not groups:
        return model
    keras = import_keras()

    def shifted(tensor, offset, name):
        if offset is None:
            return tensor
        return keras.layers.Rescaling(1.0, offset.tolist(), dtype="float32", name=name)(
            tensor
        )

    with isolated_random_state(0):
        inputs = [keras.Input(a.shape[1:], dtype="float32") for a in model.inputs]
        offset = None if input_shift is None else -input_shift
        taken = [shifted(inputs[0], offset, "less_mean"), *inputs[1:]]
        outputs = model(taken if len(taken) > 1 else taken[0])
        first, *others = keras.tree.flatten(outputs)
        if groups:
            first = _softmax_of_groups(keras.ops, first, groups)
        outputs = [shifted(first, output_shift, "plus_mean"), *others]
        return keras.Model(
            inputs if len(inputs) > 1 else inputs[0],
            outputs if others else outputs[0],
            name=model.name,
        )


def _softmax_of_groups(ops, tensor, groups):
    """Return a Keras tensor in which groups of columns are replaced by their softmax.

    It is made of operations of Keras, so that a saved model needs no other layer.
    """
    tensor = ops.cast(tensor, "float32")
    in_groups = [column for group in groups for column in group]
    others = [i for i in range(tensor.shape[-1]) if i not in set(in_groups)]
    parts = [ops.take(tensor, others, axis=-1)] if others else []
    for group in groups:
        parts.append(ops.softmax(ops.take(tensor, list(group), axis=-1)))
    order = np.argsort([*others, *in_groups]).tolist()
    return ops.take(ops.concatenate(parts, axis=-1), order, axis=-1)
