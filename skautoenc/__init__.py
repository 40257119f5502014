"""Scikit-learn compatible autoencoders with the API of PCA."""

import inspect

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
from ._show_versions import show_versions
from ._utils.chunked import _Portable  # noqa: F401
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
    "show_versions",
]

# Files that estimators are stored in name their classes. The names are public ones, so
# that files can be loaded after a module was moved.
for _class in (globals()[name] for name in __all__ if name[0].isupper()):
    for _part in (_class, *filter(inspect.isroutine, vars(_class).values())):
        _part.__module__ = __name__
