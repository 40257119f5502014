"""The reader of Keras configs, held against Keras."""

import json

import keras
import pytest

from skautoenc import ConvNetwork, DenseNetwork
from skautoenc._backend.keras import isolated_random_state
from skautoenc._fitted.graph import (
    UnsupportedGraph,
    output_activation,
    read_graph,
    weight_shapes,
)
from skautoenc._fitted.network import config_of

layers = keras.layers


def model_of(build):
    with isolated_random_state(0):
        inputs = keras.Input((6,))
        return keras.Model(inputs, build(inputs))


def shared(inputs):
    dense = layers.Dense(6, "tanh")
    return layers.Concatenate()(
        [dense(dense(inputs)), layers.BatchNormalization()(inputs)]
    )


def nested(inputs):
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(4), layers.PReLU()])
    return layers.Dense(3, use_bias=False)(inner(inputs))


@pytest.mark.parametrize("build", [shared, nested])
def test_read_graph_assigns_each_weight_to_its_layer(build):
    model = model_of(build)
    graph = read_graph(json.loads(model.to_json()))
    assert graph.n_weights == len(model.weights)
    for layer in graph.layers:
        own = model.get_layer(layer.name).weights
        assert [w.path for w in model.weights[layer.weights]] == [w.path for w in own]


def test_read_graph_sorts_the_calls_by_their_dependencies():
    graph = read_graph(json.loads(model_of(shared).to_json()))
    available = {graph.input}
    for node in graph.nodes:
        assert available.issuperset(node.inputs)
        available.add(node.output)
    assert graph.output in available
    assert len(graph.nodes) == 4


def test_read_graph_refuses_layers_whose_weights_are_unknown():
    model = model_of(layers.UnitNormalization())
    with pytest.raises(UnsupportedGraph, match="UnitNormalization"):
        read_graph(json.loads(model.to_json()))


def test_weight_shapes_are_those_of_keras():
    model = model_of(shared)
    wanted = [(tuple(w.shape), w.dtype) for w in model.weights]
    assert weight_shapes(json.loads(model.to_json())) == wanted


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (layers.Dense(3, "relu"), "relu"),
        (lambda x: layers.Flatten()(layers.Dense(3, "tanh")(x)), "tanh"),
        (layers.BatchNormalization(), None),
        (lambda x: layers.Add()([layers.Dense(6)(x), layers.Dense(6)(x)]), "linear"),
        (lambda x: layers.Add()([layers.Dense(6, "relu")(x), x]), None),
        (
            lambda x: layers.Add()([layers.Dense(6, "relu")(x), layers.Dense(6)(x)]),
            None,
        ),
    ],
)
def test_output_activation_is_that_of_the_last_layer(build, name):
    assert output_activation(config_of(model_of(build))) == name


@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_output_activation_is_the_parameter_of_a_network(activation):
    for network in (
        DenseNetwork((4,), output_activation=activation),
        ConvNetwork((4, 4, 1), (2,), output_activation=activation),
    ):
        with isolated_random_state(0):
            _, decoder = network((16,), 2)
        assert output_activation(config_of(decoder)) == activation
