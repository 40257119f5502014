"""ImageGridDisplay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from .._utils.blocks import to_dense
from ._axes import LETTER_WIDTH, max_length, resolve_axes, set_tick_labels
from ._images import MAX_IMAGES_PER_ROW, as_images, is_image_shape, mosaic
from ._pipelines import inverse_transform_steps, steps_of
from ._rows import as_floats, flat, to_frame
from ._style import merge_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from numpy.random import RandomState
    from numpy.typing import ArrayLike
    from pandas import DataFrame

# Percentage of the codes that is outside the plane at each side.
_OUTER_PERCENTAGE = 2


class ImageGridDisplay:
    """Images side by side, in rows and columns.

    It is recommended to use :meth:`from_images`, :meth:`from_estimator` for samples of
    a generative model, or :meth:`from_code_plane` for decoded codes.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or \
            (n_images, height, width, channels)
        Images in row-major order, with 1, 3 or 4 channels.

    n_cols : int
        Number of columns.

    row_names, column_names : sequence, default=None
        Tick labels of rows and columns.

    xlabel, ylabel : str, default=None
        Labels of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the images, drawn as one matplotlib image. The centre of the image in
        row i and column j, both counted from 0, has the coordinates (j, i).

    figure_ : matplotlib Figure
        Figure containing the images.

    See Also
    --------
    ReconstructionDisplay : Images above their reconstructions, with errors.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skautoenc.plotting import ImageGridDisplay
    >>> images = load_digits().images[:15]
    >>> display = ImageGridDisplay(images=images, n_cols=5).plot(cmap="gray_r")
    >>> display.frame()[["row", "column"]].max().tolist()
    [2, 4]
    """

    def __init__(
        self,
        *,
        images: np.ndarray,
        n_cols: int,
        row_names: Sequence[Any] | np.ndarray | None = None,
        column_names: Sequence[Any] | np.ndarray | None = None,
        xlabel: str | None = None,
        ylabel: str | None = None,
    ) -> None:
        self.images = images
        self.n_cols = n_cols
        self.row_names = row_names
        self.column_names = column_names
        self.xlabel = xlabel
        self.ylabel = ylabel

    def plot(
        self,
        ax: Axes | None = None,
        *,
        cmap: str | Colormap = "gray",
        image_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        cmap : str or matplotlib Colormap, default="gray"
            Colour map of images with one channel.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`. The default limits ``vmin`` and
            ``vmax`` are the lowest and the highest value of all images.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `images` do not have the shape of images.
        """
        shape = np.shape(self.images)
        if not is_image_shape(shape[1:]):
            raise ValueError(
                "images must have the shape (n_images, height, width), or (n_images, "
                f"height, width, channels) with 1, 3 or 4 channels; got {shape}."
            )
        height, width = shape[1:3]
        gap = max(1, round(0.06 * max(height, width)))
        n_rows = math.ceil(len(self.images) / self.n_cols)
        # A cell of the grid is an image and the gap that follows it.
        cell_height, cell_width = height + gap, width + gap
        aspect = cell_height / cell_width
        row_names, column_names = _as_text(self.row_names), _as_text(self.column_names)
        inches = min(0.8, 8 / self.n_cols, 8 / (n_rows * aspect))
        figsize = (
            0.4 + inches * self.n_cols + LETTER_WIDTH * max_length(row_names),
            0.4 + inches * n_rows * aspect + LETTER_WIDTH * max_length(column_names),
        )
        low, high = np.min(self.images), np.max(self.images)
        # In units of cells, so that the coordinates of centres are integers.
        half_height, half_width = height / cell_height / 2, width / cell_width / 2
        defaults = {
            "cmap": cmap,
            "vmin": low,
            "vmax": high,
            "aspect": aspect,
            "extent": (
                -half_width,
                self.n_cols - 1 + half_width,
                n_rows - 1 + half_height,
                -half_height,
            ),
        }
        ax = resolve_axes(ax, figsize)
        ax.imshow(
            mosaic(self.images, self.n_cols, gap, low, high),
            **merge_kwargs("image_kwargs", defaults, image_kwargs),
        )
        ax.set(xlabel=self.xlabel, ylabel=self.ylabel, xticks=[], yticks=[])
        ax.tick_params(length=0)
        # Constrained layout reserves no space for labels below an image that is
        # centred in its axes.
        ax.set_anchor("SW")
        ax.spines[:].set_visible(False)
        if row_names:
            set_tick_labels(ax.yaxis, row_names)
        if column_names:
            set_tick_labels(ax.xaxis, column_names)
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    def frame(self) -> DataFrame:
        """Images as a table.

        Returns
        -------
        DataFrame
            One row per image. The columns are ``row`` and ``column``, which contain
            the names of these, or else numbers from 0; and the pixels, ``x0`` and so
            on.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pixels = flat(np.asarray(self.images))
        rows, columns = np.divmod(np.arange(len(pixels)), self.n_cols)
        if self.row_names is not None:
            rows = np.asarray(self.row_names)[rows]
        if self.column_names is not None:
            columns = np.asarray(self.column_names)[columns]
        features = {f"x{i}": values for i, values in enumerate(pixels.T)}
        return to_frame({"row": rows, "column": columns, **features})

    @classmethod
    def from_images(
        cls,
        images: ArrayLike,
        *,
        n_rows: int | None = None,
        n_cols: int | None = None,
        image_shape: Sequence[int] | None = None,
        row_names: Sequence[Any] | None = None,
        column_names: Sequence[Any] | None = None,
        cmap: str | Colormap = "gray",
        image_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw images.

        Parameters
        ----------
        images : {array-like, sparse matrix} of shape (n_images, n_pixels)
            Or of shape (n_images, height, width) or (n_images, height, width,
            channels), with 1, 3 or 4 channels.

        n_rows : int, default=None
            Number of rows; further images are not drawn. None draws all images.

        n_cols : int, default=None
            Number of columns. None means 10, or as many as needed for `n_rows` rows.

        image_shape : tuple of int, default=None
            Shape of the image that a flat row represents: (height, width) or (height,
            width, channels).

        row_names, column_names : sequence, default=None
            Tick labels of rows and columns.

        cmap : str or matplotlib Colormap, default="gray"
            Colour map of images with one channel.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`. The default limits ``vmin`` and
            ``vmax`` are the lowest and the highest value of all images.

        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        Returns
        -------
        display : :class:`ImageGridDisplay`

        Raises
        ------
        ValueError
            If `images` do not have the shape of images, `image_shape` does not fit
            them, or the number of names differs from that of rows or columns.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skautoenc.plotting import ImageGridDisplay
        >>> X = load_digits().data
        >>> display = ImageGridDisplay.from_images(
        ...     X, n_rows=4, n_cols=10, image_shape=(8, 8)
        ... )
        >>> display.images.shape
        (40, 8, 8)
        """
        checked = _check_images(images, "images", image_shape)
        _check_counts(n_rows, n_cols, allow_none=True)
        n = len(checked)
        if n_cols is None:
            n_cols = (
                min(n, MAX_IMAGES_PER_ROW) if n_rows is None else math.ceil(n / n_rows)
            )
        if n_rows is not None:
            checked = checked[: n_rows * n_cols]
        n_rows = math.ceil(len(checked) / n_cols)
        for name, names, number in [
            ("row_names", row_names, n_rows),
            ("column_names", column_names, n_cols),
        ]:
            if names is not None and len(names) != number:
                raise ValueError(
                    f"{name} has {len(names)} names, but there are {number} "
                    f"{name.removesuffix('_names')}s."
                )
        return cls(
            images=checked,
            n_cols=n_cols,
            row_names=row_names,
            column_names=column_names,
        ).plot(ax, cmap=cmap, image_kwargs=image_kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        n_rows: int = 4,
        n_cols: int = 10,
        random_state: int | RandomState | None = None,
        image_shape: Sequence[int] | None = None,
        cmap: str | Colormap = "gray",
        image_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw samples of a generative model.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with `sample`, such as a
            :class:`~skautoenc.VariationalAutoencoder`; or a pipeline that ends with
            one, whose earlier steps have `inverse_transform`.

        n_rows, n_cols : int, default=4, 10
            Number of rows and columns.

        random_state : int, RandomState instance or None, default=None
            Passed to `sample`.

        image_shape : tuple of int, default=None
            Shape of the image that a flat row represents: (height, width) or (height,
            width, channels). None means that of the images that the autoencoder was
            fitted on or has a network for.

        cmap : str or matplotlib Colormap, default="gray"
            Colour map of images with one channel.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`. The default limits ``vmin`` and
            ``vmax`` are the lowest and the highest value of all images.

        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        Returns
        -------
        display : :class:`ImageGridDisplay`

        Raises
        ------
        TypeError
            If the estimator has no `sample`.
        ValueError
            If `image_shape` does not fit the samples, or is missing.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skautoenc import VariationalAutoencoder
        >>> from skautoenc.plotting import ImageGridDisplay
        >>> X = load_digits().data / 16
        >>> vae = VariationalAutoencoder(8, beta=0.1, epochs=5).fit(X)
        >>> display = ImageGridDisplay.from_estimator(vae, image_shape=(8, 8))
        >>> display.images.shape
        (40, 8, 8)
        """
        check_is_fitted(estimator)
        *earlier_steps, last = steps_of(estimator)
        if not hasattr(last, "sample"):
            raise TypeError(
                f"{type(last).__name__} has no sample, unlike VariationalAutoencoder. "
                "Use ImageGridDisplay.from_images for images from another source, or "
                "ImageGridDisplay.from_code_plane for decoded codes."
            )
        _check_counts(n_rows, n_cols)
        rows = last.sample(n_rows * n_cols, random_state=random_state)
        rows = inverse_transform_steps(earlier_steps, rows)
        images = _check_images(rows, "samples", image_shape, estimator)
        return cls(images=images, n_cols=n_cols).plot(
            ax, cmap=cmap, image_kwargs=image_kwargs
        )

    @classmethod
    def from_code_plane(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike | None = None,
        *,
        limits: Sequence[Any] | None = None,
        components: tuple[int, int] = (0, 1),
        n_rows: int = 11,
        n_cols: int = 11,
        image_shape: Sequence[int] | None = None,
        cmap: str | Colormap = "gray",
        image_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Decode a regular grid of codes in the plane of two components.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with `inverse_transform`; or a pipeline.

        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows whose codes determine the part of the plane that is drawn: each of the
            two components ranges from their 2nd to their 98th percentile. The other
            components are set to their mean over X, or to 0 without X.

        limits : tuple of two float, or of two such tuples, default=None
            Lowest and highest value of both components, or of the horizontal and the
            vertical one. None computes them from X.

        components : tuple of two int, default=(0, 1)
            The component that increases from left to right, and the one that increases
            from bottom to top.

        n_rows, n_cols : int, default=11
            Number of rows and columns.

        image_shape : tuple of int, default=None
            Shape of the image that a flat row represents: (height, width) or (height,
            width, channels). None means that of the images that the autoencoder was
            fitted on or has a network for.

        cmap : str or matplotlib Colormap, default="gray"
            Colour map of images with one channel.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`. The default limits ``vmin`` and
            ``vmax`` are the lowest and the highest value of all images.

        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        Returns
        -------
        display : :class:`ImageGridDisplay`

        Raises
        ------
        TypeError
            If the estimator has no `inverse_transform`.
        ValueError
            If neither `limits` nor X is given, if `limits` or `components` are
            invalid, or if `image_shape` does not fit the rows, or is missing.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.decomposition import PCA
        >>> from skautoenc.plotting import ImageGridDisplay
        >>> X = load_digits().data
        >>> display = ImageGridDisplay.from_code_plane(
        ...     PCA(2).fit(X), X, image_shape=(8, 8)
        ... )
        >>> display.ax_.get_ylabel()
        'component 1'
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "inverse_transform"):
            raise TypeError(
                f"{type(estimator).__name__} has no inverse_transform, so codes cannot "
                "be decoded."
            )
        _check_counts(n_rows, n_cols)
        codes = None if X is None else to_dense(estimator.transform(X))
        n_components = _n_components(estimator) if codes is None else codes.shape[1]
        if n_components < 2:
            raise ValueError(
                f"A plane needs 2 components, but {type(estimator).__name__} has 1 "
                "component."
            )
        _check_components(components, n_components)
        (left, right), (bottom, top) = _plane_limits(limits, codes, components)
        horizontal = np.linspace(left, right, n_cols)
        vertical = np.linspace(bottom, top, n_rows)[::-1]
        center = np.zeros(n_components) if codes is None else codes.mean(axis=0)
        plane = np.tile(center, (n_rows * n_cols, 1))
        plane[:, components[0]] = np.tile(horizontal, n_rows)
        plane[:, components[1]] = np.repeat(vertical, n_cols)
        rows = estimator.inverse_transform(plane)
        return cls(
            images=_check_images(rows, "decoded rows", image_shape, estimator),
            n_cols=n_cols,
            row_names=vertical,
            column_names=horizontal,
            xlabel=f"component {components[0]}",
            ylabel=f"component {components[1]}",
        ).plot(ax, cmap=cmap, image_kwargs=image_kwargs)


