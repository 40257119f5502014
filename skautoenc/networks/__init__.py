"""Networks that build an encoder and a decoder from the shapes of their input."""

from ._conv import ConvNetwork
from ._dense import DenseNetwork

__all__ = ["ConvNetwork", "DenseNetwork"]
