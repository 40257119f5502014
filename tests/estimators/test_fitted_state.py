"""Fitted estimators are plain: pickled, copied, served without TensorFlow."""

import pickle

import keras
import numpy as np
from helpers import NOT_IN_NUMPY, run_python
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import AutoencoderTransformer


def run(code, **environment):
    """Run code in a new Python where warnings are errors; return what it prints."""
    return run_python(code, "-W", "error", env=environment)


def test_pickle_is_little_larger_than_the_weights_and_components(fitted):
    arrays = [*fitted.autoencoder_.get_weights(), fitted.components_]
    n_bytes = sum(array.nbytes for array in arrays)
    assert len(pickle.dumps(fitted)) < n_bytes + 8000


def test_pickled_pipeline_predicts_without_tensorflow(small, tmp_path):
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    pipeline = make_pipeline(MinMaxScaler(), small, LogisticRegression(max_iter=500))
    pipeline.fit(X, y)
    with open(tmp_path / "pipeline.pkl", "wb") as file:
        pickle.dump(pipeline, file)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "wanted.npy", pipeline.predict_proba(X))
    run(
        f"""
import pickle, sys
import numpy as np
with open(r"{tmp_path}/pipeline.pkl", "rb") as file:
    pipeline = pickle.load(file)
X = np.load(r"{tmp_path}/X.npy")
np.testing.assert_allclose(
    pipeline.predict_proba(X), np.load(r"{tmp_path}/wanted.npy"), atol=1e-6
)
autoencoder = pipeline[1]
autoencoder.inverse_transform(autoencoder.transform(X))
autoencoder.score(X)
assert not {{"tensorflow", "keras", "matplotlib"}} & set(sys.modules)
"""
    )


def test_import_does_not_import_tensorflow_or_matplotlib():
    run(
        """
import sys
import skautoenc
skautoenc.AutoencoderTransformer()
assert not {"tensorflow", "keras", "matplotlib", "scikeras"} & set(sys.modules)
"""
    )


FIT = f"""
import numpy as np
from skautoenc import AutoencoderTransformer
X = np.random.default_rng(0).random((40, 5))
by_keras = {NOT_IN_NUMPY}
"""


def test_fit_prints_nothing():
    out = run(FIT + "AutoencoderTransformer(epochs=2000, random_state=0).fit(X)")
    assert out.stderr == ""
    assert out.stdout == ""


def test_omp_num_threads_limits_tensorflow():
    out = run(
        FIT
        + """
AutoencoderTransformer(epochs=1, **by_keras).fit(X)
import tensorflow as tf
print(tf.config.threading.get_intra_op_parallelism_threads())
""",
        OMP_NUM_THREADS="1",
    )
    assert out.stdout == "1\n"


def convolutional(input_shape, n_components):
    layers = keras.layers
    (n_features,) = input_shape
    encoder = keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(4, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(n_components),
        ]
    )
    decoder = keras.Sequential([keras.Input((n_components,)), layers.Dense(n_features)])
    return encoder, decoder


def test_pickle_keeps_a_network_that_numpy_cannot_run(digits):
    estimator = AutoencoderTransformer(
        4, network=convolutional, epochs=2, random_state=0
    ).fit(digits)
    other = pickle.loads(pickle.dumps(estimator))
    Z = estimator.transform(digits)
    np.testing.assert_array_equal(other.transform(digits), Z)
    np.testing.assert_allclose(
        estimator.encoder_.predict(digits, verbose=0), Z, atol=1e-5
    )
    for n in (1, 2, 3, 299):
        np.testing.assert_allclose(estimator.transform(digits[:n]), Z[:n], atol=1e-5)
