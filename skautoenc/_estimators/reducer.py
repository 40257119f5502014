"""Methods of a fitted autoencoder: codes, reconstructions, errors and scores."""

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted

from .._fitted.custom_objects import picklable
from .._fitted.state import check_format
from .._onnx.reducers import AutoencoderConversion
from .._utils.blocks import row_blocks, to_dense
from .._utils.metrics import METRICS, ExplainedVariance
from .._utils.sklearn_compat import fitted_attributes_html
from ..networks._objectives import chain
from ..networks._resolve import to_picklable
from .attributes import OF_CODES, OF_PCA, OptionalAttribute
from .onnx import OnnxMixin
from .parameters import MatrixLike
from .validation import flatten_rows, validate_codes, validate_rows, validate_weights

# Format of pickled estimators. To be raised when names or meanings of their attributes
# change; the former format must then still be read.
FORMAT = 1

Metric = Literal["mean_squared_error", "mean_absolute_error"]


class FittedReducer(
    OnnxMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
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

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_live", None)
        if "history_" in state:  # partial_fit appends to the lists
            lists = state["history_"].items()
            state["history_"] = {name: list(losses) for name, losses in lists}
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


def _differences(encoder, decoder, X):
    """Yield reconstruction minus X in float64, a block of rows at a time."""
    for rows in row_blocks(X.shape[0], X.shape[1]):
        block = X[rows]
        difference = decoder(encoder(block), np.float64)
        difference -= to_dense(block)
        yield rows, difference
