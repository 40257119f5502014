"""Outlier detectors with their defaults, on tables with labelled outliers and digits.

python -m benchmarks.outliers --data FOLDER --out docs/outliers            an hour
python -m benchmarks.outliers --data FOLDER --parts tables --tables glass wine
python -m benchmarks.outliers --data FOLDER --parts planted digits time
python -m benchmarks.outliers --data FOLDER --methods ours IsolationForest

FOLDER holds tables.npz and shuttle.npz. The parts are:

tables      ROC AUC on test rows, for training rows with their outliers
dirty       ROC AUC and false alarms for training rows without outliers, and the AUC
            when 5 % of outliers are added to them
planted     ranks of two rows with typing errors among the training rows
digits      ROC AUC for a digit that is not in the training rows
time        seconds of fit and score on all rows of shuttle

Rivals of pyod are left out if pyod is not installed. With ``--out`` the results are
added to those in the file, so that the benchmark can be run in parts.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.special import logsumexp
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedShuffleSplit, train_test_split
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderOutlierDetector, AutoencoderTransformer
from skautoenc._outliers.ellipse import Ellipse
from skautoenc._outliers.scores import Decoded, Rows, Scorer, fit_row_neighbors

from ._cases import seconds
from .suite import OUTLIER_TABLES, TABLES

# Names in the suite of the tables of `tables.npz` and of shuttle.
NAMES = (*sorted(OUTLIER_TABLES), "shuttle", "wine_outliers", "yeast_outliers")
SPLITS = StratifiedShuffleSplit(3, test_size=0.4, random_state=0)
PLANTED_SEEDS = range(5)

# Larger tables are cut: rows at random, columns to those of the largest variance.
MAX_ROWS, MAX_COLUMNS = 3000, 200

OURS, RESIDUAL, FOREST = "ours", "residual alone", "IsolationForest"
ROWS_ONLY, ONE_FIT = "Mahalanobis and neighbours, no network", "one fit on all rows"
OF_PCA = "residual of PCA(0.8)"
OF_DIRTY = OURS, ONE_FIT, RESIDUAL, ROWS_ONLY, FOREST
OF_TIME = OURS, "pyod AutoEncoder", FOREST


class Shared:
    """A reducer that several detectors use, and that is fitted once to the same X."""

    def __init__(self, reducer):
        self.reducer, self.X = reducer, None

    def fit(self, X):
        if self.X is not X:
            self.reducer.fit(X)
            self.X = X

    def decode(self, rows):
        codes = self.reducer.transform(rows.values)
        return Decoded(rows, codes, self.reducer.inverse_transform(codes))

    def reconstruct(self, X):
        return self.reducer.inverse_transform(self.reducer.transform(X))


class Residual:
    """Mean squared residual of a reducer."""

    def __init__(self, shared):
        self.shared = shared

    def fit(self, X):
        self.shared.fit(X)
        return self

    def score_samples(self, X):
        return -np.square(X - self.shared.reconstruct(X)).mean(axis=1)


class OneFit:
    """Our score from one reducer that is fitted on all rows."""

    def __init__(self, shared):
        self.shared = shared

    def fit(self, X):
        self.shared.fit(X)
        everything = np.ones(len(X), bool)
        self.neighbors = fit_row_neighbors(X, everything)
        decoded = self._decode(X, everything)
        self.scorer, _ = Scorer.fit(decoded, self.neighbors, everything)
        return self

    def score_samples(self, X):
        is_reference = np.full(len(X), X is self.shared.X)
        return self.scorer.score(self._decode(X, is_reference))

    def _decode(self, X, is_reference):
        distances = self.neighbors.distances(X, is_reference)
        return self.shared.decode(Rows(X, is_reference, distances))


class RowsOnly:
    """A robust Mahalanobis distance and that to a neighbour, joined as in our score."""

    def fit(self, X):
        everything = np.ones(len(X), bool)
        self.ellipse, self.neighbors = Ellipse.fit(X), fit_row_neighbors(X, everything)
        terms = self._logarithms(X, everything)
        self.medians, quartiles = np.percentile(terms, (50, 75), axis=1)
        self.spreads = quartiles - self.medians + 1e-3
        return self

    def score_samples(self, X):
        terms = self._logarithms(X, np.zeros(len(X), bool))
        return -logsumexp((terms.T - self.medians) / self.spreads, axis=1)

    def _logarithms(self, X, is_reference):
        distances = [
            self.ellipse.distances(X),
            self.neighbors.distances(X, is_reference),
        ]
        return np.log(np.stack(distances) + 1e-6)


class OfPyod:
    """A detector of pyod, with the method of scikit-learn."""

    def __init__(self, detector):
        self.detector = detector

    def fit(self, X):
        self.detector.fit(X)
        return self

    def score_samples(self, X):
        return -self.detector.decision_function(X)


def rivals_of_pyod(seed):
    """Return detectors of pyod with their defaults; none without pyod."""
    try:
        from pyod.models.auto_encoder import AutoEncoder
        from pyod.models.ecod import ECOD
        from pyod.models.hbos import HBOS
        from pyod.models.knn import KNN
        from pyod.models.mcd import MCD
    except ImportError:
        return {}
    detectors = {
        "pyod AutoEncoder": AutoEncoder(verbose=0, random_state=seed),
        "pyod ECOD": ECOD(),
        "pyod HBOS": HBOS(),
        "pyod KNN": KNN(),
        "pyod MCD": MCD(random_state=seed),
    }
    return {name: OfPyod(detector) for name, detector in detectors.items()}


def detectors(seed, methods):
    """Return detectors by name: all, or those of these names."""
    network = Shared(AutoencoderTransformer(0.8, random_state=seed))
    found = {
        OURS: AutoencoderOutlierDetector(contamination=0.05, random_state=seed),
        "ours with PCA(0.8)": AutoencoderOutlierDetector(PCA(0.8), random_state=seed),
        ONE_FIT: OneFit(network),
        RESIDUAL: Residual(network),
        ROWS_ONLY: RowsOnly(),
        FOREST: IsolationForest(random_state=seed),
        "LocalOutlierFactor": LocalOutlierFactor(novelty=True),
        **rivals_of_pyod(seed),
    }
    return {name: d for name, d in found.items() if not methods or name in methods}


def load(name, data):
    """Return the rows of a table and whether each is an outlier."""
    X, y = TABLES[name](data)
    X, y = X.astype(float), y.astype(bool)
    if len(X) > MAX_ROWS:
        rows = np.random.default_rng(0).choice(len(X), MAX_ROWS, replace=False)
        X, y = X[rows], y[rows]
    if X.shape[1] > MAX_COLUMNS:
        X = X[:, np.sort(np.argsort(-X.var(axis=0))[:MAX_COLUMNS])]
    return X, y


def scaled(train, test):
    """Return both parts, standardized by the first one."""
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def run_tables(name, data, methods):
    """Yield (method, split, AUC) for training rows with their outliers."""
    X, y = load(name, data)
    for seed, (train, test) in enumerate(SPLITS.split(X, y)):
        A, T = scaled(X[train], X[test])
        for method, detector in detectors(seed, methods).items():
            scores = detector.fit(A).score_samples(T)
            yield method, seed, roc_auc_score(~y[test], scores)


def run_dirty(name, data, methods):
    """Yield (measure of a method, split, value) for clean and dirty training rows."""
    X, y = load(name, data)
    methods = [m for m in OF_DIRTY if not methods or m in methods]
    for seed, (train, test) in enumerate(SPLITS.split(X, y)):
        inliers, outliers = train[~y[train]], train[y[train]]
        added = outliers[: max(1, round(0.05 * len(inliers)))]
        parts = {"clean": inliers, "dirty": np.concatenate([inliers, added])}
        for part, rows in parts.items():
            A, T = scaled(X[rows], X[test])
            for method, detector in detectors(seed, methods).items():
                detector.fit(A)
                scores = detector.score_samples(T)
                yield f"{method}, {part}", seed, roc_auc_score(~y[test], scores)
                if part == "clean" and method == OURS:
                    alarms = detector.predict(T[~y[test]]) == -1
                    yield "false alarms", seed, alarms.mean()
                    yield "training rows", seed, len(rows)


def run_planted(name, data, methods):
    """Yield (method, seed, worse rank of the two rows) among 569 rows.

    In one row a cell is multiplied by 20; in the other, cells of about 0.1 and 0.2 are
    set to 3.0 and 1.5.
    """
    X = load_breast_cancer().data
    X[100, 0] *= 20
    X[400, [4, 8]] = 3.0, 1.5
    X = StandardScaler().fit_transform(X)
    for seed in PLANTED_SEEDS:
        for method, detector in detectors(seed, methods).items():
            ranks = np.argsort(np.argsort(detector.fit(X).score_samples(X)))
            yield method, seed, int(ranks[[100, 400]].max())


def run_digits(name, data, methods):
    """Yield (method, digit, AUC) for a digit that is not among the training rows."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    for digit in range(10):
        train, test = train_test_split(
            np.flatnonzero(y != digit), test_size=0.3, random_state=digit
        )
        test = np.concatenate([test, np.flatnonzero(y == digit)])
        found = detectors(digit, methods)
        if not methods or OF_PCA in methods:
            found[OF_PCA] = Residual(Shared(PCA(0.8)))
        for method, detector in found.items():
            scores = detector.fit(X[train]).score_samples(X[test])
            yield method, digit, roc_auc_score(y[test] != digit, scores)


