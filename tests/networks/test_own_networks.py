"""Keras models of one's own as `network`, and estimators around trained ones."""

import copy
import pickle

import keras
import numpy as np
import pytest
from helpers import make_autoencoder, run_python
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    DenseNetwork,
    VariationalAutoencoder,
)
from skautoenc._backend.keras import isolated_random_state

layers = keras.layers


def quick(network, **params):
    return make_autoencoder(network=network, **{"epochs": 2, **params})


def frozen(network, **params):
    """One that stays at the weights it starts from."""
    return quick(network, epochs=1, learning_rate=1e-12, **params)


def functional():
    return DenseNetwork((8,))((64,), 3)


def sequential():
    encoder = keras.Sequential(
        [keras.Input((64,)), layers.Dense(8, "tanh"), layers.Dense(3)]
    )
    decoder = keras.Sequential([keras.Input((3,)), layers.Dense(64)])
    return encoder, decoder


@keras.saving.register_keras_serializable("tests")
class OwnModel(keras.Model):
    """Two dense layers, without a graph."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = layers.Dense(8, "tanh")
        self.last = layers.Dense(units)

    def call(self, inputs):
        return self.last(self.hidden(inputs))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def subclassed():
    encoder, decoder = OwnModel(3), OwnModel(64)
    encoder(np.zeros((1, 64), np.float32))
    decoder(np.zeros((1, 3), np.float32))
    return encoder, decoder


def nested():
    encoder, decoder = functional()
    outer = keras.Sequential([keras.Input((64,)), layers.Rescaling(0.5), encoder])
    return outer, decoder


def on_images():
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, strides=2, activation="relu"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    decoder = keras.Sequential(
        [keras.Input((3,)), layers.Dense(64), layers.Reshape((8, 8, 1))]
    )
    return encoder, decoder


def feature_maps():
    """The code is an image too."""
    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(1, 3, strides=(4, 8), padding="same")]
    )
    decoder = keras.Sequential(
        [
            keras.Input((2, 1, 1)),
            layers.Conv2DTranspose(2, 3, strides=(4, 8), padding="same"),
            layers.Conv2D(1, 3, padding="same"),
        ]
    )
    return encoder, decoder


PAIRS = [functional, sequential, subclassed, nested, on_images, feature_maps]


def built(pair):
    with isolated_random_state(5):
        return pair()


def called(model, X):
    """What a model gives for rows, whatever shape it takes them in."""
    shape = model.input_shape[1:] if getattr(model, "inputs", None) else X.shape[1:]
    outputs = model(X.reshape(-1, *shape))
    return keras.ops.convert_to_numpy(outputs).reshape(len(X), -1)


def weights_of(pair):
    return [w.copy() for model in pair for w in model.get_weights()]


@pytest.mark.parametrize("pair", PAIRS)
def test_network_pair_is_trained_from_its_weights(digits, pair):
    encoder, decoder = built(pair)
    estimator = frozen((encoder, decoder), n_components=None).fit(digits)
    Z = called(encoder, digits)
    np.testing.assert_allclose(estimator.transform(digits), Z, atol=1e-5)
    np.testing.assert_allclose(
        estimator.reconstruct(digits), called(decoder, Z), atol=1e-5
    )


@pytest.mark.parametrize("pair", PAIRS)
def test_network_pair_is_not_changed_by_fit(digits, pair):
    models = built(pair)
    before = weights_of(models)
    estimator = quick(models, n_components=None, learning_rate=0.1).fit(digits)
    for a, b in zip(weights_of(models), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.allclose(estimator.transform(digits), called(models[0], digits))
    assert estimator.history_["loss"][1] < estimator.history_["loss"][0]
    assert estimator.network[0] is models[0]


@pytest.mark.parametrize("pair", PAIRS)
def test_network_pair_is_pickled(digits, pair):
    estimator = quick(built(pair), n_components=None)
    unfitted = pickle.loads(pickle.dumps(estimator))
    Z = estimator.fit_transform(digits)
    np.testing.assert_array_equal(unfitted.fit_transform(digits), Z)
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(estimator))))
    np.testing.assert_array_equal(again.transform(digits), Z)
    np.testing.assert_array_equal(
        again.reconstruct(digits), estimator.reconstruct(digits)
    )
    np.testing.assert_array_equal(clone(again).fit_transform(digits), Z)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("copied", [clone, copy.deepcopy])
def test_network_pair_is_copied(digits, pair, copied):
    estimator = frozen(built(pair), n_components=None)
    Z = called(estimator.network[0], digits)
    np.testing.assert_allclose(
        copied(estimator).fit(digits).transform(digits), Z, atol=1e-5
    )


def test_network_function_gets_input_shape_and_n_components(digits):
    seen = []

    def network(input_shape, n_components):
        seen.append((input_shape, n_components))
        return DenseNetwork((4,))(input_shape, n_components)

    quick(network).fit(digits)
    quick(network, n_components=2).fit(digits.reshape(-1, 8, 8))
    assert seen == [((64,), 3), ((8, 8), 2)]


def test_network_function_may_build_models_of_any_kind(digits):
    for pair in PAIRS:
        quick(lambda shape, k, pair=pair: pair(), n_components=None).fit(digits)


def test_network_pair_on_images_takes_flat_rows_and_images(digits):
    models = built(on_images)
    flat = quick(models).fit(digits)
    images = quick(models).fit(digits.reshape(-1, 8, 8))
    np.testing.assert_array_equal(
        flat.transform(digits), images.transform(digits.reshape(-1, 8, 8, 1))
    )
    assert flat.reconstruct(digits).shape == (300, 64)
    assert images.inverse_transform(np.zeros((2, 3))).shape == (2, 8, 8)


def test_transform_flattens_a_code_that_is_an_image(digits):
    estimator = quick(built(feature_maps), n_components=2).fit(digits)
    assert estimator.transform(digits).shape == (300, 2)


def test_sequential_models_without_an_input_shape_are_built_by_fit(digits):
    pair = (
        keras.Sequential([layers.Dense(8, "relu"), layers.Dense(3)]),
        keras.Sequential([layers.Dense(64)]),
    )
    estimator = quick(pair)
    Z = estimator.fit_transform(digits)
    assert not pair[0].built
    np.testing.assert_array_equal(estimator.fit_transform(digits), Z)
    other = pickle.loads(pickle.dumps(quick(pair)))
    np.testing.assert_array_equal(other.fit_transform(digits), Z)
    with_other_weights = clone(estimator).set_params(random_state=1)
    assert not np.allclose(with_other_weights.fit_transform(digits), Z)


def test_unbuilt_models_on_images_are_built_by_fit(digits):
    pair = (
        keras.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)]),
        keras.Sequential([layers.Dense(64)]),
    )
    images = digits.reshape(-1, 8, 8, 1)
    assert quick(pair).fit(images).reconstruct(images).shape == images.shape


class OwnLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return 0 * y_pred


def own_loss(y_true, y_pred):
    return 0 * y_pred


@pytest.mark.parametrize("loss", ["mae", OwnLoss(), own_loss, lambda y, p: 0 * p])
def test_the_compile_config_of_a_model_has_no_effect(digits, loss):
    Z = quick(built(sequential)).fit_transform(digits)
    compiled = built(sequential)
    compiled[0].compile("sgd", loss, metrics=["mae"])
    compiled[1].compile(keras.optimizers.Adam(10.0), loss)
    estimator = quick(compiled)
    unfitted = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(estimator.fit_transform(digits), Z)
    np.testing.assert_array_equal(unfitted.fit_transform(digits), Z)


def test_a_model_trained_in_keras_is_trained_further(digits):
    encoder, decoder = built(sequential)
    autoencoder = keras.Sequential([keras.Input((64,)), encoder, decoder])
    autoencoder.compile(keras.optimizers.Adam(0.01), "mse")
    autoencoder.fit(digits, digits, epochs=10, verbose=0)
    reached = float(autoencoder.evaluate(digits, digits, verbose=0))
    history = quick((encoder, decoder)).fit(digits).history_["loss"]
    assert history[-1] < 1.05 * reached


def whole(kind):
    """One model, with a layer named code."""
    parts = [
        layers.Dense(8, "relu", name="before"),
        layers.Dense(3, name="code"),
        layers.Dense(8, "relu"),
        layers.Dense(64),
    ]
    if kind == "unbuilt":
        return keras.Sequential(parts)
    if kind == "sequential":
        return keras.Sequential([keras.Input((64,)), *parts])
    if kind == "image":
        image = keras.Input((8, 8, 1))
        parts = [layers.Flatten(), *parts, layers.Reshape((8, 8, 1))]
        return keras.Sequential([image, *parts])
    inputs = h = keras.Input((64,))
    if kind == "nested":
        encoder = keras.Sequential([inputs, *parts[:2]], name="code")
        return keras.Model(inputs, parts[3](parts[2](encoder(inputs))))
    for layer in parts:
        h = layer(h)
    return keras.Model(inputs, h)


@pytest.mark.parametrize(
    "kind", ["functional", "sequential", "unbuilt", "image", "nested"]
)
def test_one_model_is_split_at_its_code_layer(digits, kind):
    with isolated_random_state(5):
        model = whole(kind)
    before = weights_of([model])
    estimator = frozen((model, "code")).fit(digits)
    Z = estimator.transform(digits)
    assert Z.shape == (300, 3)
    for a, b in zip(weights_of([model]), before, strict=True):
        np.testing.assert_array_equal(a, b)
    if kind != "unbuilt":
        np.testing.assert_allclose(
            estimator.reconstruct(digits), called(model, digits), atol=1e-5
        )
    np.testing.assert_allclose(estimator.encoder_(digits), Z, atol=1e-5)
    np.testing.assert_allclose(
        estimator.decoder_(Z), estimator.inverse_transform(Z), atol=1e-5
    )
    other = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(other.transform(digits), Z)
    np.testing.assert_allclose(clone(other).fit_transform(digits), Z, atol=1e-5)


def test_a_model_with_branches_is_split_at_its_code_layer(digits):
    inputs = keras.Input((64,))
    h = layers.Dense(8)(inputs)
    code = layers.Dense(3, name="code")(layers.Add()([h, layers.Dense(8)(inputs)]))
    output = layers.Add()([layers.Dense(64)(code), layers.Dense(64, "relu")(code)])
    model = keras.Model(inputs, output)
    estimator = frozen((model, "code")).fit(digits)
    np.testing.assert_allclose(
        estimator.reconstruct(digits), called(model, digits), atol=1e-5
    )


def test_a_model_with_a_layer_on_both_sides_is_split_at_its_code_layer(digits):
    shared = layers.Dense(3, "tanh")
    inputs = keras.Input((64,))
    code = layers.Dense(3, name="code")(shared(layers.Dense(3)(inputs)))
    model = keras.Model(inputs, layers.Dense(64)(shared(code)))
    estimator = frozen((model, "code")).fit(digits)
    np.testing.assert_allclose(
        estimator.reconstruct(digits), called(model, digits), atol=1e-5
    )


def test_grid_search_over_network_pairs(digits):
    def pair(n_components):
        return (
            keras.Sequential([keras.Input((64,)), layers.Dense(n_components)]),
            keras.Sequential([keras.Input((n_components,)), layers.Dense(64)]),
        )

    pairs = [pair(1), pair(12)]
    search = GridSearchCV(
        AutoencoderTransformer(None, epochs=20, random_state=0),
        {"network": pairs},
        cv=2,
        error_score="raise",
    ).fit(digits)
    assert search.best_index_ == 1
    assert search.transform(digits).shape == (300, 12)


def test_transform_of_a_network_pair_needs_no_tensorflow(digits, tmp_path):
    estimator = quick(built(sequential)).fit(digits)
    (tmp_path / "estimator.pkl").write_bytes(pickle.dumps(estimator))
    np.save(tmp_path / "X.npy", digits)
    np.save(tmp_path / "wanted.npy", estimator.transform(digits))
    code = f"""
