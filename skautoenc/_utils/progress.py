"""Progress bars in terminals and notebooks."""

import contextlib
import importlib.util
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

# Seconds between two updates of a bar on the screen. There is no thread for it.
_REFRESH_SECONDS = 0.1

# A row with two losses takes 80 columns.
_COLUMNS_OF_BAR = 16
_ON_ONE_LINE: dict[str, Any] = {"no_wrap": True, "overflow": "ellipsis"}


def can_show_bars() -> bool:
    """Whether standard output shows progress bars: a terminal, or a notebook.

    Child processes share the terminal, where their bars would overwrite one another.
    """
    is_terminal = getattr(sys.stdout, "isatty", bool)()
    if multiprocessing.parent_process() is not None or not (
        is_terminal or "IPython" in sys.modules
    ):
        return False  # without the import of rich
    console = _console()
    if console.is_jupyter:
        return importlib.util.find_spec("ipywidgets") is not None
    return is_terminal and console.is_interactive


def _console():
    """Return rich's console; a new one if that was made without a terminal."""
    from rich import get_console  # takes a tenth of a second
    from rich.console import Console

    console = get_console()
    return console if console.is_interactive else Console()


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
        self._description, self._total, self._text = description, total, ""
        self._first = self._completed = completed
        self._started = time.monotonic()
        self._due = self._started + _REFRESH_SECONDS
        _display.add(self)

    def update(
        self,
        completed: int,
        text: str = "",
        *,
        description: str | None = None,
        total: int | None = None,
    ) -> None:
        """Set the number of completed steps, and the text beside the bar.

        Parameters
        ----------
        completed : int
        text : str, default=""
        description : str or None, default=None
            None keeps the former one.

        total : int or None, default=None
            None keeps the former one.
        """
        self._completed, self._text = completed, text
        self._description = description or self._description
        self._total = self._total if total is None else total
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _REFRESH_SECONDS
            _display.refresh()

    def close(self) -> None:
        """Leave the bar on the screen as it is."""
        _display.remove(self)

    def row(self) -> Any:
        """Return the bar as a `rich.text.Text`."""
        from rich.text import Text

        share = self._completed / self._total if self._total else 1.0
        n = int(share * _COLUMNS_OF_BAR)
        return Text.assemble(
            f"{self._description} ",
            ("━" * n, "bar.finished" if share == 1 else "bar.complete"),
            ("━" * (_COLUMNS_OF_BAR - n), "bar.back"),
            f" {int(100 * share):3d}% {self._text}  {self._time()}",
            **_ON_ONE_LINE,
        )

    def _time(self):
        elapsed, done = time.monotonic() - self._started, self._completed - self._first
        if self._completed == self._total:
            return f"in {_minutes(elapsed)}"
        if done == 0:
            return ""
        left = elapsed / done * (self._total - self._completed)
        return f"{_minutes(left)} left"


def _minutes(seconds):
    """Return a time as minutes and seconds, with hours if there are any."""
    return str(timedelta(seconds=round(seconds))).removeprefix("0:")


class _Display:
    """The rows of all bars that are open in this process, in any thread.

    A bar that is closed is printed above the others.
    """

    def __init__(self):
        self.reset()

    def reset(self):
        self._lock = threading.RLock()
        self._bars, self._live = [], None

    def add(self, bar):
        from rich.live import Live

        with self._lock:
            self._bars.append(bar)
            if self._live is None:
                self._live = Live(
                    console=_console(),
                    get_renderable=self._rows,
                    auto_refresh=False,
                    transient=True,
                )
                self._live.start()
            self._live.refresh()

    def refresh(self):
        with self._lock:
            self._live.refresh()

    def remove(self, bar):
        with self._lock:
            self._bars.remove(bar)
            console = self._live.console
            if not self._bars:
                self._live.stop()
                self._live = None
            console.print(bar.row())

    def _rows(self):
        from rich.text import Text

        return Text("\n", **_ON_ONE_LINE).join(bar.row() for bar in self._bars)


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
