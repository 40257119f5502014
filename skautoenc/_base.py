"""The order of fit, transform, inverse_transform and the scores, for every sibling."""

import contextlib
from numbers import Integral, Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_array
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from ._data import check_loss_takes, survey, warn_of_output
from ._fitted import FittedNetwork, row_blocks
from ._keras import isolated, load
from ._pca_start import pca_is_exact, start_at_pca
from .networks import DenseNetwork, build_pair, chain
from .training import Rows, get_loss, train


class BaseAutoencoder(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """What all autoencoders share; a sibling adds parameters and a training scheme."""

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "network": [StrOptions({"dense"}), callable],
        "hidden_layer_sizes": ["array-like"],
        "activation": [str, callable],
        "code_activation": [str, callable],
        "output_activation": [str, callable],
        "kernel_regularizer": [str, callable, dict, None],
        "activity_regularizer": [str, callable, dict, None],
        "init": [StrOptions({"auto", "pca", "random"})],
        "loss": [str, callable],
        "optimizer": [str, HasMethods("apply_gradients")],
        "learning_rate": [
            Interval(Real, 0, None, closed="neither"),
            HasMethods("get_config"),
            None,
        ],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, sample_weight=None, X_val=None):
        """Train the autoencoder to reproduce X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. Trained on as float32; CSR and CSC matrices are never made
            dense whole.

        y : Ignored
            Present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            How often each row counts. Whole weights up to 10 are exactly as if the
            row stood in X so often; what is left of a fraction, or above 10, weights
            the row's loss. Weights well below 1 act like a smaller learning rate:
            scale them to a mean of 1.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows whose loss is measured after every epoch (``history_["val_loss"]``).
            With ``early_stopping=True`` they take the place of the split. In a
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
        with _features_kept_on_failure(self):
            vars(self).update(self._fit(X, y, sample_weight, X_val))
        return self

    def _fit(self, X, y, sample_weight, X_val):
        """Return the fitted attributes."""
        X = self._validate(X, reset=True, order="C")
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        self._check_names()
        loss = get_loss(self.loss)
        found = survey(X, sample_weight)
        check_loss_takes(loss, found)
        if X_val is not None:
            X_val = self._validate_x_val(X_val)
            of_val = survey(X_val, np.ones(X_val.shape[0]))
            check_loss_takes(loss, of_val, "X_val")

        rng = _generator(self.random_state)
        with isolated(_seed(rng)):
            encoder, decoder = build_pair(
                self._network(), X.shape[1], self.n_components
            )
        model = chain(encoder, decoder)
        warn_of_output(decoder, loss, found)

        rows = Rows.weighted(X, found.order, sample_weight)
        rows, validation = self._split(rows, found.kind, X_val, rng)
        self._initialise(encoder, decoder, rows, rng)

        def fitted():
            return {
                "_encoder": FittedNetwork.from_keras(encoder),
                "_decoder": FittedNetwork.from_keras(decoder),
                "_n_features_out": self.n_components,
                "mean_": found.mean,
            }

        task = self._init_callback_context(max_subtasks=self.epochs)
        task.call_on_fit_task_begin(estimator=self, X=X, y=y)
        history = train(
            model,
            rows,
            loss=self.loss,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            epochs=self.epochs,
            validation=validation,
            patience=self.n_iter_no_change if self.early_stopping else None,
            callbacks=self.callbacks or (),
            verbose=self.verbose,
            listener=_EpochTasks(self, task, X, y, fitted),
            rng=rng,
        )
        attributes = {
            **fitted(),
            "history_": history,
            "n_iter_": len(history["loss"]),
        }
        task.call_on_fit_task_end(
            estimator=self, X=X, y=y, reconstruction_attributes=lambda: attributes
        )
        return attributes

    def transform(self, X):
        """Encode X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_components), float32
        """
        check_is_fitted(self)
        return self._encoder(self._validate(X))

    def inverse_transform(self, Z):
        """Decode codes back to the features.

        Parameters
        ----------
        Z : array-like of shape (n_samples, n_components)

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
        """
        check_is_fitted(self)
        with np.errstate(over="ignore"):
            Z = check_array(Z, dtype=np.float32, input_name="Z")
        if Z.shape[1] != self._n_features_out:
            raise ValueError(
                f"Z has {Z.shape[1]} components, but {type(self).__name__} was fitted "
                f"with n_components={self._n_features_out}."
            )
        return self._decoder(Z)

    def reconstruct(self, X):
        """Encode and decode X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
        """
        check_is_fitted(self)
        return self._decoder(self._encoder(self._validate(X)))

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
        check_is_fitted(self)
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
        check_is_fitted(self)
        X = self._validate(X)
        errors = squares = 0.0
        for rows, error in self._squared_errors(X):
            errors += error.sum(dtype=np.float64)
            squares += np.square(_dense(X[rows]) - self.mean_).sum()
        if squares == 0:
            return float(errors == 0)
        return float(1 - errors / squares)

    @property
    def encoder_(self):
        """The trained encoder as a Keras model, a new copy at each access."""
        check_is_fitted(self)
        return self._encoder.to_keras()

    @property
    def decoder_(self):
        """The trained decoder as a Keras model, a new copy at each access."""
        check_is_fitted(self)
        return self._decoder.to_keras()

    @property
    def autoencoder_(self):
        """Encoder and decoder as one Keras model, a new copy at each access."""
        return chain(self.encoder_, self.decoder_)

    def _validate(self, X, *, reset=False, order=None):
        with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
            return validate_data(
                self, X, accept_sparse="csr", dtype=np.float32, order=order, reset=reset
            )

    def _validate_x_val(self, X_val):
        try:
            return self._validate(X_val)
        except ValueError as error:
            raise ValueError(f"X_val: {error}") from None

    def _squared_errors(self, X):
        for rows in row_blocks(X.shape[0], X.shape[1]):
            block = X[rows]
            error = self._decoder(self._encoder(block))
            error -= _dense(block)
            yield rows, np.square(error, out=error)

    def _check_names(self):
        """Ask Keras about the names that the dense network takes.

        Raises
        ------
        ValueError
            Naming the parameter, with Keras's own words.
        """
        _, keras = load()
        sizes = self.hidden_layer_sizes
        if not all(isinstance(size, Integral) and size > 0 for size in sizes):
            raise ValueError(
                "hidden_layer_sizes must hold positive whole numbers, one per hidden "
                f"layer of the encoder; got {sizes!r}."
            )
        known = {"activation": keras.activations, "regularizer": keras.regularizers}
        if self.network != "dense":
            known = {}
        for name, value in self.get_params(deep=False).items():
            kind = name.rpartition("_")[-1]
            if kind not in known:
                continue
            try:
                known[kind].get(value)
            except (AttributeError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{name}={value!r} is not one that Keras knows. {error}"
                ) from None
        for callback in self.callbacks or ():
            if not isinstance(callback, keras.callbacks.Callback):
                raise TypeError(
                    f"callbacks takes instances of Keras callbacks; got {callback!r}. "
                    "scikit-learn's go to set_callbacks."
                )

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
        )

    def _split(self, rows, kind, X_val, rng):
        """Return the rows to train on and those to validate on, or None.

        Equal rows go to the same side, or what was trained on would be validated on.
        """
        if X_val is not None:
            return rows, Rows.all(X_val)
        if not self.early_stopping:
            return rows, None
        kinds = np.unique(kind[rows.index])
        n_val = int(np.ceil(self.validation_fraction * len(kinds)))
        if n_val >= len(kinds):
            raise ValueError(
                "early_stopping=True sets validation_fraction="
                f"{self.validation_fraction} of the distinct rows aside, which leaves "
                f"none to train on: n_samples={len(rows)}, {len(kinds)} distinct. "
                "Give X_val, or set early_stopping=False."
            )
        aside = np.isin(kind[rows.index], rng.permutation(kinds)[:n_val])
        return rows.take(~aside), rows.take(aside)

    def _initialise(self, encoder, decoder, rows, rng):
        """Give the models the weights that training starts from."""
        seed = _seed(rng)
        if self.warm_start and hasattr(self, "_encoder"):
            for part, model in (("_encoder", encoder), ("_decoder", decoder)):
                fitted = getattr(self, part)
                if fitted.config != model.to_json():
                    raise ValueError(
                        "warm_start=True continues from the fitted weights, but the "
                        f"network or the number of features has changed since: the "
                        f"{part[1:]} is another. Set warm_start=False to start anew."
                    )
                model.set_weights(fitted.weights)
            return
        exact = pca_is_exact(encoder, decoder, len(rows))
        if self.init == "pca" and not exact:
            raise ValueError(
                "init='pca' needs a network that can be PCA: one linear layer to the "
                "code and one back (hidden_layer_sizes=(), code_activation='linear', "
                "output_activation='linear') and n_components of at most "
                f"min(n_samples, n_features)={min(len(rows), rows.X.shape[1])}. "
                "Use init='auto' or init='random'."
            )
        if exact and self.init != "random":
            start_at_pca(encoder, decoder, rows, seed)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class _EpochTasks:
    """Tells scikit-learn's callbacks of every epoch."""

    def __init__(self, estimator, task, X, y, fitted):
        self._estimator, self._task = estimator, task
        self._data, self._fitted = {"X": X, "y": y}, fitted

    def epoch_begins(self):
        self._epoch = self._task.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=self._estimator, **self._data)

    def epoch_ended(self, update_model):
        def as_if_stopped():
            update_model()
            return self._fitted()

        return self._epoch.call_on_fit_task_end(
            estimator=self._estimator,
            reconstruction_attributes=as_if_stopped,
            **self._data,
        )


@contextlib.contextmanager
def _features_kept_on_failure(estimator):
    """Put back what validation writes to the estimator before training succeeded."""
    names = ("n_features_in_", "feature_names_in_")
    before = {name: vars(estimator)[name] for name in names if name in vars(estimator)}
    try:
        yield
    except BaseException:
        for name in names:
            vars(estimator).pop(name, None)
        vars(estimator).update(before)
        raise


def _generator(random_state):
    """A NumPy Generator from scikit-learn's `random_state`, global state untouched."""
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**31, size=4))
    return np.random.default_rng(random_state)


def _seed(rng):
    return int(rng.integers(2**32))


def _dense(X):
    return X if isinstance(X, np.ndarray) else X.toarray()
