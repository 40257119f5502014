"""Held-out error of PCA, a plain autoencoder and ours, on a panel of real tables.

python -m benchmarks.panel --data FOLDER                 all cells: half an hour
python -m benchmarks.panel --data FOLDER --only digits wine
python -m benchmarks.panel --data FOLDER --params '{"mixup": false}'    ours otherwise

FOLDER holds mnist.npz, shuttle.npz, yeast.npz and spectra.npz. A cell is a table, a
scaler and a size of the code; test rows are never seen in training or scaling. The
plain autoencoder is the default one from random weights (``init="random"``): no linear
path, no mixing of rows, a constant rate, all epochs, and Keras's numbers.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn import datasets
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skautoenc import AutoencoderTransformer, compare_reducers

SCALERS = {"minmax": MinMaxScaler(), "standard": StandardScaler()}
SIZES = 2, 8, 32
SIZE_OF_SCORES = 8
SPLITS = ShuffleSplit(3, test_size=0.25, random_state=0)


def bundled(load):
    return lambda data: load(return_X_y=True)


def linnerud(data):
    return datasets.load_linnerud().data, None


def diabetes(data):
    return datasets.load_diabetes().data, None


def patches(data):
    """Grey 8x8 patches of the two sample images."""
    rng = np.random.default_rng(0)
    rows = []
    for image in datasets.load_sample_images().images:
        grey = image.mean(axis=2)
        corners = rng.integers(np.subtract(grey.shape, 8), size=(2500, 2))
        rows += [grey[i : i + 8, j : j + 8].ravel() for i, j in corners]
    return np.array(rows), None


def array(file, X, y=None, n_rows=None):
    def load(data):
        with np.load(data / file, allow_pickle=False) as arrays:
            table = arrays[X][:n_rows]
            labels = None if y is None else arrays[y][:n_rows]
        return table.reshape(len(table), -1).astype(np.float32), labels

    return load


TABLES = {
    "linnerud": linnerud,
    "coffee": array("spectra.npz", "coffee", "coffee_y"),
    "iris": bundled(datasets.load_iris),
    "wine": bundled(datasets.load_wine),
    "diabetes": diabetes,
    "cancer": bundled(datasets.load_breast_cancer),
    "fermentation": array("spectra.npz", "ferm"),
    "digits": bundled(datasets.load_digits),
    "yeast": array("yeast.npz", "x"),
    "patches": patches,
    "mnist_5000": array("mnist.npz", "x_train", "y_train", 5000),
    "shuttle": array("shuttle.npz", "x", "y"),
    "mnist": array("mnist.npz", "x_train", "y_train"),
}


def reducers(size, seed, params):
    return {
        "pca": PCA(size, random_state=seed),
        "plain": AutoencoderTransformer(size, init="random", random_state=seed),
        "ours": AutoencoderTransformer(size, random_state=seed).set_params(**params),
    }


def cell(table, scaler, size, data, params):
    """One row of the panel: medians over the splits, of ratios to PCA."""
    X, y = TABLES[table](data)
    y = y if size == SIZE_OF_SCORES else None
    errors, scores, seconds = [], [], []
    for seed, (train, test) in enumerate(SPLITS.split(X)):
        scaled = clone(SCALERS[scaler]).fit(X[train]).transform(X)
        of_split = compare_reducers(
            reducers(size, seed, params), scaled.astype(float), y, cv=[(train, test)]
        )
        errors.append(of_split["test_mse"])
        scores.append(of_split.get("test_score"))
        seconds.append(of_split["fit_time"])
    errors = np.array(errors)
    record = {
        "table": table,
        "rows": len(X),
        "features": X.shape[1],
        "scaler": scaler,
        "size": size,
        "pca": float(np.median(errors[:, 0])),
        "plain / pca": float(np.median(errors[:, 1] / errors[:, 0])),
        "ours / pca": float(np.median(errors[:, 2] / errors[:, 0])),
        "ours / best": float(np.median(errors[:, 2] / errors[:, :2].min(axis=1))),
        "seconds": float(np.median(seconds, axis=0)[2]),
    }
    if y is not None:
        of_pca, _, ours = np.median(scores, axis=0)
        record |= {"score, pca": float(of_pca), "score, ours": float(ours)}
    print(line(record), flush=True)
    return record


COLUMNS = (
    "table",
    "rows",
    "features",
    "scaler",
    "size",
    "pca",
    "plain / pca",
    "ours / pca",
    "ours / best",
    "score, pca",
    "score, ours",
    "seconds",
)


def line(record):
    values = [record.get(name, "") for name in COLUMNS]
    shown = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in values]
    return f"| {' | '.join(shown)} |"


def summary(records):
    """The figures that the panel is there for, and how many cells they are of."""
    ratios = np.array([record["ours / pca"] for record in records])
    best = np.array([record["ours / best"] for record in records])
    found = {
        "cells": len(records),
        "ours / pca, worst": ratios.max(),
        "ours / pca, median": np.median(ratios),
        "ours / pca, geometric mean": np.exp(np.log(ratios).mean()),
        "cells within 2 % of the best of both": np.mean(best <= 1.02),
    }
    gains = [r["score, ours"] - r["score, pca"] for r in records if "score, pca" in r]
    if gains:
        found["scores at least PCA's - 0.005"] = np.mean(np.array(gains) >= -0.005)
    return {key: float(value) for key, value in found.items()}


HEADING = """# The panel

Written by `python -m benchmarks.panel --data FOLDER --out docs/panel`: held-out mean
squared error with default settings, over PCA's; medians over three splits. Test rows
are never seen, neither in training nor in scaling. "Plain" is the same network from
random weights, without a linear path, with as many epochs at a constant rate: what
Keras's `Model.fit` gives. Scores are those of logistic regression on standardised
codes. Seconds are those of a fit of ours, on a machine that may do other work.
"""


def main():
    parser = argparse.ArgumentParser(prog="benchmarks.panel", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--params", type=json.loads, default={}, help="as JSON")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write OUT.md and OUT.json")
    options = parser.parse_args()
    widths = {table: TABLES[table](options.data)[0].shape[1] for table in options.only}
    cells = [
        (table, scaler, size)
        for table, width in widths.items()
        for scaler in SCALERS
        for size in SIZES
        if size < width
    ]
    records = Parallel(n_jobs=options.n_jobs)(
        delayed(cell)(*of_cell, options.data, options.params) for of_cell in cells
    )
    found = summary(records)
    for name, value in found.items():
        print(f"{name}: {value:.4g}")
    if options.out:
        heads = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"
        figures = "".join(f"- {name}: {value:.4g}\n" for name, value in found.items())
        table = "\n".join(map(line, records))
        options.out.with_suffix(".md").write_text(
            f"{HEADING}\n{figures}\n{heads}{table}\n"
        )
        options.out.with_suffix(".json").write_text(
            json.dumps({"summary": found, "cells": records}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
