"""Errors of imputers on tables from which values are removed, and their times.

python -m benchmarks.imputing --data FOLDER                all tables: about 20 minutes
python -m benchmarks.imputing --data FOLDER --only letter --out imputing.json
python -m benchmarks.imputing --data FOLDER --only letter --imputers ours "knn 5"
python -m benchmarks.imputing --data FOLDER --rows         time for many rows

FOLDER holds yeast.npz and tables.npz. Imputers are fitted to 70 % of at most 2000 rows.
Errors are root mean squares over removed values, in units of the standard deviation of
their column in the whole table: of the rows fitted to, and of the other ("new") rows.
Values are removed at random (20 or 50 %), or as blocks: 30 % of the columns, adjacent
to each other, in two thirds of the rows.

The rivals are the better of IterativeImputer, limited to the range of each column, and
KNNImputer with distance weights and the best of 5, 10 and 20 neighbours, selected on
the removed values that are evaluated. "start" is AutoencoderImputer without a network.
"trees", which is not among the defaults, is IterativeImputer with 30 ExtraTrees. Times
are of the processor, so set OMP_NUM_THREADS=1. With ``--out`` the results are added to
those in the file, so that the benchmark can be run in parts.
"""

import argparse
import itertools
import json
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.model_selection import ShuffleSplit

from skautoenc import AutoencoderImputer

from .suite import TABLES

NAMES = (
    "digits",
    "yeast",
    "cancer",
    "letter",
    "waveform",
    "spambase",
    "landsat",
    "cardiotocography",
    "pageblocks",
)
HOLES = "20 %", "50 %", "blocks"
IMPUTERS = "knn 5", "knn 10", "knn 20", "iterative", "start", "ours", "trees"
NEIGHBOURS = 5, 10, 20
MAX_ROWS, SPLITS = 2000, ShuffleSplit(3, test_size=0.3, random_state=0)


def missing_cells(shape, holes, rng):
    """Return which values are removed."""
    if holes != "blocks":
        return rng.random(shape) < float(holes.split()[0]) / 100
    n_rows, n_columns = shape
    width = max(1, round(0.3 * n_columns))
    start = rng.integers(n_columns, size=(n_rows, 1))
    in_block = (np.arange(n_columns) - start) % n_columns < width
    return in_block & (rng.random((n_rows, 1)) < 2 / 3)


def imputers(X, seed):
    """Return the imputers by name; X is without the removed values."""
    low, high = np.nanmin(X, axis=0), np.nanmax(X, axis=0)
    high = np.maximum(high, np.nextafter(low, np.inf))  # equal limits are refused
    forest = ExtraTreesRegressor(
        30, min_samples_leaf=2, max_features=0.5, random_state=seed
    )
    return {
        "knn 5": KNNImputer(n_neighbors=5, weights="distance"),
        "knn 10": KNNImputer(n_neighbors=10, weights="distance"),
        "knn 20": KNNImputer(n_neighbors=20, weights="distance"),
        "iterative": IterativeImputer(min_value=low, max_value=high, random_state=seed),
        "start": AutoencoderImputer(hidden_layer_sizes=(), random_state=seed),
        "ours": AutoencoderImputer(random_state=seed),
        "trees": IterativeImputer(forest, max_iter=3, random_state=seed),
    }


def measure(X, holes, seed, name):
    """Return an imputer's error of the rows fitted to and of new rows, and seconds."""
    train, test = list(SPLITS.split(X))[seed]
    is_missing = missing_cells(X.shape, holes, np.random.default_rng(seed))
    is_missing[:, ~(~is_missing[train]).any(axis=0)] = False
    deviation, incomplete = X.std(axis=0), np.where(is_missing, np.nan, X)
    imputer = imputers(incomplete[train], seed)[name]

    def error(rows):
        errors = (imputer.transform(incomplete[rows]) - X[rows]) / deviation
        return float(np.sqrt(np.mean(errors[is_missing[rows]] ** 2)))

    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of IterativeImputer
        imputer.fit(incomplete[train])
    filled = error(train)
    seconds = time.process_time() - start
    return filled, error(test), seconds


def table(name, data):
    """Return at most `MAX_ROWS` rows, drawn at random, without constant columns."""
    X, _ = TABLES[name](data)
    X = X[np.random.default_rng(0).permutation(len(X))[:MAX_ROWS]].astype(np.float64)
    return X[:, X.std(axis=0) > 0]


