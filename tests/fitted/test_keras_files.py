"""Keras files of fitted estimators, which programs without skautoenc load."""

import keras
import numpy as np
import pytest
from helpers import make_autoencoder, run_python
from keras import layers

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)

PLAIN_PROGRAM = """
import sys
import keras
import numpy as np

for name in sys.argv[1:]:
    for part in ("encoder", "decoder", "autoencoder"):
        model = keras.saving.load_model(f"{name}_{part}.keras")
        X, Y = (np.load(f"{name}_{part}_{end}.npy") for end in ("in", "out"))
        np.testing.assert_allclose(model(X), Y, rtol=1e-5, atol=1e-5)
    if name in ("tied", "one_hot"):
        model.compile("sgd", "mse")
        model.fit(X, Y, epochs=1, verbose=0)
assert not [name for name in sys.modules if name.startswith("skautoenc")]
"""


def with_one_hot_columns(digits):
    categories = np.arange(len(digits)) % 3
    columns = np.eye(3, dtype=np.float32)[categories]
    return np.hstack([columns[:, :2], digits[:, 20:40], columns[:, 2:]])


@pytest.fixture(scope="module")
def estimators(digits):
    """Fitted estimators of each kind, and rows, by name."""
    shifted = digits + 10.0
    image = ConvNetwork((8, 8, 1), (2,))
    one_hot = with_one_hot_columns(digits)
    kinds = {
        "linear_path": (make_autoencoder(), shifted),
        "sigmoid": (make_autoencoder(output_activation="sigmoid"), digits),
        "tied": (make_autoencoder(tied_weights=True), shifted),
        "leaky": (
            make_autoencoder(activation=layers.LeakyReLU(0.3), tied_weights=True),
            digits,
        ),
        "regularized": (make_autoencoder(kernel_regularizer=0.01), digits),
        "convolutional": (make_autoencoder(network=image), shifted),
        "one_hot": (make_autoencoder(one_hot_groups=[(0, 1, 22)]), one_hot),
        "denoising": (make_autoencoder(DenoisingAutoencoder), digits),
        "variational": (make_autoencoder(VariationalAutoencoder), digits),
        "own": (make_autoencoder(network=own_network), digits),
    }
    return {name: (kind.fit(X), X) for name, (kind, X) in kinds.items()}


def own_network(shape, n_components):
    encoder = keras.Sequential(
        [keras.Input(shape), layers.LayerNormalization(), layers.Dense(n_components)]
    )
    return encoder, keras.Sequential(
        [keras.Input((n_components,)), layers.Dense(8, "gelu"), layers.Dense(*shape)]
    )


def test_keras_models_of_fitted_estimators_are_loaded_by_a_plain_keras_program(
    estimators, tmp_path
):
    for name, (estimator, X) in estimators.items():
        X = X[:20].astype(np.float32)
        Z = estimator.transform(X)
        for part, taken in (("encoder", X), ("decoder", Z), ("autoencoder", X)):
            model = getattr(estimator, f"{part}_")
            model.save(tmp_path / f"{name}_{part}.keras")
            np.save(tmp_path / f"{name}_{part}_in.npy", taken)
            np.save(tmp_path / f"{name}_{part}_out.npy", model(taken))
    command = f"import sys; sys.argv[1:] = {list(estimators)!r}\n"
    run_python(command + PLAIN_PROGRAM, cwd=tmp_path)


def test_keras_models_compute_what_the_estimator_does(estimators):
    for name, (estimator, X) in estimators.items():
        Z = estimator.transform(X)
        for model, taken, wanted in (
            (estimator.encoder_, X, Z),
            (estimator.decoder_, Z, estimator.inverse_transform(Z)),
        ):
            np.testing.assert_allclose(model(taken), wanted, atol=2e-4, err_msg=name)


def test_keras_models_have_no_layers_of_this_package(estimators):
    for name, (estimator, _) in estimators.items():
        assert "skautoenc" not in estimator.autoencoder_.to_json(), name


