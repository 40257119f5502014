"""
=========================
How do I draw new digits?
=========================

A variational autoencoder learns codes that follow a standard normal distribution, so
that random codes decode to new digits. Its reconstruction is worse than that of an
autoencoder with the same layers, whose codes have any distribution.
"""

# %%
# The two parts of the loss
# -------------------------
# With the binary cross-entropy, ``beta="auto"`` is 1 and the loss is the negative
# evidence lower bound: the sum of the reconstruction loss and the KL divergence of the
# codes from the standard normal distribution. Both are means per pixel, in nats.

from sklearn.datasets import load_digits

from skautoenc import AutoencoderTransformer, VariationalAutoencoder

X, y = load_digits(return_X_y=True)
X = X / 16

settings = {
    "output_activation": "sigmoid",
    "loss": "binary_crossentropy",
    "epochs": 100,
    "random_state": 0,
}
vae = VariationalAutoencoder(2, **settings).fit(X)

print("epoch   loss   reconstruction     KL")
for epoch in (1, 10, 50, 100):
    total, reconstruction, kl = (
        vae.history_[key][epoch - 1]
        for key in ("loss", "reconstruction_loss", "kl_loss")
    )
    print(f"{epoch:5d}  {total:.3f}            {reconstruction:.3f}  {kl:.3f}")

# %%
# Comparison with an autoencoder
# ------------------------------
# The codes of an autoencoder with the same layers are not regularized. Its
# reconstruction is better, and the distribution of its codes is arbitrary.

plain = AutoencoderTransformer(2, **settings).fit(X)
print("             variance explained  standard deviation of the codes")
for name, model in {"variational": vae, "plain": plain}.items():
    deviations = model.transform(X).std(axis=0)
    print(f"{name:11s}  {model.score(X):.2f}                {deviations.round(2)}")

# %%
# Decoded points of the code plane
# --------------------------------
# Codes on a regular grid are decoded, within two standard deviations of the mean, a
# range that contains 95 % of a normal distribution. The codes of the digits are also
# shown.

import matplotlib.pyplot as plt

from skautoenc.plotting import CodeDisplay, ImageGridDisplay

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.3), layout="constrained")
CodeDisplay.from_estimator(vae, X, y, ax=left)
left.set(title="Codes of the digits", aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
digits = {"image_shape": (8, 8), "cmap": "gray_r"}
ImageGridDisplay.from_code_plane(
    vae, limits=(-2, 2), n_rows=13, n_cols=13, **digits, ax=right
)
right.set_title("Decoded codes")
plt.show()

# %%
# New digits
# ----------

display = ImageGridDisplay.from_estimator(vae, random_state=0, **digits)
display.ax_.set_title("Sampled digits")
plt.show()

# %%
# Most of the samples can be recognized. Some are between two digits, as are points of
# the grid at the boundaries between digits, because the code space is continuous and
# has only two components.

# %%
# More components
# ---------------
# More components improve the reconstruction, but cannot be plotted in a plane. With
# default parameters (a linear output and the mean squared error) training starts from
# probabilistic PCA, and no component collapses: the codes of each one vary.

wide = VariationalAutoencoder(8, epochs=50, random_state=0).fit(X)
print(f"variance explained: {wide.score(X):.2f}")
print("standard deviation of the codes:", wide.transform(X).std(axis=0).round(2))
display = ImageGridDisplay.from_estimator(
    wide, random_state=0, **digits, image_kwargs={"vmin": 0, "vmax": 1}
)
display.ax_.set_title("Digits sampled with 8 components")
plt.show()
