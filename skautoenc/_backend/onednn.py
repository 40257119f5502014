"""Convolutions and max pooling by oneDNN, where TensorFlow has it but does not use it.

On processors without certain vector instructions (AVX512-VNNI), TensorFlow uses oneDNN
only if the environment variable TF_ENABLE_ONEDNN_OPTS is 1 when it is imported, and
else Eigen, with which convolutions are trained about half as fast. The operations of
oneDNN are registered in any case, under other names, by which a graph can call them.
Where they are not registered (builds for other processors), Keras's calls are kept.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .._utils.patching import patched
from .choice import keras_backend
from .keras import import_backend
from .keras_internals import flatten_layers

if TYPE_CHECKING:
    import keras

_PREFIX, _LABEL = "_MklNative", "MklNameChangeOp"
_OPERATIONS = (
    "Conv2D",
    "Conv2DBackpropInput",
    "Conv2DBackpropFilter",
    "MaxPool",
    "MaxPoolGrad",
)
_CONVOLUTIONS = {"Conv1D", "Conv2D"}
_TRANSPOSED = {"Conv1DTranspose", "Conv2DTranspose"}
_POOLINGS = {"MaxPooling1D", "MaxPooling2D"}


@contextlib.contextmanager
def onednn_used(model: "keras.Model") -> Iterator[None]:
    """While TensorFlow traces on a CPU, compute layers by oneDNN.

    Parameters
    ----------
    model : keras.Model
    """
    with contextlib.ExitStack() as stack:
        for layer in flatten_layers(model) if _is_available() else ():
            for name, function in _replacements(layer):
                stack.enter_context(patched(layer, name, function))
        yield


def _replacements(layer):
    """Yield attributes of a layer, and the functions that replace them."""
    if _is_plain(layer, _CONVOLUTIONS) and _is_plain_convolution(layer):
        yield "convolution_op", functools.partial(_convolved, layer)
        if len(layer.strides) == 1:
            # `Conv1D.call` does not use `convolution_op`, unlike the call it overrides.
            yield "call", super(type(layer), layer).call
    elif _is_plain(layer, _TRANSPOSED) and set(layer.dilation_rate) == {1}:
        yield "call", functools.partial(_transposed, layer)
    elif _is_plain(layer, _POOLINGS):
        yield "call", functools.partial(_pooled, layer)


@functools.cache
def _is_available():
    if keras_backend() != "tensorflow":
        return False
    from tensorflow.python.framework import kernels

    found = [kernels.get_registered_kernels_for_op(_PREFIX + o) for o in _OPERATIONS]
    has_gpu = import_backend().config.list_physical_devices("GPU")
    return not has_gpu and all(
        any(kernel.label == _LABEL for kernel in each.kernel) for each in found
    )


def _is_plain(layer, names):
    kind = type(layer)
    return (
        kind.__name__ in names
        and kind.__module__.startswith("keras.")
        and layer.compute_dtype == "float32"
        and layer.data_format == "channels_last"
        and layer.padding in ("same", "valid")
    )


def _is_plain_convolution(layer):
    return layer.groups == 1 and set(layer.dilation_rate) == {1}


def _convolved(layer, inputs, kernel):
    convolution = _Convolution(_pair(layer.strides), layer.padding)
    kernel = _image_kernel(kernel)
    return _on_images(lambda images: convolution.outputs(images, kernel), inputs)


def _transposed(layer, inputs):
    if None in inputs.shape[1:]:  # so the size of the outputs is not known either
        return type(layer).call(layer, inputs)
    tf = import_backend()
    _, *size, filters = layer.compute_output_shape(inputs.shape)
    shape = tf.stack([tf.shape(inputs)[0], *_pair(size), filters])
    kernel = _image_kernel(layer.kernel)
    convolution = _Convolution(_pair(layer.strides), layer.padding)
    outputs = _on_images(
        lambda images: convolution.images_gradient(shape, kernel, images), inputs
    )
    if layer.use_bias:
        outputs = tf.nn.bias_add(outputs, layer.bias)
    return layer.activation(outputs)


def _pooled(layer, inputs):
    size, strides = _pair(layer.pool_size), _pair(layer.strides)
    return _on_images(_max_pool(size, strides, layer.padding), inputs)


def _on_images(function: Callable, inputs: Any) -> Any:
    """Apply a function of images to images or to signals, as images of height 1."""
    tf = import_backend()
    inputs = tf.convert_to_tensor(inputs)
    if len(inputs.shape) == 4:
        return function(inputs)
    return tf.squeeze(function(tf.expand_dims(inputs, 1)), 1)


def _image_kernel(kernel):
    tf = import_backend()
    tensor = tf.convert_to_tensor(kernel)
    return tensor if len(tensor.shape) == 4 else tf.expand_dims(tensor, 0)


def _pair(sizes):
    return (1, *sizes)[-2:]


class _Convolution:
    """A convolution and its gradients, which are differentiable any number of times.

    All three functions are linear in each argument, and the derivatives of each of them
    are the other two.
    """

    def __init__(self, strides: Sequence[int], padding: str):
        self._settings = {"strides": [1, *strides, 1], "padding": padding}

    def outputs(self, images: Any, kernel: Any) -> Any:
        tf = import_backend()
        shape = tf.shape(images)

        @tf.custom_gradient
        def outputs(images, kernel):
            (result,) = _call("Conv2D", [images, kernel], **self._settings)

            def gradients(errors):
                return (
                    self.images_gradient(shape, kernel, errors),
                    self._kernel_gradient(tf.shape(kernel), images, errors),
                )

            return result, gradients

        return outputs(images, kernel)

    def images_gradient(self, shape, kernel, errors):
        tf = import_backend()

        @tf.custom_gradient
        def images_gradient(kernel, errors):
            inputs = [shape, kernel, errors]
            (result,) = _call("Conv2DBackpropInput", inputs, **self._settings)

            def gradients(images):
                return (
                    self._kernel_gradient(tf.shape(kernel), images, errors),
                    self.outputs(images, kernel),
                )

            return result, gradients

        return images_gradient(kernel, errors)

    def _kernel_gradient(self, shape, images, errors):
        tf = import_backend()

        @tf.custom_gradient
        def kernel_gradient(images, errors):
            inputs = [images, shape, errors]
            (result,) = _call("Conv2DBackpropFilter", inputs, **self._settings)

            def gradients(kernel):
                return (
                    self.images_gradient(tf.shape(images), kernel, errors),
                    self.outputs(images, kernel),
                )

            return result, gradients

        return kernel_gradient(images, errors)


def _max_pool(size: Sequence[int], strides: Sequence[int], padding: str) -> Callable:
    """Return the function of images, with its gradient."""
    tf = import_backend()
    window = {
        "ksize": [1, *size, 1],
        "strides": [1, *strides, 1],
        "padding": padding,
    }
    settings = {**window, "workspace_enabled": True}

    @tf.custom_gradient
    def max_pool(images):
        dtypes = [tf.float32, tf.uint8]
        outputs, workspace = _call("MaxPool", [images], dtypes, **settings)

        @tf.custom_gradient
        def gradient(errors):
            inputs = [images, outputs, errors, workspace]
            (result,) = _call("MaxPoolGrad", inputs, **settings)

            def second(images_errors):
                return tf.raw_ops.MaxPoolGradGrad(
                    orig_input=images,
                    orig_output=outputs,
                    grad=images_errors,
                    **{**window, "padding": padding.upper()},
                )

            return result, second

        return outputs, gradient

    return max_pool


def _call(
    operation: str, inputs: Sequence[Any], dtypes: Sequence[Any] = (), **settings: Any
) -> list[Any]:
    """Add an operation to the graph that is being traced; return its outputs."""
    tf = import_backend()

    def value(setting):
        if isinstance(setting, bool):
            return tf.compat.v1.AttrValue(b=setting)
        if isinstance(setting, str):
            return tf.compat.v1.AttrValue(s=setting.upper().encode())
        numbers = tf.compat.v1.AttrValue.ListValue(i=setting)
        return tf.compat.v1.AttrValue(list=numbers)

    attributes = {name: value(setting) for name, setting in settings.items()}
    attributes["T"] = tf.compat.v1.AttrValue(type=tf.float32.as_datatype_enum)
    attributes["_kernel"] = tf.compat.v1.AttrValue(s=_LABEL.encode())
    graph = tf.compat.v1.get_default_graph()
    return graph.create_op(
        _PREFIX + operation,
        inputs,
        dtypes or [tf.float32],
        attrs=attributes,
        name=operation,
    ).outputs
