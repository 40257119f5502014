"""
==================
PCA or autoencoder
==================

Both compress 64 pixels into a few numbers. PCA has straight directions only; an
autoencoder may bend them. How much is that worth on digits that neither has seen?
"""

# %%
# Held-out error over the size of the code
# ----------------------------------------
# The same split for both, and one autoencoder for all sizes of the code: early
# stopping decides how long it trains.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skautoenc import AutoencoderTransformer

X = load_digits().data / 16
X_train, X_test = train_test_split(X, test_size=0.3, random_state=0)
sizes = [1, 2, 4, 8, 16, 32]


def held_out_error(restored):
    return np.mean((X_test - restored) ** 2)


errors = {"PCA": [], "autoencoder": []}
for size in sizes:
    pca = PCA(size).fit(X_train)
    errors["PCA"].append(held_out_error(pca.inverse_transform(pca.transform(X_test))))
    autoencoder = AutoencoderTransformer(
        size,
        hidden_layer_sizes=(256, 128),
        learning_rate=0.002,
        epochs=200,
        early_stopping=True,
        n_iter_no_change=20,
        random_state=0,
    ).fit(X_train)
    errors["autoencoder"].append(held_out_error(autoencoder.reconstruct(X_test)))

# %%
# The table
# ---------

print("code   PCA      autoencoder  autoencoder / PCA")
for size, linear, curved in zip(sizes, *errors.values(), strict=True):
    print(f"{size:4d}   {linear:.5f}  {curved:.5f}      {curved / linear:.2f}")

# %%
# The picture
# -----------

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 3.8), layout="constrained")
for (name, values), marker, color in zip(
    errors.items(), "so", ("#888888", "#0b5fa5"), strict=True
):
    ax.plot(sizes, values, marker=marker, color=color, label=name)
ax.set_xscale("log", base=2)
ax.set_yscale("log")
ax.set_xticks(sizes, [str(size) for size in sizes])
ax.set(
    xlabel="numbers in the code",
    ylabel="mean squared error, held-out digits",
    title="Digits: PCA and autoencoder",
)
ax.grid(which="both", alpha=0.3)
ax.legend()
plt.show()

# %%
# Where the code is small, a curved map keeps nearly twice as much of a digit as a
# plane does. With 32 numbers the two are level: what is left are details that a
# thousand training images do not pin down. There PCA is the better choice: it is
# faster, has no settings, and its components can be read.
