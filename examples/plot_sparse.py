"""
===============================
What is a sparse code good for?
===============================

With an L1 penalty on the code, few of its units are active for each digit. Each unit
then represents a part of a digit, which can be plotted; without the penalty single
units cannot be interpreted. The price is a larger reconstruction error.
"""

# %%
# Penalties of different strength
# -------------------------------
# With 64 units for 64 pixels the network could learn the identity without a penalty.
# With ``tied_weights=True`` the decoder uses the encoder's kernel. Without tied weights
# a network can reduce the penalty by scaling: small codes, and large decoder weights.

import warnings

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skautoenc import AutoencoderTransformer

X = load_digits().data / 16
X_train, X_test = train_test_split(X, test_size=0.3, random_state=0)

# With the strongest penalty many units are inactive on all training digits. This is
# intended here.
warnings.filterwarnings("ignore", ".*components of the code do not vary")

fitted = {}
for tied in (False, True):
    for strength in (0.0, 0.003, 0.01):
        fitted[tied, strength] = AutoencoderTransformer(
            64,
            hidden_layer_sizes=(),
            code_activation="relu",
            activity_regularizer=keras.regularizers.L1(strength),
            tied_weights=tied,
            epochs=80,
            random_state=0,
        ).fit(X_train)

# %%
# Activity and error
# ------------------
# All values are those of test digits. A unit is active if its value is above 0.

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
# Images of the units
# -------------------
# The decoder has one layer, so the contribution of a unit is an image times its value.
# It is the difference of the decoded unit vector and the decoded zero vector.

import matplotlib.pyplot as plt

from skautoenc.plotting import ImageGridDisplay

fig, axes = plt.subplots(1, 3, figsize=(10, 3.9), layout="constrained")
fig.get_layout_engine().set(wspace=0.1)
for ax, strength in zip(axes, (0.0, 0.003, 0.01), strict=True):
    autoencoder = fitted[True, strength]
    zero = autoencoder.inverse_transform(np.zeros((1, 64)))
    images = autoencoder.inverse_transform(np.eye(64)) - zero
    images /= abs(images).max(axis=1, keepdims=True)
    most_active = autoencoder.transform(X_test).mean(axis=0).argsort()[::-1][:25]
    ImageGridDisplay.from_images(
        images[most_active],
        n_cols=5,
        image_shape=(8, 8),
        cmap="RdBu_r",
        image_kwargs={"vmin": -1, "vmax": 1},
        ax=ax,
    )
    ax.set_title(f"strength {strength}" if strength else "no penalty")
fig.suptitle(
    "Contributions of the 25 most active units: red is positive, blue negative"
)
plt.show()

# %%
# Without a penalty nearly all units are active for every digit, and single units cannot
# be interpreted. With a penalty a unit represents a stroke, and with the largest
# strength often most of a digit. The error increases with the strength, and some units
# become inactive. The units that are not shown are less active.