def run_time(name, data, methods):
    """Yield (method, 0, seconds of fit and score) on all rows of shuttle."""
    X = StandardScaler().fit_transform(TABLES["shuttle"](data)[0].astype(float))
    AutoencoderOutlierDetector(random_state=0).fit(X[:500])  # imports are not timed
    methods = [m for m in OF_TIME if not methods or m in methods]
    for method, detector in detectors(0, methods).items():
        yield method, 0, seconds(lambda d=detector: d.fit(X).score_samples(X))


PARTS = {
    "tables": (run_tables, NAMES),
    "dirty": (run_dirty, NAMES),
    "planted": (run_planted, ("cancer",)),
    "digits": (run_digits, ("digits",)),
    "time": (run_time, ("shuttle",)),
}


def means(records, part):
    """Return the mean over splits, by method and then by table."""
    values = defaultdict(lambda: defaultdict(list))
    for record in records:
        if record["part"] == part:
            values[record["method"]][record["table"]].append(record["value"])
    return {
        method: {table: float(np.mean(v)) for table, v in by_table.items()}
        for method, by_table in values.items()
    }


def summary_of_tables(records):
    """Return Markdown lines: means over the tables, and differences from ours."""
    auc = means(records, "tables")
    if not {OURS, FOREST} <= auc.keys():
        return []
    tables = list(auc[OURS])
    lines = [
        f"## Tables with outliers: {len(tables)} tables, three splits\n",
        "| detector | mean AUC | ours minus it | standard error | tables where ours is "
        "higher | lowest difference from IsolationForest |",
        "|---|---|---|---|---|---|",
    ]
    ours, forest = (np.array([auc[m][t] for t in tables]) for m in (OURS, FOREST))
    for method, by_table in sorted(
        auc.items(), key=lambda item: -np.mean(list(item[1].values()))
    ):
        values = np.array([by_table[table] for table in tables])
        differences = 100 * (ours - values)
        error = differences.std(ddof=1) / np.sqrt(len(tables)) if len(tables) > 1 else 0
        lines.append(
            f"| {method} | {100 * values.mean():.1f} | {differences.mean():+.1f} | "
            f"{error:.1f} | {np.sum(differences > 0)} | "
            f"{100 * (values - forest).min():+.1f} |"
        )
    lines += ["", "| table | " + " | ".join(auc) + " |", "|---" * (len(auc) + 1) + "|"]
    for table in tables:
        cells = " | ".join(f"{100 * auc[method][table]:.1f}" for method in auc)
        lines.append(f"| {table} | {cells} |")
    return [*lines, ""]


