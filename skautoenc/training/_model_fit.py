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

    class Batches(keras.utils.PyDataset):
        def __init__(self, rows, orders):
            super().__init__()
            self._rows, self._orders = rows, orders
            self.on_epoch_end()

        def on_epoch_end(self):
            self._order = next(self._orders)

        def __len__(self):
            return -(-len(self._rows) // batch_size)

        def __getitem__(self, step):
            batch = self._rows.take(self._order[step * batch_size :][:batch_size])
            X = np.empty((len(batch), *batch.X.shape[1:]), np.float32)
            batch.copy_to(X)
            return X, X, batch.weight

    class Report(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            monitor.epoch_begins()

        def on_epoch_end(self, epoch, logs=None):
            if monitor.epoch_ended(logs, self.model.get_weights):
                self.model.stop_training = True

    def shuffled():
        for _ in range(epochs):
            yield rng.permutation(len(rows))
        yield None  # Keras asks once more, after the last epoch

    def in_order():
        while True:
            yield np.arange(len(validation))

    if learning_rate is not None:
        optimizer.learning_rate = learning_rate
    with isolated(int(rng.integers(2**32))):
        model.compile(optimizer=optimizer, loss=loss)
        model.fit(
            Batches(rows, shuffled()),
            epochs=epochs,
            validation_data=(
                None if validation is None else Batches(validation, in_order())
            ),
            callbacks=[Report(), *callbacks],
            shuffle=False,
            verbose=0,
        )
