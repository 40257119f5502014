"""EncoderRegressor."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from .._onnx.heads import RegressorConversion
from .dask_methods import Output, lazy_for_dask
from .encoder_head import BaseEncoderHead, validate_targets
from .labels import as_columns
from .parameters import MatrixLike, init_from_fields, validates_parameters
from .validation import validate_rows


def _output_of_predict(estimator, X):
    validate_rows(estimator, X, min_samples=0)
    n_outputs = estimator._head.weights[-1].shape[-1]
    return Output(() if estimator._is_1d else (n_outputs,), np.float64)


@lazy_for_dask(predict=_output_of_predict)
@init_from_fields
class EncoderRegressor(RegressorMixin, BaseEncoderHead):
    """Regressor on the encoder of an autoencoder, for few targets.

    The autoencoder is trained on all rows, with and without targets. A ridge regression
    on its codes is the head, and then the encoder and the head are trained on the rows
    with targets together.

    Rows without a target are given as `X_unlabeled` in `fit`. X should be scaled as for
    the autoencoder, for example with :class:`~sklearn.preprocessing.StandardScaler` in
    a pipeline. y is standardized within.

    Parameters
    ----------
    autoencoder : estimator or None, default=None
        Autoencoder of this package, whose encoder the head is put on. If it is not
        fitted, a clone of it is fitted to all rows; its random state is derived from
        `random_state` if it has none. If it is fitted, it is used as it is. A search
        clones it to an unfitted one; ``FrozenEstimator(autoencoder)`` keeps it fitted,
        see :class:`sklearn.frozen.FrozenEstimator`. If None, a
        :class:`DenoisingAutoencoder` with swap noise of level 0.4, random initial
        weights, hidden layers of 128 and 64 units, a linear path beside them, and 32
        components, or one for each feature if there are fewer.

    hidden_layer_sizes : int or sequence of int, default=()
        Number of units in each hidden layer of the head, with ReLU. ``()`` is a linear
        head. Hidden layers are beside the linear head and contribute zero at first.

    dropout : float, default=0.0
        Share of the inputs of each layer of the head that are set to zero in a training
        step, in [0, 1). Values above 0 are trained by Keras.

    fine_tune : bool, default=True
        Whether the encoder is trained on the labels, too. If False, its codes remain
        those of the autoencoder, and a linear head is not trained further.

    optimizer : str or keras.optimizers.Optimizer, default="adam"
        Any Keras optimizer. An instance is copied and never modified.

    learning_rate : float, keras LearningRateSchedule or None, default=None
        Learning rate. If None, the default of the optimizer, 0.001 for Adam.
        A constant one is increased linearly in the first 5 % of the epochs, and
        annealed to zero with a cosine schedule.

    batch_size : int or "auto", default="auto"
        Number of labelled rows in a training step. ``"auto"`` means
        ``n_labelled // 32``, at least 32 and at most 256.

    epochs : int or "auto", default="auto"
        Number of passes over the labelled rows. ``"auto"`` means about 1000 training
        steps, at least 10 and at most 200 epochs.

    early_stopping : bool or "auto", default="auto"
        How the number of epochs is chosen:

        - False: training goes on for all `epochs`.
        - ``"auto"``: by cross-validation with three folds of the labelled rows, as the
          number with the lowest loss. Then all of them are trained on for so many
          epochs. From 1000 labelled rows on, one fold of a fifth is held out instead.
        - True: a validation set is held out, training ends when its loss no longer
          falls, and the weights of the epoch with the lowest one are kept.

    validation_fraction : float, default=0.1
        Share of the labelled rows that ``early_stopping=True`` holds out.

    n_iter_no_change : int or "auto", default="auto"
        Number of epochs without a lower validation loss after which
        ``early_stopping=True`` ends training. ``"auto"`` means a fifth of `epochs`, at
        least 10.

    callbacks : list of keras.callbacks.Callback or callable, default=None
        Keras callbacks of the training on labels, as ``Model.fit`` takes them. They are
        given the encoder and the head as one model. A callable returns a new callback
        for each fit. For callbacks of the autoencoder see its parameter of this name.

    verbose : int, default=0
        If 1, a progress bar shows the epochs, or some lines are printed where there is
        no terminal. If greater than 1, the number of epochs between two printed lines.
        The default autoencoder reports alike; a given one has its own parameter.

    random_state : int, RandomState instance or None, default=None
        Determines the weights of hidden layers of the head, the order of rows, the
        validation set, dropout, and the random state of an autoencoder that has none.
        Pass an int for results that are bitwise reproducible.

    Attributes
    ----------
    autoencoder_ : estimator
        The fitted autoencoder. It is not changed by the training on labels.

    encoder_, head_ : keras.Model
        Trained encoder and head. New copies are built at each access.

    model_ : keras.Model
        Both as one model, from rows to targets. Built at each access.

    history_ : dict of str to list of float
        Losses of each epoch of the training on labels: ``"loss"``, and with early
        stopping ``"val_loss"``, of the validation set or of cross-validation.

    n_iter_ : int
        Number of epochs of the training on labels.

    best_epoch_ : int
        Epoch whose weights are kept. 0 means the linear head on the encoder of the
        autoencoder.

    n_features_in_ : int
        Number of features of X.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features of X. Defined only if X has names that are all strings.

    See Also
    --------
    EncoderClassifier : The same for classes, with more notes and references.

    Examples
    --------
    200 of 2000 rows have a target, which is a nonlinear function of 5 of 10 features:

    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn.linear_model import RidgeCV
    >>> from skautoenc import EncoderRegressor
    >>> X, y = make_friedman1(2000, noise=1, random_state=0)
    >>> regressor = EncoderRegressor(random_state=0)
    >>> regressor = regressor.fit(X[:200], y[:200], X_unlabeled=X[200:])
    >>> ridge = RidgeCV().fit(X[:200], y[:200])
    >>> bool(regressor.score(X[200:], y[200:]) > ridge.score(X[200:], y[200:]))
    True
    """

    @validates_parameters
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_unlabeled: MatrixLike | None = None,
    ) -> Self:
        """Train the autoencoder on all rows, and the regressor on those with targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows or images, as the autoencoder takes them.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows of X, for the autoencoder and the labels. If None, all
            are 1. A row with an integer weight w <= 10 is repeated w times.

        X_unlabeled : {array-like, sparse matrix} of shape (n_unlabeled, n_features), \
                default=None
            More rows, without labels, on which the autoencoder is trained as well. A
            pipeline passes them on with metadata routing, and transforms them by the
            steps before only with ``transform_input=["X_unlabeled"]``; see the example.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        TypeError
            If `autoencoder` is not an autoencoder of this package.
        ValueError
            If a parameter or an array is invalid, such as a y that is not finite,
            if a fitted autoencoder takes other features, or if training diverges. The
            estimator is not modified in this case.

        Warns
        -----
        UserWarning
            If the autoencoder kept its start at PCA, so that its hidden layers have
            learned nothing; or if Ctrl-C has ended training.
        """
        data, more = self._validate(X, y, sample_weight, X_unlabeled)
        y = validate_targets(y, numeric=True)
        weight = np.ones(len(y))
        if data.sample_weight is not None:
            weight = data.sample_weight.copy()
        attributes = self._fit_rows(
            data, more, np.arange(len(y)), as_columns(y), (), weight, strata=None
        )
        self._set_fitted(attributes | {"_is_1d": y.ndim == 1})
        return self

    def predict(self, X: MatrixLike) -> NDArray[np.float64]:
        """Return the predicted targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows or images, as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, in the units of y in `fit`.
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self._is_1d else outputs

    def to_scikeras(self, **params: Any) -> Any:
        """Return the fitted regressor as one of SciKeras, to train it with Keras.

        Parameters
        ----------
        **params : dict
            Parameters of ``scikeras.wrappers.KerasRegressor``, such as `epochs`.

        Returns
        -------
        regressor : scikeras.wrappers.KerasRegressor
            Fitted, with a copy of `model_`. ``partial_fit`` trains it for an epoch.

        Notes
        -----
        SciKeras changes how Keras models, losses and optimizers are copied and pickled
        in the process that imports it.
        """
        from .scikeras import to_keras_regressor

        check_is_fitted(self)
        return to_keras_regressor(self.model_, self._is_1d, params)

    def _onnx_conversion(self) -> RegressorConversion:
        return RegressorConversion(self._encoder, self._head, self.n_features_in_)
