"""Tables of numbers and categories: an autoencoder with `one_hot_groups`, and PCA.

python -m benchmarks.mixed --data FOLDER
python -m benchmarks.mixed --only made_300 made_1500         without the data folder

FOLDER holds tables.npz. Numbers are standardised, categories one-hot encoded, and both
are reduced to few components. For each table there are three splits; 30 % of the rows
of a table, and 2000 new rows of a made-up one, are test rows. PCA's categories are the
largest of its reconstructions in each group.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skautoenc import AutoencoderTransformer

N_SPLITS = 3
N_COMPONENTS = 4, 8

# The groups of columns 1 to 56 of "campaign", by their first column.
CAMPAIGN = {1: 12, 13: 4, 17: 8, 25: 3, 28: 3, 31: 3, 35: 10, 45: 5, 54: 3}


def made(n_rows):
    """Return a function that makes numbers and categories of three latent variables."""

    def load(data, seed):
        rng = np.random.default_rng(seed)
        to_numbers = rng.normal(size=(3, 6))
        to_categories = [2 * rng.normal(size=(3, n)) for n in (4, 6, 9)]

        def rows(n):
            latent = rng.normal(size=(n, 3))
            numbers = np.tanh(latent @ to_numbers) + 0.05 * rng.normal(size=(n, 6))
            categories = [
                (latent @ weights + 0.3 * rng.gumbel(size=(n, weights.shape[1])))
                for weights in to_categories
            ]
            return numbers, np.stack([c.argmax(axis=1) for c in categories], axis=1)

        return rows(n_rows), rows(2000)

    return load


def cardiotocography(data, seed):
    """Return a table whose every second of the ten richest columns is cut in five."""
    with np.load(data / "tables.npz", allow_pickle=False) as arrays:
        X = arrays["cardiotocography_x"]
    richest = np.argsort([-len(np.unique(column)) for column in X.T], kind="stable")
    cut = richest[:10:2]
    edges = np.quantile(X[:, cut], [0.2, 0.4, 0.6, 0.8], axis=0)
    categories = (X[:, None, cut] > edges).sum(axis=1)
    return _split(np.delete(X, cut, axis=1), categories, seed)


def campaign(data, seed):
    """Return bank clients, whose categories are one-hot encoded in the file."""
    with np.load(data / "tables.npz", allow_pickle=False) as arrays:
        X = arrays["campaign_x"]
    groups = [range(start, start + n) for start, n in CAMPAIGN.items()]
    categories = np.stack([X[:, group].argmax(axis=1) for group in groups], axis=1)
    return _split(np.delete(X, np.concatenate(groups), axis=1), categories, seed)


def _split(numbers, categories, seed):
    parts = train_test_split(numbers, categories, test_size=0.3, random_state=seed)
    return (parts[0], parts[2]), (parts[1], parts[3])


TABLES = {
    "made_300": made(300),
    "made_1500": made(1500),
    "cardiotocography": cardiotocography,
    "campaign": campaign,
}

COLUMNS = (
    *("table", "n_components", "numbers, PCA", "numbers, squared error"),
    *("numbers, ours", "categories, PCA", "categories, squared error"),
    *("categories, ours", "valid, ours", "seconds"),
)

HEADING = """## Numbers and categories

This section is printed by `python -m benchmarks.mixed --data FOLDER`. Numbers: held-out
squared error over their variance. Categories: share of held-out values that are
restored. "Ours" has `one_hot_groups`, "squared error" is the same autoencoder without
it. Valid: share of reconstructions whose groups are probabilities. All figures are
means over {n_splits} splits, seconds those of a fit of "ours"; other programs may have
run on the machine meanwhile.
"""


def run_case(load, n_components, data, seed):
    """Return the figures of one split, in the order of `COLUMNS`."""
    train, test = load(data, seed)
    n_numbers, n_categories = train[0].shape[1], train[1].shape[1]
    numbers, categories = slice(n_numbers), slice(n_numbers, None)
    every = np.arange(n_numbers + n_categories)
    encode = make_column_transformer(
        (StandardScaler(), every[numbers]),
        (OneHotEncoder(handle_unknown="ignore"), every[categories]),
        sparse_threshold=0,
    )
    X, X_test = (
        encode.fit_transform(np.hstack(train)),
        encode.transform(np.hstack(test)),
    )
    encoder = encode.named_transformers_["onehotencoder"]

    def figures(reducer):
        restored = reducer.inverse_transform(reducer.transform(X_test))
        errors = restored[:, numbers] - X_test[:, numbers]
        values = encoder.inverse_transform(restored[:, categories])
        return (
            np.mean(errors**2) / X_test[:, numbers].var(axis=0).mean(),
            np.mean(values == test[1]),
            restored,
        )

    pca = figures(PCA(n_components, random_state=seed).fit(X))
    params = {"n_components": n_components, "random_state": seed}
    plain = figures(AutoencoderTransformer(**params).fit(X))
    ends = n_numbers + np.cumsum([len(c) for c in encoder.categories_])
    groups = [
        list(range(end - len(c), end))
        for end, c in zip(ends, encoder.categories_, strict=True)
    ]
    start = time.perf_counter()
    autoencoder = AutoencoderTransformer(**params, one_hot_groups=groups).fit(X)
    seconds = time.perf_counter() - start
    ours = figures(autoencoder)
    shares = [ours[2][:, group] for group in groups]
    valid = [(a >= 0).all(axis=1) & (abs(a.sum(axis=1) - 1) < 1e-5) for a in shares]
    return (
        *(pca[0], plain[0], ours[0], pca[1], plain[1], ours[1]),
        *(np.mean(valid), seconds),
    )


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mixed", description=__doc__
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    options = parser.parse_args()
    print(HEADING.format(n_splits=N_SPLITS))
    print(f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}")
    for table in options.only:
        for n_components in N_COMPONENTS:
            splits = [
                run_case(TABLES[table], n_components, options.data, seed)
                for seed in range(N_SPLITS)
            ]
            means = [f"{value:.3f}" for value in np.mean(splits, axis=0)]
            print("|", " | ".join([table, str(n_components), *means]), "|", flush=True)


if __name__ == "__main__":
    main()
