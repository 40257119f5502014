"""How many threads this process may use, and work spread over them."""

import os
from concurrent.futures import ThreadPoolExecutor

import joblib


def granted_threads():
    """Threads this process may use: what joblib or the user set, or every core."""
    granted = os.environ.get("OMP_NUM_THREADS", "")
    if granted.isdigit() and int(granted) > 0:
        return int(granted)
    return joblib.cpu_count()


def run_in_threads(function, *arguments):
    """Call `function` once per item of the sequences, for what it does."""
    n_threads = min(granted_threads(), len(arguments[0]))
    if n_threads == 1:
        for items in zip(*arguments, strict=True):
            function(*items)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(function, *arguments))
