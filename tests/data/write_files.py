"""Write the pickles and skops files of the current format that the tests load.

python tests/data/write_files.py

To be run once for each new format. Files of former formats stay in this folder.
"""

import pickle
import zipfile
from pathlib import Path

import numpy as np
import skops.io
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    EncoderClassifier,
    EncoderRegressor,
    VariationalAutoencoder,
)
from skautoenc._estimators.stored_state import FORMAT

FOLDER = Path(__file__).parent

# Columns of the digits that the outlier detector and the imputer are fitted on.
FEW = slice(26, 34)


def fitted_estimators(X, y):
    """Estimators by name, with what the tests compare of each."""
    settings = {"epochs": 3, "random_state": 0}
    small = {**settings, "hidden_layer_sizes": (4,)}
    image = ConvNetwork((8, 8, 1), (2,))
    return {
        "unfitted": AutoencoderTransformer(3, **small),
        "autoencoder": AutoencoderTransformer(3, **small).fit(X),
        "denoising": DenoisingAutoencoder(3, **small).fit(X),
        "variational": VariationalAutoencoder(3, **small).fit(X),
        "convolutional": AutoencoderTransformer(3, network=image, **settings).fit(X),
        "chunks": AutoencoderTransformer(3, **small).partial_fit(X[:50, FEW]),
        "pipeline": make_pipeline(
            MinMaxScaler(), AutoencoderTransformer(3, **small)
        ).fit(X[:, FEW]),
        "outliers": AutoencoderOutlierDetector(
            AutoencoderTransformer(3, **small), random_state=0
        ).fit(X[:, FEW]),
        "imputer": AutoencoderImputer(**small).fit(with_missing_values(X)),
        "classifier": EncoderClassifier(
            AutoencoderTransformer(3, init="random", **small), **settings
        ).fit(X, np.array(list("abcdefghij"))[y]),
        "regressor": EncoderRegressor(
            AutoencoderTransformer(3, init="random", **small), **settings
        ).fit(X, y),
    }


def with_missing_values(X):
    return np.where(np.arange(len(X))[:, None] % 8 == np.arange(8), np.nan, X[:, FEW])


def result(name, estimator, X):
    """What a loaded estimator computes for a few rows."""
    if name == "outliers":
        return estimator.score_samples(X[:5, FEW])
    if name == "imputer":
        return estimator.transform(with_missing_values(X)[:5])
    if name == "classifier":
        return estimator.predict_proba(X[:5])
    if name == "regressor":
        return estimator.predict(X[:5])
    if name in ("chunks", "pipeline"):
        return estimator.transform(X[:5, FEW])
    return estimator.reconstruct(X[:5])


def main():
    X, y = load_digits(return_X_y=True)
    X, y = X[:100] / 16, y[:100]
    expected = {"X": X[:5]}
    for name, estimator in fitted_estimators(X, y).items():
        path = FOLDER / f"{name}_format_{FORMAT}"
        path.with_suffix(".pickle").write_bytes(pickle.dumps(estimator, protocol=5))
        skops.io.dump(
            estimator, path.with_suffix(".skops"), compression=zipfile.ZIP_DEFLATED
        )
        if name != "unfitted":
            expected[name] = result(name, estimator, X)
    np.savez_compressed(FOLDER / f"expected_format_{FORMAT}.npz", **expected)


if __name__ == "__main__":
    main()
