"""ConvNetwork."""

import functools
from typing import Any

import numpy as np

from .._backend.keras import import_keras
from .._utils.blocks import ceil_div
from ._base import Network
from ._layer_parameters import has_linear_path, is_count, keras_settings


class ConvNetwork(Network):
    """Convolutional encoder and its mirror image as decoder, for images and signals.

    Each layer of the encoder convolves and halves the image, rounding up; each layer of
    the decoder convolves and doubles it, cropped to the size that it had in the
    encoder.

    As every callable `network` of an estimator, it is called with
    ``(input_shape, n_components)`` and returns the encoder and the decoder as Keras
    models. They compute in the precision of Keras's dtype policy, such as
    ``"mixed_bfloat16"``, except for the linear path and the dense layers beside it;
    losses, codes and reconstructions are float32.

    Parameters
    ----------
    image_shape : tuple of int
        ``(height, width, channels)`` for images, where grey images have 1 channel;
        ``(length,)`` or ``(length, channels)`` for signals, for which convolutions are
        1-D. Its product is the number of features, whether rows are given flat or as
        arrays.

    filters : int or sequence of int, default=(16, 32)
        Filters of each layer of the encoder; the decoder has them in reverse order.
        16 means ``(16,)``.

    kernel_size : int or sequence of int, default=3
        Kernel size of every convolution, or one for each axis of the image.

    downsampling : {"max_pool", "average_pool", "stride"} or a sequence, \
            default="stride"
        How a layer of the encoder halves the image: by pooling 2x2 pixels, or by a
        stride of 2. A sequence has one value for each layer.

    upsampling : {"nearest", "transpose"}, default="nearest"
        How a layer of the decoder doubles it: by repeating pixels after a
        convolution, or by a transposed convolution.

    activation : str, callable or None, default="silu"
        Activation of the hidden layers: any of Keras. It is applied after pooling,
        which is faster, and the same for max pooling and non-decreasing activations.
        None is linear.

    code_activation : str, callable or None, default="linear"
        Activation of the code.

    output_activation : str, callable or None, default="linear"
        Activation of the reconstruction.

    kernel_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on every kernel. A number is the strength of an L2 penalty;
        ``{"l1": 1e-5, "l2": 1e-4}`` gives one or both.

    activity_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on the code, in the same format.

    linear_path : bool or "auto", default="auto"
        Whether to add a linear function of the image to the code, and one of the code
        to the reconstruction, so that convolutions learn only the nonlinear part. Such
        a network can be initialized as exactly PCA. ``"auto"`` adds them if code and
        output are linear and `n_components` is a number. They have
        ``2 * n_features * n_components`` weights.

    References
    ----------
    J. Masci et al., "Stacked Convolutional Auto-Encoders for Hierarchical Feature
    Extraction", ICANN (2011); A. Odena et al., "Deconvolution and Checkerboard
    Artifacts", Distill (2016), for ``upsampling="nearest"``; K. He et al., "Deep
    Residual Learning for Image Recognition", CVPR (2016), for linear paths beside
    nonlinear layers.

    Examples
    --------
    >>> from skautoenc import ConvNetwork
    >>> network = ConvNetwork((28, 28, 1), filters=(16, 8, 8))
    >>> encoder, decoder = network((784,), n_components=None)
    >>> encoder.output_shape, decoder.output_shape
    ((None, 4, 4, 8), (None, 28, 28, 1))
    """

    def __init__(
        self,
        image_shape,
        filters=(16, 32),
        kernel_size=3,
        *,
        downsampling="stride",
        upsampling="nearest",
        activation="silu",
        code_activation="linear",
        output_activation="linear",
        kernel_regularizer=None,
        activity_regularizer=None,
        linear_path="auto",
    ):
        self.image_shape = image_shape
        self.filters = filters
        self.kernel_size = kernel_size
        self.downsampling = downsampling
        self.upsampling = upsampling
        self.activation = activation
        self.code_activation = code_activation
        self.output_activation = output_activation
        self.kernel_regularizer = kernel_regularizer
        self.activity_regularizer = activity_regularizer
        self.linear_path = linear_path

    def __call__(
        self, input_shape: tuple[int, ...], n_components: int | None
    ) -> tuple[Any, Any]:
        """Build the encoder and the decoder.

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one row; its product must be that of `image_shape`.

        n_components : int or None
            Width of the code: a dense layer on top of the last feature map. If None,
            the code is the feature map itself.

        Returns
        -------
        encoder, decoder : keras.Model
            From and to images.

        Raises
        ------
        ValueError
            If `image_shape` does not fit the rows, or has too few pixels to be halved
            by every layer, if `linear_path` is True although the code or the output is
            not linear or `n_components` is None, or if a parameter is invalid.
        """
        image, filters, downsampling = self._checked(input_shape)
        sizes = [image[:-1]]
        for _ in filters:
            sizes.append(tuple(ceil_div(size, 2) for size in sizes[-1]))
        found = keras_settings(self)
        found["linear_path"] = has_linear_path(
            self,
            "a number as n_components",
            f"n_components={n_components}",
            is_possible=n_components is not None,
        )
        encoder = self._encoder(image, filters, downsampling, n_components, found)
        decoder = self._decoder(
            sizes[::-1], image[-1], filters[::-1], n_components, found
        )
        return encoder, decoder

    def _encoder(self, image, filters, downsampling, n_components, found):
        keras = import_keras()
        inputs = h = keras.Input(image, name="encoder_input")
        for i, (n_filters, way) in enumerate(
            zip(filters, downsampling, strict=True), start=1
        ):
            strides = 2 if way == "stride" else 1
            h = self._convolution(
                n_filters, found, strides=strides, name=f"encoder_{i}"
            )(h)
            if way != "stride":
                h = self._layer(_POOLING[way])(2, padding="same")(h)
            if n_components is None and i == len(filters):
                break
            h = keras.layers.Activation(found["activation"])(h)
        code = {"activity_regularizer": found["activity_regularizer"], "name": "code"}
        if n_components is None:
            h = keras.layers.Activation(found["code_activation"], **code)(h)
            return keras.Model(inputs, h, name="encoder")
        h = keras.layers.Flatten()(h)
        dense = functools.partial(
            keras.layers.Dense,
            n_components,
            kernel_regularizer=found["kernel_regularizer"],
        )
        if not found["linear_path"]:
            h = dense(activation=found["code_activation"], **code)(h)
            return keras.Model(inputs, h, name="encoder")
        exact = {"dtype": _weight_dtype()}
        h = dense(name="code_nonlinear", **exact)(h)
        path = keras.layers.Reshape((int(np.prod(image)),), **exact)(inputs)
        path = dense(use_bias=False, name="code_linear", **exact)(path)
        h = keras.layers.Add(**exact, **code)([h, path])
        return keras.Model(inputs, h, name="encoder")

    def _decoder(self, sizes, channels, filters, n_components, found):
        keras = import_keras()
        smallest, image = (*sizes[0], filters[0]), (*sizes[-1], channels)
        if n_components is None:
            inputs = h = keras.Input(smallest, name="decoder_input")
        else:
            inputs = keras.Input((n_components,), name="decoder_input")
            exact = {"dtype": _weight_dtype()} if found["linear_path"] else {}
            h = keras.layers.Dense(
                int(np.prod(smallest)),
                activation=found["activation"],
                kernel_regularizer=found["kernel_regularizer"],
                name="decoder_dense",
                **exact,
            )(inputs)
            h = keras.layers.Reshape(smallest)(h)
        for i, n_filters in enumerate(filters, start=1):
            settings = {"activation": found["activation"], "name": f"decoder_{i}"}
            if self.upsampling == "transpose":
                h = self._convolution(
                    n_filters, found, "Conv{}DTranspose", strides=2, **settings
                )(h)
            else:
                h = self._convolution(n_filters, found, **settings)(h)
                h = self._layer("UpSampling{}D")(2)(h)
            excess = [2 * a - b for a, b in zip(sizes[i - 1], sizes[i], strict=True)]
            if any(excess):
                crops = tuple((0, n) for n in excess)
                crops = crops if len(crops) > 1 else crops[0]
                h = self._layer("Cropping{}D")(crops)(h)
        name, has_path = "reconstruction", found["linear_path"]
        h = self._convolution(
            channels,
            found,
            activation=found["output_activation"],
            name=f"{name}_nonlinear" if has_path else name,
        )(h)
        if has_path:
            path = keras.layers.Dense(
                int(np.prod(image)),
                kernel_regularizer=found["kernel_regularizer"],
                name=f"{name}_linear",
                **exact,
            )(inputs)
            path = keras.layers.Reshape(image, **exact)(path)
            h = keras.layers.Add(name=name, **exact)([h, path])
        return keras.Model(inputs, h, name="decoder")

    def _convolution(self, n_filters, found, kind="Conv{}D", **settings):
        return self._layer(kind)(
            n_filters,
            np.broadcast_to(self.kernel_size, self._n_axes).tolist(),
            padding="same",
            kernel_regularizer=found["kernel_regularizer"],
            **settings,
        )

    def _layer(self, kind):
        """The Keras class for the number of axes of the image."""
        keras = import_keras()
        return getattr(keras.layers, kind.format(self._n_axes))

    @property
    def _n_axes(self):
        return 2 if len(self.image_shape) == 3 else 1

    def _checked(self, input_shape):
        """The image's shape with channels, filters, and downsampling of each layer."""
        image = self._checked_image(input_shape)
        filters = [self.filters] if is_count(self.filters) else self.filters
        if not _are_counts(filters):
            raise ValueError(
                "filters must hold positive whole numbers, one per layer of the "
                f"encoder; got {self.filters!r}."
            )
        self._check_kernel_size()
        downsampling = self._checked_downsampling(len(filters))
        if self.upsampling not in ("nearest", "transpose"):
            raise ValueError(
                f"upsampling must be 'nearest' or 'transpose'; got {self.upsampling!r}."
            )
        self._check_can_be_halved(image, len(filters))
        return image, [int(n) for n in filters], downsampling

    def _checked_image(self, input_shape):
        image = self.image_shape
        if not (isinstance(image, tuple | list) and _are_counts(image, at_most=3)):
            raise ValueError(
                "image_shape must be (height, width, channels) for images, (length,) "
                f"or (length, channels) for signals; got {image!r}."
            )
        image = tuple(map(int, image))
        if np.prod(image) != np.prod(input_shape):
            raise ValueError(
                f"image_shape={image} has {np.prod(image)} values, but a row of X has "
                f"{np.prod(input_shape)}."
            )
        return (*image, 1) if len(image) == 1 else image

    def _check_kernel_size(self):
        size = self.kernel_size
        are_counts = _are_counts(size if np.ndim(size) else [size])
        if not are_counts or np.shape(size) not in ((), (self._n_axes,)):
            raise ValueError(
                "kernel_size must be a positive whole number, or one for each axis of "
                f"the image; got {self.kernel_size!r}."
            )

    def _checked_downsampling(self, n_layers):
        given, known = self.downsampling, [*_POOLING, "stride"]
        if isinstance(given, str):
            given = [given] * n_layers
        if np.shape(given) != (n_layers,) or not set(known).issuperset(given):
            raise ValueError(
                f"downsampling must be one of {known}, or one for each of the "
                f"{n_layers} layers; got {self.downsampling!r}."
            )
        return list(given)

    def _check_can_be_halved(self, image, n_layers):
        smallest = min(image[:-1])
        for n_before in range(n_layers):
            if smallest == 1:
                raise ValueError(
                    f"filters={self.filters!r} has {n_layers} layers that halve the "
                    f"image, but after {n_before} of them one axis of "
                    f"image_shape={self.image_shape!r} has length 1. Use fewer "
                    "layers, and make sure that the channels are the last axis."
                )
            smallest = ceil_div(smallest, 2)


def _weight_dtype():
    """The precision of weights, in which layers beside the code compute.

    In half precision rounding errors would be comparable to the residual of PCA, and
    the axes of the code could not be changed exactly.
    """
    keras = import_keras()
    return keras.config.dtype_policy().variable_dtype


_POOLING = {"max_pool": "MaxPooling{}D", "average_pool": "AveragePooling{}D"}


def _are_counts(values, at_most=None):
    return (
        np.ndim(values) == 1
        and 0 < len(values) <= (at_most or len(values))
        and all(map(is_count, values))
    )
