"""Held-out scores and samples of variational autoencoders with default parameters.

python -m benchmarks.variational --data FOLDER                all cases: ten minutes
python -m benchmarks.variational --only iris wine --seeds 2   without the data folder

FOLDER holds mnist.npz. 70 % of the rows of a table are training rows, to which the
scaler, PCA and the autoencoders are fitted. The split is the same for all seeds, which
are the random states of the autoencoders.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from skautoenc import VariationalAutoencoder

from ._cases import mnist

# Table, scaler and number of components of each case.
CASES = {
    "iris": (datasets.load_iris, MinMaxScaler, 2),
    "wine": (datasets.load_wine, MinMaxScaler, 2),
    "cancer": (datasets.load_breast_cancer, MinMaxScaler, 2),
    "digits": (datasets.load_digits, MinMaxScaler, 8),
    "iris, standard": (datasets.load_iris, StandardScaler, 2),
    "wine, standard": (datasets.load_wine, StandardScaler, 2),
    "cancer, standard": (datasets.load_breast_cancer, StandardScaler, 2),
    "digits, standard": (datasets.load_digits, StandardScaler, 8),
    "mnist_5000": (None, FunctionTransformer, 16),
}

# Divergence in nats below which a component is silent.
_MIN_DIVERGENCE = 0.05

COLUMNS = (
    "case",
    "n_components",
    "score, PCA",
    "score, ours",
    "std",
    "silent",
    "cover, PCA",
    "cover, ours",
    "seconds",
)

HEADING = """## Variational autoencoders

This section is printed by `python -m benchmarks.variational --data FOLDER`. Scores are
the fractions of variance explained in held-out rows, ours as the mean and the standard
deviation over {seeds} random states, with default parameters. "Silent" is the largest
number of components whose divergence from the prior is below 0.05 nats in a fit.
"Cover" is the mean distance of held-out rows to the nearest of as many samples as there
are training rows, relative to that to the nearest training row; at 1, samples are as
close as real rows. Samples include noise of variance `noise_variance_`; those of PCA
are drawn from probabilistic PCA. Seconds are the median time of a fit; other programs
may have run on the machine meanwhile.
"""


def split(name, data):
    """Return scaled training rows and test rows."""
    load, scaler, _ = CASES[name]
    X = mnist(data)[:5000] if load is None else load().data
    train, test = train_test_split(X, test_size=0.3, random_state=0)
    scaler = scaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def explained(train, test, reconstruction):
    """Return the share of the variance around the training mean."""
    deviation = np.square(test - train.mean(axis=0)).sum()
    return float(1 - np.square(test - reconstruction).sum() / deviation)


def divergences(vae, X):
    """Return the mean divergence of each component from the prior, in nats."""
    import keras

    encoder = vae.encoder_
    features = encoder.get_layer("code_nonlinear").input
    hidden = keras.Model(encoder.inputs, features)(X.astype(np.float32)).numpy()
    kernel, bias = vae._log_variance.weights
    mean, log_variance = vae.transform(X), hidden @ kernel + bias
    of_rows = 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)
    return of_rows.mean(axis=0)


def cover(train, test, samples):
    """Return how far samples are from test rows, relative to training rows."""
    distances = [
        pairwise_distances_argmin_min(test, rows)[1].mean() for rows in (samples, train)
    ]
    return distances[0] / distances[1]


def samples_of_pca(pca, n, rng):
    factors = np.sqrt(pca.explained_variance_ - pca.noise_variance_)
    codes = factors * rng.standard_normal((n, len(factors)))
    return with_noise(pca.inverse_transform(codes), pca.noise_variance_, rng)


def with_noise(X, variance, rng):
    return X + np.sqrt(variance) * rng.standard_normal(X.shape)


def run_case(name, data, seeds):
    """Return a record of one case."""
    train, test = split(name, data)
    n, n_components = len(train), CASES[name][2]
    pca = PCA(n_components, svd_solver="full").fit(train)
    scores, silent, covers, seconds = [], [], [], []
    for seed in range(seeds):
        start = time.perf_counter()
        vae = VariationalAutoencoder(n_components, random_state=seed).fit(train)
        seconds.append(time.perf_counter() - start)
        scores.append(vae.score(test))
        silent.append(int((divergences(vae, test) < _MIN_DIVERGENCE).sum()))
        rng = np.random.default_rng(seed)
        samples = with_noise(vae.sample(n, seed), vae.noise_variance_, rng)
        covers.append(cover(train, test, samples))
    of_pca = samples_of_pca(pca, n, np.random.default_rng(0))
    reconstruction = pca.inverse_transform(pca.transform(test))
    return {
        "case": name,
        "n_components": n_components,
        "score, PCA": explained(train, test, reconstruction),
        "score, ours": np.mean(scores),
        "std": np.std(scores),
        "silent": max(silent),
        "cover, PCA": cover(train, test, of_pca),
        "cover, ours": np.mean(covers),
        "seconds": np.median(seconds),
    }


def table_row(values):
    shown = [f"{v:.3f}" if isinstance(v, float) else str(v) for v in values]
    return f"| {' | '.join(shown)} |"


def main():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.variational",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, help="folder with mnist.npz")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    print(HEADING.format(seeds=options.seeds))
    print(table_row(COLUMNS))
    print(f"|{'---|' * len(COLUMNS)}", flush=True)
    for name in options.only:
        if CASES[name][0] is None and options.data is None:
            print(f"{name}: skipped, requires --data", flush=True)
            continue
        record = run_case(name, options.data, options.seeds)
        print(table_row(record.values()), flush=True)


if __name__ == "__main__":
    main()
