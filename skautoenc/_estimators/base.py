"""BaseAutoencoder: fit, transform, inverse_transform and the scores."""

import functools

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils.validation import check_is_fitted

from .._backend.fork import forked_after_tensorflow
from .._backend.keras import isolated
from .._backend.worker import fit_in_fresh_process
from .._fit.augmentation import AugmentationOptions
from .._fit.defaults import resolve_auto_settings
from .._fit.fit import fit_autoencoder
from .._fit.trainable import needs_keras
from .._fit.values import FitOptions, FitResult, Schema, WarmStart
from .._fitted.custom_objects import picklable
from .._fitted.network import FittedNetwork
from .._training import SklearnCallbacks
from .._utils.blocks import row_blocks
from .._utils.metrics import METRICS, ExplainedVariance
from .._utils.random import RandomStreams
from .._utils.sklearn_compat import (
    _fit_context,
    fitted_attributes_html,
    validate_parameters,
)
from ..networks import DenseNetwork
from ..networks._objectives import chain
from ..networks._resolve import build_pair, given_shape, to_picklable
from .checks import check_dense_parameters
from .parameters import CONSTRAINTS
from .validation import (
    flatten_rows,
    validate_codes,
    validate_rows,
    validate_training_data,
    validate_weights,
)

# Parts of an objective, kept in attributes of these names with a leading underscore.
PARTS = ("encoder", "decoder", "log_variance")


