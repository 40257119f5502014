"""EncoderClassifier and EncoderRegressor."""

import copy
import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from helpers import assert_draws_nothing_global, make_autoencoder, run_python
from scipy.sparse import csr_matrix
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, scale

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    EncoderClassifier,
    EncoderRegressor,
    VariationalAutoencoder,
)

KINDS = [EncoderClassifier, EncoderRegressor]


@pytest.fixture(scope="module")
def X(digits):
    return digits


@pytest.fixture(scope="module")
def y():
    """The digits of `X`."""
    return load_digits().target[:300]


@pytest.fixture(scope="module")
def pretrained(X):
    """An autoencoder whose codes tell digits apart."""
    return make_autoencoder(n_components=8, epochs=60, init="random").fit(X)


@pytest.fixture
def small(pretrained):
    """A classifier whose fit takes a fraction of a second."""
    return EncoderClassifier(pretrained, epochs=10, random_state=0)


@pytest.fixture(scope="module")
def fitted(pretrained, X, y):
    """A fitted classifier, not to be changed."""
    classifier = EncoderClassifier(pretrained, epochs=30, random_state=0)
    return classifier.fit(X[:200], y[:200])


def state_of(estimator):
    return pickle.dumps(vars(estimator))


def test_a_classifier_of_few_labels_is_better_than_one_on_rows():
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X / 16, y, test_size=500, random_state=0
    )
    y_few = np.where(np.arange(len(y_train)) < 100, y_train, -1)
    classifier = EncoderClassifier(random_state=0).fit(X_train, y_few)
    linear = LogisticRegression(max_iter=1000).fit(X_train[:100], y_train[:100])
    assert classifier.score(X_test, y_test) > linear.score(X_test, y_test) + 0.02
    assert log_loss(y_test, classifier.predict_proba(X_test)) < 0.4


def test_a_regressor_is_as_good_as_ridge_regression_on_linear_data():
    X, y = load_diabetes(return_X_y=True)
    X = scale(X)
    regressor = EncoderRegressor(random_state=0).fit(X[:300], y[:300])
    ridge = Ridge(10).fit(X[:300], y[:300])
    assert regressor.score(X[300:], y[300:]) > ridge.score(X[300:], y[300:]) - 0.05


def test_fine_tune_false_leaves_the_encoder_and_a_logistic_regression(pretrained, X, y):
    classifier = EncoderClassifier(pretrained, fine_tune=False).fit(X, y)
    codes = pretrained.transform(X)
    np.testing.assert_array_equal(classifier.encoder_(X), pretrained.encoder_(X))
    standardized = (codes - codes.mean(axis=0)) / codes.std(axis=0)
    linear = LogisticRegression(C=0.1, max_iter=1000).fit(standardized, y)
    np.testing.assert_allclose(
        classifier.predict_proba(X), linear.predict_proba(standardized), atol=1e-3
    )
    assert classifier.n_iter_ == classifier.best_epoch_ == 0


def test_fine_tune_changes_the_encoder_but_not_the_autoencoder(fitted, pretrained, X):
    assert fitted.autoencoder_ is pretrained
    changes = fitted.encoder_(X).numpy() - pretrained.transform(X)
    assert np.abs(changes).max() > 0.01


@pytest.mark.parametrize("hidden_layer_sizes", [(), (16,), (16, 8)])
@pytest.mark.parametrize("fine_tune", [False, True])
def test_hidden_layer_sizes_of_the_head(
    pretrained, X, y, hidden_layer_sizes, fine_tune
):
    classifier = EncoderClassifier(
        pretrained,
        hidden_layer_sizes=hidden_layer_sizes,
        fine_tune=fine_tune,
        epochs=40,
        random_state=0,
    ).fit(X[:200], y[:200])
    kernels = [a for a in classifier.head_.get_weights() if a.ndim == 2]
    with_path = [10, 10] if hidden_layer_sizes else [10]
    sizes = sorted(kernel.shape[1] for kernel in kernels)
    assert sizes == sorted([*hidden_layer_sizes, *with_path])
    frozen = EncoderClassifier(pretrained, fine_tune=False).fit(X[:200], y[:200])
    losses = [
        log_loss(y[200:], each.predict_proba(X[200:])) for each in (classifier, frozen)
    ]
    is_trained = fine_tune or bool(hidden_layer_sizes)
    assert (losses[0] < losses[1]) == is_trained


