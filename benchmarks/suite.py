"""Held-out error of PCA, a plain autoencoder and the default one on real tables.

python -m benchmarks.suite --data FOLDER                 all cases: half an hour
python -m benchmarks.suite --data FOLDER --only digits wine
python -m benchmarks.suite --data FOLDER --params '{"mixup": false}'    other parameters

FOLDER holds mnist.npz, shuttle.npz, yeast.npz and spectra.npz. A case is a table, a
scaler and a number of components. Test rows are used neither in training nor in
scaling. The plain autoencoder is the default one with ``init="random"``: no linear
path, no mixup, a constant learning rate, and no early stopping.
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
N_COMPONENTS = 2, 8, 32
N_COMPONENTS_SCORED = 8
SPLITS = ShuffleSplit(3, test_size=0.25, random_state=0)


def bundled(load):
    """Return a loader of a dataset that scikit-learn ships with."""
    return lambda data: load(return_X_y=True)


def linnerud(data):
    return datasets.load_linnerud().data, None


def diabetes(data):
    return datasets.load_diabetes().data, None


def patches(data):
    """Return grayscale 8x8 patches of the two sample images."""
    rng = np.random.default_rng(0)
    rows = []
    for image in datasets.load_sample_images().images:
        grey = image.mean(axis=2)
        corners = rng.integers(np.subtract(grey.shape, 8), size=(2500, 2))
        rows += [grey[i : i + 8, j : j + 8].ravel() for i, j in corners]
    return np.array(rows), None


def array(file, X, y=None, n_rows=None):
    """Return a loader of arrays from a file in the data folder."""

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


def reducers(n_components, seed, params):
    return {
        "pca": PCA(n_components, random_state=seed),
        "plain": AutoencoderTransformer(n_components, init="random", random_state=seed),
        "ours": AutoencoderTransformer(n_components, random_state=seed).set_params(
            **params
        ),
    }


def run_case(table, scaler, n_components, data, params):
    """Return a record of one case: medians over the splits of ratios to PCA."""
    X, y = TABLES[table](data)
    y = y if n_components == N_COMPONENTS_SCORED else None
    errors, scores, seconds = [], [], []
    for seed, (train, test) in enumerate(SPLITS.split(X)):
        scaled = clone(SCALERS[scaler]).fit(X[train]).transform(X)
        result = compare_reducers(
            reducers(n_components, seed, params),
            scaled.astype(float),
            y,
            cv=[(train, test)],
        )
        errors.append(result["test_mse"])
        scores.append(result.get("test_score"))
        seconds.append(result["fit_time"])
    errors = np.array(errors)
    record = {
        "table": table,
        "rows": len(X),
        "features": X.shape[1],
        "scaler": scaler,
        "n_components": n_components,
        "pca": float(np.median(errors[:, 0])),
        "plain / pca": float(np.median(errors[:, 1] / errors[:, 0])),
        "ours / pca": float(np.median(errors[:, 2] / errors[:, 0])),
        "ours / best": float(np.median(errors[:, 2] / errors[:, :2].min(axis=1))),
        "seconds": float(np.median(seconds, axis=0)[2]),
    }
    if y is not None:
        pca, _, ours = np.median(scores, axis=0)
        record |= {"score, pca": float(pca), "score, ours": float(ours)}
    print(table_row(record), flush=True)
    return record


COLUMNS = (
    "table",
    "rows",
    "features",
    "scaler",
    "n_components",
    "pca",
    "plain / pca",
    "ours / pca",
    "ours / best",
    "score, pca",
    "score, ours",
    "seconds",
)


def table_row(record):
    """Return a record as one row of a Markdown table."""
    values = [record.get(name, "") for name in COLUMNS]
    shown = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in values]
    return f"| {' | '.join(shown)} |"


def summary(records):
    """Return the summary over all cases."""
    ratios = np.array([record["ours / pca"] for record in records])
    best = np.array([record["ours / best"] for record in records])
    figures = {
        "cases": len(records),
        "ours / pca, worst": ratios.max(),
        "ours / pca, median": np.median(ratios),
        "ours / pca, geometric mean": np.exp(np.log(ratios).mean()),
        "cases within 2 % of the better of PCA and plain": np.mean(best <= 1.02),
    }
    gains = [r["score, ours"] - r["score, pca"] for r in records if "score, pca" in r]
    if gains:
        figures["cases with score >= PCA's score - 0.005"] = np.mean(
            np.array(gains) >= -0.005
        )
    return {key: float(value) for key, value in figures.items()}


HEADING = """# Benchmark suite: PCA and autoencoders

Written by `python -m benchmarks.suite --data FOLDER --out docs/suite`. The table shows
the held-out mean squared error of PCA and the ratios of the autoencoders' errors to it,
with default parameters, as medians over three splits. Test rows are used neither in
training nor in scaling. "Plain" is the same network without a linear path, trained from
random weights for as many epochs at a constant learning rate, which corresponds to
Keras's `Model.fit`. "Best" is the better of PCA and "plain". Scores are accuracies of a
logistic regression on standardised codes. Seconds are the time of one fit of "ours";
other programs may have run on the machine meanwhile.
"""


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.suite", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--params", type=json.loads, default={}, help="as JSON")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write OUT.md and OUT.json")
    options = parser.parse_args()
    widths = {table: TABLES[table](options.data)[0].shape[1] for table in options.only}
    cases = [
        (table, scaler, n_components)
        for table, width in widths.items()
        for scaler in SCALERS
        for n_components in N_COMPONENTS
        if n_components < width
    ]
    records = Parallel(n_jobs=options.n_jobs)(
        delayed(run_case)(*case, options.data, options.params) for case in cases
    )
    figures = summary(records)
    for name, value in figures.items():
        print(f"{name}: {value:.4g}")
    if options.out:
        heads = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"
        shown = "".join(f"- {name}: {value:.4g}\n" for name, value in figures.items())
        table = "\n".join(map(table_row, records))
        options.out.with_suffix(".md").write_text(
            f"{HEADING}\n{shown}\n{heads}{table}\n"
        )
        options.out.with_suffix(".json").write_text(
            json.dumps({"summary": figures, "cases": records}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
