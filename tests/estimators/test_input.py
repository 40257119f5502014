"""What X may be, and the errors where it may not."""

import re
import warnings

import h5py
import keras
import numpy as np
import pandas
import polars
import pytest
import scipy.sparse as sp
import tensorflow as tf
from helpers import COMPILED, make_autoencoder, run_python
from sklearn.exceptions import NotFittedError

from skautoenc import ConvNetwork, DenseNetwork


@pytest.fixture(scope="module")
def codes(digits):
    return tiny().fit(digits).transform(digits)


def tiny(**params):
    return make_autoencoder(**{"epochs": 2, **params})


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X.astype(np.float64),
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X.tolist(),
        pandas.DataFrame,
        lambda X: polars.DataFrame(X, schema=[f"p{i}" for i in range(X.shape[1])]),
    ],
    ids=["float64", "fortran", "strided", "lists", "pandas", "polars"],
)
def test_fit_gives_the_same_codes_for_any_container(digits, codes, convert):
    estimator = tiny().fit(convert(digits))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        Z = estimator.transform(digits)
    np.testing.assert_array_equal(Z, codes)
    np.testing.assert_allclose(estimator.transform(convert(digits)), codes, atol=1e-5)
    assert Z.dtype == np.float32


@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_matrix, sp.csr_array])
def test_fit_on_sparse_rows_gives_the_codes_of_dense_rows(digits, codes, container):
    X = container(digits)
    estimator = tiny().fit(X)
    np.testing.assert_allclose(estimator.transform(X), codes, rtol=1e-4, atol=1e-5)
    assert isinstance(estimator.transform(X), np.ndarray)
    assert estimator.score(X) == pytest.approx(estimator.score(digits), abs=1e-5)
    np.testing.assert_allclose(
        estimator.reconstruct(X), estimator.reconstruct(digits), atol=1e-5
    )


@pytest.mark.slow
def test_fit_and_score_never_densify_all_sparse_rows():
    # 5000 x 20000 would be 0.4 GB in float32.
    # The peak of the process itself: that of `resource` begins at its parent's.
    code = """
from pathlib import Path
import numpy as np
import scipy.sparse as sp
from skautoenc import AutoencoderTransformer

rng = np.random.default_rng(0)
def peak():
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])

shape = 5000, 20000
where = rng.integers(0, 5000, 10000), rng.integers(0, 20000, 10000)
X = sp.csr_array((rng.random(10000), where), shape=shape)
estimator = AutoencoderTransformer(
    2, hidden_layer_sizes=(), batch_size=500, epochs=1, init="random"
)
before = peak()
estimator.fit(X)
estimator.transform(X)
estimator.score(X)
print(peak() - before)
"""
    assert int(run_python(code).stdout) < 0.3e9


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, bool])
def test_fit_takes_any_numeric_dtype(dtype):
    X = np.random.default_rng(0).integers(0, 2, (50, 6)).astype(dtype)
    a = tiny().fit_transform(X)
    b = tiny().fit_transform(X.astype(np.float64))
    np.testing.assert_array_equal(a, b)


def test_fit_reads_memory_maps(digits, codes, tmp_path):
    np.save(tmp_path / "X.npy", digits)
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(tiny().fit(X).transform(X), codes)


@pytest.mark.parametrize("n", [1, 2, 63, 64, 65])
def test_fit_works_on_few_rows(digits, n):
    estimator = tiny().fit(digits[:n])
    assert estimator.transform(digits[:1]).shape == (1, 3)
    assert len(estimator.history_["loss"]) == 2


def test_fit_reconstructs_constant_columns():
    X = np.ones((20, 4))
    for estimator in (tiny(), tiny(init="random")):
        np.testing.assert_array_equal(estimator.fit(X).reconstruct(X), X)
        assert estimator.score(X) == 1
        assert estimator.score(X + 1) == 0


