"""The task of a fit, as scikit-learn's callbacks are given it."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .._training import SklearnCallbacks
from .._utils.sklearn_compat import init_callback_context


class FitTask:
    """Calls scikit-learn's callbacks at the begin and the end of a fit.

    Callbacks that compute scores need targets, which of an autoencoder are the rows.

    Parameters
    ----------
    estimator : BaseAutoencoder
    X, y : object
        As the fit was given them.
    """

    def __init__(self, estimator: Any, X: Any, y: Any):
        self._estimator = estimator
        self._data = {"X": X, "y": X if y is None else y}
        self._context: Any = None

    def begin(self, n_epochs: int) -> None:
        """Begin the fit, which has at most so many epochs."""
        self._context = init_callback_context(self._estimator, n_epochs)
        self._context.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def epochs(
        self, attributes: Callable[[Sequence[np.ndarray]], dict[str, Any]]
    ) -> SklearnCallbacks:
        """Return the hook of the epochs; for `attributes` see `SklearnCallbacks`."""
        return SklearnCallbacks(self._estimator, self._context, self._data, attributes)

    def end(self, attributes: Any) -> None:
        """End the fit, after which a copy of the estimator has these attributes.

        Parameters
        ----------
        attributes : dict or callable
            A callable returns the dict. Attributes that the estimator has need not be
            given.
        """
        self._context.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=attributes,
            **self._data,
        )
