"""Time of chunks, outliers, missing values and few labels, against other tools.

Accuracy is the subject of `benchmarks.outliers`, `.imputing` and `.few_labels`. The
docstring of a case gives its floor: the time that its multiplications or calls take at
least. A core of the measured processor multiplies matrices of single precision at about
45e9 multiplications per second, and a call of NumPy takes about a microsecond.
"""

import itertools
import math
import statistics
import time
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.decomposition import PCA, IncrementalPCA, MiniBatchNMF
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skautoenc import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    EncoderClassifier,
    EncoderRegressor,
    VariationalAutoencoder,
)
from skautoenc._fit import trainable
from skautoenc._utils.patching import patched
from skautoenc._utils.threads import one_blas_thread

from ._cases import Result, case, mnist, time_both
from .few_labels import CASES, Split, scikeras_fit
from .recipes import VARIATIONAL

DIGITS = load_digits().data.astype(np.float32) / 16
N_COMPONENTS = 8

# ---- Chunks


def _chunks(X, estimator, rival, n_rows, repeats):
    """Return the milliseconds of `partial_fit` on a chunk, when both are trained.

    Both are trained on all chunks twice before.
    """
    chunks = [X[i : i + n_rows] for i in range(0, len(X) - n_rows + 1, n_rows)]

    def visit(learner):
        for chunk in chunks:
            learner.partial_fit(chunk)

    visit(estimator), visit(rival)
    sides = time_both(lambda: visit(estimator), lambda: visit(rival), repeats)
    return Result(*(1e3 * np.array(side) / len(chunks) for side in sides), unit="ms")


@case("partial_fit on 32 digits, 8 components, against IncrementalPCA", "1x")
def chunk_incremental_pca(data, repeats):
    """Floor: a step of 50 calls and 3.5e6 multiplications, 0.15 ms.

    IncrementalPCA takes no steps: it decomposes a matrix of 41 x 64.
    """
    ours = AutoencoderTransformer(N_COMPONENTS, random_state=0)
    return _chunks(DIGITS, ours, IncrementalPCA(N_COMPONENTS), 32, repeats)


@case("the same, against MiniBatchNMF", "1x")
def chunk_nmf(data, repeats):
    """Floor: that of `chunk_incremental_pca`. Codes of NMF take several iterations."""
    ours = AutoencoderTransformer(N_COMPONENTS, random_state=0)
    rival = MiniBatchNMF(N_COMPONENTS, batch_size=32, random_state=0)
    return _chunks(DIGITS, ours, rival, 32, repeats)


class OnBatch:
    """Trains the layers of an estimator by `train_on_batch` of Keras."""

    def __init__(self, estimator, batch_size):
        import keras

        self.batch_size = batch_size
        self.model = keras.models.clone_model(estimator.autoencoder_)
        self.model.compile("adam", "mean_squared_error")

    def partial_fit(self, chunk):
        for i in range(0, len(chunk), self.batch_size):
            batch = chunk[i : i + self.batch_size]
            self.model.train_on_batch(batch, batch)


@case("the same, against train_on_batch of the same network", "1x")
def chunk_keras(data, repeats):
    """Floor: that of `chunk_incremental_pca`."""
    ours = AutoencoderTransformer(N_COMPONENTS, random_state=0).partial_fit(DIGITS)
    return _chunks(DIGITS, ours, OnBatch(ours, 32), 32, repeats)


@case(
    "partial_fit on 500 digits of MNIST, 32 components, against IncrementalPCA",
    "1x",
    needs_data=True,
)
def chunk_mnist(data, repeats):
    """Floor: 16 steps of 2.6e7 multiplications, 9 ms.

    IncrementalPCA decomposes a matrix of 533 x 784.
    """
    ours = AutoencoderTransformer(32, random_state=0)
    return _chunks(mnist(data)[:5000], ours, IncrementalPCA(32), 500, repeats)


# ---- Outliers


def outlier_model(n_features):
    """Return the network of TensorFlow's tutorial on anomalies, for few columns."""
    import keras

    sizes = 32, 16, 8, 16, 32
    layers = [keras.layers.Dense(size, "relu") for size in sizes]
    return keras.Sequential(
        [keras.Input((n_features,)), *layers, keras.layers.Dense(n_features)]
    )


class KerasDetector:
    """The detector of TensorFlow's tutorial: absolute residuals of an autoencoder."""

    def fit(self, X):
        self.model = outlier_model(X.shape[1])
        self.model.compile("adam", "mean_absolute_error")
        self.model.fit(X, X, epochs=20, verbose=0)
        return self

    def score_samples(self, X):
        return -np.abs(self.model.predict(X, verbose=0) - X).mean(axis=1)