def test_n_components_may_exceed_the_features():
    X = np.random.default_rng(0).random((30, 3))
    assert tiny(n_components=7).fit_transform(X).shape == (30, 7)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_fit_and_transform_refuse_values_that_are_not_finite(digits, fitted, bad):
    X = digits.astype(np.float64)
    X[3, 5] = bad
    message = "NaN.*AutoencoderImputer" if np.isnan(bad) else "infinity|too large"
    for call in (tiny().fit, fitted.transform, fitted.reconstruct, fitted.score):
        with pytest.raises(ValueError, match=message):
            call(X)
    with pytest.raises(ValueError, match="Z contains"):
        fitted.inverse_transform(np.full((2, 3), bad))


def test_fit_and_transform_refuse_other_shapes(digits, fitted):
    with pytest.raises(ValueError, match="64 features"):
        fitted.transform(digits[:, :10])
    with pytest.raises(ValueError, match="Z has 5 components.*n_components=3"):
        fitted.inverse_transform(np.zeros((2, 5)))
    with pytest.raises(ValueError, match="64 features"):
        tiny().fit(digits, X_val=digits[:, :10])
    with pytest.raises(ValueError, match="0 sample"):
        tiny().fit(digits[:0])
    with pytest.raises(ValueError, match="text in column 0"):
        tiny().fit([["a", "b"], ["c", "d"]])
    with pytest.raises(ValueError, match="sample_weight.shape"):
        tiny().fit(digits, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match=re.escape("Negative values")):
        tiny().fit(digits, sample_weight=-np.ones(len(digits)))


def test_a_list_of_tables_is_one_array_of_images(digits, fitted):
    chunks = [digits[:20], digits[20:40]]
    estimator = tiny().fit(chunks)
    assert estimator.n_features_in_ == 20 * 64
    for call in (estimator.transform, fitted.transform):
        with pytest.raises(ValueError, match=r"rows of shape.*np\.concatenate"):
            call(digits if call == estimator.transform else chunks)
    with pytest.raises(ValueError, match=r"X_val: .*np\.concatenate"):
        tiny().fit(digits, X_val=chunks)
    with pytest.raises(ValueError, match=r"different shapes.*np\.concatenate\(X\)"):
        tiny().fit([digits[:20], digits[20:30]])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, "'n_components' parameter"),
        ({"n_components": -1}, "'n_components' parameter"),
        ({"n_components": 2.0}, "'n_components' parameter"),
        ({"hidden_layer_sizes": (8, 0)}, "hidden_layer_sizes.*positive"),
        ({"hidden_layer_sizes": (8.5,)}, "hidden_layer_sizes.*positive"),
        ({"hidden_layer_sizes": -8}, "'hidden_layer_sizes' parameter"),
        ({"activation": "rleu"}, "activation='rleu'.*Could not interpret"),
        ({"code_activation": "x"}, "code_activation='x'.*Could not interpret"),
        ({"output_activation": "x"}, "output_activation='x'.*Could not interpret"),
        ({"kernel_regularizer": "l3"}, "kernel_regularizer='l3'"),
        ({"activity_regularizer": "l3"}, "activity_regularizer='l3'"),
        ({"loss": "msee"}, "loss='msee'.*Could not interpret"),
        ({"loss": keras.losses.MeanSquaredError("sum")}, "reduction='sum'"),
        ({"optimizer": "adamm"}, "optimizer='adamm'.*Could not interpret"),
        ({"learning_rate": 0.0}, "'learning_rate' parameter"),
        ({"batch_size": 0}, "'batch_size' parameter"),
        ({"epochs": 0}, "'epochs' parameter"),
        ({"early_stopping": "yes"}, "'early_stopping' parameter"),
        ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
        ({"n_iter_no_change": 0}, "'n_iter_no_change' parameter"),
        ({"init": "zeros"}, "'init' parameter"),
        (
            {"init": "pca", "code_activation": "relu"},
            "init='pca' needs.*code_activation='relu' is not 'linear'",
        ),
        ({"mixup": "never"}, "'mixup' parameter"),
        ({"network": "conv"}, "network='conv'.*'dense'.*ConvNetwork.*function"),
        ({"warm_start": 3}, "'warm_start' parameter"),
        ({"verbose": -1}, "'verbose' parameter"),
        ({"random_state": "0"}, "'random_state' parameter"),
    ],
)
def test_invalid_parameters_are_refused(digits, params, message):
    with pytest.raises(ValueError, match=message):
        tiny(**params).fit(digits)


