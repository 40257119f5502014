"""Registry of benchmark cases, and functions that measure time and memory."""

import statistics
import threading
import time
from dataclasses import dataclass, field

import numpy as np

CASES = {}


@dataclass
class Result:
    """Measurements of one case.

    Attributes
    ----------
    ours, baseline : list of float
        Repeated measurements.

    unit : str
    losses : tuple of (float, float) or None
        Final loss of ours and of the baseline, if both were trained.

    title, target : str
        Set by the decorator `case`.
    """

    ours: list
    baseline: list
    unit: str = "s"
    losses: tuple | None = None
    title: str = field(default="", init=False)
    target: str = field(default="", init=False)

    def ratios(self):
        return [b / o for o, b in zip(self.ours, self.baseline, strict=True)]

    def record(self):
        """Return the summary of this case as one table row."""
        ratios = sorted(self.ratios())
        record = {
            "what": self.title,
            "ours": statistics.median(self.ours),
            "baseline": statistics.median(self.baseline),
            "unit": self.unit,
            "baseline / ours": statistics.median(ratios),
            "range": [ratios[0], ratios[-1]],
            "target": self.target,
        }
        if self.losses:
            record["loss, ours"], record["loss, baseline"] = map(float, self.losses)
        return record


# Maximum ratio of our loss to the baseline's; single runs differ by as much.
MAX_LOSS_RATIO = 1.05


def case(title, target, needs_data=False, takes_long=False, requires=None):
    """Register a function ``(data, repeats) -> Result`` as a benchmark case.

    The case raises a RuntimeError if our loss is too far above the baseline's.

    Parameters
    ----------
    title : str
        Description in the table.

    target : str
        Minimum ratio of baseline to ours, or maximum value of ours with its unit.

    needs_data : bool, default=False
        Whether the case reads the data folder.

    takes_long : bool, default=False
        Whether the case runs only with ``--long``.

    requires : str or None, default=None
        Package without which the case is skipped.
    """

    def register(function):
        def run(data, repeats):
            result = function(data, repeats)
            result.title, result.target = title, target
            if result.losses and result.losses[0] > MAX_LOSS_RATIO * result.losses[1]:
                raise RuntimeError(
                    f"{title}: the losses {result.losses} differ too much"
                )
            return result

        run.needs_data, run.takes_long, run.requires = needs_data, takes_long, requires
        CASES[function.__name__] = run
        return function

    return register


def seconds(function):
    """Return the time of one call, in seconds."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


# Idle threads of OpenBLAS occupy their cores for some time after a matrix product.
_PAUSE = 0.2


def time_both(ours, baseline, repeats):
    """Time both sides alternately, with pauses, after one untimed call of each."""
    ours(), baseline()
    times: list[list[float]] = [[], []]
    for _ in range(repeats):
        for side, call in zip(times, (ours, baseline), strict=True):
            time.sleep(_PAUSE)
            side.append(seconds(call))
    return times


def per_call(function, calls):
    """Return the mean time of consecutive calls, in seconds."""

    def many():
        for _ in range(calls):
            function()

    return seconds(many) / calls


def mnist(data, part="train"):
    """Return MNIST images as float32 rows in [0, 1]."""
    with np.load(data / "mnist.npz", allow_pickle=False) as arrays:
        X = arrays[f"x_{part}"].reshape(-1, 784)
    return np.divide(X, 255, dtype=np.float32)


def resident_memory():
    """Resident memory of this process, in bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def anonymous_memory():
    """Resident memory of this process without mapped files, in bytes."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


class PeakMemory:
    """Peak resident memory during a ``with`` block, sampled every 2 ms.

    Parameters
    ----------
    mapped_files : bool, default=True
        Count the pages of mapped files, which the system can reclaim at any time.
    """

    def __init__(self, mapped_files=True):
        self._measure = resident_memory if mapped_files else anonymous_memory

    def __enter__(self):
        self._stop = threading.Event()
        self.before = self.peak = self._measure()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._stop.wait(0.002):
            self.peak = max(self.peak, self._measure())

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()
