"""AutoencoderOutlierDetector."""

import copy
from numbers import Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import OutlierMixin, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from .._onnx.outliers import LinearReducer, NetworkReducer, OutlierConversion
from .._outliers.halves import TrainingRows
from .._outliers.scores import Decoded, Rows, Scorer, fit_row_neighbors
from .._utils.blocks import to_dense
from .._utils.random import RandomStreams
from .._utils.sklearn_compat import StrOptions, _safe_indexing
from .autoencoder import AutoencoderTransformer
from .dask_methods import Output, lazy_for_dask
from .onnx import OnnxMixin
from .parameters import Number, validates_parameters
from .reducer import FittedReducer
from .stored_arrays import read_stored
from .stored_state import StoredState
from .validation import validate_dense_rows

# Share of the variance for the number of components of each default autoencoder.
_EXPLAINED_VARIANCES = 0.5, 0.8

# Distance of the threshold "auto" from the median, in units of that of the quartile:
# Tukey's fence of a symmetric distribution, beyond which are 0.35 % of a normal one.
_FENCE = 4

_METHODS = "fit", "transform", "inverse_transform"


def _output_of_scores(estimator, X):
    estimator._validate(X, min_samples=0)
    return Output((), np.float64)


def _output_of_predict(estimator, X):
    return _output_of_scores(estimator, X)._replace(dtype=np.int64)


def _output_of_contributions(estimator, X):
    shape = (estimator.n_features_in_,)
    return _output_of_scores(estimator, X)._replace(shape=shape)