def test_loss_of_a_whole_batch_is_refused(digits):
    def whole(targets, outputs):
        return keras.ops.mean(keras.ops.square(targets - outputs))

    with pytest.raises(ValueError, match="one number for a whole batch"):
        tiny(loss=whole).fit(digits)


def test_callbacks_of_another_kind_are_refused(digits):
    with pytest.raises(TypeError, match="Keras callbacks.*set_callbacks"):
        tiny(callbacks=[print]).fit(digits)
    with pytest.raises(TypeError, match="callbacks must be a list.*got 'stop'"):
        tiny(callbacks="stop").fit(digits)


@pytest.mark.parametrize(
    "loss", ["binary_crossentropy", keras.losses.BinaryCrossentropy()]
)
def test_loss_binary_crossentropy_requires_the_unit_interval(digits, loss):
    estimator = tiny(loss=loss, output_activation="sigmoid")
    with pytest.raises(ValueError, match=r"ranges from 0 to 16.*MinMaxScaler"):
        estimator.fit(digits * 16)
    estimator.fit(digits)


def test_x_val_is_checked_like_x(digits):
    estimator = tiny(loss="binary_crossentropy", output_activation="sigmoid")
    with pytest.raises(ValueError, match=r"X_val ranges from 0 to 16"):
        estimator.fit(digits, X_val=digits * 16)
    with pytest.raises(ValueError, match=r"X_val: .*NaN"):
        estimator.fit(digits, X_val=np.full((2, 64), np.nan))


def test_loss_binary_crossentropy_warns_of_a_linear_output_activation(digits):
    with pytest.warns(UserWarning, match="Use output_activation='sigmoid'") as record:
        tiny(loss="binary_crossentropy").fit(digits)
    assert record[0].filename == __file__
    logits = keras.losses.BinaryCrossentropy(from_logits=True)
    tiny(loss=logits).fit(digits)


@pytest.mark.parametrize(
    ("activation", "interval"), [("sigmoid", "[0, 1]"), ("tanh", "[-1, 1]")]
)
def test_output_activation_that_cannot_reach_x_warns(digits, activation, interval):
    estimator = tiny(output_activation=activation)
    with pytest.warns(UserWarning, match=re.escape(f"values in {interval}, but X")):
        estimator.fit(digits * 16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator.fit(digits)


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (lambda e, d: e, TypeError, "returned an object of type Functional"),
        (lambda e, d: (e, "d"), TypeError, r"returned \(Functional, str\)"),
        (lambda e, d: (e, d, d), TypeError, "two Keras models"),
        (
            lambda e, d: (d, e),
            ValueError,
            r"the encoder takes rows of shape \(3,\), but a row of X has 64",
        ),
        (
            lambda e, d: (e, DenseNetwork(())((64,), 5)[1]),
            ValueError,
            r"the decoder takes rows of shape \(5,\), but the encoder gives codes of 3",
        ),
    ],
)
def test_network_function_must_return_a_matching_pair(digits, returned, error, message):
    def network(input_shape, n_components):
        return returned(*DenseNetwork(())(input_shape, n_components))

    with pytest.raises(error, match=message):
        tiny(network=network).fit(digits)


