"""Held-out error of PCA, plain autoencoders and the default one on real tables.

python -m benchmarks.suite --data FOLDER                 all cases: about an hour
python -m benchmarks.suite --data FOLDER --only digits wine
python -m benchmarks.suite --data FOLDER --only digits --out docs/suite
python -m benchmarks.suite --data FOLDER --params '{"mixup": false}'    other parameters

FOLDER holds mnist.npz, shuttle.npz, yeast.npz, spectra.npz and tables.npz. A case is a
table, a scaler and a number of components. Test rows are used neither in training nor
in scaling. The plain autoencoders are the default one with ``init="random"``: no linear
path, no mixup and no early stopping. One has a constant learning rate of 0.001, the
other one that falls from 0.003 to zero. With ``--out`` the cases are added to those in
the file, so that the suite can be run in parts.
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
from skautoenc._fit.defaults import resolve_auto_settings

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


def outlier_table(name):
    """Return a loader of a table with labelled outliers."""
    return array("tables.npz", f"{name}_x", f"{name}_y")


OUTLIER_TABLES = (
    "breastw",
    "campaign",
    "cardiotocography",
    "cover",
    "donors",
    "fault",
    "glass",
    "hepatitis",
    "internetads",
    "ionosphere",
    "landsat",
    "letter",
    "magic_gamma",
    "pageblocks",
    "pima",
    "skin",
    "spambase",
    "stamps",
    "vertebral",
    "waveform",
    "wdbc",
    "wilt",
    "wpbc",
)

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
    **{name: outlier_table(name) for name in OUTLIER_TABLES},
    "wine_outliers": outlier_table("wine"),
    "yeast_outliers": outlier_table("yeast"),
}


def falling_learning_rate(n_samples):
    """Return a schedule from 0.003 to zero over the steps of a default fit."""
    from keras.optimizers.schedules import CosineDecay

    schedule = resolve_auto_settings(n_samples, "auto", "auto", "auto")
    n_steps = schedule.epochs * -(-n_samples // schedule.batch_size)
    return CosineDecay(0.003, n_steps)


REDUCERS = "pca", "plain", "plain, falling rate", "ours"


def reducers(n_components, n_samples, seed, params):
    """Return a reducer for each of `REDUCERS`."""
    plain = AutoencoderTransformer(n_components, init="random", random_state=seed)
    falling = clone(plain).set_params(learning_rate=falling_learning_rate(n_samples))
    ours = AutoencoderTransformer(n_components, random_state=seed, **params)
    pca = PCA(n_components, random_state=seed)
    return dict(zip(REDUCERS, (pca, plain, falling, ours), strict=True))


def run_case(table, scaler, n_components, data, params):
    """Return a record of one case: medians over the splits of ratios to PCA."""
    X, y = TABLES[table](data)
    y = y if n_components == N_COMPONENTS_SCORED else None
    errors, scores, seconds = [], [], []
    for seed, (train, test) in enumerate(SPLITS.split(X)):
        scaled = clone(SCALERS[scaler]).fit(X[train]).transform(X)
        result = compare_reducers(
            reducers(n_components, len(train), seed, params),
            scaled.astype(float),
            y,
            cv=[(train, test)],
        )
        errors.append(result["test_mse"])
        scores.append(result.get("test_score"))
        seconds.append(result["fit_time"])
    ratios = np.array(errors) / np.array(errors)[:, :1]
    _, plain, falling, ours = np.median(ratios, axis=0)
    record = {
        "table": table,
        "rows": len(X),
        "features": X.shape[1],
        "scaler": scaler,
        "n_components": n_components,
        "pca": float(np.median(errors, axis=0)[0]),
        "plain / pca": float(plain),
        "falling / pca": float(falling),
        "ours / pca": float(ours),
        "ours / best": float(np.median(ratios[:, 3] / ratios[:, :3].min(axis=1))),
        "seconds": float(np.median(seconds, axis=0)[3]),
        "splits": ratios[:, 3].tolist(),
    }
    if y is not None:
        pca, *_, ours = np.median(scores, axis=0)
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
    "falling / pca",
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
    splits = np.array([record["splits"] for record in records])
    figures = {
        "cases": len(records),
        "ours / pca, geometric mean": np.exp(np.log(ratios).mean()),
        "ours / pca, median": np.median(ratios),
        "ours / pca, worst": ratios.max(),
        "fits above 1.02 of PCA's error": np.mean(splits > 1.02),
        "worst fit": splits.max(),
        "cases within 2 % of the best of PCA and both plain": np.mean(best <= 1.02),
        "seconds, sum over cases": sum(record["seconds"] for record in records),
    }
    gains = [r["score, ours"] - r["score, pca"] for r in records if "score, pca" in r]
    if gains:
        figures["cases with score >= PCA's score - 0.005"] = np.mean(
            np.array(gains) >= -0.005
        )
    return {key: float(value) for key, value in figures.items()}


def draw(records, path):
    """Draw the ratios to PCA's error by the number of rows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    ax = figure.subplots()
    rows = np.array([record["rows"] for record in records])
    # Cases of a table are drawn beside each other.
    place = rows * np.exp(np.random.default_rng(0).uniform(-0.06, 0.06, len(rows)))
    kinds = (
        ("plain / pca", "plain autoencoder", "x", "tab:orange"),
        ("ours / pca", "default autoencoder", "o", "tab:blue"),
    )
    for key, label, marker, color in kinds:
        ratios = [record[key] for record in records]
        style = {"marker": marker, "color": color, "alpha": 0.7, "s": 18}
        ax.scatter(place, ratios, label=label, linewidths=1, **style)
    ax.axhline(1, color="black", linewidth=1, label="PCA")
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="rows of the table",
        ylabel="held-out error / PCA's error",
    )
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=150)


