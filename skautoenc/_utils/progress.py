"""Progress bars in terminals and notebooks."""

import contextlib
import importlib.util
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

# Seconds between two updates of a bar on the screen, each of which takes about a
# millisecond. There is no thread for it.
_REFRESH_SECONDS = 0.1

_COLUMNS_OF_BAR = 20


def can_show_bars() -> bool:
    """Whether standard output shows progress bars: a terminal, or a notebook.

    Child processes share the terminal, where their bars would overwrite one another.
    """
    if multiprocessing.parent_process() is not None:
        return False
    from rich import get_console  # takes a tenth of a second

    console = get_console()
    if console.is_jupyter:
        return importlib.util.find_spec("ipywidgets") is not None
    return console.is_interactive and console.file.isatty()


class ProgressBar:
    """A progress bar, for output that can show it.

    Parameters
    ----------
    description : str
    total : int
        Number of steps.

    completed : int, default=0
        Number of steps that were completed before.
    """

    def __init__(self, description: str, total: int, completed: int = 0):
        self._latest: dict[str, Any] = {}
        self._progress, self._task = _display.add(description, total, completed)
        self._due = time.monotonic() + _REFRESH_SECONDS

    def update(self, completed: int, text: str = "", **changes: Any) -> None:
        """Set the number of completed steps, and the text beside the bar.

        Parameters
        ----------
        completed : int
        text : str, default=""
        **changes : dict
            New values of `description` and `total`.
        """
        self._latest = {"completed": completed, "text": text, **changes}
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _REFRESH_SECONDS
            self._progress.update(self._task, **self._latest, refresh=True)

    def close(self) -> None:
        """Leave the bar on the screen as it is."""
        self._progress.update(self._task, **self._latest)
        _display.remove(self._task)


class _Display:
    """The rows of all bars that are open in this process, in any thread.

    A bar that is closed is printed above the others.
    """

    def __init__(self):
        self.reset()

    def reset(self):
        self._lock = threading.RLock()
        self._progress, self._n_bars = None, 0

    def add(self, description, total, completed):
        """Add a row; return the `rich.progress.Progress` and the row's number."""
        with self._lock:
            if self._n_bars == 0:
                self._progress = _new_progress()
            self._n_bars += 1
            task = self._progress.add_task(
                description, total=total, completed=completed, text=""
            )
            self._progress.start()
            return self._progress, task

    def remove(self, task):
        """Print a row for good."""
        with self._lock:
            progress = self._progress
            row = next(row for row in progress.tasks if row.id == task)
            table = progress.make_tasks_table([row])
            progress.remove_task(task)
            self._n_bars -= 1
            if self._n_bars == 0:
                progress.stop()
            progress.console.print(table)


def _new_progress():
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(_COLUMNS_OF_BAR),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[text]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
        auto_refresh=False,
        transient=True,
    )


_display = _Display()
if hasattr(os, "register_at_fork"):  # bars of other threads do not survive a fork
    os.register_at_fork(after_in_child=_display.reset)


@contextlib.contextmanager
def progress_bar(description: str, total: int) -> Iterator[ProgressBar | None]:
    """Open a progress bar, or None for output that cannot show it."""
    if not can_show_bars():
        yield None
        return
    bar = ProgressBar(description, total)
    try:
        yield bar
    finally:
        bar.close()
