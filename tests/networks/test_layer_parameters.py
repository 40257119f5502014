"""Sizes, activations and regularizers, flat and in network objects."""

import keras
import numpy as np
import pytest
from helpers import COMPILED, make_autoencoder

from skautoenc import ConvNetwork, DenseNetwork
from skautoenc._backend.keras import isolated_random_state

L1, L2, L1L2 = (getattr(keras.regularizers, name) for name in ("L1", "L2", "L1L2"))


def quick(network="dense", **params):
    return make_autoencoder(network=network, **{"epochs": 2, **params})


def dense(**params):
    return quick(DenseNetwork(**{"hidden_layer_sizes": (8,), **params}))


def convolutional(**params):
    return quick(ConvNetwork((8, 8, 1), **{"filters": (2,), **params}))


KINDS = pytest.mark.parametrize("make", [quick, dense, convolutional])


@pytest.mark.parametrize("name", ["kernel_regularizer", "activity_regularizer"])
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"l2": 1e-4}, L2(1e-4)),
        ({"l1": 1e-4}, L1(1e-4)),
        ({"l1": 1e-4, "l2": 1e-3}, L1L2(1e-4, 1e-3)),
        (1e-4, L2(1e-4)),
        (np.float32(0.5), L2(0.5)),
        (0, L2(0.0)),
        ({"class_name": "l2", "config": {"l2": 0.1}}, L2(0.1)),
        ({"class_name": "L1L2", "config": {"l1": 0.1}}, L1L2(0.1, 0.0)),
        ({"class_name": "L2"}, L2(0.01)),
        ("L1", L1(0.01)),
        (keras.regularizers.serialize(L1(0.3)), L1(0.3)),
    ],
)
def test_regularizer_can_be_a_number_a_name_or_a_dict(digits, name, written, meant):
    flat = quick(**{name: written}).fit(digits)
    models = [
        flat.encoder_,
        DenseNetwork((8,), **{name: written})((64,), 3)[0],
        ConvNetwork((8, 8, 1), (2,), **{name: written})((64,), 3)[0],
    ]
    for model in models:
        found = next(
            getattr(layer, name)
            for layer in model.layers
            if getattr(layer, name, None) is not None
        )
        assert type(found) is type(meant)
        assert found.get_config() == pytest.approx(meant.get_config())


def test_regularizer_of_keras_can_be_a_dict(digits):
    spec = {"class_name": "OrthogonalRegularizer", "config": {"factor": 0.5}}
    encoder = quick(kernel_regularizer=spec).fit(digits).encoder_
    assert encoder.layers[1].kernel_regularizer.factor == 0.5


@KINDS
@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"class_name": "L2", "l2": 1e-4}, r"has 'l2', which would be ignored"),
        ({"class_name": "L2", "config": {"l2": 1e-4, "x": 1}}, "has 'x'.*valid keys"),
        ({"class_name": "L2", "config": {"l1": 1e-4}}, "has 'l1'.*valid keys are 'l2'"),
        ({"class_name": "L2", "config": 1e-4}, '"config" must be a dict'),
        ({"class_name": "L1L2", "config": {}}, "no strength"),
        ("l1l2", "no strength"),
        ({"config": {"l2": 1e-4}}, 'must be {"l2": strength}'),
        ({"l3": 1e-4}, 'must be {"l2": strength}'),
        ({}, 'must be {"l2": strength}'),
        ({"l2": -1.0}, "l2 must be a finite number of at least 0; got -1.0"),
        ({"l2": np.nan}, "l2 must be a finite number"),
        ({"l1": np.inf}, "l1 must be a finite number"),
        ({"l2": 1e300}, "l2 must be a finite number"),
        ({"l2": True}, "l2 must be a finite number"),
        ({"l2": "1e-4"}, "l2 must be a finite number"),
        (-1.0, "at least 0|must be a float"),
        (np.nan, "at least 0|must be a float"),
        (True, "at least 0|must be a float"),
        ("nope", "not supported by Keras"),
        ({"class_name": "Nope", "config": {}}, "not supported by Keras"),
        (
            {"class_name": "OrthogonalRegularizer", "config": {"l2": 1}},
            "not supported by Keras",
        ),
        ([1e-4], "not supported by Keras|must be a float"),
    ],
)
@pytest.mark.parametrize("name", ["kernel_regularizer", "activity_regularizer"])
def test_an_invalid_regularizer_is_refused(digits, make, name, written, message):
    with pytest.raises(ValueError, match=rf"(?s){name}.*({message})"):
        make(**{name: written}).fit(digits)


