"""Scikit-learn compatible autoencoders with the API of PCA."""

from ._comparison import compare_reducers
from ._estimators.autoencoder import AutoencoderTransformer
from ._estimators.denoising import DenoisingAutoencoder
from ._estimators.denoising_scorer import denoising_scorer
from ._estimators.encoder_classifier import EncoderClassifier
from ._estimators.encoder_regressor import EncoderRegressor
from ._estimators.imputer import AutoencoderImputer
from ._estimators.outlier_detector import AutoencoderOutlierDetector
from ._estimators.variational import VariationalAutoencoder
from ._imputer_comparison import compare_imputers
from .networks import ConvNetwork, DenseNetwork

__version__ = "0.1.0"

__all__ = [
    "AutoencoderImputer",
    "AutoencoderOutlierDetector",
    "AutoencoderTransformer",
    "ConvNetwork",
    "DenoisingAutoencoder",
    "DenseNetwork",
    "EncoderClassifier",
    "EncoderRegressor",
    "VariationalAutoencoder",
    "compare_imputers",
    "compare_reducers",
    "denoising_scorer",
]
