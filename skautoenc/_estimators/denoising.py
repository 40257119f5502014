"""DenoisingAutoencoder."""

import functools
from numbers import Real

import numpy as np
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .. import noise as corruptions
from .._utils.sklearn_compat import (
    StrOptions,
    _check_feature_names_in,
    _fit_context,
    _get_output_config,
)
from ..networks._objectives import deterministic
from .base import BaseAutoencoder
from .parameters import Number, documented

# The function of each kind of noise, and the highest level that has a meaning.
NOISES = {
    "gaussian": (corruptions.gaussian, np.inf),
    "masking": (corruptions.masking, 1.0),
    "salt_and_pepper": (corruptions.salt_and_pepper, 1.0),
}


def _gives_codes(estimator):
    if estimator.output == "code":
        return True
    raise AttributeError(
        "With output='reconstruction', transform gives rows of X, which nothing maps "
        "back. inverse_transform exists with output='code'."
    )


@documented
class DenoisingAutoencoder(BaseAutoencoder):
    """Autoencoder that learns to undo a corruption of its input.

    Every epoch corrupts the rows anew, and trains the network to give back the clean
    ones. Where there are real pairs of noisy and clean rows, ``fit(X_noisy,
    X_clean=X_clean)`` learns from those. `reconstruct` then denoises, and so does
    `transform` with ``output="reconstruction"``, as a step of a pipeline.

    Parameters
    ----------
    <parameters>

    contractive : float, default=0.0
        Strength of the penalty on the squared Frobenius norm of the code's Jacobian.

    noise : {"gaussian", "masking", "salt_and_pepper"} or callable, default="gaussian"
        Corruption of the training rows: normal noise added, values set to 0, or to
        the lowest and highest value of the training data. A callable
        ``(X, rng) -> X`` gets some of the rows, float32 of shape (n, n_features) for
        images too, and a NumPy Generator. Not used with `X_clean`. Rows given to
        `transform` are never corrupted.

    noise_level : float, default=0.25
        Standard deviation of the normal noise in units of X, or share of the values
        that are set. Not used with a callable.

    clip : bool or tuple of (float, float), default=False
        Bounds that corrupted rows are cut to; True takes the range of the training
        data.

    output : {"code", "reconstruction"}, default="code"
        What `transform` gives: the codes, or the cleaned rows with the names of the
        input's features. There is no `inverse_transform` with the latter.

    Attributes
    ----------
    <attributes>

    See Also
    --------
    AutoencoderTransformer : The same without a corruption.
    denoising_scorer : Chooses among denoisers in a search.
    sklearn.decomposition.KernelPCA : Denoises by its ``inverse_transform``.

    Notes
    -----
    `score` measures the reconstruction of rows as they are given, so a search over
    `noise_level` by it picks 0. :func:`denoising_scorer` makes a scorer that corrupts
    its input.

    References
    ----------
    P. Vincent et al., "Extracting and Composing Robust Features with Denoising
    Autoencoders", ICML (2008).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skautoenc import DenoisingAutoencoder
    >>> X = load_digits().data / 16
    >>> noisy = X + np.random.default_rng(0).normal(scale=0.25, size=X.shape)
    >>> denoiser = DenoisingAutoencoder(32, epochs=30, random_state=0).fit(X)
    >>> cleaned = denoiser.reconstruct(noisy)
    >>> bool(np.mean((cleaned - X) ** 2) < 0.4 * np.mean((noisy - X) ** 2))
    True
    """

    _parameter_constraints: dict = {
        **BaseAutoencoder._parameter_constraints,
        "contractive": [Number(Real, 0, None, closed="left")],
        "noise": [StrOptions(set(NOISES)), callable],
        "noise_level": [Number(Real, 0, None, closed="left")],
        "clip": ["boolean", tuple, list],
        "output": [StrOptions({"code", "reconstruction"})],
    }

    def __init__(
        self,
        n_components=2,
        *,
        network="dense",
        hidden_layer_sizes=(128, 64),
        activation="relu",
        code_activation="linear",
        output_activation="linear",
        kernel_regularizer=None,
        activity_regularizer=None,
        tied_weights=False,
        init="auto",
        loss="mean_squared_error",
        optimizer="adam",
        learning_rate=None,
        batch_size="auto",
        epochs="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change="auto",
        callbacks=None,
        warm_start=False,
        verbose=0,
        random_state=None,
        contractive=0.0,
        noise="gaussian",
        noise_level=0.25,
        clip=False,
        output="code",
    ):
        super().__init__(
            n_components,
            network=network,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            code_activation=code_activation,
            output_activation=output_activation,
            kernel_regularizer=kernel_regularizer,
            activity_regularizer=activity_regularizer,
            tied_weights=tied_weights,
            init=init,
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            batch_size=batch_size,
            epochs=epochs,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            callbacks=callbacks,
            warm_start=warm_start,
            verbose=verbose,
            random_state=random_state,
        )
        self.contractive = contractive
        self.noise = noise
        self.noise_level = noise_level
        self.clip = clip
        self.output = output

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, X_clean=None, sample_weight=None, X_val=None):
        """Train the autoencoder to give back clean rows from noisy ones.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Clean rows, which are corrupted in training; with `X_clean`, noisy ones.
            Or images of shape (n_samples, height, width) or (n_samples, height,
            width, channels).

        y : Ignored
            Present for API consistency by convention.

        X_clean : {array-like, sparse matrix} of shape (n_samples, n_features), \
                default=None
            What each row of X should have been. In a pipeline it comes through
            metadata routing: ``set_fit_request(X_clean=True)``.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts, as in `AutoencoderTransformer`.

        X_val : array-like of shape (n_val, n_features) or tuple of two, default=None
            Rows whose loss is measured after every epoch, corrupted alike every time.
            With `X_clean` a pair, (noisy rows, clean rows).

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the input or a parameter is not valid, or if training diverges. The
            estimator is then as it was before the call.
        """
        if _looks_like_rows(y, X):
            raise ValueError(
                "y looks like rows of X, and would be ignored. Clean rows go to "
                "X_clean: fit(X_noisy, X_clean=X_clean)."
            )
        self._keep(self._fit(X, y, sample_weight, X_val, X_clean))
        return self

    def transform(self, X):
        """Encode X, or clean it with ``output="reconstruction"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or images, as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_components) or of the shape of X
            Codes are float32, cleaned rows of the type that `inverse_transform` gives.
            Data frames, by `set_output`, have a column for each value of an image.
        """
        if not self._cleans():
            return super().transform(X)
        X = self.reconstruct(X)
        if _get_output_config("transform", self)["dense"] != "default":
            return X.reshape(len(X), -1)
        return X

    @available_if(_gives_codes)
    def inverse_transform(self, Z):
        """Decode codes back to the features.

        Exists with ``output="code"`` alone.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            As :meth:`AutoencoderTransformer.inverse_transform` gives them.
        """
        return super().inverse_transform(Z)

    def get_feature_names_out(self, input_features=None):
        """Names of what `transform` gives.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features, where X had none of its own.

        Returns
        -------
        ndarray of str objects
        """
        if not self._cleans():
            return super().get_feature_names_out(input_features)
        check_is_fitted(self)
        return _check_feature_names_in(self, input_features)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self._cleans():
            tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _cleans(self):
        return self.output == "reconstruction"

    def _objective_has_penalties(self):
        return self.contractive > 0

    def _objective(self, encoder, decoder):
        return deterministic(encoder, decoder, self.contractive)

    def _corruption(self, found, shift, in_pairs):
        if in_pairs:
            return None
        shift = np.zeros(1) if shift is None else shift.astype(np.float64)
        if callable(self.noise):
            corrupt = functools.partial(_checked, self.noise, shift)
        else:
            corrupt = self._named_noise(found, shift)
        bounds = self._bounds(found)
        if bounds is None:
            return corrupt
        low, high = ((bound - shift).astype(np.float32) for bound in bounds)

        def corrupt_and_clip(X, rng, out):
            corrupt(X, rng, out)
            np.clip(out, low, high, out=out)

        return corrupt_and_clip

    def _named_noise(self, found, shift):
        """The function for rows that `shift` has been subtracted from."""
        function, highest = NOISES[self.noise]
        if self.noise_level > highest:
            raise ValueError(
                f"noise_level={self.noise_level} must be in [0, 1] with "
                f"noise={self.noise!r}: it is the share of the values that are set."
            )
        values = {}
        if self.noise == "masking":
            values = {"value": (-shift).astype(np.float32)}
        elif self.noise == "salt_and_pepper":
            ends = {"low": found.minimum, "high": found.maximum}
            values = {key: (a - shift).astype(np.float32) for key, a in ends.items()}
        level = self.noise_level
        return lambda X, rng, out: function(X, level, rng, out, **values)

    def _bounds(self, found):
        """What corrupted rows are cut to, or None."""
        if isinstance(self.clip, tuple | list):
            low_high = tuple(self.clip)
            if not (
                len(low_high) == 2
                and all(isinstance(bound, Real) for bound in low_high)
                and low_high[0] < low_high[1]
            ):
                raise ValueError(
                    "clip must be True, False or two numbers, (low, high) with low < "
                    f"high; got {self.clip!r}."
                )
            return low_high
        return (found.minimum, found.maximum) if self.clip else None