class Unregistered(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def own_layer(input_shape, n_components):
    encoder, decoder = DenseNetwork(())(input_shape, n_components)
    inputs = keras.Input((n_components,))
    return encoder, keras.Model(inputs, decoder(Unregistered()(inputs)))


def halved(x):
    return x / 2


@pytest.mark.parametrize(
    "params",
    [{"network": own_layer}, {"activation": halved}, {"kernel_regularizer": halved}],
)
def test_network_activation_and_regularizer_must_be_registered(digits, params):
    with pytest.raises(ValueError, match="register_keras_serializable"):
        tiny(**params).fit(digits)


@keras.saving.register_keras_serializable("tests")
def doubled(x):
    return 2 * x


def test_activation_that_is_registered_is_kept(digits):
    estimator = tiny(activation=doubled).fit(digits)
    np.testing.assert_allclose(
        estimator.encoder_.predict(digits, verbose=0),
        estimator.transform(digits),
        atol=1e-5,
    )


def test_network_and_loss_functions_are_named_in_their_errors(digits):
    with pytest.raises(TypeError) as caught:
        tiny(network=lambda shape: None).fit(digits)
    assert "network((64,), 3)" in caught.value.__notes__[0]
    with pytest.raises(TypeError) as caught:
        tiny(loss=lambda targets: targets).fit(digits)
    assert "loss=" in caught.value.__notes__[0]


def test_learning_rate_can_be_any_kind_of_number(digits):
    for rate in (1, np.float32(0.01)):
        tiny(optimizer="sgd", learning_rate=rate).fit(digits)
    with pytest.raises(ValueError, match="learning_rate must be a number"):
        tiny(learning_rate=keras.layers.Dense(2)).fit(digits)


def test_batch_size_is_limited_by_the_number_of_rows(digits, codes):
    few = tiny(batch_size=512).fit(digits).transform(digits)
    many = tiny(batch_size=10**7).fit(digits).transform(digits)
    np.testing.assert_array_equal(few, many)


def test_fit_that_diverges_stops_and_leaves_no_attributes(digits):
    estimator = tiny(optimizer="sgd", learning_rate=1e6, epochs=1000)
    with pytest.raises(ValueError, match=r"diverged.*epoch \d+\. Scale.*learning_rate"):
        estimator.fit(digits)
    assert [name for name in vars(estimator) if name.endswith("_")] == []
    with pytest.raises(NotFittedError):
        estimator.transform(digits)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"output_activation": "relu"}, "output_activation='relu' is not 'linear'"),
        (
            {"code_activation": "tanh", "output_activation": "relu"},
            "code_activation='tanh'.*; output_activation='relu'",
        ),
        ({"tied_weights": True}, "but tied_weights=True. Change"),
        (
            {"n_components": 65},
            "n_components=65 is above 64, the maximum for n_samples=300 and n_features",
        ),
        (
            {"network": DenseNetwork((8,), linear_path=False)},
            "but it has hidden layers without the linear path",
        ),
        (
            {"network": ConvNetwork((8, 8, 1), (2,), linear_path=False)},
            "but it has hidden layers without the linear path",
        ),
        (
            {"network": ConvNetwork((8, 8, 1), (2,)), "n_components": None},
            "but the code is the output of convolutions, as with n_components=None",
        ),
    ],
)
def test_init_pca_error_names_what_it_does_not_support(digits, params, message):
    with pytest.raises(ValueError, match=f"init='pca'.*{message}"):
        tiny(init="pca", **params).fit(digits)


@pytest.mark.parametrize(
    "network", ["dense", DenseNetwork((8,), activation="softsign")]
)
def test_contractive_requires_second_derivatives(digits, network):
    estimator = tiny(network=network, activation="softsign", contractive=0.1)
    with pytest.raises(ValueError, match="contractive.*activation='softsign'"):
        estimator.fit(digits)


TABLE = [[1.0, "red", 2.0], [3.0, "blue", "4"]] * 10


@pytest.mark.parametrize(
    ("X", "column"),
    [
        (TABLE, "1"),
        (np.array(TABLE, object), "1"),
        (np.array(TABLE), "1"),
        (np.array(TABLE).astype(bytes), "1"),
        (pandas.DataFrame(TABLE, columns=["a", "colour", "b"]), "'colour'"),
        (
            pandas.DataFrame({"a": range(9), "colour": ["red"] * 9}).astype(
                {"colour": "category"}
            ),
            "'colour'",
        ),
        (polars.DataFrame({"a": [1.0, 2.0], "colour": ["red", "blue"]}), "'colour'"),
    ],
    ids=["list", "object", "str", "bytes", "pandas", "category", "polars"],
)
def test_fit_names_a_column_of_text(X, column):
    message = rf"X has text in column {column}, such as b?'red'.*OneHotEncoder"
    with pytest.raises(ValueError, match=message):
        tiny().fit(X)
    numbers = np.random.default_rng(0).random(np.shape(X))
    if hasattr(X, "columns"):
        numbers = type(X)(dict(zip(X.columns, numbers.T, strict=True)))
    estimator = tiny().fit(numbers)
    with pytest.raises(ValueError, match=message):
        estimator.transform(X)
    with pytest.raises(ValueError, match=f"X_val: {message}"):
        estimator.fit(numbers, X_val=X)


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 2

    def __getitem__(self, i):
        return np.ones((4, 64), np.float32)


