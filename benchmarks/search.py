"""Time of grid searches with many short fits."""

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import AutoencoderTransformer

from ._cases import Result, case, mnist, seconds
from .baselines import scikeras_autoencoder

SIZES, RATES = [4, 8, 16, 32], [0.0005, 0.001, 0.002]


def _search(estimator, X, grid, **params):
    search = GridSearchCV(estimator, grid, cv=3, error_score="raise", **params)
    time = seconds(lambda: search.fit(X))
    return time, search.cv_results_["mean_test_score"].max()


@case("GridSearchCV, digits, 36 fits of 50 epochs, against SciKeras", "12x")
def search_scikeras(data, repeats):
    """The loss is the fraction of variance not explained on held-out rows."""
    X = load_digits().data
    estimators = {
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
        "baseline": (
            scikeras_autoencoder(
                n_components=2,
                loss="binary_crossentropy",
                optimizer="adam",
                optimizer__learning_rate=0.001,
                batch_size=64,
                epochs=50,
                verbose=0,  # no random_state, which makes SciKeras slower
            ),
            "optimizer__learning_rate",
        ),
    }
    times, scores = {side: [] for side in estimators}, {}
    for _ in range(repeats):
        for side, (autoencoder, rate) in estimators.items():
            pipeline = Pipeline([("scale", MinMaxScaler()), ("ae", autoencoder)])
            grid = {"ae__n_components": SIZES, f"ae__{rate}": RATES}
            time, scores[side] = _search(pipeline, X, grid, n_jobs=1)
            times[side].append(time)
    losses = 1 - scores["ours"], 1 - scores["baseline"]
    return Result(times["ours"], times["baseline"], losses=losses)


def _two_jobs(estimator, X, repeats):
    """Compare two processes of one thread each with one process of two threads."""
    grid = {"learning_rate": [0.0005, 0.001, 0.002, 0.004]}
    times = [
        [
            _search(estimator, X, grid, n_jobs=n_jobs, refit=False)[0]
            for n_jobs in (2, 1)
        ]
        for _ in range(repeats)
    ]
    return Result(*map(list, zip(*times, strict=True)))


@case("GridSearchCV, digits, 12 fits of a second: n_jobs=2 against n_jobs=1", "1x")
def search_two_jobs(data, repeats):
    X = load_digits().data / 16
    estimator = AutoencoderTransformer(8, epochs=100, random_state=0)
    return _two_jobs(estimator, X, repeats)


@case(
    "GridSearchCV, MNIST 784-128-32, 12 fits of seconds: n_jobs=2 against n_jobs=1",
    "1x",
    needs_data=True,
)
def search_two_jobs_compiled(data, repeats):
    estimator = AutoencoderTransformer(
        32, hidden_layer_sizes=(128,), batch_size=256, epochs=10, random_state=0
    )
    return _two_jobs(estimator, mnist(data)[:30_000], repeats)
