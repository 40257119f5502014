"""The base class of networks."""

from typing import Any

from sklearn.base import BaseEstimator

from .._fitted.custom_objects import picklable
from .._utils.sklearn_compat import DocumentationLink


class Network(DocumentationLink, BaseEstimator):
    """A network with parameters like those of an estimator.

    It is pickled with the definitions of the custom classes among its parameters.
    """

    def __getstate__(self):
        state = super().__getstate__()
        return {name: picklable(name, value) for name, value in state.items()}

    def __copy__(self):
        # Not by `__getstate__`, whose values are to be pickled.
        return type(self)(**self.get_params(deep=False))


def without_auto_linear_path(network: Any) -> Any:
    """Return a network without the linear path that ``linear_path="auto"`` adds.

    Parameters
    ----------
    network : object
        Whatever has no such parameter, or another value of it, is returned as it is.
    """
    if not isinstance(network, Network):
        return network
    params = network.get_params(deep=False)
    if params.get("linear_path") != "auto":
        return network
    return type(network)(**params | {"linear_path": False})
