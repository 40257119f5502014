"""Kinds of noise compared by the accuracy of a classifier on the codes.

python -m benchmarks.noises --data FOLDER                  all tables: an hour
python -m benchmarks.noises --data FOLDER --only iris wine --out noises.json

FOLDER holds tables.npz. A logistic regression on 8 codes of a
DenoisingAutoencoder (or half as many as features, if that is less), fitted to the
training rows, predicts the labels of a quarter of the rows that neither was fitted to.
Columns are standardized. Of tables with labelled outliers those are used of which at
least a tenth of the rows are outliers, and at most 2000 rows. The best level of each
kind of noise is that with the highest mean over all tables. In "swap, 32 rows" values
are drawn from 32 rows instead of all training rows. With ``--out`` the tables are added
to those in the file, so that the benchmark can be run in parts.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import DenoisingAutoencoder
from skautoenc.noise import swap

from .suite import TABLES

LABELLED = (
    "iris",
    "wine",
    "cancer",
    "digits",
    "breastw",
    "cardiotocography",
    "fault",
    "ionosphere",
    "landsat",
    "magic_gamma",
    "pima",
    "spambase",
)
MAX_ROWS, MAX_COMPONENTS = 2000, 8


class SwapWithin:
    """Swaps values within groups of rows, as noise of a DenoisingAutoencoder."""

    def __init__(self, n_rows, level):
        self.n_rows, self.level = n_rows, level

    def __call__(self, X, rng):
        groups = [X[i : i + self.n_rows] for i in range(0, len(X), self.n_rows)]
        return np.concatenate([swap(group, self.level, rng) for group in groups])


NOISES = {
    "no noise": {0.0: {"noise_level": 0.0}},
    "gaussian": {
        level: {"noise": "gaussian", "noise_level": level} for level in (0.25, 0.5, 1.0)
    },
    "masking": {
        level: {"noise": "masking", "noise_level": level} for level in (0.2, 0.4, 0.6)
    },
    "swap": {
        level: {"noise": "swap", "noise_level": level} for level in (0.2, 0.4, 0.6)
    },
    "swap, 32 rows": {level: {"noise": SwapWithin(32, level)} for level in (0.4,)},
}


def accuracies(X, y, n_splits):
    """Return the mean accuracy over splits of each kind of noise, by level."""
    splits = StratifiedShuffleSplit(n_splits, test_size=0.25, random_state=0)
    n_components = min(MAX_COMPONENTS, X.shape[1] // 2)
    found = {}
    for name, levels in NOISES.items():
        for level, params in levels.items():
            scores = []
            for seed, (train, test) in enumerate(splits.split(X, y)):
                pipeline = make_pipeline(
                    StandardScaler(),
                    DenoisingAutoencoder(n_components, random_state=seed, **params),
                    StandardScaler(),
                    LogisticRegression(max_iter=1000),
                ).fit(X[train], y[train])
                scores.append(pipeline.score(X[test], y[test]))
            found.setdefault(name, {})[str(level)] = float(np.mean(scores))
    return found


def labelled_rows(name, data):
    """Return at most `MAX_ROWS` rows of a table, drawn at random, and their labels."""
    X, y = TABLES[name](data)
    chosen = np.random.default_rng(0).permutation(len(X))[:MAX_ROWS]
    X = X[chosen].astype(np.float32)
    return X[:, X.std(axis=0) > 0], y[chosen]


def report(results):
    """Print the mean accuracy of each noise, and the tables at the best levels."""
    chosen = {}
    for name, levels in NOISES.items():
        means = {
            level: np.mean([found[name][str(level)] for found in results.values()])
            for level in levels
        }
        print(name, *(f"{level:g}: {mean:.4f}" for level, mean in means.items()))
        chosen[name] = max(means, key=means.get)
    rows = {
        table: [found[name][str(level)] for name, level in chosen.items()]
        for table, found in results.items()
    }
    rows["mean"] = np.mean(list(rows.values()), axis=0)
    titles = (f"{name}, {level:g}" for name, level in chosen.items())
    print("", "table", *titles, "", sep=" | ")
    print("|---" * (1 + len(chosen)) + "|")
    for table, values in rows.items():
        print("", table, *(f"{value:.3f}" for value in values), "", sep=" | ")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=LABELLED, default=LABELLED)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = {}
    if options.out and options.out.exists():
        results = json.loads(options.out.read_text())
    for name in options.only:
        X, y = labelled_rows(name, options.data)
        results[name] = accuracies(X, y, options.splits)
        print(name, X.shape, results[name], flush=True)
        if options.out:
            options.out.write_text(json.dumps(results, indent=1))
    report(results)


if __name__ == "__main__":
    main()
