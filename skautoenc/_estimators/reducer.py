"""Methods of a fitted autoencoder: codes, reconstructions, errors and scores."""

from functools import partial, reduce
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._fit.summary import summarize
from .._fitted.custom_objects import picklable
from .._onnx.reducers import AutoencoderConversion
from .._utils.blocks import to_dense
from .._utils.chunked import ChunkedArray, is_dask_collection, reduce_chunks
from .._utils.metrics import METRICS, ExplainedVariance
from .._utils.sklearn_compat import fitted_attributes_html
from ..networks._objectives import chain
from ..networks._resolve import to_picklable
from .attributes import OF_CODES, OF_PCA, OptionalAttribute
from .dask_input import chunked_like, to_chunks
from .dask_methods import Output, lazy_for_dask
from .evaluation import map_slices, map_valid_rows
from .onnx import OnnxMixin
from .parameters import MatrixLike
from .stored_state import StoredState
from .validation import flatten_rows, validate_codes, validate_rows, validate_weights

Metric = Literal["mean_squared_error", "mean_absolute_error"]


def _reconstruction(estimator, row_shape):
    return Output(row_shape or (estimator.n_features_in_,), estimator._dtype)


def output_of_transform(estimator: Any, X: Any) -> Output:
    """Return what `transform` gives for a row, see `lazy_for_dask`."""
    validate_rows(estimator, X, min_samples=0)
    return Output((estimator._n_features_out,), np.float32)


def _output_of_inverse_transform(estimator, Z):
    validate_codes(
        Z, estimator._n_features_out, type(estimator).__name__, min_samples=0
    )
    return _reconstruction(estimator, estimator._row_shape)


def output_of_reconstruct(estimator: Any, X: Any) -> Output:
    """Return what `reconstruct` gives for a row, see `lazy_for_dask`."""
    _, row_shape = flatten_rows(X)
    validate_rows(estimator, X, min_samples=0)
    return _reconstruction(estimator, row_shape)


def _output_of_errors(estimator, X, per_feature=False, metric="mean_squared_error"):
    _check_metric(metric)
    validate_rows(estimator, X, min_samples=0)
    shape = (estimator.n_features_in_,) if per_feature else ()
    return Output(shape, np.float64)


@lazy_for_dask(
    transform=output_of_transform,
    inverse_transform=_output_of_inverse_transform,
    reconstruct=output_of_reconstruct,
    reconstruction_error=_output_of_errors,
    score_samples=_output_of_errors,
)
class FittedReducer(
    OnnxMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, StoredState
):
    """Base class of `BaseAutoencoder`: what a fitted encoder and decoder compute.

    `BaseAutoencoder` sets the attributes that the methods read. A method reads each of
    them once, as another thread may fit the estimator meanwhile.
    """

    _keras_models: ClassVar = {"encoder_", "decoder_", "autoencoder_"}

    components_ = OptionalAttribute(OF_CODES)
    explained_variance_ = OptionalAttribute(OF_CODES)
    explained_variance_ratio_ = OptionalAttribute(OF_CODES)
    singular_values_ = OptionalAttribute(OF_PCA)
    noise_variance_ = OptionalAttribute(OF_PCA)

    def transform(self, X: MatrixLike) -> NDArray[np.floating]:
        """Encode X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows or images, as in `fit`. The result for a Dask array or data frame is a
            Dask array, which is computed later.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes, as float32. Rows are centred before they are converted to float32.
        """
        self._check_is_fitted()
        encoder = self._encoder
        return map_valid_rows(self, encoder, X, encoder)

    def inverse_transform(self, Z: ArrayLike) -> NDArray[np.floating]:
        """Decode codes to rows.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)
            Codes. The result for a Dask array is one too.

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
            Rows or images, as in `fit`. The result for a Dask array or data frame is a
            Dask array, which is computed later.

        Returns
        -------
        X_reconstructed : ndarray of the shape of X
            Reconstructions, in the type that `inverse_transform` returns.
        """
        self._check_is_fitted()
        encoder, decoder, dtype = self._encoder, self._decoder, self._dtype
        _, row_shape = flatten_rows(X)
        X = map_valid_rows(
            self, lambda rows: decoder(encoder(rows), dtype), X, encoder, decoder
        )
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
            Rows or images, as in `fit`. The result for a Dask array or data frame is a
            Dask array, which is computed later.

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
        _check_metric(metric)
        networks = self._encoder, self._decoder

        def errors(rows):
            difference = _difference(*networks, rows)
            error = METRICS[metric](difference, out=difference)
            return error if per_feature else error.mean(axis=1)

        return map_valid_rows(self, errors, X, *networks)

    def score_samples(
        self, X: MatrixLike, *, metric: Metric = "mean_squared_error"
    ) -> NDArray[np.float64]:
        """Compute the negative mean error of each row.

        A lower score means that a row is more likely to be an outlier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows or images, as in `fit`. The result for a Dask array or data frame is a
            Dask array, which is computed later.

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
        weight: Any = sample_weight
        if is_dask_collection(X):
            X = to_chunks("X", X)
            weight = chunked_like(X, "sample_weight", weight)
        X = validate_rows(self, X)
        if weight is not None:
            weight = validate_weights(weight, X)
        if mean is None:
            mean = summarize(X, weight, hash_rows=False).mean
        function = partial(_explained, *networks, mean)
        if isinstance(X, ChunkedArray):
            merge = ExplainedVariance.merged
            explained = reduce_chunks(function, merge, X, weight)
        else:
            explained = function(X, weight)
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

    def _onnx_conversion(self) -> AutoencoderConversion:
        return AutoencoderConversion(
            self._encoder,
            self._decoder,
            self._dtype,
            self._row_shape or (self.n_features_in_,),
            self._n_features_out,
        )

    def _get_fitted_attr_html(self, doc_link=""):
        """Return the attributes that notebooks show, without building Keras models."""
        return fitted_attributes_html(self, doc_link)

    def _attributes(self):
        attributes = super()._attributes()
        attributes.pop("_live", None)
        if "history_" in attributes:  # partial_fit appends to the lists
            lists = attributes["history_"].items()
            attributes["history_"] = {name: list(losses) for name, losses in lists}
        return attributes

    def _picklable_attributes(self):
        attributes = super()._picklable_attributes()
        network = to_picklable(self.network, is_fitted="_encoder" in attributes)
        return {**attributes, "network": picklable("network", network)}

    def _check_is_fitted(self):
        if not hasattr(self, "_encoder"):  # check_is_fitted is slow
            check_is_fitted(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _check_metric(metric):
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {sorted(METRICS)}; got {metric!r}.")


def _explained(encoder, decoder, mean, X, sample_weight):
    """Return the explained variance of rows."""

    def explained(rows):
        block = X[rows]
        difference = _difference(encoder, decoder, block)
        block = to_dense(block).astype(np.float64, copy=False)
        weight = None if sample_weight is None else sample_weight[rows]
        part = ExplainedVariance(X.shape[1], X.dtype)
        part.add(block, difference, mean, weight)
        return part

    parts = map_slices(explained, X, encoder, decoder)
    return reduce(ExplainedVariance.merged, parts)


def _difference(encoder, decoder, rows):
    """Return the reconstruction minus the rows in float64."""
    difference = decoder(encoder(rows), np.float64)
    difference -= to_dense(rows)
    return difference
