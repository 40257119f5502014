"""Methods of fitted estimators that are lazy for Dask collections."""

from __future__ import annotations

import copy
import functools
import inspect
import operator
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._utils.chunked import is_dask_collection, to_task
from .._utils.sklearn_compat import _get_output_config
from .dask_input import check_collection, empty_rows, is_frame

Estimator = TypeVar("Estimator")

# Parameters that only `fit` uses, and that may hold objects of Keras or of the user.
_OF_FIT = {"callbacks", "checkpoint", "learning_rate", "loss", "network", "optimizer"}


class Output(NamedTuple):
    """What a method returns for a row: the shape and the type of its values."""

    shape: tuple[int, ...]
    dtype: Any


def lazy_for_dask(
    **outputs: Callable[..., Output],
) -> Callable[[type[Estimator]], type[Estimator]]:
    """Return a class decorator that makes methods lazy for Dask collections.

    The method is then called on each chunk, when the result is computed. The decorator
    is one of the class, so that it is around what scikit-learn adds to `transform`.

    Parameters
    ----------
    **outputs : callable
        For each method, called as ``output(estimator, rows, **options)``, where `rows`
        are no rows, of the type and the width of the collection. Raises an error if
        the method does not take such rows.
    """

    def decorate(cls):
        for name, output in outputs.items():
            setattr(cls, name, _lazy(vars(cls)[name], name, output))
        return cls

    return decorate


def _lazy(method, name, output):
    """Return a method that is lazy for Dask collections."""
    argument = list(inspect.signature(method).parameters)[1]

    @functools.wraps(method)
    def lazy(self, *args, **options):
        X = args[0] if args else options.get(argument)
        if not is_dask_collection(X):
            return method(self, *args, **options)
        options.pop(argument, None)
        check_is_fitted(self)
        check_collection(argument, X)
        of_row = output(self, empty_rows(X), **options)
        if name == "transform" and _returns_frames(self):
            return _map_to_frames(self, name, X, of_row, options)
        return _map_to_array(self, name, X, of_row, options)

    return lazy


def _map_to_array(estimator, name, X, of_row, options):
    """Return a Dask array of what a method gives for the chunks of a collection."""
    empty = np.empty((0, *of_row.shape), of_row.dtype)
    task = _chunk_task(estimator, name, options, empty)
    if is_frame(X):
        dataframe = sys.modules["dask.dataframe"]
        return dataframe.map_partitions(operator.call, task, X, meta=empty)
    indices = tuple(range(X.ndim))
    added = {X.ndim + i: size for i, size in enumerate(of_row.shape)}
    return sys.modules["dask.array"].blockwise(
        operator.call,
        (0, *added),
        task,
        None,
        X,
        indices,
        new_axes=added,
        dtype=empty.dtype,
        meta=empty,
    )


def _map_to_frames(estimator, name, X, of_row, options):
    """Return a Dask data frame of what a method gives for the chunks."""
    names = estimator.get_feature_names_out()
    if not is_frame(X):
        array = _map_to_array(estimator, name, X, of_row, options)
        return array.to_dask_dataframe(columns=list(names))
    values = np.empty((0, *of_row.shape), of_row.dtype)
    pandas, index = sys.modules["pandas"], empty_rows(X).index
    empty = pandas.DataFrame(values, columns=names, index=index)
    task = _chunk_task(estimator, name, options, empty)
    dataframe = sys.modules["dask.dataframe"]
    return dataframe.map_partitions(operator.call, task, X, meta=empty)


def _returns_frames(estimator):
    """Whether `transform` returns data frames."""
    container = _get_output_config("transform", estimator)["dense"]
    if container not in ("default", "pandas"):
        raise ValueError(
            f"transform of a Dask collection cannot return {container} data frames. "
            "Call set_output(transform='pandas') or set_output(transform='default')."
        )
    return container == "pandas"


def _chunk_task(estimator, name, options, empty):
    """Return a method as a task, which holds the estimator as it is now."""
    served = copy.copy(estimator)
    for parameter in _OF_FIT & vars(served).keys():
        setattr(served, parameter, getattr(type(served), parameter, None))
    vars(served).pop("_training", None)
    return to_task(functools.partial(_call, served, name, options, empty))


def _call(estimator, name, options, empty, chunk):
    """Return what a method gives for a chunk, in the type of `empty`."""
    while isinstance(chunk, list):  # as there is one chunk along the features
        (chunk,) = chunk
    if chunk.shape[0] == 0:
        return empty
    result = getattr(estimator, name)(chunk, **options)
    if isinstance(empty, np.ndarray):
        return np.asarray(result, empty.dtype)
    return result
