"""LossCurveDisplay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from ._axes import resolve_axes, resolve_scale, set_scale, small_fontsize
from ._pipelines import last_step
from ._rows import to_frame
from ._style import color_and_marker, merge_kwargs

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame


class LossCurveDisplay:
    """Losses of a training run, epoch by epoch.

    It is recommended to use :meth:`from_estimator`. Training losses are solid lines and
    validation losses are dashed lines. A ring marks the epoch whose weights were kept.

    Parameters
    ----------
    history : dict of str to list of float
        Each loss after every epoch. The key of a validation loss is that of the
        training loss with the prefix ``val_``.

    best_epoch : int, default=None
        The epoch whose weights were kept, which gets the ring. 0 means the initial
        weights: no epoch gets a ring, and the title of the legend says so. With None,
        the ring marks the lowest loss.

    mixup : bool, default=False
        Whether training losses were computed on rows mixed by mixup. The legend then
        says so, because they cannot be compared with validation losses, which are
        computed on the original rows.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.

    figure_ : matplotlib Figure
        Figure containing the curves.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores over the number of rows.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skautoenc import AutoencoderTransformer
    >>> from skautoenc.plotting import LossCurveDisplay
    >>> X = load_digits().data / 16
    >>> autoencoder = AutoencoderTransformer(epochs=5, early_stopping=True).fit(X)
    >>> display = LossCurveDisplay(history=autoencoder.history_).plot()
    >>> display.ax_.get_xlabel()
    'epoch'
    """

    def __init__(
        self,
        *,
        history: Mapping[str, Sequence[float]],
        best_epoch: int | None = None,
        mixup: bool = False,
    ) -> None:
        self.history = history
        self.best_epoch = best_epoch
        self.mixup = mixup

    def plot(
        self,
        ax: Axes | None = None,
        *,
        losses: str | Sequence[str] = ("loss",),
        scale: str = "auto",
        line_kwargs: dict[str, Any] | None = None,
        best_epoch_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        losses : str or sequence of str, default=("loss",)
            Keys of the history without ``val_``, each of which is drawn together with
            its validation loss, if there is one. A variational autoencoder also has
            ``"reconstruction_loss"`` and ``"kl_loss"``. The ring is on the first: on
            its validation loss, or on the training loss if there is none.

        scale : {"auto", "linear", "log"}, default="auto"
            Scale of the loss axis. "auto" means "log" if all losses are positive and
            span a factor between 10 and a million, else "linear".

        line_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for the curves.

        best_epoch_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for the ring.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the history is empty or lacks one of `losses`, if `best_epoch` is not
            one of its epochs, or if the scale is unknown or does not suit the losses.
        """
        losses = [losses] if isinstance(losses, str) else list(losses)
        self._check(losses)
        keys = [
            key
            for name in losses
            for key in (name, f"val_{name}")
            if key in self.history
        ]
        scale = resolve_scale(
            scale, [loss for key in keys for loss in self.history[key]]
        )
        ax = resolve_axes(ax, figsize=(6, 4))
        self._plot_curves(ax, keys, line_kwargs)
        if self.best_epoch != 0:
            validation_key = f"val_{losses[0]}"
            has_validation = validation_key in self.history
            ringed = validation_key if has_validation else losses[0]
            self._plot_ring(ax, ringed, best_epoch_kwargs)
        ax.set(xlabel="epoch", ylabel="loss")
        ax.locator_params("x", integer=True, min_n_ticks=1)
        set_scale(ax.yaxis, scale)
        fontsize = small_fontsize(ax)
        ax.legend(
            title="kept: initial weights" if self.best_epoch == 0 else None,
            fontsize=fontsize,
            title_fontsize=fontsize,
        )
        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    def frame(self) -> DataFrame:
        """Losses as a table.

        Returns
        -------
        DataFrame
            One row per epoch, with the columns ``epoch``, counted from 1, and those of
            the history.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        n_epochs = max(map(len, self.history.values()), default=0)
        return to_frame({"epoch": np.arange(1, n_epochs + 1), **self.history})

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        losses: str | Sequence[str] = ("loss",),
        scale: str = "auto",
        line_kwargs: dict[str, Any] | None = None,
        best_epoch_kwargs: dict[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Draw the losses of a fitted autoencoder.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with ``history_``; or a pipeline that ends with one.

        losses : str or sequence of str, default=("loss",)
            Keys of the history without ``val_``, each of which is drawn together with
            its validation loss, if there is one. A variational autoencoder also has
            ``"reconstruction_loss"`` and ``"kl_loss"``. The ring is on the first: on
            its validation loss, or on the training loss if there is none.

        scale : {"auto", "linear", "log"}, default="auto"
            Scale of the loss axis. "auto" means "log" if all losses are positive and
            span a factor between 10 and a million, else "linear".

        line_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for the curves.

        best_epoch_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for the ring.

        ax : matplotlib Axes, default=None
            Axes to draw in. None creates a new figure.

        Returns
        -------
        display : :class:`LossCurveDisplay`

        Raises
        ------
        TypeError
            If the estimator has no ``history_``.
        ValueError
            If its history is empty or lacks one of `losses`, or if the scale is
            unknown or does not suit the losses.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from skautoenc import VariationalAutoencoder
        >>> from skautoenc.plotting import LossCurveDisplay
        >>> X = load_digits().data / 16
        >>> vae = VariationalAutoencoder(epochs=5, beta=0.1).fit(X)
        >>> display = LossCurveDisplay.from_estimator(
        ...     vae, losses=["reconstruction_loss", "kl_loss"]
        ... )
        >>> [line.get_label() for line in display.ax_.lines[:2]]
        ['training reconstruction loss', 'validation reconstruction loss']
        """
        check_is_fitted(estimator)
        autoencoder = last_step(estimator)
        if not hasattr(autoencoder, "history_"):
            raise TypeError(
                f"{type(autoencoder).__name__} has no history_, so there are no losses "
                "to draw. estimator must be an autoencoder, or a pipeline that ends "
                "with one."
            )
        display = cls(
            history=autoencoder.history_,
            best_epoch=getattr(autoencoder, "best_epoch_", None),
            mixup=getattr(autoencoder, "mixup_", False),
        )
        return display.plot(
            ax,
            losses=losses,
            scale=scale,
            line_kwargs=line_kwargs,
            best_epoch_kwargs=best_epoch_kwargs,
        )

    def _check(self, losses):
        if not self.history:
            raise ValueError(
                "history is empty: the estimator was not trained by fit, so there are "
                "no losses to draw."
            )
        known = [key for key in self.history if not key.startswith("val_")]
        for name in losses:
            if name not in known:
                raise ValueError(
                    f"losses contains {name!r}, which history lacks; it has {known}."
                )
        if not losses:
            raise ValueError(
                f"losses is empty. Select at least one loss of history: {known}."
            )
        if self.best_epoch is not None:
            n_epochs = len(self.history[losses[0]])
            check_scalar(
                self.best_epoch, "best_epoch", Integral, min_val=0, max_val=n_epochs
            )

    def _plot_curves(self, ax, keys, line_kwargs):
        """Draw a line for each key of the history."""
        names = list(dict.fromkeys(key.removeprefix("val_") for key in keys))
        for i, key in enumerate(keys):
            curve = self.history[key]
            marker = color_and_marker(names.index(key.removeprefix("val_")))["marker"]
            has_markers = len(names) > 1 or len(curve) == 1
            defaults = {
                "color": color_and_marker(i)["color"],
                "linestyle": "--" if key.startswith("val_") else "-",
                "marker": marker if has_markers else None,
                "markevery": max(1, len(curve) // 10),
                "markersize": 4,
                "label": self._label(key),
            }
            kwargs = merge_kwargs("line_kwargs", defaults, line_kwargs)
            ax.plot(range(1, len(curve) + 1), curve, **kwargs)

    def _plot_ring(self, ax, key, best_epoch_kwargs):
        """Mark the kept epoch, or else the lowest loss, on the curve of `key`."""
        curve, epoch = self.history[key], self.best_epoch
        if epoch is None:
            epoch = int(np.argmin(curve)) + 1
            label = f"lowest {self._label(key)}: {curve[epoch - 1]:.4g}, epoch {epoch}"
        else:
            label = f"kept: epoch {epoch}, {self._label(key)} {curve[epoch - 1]:.4g}"
        defaults = {
            "linestyle": "none",
            "marker": "o",
            "markersize": 10,
            "markerfacecolor": "none",
            "markeredgecolor": "black",
            "label": label,
        }
        kwargs = merge_kwargs("best_epoch_kwargs", defaults, best_epoch_kwargs)
        ax.plot([epoch], [curve[epoch - 1]], **kwargs)

    def _label(self, key):
        name = key.removeprefix("val_").replace("_", " ")
        if key.startswith("val_"):
            return f"validation {name}"
        return f"training {name} (mixup)" if self.mixup else f"training {name}"
