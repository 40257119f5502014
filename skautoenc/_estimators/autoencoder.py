"""AutoencoderTransformer."""

from numbers import Real

from .._utils.sklearn_compat import StrOptions
from ..networks._objectives import deterministic
from .base import BaseAutoencoder
from .parameters import Number, documented

# Rows that mixup="auto" mixes, at most.
_MAX_MIXED = 10_000


@documented
class AutoencoderTransformer(BaseAutoencoder):
    """Dimensionality reduction with an autoencoder.

    An encoder maps each row to a code of `n_components` numbers, and a decoder maps
    the code back; both are trained together so that what comes back is close to what
    went in. It is used like :class:`sklearn.decomposition.PCA`: in a pipeline, in a
    search, beside other reducers.

    Parameters
    ----------
    <parameters>

    contractive : float, default=0.0
        Strength of the penalty on the squared Frobenius norm of the code's Jacobian,
        the mean over rows: a contractive autoencoder. ``history_`` then has
        ``reconstruction_loss`` and ``contractive_loss`` too. A step then takes each
        row as often as the code has components.

    mixup : bool or "auto", default="auto"
        Train on points between each row and another one, drawn anew in every epoch,
        which reduces overfitting to individual samples. ``history_["loss"]``
        is then that of such points. ``"auto"`` does so where training starts at PCA,
        with at most 10000 rows.

    Attributes
    ----------
    <attributes>

    See Also
    --------
    compare_reducers : Sets it beside PCA and others.
    sklearn.decomposition.PCA : The linear autoencoder, in closed form.
    DenoisingAutoencoder : Learns to undo a corruption.
    VariationalAutoencoder : Learns codes that new rows can be drawn from.

    Notes
    -----
    A fit does not depend on the order of the rows of X: they are put into an order of
    their own before they are shuffled, unless they are many (see `fit`).

    Small dense networks are trained without TensorFlow. A fitted estimator holds NumPy
    arrays and a string: unless a parameter is a Keras object, it is pickled and loaded
    without TensorFlow, and dense networks encode without it too.

    References
    ----------
    G. E. Hinton, R. R. Salakhutdinov, "Reducing the Dimensionality of Data with
    Neural Networks", Science 313 (2006).

    S. Rifai et al., "Contractive Auto-Encoders: Explicit Invariance During Feature
    Extraction", ICML (2011), for `contractive`.

    H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR (2018), for
    `mixup`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skautoenc import AutoencoderTransformer
    >>> X = load_digits().data / 16
    >>> autoencoder = AutoencoderTransformer(n_components=8, epochs=20, random_state=0)
    >>> autoencoder.fit_transform(X).shape
    (1797, 8)
    >>> autoencoder.score(X) > 0.7
    True
    """

    _parameter_constraints: dict = {
        **BaseAutoencoder._parameter_constraints,
        "contractive": [Number(Real, 0, None, closed="left")],
        "mixup": [StrOptions({"auto"}), "boolean"],
    }

    def __init__(
        self,
        n_components=2,
        *,
        network="dense",
        hidden_layer_sizes=(128, 64),
        activation="relu",
        code_activation="linear",
        output_activation="linear",
        kernel_regularizer=None,
        activity_regularizer=None,
        tied_weights=False,
        init="auto",
        loss="mean_squared_error",
        optimizer="adam",
        learning_rate=None,
        batch_size="auto",
        epochs="auto",
        early_stopping="auto",
        validation_fraction=0.1,
        n_iter_no_change="auto",
        callbacks=None,
        warm_start=False,
        verbose=0,
        random_state=None,
        contractive=0.0,
        mixup="auto",
    ):
        super().__init__(
            n_components,
            network=network,
            hidden_layer_sizes=hidden_layer_sizes,
            activation=activation,
            code_activation=code_activation,
            output_activation=output_activation,
            kernel_regularizer=kernel_regularizer,
            activity_regularizer=activity_regularizer,
            tied_weights=tied_weights,
            init=init,
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            batch_size=batch_size,
            epochs=epochs,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            callbacks=callbacks,
            warm_start=warm_start,
            verbose=verbose,
            random_state=random_state,
        )
        self.contractive = contractive
        self.mixup = mixup

    def _mixes_rows(self, refines_pca, n_rows):
        if self.mixup == "auto":
            return refines_pca and n_rows <= _MAX_MIXED
        return self.mixup

    def _objective_has_penalties(self):
        return self.contractive > 0

    def _objective(self, encoder, decoder):
        return deterministic(encoder, decoder, self.contractive)
