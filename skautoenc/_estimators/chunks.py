"""What `partial_fit` needs besides the fit of a chunk."""

import operator
from numbers import Integral
from typing import Any, NamedTuple

from .._backend.choice import backend_library
from .._backend.fork import forked_after_import
from .._backend.worker import run_in_subprocess
from .._fit.partial import Progress, Session, Start, fit_chunk, session_rows
from .._fit.trainable import needs_keras
from .._fit.values import FitData, FitOptions


class LiveSession(NamedTuple):
    """The session of the last call, and the parameters that it was opened with."""

    session: Session
    parameters: list[Any]


def parameter_values(estimator: Any) -> list[Any]:
    """Return the values of the parameters of an estimator."""
    return [getattr(estimator, name) for name in estimator._parameter_constraints]


def live_session(estimator: Any) -> LiveSession | None:
    """Return the session of the last call, unless a parameter has changed."""
    live = vars(estimator).get("_live")
    if live is None or not all(
        map(operator.is_, parameter_values(estimator), live.parameters)
    ):
        return None
    return live


def check_takes_chunks(estimator: Any) -> None:
    """Raise an AttributeError if an estimator does not have `partial_fit`."""
    if estimator.early_stopping is True:
        raise AttributeError(
            f"This {type(estimator).__name__!r} has no attribute 'partial_fit', which "
            "does not support early_stopping=True: a chunk is visited once, and there "
            "is no validation set. Set early_stopping=False, or call fit."
        )


def check_partial_fit_parameters(estimator: Any) -> None:
    """Raise a ValueError if a parameter is not supported by `partial_fit`."""
    n_components = estimator.n_components
    if n_components is not None and not isinstance(n_components, Integral):
        raise ValueError(
            f"partial_fit does not support n_components={n_components}: a share of "
            "the variance can be computed from all rows only. Give a number of "
            "components."
        )
    if getattr(estimator, "one_hot_groups", None) is not None:
        raise ValueError(
            "partial_fit does not support one_hot_groups: the share of each category "
            "can be computed from all rows only. Use fit, or set one_hot_groups=None."
        )


def fit_chunk_anywhere(
    data: FitData,
    options: FitOptions,
    progress: Progress | Start,
    session: Session | None,
) -> tuple[Progress, dict[str, float], Session | None]:
    """Call `fit_chunk`, in a subprocess if this process cannot run Keras.

    There is no session then.

    Raises
    ------
    RuntimeError
        If there are Keras callbacks, which are not supported in the subprocess.
    """
    n_rows = session_rows(data.X.shape[0], progress)
    if forked_after_import() and needs_keras(data, options, progress.streams, n_rows):
        if options.callbacks:
            raise RuntimeError(
                f"callbacks: this process was forked after {backend_library()} was "
                "imported, so partial_fit runs in a subprocess, where callbacks are "
                "not supported. Start processes with the 'spawn' method or with joblib."
            )
        result = run_in_subprocess(_fit_chunk, data, options, progress)
        return *result, None
    return fit_chunk(data, options, progress, session)


def _fit_chunk(data, options, progress):
    """Return what of `fit_chunk` can be copied from another process."""
    progress, losses, _ = fit_chunk(data, options, progress)
    return progress, losses


def print_losses(n_iter: int, losses: dict[str, float]) -> None:
    """Print the losses of a chunk."""
    line = "  ".join(f"{name} {loss:.5f}" for name, loss in losses.items())
    print(f"Chunk {n_iter}  {line}", flush=True)