def report(results):
    """Print the errors, and the ratios to the rivals and to the start.

    Cases without a result of each imputer but "trees" are left out.
    """
    ratios, needed = {}, set(IMPUTERS[:-1])
    results = {key: found for key, found in results.items() if needed <= found.keys()}
    print_row("table", "holes", "rows", "KNN", "iterative", "start", "ours", "trees")
    for key, measured in results.items():
        name, holes = key.split(", ")
        for i, rows in enumerate(("fitted", "new")):
            of = {
                imputer: np.mean([values[i] for values in splits])
                for imputer, splits in measured.items()
            }
            knn = min(of[f"knn {n}"] for n in NEIGHBOURS)
            columns = knn, of["iterative"], of["start"], of["ours"], of.get("trees")
            print_row(name, holes, rows, *columns)
            rivals = {"the better rival": min(knn, of["iterative"])}
            for rival, error in (rivals | {"start": of["start"]}).items():
                found = ratios.setdefault((holes, rows, rival), {})
                found[name] = of["ours"] / error
    print_row("holes", "rows", "against", "geometric mean", "worst", "of table")
    for key, found in ratios.items():
        worst = max(found, key=found.get)
        print_row(*key, geometric_mean(found.values()), found[worst], worst)
    report_times(results)


def report_times(results):
    """Print the times of fitting and filling, in seconds."""
    factors = {}
    print_row("table", "holes", "KNN", "iterative", "start", "ours", "trees")
    for key, measured in results.items():
        name, holes = key.split(", ")
        of = {
            imputer: np.nanmedian([values[2] for values in splits])
            for imputer, splits in measured.items()
        }
        columns = of["knn 5"], of["iterative"], of["start"], of["ours"]
        print_row(name, holes, *columns, of.get("trees"))
        factors.setdefault(holes, []).append(of["iterative"] / of["start"])
    print_row("holes", "time of iterative / start, geometric mean")
    for holes, found in factors.items():
        print_row(holes, geometric_mean(found))


def geometric_mean(values):
    return float(np.exp(np.mean(np.log(list(values)))))


def print_row(*cells):
    """Print a row of a Markdown table; a row of names alone is a header."""
    shown = [
        "" if cell is None else cell if isinstance(cell, str) else f"{cell:.3f}"
        for cell in cells
    ]
    is_header = all(isinstance(cell, str) for cell in cells)
    print("\n" * is_header + "| " + " | ".join(shown) + " |")
    if is_header:
        print("|---" * len(cells) + "|")


def report_many_rows():
    """Print the times for 10,000 rows of 10 columns, and 100,000 rows of 50."""
    ours = AutoencoderImputer(random_state=0)
    start = AutoencoderImputer(hidden_layer_sizes=(), random_state=0)
    for n_rows, n_columns, share, imputers in (
        (10_000, 10, 0.2, (ours, KNNImputer())),
        (100_000, 50, 0.2, (start, ours)),
        (100_000, 50, 0.5, (start, ours)),
    ):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(n_rows, 3)) @ rng.normal(size=(3, n_columns))
        X += 0.3 * rng.normal(size=X.shape)
        X[rng.random(X.shape) < share] = np.nan
        for imputer in imputers:
            begin = time.process_time()
            imputer.fit_transform(X)
            seconds = time.process_time() - begin
            print(f"{X.shape}, {share:.0%} missing, {imputer}: {seconds:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=NAMES)
    parser.add_argument("--holes", nargs="+", choices=HOLES, default=HOLES)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument(
        "--imputers", nargs="+", choices=IMPUTERS, default=IMPUTERS[:-1]
    )
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.rows:
        report_many_rows()
        return
    results = {}
    if options.out and options.out.exists():
        results = json.loads(options.out.read_text())
    cases = range(options.splits), options.only, options.holes, options.imputers
    for seed, name, holes, imputer in itertools.product(*cases):
        measured = results.setdefault(f"{name}, {holes}", {}).setdefault(imputer, [])
        if seed < len(measured):
            continue
        measured.append(measure(table(name, options.data), holes, seed, imputer))
        print(name, holes, seed, imputer, measured[-1], flush=True)
        if options.out:
            options.out.write_text(json.dumps(results, indent=1))
    report(results)


if __name__ == "__main__":
    main()
