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
styles = {
    "PCA": {"marker": "s", "markersize": 9, "color": "#999999"},
    "autoencoder": {"marker": "o", "markersize": 5, "color": "#0b5fa5"},
}
for name, values in errors.items():
    ax.plot(sizes, values, label=name, **styles[name])
ax.set_xscale("log", base=2)
ax.set_yscale("log")
ax.set_xticks(sizes, [str(size) for size in sizes])
ticks = [0.003, 0.01, 0.03, 0.06]
ax.set_yticks(ticks, [str(tick) for tick in ticks])
ax.set_yticks([], minor=True)
ax.set(
    xlabel="size of the code (n_components)",
    ylabel="held-out mean squared error, pixels in [0, 1]",
    title="Digits: PCA and autoencoder",
)
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# Where the code is small, a curved map keeps nearly twice as much of a digit as a
# plane does. With 32 numbers the two are level: what is left are details that a
# thousand training images do not pin down. There PCA is the better choice: it is
# faster, has no settings, and its components can be read.