def _fits(ours, rival, repeats, *rows):
    return Result(
        *time_both(lambda: ours.fit(*rows), lambda: rival.fit(*rows), repeats)
    )


def _scores(ours, rival, repeats):
    ours.fit(DIGITS), rival.fit(DIGITS)
    sides = ours.score_samples, rival.score_samples
    return Result(*time_both(*(lambda f=f: f(DIGITS) for f in sides), repeats))


@case("AutoencoderOutlierDetector: fit on the digits, against plain Keras", "1x")
def outliers_fit_keras(data, repeats):
    """Floor: two fits on half of the rows, up to 6000 steps of 0.15 ms each, 1.8 s.

    The Keras model takes 20 epochs in batches of 32 rows, 1140 steps.
    """
    ours = AutoencoderOutlierDetector(random_state=0)
    return _fits(ours, KerasDetector(), repeats, DIGITS)


@case("the same, against IsolationForest", "")
def outliers_fit_forest(data, repeats):
    """Floor: that of `outliers_fit_keras`; a forest needs no steps."""
    ours, rival = AutoencoderOutlierDetector(random_state=0), IsolationForest()
    return _fits(ours, rival, repeats, DIGITS)


@case("score_samples of the digits, against plain Keras", "1x")
def outliers_score_keras(data, repeats):
    """Floor: two networks, and the distances to all rows, 3e8 multiplications, 7 ms."""
    return _scores(AutoencoderOutlierDetector(random_state=0), KerasDetector(), repeats)


@case("the same, against IsolationForest", "1x")
def outliers_score_forest(data, repeats):
    """Floor: that of `outliers_score_keras`."""
    ours, rival = AutoencoderOutlierDetector(random_state=0), IsolationForest()
    return _scores(ours, rival, repeats)


# ---- Missing values


def _fills(ours, rival, repeats):
    """Time fitting and filling; the losses are root mean squared errors."""
    X = scale(load_breast_cancer().data)
    is_missing = np.random.default_rng(0).random(X.shape) < 0.2
    incomplete, errors = np.where(is_missing, np.nan, X), {}

    def fill(imputer):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of IterativeImputer
            filled = imputer.fit_transform(incomplete)
        errors[imputer] = np.sqrt(np.mean((filled - X)[is_missing] ** 2))

    sides = time_both(lambda: fill(ours), lambda: fill(rival), repeats)
    return Result(*sides, losses=(errors[ours], errors[rival]))


@case("AutoencoderImputer: fill 20 % of breast cancer, against KNNImputer", "")
def imputer_knn(data, repeats):
    """Floor: the steps of two networks of 3.4e7 multiplications, 0.76 ms each."""
    return _fills(AutoencoderImputer(random_state=0), KNNImputer(), repeats)


@case("the same, against IterativeImputer", "")
def imputer_iterative(data, repeats):
    """Floor: that of `imputer_knn`."""
    rival = IterativeImputer(random_state=0)
    return _fills(AutoencoderImputer(random_state=0), rival, repeats)


@case("the same with hidden_layer_sizes=(), against IterativeImputer", "2x")
def imputer_start(data, repeats):
    """Floor: 8 passes that invert matrices of 6 missing values on the average."""
    ours = AutoencoderImputer(hidden_layer_sizes=(), random_state=0)
    return _fills(ours, IterativeImputer(random_state=0), repeats)


N_ROWS, N_COLUMNS, N_UNITS, BATCH_SIZE = 1400, 61, 256, 128


def _processor_time(function):
    start = time.process_time()
    function()
    return time.process_time() - start


