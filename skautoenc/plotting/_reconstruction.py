"""ReconstructionDisplay."""

import math
from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar, indexable
from sklearn.utils.validation import check_is_fitted

from ._images import (
    image_keywords,
    is_image_shape,
    known_image_shape,
    most_square,
    shaped,
    within_unit,
)
from ._rows import (
    as_floats,
    check_pairs,
    encode_and_decode,
    flat,
    take,
    variances_of,
)
from ._style import (
    COLORS,
    axes_to_draw_in,
    grid_within,
    inches,
    index_of,
    name_ticks,
    shortened,
    styled,
    texts_of,
    to_frame,
)

_KINDS = ("auto", "image", "signal", "table")

# Beyond so many features a table's names can no longer be read.
_MAX_TABLE_FEATURES = 50
_MAX_IMAGES_ABREAST = 10

# Inches of an image below which its error stands alone, and in smaller letters.
_MIN_NAMED_ERROR = 0.75

# Letters of the size "small" to an inch.
_LETTERS_TO_INCH = 14

# Letters of the longest feature name that a new figure has room for, and the share of
# the height of all signals that such names may take.
_MAX_LETTERS, _SHARE_OF_NAMES = 30, 0.45

# How each part of a signal is drawn.
_LINES = {
    "original": {"color": "black"},
    "reconstruction": {"color": COLORS[8], "linestyle": "--"},
    "noisy": {"color": "0.7"},
    "cleaned": {"color": COLORS[8], "linestyle": "--"},
    "clean": {"color": "black"},
}


