"""VariationalAutoencoder."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from .._fit.data import is_squared_error
from .._fit.pca import noise_variance
from .._utils.sklearn_compat import StrOptions
from ..networks._objectives import variational
from .base import BaseAutoencoder, generator
from .parameters import Number, documented


@documented
class VariationalAutoencoder(BaseAutoencoder):
    """Autoencoder whose codes follow a standard normal distribution.

    The encoder gives a normal distribution for each row, and the decoder learns from
    codes drawn from it; the divergence of these distributions from the standard
    normal one is part of the loss. So codes lie close together, and `sample` decodes
    new rows.

    Parameters
    ----------
    <parameters>

    beta : float or "auto", default="auto"
        Weight of the divergence: 0 is an autoencoder with noise in its code; larger
        values favour posterior collapse of components that carry little. With the mean
        squared error, ``"auto"`` is twice the noise variance of probabilistic PCA with
        `n_components`, and at least 5 % of twice a feature's mean variance; with other
        losses it is 1.

    Attributes
    ----------
    <attributes>

    beta_ : float
        The weight of the divergence.

    noise_variance_ : float
        Variance of the normal noise around the reconstruction that the loss implies,
        ``beta_ / 2``. With the mean squared error only.

    See Also
    --------
    AutoencoderTransformer : Reconstructs better, and has no `sample`.

    Notes
    -----
    The loss is ``reconstruction_loss + beta_ * kl_loss``, and ``history_`` has all
    three. Both parts are means over rows and features: ``kl_loss`` is the
    Kullback-Leibler divergence in nats, divided by the number of features. With
    ``loss="binary_crossentropy"`` and ``beta=1`` the loss is the negative evidence
    lower bound per feature. With the mean squared error it is so, up to a constant and
    a factor, for normal noise of variance ``beta_ / 2``: beta=1 assumes more noise than
    data in [0, 1] have variance, and all components collapse.

    Components that have collapsed are counted in a warning after the fit.

    `transform` gives the means, which are the same at every call. The log variance is
    one linear layer beside the encoder's last one.

    References
    ----------
    D. P. Kingma, M. Welling, "Auto-Encoding Variational Bayes", ICLR (2014).

    M. E. Tipping, C. M. Bishop, "Probabilistic Principal Component Analysis", Journal
    of the Royal Statistical Society B 61 (1999), and J. Lucas et al., "Don't Blame the
    ELBO! A Linear VAE Perspective on Posterior Collapse", NeurIPS (2019), for
    ``beta="auto"``.

    I. Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained
    Variational Framework", ICLR (2017), for `beta`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skautoenc import VariationalAutoencoder
    >>> X = load_digits().data / 16
    >>> vae = VariationalAutoencoder(
    ...     output_activation="sigmoid",
    ...     loss="binary_crossentropy",
    ...     epochs=20,
    ...     random_state=0,
    ... ).fit(X)
    >>> vae.sample(5, random_state=0).shape
    (5, 64)
    >>> sorted(vae.history_)
    ['kl_loss', 'loss', 'reconstruction_loss']
    """

    _parameter_constraints: dict = {
        **BaseAutoencoder._parameter_constraints,
        "init": [StrOptions({"auto", "random"})],
        "beta": [StrOptions({"auto"}), Number(Real, 0, None, closed="left")],
    }

    # The decoder gets codes drawn around what the encoder gives: never exactly PCA.
    _codes_are_exact = False

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
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change="auto",
        callbacks=None,
        warm_start=False,
        verbose=0,
        random_state=None,
        beta="auto",
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
        self.beta = beta

    def sample(self, n_samples=1, random_state=None):
        """Decode codes drawn from the standard normal distribution.

        Parameters
        ----------
        n_samples : int, default=1

        random_state : int, RandomState instance or None, default=None

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            As `inverse_transform` gives them.
        """
        check_is_fitted(self)
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        shape = (n_samples, self._n_features_out)
        codes = generator(random_state).standard_normal(shape, dtype=np.float32)
        return self.inverse_transform(codes)

    def _objective_has_penalties(self):
        return True

    def _objective(self, encoder, decoder):
        return variational(encoder, decoder, beta=1.0)  # see _penalty_factors

    def _penalty_factors(self, rows, n_components, loss, seed):
        beta, of_squares = self.beta, is_squared_error(loss)
        if beta == "auto":
            beta = 2 * noise_variance(rows, n_components, seed) if of_squares else 1.0
        numbers = {"beta_": beta}
        if of_squares:
            numbers["noise_variance_"] = beta / 2
        return {"kl": beta}, numbers
