"""Small weights in one common vector, which one kernel updates.

Only for optimizers that update each number from the history of that number, for which
this changes nothing. A program with fewer variables takes half the time to compile, and
less to dispatch. Copying larger weights would take more time than is saved.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..._backend.keras import import_backend

_PACK_MAX_SIZE = 2**14
_ELEMENTWISE_OPTIMIZERS = {
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lion",
    "Nadam",
    "RMSprop",
    "SGD",
}


class WeightPacking:
    """Which weights are packed into a vector, in front of all others.

    Parameters
    ----------
    shapes : sequence of tuple of int
    packed : sequence of bool
        For each weight.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], packed: Sequence[bool]):
        self._shapes, self._packed = shapes, packed
        pairs = zip(shapes, packed, strict=True)
        self._sizes = [int(np.prod(shape)) for shape, is_packed in pairs if is_packed]

    @property
    def vector_size(self) -> int:
        """Length of the vector, 0 if there is none."""
        return sum(self._sizes)

    def pack(self, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the vector, if there is one, and after it all other weights."""
        pairs = list(zip(weights, self._packed, strict=True))
        vector = [weight.ravel() for weight, is_packed in pairs if is_packed]
        others = [weight for weight, is_packed in pairs if not is_packed]
        return [np.concatenate(vector), *others] if vector else others

    def pack_numbers(self, numbers: Sequence[float]) -> list[Any]:
        """Return what `pack` gives, of one number for each weight.

        The vector has the number of a weight for each of its elements.
        """
        pairs = list(zip(numbers, self._packed, strict=True))
        small = [number for number, is_packed in pairs if is_packed]
        others = [number for number, is_packed in pairs if not is_packed]
        return [np.repeat(small, self._sizes), *others] if small else others

    def unpack(self, packed: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return all weights, from what `pack` gives."""
        if not self._sizes:
            return list(packed)
        parts = np.split(packed[0], np.cumsum(self._sizes)[:-1])
        return self._unflatten(parts, packed[1:], np.reshape)

    def unpack_tensors(self, packed: Sequence[Any]) -> list[Any]:
        """Do the same with tensors; a split has a cheap gradient."""
        tf = import_backend()
        if not self._sizes:
            return list(packed)
        parts = tf.split(packed[0], self._sizes)
        return self._unflatten(parts, packed[1:], tf.reshape)

    def _unflatten(self, parts, others, reshape):
        parts, others = iter(parts), iter(others)
        return [
            reshape(next(parts), shape) if is_packed else next(others)
            for shape, is_packed in zip(self._shapes, self._packed, strict=True)
        ]


def are_packable(optimizer: Any, weights: Sequence[Any]) -> list[bool]:
    """Return which weights an optimizer may update as part of one vector.

    Parameters
    ----------
    optimizer : keras.optimizers.Optimizer
    weights : sequence of keras.Variable
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # scales losses
    is_elementwise = (
        type(optimizer).__name__ in _ELEMENTWISE_OPTIMIZERS
        and type(optimizer).__module__.startswith("keras.")
        and optimizer.clipnorm is None
    )
    return [
        is_elementwise
        and v.constraint is None
        and v.dtype == "float32"
        and int(np.prod(v.shape)) < _PACK_MAX_SIZE
        for v in weights
    ]
