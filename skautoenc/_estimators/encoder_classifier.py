"""EncoderClassifier."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted

from .._onnx.heads import ClassifierConversion
from .._utils.sklearn_compat import StrOptions
from .dask_methods import Output, lazy_for_dask
from .encoder_head import BaseEncoderHead, validate_targets
from .labels import as_columns, find_labels, is_labelled
from .parameters import Auto, MatrixLike, init_from_fields, validates_parameters
from .validation import validate_rows

ClassWeight = Mapping[Any, float] | Sequence[Mapping[Any, float]] | Literal["balanced"]


def _output_of_predict(estimator, X):
    validate_rows(estimator, X, min_samples=0)
    labels = estimator._labels.predictions(_zero_outputs(estimator))
    return Output(labels.shape[1:], labels.dtype)


def _output_of_predict_proba(estimator, X):
    validate_rows(estimator, X, min_samples=0)
    probabilities = estimator._labels.probabilities(_zero_outputs(estimator))
    if isinstance(probabilities, list):
        raise ValueError(
            "predict_proba of several outputs returns a list of arrays, and is not "
            "available for Dask collections. Call it on X.blocks[i].compute()."
        )
    return Output(probabilities.shape[1:], probabilities.dtype)


def _zero_outputs(estimator):
    """Return a row of what the head gives, whose values do not matter."""
    return np.ones((1, sum(map(len, estimator._labels.classes))))


@lazy_for_dask(predict=_output_of_predict, predict_proba=_output_of_predict_proba)
@init_from_fields
class EncoderClassifier(ClassifierMixin, BaseEncoderHead):
    """Classifier on the encoder of an autoencoder, for few labels.

    The autoencoder is trained on all rows, with and without labels. A logistic
    regression of its codes is the head, and then the encoder and the head are trained
    on the labelled rows together.

    Rows without a label are given as `X_unlabeled` in `fit`, or have the label -1. X
    should be scaled as for the autoencoder, for example with
    :class:`~sklearn.preprocessing.StandardScaler` in a pipeline.

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
        Learning rate. If None, 0.0005 for Adam, or the default of another optimizer.
        A constant one is increased linearly in the first 5 % of the epochs, and
        annealed to zero with a cosine schedule.

    batch_size : int or "auto", default="auto"
        Number of labelled rows in a training step. ``"auto"`` means
        ``n_labelled // 32``, at least 32 and at most 256.

    epochs : int or "auto", default="auto"
        Number of passes over the labelled rows. ``"auto"`` means about 1000 training
        steps, at least 10 and at most 200 epochs.

    early_stopping : bool or "auto", default=False
        How the number of epochs is chosen:

        - False: training goes on for all `epochs`.
        - ``"auto"``: by cross-validation with three folds of the labelled rows, as the
          number with the lowest loss. Then all of them are trained on for so many
          epochs. From 1000 labelled rows on, one fold of a fifth is held out instead.
          Probabilities are then closer to the frequencies of classes, but slightly
          fewer predictions are correct.
        - True: a validation set is held out, training ends when its loss no longer
          falls, and the weights of the epoch with the lowest one are kept.

    validation_fraction : float, default=0.1
        Share of the labelled rows that ``early_stopping=True`` holds out. With a single
        output, classes have the same shares in it.

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

    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes in the training on labels, as ``{class: weight}``, with
        1 for classes that are left out; for several outputs a list of such dicts.
        ``"balanced"`` weights classes inversely to their frequency, see
        :func:`~sklearn.utils.class_weight.compute_class_weight`. They are multiplied by
        `sample_weight`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,) or list of ndarray
        Classes, sorted. For several labels that are 0 or 1, their positions; for
        several other outputs a list.

    autoencoder_ : estimator
        The fitted autoencoder. It is not changed by the training on labels.

    encoder_, head_ : keras.Model
        Trained encoder and head. New copies are built at each access.

    model_ : keras.Model
        Both as one model, from rows to probabilities. Built at each access.

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
    EncoderRegressor : The same for numbers.
    sklearn.semi_supervised.SelfTrainingClassifier : Labels rows by the predictions of a
        classifier, with any classifier.

    Notes
    -----
    The head starts as a logistic regression, with an L2 penalty, of the codes, which
    are standardized by all rows. With a head of random weights, the first steps would
    change the encoder at random. An autoencoder that starts from PCA may end as PCA, if
    its validation set shows no improvement. Its hidden layers contribute nothing then,
    and `fit` warns. The default one starts from random weights.

    A dense network is trained, stored and evaluated without TensorFlow.
    :meth:`to_scikeras` returns the classifier as one of SciKeras,
    ``scikeras.wrappers.KerasClassifier``, to train it further with Keras. Parameters
    that both have are named alike.

    References
    ----------
    A. Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution", ICLR (2022), for a linear head first, then all layers.

    P. Vincent et al., "Stacked Denoising Autoencoders", Journal of Machine Learning
    Research 11 (2010), for denoising before training on labels.

    D. Bahri et al., "SCARF: Self-Supervised Contrastive Learning using Random Feature
    Corruption", ICLR (2022), for swap noise.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import train_test_split
    >>> from skautoenc import EncoderClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> y_few = np.where(np.arange(len(y_train)) < 100, y_train, -1)
    >>> classifier = EncoderClassifier(random_state=0).fit(X_train, y_few)
    >>> linear = LogisticRegression().fit(X_train[:100], y_train[:100])
    >>> bool(classifier.score(X_test, y_test) > linear.score(X_test, y_test) + 0.02)
    True
    """

    _: KW_ONLY
    early_stopping: bool | Auto = False
    class_weight: ClassWeight | None = None

    _parameter_constraints: ClassVar[dict] = {
        **BaseEncoderHead._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }

    @validates_parameters
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_unlabeled: MatrixLike | None = None,
    ) -> Self:
        """Train the autoencoder on all rows, and the classifier on those with labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows or images, as the autoencoder takes them.

        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Classes. -1 marks a row without a label, unless the labels are just -1 and
            1, which are two classes. With several outputs, -1 in all of them does.

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
            If a parameter or an array is invalid, if y has fewer than two classes,
            if a fitted autoencoder takes other features, or if training diverges. The
            estimator is not modified in this case.

        Warns
        -----
        UserWarning
            If the autoencoder kept its start at PCA, so that its hidden layers have
            learned nothing; or if Ctrl-C has ended training.

        Examples
        --------
        Rows without labels for the last step of a pipeline, scaled by the first step:

        >>> from sklearn import config_context
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.pipeline import Pipeline
        >>> from sklearn.preprocessing import MinMaxScaler
        >>> from skautoenc import EncoderClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> with config_context(enable_metadata_routing=True):
        ...     classifier = EncoderClassifier(random_state=0)
        ...     pipeline = Pipeline(
        ...         [
        ...             ("scale", MinMaxScaler()),
        ...             ("classify", classifier.set_fit_request(X_unlabeled=True)),
        ...         ],
        ...         transform_input=["X_unlabeled"],
        ...     ).fit(X[:100], y[:100], X_unlabeled=X[100:1000])
        >>> bool(pipeline.score(X[1000:], y[1000:]) > 0.8)
        True
        """
        data, more = self._validate(X, y, sample_weight, X_unlabeled)
        y = validate_targets(y, numeric=False)
        known = np.flatnonzero(is_labelled(y))
        if len(known) == 0:
            raise ValueError(
                "y has no labels: -1, which marks a row without one, is in all "
                f"{len(y)} rows."
            )
        labels = find_labels(y[known])
        weight = np.ones(len(known))
        if self.class_weight is not None:
            weight = compute_sample_weight(self.class_weight, y[known])
        if data.sample_weight is not None:
            weight *= data.sample_weight[known]
        attributes = self._fit_rows(
            data,
            more,
            known,
            labels.one_hot(as_columns(y[known])),
            labels.groups,
            weight,
            strata=y[known] if labels.kind == "multiclass" else None,
        )
        attributes |= {"_labels": labels, "classes_": labels.public_classes()}
        self._set_fitted(attributes)
        return self

    def predict_proba(
        self, X: MatrixLike
    ) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows or images, as in `fit`.

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes), or list of them
            In the order of `classes_`. For targets of several labels that are 0 or 1,
            the probability of 1 for each, of shape (n_samples, n_outputs); for several
            other outputs an array for each.
        """
        outputs = self._outputs(X)
        return self._labels.probabilities(outputs)

    def predict(self, X: MatrixLike) -> NDArray:
        """Return the most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows or images, as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Classes.
        """
        outputs = self._outputs(X)
        return self._labels.predictions(outputs)

    def to_scikeras(self, **params: Any) -> Any:
        """Return the fitted classifier as one of SciKeras, to train it with Keras.

        Parameters
        ----------
        **params : dict
            Parameters of ``scikeras.wrappers.KerasClassifier``, such as `epochs`.

        Returns
        -------
        classifier : scikeras.wrappers.KerasClassifier
            Fitted, with a copy of `model_`. `predict` gives the same classes.
            ``partial_fit`` trains it for an epoch.

        Raises
        ------
        ValueError
            If there is more than one output.

        Notes
        -----
        SciKeras changes how Keras models, losses and optimizers are copied and pickled
        in the process that imports it.
        """
        check_is_fitted(self)
        if self._labels.kind != "multiclass":
            raise ValueError(
                "to_scikeras: KerasClassifier takes one output, but this classifier "
                f"has {len(self._labels.classes)}. Use model_, the Keras model."
            )
        from .scikeras import to_keras_classifier

        return to_keras_classifier(self.model_, self.classes_, params)

    def _onnx_conversion(self) -> ClassifierConversion:
        labels = self._labels
        if labels.kind == "multioutput":
            raise NotImplementedError(
                "An EncoderClassifier with several outputs of more than two classes "
                "cannot be converted to ONNX. Fit one for each output."
            )
        classes = labels.classes[0] if labels.kind == "multiclass" else None
        if classes is not None and classes.dtype.kind not in "iuOU":
            raise NotImplementedError(
                "Classes must be integers or text for a conversion to ONNX; they are "
                f"of type {classes.dtype}. Encode y with LabelEncoder."
            )
        return ClassifierConversion(
            self._encoder, self._head, self.n_features_in_, classes
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
