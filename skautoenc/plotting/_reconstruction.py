"""ReconstructionDisplay."""

import math
from numbers import Integral

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array, check_scalar, indexable
from sklearn.utils.validation import check_is_fitted

from ._style import COLORS, axes_to_draw_in, grid_within, inches, name_ticks

_KINDS = ("auto", "image", "signal", "table")

# Beyond so many features a table's names can no longer be read.
_MOST_TABLED = 50
_MOST_ABREAST = 10


class ReconstructionDisplay:
    """Rows, what a reducer gives back of them, and the error.

    It is recommended to use :meth:`from_estimator`.

    Parameters
    ----------
    originals, reconstructions : ndarray of shape (n_rows, n_features)
        Or images, of shape (n_rows, height, width) or (n_rows, height, width,
        channels) with 1, 3 or 4 channels.

    codes : ndarray of shape (n_rows, height, width), default=None
        To be drawn between images and their reconstructions.

    feature_names : sequence of str of length n_features, default=None
        None takes "x0", "x1" and so on.

    Attributes
    ----------
    errors_ : ndarray of shape (n_rows,)
        Mean squared error of each row.

    ax_ : matplotlib Axes
        Axes with the table; or those that the panels of images or signals lie in,
        which are themselves switched off.

    axes_ : ndarray of Axes
        The panels: of shape (2, n_rows) for images, with originals first, (3, n_rows)
        where their codes lie between, (n_rows,) for signals. Not set for a table.

    figure_ : matplotlib Figure
        Figure containing all.

    Notes
    -----
    The colours of a table go with the root of the squared error, so that one large
    error does not hide the others.

    Panels cover the title of the axes that they lie in. Give a title to the figure,
    or to a subfigure of their own, with its `suptitle`.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.preprocessing import scale
    >>> from skautoenc.plotting import ReconstructionDisplay
    >>> X = scale(load_wine().data)[:12]
    >>> pca = PCA(2).fit(X)
    >>> display = ReconstructionDisplay(
    ...     originals=X, reconstructions=pca.inverse_transform(pca.transform(X))
    ... ).plot()
    >>> display.errors_.shape
    (12,)
    """

    def __init__(self, *, originals, reconstructions, codes=None, feature_names=None):
        self.originals = originals
        self.reconstructions = reconstructions
        self.codes = codes
        self.feature_names = feature_names

    def plot(self, ax=None, *, kind="auto", cmap=None):
        """Draw rows and errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels are laid out in its place. None makes a
            new figure.

        kind : {"auto", "image", "signal", "table"}, default="auto"
            "image" draws originals above reconstructions, "signal" both as lines in a
            panel for each row, and "table" the squared errors as a heat map. "auto" is
            "image" for images, else "table" up to 50 features, and "signal" beyond.

        cmap : str or matplotlib Colormap, default=None
            Of images with one channel, or of the table. None takes "gray" for images
            and "viridis" for the table.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `kind` is not known or does not suit the rows.
        """
        kind = self._kind(kind)
        squares = np.square(_flat(self.originals) - _flat(self.reconstructions))
        self.errors_ = squares.mean(axis=1)
        if kind == "image":
            self.ax_ = self._plot_images(ax, cmap or "gray")
        elif kind == "signal":
            self.ax_ = self._plot_signals(ax)
        else:
            self.ax_ = self._plot_table(ax, squares, cmap or "viridis")
        self.figure_ = self.ax_.figure
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        n_rows=8,
        kind="auto",
        image_shape=None,
        show_codes=False,
        code_shape=None,
        feature_names=None,
        cmap=None,
        ax=None,
    ):
        """Draw the first rows of X and what the estimator gives back of them.

        That is what `reconstruct` gives where the estimator has it, else the inverse
        transform of the codes.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with `transform` and `inverse_transform`, or with `reconstruct`; a
            pipeline too.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or images of shape (n_samples, height, width) or (n_samples, height,
            width, channels), where the estimator takes them.

        n_rows : int, default=8
            Rows to draw: the first ones, or all where there are fewer.

        kind : {"auto", "image", "signal", "table"}, default="auto"
            "image" draws originals above reconstructions, "signal" both as lines in a
            panel for each row, and "table" the squared errors as a heat map. "auto" is
            "image" where X has images or `image_shape` is given, else "table" up to 50
            features, and "signal" beyond: a row of 64 numbers may be an image or not.

        image_shape : tuple of int, default=None
            Shape of the image that a flat row of X is: (height, width) or (height,
            width, channels).

        show_codes : bool, default=False
            Draw the codes as small images too, all on one colour scale.

        code_shape : tuple of (int, int), default=None
            Height and width of a code. None takes the most square that there is.

        feature_names : sequence of str of length n_features, default=None
            Names for the axis of features. None takes those that the estimator has
            seen in `fit`, or "x0", "x1" and so on.

        cmap : str or matplotlib Colormap, default=None
            Of images with one channel, or of the table. None takes "gray" for images
            and "viridis" for the table.

        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels are laid out in its place. None makes a
            new figure.

        Returns
        -------
        display : :class:`ReconstructionDisplay`

        Raises
        ------
        TypeError
            If the estimator cannot reconstruct, or has no codes to show.
        ValueError
            If a shape, or the number of names, does not fit the rows or the codes, or
            if `kind` is not known or does not suit them.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skautoenc import AutoencoderTransformer
        >>> from skautoenc.plotting import ReconstructionDisplay
        >>> X = load_digits().data / 16
        >>> autoencoder = AutoencoderTransformer(16, epochs=5).fit(X)
        >>> display = ReconstructionDisplay.from_estimator(
        ...     autoencoder, X, image_shape=(8, 8), show_codes=True
        ... )
        >>> display.axes_.shape
        (3, 8)
        """
        check_is_fitted(estimator)
        check_scalar(n_rows, "n_rows", Integral, min_val=1)
        if code_shape is not None and not show_codes:
            raise ValueError("code_shape goes with show_codes=True.")
        (X,) = indexable(X)
        X = X[:n_rows]
        reconstructions, codes = _encode_and_decode(estimator, X, show_codes)
        originals = check_array(
            _dense(X), dtype=np.float64, allow_nd=True, input_name="X"
        )
        if reconstructions.size != originals.size:
            raise ValueError(
                f"The reconstruction has the shape {reconstructions.shape}, but X has "
                f"{originals.shape}, so there is nothing to compare."
            )
        if image_shape is not None:
            originals = _shaped(originals, "image_shape", image_shape, (2, 3))
        if show_codes:
            shape = code_shape or _most_square(_flat(codes).shape[1])
            codes = _shaped(codes, "code_shape", shape, (2,))
        if feature_names is None:
            feature_names = getattr(estimator, "feature_names_in_", None)
        elif len(feature_names) != _flat(originals).shape[1]:
            raise ValueError(
                f"feature_names has {len(feature_names)} names, but X has "
                f"{_flat(originals).shape[1]} features."
            )
        return cls(
            originals=originals,
            reconstructions=reconstructions.reshape(originals.shape),
            codes=codes,
            feature_names=feature_names,
        ).plot(ax, kind=kind, cmap=cmap)

    def _kind(self, kind):
        shape = self.originals.shape
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {_KINDS}; got {kind!r}.")
        if kind == "auto" and len(shape) == 2:
            kind = "table" if shape[1] <= _MOST_TABLED else "signal"
        elif kind == "auto":
            kind = "image"
        if kind != "image" and self.codes is not None:
            raise ValueError(
                f"Codes are drawn with kind='image' alone, but kind is {kind!r}. Leave "
                "show_codes out, or give image_shape."
            )
        if kind == "image" and len(shape) == 2:
            raise ValueError(
                f"kind='image' needs image_shape, as rows of {shape[1]} features are "
                "flat."
            )
        if kind == "image" and not (
            len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3, 4))
        ):
            raise ValueError(
                "Images have the shape (height, width), or (height, width, channels) "
                f"with 1, 3 or 4 channels; got {shape[1:]}. Use kind='signal'."
            )
        return kind

    def _plot_images(self, ax, cmap):
        """Originals, codes and reconstructions, ten abreast at most."""
        low, high = self.originals.min(), self.originals.max()
        strips = {"original": self.originals, "reconstruction": self.reconstructions}
        looks = {key: {"cmap": cmap, "vmin": low, "vmax": high} for key in strips}
        if self.originals.ndim == 4 and self.originals.shape[3] > 1:
            low, high = min(low, 0), max(high, 1)
            strips = {
                name: np.clip((images - low) / (high - low), 0, 1)
                for name, images in strips.items()
            }
        if self.codes is not None:
            strips = {
                "original": strips["original"],
                "code": self.codes,
                "reconstruction": strips["reconstruction"],
            }
            looks["code"] = {
                "cmap": "viridis",
                "vmin": self.codes.min(),
                "vmax": self.codes.max(),
            }
        heights = [_height(images) for images in strips.values()]
        n, n_cols = len(self.originals), min(len(self.originals), _MOST_ABREAST)
        n_blocks = math.ceil(n / n_cols)
        ax = axes_to_draw_in(
            ax, figsize=(1.3 + n_cols, n_blocks * (0.3 + 1.02 * sum(heights)))
        )
        grid = grid_within(
            ax, n_blocks * len(strips), n_cols, height_ratios=heights * n_blocks
        )
        axes = self.axes_ = np.empty((len(strips), n), dtype=object)
        for i, (name, images) in enumerate(strips.items()):
            for j, image in enumerate(images):
                block, column = divmod(j, n_cols)
                place = grid[block * len(strips) + i, column]
                panel = axes[i, j] = ax.figure.add_subplot(place)
                panel.imshow(image, **looks[name])
                panel.set(xticks=[], yticks=[], anchor="W")
                if column == 0:
                    panel.set_ylabel(name, rotation=0, ha="right", va="center")
        for panel, error in zip(axes[-1], self.errors_, strict=True):
            panel.set_xlabel(f"MSE {error:.3g}", fontsize="small")
        return ax

    def _plot_signals(self, ax):
        originals, reconstructions = _flat(self.originals), _flat(self.reconstructions)
        n = len(originals)
        is_narrow = ax is not None and inches(ax)[0] < 7
        n_cols = 1 if n < 4 or is_narrow else 2
        n_lines = math.ceil(n / n_cols)
        names = () if self.feature_names is None else self.feature_names
        names = [str(name) for name in names]
        height = 0.8 + 1.2 * n_lines + 0.08 * max(map(len, names), default=0)
        ax = axes_to_draw_in(ax, figsize=(4.5 * n_cols, height))
        grid = grid_within(ax, n_lines, n_cols)
        axes = self.axes_ = np.full(n, None)
        for i in range(n):
            panel = axes[i] = ax.figure.add_subplot(
                grid[divmod(i, n_cols)], sharex=axes[0], sharey=axes[0]
            )
            panel.plot(originals[i], color="black", linewidth=1, label="original")
            panel.plot(
                reconstructions[i],
                color=COLORS[5],
                linewidth=1,
                linestyle="--",
                label="reconstruction",
            )
            panel.set_title(
                f"row {i}: MSE {self.errors_[i]:.3g}", loc="left", fontsize="small"
            )
            is_lowest = i + n_cols >= n
            panel.tick_params(labelleft=i % n_cols == 0, labelbottom=is_lowest)
            if is_lowest and names:
                name_ticks(panel.xaxis, names)
            elif is_lowest:
                panel.set_xlabel("feature")
        axes[0].margins(x=0.01)
        axes[n_cols - 1].legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 0.97),
            ncols=2,
            fontsize="small",
            frameon=False,
        )
        return ax

    def _plot_table(self, ax, squares, cmap):
        from matplotlib.colors import PowerNorm

        n, n_features = squares.shape
        names = self.feature_names
        if names is None:
            names = [f"x{i}" for i in range(n_features)]
        names = [str(name) for name in names]
        width = min(3.5 + 0.3 * n_features, 12)
        height = min(1.2 + 0.3 * n, 8) + 0.08 * max(map(len, names))
        ax = axes_to_draw_in(ax, figsize=(width, height))
        norm = PowerNorm(0.5, vmin=0, vmax=squares.max() or 1)
        image = ax.imshow(squares, cmap=cmap, norm=norm, aspect="auto")
        means = ax.secondary_yaxis("right")
        name_ticks(ax.xaxis, names)
        name_ticks(ax.yaxis, [str(i) for i in range(n)])
        rows = ax.get_yticks()
        means.set_yticks(rows, [f"{self.errors_[row]:.3g}" for row in rows])
        means.set_ylabel("mean of the row")
        ax.set_ylabel("row")
        ax.figure.colorbar(image, ax=ax, label="squared error")
        return ax