def test_epochs_are_chosen_by_cross_validation(pretrained, X):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=len(X))
    chosen = EncoderRegressor(pretrained, random_state=0).fit(X, noise)
    everything = EncoderRegressor(pretrained, early_stopping=False, random_state=0)
    everything.fit(X, noise)
    assert chosen.n_iter_ < 20 < everything.n_iter_
    assert len(chosen.history_["loss"]) == chosen.n_iter_
    assert chosen.score(X, noise) < 0.1 < everything.score(X, noise)


def test_early_stopping_keeps_the_epoch_of_the_lowest_validation_loss(pretrained, X, y):
    classifier = EncoderClassifier(
        pretrained,
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=5,
        random_state=0,
    ).fit(X, y)
    losses = classifier.history_["val_loss"]
    assert classifier.best_epoch_ == np.argmin(losses) + 1 == len(losses) - 5


def test_early_stopping_validates_on_rows_it_is_not_trained_on(pretrained, X, y):
    few = EncoderClassifier(
        pretrained,
        early_stopping=True,
        validation_fraction=0.5,
        fine_tune=False,
        random_state=0,
    ).fit(X[:40], y[:40])
    every = clone(few).set_params(autoencoder=pretrained, early_stopping=False)
    every.fit(X[:40], y[:40])
    assert every.score(X[:40], y[:40]) > few.score(X[:40], y[:40])


@pytest.mark.parametrize("marked", ["y", "X_unlabeled"])
def test_rows_without_labels_train_the_autoencoder_alone(marked, X, y):
    classifier = EncoderClassifier(
        make_autoencoder(init="random"), epochs=3, random_state=0
    )
    if marked == "y":
        y = np.where(np.arange(300) < 100, y, -1)
        classifier.fit(X, y)
    else:
        classifier.fit(X[:100], y[:100], X_unlabeled=X[100:])
    expected = make_autoencoder(init="random").fit(X)
    np.testing.assert_array_equal(
        classifier.autoencoder_.transform(X), expected.transform(X)
    )
    assert classifier.classes_.tolist() == list(range(10))


def test_unlabelled_rows_in_y_and_in_x_unlabeled_give_the_same(pretrained, X, y):
    marked = np.where(np.arange(300) < 100, y, -1)
    first = EncoderClassifier(pretrained, random_state=0).fit(X, marked)
    second = EncoderClassifier(pretrained, random_state=0)
    second.fit(X[:100], y[:100], X_unlabeled=X[100:])
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_labels_minus_one_and_one_are_two_classes(small, X, y):
    signs = np.where(y < 5, -1, 1)
    small.fit(X, signs)
    assert small.classes_.tolist() == [-1, 1]
    assert small.score(X, signs) > 0.8


@pytest.mark.parametrize("dtype", [str, object, np.int8, bool])
def test_labels_of_any_type(small, X, y, dtype):
    labels = (y > 4).astype(dtype) if dtype is bool else y.astype(str).astype(dtype)
    predicted = small.fit(X, labels).predict(X)
    assert predicted.dtype == labels.dtype
    assert (predicted == labels).mean() > 0.7


def test_object_labels_with_minus_one_for_unlabelled_rows(small, X, y):
    labels = np.array([f"digit {i}" for i in y], object)
    labels[150:] = -1
    small.fit(X, labels)
    assert len(small.classes_) == 10
    assert "digit 3" in small.classes_


