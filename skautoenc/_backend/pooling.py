"""Max pooling whose gradient XLA computes fast on a CPU."""

import contextlib
import functools
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .._utils.patching import patched
from .choice import keras_backend
from .keras import import_backend
from .keras_internals import flatten_layers

if TYPE_CHECKING:
    import keras

_LAYERS = {"MaxPooling1D", "MaxPooling2D", "MaxPooling3D"}


@contextlib.contextmanager
def pooling_by_blocks(model: "keras.Model") -> Iterator[None]:
    """While JAX traces, compute max pooling of blocks that do not overlap by blocks.

    XLA's operation for the gradient, which serves any windows, takes much longer on a
    CPU. As there, the gradient is that of the first largest value of each block.

    Parameters
    ----------
    model : keras.Model
    """
    with contextlib.ExitStack() as stack:
        if keras_backend() == "jax" and import_backend().default_backend() == "cpu":
            for layer in filter(_pools_blocks, flatten_layers(model)):
                stack.enter_context(patched(layer, "call", _pooling(layer)))
        yield


def _pools_blocks(layer):
    return (
        type(layer).__name__ in _LAYERS
        and type(layer).__module__.startswith("keras.")
        and layer.data_format == "channels_last"
        and tuple(layer.pool_size) == tuple(layer.strides)
    )


def _pooling(layer):
    """Return the call of a layer, with another gradient."""
    jnp, pool = import_backend().numpy, tuple(layer.pool_size)
    pads = layer.padding == "same"

    def call(inputs):
        # The number of rows may be zero or unknown; all other sizes are known.
        sizes = inputs.shape[1:-1]
        if pads:
            missing = [-size % block for size, block in zip(sizes, pool, strict=True)]
            widths = [(0, 0), *((m // 2, m - m // 2) for m in missing), (0, 0)]
            inputs = jnp.pad(inputs, widths, constant_values=-jnp.inf)
        else:
            kept = (slice(n - n % block) for n, block in zip(sizes, pool, strict=True))
            inputs = inputs[(slice(None), *kept)]
        return _max_of_blocks()(pool, inputs)

    return call


@functools.cache
def _max_of_blocks():
    """Return the function ``(pool, inputs) -> outputs`` with its gradient."""
    jax = import_backend()

    @functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
    def max_of_blocks(pool, inputs):
        axes = tuple(range(2, 2 * len(pool) + 1, 2))
        return _blocks(pool, inputs).max(axes)

    def forward(pool, inputs):
        outputs = max_of_blocks(pool, inputs)
        return outputs, (inputs, outputs)

    def backward(pool, residuals, gradient):
        return (_gradient(jax.numpy, pool, *residuals, gradient),)

    max_of_blocks.defvjp(forward, backward)
    return max_of_blocks


def _blocks(pool, inputs):
    """Return images with two axes for each axis: the block, and the pixel in it."""
    n_rows, *sizes, n_channels = inputs.shape
    pairs = [(n // block, block) for n, block in zip(sizes, pool, strict=True)]
    return inputs.reshape(n_rows, *itertools.chain(*pairs), n_channels)


def _gradient(jnp, pool, inputs, outputs, gradient) -> Any:
    """Return the gradient of the inputs: that of the first largest pixel of a block."""
    blocks, is_taken, parts = _blocks(pool, inputs), False, []
    for pixel in itertools.product(*map(range, pool)):
        index = itertools.chain(*((slice(None), i) for i in pixel))
        is_largest = blocks[(slice(None), *index)] == outputs
        parts.append(jnp.where(is_largest & ~jnp.asarray(is_taken), gradient, 0))
        is_taken = is_taken | is_largest
    # From (rows, blocks, pixels, channels) to pixels behind their blocks.
    d = len(pool)
    n_rows, *n_blocks, n_channels = outputs.shape
    stacked = jnp.stack(parts, axis=-2).reshape(n_rows, *n_blocks, *pool, n_channels)
    order = itertools.chain(*((1 + i, 1 + d + i) for i in range(d)))
    return stacked.transpose(0, *order, 1 + 2 * d).reshape(inputs.shape)
