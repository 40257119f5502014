"""A convolution after up-sampling, done before it: the same numbers, less work."""

import contextlib
from collections import Counter

import numpy as np

from .keras import load

# Which pixel before up-sampling (the one before, the same, the one after) each of the
# three taps reads, for the even and for the odd pixel after it.
_READS = np.array(
    [
        [[1, 0, 0], [0, 1, 1], [0, 0, 0]],
        [[0, 0, 0], [1, 1, 0], [0, 0, 1]],
    ],
    np.float32,
)


@contextlib.contextmanager
def upsampling_fused(model):
    """While tracing, let 3x3 convolutions of doubled images work on the small ones.

    Doubling an image repeats its pixels, so a 3x3 convolution of the double is four of
    the original, one for each pixel of a 2x2 block. That pays where few filters end a
    network.
    """
    fused = [pair for pair in _pairs(model) if _pays(*pair)]
    for upsampling, convolution in fused:
        upsampling.call = lambda inputs: inputs
        convolution.call = _fused(convolution)
    try:
        yield
    finally:
        for layer in (layer for pair in fused for layer in pair):
            del layer.call


def _pairs(model):
    """Each doubling layer with the convolution that alone uses what it gives."""
    _, keras = load()
    graphs = [getattr(layer, "_functional", layer) for layer in model._flatten_layers()]
    nodes = [
        node
        for graph in graphs
        for level in getattr(graph, "_nodes_by_depth", {}).values()
        for node in level
    ]
    uses = Counter(id(node.operation) for node in nodes)
    users = Counter(id(parent) for node in nodes for parent in node.parent_nodes)
    given = {id(tensor) for graph in graphs for tensor in getattr(graph, "outputs", ())}
    users.update(id(node) for node in nodes if id(node.outputs[0]) in given)
    for node in nodes:
        if type(node.operation) is not keras.layers.Conv2D:
            continue
        (before,) = node.parent_nodes
        if type(before.operation) is keras.layers.UpSampling2D and (
            uses[id(node.operation)] == uses[id(before.operation)] == users[id(before)]
        ):
            yield before.operation, node.operation


def _pays(upsampling, convolution):
    return (
        (upsampling.size, upsampling.interpolation) == ((2, 2), "nearest")
        and convolution.kernel_size == (3, 3)
        and convolution.strides == convolution.dilation_rate == (1, 1)
        and convolution.padding == "same"
        and convolution.groups == 1
        and convolution.data_format == upsampling.data_format == "channels_last"
        and 4 * convolution.filters <= convolution.kernel.shape[2]
    )


def _fused(convolution):
    tf, _ = load()

    def call(inputs):
        *_, channels, filters = convolution.kernel.shape
        kernel = convolution.kernel.value
        reads = tf.cast(_READS, kernel.dtype)
        kernel = tf.einsum("pat,qbu,tuio->abipqo", reads, reads, kernel)
        kernel = tf.reshape(kernel, (3, 3, channels, 4 * filters))
        outputs = tf.nn.depth_to_space(tf.nn.conv2d(inputs, kernel, 1, "SAME"), 2)
        if convolution.use_bias:
            outputs += convolution.bias.value
        return convolution.activation(outputs)

    return call