def test_minus_one_as_text_raises(small, X, y):
    marked = np.where(np.arange(300) < 150, y.astype(str), "-1")
    fails(small, X, marked, ValueError, "text '-1'", "X_unlabeled")


def test_several_labels_of_a_row(small, X, y):
    labels = np.stack([y % 2, y > 4, y == 3], axis=1).astype(int)
    small.fit(X, labels)
    probabilities = small.predict_proba(X)
    assert probabilities.shape == (300, 3)
    np.testing.assert_array_equal(small.predict(X), probabilities > 0.5)
    assert (small.predict(X) == labels).mean() > 0.8
    assert small.classes_.tolist() == [0, 1, 2]


def test_several_outputs_of_more_classes(small, X, y):
    labels = np.stack([y % 3, y // 2], axis=1)
    small.fit(X, labels)
    first, second = small.predict_proba(X)
    assert first.shape == (300, 3)
    assert second.shape == (300, 5)
    np.testing.assert_allclose(second.sum(axis=1), 1, atol=1e-12)
    assert [classes.tolist() for classes in small.classes_] == [
        [*range(3)],
        [*range(5)],
    ]
    assert (small.predict(X) == labels).mean() > 0.6


def test_several_outputs_of_a_regressor_in_their_units(pretrained, X, y):
    targets = np.stack([1e6 + y, 0.001 * y], axis=1)
    regressor = EncoderRegressor(pretrained, epochs=40, random_state=0)
    predicted = regressor.fit(X, targets).predict(X)
    assert predicted.shape == (300, 2)
    assert regressor.score(X, targets) > 0.5
    np.testing.assert_allclose(predicted[:, 0].mean(), 1e6 + y.mean(), atol=0.3)


def test_probabilities_sum_to_one_in_float64(fitted, X):
    probabilities = fitted.predict_proba(X)
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-14)


def test_class_weight_raises_the_share_of_a_class(pretrained, X, y):
    is_three = (y == 3).astype(int)

    def share(class_weight):
        classifier = EncoderClassifier(
            pretrained, class_weight=class_weight, epochs=5, random_state=0
        )
        return classifier.fit(X, is_three).predict_proba(X)[:, 1].mean()

    assert share("balanced") > 1.2 * share(None)
    frequency = is_three.mean()
    weights = {0: 0.5 / (1 - frequency), 1: 0.5 / frequency}
    assert share(weights) == share("balanced")


@pytest.mark.parametrize("kind", KINDS)
def test_integer_weights_are_repetitions(kind, X, y):
    weight = np.arange(300) % 3
    estimators = [
        kind(make_autoencoder(init="random"), epochs=5, random_state=0)
        for _ in range(2)
    ]
    estimators[0].fit(X, y, sample_weight=weight)
    estimators[1].fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    first, second = (each.predict(X) for each in estimators)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_rows_has_no_influence(kind, pretrained, X, y):
    estimators = [kind(pretrained, epochs=5, random_state=0) for _ in range(2)]
    order = np.random.default_rng(0).permutation(300)
    estimators[0].fit(X, y)
    estimators[1].fit(X[order], y[order])
    first, second = (pickle.dumps(each._head.weights) for each in estimators)
    assert first == second


@pytest.mark.parametrize("kind", KINDS)
def test_random_state_determines_the_bits_and_draws_nothing_global(kind, X, y):
    estimator = kind(
        make_autoencoder(init="random", random_state=None),
        hidden_layer_sizes=4,
        epochs=3,
        early_stopping=True,
        random_state=3,
    )
    with assert_draws_nothing_global():
        first = estimator.fit(X, y).predict(X)
    np.testing.assert_array_equal(clone(estimator).fit(X, y).predict(X), first)
    estimator.set_params(random_state=4)
    assert (estimator.fit(X, y).predict(X) != first).any()


def test_a_fitted_autoencoder_is_not_fitted_again(pretrained, X, y):
    before = state_of(pretrained)
    for given in (pretrained, FrozenEstimator(pretrained)):
        classifier = EncoderClassifier(given, epochs=3).fit(X, y)
        assert classifier.autoencoder_ is pretrained
    assert state_of(pretrained) == before


def test_a_search_keeps_a_frozen_autoencoder(pretrained, X, y):
    search = GridSearchCV(
        EncoderClassifier(FrozenEstimator(pretrained), epochs=5, random_state=0),
        {"fine_tune": [False, True], "hidden_layer_sizes": [(), (8,)]},
        cv=StratifiedKFold(2),
        error_score="raise",
    ).fit(X, y)
    best = search.best_estimator_
    assert search.cv_results_["mean_test_score"].min() > 0.3
    np.testing.assert_array_equal(
        best.autoencoder_.transform(X), pretrained.transform(X)
    )


def test_x_unlabeled_is_scaled_by_a_pipeline(X, y):
    classifier = EncoderClassifier(
        make_autoencoder(init="random"), epochs=3, random_state=0
    )
    with config_context(enable_metadata_routing=True):
        pipeline = Pipeline(
            [
                ("scale", MinMaxScaler()),
                ("classify", clone(classifier).set_fit_request(X_unlabeled=True)),
            ],
            transform_input=["X_unlabeled"],
        )
        pipeline.fit(100 * X[:100], y[:100], X_unlabeled=100 * X[100:])
    scaler = MinMaxScaler().fit(100 * X[:100])
    expected = clone(classifier).fit(
        scaler.transform(100 * X[:100]),
        y[:100],
        X_unlabeled=scaler.transform(100 * X[100:]),
    )
    np.testing.assert_array_equal(
        pipeline["classify"].predict_proba(X), expected.predict_proba(X)
    )


def test_calibration_by_folds(pretrained, X, y):
    frozen = FrozenEstimator(pretrained)
    classifier = EncoderClassifier(frozen, epochs=5, random_state=0)
    calibrated = CalibratedClassifierCV(classifier, cv=2).fit(X, y)
    assert calibrated.score(X, y) > 0.7


def test_a_convolutional_encoder_with_images(y):
    images = (load_digits().images[:300] / 16).astype(np.float32)
    network = ConvNetwork((8, 8, 1), filters=(4,))
    autoencoder = AutoencoderTransformer(
        8, network=network, init="random", epochs=3, random_state=0
    )
    classifier = EncoderClassifier(autoencoder, epochs=30, random_state=0)
    classifier.fit(images[:200], y[:200], X_unlabeled=images[200:])
    assert classifier.score(images, y) > 0.7
    assert classifier.model_.output_shape == (None, 10)


def test_a_keras_encoder_of_the_user(X, y):
    encoder = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, "relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(8),
        ]
    )
    decoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(64)])
    autoencoder = AutoencoderTransformer.from_keras(encoder, decoder)
    classifier = EncoderClassifier(autoencoder, epochs=30, random_state=0).fit(X, y)
    assert classifier.score(X, y) > 0.8
    np.testing.assert_allclose(
        classifier.model_.predict(X, verbose=0), classifier.predict_proba(X), atol=1e-5
    )


