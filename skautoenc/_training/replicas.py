"""Batches that are distributed to the replicas of a strategy, one on each device."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .._backend.keras import import_keras
from .._backend.strategy import n_processes


class Replicas:
    """The replicas that train together, of which some belong to this process.

    Each replica takes an equal part of the rows of a batch, up to one row. Its losses
    are multiplied by its share of the rows, so that their sum is the loss of the batch.

    Parameters
    ----------
    strategy : tf.distribute.Strategy

    Attributes
    ----------
    n : int
        Number of replicas in all processes.
    """

    def __init__(self, strategy: Any):
        self._strategy = strategy
        self.n = strategy.num_replicas_in_sync

    def dataset(
        self, make: Callable[[Callable[[Iterable], Iterator], int], Any]
    ) -> Any:
        """Return a data set that gives each replica its part of each batch.

        Parameters
        ----------
        make : callable
            Called as ``make(split, n_parts)`` and returns the data set of this process:
            ``split(batches)`` yields `n_parts` parts of each batch.
        """

        def of_process(context):
            n_parts = self.n // context.num_input_pipelines
            first = context.input_pipeline_id * n_parts

            def split(batches):
                for batch in batches:
                    yield from self._parts(*batch)[first : first + n_parts]

            return make(split, n_parts)

        return self._strategy.distribute_datasets_from_function(of_process)

    def _parts(self, inputs, targets, weight):
        """Return the part of each replica, with its rows' shares beside their weights.

        A batch with fewer rows than replicas is filled up with copies without a share.
        """
        n = len(weight)
        rows = np.arange(max(n, self.n))
        share = np.where(rows < n, 1 / n, 0.0)
        weight = np.column_stack([weight[rows % n], share]).astype(np.float32)
        return [
            (_take(inputs, part % n), targets[part % n], weight[part])
            for part in np.array_split(rows, self.n)
        ]

    def check_same(self, values: dict[str, float]) -> None:
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
        if n_processes(self._strategy) == 1:
            return
        tf, _ = import_keras()
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
