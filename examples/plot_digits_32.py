"""
===============================
Digits through a code of 32
===============================

The recipe that most tutorials start with: 64 pixels to 32 numbers and back, with one
layer each way, in a scikit-learn pipeline.
"""

# %%
# The pipeline
# ------------
# `MinMaxScaler` brings the pixels to [0, 1], where a sigmoid output and the binary
# cross-entropy are at home. A quarter of the digits is kept away from training. Units
# of a relu code may die, and a large learning rate kills more of them: with 0.01 it is
# a quarter of the 32, which a warning counts.

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
# The two steps invert each other, so the pipeline has an `inverse_transform` too.

restored = pipeline.inverse_transform(pipeline.transform(X_test))
error = ((X_test - restored) ** 2).mean() / 16**2
explained = pipeline[-1].score(pipeline[0].transform(X_test))
print(f"held-out digits: mean squared error {error:.4f} on the [0, 1] scale,")
print(f"{explained:.1%} of the variance explained by half as many numbers")

# %%
import matplotlib.pyplot as plt

from skautoenc.plotting import ReconstructionDisplay

display = ReconstructionDisplay.from_estimator(
    pipeline, X_test, n_rows=10, image_shape=(8, 8), cmap="gray_r"
)
display.figure_.suptitle(
    f"Ten held-out digits through 32 numbers: {explained:.0%} of the variance"
)
plt.show()

# %%
# The codes serve a classifier as well as the pixels do.

from sklearn.linear_model import LogisticRegression

classifier = LogisticRegression(max_iter=2000)
on_codes = classifier.fit(Z_train, y_train).score(pipeline.transform(X_test), y_test)
on_pixels = classifier.fit(X_train, y_train).score(X_test, y_test)
print(f"logistic regression on 32 codes {on_codes:.3f}, on 64 pixels {on_pixels:.3f}")