def test_the_mean_code_of_a_variational_autoencoder(X, y):
    autoencoder = make_autoencoder(
        VariationalAutoencoder, n_components=8, epochs=60, init="random"
    )
    classifier = EncoderClassifier(autoencoder, epochs=30, random_state=0)
    assert classifier.fit(X, y).score(X, y) > 0.8


@pytest.mark.parametrize("fine_tune", [False, True])
def test_a_component_that_is_constant_up_to_rounding(X, y, fine_tune):
    encoder = keras.Sequential([keras.Input((64,)), keras.layers.Dense(8)])
    kernel, bias = encoder.get_weights()
    kernel[:, 0] *= 1e-7
    encoder.set_weights([kernel, bias + 3.3])
    decoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(64)])
    autoencoder = AutoencoderTransformer.from_keras(encoder, decoder)
    classifier = EncoderClassifier(autoencoder, fine_tune=fine_tune, random_state=0)
    classifier.fit(X[:200], y[:200])
    assert np.abs(classifier.head_.get_weights()[0]).max() < 100
    assert classifier.score(X[200:], y[200:]) > 0.5


def test_a_tied_and_sigmoid_code(X, y):
    autoencoder = make_autoencoder(
        n_components=8, tied_weights=True, code_activation="sigmoid", epochs=30
    )
    classifier = EncoderClassifier(autoencoder, epochs=30, random_state=0)
    assert classifier.fit(X, y).score(X, y) > 0.8


