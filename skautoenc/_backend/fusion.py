"""Convolutions of upsampled images or signals, computed on those before upsampling.

The outputs are the same, with fewer multiplications.
"""

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from .._utils.patching import patched
from .keras import import_keras
from .keras_internals import all_nodes, flatten_layers, graph_of

if TYPE_CHECKING:
    import keras

# A window of 2 input pixels along each axis determines the 2 output pixels around its
# centre. Axes: index of the output pixel, of the input pixel, and in the kernel. 1
# where that part of the kernel meets that input pixel, which is repeated.
_TAPS_BY_PIXEL = np.array(
    [
        [[1, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [0, 1, 1]],
    ],
    np.float32,
)
# For one and two axes: the kernel for windows of 2, from one of size 3.
_FUSED_KERNEL = {1: "pat,tio->aipo", 2: "pat,qbu,tuio->abipqo"}


@contextlib.contextmanager
def upsampling_fused(model: "keras.Model") -> Iterator[None]:
    """While tracing, fuse upsampling by 2 with the convolutions of size 3 after it.

    Upsampling repeats pixels, so 3x3 pixels of the upsampled image are 2x2 pixels of
    the original one. The convolution equals one of 2x2 pixels there, with four times
    the filters, which needs about half of the multiplications, or two thirds if it is
    a signal. This is faster unless there are more filters than channels.

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
    """Yield each upsampling layer that only a convolution uses, and that layer."""
    layers = import_keras().layers
    upsampling_of = {
        layers.Conv1D: layers.UpSampling1D,
        layers.Conv2D: layers.UpSampling2D,
    }
    nodes = all_nodes(model)
    n_calls = Counter(id(node.operation) for node in nodes)
    n_users = Counter(id(parent) for node in nodes for parent in node.parent_nodes)
    graphs = filter(None, map(graph_of, flatten_layers(model)))
    model_outputs = {id(tensor) for graph in graphs for tensor in graph.outputs}
    n_users.update(id(node) for node in nodes if id(node.outputs[0]) in model_outputs)
    for node in nodes:
        if type(node.operation) not in upsampling_of:
            continue
        (parent,) = node.parent_nodes
        if type(parent.operation) is upsampling_of[type(node.operation)] and (
            n_calls[id(node.operation)]
            == n_calls[id(parent.operation)]
            == n_users[id(parent)]
        ):
            yield parent.operation, node.operation


def _is_fusible(upsampling, convolution):
    """Whether the fused call gives the same outputs, and is faster."""
    n_axes = len(convolution.kernel_size)
    # UpSampling1D has no interpolation and no data format.
    return (
        np.broadcast_to(upsampling.size, n_axes).tolist() == [2] * n_axes
        and getattr(upsampling, "interpolation", "nearest") == "nearest"
        and set(convolution.kernel_size) == {3}
        and set(convolution.strides) == set(convolution.dilation_rate) == {1}
        and convolution.padding == "same"
        and convolution.groups == 1
        and convolution.data_format == "channels_last"
        and getattr(upsampling, "data_format", "channels_last") == "channels_last"
        and convolution.filters <= convolution.kernel.shape[2]
    )


def _fused_call(convolution):
    ops = import_keras().ops

    def call(inputs):
        *size, channels, filters = convolution.kernel.shape
        n_axes = len(size)
        kernel = ops.convert_to_tensor(convolution.kernel)
        taps = [ops.cast(_TAPS_BY_PIXEL, kernel.dtype)] * n_axes
        kernel = ops.einsum(_FUSED_KERNEL[n_axes], *taps, kernel)
        kernel = ops.reshape(kernel, (*[2] * n_axes, channels, 2**n_axes * filters))
        # Windows of 2x2 pixels in an image that is padded by a pixel on each side: here
        # before it, and by "same" padding after it.
        inputs = ops.pad(inputs, ((0, 0), *[(1, 0)] * n_axes, (0, 0)))
        outputs = convolution.convolution_op(inputs, kernel)
        outputs = _blocks_to_pixels(ops, outputs)
        # TensorFlow's gradient of outputs[:, 1:-1, 1:-1] takes many times longer.
        n_rows, *size, _ = ops.shape(outputs)
        shape = n_rows, *(n - 2 for n in size), filters
        outputs = ops.slice(outputs, (0, *[1] * n_axes, 0), shape)
        if convolution.use_bias:
            outputs += ops.convert_to_tensor(convolution.bias)
        return convolution.activation(outputs)

    return call


def _blocks_to_pixels(ops, images):
    """Return images of which each pixel has the channels of a block of 2x2 pixels."""
    _, *size, channels = ops.shape(images)
    n_axes = len(size)
    axes_of_blocks, channels = [2] * n_axes, channels // 2**n_axes
    blocks = ops.reshape(images, (-1, *size, *axes_of_blocks, channels))
    pairs = [(axis, n_axes + axis) for axis in range(1, n_axes + 1)]
    blocks = ops.transpose(blocks, (0, *itertools.chain(*pairs), 2 * n_axes + 1))
    return ops.reshape(blocks, (-1, *(2 * n for n in size), channels))
