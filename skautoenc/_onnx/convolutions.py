"""Convolutions, pooling and images of Keras as ONNX nodes.

ONNX's operators take channels first, so they are put between two transpositions, which
runtimes remove where two of them cancel out.
"""

import numpy as np

from .layers import END, LayerFunction, UnsupportedLayer, activate


def _check_channels_last(config):
    if config.get("data_format", "channels_last") != "channels_last":
        raise UnsupportedLayer("data_format='channels_first' has no converter")


def _channels_first(nodes, config, x, n_axes):
    _check_channels_last(config)
    return nodes.add("Transpose", x, perm=[0, n_axes + 1, *range(1, n_axes + 1)])


def _channels_last(nodes, x, n_axes):
    return nodes.add("Transpose", x, perm=[0, *range(2, n_axes + 2), 1])


def _per_axis(value, n_axes):
    return np.broadcast_to(value, n_axes).tolist()


def _padding(config, kernel_shape, dilations):
    """Return the attributes of the padding of a convolution or of pooling."""
    if config["padding"] == "causal":
        return {"pads": [(kernel_shape[0] - 1) * dilations[0], 0]}
    if config["padding"] == "same" and max(dilations) > 1:  # strides are 1 then
        excess = (np.array(kernel_shape) - 1) * dilations
        return {"pads": [*(excess // 2).tolist(), *(excess - excess // 2).tolist()]}
    return {"auto_pad": "SAME_UPPER"} if config["padding"] == "same" else {}


def _end_of_convolution(nodes, config, x, bias, n_axes):
    x = _channels_last(nodes, x, n_axes)
    for term in bias:
        x = nodes.add("Add", x, term)
    return activate(nodes, config["activation"], x)


def _convolution(nodes, config, inputs, weights):
    kernel, *bias = weights
    *kernel_shape, _, _ = kernel.shape
    n = len(kernel_shape)
    dilations = _per_axis(config["dilation_rate"], n)
    x = nodes.add(
        "Conv",
        _channels_first(nodes, config, *inputs, n),
        np.transpose(kernel, [n + 1, n, *range(n)]),
        strides=_per_axis(config["strides"], n),
        dilations=dilations,
        group=config.get("groups", 1),
        **_padding(config, kernel_shape, dilations),
    )
    return _end_of_convolution(nodes, config, x, bias, n)


def _transposed_convolution(nodes, config, inputs, weights):
    kernel, *bias = weights
    *kernel_shape, _, _ = kernel.shape
    n = len(kernel_shape)
    if config.get("output_padding") is not None:
        raise UnsupportedLayer("output_padding has no converter")
    if np.max(config["dilation_rate"]) > 1:
        raise UnsupportedLayer("dilation_rate has no converter")
    strides = np.broadcast_to(config["strides"], n)
    excess = np.array(kernel_shape) - strides
    cut = (
        np.maximum(excess, 0) if config["padding"] == "same" else np.zeros_like(excess)
    )
    x = nodes.add(
        "ConvTranspose",
        _channels_first(nodes, config, *inputs, n),
        np.transpose(kernel, [n + 1, n, *range(n)]),
        strides=strides.tolist(),
        pads=[*(cut // 2).tolist(), *(cut - cut // 2).tolist()],
        output_padding=np.maximum(-excess, 0).tolist(),
    )
    return _end_of_convolution(nodes, config, x, bias, n)


def _pooling(operator, n, **attributes):
    def pool(nodes, config, inputs, _):
        size = _per_axis(config["pool_size"], n)
        x = nodes.add(
            operator,
            _channels_first(nodes, config, *inputs, n),
            kernel_shape=size,
            strides=_per_axis(config["strides"] or size, n),
            **_padding(config, size, [1]),
            **attributes,
        )
        return _channels_last(nodes, x, n)

    return pool


def _global_pooling(operator, n):
    def pool(nodes, config, inputs, _):
        _check_channels_last(config)
        axes = list(range(1, n + 1))
        return nodes.reduce(operator, *inputs, axes, keepdims=int(config["keepdims"]))

    return pool


def _upsampling(n):
    def upsample(nodes, config, inputs, _):
        scales = np.array([1, 1, *_per_axis(config["size"], n)], np.float32)
        mode = config.get("interpolation", "nearest")
        if mode not in _INTERPOLATIONS:
            raise UnsupportedLayer(f"interpolation={mode!r} has no converter")
        x = _channels_first(nodes, config, *inputs, n)
        x = nodes.add("Resize", x, _NO_REGION, scales, **_INTERPOLATIONS[mode])
        return _channels_last(nodes, x, n)

    return upsample


_NO_REGION = np.zeros(0, np.float32)

_INTERPOLATIONS = {
    "nearest": {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    },
    "bilinear": {
        "mode": "linear",
        "coordinate_transformation_mode": "half_pixel",
    },
}


def _cropping(n):
    def crop(nodes, config, inputs, _):
        _check_channels_last(config)
        crops = np.reshape(config["cropping"], (n, 2)).astype(np.int64)
        ends = np.where(crops[:, 1] > 0, -crops[:, 1], END)
        axes = np.arange(1, n + 1)
        return nodes.add("Slice", *inputs, crops[:, 0], ends, axes)

    return crop


def _zero_padding(n):
    def pad(nodes, config, inputs, _):
        _check_channels_last(config)
        pads = np.zeros((2, n + 2), np.int64)
        pads[:, 1:-1] = np.reshape(config["padding"], (n, 2)).T
        return nodes.add("Pad", *inputs, pads.ravel())

    return pad


def _repeat_vector(nodes, config, inputs, _):
    x = nodes.add("Unsqueeze", *inputs, np.array([1]))
    return nodes.add("Tile", x, np.array([1, config["n"], 1]))


CONVOLUTIONS: dict[str, LayerFunction] = {"RepeatVector": _repeat_vector}
for _n in (1, 2):
    CONVOLUTIONS |= {
        f"Conv{_n}D": _convolution,
        f"Conv{_n}DTranspose": _transposed_convolution,
        f"MaxPooling{_n}D": _pooling("MaxPool", _n),
        f"AveragePooling{_n}D": _pooling("AveragePool", _n, count_include_pad=0),
        f"GlobalMaxPooling{_n}D": _global_pooling("ReduceMax", _n),
        f"GlobalAveragePooling{_n}D": _global_pooling("ReduceMean", _n),
        f"UpSampling{_n}D": _upsampling(_n),
        f"Cropping{_n}D": _cropping(_n),
        f"ZeroPadding{_n}D": _zero_padding(_n),
    }
