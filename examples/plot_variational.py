"""
=======================================
A walk through the digits, and new ones
=======================================

A variational autoencoder learns codes that follow a standard normal distribution. So
every place in the plane of codes stands for some digit, and new ones can be drawn.
"""

# %%
# The two parts of the loss
# -------------------------
# With the binary cross-entropy and ``beta=1``, the default, the loss is the negative
# evidence lower bound: what reconstruction costs, and what the codes tell about their
# digit beyond what a normal distribution would. Both are means per pixel, in nats.

from sklearn.datasets import load_digits

from skautoenc import AutoencoderTransformer, VariationalAutoencoder

X, y = load_digits(return_X_y=True)
X = X / 16

settings = {
    "output_activation": "sigmoid",
    "loss": "binary_crossentropy",
    "epochs": 400,
    "random_state": 0,
}
vae = VariationalAutoencoder(2, **settings).fit(X)

print("epoch   loss   reconstruction     KL")
for epoch in (1, 10, 100, 400):
    total, reconstruction, kl = (
        vae.history_[key][epoch - 1]
        for key in ("loss", "reconstruction_loss", "kl_loss")
    )
    print(f"{epoch:5d}  {total:.3f}            {reconstruction:.3f}  {kl:.3f}")

# %%
# What it costs
# -------------
# An autoencoder with the same layers need not keep its codes together. It reconstructs
# better, and its codes lie where they like.

plain = AutoencoderTransformer(2, **settings).fit(X)
print("             variance explained  standard deviation of the codes")
for name, model in {"variational": vae, "plain": plain}.items():
    deviations = model.transform(X).std(axis=0)
    print(f"{name:11s}  {model.score(X):.2f}                {deviations.round(2)}")

# %%
# A walk through the plane
# ------------------------
# The codes are decoded at quantiles of the normal distribution, from 2 % to 98 %: each
# tile stands for as many digits as any other. Beside it, the codes of the digits.

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm


def mosaic(images, n_rows):
    framed = np.pad(images.reshape(-1, 8, 8), [(0, 0), (1, 1), (1, 1)])
    tiles = framed.reshape(n_rows, -1, 10, 10).swapaxes(1, 2)
    return tiles.reshape(n_rows * 10, -1)


quantiles = norm.ppf(np.linspace(0.02, 0.98, 13))
across, down = np.meshgrid(quantiles, quantiles[::-1])
walk = vae.inverse_transform(np.column_stack([across.ravel(), down.ravel()]))

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4.3), layout="constrained")
codes = vae.transform(X)
for digit in range(10):
    left.scatter(
        *codes[y == digit].T,
        c=y[y == digit],
        marker=f"${digit}$",
        s=24,
        linewidths=0.2,
        cmap="tab10",
        vmin=-0.5,
        vmax=9.5,
    )
left.set(title="codes of the digits", aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
right.imshow(mosaic(walk, 13), cmap="gray_r", vmin=0, vmax=1)
right.set(title="codes decoded", xticks=[], yticks=[])
plt.show()

# %%
# New digits
# ----------

fresh = vae.sample(40, random_state=0)

fig, ax = plt.subplots(figsize=(8, 3.45), layout="constrained")
ax.imshow(mosaic(fresh, 4), cmap="gray_r", vmin=0, vmax=1)
ax.set(title="Forty digits that nobody wrote", xticks=[], yticks=[])
plt.show()

# %%
# Most of them can be read. Some stand between two digits, as does the walk where it
# leaves one for the next: the plane has no gaps, and two numbers are few. More
# components keep more of a digit, but then there is no map to look at.
