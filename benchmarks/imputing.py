"""Errors of imputers on tables from which values are removed, and their times.

python -m benchmarks.imputing --data FOLDER                all tables: about 40 minutes
python -m benchmarks.imputing --data FOLDER --only letter --out imputing.json
python -m benchmarks.imputing --data FOLDER --only letter --trees   ExtraTrees beside it
python -m benchmarks.imputing --data FOLDER --rows         time for 10,000 rows

FOLDER holds yeast.npz and tables.npz. Imputers are fitted to 70 % of at most 2000 rows.
Errors are root mean squares over removed values, in units of the standard deviation of
their column in the whole table: of the rows fitted to, and of the other ("new") rows.
Values are removed at random (20 or 50 %), or as blocks: 30 % of the columns, adjacent
to each other, in two thirds of the rows.

The rivals are the better of IterativeImputer, limited to the range of each column, and
KNNImputer with distance weights and the best of 5, 10 and 20 neighbours, selected on
the removed values that are evaluated. "start" is AutoencoderImputer without a network.
With ``--out`` the results are added to those in the file, so that the benchmark can be
run in parts.
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


def imputers(X, seed, trees):
    """Return the imputers by name; X is without the removed values."""
    low, high = np.nanmin(X, axis=0), np.nanmax(X, axis=0)
    # IterativeImputer refuses equal limits, which columns with a rare value can have.
    limits = {
        "min_value": low,
        "max_value": np.maximum(high, np.nextafter(low, np.inf)),
    }
    found = {
        **{
            f"knn {n}": KNNImputer(n_neighbors=n, weights="distance")
            for n in NEIGHBOURS
        },
        "iterative": IterativeImputer(**limits, random_state=seed),
        "start": AutoencoderImputer(hidden_layer_sizes=(), random_state=seed),
        "ours": AutoencoderImputer(random_state=seed),
    }
    if trees:
        forest = ExtraTreesRegressor(
            30, min_samples_leaf=2, max_features=0.5, random_state=seed
        )
        found["trees"] = IterativeImputer(forest, max_iter=3, random_state=seed)
    return found


def measure(X, holes, seed, trees):
    """Return (error of the rows fitted to, of new rows, seconds of fit) by imputer."""
    train, test = list(SPLITS.split(X))[seed]
    is_missing = missing_cells(X.shape, holes, np.random.default_rng(seed))
    is_missing[:, ~(~is_missing[train]).any(axis=0)] = False
    deviation, incomplete = X.std(axis=0), np.where(is_missing, np.nan, X)

    def error(imputer, rows):
        errors = (imputer.transform(incomplete[rows]) - X[rows]) / deviation
        return float(np.sqrt(np.mean(errors[is_missing[rows]] ** 2)))

    measured = {}
    for name, imputer in imputers(incomplete[train], seed, trees).items():
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of IterativeImputer
            imputer.fit(incomplete[train])
        filled = error(imputer, train)
        seconds = time.perf_counter() - start
        measured[name] = filled, error(imputer, test), seconds
    return measured


def table(name, data):
    """Return at most `MAX_ROWS` rows, drawn at random, without constant columns."""
    X, _ = TABLES[name](data)
    X = X[np.random.default_rng(0).permutation(len(X))[:MAX_ROWS]].astype(np.float64)
    return X[:, X.std(axis=0) > 0]


def report(results):
    """Print the errors, and the ratios to the rivals and to the start."""
    ratios = {}
    print(
        "| table | holes | rows | KNN | iterative | start | ours |"
        + "\n"
        + "|---" * 7
        + "|"
    )
    for key, splits in results.items():
        name, holes = key.split(", ")
        for rows, i in (("fitted", 0), ("new", 1)):
            of = {
                imputer: np.array([split[imputer][i] for split in splits])
                for imputer in splits[0]
            }
            knn = np.min([of[f"knn {n}"] for n in NEIGHBOURS], axis=0)
            rival = np.minimum(knn, of["iterative"])
            columns = knn, of["iterative"], of["start"], of["ours"]
            means = " | ".join(f"{np.mean(column):.3f}" for column in columns)
            trees = f" trees {np.mean(of['trees']):.3f}" if "trees" in of else ""
            print(f"| {name} | {holes} | {rows} | {means} |{trees}")
            ratio = np.mean(of["ours"]) / np.mean(rival)
            ratios.setdefault((holes, rows, "the better rival"), {})[name] = ratio
            ratio = np.mean(of["ours"]) / np.mean(of["start"])
            ratios.setdefault((holes, rows, "start"), {})[name] = ratio
    print(
        "\n| holes | rows | against | geometric mean | worst |"
        + "\n"
        + "|---" * 5
        + "|"
    )
    for key, found in ratios.items():
        worst = max(found, key=found.get)
        mean = np.exp(np.mean(np.log(list(found.values()))))
        print("", *key, f"{mean:.3f}", f"{found[worst]:.3f} ({worst})", "", sep=" | ")
    report_times(results)


def report_times(results):
    """Print the times of fitting and filling, in seconds."""
    faster = {}
    print(
        "\n| table | holes | KNN | iterative | start | ours |" + "\n" + "|---" * 6 + "|"
    )
    for key, splits in results.items():
        name, holes = key.split(", ")
        seconds = {
            imputer: np.median([split[imputer][2] for split in splits])
            for imputer in ("knn 5", "iterative", "start", "ours")
        }
        print("", name, holes, *(f"{s:.2f}" for s in seconds.values()), "", sep=" | ")
        faster.setdefault(holes, []).append(seconds["iterative"] / seconds["start"])
    for holes, factors in faster.items():
        mean = np.exp(np.mean(np.log(factors)))
        print(f"start against iterative, {holes}: {mean:.1f} times faster")


def report_many_rows():
    """Print the times for 10,000 rows of 10 columns."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_000, 3)) @ rng.normal(size=(3, 10))
    X += 0.3 * rng.normal(size=X.shape)
    X[rng.random(X.shape) < 0.2] = np.nan
    for imputer in (AutoencoderImputer(random_state=0), KNNImputer()):
        start = time.perf_counter()
        imputer.fit_transform(X)
        seconds = time.perf_counter() - start
        print(f"{X.shape}, {type(imputer).__name__}: {seconds:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=NAMES)
    parser.add_argument("--holes", nargs="+", choices=HOLES, default=HOLES)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--trees", action="store_true")
    parser.add_argument("--rows", action="store_true")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.rows:
        report_many_rows()
        return
    results = {}
    if options.out and options.out.exists():
        results = json.loads(options.out.read_text())
    for seed, name, holes in itertools.product(
        range(options.splits), options.only, options.holes
    ):
        splits = results.setdefault(f"{name}, {holes}", [])
        if seed < len(splits):
            continue
        splits.append(measure(table(name, options.data), holes, seed, options.trees))
        print(name, holes, seed, splits[-1], flush=True)
        if options.out:
            options.out.write_text(json.dumps(results, indent=1))
    report(results)


if __name__ == "__main__":
    main()
