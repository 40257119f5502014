"""Learning rate schedule that changes the rate once per epoch."""

import math

from .loop import Hook, Run

# Share of the epochs in which the learning rate increases.
_WARMUP = 0.05


class CosineSchedule(Hook):
    """Increases the learning rate linearly, and anneals it to zero along a cosine.

    An optimizer with a schedule is left as it is. I. Loshchilov, F. Hutter, "SGDR:
    Stochastic Gradient Descent with Warm Restarts", ICLR (2017).

    Parameters
    ----------
    epochs : int or None, default=None
        Number of epochs after which the learning rate is zero. None for that of the
        configuration.
    """

    def __init__(self, epochs: int | None = None):
        self.epochs = epochs

    def on_epoch_begin(self, run: Run) -> None:
        epoch, epochs = run.state.epoch, self.epochs or run.config.epochs
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