def test_sparse_rows_give_the_bits_of_dense_ones(small, X, y):
    dense = small.fit(X[:200], y[:200], X_unlabeled=X[200:]).predict_proba(X)
    sparse = small.fit(
        csr_matrix(X[:200]), y[:200], X_unlabeled=csr_matrix(X[200:])
    ).predict_proba(csr_matrix(X))
    np.testing.assert_allclose(sparse, dense, atol=1e-5)


def test_rows_far_from_zero_keep_their_digits(X, y):
    far = X.astype(np.float64) + 1e9
    autoencoder = make_autoencoder(n_components=8, epochs=30).fit(far)
    classifier = EncoderClassifier(autoencoder, epochs=30, random_state=0).fit(far, y)
    assert classifier.score(far, y) > 0.8


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_tensorflow_trains_what_numpy_does(pretrained, X, y, dropout):
    """Dropout selects TensorFlow, whose bits differ from those of NumPy."""
    classifier = EncoderClassifier(
        pretrained,
        hidden_layer_sizes=(16,),
        dropout=dropout,
        early_stopping=False,
        epochs=30,
        random_state=0,
    ).fit(X, y)
    frozen = EncoderClassifier(pretrained, fine_tune=False).fit(X, y)
    loss = log_loss(y, classifier.predict_proba(X))
    assert loss < log_loss(y, frozen.predict_proba(X))
    assert not [a for a in classifier.head_.layers if "dropout" in a.name]


def test_dropout_of_nearly_all_codes_slows_training(pretrained, X, y):
    losses = []
    for dropout in (0.01, 0.99):
        classifier = EncoderClassifier(
            pretrained, dropout=dropout, epochs=5, early_stopping=False, random_state=0
        )
        losses.append(classifier.fit(X, y).history_["loss"][-1])
    assert losses[1] > losses[0] + 0.1


class Recorder(keras.callbacks.Callback):
    def __init__(self, log):
        super().__init__()
        self.log = log

    def on_epoch_end(self, epoch, logs=None):
        self.log.append((epoch, logs["loss"], self.model.output_shape))
        self.model.stop_training = epoch == 2


def test_keras_callbacks_are_given_the_whole_model(pretrained, X, y):
    log = []
    classifier = EncoderClassifier(
        pretrained, callbacks=[Recorder(log)], epochs=9, random_state=0
    ).fit(X, y)
    assert [epoch for epoch, *_ in log] == [0, 1, 2]
    assert [loss for _, loss, _ in log] == classifier.history_["loss"]
    assert {shape for *_, shape in log} == {(None, 10)}


def test_verbose_reports_the_epochs_of_each_fold_and_of_all_rows(small, X, y, capsys):
    autoencoder = clone(small.autoencoder).set_params(verbose=5)
    small.set_params(autoencoder=autoencoder, early_stopping="auto", verbose=5)
    small.fit(X, y)
    printed = capsys.readouterr().out
    assert printed.startswith(f"Autoencoder, {len(X)} rows:\nEpoch ")
    assert "Fold 3 of 3, epoch  5/10" in printed
    assert "Labelled rows, epoch" in printed


