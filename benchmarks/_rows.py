"""The registry of benchmark rows, and what they measure with."""

import statistics
import threading
import time
from dataclasses import dataclass, field

import numpy as np

ROWS = {}


@dataclass
class Result:
    """One row of the table.

    Attributes
    ----------
    ours, rival : list of float
        Repeated measurements.

    unit : str
    losses : (float, float) or None
        Final loss of ours and of the rival, where both trained.
    """

    ours: list
    rival: list
    unit: str = "s"
    losses: tuple | None = None
    title: str = field(default="", init=False)
    bar: str = field(default="", init=False)

    def ratios(self):
        return [r / o for o, r in zip(self.ours, self.rival, strict=True)]

    def row(self):
        ratios = sorted(self.ratios())
        record = {
            "what": self.title,
            "ours": statistics.median(self.ours),
            "rival": statistics.median(self.rival),
            "unit": self.unit,
            "rival / ours": statistics.median(ratios),
            "spread": [ratios[0], ratios[-1]],
            "asked for": self.bar,
        }
        if self.losses:
            record["loss, ours"], record["loss, rival"] = map(float, self.losses)
        return record


# How much worse the loss may be on our side: as much as single runs differ.
SAME_QUALITY = 1.05


def row(title, bar, needs_data=False, takes_long=False, needs=None):
    """Register a function ``(data, repeats) -> Result`` as a row of the table.

    Its run raises where our side has not reached the rival's loss. `needs` names a
    package that the row is left out without.
    """

    def register(function):
        def run(data, repeats):
            result = function(data, repeats)
            result.title, result.bar = title, bar
            if result.losses and result.losses[0] > SAME_QUALITY * result.losses[1]:
                raise RuntimeError(f"{title}: losses of {result.losses} do not compare")
            return result

        run.needs_data, run.takes_long, run.needs = needs_data, takes_long, needs
        ROWS[function.__name__] = run
        return function

    return register


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def pair(ours, rival, repeats):
    """Time both sides by turns, after one untimed call of each."""
    ours(), rival()
    times = [(seconds(ours), seconds(rival)) for _ in range(repeats)]
    return [list(side) for side in zip(*times, strict=True)]


def per_call(function, calls):
    """Seconds of one of many calls in a row."""

    def many():
        for _ in range(calls):
            function()

    return seconds(many) / calls


def mnist(data, part="train"):
    with np.load(data / "mnist.npz", allow_pickle=False) as arrays:
        X = arrays[f"x_{part}"].reshape(-1, 784)
    return np.divide(X, 255, dtype=np.float32)


def resident():
    """Resident memory of this process in bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def anonymous():
    """The same without what belongs to files."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


class PeakMemory:
    """The most resident memory during a ``with`` block, sampled every 2 ms.

    Parameters
    ----------
    mapped_files : bool, default=True
        Count the pages of files that are mapped, which the system takes back at will.
    """

    def __init__(self, mapped_files=True):
        self._resident = resident if mapped_files else anonymous

    def __enter__(self):
        self._stop = threading.Event()
        self.before = self.peak = self._resident()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._stop.wait(0.002):
            self.peak = max(self.peak, self._resident())

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()
