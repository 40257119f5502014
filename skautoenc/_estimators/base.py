"""Base class of the autoencoders: parameters and training."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, replace
from os import PathLike
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.callback import CallbackSupportMixin

from .._backend.fork import forked_after_import
from .._backend.worker import fit_in_subprocess
from .._fit.augmentation import AugmentationOptions
from .._fit.defaults import resolve_auto_settings
from .._fit.fit import fit_autoencoder
from .._fit.n_components import resolve_n_components
from .._fit.partial import Progress, Start, result_of, session_rows
from .._fit.trainable import needs_keras
from .._fit.values import FitOptions, FitResult, Schema, WarmStart
from .._utils.random import RandomStreams
from .._utils.sklearn_compat import available_if, validate_parameters
from ..networks import ConvNetwork, DenseNetwork
from ..networks._base import without_auto_linear_path
from ..networks._resolve import networks_of_models
from .attributes import code_attributes
from .chunks import (
    LiveSession,
    check_partial_fit_parameters,
    check_takes_chunks,
    fit_chunk_anywhere,
    live_session,
    parameter_values,
    print_losses,
)
from .dask_input import open_training_data
from .fit_task import FitTask
from .parameters import (
    CONSTRAINTS,
    Activation,
    Auto,
    LearningRateSchedule,
    MatrixLike,
    Network,
    Optimizer,
    Regularizer,
    check_checkpoint,
    check_network_parameters,
    check_one_hot_groups,
    init_from_fields,
    validates_parameters,
)
from .reducer import FittedReducer
from .validation import validate_chunk, validate_training_data

# Parts of an objective, kept in attributes of these names with a leading underscore.
PARTS = ("encoder", "decoder", "log_variance")

# Attributes from which a later training goes on.
_OF_TRAINING = ("_training", "_progress", "_live")


@init_from_fields
class BaseAutoencoder(CallbackSupportMixin, FittedReducer):
    """Base class of the autoencoders.

    Annotated class attributes are the parameters. A subclass adds keyword-only ones,
    overrides defaults, and defines the objective.
    """

    n_components: float | None = 2
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
    checkpoint: str | PathLike | None = None
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict] = CONSTRAINTS

    @classmethod
    def from_keras(cls, encoder: Any, decoder: Any, **params: Any) -> Self:
        """Create a fitted estimator from trained Keras models.

        The models are not trained further, and codes stay as they are. There are no
        ``mean_`` and ``components_``, as the training data are not available: `score`
        uses the mean of the rows it is called with.

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
        networks, row_shape, n_components = networks_of_models(encoder, decoder)
        estimator = cls(n_components, network=(encoder, decoder), **params)
        validate_parameters(estimator)
        estimator._check_params()
        estimator._set_fitted(
            FitResult(networks, n_components),
            Schema(
                n_features=int(np.prod(row_shape)),
                row_shape=row_shape if len(row_shape) > 1 else None,
            ),
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
            so that a float32 memory map, or an HDF5 data set that is stored as one
            block, may be larger than memory. Arrays of other types are copied. Dask
            arrays and data frames of more than 64 MiB are visited chunk by chunk. Other
            data that do not fit into memory are given to `partial_fit` in chunks.

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
            hold out rows of X. A pipeline passes it on with metadata routing, and
            transforms it by the steps before only with ``transform_input=["X_val"]``;
            see the example.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the input or a parameter is invalid, or if training diverges. The
            estimator is not modified in this case.
        OSError
            If a checkpoint cannot be written or read.

        Warns
        -----
        ConvergenceWarning
            If the validation loss still fell clearly in the last tenth of the epochs.
        UserWarning
            If Ctrl-C has ended training, or if X varies but a component of the code
            does not.

        Notes
        -----
        Ctrl-C during training ends it within an epoch. The best weights so far are
        kept: those with the lowest validation loss if there is early stopping, else the
        last ones. A second Ctrl-C, in the same fit or within two seconds, raises
        KeyboardInterrupt, and the estimator is not modified. A search with ``n_jobs=1``
        goes on with its next fit after the first Ctrl-C, as it does with
        :class:`~sklearn.neural_network.MLPRegressor`. In worker processes, other
        threads than the main one, and where another handler of the signal is set,
        nothing is done about Ctrl-C.

        Examples
        --------
        A validation set for the last step of a pipeline, which the first step scales:

        >>> from sklearn import config_context
        >>> from sklearn.datasets import load_digits
        >>> from sklearn.model_selection import train_test_split
        >>> from sklearn.pipeline import Pipeline
        >>> from sklearn.preprocessing import MinMaxScaler
        >>> from skautoenc import AutoencoderTransformer
        >>> X, X_val = train_test_split(load_digits().data, random_state=0)
        >>> with config_context(enable_metadata_routing=True):
        ...     autoencoder = AutoencoderTransformer(8, epochs=20, random_state=0)
        ...     pipeline = Pipeline(
        ...         [
        ...             ("scale", MinMaxScaler()),
        ...             ("reduce", autoencoder.set_fit_request(X_val=True)),
        ...         ],
        ...         transform_input=["X_val"],
        ...     ).fit(X, X_val=X_val)
        >>> bool(pipeline["reduce"].history_["val_loss"][-1] < 0.02)
        True
        """
        return self._fit_and_keep(X, y, sample_weight, X_val)

    def _fit_and_keep(self, X, y, sample_weight, X_val, X_clean=None):
        """Fit the estimator, and set its fitted attributes if the fit succeeds."""
        self._check_params()
        arrays = open_training_data(X, sample_weight, X_val, X_clean)
        data = validate_training_data(self, *arrays)
        streams = RandomStreams.from_random_state(self.random_state)
        options = self._fit_options(data, streams)
        previous = self._warm_start() if self.warm_start else None
        if forked_after_import() and needs_keras(data, options, streams):
            result = fit_in_subprocess(self, data, streams, previous)
        else:
            result = self._fit_with_callbacks(data, options, streams, previous, X, y)
        self._set_fitted(result, data.schema)
        return self

    @available_if(check_takes_chunks)
    @validates_parameters
    def partial_fit(
        self,
        X: MatrixLike,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train the autoencoder on a chunk of rows, in one pass over them.

        For data that arrive in chunks, or do not fit into memory. The state of the
        optimizer is kept from one call to the next, also in a pickle. After `fit` or
        :meth:`from_keras`, training continues from their weights.

        If training starts from PCA (see `init`), the network is PCA of all rows so far
        until there are 256 of them, and two for each feature. Then it is trained, at a
        constant learning rate, and its weights are averaged over about the last tenth
        of the rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            One or more rows or images, as in `fit`.

        y : Ignored
            Not used, present for API consistency by convention.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, as in `fit`. If None, all weights are 1.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If the input or a parameter is invalid, if a parameter of the network has
            changed since the last call, or if training diverges. The estimator is not
            modified in this case.

        Notes
        -----
        There is no validation set: `partial_fit` is not available with
        ``early_stopping=True``, and ``"auto"`` means False. `n_components` must be a
        number of components. Values of `batch_size` and `epochs` that are ``"auto"``
        are those of `fit` for the largest chunk so far, rounded up to a power of two;
        the number of epochs is used only to choose how training is compiled.
        ``mixup="auto"`` means False. Keras `callbacks` are called as by ``Model.fit``
        with one epoch. For those of scikit-learn each call is a fit without epochs. A
        line is printed every `verbose` calls. `checkpoint` is not used: pickle the
        estimator between two calls.

        ``history_["loss"]`` has the mean loss of each chunk while it was trained on,
        and `n_iter_` is the number of these chunks. `mean_` is that of all rows so far.
        The axes of the code are not changed, so that codes before and after a call are
        comparable; `components_` and explained variances are not defined.

        References
        ----------
        B. T. Polyak, A. B. Juditsky, "Acceleration of Stochastic Approximation by
        Averaging", SIAM Journal on Control and Optimization 30 (1992).

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_digits
        >>> from skautoenc import AutoencoderTransformer
        >>> X = load_digits().data / 16
        >>> autoencoder = AutoencoderTransformer(n_components=8, random_state=0)
        >>> for chunk in np.array_split(X, 20):
        ...     autoencoder = autoencoder.partial_fit(chunk)
        >>> autoencoder.score(X) > 0.65
        True
        """
        return self._fit_chunk(X, y, sample_weight)

    def _fit_chunk(self, X, y, sample_weight, X_clean=None):
        """Train on a chunk, and set the fitted attributes if that succeeds."""
        live = live_session(self)
        if live is None:
            validate_parameters(self)
            self._check_params()
            check_partial_fit_parameters(self)
        data = validate_chunk(self, X, sample_weight, X_clean)
        task = FitTask(self, X, y)
        task.begin(n_epochs=0)
        before = vars(self).get("_progress") or self._start_of_chunks()
        n_rows = session_rows(data.X.shape[0], before)
        session = live.session if live and live.session.n_rows == n_rows else None
        if session is None:
            options = self._fit_options(data, before.streams, n_rows)
        else:
            options = session.options
        live = self._live = None  # if the call fails, its engine is not used again
        progress, losses, session = fit_chunk_anywhere(data, options, before, session)
        history = self.history_ if isinstance(before, Progress) else {}
        result = replace(result_of(progress, options), history=history)
        self._set_fitted(result, data.schema, progress)
        for name, loss in losses.items():
            history.setdefault(name, []).append(loss)
        if session is not None:
            self._live = LiveSession(session, parameter_values(self))
        if self.verbose and losses and self.n_iter_ % self.verbose == 0:
            print_losses(self.n_iter_, losses)
        task.end({})
        return self

    def _start_of_chunks(self):
        """Return what the first chunk starts from."""
        streams = RandomStreams.from_random_state(self.random_state)
        return Start(streams, self._warm_start(), vars(self).get("_seen"))

    def _fit_data(self, data, streams, previous):
        """Fit without scikit-learn's callbacks, for another process."""
        options = self._fit_options(data, streams)
        return fit_autoencoder(data, options, streams, previous)

    def _fit_with_callbacks(self, data, options, streams, previous, X, y):
        """Fit under scikit-learn's callbacks."""
        task = FitTask(self, X, y)

        def attributes(result):
            return {"__dict__": self._state_after(result, data.schema)}

        def make_hook(result_of, n_epochs):
            task.begin(n_epochs)
            return task.epochs(lambda weights: attributes(result_of(weights)))

        result = fit_autoencoder(data, options, streams, previous, [make_hook])
        task.end(lambda: attributes(result))
        return result

    def _fit_options(self, data, streams, n_rows=None):
        """Return the parameters as the fit takes them.

        Those that are "auto" are chosen for `n_rows`, or for the rows of the data.
        """
        schedule = resolve_auto_settings(
            n_rows or data.X.shape[0],
            self.batch_size,
            self.epochs,
            self.n_iter_no_change,
            is_convolutional=self._is_convolutional(),
        )
        n_components = resolve_n_components(
            self.n_components, data, streams.seed("pca")
        )
        return FitOptions(
            network=self._network(n_components),
            n_components=n_components,
            objective=self._objective(),
            augmentation=self._augmentation(),
            init=self.init,
            loss=self.loss,
            optimizer=self.optimizer,
            learning_rate=self.learning_rate,
            one_hot_groups=getattr(self, "one_hot_groups", None),
            batch_size=schedule.batch_size,
            epochs=schedule.epochs,
            patience=schedule.patience,
            early_stopping=self.early_stopping,
            validation_fraction=self.validation_fraction,
            callbacks=tuple(self.callbacks or ()),
            checkpoint=self.checkpoint,
            verbose=self.verbose,
        )

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
        check_network_parameters(self)
        check_one_hot_groups(self)
        check_checkpoint(self.checkpoint, self.random_state)

    def _is_convolutional(self):
        """Whether the fit trains a network of convolutions of this package."""
        return isinstance(self.network, ConvNetwork)

    def _hidden_layer_sizes(self, n_components):
        """Return the hidden layers of a dense network."""
        return self.hidden_layer_sizes

    def _network(self, n_components):
        """Return the network; the flat parameters describe a `DenseNetwork`."""
        network = self.network
        if network == "dense":
            network = DenseNetwork(
                self._hidden_layer_sizes(n_components),
                activation=self.activation,
                code_activation=self.code_activation,
                output_activation=self.output_activation,
                kernel_regularizer=self.kernel_regularizer,
                activity_regularizer=self.activity_regularizer,
                tied_weights=self.tied_weights,
            )
        return without_auto_linear_path(network) if self.init == "random" else network

    def _objective(self):
        """Return what is trained, `Reconstruction` or `Variational`."""
        raise NotImplementedError

    def _augmentation(self):
        """Return how training rows are augmented."""
        return AugmentationOptions()

    def _warm_start(self):
        """Return the networks of an earlier fit; None without one."""
        if "_encoder" not in vars(self):
            return None
        networks = {
            part: vars(self)[f"_{part}"] for part in PARTS if f"_{part}" in vars(self)
        }
        return WarmStart(networks, self._split_seed, vars(self).get("_training"))

    def _fitted_attributes(self, result, schema):
        """Return all fitted attributes by name."""
        attributes = {f"_{part}": network for part, network in result.networks.items()}
        attributes |= {
            "_dtype": result.dtype,
            "_largest": result.largest,
            "_n_features_out": result.n_components,
            "_row_shape": schema.row_shape,
            "_seen": result.seen,
            "_split_seed": result.split_seed,
            "best_epoch_": result.best_epoch,
            "history_": result.history,
            "mixup_": result.mixup,
            "n_components_": result.n_components,
            "n_features_in_": schema.n_features,
            "n_iter_": result.n_iter,
        }
        if result.mean is not None:
            attributes["mean_"] = result.mean
        if result.training is not None and self.warm_start:
            attributes["_training"] = result.training
        attributes |= code_attributes(result)
        if getattr(self, "one_hot_groups", None) is not None:
            groups = result.networks["decoder"].groups
            attributes["one_hot_groups_"] = list(map(list, groups))
        if schema.feature_names is not None:
            attributes["feature_names_in_"] = schema.feature_names
        return attributes

    def _state_after(self, result, schema):
        """Return the state of a copy with this result, without that of another fit.

        scikit-learn sets it as the attribute `__dict__`. Single fitted attributes would
        be added to those of an earlier fit.
        """
        own = {name: x for name, x in vars(self).items() if not name.endswith("_")}
        return own | self._fitted_attributes(result, schema)

    def _set_fitted(self, result, schema, progress=None):
        """Set all fitted attributes at once, as other threads may read them."""
        attributes = self._fitted_attributes(result, schema)
        if progress is not None:
            attributes["_progress"] = progress
        for name in list(vars(self)):
            is_of_fit = name.endswith("_") or name in _OF_TRAINING
            if is_of_fit and name not in attributes:
                vars(self).pop(name)
        vars(self).update(attributes)