@pytest.mark.parametrize("size", [16, np.int64(16)])
def test_hidden_layer_sizes_and_filters_of_one_number_are_one_layer(digits, size):
    wanted = quick(hidden_layer_sizes=(16,)).fit_transform(digits)
    flat = quick(hidden_layer_sizes=size)
    np.testing.assert_array_equal(flat.fit_transform(digits), wanted)
    in_network = dense(hidden_layer_sizes=size)
    np.testing.assert_array_equal(in_network.fit_transform(digits), wanted)
    encoder, _ = DenseNetwork(size)((64,), 3)
    assert encoder.layers[1].units == 16
    encoder, _ = ConvNetwork((8, 8, 1), size)((64,), 3)
    assert encoder.layers[1].filters == 16


@pytest.mark.parametrize("engine", ["numpy", COMPILED], indirect=True)
def test_activation_none_is_linear(digits, engine):
    linear = {"activation": "linear", **engine}
    none = dict.fromkeys(("activation", "code_activation", "output_activation"))
    none |= engine
    wanted = quick(**linear).fit(digits)
    got = quick(**none).fit(digits)
    assert got._encoder.config == wanted._encoder.config
    np.testing.assert_array_equal(got.transform(digits), wanted.transform(digits))
    quick(**none, init="pca").fit(digits)


def test_activation_none_is_linear_in_network_objects():
    none = dict.fromkeys(("activation", "code_activation", "output_activation"))
    for network in (DenseNetwork((8,), **none), ConvNetwork((8, 8, 1), (2,), **none)):
        with isolated_random_state(0):
            models = network((64,), 3)
        for model in models:
            for layer in model.layers:
                found = getattr(layer, "activation", keras.activations.linear)
                assert found is keras.activations.linear


@keras.saving.register_keras_serializable("layer_parameters")
def halving(x):
    return x[:, ::2]


@KINDS
@pytest.mark.parametrize("name", ["activation", "code_activation", "output_activation"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("glu", r"returns an array of shape \(2, 2\)"),
        (keras.activations.glu, r"returns an array of shape \(2, 2\)"),
        (halving, r"returns an array of shape \(2, 2\)"),
        ("rleu", "not supported by Keras"),
    ],
)
def test_an_unknown_activation_or_one_that_changes_the_shape_is_refused(
    digits, make, name, value, message
):
    with pytest.raises(ValueError, match=rf"{name}=.*{message}"):
        make(**{name: value}).fit(digits)


@pytest.mark.parametrize("network", [DenseNetwork, ConvNetwork, keras.Sequential])
def test_network_class_is_refused(digits, network):
    name = network.__name__
    with pytest.raises(
        TypeError, match=rf"network={name} is a class.*{name}\(\.\.\.\)"
    ):
        quick(network).fit(digits)


@pytest.mark.parametrize(
    "params",
    [
        {"n_components": True},
        {"epochs": True},
        {"batch_size": True},
        {"n_iter_no_change": True},
        {"hidden_layer_sizes": True},
        {"hidden_layer_sizes": (True,)},
        {"hidden_layer_sizes": np.array([True])},
        {"learning_rate": True},
        {"epochs": np.True_},
        {"network": DenseNetwork(True)},
        {"network": DenseNetwork((8, True))},
        {"network": ConvNetwork((8, 8, True))},
        {"network": ConvNetwork((8, 8, 1), True)},
        {"network": ConvNetwork((8, 8, 1), (4, True))},
        {"network": ConvNetwork((8, 8, 1), (4,), True)},
        {"network": ConvNetwork((8, 8, 1), (4,), (3, np.True_))},
    ],
)
def test_true_is_refused_as_a_number(digits, params):
    network = params.get("network")
    names = list(params) if network is None else list(network.get_params())
    with pytest.raises(ValueError, match="|".join(names)):
        quick(**params).fit(digits)
