"""Small data: the network is trained again on all rows."""

import numpy as np
import pytest
from helpers import COMPILED, make_autoencoder
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderTransformer

DIABETES = StandardScaler().fit_transform(load_diabetes().data)


def fit(X, **params):
    """A fit that ends better than PCA."""
    estimator = AutoencoderTransformer(8, epochs=60, random_state=0, **params).fit(X)
    assert estimator.best_epoch_ > 0
    return estimator


def test_early_stopping_auto_trains_small_data_again_on_all_rows():
    refitted = fit(DIABETES)
    held_out = fit(DIABETES, early_stopping=True, validation_fraction=1 / 3)
    assert len(refitted.history_["val_loss"]) == refitted.n_iter_
    assert refitted.score(DIABETES) > held_out.score(DIABETES)


@pytest.mark.parametrize("engine", ["numpy", COMPILED], indirect=True)
def test_early_stopping_auto_repeats_the_epochs_up_to_the_best_one(digits, engine):
    parameters = {"hidden_layer_sizes": (32,), "mixup": False, "batch_size": 32}
    parameters |= {"epochs": 30, **engine}
    estimator = make_autoencoder(**parameters).fit(digits)
    # If the last epoch is the best, no epoch is left out on all rows.
    assert estimator.best_epoch_ == 30
    on_all_rows = make_autoencoder(**parameters, early_stopping=False).fit(digits)
    np.testing.assert_allclose(
        estimator.reconstruct(digits), on_all_rows.reconstruct(digits), atol=1e-5
    )


def test_early_stopping_auto_holds_out_a_tenth_of_larger_data():
    noise = np.random.default_rng(0).normal(size=(884, 10))
    X = np.tile(DIABETES, (2, 1)) + 0.1 * noise
    auto, fraction = fit(X), fit(X, early_stopping=True, validation_fraction=0.1)
    np.testing.assert_array_equal(auto.transform(X), fraction.transform(X))


def test_callbacks_are_called_in_one_training_only():
    import keras

    epochs = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: epochs.append(epoch)
    )
    estimator = fit(DIABETES, callbacks=[callback])
    assert epochs == list(range(estimator.n_iter_))
    np.testing.assert_array_equal(
        estimator.transform(DIABETES), fit(DIABETES).transform(DIABETES)
    )


def test_early_stopping_auto_repeats_the_learning_rates_of_callbacks(digits):
    import keras

    def codes(**params):
        rate = keras.callbacks.LearningRateScheduler(lambda epoch: 0.004 * 0.98**epoch)
        params |= {"hidden_layer_sizes": (32,), "mixup": False, "batch_size": 32}
        estimator = make_autoencoder(callbacks=[rate], epochs=30, **params)
        estimator.fit(digits)
        assert estimator.best_epoch_ == 30
        return estimator.transform(digits)

    np.testing.assert_allclose(codes(), codes(early_stopping=False), atol=1e-5)
