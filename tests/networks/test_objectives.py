"""The objectives that an estimator hands to a fit."""

import keras
import pytest

from skautoenc import DenseNetwork
from skautoenc._backend.keras import isolated_random_state
from skautoenc.networks._objectives import Reconstruction, Variational

layers = keras.layers


def pair():
    with isolated_random_state(0):
        return DenseNetwork((4,))((6,), 2)


@pytest.mark.parametrize(
    ("objective", "names", "loss_weights"),
    [
        (Reconstruction(), ["decoder", "encoder"], {}),
        (Reconstruction(0.5), ["decoder", "encoder"], {"contractive": 0.5}),
        (Variational(), ["decoder", "encoder", "log_variance"], {"kl": 1.0}),
        (Variational(0.3), ["decoder", "encoder", "log_variance"], {"kl": 0.3}),
    ],
)
def test_build_gives_the_outputs_that_the_objective_announces(
    objective, names, loss_weights
):
    built = objective.build(*pair())
    assert sorted(built.parts) == names
    assert built.loss_weights == loss_weights
    assert objective.has_auxiliary_outputs == (len(built.model.outputs) > 1)
    assert objective.stochastic_encoder == (len(built.model.inputs) > 1)


def widths(encoder):
    decoder = DenseNetwork((4,))((6,), 2)[1]
    head = Variational().build(encoder, decoder).parts["log_variance"]
    return head.input_shape[1], head.output_shape[1]


def test_the_log_variance_has_the_features_of_the_last_layer():
    assert widths(pair()[0]) == (4, 2)


def test_the_log_variance_has_the_features_of_a_last_layer_without_bias():
    with isolated_random_state(0):
        inputs = keras.Input((6,))
        codes = layers.Dense(2, use_bias=False)(layers.Dense(5, "relu")(inputs))
        encoder = keras.Model(inputs, codes)
    assert widths(encoder) == (5, 2)