def _check_images(images, name, image_shape, estimator=None):
    """Images in the given shape, or in that known from the estimator."""
    images = as_images(as_floats(name, images), image_shape, estimator)
    if images.ndim == 2:
        raise ValueError(
            f"{name} are flat rows of {images.shape[1]} values. Give image_shape: "
            "(height, width) or (height, width, channels)."
        )
    return images


def _check_counts(n_rows, n_cols, allow_none=False):
    for name, count in ("n_rows", n_rows), ("n_cols", n_cols):
        if not (allow_none and count is None):
            check_scalar(count, name, Integral, min_val=1)


def _check_components(components, n_components):
    if not (
        np.shape(components) == (2,)
        and all(isinstance(i, Integral) for i in components)
        and components[0] != components[1]
        and all(0 <= i < n_components for i in components)
    ):
        raise ValueError(
            "components must be two different integers from 0 to "
            f"{n_components - 1}; got {components!r}."
        )


def _n_components(estimator):
    """Number of components of a fitted reducer."""
    return len(steps_of(estimator)[-1].get_feature_names_out())


def _plane_limits(limits, codes, components):
    """Lowest and highest value of each of the two components."""
    if limits is None:
        if codes is None:
            raise ValueError(
                "The limits of the plane are unknown. Give X, whose codes determine "
                "them, or limits, such as limits=(-2, 2)."
            )
        percentiles = [_OUTER_PERCENTAGE, 100 - _OUTER_PERCENTAGE]
        return np.percentile(codes, percentiles, axis=0).T[list(components)].tolist()
    try:
        pairs = np.broadcast_to(np.asarray(limits, dtype=np.float64), (2, 2))
    except (TypeError, ValueError):
        pairs = np.full((2, 2), np.nan)
    if not (np.isfinite(pairs).all() and (pairs[:, 0] < pairs[:, 1]).all()):
        raise ValueError(
            "limits must be two numbers, (low, high) with low < high, or a pair of "
            f"these for each of the two components; got {limits!r}."
        )
    return pairs.tolist()


def _as_text(names):
    """Names as text: floats with three digits."""
    return [
        f"{name:.3g}" if isinstance(name, float) else str(name)
        for name in (() if names is None else names)
    ]
