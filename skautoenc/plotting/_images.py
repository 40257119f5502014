"""Rows as images: their shape, their colours, and many images as one."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ._pipelines import steps_of
from ._rows import flat

# Images in one row of a figure, unless the user asks for another number.
MAX_IMAGES_PER_ROW = 10

_N_CHANNELS = (1, 3, 4)


def is_drawable_image(shape: Sequence[int]) -> bool:
    """Whether `shape` is (height, width), or has 1, 3 or 4 channels in addition."""
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in _N_CHANNELS)


def is_image_shape(shape: Sequence[int]) -> bool:
    """Whether rows of `shape` are images by default: drawable and not signals."""
    return min(shape[:2], default=0) > 1 and is_drawable_image(shape)


def as_images(
    rows: np.ndarray, image_shape: Sequence[int] | None, estimator: Any = None
) -> np.ndarray:
    """Rows in the shape of images, if that shape is known.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features) or (n_rows, height, width, ...)

    image_shape : tuple of int or None
        Parameter of a display.

    estimator : estimator instance, default=None
        Without `image_shape`, flat rows get the shape of the images that it was fitted
        on.

    Returns
    -------
    ndarray
        `rows` in the shape (n_rows, height, width) or (n_rows, height, width,
        channels), or unchanged.

    Raises
    ------
    ValueError
        If `image_shape` does not fit.
    """
    if image_shape is not None:
        return reshape_rows(rows, "image_shape", image_shape, (2, 3))
    if rows.ndim == 2 and estimator is not None:
        image_shape = _fitted_image_shape(estimator, rows.shape[1])
    return rows if image_shape is None else rows.reshape(-1, *image_shape)


def _fitted_image_shape(estimator, n_features):
    """Shape of images of `n_features` pixels that a step was fitted on, or None."""
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
    """Shape of the rows passed to `fit`, or of the input of the encoder, or ()."""
    if shape := getattr(fitted, "_row_shape", None):
        return shape
    if not hasattr(fitted, "_encoder"):
        return ()
    # An encoder of images begins with a layer that reshapes flat rows.
    for layer in json.loads(fitted._encoder.config)["config"]["layers"][:2]:
        if layer["class_name"] == "Reshape":
            return layer["config"]["target_shape"]
    return ()


def reshape_rows(
    rows: np.ndarray, name: str, shape: Sequence[int], n_axes: Collection[int]
) -> np.ndarray:
    """Rows in the shape (n_rows, \\*shape).

    Parameters
    ----------
    rows : ndarray of shape (n_rows, ...)

    name : str
        Parameter that holds `shape`, for error messages.

    shape : tuple of int

    n_axes : tuple of int
        Allowed lengths of `shape`.
    """
    rows = flat(rows)
    if np.size(shape) not in n_axes or math.prod(shape) != rows.shape[1]:
        raise ValueError(
            f"{name}={shape!r} does not fit rows of {rows.shape[1]} values: it must "
            f"be a tuple of {' or '.join(map(str, n_axes))} integers with that product."
        )
    return rows.reshape(-1, *shape)


def most_square_shape(n: int) -> tuple[int, int]:
    """The two integers closest to each other whose product is n, the lower first."""
    height = next(i for i in range(math.isqrt(n), 0, -1) if n % i == 0)
    return height, n // height


def scale_to_unit(images: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map images of several channels to colours between 0 and 1.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width, channels)

    low, high : float
        Range of the images. It is extended to contain 0 and 1.
    """
    low, high = min(low, 0), max(high, 1)
    return np.clip((images - low) / (high - low), 0, 1)


def mosaic(
    images: np.ndarray, n_cols: int, gap: int, low: float, high: float
) -> np.ndarray:
    """Join images into one image, row by row.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or \
            (n_images, height, width, channels)

    n_cols : int
        Images in one row.

    gap : int
        Pixels between images. They are NaN, or white if images have several channels.

    low, high : float
        Range of images of several channels, as in `scale_to_unit`.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, channels)
    """
    images = np.asarray(images, dtype=np.float64)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    background = np.nan
    if images.shape[3] > 1:
        images, background = scale_to_unit(images, low, high), 1.0
    n, height, width, channels = images.shape
    n_rows = math.ceil(n / n_cols)
    tiles = np.full((n_rows * n_cols, height + gap, width + gap, channels), background)
    tiles[:n, :height, :width] = images
    tiles = tiles.reshape(n_rows, n_cols, height + gap, width + gap, channels)
    joined = tiles.swapaxes(1, 2).reshape(
        n_rows * (height + gap), n_cols * (width + gap), channels
    )[:-gap, :-gap]
    return joined if channels > 1 else joined[..., 0]
