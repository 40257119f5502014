"""Callbacks of scikit-learn, as a hook of the epoch loop."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .loop import Hook, Run


class SklearnCallbacks(Hook):
    """Tells scikit-learn's callbacks of each epoch, and stops where one asks for it.

    Parameters
    ----------
    estimator : object
    task : sklearn.callback.CallbackContext
        Of the fit.

    data : mapping of str to object
        The training data, as callbacks are given them.

    reconstruction_attributes : callable
        ``(weights) -> dict``: the fitted attributes of an estimator with these weights,
        as the engine's ``get_weights`` gives them.
    """

    def __init__(
        self,
        estimator: Any,
        task: Any,
        data: Mapping[str, Any],
        reconstruction_attributes: Callable[[Sequence[np.ndarray]], dict[str, Any]],
    ):
        self._estimator, self._task, self._data = estimator, task, data
        self._reconstruction_attributes = reconstruction_attributes

    def on_epoch_begin(self, run: Run) -> None:
        self._epoch = self._task.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        def attributes():
            return self._reconstruction_attributes(run.engine.get_weights())

        stop = self._epoch.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=attributes,
            **self._data,
        )
        if stop:
            run.stop("a scikit-learn callback")
