"""The training and validation loops of a model, compiled by JAX."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..._backend.keras import import_backend, import_keras, isolated_random_state
from ..._backend.layer_calls import fast_layers
from ..._utils.blocks import ceil_div
from ..compiled.chunk import Chunk
from ..compiled.hyperparameters import bind_hyperparameters
from ..compiled.objective import Objective
from ..compiled.program_choice import call_steps, has_convolutions, is_row_wise
from ..config import TrainingConfig
from ..interrupts import raise_if_interrupted
from ..optimizers import scale_steps


class _Variables(NamedTuple):
    """Values of the trainable, the other, and the optimizer's variables."""

    trained: list[Any]
    others: list[Any]
    optimizer: list[Any]


class Program:
    """The loops of one model, loss and optimizer; see `compiled.engine.Program`.

    The state of a training is a value that each call takes and returns. Its buffers are
    donated, so that weights are updated in place.

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

    padded : bool
        Keep the padding of a short batch, which has weight 0. Else another loop, for
        batches of its length, trains on it.

    scales_steps : bool
        Whether weights have different learning rates, see `TrainingConfig`.
    """

    @staticmethod
    def settings(
        model: Any, config: TrainingConfig, n_rows: int, n_validation: int
    ) -> dict[str, bool]:
        """Choose parameters; see the protocol."""
        has_short_batch = n_rows % config.batch_size or n_validation % config.batch_size
        return {"padded": not has_short_batch or is_row_wise(model, config.loss)}

    def __init__(
        self,
        model: Any,
        loss: Any,
        optimizer: Any,
        *,
        steps: int,
        batch_size: int,
        padded: bool,
        scales_steps: bool,
    ):
        self._model, self._optimizer = model, optimizer
        self._objective = Objective(model, loss, batch_size, padded)
        self._padded, self._batch_size = padded, batch_size
        if import_backend().default_backend() != "cpu":
            # A GPU waits for the processor at each step of a loop of unknown length.
            self._call_steps, self._has_fixed_length = steps, True
        elif has_convolutions(model):
            # XLA's convolutions are slow in a loop on a processor.
            self._call_steps, self._has_fixed_length = 1, True
        else:
            self._call_steps = call_steps(model, batch_size)
            self._has_fixed_length = False
        optimizer.build(model.trainable_variables)
        self._initial_optimizer = [np.array(v) for v in optimizer.variables]
        self._step_scales: list[Any] = []
        if scales_steps:
            scale_steps(optimizer, self._step_scales)
        self._variables = _Variables([], [], [])
        jax = import_backend()
        train, validate = self._train_loop, self._validate_loop
        self._train = jax.jit(train, donate_argnums=0, static_argnames="length")
        self._validate = jax.jit(validate, static_argnames="length")

    def initialize(
        self,
        model: Any,
        learning_rate: float | None,
        step_scales: Sequence[float] | None,
    ) -> None:
        """Start from the weights of a model; see the protocol."""
        self._variables = _Variables(
            _arrays(model.trainable_variables),
            _arrays(model.non_trainable_variables),
            _arrays(self._initial_optimizer),
        )
        if learning_rate is not None:
            self.learning_rate = learning_rate
        self._scales = np.array(step_scales or [], np.float32)

    @property
    def has_regularization(self) -> list[bool]:
        """Whether there is regularization of kernels and of activities."""
        return self._objective.has_regularization

    @property
    def learning_rate(self) -> float:
        """The learning rate, unless it follows a schedule."""
        with self._optimizer_variables():
            return np.asarray(self._optimizer.learning_rate).item()

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        with self._optimizer_variables():
            self._optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> int:
        """Number of steps taken, as the optimizer counts them."""
        with self._optimizer_variables():
            return np.asarray(self._optimizer.iterations).item()

    @iterations.setter
    def iterations(self, iterations: int) -> None:
        with self._optimizer_variables():
            self._optimizer.iterations.assign(iterations)

    @contextlib.contextmanager
    def _optimizer_variables(self) -> Iterator[None]:
        """Give the optimizer and its weights the values of this training."""
        keras = import_keras()
        variables = [*self._model.trainable_variables, *self._optimizer.variables]
        values = [*self._variables.trained, *self._variables.optimizer]
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(mapping) as scope:
            yield
        values = [scope.get_current_value(v) for v in variables]
        n_trained = len(self._variables.trained)
        self._variables = self._variables._replace(
            trained=values[:n_trained], optimizer=values[n_trained:]
        )

    def get_optimizer_state(self) -> list[np.ndarray]:
        """Return copies of the optimizer's variables."""
        return _copies(self._variables.optimizer)

    def set_optimizer_state(self, state: Sequence[np.ndarray]) -> None:
        """Set what `get_optimizer_state` gave."""
        self._variables = self._variables._replace(optimizer=_arrays(state))

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights, in the order of Keras's ``get_weights``."""
        values = self._values_by_variable()
        return [values[id(v)] for v in self._model.weights]

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Set the weights, in the order of Keras's ``get_weights``."""
        values = self._values_by_variable()
        values.update(zip(map(id, self._model.weights), weights, strict=True))
        self.restore(list(values.values()))

    def _values_by_variable(self):
        model = self._model
        variables = [*model.trainable_variables, *model.non_trainable_variables]
        return dict(zip(map(id, variables), self.snapshot(), strict=True))

    def snapshot(self) -> list[np.ndarray]:
        """Return a copy of all variables but the optimizer's."""
        return _copies([*self._variables.trained, *self._variables.others])

    def restore(self, snapshot: Sequence[np.ndarray]) -> None:
        """Set what `snapshot` gave."""
        n_trained = len(self._variables.trained)
        self._variables = self._variables._replace(
            trained=_arrays(snapshot[:n_trained]), others=_arrays(snapshot[n_trained:])
        )

    def finalize(self) -> None:
        """Let the optimizer set the averaged weights, if it averages weights."""
        with self._optimizer_variables():
            self._optimizer.finalize_variable_values(self._model.trainable_variables)

    def share(self, array: np.ndarray) -> Any:
        """Return the array: on a CPU, calls read an aligned one without a copy."""
        return array

    def train(
        self,
        chunk: Chunk,
        n_rows: int,
        loss_weights: Sequence[float],
        hyperparameters: np.ndarray,
    ) -> np.ndarray:
        """Take a step on each batch; see the protocol."""

        def call(*arguments):
            self._variables, means = self._train(self._variables, numbers, *arguments)
            return means

        numbers = np.array(loss_weights, np.float32), hyperparameters, self._scales
        return self._run(call, chunk, n_rows)

    def validate(
        self,
        chunk: Chunk,
        n_rows: int,
        loss_weights: Sequence[float],
        hyperparameters: np.ndarray,
    ) -> np.ndarray:
        """Return the same sums without training."""

        def call(*arguments):
            return self._validate(self._variables, numbers, *arguments)

        numbers = np.array(loss_weights, np.float32), hyperparameters, self._scales
        return self._run(call, chunk, n_rows)

    def _run(self, call, chunk, n_rows):
        """Return the sums of the means that calls give for the batches of a chunk."""
        size, batches, sums = self._batch_size, chunk.tensors, 0.0
        n_in_loop = n_rows if self._padded else n_rows - n_rows % size
        for start in range(0, n_in_loop, self._call_steps * size):
            raise_if_interrupted()
            stop = min(start + self._call_steps * size, n_in_loop)
            length = ceil_div(stop - start, size) if self._has_fixed_length else None
            means = np.asarray(call(batches, start // size, stop, length), np.float64)
            n_of_step = np.clip(stop - size * np.arange(len(means)), 0, size)
            sums += n_of_step @ means
        if n_in_loop < n_rows:
            raise_if_interrupted()
            last, n = n_in_loop // size, n_rows - n_in_loop
            batches = import_keras().tree.map_structure(
                lambda a: a[last : last + 1, :n], batches
            )
            (means,) = np.asarray(call(batches, 0, n, 1), np.float64)
            sums += n * means
        return sums

    def _train_loop(self, variables, numbers, batches, first_step, n_rows, length):
        step = self._train_step
        return self._loop(step, variables, numbers, batches, first_step, n_rows, length)

    def _validate_loop(self, variables, numbers, batches, first_step, n_rows, length):
        return self._loop(
            self._validate_step, variables, numbers, batches, first_step, n_rows, length
        )[1]

    def _loop(self, step, variables, numbers, batches, first_step, n_rows, length):
        """Return the variables after some steps, and the means that each step gave.

        `length` is their number, or None to compute it from the arguments.
        """
        jax = import_backend()
        jnp = jax.numpy
        inputs, targets, weights = batches
        loss_weights, hyperparameters, self._step_scales[:] = numbers
        n_steps, size = weights.shape

        def body(i, carry):
            variables, means = carry
            batch = [x[i] for x in inputs], targets[i], weights[i]
            n = jnp.minimum(n_rows - i * size, size)
            variables, values = step(variables, batch, n, loss_weights)
            return variables, means.at[i].set(jnp.stack(values))

        n_sums = 4 + len(self._model.outputs) - 1
        carry = variables, jnp.zeros((n_steps, n_sums), jnp.float32)
        # This runs while JAX traces: Keras's global state is isolated.
        with (
            isolated_random_state(0),
            fast_layers(self._model),
            bind_hyperparameters(self._model, hyperparameters),
        ):
            if length == 1:
                return body(first_step, carry)
            if length is None:
                stop = (n_rows + size - 1) // size
                return jax.lax.fori_loop(first_step, stop, body, carry)
            return jax.lax.fori_loop(
                0, length, lambda i, carry: body(first_step + i, carry), carry
            )

    def _train_step(self, variables, batch, n_rows, loss_weights):
        keras = import_keras()
        trained, others, optimizer = variables

        def scaled_loss(trained):
            means, updates = self._objective(
                trained, others, batch, n_rows, loss_weights, training=True
            )
            mapping = list(zip(self._optimizer.variables, optimizer, strict=True))
            with keras.StatelessScope(mapping):
                return self._optimizer.scale_loss(means[0]), (means, updates)

        gradient = import_backend().grad(scaled_loss, has_aux=True)
        gradients, (means, updates) = gradient(trained)
        trained, optimizer = self._optimizer.stateless_apply(
            optimizer, gradients, trained
        )
        return _Variables(trained, updates, optimizer), means

    def _validate_step(self, variables, batch, n_rows, loss_weights):
        means, _ = self._objective(
            variables.trained,
            variables.others,
            batch,
            n_rows,
            loss_weights,
            training=False,
        )
        return variables, means


def _arrays(values):
    """Return new JAX arrays, which may be donated."""
    jnp = import_backend().numpy
    return [jnp.array(np.asarray(value)) for value in values]


def _copies(arrays):
    return [np.array(array) for array in arrays]
