"""How the weights of a dense encoder or decoder lie, read from its Keras config."""

import json
from typing import NamedTuple

from .forward import tensors_in

# A user's class may bear a Keras name, and hold other weights.
_OWN_NAMES = {None, "Add", "Dense", "skautoenc>TransposedDense"}


class DenseLayout(NamedTuple):
    """The order of the weights of one half of a `DenseNetwork`.

    Kernel and bias of each layer follow one another. With a linear path, which is a
    kernel beside the last layer, that comes last.

    Attributes
    ----------
    has_hidden : bool
    has_linear_path : bool
    ends_linear : bool
        Whether the activation of the last layer is linear.

    is_transposed : bool
        Whether kernels are those of another network, transposed.
    """

    has_hidden: bool
    has_linear_path: bool
    ends_linear: bool
    is_transposed: bool

    def fold(self, weights, input_shift=None, output_shift=None):
        """Weights with which a network does what shifts around it did.

        Parameters
        ----------
        weights : sequence of ndarray
        input_shift, output_shift : ndarray or None, default=None
            Subtracted from rows, and added to what the network gives.

        Returns
        -------
        list of ndarray
        """
        weights = list(weights)
        i_bias = -2 if self.has_linear_path else -1
        if input_shift is not None:
            weights[1] = _minus(weights[1], input_shift, weights[0])
            if self.has_linear_path:
                weights[i_bias] = _minus(weights[i_bias], input_shift, weights[-1])
        if output_shift is not None:
            shifted = weights[i_bias].astype(float) + output_shift
            weights[i_bias] = shifted.astype(weights[i_bias].dtype)
        return weights


def _minus(bias, shift, kernel):
    return (bias - shift @ kernel.astype(float)).astype(bias.dtype)


def dense_layout(config):
    """Return the `DenseLayout` of a network, or None where it is another.

    Parameters
    ----------
    config : str
        What ``keras.Model.to_json`` gave.
    """
    spec = json.loads(config)
    if spec["class_name"] != "Functional":
        return None
    (given, *layers) = spec["config"]["layers"]
    kinds = [layer["class_name"] for layer in layers]
    has_linear_path = kinds[-1:] == ["Add"]
    n_layers = len(kinds) - 2 * has_linear_path
    if kinds != kinds[:n_layers] + ["Dense", "Add"] * has_linear_path:
        return None
    if n_layers < 1 or not set(kinds[:n_layers]) <= {"Dense", "TransposedDense"}:
        return None
    if not {layer.get("registered_name") for layer in layers} <= _OWN_NAMES:
        return None
    configs = [layer["config"] for layer in layers]
    has_bias = [config.get("use_bias", True) for config in configs]
    if has_bias[:n_layers] != [True] * n_layers:
        return None
    names = [layer["config"]["name"] for layer in (given, *layers)]
    sources = [[name] for name in names[:n_layers]]
    if has_linear_path:
        if configs[-2]["use_bias"]:
            return None
        sources += [names[:1], names[-3:-1]]
    if [_sources(layer) for layer in layers] != sources:
        return None
    ends = configs[-3:-1] if has_linear_path else configs[-1:]
    ends_linear = all(config["activation"] == "linear" for config in ends)
    is_transposed = "TransposedDense" in kinds
    return DenseLayout(n_layers > 1, has_linear_path, ends_linear, is_transposed)


def _sources(layer):
    """Names of the layers whose outputs a layer takes; None if it is used twice."""
    if len(layer["inbound_nodes"]) != 1:
        return None
    return [name for name, _ in tensors_in(layer["inbound_nodes"][0]["args"])]