@lazy_for_dask(
    score_samples=_output_of_scores,
    decision_function=_output_of_scores,
    predict=_output_of_predict,
    feature_contributions=_output_of_contributions,
)
class AutoencoderOutlierDetector(OnnxMixin, OutlierMixin, StoredState):
    """Outlier detection with an autoencoder, or with another reducer.

    One reducer is fitted on each half of the rows. A row is an outlier if the reducer
    that was not fitted on it reconstructs it badly, or if it is far from the other
    rows. :meth:`feature_contributions` tells which features make it one.

    X should be scaled as for the reducer, for example with
    :class:`~sklearn.preprocessing.StandardScaler` in a pipeline; pixels of images are
    better divided by their maximum.

    Parameters
    ----------
    autoencoder : estimator, default=None
        Reducer with `fit`, `transform` and `inverse_transform`: an autoencoder,
        :class:`~sklearn.decomposition.PCA`, :class:`~sklearn.decomposition.NMF`,
        :class:`~sklearn.decomposition.KernelPCA` with ``fit_inverse_transform=True``,
        or a pipeline. Two clones of it are fitted. A reducer that is fitted already is
        used as it is if it is given as ``FrozenEstimator(reducer)``, see
        :class:`sklearn.frozen.FrozenEstimator`. If None, an
        :class:`AutoencoderTransformer` with ``n_components=0.5`` is fitted on one half
        of the rows, and one with ``n_components=0.8`` on the other.

    contamination : float or "auto", default="auto"
        Determines the threshold `offset_` of the scores:

        - A float is the share of outliers in the training data, in (0, 0.5] and at
          least one row. If all training rows are inliers, it is the expected share of
          false alarms on new inliers.
        - ``"auto"`` is a threshold that does not depend on the share, as long as that
          is below a quarter: it is four times as far from the median of the scores as
          their lower quartile. If the scores of inliers are normally distributed, 0.35
          % of them are below it.

    random_state : int, RandomState instance or None, default=None
        Determines the halves of the rows, and `random_state` of the default
        autoencoders. Pass an int for reproducible results.

    Attributes
    ----------
    estimators_ : list of 2 estimators
        Fitted reducers, of the first and the second half of the rows.

    offset_ : float
        Threshold: ``decision_function(X)`` is ``score_samples(X) - offset_``.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit. Defined only if X has feature names that are
        all strings.

    See Also
    --------
    skautoenc.plotting.OutlierDisplay : Display of scores, and of the features of rows.
    sklearn.ensemble.IsolationForest : Detection with random trees, which needs no
        scaling, and is faster on large data.
    sklearn.covariance.EllipticEnvelope : Detection with a robust covariance.

    Notes
    -----
    A reducer can memorize outliers in its training data, and then reconstructs
    them well. Therefore rows that are equal to a training row are scored by the reducer
    of the other half only. Their scores are out-of-fold scores, for `predict` as well
    as for the threshold. Other rows get the mean of both scores. With a
    `FrozenEstimator`, the threshold is computed from whatever rows it was fitted on.

    A reducer also reconstructs rows that are far from all others, but along its
    components. Hence the score joins four distances: the mean squared residual; a
    robust Mahalanobis distance of the residual; and the distances to the 20th nearest
    training row in the code and among the rows themselves, of at most 2000 training
    rows. The covariance is that of the 75 % of the residuals nearest to the centre,
    with shrinkage (Ledoit and Wolf). The logarithms of the distances are shifted and
    scaled such that their median over the rows that the reducer was not fitted on is 0
    and their upper quartile 1. With such distances d, the score is
    ``-log(sum(exp(d)))``, which is dominated by the largest ones.

    Both uses that scikit-learn distinguishes are possible. For novelty detection, fit
    on rows without outliers and call `predict` on new ones; for outlier detection, call
    `fit_predict`. ``fit_predict(X)`` is equal to ``fit(X).predict(X)``.

    References
    ----------
    O. Ledoit, M. Wolf, "A well-conditioned estimator for large-dimensional covariance
    matrices", Journal of Multivariate Analysis 88 (2004).

    P. J. Rousseeuw, K. Van Driessen, "A Fast Algorithm for the Minimum Covariance
    Determinant Estimator", Technometrics 41 (1999).

    V. Chernozhukov et al., "Double/debiased machine learning for treatment and
    structural parameters", The Econometrics Journal 21 (2018), for fits on halves of
    the data.

    "Autoencoders for Anomaly Detection are Unreliable", arXiv 2501.13864 (2025), for
    outliers that are reconstructed well.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.preprocessing import scale
    >>> from skautoenc import AutoencoderOutlierDetector
    >>> X = scale(load_wine().data)
    >>> X[7, 3] = 15
    >>> detector = AutoencoderOutlierDetector(random_state=0).fit(X)
    >>> int(detector.score_samples(X).argmin())
    7
    >>> int(detector.feature_contributions(X)[7].argmax())
    3
    """

    _parameter_constraints: ClassVar[dict] = {
        "autoencoder": "no_validation",  # refused with the missing methods
        "contamination": [
            StrOptions({"auto"}),
            Number(Real, 0, 0.5, closed="right"),
        ],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        autoencoder: Any = None,
        *,
        contamination: float | Literal["auto"] = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.autoencoder = autoencoder
        self.contamination = contamination
        self.random_state = random_state

    @validates_parameters
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Fit a reducer on each half of the rows, and compute the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, of which at least 4 are distinct.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        TypeError
            If `autoencoder` is a class or lacks a method.
        ValueError
            If X is invalid, holds NaN or has too few distinct rows; if `contamination`
            is out of range or less than one row; or if the reducer has no inverse
            transform, or more components than X has features.
        """
        _check_reducer(self.autoencoder)
        X = read_stored(X)
        values = copy.copy(self)._validate(X, reset=True, min_samples=2)
        _check_contamination(self.contamination, len(values))
        streams = RandomStreams.from_random_state(self.random_state)
        training_rows = TrainingRows.split(values, streams.generator("halves"))
        half, is_reference = training_rows.find(values)
        given = X if hasattr(X, "columns") else values
        reducers = [
            _fit_half(reducer, _safe_indexing(given, np.flatnonzero(half == i)))
            for i, reducer in enumerate(self._reducers(streams.seed("autoencoders")))
        ]
        neighbors = fit_row_neighbors(values, is_reference)
        distances = neighbors.distances(values, is_reference)
        rows = Rows(values, is_reference, distances)
        decoded = [_decode(reducer, given, rows) for reducer in reducers]
        fitted = [
            Scorer.fit(of_reducer, neighbors, half != i)
            for i, of_reducer in enumerate(decoded)
        ]
        scorers, (first, second) = zip(*fitted, strict=True)
        scores = np.where(half == 0, second, first)
        self.offset_ = _threshold(scores, self.contamination)
        self.estimators_ = reducers
        self._scorers, self._training_rows = scorers, training_rows
        # It sets n_features_in_ and feature_names_in_.
        self._validate(X, reset=True, min_samples=2)
        return self

    def score_samples(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the scores of rows; the lower, the more abnormal.

        A row that is equal to a training row gets its out-of-fold score.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Negative logarithms of sums, so their zero has no meaning.
        """
        check_is_fitted(self)
        return self._average(X, lambda scorer, _, decoded: scorer.score(decoded))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the scores relative to the threshold: negative for outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Return 1 for inliers and -1 for outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            -1 where the score is below `offset_`.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def feature_contributions(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the shares of the features in the score of each row.

        The shares of a distance are proportional to squared deviations of the row: from
        its reconstruction; of the residual from the value expected from the other
        residuals of the row, relative to its variance; from the mean of the neighbours'
        codes, decoded; and from the mean of its neighbours. Distances are weighted by
        their effect on the score.

        In a pipeline, these are the features that the detector gets from the earlier
        steps.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        shares : ndarray of shape (n_samples, n_features)
            Not negative; each row sums to 1.
        """
        check_is_fitted(self)

        def contributions(scorer, reducer, decoded):
            return scorer.contributions(decoded, lambda Z: _inverse(reducer, Z))

        return self._average(X, contributions)

    def _onnx_conversion(self) -> OutlierConversion:
        return OutlierConversion(
            tuple(map(_onnx_reducer, self.estimators_)),
            self._scorers,
            self.offset_,
            self.n_features_in_,
        )

    def _average(self, X, function):
        """Average a result over the reducers that were not fitted on a row."""
        values = self._validate(X)
        given = X if hasattr(X, "columns") else values
        half, is_reference = self._training_rows.find(values)
        neighbors = self._scorers[0].row_neighbors
        distances = neighbors.distances(values, is_reference)
        rows, total = Rows(values, is_reference, distances), 0
        for i, (reducer, scorer) in enumerate(
            zip(self.estimators_, self._scorers, strict=True)
        ):
            result = function(scorer, reducer, _decode(reducer, given, rows))
            weights = np.select([half == -1, half == i], [0.5, 0.0], 1.0)
            total = total + (weights * result.T).T
        return total

    def _validate(self, X, *, reset=False, min_samples=1):
        return validate_dense_rows(self, X, reset=reset, min_samples=min_samples)

    def _reducers(self, seed):
        """Return unfitted reducers of the first and the second half."""
        if self.autoencoder is not None:
            return clone(self.autoencoder), clone(self.autoencoder)
        return tuple(
            AutoencoderTransformer(share, random_state=seed)
            for share in _EXPLAINED_VARIANCES
        )


def _onnx_reducer(reducer):
    """Return a fitted reducer as the conversion to ONNX takes it."""
    if isinstance(reducer, FrozenEstimator):
        reducer = reducer.estimator
    if isinstance(reducer, FittedReducer):
        return NetworkReducer(reducer._onnx_conversion())
    if isinstance(reducer, PCA):
        scale = np.ones(len(reducer.components_))
        if reducer.whiten:
            scale = np.sqrt(reducer.explained_variance_)
        components = reducer.components_
        return LinearReducer(
            reducer.mean_, components.T / scale, scale[:, np.newaxis] * components
        )
    raise NotImplementedError(
        f"An outlier detector with autoencoder={reducer!r} cannot be converted to "
        "ONNX. The reducer must be an autoencoder of skautoenc, or PCA. Scale X in a "
        "pipeline whose last step is the detector."
    )


def _check_reducer(reducer):
    """Raise if the reducer is not None and lacks a method."""
    if isinstance(reducer, type):
        raise TypeError(
            f"autoencoder={reducer.__name__} is a class. Give an instance, such as "
            f"{reducer.__name__}(...)."
        )
    missing = [name for name in _METHODS if not hasattr(reducer, name)]
    if reducer is not None and missing:
        raise TypeError(
            f"autoencoder={reducer!r} lacks {', '.join(missing)}. It must be a reducer "
            f"with {', '.join(_METHODS)}, such as AutoencoderTransformer or PCA."
        )


def _check_contamination(contamination, n_samples):
    """Raise if contamination is less than one row."""
    # The product of n and 1 / n may be below 1 by rounding.
    if contamination != "auto" and contamination * n_samples < 1 - 1e-9:
        raise ValueError(
            f"contamination={contamination} of n_samples={n_samples} is less than one "
            f"row. Give at least {1 / n_samples:.3g}, or 'auto'."
        )


def _fit_half(reducer, X):
    try:
        return reducer.fit(X, None)  # FrozenEstimator requires y
    except Exception as error:
        error.add_note(
            f"Raised by the fit of the autoencoder on {len(X)} rows, half of X."
        )
        raise


def _decode(reducer, given, rows):
    """Encode and decode rows.

    Parameters
    ----------
    reducer : estimator
        Fitted.

    given : {ndarray, data frame} of shape (n_samples, n_features)
        Rows that are passed to the reducer.

    rows : Rows
        The same rows.
    """
    n_samples, n_features = rows.values.shape
    codes = to_dense(reducer.transform(given)).astype(np.float64)
    codes = codes.reshape(n_samples, -1)
    if codes.shape[1] > n_features:
        raise ValueError(
            f"The code of autoencoder={reducer!r} has {codes.shape[1]} components, but "
            f"X has only {n_features} features, so that every row is reconstructed "
            "without error. Give fewer components."
        )
    return Decoded(rows, codes, _inverse(reducer, codes))


def _inverse(reducer, codes):
    """Return decoded rows as a float64 array of shape (n_samples, n_features)."""
    try:
        rows = to_dense(reducer.inverse_transform(codes))
    except NotFittedError as error:  # KernelPCA
        raise ValueError(
            f"autoencoder={reducer!r} has no inverse transform after fit. Set "
            "fit_inverse_transform=True."
        ) from error
    return rows.reshape(len(codes), -1).astype(np.float64)


def _threshold(scores, contamination):
    """Return the score below which a row is an outlier."""
    if contamination != "auto":
        return float(np.percentile(scores, 100 * contamination))
    quartile, median = np.percentile(scores, (25, 50))
    return float(median - _FENCE * (median - quartile))
