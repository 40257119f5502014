"""The training and validation loops of a model, compiled by TensorFlow."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._backend.keras import import_backend, import_keras, isolated_random_state
from ..._backend.layer_calls import fast_layers
from ..compiled.chunk import Chunk
from ..compiled.hyperparameters import bind_hyperparameters, get_hyperparameters
from ..compiled.objective import Objective
from ..compiled.program_choice import call_steps, is_row_wise
from ..config import TrainingConfig
from ..interrupts import raise_if_interrupted
from ..losses import target_shape
from ..optimizers import scale_steps
from ..portions import n_batches
from .packing import WeightPacking, are_packable
from .xla import should_use_xla


class Program:
    """The loops of one model, loss and optimizer; see `compiled.engine.Program`.

    Parameters
    ----------
    model : keras.Model
        Its structure is used, not its weights. See `open_engine` for a second input
        and for outputs after the first.

    loss : keras.losses.Loss or callable
        What `get_loss` gave.

    optimizer : keras.Optimizer
        Not built yet.

    steps, batch_size : int
        Shape of the chunks it takes.

    xla : bool
        Compile with XLA, or run as a TensorFlow graph.

    padded : bool
        Keep the padding of a short batch, which has weight 0: shapes are then fixed,
        as XLA requires, and small steps are faster. Else it is cut to its length.

    scales_steps : bool
        Whether weights have different learning rates, see `TrainingConfig`.
    """

    @staticmethod
    def settings(
        model: Any, config: TrainingConfig, n_rows: int, n_validation: int
    ) -> dict[str, bool]:
        """Choose parameters; see the protocol."""
        batch_size = config.batch_size
        n_steps = config.epochs * n_batches(n_rows, batch_size)
        row_wise = is_row_wise(model, config.loss)
        has_short_batch = bool(n_rows % batch_size or n_validation % batch_size)
        xla = should_use_xla(model, n_steps, batch_size) and (
            row_wise or not has_short_batch
        )
        return {"xla": xla, "padded": xla or row_wise}

    def __init__(
        self,
        model: Any,
        loss: Any,
        optimizer: Any,
        *,
        steps: int,
        batch_size: int,
        xla: bool,
        padded: bool,
        scales_steps: bool,
    ):
        keras, tf = import_keras(), import_backend()
        self._model, self._optimizer = model, optimizer
        self._objective = Objective(model, loss, batch_size, padded)

        def spec(row_shape):
            return tf.TensorSpec((steps, batch_size, *row_shape), tf.float32)

        self._specs = [
            tuple(spec(tensor.shape[1:]) for tensor in model.inputs),
            spec(target_shape(model, loss)),
            spec(()),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((len(model.outputs) - 1,), tf.float32),
            tf.TensorSpec(get_hyperparameters(model).shape, tf.float32),
        ]
        self._xla, self._padded, self._batch_size = xla, padded, batch_size
        self._call_steps = call_steps(model, batch_size)
        weights = model.trainable_variables
        packed = are_packable(optimizer, weights)
        self._packing = WeightPacking([tuple(v.shape) for v in weights], packed)
        self._trained = [
            v for v, is_packed in zip(weights, packed, strict=True) if not is_packed
        ]
        if any(packed):
            vector = np.zeros(self._packing.vector_size, np.float32)
            self._trained.insert(0, keras.Variable(vector))
        optimizer.build(self._trained)
        self._step_scales = []
        if scales_steps:
            packed_shapes = [() for _ in self._trained]
            if any(packed):
                packed_shapes[0] = self._trained[0].shape
            self._step_scales = [keras.Variable(np.ones(s)) for s in packed_shapes]
            scale_steps(optimizer, self._step_scales)
        self._initial_optimizer = [v.numpy() for v in optimizer.variables]
        self._train = self._compile(self._train_step)
        self._validate = None

    def initialize(
        self,
        model: Any,
        learning_rate: float | None,
        step_scales: Sequence[float] | None,
    ) -> None:
        """Start from the weights of a model; see the protocol."""
        weights = [v.numpy() for v in model.trainable_variables]
        _assign(self._trained, self._packing.pack(weights))
        _assign(
            self._model.non_trainable_variables,
            [v.numpy() for v in model.non_trainable_variables],
        )
        _assign(self._optimizer.variables, self._initial_optimizer)
        if learning_rate is not None:
            self._optimizer.learning_rate = learning_rate
        if step_scales is not None:
            _assign(self._step_scales, self._packing.pack_numbers(step_scales))

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights, in the order of Keras's ``get_weights``."""
        trained = self._packing.unpack([v.numpy() for v in self._trained])
        values = dict(
            zip(map(id, self._model.trainable_variables), trained, strict=True)
        )
        return [
            values[id(v)] if id(v) in values else v.numpy() for v in self._model.weights
        ]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Set the weights, in the order of Keras's ``get_weights``."""
        ids = [id(v) for v in self._model.weights]
        values = dict(zip(ids, weights, strict=True))
        trained = [values.pop(id(v)) for v in self._model.trainable_variables]
        _assign(self._trained, self._packing.pack(trained))
        others = [v for v in self._model.weights if id(v) in values]
        _assign(others, values.values())

    def snapshot(self) -> list[np.ndarray]:
        """Return a copy of all variables but the optimizer's, in packed form."""
        return [v.numpy() for v in self._variables()]

    def restore(self, snapshot: Sequence[np.ndarray]) -> None:
        """Set what `snapshot` gave."""
        _assign(self._variables(), snapshot)

    def _variables(self):
        return [*self._trained, *self._model.non_trainable_variables]

    def finalize(self) -> None:
        """Let the optimizer set the averaged weights, if it averages weights."""
        self._optimizer.finalize_variable_values(self._trained)

    @property
    def has_regularization(self) -> list[bool]:
        """Whether there is regularization of kernels and of activities."""
        return self._objective.has_regularization

    @property
    def learning_rate(self) -> float:
        """The learning rate, unless it follows a schedule."""
        return np.asarray(self._optimizer.learning_rate).item()

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        self._optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> int:
        """Number of steps taken, as the optimizer counts them."""
        return self._optimizer.iterations.numpy().item()

    @iterations.setter
    def iterations(self, iterations: int) -> None:
        self._optimizer.iterations.assign(iterations)

    def get_optimizer_state(self) -> list[np.ndarray]:
        """Return copies of the optimizer's variables."""
        return [v.numpy() for v in self._optimizer.variables]

    def set_optimizer_state(self, state: Sequence[np.ndarray]) -> None:
        """Set what `get_optimizer_state` gave."""
        _assign(self._optimizer.variables, state)

    def share(self, array: np.ndarray) -> Any:
        """Return a tensor that shares the memory of an array."""
        tf = import_backend()
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())

    def train(
        self,
        chunk: Chunk,
        n_rows: int,
        loss_weights: Sequence[float],
        hyperparameters: np.ndarray,
    ) -> np.ndarray:
        """Take a step on each batch; see the protocol."""
        return self._run(self._train, chunk, n_rows, loss_weights, hyperparameters)

    def validate(
        self,
        chunk: Chunk,
        n_rows: int,
        loss_weights: Sequence[float],
        hyperparameters: np.ndarray,
    ) -> np.ndarray:
        """Return the same sums without training."""
        if self._validate is None:
            self._validate = self._compile(self._validate_step)
        return self._run(self._validate, chunk, n_rows, loss_weights, hyperparameters)

    def _run(self, function, chunk, n_rows, loss_weights, hyperparameters):
        tf = import_backend()
        sums, n_in_call = 0.0, self._call_steps * self._batch_size
        for start in range(0, n_rows, n_in_call):
            raise_if_interrupted()
            sums += function(
                *chunk.tensors,
                tf.constant(start // self._batch_size),
                tf.constant(min(start + n_in_call, n_rows)),
                tf.constant(loss_weights, tf.float32),
                tf.constant(hyperparameters),
            ).numpy()
        return sums

    def _compile(self, step):
        tf = import_backend()
        n_sums = 4 + len(self._model.outputs) - 1
        batch_size = self._batch_size

        def run(
            inputs, targets, weights, first_step, n_rows, loss_weights, hyperparameters
        ):
            n_steps = (n_rows + batch_size - 1) // batch_size

            def body(i, sums):
                n = tf.minimum(n_rows - i * batch_size, batch_size)
                rows = slice(None) if self._padded else slice(n)
                batch = [x[i, rows] for x in inputs], targets[i, rows], weights[i, rows]
                means = step(batch, n, loss_weights)
                sums += tf.cast(tf.stack(means) * tf.cast(n, tf.float32), tf.float64)
                return i + 1, sums

            start = first_step, tf.zeros(n_sums, tf.float64)
            with bind_hyperparameters(self._model, hyperparameters):
                return tf.while_loop(
                    lambda i, sums: i < n_steps, body, start, parallel_iterations=1
                )[1]

        function = tf.function(
            run, self._specs, autograph=False, jit_compile=self._xla or None
        )
        # Traced at once, while Keras's global state is isolated.
        with isolated_random_state(0), fast_layers(self._model):
            return function.get_concrete_function()

    def _train_step(self, batch, n_rows, loss_weights):
        tf = import_backend()
        trained = [v.value for v in self._trained]
        others = self._model.non_trainable_variables
        with tf.GradientTape() as tape:
            means, updates = self._objective(
                self._packing.unpack_tensors(trained),
                [v.value for v in others],
                batch,
                n_rows,
                loss_weights,
                training=True,
            )
            scaled_loss = self._optimizer.scale_loss(means[0])
        self._optimizer.apply(tape.gradient(scaled_loss, trained), self._trained)
        for variable, value in zip(others, updates, strict=True):
            variable.value.assign(value)
        return means

    def _validate_step(self, batch, n_rows, loss_weights):
        trained = [v.value for v in self._trained]
        means, _ = self._objective(
            self._packing.unpack_tensors(trained),
            [v.value for v in self._model.non_trainable_variables],
            batch,
            n_rows,
            loss_weights,
            training=False,
        )
        return means


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
