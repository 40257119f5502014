"""LoadingsDisplay."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._utils.blocks import row_blocks, to_dense
from ._axes import check_axes
from ._images import as_images, is_drawable_image, is_image_shape
from ._loading_panels import (
    draw_bars,
    draw_images,
    draw_signals,
    draw_table,
    has_space_for_panels,
)
from ._pipelines import input_names_of_last_step, steps_of, transform_steps
from ._rows import as_floats, check_feature_names, flat, to_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from numpy.typing import ArrayLike
    from pandas import DataFrame

_KINDS = ("auto", "bar", "image", "signal", "table")

# With more components "auto" chooses the table, with more features signals, not bars.
_MAX_PANELS, _MAX_BARS = 8, 50

# Minimum step over a component that hardly varies, as a share of its largest absolute
# value. float32 resolves it.
_MIN_STEP = 1e-3


class LoadingsDisplay:
    """Loadings: how much each feature changes with each component.

    It is recommended to use :meth:`from_estimator`. The loadings of a component are its
    row of ``components_``, as for :class:`~sklearn.decomposition.PCA`, or the mean
    slopes of the reconstruction over it.

    Parameters
    ----------
    loadings : ndarray of shape (n_components, n_features)
        Or images, of shape (n_components, height, width) or (n_components, height,
        width, channels) with 1, 3 or 4 channels.

    components : sequence of int of length n_components, default=None
        Number of each component, counted from 0. None means 0, 1 and so on.

    feature_names : sequence of str of length n_features, default=None
        None means "x0", "x1" and so on.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the table; or the axes that contain the panels of bars, images or
        signals, which are switched off.

    axes_ : ndarray of Axes of shape (n_components,)
        The panels. Not set for a table.

    figure_ : matplotlib Figure
        Figure containing all axes.

    See Also
    --------
    ExplainedVarianceDisplay : Share of the variance that each component explains.
    ImageGridDisplay.from_code_plane : Decoded codes on a grid.

    Notes
    -----
    Panels cover the title of the axes that contain them. Use `suptitle` of the figure
    or subfigure instead.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.decomposition import PCA
    >>> from sklearn.preprocessing import scale
    >>> from skautoenc.plotting import LoadingsDisplay
    >>> pca = PCA(2).fit(scale(load_wine().data))
    >>> display = LoadingsDisplay(loadings=pca.components_).plot()
    >>> [panel.get_title() for panel in display.axes_]
    ['component 0', 'component 1']
    """

    def __init__(
        self,
        *,
        loadings: np.ndarray,
        components: Sequence[int] | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        self.loadings = loadings
        self.components = components
        self.feature_names = feature_names

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: str = "auto",
        cmap: str | Colormap = "RdBu_r",
        bar_kwargs: dict[str, Any] | None = None,
        image_kwargs: dict[str, Any] | None = None,
        line_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the loadings.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels replace them. None creates a new figure.

        kind : {"auto", "bar", "image", "signal", "table"}, default="auto"
            "bar" draws a panel of bars for each component, "image" an image, and
            "signal" a line over the features. "table" draws a heat map of all
            components. "auto" means "image" for images; for other features, "table"
            for more than 8 components, or if `ax` is too small for a panel for each,
            else "bar" for up to 50 features and "signal" for more.

        cmap : str or matplotlib Colormap, default="RdBu_r"
            Colour map of images with one channel, or of the table. Its centre is 0.

        bar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.barh` for bars.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow` for images and the table. The
            default limits ``vmin`` and ``vmax`` are the largest absolute loading, with
            both signs.

        line_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for signals.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If `kind` is unknown or does not suit the loadings.
        """
        check_axes(ax)
        kind = self._resolve_kind(kind, ax)
        components = self._components()
        names = None if self.feature_names is None else self._feature_names()
        loadings = flat(self.loadings)
        if kind == "image":
            self.ax_, self.axes_ = draw_images(
                ax, self.loadings, components, cmap, image_kwargs
            )
        elif kind == "bar":
            self.ax_, self.axes_ = draw_bars(
                ax, loadings, components, self._feature_names(), bar_kwargs
            )
        elif kind == "signal":
            self.ax_, self.axes_ = draw_signals(
                ax, loadings, components, names, line_kwargs
            )
        else:
            self.ax_ = draw_table(ax, loadings, components, names, cmap, image_kwargs)
        self.figure_ = self.ax_.figure
        return self

    def frame(self) -> DataFrame:
        """Loadings as a table.

        Returns
        -------
        DataFrame
            One row per loading, with the columns ``component``, ``feature`` and
            ``loading``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        loadings = flat(self.loadings)
        n_components, n_features = loadings.shape
        return to_frame(
            {
                "component": np.repeat(self._components(), n_features),
                "feature": self._feature_names() * n_components,
                "loading": loadings.ravel(),
            }
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike | None = None,
        *,
        components: Sequence[int] | None = None,
        kind: str = "auto",
        image_shape: Sequence[int] | None = None,
        feature_names: Sequence[str] | None = None,
        cmap: str | Colormap = "RdBu_r",
        bar_kwargs: dict[str, Any] | None = None,
        image_kwargs: dict[str, Any] | None = None,
        line_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the loadings of a fitted reducer.

        Without X, the loadings of a component are its row of ``components_``. With X,
        they are the mean slopes of the reconstruction over that component, averaged
        over the rows, which any reducer with `inverse_transform` has. For PCA both are
        the same.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with ``components_``, or with `transform` and `inverse_transform` if
            X is given; or a pipeline that ends with one. The features of a pipeline
            are those that its last step gets, in its units.

        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows at whose codes the slopes are measured, or whatever else `transform`
            accepts. None draws ``components_``.

        components : sequence of int, default=None
            Numbers of the components to draw, counted from 0. None draws all.

        kind : {"auto", "bar", "image", "signal", "table"}, default="auto"
            "bar" draws a panel of bars for each component, "image" an image, and
            "signal" a line over the features. "table" draws a heat map of all
            components. "auto" means "image" for images; for other features, "table"
            for more than 8 components, or if `ax` is too small for a panel for each,
            else "bar" for up to 50 features and "signal" for more.

        image_shape : tuple of int, default=None
            Shape of the image that a flat row represents: (height, width) or (height,
            width, channels). None means that of the images that the autoencoder was
            fitted on or has a network for. If there are none, loadings are not drawn
            as images.

        feature_names : sequence of str of length n_features, default=None
            Labels of the features. None means those seen in `fit`, or "x0", "x1" and so
            on.

        cmap : str or matplotlib Colormap, default="RdBu_r"
            Colour map of images with one channel, or of the table. Its centre is 0.

        bar_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.barh` for bars.

        image_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.imshow` for images and the table. The
            default limits ``vmin`` and ``vmax`` are the largest absolute loading, with
            both signs.

        line_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for signals.

        ax : matplotlib Axes, default=None
            Axes to draw in. Several panels replace them. None creates a new figure.

        Returns
        -------
        display : :class:`LoadingsDisplay`

        Raises
        ------
        TypeError
            If the estimator has no ``components_`` and X is not given, or if it cannot
            reconstruct X.
        ValueError
            If `components` are not components of the estimator, if `image_shape` or
            the number of names does not fit the features, or if `kind` is unknown or
            does not suit the loadings.

        Notes
        -----
        A slope is the change of the output of `inverse_transform` while one component
        of the code of a row grows from one standard deviation below to one above its
        value, divided by the length of that step. This is also what ``components_`` of
        the autoencoders of this package contains if their decoder is not linear,
        measured on a sample of the training rows. Slopes of opposite sign cancel in the
        mean.

        Examples
        --------
        >>> from sklearn.datasets import load_wine
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> from skautoenc import AutoencoderTransformer
        >>> from skautoenc.plotting import LoadingsDisplay
        >>> X = load_wine(as_frame=True).data
        >>> autoencoder = AutoencoderTransformer(3, epochs=5)
        >>> reducer = make_pipeline(StandardScaler(), autoencoder).fit(X)
        >>> display = LoadingsDisplay.from_estimator(reducer, X)
        >>> display.loadings.shape
        (3, 13)
        >>> display.feature_names[:2]
        ['alcohol', 'malic_acid']
        """
        check_is_fitted(estimator)
        *earlier_steps, reducer = steps_of(estimator)
        if X is None:
            loadings = _components_of(reducer)
            components = _check_components(components, len(loadings))
            loadings = loadings[components]
        else:
            loadings, components = _mean_slopes(
                reducer, transform_steps(earlier_steps, X), components
            )
        if feature_names is None:
            feature_names = input_names_of_last_step(estimator)
        if feature_names is not None:
            feature_names = [str(name) for name in feature_names]
            check_feature_names(feature_names, loadings.shape[1])
        if image_shape is not None and kind == "auto":
            kind = "image"
        return cls(
            loadings=as_images(loadings, image_shape, reducer),
            components=components,
            feature_names=feature_names,
        ).plot(
            ax,
            kind=kind,
            cmap=cmap,
            bar_kwargs=bar_kwargs,
            image_kwargs=image_kwargs,
            line_kwargs=line_kwargs,
        )

    def _components(self):
        return range(len(self.loadings)) if self.components is None else self.components

    def _feature_names(self):
        if self.feature_names is None:
            return [f"x{i}" for i in range(flat(self.loadings).shape[1])]
        return [str(name) for name in self.feature_names]

    def _resolve_kind(self, kind, ax):
        """Replace "auto" and check that the kind suits the loadings."""
        n_components, *shape = self.loadings.shape
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {_KINDS}; got {kind!r}.")
        if kind == "auto" and is_image_shape(shape):
            return "image"
        if kind == "auto":
            kind = "bar" if math.prod(shape) <= _MAX_BARS else "signal"
            has_space = n_components <= _MAX_PANELS and (
                ax is None or has_space_for_panels(ax, kind, n_components)
            )
            return kind if has_space else "table"
        if kind == "image" and len(shape) == 1:
            raise ValueError(
                f"kind='image' needs image_shape, because the loadings of {shape[0]} "
                "features are flat."
            )
        if kind == "image" and not is_drawable_image(shape):
            raise ValueError(
                "Images must have the shape (height, width), or (height, width, "
                f"channels) with 1, 3 or 4 channels; got {tuple(shape)}. Use "
                "kind='signal'."
            )
        return kind


