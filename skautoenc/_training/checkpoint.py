"""Checkpoints, from which a run is resumed after its process was killed."""

import time
from collections.abc import Sequence
from pathlib import Path

from .checkpoint_file import check_alike, read_checkpoint, write_checkpoint
from .loop import Hook, Run

# Writing takes at most this share of the time: after fast epochs it is omitted.
_MAX_SHARE = 0.05


class Checkpoint(Hook):
    """Writes the state of a run to a file after epochs, and resumes from that file.

    Must be the last hook, so that it is called after others may have changed the state.
    The file is written before the first epoch too, so that an error is raised early if
    it cannot be written.

    Parameters
    ----------
    path : Path
        What `checkpoint_path` returned for the fit.

    hooks : sequence of Hook
        The other hooks, whose state is also stored.

    verbose : bool, default=False
        Whether to print that the run is resumed.
    """

    def __init__(self, path: Path, hooks: Sequence[Hook], verbose: bool = False):
        self._path, self._hooks, self._verbose = path, hooks, verbose
        self._seconds = self._written = 0.0

    def on_train_begin(self, run: Run) -> None:
        saved = read_checkpoint(self._path)
        if saved is None:
            self._write(run)
        else:
            self._resume(run, saved)

    def _resume(self, run, saved):
        check_alike(self._path, saved["engine"], run.engine.get_state())
        run.engine.set_state(saved["engine"])
        state = run.state
        state.epoch, state.stop = saved["epoch"], saved["stop"]
        state.stopped_by = saved["stopped_by"]
        state.history.clear()
        state.history.update(saved["history"])
        for hook in self._hooks:
            if type(hook).__name__ in saved["hooks"]:
                hook.set_state(saved["hooks"][type(hook).__name__])
        if self._verbose:
            print(f"Resumed after epoch {state.epoch}: {self._path}", flush=True)

    def on_epoch_end(self, run: Run, logs: dict[str, float]) -> None:
        if time.perf_counter() - self._written >= self._seconds / _MAX_SHARE:
            self._write(run)

    def _write(self, run):
        started = time.perf_counter()
        state = run.state
        hooks = {type(hook).__name__: hook.get_state() for hook in self._hooks}
        write_checkpoint(
            self._path,
            {
                "engine": run.engine.get_state(),
                "epoch": state.epoch,
                "stop": state.stop,
                "stopped_by": state.stopped_by,
                "history": state.history,
                "hooks": {name: state for name, state in hooks.items() if state},
            },
        )
        self._written = time.perf_counter()
        self._seconds = self._written - started
