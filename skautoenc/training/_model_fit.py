"""The second engine: Keras's own Model.fit, on the same batches."""

import numpy as np

from .._keras import isolated, load
from ._callbacks import nothing_left, passed_on
from ._losses import row_losses
from ._monitor import scale_rate
from ._rows import part_size


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
    _, keras = load()

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
        inputs = (X, *noise) if noise else X
        if not penalties:
            return inputs, targets, taken.weight
        unused = np.zeros((len(taken), 1), np.float32)
        return (
            inputs,
            (targets, *[unused] * len(penalties)),
            (taken.weight,) * (1 + len(penalties)),
        )

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

    def penalty(targets, outputs):
        return keras.ops.reshape(outputs, (-1,))

    class MeanOverRows(keras.metrics.Mean):
        """What Keras takes the mean of over batches, whatever their length."""

        def __init__(self, function):
            super().__init__("by_row")
            self._function = function

        def update_state(self, targets, outputs, sample_weight=None):
            values = self._function(targets, outputs) * sample_weight
            super().update_state(values)

    class Report(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            scale_rate(self.model.optimizer, monitor.epoch_begins(epoch))

        def on_epoch_end(self, epoch, logs=None):
            for key in [key for key in logs if key.endswith("_by_row")]:
                logs[key.replace("_by_row", "_loss")] = logs.pop(key)
            # The model itself is trained: it needs no update.
            if monitor.epoch_ended(logs, model.get_weights, lambda: None):
                self.model.stop_training = True

    if learning_rate is not None:
        optimizer.learning_rate = learning_rate
    with isolated(0):
        parts = [MeanOverRows(row_losses(loss))]
        parts += [MeanOverRows(penalty) for _ in penalties]
        model.compile(
            optimizer=optimizer,
            loss=[loss, *[penalty] * len(penalties)] if penalties else loss,
            loss_weights=[1.0, *penalties.values()] if penalties else None,
            weighted_metrics=parts if penalties else None,
        )
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
