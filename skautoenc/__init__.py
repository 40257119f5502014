"""Autoencoders with the manners of scikit-learn's PCA."""

from ._autoencoder import AutoencoderTransformer
from .networks import DenseNetwork

__version__ = "0.1.0"

__all__ = ["AutoencoderTransformer", "DenseNetwork"]
