"""AutoencoderImputer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import TransformerMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.impute import MissingIndicator
from sklearn.utils.validation import check_is_fitted

from .._backend.fork import forked_after_import
from .._backend.worker import fit_in_subprocess
from .._fit.imputation import IncompleteRows, fit_imputation
from .._fit.imputation_networks import (
    N_NETWORKS,
    imputation_options,
    incomplete_data,
)
from .._fit.trainable import needs_keras
from .._utils.random import RandomStreams
from .._utils.sklearn_compat import _check_feature_names_in
from .._utils.warnings import warn_user
from ..networks import DenseNetwork
from ..networks._layer_parameters import hidden_sizes
from ..networks._resolve import to_picklable
from .dask_methods import Output, lazy_for_dask
from .fit_task import FitTask
from .parameters import (
    CONSTRAINTS,
    POSITIVE_INT,
    Auto,
    Network,
    check_is_instance,
    init_from_fields,
    validates_parameters,
)
from .stored_state import StoredState
from .validation import is_pandas_na, validate_incomplete_rows


def _output_of_transform(estimator, X):
    if estimator.sample_posterior:
        raise ValueError(
            "transform with sample_posterior=True is not available for Dask "
            "collections, as the numbers that it draws would depend on the order of "
            "the chunks. Call it on X.blocks[i].compute(), one after another."
        )
    X, _ = validate_incomplete_rows(
        estimator, X, estimator.missing_values, min_samples=0
    )
    return Output((len(estimator.get_feature_names_out()),), X.dtype)


@lazy_for_dask(transform=_output_of_transform)
@init_from_fields
class AutoencoderImputer(CallbackSupportMixin, TransformerMixin, StoredState):
    """Fill missing values with a normal distribution and an autoencoder.

    Missing values are predicted from the observed values of the same row, by a blend of
    two models: the conditional mean of a normal distribution, which is fitted by the EM
    algorithm, and the mean of two networks that are trained on rows in which more
    values are hidden. The share of the networks depends on the errors on observed
    values that no model was fitted to. If early stopping ends the training of the first
    network, and its share is below a tenth, no second one is trained.

    Parameters
    ----------
    missing_values : int, float, np.nan or pandas.NA, default=np.nan
        What stands for a missing value. With np.nan or pandas.NA, both are missing.

    network : {"dense"}, DenseNetwork, ConvNetwork or callable, default="dense"
        Network to train:

        - ``"dense"`` builds fully connected layers of `hidden_layer_sizes`, without a
          narrow code.
        - A network object or a callable
          ``(input_shape, n_components) -> (encoder, decoder)`` builds two Keras
          models. It is called with the shape ``(n_features,)`` for the decoder, and
          with ``(2 * n_features,)`` for the encoder: its inputs are the values of a
          row, with 0 for missing ones, and then which of them are observed, as 1 and 0.
          A :class:`ConvNetwork` is given these as two channels of an image. The values
          are standardized, so the output must be linear.

        Custom functions and layers must be registered with
        ``keras.saving.register_keras_serializable``.

    n_components : int or None, default=None
        Width of the code of a given `network`. A narrow code increases the error. If
        None, it is the width of the network's code, such as the size of the feature map
        of a :class:`ConvNetwork`. Not used with ``network="dense"``.

    hidden_layer_sizes : int or sequence of int, default=(256, 256)
        Number of units in each hidden layer of ``network="dense"``. With ``()`` the
        normal distribution alone fills missing values, in a fraction of the time.

    batch_size : int or "auto", default="auto"
        Number of rows in a training step. ``"auto"`` means 128.

    epochs : int or "auto", default="auto"
        Maximum number of passes over the rows. ``"auto"`` means about 3000 training
        steps, and 600 for a :class:`ConvNetwork`, whose steps take longer. The learning
        rate is increased linearly in the first 5 % of the epochs and annealed to zero
        with a cosine schedule.

    n_iter_no_change : int or "auto", default="auto"
        Number of epochs without a lower error of held-out values after which training
        ends. ``"auto"`` means a fifth of `epochs`, from 10 to 60, and at least a tenth.

    callbacks : list of keras.callbacks.Callback or callable, or None, default=None
        Keras callbacks, called as in ``Model.fit``, for one network after the other.
        Their model takes standardized rows, as described at `network`. Callbacks that
        act once per epoch do not change how training runs. Callbacks with methods for
        batches or for validation require ``Model.fit``, which is slower. The optimizer
        that callbacks see has the learning rate, but no moments.

        An instance is used by both networks. A callable without arguments, such as a
        function or ``functools.partial(keras.callbacks.EarlyStopping, "loss")``,
        returns a new callback for each of them. Callbacks of scikit-learn are
        registered with `set_callbacks` instead; they count the epochs of both networks.

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
        If 1, a progress bar shows the epoch of each network, the losses and the time
        left; about ten lines are printed instead if standard output is neither a
        terminal nor a notebook, or in a worker process. If greater than 1, the number
        of epochs between two printed lines. The last line gives the epochs whose
        weights are kept, and the share of the networks. If 0, nothing is printed.

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
    A tenth of the observed values, in at most 20,000 rows, is held out to choose the
    shrinkage of the covariance, the epochs and the blend. Networks are trained only if
    these are 100 values or more. Tables with more than 200 columns get a factor model
    in place of the normal distribution. Filled values are within the range of the
    observed ones in their column. Columns are scaled within; the scale of X does not
    matter.

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
    >>> imputer = AutoencoderImputer(epochs=30, random_state=0)
    >>> bool(error(imputer) < 0.7 * error(KNNImputer()))
    True
    """

    _: KW_ONLY
    missing_values: Any = np.nan
    network: Network = "dense"
    n_components: int | None = None
    hidden_layer_sizes: int | Sequence[int] = (256, 256)
    batch_size: int | Auto = "auto"
    epochs: int | Auto = "auto"
    n_iter_no_change: int | Auto = "auto"
    callbacks: Sequence[Any] | None = None
    sample_posterior: bool = False
    keep_empty_features: bool = False
    add_indicator: bool = False
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict] = {
        "missing_values": "no_validation",
        "n_components": [POSITIVE_INT, None],
        **{
            name: CONSTRAINTS[name]
            for name in (
                "network",
                "hidden_layer_sizes",
                "batch_size",
                "epochs",
                "n_iter_no_change",
                "callbacks",
                "verbose",
                "random_state",
            )
        },
        "sample_posterior": ["boolean"],
        "keep_empty_features": ["boolean"],
        "add_indicator": ["boolean"],
    }

    @validates_parameters
    def fit(
        self, X: ArrayLike, y: Any = None, *, X_val: ArrayLike | None = None
    ) -> Self:
        """Fit the models to X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with missing values.

        y : Ignored
            Not used, present for API consistency by convention.

        X_val : array-like of shape (n_val, n_features), default=None
            Rows, with or without missing values, of which a tenth of the observed
            values is held out. If given, no values of X are held out. A pipeline passes
            them on with metadata routing, and transforms them by the steps before only
            with ``transform_input=["X_val"]``.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        TypeError
            If `network` or a callback is of an unsupported type.
        ValueError
            If a parameter, X or X_val is invalid, or if training diverges. The
            estimator is not modified in this case.

        Warns
        -----
        UserWarning
            If columns without an observed value are left out, or if Ctrl-C has ended
            the training of a network. The best weights so far are kept then.

        Examples
        --------
        Rows to validate on, for an imputer that follows a scaler in a pipeline:

        >>> import numpy as np
        >>> from sklearn import config_context
        >>> from sklearn.datasets import load_breast_cancer
        >>> from sklearn.model_selection import train_test_split
        >>> from sklearn.pipeline import Pipeline
        >>> from sklearn.preprocessing import MinMaxScaler
        >>> from skautoenc import AutoencoderImputer
        >>> X = load_breast_cancer().data
        >>> X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
        >>> X, X_val = train_test_split(X, random_state=0)
        >>> with config_context(enable_metadata_routing=True):
        ...     imputer = AutoencoderImputer(epochs=20, random_state=0)
        ...     pipeline = Pipeline(
        ...         [
        ...             ("scale", MinMaxScaler()),
        ...             ("fill", imputer.set_fit_request(X_val=True)),
        ...         ],
        ...         transform_input=["X_val"],
        ...     ).fit(X, X_val=X_val)
        >>> bool(np.isfinite(pipeline.transform(X_val)).all())
        True
        """
        self._check_params()
        copy: Any = object.__new__(type(self))  # to record the features of X
        vars(copy).update(vars(self))
        values, observed = validate_incomplete_rows(
            copy, X, self.missing_values, reset=True
        )
        is_kept = observed.any(axis=0)
        if not is_kept.any():
            raise self._nothing_observed("X")
        validation = None
        if X_val is not None:
            validation = self._validation_rows(copy, X_val, is_kept)
        names = getattr(copy, "feature_names_in_", None)
        if not is_kept.all() and not self.keep_empty_features:
            _warn_of_empty_columns(is_kept, names)
        indicator = None
        if self.add_indicator:
            indicator = MissingIndicator(error_on_new=False)
            indicator.fit(np.where(observed, values, np.nan))
        streams = RandomStreams.from_random_state(self.random_state)
        attributes = {
            "n_features_in_": copy.n_features_in_,
            "indicator_": indicator,
            "_is_kept": is_kept,
            "_draws": streams.generator("draws"),
        }
        if names is not None:
            attributes["feature_names_in_"] = names
        rows = _kept((values, observed), is_kept)
        attributes = self._fit_tables(rows, validation, streams, attributes, X, y)
        if names is None:
            self.__dict__.pop("feature_names_in_", None)
        self.__dict__.update(attributes)
        return self

    def _validation_rows(self, copy, X_val, is_kept):
        """Return the columns of the validation rows that are kept."""
        try:
            rows = validate_incomplete_rows(copy, X_val, self.missing_values)
        except ValueError as error:
            raise ValueError(f"X_val: {error}") from None
        rows = _kept(rows, is_kept)
        if not rows.observed.any():
            raise self._nothing_observed("X_val")
        return rows

    def _nothing_observed(self, name):
        return ValueError(
            f"{name} has no observed value: all are missing_values="
            f"{self.missing_values}. An imputer needs some observed values in fit."
        )

    def _fit_tables(self, rows, validation, streams, attributes, X, y):
        """Fit the models, and return all fitted attributes, of which some are given."""
        options = self._fit_options(rows)
        if (
            options.network is not None
            and forked_after_import()
            and needs_keras(incomplete_data(*rows), options, streams)
        ):
            fitted = fit_in_subprocess(self, rows, validation, streams)
            return attributes | _attributes_of(fitted)
        task = FitTask(self, X, y)
        task.begin(0 if options.network is None else N_NETWORKS * options.epochs)
        own = {name: x for name, x in vars(self).items() if not name.endswith("_")}

        def state(fitted):
            return {"__dict__": own | attributes | _attributes_of(fitted)}

        def make_hook(result_of):
            return task.epochs(lambda weights: state(result_of(weights)))

        fitted = fit_imputation(rows, validation, options, streams, make_hook)
        task.end(lambda: state(fitted))
        return attributes | _attributes_of(fitted)

    def _fit_data(self, rows, validation, streams):
        """Fit without scikit-learn's callbacks, for another process."""
        return fit_imputation(rows, validation, self._fit_options(rows), streams)

    def _fit_options(self, rows):
        """Return the parameters as the fit takes them."""
        network = self.network
        if network == "dense":
            network = hidden_sizes(self.hidden_layer_sizes) or None
        return imputation_options(
            len(rows.X),
            network,
            self.n_components,
            self.batch_size,
            self.epochs,
            self.n_iter_no_change,
            self.callbacks or (),
            self.verbose,
        )

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
        if self.network != "dense":
            _check_network(self.network, self.n_components)

    def _picklable_attributes(self):
        attributes = super()._picklable_attributes()
        network = to_picklable(self.network, is_fitted="_fitted" in attributes)
        return {**attributes, "network": network}


