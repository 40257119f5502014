"""LossCurveDisplay."""

from sklearn.utils.validation import check_is_fitted

from ._style import axes_to_draw_in, choose_scale, last_step, set_scale, style


class LossCurveDisplay:
    """Losses of a training run, epoch by epoch.

    It is recommended to use :meth:`from_estimator`. Training losses are solid lines,
    validation losses dashed ones, and the best epoch has a ring.

    Parameters
    ----------
    history : dict of str to list of float
        Each loss after every epoch; validation losses are named as the others, with
        ``val_`` before.

    best_epoch : int, default=None
        The epoch whose weights were kept; where it is 0, the legend says that they are
        those of the start.

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

    def __init__(self, *, history, best_epoch=None):
        self.history = history
        self.best_epoch = best_epoch

    def plot(self, ax=None, *, losses=("loss",), scale="auto"):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        losses : str or sequence of str, default=("loss",)
            Keys of the history without ``val_``, such as ``"kl_loss"``: each is drawn
            with its validation loss, where there is one. The best epoch is that of
            the first: where its validation loss is lowest, or else the loss itself.

        scale : {"auto", "linear", "log"}, default="auto"
            Of the losses' axis. "auto" is "log" where all losses are positive and
            span a factor of 10 to a million.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the history is empty or lacks one of `losses`, or if the scale is not
            known or does not suit the losses.
        """
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
            ax.plot(
                range(1, len(curve) + 1),
                curve,
                color=style(i)["color"],
                linestyle="--" if is_validation else "-",
                marker=style(losses.index(name))["marker"] if of_many else None,
                markevery=max(1, len(curve) // 10),
                markersize=4,
                label=_label(key),
            )
        best = f"val_{losses[0]}"
        best = best if best in self.history else losses[0]
        lowest = min(self.history[best])
        epoch = self.history[best].index(lowest) + 1
        ax.plot(
            epoch,
            lowest,
            linestyle="none",
            marker="o",
            markersize=10,
            markerfacecolor="none",
            markeredgecolor="black",
            label=f"lowest {_label(best)}: {lowest:.4g}, epoch {epoch}",
        )
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        set_scale(ax.yaxis, scale)
        kept_start = self.best_epoch == 0
        ax.legend(title="kept: the weights of the start" if kept_start else None)

        self.ax_ = ax
        self.figure_ = ax.figure
        return self

    @classmethod
    def from_estimator(cls, estimator, *, losses=("loss",), scale="auto", ax=None):
        """Draw the losses of a fitted autoencoder.

        Parameters
        ----------
        estimator : estimator instance
            Fitted, with ``history_``; or a pipeline that ends with one.

        losses : str or sequence of str, default=("loss",)
            Keys of ``history_`` without ``val_``: each is drawn with its validation
            loss, where there is one. The best epoch is that of the first. A
            variational autoencoder also has ``"reconstruction_loss"`` and
            ``"kl_loss"``.

        scale : {"auto", "linear", "log"}, default="auto"
            Of the losses' axis. "auto" is "log" where all losses are positive and
            span a factor of 10 to a million.

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
        best_epoch = getattr(trained, "best_epoch_", None)
        display = cls(history=trained.history_, best_epoch=best_epoch)
        return display.plot(ax, losses=losses, scale=scale)

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


def _label(key):
    split = "validation" if key.startswith("val_") else "training"
    return f"{split} {key.removeprefix('val_').replace('_', ' ')}"
