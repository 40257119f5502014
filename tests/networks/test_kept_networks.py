"""What may be kept of a network: no draws at inference, no code, weights that fit."""

import importlib
import json
import pickle
import re

import keras
import numpy as np
import pytest
import skops.io
import tensorflow as tf
from helpers import make_autoencoder, run_python

from skautoenc import AutoencoderTransformer, ConvNetwork, VariationalAutoencoder
from skautoenc._backend.keras import isolated_random_state
from skautoenc._fitted.network import FittedNetwork

layers, ops = keras.layers, keras.ops


def quick(network, **params):
    params = {"n_components": None, "epochs": 1, **params}
    return make_autoencoder(network=network, **params)


class _Sampling(layers.Layer):
    """A code drawn around its mean."""

    def call(self, inputs):
        mean, log_variance = inputs
        return mean + ops.exp(0.5 * log_variance) * self.noise(ops.shape(mean))


@keras.saving.register_keras_serializable("kept_networks")
class Sampling(_Sampling):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(1337)

    def noise(self, shape):
        return keras.random.normal(shape, seed=self.generator)


@keras.saving.register_keras_serializable("kept_networks")
class UnseededSampling(_Sampling):
    def noise(self, shape):
        return keras.random.normal(shape)


@keras.saving.register_keras_serializable("kept_networks")
class TensorFlowSampling(_Sampling):
    def noise(self, shape):
        return tf.random.normal(shape)


@keras.saving.register_keras_serializable("kept_networks")
class SameSampling(_Sampling):
    """The same numbers at each call, but others for each row."""

    def noise(self, shape):
        return keras.random.normal(shape, seed=1)


@keras.saving.register_keras_serializable("kept_networks")
class TrainingSampling(Sampling):
    """Draws in training alone."""

    def call(self, inputs, training=False):
        return super().call(inputs) if training else inputs[0]


SAMPLINGS = [Sampling, UnseededSampling, TensorFlowSampling, SameSampling]


def variational(sampling=Sampling):
    """The encoder of a Keras tutorial, its decoder, and both as one model."""
    with isolated_random_state(3):
        inputs = keras.Input((64,))
        h = layers.Dense(8, "relu")(inputs)
        mean = layers.Dense(3, name="z_mean")(h)
        log_variance = layers.Dense(3, name="z_log_var")(h)
        code = sampling(name="sampling")([mean, log_variance])
        encoder = keras.Model(inputs, [mean, log_variance, code], name="encoder")
        decoder = keras.Sequential([keras.Input((3,)), layers.Dense(64)])
        return encoder, decoder, keras.Model(inputs, decoder(code))


def drawing(encoder):
    return keras.Model(encoder.input, encoder.outputs[2])


def in_submodel(encoder):
    inputs = keras.Input((64,))
    return keras.Model(inputs, drawing(encoder)(inputs))


def in_sequence(encoder):
    return keras.Sequential([keras.Input((64,)), drawing(encoder), layers.Dense(3)])


DRAWS = r"the layer 'sampling' of the encoder draws random numbers at inference"


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_an_encoder_that_is_random_at_inference_is_refused(digits, sampling):
    encoder, decoder, model = variational(sampling)
    for network in (
        (drawing(encoder), decoder),
        (in_submodel(encoder), decoder),
        (in_sequence(encoder), decoder),
        (model, "sampling"),
        lambda shape, n: (drawing(variational(sampling)[0]), variational()[1]),
    ):
        with pytest.raises(ValueError, match=DRAWS):
            quick(network).fit(digits)
    for cls in (AutoencoderTransformer, VariationalAutoencoder):
        with pytest.raises(ValueError, match=DRAWS):
            cls.from_keras(drawing(encoder), decoder)


def test_a_decoder_that_is_random_at_inference_is_refused(digits):
    inputs = keras.Input((3,))
    mean = layers.Dense(64, name="mean")(inputs)
    outputs = Sampling(name="draws")([mean, layers.Dense(64)(inputs)])
    encoder = keras.Sequential([keras.Input((64,)), layers.Dense(3)])
    decoder = keras.Model(inputs, outputs)
    with pytest.raises(ValueError, match="the layer 'draws' of the decoder") as caught:
        quick((encoder, decoder)).fit(digits)
    (code,) = re.findall(r"give (keras.Model\(.*?\)) as the decoder", str(caught.value))
    quick((encoder, eval(code))).fit(digits)


