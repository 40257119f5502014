"""The order of fit, transform, inverse_transform and the scores, for every sibling."""

import copy

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_array
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from ._checks import (
    check_dense_parameters,
    check_names,
    features_kept_on_failure,
    fit_together,
)
from ._data import (
    check_loss_takes,
    finite_table,
    flatten_rows,
    is_squared_error,
    is_streamed,
    survey,
    warn_of_output,
)
from ._dense_config import dense_pair
from ._epoch_tasks import EpochTasks
from ._fitted import FittedNetwork, row_blocks
from ._fresh_process import fit_in_fresh_process, forked_after_tensorflow
from ._keras import isolated
from ._objective import chain
from ._pair import build_pair, given_shape, plain
from ._parameters import CONSTRAINTS
from ._start import Start, effort_for
from ._trainees import KerasTrainee, NumpyTrainee
from .networks import DenseNetwork
from .training import Rows, StreamedRows, draw_seed, get_loss, plan_dense


class BaseAutoencoder(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """What all autoencoders share; a sibling adds parameters and its objective."""

    _parameter_constraints: dict = CONSTRAINTS

    # Whether the decoder gets just what the encoder gives.
    _codes_are_exact = True

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
            encoder takes images, `inverse_transform` and `sample` give images.

        **params : dict
            Parameters of the estimator, other than `n_components` and `network`.

        Returns
        -------
        estimator : object

        Raises
        ------
        TypeError
            If one of the two is not a Keras model.
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
        given_shape("decoder", decoder)
        with isolated(0):
            parts = build_pair((encoder, decoder), row_shape, None)
        encoder_, decoder_ = map(FittedNetwork.from_keras, parts)
        n_components = parts[0].output_shape[1]
        estimator = cls(n_components, network=(encoder, decoder), **params)
        estimator._validate_params()
        vars(estimator).update(
            _encoder=encoder_,
            _decoder=decoder_,
            _n_features_out=n_components,
            _row_shape=row_shape if len(row_shape) > 1 else None,
            n_features_in_=int(np.prod(row_shape)),
            history_={},
            n_iter_=0,
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
        with features_kept_on_failure(self):
            vars(self).update(self._fit(X, y, sample_weight, X_val))
        return self

    def _fit(self, X, y, sample_weight, X_val, X_clean=None, rng=None):
        """Return the fitted attributes."""
        given = X
        X = self._validate(X, reset=True, order="C")
        if sample_weight is not None or not is_streamed(X):
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        check_dense_parameters(self)
        rng = generator(self.random_state) if rng is None else rng
        untouched = copy.deepcopy(rng)
        seed = draw_seed(rng)
        effort = effort_for(
            X.shape[0], self.batch_size, self.epochs, self.n_iter_no_change
        )
        pair, plan = self._without_keras(X, seed, effort)
        if plan is None and forked_after_tensorflow():
            arguments = given, y, sample_weight, X_val, X_clean, untouched
            return fit_in_fresh_process(self, *arguments)
        if plan is None:
            check_names(self)
        loss = get_loss(self.loss) if plan is None else plan.loss
        found = of_targets = survey(X, sample_weight)
        if X_clean is not None:
            X_clean = self._validate_beside("X_clean", X_clean, "X", X)
            of_targets = survey(X_clean, sample_weight)
        name_of_targets = "X" if X_clean is None else "X_clean"
        check_loss_takes(loss, of_targets, name_of_targets)
        validation = self._validation(X_val, X_clean is not None, loss)
        corrupt = self._corruption(of_targets, in_pairs=X_clean is not None)

        trainee = self._trainee(pair, plan, seed)
        networks = trainee.networks
        warn_of_output(networks["_decoder"], loss, of_targets, name_of_targets)

        if found.place is None:
            rows = StreamedRows(X, sample_weight, X_clean)
        else:
            order = np.argsort(found.place, kind="stable")
            rows = Rows.weighted(X, order, sample_weight, X_clean)
        start = Start(
            networks,
            rows,
            validation,
            found.place,
            init=self.init,
            has_weights=isinstance(self.network, tuple | list),
            codes_are_exact=self._codes_are_exact,
            early_stopping=self.early_stopping,
            fraction=self.validation_fraction,
            fitted=vars(self) if self.warm_start else {},
            rng=rng,
        )
        rows = start.rows
        if self._mixes_rows(start.refines_pca, len(rows)):
            rows = rows.mixing()

        def fitted():
            return {
                **trainee.trained(),
                "_n_features_out": trainee.n_components,
                "mean_": of_targets.mean,
            }

        task = self._init_callback_context(max_subtasks=effort.epochs)
        task.call_on_fit_task_begin(estimator=self, X=given, y=y)
        run = trainee.train(
            rows,
            batch_size=effort.batch_size,
            epochs=effort.epochs,
            validation=start.validation,
            corrupt=corrupt,
            patience=effort.patience if start.stops_early else None,
            decays=start.refines_pca,
            verbose=self.verbose,
            listener=EpochTasks(self, task, given, y, fitted),
            rng=rng,
        )
        n_iter = len(run.history["loss"])
        attributes = {
            **fitted(),
            "history_": run.history,
            "n_iter_": n_iter,
            "best_epoch_": n_iter if run.best_epoch is None else run.best_epoch,
        }
        if start.is_kept(
            run.best_epoch,
            attributes,
            comparable=corrupt is None and is_squared_error(loss),
        ):
            attributes |= {**start.networks, "best_epoch_": 0}
        task.call_on_fit_task_end(
            estimator=self, X=given, y=y, reconstruction_attributes=lambda: attributes
        )
        return attributes

    def _without_keras(self, X, seed, effort):
        """The dense network as fitted state, and how NumPy trains it; None for neither.

        The objective must be the reconstruction alone, and no callback wait for a
        Keras model.
        """
        pair = dense_pair(
            self._network(), X.shape[1], self.n_components, np.random.default_rng(seed)
        )
        if pair is None or self._objective_has_penalties() or self.callbacks:
            return pair, None
        plan = plan_dense(
            pair,
            loss=self.loss,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            batch_size=effort.batch_size,
            epochs=effort.epochs,
            n_rows=X.shape[0],
        )
        return pair, plan

    def _trainee(self, pair, plan, seed):
        """The networks that are trained, with their engine."""
        if plan is not None:
            return NumpyTrainee(pair, plan)
        with isolated(seed):
            if pair is None:
                row_shape = self._row_shape or (self.n_features_in_,)
                width = self.n_components and int(self.n_components)
                models = build_pair(self._network(), row_shape, width)
            else:
                models = [network.build() for network in pair]
            return KerasTrainee(
                self._objective(*models),
                pair,
                loss=self.loss,
                optimizer=self.optimizer,
                learning_rate=self.learning_rate,
                callbacks=self.callbacks or (),
            )

    def _mixes_rows(self, refines_pca, n_rows):
        """Whether it is trained on points between rows."""
        return False

    def _corruption(self, found, in_pairs):
        """What is done to rows before the encoder sees them: nothing."""
        return

    def transform(self, X):
        """Encode X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or images, as in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_components), float32
        """
        self._check_is_fitted()
        return self._encoder(self._validate(X))

    def inverse_transform(self, Z):
        """Decode codes back to the features.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
            Images, where `fit` was given images.
        """
        self._check_is_fitted()
        codes = finite_table(Z, self._n_features_out)
        if codes is None:
            with np.errstate(over="ignore"):
                codes = check_array(Z, dtype=np.float32, input_name="Z")
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"Z has {codes.shape[1]} components, but {type(self).__name__} was "
                f"fitted with n_components={self._n_features_out}."
            )
        return self._shaped(self._decoder(codes))

    def reconstruct(self, X):
        """Encode and decode X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of the shape of X, float32
        """
        self._check_is_fitted()
        _, row_shape = flatten_rows(X)
        X = self._decoder(self._encoder(self._validate(X)))
        return X if row_shape is None else X.reshape(-1, *row_shape)

    def reconstruction_error(self, X, *, per_feature=False):
        """Squared error between X and its reconstruction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        per_feature : bool, default=False
            Keep one value per feature instead of each row's mean.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_features), float32
        """
        self._check_is_fitted()
        X = self._validate(X)
        out = np.empty(X.shape if per_feature else X.shape[:1], np.float32)
        for rows, error in self._squared_errors(X):
            out[rows] = error if per_feature else error.mean(axis=1)
        return out

    def score_samples(self, X):
        """Minus the mean squared error of each row; higher is more normal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), float32
        """
        return -self.reconstruction_error(X)

    def score(self, X, y=None):
        """Share of variance explained: 1 - squared errors / squares around the mean.

        The mean is that of the training data. On its training data PCA's score is the
        sum of its ``explained_variance_ratio_``. Data without variance scores 1 if it
        is reconstructed exactly, else 0.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        y : Ignored
            Present for API consistency by convention.

        Returns
        -------
        float
            At most 1; higher is better.
        """
        self._check_is_fitted()
        X = self._validate(X)
        mean = getattr(self, "mean_", None)
        if mean is None:
            mean = np.asarray(X.mean(axis=0, dtype=np.float64))
        errors = squares = 0.0
        for rows, error in self._squared_errors(X):
            errors += error.sum(dtype=np.float64)
            squares += np.square(_dense(X[rows]) - mean).sum()
        if squares == 0:
            return float(errors == 0)
        return float(1 - errors / squares)

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
        shown = BaseEstimator()
        vars(shown).update(vars(self))
        attributes = shown._get_fitted_attr_html(doc_link)
        attributes.estimator_class = type(self)
        return attributes

    def __getstate__(self):
        state = super().__getstate__()
        return {**state, "network": plain(state["network"])}

    def _check_is_fitted(self):
        if not hasattr(self, "_encoder"):  # scikit-learn's own takes longer than a row
            check_is_fitted(self)

    def _validate(self, X, *, reset=False, order=None):
        if not reset and order is None and not hasattr(self, "feature_names_in_"):
            table = finite_table(X, self.n_features_in_)
            if table is not None:
                return table
        X, row_shape = flatten_rows(X)
        if reset:
            self._row_shape = row_shape
        elif not fit_together(row_shape, self._row_shape):
            raise ValueError(
                f"X has rows of shape {row_shape}, but {type(self).__name__} was "
                f"fitted on rows of shape {self._row_shape}."
            )
        with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
            return validate_data(
                self, X, accept_sparse="csr", dtype=np.float32, order=order, reset=reset
            )

    def _validate_beside(self, name, X, other_name, other=None):
        """Validate an array with the columns of X, and with the rows of another."""
        try:
            X = self._validate(X, order="C")
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if other is not None and X.shape[0] != other.shape[0]:
            raise ValueError(
                f"{name} has {X.shape[0]} rows, but {other_name} has {other.shape[0]}; "
                "they must belong together row by row."
            )
        return X

    def _validation(self, X_val, in_pairs, loss):
        """The rows given to validate on, or None."""
        if X_val is None:
            return None
        is_pair = isinstance(X_val, tuple) and [np.ndim(a) for a in X_val] == [2, 2]
        if is_pair and not in_pairs:
            raise ValueError(
                "X_val is a pair, which goes with X_clean: (noisy rows, clean rows). "
                "Without X_clean it is rows like X."
            )
        if not in_pairs:
            X_val = targets = self._validate_beside("X_val", X_val, "X_val")
        elif isinstance(X_val, tuple | list) and len(X_val) == 2:
            noisy, clean = X_val
            X_val = self._validate_beside("X_val[0]", noisy, "X_val[0]")
            targets = self._validate_beside("X_val[1]", clean, "X_val[0]", X_val)
        else:
            raise ValueError(
                "With X_clean, X_val must be a pair too: (noisy rows, clean rows)."
            )
        check_loss_takes(loss, survey(targets, None), "X_val")
        targets = targets if in_pairs else None
        if is_streamed(X_val):
            return StreamedRows(X_val, None, targets)
        return Rows.all(X_val, targets)

    def _shaped(self, X):
        """Rows as flat as `fit` was given them."""
        return X if self._row_shape is None else X.reshape(-1, *self._row_shape)

    def _squared_errors(self, X):
        for rows in row_blocks(X.shape[0], X.shape[1]):
            block = X[rows]
            error = self._decoder(self._encoder(block))
            error -= _dense(block)
            yield rows, np.square(error, out=error)

    def _network(self):
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
            linear_path=self._codes_are_exact and self.init != "random" and "auto",
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def generator(random_state):
    """A NumPy Generator from scikit-learn's `random_state`, global state untouched."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    return np.random.default_rng(random_state)


def _dense(X):
    return X if isinstance(X, np.ndarray) else X.toarray()
