"""Other computations of the layers of Keras, with which a program is traced."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .fusion import upsampling_fused
from .onednn import onednn_used
from .pooling import pooling_by_blocks

if TYPE_CHECKING:
    import keras


@contextlib.contextmanager
def fast_layers(model: "keras.Model") -> Iterator[None]:
    """While tracing, replace calls of layers by faster ones with the same outputs.

    Parameters
    ----------
    model : keras.Model
        Must not be used otherwise meanwhile.
    """
    # The fused call of a layer replaces the one of oneDNN, whose convolution it uses.
    with onednn_used(model), upsampling_fused(model), pooling_by_blocks(model):
        yield