def summary_of_dirty(records):
    """Return Markdown lines: AUC lost by outliers among the rows, and false alarms."""
    values = means(records, "dirty")
    if not values:
        return []
    lines = [
        "## Training rows without outliers, and with 5 % added\n",
        "| detector | AUC, clean | AUC, dirty | lost |",
        "|---|---|---|---|",
    ]
    for method in OF_DIRTY:
        if f"{method}, dirty" not in values:
            continue
        clean, dirty = (
            100 * np.mean(list(values[f"{method}, {part}"].values()))
            for part in ("clean", "dirty")
        )
        lines.append(f"| {method} | {clean:.1f} | {dirty:.1f} | {clean - dirty:.1f} |")
    if "false alarms" not in values:
        return [*lines, ""]
    alarms, n_rows = values["false alarms"], values["training rows"]
    small = [alarms[table] for table in alarms if n_rows[table] < 700]
    shown = [f"{100 * np.mean(list(alarms.values())):.1f} %"]
    if small:
        shown.append(
            f"{100 * np.mean(small):.1f} % over the {len(small)} with fewer than "
            f"700 training rows (from {100 * min(small):.1f} to {100 * max(small):.1f})"
        )
    text = ", ".join(shown)
    return [*lines, "", f"False alarms at contamination=0.05: {text}.", ""]


