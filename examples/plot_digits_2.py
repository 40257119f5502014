"""
===============
Digits on a map
===============

A code of 2 numbers is a map. Here a sigmoid network squeezes the digits through it, is
saved to a file, and does its work in another program.
"""

# %%
# The network 64-32-2-32-64
# -------------------------
# All layers are sigmoid, so the map is the unit square. ``hidden_layer_sizes`` are the
# encoder's, and the decoder mirrors them; mean squared error, Adam and Glorot's uniform
# initial weights are what is there anyway.

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
# Saved here, used there
# ----------------------
# The fitted estimator is plain NumPy. It goes into a pickle, and the program that loads
# it encodes without TensorFlow.

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
print("another program has the codes; TensorFlow loaded:", "tensorflow" in sys.modules)
"""

with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    (folder / "autoencoder.pickle").write_bytes(pickle.dumps(autoencoder))
    np.save(folder / "digits.npy", X)
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    print(there.stdout, end="")
    print("the same bits:", np.array_equal(np.load(folder / "codes.npy"), codes))

# %%
# The two halves are Keras models too, for programs that know nothing of this package.

import keras

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "encoder.keras"
    autoencoder.encoder_.save(path)
    encoder = keras.saving.load_model(path)
difference = np.abs(encoder.predict(X, verbose=0) - codes).max()
print(f"Keras's own encoder differs by {difference:.0e} at most")

# %%
# Beside PCA's map
# ----------------
# `score` is the share of variance explained, and a classifier that asks the five
# nearest neighbours tells how well a map keeps the digits apart. No map was shown the
# labels.

from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

pca = PCA(2).fit(X)
maps = {"PCA": pca.transform(X), "autoencoder": codes}
scores = {
    "PCA": pca.explained_variance_ratio_.sum(),
    "autoencoder": autoencoder.score(X),
}
print("             variance explained   right neighbours")
for name, points in maps.items():
    right = cross_val_score(KNeighborsClassifier(), points, y).mean()
    print(f"{name:11s}  {scores[name]:.2f}                 {right:.2f}")

# %%
import matplotlib.pyplot as plt

fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (name, points) in zip(axes, maps.items(), strict=True):
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
# A bent map shows nearly twice as much of the digits as a flat one, and keeps their
# neighbours together. It is measured on the rows that it was made from, as maps are.
# And it is no map of distances: a sigmoid code crowds at the edges, and cuts the ones
# in two.