def imputer_step_seconds():
    """Return the processor time of a step of an imputer's network, with validation."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 5)) @ rng.normal(size=(5, N_COLUMNS))
    X[rng.random(X.shape) < 0.2] = np.nan
    imputer = AutoencoderImputer(n_iter_no_change=1000, random_state=0)
    few, many = (
        _processor_time(lambda n=n: imputer.set_params(epochs=n).fit(X))
        for n in (10, 50)
    )
    n_steps = 2 * (50 - 10) * math.ceil(N_ROWS / BATCH_SIZE)
    return (many - few) / n_steps


def products_seconds(n_steps=200):
    """Return the processor time of the products of the same step, on one thread."""
    rng = np.random.default_rng(0)
    widths = 2 * N_COLUMNS, N_UNITS, N_UNITS, N_COLUMNS
    kernels, outputs = (
        [rng.normal(size=shape).astype(np.float32) for shape in shapes]
        for shapes in (itertools.pairwise(widths), ((BATCH_SIZE, n) for n in widths))
    )

    def steps():
        for _ in range(n_steps):
            for i, kernel in enumerate(kernels):
                np.dot(outputs[i], kernel)
                np.dot(outputs[i].T, outputs[i + 1])
                if i > 0:
                    np.dot(outputs[i + 1], kernel.T)

    with one_blas_thread:
        return _processor_time(steps) / n_steps


@case(
    "AutoencoderImputer, 61 columns: processor time of a step, against its products",
    "1/2",
)
def imputer_step(data, repeats):
    """Floor: 3.9e7 multiplications, 0.87 ms, and 2.7 MB of weights and moments."""
    imputer_step_seconds()
    times = [(imputer_step_seconds(), products_seconds()) for _ in range(repeats)]
    return Result(*map(list, zip(*times, strict=True)))


@case("the same, against a step of the TensorFlow engine", "1x")
def imputer_step_tensorflow(data, repeats):
    """Floor: that of `imputer_step`."""

    def compiled():
        with patched(trainable, "_MAX_GAIN_OF_IMPUTERS", -math.inf):
            return imputer_step_seconds()

    compiled()
    times = [(imputer_step_seconds(), compiled()) for _ in range(repeats)]
    return Result(*map(list, zip(*times, strict=True)))


# ---- Labels


class OnComponents:
    """A logistic regression of components of PCA, which is fitted to all rows."""

    def fit(self, X, y):
        self.reducer = make_pipeline(StandardScaler(), PCA(16)).fit(X)
        codes = self.reducer.transform(X[y != -1])
        self.classifier = LogisticRegression(max_iter=1000).fit(codes, y[y != -1])
        return self

    def score(self, X, y):
        return self.classifier.score(self.reducer.transform(X), y)


def _classifiers(make_rival, repeats):
    """Time fits on the digits with 100 labels; the losses are test errors."""
    split = Split(CASES["digits"], None, 0)
    X, X_test = (part.astype(np.float32) for part in split.rows[:2])
    y = split.some_labels(100, 0)
    ours, fitted = EncoderClassifier(random_state=0), {}
    rival = make_rival(X, y, ours)

    def ours_fit():
        fitted["ours"] = ours.fit(X, y)

    def rival_fit():
        fitted["rival"] = rival(X, y)

    sides = time_both(ours_fit, rival_fit, repeats)
    y_test = split.rows.y_test
    losses = tuple(1 - fitted[side].score(X_test, y_test) for side in fitted)
    return Result(*sides, losses=losses)


@case("EncoderClassifier: digits with 100 labels, against SciKeras", "10x")
def classifier_scikeras(data, repeats):
    """Floor: 6000 steps of 0.2 ms without labels, 1.2 s, and 200 with labels."""

    def make(X, y, ours):
        autoencoder = ours.fit(X, y).autoencoder_
        return lambda X, y: scikeras_fit(X, y, autoencoder, ours.n_iter_)

    return _classifiers(make, repeats)


@case("the same, against PCA and LogisticRegression", "")
def classifier_pca(data, repeats):
    """Floor: that of `classifier_scikeras`; PCA needs no steps."""
    return _classifiers(lambda X, y, ours: OnComponents().fit, repeats)


@case("EncoderRegressor: fit on diabetes, against PCA and RidgeCV", "")
def regressor_pca(data, repeats):
    """Floor: up to 6000 steps of 0.1 ms, 0.6 s; PCA needs no steps."""
    X, y = load_diabetes(return_X_y=True)
    rival = make_pipeline(PCA(8), RidgeCV())
    return _fits(EncoderRegressor(random_state=0), rival, repeats, scale(X), y)


# ---- Samples


@case("variational, 64-128-64-2, digits, 50 epochs: fit, against plain Keras", "10x")
def variational_digits(data, repeats):
    """Floor: 400 steps of 2.5e7 multiplications, 0.2 s, and building the program."""
    losses = {"ours": [], "baseline": []}

    def ours():
        estimator = VARIATIONAL.estimator(epochs=50)
        losses["ours"].append(estimator.fit(DIGITS).history_["loss"][-1])

    def baseline():
        losses["baseline"].append(VARIATIONAL.plain_keras(DIGITS, 50)["loss"][-1])

    sides = time_both(ours, baseline, repeats)
    return Result(*sides, losses=tuple(map(statistics.mean, losses.values())))


@case("VariationalAutoencoder(8): default fit, against 50 epochs of plain Keras", "1x")
def variational_default(data, repeats):
    """Floor: up to 6000 steps of 5.6e6 multiplications, 0.8 s."""
    ours = VariationalAutoencoder(N_COMPONENTS, random_state=0)
    sides = (
        lambda: ours.fit(DIGITS),
        lambda: VARIATIONAL.plain_keras(DIGITS, 50),
    )
    return Result(*time_both(*sides, repeats))
