"""The second engine: Keras's own Model.fit, on the same batches."""

import numpy as np

from .._backend.keras import isolated, load
from .callbacks import nothing_left, passed_on
from .losses import losses_by_name, regularization_losses, row_losses
from .monitor import scale_rate
from .rows import part_size


def train_with_model_fit(
    model,
    rows,
    *,
    loss,
    optimizer,
    learning_rate,
    batch_size,
    epochs,
    validation,
    corrupt,
    penalties,
    callbacks,
    shown,
    monitor,
    draws,
    validation_seed,
    rng,
):
    """Train `model` with ``Model.fit``; see `train` for the contract."""
    tf, keras = load()

    def batch(taken, rng):
        shape = (len(taken), *model.inputs[0].shape[1:])
        targets = np.empty(shape, np.float32)
        own_targets = corrupt is not None or rows.targets is not None
        X = np.empty_like(targets) if own_targets else targets
        taken.copy_to(X, targets, corrupt, rng)
        noise = [
            rng.standard_normal((len(taken), *tensor.shape[1:]), np.float32)
            for tensor in model.inputs[1:]
        ]
        return (X, *noise) if noise else X, targets, taken.weight

    def shuffled():
        while True:  # a strategy reads ahead, beyond the last epoch
            n = part_size(batch_size, int(np.prod(model.inputs[0].shape[1:])))
            for part in rows.parts(n, rng):
                for start in range(0, len(part), batch_size):
                    yield batch(part.take(slice(start, start + batch_size)), draws)

    class InOrder(keras.utils.PyDataset):
        def __len__(self):
            return -(-len(validation) // batch_size)

        def __getitem__(self, step):
            # Keras asks for the batches in order, and for the first one twice.
            if step == 0:
                self._draws = np.random.default_rng(validation_seed)
            start = step * batch_size
            stop = min(start + batch_size, len(validation))
            return batch(validation.take(np.arange(start, stop)), self._draws)

    class Mean(keras.losses.Loss):
        """The mean of a function over rows, as Keras takes it of its own losses."""

        def call(self, targets, outputs):
            return loss(targets, outputs)

    error = loss if isinstance(loss, keras.losses.Loss) else Mean()
    means = [keras.metrics.Mean() for _ in range(4 + len(penalties))]
    by_row = row_losses(loss)
    regularizes = [False, False]

    def compute_loss(x=None, y=None, y_pred=None, sample_weight=None, training=True):
        outputs, *others = tf.nest.flatten(y_pred)
        outputs = tf.cast(outputs, tf.float32)
        parts = [tf.reduce_mean(by_row(y, outputs) * sample_weight)]
        regularization, exist = regularization_losses(model, model.losses)
        regularizes[:] = np.logical_or(regularizes, exist)  # Keras also builds without
        parts += regularization
        parts += [tf.reduce_mean(tf.reshape(a, [-1]) * sample_weight) for a in others]
        factors = [1.0, 1.0, 1.0, *penalties.values()]
        total = [factor * part for factor, part in zip(factors, parts, strict=True)]
        for mean, value in zip(means, [tf.add_n(total), *parts], strict=True):
            mean.update_state(value, sample_weight=tf.shape(y)[0])
        share = 1 / tf.distribute.get_strategy().num_replicas_in_sync
        added = share * tf.add_n(total[1:])
        return tf.cast(error(y, outputs, sample_weight), tf.float32) + added

    def take_means():
        """The losses since this was last called."""
        values = [mean.result() for mean in means]
        for mean in means:
            mean.reset_state()
        return losses_by_name(values, regularizes, penalties)

    class Report(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            take_means()
            scale_rate(self.model.optimizer, monitor.epoch_begins(epoch))

        def on_test_begin(self, logs=None):
            self._losses = take_means()

        def on_epoch_end(self, epoch, logs=None):
            losses = take_means()
            if validation is not None:
                losses = {f"val_{name}": value for name, value in losses.items()}
                losses = {**self._losses, **losses}
            logs |= losses
            # The model itself is trained: it needs no update.
            if monitor.epoch_ended(losses, model.get_weights, lambda: None):
                self.model.stop_training = True

    if learning_rate is not None:
        optimizer.learning_rate = learning_rate
    with isolated(0):
        model.compile(
            optimizer=optimizer,
            loss=[loss, *[None] * len(penalties)] if penalties else loss,
        )
        model.compute_loss = compute_loss
        if validation is not None and monitor.compares_start:
            losses = model.evaluate(InOrder(), verbose=0, return_dict=True)
            monitor.started(losses["loss"], model.get_weights)
        model.fit(
            shuffled(),
            steps_per_epoch=-(-len(rows) // batch_size),
            epochs=epochs,
            validation_data=None if validation is None else InOrder(),
            shuffle=False,
            callbacks=[Report(), *passed_on(callbacks, model, shown)],
            verbose=0,
        )
    if not monitor.history:
        raise nothing_left(epochs, epochs)
    if monitor.best_state is not None:
        model.set_weights(monitor.best_state)