HEADING = """# Benchmark suite: PCA and autoencoders

Written by `python -m benchmarks.suite --data FOLDER --out docs/suite`. The table shows
the held-out mean squared error of PCA and the ratios of the autoencoders' errors to it,
with default parameters, as medians over three splits. Test rows are used neither in
training nor in scaling. "Plain" is the same network without a linear path, trained from
random weights for as many epochs at a constant learning rate of 0.001, which
corresponds to Keras's `Model.fit`; for "falling" the learning rate falls from 0.003 to
zero. "Best" is the best of PCA and these two. Scores are accuracies of a logistic
regression on standardised codes. Seconds are the time of one fit of "ours"; other
programs may have run on the machine meanwhile.

![Ratios of the errors to that of PCA, by the number of rows](images/suite.png)
"""


def write(records, out):
    """Write all records, with those that the file already has, to OUT.json and OUT.md.

    The picture is written to images/OUT.png.
    """
    keys = "table", "scaler", "n_components"
    file = out.with_suffix(".json")
    old = json.loads(file.read_text())["cases"] if file.exists() else []
    cases = {tuple(r[key] for key in keys): r for r in [*old, *records]}
    order = list(TABLES)
    records = sorted(cases.values(), key=lambda r: (r["rows"], order.index(r["table"])))
    figures = summary(records)
    heads = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}\n"
    shown = "".join(f"- {name}: {value:.4g}\n" for name, value in figures.items())
    table = "\n".join(map(table_row, records))
    out.with_suffix(".md").write_text(f"{HEADING}\n{shown}\n{heads}{table}\n")
    file.write_text(json.dumps({"summary": figures, "cases": records}, indent=1) + "\n")
    draw(records, out.parent / "images" / f"{out.name}.png")


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.suite", description=__doc__
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--params", type=json.loads, default={}, help="as JSON")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, help="OUT.md, OUT.json, images/OUT.png")
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
    for name, value in summary(records).items():
        print(f"{name}: {value:.4g}")
    if options.out:
        write(records, options.out)


if __name__ == "__main__":
    main()
