"""The training and validation loops of a model, compiled."""

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._backend.fusion import upsampling_fused
from ..._backend.keras import import_backend, import_keras, isolated_random_state
from ..._backend.keras_internals import flatten_layers
from ..._utils.patching import patched
from ..interrupts import raise_if_interrupted
from ..losses import regularization_losses, row_losses, target_shape
from ..optimizers import scale_steps
from .chunk import Chunk
from .hyperparameters import bind_hyperparameters, get_hyperparameters
from .packing import WeightPacking, are_packable
from .program_choice import call_steps


class Program:
    """The training and validation loops of one model, loss and optimizer, compiled.

    The trained weights are in variables of the program, not of the model that is
    trained: each fit sets its initial weights, and reads the trained ones.

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

    scales_steps : bool, default=False
        Whether weights have different learning rates, see `TrainingConfig`.
    """

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
        scales_steps: bool = False,
    ):
        keras, tf = import_keras(), import_backend()
        self._model, self._loss = model, row_losses(loss)
        self.optimizer = optimizer

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
        step_scales: Sequence[float] | None = None,
    ) -> None:
        """Start from the weights of a model of this structure.

        Parameters
        ----------
        model : keras.Model
        learning_rate : float or None
            None keeps the schedule.

        step_scales : sequence of float or None, default=None
            See `TrainingConfig`.
        """
        weights = [v.numpy() for v in model.trainable_variables]
        _assign(self._trained, self._packing.pack(weights))
        _assign(
            self._model.non_trainable_variables,
            [v.numpy() for v in model.non_trainable_variables],
        )
        _assign(self.optimizer.variables, self._initial_optimizer)
        if learning_rate is not None:
            self.optimizer.learning_rate = learning_rate
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
        self.optimizer.finalize_variable_values(self._trained)

    def train(
        self,
        chunk: Chunk,
        n_rows: int,
        loss_weights: Sequence[float],
        hyperparameters: np.ndarray,
    ) -> np.ndarray:
        """Take a step on each batch.

        Parameters
        ----------
        chunk : Chunk
        n_rows : int
            Rows in the chunk, padding not counted.

        loss_weights : sequence of float
            Weight in the loss of each auxiliary output.

        hyperparameters : ndarray
            What `get_hyperparameters` gave for the model that is trained.

        Returns
        -------
        ndarray of shape (4 + n_auxiliary,)
            The loss, that of the reconstruction alone, the regularization of kernels
            and of activities, and the auxiliary outputs, summed over rows.
        """
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
                with self._padding_masked(n):
                    means = step(*batch, loss_weights)
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
        with isolated_random_state(0), upsampling_fused(self._model):
            return function.get_concrete_function()

    def _train_step(self, inputs, targets, weights, loss_weights):
        tf = import_backend()
        trained = [v.value for v in self._trained]
        with tf.GradientTape() as tape:
            means, updates = self._objective(
                trained, inputs, targets, weights, loss_weights, training=True
            )
            scaled_loss = self.optimizer.scale_loss(means[0])
        self.optimizer.apply(tape.gradient(scaled_loss, trained), self._trained)
        for variable, value in zip(
            self._model.non_trainable_variables, updates, strict=True
        ):
            variable.value.assign(value)
        return means

    def _validate_step(self, inputs, targets, weights, loss_weights):
        trained = [v.value for v in self._trained]
        means, _ = self._objective(
            trained, inputs, targets, weights, loss_weights, training=False
        )
        return means

    def _objective(self, trained, inputs, targets, weights, loss_weights, training):
        """Return the loss of a batch and its parts, weighted means over rows."""
        tf = import_backend()
        outputs, updates, losses = self._model.stateless_call(
            self._packing.unpack_tensors(trained),
            [v.value for v in self._model.non_trainable_variables],
            inputs if len(inputs) > 1 else inputs[0],
            training=training,
            return_losses=True,
        )
        reconstruction, *auxiliary = tf.nest.flatten(outputs)
        by_row = [self._loss(targets, reconstruction)]
        by_row += [tf.reshape(output, [-1]) for output in auxiliary]
        error, *parts = [tf.reduce_sum(values * weights) for values in by_row]
        regularization, self.has_regularization = regularization_losses(
            self._model, losses
        )
        loss = [error, *regularization]
        loss += [loss_weights[i] * part for i, part in enumerate(parts)]
        return [tf.add_n(loss), error, *regularization, *parts], updates

    @contextlib.contextmanager
    def _padding_masked(self, n_rows):
        """While tracing, hide padding from L1 and L2 activity regularization.

        Keras sums it over the batch and divides by the length, here that with padding.
        There is no other activity regularization: see `is_row_wise`.
        """
        tf = import_backend()

        def masked(regularizer):
            def regularizer_of_rows(activity):
                # A layer may have repeated the rows, each one in place.
                length = tf.shape(activity)[0]
                kept = n_rows * (length // self._batch_size)
                mask = tf.cast(tf.range(length) < kept, activity.dtype)
                shape = [-1] + [1] * (len(activity.shape) - 1)
                scale = tf.cast(length / kept, tf.float32)
                return regularizer(activity * tf.reshape(mask, shape)) * scale

            return regularizer_of_rows

        with contextlib.ExitStack() as stack:
            for layer in flatten_layers(self._model) if self._padded else ():
                regularizer = layer.activity_regularizer
                if regularizer is not None:
                    stack.enter_context(
                        patched(layer, "activity_regularizer", masked(regularizer))
                    )
            yield


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
