"""The base class of networks."""

from sklearn.base import BaseEstimator

from .._fitted.custom_objects import picklable


class Network(BaseEstimator):
    """A network with parameters like those of an estimator.

    It is pickled with the definitions of the custom classes among its parameters.
    """

    def __getstate__(self):
        state = super().__getstate__()
        return {name: picklable(value) for name, value in state.items()}
