"""Base class of the autoencoders: parameters, fit, transform and scores."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from os import PathLike
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from .._backend.fork import forked_after_tensorflow
from .._backend.worker import fit_in_subprocess
from .._fit.augmentation import AugmentationOptions
from .._fit.defaults import resolve_auto_settings
from .._fit.fit import fit_autoencoder
from .._fit.n_components import resolve_n_components
from .._fit.trainable import needs_keras
from .._fit.values import FitOptions, FitResult, Schema, WarmStart
from .._fitted.custom_objects import picklable
from .._fitted.state import check_format
from .._training import SklearnCallbacks
from .._utils.blocks import row_blocks, to_dense
from .._utils.metrics import METRICS, ExplainedVariance
from .._utils.random import RandomStreams
from .._utils.sklearn_compat import (
    fitted_attributes_html,
    init_callback_context,
    validate_parameters,
)
from ..networks import DenseNetwork
from ..networks._objectives import chain
from ..networks._resolve import networks_of_models, to_picklable
from .attributes import OF_CODES, OF_PCA, OptionalAttribute
from .parameters import (
    CONSTRAINTS,
    Activation,
    Auto,
    LearningRateSchedule,
    MatrixLike,
    Network,
    Optimizer,
    Regularizer,
    check_checkpoint,
    check_network_parameters,
    init_from_fields,
    validates_parameters,
)
from .validation import (
    flatten_rows,
    validate_codes,
    validate_rows,
    validate_training_data,
    validate_weights,
)

# Format of pickled estimators. To be raised when names or meanings of their attributes
# change; the former format must then still be read.
FORMAT = 1

# Parts of an objective, kept in attributes of these names with a leading underscore.
PARTS = ("encoder", "decoder", "log_variance")

Metric = Literal["mean_squared_error", "mean_absolute_error"]


@init_from_fields
class BaseAutoencoder(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """Base class of the autoencoders.

    Annotated class attributes are the parameters. A subclass adds keyword-only ones,
    overrides defaults, and defines the objective.
    """

    n_components: float | None = 2
    _: KW_ONLY
    network: Network = "dense"
    hidden_layer_sizes: int | Sequence[int] = (128, 64)
    activation: Activation = "relu"
    code_activation: Activation = "linear"
    output_activation: Activation = "linear"
    kernel_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    tied_weights: bool = False
    init: Literal["auto", "pca", "random"] = "auto"
    loss: str | Callable = "mean_squared_error"
    optimizer: str | Optimizer = "adam"
    learning_rate: float | LearningRateSchedule | None = None
    batch_size: int | Auto = "auto"
    epochs: int | Auto = "auto"
    early_stopping: bool | Auto = "auto"
    validation_fraction: float = 0.1
    n_iter_no_change: int | Auto = "auto"
    callbacks: Sequence[Any] | None = None
    warm_start: bool = False
    checkpoint: str | PathLike | None = None
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict] = CONSTRAINTS

    components_ = OptionalAttribute(OF_CODES)
    explained_variance_ = OptionalAttribute(OF_CODES)
    explained_variance_ratio_ = OptionalAttribute(OF_CODES)
    singular_values_ = OptionalAttribute(OF_PCA)
    noise_variance_ = OptionalAttribute(OF_PCA)

    @classmethod
    def from_keras(cls, encoder: Any, decoder: Any, **params: Any) -> Self:
        """Create a fitted estimator from trained Keras models.

        The models are not trained further, and codes stay as they are. There are no
        ``mean_`` and ``components_``, as the training data are not available: `score`
        uses the mean of the rows it is called with.

        Parameters
        ----------
        encoder : keras.Model
            Trained model from rows to codes. It is copied. If it takes images,
            `inverse_transform` and `sample` return images. If `decoder` is a str, the
            whole autoencoder.

        decoder : keras.Model or str
            Trained model from codes to rows, which is copied, or the name of the code
            layer if `encoder` is the whole autoencoder.

        **params : dict
            Parameters of the estimator, except `n_components` and `network`.

        Returns
        -------
        estimator : object
            Fitted estimator.

        Raises
        ------
        TypeError
            If `encoder` is not a Keras model, or `decoder` is neither a Keras model nor
            the name of a layer.
        ValueError
            If the models do not fit together, are not built, or cannot be rebuilt from
            their config.

        Examples
        --------
        >>> import keras
        >>> import numpy as np
        >>> from skautoenc import AutoencoderTransformer
        >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
        >>> decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8)])
        >>> autoencoder = AutoencoderTransformer.from_keras(encoder, decoder)
        >>> autoencoder.transform(np.ones((5, 8))).shape
        (5, 2)
        """
        networks, row_shape, n_components = networks_of_models(encoder, decoder)
        estimator = cls(n_components, network=(encoder, decoder), **params)
        validate_parameters(estimator)
        estimator._check_params()
        estimator._set_fitted(
            FitResult(networks, n_components),
            Schema(
                n_features=int(np.prod(row_shape)),
                row_shape=row_shape if len(row_shape) > 1 else None,
            ),
        )
        return estimator

    @validates_parameters
    def fit(
        self,
        X: MatrixLike,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: MatrixLike | None = None,
    ) -> Self:
        """Train the autoencoder to reproduce X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. Images of shape (n_samples, height, width) or
            (n_samples, height, width, channels) are also accepted, and treated as rows
            of pixels. Training uses float32. Sparse matrices are converted to dense
            arrays in small blocks only.

            From 2**18 rows or 1 GiB on, rows are visited in shuffled blocks of 32 KiB,
            so that a float32 memory map may be larger than memory. Arrays of other
            types are copied.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. If None, all weights are 1. A row with an integer
            weight w <= 10 is repeated w times per epoch. The fractional part of a
            weight, and any weight above 10, scales the loss of the row instead, as do
            all weights if X is visited in blocks. Small weights have the effect of a
            smaller learning rate, so scale the weights to a mean of 1.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation set, whose loss is measured after each epoch
            (``history_["val_loss"]``). If given, `early_stopping` uses it and does not
            hold out rows of X. A pipeline passes it on with metadata routing, and
            transforms it by the steps before only with ``transform_input=["X_val"]``;
            see the example.

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

        Examples
        --------
        A validation set for the last step of a pipeline, which the first step scales:

        >>> from sklearn import config_context
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.model_selection import train_test_split
        >>> from sklearn.pipeline import Pipeline
        >>> from sklearn.preprocessing import MinMaxScaler
        >>> from skautoenc import AutoencoderTransformer
        >>> X, X_val = train_test_split(load_digits().data, random_state=0)
        >>> with config_context(enable_metadata_routing=True):
        ...     autoencoder = AutoencoderTransformer(8, epochs=20, random_state=0)
        ...     pipeline = Pipeline(
        ...         [
        ...             ("scale", MinMaxScaler()),
        ...             ("reduce", autoencoder.set_fit_request(X_val=True)),
        ...         ],
        ...         transform_input=["X_val"],
        ...     ).fit(X, X_val=X_val)
        >>> bool(pipeline["reduce"].history_["val_loss"][-1] < 0.02)
        True
        """
        return self._fit_and_keep(X, y, sample_weight, X_val)

    def _fit_and_keep(self, X, y, sample_weight, X_val, X_clean=None):
        """Fit the estimator, and set its fitted attributes if the fit succeeds."""
        self._check_params()
        data = validate_training_data(self, X, sample_weight, X_val, X_clean)
        streams = RandomStreams.from_random_state(self.random_state)
        options = self._fit_options(data, streams)
        previous = self._warm_start() if self.warm_start else None
        if forked_after_tensorflow() and needs_keras(data, options, streams):
            result = fit_in_subprocess(self, data, streams, previous)
        else:
            result = self._fit_with_callbacks(data, options, streams, previous, X, y)
        self._set_fitted(result, data.schema)
        return self

    def _fit_data(self, data, streams, previous):
        """Fit without scikit-learn's callbacks, for another process."""
        options = self._fit_options(data, streams)
        return fit_autoencoder(data, options, streams, previous)

    def _fit_with_callbacks(self, data, options, streams, previous, X, y):
        """Fit under scikit-learn's callbacks."""
        task = init_callback_context(self, options.epochs)
        # Scoring callbacks need targets, which of an autoencoder are the rows.
        arrays = {"X": X, "y": X if y is None else y}
        task.call_on_fit_task_begin(estimator=self, **arrays)
        attributes = functools.partial(self._fitted_attributes, schema=data.schema)

        def make_hook(result_of):
            def attributes_with(weights):
                return attributes(result_of(weights))

            return SklearnCallbacks(self, task, arrays, attributes_with)

        result = fit_autoencoder(data, options, streams, previous, [make_hook])
        task.call_on_fit_task_end(
            estimator=self,
            reconstruction_attributes=lambda: attributes(result),
            **arrays,
        )
        return result

    def _fit_options(self, data, streams):
        """Return the parameters as the fit takes them."""
        schedule = resolve_auto_settings(
            data.X.shape[0], self.batch_size, self.epochs, self.n_iter_no_change
        )
        n_components = resolve_n_components(
            self.n_components, data, streams.seed("pca")
        )
        return FitOptions(
            network=self._network(),
            n_components=n_components,
            objective=self._objective(),
            augmentation=self._augmentation(),
            init=self.init,
            loss=self.loss,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            batch_size=schedule.batch_size,
            epochs=schedule.epochs,
            patience=schedule.patience,
            early_stopping=self.early_stopping,
            validation_fraction=self.validation_fraction,
            callbacks=tuple(self.callbacks or ()),
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

    def _check_params(self) -> None:
        """Check parameters beyond ``_parameter_constraints``, before X is read.

        Subclasses extend it. Whether a name or an object is valid in Keras is checked
        when Keras uses it.

        Raises
        ------
        TypeError
            If the network is a class.
        ValueError
            If a parameter is out of range, or does not fit another one.
        """
        check_network_parameters(self)
        check_checkpoint(self.checkpoint, self.random_state)

    def _network(self):
        """Return the network; the flat parameters describe a `DenseNetwork`."""
        if self.network != "dense":
            return self.network
        return DenseNetwork(
            self.hidden_layer_sizes,
            activation=self.activation,
            code_activation=self.code_activation,
            output_activation=self.output_activation,
            kernel_regularizer=self.kernel_regularizer,
            activity_regularizer=self.activity_regularizer,
            tied_weights=self.tied_weights,
            linear_path=False if self.init == "random" else "auto",
        )

    def _objective(self):
        """Return what is trained, `Reconstruction` or `Variational`."""
        raise NotImplementedError

    def _augmentation(self):
        """Return how training rows are augmented."""
        return AugmentationOptions()

    def _warm_start(self):
        """Return the networks of an earlier fit; None without one."""
        if "_encoder" not in vars(self):
            return None
        networks = {
            part: vars(self)[f"_{part}"] for part in PARTS if f"_{part}" in vars(self)
        }
        return WarmStart(networks, self._split_seed)

    def _fitted_attributes(self, result, schema):
        """Return all fitted attributes by name."""
        attributes = {f"_{part}": network for part, network in result.networks.items()}
        attributes |= {
            "_dtype": result.dtype,
            "_largest": result.largest,
            "_n_features_out": result.n_components,
            "_row_shape": schema.row_shape,
            "_split_seed": result.split_seed,
            "best_epoch_": result.best_epoch,
            "history_": result.history,
            "mixup_": result.mixup,
            "n_components_": result.n_components,
            "n_features_in_": schema.n_features,
            "n_iter_": result.n_iter,
        }
        if result.mean is not None:
            attributes["mean_"] = result.mean
        if result.codes is not None:
            attributes |= _code_attributes(result)
        if schema.feature_names is not None:
            attributes["feature_names_in_"] = schema.feature_names
        return attributes

    def _set_fitted(self, result, schema):
        """Set all fitted attributes at once, as other threads may read them."""
        attributes = self._fitted_attributes(result, schema)
        for name in [name for name in vars(self) if name.endswith("_")]:
            if name not in attributes:
                vars(self).pop(name)
        vars(self).update(attributes)

    def transform(self, X: MatrixLike) -> NDArray[np.floating]:
        """Encode X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows or images, as in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes, as float32. Rows are centred before they are converted to float32.
        """
        self._check_is_fitted()
        encoder = self._encoder
        return encoder(validate_rows(self, X))

    def inverse_transform(self, Z: ArrayLike) -> NDArray[np.floating]:
        """Decode codes to rows.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            Reconstructions, in the shape of images if `fit` was called with images. The
            type is float64 if X was float64 or integers that float32 cannot represent,
            so that previous steps of a pipeline can invert their transformation
            exactly. Otherwise it is float32.
        """
        self._check_is_fitted()
        decoder, width = self._decoder, self._n_features_out
        codes = validate_codes(Z, width, type(self).__name__)
        X = decoder(codes, self._dtype)
        return X if self._row_shape is None else X.reshape(-1, *self._row_shape)

    def reconstruct(self, X: MatrixLike) -> NDArray[np.floating]:
        """Encode and decode X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows or images, as in `fit`.

        Returns
        -------
        X_reconstructed : ndarray of the shape of X
            Reconstructions, in the type that `inverse_transform` returns.
        """
        self._check_is_fitted()
        encoder, decoder = self._encoder, self._decoder
        _, row_shape = flatten_rows(X)
        X = decoder(encoder(validate_rows(self, X)), self._dtype)
        return X if row_shape is None else X.reshape(-1, *row_shape)

    def reconstruction_error(
        self,
        X: MatrixLike,
        *,
        per_feature: bool = False,
        metric: Metric = "mean_squared_error",
    ) -> NDArray[np.float64]:
        """Compute the error between X and its reconstruction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows or images, as in `fit`.

        per_feature : bool, default=False
            Whether to return the error of each feature instead of the mean over
            features.

        metric : {"mean_squared_error", "mean_absolute_error"}, \
                default="mean_squared_error"
            Whether to compute squared or absolute errors.

        Returns
        -------
        error : ndarray of shape (n_samples,) or (n_samples, n_features)
            Errors, as float64.
        """
        self._check_is_fitted()
        if metric not in METRICS:
            raise ValueError(
                f"metric must be one of {sorted(METRICS)}; got {metric!r}."
            )
        networks = self._encoder, self._decoder
        X = validate_rows(self, X)
        out = np.empty(X.shape if per_feature else X.shape[:1])
        for rows, difference in _differences(*networks, X):
            error = METRICS[metric](difference, out=difference)
            out[rows] = error if per_feature else error.mean(axis=1)
        return out

    def score_samples(
        self, X: MatrixLike, *, metric: Metric = "mean_squared_error"
    ) -> NDArray[np.float64]:
        """Compute the negative mean error of each row.

        A lower score means that a row is more likely to be an outlier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows or images, as in `fit`.

        metric : {"mean_squared_error", "mean_absolute_error"}, \
                default="mean_squared_error"
            Error to compute. A few large deviations have less influence on the absolute
            error.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Scores, as float64.

        Notes
        -----
        Large outliers in the training data dominate the squared error, so the network
        may learn to reconstruct them, and their scores are then not low. Train on data
        without outliers or with ``loss="mean_absolute_error"``, and compare with the
        scores of :class:`~sklearn.decomposition.PCA`.
        """
        return -self.reconstruction_error(X, metric=metric)

    def score(
        self, X: MatrixLike, y: Any = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """Compute the explained variance ratio of the reconstruction of X.

        It is 1 - (sum of squared errors) / (sum of squared deviations from the mean of
        the training data). For an estimator that equals PCA, the score on the training
        data is the sum of PCA's ``explained_variance_ratio_``. If X does not vary
        beyond rounding, the score is 1 if X is reconstructed within the precision of
        float32, and 0 otherwise.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows or images, as in `fit`.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. If None, all weights are 1.

        Returns
        -------
        score : float
            Explained variance ratio, at most 1. Higher is better.
        """
        self._check_is_fitted()
        networks, mean = (self._encoder, self._decoder), getattr(self, "mean_", None)
        largest = self._largest
        X = validate_rows(self, X)
        weight = validate_weights(sample_weight, X)
        if mean is None:
            mean = (weight @ X) / weight.sum()
        explained = ExplainedVariance(X.shape[1], X.dtype)
        for rows, difference in _differences(*networks, X):
            block = to_dense(X[rows]).astype(np.float64, copy=False)
            explained.add(block, difference, mean, weight[rows])
        return explained.result(largest)

    @property
    def encoder_(self) -> Any:
        """Trained encoder as a Keras model; each access returns a new copy."""
        self._check_is_fitted()
        return self._encoder.to_keras()

    @property
    def decoder_(self) -> Any:
        """Trained decoder as a Keras model; each access returns a new copy."""
        self._check_is_fitted()
        return self._decoder.to_keras()

    @property
    def autoencoder_(self) -> Any:
        """Trained autoencoder as a Keras model; each access returns a new copy."""
        return chain(self.encoder_, self.decoder_)

    def _get_fitted_attr_html(self, doc_link=""):
        """Return the attributes that notebooks show, without building Keras models."""
        return fitted_attributes_html(self, doc_link)

    def __getstate__(self):
        state = super().__getstate__()
        network = to_picklable(state["network"], is_fitted="_encoder" in state)
        state = {name: picklable(value) for name, value in state.items()}
        return {**state, "network": network, "_format": FORMAT}

    def __setstate__(self, state):
        state = dict(state)
        number = state.pop("_format", None)
        check_format(number, FORMAT, f"a {type(self).__name__}")
        super().__setstate__(state)

    def _check_is_fitted(self):
        if not hasattr(self, "_encoder"):  # check_is_fitted is slow
            check_is_fitted(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _code_attributes(result):
    """Return the attributes that the estimators have in common with PCA."""
    statistics = result.codes._asdict()
    statistics["components"] = result.codes.components.astype(result.dtype)
    return {f"{name}_": x for name, x in statistics.items() if x is not None}


def _differences(encoder, decoder, X):
    """Yield reconstruction minus X in float64, a block of rows at a time."""
    for rows in row_blocks(X.shape[0], X.shape[1]):
        block = X[rows]
        difference = decoder(encoder(block), np.float64)
        difference -= to_dense(block)
        yield rows, difference