@pytest.mark.parametrize("kind", KINDS)
def test_pickles_and_copies_predict_the_same_bits(kind, pretrained, X, y):
    estimator = kind(pretrained, epochs=3, random_state=0).fit(X, y)
    for other in (pickle.loads(pickle.dumps(estimator)), copy.deepcopy(estimator)):
        np.testing.assert_array_equal(other.predict(X), estimator.predict(X))


def test_fit_and_predict_import_neither_tensorflow_nor_scikeras():
    code = """
import pickle, sys
import numpy as np
from skautoenc import AutoencoderTransformer, EncoderClassifier
rng = np.random.default_rng(0)
X, y = rng.random((60, 5)), np.arange(60) % 3
classifier = EncoderClassifier(AutoencoderTransformer(2, epochs=2), epochs=2)
pickle.loads(pickle.dumps(classifier.fit(X, y))).predict(X)
print({"tensorflow", "keras", "scikeras"} & set(sys.modules))
"""
    assert run_python(code).stdout.strip() == "set()"


def test_estimators_of_scikeras_predict_the_same_and_go_on():
    """In another process, as SciKeras changes how Keras models are copied."""
    code = """
import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from skautoenc import AutoencoderTransformer, EncoderClassifier, EncoderRegressor

X, y = load_digits(return_X_y=True)
X, y = X[:300] / 16, y[:300]
autoencoder = AutoencoderTransformer(
    8, hidden_layer_sizes=8, epochs=60, init="random", random_state=0
).fit(X)
classifier = EncoderClassifier(autoencoder, epochs=30, random_state=0).fit(X, y)
probabilities = classifier.predict_proba(X)
other = classifier.to_scikeras(verbose=0, random_state=0)
assert is_classifier(other)
np.testing.assert_array_equal(other.predict(X), classifier.predict(X))
np.testing.assert_allclose(other.predict_proba(X), probabilities, atol=1e-5)
for _ in range(30):
    other.partial_fit(X, y)
assert log_loss(y, other.predict_proba(X)) < log_loss(y, probabilities)
np.testing.assert_array_equal(classifier.predict_proba(X), probabilities)

regressor = EncoderRegressor(autoencoder, epochs=3, random_state=0).fit(X, 1.0 * y)
other = regressor.to_scikeras(verbose=0)
assert is_regressor(other)
np.testing.assert_allclose(other.predict(X), regressor.predict(X), atol=1e-4)
"""
    run_python(code)


def test_feature_names_are_checked(small, X, y):
    frame = pd.DataFrame(X).add_prefix("pixel")
    small.fit(frame, y)
    assert small.feature_names_in_[3] == "pixel3"
    with pytest.raises(ValueError, match="feature names"):
        small.predict(frame[frame.columns[::-1]])


def fails(estimator, X, y, error, *words, **arguments):
    """Assert that a fit raises an error that contains words, and changes nothing."""
    before = dict(vars(estimator))
    with pytest.raises(error) as raised:
        estimator.fit(X, y, **arguments)
    for word in words:
        assert word in str(raised.value)
    assert vars(estimator) == before


def test_fit_without_any_label_raises(small, X):
    fails(small, X, np.full(300, -1), ValueError, "y has no labels", "-1")


def test_fit_with_one_class_raises(small, X):
    y = np.full(300, 7)
    fails(small, X, y, ValueError, "y has 1 class", "7")
    y[100:] = -1
    fails(small, X, y, ValueError, "y has 1 class", "marks a row without a label")
    two = np.stack([np.arange(300) % 3, y % 1], axis=1)
    fails(small, X, two, ValueError, "in output 1")


def test_fit_with_an_autoencoder_of_other_features_raises(small, X, y):
    fails(small, X[:, :50], y, ValueError, "autoencoder", "64 features", "50")


def test_fit_with_an_autoencoder_of_other_names_raises(X, y):
    frame = pd.DataFrame(X).add_prefix("pixel")
    autoencoder = make_autoencoder().fit(frame)
    other = frame[frame.columns[::-1]]
    classifier = EncoderClassifier(autoencoder)
    fails(classifier, other, y, ValueError, "autoencoder", "names", "pixel63")


