"""Arrays whose chunks of rows are computed by Dask, here or on a cluster.

Dask is imported by whoever made the collections, never by this package.
"""

from __future__ import annotations

import contextvars
import operator
import pickle
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

import cloudpickle
import numpy as np

# Tasks are computed together until their results have so many bytes, as each request
# to a cluster takes some milliseconds. So many requests are made at once, and so many
# bytes ahead.
_REQUEST_BYTES, _N_REQUESTS, _AHEAD_BYTES = 2**24, 2, 2**26


def is_dask_collection(value: Any) -> bool:
    """Whether a value is a Dask collection."""
    dask = sys.modules.get("dask")
    return dask is not None and bool(dask.is_dask_collection(value))


@dataclass(frozen=True)
class ChunkedArray:
    """An array whose chunks of rows are computed when they are read.

    Parameters
    ----------
    chunks : tuple of dask.delayed.Delayed
        Give {ndarray, CSR matrix, data frame}, which are not empty.

    lengths : tuple of int
        Number of rows of each chunk.

    empty : {ndarray, CSR matrix, data frame}
        No rows, of the type and the width of the chunks.
    """

    chunks: tuple[Any, ...]
    lengths: tuple[int, ...]
    empty: Any

    @classmethod
    def of_vector(cls, vector: np.ndarray, lengths: Sequence[int]) -> Self:
        """Return an array in memory, cut into chunks of these lengths."""
        delayed = sys.modules["dask"].delayed
        parts = np.split(vector, np.cumsum(lengths)[:-1])
        chunks = tuple(delayed(part, traverse=False) for part in parts)
        return cls(chunks, tuple(lengths), vector[:0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, with the rows of all chunks."""
        return (sum(self.lengths), *self.empty.shape[1:])

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.empty.shape)

    @property
    def dtype(self) -> np.dtype:
        """Data type."""
        return self.empty.dtype

    def map(self, function: Callable[[Any], Any], empty: Any) -> ChunkedArray:
        """Return the array of what a function makes of each chunk.

        Parameters
        ----------
        function : callable
        empty : {ndarray, CSR matrix}
            What it makes of `empty`.
        """
        task = to_task(function)
        chunks = tuple(call(task, chunk) for chunk in self.chunks)
        return ChunkedArray(chunks, self.lengths, empty)

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """Yield the rows of each chunk, and the chunk."""
        stops = np.cumsum(self.lengths).tolist()
        width = int(np.prod(self.shape[1:]))
        chunks = compute_ahead(self.chunks, [4 * width * n for n in self.lengths])
        for length, stop, chunk in zip(self.lengths, stops, chunks, strict=True):
            yield slice(stop - length, stop), chunk


class _Portable:
    """A value whose pickle imports the whole package before a module of it.

    Workers of Dask unpickle in several threads. One that imports a module would wait
    for the package, and another one that imports the package for the module.

    Parameters
    ----------
    value : object
        If it is a function, it is called with the values of other objects, and the
        result is one if its class is one of this package.
    """

    __module__ = "skautoenc"

    def __init__(self, value: Any):
        self.value = value

    def __call__(self, *arguments: Any) -> Any:
        result = self.value(*map(_value, arguments))
        is_ours = type(result).__module__.split(".")[0] == "skautoenc"
        return _Portable(result) if is_ours else result


def _value(result):
    return result.value if isinstance(result, _Portable) else result


def to_task(function: Callable[..., Any]) -> Any:
    """Return a function as a task, whose result each worker gets once.

    The function is pickled now. Objects that it holds may change later, and the
    scheduler does not need the packages that it uses.
    """
    data = cloudpickle.dumps(_Portable(function))
    return sys.modules["dask"].delayed(pickle.loads, pure=True)(data)


def call(task: Any, *arguments: Any) -> Any:
    """Return the call of a function, which `to_task` gave, as a task."""
    delayed = sys.modules["dask"].delayed
    return delayed(operator.call, pure=True, traverse=False)(task, *arguments)


def compute(tasks: Sequence[Any]) -> tuple[Any, ...]:
    """Compute tasks together.

    Raises
    ------
    ModuleNotFoundError
        If a worker of the cluster lacks this package.
    """
    try:
        results = sys.modules["dask"].compute(*tasks, traverse=False)
    except ModuleNotFoundError as error:
        if (error.name or "skautoenc").split(".")[0] != "skautoenc":
            raise
        raise ModuleNotFoundError(
            f"A worker of the Dask cluster cannot import skautoenc: {error}. Install "
            "it on all workers, in the version that is used here.",
            name="skautoenc",
        ) from error
    return tuple(map(_value, results))


def compute_ahead(tasks: Sequence[Any], sizes: Sequence[float]) -> Iterator[Any]:
    """Yield the results of tasks in order, while the next ones are computed.

    Parameters
    ----------
    tasks : sequence of dask.delayed.Delayed
    sizes : sequence of float
        Bytes of each result.
    """
    starts = np.cumsum([0, *sizes])[:-1]
    requests: dict[float, list[Any]] = {}
    for start, task in zip(starts.tolist(), tasks, strict=True):
        requests.setdefault(start // _REQUEST_BYTES, []).append(task)
    n_ahead = max(_N_REQUESTS, int(_AHEAD_BYTES // max(_REQUEST_BYTES, *sizes)))
    pending: deque[Any] = deque()
    pool = ThreadPoolExecutor(_N_REQUESTS)
    try:
        for request in requests.values():
            # The client of a cluster may be that of this context.
            context = contextvars.copy_context()
            pending.append(pool.submit(context.run, compute, request))
            if len(pending) > n_ahead:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def reduce_tasks(tasks: Sequence[Any], merge: Callable[[Any, Any], Any]) -> Any:
    """Compute tasks, and merge their results in pairs, where they were computed.

    Pairs do not depend on the order in which tasks end, and so the result does not.
    """
    merging, tasks = to_task(merge), list(tasks)
    while len(tasks) > 1:
        pairs = [tasks[i : i + 2] for i in range(0, len(tasks), 2)]
        tasks = [call(merging, *p) if len(p) == 2 else p[0] for p in pairs]
    return compute(tasks)[0]


def reduce_chunks(
    function: Callable[..., Any],
    merge: Callable[[Any, Any], Any],
    *arrays: ChunkedArray | None,
) -> Any:
    """Return the merged results of a function of the chunks of arrays of equal lengths.

    Parameters
    ----------
    function : callable
        Called with a chunk of each array, None for None.

    merge : callable
        Merges two results.

    *arrays : ChunkedArray or None
    """
    task = to_task(function)
    return reduce_tasks([call(task, *c) for c in chunks_together(*arrays)], merge)


def chunks_together(*arrays: ChunkedArray | None) -> list[tuple[Any, ...]]:
    """Return the chunks of arrays of equal lengths, one of each array at a time."""
    n = next(len(array.chunks) for array in arrays if array is not None)
    columns = [[None] * n if a is None else a.chunks for a in arrays]
    return list(zip(*columns, strict=True))