def _encode_and_decode(estimator, X, show_codes):
    """Reconstructions, and codes or None."""
    name = type(estimator).__name__
    reconstructs = hasattr(estimator, "reconstruct")
    inverts = hasattr(estimator, "transform") and hasattr(
        estimator, "inverse_transform"
    )
    if not (reconstructs or inverts):
        raise TypeError(
            f"{name} cannot reconstruct: it needs transform and inverse_transform, or "
            "reconstruct."
        )
    if show_codes and not inverts:
        raise TypeError(
            f"show_codes=True, but {name} has no inverse_transform, so what transform "
            "gives are no codes."
        )
    codes = estimator.transform(X) if show_codes or not reconstructs else None
    back = estimator.reconstruct(X) if reconstructs else None
    if back is None:
        back = estimator.inverse_transform(codes)
    return _dense(back).astype(np.float64), _dense(codes) if show_codes else None


def _dense(rows):
    return rows.toarray() if issparse(rows) else np.asarray(rows)


def _flat(rows):
    return rows.reshape(len(rows), -1)


def _height(images):
    """Height over width, as far as a panel follows it."""
    return min(max(images.shape[1] / images.shape[2], 0.2), 2)


def _shaped(rows, name, shape, sides):
    """Rows as images, or an error that names the parameter."""
    rows = _flat(rows)
    if np.size(shape) not in sides or math.prod(shape) != rows.shape[1]:
        raise ValueError(
            f"{name}={shape!r} does not fit rows of {rows.shape[1]} numbers: it must "
            f"be a tuple of {' or '.join(map(str, sides))} numbers with that product."
        )
    return rows.reshape(-1, *shape)


def _most_square(n):
    """Two whole numbers whose product is n, as close to each other as there are."""
    height = next(i for i in range(math.isqrt(n), 0, -1) if n % i == 0)
    return height, n // height
