"""Learning rate schedule that changes the rate once per epoch."""

import math

from .loop import Hook, Run


class CosineSchedule(Hook):
    """Anneals a constant learning rate to zero, along half a cosine.

    An optimizer with a schedule is left as it is. I. Loshchilov, F. Hutter, "SGDR:
    Stochastic Gradient Descent with Warm Restarts", ICLR (2017).
    """

    def on_epoch_begin(self, run: Run) -> None:
        epoch, epochs = run.state.epoch, run.config.epochs
        if epoch > 0 and run.engine.learning_rate is not None:
            # A factor, so that what a callback has done to the rate is kept.
            factor = _cosine_factor(epoch, epochs) / _cosine_factor(epoch - 1, epochs)
            run.engine.learning_rate *= factor


def _cosine_factor(epoch, epochs):
    return 0.5 * (1 + math.cos(math.pi * epoch / epochs))
