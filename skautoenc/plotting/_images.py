"""Rows as images: their shape and their colours."""

import json
import math

import numpy as np

from ._rows import flat, steps_of
from ._style import styled


def known_image_shape(estimator, n_features):
    """Shape of the images of `n_features` pixels that an autoencoder was fitted on.

    Returns
    -------
    tuple of int
        Or None, where no step has an autoencoder that works on images of that size.
    """
    shapes = [_row_shape(step) for step in steps_of(estimator)]
    return next(
        (
            tuple(shape)
            for shape in shapes
            if is_image_shape(shape) and math.prod(shape) == n_features
        ),
        None,
    )


def _row_shape(fitted):
    """Shape of the rows that `fit` was given, or that the encoder works on; or ()."""
    if shape := getattr(fitted, "_row_shape", None):
        return shape
    if not hasattr(fitted, "_encoder"):
        return ()
    # An encoder of images begins with a layer that gives flat rows their shape.
    for layer in json.loads(fitted._encoder.config)["config"]["layers"][:2]:
        if layer["class_name"] == "Reshape":
            return layer["config"]["target_shape"]
    return ()


def is_image_shape(shape):
    """Whether it is (height, width) or (height, width, channels), and no signal."""
    return min(shape[:2], default=0) > 1 and (
        len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4))
    )


def shaped(rows, name, shape, sides):
    """Rows as images, or an error that names the parameter."""
    rows = flat(rows)
    if np.size(shape) not in sides or math.prod(shape) != rows.shape[1]:
        raise ValueError(
            f"{name}={shape!r} does not fit rows of {rows.shape[1]} numbers: it must "
            f"be a tuple of {' or '.join(map(str, sides))} numbers with that product."
        )
    return rows.reshape(-1, *shape)


def most_square(n):
    """Two whole numbers whose product is n, as close to each other as there are."""
    height = next(i for i in range(math.isqrt(n), 0, -1) if n % i == 0)
    return height, n // height


def within_unit(images, low, high):
    """Images of several channels as colours between 0 and 1.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width, channels)

    low, high : float
        Range of the images, which is widened to that of colours, 0 to 1.
    """
    low, high = min(low, 0), max(high, 1)
    return np.clip((images - low) / (high - low), 0, 1)


def image_keywords(name, defaults, given):
    """Keywords of `Axes.imshow`, where a norm that is given replaces its limits."""
    from matplotlib.image import AxesImage

    if "norm" in (given or {}):
        defaults = {k: defaults[k] for k in defaults.keys() - {"vmin", "vmax"}}
    return styled(name, defaults, given, AxesImage)
