"""ReconstructionDisplay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar, indexable
from sklearn.utils.validation import check_is_fitted

from ._images import (
    as_images,
    is_drawable_image,
    is_image_shape,
    most_square_shape,
    reshape_rows,
    scale_to_unit,
)
from ._pipelines import encode_and_decode
from ._reconstruction_panels import draw_images, draw_signals, draw_table
from ._rows import (
    as_floats,
    check_feature_names,
    check_same_rows,
    feature_variances,
    flat,
    format_row_names,
    get_index,
    take,
    to_frame,
)
from ._style import merge_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from numpy.typing import ArrayLike
    from pandas import DataFrame

_KINDS = ("auto", "image", "signal", "table")

# With more features the names in a table can no longer be read.
_MAX_TABLE_FEATURES = 50


class ReconstructionDisplay:
    """Rows, their reconstructions by a reducer, and the errors.

    It is recommended to use :meth:`from_estimator`. With `targets`, as for a denoiser,
    rows are labelled noisy, cleaned and clean, and errors are those of the cleaned rows
    relative to the clean rows.

    Parameters
    ----------
    originals, reconstructions : ndarray of shape (n_rows, n_features)
        Or images, of shape (n_rows, height, width) or (n_rows, height, width,
        channels) with 1, 3 or 4 channels.

    targets : ndarray of the shape of `originals`, default=None
        Rows that the reconstructions are compared with. None means the originals.

    codes : ndarray of shape (n_rows, height, width), default=None
        Codes as images, drawn between images and their reconstructions.

    feature_names : sequence of str of length n_features, default=None
        None means "x0", "x1" and so on.

    row_names : sequence of length n_rows, default=None
        None means 0, 1 and so on.

    variances : ndarray of shape (n_features,), default=None
        Variances that the squared errors in a table are divided by. None means the
        variance of each feature over the targets, or over the originals, and 1 for
        constant features.

    Attributes
    ----------
    errors_ : ndarray of shape (n_rows,)
        Mean squared error of each row: in squared units of the data for images and
        signals, and in units of each feature's variance for a table.

    ax_ : matplotlib Axes
        Axes with the table; or the axes that contain the panels of images or signals,
        which are switched off.

    axes_ : ndarray of Axes
        The panels. For images, their shape is (2, n_rows), originals first, with one
        more row of panels for codes, before the reconstructions, and one for targets,
        after them. For signals, it is (n_rows,). Not set for a table.

    figure_ : matplotlib Figure
        Figure containing all axes.

    Notes
    -----
    The colours of a table are proportional to the square root of the squared error, so
    that one large error does not hide the others.

    Panels cover the title of the axes that contain them. Use `suptitle` of the figure
    or subfigure instead.

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
        originals: np.ndarray,
        reconstructions: np.ndarray,
        targets: np.ndarray | None = None,
        codes: np.ndarray | None = None,
        feature_names: Sequence[str] | None = None,
        row_names: Sequence[Any] | None = None,
        variances: np.ndarray | None = None,
    ) -> None:
        self.originals = originals
        self.reconstructions = reconstructions
        self.targets = targets
        self.codes = codes
        self.feature_names = feature_names
        self.row_names = row_names
        self.variances = variances

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: str = "auto",
        cmap: str | Colormap | None = None,
        image_kwargs: dict[str, Any] | None = None,
        code_kwargs: dict[str, Any] | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw rows and errors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels replace them. None creates a new figure.

        kind : {"auto", "image", "signal", "table"}, default="auto"
            "image" draws originals above reconstructions. "signal" draws both as lines,
            in a panel for each row. "table" draws the squared errors as a heat map, in
            units of each feature's variance. "auto" means "image" for images; for other
            rows, "table" for up to 50 features, else "signal".

        cmap : str or matplotlib Colormap, default=None
            Colour map of images with one channel, or of the table. None means "gray"
            for images and "viridis" for the table.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow` for images and the table.

        code_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow` for codes.

        line_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for signals.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `kind` is unknown or does not suit the rows.
        """
        kind = self._resolve_kind(kind)
        errors = self._squared_errors()
        if kind == "table":
            errors /= self._variances()
        self.errors_ = errors.mean(axis=1)
        has_row_names = self.row_names is not None
        if kind == "image":
            self.ax_, self.axes_ = draw_images(
                ax,
                self._image_strips(cmap or "gray", image_kwargs, code_kwargs),
                self.errors_,
                reconstruction=list(self._parts())[1],
                row_names=self._row_names() if has_row_names else None,
            )
        elif kind == "signal":
            self.ax_, self.axes_ = draw_signals(
                ax,
                {name: flat(rows) for name, rows in self._parts().items()},
                self.errors_,
                self._row_names(),
                None if self.feature_names is None else self._feature_names(),
                line_kwargs,
            )
        else:
            error = (
                "squared error" if self.targets is None else "squared error to clean"
            )
            self.ax_ = draw_table(
                ax,
                errors,
                self._row_names(),
                self._feature_names(),
                label=f"{error} / variance of the feature",
                cmap=cmap or "viridis",
                image_kwargs=image_kwargs,
            )
        self.figure_ = self.ax_.figure
        return self

    def frame(self) -> DataFrame:
        """Rows, reconstructions and errors as a table.

        Codes are not included; they are in `codes`.

        Returns
        -------
        DataFrame
            One row per value of each row. The columns are ``row``, which holds the
            index of X if X was a data frame, and ``feature``; ``original`` and
            ``reconstruction``, or ``noisy``, ``cleaned`` and ``clean`` with targets;
            ``squared_error``; and ``relative_squared_error``, which is the squared
            error divided by the variance of the feature.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        errors = self._squared_errors()
        n, n_features = errors.shape
        rows = range(n) if self.row_names is None else self.row_names
        relative = errors / self._variances()
        return to_frame(
            {
                "row": [row for row in rows for _ in range(n_features)],
                "feature": self._feature_names() * n,
                **{name: values.ravel() for name, values in self._parts().items()},
                "squared_error": errors.ravel(),
                "relative_squared_error": relative.ravel(),
            }
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        *,
        X_clean: ArrayLike | None = None,
        n_rows: int = 8,
        kind: str = "auto",
        image_shape: Sequence[int] | None = None,
        show_codes: bool = False,
        code_shape: tuple[int, int] | None = None,
        feature_names: Sequence[str] | None = None,
        cmap: str | Colormap | None = None,
        image_kwargs: dict[str, Any] | None = None,
        code_kwargs: dict[str, Any] | None = None,
        line_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the first rows of X and their reconstructions.

        Reconstructions are the output of `reconstruct` if the estimator has it, else
        the inverse transform of the codes.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with `transform` and `inverse_transform`, or with `reconstruct`; or
            a pipeline.

        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or images of shape (n_samples, height, width) or (n_samples, height,
            width, channels), if the estimator accepts them. The index of a data frame
            provides the row names.

        X_clean : {array-like, sparse matrix} of the shape of X, default=None
            Clean version of each row, if X is noisy. It is drawn too, and errors are
            relative to it.

        n_rows : int, default=8
            Number of rows to draw: the first ones, or all if there are fewer.

        kind : {"auto", "image", "signal", "table"}, default="auto"
            "image" draws originals above reconstructions. "signal" draws both as lines,
            in a panel for each row. "table" draws the squared errors as a heat map, in
            units of each feature's variance. "auto" means "image" for images; for other
            rows, "table" for up to 50 features, else "signal".

        image_shape : tuple of int, default=None
            Shape of the image that a flat row of X represents: (height, width) or
            (height, width, channels). None means that of the images that the
            autoencoder, or one in the pipeline, was fitted on or has a network for. If
            there are none, flat rows are not drawn as images.

        show_codes : bool, default=False
            Draw the codes as small images too, all on one colour scale.

        code_shape : tuple of (int, int), default=None
            Height and width of a code. None means the most square shape.

        feature_names : sequence of str of length n_features, default=None
            Labels of the features. None means those seen in `fit`, or "x0", "x1" and so
            on.

        cmap : str or matplotlib Colormap, default=None
            Colour map of images with one channel, or of the table. None means "gray"
            for images and "viridis" for the table.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow` for images and the table.

        code_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow` for codes.

        line_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for signals.

        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels replace them. None creates a new figure.

        Returns
        -------
        display : :class:`ReconstructionDisplay`

        Raises
        ------
        TypeError
            If the estimator cannot reconstruct, or has no codes to show.
        ValueError
            If a shape, or the number of names, does not fit the rows or the codes, if
            `X_clean` does not fit X, or if `kind` is unknown or does not suit the rows.

        Notes
        -----
        Variances of the features in a table are computed over all rows of `X_clean`, or
        of X without it, not only over those drawn.

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
            raise ValueError("code_shape has an effect only with show_codes=True.")
        (X,) = indexable(X)
        if X_clean is not None:
            (X_clean,) = indexable(X_clean)
            check_same_rows(X, X_clean)
        drawn = take(X, slice(n_rows))
        reconstructions, codes = encode_and_decode(estimator, drawn, show_codes)
        originals = as_floats("X", drawn)
        if reconstructions.size != originals.size:
            raise ValueError(
                f"The reconstruction has the shape {reconstructions.shape}, but X has "
                f"the shape {originals.shape}, so they cannot be compared."
            )
        originals = as_images(originals, image_shape, estimator)
        if image_shape is not None and kind == "auto":
            kind = "image"
        targets = None
        if X_clean is not None:
            targets = _targets_like(originals, take(X_clean, slice(n_rows)))
        if codes is not None:
            shape = code_shape or most_square_shape(flat(codes).shape[1])
            codes = reshape_rows(codes, "code_shape", shape, (2,))
        return cls(
            originals=originals,
            reconstructions=reconstructions.reshape(originals.shape),
            targets=targets,
            codes=codes,
            feature_names=_check_names(feature_names, originals, estimator),
            row_names=get_index(drawn),
            variances=feature_variances(X if X_clean is None else X_clean),
        ).plot(
            ax,
            kind=kind,
            cmap=cmap,
            image_kwargs=image_kwargs,
            code_kwargs=code_kwargs,
            line_kwargs=line_kwargs,
        )

    def _targets(self):
        """Rows that the reconstructions are compared with."""
        return self.originals if self.targets is None else self.targets

    def _parts(self):
        """All rows by name; reconstructions are second."""
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

    def _squared_errors(self):
        return np.square(flat(self._targets()) - flat(self.reconstructions))

    def _variances(self):
        if self.variances is not None:
            return self.variances
        return feature_variances(self._targets())

    def _feature_names(self):
        if self.feature_names is None:
            return [f"x{i}" for i in range(flat(self.originals).shape[1])]
        return [str(name) for name in self.feature_names]

    def _row_names(self):
        names = range(len(self.originals)) if self.row_names is None else self.row_names
        return format_row_names(names)

    def _resolve_kind(self, kind):
        """Replace "auto" and check that the kind suits the rows."""
        shape = self.originals.shape[1:]
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {_KINDS}; got {kind!r}.")
        if kind == "auto" and is_image_shape(shape):
            kind = "image"
        elif kind == "auto":
            is_readable = math.prod(shape) <= _MAX_TABLE_FEATURES
            kind = "table" if is_readable else "signal"
        if kind != "image" and self.codes is not None:
            raise ValueError(
                f"Codes are only drawn with kind='image', but kind is {kind!r}. Use "
                "show_codes=False, or give image_shape."
            )
        if kind == "image" and len(shape) == 1:
            raise ValueError(
                f"kind='image' needs image_shape, because rows of {shape[0]} features "
                "are flat."
            )
        if kind == "image" and not is_drawable_image(shape):
            raise ValueError(
                "Images must have the shape (height, width), or (height, width, "
                f"channels) with 1, 3 or 4 channels; got {shape}. Use kind='signal'."
            )
        return kind

    def _image_strips(self, cmap, image_kwargs, code_kwargs):
        """Images by name, codes second, with their keywords of `imshow`."""
        low, high = self._targets().min(), self._targets().max()
        defaults = {"cmap": cmap, "vmin": low, "vmax": high}
        imshow_kwargs = merge_kwargs("image_kwargs", defaults, image_kwargs)
        has_colors = self.originals.ndim == 4 and self.originals.shape[3] > 1
        strips = [
            (
                name,
                (scale_to_unit(rows, low, high) if has_colors else rows, imshow_kwargs),
            )
            for name, rows in self._parts().items()
        ]
        if self.codes is not None:
            defaults = {
                "cmap": "viridis",
                "vmin": self.codes.min(),
                "vmax": self.codes.max(),
            }
            imshow_kwargs = merge_kwargs("code_kwargs", defaults, code_kwargs)
            strips.insert(1, ("code", (self.codes, imshow_kwargs)))
        return dict(strips)


def _targets_like(originals, X_clean):
    """Clean rows in the shape of the originals."""
    targets = as_floats("X_clean", X_clean)
    n_values, n_features = flat(targets).shape[1], flat(originals).shape[1]
    if n_values != n_features:
        raise ValueError(
            f"X_clean has rows of {n_values} values, but X has rows of {n_features} "
            "values. They must have the same shape."
        )
    return targets.reshape(originals.shape)


def _check_names(feature_names, originals, estimator):
    """Names of the features: given, seen in fit, or None."""
    if feature_names is None:
        return getattr(estimator, "feature_names_in_", None)
    check_feature_names(feature_names, flat(originals).shape[1])
    return feature_names
