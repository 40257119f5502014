"""Where progress bars are shown."""

import contextlib
import importlib.metadata
import io

import pytest
import rich
import rich.console
from helpers import terminal_output

from skautoenc._utils.progress import ProgressBar, can_show_bars


def test_can_show_bars_if_standard_output_is_a_terminal(monkeypatch):
    with terminal_output():
        assert can_show_bars()
        for other in io.StringIO(), None, object():
            with contextlib.redirect_stdout(other):
                assert not can_show_bars()
    with terminal_output():
        monkeypatch.setenv("TERM", "dumb")
        monkeypatch.setattr(rich, "_console", None)
        assert not can_show_bars()


def test_can_show_bars_after_a_call_without_a_terminal(monkeypatch):
    monkeypatch.setattr(rich, "_console", None)
    with contextlib.redirect_stdout(io.StringIO()):
        assert not can_show_bars()
        without_terminal = rich.get_console()
    with terminal_output() as text:
        monkeypatch.setattr(rich, "_console", without_terminal)
        assert can_show_bars()
        ProgressBar("fits", 3).close()
    assert "fits ━" in text()


def test_can_show_bars_in_a_notebook_that_has_widgets(monkeypatch):
    installed = {found.metadata["Name"] for found in importlib.metadata.distributions()}
    with terminal_output():
        notebook = rich.console.Console(force_jupyter=True, force_interactive=True)
        monkeypatch.setattr(rich, "_console", notebook)
        assert can_show_bars() is ("ipywidgets" in installed)


@pytest.mark.parametrize(
    ("completed", "shown"), [(0, "0%"), (199, "99%"), (200, "100%")]
)
def test_progress_bar_shows_100_percent_only_at_the_end(completed, shown):
    with terminal_output() as text:
        bar = ProgressBar("fits", 200)
        bar.update(completed, "loss 0.5")
        bar.close()
    assert f" {shown} loss 0.5" in text().splitlines()[-1]
