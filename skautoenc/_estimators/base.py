"""Base class of the autoencoders: parameters, fit, transform and scores."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from .._backend.fork import forked_after_tensorflow
from .._backend.keras import isolated
from .._backend.worker import fit_in_fresh_process
from .._fit.centering import centred_networks, centred_rows, warn_of_rounding
from .._fit.data import (
    check_loss_takes,
    check_range,
    finite_table,
    flatten_rows,
    float_types,
    is_squared_error,
    is_streamed,
    survey,
    warn_of_output,
)
from .._fit.diagnosis import check_result, warn_of_collapse
from .._fit.start import check_continues, effort_for, pca_is_kept, pca_of, prepare_start
from .._fit.trainees import KerasTrainee, NumpyTrainee
from .._fitted.custom_objects import check_can_be_loaded, picklable
from .._fitted.network import FittedNetwork
from .._training import (
    draw_seed,
    get_loss,
    listens_to_batches,
    plan_dense,
)
from .._training.sklearn_callbacks import EpochTasks
from .._utils.blocks import row_blocks
from .._utils.metrics import METRICS, ExplainedVariance
from .._utils.shapes import fit_together
from ..networks import DenseNetwork
from ..networks._dense_config import dense_pair
from ..networks._layer_parameters import hidden_sizes, regularizer
from ..networks._objectives import chain
from ..networks._resolve import build_pair, given_shape, plain
from .checks import (
    check_holds_rows,
    checked_weights,
    words_named,
)
from .parameters import (
    CONSTRAINTS,
    Activation,
    Auto,
    LearningRateSchedule,
    MatrixLike,
    Network,
    Optimizer,
    Regularizer,
    init_from_fields,
    validates_parameters,
)

Metric = Literal["mean_squared_error", "mean_absolute_error"]


@init_from_fields
class BaseAutoencoder(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """Base class of the autoencoders.

    Annotated class attributes are the parameters. A subclass adds keyword-only ones,
    overrides defaults, and defines the objective.
    """

    n_components: int | None = 2
    _: KW_ONLY
    network: Network = "dense"
    hidden_layer_sizes: int | Sequence[int] = (128, 64)
    activation: Activation = "relu"
    code_activation: Activation = "linear"
    output_activation: Activation = "linear"
    kernel_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    tied_weights: bool = False
    init: Literal["auto", "pca", "random"] = "auto"
    loss: str | Callable = "mean_squared_error"
    optimizer: str | Optimizer = "adam"
    learning_rate: float | LearningRateSchedule | None = None
    batch_size: int | Auto = "auto"
    epochs: int | Auto = "auto"
    early_stopping: bool | Auto = "auto"
    validation_fraction: float = 0.1
    n_iter_no_change: int | Auto = "auto"
    callbacks: Sequence[Any] | None = None
    warm_start: bool = False
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict] = CONSTRAINTS

    # Whether the decoder is trained on the codes that the encoder returns.
    _codes_are_exact: ClassVar[bool] = True

    @classmethod
    def from_keras(cls, encoder: Any, decoder: Any, **params: Any) -> Self:
        """Create a fitted estimator from trained Keras models.

        The models are not trained further. There is no ``mean_``, as the training data
        are not available: `score` uses the mean of the rows it is called with.

        Parameters
        ----------
        encoder : keras.Model
            Trained model from rows to codes. It is copied. If it takes images,
            `inverse_transform` and `sample` return images. If `decoder` is a str, the
            whole autoencoder.

        decoder : keras.Model or str
            Trained model from codes to rows, which is copied, or the name of the code
            layer if `encoder` is the whole autoencoder.

        **params : dict
            Parameters of the estimator, except `n_components` and `network`.

        Returns
        -------
        estimator : object
            Fitted estimator.

        Raises
        ------
        TypeError
            If `encoder` is not a Keras model, or `decoder` is neither a Keras model nor
            the name of a layer.
        ValueError
            If the models do not fit together, are not built, or cannot be rebuilt from
            their config.

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
                "decoder must be a Keras model, or the name of the code layer of "
                f"encoder; got the str {decoder!r}, and the layers are "
                f"{[layer.name for layer in encoder.layers]}."
            )
        with isolated(0):
            parts = build_pair((encoder, decoder), row_shape, None)
        encoder_, decoder_ = map(FittedNetwork.from_keras, parts)
        n_components = parts[0].output_shape[1]
        estimator: Any = cls(n_components, network=(encoder, decoder), **params)
        estimator._validate_params()
        vars(estimator).update(
            _encoder=encoder_,
            _decoder=decoder_,
            _n_features_out=n_components,
            _row_shape=row_shape if len(row_shape) > 1 else None,
            _dtype=np.float32,
            n_components_=n_components,
            n_features_in_=int(np.prod(row_shape)),
            history_={},
            n_iter_=0,
            best_epoch_=0,
            mixup_=False,
        )
        return estimator

    @validates_parameters
    def fit(
        self,
        X: MatrixLike,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        X_val: MatrixLike | None = None,
    ) -> Self:
        """Train the autoencoder to reproduce X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. Images of shape (n_samples, height, width) or
            (n_samples, height, width, channels) are also accepted, and treated as rows
            of pixels. Training uses float32. Sparse matrices are converted to dense
            arrays in small blocks only.

            From 2**18 rows or 1 GiB on, rows are visited in shuffled blocks of 32 KiB,
            so that a float32 memory map may be larger than memory. Arrays of other
            types are copied.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. If None, all weights are 1. A row with an integer
            weight w <= 10 is repeated w times per epoch. The fractional part of a
            weight, and any weight above 10, scales the loss of the row instead, as do
            all weights if X is visited in blocks. Small weights have the effect of a
            smaller learning rate, so scale the weights to a mean of 1.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation set, whose loss is measured after each epoch
            (``history_["val_loss"]``). If given, `early_stopping` uses it and does not
            hold out rows of X. A pipeline does not transform it, unless it has
            ``transform_input=["X_val"]`` and metadata routing is enabled.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the input or a parameter is invalid, or if training diverges. The
            estimator is not modified in this case.
        """
        self._keep(self._fit(X, y, sample_weight, X_val))
        return self

    def _keep(self, attributes):
        """Take over what a fit gave, all at once: other threads may be calling."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            if name not in attributes:
                vars(self).pop(name)
        vars(self).update(attributes)

    def _fit(self, X, y, sample_weight, X_val, X_clean=None, rng=None):
        """Return the fitted attributes."""
        self._check_params()
        given = X
        # What validation writes goes to a copy until the fit has succeeded.
        unfitted = object.__new__(type(self))
        vars(unfitted).update(vars(self))
        X = unfitted._validate(X, reset=True, order="C")
        if sample_weight is not None or not is_streamed(X):
            sample_weight = checked_weights(sample_weight, X)
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
            check_can_be_loaded(self)
        loss = get_loss(self.loss) if plan is None else plan.loss
        found = of_targets = survey(X, sample_weight)
        if X_clean is not None:
            X_clean = unfitted._validate_beside("X_clean", X_clean, "X", X)
            of_targets = survey(X_clean, sample_weight)
        name_of_targets = "X" if X_clean is None else "X_clean"
        dtype = X.dtype if X_clean is None else X_clean.dtype
        check_loss_takes(loss, of_targets, name_of_targets)

        trainee = self._trainee(pair, plan, seed, unfitted)
        fitted = vars(self) if self.warm_start else {}
        has_weights = isinstance(self.network, tuple | list)
        if "_encoder" in fitted:
            check_continues(trainee.networks, fitted)
            drawn = trainee.networks
            shifts = fitted["_encoder"].input_shift, fitted["_decoder"].output_shift
        elif has_weights:  # of a network for rows as they are
            drawn, shifts = trainee.networks, (None, None)
        else:
            drawn, shifts = centred_networks(
                trainee.networks, loss, found, of_targets, X.dtype, dtype
            )
        warn_of_output(drawn["_decoder"], loss, of_targets, name_of_targets)
        names = getattr(unfitted, "feature_names_in_", None)
        warn_of_rounding(found, shifts[0], X.dtype, names)
        validation = unfitted._validation(X_val, X_clean is not None, loss, shifts)
        corrupt = self._corruption(of_targets, shifts[1], X_clean is not None)

        rows = centred_rows(X, X_clean, shifts, sample_weight, found.place)
        split_rng = rng
        if "_split_state" in fitted:  # validate on the same rows as before
            split_rng = np.random.default_rng()
            split_rng.bit_generator.state = fitted["_split_state"]
        split_state = split_rng.bit_generator.state
        start = prepare_start(
            drawn,
            rows,
            validation,
            found.place,
            init=self.init,
            has_weights=has_weights,
            codes_are_exact=self._codes_are_exact,
            early_stopping=self.early_stopping,
            fraction=self.validation_fraction,
            fitted=fitted,
            split_rng=split_rng,
            rng=rng,
        )
        factors, numbers = self._penalty_factors(
            rows, trainee.n_components, loss, start.seed
        )
        training_rows = start.rows
        is_mixed = self._mixes_rows(start.refines_pca, len(training_rows))
        if is_mixed:
            training_rows = training_rows.mixing()
        schema = {
            name: value
            for name, value in vars(unfitted).items()
            if name in ("n_features_in_", "feature_names_in_", "_row_shape")
        }

        def kept(networks):
            """What an estimator keeps of a fit with these networks."""
            encoder, decoder = networks["_encoder"], networks["_decoder"]
            return {
                **networks,
                "_encoder": encoder.with_shifts(input_shift=shifts[0]),
                "_decoder": decoder.with_shifts(output_shift=shifts[1]),
                "_dtype": dtype.type,
                "_largest": np.maximum(-of_targets.low, of_targets.high),
                "_n_features_out": trainee.n_components,
                "_split_state": split_state,
                "n_components_": trainee.n_components,
                "mean_": of_targets.mean,
                **schema,
                **numbers,
            }

        task = self._init_callback_context(max_subtasks=effort.epochs)
        # Callbacks that score ask for targets, and find them in X.
        data = {"X": given, "y": given if y is None else y}
        task.call_on_fit_task_begin(estimator=self, **data)
        run = trainee.train(
            start.networks,
            training_rows,
            factors=factors,
            shifts=shifts,
            batch_size=effort.batch_size,
            epochs=effort.epochs,
            validation=start.validation,
            corrupt=corrupt,
            patience=effort.patience if start.stops_early else None,
            decays=start.refines_pca,
            verbose=self.verbose,
            listener=EpochTasks(self, task, data, lambda: kept(trainee.trained())),
            rng=rng,
        )
        networks = trainee.trained()
        pca = start.networks["_encoder"], start.networks["_decoder"]
        sample = check_result(
            networks["_encoder"],
            networks["_decoder"],
            rows,
            pca if start.is_pca else None,
        )
        n_iter = len(run.history["loss"])
        best_epoch = n_iter if run.best_epoch is None else run.best_epoch
        reason = pca_is_kept(
            start,
            run.best_epoch,
            networks,
            significance=self.early_stopping == "auto"
            and corrupt is None
            and is_squared_error(loss),
        )
        if reason is not None:
            best_epoch, networks = 0, start.networks
            if found.place is not None:  # streamed rows are not read once more
                networks = networks | pca_of(drawn, rows, start.seed)
        else:
            n_steps = n_iter * len(training_rows) // effort.batch_size
            warn_of_collapse(self, sample, n_steps)
        if self.verbose:
            print(_outcome(reason, run.best_epoch, n_iter), flush=True)
        attributes = {
            **kept(networks),
            "history_": run.history,
            "n_iter_": n_iter,
            "mixup_": is_mixed,
            "best_epoch_": best_epoch,
        }
        task.call_on_fit_task_end(
            estimator=self, reconstruction_attributes=lambda: attributes, **data
        )
        return attributes

    def _without_keras(self, X, seed, effort):
        """The dense network as fitted state, and how NumPy trains it; None for neither.

        The objective must be the reconstruction alone, and no callback listen to
        batches. In a process forked after TensorFlow's import none can be called.
        """
        callbacks = self.callbacks or ()
        beyond = bool(callbacks) and (
            forked_after_tensorflow() or any(map(listens_to_batches, callbacks))
        )
        pair = dense_pair(
            self._network(), X.shape[1], self.n_components, np.random.default_rng(seed)
        )
        if pair is None or self._objective_has_penalties() or beyond:
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

    def _trainee(self, pair, plan, seed, unfitted):
        """The networks that are trained, with their engine."""
        how = {
            "loss": self.loss,
            "optimizer": self.optimizer,
            "learning_rate": self.learning_rate,
            "callbacks": self.callbacks or (),
        }
        if plan is not None:
            return NumpyTrainee(pair, plan, **how)
        with isolated(seed):
            if pair is None:
                row_shape = unfitted._row_shape or (unfitted.n_features_in_,)
                width = self.n_components and int(self.n_components)
                models = build_pair(self._network(), row_shape, width)
            else:
                models = [network.build() for network in pair]
            return KerasTrainee(self._objective(*models), pair, **how)

    def _check_params(self) -> None:
        """Check parameters beyond ``_parameter_constraints``, before X is read.

        Subclasses extend it. Whether a name or an object is valid in Keras is checked
        when Keras uses it.

        Raises
        ------
        TypeError
            If the network is a class.
        ValueError
            If a parameter is out of range, or does not fit another one.
        """
        hidden_sizes(self.hidden_layer_sizes)
        for name in ("kernel_regularizer", "activity_regularizer"):
            regularizer(name, getattr(self, name))
        if isinstance(self.network, type):
            name = self.network.__name__
            raise TypeError(
                f"network={name} is a class. Give an instance, such as {name}(...)."
            )
        if self.network == "dense":
            if self.n_components is None:
                raise ValueError(
                    "n_components=None requires a network that determines the width of "
                    "its code, such as ConvNetwork. A dense network needs a number."
                )
            return
        for name in ("kernel_regularizer", "activity_regularizer", "tied_weights"):
            if getattr(self, name):
                raise ValueError(
                    f"{name}={getattr(self, name)!r} applies only to network='dense'. "
                    "Set it in the given network instead."
                )

    def _mixes_rows(self, refines_pca, n_rows):
        """Whether it is trained on points between rows."""
        return False

    def _corruption(self, found, shift, in_pairs):
        """What is done to rows before the encoder sees them: nothing."""
        return

    def _penalty_factors(self, rows, n_components, loss, seed):
        """Factors that follow from the rows, by penalty, and fitted attributes."""
        return {}, {}

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
        return encoder(self._validate(X))

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
        codes: Any = Z
        if not finite_table(Z, width):
            codes = check_array(Z, dtype=float_types(Z), input_name="Z")
            check_range(codes, "Z")
        if codes.shape[1] != width:
            raise ValueError(
                f"Z has {codes.shape[1]} components, but {type(self).__name__} was "
                f"fitted with n_components={width}."
            )
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
        X = decoder(encoder(self._validate(X)), self._dtype)
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
        X = self._validate(X)
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
        largest = getattr(self, "_largest", 0.0)
        X = self._validate(X)
        weight = checked_weights(sample_weight, X)
        if mean is None:
            mean = (weight @ X) / weight.sum()
        explained = ExplainedVariance(X.shape[1], X.dtype)
        for rows, difference in _differences(*networks, X):
            block = _dense(X[rows]).astype(np.float64, copy=False)
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

    def _get_fitted_attr_html(self, doc_link=""):
        """Return the attributes that notebooks show, without building Keras models."""
        shown = BaseEstimator()
        vars(shown).update(vars(self))
        attributes = shown._get_fitted_attr_html(doc_link)
        attributes.estimator_class = type(self)
        return attributes

    def __getstate__(self):
        state = super().__getstate__()
        network = plain(state["network"], is_fitted="_encoder" in state)
        state = {name: picklable(value) for name, value in state.items()}
        return {**state, "network": network}

    def _check_is_fitted(self):
        if not hasattr(self, "_encoder"):  # check_is_fitted is slow
            check_is_fitted(self)

    def _validate(self, X, *, reset=False, order=None):
        if not (reset or order or hasattr(self, "feature_names_in_")) and finite_table(
            X, self.n_features_in_
        ):
            return X
        check_holds_rows(X)
        X, row_shape = flatten_rows(X)
        if reset:
            self._row_shape = row_shape
        elif not fit_together(row_shape, self._row_shape):
            raise ValueError(
                f"X has rows of shape {row_shape}, but {type(self).__name__} was "
                f"fitted on rows of shape {self._row_shape}."
            )
        # What overflows becomes infinite, and is refused as such.
        with words_named(X), np.errstate(over="ignore"):
            X = validate_data(
                self,
                X,
                accept_sparse="csr",
                dtype=float_types(X),
                order=order,
                reset=reset,
            )
        check_range(X)
        return X

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

    def _validation(self, X_val, in_pairs, loss, shifts):
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
        return centred_rows(X_val, targets if in_pairs else None, shifts)

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


def _differences(encoder, decoder, X):
    """What reconstructions of some rows at a time are off by, in float64."""
    for rows in row_blocks(X.shape[0], X.shape[1]):
        block = X[rows]
        difference = decoder(encoder(block), np.float64)
        difference -= _dense(block)
        yield rows, difference


def _outcome(reason, best_epoch, n_iter):
    """A line that says which epoch's weights are kept, and why."""
    if reason is not None:
        return f"Kept epoch 0, which is PCA: {reason}."
    if best_epoch is None:
        return f"Kept epoch {n_iter}, the last: there is no early stopping."
    if best_epoch == 0:
        return "Kept epoch 0, the first weights: no epoch had a lower validation loss."
    return f"Kept epoch {best_epoch}: it has the lowest validation loss."


def _dense(X):
    return X if isinstance(X, np.ndarray) else X.toarray()
