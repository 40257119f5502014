"""Printed lines that report the progress of training."""

import time

from .loop import Hook, Run


class Verbose(Hook):
    """Prints the losses of every few epochs, and of the last.

    Must be the last hook, so that it is called after others may have stopped training.

    Parameters
    ----------
    interval : int
        Number of epochs between two lines.
    """

    def __init__(self, interval: int):
        self._interval = interval

    def on_train_begin(self, run: Run) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        epoch, epochs = run.state.epoch, run.config.epochs
        is_last = run.state.stop or epoch == epochs
        if not is_last and epoch % self._interval != 0:
            return
        losses = "  ".join(f"{name} {loss:.5f}" for name, loss in logs.items())
        seconds = time.perf_counter() - self._started
        print(
            f"Epoch {epoch:{len(str(epochs))}d}/{epochs}  {losses}  "
            f"{seconds:.1f} s elapsed",
            flush=True,
        )
