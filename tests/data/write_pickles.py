"""Write the pickles of the current format that the tests load.

python tests/data/write_pickles.py

To be run once for each new format. Pickles of former formats stay in this folder.
"""

import pickle
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from skautoenc import (
    AutoencoderTransformer,
    ConvNetwork,
    DenoisingAutoencoder,
    VariationalAutoencoder,
)
from skautoenc._estimators.reducer import FORMAT

FOLDER = Path(__file__).parent


def main():
    X = load_digits().data[:100] / 16
    settings = {"epochs": 3, "random_state": 0}
    small = {**settings, "hidden_layer_sizes": (4,)}
    estimators = {
        "unfitted": AutoencoderTransformer(3, **small),
        "autoencoder": AutoencoderTransformer(3, **small).fit(X),
        "denoising": DenoisingAutoencoder(3, **small).fit(X),
        "variational": VariationalAutoencoder(3, **small).fit(X),
        "convolutional": AutoencoderTransformer(
            3, network=ConvNetwork((8, 8, 1), (2,)), **settings
        ).fit(X),
    }
    expected = {"X": X[:5]}
    for name, estimator in estimators.items():
        path = FOLDER / f"{name}_format_{FORMAT}.pickle"
        path.write_bytes(pickle.dumps(estimator, protocol=5))
        if name != "unfitted":
            expected[name] = estimator.reconstruct(X[:5])
    np.savez_compressed(FOLDER / f"expected_format_{FORMAT}.npz", **expected)


if __name__ == "__main__":
    main()