def _check_network(network, n_components):
    """Raise an error if a given network is not one for an imputer."""
    check_is_instance(network)
    if isinstance(network, tuple | list):
        raise ValueError(
            "network=(encoder, decoder) is not supported by AutoencoderImputer: its "
            "networks start from random weights, and their encoder also takes which "
            "values are observed. Give a function (input_shape, n_components) that "
            "returns such models."
        )
    if isinstance(network, DenseNetwork) and n_components is None:
        raise ValueError(
            "n_components=None requires a network that determines the width of its "
            "code, such as ConvNetwork. A DenseNetwork needs a number; a narrow code "
            "increases the error."
        )
    if getattr(network, "tied_weights", False):
        raise ValueError(
            "network: tied_weights=True is not supported by AutoencoderImputer, whose "
            "encoder has more inputs than the decoder has outputs: it also takes which "
            "values are observed. Set tied_weights=False."
        )
    output = getattr(network, "output_activation", None)
    if output not in ("linear", None):
        raise ValueError(
            f"network: output_activation={output!r} is not supported by "
            "AutoencoderImputer, whose networks give standardized values. Set "
            "output_activation='linear'."
        )


def _kept(rows, is_kept):
    """Return the columns that are kept."""
    values, observed = rows
    return IncompleteRows(values[:, is_kept].astype(np.float64), observed[:, is_kept])


def _attributes_of(fitted):
    """Return the attributes of a fit."""
    return {
        "_fitted": fitted,
        "network_weight_": fitted.weight,
        "history_": fitted.histories,
        "n_iter_": sum(len(history["loss"]) for history in fitted.histories),
    }


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
