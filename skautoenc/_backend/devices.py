"""Memory of GPUs, which several processes may share."""

from collections.abc import Iterable, Mapping
from typing import Any

# With any of these variables the user has chosen how memory is allocated.
_CHOSEN_BY = "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR"


def devices_with_growing_memory(
    devices: Iterable[Any], environment: Mapping[str, str]
) -> list[Any]:
    """Return the devices of which memory is to be allocated as it is needed.

    By default, TensorFlow takes all memory of a GPU at once, so that worker processes
    could not share it.

    Parameters
    ----------
    devices : iterable of tf.config.PhysicalDevice
        What ``tf.config.list_physical_devices`` gave.

    environment : mapping of str to str
        Environment variables. If they set how memory is allocated, nothing is changed.
    """
    if any(name in environment for name in _CHOSEN_BY):
        return []
    return [device for device in devices if device.device_type == "GPU"]
