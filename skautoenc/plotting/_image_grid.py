"""ImageGridDisplay."""

import math
from numbers import Integral

import numpy as np
from sklearn.utils import check_array, check_scalar
from sklearn.utils.validation import check_is_fitted

from ._images import (
    image_keywords,
    is_image_shape,
    known_image_shape,
    shaped,
    within_unit,
)
from ._rows import dense, flat, inverse_of_steps, steps_of
from ._style import axes_to_draw_in, name_ticks, to_frame

_MAX_IMAGES_ABREAST = 10

# Share of the codes, in percent, that a plane leaves out at each of its sides.
_MARGIN = 2


class ImageGridDisplay:
    """Images side by side, in rows and columns.

    It is recommended to use :meth:`from_images`, :meth:`from_estimator` for samples of
    a generative model, or :meth:`from_code_plane` for what codes decode to.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or \
            (n_images, height, width, channels)
        Row by row, from the top left. With 1, 3 or 4 channels.

    n_cols : int
        Images abreast.

    row_names, column_names : sequence, default=None
        What is written beside each row, and below each column.

    xlabel, ylabel : str, default=None
        What the names of columns and rows are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the images, which are one image in it. The centre of the image in row
        i and column j, both counted from 0, has the coordinates (j, i).

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
        images,
        n_cols,
        row_names=None,
        column_names=None,
        xlabel=None,
        ylabel=None,
    ):
        self.images = images
        self.n_cols = n_cols
        self.row_names = row_names
        self.column_names = column_names
        self.xlabel = xlabel
        self.ylabel = ylabel

    def plot(self, ax=None, *, cmap="gray", image_kwargs=None):
        """Draw the images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`. Colours have one scale, from the
            lowest to the highest value of all images, unless ``vmin`` and ``vmax`` say
            otherwise.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `images` are no images.
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
        # Pixels from the centre of an image to that of the next.
        down, across = height + gap, width + gap
        tile_height = down / across
        inch = min(0.8, 8 / self.n_cols, 8 / (n_rows * tile_height))
        row_names, column_names = _texts(self.row_names), _texts(self.column_names)
        ax = axes_to_draw_in(
            ax,
            figsize=(
                0.4 + inch * self.n_cols + _room_for(row_names),
                0.4 + inch * n_rows * tile_height + _room_for(column_names),
            ),
        )
        low, high = np.min(self.images), np.max(self.images)
        defaults = {
            "cmap": cmap,
            "vmin": low,
            "vmax": high,
            "aspect": tile_height,
            # Centres of images are whole numbers.
            "extent": (
                -width / across / 2,
                self.n_cols - 1 + width / across / 2,
                n_rows - 1 + height / down / 2,
                -height / down / 2,
            ),
        }
        ax.imshow(
            _mosaic(self.images, n_rows, self.n_cols, gap, low, high),
            **image_keywords("image_kwargs", defaults, image_kwargs),
        )
        ax.set(xlabel=self.xlabel, ylabel=self.ylabel, xticks=[], yticks=[])
        ax.tick_params(length=0)
        # Constrained layout makes no room for names below axes that float in theirs.
        ax.set_anchor("SW")
        ax.spines[:].set_visible(False)
        for axis, names in (ax.yaxis, row_names), (ax.xaxis, column_names):
            if names:
                name_ticks(axis, names)
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    def frame(self):
        """Images as a table.

        Returns
        -------
        DataFrame
            A row for each image. Its columns are ``row`` and ``column``, which hold
            the names of these, or else numbers from 0; then the pixels, ``x0`` and so
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
        pixels = {f"x{i}": values for i, values in enumerate(pixels.T)}
        return to_frame({"row": rows, "column": columns, **pixels})

    @classmethod
    def from_images(
        cls,
        images,
        *,
        n_rows=None,
        n_cols=None,
        image_shape=None,
        row_names=None,
        column_names=None,
        cmap="gray",
        image_kwargs=None,
        ax=None,
    ):
        """Draw images.

        Parameters
        ----------
        images : {array-like, sparse matrix} of shape (n_images, n_pixels)
            Or of shape (n_images, height, width) or (n_images, height, width,
            channels), with 1, 3 or 4 channels.

        n_rows : int, default=None
            Rows of images to draw: the first ones. None draws all images.

        n_cols : int, default=None
            Images abreast. None draws 10, or as many as `n_rows` asks for.

        image_shape : tuple of int, default=None
            Shape of the image that a flat row is: (height, width) or (height, width,
            channels).

        row_names, column_names : sequence, default=None
            What is written beside each row, and below each column.

        cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`.

        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        Returns
        -------
        display : :class:`ImageGridDisplay`

        Raises
        ------
        ValueError
            If `images` are no images, `image_shape` does not fit them, or there are
            more or fewer names than rows or columns.

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
        images = _checked(images, "images", image_shape, None)
        for name, number in ("n_rows", n_rows), ("n_cols", n_cols):
            if number is not None:
                check_scalar(number, name, Integral, min_val=1)
        n = len(images)
        if n_cols is None:
            n_cols = min(n, _MAX_IMAGES_ABREAST) if n_rows is None else -(-n // n_rows)
        if n_rows is not None:
            images = images[: n_rows * n_cols]
        n_rows = math.ceil(len(images) / n_cols)
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
            images=images,
            n_cols=n_cols,
            row_names=row_names,
            column_names=column_names,
        ).plot(ax, cmap=cmap, image_kwargs=image_kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        n_rows=4,
        n_cols=10,
        random_state=None,
        image_shape=None,
        cmap="gray",
        image_kwargs=None,
        ax=None,
    ):
        """Draw samples of a generative model.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with `sample`, such as a
            :class:`~skautoenc.VariationalAutoencoder`; or a pipeline that ends with
            one, whose steps before have `inverse_transform`.

        n_rows, n_cols : int, default=4, 10
            Rows and columns of samples.

        random_state : int, RandomState instance or None, default=None
            Goes to `sample`.

        image_shape : tuple of int, default=None
            Shape of the image that a flat row is: (height, width) or (height, width,
            channels). None takes that of the images that the autoencoder was fitted on
            or has a network for.

        cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`.

        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        Returns
        -------
        display : :class:`ImageGridDisplay`

        Raises
        ------
        TypeError
            If the estimator has no `sample`.
        ValueError
            If `image_shape` does not fit the samples, or is needed.

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
        *before, last = steps_of(estimator)
        if not hasattr(last, "sample"):
            raise TypeError(
                f"{type(last).__name__} has no sample, as VariationalAutoencoder has. "
                "Images from elsewhere go to ImageGridDisplay.from_images, and codes "
                "to ImageGridDisplay.from_code_plane."
            )
        for name, number in ("n_rows", n_rows), ("n_cols", n_cols):
            check_scalar(number, name, Integral, min_val=1)
        rows = last.sample(n_rows * n_cols, random_state=random_state)
        rows = inverse_of_steps(before, rows)
        return cls(
            images=_checked(rows, "samples", image_shape, estimator), n_cols=n_cols
        ).plot(ax, cmap=cmap, image_kwargs=image_kwargs)

    @classmethod
    def from_code_plane(
        cls,
        estimator,
        X=None,
        *,
        limits=None,
        components=(0, 1),
        n_rows=11,
        n_cols=11,
        image_shape=None,
        cmap="gray",
        image_kwargs=None,
        ax=None,
    ):
        """Decode a regular grid of codes in the plane of two components.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with `inverse_transform`; a pipeline too.

        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows whose codes say which part of the plane is drawn: each component goes
            from their 2nd to their 98th percentile. Further components have their mean
            over X; without X they are 0.

        limits : tuple of two float, or of two such tuples, default=None
            Lowest and highest value of the components: of both, or of the one across
            and the one upwards. None takes them from X.

        components : tuple of two int, default=(0, 1)
            The component that changes from left to right, and the one that changes
            from bottom to top.

        n_rows, n_cols : int, default=11
            Rows and columns of images.

        image_shape : tuple of int, default=None
            Shape of the image that a flat row is: (height, width) or (height, width,
            channels). None takes that of the images that the autoencoder was fitted on
            or has a network for.

        cmap : str or matplotlib Colormap, default="gray"
            Of images with one channel.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`.

        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        Returns
        -------
        display : :class:`ImageGridDisplay`

        Raises
        ------
        TypeError
            If the estimator has no `inverse_transform`.
        ValueError
            If neither `limits` nor X is given, if `limits` or `components` are not
            valid, or if `image_shape` does not fit the rows, or is needed.

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
        for name, number in ("n_rows", n_rows), ("n_cols", n_cols):
            check_scalar(number, name, Integral, min_val=1)
        codes = None if X is None else dense(estimator.transform(X))
        n_components = _n_components(estimator) if codes is None else codes.shape[1]
        if n_components < 2:
            raise ValueError(
                f"A plane needs 2 components, but {type(estimator).__name__} has 1 "
                "component."
            )
        if not (
            np.shape(components) == (2,)
            and all(isinstance(i, Integral) for i in components)
            and components[0] != components[1]
            and all(0 <= i < n_components for i in components)
        ):
            raise ValueError(
                f"components must be two different numbers from 0 to "
                f"{n_components - 1}; got {components!r}."
            )
        if limits is not None:
            (left, right), (bottom, top) = _checked_limits(limits)
        elif codes is not None:
            ends = np.percentile(codes, [_MARGIN, 100 - _MARGIN], axis=0)
            (left, right), (bottom, top) = ends.T[list(components)].tolist()
        else:
            raise ValueError(
                "Which part of the plane is to be drawn? Give rows as X, whose codes "
                "lie there, or limits, such as limits=(-2, 2)."
            )
        across = np.linspace(left, right, n_cols)
        upwards = np.linspace(bottom, top, n_rows)
        centre = np.zeros(n_components) if codes is None else codes.mean(axis=0)
        plane = np.tile(centre, (n_rows * n_cols, 1))
        plane[:, components[0]] = np.tile(across, n_rows)
        plane[:, components[1]] = np.repeat(upwards[::-1], n_cols)
        rows = estimator.inverse_transform(plane)
        return cls(
            images=_checked(rows, "decoded rows", image_shape, estimator),
            n_cols=n_cols,
            row_names=upwards[::-1],
            column_names=across,
            xlabel=f"component {components[0]}",
            ylabel=f"component {components[1]}",
        ).plot(ax, cmap=cmap, image_kwargs=image_kwargs)


def _checked(images, name, image_shape, estimator):
    """Images of the shape that is given, or known from the estimator."""
    images = check_array(
        dense(images), dtype=np.float64, allow_nd=True, input_name=name
    )
    if image_shape is not None:
        return shaped(images, "image_shape", image_shape, (2, 3))
    if images.ndim == 2 and estimator is not None:
        image_shape = known_image_shape(estimator, images.shape[1])
    if images.ndim == 2 and image_shape is None:
        raise ValueError(
            f"{name} are flat rows of {images.shape[1]} numbers, so image_shape is "
            "needed: (height, width) or (height, width, channels)."
        )
    return images if image_shape is None else images.reshape(-1, *image_shape)


def _n_components(estimator):
    """Width of the codes of a fitted reducer."""
    return len(steps_of(estimator)[-1].get_feature_names_out())


def _checked_limits(limits):
    """Two pairs of numbers, the lower one first."""
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


def _mosaic(images, n_rows, n_cols, gap, low, high):
    """All images in one, with empty pixels between them."""
    images = np.asarray(images, dtype=np.float64)
    if images.ndim == 3:
        images = images[..., np.newaxis]
    empty = np.nan
    if images.shape[3] > 1:
        images, empty = within_unit(images, low, high), 1.0
    n, height, width, channels = images.shape
    tiles = np.full((n_rows * n_cols, height + gap, width + gap, channels), empty)
    tiles[:n, :height, :width] = images
    tiles = tiles.reshape(n_rows, n_cols, height + gap, width + gap, channels)
    mosaic = tiles.swapaxes(1, 2).reshape(
        n_rows * (height + gap), n_cols * (width + gap), channels
    )[:-gap, :-gap]
    return mosaic if channels > 1 else mosaic[..., 0]


def _texts(names):
    """Names as they are written: numbers with three digits."""
    return [
        f"{name:.3g}" if isinstance(name, float) else str(name)
        for name in (() if names is None else names)
    ]


def _room_for(names):
    """Inches that the longest name takes."""
    return 0.1 * max(map(len, names), default=0)
