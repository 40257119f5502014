"""The Keras engine: ``Model.fit``, one epoch at a time, on the same batches.

This module imports Keras, and is imported only when an engine is opened.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from .._backend.choice import keras_backend
from .._backend.keras import import_backend, isolated_random_state
from .._backend.keras_internals import (
    add_metric,
    distributed_batches,
    set_loss_built,
    skip_symbolic_build,
)
from .._utils.patching import patched
from .._utils.random import RandomStreams
from .config import TrainingConfig
from .interrupts import raise_if_interrupted
from .losses import (
    losses_by_name,
    regularization_losses,
    row_losses,
    target_shape,
)
from .optimizers import scale_steps
from .portions import (
    Portion,
    has_separate_targets,
    n_batches,
    portion_batches,
    training_portions,
    validation_portions,
)
from .replicas import current_replicas
from .rows import Rows, StreamedRows


class KerasEngine:
    """Trains a Keras model in place with ``Model.fit``.

    Parameters
    ----------
    model : keras.Model
        See `open_engine`.

    config : TrainingConfig
        With the Keras loss, and the batch size that is used.

    optimizer, learning_rate
        What `make_optimizer` gave.

    n_rows : int
        Number of training rows.

    callbacks : sequence of keras.callbacks.Callback
        Their batch-level methods are called. Each has a model that shares the variables
        of this one.
    """

    def __init__(
        self,
        model: Any,
        config: TrainingConfig,
        optimizer: Any,
        learning_rate: float | None,
        n_rows: int,
        callbacks: Sequence[Any],
    ):
        self._model, self._config = model, config
        self._is_scheduled = learning_rate is None
        self._callbacks = [_BatchCallbacks(callbacks)]
        self._has_trained = self._is_checked = False
        self._replicas = current_replicas()
        self._portions: dict[Any, Callable[[], Iterator[Portion]]] = {}
        self._datasets: dict[Any, Any] = {}
        n_features = int(np.prod(model.inputs[0].shape[1:]))
        self._n_per_portion = portion_batches(n_rows, config.batch_size, n_features)
        loss, n_auxiliary = config.loss, len(config.loss_weights)
        self._target_shape = target_shape(model, loss)
        with isolated_random_state(0):
            model.compile(
                optimizer=optimizer,
                loss=[loss, *[None] * n_auxiliary] if n_auxiliary else loss,
            )
            self._losses = _MeasuredLoss(
                model, loss, config.loss_weights, self._replicas is not None
            )
            model.compute_loss = self._losses.compute_loss
            add_metric(model, self._losses)
            set_loss_built(model)
            if self._replicas is not None:
                skip_symbolic_build(model)
                model.compute_metrics = self._replicas.metrics(model.compute_metrics)
            model.optimizer.build(model.trainable_variables)
            if config.step_scales is not None:
                scale_steps(model.optimizer, config.step_scales)

    @property
    def keras_optimizer(self) -> Any:
        """The optimizer of the model."""
        return self._model.optimizer

    @property
    def learning_rate(self) -> float | None:
        """The learning rate, None where it follows a schedule."""
        if self._is_scheduled:
            return None
        # Within a strategy it is a variable on several devices.
        return float(np.asarray(self._model.optimizer.learning_rate))

    @learning_rate.setter
    def learning_rate(self, learning_rate: float) -> None:
        self._model.optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> int:
        """Number of steps taken, as the optimizer counts them."""
        return int(np.asarray(self._model.optimizer.iterations))

    @iterations.setter
    def iterations(self, iterations: int) -> None:
        self._model.optimizer.iterations.assign(iterations)

    def train_epoch(
        self, rows: Rows | StreamedRows, streams: RandomStreams, epoch: int
    ) -> dict[str, float]:
        """See `Engine`."""
        self._check_processes(rows, streams)
        size, augmentation = self._portion_size, self._config.augmentation
        batches = self._batches(
            rows, lambda: training_portions(rows, size, augmentation, streams, epoch)
        )
        self._has_trained = True
        self._losses.reset_state()
        optimizer = self._model.optimizer
        # Averaged weights are only set at the end of training.
        with (
            isolated_random_state(streams.seed("layers", epoch)),
            patched(optimizer, "finalize_variable_values", lambda variables: None),
        ):
            self._model.fit(
                batches,
                initial_epoch=epoch,
                epochs=epoch + 1,
                steps_per_epoch=self._n_steps(rows),
                shuffle=False,
                callbacks=self._callbacks,
                verbose=0,
            )
        return self._losses.losses_by_name()

    def evaluate(
        self, rows: Rows | StreamedRows, streams: RandomStreams
    ) -> dict[str, float]:
        """See `Engine`."""
        self._check_processes(rows, streams)
        size, augmentation = self._portion_size, self._config.augmentation
        batches = self._batches(
            rows, lambda: validation_portions(rows, size, augmentation, streams)
        )
        # As Model.fit does, call callbacks only in evaluations after an epoch.
        callbacks = self._callbacks if self._has_trained else []
        self._losses.reset_state()
        with isolated_random_state(0):
            self._model.evaluate(
                batches, steps=self._n_steps(rows), callbacks=callbacks, verbose=0
            )
        return self._losses.losses_by_name()

    def _n_steps(self, rows):
        """Return the number of batches, None where that of the data set is known."""
        if self._replicas is None:
            return None
        return n_batches(len(rows), self._config.batch_size)

    def _check_processes(self, rows, streams):
        """Check once that other processes, if there are any, train in the same way."""
        n_processes = 1 if self._replicas is None else self._replicas.n_processes
        if n_processes == 1 or self._is_checked:
            return
        self._is_checked = True
        part = next(rows.parts(self._portion_size))
        self._replicas.check_same(
            {
                "random_state": streams.generator("shuffle").random(),
                "the number of rows": len(rows),
                "the rows": np.mean(np.abs(part.arrays()[0]), dtype=np.float64),
                "batch_size": self._config.batch_size,
                "epochs": self._config.epochs,
                "the number of steps taken": self.iterations,
                "the weights": sum(float(np.abs(w).sum()) for w in self.get_weights()),
            }
        )

    @property
    def _portion_size(self):
        return self._n_per_portion * self._config.batch_size

    def _batches(self, rows, portions):
        """Return the batches of the portions that a function returns, for `Model.fit`.

        A dataset of TensorFlow is built once, as that takes longer than training a
        small network for an epoch. A strategy may read a dataset more than once.
        """
        separate_targets = has_separate_targets(rows, self._config.augmentation)
        n = n_batches(len(rows), self._config.batch_size)
        if keras_backend() != "tensorflow":
            return _Batches(lambda: self._read_batches(portions(), separate_targets), n)
        if self._replicas is not None:
            distribute, read = self._replicas.distribute, self._read_batches
            return distributed_batches(
                lambda: distribute(read(portions(), separate_targets))
            )
        key = len(rows), separate_targets
        self._portions[key] = portions
        if key not in self._datasets:
            self._datasets[key] = self._dataset(
                lambda: self._read_batches(self._portions[key](), separate_targets), n
            )
        return self._datasets[key]

    def _dataset(self, batches, n):
        """Return a dataset of TensorFlow of the `n` batches that a function yields."""
        tf = import_backend()
        inputs = [
            tf.TensorSpec((None, *tensor.shape[1:]), tf.float32)
            for tensor in self._model.inputs
        ]
        targets = tf.TensorSpec((None, *self._target_shape), tf.float32)
        inputs = tuple(inputs) if len(inputs) > 1 else inputs[0]
        signature = inputs, targets, tf.TensorSpec((None,), tf.float32)
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.OFF
        )
        dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(n))
        return dataset.with_options(options)

    def _read_batches(self, portions, separate_targets):
        """Yield (inputs, targets, weights) of each batch."""
        row_shape, *noise_shape = (tuple(a.shape[1:]) for a in self._model.inputs)
        for portion in portions:
            n = len(portion)
            inputs = targets = np.empty((n, *row_shape), np.float32)
            if separate_targets:
                targets = np.empty((n, *self._target_shape), np.float32)
            noise = np.empty((n, *noise_shape[0]), np.float32) if noise_shape else None
            portion.read_into(inputs, targets, noise)
            for start in range(0, n, self._config.batch_size):
                batch = slice(start, start + self._config.batch_size)
                rows = inputs[batch]
                if noise is not None:
                    rows = rows, noise[batch]
                yield rows, targets[batch], portion.weight[batch]

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the model's weights."""
        return self._model.get_weights()

    def set_weights(self, weights: Sequence[np.ndarray]) -> None:
        """Continue from these weights."""
        self._model.set_weights(weights)

    snapshot, restore = get_weights, set_weights

    def get_state(self) -> dict[str, list[np.ndarray]]:
        """Return copies of the variables of the model and of the optimizer."""
        return {
            "variables": [v.numpy() for v in self._variables()],
            "optimizer": [v.numpy() for v in self._model.optimizer.variables],
        }

    def set_state(self, state: dict[str, list[np.ndarray]]) -> None:
        """Continue from what `get_state` gave."""
        pairs = (
            (self._variables(), state["variables"]),
            (self._model.optimizer.variables, state["optimizer"]),
        )
        for variables, values in pairs:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _variables(self):
        """The weights and the seeds of random layers, without what measures losses."""
        metrics = {id(v) for metric in self._model.metrics for v in metric.variables}
        return [v for v in self._model.variables if id(v) not in metrics]

    def finalize(self) -> None:
        """Set the averaged weights, if the optimizer averages weights."""
        self._model.optimizer.finalize_variable_values(self._model.trainable_variables)