@keras.saving.register_keras_serializable("kept_networks")
class DrawingModel(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = layers.Dense(3)

    def call(self, inputs):
        mean = self.dense(inputs)
        return mean + keras.random.normal(ops.shape(mean))


def test_a_subclassed_model_that_is_random_at_inference_is_refused(digits):
    encoder = DrawingModel(name="own")
    encoder(digits[:1])
    decoder = keras.Sequential([keras.Input((3,)), layers.Dense(64)])
    with pytest.raises(ValueError, match="the layer 'own' of the encoder draws"):
        AutoencoderTransformer.from_keras(encoder, decoder)


def means_of(encoder, X):
    return keras.ops.convert_to_numpy(keras.Model(encoder.input, encoder.outputs[0])(X))


def test_the_error_for_a_random_code_says_how_to_end_at_its_mean(digits):
    encoder, decoder, model = variational()
    with pytest.raises(ValueError, match=DRAWS) as caught:
        quick((model, "sampling")).fit(digits)
    (network,) = re.findall(r"network=(\(.*model\.outputs\[0\]\)\))", str(caught.value))
    frozen = {"learning_rate": 1e-12}
    estimator = quick(eval(network), **frozen).fit(digits)
    wanted = means_of(encoder, digits)
    np.testing.assert_allclose(estimator.transform(digits), wanted, atol=1e-5)
    with pytest.raises(ValueError, match="cannot be split at the layer") as caught:
        quick((model, "z_mean")).fit(digits)
    (network,) = re.findall(r"network=(\(.*model\.outputs\[0\]\)\))", str(caught.value))
    estimator = quick(eval(network), **frozen).fit(digits)
    np.testing.assert_allclose(estimator.transform(digits), wanted, atol=1e-5)
    encoder = drawing(encoder)
    with pytest.raises(ValueError, match=DRAWS) as caught:
        AutoencoderTransformer.from_keras(encoder, decoder)
    (code,) = re.findall(r"give (keras.Model\(.*?\)) as the encoder", str(caught.value))
    estimator = AutoencoderTransformer.from_keras(eval(code), decoder)
    np.testing.assert_allclose(estimator.transform(digits), wanted, atol=1e-5)


def by_name(encoder):
    names = ("mean", "log_variance", "code")
    return keras.Model(encoder.input, dict(zip(names, encoder.outputs, strict=True)))


@pytest.mark.parametrize("ends", [lambda encoder: encoder, by_name])
def test_the_error_for_three_outputs_says_which_one_to_keep(digits, ends):
    encoder, decoder, _ = variational()
    encoder = ends(encoder)
    message = r"1 and 3\. Keep one of the outputs .*probably 'z_mean'"
    for build in (
        lambda: quick((encoder, decoder)).fit(digits),
        lambda: quick(lambda shape, n: (encoder, decoder)).fit(digits),
        lambda: AutoencoderTransformer.from_keras(encoder, decoder),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            build()
        (code,) = re.findall(r"Give (.*) as the encoder\.", str(caught.value))
        assert eval(code).outputs[0]._keras_history.operation.name == "z_mean"
    estimator = AutoencoderTransformer.from_keras(eval(code), decoder)
    wanted = keras.ops.convert_to_numpy(eval(code)(digits))
    np.testing.assert_allclose(estimator.transform(digits), wanted, atol=1e-5)


@keras.saving.register_keras_serializable("kept_networks")
class TwoHeads(keras.Model):
    """Two outputs, without a graph."""

    def __init__(self, by_name=False, **kwargs):
        super().__init__(**kwargs)
        self.by_name = by_name
        self.heads = [layers.Dense(3), layers.Dense(3)]

    def call(self, inputs):
        first, second = (head(inputs) for head in self.heads)
        return {"scale": first, "mean": second} if self.by_name else (first, second)

    def get_config(self):
        return {**super().get_config(), "by_name": self.by_name}


@pytest.mark.parametrize(("by_name", "kept"), [(False, 0), (True, "mean")])
def test_the_error_for_three_outputs_of_a_subclassed_model_names_them(
    digits, by_name, kept
):
    encoder = TwoHeads(by_name)
    encoder(digits[:1])
    decoder = keras.Sequential([keras.Input((3,)), layers.Dense(64)])
    with pytest.raises(ValueError, match=f"1 and 2.*probably {kept!r}") as caught:
        AutoencoderTransformer.from_keras(encoder, decoder)
    first, second = re.findall(
        r"Give inputs = (.*?) and (.*) as the encoder", str(caught.value)
    )[0]
    names = {"keras": keras, "encoder": encoder, "inputs": eval(first)}
    estimator = AutoencoderTransformer.from_keras(eval(second, names), decoder)
    wanted = keras.ops.convert_to_numpy(encoder(digits)[kept])
    np.testing.assert_allclose(estimator.transform(digits), wanted, atol=1e-5)


def test_a_code_layer_with_several_outputs_is_refused(digits):
    encoder, decoder, _ = variational()
    inputs = keras.Input((64,))
    model = keras.Model(inputs, decoder(encoder(inputs)[2]))
    with pytest.raises(ValueError, match="the layer 'encoder' has 3 outputs.*z_mean"):
        quick((model, "encoder")).fit(digits)


def test_layers_that_are_random_only_in_training_are_accepted(digits):
    _, decoder, model = variational(TrainingSampling)
    estimator = quick((model, "sampling")).fit(digits)
    Z = estimator.transform(digits)
    np.testing.assert_array_equal(estimator.transform(digits), Z)
    noisy = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dropout(0.5),
            layers.GaussianNoise(1.0),
            layers.Dense(3),
        ]
    )
    estimator = quick((noisy, decoder)).fit(digits)
    np.testing.assert_allclose(
        estimator.transform(digits), estimator.encoder_(digits), atol=1e-5
    )


