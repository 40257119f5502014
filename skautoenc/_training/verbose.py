"""Hooks that report the progress of training: printed lines and a progress bar."""

import time

from .._utils.blocks import ceil_div
from .._utils.progress import ProgressBar, can_show_bars
from .loop import Hook, Run

# Maximum number of lines where `verbose=1` cannot show a bar; the last is not counted.
_N_LINES = 10


def progress_hooks(verbose: int, title: str = "Epoch") -> list[Hook]:
    """Return the hook that reports progress as `verbose` demands; none if it is 0.

    It must come after all that may stop training.

    Parameters
    ----------
    verbose : int
        1 for a progress bar, or some lines where standard output cannot show one.
        Otherwise the number of epochs between two lines.

    title : str, default="Epoch"
        What precedes the number of the epoch.
    """
    if not verbose:
        return []
    if verbose == 1 and can_show_bars():
        return [EpochBar(title)]
    return [EpochLines(None if verbose == 1 else verbose, title)]


class EpochLines(Hook):
    """Prints the losses of every few epochs, and of the last.

    Parameters
    ----------
    interval : int or None
        Number of epochs between two lines. None for about ten lines.

    title : str
    """

    def __init__(self, interval: int | None, title: str):
        self._interval, self._title = interval, title

    def on_train_begin(self, run: Run) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        epoch, epochs = run.state.epoch, run.config.epochs
        is_last = run.state.stop or epoch == epochs
        interval = self._interval or ceil_div(epochs, _N_LINES)
        if not is_last and epoch % interval != 0:
            return
        losses = "  ".join(f"{name} {loss:.5f}" for name, loss in logs.items())
        seconds = time.perf_counter() - self._started
        print(
            f"{_numbered(self._title, run)}  {losses}  {seconds:.1f} s elapsed",
            flush=True,
        )


class EpochBar(Hook):
    """Shows a progress bar with the losses of the last epoch, and the time left.

    Parameters
    ----------
    title : str
    """

    _bar: ProgressBar | None = None

    def __init__(self, title: str):
        self._title = title

    def on_train_begin(self, run: Run) -> None:
        description, epochs = _numbered(self._title, run), run.config.epochs
        self._bar = ProgressBar(description, epochs, run.state.epoch)
        self._losses = ""

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        shown = {name: logs[name] for name in ("loss", "val_loss") if name in logs}
        self._losses = "  ".join(f"{name} {loss:.4g}" for name, loss in shown.items())
        self._update(run, run.config.epochs)

    def on_train_end(self, run: Run) -> None:
        self._update(run, run.state.epoch)  # all that was trained, if it was stopped

    def _update(self, run, total):
        description = _numbered(self._title, run)
        self._bar.update(
            run.state.epoch, self._losses, description=description, total=total
        )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _numbered(title, run):
    """Return the title with the number of the epoch."""
    epoch, epochs = run.state.epoch, run.config.epochs
    return f"{title} {epoch:{len(str(epochs))}d}/{epochs}"
