"""What a fit trains: the networks to keep, and the engine that trains them."""

from ._fitted import FittedNetwork, config_of
from .training import train, train_dense


class NumpyTrainee:
    """A dense encoder and decoder, trained without Keras.

    Parameters
    ----------
    pair : tuple of FittedNetwork
    plan : DensePlan

    Attributes
    ----------
    networks : dict of str to FittedNetwork
        Where the weights start, by the attribute that an estimator keeps them in.
    """

    def __init__(self, pair, plan):
        self.networks = dict(zip(("_encoder", "_decoder"), pair, strict=True))
        self._plan = plan

    @property
    def n_components(self):
        return self.networks["_encoder"].weights[-1].shape[-1]

    def train(self, rows, **settings):
        """Train from the weights of `networks`; return the monitor."""
        arrays = [array for a in self.networks.values() for array in a.weights]
        self._plan.load(arrays)
        return train_dense(self._plan, rows, **settings)

    def trained(self):
        """The networks with the weights as they now are."""
        arrays = iter(self._plan.arrays())
        return {
            name: FittedNetwork(network.config, [next(arrays) for _ in network.weights])
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
    """

    def __init__(self, objective, pair, **how):
        self._model, self._parts, self._penalties = objective
        self._how = how
        self._configs = {name: config_of(part) for name, part in self._parts.items()}
        if pair is not None:
            self._configs |= {"_encoder": pair[0].config, "_decoder": pair[1].config}
        self.networks = self.trained()

    @property
    def n_components(self):
        return self._parts["_encoder"].output_shape[1]

    def train(self, rows, **settings):
        """Train from the weights of `networks`; return the monitor."""
        for name, part in self._parts.items():
            part.set_weights(self.networks[name].weights)
        return train(
            self._model,
            rows,
            penalties=self._penalties,
            **self._how,
            **settings,
        )

    def trained(self):
        """The networks with the weights as they now are."""
        return {
            name: FittedNetwork(self._configs[name], part.get_weights())
            for name, part in self._parts.items()
        }
