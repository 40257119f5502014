"""Callbacks of scikit-learn, as a hook of the epoch loop."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .loop import Hook, Run


class SklearnCallbacks(Hook):
    """Calls scikit-learn's callbacks in each epoch, and stops if one returns True.

    The repetition of a training on all rows is not stopped.

    Parameters
    ----------
    estimator : object
    task : sklearn.callback.CallbackContext
        Of the fit. Each epoch is a subtask, whose `task_id` is the number of the epoch.

    data : mapping of str to object
        The training data, as callbacks are given them.

    reconstruction_attributes : callable
        ``(weights) -> dict``: the fitted attributes of an estimator with these weights,
        as the engine's ``get_weights`` gives them.

    repeats : bool, default=False
        Whether the training is the repetition on all rows.
    """

    def __init__(
        self,
        estimator: Any,
        task: Any,
        data: Mapping[str, Any],
        reconstruction_attributes: Callable[[Sequence[np.ndarray]], dict[str, Any]],
        repeats: bool = False,
    ):
        self._estimator, self._task, self._data = estimator, task, data
        self._reconstruction_attributes = reconstruction_attributes
        self._repeats, self._n_epochs = repeats, 0

    def for_all_rows(self) -> "SklearnCallbacks":
        """See `Hook`."""
        arguments = self._estimator, self._task, self._data
        return SklearnCallbacks(
            *arguments, self._reconstruction_attributes, repeats=True
        )

    def on_epoch_begin(self, run: Run) -> None:
        # After a resumption, those before have been tasks of another process.
        while self._n_epochs <= run.state.epoch:
            name = "epoch on all rows" if self._repeats else "epoch"
            self._epoch = self._task.subcontext(task_name=name)
            self._n_epochs += 1
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        def attributes():
            return self._reconstruction_attributes(run.engine.get_weights())

        stop = self._epoch.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=attributes,
            **self._data,
        )
        if stop and not self._repeats:
            run.stop("a scikit-learn callback")
