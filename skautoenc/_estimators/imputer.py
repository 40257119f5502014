"""AutoencoderImputer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import MissingIndicator
from sklearn.utils.validation import check_is_fitted

from .._fit.imputation import ImputationOptions, fit_imputation
from .._utils.random import RandomStreams
from .._utils.sklearn_compat import _check_feature_names_in
from .._utils.warnings import warn_user
from ..networks._layer_parameters import hidden_sizes
from .parameters import CONSTRAINTS, Auto, init_from_fields, validates_parameters
from .validation import is_pandas_na, validate_incomplete_rows


@init_from_fields
class AutoencoderImputer(TransformerMixin, BaseEstimator):
    """Fill missing values with a normal distribution and an autoencoder.

    Missing values are predicted from the observed values of the same row, by a blend of
    two models: the conditional mean of a normal distribution, which is fitted by the EM
    algorithm, and the mean of two networks that are trained on rows in which more
    values are hidden. The share of the networks depends on the errors on observed
    values that no model was fitted to.

    Parameters
    ----------
    missing_values : int, float, np.nan or pandas.NA, default=np.nan
        What stands for a missing value. With np.nan or pandas.NA, both are missing.

    hidden_layer_sizes : int or sequence of int, default=(256, 256)
        Number of units in each hidden layer of a network. With ``()`` the normal
        distribution alone fills missing values, in a fraction of the time.

    batch_size : int or "auto", default="auto"
        Number of rows in a training step. ``"auto"`` means 128.

    epochs : int or "auto", default="auto"
        Maximum number of passes over the rows. ``"auto"`` means about 3000 training
        steps. The learning rate is increased linearly in the first 5 % of the epochs
        and annealed to zero with a cosine schedule.

    n_iter_no_change : int or "auto", default="auto"
        Number of epochs without a lower error of held-out values after which training
        ends. ``"auto"`` means a fifth of `epochs`, at least 10.

    sample_posterior : bool, default=False
        Whether `transform` draws missing values from their conditional distribution
        instead of filling in its mean. Each call draws anew, for multiple imputation:
        the deviations from the mean have the conditional covariance of the normal
        distribution. `transform` then changes the state of a random generator, so it
        must not be called from several threads at once.

    keep_empty_features : bool, default=False
        Whether to keep columns without an observed value in `fit`, filled with 0. If
        False, they are left out, and `fit` warns.

    add_indicator : bool, default=False
        Whether to append a column of 0 and 1 for each column that had missing values in
        `fit`, see :class:`~sklearn.impute.MissingIndicator`.

    verbose : int, default=0
        If 1, a progress bar shows the epochs of each network, or some lines are printed
        where there is no terminal. If greater than 1, the number of epochs between two
        printed lines.

    random_state : int, RandomState instance or None, default=None
        Determines held-out values, weights of networks, hidden values and draws.
        Pass an int for results that are bitwise reproducible.

    Attributes
    ----------
    network_weight_ : float
        Share of the networks in the blend, from 0 to 1. 0 if none was trained.

    history_ : list of dict of str to list of float
        Mean squared errors in each epoch, of columns scaled to a standard deviation of
        1, for each network: ``"loss"`` of the training values, ``"val_loss"`` of the
        held-out ones. The weights of the epoch with the lowest ``"val_loss"`` are kept.
        Empty if no network was trained.

    n_iter_ : int
        Number of epochs run, of all networks together.

    indicator_ : MissingIndicator or None
        Indicator of missing values. None if ``add_indicator=False``.

    n_features_in_ : int
        Number of features of X.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features of X. Defined only if X has names that are all strings.

    See Also
    --------
    sklearn.impute.KNNImputer : Mean of the nearest rows.
    sklearn.impute.IterativeImputer : Regression of each column on the others.

    Notes
    -----
    A tenth of the observed values is held out to choose the shrinkage of the
    covariance, the epochs and the blend. Networks are trained only if these are 100
    values or more. Tables with more than 200 columns get a factor model in place of the
    normal distribution. Filled values are within the range of the observed ones in
    their column. Columns are scaled within; the scale of X does not matter.

    `fit` and `transform` treat values as missing at random: that they are missing may
    depend on observed values of the row. Encode categories as numbers first; they are
    filled with numbers between those of the categories.

    References
    ----------
    A. P. Dempster, N. M. Laird, D. B. Rubin, "Maximum Likelihood from Incomplete Data
    via the EM Algorithm", Journal of the Royal Statistical Society B 39 (1977).

    L. Gondara, K. Wang, "MIDA: Multiple Imputation using Denoising Autoencoders",
    PAKDD (2018).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.impute import KNNImputer
    >>> from sklearn.preprocessing import scale
    >>> from skautoenc import AutoencoderImputer
    >>> X = scale(load_breast_cancer().data)
    >>> is_missing = np.random.default_rng(0).random(X.shape) < 0.2
    >>> X_missing = np.where(is_missing, np.nan, X)
    >>> def error(imputer):
    ...     filled = imputer.fit_transform(X_missing)
    ...     return np.sqrt(np.mean((filled - X)[is_missing] ** 2))
    >>> bool(error(AutoencoderImputer(random_state=0)) < 0.7 * error(KNNImputer()))
    True
    """

    _: KW_ONLY
    missing_values: Any = np.nan
    hidden_layer_sizes: int | Sequence[int] = (256, 256)
    batch_size: int | Auto = "auto"
    epochs: int | Auto = "auto"
    n_iter_no_change: int | Auto = "auto"
    sample_posterior: bool = False
    keep_empty_features: bool = False
    add_indicator: bool = False
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict] = {
        "missing_values": "no_validation",
        **{
            name: CONSTRAINTS[name]
            for name in (
                "hidden_layer_sizes",
                "batch_size",
                "epochs",
                "n_iter_no_change",
                "verbose",
                "random_state",
            )
        },
        "sample_posterior": ["boolean"],
        "keep_empty_features": ["boolean"],
        "add_indicator": ["boolean"],
    }

    @validates_parameters
    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Fit the models to X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with missing values.

        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or X is invalid, if no value is observed, or if training
            diverges. The estimator is not modified in this case.

        Warns
        -----
        UserWarning
            If columns without an observed value are left out, or if Ctrl-C has ended
            the training of a network. The best weights so far are kept then.
        """
        self._check_params()
        copy: Any = object.__new__(type(self))  # to record the features of X
        vars(copy).update(vars(self))
        X, observed = validate_incomplete_rows(copy, X, self.missing_values, reset=True)
        is_kept = observed.any(axis=0)
        if not is_kept.any():
            raise ValueError(
                f"X has no observed value: all are missing_values={self.missing_values}"
                ". An imputer needs some observed values in fit."
            )
        if not is_kept.all() and not self.keep_empty_features:
            _warn_of_empty_columns(is_kept, getattr(copy, "feature_names_in_", None))
        streams = RandomStreams.from_random_state(self.random_state)
        options = ImputationOptions(
            hidden_sizes(self.hidden_layer_sizes),
            self.batch_size,
            self.epochs,
            self.n_iter_no_change,
            self.verbose,
        )
        fitted = fit_imputation(
            X[:, is_kept].astype(np.float64), observed[:, is_kept], options, streams
        )
        indicator = None
        if self.add_indicator:
            indicator = MissingIndicator(error_on_new=False)
            indicator.fit(np.where(observed, X, np.nan))
        self.__dict__ = {
            **vars(copy),
            "_fitted": fitted,
            "_is_kept": is_kept,
            "_draws": streams.generator("draws"),
            "indicator_": indicator,
            "network_weight_": fitted.weight,
            "history_": fitted.histories,
            "n_iter_": sum(len(history["loss"]) for history in fitted.histories),
        }
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Fill the missing values of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with missing values.

        Returns
        -------
        X_filled : ndarray of shape (n_samples, n_features_out)
            Rows with all values. Observed values are those of X, bit for bit. The type
            is that of X if it is float32 or float64, otherwise float64. Columns that
            had no observed value in `fit` are left out, or 0 where they are missing if
            ``keep_empty_features=True``. With ``add_indicator=True``, followed by the
            columns of the indicator.
        """
        check_is_fitted(self)
        fitted, is_kept, indicator = self._fitted, self._is_kept, self.indicator_
        X, observed = validate_incomplete_rows(self, X, self.missing_values)
        filled = np.where(observed, X, X.dtype.type(0))
        kept = fitted.fill(
            X[:, is_kept].astype(np.float64),
            observed[:, is_kept],
            self._draws if self.sample_posterior else None,
        )
        filled[:, is_kept] = np.where(
            observed[:, is_kept], X[:, is_kept], kept.astype(X.dtype)
        )
        if not self.keep_empty_features:
            filled = filled[:, is_kept]
        if indicator is None:
            return filled
        is_missing = indicator.transform(np.where(observed, X, np.nan))
        return np.hstack([filled, is_missing.astype(X.dtype)])

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
            Names of the kept features, and of the columns of the indicator.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        kept = names if self.keep_empty_features else names[self._is_kept]
        if self.indicator_ is None:
            return kept
        return np.concatenate([kept, self.indicator_.get_feature_names_out(names)])

    def onnx_parser(self) -> Callable[..., Any]:
        """Raise an error, as there is no conversion to ONNX; called by skl2onnx.

        Raises
        ------
        NotImplementedError
        """
        raise NotImplementedError(
            "AutoencoderImputer cannot be converted to ONNX: for each row it solves a "
            "system of equations whose size is the number of missing values. Fill them "
            "before, or use SimpleImputer or KNNImputer, which skl2onnx converts."
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = _is_nan(self.missing_values)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_params(self):
        """Raise a ValueError if a parameter is invalid."""
        missing = self.missing_values
        is_number = isinstance(missing, Real) and not isinstance(missing, bool)
        if not (is_number or is_pandas_na(missing)) or np.isinf(
            missing if is_number else 0
        ):
            raise ValueError(
                "missing_values must be a finite number, np.nan or pandas.NA; got "
                f"{missing!r}."
            )
        hidden_sizes(self.hidden_layer_sizes)


def _is_nan(missing_values):
    """Whether missing values are NaN or pandas.NA."""
    return is_pandas_na(missing_values) or missing_values != missing_values


def _warn_of_empty_columns(is_kept, names):
    empty = np.flatnonzero(~is_kept)
    shown = [f"x{i}" if names is None else str(names[i]) for i in empty[:10]]
    more = ", ..." if len(empty) > len(shown) else ""
    warn_user(
        f"{len(empty)} column(s) of X have no observed value and are left out: "
        f"{', '.join(shown)}{more}. Set keep_empty_features=True to keep them."
    )
