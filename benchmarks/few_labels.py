"""Classifiers for few labels: accuracy on test rows, and the time of a fit.

python -m benchmarks.few_labels --data FOLDER --out few.json        about an hour
python -m benchmarks.few_labels --data FOLDER --only digits --picture curve.png
python -m benchmarks.few_labels --data FOLDER --only pima --methods ours rows
python -m benchmarks.few_labels --data FOLDER --only time --repeats 3

FOLDER holds mnist.npz and tables.npz. Rows are split into training and test rows, and
labels of some training rows are drawn, with the shares of the classes. The methods are:

ours      EncoderClassifier with its defaults. Its autoencoder is trained on all
          training rows without labels, once for each split. In "mnist_conv" it is a
          DenoisingAutoencoder with a ConvNetwork
frozen    the same with fine_tune=False: a logistic regression of the codes
scratch   the same layers without pre-training: the autoencoder is "trained" for an
          epoch at a learning rate that changes nothing, so that its weights are
          random. Trained on the labels by Adam at a rate of 0.001 for 20, 50, 100 and
          200 epochs, with a head of random weights, and with a logistic regression of
          the random codes as head
mlp       MLPClassifier with hidden layers of 128 and 64 units, for as many epochs
rows      LogisticRegression of standardized rows, with C from cross-validation
pca       the same of components of PCA, which is fitted to all training rows; their
          number is from the same cross-validation

The number of epochs of "scratch" and "mlp", and the head of "scratch", are those with
the highest mean accuracy on the *test* rows, which is to their advantage. With
``--out`` the results are added to those in the file, so that the benchmark can be run
in parts. ``--picture`` draws the accuracy on the digits against the number of labels.
"""

import argparse
import itertools
import json
import time
import warnings
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import ConvNetwork, DenoisingAutoencoder, EncoderClassifier
from skautoenc._fit import supervised
from skautoenc._fit.defaults import resolve_auto_settings
from skautoenc._fit.heads import head_spec, make_head
from skautoenc._fitted.network import FittedNetwork
from skautoenc._utils.patching import patched
from skautoenc.noise import swap

from ._cases import mnist
from .suite import TABLES

EPOCHS = 20, 50, 100, 200
STRENGTHS = 0.01, 0.1, 1.0
N_COMPONENTS = 2, 4, 8, 16, 32, 64
METHODS = "ours", "frozen", "scratch", "mlp", "rows", "pca"
CONVOLUTIONAL = DenoisingAutoencoder(
    64,
    noise="masking",
    noise_level=0.5,
    network=ConvNetwork((28, 28, 1)),
    init="random",
)


class Rows(NamedTuple):
    """Training and test rows with their labels."""

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray


def digits(data, seed):
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X / 16, y, test_size=500, random_state=seed, stratify=y)
    return Rows(*parts)


def mnist_rows(data, seed):
    """Return the first 20,000 training and the first 4,000 test images."""
    n_train, n_test = 20_000, 4_000
    with np.load(data / "mnist.npz", allow_pickle=False) as arrays:
        y_train = arrays["y_train"][:n_train].astype(int)
        y_test = arrays["y_test"][:n_test].astype(int)
    X_train, X_test = mnist(data)[:n_train], mnist(data, "test")[:n_test]
    return Rows(X_train, X_test, y_train, y_test)


def table(name):
    """Return a loader of a table, of which 30 % are test rows, standardized."""

    def load(data, seed):
        X, y = TABLES[name](data)
        X, y = X[:, X.std(axis=0) > 0].astype(float), y.astype(int)
        A, T, y_train, y_test = train_test_split(
            X, y, test_size=0.3, random_state=seed, stratify=y
        )
        scaler = StandardScaler().fit(A)
        return Rows(scaler.transform(A), scaler.transform(T), y_train, y_test)

    return load


class Case(NamedTuple):
    """A data set: its loader, numbers of labels, and how often rows are split.

    `draws` is the number of draws of labels in a split. `methods` are the methods that
    are compared, and `autoencoder` is pre-trained instead of the default one.
    """

    load: object
    n_labels: tuple
    splits: int
    draws: int
    methods: tuple = METHODS
    autoencoder: object = None