@keras.saving.register_keras_serializable("kept_networks")
class Forgetful(layers.Layer):
    """Its config does not tell its factor."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs

    def get_config(self):
        return super().get_config()


def test_a_layer_with_an_incomplete_get_config_is_refused(digits):
    def network(shape, n_components):
        encoder = keras.Sequential(
            [keras.Input((64,)), Forgetful(3.0, name="own"), layers.Dense(3)]
        )
        return encoder, keras.Sequential([keras.Input((3,)), layers.Dense(64)])

    with pytest.raises(ValueError, match="'own' of the encoder, rebuilt.*__init__"):
        quick(network).fit(digits)


def with_lambda(kind):
    inner = {
        "layer": [layers.Lambda(lambda x: 2 * x), layers.Dense(3)],
        "activation": [layers.Dense(3, activation=lambda x: 2 * x)],
        "nested": [
            keras.Sequential([keras.Input((64,)), layers.Lambda(lambda x: 2 * x)]),
            layers.Dense(3),
        ],
    }
    encoder = keras.Sequential([keras.Input((64,)), *inner[kind]])
    return encoder, keras.Sequential([keras.Input((3,)), layers.Dense(64)])


@pytest.fixture
def unsafe():
    """Keras set to run code that it finds in a config."""
    from keras.src.backend.common import global_state

    before = global_state.get_global_attribute("safe_mode_saving")
    keras.config.enable_unsafe_deserialization()
    yield
    global_state.set_global_attribute("safe_mode_saving", before)


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("kind", ["layer", "activation", "nested"])
def test_network_lambdas_are_refused_in_any_safe_mode(digits, unsafe, kind):
    pair = with_lambda(kind)
    for build in (
        lambda: quick(pair).fit(digits),
        lambda: quick(lambda shape, n: with_lambda(kind)).fit(digits),
        lambda: AutoencoderTransformer.from_keras(*pair),
        lambda: pickle.dumps(quick(pair)),
    ):
        with pytest.raises(ValueError, match="Python lambda.*keras.ops"):
            build()


@keras.saving.register_keras_serializable("kept_networks")
def doubled(x):
    return 2 * x


def test_network_lambda_layer_of_a_registered_function_is_kept(digits):
    encoder = keras.Sequential(
        [keras.Input((64,)), layers.Lambda(doubled), layers.Dense(3)]
    )
    decoder = keras.Sequential([keras.Input((3,)), layers.Dense(64)])
    estimator = quick((encoder, decoder), learning_rate=1e-12).fit(digits)
    np.testing.assert_allclose(
        pickle.loads(pickle.dumps(estimator)).transform(digits),
        encoder(digits),
        atol=1e-5,
    )


class Altered:
    """Is pickled as a network of another state."""

    def __init__(self, state):
        self.state = state

    def __reduce__(self):
        return object.__new__, (FittedNetwork,), self.state


def altered(network, change):
    """A pickle of a network whose state was changed."""
    state = dict(network.__getstate__())
    change(state)
    return pickle.dumps(Altered(state))


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_pickle_with_code_in_its_config_is_not_run(unsafe, capsys):
    encoder = keras.Sequential(
        [keras.Input((2,)), layers.Lambda(lambda x: print("run") or x)]
    )
    capsys.readouterr()
    config = encoder.to_json()
    hidden = config.replace("__lambda__", "\\u005f_lambda__")
    for text in (config, hidden):
        with pytest.raises(ValueError, match="code of a Python lambda"):
            FittedNetwork(text, []).to_keras()
        data = altered(FittedNetwork(text, []), lambda state: None)
        with pytest.raises(ValueError, match="code of a Python lambda"):
            pickle.loads(data)
    assert capsys.readouterr().out == ""


def halved(state):
    state["weights"] = [w[: len(w) // 2] for w in state["weights"]]


def replaced(i, change):
    def apply(state):
        state["weights"] = list(state["weights"])
        state["weights"][i] = change(state["weights"][i])

    return apply


def shortened(state):
    state["weights"] = state["weights"][:-1]


def lengthened(state):
    state["weights"] = [*state["weights"], np.zeros(3, np.float32)]


ALTERATIONS = [
    halved,
    shortened,
    lengthened,
    replaced(0, lambda w: w.T),
    replaced(1, lambda w: w[:1]),
    replaced(0, lambda w: w.astype(np.float64)),
    replaced(0, lambda w: w.astype(object)),
    replaced(0, lambda w: w.astype(str)),
]
FITS = (
    r"weights\[\d\] of the network must be of shape .* as its config says"
    r"|requires \d+ arrays"
)


@pytest.mark.parametrize("change", ALTERATIONS)
def test_pickle_weights_of_a_dense_network_are_checked(fitted, change):
    for network in (fitted._encoder, fitted._decoder):
        assert pickle.loads(altered(network, lambda state: None)).config
        with pytest.raises(ValueError, match=FITS):
            pickle.loads(altered(network, change))


@pytest.fixture(scope="module")
def convolutional(digits):
    return quick(ConvNetwork((8, 8, 1), (2,)), n_components=3).fit(digits)


@pytest.mark.parametrize("change", ALTERATIONS)
def test_pickle_weights_of_any_network_are_checked_before_use(
    digits, convolutional, change
):
    with pytest.raises(ValueError, match=FITS):
        pickle.loads(altered(convolutional._encoder, change))(digits)


def test_pickle_weights_of_known_layers_are_checked():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(4, use_bias=False),
            layers.BatchNormalization(scale=False),
            layers.ReLU(),
            keras.Sequential([keras.Input((4,)), layers.Dense(3)]),
            layers.LayerNormalization(),
        ]
    )
    network = FittedNetwork.from_keras(model)
    again = pickle.loads(pickle.dumps(network))
    X = np.ones((2, 6), np.float32)
    np.testing.assert_array_equal(again(X), network(X))
    for i in range(len(network.weights)):
        with pytest.raises(ValueError, match=FITS):
            pickle.loads(altered(network, replaced(i, lambda w: w[..., :1])))


def config_of(change):
    def apply(state):
        state["config"] = change(state["config"])

    return apply


def without_layers(config):
    spec = json.loads(config)
    del spec["config"]["layers"][1]["config"]
    return json.dumps(spec)


@pytest.mark.parametrize(
    "change",
    [
        config_of(lambda config: config[:-10]),
        config_of(lambda config: "[]"),
        config_of(lambda config: "{}"),
        config_of(lambda config: '{"class_name": "Functional", "config": {}}'),
        config_of(lambda config: '{"class_name": "Dense", "config": {"units": 3}}'),
        config_of(lambda config: None),
        config_of(without_layers),
        lambda state: state.pop("config"),
        lambda state: state.pop("weights"),
        lambda state: state.update(weights=None),
        lambda state: state.update(weights=[1, 2]),
    ],
)
def test_a_damaged_state_is_refused(fitted, change):
    with pytest.raises(ValueError, match="network"):
        pickle.loads(altered(fitted._encoder, change)).to_keras()


def test_the_error_for_what_is_not_registered_names_layer_function_and_module(
    digits, tmp_path, monkeypatch
):
    (tmp_path / "own_layers.py").write_text(
        """
