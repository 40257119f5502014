"""
============
Sparse codes
============

A penalty on the code lets few of its units answer at a time. Each then stands for a
piece of a digit, which can be looked at.
"""

# %%
# No penalty, and three
# ---------------------
# 64 units for 64 pixels: enough to copy, were it not for the penalty. With
# ``tied_weights=True`` the decoder uses the encoder's kernel. Without it a network
# can evade the penalty: small codes, and a decoder that makes them large again.

import warnings

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skautoenc import AutoencoderTransformer

X = load_digits().data / 16
X_train, X_test = train_test_split(X, test_size=0.3, random_state=0)

# With the strongest penalty many units are not active on any of the training digits.
# That is what it is there for, and needs no warning.
warnings.filterwarnings("ignore", ".*components of the code do not vary")

fitted = {}
for tied in (False, True):
    for strength in (0.0, 0.001, 0.003, 0.01):
        fitted[tied, strength] = AutoencoderTransformer(
            64,
            hidden_layer_sizes=(),
            code_activation="relu",
            activity_regularizer=keras.regularizers.L1(strength),
            tied_weights=tied,
            epochs=100,
            random_state=0,
        ).fit(X_train)

# %%
# The table
# ---------
# All on digits that were held out. A unit is active where it is above 0.

print("tied   strength  active units per digit  never active  mean code  error")
for (tied, strength), autoencoder in fitted.items():
    codes = autoencoder.transform(X_test)
    active = codes > 0
    print(
        f"{tied!s:5s}  {strength:.3f}     {active.sum(axis=1).mean():4.1f}"
        f"                    {(~active.any(axis=0)).sum():2d}"
        f"            {codes.mean():.3f}"
        f"      {autoencoder.reconstruction_error(X_test).mean():.5f}"
    )

# %%
# What a unit draws
# -----------------
# The decoder has one layer, so a unit adds the same image wherever it is active: what
# it decodes to, less what zeros decode to.

import matplotlib.pyplot as plt

from skautoenc.plotting import ImageGridDisplay

fig, axes = plt.subplots(1, 3, figsize=(9, 3.4), layout="constrained")
for ax, strength in zip(axes, (0.0, 0.003, 0.01), strict=True):
    autoencoder = fitted[True, strength]
    blank = autoencoder.inverse_transform(np.zeros((1, 64)))
    drawn = autoencoder.inverse_transform(np.eye(64)) - blank
    drawn /= abs(drawn).max(axis=1, keepdims=True)
    ImageGridDisplay.from_images(
        drawn,
        n_cols=8,
        image_shape=(8, 8),
        cmap="gray_r",
        image_kwargs={"vmin": -1, "vmax": 1},
        ax=ax,
    )
    ax.set_title(f"strength {strength}" if strength else "no penalty")
fig.suptitle("What each of 64 units draws: black adds ink, white takes it away")
plt.show()

# %%
# Without a penalty nearly all units answer to every digit, and none means anything by
# itself. With one, a unit draws a stroke, and at the highest strength often most of a
# digit. It has its price: the error grows with the strength, and some units are lost.
# Those that still draw noise answer to hardly any digit.