class _Batches(keras.utils.PyDataset):
    """The `n` batches that a function yields, which Keras asks for in this order."""

    def __init__(self, batches, n):
        super().__init__()
        self._batches, self._n = batches, n

    def __len__(self):
        return self._n

    def __getitem__(self, i):
        if i == 0:
            self._remaining = self._batches()
        return next(self._remaining)


class _MeasuredLoss(keras.metrics.Metric):
    """The loss of a model as it is trained, and the mean of each of its parts.

    As a metric of the model, JAX can change its variables within a compiled step. If it
    is distributed, `sample_weight` has the columns that `Replicas` gives it.
    """

    def __init__(self, model, loss, loss_weights, is_distributed):
        super().__init__()
        self._model, self._loss_weights = model, loss_weights
        self._is_distributed = is_distributed
        self._loss = loss if isinstance(loss, keras.losses.Loss) else FunctionLoss(loss)
        self._row_losses = row_losses(loss)
        self._totals = self.add_variable((4 + len(loss_weights),), "zeros")
        self._count = self.add_variable((), "zeros")
        self._has_regularization = [False, False]

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Return the loss of a batch; see ``keras.Model.compute_loss``."""
        n_rows = ops.shape(y)[0]
        if self._is_distributed:
            sample_weight, shares = ops.unstack(sample_weight, axis=1)
            n_rows = ops.count_nonzero(shares)
        outputs, *auxiliary = keras.tree.flatten(y_pred)
        outputs = ops.cast(outputs, "float32")
        parts = [ops.mean(self._row_losses(y, outputs) * sample_weight)]
        regularization, exist = regularization_losses(self._model, self._model.losses)
        # Keras also calls this while it builds, when there are no such losses.
        self._has_regularization = np.logical_or(self._has_regularization, exist)
        parts += regularization
        parts += [ops.mean(ops.reshape(a, (-1,)) * sample_weight) for a in auxiliary]
        factors = [1.0, 1.0, 1.0, *self._loss_weights.values()]
        total = [factor * part for factor, part in zip(factors, parts, strict=True)]
        self.update_state([sum(total), *parts], n_rows)
        if self._is_distributed:  # Keras adds up the losses of replicas
            return ops.sum(shares) * sum(total)
        reconstruction = ops.cast(self._loss(y, outputs, sample_weight), "float32")
        return reconstruction + sum(total[1:])

    def update_state(self, values, n_rows):
        """Add the losses of a batch."""
        n_rows = ops.cast(n_rows, "float32")
        self._totals.assign_add(ops.stack(values) * n_rows)
        self._count.assign_add(n_rows)

    def result(self):
        """Return nothing for the logs of Keras."""
        return {}

    def losses_by_name(self):
        """Return the mean losses since `reset_state` by name."""
        values = np.asarray(self._totals) / np.asarray(self._count)
        return losses_by_name(values, self._has_regularization, self._loss_weights)


class FunctionLoss(keras.losses.Loss):
    """The mean of a function over rows, as Keras takes it of its losses."""

    def __init__(self, function):
        super().__init__()
        self._function = function

    def call(self, y_true, y_pred):
        return self._function(y_true, y_pred)


class _BatchCallbacks(keras.callbacks.Callback):
    """Calls the batch-level methods of callbacks.

    Stops where one of them or Ctrl-C asks for it.
    """

    def __init__(self, callbacks):
        super().__init__()
        self._callbacks = callbacks

    def _call(self, method, batch, logs):
        if self._callbacks:
            model = self.model  # on JAX, gives it the weights of the step
            for callback in self._callbacks:
                getattr(callback, method)(batch, logs=logs)
                model.stop_training |= callback.model.stop_training
        raise_if_interrupted()

    def on_train_batch_begin(self, batch, logs=None):
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch, logs=None):
        self._call("on_train_batch_end", batch, logs)

    def on_test_batch_begin(self, batch, logs=None):
        self._call("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch, logs=None):
        self._call("on_test_batch_end", batch, logs)