class BaseAutoencoder(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """Parameters and methods of all autoencoders.

    A subclass adds parameters, and defines `_objective` and `_augmentation`.
    """

    _parameter_constraints: dict = CONSTRAINTS

    def __init__(
        self,
        n_components,
        *,
        network,
        hidden_layer_sizes,
        activation,
        code_activation,
        output_activation,
        kernel_regularizer,
        activity_regularizer,
        tied_weights,
        init,
        loss,
        optimizer,
        learning_rate,
        batch_size,
        epochs,
        early_stopping,
        validation_fraction,
        n_iter_no_change,
        callbacks,
        warm_start,
        verbose,
        random_state,
    ):
        self.n_components = n_components
        self.network = network
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.code_activation = code_activation
        self.output_activation = output_activation
        self.kernel_regularizer = kernel_regularizer
        self.activity_regularizer = activity_regularizer
        self.tied_weights = tied_weights
        self.init = init
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.verbose = verbose
        self.random_state = random_state

    @classmethod
    def from_keras(cls, encoder, decoder, **params):
        """Return a fitted estimator around models that were trained elsewhere.

        Nothing is trained. There is no ``mean_``, as the training data are not known:
        `score` measures around the mean of the rows it is given.

        Parameters
        ----------
        encoder, decoder : keras.Model
            Trained models, from rows to codes and back. They are copied. Where the
            encoder takes images, `inverse_transform` and `sample` give images. One
            model and the name of its code layer do as well: ``(model, "code")``.

        **params : dict
            Parameters of the estimator, other than `n_components` and `network`.

        Returns
        -------
        estimator : object

        Raises
        ------
        TypeError
            If one of the two is not a Keras model, nor the name of a layer.
        ValueError
            If the models do not fit together, are not built, or cannot be built again
            from their config.

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
        row_shape = given_shape("encoder", encoder)
        if not isinstance(decoder, str):
            given_shape("decoder", decoder)
        elif decoder not in [layer.name for layer in encoder.layers]:
            raise TypeError(
                "decoder must be a Keras model, or the name of the code layer of the "
                f"first one; got the str {decoder!r}, and the layers are "
                f"{[layer.name for layer in encoder.layers]}."
            )
        with isolated(0):
            models = build_pair((encoder, decoder), row_shape, None)
        networks = zip(
            ("encoder", "decoder"), map(FittedNetwork.from_keras, models), strict=True
        )
        n_components = models[0].output_shape[1]
        estimator = cls(n_components, network=(encoder, decoder), **params)
        validate_parameters(estimator)
        estimator._set_fitted(
            FitResult(dict(networks), n_components),
            Schema(
                n_features=int(np.prod(row_shape)),
                row_shape=row_shape if len(row_shape) > 1 else None,
            ),
        )
        return estimator

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, sample_weight=None, X_val=None):
        """Train the autoencoder to reproduce X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, or images of shape (n_samples, height, width) or
            (n_samples, height, width, channels), which count as rows of their
            pixels. Trained on as float32; CSR and CSC matrices are never made dense
            whole. From 2**18 rows or 1 GiB on, rows are visited in shuffled blocks of
            32 KiB, so that a float32 memory map may be larger than memory; other
            types are copied.

        y : Ignored
            Present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts. Whole weights up to 10 are exactly as if the
            row stood in X so often; what is left of a fraction, or above 10, weights
            the row's loss. Weights well below 1 act like a smaller learning rate:
            scale them to a mean of 1. Of data visited in blocks, all of a weight
            weights the row's loss.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows whose loss is measured after every epoch (``history_["val_loss"]``).
            Where `early_stopping` is at work they take the place of the split. In a
            pipeline they are not scaled by the steps before, unless it has
            ``transform_input=["X_val"]`` and metadata routing is enabled.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the input or a parameter is not valid, or if training diverges. The
            estimator is then as it was before the call.
        """
        return self._fit_and_keep(X, y, sample_weight, X_val)

    def _fit_and_keep(self, X, y, sample_weight, X_val, X_clean=None):
        """Fit the estimator, and set its fitted attributes if the fit succeeds."""
        check_dense_parameters(self)
        data = validate_training_data(self, X, sample_weight, X_val, X_clean)
        options = self._fit_options(data.X.shape[0])
        streams = RandomStreams.from_random_state(self.random_state)
        previous = self._warm_start() if self.warm_start else None
        if forked_after_tensorflow() and needs_keras(data, options, streams):
            result = fit_in_fresh_process(self, data, streams, previous)
        else:
            result = self._fit_with_callbacks(data, options, streams, previous, X, y)
        self._set_fitted(result, data.schema)
        return self

    def _fit_with_callbacks(self, data, options, streams, previous, X, y):
        """Fit under scikit-learn's callbacks."""
        task = self._init_callback_context(max_subtasks=options.epochs)
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

    def _fit_options(self, n_samples):
        """Return the parameters as the fit takes them."""
        schedule = resolve_auto_settings(
            n_samples, self.batch_size, self.epochs, self.n_iter_no_change
        )
        return FitOptions(
            network=self._network(),
            n_components=self.n_components and int(self.n_components),
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
            verbose=self.verbose,
        )

    def _network(self):
        """Return the network; the flat parameters describe a `DenseNetwork`."""
        if self.network != "dense":
            return self.network
        is_deterministic = not self._objective().stochastic_encoder
        return DenseNetwork(
            self.hidden_layer_sizes,
            activation=self.activation,
            code_activation=self.code_activation,
            output_activation=self.output_activation,
            kernel_regularizer=self.kernel_regularizer,
            activity_regularizer=self.activity_regularizer,
            tied_weights=self.tied_weights,
            linear_path="auto" if is_deterministic and self.init != "random" else False,
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
            "mixup_": result.uses_mixup,
            "n_components_": result.n_components,
            "n_features_in_": schema.n_features,
            "n_iter_": result.n_iter,
        }
        if result.mean is not None:
            attributes["mean_"] = result.mean
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

    def transform(self, X):
        """Encode X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or images, as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_components), float32
            What the encoder gives: rows are centred before they are cut to float32, so
            codes need no more.
        """
        self._check_is_fitted()
        encoder = self._encoder
        return encoder(validate_rows(self, X))

    def inverse_transform(self, Z):
        """Decode codes back to the features.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Images, where `fit` was given images. float64 where `fit` was given that, or
            integers that float32 does not hold, so that steps of a pipeline before this
            one can undo what they did to large values; else float32.
        """
        self._check_is_fitted()
        decoder, width = self._decoder, self._n_features_out
        codes = validate_codes(Z, width, type(self).__name__)
        X = decoder(codes, self._dtype)
        return X if self._row_shape is None else X.reshape(-1, *self._row_shape)

    def reconstruct(self, X):
        """Encode and decode X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of the shape of X
            Of the type that `inverse_transform` gives.
        """
        self._check_is_fitted()
        encoder, decoder = self._encoder, self._decoder
        _, row_shape = flatten_rows(X)
        X = decoder(encoder(validate_rows(self, X)), self._dtype)
        return X if row_shape is None else X.reshape(-1, *row_shape)

    def reconstruction_error(
        self, X, *, per_feature=False, metric="mean_squared_error"
    ):
        """Error between X and its reconstruction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        per_feature : bool, default=False
            Keep one value per feature instead of each row's mean.

        metric : {"mean_squared_error", "mean_absolute_error"}, \
                default="mean_squared_error"

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_features), float64
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

    def score_samples(self, X, *, metric="mean_squared_error"):
        """Minus the mean error of each row; higher is more normal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        metric : {"mean_squared_error", "mean_absolute_error"}, \
                default="mean_squared_error"
            The absolute error weights a few large deviations less.

        Returns
        -------
        ndarray of shape (n_samples,), float64

        Notes
        -----
        A network fits large outliers among its training rows, which may then score as
        normal: a squared error of 400 in one row weighs as much as 400 errors of 1.
        Train on rows without outliers, or with ``loss="mean_absolute_error"``, and
        compare with the scores of :class:`~sklearn.decomposition.PCA`.
        """
        return -self.reconstruction_error(X, metric=metric)

    def score(self, X, y=None, sample_weight=None):
        """Share of variance explained: 1 - squared errors / squares around the mean.

        The mean is that of the training data. On its training data PCA's score is the
        sum of its ``explained_variance_ratio_``. Data without variance, up to the
        rounding of values of that size, scores 1 if it is reconstructed up to the
        rounding of float32, else 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        y : Ignored
            Present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        float
            At most 1; higher is better.
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
            block = _dense(X[rows]).astype(np.float64, copy=False)
            explained.add(block, difference, mean, weight[rows])
        return explained.result(largest)

    @property
    def encoder_(self):
        """The trained encoder as a Keras model, a new copy at each access."""
        self._check_is_fitted()
        return self._encoder.to_keras()

    @property
    def decoder_(self):
        """The trained decoder as a Keras model, a new copy at each access."""
        self._check_is_fitted()
        return self._decoder.to_keras()

    @property
    def autoencoder_(self):
        """Encoder and decoder as one Keras model, a new copy at each access."""
        return chain(self.encoder_, self.decoder_)

    def _get_fitted_attr_html(self, doc_link=""):
        """What a notebook shows; no Keras model is built for that."""
        return fitted_attributes_html(self, doc_link)

    def __getstate__(self):
        state = super().__getstate__()
        network = to_picklable(state["network"], is_fitted="_encoder" in state)
        state = {name: picklable(value) for name, value in state.items()}
        return {**state, "network": network}

    def _check_is_fitted(self):
        if not hasattr(self, "_encoder"):  # scikit-learn's own takes longer than a row
            check_is_fitted(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _differences(encoder, decoder, X):
    """What reconstructions of some rows at a time are off by, in float64."""
    for rows in row_blocks(X.shape[0], X.shape[1]):
        block = X[rows]
        difference = decoder(encoder(block), np.float64)
        difference -= _dense(block)
        yield rows, difference


def _dense(X):
    return X if isinstance(X, np.ndarray) else X.toarray()
