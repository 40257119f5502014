"""The public API as typed code uses it. It is checked by mypy, and not run."""

from typing import Any, Literal, assert_type

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from skautoenc import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    DenseNetwork,
    VariationalAutoencoder,
    compare_reducers,
    denoising_scorer,
    noise,
)


def use_autoencoder(X: NDArray[np.float32], weight: list[float]) -> None:
    autoencoder = AutoencoderTransformer(
        8,
        hidden_layer_sizes=[64, 32],
        activation=np.tanh,
        kernel_regularizer={"l1": 1e-5, "l2": 1e-4},
        init="pca",
        learning_rate=0.01,
        early_stopping="auto",
        random_state=np.random.RandomState(0),
        mixup=False,
    )
    fitted = autoencoder.fit(X, sample_weight=weight, X_val=X[:10])
    assert_type(fitted, AutoencoderTransformer)
    codes = fitted.transform(X)
    assert_type(codes, NDArray[np.floating])
    assert_type(fitted.inverse_transform(codes), NDArray[np.floating])
    assert_type(fitted.reconstruct([[0.0, 1.0]]), NDArray[np.floating])
    errors = fitted.reconstruction_error(X, metric="mean_absolute_error")
    assert_type(errors, NDArray[np.float64])
    assert_type(fitted.score(X), float)
    assert_type(autoencoder.epochs, int | Literal["auto"])
    assert_type(fitted.components_.shape, Any)
    AutoencoderTransformer(n_components=0.95).fit(X)


def use_other_estimators(X: NDArray[np.float64]) -> None:
    denoiser = DenoisingAutoencoder(noise="masking", clip=(0, 1), output="code")
    assert_type(denoiser.fit(X, X_clean=X, X_val=(X, X)), DenoisingAutoencoder)
    denoiser = DenoisingAutoencoder(noise=lambda X, rng: X + rng.normal(size=X.shape))
    assert_type(denoising_scorer("gaussian", 0.1)(denoiser, X), float)
    sampler = VariationalAutoencoder(network=DenseNetwork((8,)), beta=0.1).fit(X)
    assert_type(sampler.sample(5, random_state=0), NDArray[np.floating])
    AutoencoderTransformer(network=ConvNetwork((8, 8)), n_components=None).fit(X)
    detector = AutoencoderOutlierDetector(PCA(2), contamination=0.1, random_state=0)
    assert_type(detector.fit(X), AutoencoderOutlierDetector)
    assert_type(detector.score_samples(X), NDArray[np.float64])
    assert_type(detector.predict(X), NDArray[np.int64])
    assert_type(detector.feature_contributions(X), NDArray[np.float64])


def use_functions(X: NDArray[np.float32]) -> None:
    result = compare_reducers({"PCA": PCA(2), "own": AutoencoderTransformer()}, X)
    assert_type(result, dict[str, NDArray[Any]])
    noisy = noise.gaussian(X, 0.1, np.random.default_rng(0))
    assert_type(noisy, NDArray[np.float32])


def give_invalid_values(X: NDArray[np.float32]) -> None:
    AutoencoderTransformer(init="zeros")  # type: ignore[arg-type]
    AutoencoderTransformer(epochs="many")  # type: ignore[arg-type]
    DenoisingAutoencoder(noise="speckle")  # type: ignore[arg-type]
    AutoencoderOutlierDetector(contamination="low")  # type: ignore[arg-type]
    VariationalAutoencoder(beta="small")  # type: ignore[arg-type]
    VariationalAutoencoder(n_components="two")  # type: ignore[arg-type]
    AutoencoderTransformer().reconstruction_error(X, metric="mse")  # type: ignore[arg-type]