TITLES = {
    "planted": "Two planted rows: worse rank among 569, worst of five seeds",
    "digits": "A digit that was not in the training rows: mean AUC over ten digits",
    "time": "Seconds of fit and score on all 49,097 rows of shuttle",
}


def summary_of(part, records):
    """Return Markdown lines of one number for each method."""
    values = defaultdict(list)
    for record in records:
        if record["part"] == part:
            values[record["method"]].append(record["value"])
    if not values:
        return []
    reduce = {"planted": max, "time": max}.get(part, lambda v: 100 * np.mean(v))
    lines = [f"## {TITLES[part]}\n", "| detector | |", "|---|---|"]
    lines += [f"| {m} | {reduce(v):.4g} |" for m, v in values.items()]
    return [*lines, ""]


HEADING = """# Figures of outlier detection

Written by `python -m benchmarks.outliers --data FOLDER --out docs/outliers`. All
detectors have their default parameters. Test rows are used neither in training nor in
scaling, and a number is the mean over three splits. AUC is that of the ROC curve, times
100. Tables are cut to 3000 random rows and to the 200 columns of the largest
variance. "Residual alone" is the mean squared residual of one autoencoder, and "one fit
on all rows" is our score without halves. "Mahalanobis and neighbours, no network" joins
a robust Mahalanobis distance of the rows and the distance to the 20th neighbour in the
same way. Other programs may have run on the machine while times were measured.
"""


def report(records):
    """Return the Markdown text of all results."""
    lines = [*summary_of_tables(records), *summary_of_dirty(records)]
    for part in TITLES:
        lines += summary_of(part, records)
    return "\n".join([HEADING, *lines])


def write(records, out):
    """Write all records, with those that the file already has, to OUT.json and .md."""
    keys = "part", "table", "method", "split"
    file = out.with_suffix(".json")
    old = json.loads(file.read_text()) if file.exists() else []
    merged = {tuple(r[key] for key in keys): r for r in [*old, *records]}
    records = [merged[key] for key in sorted(merged, key=lambda key: key[:2])]
    lines = ",\n".join(map(json.dumps, records))
    file.write_text(f"[\n{lines}\n]\n")
    out.with_suffix(".md").write_text(report(records))


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.outliers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--tables", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--methods", nargs="+", help="names as in the tables")
    parser.add_argument("--out", type=Path, help="OUT.md and OUT.json")
    options = parser.parse_args()
    everything = []
    for part in options.parts:
        run, names = PARTS[part]
        for name in names:
            if len(names) > 1 and name not in options.tables:
                continue
            records = [
                {
                    "part": part,
                    "table": name,
                    "method": m,
                    "split": s,
                    "value": float(v),
                }
                for m, s, v in run(name, options.data, options.methods)
            ]
            print(
                part,
                name,
                {m: round(v[name], 3) for m, v in means(records, part).items()},
                flush=True,
            )
            everything += records
            if options.out:
                write(records, options.out)
    print(report(everything))


if __name__ == "__main__":
    main()