class ReconstructionDisplay:
    """Rows, what a reducer gives back of them, and the error.

    It is recommended to use :meth:`from_estimator`. Where there are `targets`, as
    there are for a denoiser, rows are labelled noisy, cleaned and clean, and the error
    is that of the cleaned row against the clean one.

    Parameters
    ----------
    originals, reconstructions : ndarray of shape (n_rows, n_features)
        Or images, of shape (n_rows, height, width) or (n_rows, height, width,
        channels) with 1, 3 or 4 channels.

    targets : ndarray of the shape of `originals`, default=None
        What the reconstructions should be. None takes the originals.

    codes : ndarray of shape (n_rows, height, width), default=None
        To be drawn between images and their reconstructions.

    feature_names : sequence of str of length n_features, default=None
        None takes "x0", "x1" and so on.

    row_names : sequence of length n_rows, default=None
        None counts from 0.

    variances : ndarray of shape (n_features,), default=None
        Units of the squared errors in a table. None takes the variance of each feature
        over the targets, or over the originals, and 1 where a feature is constant.

    Attributes
    ----------
    errors_ : ndarray of shape (n_rows,)
        Mean squared error of each row: in squared units of the data for images and
        signals, and in units of each feature's variance for a table.

    ax_ : matplotlib Axes
        Axes with the table; or those that the panels of images or signals lie in,
        which are themselves switched off.

    axes_ : ndarray of Axes
        The panels: of shape (2, n_rows) for images, with originals first and
        reconstructions below, and one line more each for codes, which lie between,
        and for targets, which come last; (n_rows,) for signals. Not set for a table.

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

    def __init__(
        self,
        *,
        originals,
        reconstructions,
        targets=None,
        codes=None,
        feature_names=None,
        row_names=None,
        variances=None,
    ):
        self.originals = originals
        self.reconstructions = reconstructions
        self.targets = targets
        self.codes = codes
        self.feature_names = feature_names
        self.row_names = row_names
        self.variances = variances

    def plot(
        self,
        ax=None,
        *,
        kind="auto",
        cmap=None,
        image_kwargs=None,
        code_kwargs=None,
        line_kwargs=None,
    ):
        """Draw rows and errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels are laid out in its place. None makes a
            new figure.

        kind : {"auto", "image", "signal", "table"}, default="auto"
            "image" draws originals above reconstructions, "signal" both as lines in a
            panel for each row, and "table" the squared errors as a heat map, in units
            of each feature's variance. "auto" is "image" for images, else "table" up
            to 50 features, and "signal" beyond.

        cmap : str or matplotlib Colormap, default=None
            Of images with one channel, or of the table. None takes "gray" for images
            and "viridis" for the table.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`, for images and the table.

        code_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`, for codes.

        line_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot`, for signals.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `kind` is not known or does not suit the rows.
        """
        kind = self._kind(kind)
        squares = self._squared_errors()
        if kind == "table":
            squares /= self._units()
        self.errors_ = squares.mean(axis=1)
        if kind == "image":
            self.ax_ = self._plot_images(ax, cmap or "gray", image_kwargs, code_kwargs)
        elif kind == "signal":
            self.ax_ = self._plot_signals(ax, line_kwargs)
        else:
            self.ax_ = self._plot_table(ax, squares, cmap or "viridis", image_kwargs)
        self.figure_ = self.ax_.figure
        return self

    def frame(self):
        """Rows, reconstructions and errors as a table.

        Codes are not in it; they are in `codes`.

        Returns
        -------
        DataFrame
            A row for each number of each row. Its columns are ``row``, the index of X
            where X was a data frame, and ``feature``; ``original`` and
            ``reconstruction``, or ``noisy``, ``cleaned`` and ``clean`` where there are
            targets; ``squared_error``; and ``relative_squared_error``, which is that
            in units of the feature's variance.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        squares = self._squared_errors()
        n, n_features = squares.shape
        rows = range(n) if self.row_names is None else self.row_names
        relative = squares / self._units()
        return to_frame(
            {
                "row": [row for row in rows for _ in range(n_features)],
                "feature": self._feature_names() * n,
                **{name: values.ravel() for name, values in self._parts().items()},
                "squared_error": squares.ravel(),
                "relative_squared_error": relative.ravel(),
            }
        )

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        X_clean=None,
        n_rows=8,
        kind="auto",
        image_shape=None,
        show_codes=False,
        code_shape=None,
        feature_names=None,
        cmap=None,
        image_kwargs=None,
        code_kwargs=None,
        line_kwargs=None,
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

            Where it is a data frame, rows are drawn with the names of its index.

        X_clean : {array-like, sparse matrix} of the shape of X, default=None
            What each row of X should become, where X is noisy. It is drawn too, and the
            error taken against it.

        n_rows : int, default=8
            Rows to draw: the first ones, or all where there are fewer.

        kind : {"auto", "image", "signal", "table"}, default="auto"
            "image" draws originals above reconstructions, "signal" both as lines in a
            panel for each row, and "table" the squared errors as a heat map, in units
            of each feature's variance over all rows of `X_clean`, or else of X.
            "auto" is "image" where X has images, `image_shape` is given or the
            autoencoder works on images; else "table" up to 50 features, and "signal"
            beyond: a row of 64 numbers may be an image or not.

        image_shape : tuple of int, default=None
            Shape of the image that a flat row of X is: (height, width) or (height,
            width, channels). None takes that of the images that the autoencoder, or
            one in the pipeline, was fitted on or has a network for.

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

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`, for images and the table.

        code_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow`, for codes.

        line_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot`, for signals.

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
            If a shape, or the number of names, does not fit the rows or the codes, if
            `X_clean` does not fit X, or if `kind` is not known or does not suit the
            rows.

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
        if X_clean is not None:
            (X_clean,) = indexable(X_clean)
            check_pairs(X, X_clean)
        all_wanted = X if X_clean is None else X_clean
        X = take(X, slice(n_rows))
        reconstructions, codes = encode_and_decode(estimator, X, show_codes)
        originals = as_floats("X", X)
        if reconstructions.size != originals.size:
            raise ValueError(
                f"The reconstruction has the shape {reconstructions.shape}, but X has "
                f"{originals.shape}, so there is nothing to compare."
            )
        n_features = flat(originals).shape[1]
        if image_shape is not None:
            originals = shaped(originals, "image_shape", image_shape, (2, 3))
            kind = "image" if kind == "auto" else kind
        elif originals.ndim == 2:
            known = known_image_shape(estimator, n_features)
            originals = originals if known is None else originals.reshape(-1, *known)
        targets = None
        if X_clean is not None:
            targets = as_floats("X_clean", take(X_clean, slice(n_rows)))
            if flat(targets).shape[1] != n_features:
                raise ValueError(
                    f"X_clean has rows of {flat(targets).shape[1]} numbers, but X has "
                    f"rows of {n_features}; they must belong together."
                )
            targets = targets.reshape(originals.shape)
        if show_codes:
            shape = code_shape or most_square(flat(codes).shape[1])
            codes = shaped(codes, "code_shape", shape, (2,))
        if feature_names is None:
            feature_names = getattr(estimator, "feature_names_in_", None)
        elif len(feature_names) != n_features:
            raise ValueError(
                f"feature_names has {len(feature_names)} names, but X has "
                f"{n_features} features."
            )
        return cls(
            originals=originals,
            reconstructions=reconstructions.reshape(originals.shape),
            targets=targets,
            codes=codes,
            feature_names=feature_names,
            row_names=index_of(X),
            variances=variances_of(all_wanted),
        ).plot(
            ax,
            kind=kind,
            cmap=cmap,
            image_kwargs=image_kwargs,
            code_kwargs=code_kwargs,
            line_kwargs=line_kwargs,
        )

    def _parts(self):
        """What is drawn of each row, by name."""
        if self.targets is None:
            return {
                "original": self.originals,
                "reconstruction": self.reconstructions,
            }
        return {
            "noisy": self.originals,
            "cleaned": self.reconstructions,
            "clean": self.targets,
        }

    def _wanted(self):
        return self.originals if self.targets is None else self.targets

    def _squared_errors(self):
        return np.square(flat(self._wanted()) - flat(self.reconstructions))

    def _units(self):
        if self.variances is not None:
            return self.variances
        return variances_of(self._wanted())

    def _feature_names(self):
        if self.feature_names is None:
            return [f"x{i}" for i in range(flat(self.originals).shape[1])]
        return [str(name) for name in self.feature_names]

    def _row_names(self):
        names = range(len(self.originals)) if self.row_names is None else self.row_names
        return texts_of(names)

    def _kind(self, kind):
        shape = self.originals.shape
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {_KINDS}; got {kind!r}.")
        if kind == "auto" and is_image_shape(shape[1:]):
            kind = "image"
        elif kind == "auto":
            is_narrow = math.prod(shape[1:]) <= _MAX_TABLE_FEATURES
            kind = "table" if is_narrow else "signal"
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

    def _plot_images(self, ax, cmap, image_kwargs, code_kwargs):
        """Originals, codes, reconstructions and targets, ten abreast at most."""
        low, high = self._wanted().min(), self._wanted().max()
        strips = self._parts()
        defaults = {"cmap": cmap, "vmin": low, "vmax": high}
        keywords = image_keywords("image_kwargs", defaults, image_kwargs)
        keywords = dict.fromkeys(strips, keywords)
        if self.originals.ndim == 4 and self.originals.shape[3] > 1:
            strips = {
                name: within_unit(images, low, high) for name, images in strips.items()
            }
        reconstruction = list(strips)[1]
        if self.codes is not None:
            (first, images), *others = strips.items()
            strips = {first: images, "code": self.codes, **dict(others)}
            low, high = self.codes.min(), self.codes.max()
            defaults = {"cmap": "viridis", "vmin": low, "vmax": high}
            keywords["code"] = image_keywords("code_kwargs", defaults, code_kwargs)
        heights = [_height(images) for images in strips.values()]
        n, n_cols = len(self.originals), min(len(self.originals), _MAX_IMAGES_ABREAST)
        n_blocks = math.ceil(n / n_cols)
        ax = axes_to_draw_in(
            ax, figsize=(1.3 + n_cols, n_blocks * (0.3 + 1.02 * sum(heights)))
        )
        panel_width = inches(ax)[0] / n_cols
        grid = grid_within(
            ax, n_blocks * len(strips), n_cols, height_ratios=heights * n_blocks
        )
        axes = self.axes_ = np.empty((len(strips), n), dtype=object)
        for i, (name, images) in enumerate(strips.items()):
            for j, image in enumerate(images):
                block, column = divmod(j, n_cols)
                cell = grid[block * len(strips) + i, column]
                panel = axes[i, j] = ax.figure.add_subplot(cell)
                panel.imshow(image, **keywords[name])
                panel.set(xticks=[], yticks=[], anchor="W")
                if column == 0:
                    panel.set_ylabel(name, rotation=0, ha="right", va="center")
        if self.row_names is not None:
            names = shortened(self._row_names(), _LETTERS_TO_INCH * panel_width)
            for panel, name in zip(axes[0], names, strict=True):
                panel.set_title(name, fontsize="small")
        below = axes[list(strips).index(reconstruction)]
        is_narrow = panel_width < _MIN_NAMED_ERROR
        for panel, error in zip(below, self.errors_, strict=True):
            if is_narrow:
                panel.set_xlabel(f"{error:.2g}", fontsize=5)
            else:
                panel.set_xlabel(f"MSE {error:.3g}", fontsize="small")
        if is_narrow:
            for panel in below[::n_cols]:
                panel.yaxis.label.set_text(f"{reconstruction},\nMSE")
        return ax

    def _plot_signals(self, ax, line_kwargs):
        from matplotlib.lines import Line2D
        from matplotlib.transforms import offset_copy

        n = len(self.originals)
        is_narrow = ax is not None and inches(ax)[0] < 7
        n_cols = 1 if n < 4 or is_narrow else 2
        n_lines = math.ceil(n / n_cols)
        names = [] if self.feature_names is None else self._feature_names()
        letters = min(max(map(len, names), default=0), _MAX_LETTERS)
        height = 0.8 + 1.2 * n_lines + 0.08 * letters
        ax = axes_to_draw_in(ax, figsize=(4.5 * n_cols, height))
        room_for_names = _SHARE_OF_NAMES * inches(ax)[1]
        grid = grid_within(ax, n_lines, n_cols)
        axes = self.axes_ = np.full(n, None)
        parts = self._parts()
        titles = [
            f"row {name}: MSE {error:.3g}"
            for name, error in zip(
                shortened(self._row_names(), _MAX_LETTERS), self.errors_, strict=True
            )
        ]
        for i in range(n):
            panel = axes[i] = ax.figure.add_subplot(
                grid[divmod(i, n_cols)], sharex=axes[0], sharey=axes[0]
            )
            for name, rows in parts.items():
                defaults = {"linewidth": 1, "label": name, **_LINES[name]}
                keywords = styled("line_kwargs", defaults, line_kwargs, Line2D)
                panel.plot(flat(rows)[i], **keywords)
            panel.set_title(titles[i], loc="left", fontsize="small")
            is_lowest = i + n_cols >= n
            panel.tick_params(labelleft=i % n_cols == 0, labelbottom=is_lowest)
            if is_lowest and names:
                name_ticks(panel.xaxis, names, room=room_for_names)
            elif is_lowest:
                panel.set_xlabel("feature")
        axes[0].margins(x=0.01)
        beside = axes[n_cols - 1]
        is_crowded = is_narrow or max(map(len, titles)) > _MAX_LETTERS
        beside.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 0.97),
            bbox_transform=offset_copy(
                beside.transAxes, beside.figure, y=12 * is_crowded, units="points"
            ),
            ncols=len(parts),
            fontsize="small",
            frameon=False,
        )
        return ax

    def _plot_table(self, ax, errors, cmap, image_kwargs):
        from matplotlib.colors import PowerNorm

        n, n_features = errors.shape
        names, row_names = self._feature_names(), self._row_names()
        width = min(3.5 + 0.3 * n_features, 12)
        letters = min(max(map(len, names)), _MAX_LETTERS)
        height = min(1.2 + 0.3 * n, 8) + 0.08 * letters
        ax = axes_to_draw_in(ax, figsize=(width, height))
        defaults = {
            "cmap": cmap,
            "vmin": 0,
            "vmax": errors.max() or 1,
            "aspect": "auto",
        }
        keywords = image_keywords("image_kwargs", defaults, image_kwargs)
        if "norm" not in keywords:
            limits = {name: keywords.pop(name) for name in ("vmin", "vmax")}
            keywords["norm"] = PowerNorm(0.5, **limits)
        image = ax.imshow(errors, **keywords)
        means = ax.secondary_yaxis("right")
        # Names of rows, their means and the colour bar are about to narrow the axes.
        letters = min(max(map(len, row_names)), _MAX_LETTERS)
        length = max(inches(ax)[0] - 0.8 - 0.09 * letters, 0.5)
        name_ticks(ax.xaxis, names, length)
        name_ticks(ax.yaxis, row_names)
        rows = ax.get_yticks()
        means.set_yticks(rows, [f"{self.errors_[row]:.3g}" for row in rows])
        means.set_ylabel("mean of the row")
        ax.set_ylabel("row")
        error = "squared error" if self.targets is None else "squared error to clean"
        label = f"{error} / variance of the feature"
        ax.figure.colorbar(image, ax=ax, label=label)
        return ax


def _height(images):
    """Height over width, as far as a panel follows it."""
    return min(max(images.shape[1] / images.shape[2], 0.2), 2)
