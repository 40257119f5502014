"""
======================================================
Is the autoencoder of the tutorials better than PCA?
======================================================

Most tutorials begin with 64-32-64: one layer compresses 64 pixels to 32 numbers, and
another one restores them. It is one estimator, and a hundred epochs take a fraction of
a second. Its error is about three times that of PCA with 32 components. With default
parameters, where training starts from PCA, the error is lower than that of PCA.
"""

# %%
# The network 64-32-64
# --------------------
# A relu code, a sigmoid output, the binary cross-entropy, Adam, batches of 256 rows:
# `MinMaxScaler` scales the pixels to [0, 1], the range of the output and of the loss.
# Only the learning rate is higher than in the tutorials, as there are few rows. A
# quarter of the digits is the test set.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skautoenc import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, stratify=y, test_size=0.25, random_state=0
)

pipeline = make_pipeline(
    MinMaxScaler(clip=True),
    AutoencoderTransformer(
        n_components=32,
        hidden_layer_sizes=(),
        code_activation="relu",
        output_activation="sigmoid",
        loss="binary_crossentropy",
        epochs=100,
        batch_size=256,
        learning_rate=0.002,
        random_state=0,
        verbose=20,
    ),
)
Z_train = pipeline.fit_transform(X_train)
print(f"codes: {Z_train.shape}, {Z_train.dtype}")

# %%
# Comparison with PCA
# -------------------
# All three have the same number of components. Errors are those of test digits, on the
# scale from 0 to 1. Each pipeline has an `inverse_transform`, as its steps have one.

from sklearn.decomposition import PCA

pipelines = {
    "64-32-64": pipeline,
    "PCA": make_pipeline(MinMaxScaler(clip=True), PCA(32)).fit(X_train),
    "default": make_pipeline(
        MinMaxScaler(clip=True), AutoencoderTransformer(32, random_state=0)
    ).fit(X_train),
}
restored = {
    name: fitted.inverse_transform(fitted.transform(X_test))
    for name, fitted in pipelines.items()
}
for name, images in restored.items():
    error = ((X_test - images) ** 2).mean() / 16**2
    print(f"{name:9s} mean squared error {error:.4f}")

# %%
# Ten test digits and their reconstructions:

import matplotlib.pyplot as plt
import numpy as np

from skautoenc.plotting import ImageGridDisplay

rows = {"original": X_test, **restored}
display = ImageGridDisplay.from_images(
    np.concatenate([images[:10] for images in rows.values()]),
    image_shape=(8, 8),
    row_names=list(rows),
    cmap="gray_r",
    image_kwargs={"vmin": 0, "vmax": 16},
)
display.ax_.set_title("Test digits, restored from 32 numbers")
plt.show()

# %%
# The small network starts from random weights, and its relu code is never negative:
# with few steps it does not even become as good as the linear map that PCA computes.
# The default network has hidden layers beside such a linear map, and learns what is not
# linear.

# %%
# What else are codes good for?
# -----------------------------
# A classifier on half as many numbers is about as accurate as one on the pixels.

from sklearn.linear_model import LogisticRegression

classifier = LogisticRegression(max_iter=2000)
on_pixels = classifier.fit(X_train, y_train).score(X_test, y_test)
print(f"logistic regression on 64 pixels {on_pixels:.3f}")
for name, fitted in pipelines.items():
    classifier.fit(fitted.transform(X_train), y_train)
    accuracy = classifier.score(fitted.transform(X_test), y_test)
    print(f"on 32 numbers of {name:9s}       {accuracy:.3f}")
