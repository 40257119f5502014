"""What a fit trains: the networks to keep, and the engine that trains them."""

import contextlib
from dataclasses import replace

from .._backend.keras import isolated
from .._fitted.network import FittedNetwork, between_shifts, config_of
from .._training import KerasCallbacks, make_numpy_engine, open_engine
from ..networks._objectives import chain


class NumpyTrainee:
    """A dense encoder and decoder, trained without Keras.

    Parameters
    ----------
    pair : tuple of FittedNetwork
    callbacks : sequence of keras.callbacks.Callback
        None that listens to batches.

    n_rows : int
        What the engine was chosen for.

    Attributes
    ----------
    networks : dict of str to FittedNetwork
        With the weights that were drawn, by the attribute that an estimator keeps them
        in.
    """

    def __init__(self, pair, callbacks, n_rows):
        self.networks = dict(zip(("_encoder", "_decoder"), pair, strict=True))
        self._callbacks, self._n_rows = callbacks, n_rows

    @property
    def n_components(self):
        return self.networks["_encoder"].weights[-1].shape[-1]

    def open(self, networks, config, loss_weights, n_rows, n_validation):
        """An engine that trains from the weights of `networks`.

        There are no auxiliary outputs that `loss_weights` could be of.
        """
        return make_numpy_engine(list(networks.values()), config, self._n_rows)

    def callback_hooks(self, shifts):
        """Callbacks, that see a model which takes rows before `shifts`."""
        if not self._callbacks:
            return []
        with isolated(0):
            model = chain(*[network.build() for network in self.networks.values()])
        return [KerasCallbacks(self._callbacks, between_shifts(model, *shifts))]

    def trained(self, weights):
        """The networks with these weights."""
        arrays = iter(weights)
        return {
            name: network.with_weights([next(arrays) for _ in network.weights])
            for name, network in self.networks.items()
        }


class KerasTrainee:
    """The parts of an objective, Keras models.

    Parameters
    ----------
    objective : Objective
    pair : tuple of FittedNetwork or None
        What its encoder and decoder were built from, to be kept under that config.

    callbacks : sequence of keras.callbacks.Callback

    Attributes
    ----------
    networks : dict of str to FittedNetwork
        With the weights that were drawn or given.
    """

    def __init__(self, objective, pair, callbacks):
        self._model, self._parts, self._loss_weights = objective
        self._callbacks = callbacks
        configs = {name: config_of(part) for name, part in self._parts.items()}
        if pair is not None:
            configs |= {"_encoder": pair[0].config, "_decoder": pair[1].config}
        self.networks = {
            name: FittedNetwork(configs[name], part.get_weights())
            for name, part in self._parts.items()
        }

    @property
    def n_components(self):
        return self._parts["_encoder"].output_shape[1]

    @contextlib.contextmanager
    def open(self, networks, config, loss_weights, n_rows, n_validation):
        """An engine that trains from the weights of `networks`.

        Auxiliary outputs get the weights given here, by name, or those of the
        objective.
        """
        for name, part in self._parts.items():
            part.set_weights(networks[name].weights)
        config = replace(config, loss_weights=self._loss_weights | loss_weights)
        with open_engine(
            self._model, config, n_rows, n_validation, self._callbacks
        ) as engine:
            yield engine

    def callback_hooks(self, shifts):
        """Callbacks, that see a model which takes rows before `shifts`."""
        if not self._callbacks:
            return []
        return [KerasCallbacks(self._callbacks, between_shifts(self._model, *shifts))]

    def trained(self, weights):
        """The networks with these weights."""
        self._model.set_weights(weights)
        return {
            name: network.with_weights(self._parts[name].get_weights())
            for name, network in self.networks.items()
        }
