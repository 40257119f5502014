"""DenoisingAutoencoder."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, replace
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from .._fit.augmentation import AugmentationOptions, NoiseOptions
from .._fit.defaults import denoising_layer_sizes
from .._utils.sklearn_compat import (
    StrOptions,
    _check_feature_names_in,
    _get_output_config,
    available_if,
)
from ..networks._objectives import Reconstruction
from ..noise import NOISES, NoiseName
from .base import BaseAutoencoder
from .chunks import check_takes_chunks
from .dask_methods import lazy_for_dask
from .parameters import Auto, MatrixLike, Number, init_from_fields, validates_parameters
from .reducer import output_of_reconstruct, output_of_transform


def _check_outputs_codes(estimator):
    if estimator.output != "code":
        raise AttributeError(
            f"This {type(estimator).__name__!r} has no attribute 'inverse_transform': "
            "with output='reconstruction', transform returns rows. Set output='code' "
            "to use it."
        )


def _output_of_transform(estimator, X):
    if not estimator._outputs_reconstruction():
        return output_of_transform(estimator, X)
    output = output_of_reconstruct(estimator, X)
    if _get_output_config("transform", estimator)["dense"] != "default":
        return output._replace(shape=(estimator.n_features_in_,))
    return output


@lazy_for_dask(transform=_output_of_transform)
@init_from_fields
class DenoisingAutoencoder(BaseAutoencoder):
    """Autoencoder that learns to remove noise from its input.

    In each epoch, new noise is added to the rows of X, and the network is trained to
    reconstruct the clean rows. If pairs of noisy and clean rows are available,
    ``fit(X_noisy, X_clean=X_clean)`` is trained on them instead. `reconstruct` denoises
    rows, and so does `transform` with ``output="reconstruction"``, for use in a
    pipeline.

    Parameters
    ----------
    n_components : int, float or None, default=2
        Number of components of the code. A float between 0 and 1 is a share of the
        variance of X: the code has as many components as
        :class:`~sklearn.decomposition.PCA` needs to explain more than that. The
        autoencoder usually needs fewer for the same share. If None, it is the width of
        the network's code, such as the size of the feature map of a
        :class:`ConvNetwork`. It may exceed the number of features, without a warning:
        a wide code can copy X, unless noise or a penalty on the code prevents it.

    network : {"dense"}, DenseNetwork, ConvNetwork, callable or tuple, default="dense"
        Network to train:

        - ``"dense"`` builds fully connected layers. The parameters from
          `hidden_layer_sizes` to `tied_weights` apply to this network only.
        - A network object or a callable
          ``(input_shape, n_components) -> (encoder, decoder)`` builds two Keras
          models. `input_shape` is ``(n_features,)``, or the shape of one image if X
          holds images.
        - Existing Keras models are given as ``(encoder, decoder)`` or as
          ``(model, "name of the code layer")``. They are copied, and training starts
          from their weights.

        Rows are reshaped for models that take images. Custom functions and layers,
        here and in the parameters below, must be registered with
        ``keras.saving.register_keras_serializable``.

    hidden_layer_sizes : int, sequence of int or "auto", default="auto"
        Number of units in each hidden layer of the encoder. The decoder has the same
        layers in reverse order. ``()`` gives a single-layer autoencoder, and 16 means
        ``(16,)``. ``"auto"`` means ``(128, 64)`` for fewer than 8 components, and one
        wide layer, ``(320,)``, for more.

    activation : str, callable or None, default="relu"
        Activation of the hidden layers: the name of a Keras activation, or a callable.
        If None, the layers are linear.

    code_activation : str, callable or None, default="linear"
        Activation of the code. If None, it is linear.

    output_activation : str, callable or None, default="linear"
        Activation of the reconstruction. If None, it is linear. ``"sigmoid"`` is
        suitable for data in [0, 1].

    kernel_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on the kernels of all layers. A number is the strength of an L2 penalty.
        ``{"l1": 1e-5, "l2": 1e-4}``, with one key or both, is equivalent to
        ``keras.regularizers.L1L2(1e-5, 1e-4)``. The names ``"l1"`` and ``"l2"`` mean a
        strength of 0.01, which is high. If None, there is no penalty.

    activity_regularizer : float, str, dict, keras.Regularizer or None, default=None
        Penalty on the code, specified like `kernel_regularizer`. ``"l1"`` gives a
        sparse autoencoder.

    tied_weights : bool, default=False
        Whether the decoder uses the transposed kernels of the encoder. In the Keras
        models of a fitted estimator, the decoder has copies of them.

    init : {"auto", "pca", "random"}, default="auto"
        Initial weights:

        - ``"pca"``: the network is initialized to reproduce PCA. It gets a linear path
          beside the hidden layers, which contribute zero at first. Requires a linear
          code and output, ``tied_weights=False``, and no more components than samples
          or features. The network may be a dense network, or a `ConvNetwork` if
          `n_components` is not None.
        - ``"random"``: the weights are random, and there is no linear path unless
          `network` has ``linear_path=True``.
        - ``"auto"``: ``"pca"`` if its requirements are met, otherwise random weights.

        If models are given as `network`, ``"auto"`` and ``"random"`` keep their
        weights.

    loss : str, keras.losses.Loss or callable, default="mean_squared_error"
        Reconstruction loss: any Keras loss, or a callable ``(targets, outputs)`` that
        returns one loss per row.

    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Any Keras optimizer. An instance is copied and never modified.

    learning_rate : float, keras LearningRateSchedule or None, default=None
        Learning rate. If None, the optimizer's default is used, which is 0.001 for
        Adam. When training of a network with hidden layers starts from PCA, None means
        another Adam: a learning rate of 0.004 for batches of 32 rows that grows with
        the square root of the batch size, multiplied for each layer by a number that
        depends on the scale of the data and the error of PCA, and ``beta_2=0.99``. When
        training starts from PCA, a constant learning rate is increased linearly in the
        first 5 % of the epochs, and annealed to zero with a cosine schedule.

    batch_size : int or "auto", default="auto"
        Number of rows in a training step. ``"auto"`` means ``n_samples // 32``, at
        least 32 and at most 256; for a :class:`ConvNetwork` ``n_samples // 64``, at
        most 128.

    epochs : int or "auto", default="auto"
        Maximum number of passes over the data. ``"auto"`` means about 6000 training
        steps, in at least 30 and at most 1000 epochs. For a :class:`ConvNetwork`, whose
        steps take longer, it means about 1200 steps, in at least 4 and at most 250
        epochs.

    early_stopping : bool or "auto", default=False
        Whether to hold out a validation set and stop training when the validation loss
        stops improving. The weights of the best epoch are restored, including the
        initial ones (epoch 0). If these are PCA, it is fitted again on all rows. A
        held-out row whose initial error exceeds ten times the median gets a lower
        weight, so that it does not dominate the validation loss.

        ``"auto"`` means True if training starts from PCA and there are at least 10
        distinct rows, or `X_val`. Of fewer than 500 rows a third is held out, and the
        training up to the best epoch is then repeated on all rows, at the same learning
        rates and without `callbacks`. With `X_clean` and a squared-error loss, the
        trained network replaces PCA only if its error is lower by 5 %, or more on few
        rows, and the logarithms of the errors are significantly lower (one-sided paired
        t-test, 1 % level).

    validation_fraction : float, default=0.1
        Fraction of the distinct rows to hold out as validation set if `early_stopping`
        is used. Must be between 0 and 1.

    n_iter_no_change : int or "auto", default="auto"
        Number of epochs without a lower validation loss after which early stopping ends
        training. ``"auto"`` means a fifth of `epochs`, at least 10.

    callbacks : list of keras.callbacks.Callback or callable, or None, default=None
        Keras callbacks, called as in ``Model.fit``. Callbacks that act once per epoch
        do not change how training runs. Callbacks with methods for batches or
        for validation require ``Model.fit``, which is slower and draws different
        noise. The optimizer that callbacks see has the learning rate, but no moments.

        An instance may be used by several fits. A callable without arguments, such as a
        function or ``functools.partial(keras.callbacks.EarlyStopping, "loss")``,
        returns a new callback for each fit, so that those of a search or of several
        threads share nothing. Callbacks of scikit-learn are registered with
        `set_callbacks` instead.

    warm_start : bool, default=False
        Whether to continue from the weights of the previous fit, with the same
        held-out rows, instead of new weights. If that was a warm start too, the state
        of the optimizer is continued: with an integer `random_state`, three fits of 12
        epochs have the weights of one of 36, bit for bit, if the same engine trains
        them. It is not continued if training started from PCA, because each fit anneals
        the learning rate, or if the weights of an earlier epoch were kept.

    checkpoint : str, path-like or None, default=None
        Folder in which the state of the training is written after epochs, unless that
        would take more than 5 % of the time. If the process is killed, the next `fit`
        with the same data and parameters resumes at the last epoch written, and returns
        the result of an uninterrupted fit, bit for bit. `random_state` must be an int.

        The file is named after a digest of the data, the parameters and the versions of
        the packages, and removed at the end of `fit`, but not if `fit` raises an error;
        several fits, such as those of a search, can use one folder. It holds arrays and
        JSON, no pickles. A damaged file, or a folder that cannot be written, raises an
        error. The repetition of a training on all rows, see `early_stopping`, is
        started again. Of Keras callbacks, attributes are restored that are numbers,
        strings, arrays, or lists or dicts of these.

    verbose : int, default=0
        If 1, a progress bar shows the epoch, the losses and the time left; about ten
        lines are printed instead if standard output is neither a terminal nor a
        notebook, or in a worker process. If greater than 1, the number of epochs
        between two printed lines. The last line gives what stopped training, the epoch
        whose weights are kept, and the reason. If 0, nothing is printed.

    random_state : int, RandomState instance or None, default=None
        Determines initial weights, validation set, order of the rows and noise. Pass
        an int for results that are bitwise reproducible on the same machine with the
        same number of threads.

    contractive : float, default=0.0
        Strength of the penalty on the squared Frobenius norm of the Jacobian of the
        code, averaged over rows. A positive value gives a contractive autoencoder;
        ``history_`` then has ``reconstruction_loss`` and ``contractive_loss`` too. Each
        training step evaluates every row once per component.

    one_hot_groups : list of list of int, "auto" or None, default=None
        Positions of columns that encode a category each, as `OneHotEncoder` without
        `drop` returns them. The decoder returns a probability for each of them: a
        softmax of the group, trained with the cross-entropy, which is weighted such
        that each group has half the weight of a number. Other columns keep the squared
        error. ``"auto"`` finds adjacent columns of 0 and 1 of which one is
        1 in each row. With None, all columns are numbers; the code is then about as
        good, but reconstructions are no probabilities.

    noise : {"gaussian", "masking", "salt_and_pepper", "swap"} or callable, \
            default="gaussian"
        Corruption of the training rows:

        - ``"gaussian"`` adds normal noise.
        - ``"masking"`` sets random values to 0.
        - ``"salt_and_pepper"`` sets random values to the lowest or highest value of
          the training data.
        - ``"swap"`` replaces random values by those of other rows in the same column,
          so that the columns keep their distributions. The columns of a group in
          `one_hot_groups` are replaced together. The other rows are drawn from
          those that are gathered at once: up to 2 MiB of random training rows, which
          are all rows of most tables, or the rows of the chunk in `partial_fit`. A
          chunk of a single row is not corrupted. Codes of values drawn from 32 rows
          were about as good.
        - A callable ``(X, rng) -> X`` gets some of the rows, as float32 of shape
          (n, n_features), also for images, and a NumPy Generator.

        Not used with `X_clean`. Rows passed to `transform` are never corrupted.

    noise_level : float, default=0.25
        Standard deviation of ``"gaussian"`` noise in units of X, or probability with
        which ``"masking"``, ``"salt_and_pepper"`` and ``"swap"`` set a value. Not used
        if `noise` is a callable.

    clip : bool or tuple of (float, float), default=False
        Lower and upper bound to which corrupted rows are clipped. If True, the bounds
        are the lowest and highest value of the training data.

    output : {"code", "reconstruction"}, default="code"
        What `transform` returns: the codes, or the denoised rows. With
        ``"reconstruction"``, feature names out are those of the input, and there is no
        `inverse_transform`.

    Attributes
    ----------
    encoder_, decoder_, autoencoder_ : keras.Model
        Trained models. Each access builds a new copy, so keep a reference to change
        one: ``encoder = autoencoder.encoder_``. A copy is built, and
        ``encoder.export("folder")`` can be called directly. The models take float32
        rows, so they are less exact than the estimator on data whose mean is many
        standard deviations from 0.

    history_ : dict of str to list of float
        Losses after each epoch: ``loss``, and ``val_loss`` if there is a validation
        set. With regularizers, also the terms that sum to the loss:
        ``reconstruction_loss``, ``kernel_regularization_loss`` (penalties on weights)
        and ``activity_regularization_loss`` (penalties on outputs, and losses that
        layers add).

    n_iter_ : int
        Number of epochs run, or of chunks that `partial_fit` has trained on.

    best_epoch_ : int
        Epoch whose weights early stopping kept, 0 for the initial weights. Equal to
        `n_iter_` without early stopping.

    mixup_ : float
        The share of mixup of `AutoencoderTransformer`: always 0.

    n_components_ : int
        Number of components of the code.

    components_ : ndarray of shape (n_components, n_features)
        Direction of each component in the space of the features. If the decoder is
        linear, as after a fit that ended as PCA, these are the rows of its kernel.
        Otherwise they are the mean slopes of the decoder: the change of the
        reconstruction while a component grows from one standard deviation below to one
        above its value, divided by the length of that step, and averaged over a sample
        of the training rows; they are not orthonormal. Defined for codes of at most 512
        components, like `explained_variance_` and `explained_variance_ratio_`, or any
        number if the decoder is linear.

    explained_variance_ratio_ : ndarray of shape (n_components,)
        Share of the variance of the training data by which each component increases
        `score`, given the components before it, with those after it at their mean. The
        shares are changed in proportion so that they sum to the score of the training
        data. For a fit that ended as PCA they are PCA's. If the decoder is not linear,
        they are measured on a sample of the training rows, and need not decrease.

    explained_variance_ : ndarray of shape (n_components,)
        `explained_variance_ratio_` times the total variance of the training data, with
        ``n_samples - 1`` degrees of freedom as in PCA.

    singular_values_, noise_variance_ : ndarray of shape (n_components,) and float
        As those of :class:`~sklearn.decomposition.PCA`. Defined only if the fit ended
        as PCA.

    one_hot_groups_ : list of list of int
        Groups of one-hot columns. Defined only if `one_hot_groups` is not None.

    mean_ : ndarray of shape (n_features,)
        Mean of the training data, which `score` uses as a baseline.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit. Defined only if X has feature names that are
        all strings.

    See Also
    --------
    AutoencoderTransformer : Autoencoder that is trained without noise.
    denoising_scorer : Scorer that adds noise, for the choice of a denoiser in a search.
    sklearn.decomposition.KernelPCA : Denoising with ``inverse_transform``.

    Notes
    -----
    `score` measures the reconstruction of the given rows, so a search over
    `noise_level` that uses it selects 0. Use :func:`denoising_scorer`, which adds noise
    to the rows, instead.

    As after PCA, codes of the training data have mean zero and are uncorrelated,
    components are ordered by decreasing variance, and the largest entry of each row of
    `components_` is positive. For this, the axes of the code are rotated at the end of
    the fit, and the layers on both sides of it are changed such that the reconstruction
    remains the same. The encoder must end with a linear dense layer, and the decoder
    must begin with dense layers. If a penalty on the code or these layers depends on
    the axes (L1), components are only reordered, and their signs changed. Codes of
    other networks stay as they are, and so do those of models given as `network`.

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

    _: KW_ONLY
    hidden_layer_sizes: int | Sequence[int] | Auto = "auto"  # type: ignore[assignment]
    early_stopping: bool | Auto = False
    contractive: float = 0.0
    one_hot_groups: Sequence[Sequence[int]] | Auto | None = None
    noise: NoiseName | Callable = "gaussian"
    noise_level: float = 0.25
    clip: bool | tuple[float, float] = False
    output: Literal["code", "reconstruction"] = "code"

    _parameter_constraints: ClassVar[dict] = {
        **BaseAutoencoder._parameter_constraints,
        "hidden_layer_sizes": [
            StrOptions({"auto"}),
            *BaseAutoencoder._parameter_constraints["hidden_layer_sizes"],
        ],
        "contractive": [Number(Real, 0, None, closed="left")],
        "one_hot_groups": ["array-like", StrOptions({"auto"}), None],
        "noise": [StrOptions(set(NOISES)), callable],
        "noise_level": [Number(Real, 0, None, closed="left")],
        "clip": ["boolean", tuple, list],
        "output": [StrOptions({"code", "reconstruction"})],
    }

    @validates_parameters
    def fit(
        self,
        X: MatrixLike,
        y: Any = None,
        *,
        X_clean: MatrixLike | None = None,
        sample_weight: ArrayLike | None = None,
        X_val: MatrixLike | tuple[MatrixLike, MatrixLike] | None = None,
    ) -> Self:
        """Train the autoencoder to reconstruct clean rows from noisy ones.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data: clean rows, to which noise is added during training, or noisy
            rows if `X_clean` is given. Images of shape (n_samples, height, width) or
            (n_samples, height, width, channels) are also accepted.

        y : Ignored
            Not used, present for API consistency by convention.

        X_clean : {array-like, sparse matrix} of shape (n_samples, n_features), \
                default=None
            Clean version of each row of X. Reconstructions have its units, so scale it
            as X. In a pipeline, pass it with metadata routing:
            ``set_fit_request(X_clean=True)``.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as in :meth:`AutoencoderTransformer.fit`. If None, all
            weights are 1.

        X_val : array-like of shape (n_val, n_features) or tuple of two, default=None
            Validation set, whose loss is measured after each epoch
            (``history_["val_loss"]``). The same noise is added in each epoch. If
            `X_clean` is given, a tuple (noisy rows, clean rows), both of which a
            pipeline transforms with ``transform_input=["X_clean", "X_val"]``.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the input or a parameter is invalid, or if training diverges. The
            estimator is not modified in this case.
        OSError
            If a checkpoint cannot be written or read.

        Notes
        -----
        For warnings and Ctrl-C see :meth:`AutoencoderTransformer.fit`.

        Examples
        --------
        Pairs of noisy and clean rows in a pipeline, which the first step scales:

        >>> import numpy as np
        >>> from sklearn import config_context
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.model_selection import train_test_split
        >>> from sklearn.pipeline import Pipeline
        >>> from sklearn.preprocessing import MinMaxScaler
        >>> from skautoenc import DenoisingAutoencoder
        >>> clean = load_digits().data
        >>> noisy = clean + np.random.default_rng(0).normal(scale=4, size=clean.shape)
        >>> X, X_val, X_clean, X_val_clean = train_test_split(
        ...     noisy, clean, random_state=0
        ... )
        >>> with config_context(enable_metadata_routing=True):
        ...     denoiser = DenoisingAutoencoder(16, epochs=20, random_state=0)
        ...     pipeline = Pipeline(
        ...         [
        ...             ("scale", MinMaxScaler()),
        ...             ("denoise", denoiser.set_fit_request(X_clean=True, X_val=True)),
        ...         ],
        ...         transform_input=["X_clean", "X_val"],
        ...     ).fit(X, X_clean=X_clean, X_val=(X_val, X_val_clean))
        >>> losses = pipeline["denoise"].history_["val_loss"]
        >>> losses[-1] < losses[0] < 0.1
        True
        """
        _check_y(y, X, "fit")
        return self._fit_and_keep(X, y, sample_weight, X_val, X_clean)

    @available_if(check_takes_chunks)
    @validates_parameters
    def partial_fit(
        self,
        X: MatrixLike,
        y: Any = None,
        *,
        X_clean: MatrixLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train the autoencoder on a chunk of rows, in one pass over them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            One or more clean rows or images, to which noise is added, or noisy ones if
            `X_clean` is given.

        y : Ignored
            Not used, present for API consistency by convention.

        X_clean : {array-like, sparse matrix} of shape (n_samples, n_features), \
                default=None
            Clean version of each row of X. Reconstructions have its units, so scale it
            as X.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as in :meth:`AutoencoderTransformer.fit`. If None, all
            weights are 1.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the input or a parameter is invalid, if a parameter of the network has
            changed since the last call, or if training diverges. The estimator is not
            modified in this case.

        Notes
        -----
        For everything else see :meth:`AutoencoderTransformer.partial_fit`.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_digits
        >>> from skautoenc import DenoisingAutoencoder
        >>> clean = load_digits().data / 16
        >>> rng = np.random.default_rng(0)
        >>> noisy = clean + rng.normal(scale=0.25, size=clean.shape)
        >>> denoiser = DenoisingAutoencoder(16, random_state=0)
        >>> for i in range(0, len(clean), 100):
        ...     part = slice(i, i + 100)
        ...     denoiser = denoiser.partial_fit(noisy[part], X_clean=clean[part])
        >>> cleaned = denoiser.reconstruct(noisy)
        >>> bool(np.mean((cleaned - clean) ** 2) < 0.6 * np.mean((noisy - clean) ** 2))
        True
        """
        _check_y(y, X, "partial_fit")
        return self._fit_chunk(X, y, sample_weight, X_clean)

    def transform(self, X: MatrixLike) -> NDArray[np.floating]:
        """Encode X, or denoise it if ``output="reconstruction"``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows or images, as in `fit`.

        Returns
        -------
        X_new : ndarray of shape (n_samples, n_components) or of the shape of X
            Codes as float32, or denoised rows in the type that `inverse_transform`
            returns. Data frames, see `set_output`, have one column per pixel of an
            image.
        """
        if not self._outputs_reconstruction():
            return super().transform(X)
        X = self.reconstruct(X)
        if _get_output_config("transform", self)["dense"] != "default":
            return X.reshape(len(X), -1)
        return X

    @available_if(_check_outputs_codes)
    def inverse_transform(self, Z: ArrayLike) -> NDArray[np.floating]:
        """Decode codes to rows.

        Available only if ``output="code"``.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Reconstructions, as returned by
            :meth:`AutoencoderTransformer.inverse_transform`.
        """
        return super().inverse_transform(Z)

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> NDArray[np.object_]:
        """Get the names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features of X, used if X had none in `fit`.

        Returns
        -------
        feature_names_out : ndarray of str objects
            Names of the components, or of the features if
            ``output="reconstruction"``.
        """
        if not self._outputs_reconstruction():
            return super().get_feature_names_out(input_features)
        check_is_fitted(self)
        return _check_feature_names_in(self, input_features)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self._outputs_reconstruction():
            tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_params(self) -> None:
        super()._check_params()
        max_level = np.inf if callable(self.noise) else NOISES[self.noise].max_level
        if self.noise_level > max_level:
            raise ValueError(
                f"noise_level={self.noise_level} must be in [0, {max_level:g}] with "
                f"noise={self.noise!r}."
            )
        if isinstance(self.clip, tuple | list) and not (
            len(self.clip) == 2
            and all(isinstance(bound, Real) for bound in self.clip)
            and self.clip[0] < self.clip[1]
        ):
            raise ValueError(
                "clip must be True, False or two numbers, (low, high) with low < high; "
                f"got {self.clip!r}."
            )

    def _hidden_layer_sizes(self, n_components):
        if isinstance(self.hidden_layer_sizes, str):  # "auto"
            return denoising_layer_sizes(n_components)
        return self.hidden_layer_sizes

    def _outputs_reconstruction(self):
        return self.output == "reconstruction"

    def _onnx_conversion(self):
        returns_codes = not self._outputs_reconstruction()
        return replace(super()._onnx_conversion(), returns_codes=returns_codes)

    def _objective(self):
        return Reconstruction(self.contractive)

    def _augmentation(self):
        noise = NoiseOptions(self.noise, self.noise_level, self.clip)
        return AugmentationOptions(noise=noise)


def _check_y(y, X, method):
    """Raise a ValueError if `y`, which is not used, is meant as clean rows."""
    if _looks_like_rows(y, X):
        raise ValueError(
            "y looks like rows of X, and would be ignored. Pass clean rows as X_clean: "
            f"{method}(X_noisy, X_clean=X_clean)."
        )


def _looks_like_rows(y, X):
    """Whether y has as many rows as X, and as many values in each row."""
    shapes = [
        np.shape(value) if isinstance(value, list | tuple) else value.shape
        for value in (y, X)
        if isinstance(value, list | tuple) or hasattr(value, "shape")
    ]
    if len(shapes) < 2 or any(len(shape) < 2 for shape in shapes):
        return False
    (n_y, *row_y), (n_x, *row_x) = shapes
    return n_y == n_x and np.prod(row_y) == np.prod(row_x)
