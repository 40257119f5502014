"""Memory of GPUs, as far as it can be tested without one."""

import pytest
import tensorflow as tf

from skautoenc._backend.devices import devices_with_growing_memory

CPU, *GPUS = (
    tf.config.PhysicalDevice(f"/physical_device:{kind}:{i}", kind)
    for kind, i in (("CPU", 0), ("GPU", 0), ("GPU", 1))
)


def test_memory_of_gpus_grows():
    assert devices_with_growing_memory([CPU, *GPUS], {"PATH": "/bin"}) == GPUS


@pytest.mark.parametrize("name", ["TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR"])
def test_memory_of_gpus_is_left_to_the_variable(name):
    assert devices_with_growing_memory([CPU, *GPUS], {name: "false"}) == []