import keras

@keras.saving.register_keras_serializable("own")
class Doubling(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs

@keras.saving.register_keras_serializable("own")
def halved(x):
    return x / 2
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = importlib.import_module("own_layers")
    encoder = keras.Sequential(
        [keras.Input((64,)), own.Doubling(), layers.Dense(2, own.halved)]
    )
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(64)])
    estimator = quick((encoder, decoder)).fit(digits)
    (tmp_path / "estimator.pkl").write_bytes(pickle.dumps(estimator))
    skops.io.dump(estimator, tmp_path / "estimator.skops")
    code = """
import pickle
import numpy as np
import skops.io

X = np.ones((1, 64))
with open("estimator.pkl", "rb") as file:
    estimator = pickle.load(file)
trusted = ["skautoenc.AutoencoderTransformer"]
of_skops = skops.io.load("estimator.skops", trusted=trusted)
for call in (
    lambda: estimator.transform(X),
    lambda: estimator.encoder_,
    lambda: of_skops.transform(X),
):
    try:
        call()
    except ValueError as error:
        assert "'own>Doubling', 'own>halved'" in str(error), error
        assert "import own_layers first" in str(error), error
    else:
        raise AssertionError
import own_layers
assert (estimator.transform(X) == of_skops.transform(X)).all()
"""
    run_python(code, cwd=tmp_path)