def test_from_keras_of_the_models_of_an_estimator_computes_the_same(
    estimators, tmp_path
):
    for name, (estimator, X) in estimators.items():
        estimator.autoencoder_.save(tmp_path / "autoencoder.keras")
        model = keras.saving.load_model(tmp_path / "autoencoder.keras")
        code = model.layers[1].name
        other = AutoencoderTransformer.from_keras(model, code)
        np.testing.assert_allclose(
            other.reconstruct(X), estimator.reconstruct(X), atol=2e-4, err_msg=name
        )


def half(n_in, n_out, name=None):
    hidden, last = layers.Dense(6, "relu"), layers.Dense(n_out, name=name)
    return keras.Sequential([keras.Input((n_in,)), hidden, last])


@keras.saving.register_keras_serializable("keras_files")
class OwnAutoencoder(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.encoder = half(8, 2)
        self.decoder = half(2, 8)

    def call(self, inputs):
        return self.decoder(self.encoder(inputs))


def sequential():
    return keras.Sequential([*half(8, 2, "code").layers, *half(2, 8).layers])


def nested():
    encoder = half(8, 2, "inner")
    encoder.name = "code"
    inputs = keras.Input((8,))
    return keras.Model(inputs, half(2, 8)(encoder(inputs)))


def with_shared_layers():
    shared, block = layers.Dense(8, "tanh"), half(8, 8)
    inputs = keras.Input((8,))
    code = layers.Dense(8, name="code")(block(shared(inputs)))
    return keras.Model(inputs, shared(block(code)))


def loaded(model, tmp_path):
    """A model after training, from a file."""
    X = np.random.default_rng(0).random((50, 8)).astype(np.float32)
    model.compile("adam", "mse")
    model.fit(X, X, verbose=0)
    model.save(tmp_path / "model.keras")
    return keras.saving.load_model(tmp_path / "model.keras"), X


def assert_same_outputs(estimator, model, X):
    wanted = model.predict(X, verbose=0)
    np.testing.assert_allclose(estimator.reconstruct(X), wanted, atol=1e-5)


@pytest.mark.parametrize("build", [sequential, nested, with_shared_layers])
def test_from_keras_splits_a_loaded_model_at_its_code_layer(build, tmp_path):
    model, X = loaded(build(), tmp_path)
    estimator = AutoencoderTransformer.from_keras(model, "code")
    assert_same_outputs(estimator, model, X)


def test_from_keras_takes_the_parts_of_a_loaded_model(tmp_path):
    model, X = loaded(nested(), tmp_path)
    parts = model.layers[1:]
    assert_same_outputs(AutoencoderTransformer.from_keras(*parts), model, X)
    encoder = model.get_layer("code")
    cut = keras.Model(encoder.inputs, encoder.get_layer("inner").output)
    assert_same_outputs(AutoencoderTransformer.from_keras(cut, parts[1]), model, X)
    model, X = loaded(with_shared_layers(), tmp_path)
    code = model.get_layer("code").output
    cut = keras.Model(model.inputs, code), keras.Model(code, model.outputs)
    assert_same_outputs(AutoencoderTransformer.from_keras(*cut), model, X)


def test_from_keras_takes_the_parts_of_a_subclassed_model(tmp_path):
    model, X = loaded(OwnAutoencoder(), tmp_path)
    parts = model.encoder, model.decoder
    assert_same_outputs(AutoencoderTransformer.from_keras(*parts), model, X)


@pytest.mark.parametrize(
    ("build", "name", "reason"),
    [
        (nested, "inner", "'inner' is a layer of 'code', a model within the model"),
        (OwnAutoencoder, "encoder", "neither a functional nor a Sequential one"),
        (sequential, "coda", r"'coda' must be a layer of the model .*'code'"),
    ],
)
def test_from_keras_asks_for_two_models_if_one_cannot_be_split(build, name, reason):
    model = build()
    model(np.zeros((1, 8), np.float32))
    with pytest.raises(TypeError, match=rf"{reason}.* Give two models, encoder and"):
        AutoencoderTransformer.from_keras(model, name)
