"""Training on several devices: the ``tf.distribute`` strategy whose scope is entered.

Nothing here imports TensorFlow: without an import there is no scope.
"""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral
from typing import Any, TypeVar

from .fork import forked_after_import

Result = TypeVar("Result")

_SUPPORTED = "MirroredStrategy", "MultiWorkerMirroredStrategy", "OneDeviceStrategy"


def current_strategy() -> Any:
    """Return the strategy whose scope this thread has entered; None without one."""
    # A module that another thread is still importing does not have all attributes.
    distribute: Any = getattr(sys.modules.get("tensorflow"), "distribute", None)
    has_strategy = getattr(distribute, "has_strategy", None)
    if has_strategy is None or not has_strategy():
        return None
    return distribute.get_strategy()


def _supported_name(strategy):
    """Return the public name of a strategy's class; None if it is not supported."""
    distribute = sys.modules["tensorflow"].distribute
    names = (n for n in _SUPPORTED if isinstance(strategy, getattr(distribute, n)))
    return next(names, None)


def n_processes(strategy: Any) -> int:
    """Return the number of processes that train together."""
    n_replicas = strategy.num_replicas_in_sync
    # Other strategies, such as that outside of all scopes, have no `worker_devices`.
    return 1 if n_replicas == 1 else n_replicas // len(strategy.extended.worker_devices)


def check_strategy(method: str, random_state: Any) -> None:
    """Check that a method of an estimator can train with the current strategy.

    Parameters
    ----------
    method : str
        ``"fit"`` or ``"partial_fit"``, which trains on one device.

    random_state : object
        Parameter of the estimator.

    Raises
    ------
    RuntimeError
        If this process was forked after TensorFlow was imported.
    ValueError
        If the strategy or the method is not supported, or if the processes of the
        strategy would draw different random numbers.
    """
    strategy = current_strategy()
    if strategy is None:
        return
    name = _supported_name(strategy) or type(strategy).__name__
    remedy = f"Call {method} outside of its scope to train on one device."
    if forked_after_import():
        raise RuntimeError(
            f"{method} was called in the scope of a {name}, in a process that was "
            f"forked after TensorFlow was imported and cannot use its devices. {remedy}"
        )
    if _supported_name(strategy) is None:
        raise ValueError(
            f"{method} was called in the scope of a {name}, which is not supported. "
            f"Use a MirroredStrategy or a MultiWorkerMirroredStrategy. {remedy}"
        )
    if method == "partial_fit":
        raise ValueError(
            f"partial_fit was called in the scope of a {name}, but does not train on "
            f"several devices; fit does. {remedy}"
        )
    if n_processes(strategy) > 1 and not isinstance(random_state, Integral):
        raise ValueError(
            f"A {name} requires an int as random_state, because all its processes "
            f"must draw the same random numbers; got {random_state!r}."
        )


def outside_strategy(function: Callable[[], Result]) -> Result:
    """Call a function outside of the scope of a strategy.

    Models that it builds have their variables on one device, and other processes need
    not call it.
    """
    if current_strategy() is None:
        return function()
    with ThreadPoolExecutor(1) as pool:  # other threads have not entered the scope
        return pool.submit(function).result()
