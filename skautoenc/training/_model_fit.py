"""The second engine: Keras's own Model.fit, on the same batches."""

import numpy as np

from .._keras import isolated, load


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
    callbacks,
    monitor,
    rng,
):
    """Train `model` with ``Model.fit``; see `train` for the contract."""
    _, keras = load()

    def batch(rows, positions):
        taken = rows.take(positions)
        X = np.empty((len(taken), *taken.X.shape[1:]), np.float32)
        taken.copy_to(X)
        return X, X, taken.weight

    def shuffled():
        for _ in range(epochs):
            order = rng.permutation(len(rows))
            for start in range(0, len(rows), batch_size):
                yield batch(rows, order[start : start + batch_size])

    class InOrder(keras.utils.PyDataset):
        def __len__(self):
            return -(-len(validation) // batch_size)

        def __getitem__(self, step):
            start = step * batch_size
            stop = min(start + batch_size, len(validation))
            return batch(validation, np.arange(start, stop))

    class Report(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            monitor.epoch_begins()

        def on_epoch_end(self, epoch, logs=None):
            # The model itself is trained: it needs no update.
            if monitor.epoch_ended(logs, model.get_weights, lambda: None):
                self.model.stop_training = True

    if learning_rate is not None:
        optimizer.learning_rate = learning_rate
    with isolated(0):
        model.compile(optimizer=optimizer, loss=loss)
        model.fit(
            shuffled(),
            steps_per_epoch=-(-len(rows) // batch_size),
            epochs=epochs,
            validation_data=None if validation is None else InOrder(),
            shuffle=False,
            callbacks=[Report(), *callbacks],
            verbose=0,
        )
    if monitor.best_state is not None:
        model.set_weights(monitor.best_state)