def _components_of(reducer):
    """The attribute `components_` as an array."""
    try:
        components = reducer.components_
    except AttributeError as error:
        raise TypeError(
            f"{type(reducer).__name__} has no components_. Give X, to draw the mean "
            "slopes of its reconstruction."
        ) from error
    return as_floats("components_", components)


def _check_components(components, n_components):
    """Components to draw as a list; all if None."""
    if components is None:
        return list(range(n_components))
    if not (
        np.ndim(components) == 1
        and len(components) > 0
        and all(isinstance(i, Integral) and 0 <= i < n_components for i in components)
    ):
        raise ValueError(
            f"components must be a sequence of integers from 0 to {n_components - 1}, "
            f"at least one; got {components!r}."
        )
    return list(components)


def _mean_slopes(reducer, X, components):
    """Slopes of the reconstruction over each component, averaged over the rows of X.

    Parameters
    ----------
    reducer : estimator instance
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Or whatever else the reducer accepts.
    components : sequence of int or None
        Parameter of the display.

    Returns
    -------
    slopes : ndarray of shape (n_components, n_features)
    components : list of int
    """
    if not (hasattr(reducer, "transform") and hasattr(reducer, "inverse_transform")):
        raise TypeError(
            f"{type(reducer).__name__} lacks transform or inverse_transform, so the "
            "slopes of its reconstruction cannot be measured. Give no X, to draw "
            "components_."
        )
    codes = as_floats("codes", reducer.transform(X))
    components = _check_components(components, codes.shape[1])
    steps = np.maximum(codes.std(axis=0), _MIN_STEP * np.abs(codes).max(axis=0))
    steps[steps == 0] = 1
    blocks = row_blocks(len(codes), math.prod(np.shape(X)[1:]))

    def decoded_sum(component, step):
        """Sum over all rows that are decoded from codes with a shifted component."""
        shift = np.zeros(codes.shape[1])
        shift[component] = step
        return sum(
            flat(to_dense(reducer.inverse_transform(codes[rows] + shift))).sum(
                axis=0, dtype=np.float64
            )
            for rows in blocks
        )

    slopes = [
        (decoded_sum(i, steps[i]) - decoded_sum(i, -steps[i]))
        / (2 * steps[i] * len(codes))
        for i in components
    ]
    return np.array(slopes), components
