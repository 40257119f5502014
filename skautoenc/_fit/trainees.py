"""What a fit trains: the networks to keep, and the engine that trains them."""

from .._backend.keras import isolated
from .._fitted.network import FittedNetwork, between_shifts, config_of
from .._training import (
    Callbacks,
    get_loss,
    get_optimizer,
    release,
    train,
    train_dense,
)
from ..networks._objectives import chain


class NumpyTrainee:
    """A dense encoder and decoder, trained without Keras.

    Parameters
    ----------
    pair : tuple of FittedNetwork
    plan : DenseTrainer
    loss, optimizer, learning_rate
        As `plan` has them, for what callbacks see.

    callbacks : sequence of keras.callbacks.Callback
        None that listens to batches.

    Attributes
    ----------
    networks : dict of str to FittedNetwork
        With the weights that were drawn, by the attribute that an estimator keeps them
        in.
    """

    def __init__(self, pair, plan, *, loss, optimizer, learning_rate, callbacks):
        self.networks = dict(zip(("_encoder", "_decoder"), pair, strict=True))
        self._plan, self._callbacks = plan, callbacks
        self._how = loss, optimizer, learning_rate

    @property
    def n_components(self):
        return self.networks["_encoder"].weights[-1].shape[-1]

    def train(self, networks, rows, *, factors, shifts, **settings):
        """Train from the weights of `networks`; return the monitor.

        There are no penalties that `factors` could be of. Callbacks see a model that
        takes rows before `shifts`.
        """
        arrays = [array for a in networks.values() for array in a.weights]
        self._plan.load(arrays)
        if not self._callbacks:
            return train_dense(self._plan, rows, **settings)
        loss, optimizer, learning_rate = self._how
        with isolated(0):
            model = chain(*[network.build() for network in networks.values()])
        callbacks = Callbacks(
            self._callbacks,
            between_shifts(model, *shifts),
            get_optimizer(optimizer, learning_rate)[0],
            get_loss(loss),
        )
        try:
            return train_dense(self._plan, rows, callbacks=callbacks, **settings)
        finally:
            release(self._callbacks)

    def trained(self):
        """The networks with the weights as they now are."""
        arrays = iter(self._plan.arrays())
        return {
            name: network.with_weights([next(arrays) for _ in network.weights])
            for name, network in self.networks.items()
        }


class KerasTrainee:
    """The parts of an objective, Keras models, trained by `train`.

    Parameters
    ----------
    objective : Objective
    pair : tuple of FittedNetwork or None
        What its encoder and decoder were built from, to be kept under that config.

    **how : dict
        Loss, optimizer, learning rate and callbacks, as `train` takes them.

    Attributes
    ----------
    networks : dict of str to FittedNetwork
        With the weights that were drawn or given.
    """

    def __init__(self, objective, pair, **how):
        self._model, self._parts, self._penalties = objective
        self._how = how
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

    def train(self, networks, rows, *, factors, shifts, **settings):
        """Train from the weights of `networks`; return the monitor.

        Penalties get the factors given here, by name, or those of the objective.
        Callbacks see a model that takes rows before `shifts`.
        """
        for name, part in self._parts.items():
            part.set_weights(networks[name].weights)
        shown = self._model
        if self._how["callbacks"]:
            shown = between_shifts(shown, *shifts)
        return train(
            self._model,
            rows,
            shown=shown,
            penalties=self._penalties | factors,
            **self._how,
            **settings,
        )

    def trained(self):
        """The networks with the weights as they now are."""
        return {
            name: network.with_weights(self._parts[name].get_weights())
            for name, network in self.networks.items()
        }