OF_TABLES = "cardiotocography", "spambase", "landsat", "pima", "magic_gamma"
CASES = {
    "digits": Case(digits, (20, 50, 100, 200, 500), splits=10, draws=1),
    "mnist": Case(mnist_rows, (500,), splits=1, draws=3),
    "mnist_conv": Case(mnist_rows, (500,), 1, 3, METHODS[:3], CONVOLUTIONAL),
    **{name: Case(table(name), (50,), splits=10, draws=1) for name in OF_TABLES},
}


class Split:
    """Rows of a case, and autoencoders that are fitted to the training rows once."""

    def __init__(self, case, data, seed):
        self.case, self.seed, self.rows = case, seed, case.load(data, seed)

    @cached_property
    def autoencoder(self):
        """The pre-trained autoencoder of an EncoderClassifier."""
        classifier = EncoderClassifier(
            self.case.autoencoder, fine_tune=False, random_state=self.seed
        )
        y = self.some_labels(2 * len(np.unique(self.rows.y_train)), self.seed)
        return classifier.fit(self.rows.X_train, y).autoencoder_

    @cached_property
    def untrained(self):
        """An autoencoder of the same layers with random weights."""
        autoencoder = clone(self.autoencoder)
        autoencoder.set_params(epochs=1, learning_rate=1e-12)
        return autoencoder.fit(self.rows.X_train)

    @cached_property
    def components(self):
        """PCA, fitted to the training rows."""
        n_components = min(max(N_COMPONENTS), self.rows.X_train.shape[1])
        return PCA(n_components, random_state=0).fit(self.rows.X_train)

    def some_labels(self, n_labels, seed):
        """Return the labels of the training rows, all but `n_labels` replaced by -1."""
        y = self.rows.y_train
        known, _ = train_test_split(
            np.arange(len(y)), train_size=n_labels, stratify=y, random_state=seed
        )
        return np.where(np.isin(np.arange(len(y)), known), y, -1)


def ours(split, y, seed, **params):
    """Return the test accuracy of an encoder with a head."""
    classifier = EncoderClassifier(split.autoencoder, random_state=seed, **params)
    return classifier.fit(split.rows.X_train, y).score(*split.rows[1::2])


def frozen(split, y, seed):
    """Return the test accuracy of a logistic regression of our codes."""
    return ours(split, y, seed, fine_tune=False)


def random_head(
    codes, standardization, targets, groups, sample_weight, hidden_layer_sizes, rng
):
    """Return a head of random weights, in place of a logistic regression."""
    spec = head_spec(codes.shape[1], targets.shape[1], hidden_layer_sizes)
    return FittedNetwork(spec.to_config(), spec.initial_weights(rng), groups=groups)


def scratch(split, y, seed):
    """Return the test accuracy without pre-training, by the head and the epochs."""
    accuracies = []
    for head in random_head, make_head:
        for epochs in EPOCHS:
            classifier = EncoderClassifier(
                split.untrained, epochs=epochs, learning_rate=1e-3, random_state=seed
            )
            with patched(supervised, "make_head", head):
                classifier.fit(split.rows.X_train, y)
            accuracies.append(classifier.score(*split.rows[1::2]))
    return accuracies


def mlp(split, y, seed):
    """Return the test accuracy of an MLPClassifier, for each number of epochs."""
    X, accuracies = split.rows.X_train[y != -1], []
    for epochs in EPOCHS:
        classifier = MLPClassifier(
            (128, 64), batch_size=min(32, len(X)), max_iter=epochs, random_state=seed
        )
        classifier.set_params(alpha=0, tol=0, n_iter_no_change=epochs)
        accuracies.append(classifier.fit(X, y[y != -1]).score(*split.rows[1::2]))
    return accuracies


