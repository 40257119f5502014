"""Time of searches: hundreds of short fits."""

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import AutoencoderTransformer

from ._rows import Result, mnist, row, seconds
from .rivals import scikeras_autoencoder

SIZES, RATES = [4, 8, 16, 32], [0.0005, 0.001, 0.002]


def _search(estimator, X, grid, **params):
    search = GridSearchCV(estimator, grid, cv=3, error_score="raise", **params)
    time = seconds(lambda: search.fit(X))
    return time, search.cv_results_["mean_test_score"].max()


@row("GridSearchCV, digits, 36 fits of 50 epochs, against SciKeras", "12x")
def search_scikeras(data, repeats):
    """The share of variance not explained on held-out rows stands as the loss."""
    X = load_digits().data
    pairs = {
        "ours": (
            AutoencoderTransformer(
                hidden_layer_sizes=(),
                code_activation="relu",
                output_activation="sigmoid",
                loss="binary_crossentropy",
                batch_size=64,
                epochs=50,
                random_state=0,
            ),
            "learning_rate",
        ),
        "rival": (
            scikeras_autoencoder(
                n_components=2,
                loss="binary_crossentropy",
                optimizer="adam",
                optimizer__learning_rate=0.001,
                batch_size=64,
                epochs=50,
                verbose=0,  # and no random_state, which makes it slower
            ),
            "optimizer__learning_rate",
        ),
    }
    times, scores = {side: [] for side in pairs}, {}
    for _ in range(repeats):
        for side, (autoencoder, rate) in pairs.items():
            pipeline = Pipeline([("scale", MinMaxScaler()), ("ae", autoencoder)])
            grid = {"ae__n_components": SIZES, f"ae__{rate}": RATES}
            time, scores[side] = _search(pipeline, X, grid, n_jobs=1)
            times[side].append(time)
    losses = 1 - scores["ours"], 1 - scores["rival"]
    return Result(times["ours"], times["rival"], losses=losses)


def _two_jobs(estimator, X, repeats):
    """Two processes of one thread each against one process of two."""
    grid = {"learning_rate": [0.0005, 0.001, 0.002, 0.004]}
    times = [
        [
            _search(estimator, X, grid, n_jobs=n_jobs, refit=False)[0]
            for n_jobs in (2, 1)
        ]
        for _ in range(repeats)
    ]
    return Result(*map(list, zip(*times, strict=True)))


@row("GridSearchCV, digits, 12 fits of a second: n_jobs=2 against n_jobs=1", "1x")
def search_two_jobs(data, repeats):
    X = load_digits().data / 16
    estimator = AutoencoderTransformer(8, epochs=100, random_state=0)
    return _two_jobs(estimator, X, repeats)


@row(
    "GridSearchCV, MNIST 784-128-32, 12 fits of seconds: n_jobs=2 against n_jobs=1",
    "1x",
    needs_data=True,
)
def search_two_jobs_compiled(data, repeats):
    estimator = AutoencoderTransformer(
        32, hidden_layer_sizes=(128,), batch_size=256, epochs=10, random_state=0
    )
    return _two_jobs(estimator, mnist(data)[:30_000], repeats)
