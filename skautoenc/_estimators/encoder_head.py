"""Base class of the classifier and the regressor on an encoder."""

from collections.abc import Sequence
from dataclasses import KW_ONLY
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import vstack
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from .._backend.fork import forked_after_import
from .._backend.worker import fit_in_subprocess
from .._fit.head_training import HeadOptions
from .._fit.supervised import LabelledRows, fit_supervised, needs_keras
from .._utils.random import RandomStreams
from .._utils.sklearn_compat import fitted_attributes_html
from .._utils.warnings import warn_user
from ..networks import DenseNetwork
from ..networks._layer_parameters import hidden_sizes
from ..networks._objectives import chain
from .base import BaseAutoencoder
from .denoising import DenoisingAutoencoder
from .evaluation import map_valid_rows
from .onnx import OnnxMixin
from .parameters import (
    CONSTRAINTS,
    Auto,
    LearningRateSchedule,
    Number,
    Optimizer,
    init_from_fields,
)
from .stored_state import StoredState
from .validation import validate_more_rows, validate_training_data

# Largest code of the default autoencoder.
_MAX_COMPONENTS = 32


@init_from_fields
class BaseEncoderHead(OnnxMixin, StoredState):
    """Base class of an encoder with a head that is trained on labels.

    A subclass validates the targets, and defines what is predicted.
    """

    _keras_models: ClassVar = {"encoder_", "head_", "model_"}

    autoencoder: Any = None
    _: KW_ONLY
    hidden_layer_sizes: int | Sequence[int] = ()
    dropout: float = 0.0
    fine_tune: bool = True
    optimizer: str | Optimizer = "adam"
    learning_rate: float | LearningRateSchedule | None = None
    batch_size: int | Auto = "auto"
    epochs: int | Auto = "auto"
    early_stopping: bool | Auto = "auto"
    validation_fraction: float = 0.1
    n_iter_no_change: int | Auto = "auto"
    callbacks: Sequence[Any] | None = None
    verbose: int = 0
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict] = {
        "autoencoder": "no_validation",  # refused with what it must be
        "dropout": [Number(Real, 0, 1, closed="left")],
        "fine_tune": ["boolean"],
        **{
            name: CONSTRAINTS[name]
            for name in (
                "hidden_layer_sizes",
                "optimizer",
                "learning_rate",
                "batch_size",
                "epochs",
                "early_stopping",
                "validation_fraction",
                "n_iter_no_change",
                "callbacks",
                "verbose",
                "random_state",
            )
        },
    }

    @property
    def encoder_(self) -> Any:
        """Trained encoder as a Keras model; each access returns a new copy."""
        check_is_fitted(self)
        return self._encoder.to_keras()

    @property
    def head_(self) -> Any:
        """Trained head as a Keras model; each access returns a new copy."""
        check_is_fitted(self)
        return self._head.to_keras()

    @property
    def model_(self) -> Any:
        """Encoder and head as one Keras model; each access returns a new copy."""
        return chain(self.encoder_, self.head_)

    def _validate(self, X, y, sample_weight, X_unlabeled):
        """Validate what `fit` takes besides the values of `y`.

        Returns
        -------
        data : FitData
            Of the rows of X.

        more : {ndarray, CSR matrix} or None
            The rows of X_unlabeled.
        """
        hidden_sizes(self.hidden_layer_sizes)
        _check_autoencoder(self.autoencoder)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        data = validate_training_data(self, X, sample_weight, None, None)
        check_consistent_length(X, y)
        more = X_unlabeled
        if more is not None:
            more = validate_more_rows(self, "X_unlabeled", more, data.schema)
        return data, more

    def _fit_rows(self, data, more, labelled, targets, groups, weight, strata):
        """Fit the autoencoder and the head; return the fitted attributes by name.

        Parameters
        ----------
        data, more
            What `_validate` gave.

        labelled : ndarray of shape (n_labelled,), int
            Positions of rows with a target.

        targets, groups
            See `LabelledRows`.

        weight : ndarray of shape (n_labelled,)
            Weights of the targets.

        strata : ndarray of shape (n_labelled,) or None
            Labels whose shares a validation set has, too.
        """
        streams = RandomStreams.from_random_state(self.random_state)
        sample_weight = data.sample_weight
        if sample_weight is None:
            sample_weight = np.ones(data.X.shape[0])
        positive = weight > 0
        if not positive.any():
            raise ValueError("All rows with a target have sample_weight 0.")
        X = data.X
        if more is not None:
            X = np.concatenate([X, more]) if _is_dense(X, more) else vstack([X, more])
            X = X if isinstance(X, np.ndarray) else X.tocsr()
            sample_weight = np.append(sample_weight, np.ones(more.shape[0]))
        autoencoder = self._fit_autoencoder(X, sample_weight, data.schema, streams)
        held_out = np.zeros(len(labelled), bool)
        if self.early_stopping is True:
            held_out = _hold_out(self, strata, len(labelled), streams.seed("split"))
        rows = LabelledRows(
            X,
            sample_weight,
            labelled[positive],
            targets[positive],
            groups,
            weight[positive],
            held_out[positive],
        )
        arguments = autoencoder._encoder, rows, streams
        if forked_after_import() and needs_keras(
            autoencoder._encoder, rows, self._head_options()
        ):
            result = fit_in_subprocess(self, *arguments)
        else:
            result = self._fit_data(*arguments)
        attributes = {
            "_encoder": result.encoder,
            "_head": result.head,
            "_row_shape": data.schema.row_shape,
            "autoencoder_": autoencoder,
            "best_epoch_": result.best_epoch,
            "history_": result.history,
            "n_features_in_": data.schema.n_features,
            "n_iter_": result.n_iter,
        }
        if data.schema.feature_names is not None:
            attributes["feature_names_in_"] = data.schema.feature_names
        return attributes

    def _set_fitted(self, attributes):
        """Set all fitted attributes at once, in place of those of an earlier fit."""
        own = {
            name: value
            for name, value in vars(self).items()
            if not name.endswith("_") and name not in attributes
        }
        self.__dict__ = own | attributes

    def _fit_data(self, encoder, rows, streams):
        """Train the head and the encoder, possibly in another process."""
        return fit_supervised(encoder, rows, self._head_options(), streams)

    def _head_options(self):
        """Return the parameters as the fit takes them."""
        return HeadOptions(
            hidden_sizes(self.hidden_layer_sizes),
            self.dropout,
            self.fine_tune,
            self.optimizer,
            self.learning_rate,
            self.batch_size,
            self.epochs,
            self.n_iter_no_change,
            self.early_stopping,
            tuple(self.callbacks or ()),
            self.verbose,
        )

    def _fit_autoencoder(self, X, sample_weight, schema, streams):
        """Return the autoencoder that was fitted before, or one fitted to X."""
        given = self.autoencoder
        if isinstance(given, FrozenEstimator):
            given = given.estimator
        if given is None:
            given = _default_autoencoder(X.shape[1], self.verbose)
        if hasattr(given, "_encoder"):
            _check_fits(given, schema)
            return given
        autoencoder = clone(given)
        if autoencoder.random_state is None:
            autoencoder.random_state = streams.seed("autoencoder")
        rows = X if schema.row_shape is None else X.reshape(-1, *schema.row_shape)
        weight = None if (sample_weight == 1).all() else sample_weight
        if self.verbose and autoencoder.verbose:
            print(f"Autoencoder, {len(sample_weight)} rows:", flush=True)
        autoencoder.fit(rows, sample_weight=weight)
        if autoencoder.best_epoch_ == 0:
            _warn_of_pca(autoencoder)
        return autoencoder

    def _outputs(self, X):
        """Return what the head gives for rows, as float64."""
        check_is_fitted(self)
        encoder, head = self._encoder, self._head
        return map_valid_rows(
            self, lambda rows: head(encoder(rows), np.float64), X, encoder, head
        )

    def _get_fitted_attr_html(self, doc_link=""):
        """Return the attributes that notebooks show, without building Keras models."""
        return fitted_attributes_html(self, doc_link)

    def __sklearn_is_fitted__(self):
        return "_head" in vars(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        return tags


def _default_autoencoder(n_features, verbose):
    """Return the autoencoder on whose codes few labels tell most.

    It was chosen on other tables and images than those of the benchmarks. Narrower
    codes, less noise, noise of other kinds and a start at PCA were worse.
    """
    return DenoisingAutoencoder(
        min(_MAX_COMPONENTS, n_features),
        network=DenseNetwork((128, 64), linear_path=True),
        noise="swap",
        noise_level=0.4,
        init="random",
        verbose=verbose,
    )


def _is_dense(*tables):
    return all(isinstance(table, np.ndarray) for table in tables)


def _check_autoencoder(autoencoder):
    """Raise a TypeError unless it is None or an autoencoder of this package."""
    if isinstance(autoencoder, FrozenEstimator):
        autoencoder = autoencoder.estimator
        check_is_fitted(autoencoder)
    if isinstance(autoencoder, type):
        raise TypeError(
            f"autoencoder={autoencoder.__name__} is a class. Give an instance, such as "
            f"{autoencoder.__name__}(...)."
        )
    if autoencoder is not None and not isinstance(autoencoder, BaseAutoencoder):
        raise TypeError(
            f"autoencoder={autoencoder!r} must be an autoencoder of skautoenc, fitted "
            "or not, such as DenoisingAutoencoder(32). Put scalers before this "
            "estimator in a pipeline, and give the encoder of a Keras model with "
            "AutoencoderTransformer.from_keras(encoder, decoder)."
        )


def _check_fits(autoencoder, schema):
    """Raise a ValueError if a fitted autoencoder takes other rows."""
    name, n_features = type(autoencoder).__name__, autoencoder.n_features_in_
    if n_features != schema.n_features:
        raise ValueError(
            f"autoencoder: the {name} was fitted on {n_features} features, but X has "
            f"{schema.n_features}. Fit it on rows like X, or give it unfitted."
        )
    own = getattr(autoencoder, "feature_names_in_", None)
    if (
        own is not None
        and schema.feature_names is not None
        and not np.array_equal(own, schema.feature_names)
    ):
        raise ValueError(
            f"autoencoder: the {name} was fitted on features of other names, or in "
            f"another order, than those of X: {list(own)[:5]} and "
            f"{list(schema.feature_names)[:5]} come first."
        )


def _warn_of_pca(autoencoder):
    warn_user(
        "The fit of the autoencoder kept its initial weights, because training did "
        "not improve on them: its codes are those of PCA, and its hidden layers "
        "contribute nothing yet. Set init='random' in the autoencoder to train a head "
        "on what its hidden layers have learned."
    )


def _hold_out(estimator, strata, n, seed):
    """Return which of `n` labelled rows are the validation set."""
    try:
        _, held_out = train_test_split(
            np.arange(n),
            test_size=estimator.validation_fraction,
            random_state=seed,
            stratify=strata,
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping=True holds out validation_fraction="
            f"{estimator.validation_fraction} of the {n} rows with a target: {error}"
        ) from None
    return np.isin(np.arange(n), held_out)


def validate_targets(y: Any, *, numeric: bool) -> NDArray:
    """Return labels or numbers of shape (n_samples,) or (n_samples, n_outputs).

    Raises
    ------
    ValueError
        If `y` has another shape, or is not finite.

    Warns
    -----
    DataConversionWarning
        If it is a column of shape (n_samples, 1), of which the values are taken.
    """
    try:
        y = check_array(
            y,
            ensure_2d=False,
            dtype=np.float64 if numeric else None,
            input_name="y",
        )
    except ValueError as error:
        if "contains NaN" in str(error):
            error.add_note(
                "Leave out rows without a target, and give them as X_unlabeled."
            )
        raise
    if y.dtype == object and any(value is None for value in y.flat):
        raise ValueError(
            "y holds None. Mark rows without a label by -1, or give them as "
            "X_unlabeled."
        )
    return column_or_1d(y, warn=True) if y.ndim < 2 or y.shape[1] == 1 else y