def _checked(noise, shift, X, rng, out):
    """Let a user's function corrupt rows as they were, and check what comes back."""
    given = (X + shift).astype(np.float32)
    try:
        noisy = np.asarray(noise(given.copy(), rng), dtype=np.float32)
    except Exception as error:
        error.add_note(
            f"Raised by noise={noise!r}, which is called with float32 rows and a "
            "numpy.random.Generator, and must return the corrupted rows."
        )
        raise
    if noisy.shape != X.shape:
        raise ValueError(
            f"noise={noise!r} was given rows of shape {X.shape} and returned "
            f"{noisy.shape}. It must return as many rows with as many features."
        )
    if not np.isfinite(noisy).all():
        raise ValueError(f"noise={noise!r} returned values that are not finite.")
    # What was added, as the values themselves may be too large for their digits.
    np.add(X, noisy - given, out=out)


def _looks_like_rows(y, X):
    """Whether y holds as many values for each row as X does, in whatever shape."""
    shapes = [
        np.shape(value) if isinstance(value, list | tuple) else value.shape
        for value in (y, X)
        if isinstance(value, list | tuple) or hasattr(value, "shape")
    ]
    if len(shapes) < 2 or any(len(shape) < 2 for shape in shapes):
        return False
    (n_y, *row_y), (n_x, *row_x) = shapes
    return n_y == n_x and np.prod(row_y) == np.prod(row_x)