def logistic_regression(X, y):
    """Return a fitted search of the strength of the penalty."""
    rarest = np.unique(y, return_counts=True)[1].min()
    folds = StratifiedKFold(min(3, rarest), shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    grid = {"logisticregression__C": STRENGTHS}
    return GridSearchCV(model, grid, cv=folds).fit(X, y)


def rows(split, y, seed):
    """Return the test accuracy of a logistic regression of rows."""
    model = logistic_regression(split.rows.X_train[y != -1], y[y != -1])
    return model.score(*split.rows[1::2])


def pca(split, y, seed):
    """Return the test accuracy of a logistic regression of components."""
    codes, test = map(split.components.transform, split.rows[:2])
    searches = {
        n: logistic_regression(codes[y != -1, :n], y[y != -1])
        for n in N_COMPONENTS
        if n <= codes.shape[1]
    }
    n = max(searches, key=lambda n: searches[n].best_score_)
    return searches[n].score(test[:, :n], split.rows.y_test)


FUNCTIONS = {f.__name__: f for f in (ours, frozen, scratch, mlp, rows, pca)}


def run_case(name, options, results, save):
    """Add accuracies to the results: one for each draw, by case, labels and method."""
    case = CASES[name]
    for seed in range(case.splits):
        split = None
        for n_labels, draw in itertools.product(case.n_labels, range(case.draws)):
            found = results.setdefault(f"{name}, {n_labels}", {})
            draw += seed * case.draws
            for method in options.methods:
                accuracies = found.setdefault(method, [])
                if method not in case.methods or draw < len(accuracies):
                    continue
                split = split or Split(case, options.data, seed)
                y = split.some_labels(n_labels, draw)
                accuracies.append(FUNCTIONS[method](split, y, draw))
                print(name, n_labels, draw, method, accuracies[-1], flush=True)
                save()


# ---- The time of a fit


CLOCKS = {"perf_counter": "Elapsed time", "process_time": "Processor time"}


def scikeras_fit(X, y, autoencoder, epochs):
    """Train as EncoderClassifier does, with the estimators of SciKeras.

    A KerasRegressor is trained on noisy rows. On the codes of the labelled rows a
    logistic regression is fitted, and a KerasClassifier that starts from both is
    trained on the labels.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Labels, -1 for rows without one.

    autoencoder : DenoisingAutoencoder
        Fitted. Its layers, number of epochs and level of noise are used. The noise is
        not drawn anew in each epoch, which would take longer.

    epochs : int
        Of the training on labels, in batches of 32.
    """
    import keras
    from scikeras.wrappers import KerasClassifier, KerasRegressor

    encoder = keras.models.clone_model(autoencoder.encoder_)
    decoder = keras.models.clone_model(autoencoder.decoder_)
    settings = {"optimizer": "adam", "verbose": 0}
    regressor = KerasRegressor(
        keras.Sequential([encoder, decoder]),
        loss="mean_squared_error",
        epochs=autoencoder.n_iter_,
        batch_size=resolve_auto_settings(len(X), "auto", "auto", "auto").batch_size,
        **settings,
    )
    noisy = swap(X, autoencoder.noise_level, np.random.default_rng(0))
    encoder = regressor.fit(noisy, X).model_.layers[0]
    labelled, labels = X[y != -1], y[y != -1]
    codes = encoder.predict(X, verbose=0)
    scaler = StandardScaler().fit(codes)
    codes = scaler.transform(codes[y != -1])

    linear = LogisticRegression(max_iter=1000).fit(codes, labels)
    kernel = linear.coef_.T / scaler.scale_[:, None]

    def build():
        head = keras.layers.Dense(len(linear.classes_), "softmax")
        body = keras.models.clone_model(encoder)
        model = keras.Sequential([keras.Input(X.shape[1:]), body, head])
        body.set_weights(encoder.get_weights())
        head.set_weights([kernel, linear.intercept_ - scaler.mean_ @ kernel])
        return model

    classifier = KerasClassifier(
        build,
        loss="sparse_categorical_crossentropy",
        epochs=epochs,
        batch_size=32,
        **settings,
    )
    return classifier.fit(labelled, labels)


def run_time(options, results, save):
    """Add seconds of fits, ours and with SciKeras, alternately in this process."""
    split = Split(CASES["digits"], options.data, 0)
    X, X_test = (part.astype(np.float32) for part in split.rows[:2])
    y = split.some_labels(100, 0)
    ours = EncoderClassifier(random_state=0)
    autoencoder = ours.fit(X, y).autoencoder_

    def baseline():
        return scikeras_fit(X, y, autoencoder, ours.n_iter_)

    for fit in (lambda: ours.fit(X, y), baseline):
        accuracy = fit().score(X_test, split.rows.y_test)  # and warm up
        print(f"time, accuracy: {accuracy:.3f}", flush=True)
    for clock in CLOCKS:
        results.setdefault(clock, [])
    while len(results["process_time"]) < options.repeats:
        times = np.array([times_of(fit) for fit in (lambda: ours.fit(X, y), baseline)])
        for clock, pair in zip(CLOCKS, times.T, strict=True):
            results[clock].append(pair.tolist())
            print(clock, pair, flush=True)
        save()


def times_of(function):
    """Return the elapsed and the processor time of a call, in seconds."""
    start, processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, time.process_time() - processor


# ---- Reports


def best_of(accuracies):
    """Return the accuracy of each draw, of the best setting if there are."""
    accuracies = np.array(accuracies)
    if accuracies.ndim == 1:
        return accuracies
    return accuracies[:, accuracies.mean(axis=0).argmax()]


def difference(ours, other):
    """Return the mean difference in points and its standard error, as text."""
    n = min(len(ours), len(other))
    points = 100 * (ours[:n] - other[:n])
    return f"{points.mean():+.1f} ± {points.std(ddof=1) / np.sqrt(n):.1f}"


def report(results):
    """Print accuracies, and the differences of ours from the rivals, as Markdown."""
    accuracies = {
        key: {m: best_of(a) for m, a in found.items() if len(a) > 1}
        for key, found in results.items()
        if key not in CLOCKS
    }
    of_tables = [
        found for key, found in accuracies.items() if key.split(",")[0] in OF_TABLES
    ]
    if len(of_tables) == len(OF_TABLES):
        methods = set.intersection(*map(set, of_tables))
        accuracies["mean of the five tables"] = {
            m: np.mean([found[m] for found in of_tables], axis=0) for m in methods
        }
    rivals = METHODS[2:]
    if accuracies:
        titles = "data, labels", *METHODS, *(f"ours - {rival}" for rival in rivals)
        print("|", " | ".join(titles), "|")
        print("|---" * len(titles) + "|")
    for key, found in accuracies.items():
        print_row(key, found, rivals)
    for clock, title in CLOCKS.items():
        if clock in results:
            print_times(title, np.array(results[clock]))


def print_times(title, times):
    ratios = np.sort(times[:, 1] / times[:, 0])
    ours, baseline = np.median(times, axis=0)
    print(
        f"\n{title} of a fit: {ours:.2f} s, with SciKeras {baseline:.1f} s; ratio "
        f"{np.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    )


def print_row(key, found, rivals):
    cells = [f"{found[m].mean():.3f}" if m in found else "" for m in METHODS]
    cells += [
        difference(found["ours"], found[m]) if {"ours", m} <= found.keys() else ""
        for m in rivals
    ]
    print(f"| {key} |", " | ".join(cells), "|")


LABELS = {
    "ours": "EncoderClassifier",
    "frozen": "logistic regression of its codes",
    "scratch": "the same network from scratch, best epochs",
    "pca": "logistic regression of components of PCA",
    "rows": "logistic regression of pixels",
}


def draw(results, path):
    """Draw the accuracy on the digits against the number of labels."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sizes = CASES["digits"].n_labels
    figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    styles = zip(LABELS.items(), "osD^v", ("-", "--", "-", ":", ":"), strict=True)
    for (method, label), marker, line in styles:
        draws = [best_of(results[f"digits, {n}"][method]) for n in sizes]
        means = [100 * accuracy.mean() for accuracy in draws]
        errors = [100 * a.std(ddof=1) / np.sqrt(len(a)) for a in draws]
        ax.errorbar(
            sizes, means, errors, marker=marker, linestyle=line, label=label, capsize=2
        )
    ax.set(
        xscale="log",
        xlabel="number of labels, of 1297 training rows",
        ylabel="test accuracy (%)",
        title="Digits, means of ten draws with their standard errors",
    )
    ax.set_xticks(sizes, map(str, sizes))
    ax.minorticks_off()
    ax.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=110)


def main():
    names = [*CASES, "time"]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.few_labels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--repeats", type=int, default=5, help="of the times")
    parser.add_argument("--out", type=Path, help="JSON file")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    results = {}
    if options.out and options.out.exists():
        results = json.loads(options.out.read_text())

    def save():
        if options.out:
            options.out.write_text(json.dumps(results, indent=1) + "\n")

    with warnings.catch_warnings():
        # The rivals are stopped after a number of epochs.
        warnings.simplefilter("ignore", ConvergenceWarning)
        for name in options.only:
            if name == "time":
                run_time(options, results, save)
            else:
                run_case(name, options, results, save)
    report(results)
    if options.picture:
        draw(results, options.picture)


if __name__ == "__main__":
    main()
