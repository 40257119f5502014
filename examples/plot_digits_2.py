"""
========================
Digits in two dimensions
========================

Codes with 2 components can be plotted. This example trains a sigmoid network with such
a code, saves it to a file, and uses it in another process.
"""

# %%
# The network 64-32-2-32-64
# -------------------------
# All layers have the sigmoid activation, so the codes are in the unit square.
# ``hidden_layer_sizes`` are those of the encoder; the decoder has them in reverse
# order. Mean squared error, Adam and Glorot uniform initialization are the defaults.

from sklearn.datasets import load_digits

from skautoenc import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X = X / 16

autoencoder = AutoencoderTransformer(
    n_components=2,
    hidden_layer_sizes=(32,),
    activation="sigmoid",
    code_activation="sigmoid",
    output_activation="sigmoid",
    epochs=500,
    batch_size=8,
    random_state=0,
    verbose=100,
)
codes = autoencoder.fit_transform(X)

# %%
# Saving and loading
# ------------------
# The fitted estimator consists of NumPy arrays. It can be pickled, and the process that
# loads it encodes without TensorFlow.

import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PROGRAM = """
import pickle, sys
import numpy as np
with open("autoencoder.pickle", "rb") as file:
    autoencoder = pickle.load(file)
np.save("codes.npy", autoencoder.transform(np.load("digits.npy")))
print("encoded in another process; TensorFlow loaded:", "tensorflow" in sys.modules)
"""

with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    (folder / "autoencoder.pickle").write_bytes(pickle.dumps(autoencoder))
    np.save(folder / "digits.npy", X)
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    print(process.stdout, end="")
    print(
        "codes are bitwise equal:", np.array_equal(np.load(folder / "codes.npy"), codes)
    )

# %%
# Encoder and decoder are also available as Keras models, for programs that do not use
# this package.

import keras

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "encoder.keras"
    autoencoder.encoder_.save(path)
    encoder = keras.saving.load_model(path)
difference = np.abs(encoder.predict(X, verbose=0) - codes).max()
print(f"codes of the Keras model differ by at most {difference:.0e}")

# %%
# Comparison with PCA
# -------------------
# `score` is the fraction of variance explained. The accuracy of a classifier with the
# five nearest neighbours measures how well the codes separate the digits. Neither
# method uses the labels.

from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

pca = PCA(2).fit(X)
projections = {"PCA": pca.transform(X), "autoencoder": codes}
scores = {
    "PCA": pca.explained_variance_ratio_.sum(),
    "autoencoder": autoencoder.score(X),
}
print("             variance explained   accuracy")
for name, points in projections.items():
    accuracy = cross_val_score(KNeighborsClassifier(), points, y).mean()
    print(f"{name:11s}  {scores[name]:.2f}                 {accuracy:.2f}")

# %%
import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (name, points) in zip(axes, projections.items(), strict=True):
    for digit in range(10):
        dots = ax.scatter(
            *points[y == digit].T,
            c=y[y == digit],
            marker=f"${digit}$",
            s=24,
            linewidths=0.2,
            cmap="tab10",
            vmin=-0.5,
            vmax=9.5,
        )
    ax.set(title=f"{name}: {scores[name]:.0%} of the variance", xticks=[], yticks=[])
fig.colorbar(dots, ax=axes, ticks=range(10), label="digit")
plt.show()

# %%
# The nonlinear code explains nearly twice as much variance as PCA, and separates the
# digits better. Both are evaluated on the training data. Distances between codes are
# not meaningful: sigmoid codes concentrate at the edges, and the ones are split into
# two clusters.
