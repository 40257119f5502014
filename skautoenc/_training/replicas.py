"""Batches that are distributed to the replicas of a strategy, one on each device."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from .._backend.keras import import_backend
from .._backend.strategy import current_strategy, n_processes


def current_replicas() -> "Replicas | None":
    """Return the replicas of the strategy whose scope is entered, if it has several."""
    strategy = current_strategy()
    if strategy is None or strategy.num_replicas_in_sync == 1:
        return None
    return Replicas(strategy)


class Replicas:
    """The replicas that train together, of which some belong to this process.

    Each replica takes an equal part of the rows of a batch, up to one row. Its losses
    are multiplied by its share of the rows, so that their sum is the loss of the batch.

    Parameters
    ----------
    strategy : tf.distribute.Strategy

    Attributes
    ----------
    n_processes : int
        Number of processes that train together.
    """

    def __init__(self, strategy: Any):
        self._strategy, self._n = strategy, strategy.num_replicas_in_sync
        self.n_processes = n_processes(strategy)

    def distribute(self, batches: Iterable[tuple]) -> Iterator[Any]:
        """Yield what the replicas of this process take of each batch.

        Parameters
        ----------
        batches : iterable of (inputs, targets, weights)
            Inputs are an array or a tuple of arrays, and weights of shape (n,). The
            replicas get weights of shape (n_replica, 2), whose second column are the
            shares of the rows in the batch.
        """
        tf = import_backend()
        distributed = self._strategy.experimental_distribute_values_from_function
        for batch in batches:
            parts = self._parts(*batch)
            yield distributed(
                lambda context, parts=parts: tf.nest.map_structure(
                    tf.convert_to_tensor, parts[context.replica_id_in_sync_group]
                )
            )

    def _parts(self, inputs, targets, weight):
        """Return the part of each replica.

        A batch with fewer rows than replicas is filled up with copies without a share.
        """
        n = len(weight)
        rows = np.arange(max(n, self._n))
        share = np.where(rows < n, 1 / n, 0.0)
        weight = np.column_stack([weight[rows % n], share]).astype(np.float32)
        return [
            (_take(inputs, part % n), targets[part % n], weight[part])
            for part in np.array_split(rows, self._n)
        ]

    def metrics(self, compute_metrics: Callable) -> Callable:
        """Return a method of a model whose results can be reduced over processes.

        Keras takes their mean over an axis, which they do not have.
        """
        if self.n_processes == 1:
            return compute_metrics
        tf = import_backend()

        def with_axis(*args, **kwargs):
            values = compute_metrics(*args, **kwargs)
            return {name: tf.reshape(value, [1]) for name, value in values.items()}

        return with_axis

    def check_same(self, values: Mapping[str, float]) -> None:
        """Check that the processes train in the same way.

        Parameters
        ----------
        values : dict of str to float
            Numbers of this process, by what they describe.

        Raises
        ------
        ValueError
            If they differ from those of another process by more than rounding errors.
        """
        tf = import_backend()
        row = tf.constant([list(values.values())], tf.float64)
        rows = self._strategy.experimental_distribute_values_from_function(
            lambda context: row
        )
        found = self._strategy.gather(rows, axis=0).numpy()
        same = np.isclose(found, found[0], rtol=1e-4, equal_nan=True).all(axis=0)
        different = [name for name, s in zip(values, same, strict=True) if not s]
        if different:
            raise ValueError(
                "The processes of a MultiWorkerMirroredStrategy differ in "
                f"{' and in '.join(different)}. Call fit with the same parameters and "
                "the same rows in each process: batches are divided among them."
            )


def _take(inputs, rows):
    if isinstance(inputs, tuple):
        return tuple(array[rows] for array in inputs)
    return inputs[rows]
