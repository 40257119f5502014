"""Convolutions of upsampled images, computed on the images before upsampling.

The outputs are the same, with fewer multiplications.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .._utils.patching import patched
from .keras import import_keras
from .keras_internals import all_nodes, flatten_layers, graph_of

if TYPE_CHECKING:
    import keras

# A window of 2x2 input pixels determines the 2x2 output pixels around its centre. Axes:
# row (or column) of the output pixel, of the input pixel, and of the kernel. 1 where
# that part of the kernel meets that input pixel, which upsampling has repeated.
_TAPS_BY_PIXEL = np.array(
    [
        [[1, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 1]],
    ],
    np.float32,
)


@contextlib.contextmanager
def upsampling_fused(model: "keras.Model") -> Iterator[None]:
    """While tracing, fuse 2x2 upsampling layers with the 3x3 convolutions after them.

    Upsampling repeats pixels, so 3x3 pixels of the upsampled image are 2x2 pixels of
    the original one. The convolution equals one of 2x2 pixels there, with four times
    the filters, which needs about half of the multiplications. This is faster unless
    there are more filters than channels.

    Parameters
    ----------
    model : keras.Model
    """
    with contextlib.ExitStack() as stack:
        for upsampling, convolution in list(_upsampled_convolutions(model)):
            if _is_fusible(upsampling, convolution):
                stack.enter_context(patched(upsampling, "call", lambda inputs: inputs))
                call = _fused_call(convolution)
                stack.enter_context(patched(convolution, "call", call))
        yield


def _upsampled_convolutions(model):
    """Yield each UpSampling2D layer that only a Conv2D layer uses, and that layer."""
    keras = import_keras()
    nodes = all_nodes(model)
    n_calls = Counter(id(node.operation) for node in nodes)
    n_users = Counter(id(parent) for node in nodes for parent in node.parent_nodes)
    graphs = filter(None, map(graph_of, flatten_layers(model)))
    model_outputs = {id(tensor) for graph in graphs for tensor in graph.outputs}
    n_users.update(id(node) for node in nodes if id(node.outputs[0]) in model_outputs)
    for node in nodes:
        if type(node.operation) is not keras.layers.Conv2D:
            continue
        (parent,) = node.parent_nodes
        if type(parent.operation) is keras.layers.UpSampling2D and (
            n_calls[id(node.operation)]
            == n_calls[id(parent.operation)]
            == n_users[id(parent)]
        ):
            yield parent.operation, node.operation


def _is_fusible(upsampling, convolution):
    """Whether the fused call gives the same outputs, and is faster."""
    return (
        (upsampling.size, upsampling.interpolation) == ((2, 2), "nearest")
        and convolution.kernel_size == (3, 3)
        and convolution.strides == convolution.dilation_rate == (1, 1)
        and convolution.padding == "same"
        and convolution.groups == 1
        and convolution.data_format == upsampling.data_format == "channels_last"
        and convolution.filters <= convolution.kernel.shape[2]
    )


def _fused_call(convolution):
    ops = import_keras().ops

    def call(inputs):
        *_, channels, filters = convolution.kernel.shape
        kernel = ops.convert_to_tensor(convolution.kernel)
        taps = ops.cast(_TAPS_BY_PIXEL, kernel.dtype)
        kernel = ops.einsum("pat,qbu,tuio->abipqo", taps, taps, kernel)
        kernel = ops.reshape(kernel, (2, 2, channels, 4 * filters))
        # Windows of 2x2 pixels in an image that is padded by a pixel on each side: here
        # before it, and by "same" padding after it.
        inputs = ops.pad(inputs, ((0, 0), (1, 0), (1, 0), (0, 0)))
        outputs = convolution.convolution_op(inputs, kernel)
        outputs = _blocks_to_pixels(ops, outputs)
        # TensorFlow's gradient of outputs[:, 1:-1, 1:-1] takes many times longer.
        n_rows, height, width, _ = ops.shape(outputs)
        shape = n_rows, height - 2, width - 2, filters
        outputs = ops.slice(outputs, (0, 1, 1, 0), shape)
        if convolution.use_bias:
            outputs += ops.convert_to_tensor(convolution.bias)
        return convolution.activation(outputs)

    return call


def _blocks_to_pixels(ops, images):
    """Return images of which each pixel has the channels of a block of 2x2 pixels."""
    height, width, channels = images.shape[1:]
    blocks = ops.reshape(images, (-1, height, width, 2, 2, channels // 4))
    rows = ops.transpose(blocks, (0, 1, 3, 2, 4, 5))
    return ops.reshape(rows, (-1, 2 * height, 2 * width, channels // 4))
