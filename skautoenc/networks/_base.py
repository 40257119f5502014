"""What the networks share."""

from sklearn.base import BaseEstimator

from .._fitted.custom_objects import picklable


class Network(BaseEstimator):
    def __getstate__(self):
        state = super().__getstate__()
        return {name: picklable(value) for name, value in state.items()}