import pickle, sys
import numpy as np
with open(r"{tmp_path}/estimator.pkl", "rb") as file:
    estimator = pickle.load(file)
X = np.load(r"{tmp_path}/X.npy")
wanted = np.load(r"{tmp_path}/wanted.npy")
np.testing.assert_allclose(estimator.transform(X), wanted, atol=1e-6)
estimator.score(X)
pickle.dumps(estimator)
repr(estimator)
assert not {{"tensorflow", "keras"}} & set(sys.modules)
"""
    run_python(code, "-W", "error")


class Unregistered(layers.Layer):
    def call(self, inputs):
        return 2 * inputs


def unregistered():
    encoder = keras.Sequential([keras.Input((64,)), Unregistered(), layers.Dense(3)])
    return encoder, keras.Sequential([keras.Input((3,)), layers.Dense(64)])


def unregistered_whole():
    encoder, decoder = unregistered()
    return keras.Sequential([keras.Input((64,)), encoder, *decoder.layers]), "dense"


@pytest.mark.parametrize("network", [unregistered, unregistered_whole])
def test_layers_that_are_not_registered_are_refused(digits, network):
    estimator = quick(network())
    with pytest.raises(ValueError, match="register_keras_serializable"):
        estimator.fit(digits)
    with pytest.raises(ValueError, match="register_keras_serializable"):
        pickle.dumps(estimator)
    with pytest.raises(ValueError, match="register_keras_serializable"):
        AutoencoderTransformer.from_keras(*unregistered())


@keras.saving.register_keras_serializable("tests")
class Scaled(layers.Layer):
    def __init__(self, factor, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_registered_layers_are_pickled(digits):
    encoder = keras.Sequential([keras.Input((64,)), Scaled(3.0), layers.Dense(3)])
    decoder = keras.Sequential([keras.Input((3,)), layers.Dense(64)])
    estimator = frozen((encoder, decoder)).fit(digits)
    other = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_allclose(
        other.transform(digits), called(encoder, digits), atol=1e-5
    )


def dense(n_in, n_out):
    return keras.Sequential([keras.Input((n_in,)), layers.Dense(n_out)])


def skipping():
    inputs = keras.Input((64,))
    code = layers.Dense(3, name="code")(inputs)
    output = layers.Concatenate()([code, layers.Dense(61)(inputs)])
    return keras.Model(inputs, output), "code"


def forked():
    inputs = keras.Input((64,))
    two = keras.Model(inputs, [layers.Dense(3)(inputs), layers.Dense(3)(inputs)])
    return two, dense(3, 64)


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (lambda: dense(64, 64), TypeError, "one Keras model.*name of the layer"),
        (lambda: (dense(64, 3),), TypeError, r"as a pair must be.*got \(Sequential\)"),
        (lambda: (dense(64, 3), 3), TypeError, r"got \(Sequential, int\)"),
        (lambda: ("code", dense(64, 3)), TypeError, r"got \(str, Sequential\)"),
        (lambda: (dense(64, 3),) * 3, TypeError, "as a pair must be"),
        (
            lambda: (dense(50, 3), dense(3, 64)),
            ValueError,
            r"encoder takes rows of shape \(50,\), but a row of X has 64",
        ),
        (
            lambda: (dense(64, 3), dense(5, 64)),
            ValueError,
            r"decoder takes rows of shape \(5,\), but the encoder gives codes of 3",
        ),
        (
            lambda: (dense(64, 3), dense(3, 63)),
            ValueError,
            "decoder ends in 63 values, but a row of X has 64",
        ),
        (
            lambda: (dense(64, 4), dense(4, 64)),
            ValueError,
            "codes of 4 values, but n_components=3.*or to None",
        ),
        (skipping, ValueError, "cannot be split at the layer 'code'"),
        (forked, ValueError, "encoder must have one input and one output.* 1 and 2"),
        (
            lambda: (whole("functional"), "coda"),
            ValueError,
            "'coda' must be a layer of the model.*'before', 'code'",
        ),
        (
            lambda: (OwnModel(64), "last"),
            ValueError,
            "neither a functional nor a Seq.*Give two models",
        ),
    ],
)
def test_network_that_does_not_match_is_refused(digits, network, error, message):
    with pytest.raises(error, match=message):
        quick(network()).fit(digits)


@pytest.mark.parametrize("pair", PAIRS)
def test_from_keras_gives_the_outputs_of_the_models(digits, pair):
    encoder, decoder = built(pair)
    estimator = AutoencoderTransformer.from_keras(encoder, decoder, batch_size=64)
    Z = called(encoder, digits)
    X = called(decoder, Z)
    np.testing.assert_allclose(estimator.transform(digits), Z, atol=1e-5)
    np.testing.assert_allclose(
        estimator.inverse_transform(Z).reshape(300, 64), X, atol=1e-5
    )
    np.testing.assert_allclose(
        estimator.score_samples(digits), -np.mean((digits - X) ** 2, axis=1), rtol=1e-4
    )
    around_mean = ((digits - digits.mean(axis=0)) ** 2).sum()
    score = 1 - ((digits - X) ** 2).sum() / around_mean
    assert estimator.score(digits) == pytest.approx(score, rel=1e-4)
    assert estimator.n_components == Z.shape[1]
    other = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(
        other.reconstruct(digits), estimator.reconstruct(digits)
    )


def test_from_keras_with_models_on_images_gives_images(digits):
    estimator = AutoencoderTransformer.from_keras(*built(on_images))
    assert estimator.inverse_transform(np.zeros((2, 3))).shape == (2, 8, 8, 1)
    images = digits.reshape(-1, 8, 8)
    assert estimator.reconstruct(images).shape == images.shape
    np.testing.assert_array_equal(
        estimator.transform(images), estimator.transform(digits)
    )


@pytest.mark.parametrize(
    ("cls", "params"),
    [
        (AutoencoderTransformer, {"contractive": 0.1}),
        (DenoisingAutoencoder, {"output": "reconstruction"}),
        (VariationalAutoencoder, {"beta": 0.5}),
    ],
)
def test_from_keras_makes_every_estimator(digits, cls, params):
    encoder, decoder = built(sequential)
    estimator = cls.from_keras(encoder, decoder, epochs=2, **params)
    assert isinstance(estimator, cls)
    assert {**params, "epochs": 2}.items() <= estimator.get_params().items()
    np.testing.assert_allclose(
        estimator.reconstruct(digits),
        called(decoder, called(encoder, digits)),
        atol=1e-5,
    )
    estimator.set_params(warm_start=True).fit(digits)
    last = estimator.history_["loss"][-1]
    assert estimator.fit(digits).history_["loss"][-1] < last


def test_from_keras_models_are_trained_from_their_weights(digits):
    encoder, decoder = built(sequential)
    estimator = AutoencoderTransformer.from_keras(
        encoder, decoder, epochs=3, random_state=0
    )
    before = weights_of((encoder, decoder))
    other = pickle.loads(pickle.dumps(estimator))
    first = estimator.fit(digits).history_["loss"]
    assert estimator.fit(digits).history_["loss"] == first
    np.testing.assert_allclose(estimator.mean_, digits.mean(axis=0), rtol=1e-5)
    estimator.set_params(warm_start=True)
    assert estimator.fit(digits).history_["loss"][0] < first[-1]
    assert other.set_params(warm_start=True).fit(digits).history_["loss"] == first
    for a, b in zip(weights_of((encoder, decoder)), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_from_keras_copies_the_models(digits):
    encoder, decoder = built(sequential)
    estimator = AutoencoderTransformer.from_keras(encoder, decoder)
    Z = estimator.transform(digits)
    encoder.set_weights([0 * w for w in encoder.get_weights()])
    np.testing.assert_array_equal(estimator.transform(digits), Z)


@pytest.mark.parametrize(
    ("models", "error", "message"),
    [
        (lambda: (1, dense(3, 64)), TypeError, "encoder must be a Keras model.*int"),
        (lambda: (dense(64, 3), "d"), TypeError, "decoder must be a Keras model.*str"),
        (
            lambda: (keras.Sequential([layers.Dense(3)]), dense(3, 64)),
            ValueError,
            "encoder has no weights yet",
        ),
        (lambda: (dense(64, 3), OwnModel(64)), ValueError, "decoder has no weights"),
        (
            lambda: (dense(64, 3), dense(4, 64)),
            ValueError,
            "the encoder gives codes of",
        ),
        (lambda: (dense(64, 3), dense(3, 60)), ValueError, "decoder ends in 60 values"),
        (
            lambda: (
                keras.Sequential(
                    [
                        keras.Input((None, None, 1)),
                        layers.Conv2D(3, 3),
                        layers.GlobalAveragePooling2D(),
                    ]
                ),
                dense(3, 64),
            ),
            ValueError,
            r"\(None, None, 1\)",
        ),
    ],
)
def test_from_keras_refuses_models_that_do_not_fit(models, error, message):
    with pytest.raises(error, match=message):
        AutoencoderTransformer.from_keras(*models())


def test_from_keras_checks_parameters():
    with pytest.raises(ValueError, match="epochs"):
        AutoencoderTransformer.from_keras(*built(sequential), epochs=0)
    with pytest.raises(TypeError, match="depth"):
        AutoencoderTransformer.from_keras(*built(sequential), depth=3)


def test_models_made_with_lists_of_tensors_are_called_with_tensors(digits):
    inputs = keras.Input((64,))
    code = keras.layers.Dense(3)(inputs)
    codes = keras.Input((3,))
    encoder = keras.Model([inputs], [code])
    decoder = keras.Model([codes], [keras.layers.Dense(64)(codes)])
    estimator = AutoencoderTransformer(3, network=(encoder, decoder), epochs=1)
    estimator.fit(digits)
    np.testing.assert_allclose(
        estimator.encoder_(digits), estimator.transform(digits), atol=1e-5
    )


def test_activation_lambda_is_refused_before_training(digits):
    with pytest.raises(ValueError, match=r"function \(def\).*register_keras"):
        AutoencoderTransformer(3, activation=lambda x: x * x).fit(digits)


def test_images_with_channels_first_are_refused(digits):
    estimator = AutoencoderTransformer(3, network=ConvNetwork((16, 4, 1)), epochs=1)
    with pytest.raises(ValueError, match=r"shape \(4, 16\). Bring the axes"):
        estimator.fit(digits.reshape(-1, 4, 16))
    estimator.fit(digits.reshape(-1, 1, 16, 4))


@pytest.mark.parametrize("kind", ["functional", "sequential", "image", "nested"])
def test_from_keras_splits_one_model_at_its_code_layer(digits, kind):
    with isolated_random_state(5):
        model = whole(kind)
    estimator = AutoencoderTransformer.from_keras(model, "code", batch_size=64)
    np.testing.assert_allclose(
        estimator.reconstruct(digits), called(model, digits), atol=1e-5
    )
    assert estimator.n_components == 3
    assert estimator.network == (model, "code")
    with pytest.raises(TypeError, match="name of the code layer.*'coda'"):
        AutoencoderTransformer.from_keras(model, "coda")