@pytest.mark.parametrize(
    ("autoencoder", "words"),
    [
        (Ridge(), "Ridge() must be an autoencoder"),
        (AutoencoderTransformer, "is a class"),
        (make_pipeline(MinMaxScaler(), AutoencoderTransformer()), "before this"),
    ],
)
def test_fit_with_something_else_as_autoencoder_raises(X, y, autoencoder, words):
    fails(EncoderClassifier(autoencoder), X, y, TypeError, words)


def test_fit_with_a_frozen_autoencoder_that_is_not_fitted_raises(X, y):
    classifier = EncoderClassifier(FrozenEstimator(AutoencoderTransformer()))
    fails(classifier, X, y, NotFittedError, "AutoencoderTransformer")


def test_fit_with_bad_x_unlabeled_raises(small, X, y):
    fails(small, X, y, ValueError, "X_unlabeled", X_unlabeled=X[:, :5])
    holes = np.where(X[:5] > 0.5, np.nan, X[:5])
    fails(small, X, y, ValueError, "X_unlabeled", "NaN", X_unlabeled=holes)


def test_fit_with_bad_targets_raises(small, pretrained, X, y):
    fails(small, X, y[:100], ValueError, "inconsistent numbers of samples")
    fails(small, X, y + 0.5, ValueError, "Unknown label type")
    unknown = np.where(y == 3, None, y.astype(str))
    fails(small, X, unknown, ValueError, "y holds None", "X_unlabeled")
    regressor = EncoderRegressor(pretrained)
    holes = np.where(y == 3, np.nan, y)
    fails(regressor, X, holes, ValueError, "NaN")
    with pytest.raises(ValueError, match="NaN") as raised:
        small.fit(X, holes)
    assert "X_unlabeled" in raised.value.__notes__[0]
    fails(regressor, X, y.astype(str) + "a", ValueError, "could not convert")


def test_fit_with_weights_that_are_all_zero_raises(small, X, y):
    marked = np.where(np.arange(300) < 50, y, -1)
    weight = (np.arange(300) >= 50).astype(float)
    fails(small, X, marked, ValueError, "sample_weight", sample_weight=weight)


def test_early_stopping_with_too_few_rows_of_a_class_raises(small, X, y):
    small.set_params(early_stopping=True)
    fails(small, X[:12], y[:12], ValueError, "early_stopping=True", "12 rows")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("hidden_layer_sizes", (0,)),
        ("fine_tune", "yes"),
        ("class_weight", "even"),
        ("epochs", 0),
        ("learning_rate", 0.0),
        ("early_stopping", "always"),
        ("callbacks", "progress"),
    ],
)
def test_an_invalid_parameter_is_named(small, X, y, name, value):
    error = TypeError if name == "callbacks" else ValueError
    fails(small.set_params(**{name: value}), X, y, error, name)


def test_training_that_diverges_raises(pretrained, X, y):
    regressor = EncoderRegressor(
        pretrained, optimizer="sgd", learning_rate=1e6, early_stopping=False
    )
    fails(regressor, X, y, ValueError, "diverged")


def test_predict_before_fit_raises(X):
    with pytest.raises(NotFittedError):
        EncoderClassifier().predict(X)


def test_to_scikeras_of_several_outputs_raises(small, X, y):
    small.fit(X, np.stack([y % 2, y % 3], axis=1))
    with pytest.raises(ValueError, match="takes one output"):
        small.to_scikeras()


def test_an_autoencoder_that_kept_pca_is_warned_of(X, y):
    autoencoder = AutoencoderTransformer(
        2, epochs=2, learning_rate=1e-12, random_state=0
    )
    with pytest.warns(UserWarning, match="init='random'"):
        EncoderClassifier(autoencoder, epochs=2).fit(X, y)
