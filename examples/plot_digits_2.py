"""
=========================================================
How do I draw data in two dimensions, and save the model?
=========================================================

An autoencoder with 2 components gives each digit a place in the plane. A sigmoid
network explains nearly twice as much variance as PCA does with 2 components, and
separates the digits better. It is saved, used by two other programs, with and without
this package, and what these return is drawn.
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
# skops stores the fitted estimator as data, without code. The program that loads the
# file names the classes that it trusts, and encodes without TensorFlow. See
# :doc:`Saving and loading </saving>` for other kinds of files.

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import skops.io

WITH_SKAUTOENC = """
import sys
import numpy as np
import skops.io
from skautoenc import AutoencoderTransformer

autoencoder = skops.io.load("digits.skops", trusted=[AutoencoderTransformer])
np.save("codes.npy", autoencoder.transform(np.load("digits.npy")))
print("encoded in another process; TensorFlow loaded:", "tensorflow" in sys.modules)
"""


def run(program, folder):
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    )
    print(done.stdout, end="")


with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "digits.skops"
    skops.io.dump(autoencoder, file)
    print("to be trusted:", ", ".join(skops.io.get_untrusted_types(file=file)))
    np.save(file.with_name("digits.npy"), X)
    run(WITH_SKAUTOENC, folder)
    loaded_codes = np.load(file.with_name("codes.npy"))
print("codes are bitwise equal:", np.array_equal(loaded_codes, codes))

# %%
# Programs without this package
# -----------------------------
# Encoder, decoder and autoencoder are also available as Keras models, and are saved in
# the format of Keras. The second program uses Keras only. It decodes a grid of codes.

WITH_KERAS = """
import sys
import keras
import numpy as np

decoder = keras.saving.load_model("decoder.keras")
np.save("images.npy", decoder.predict(np.load("grid.npy"), verbose=0))
print("decoded in a third process; skautoenc loaded:", "skautoenc" in sys.modules)
"""

position = np.linspace(0.05, 0.95, 10)
grid = np.stack(np.meshgrid(position, position[::-1]), axis=-1).reshape(-1, 2)

with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    autoencoder.decoder_.save(folder / "decoder.keras")
    np.save(folder / "grid.npy", grid)
    run(WITH_KERAS, folder)
    images = np.load(folder / "images.npy")
difference = np.abs(images - autoencoder.inverse_transform(grid)).max()
print(f"images of the Keras model differ by at most {difference:.0e}")

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
projections = {"PCA": pca.transform(X), "autoencoder": loaded_codes}
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

fig, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
for ax, (name, points) in zip(axes, projections.items(), strict=False):
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
fig.colorbar(dots, ax=axes[1], ticks=range(10), label="digit")
padded = np.pad(images.reshape(10, 10, 8, 8), [(0, 0), (0, 0), (2, 2), (2, 2)])
rows = padded.transpose(0, 2, 1, 3).reshape(120, 120)
axes[2].imshow(rows, cmap="gray_r", vmin=0, vmax=1)
axes[2].set(title="codes in this plane, decoded by Keras", xticks=[], yticks=[])
plt.show()

# %%
# Both are evaluated on the training data. Distances between codes are not meaningful:
# sigmoid codes concentrate at the edges. The images on the right are at the places of
# their codes in the middle figure.