@pytest.mark.parametrize(
    ("data", "way"),
    [
        (lambda X: tf.data.Dataset.from_tensor_slices(X).batch(32), "as_numpy_iter"),
        (lambda X: (row for row in X), r"np.stack\(list\(X\)\)"),
        (lambda X: iter(X), r"np.stack\(list\(X\)\)"),
        (lambda X: Batches(), r"np.concatenate\(\[X\[i\] for i"),
        (lambda X: {"data": X}, r"np.asarray\(X\['data'\]\)"),
    ],
)
def test_fit_refuses_iterators_and_data_sets(digits, fitted, data, way):
    message = f"X must hold all rows, as an array.*{way}.*mmap_mode='r'"
    for call in (tiny().fit, fitted.transform, fitted.score):
        with pytest.raises(TypeError, match=message):
            call(data(digits))


def test_fit_takes_the_array_that_the_error_for_a_data_set_suggests(digits, codes):
    X = tf.data.Dataset.from_tensor_slices(digits).batch(32)
    rows = np.stack(list(X.unbatch().as_numpy_iterator()))
    np.testing.assert_array_equal(tiny().fit(rows).transform(rows), codes)


def test_fit_reads_hdf5_data_sets(digits, codes, tmp_path):
    with h5py.File(tmp_path / "X.h5", "w") as file:
        X = file.create_dataset("X", data=digits)
        np.testing.assert_array_equal(tiny().fit(X).transform(X), codes)
        images = file.create_dataset("images", data=digits.reshape(-1, 8, 8))
        estimator = tiny().fit(images)
        assert estimator.reconstruct(images).shape == images.shape
        with pytest.raises(TypeError, match=r"X\['data'\]"):
            tiny().fit(file)


@pytest.mark.parametrize("weight", [5e9, 1e20, 1e200, 1e300])
def test_sample_weight_beyond_float32_is_named(digits, weight):
    weights = np.ones(300)
    weights[7] = weight
    with pytest.raises(ValueError, match=r"sample_weight\[7\]=.*too large.*2\*\*32"):
        tiny().fit(digits, sample_weight=weights)


@pytest.mark.parametrize("weight", [1e-20, 1e-300, 5e-324])
def test_sample_weight_that_vanishes_in_float32_is_refused(digits, weight):
    with pytest.raises(ValueError, match="sample_weight is too small"):
        tiny().fit(digits, sample_weight=np.full(300, weight))


@pytest.mark.parametrize("engine", ["numpy", COMPILED], indirect=True)
def test_sample_weight_can_be_as_large_as_2_to_the_32(digits, engine):
    weights = np.ones(300)
    weights[7] = 2.0**32
    estimator = tiny(**engine).fit(digits, sample_weight=weights)
    assert np.isfinite(estimator.transform(digits)).all()
    weights[:] = 2.0**-63
    estimator.fit(digits, sample_weight=weights)
    assert np.isfinite(estimator.transform(digits)).all()


def test_encoder_and_decoder_are_exported_without_a_call_before(
    digits, fitted, tmp_path
):
    for name, given in (
        ("encoder_", digits),
        ("decoder_", fitted.transform(digits)),
        ("autoencoder_", digits),
    ):
        model = getattr(fitted, name)
        model.export(tmp_path / name, format="tf_saved_model", verbose=False)
        loaded = tf.saved_model.load(tmp_path / name)
        np.testing.assert_allclose(loaded.serve(given), model(given), atol=1e-5)
