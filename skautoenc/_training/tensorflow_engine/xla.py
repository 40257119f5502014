"""Whether XLA compiles a program."""

from typing import Any

import numpy as np

from ..._backend.keras import import_backend
from ..compiled.program_choice import has_convolutions


def should_use_xla(model: Any, n_steps: int, batch_size: int) -> bool:
    """Whether XLA saves more time than compiling takes.

    Measured on 2 cores: a step is faster by about 0.15 ms, and by 10 ns for every
    number it touches; compiling costs about 0.5 s, mostly shared by later fits. On a
    CPU XLA's convolutions are 10 times slower than the graph's.
    """
    tf = import_backend()
    if not tf.config.list_physical_devices("GPU") and has_convolutions(model):
        return False
    row = int(np.prod(model.inputs[0].shape[1:]))
    touched = batch_size * row + model.count_params()
    return n_steps * (150e-6 + 10e-9 * touched) > 0.2
