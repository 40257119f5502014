"""
=================================
An autoencoder with 32 components
=================================

This is the first example of most tutorials: an encoder and a decoder with one layer
each compress 64 pixels to 32 components, here in a scikit-learn pipeline.
"""

# %%
# The pipeline
# ------------
# `MinMaxScaler` scales the pixels to [0, 1], the range of a sigmoid output and of the
# binary cross-entropy. A quarter of the digits is the test set. Some units of a relu
# code may become inactive ("dead"), and more of them with a large learning rate: with
# 0.01, about a quarter of the 32, which `fit` reports in a warning.

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
        epochs=200,
        batch_size=256,
        learning_rate=0.002,
        random_state=2,
        verbose=50,
    ),
)
Z_train = pipeline.fit_transform(X_train)
print(f"code: {Z_train.shape}, {Z_train.dtype}")

# %%
# Originals and reconstructions
# -----------------------------
# Both steps have an `inverse_transform`, and so has the pipeline.

restored = pipeline.inverse_transform(pipeline.transform(X_test))
error = ((X_test - restored) ** 2).mean() / 16**2
explained = pipeline[-1].score(pipeline[0].transform(X_test))
print(f"test digits: mean squared error {error:.4f} on the [0, 1] scale,")
print(f"{explained:.1%} of the variance explained")

# %%
import matplotlib.pyplot as plt

from skautoenc.plotting import ReconstructionDisplay

display = ReconstructionDisplay.from_estimator(
    pipeline, X_test, n_rows=10, image_shape=(8, 8), cmap="gray_r"
)
display.figure_.suptitle(
    f"Ten test digits, 32 components: {explained:.0%} of the variance explained"
)
plt.show()

# %%
# A classifier on the codes is about as accurate as one on the pixels.

from sklearn.linear_model import LogisticRegression

classifier = LogisticRegression(max_iter=2000)
on_codes = classifier.fit(Z_train, y_train).score(pipeline.transform(X_test), y_test)
on_pixels = classifier.fit(X_train, y_train).score(X_test, y_test)
print(f"logistic regression on 32 codes {on_codes:.3f}, on 64 pixels {on_pixels:.3f}")
