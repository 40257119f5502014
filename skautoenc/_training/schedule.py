"""Learning rates that change once per epoch, and their repetition."""

import math
from collections.abc import Sequence
from typing import Any

from .loop import Hook, Run

# Share of the epochs in which the learning rate increases.
_WARMUP = 0.05


class CosineSchedule(Hook):
    """Increases the learning rate linearly, and anneals it to zero along a cosine.

    An optimizer with a schedule is left as it is. I. Loshchilov, F. Hutter, "SGDR:
    Stochastic Gradient Descent with Warm Restarts", ICLR (2017).
    """

    def on_epoch_begin(self, run: Run) -> None:
        epoch, epochs = run.state.epoch, run.config.epochs
        if run.engine.learning_rate is None:
            return
        factor = _factor(epoch, epochs)
        if epoch > 0:  # a ratio, so that what a callback has done to the rate is kept
            factor /= _factor(epoch - 1, epochs)
        run.engine.learning_rate *= factor


def _factor(epoch, epochs):
    """Return the factor on the initial learning rate."""
    warmup = min(1.0, (epoch + 1) / (_WARMUP * epochs))
    return warmup * 0.5 * (1 + math.cos(math.pi * epoch / epochs))


class RecordLearningRates(Hook):
    """Records the learning rate of each epoch that is followed by a validation.

    Attributes
    ----------
    rates : list of float or None
        None where the optimizer follows a schedule.
    """

    def __init__(self) -> None:
        self.rates: list[float | None] = []

    def on_validation_begin(self, run: Run) -> None:
        self.rates.append(run.engine.learning_rate)

    def get_state(self) -> dict[str, Any]:
        return {"rates": self.rates}

    def set_state(self, state: dict[str, Any]) -> None:
        self.rates = state["rates"]


class RepeatLearningRates(Hook):
    """Sets the learning rates of an earlier run.

    Parameters
    ----------
    rates : sequence of float or None
        See `RecordLearningRates`.
    """

    def __init__(self, rates: Sequence[float | None]):
        self._rates = rates

    def on_epoch_begin(self, run: Run) -> None:
        rate = self._rates[run.state.epoch]
        if rate is not None:
            run.engine.learning_rate = rate
