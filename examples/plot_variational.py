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
# The codes on a regular grid are decoded, from two standard deviations below the mean
# to two above it, where 95 % of a component lie. Beside it, the codes of the digits.

import matplotlib.pyplot as plt

from skautoenc.plotting import CodeDisplay, ImageGridDisplay

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.3), layout="constrained")
CodeDisplay.from_estimator(vae, X, y, ax=left)
left.set(title="codes of the digits", aspect="equal", xlim=(-3, 3), ylim=(-3, 3))
digits = {"image_shape": (8, 8), "cmap": "gray_r"}
ImageGridDisplay.from_code_plane(
    vae, limits=(-2, 2), n_rows=13, n_cols=13, **digits, ax=right
)
right.set_title("codes decoded")
plt.show()

# %%
# New digits
# ----------

display = ImageGridDisplay.from_estimator(vae, random_state=0, **digits)
display.ax_.set_title("Forty digits that nobody wrote")
plt.show()

# %%
# Most of them can be read. Some stand between two digits, as does the walk where it
# leaves one for the next: the plane has no gaps, and two numbers are few. More
# components keep more of a digit, but then there is no map to look at.
