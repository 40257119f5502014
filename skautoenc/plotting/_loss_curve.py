"""LossCurveDisplay."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from ._style import (
    axes_to_draw_in,
    choose_scale,
    is_small,
    last_step,
    set_scale,
    style,
    styled,
    to_frame,
)


class LossCurveDisplay:
    """Losses of a training run, epoch by epoch.

    It is recommended to use :meth:`from_estimator`. Training losses are solid lines,
    validation losses dashed ones, and the epoch whose weights were kept has a ring.

    Parameters
    ----------
    history : dict of str to list of float
        Each loss after every epoch; validation losses are named as the others, with
        ``val_`` before.

    best_epoch : int, default=None
        The epoch whose weights were kept. 0 stands for the weights that training
        started from: no epoch has a ring then, and the legend says so. With None the
        ring is at the lowest loss.

    mixup : bool, default=False
        Whether the training losses are those of mixed rows, which the legend says:
        they cannot be compared with validation losses, which are those of rows as
        they are.

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

    def __init__(self, *, history, best_epoch=None, mixup=False):
        self.history = history
        self.best_epoch = best_epoch
        self.mixup = mixup

    def plot(
        self,
        ax=None,
        *,
        losses=("loss",),
        scale="auto",
        line_kwargs=None,
        best_epoch_kwargs=None,
    ):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        losses : str or sequence of str, default=("loss",)
            Keys of the history without ``val_``, such as ``"kl_loss"``: each is drawn
            with its validation loss, where there is one. The ring is on the first:
            on its validation loss, or else on the loss itself.

        scale : {"auto", "linear", "log"}, default="auto"
            Of the losses' axis. "auto" is "log" where all losses are positive and
            span a factor of 10 to a million.

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
            If the history is empty or lacks one of `losses`, if `best_epoch` is none
            of its epochs, or if the scale is not known or does not suit the losses.
        """
        from matplotlib.lines import Line2D

        losses = [losses] if isinstance(losses, str) else list(losses)
        self._check(losses)
        keys = [
            key
            for name in losses
            for key in (name, f"val_{name}")
            if key in self.history
        ]
        values = [value for key in keys for value in self.history[key]]
        scale = choose_scale(scale, values)
        ax = axes_to_draw_in(ax, figsize=(6, 4))

        for i, key in enumerate(keys):
            name, is_validation = key.removeprefix("val_"), key.startswith("val_")
            curve = self.history[key]
            of_many = len(losses) > 1 or len(curve) == 1
            defaults = {
                "color": style(i)["color"],
                "linestyle": "--" if is_validation else "-",
                "marker": style(losses.index(name))["marker"] if of_many else None,
                "markevery": max(1, len(curve) // 10),
                "markersize": 4,
                "label": self._label(key),
            }
            ax.plot(
                range(1, len(curve) + 1),
                curve,
                **styled("line_kwargs", defaults, line_kwargs, Line2D),
            )
        ringed = f"val_{losses[0]}"
        ringed = ringed if ringed in self.history else losses[0]
        kept_start = self.best_epoch == 0
        if not kept_start:
            curve, epoch = self.history[ringed], self.best_epoch
            name = self._label(ringed)
            if epoch is None:
                epoch = int(np.argmin(curve)) + 1
                label = f"lowest {name}: {curve[epoch - 1]:.4g}, epoch {epoch}"
            else:
                label = f"kept: epoch {epoch}, {name} {curve[epoch - 1]:.4g}"
            defaults = {
                "linestyle": "none",
                "marker": "o",
                "markersize": 10,
                "markerfacecolor": "none",
                "markeredgecolor": "black",
                "label": label,
            }
            ax.plot(
                [epoch],
                [curve[epoch - 1]],
                **styled("best_epoch_kwargs", defaults, best_epoch_kwargs, Line2D),
            )
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        set_scale(ax.yaxis, scale)
        fontsize = "x-small" if is_small(ax) else None
        ax.legend(
            title="kept: the weights of the start" if kept_start else None,
            fontsize=fontsize,
            title_fontsize=fontsize,
        )

        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    def frame(self):
        """Losses as a table.

        Returns
        -------
        DataFrame
            A row for each epoch, with the columns ``epoch``, counted from 1, and those
            of the history.

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
        estimator,
        *,
        losses=("loss",),
        scale="auto",
        line_kwargs=None,
        best_epoch_kwargs=None,
        ax=None,
    ):
        """Draw the losses of a fitted autoencoder.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with ``history_``; or a pipeline that ends with one.

        losses : str or sequence of str, default=("loss",)
            Keys of ``history_`` without ``val_``: each is drawn with its validation
            loss, where there is one. The ring is on the first. A variational
            autoencoder also has ``"reconstruction_loss"`` and ``"kl_loss"``.

        scale : {"auto", "linear", "log"}, default="auto"
            Of the losses' axis. "auto" is "log" where all losses are positive and
            span a factor of 10 to a million.

        line_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for the curves.

        best_epoch_kwargs : dict, default=None
            Keywords of `matplotlib.axes.Axes.plot` for the ring.

        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        Returns
        -------
        display : :class:`LossCurveDisplay`

        Raises
        ------
        TypeError
            If the estimator has no ``history_``.
        ValueError
            If its history is empty or lacks one of `losses`, or if the scale is not
            known or does not suit the losses.

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
        ['training reconstruction loss', 'training kl loss']
        """
        check_is_fitted(estimator)
        trained = last_step(estimator)
        if not hasattr(trained, "history_"):
            raise TypeError(
                f"{type(trained).__name__} has no history_, so there are no losses to "
                "draw. estimator must be an autoencoder, or a pipeline that ends with "
                "one."
            )
        display = cls(
            history=trained.history_,
            best_epoch=getattr(trained, "best_epoch_", None),
            mixup=getattr(trained, "mixup_", False),
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
                "history_ is empty: the estimator was not trained by fit, so there "
                "are no losses to draw."
            )
        known = [key for key in self.history if not key.startswith("val_")]
        for name in losses:
            if name not in known:
                raise ValueError(
                    f"losses has {name!r}, which history_ lacks; it has {known}."
                )
        if not losses:
            raise ValueError(f"losses is empty; history_ has {known}.")
        if self.best_epoch is not None:
            n_epochs = len(self.history[losses[0]])
            check_scalar(
                self.best_epoch, "best_epoch", Integral, min_val=0, max_val=n_epochs
            )

    def _label(self, key):
        name = key.removeprefix("val_").replace("_", " ")
        if key.startswith("val_"):
            return f"validation {name}"
        return f"training {name} (mixup)" if self.mixup else f"training {name}"
