"""
=============================
How do I fill missing values?
=============================

An imputer predicts missing values from the observed ones of the same row.
:class:`~skautoenc.AutoencoderImputer` blends the conditional mean of a normal
distribution with the mean of two networks. Of pixels that are missing at random places
or in whole blocks, its error is lower than those of scikit-learn's imputers. On a table
whose columns depend on each other linearly, the normal distribution alone is as good.
"""

# %%
# Digits without some of their pixels
# -----------------------------------
# Half of the pixels are removed at random from the first half of the test digits, and
# four rows of pixels from the others. The training digits have holes of both kinds.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderImputer

X, y = load_digits(return_X_y=True)
X = X / 16
rng = np.random.default_rng(0)
is_missing = rng.random(X.shape) < 0.5
in_block = np.zeros((len(X), 8, 8), bool)
for image, top in zip(in_block, rng.integers(5, size=len(X)), strict=True):
    image[top : top + 4] = True
has_block = rng.random(len(X)) < 0.5
is_missing[has_block] = in_block.reshape(X.shape)[has_block]
X_missing = np.where(is_missing, np.nan, X)
train, test = np.arange(len(X)) >= 400, np.arange(len(X)) < 400

# %%
# Three imputers
# --------------
# They are fitted to the training digits, and fill the test digits. More epochs, as by
# default, lower the error of the networks further.

imputers = {
    "nearest rows": KNNImputer(n_neighbors=10, weights="distance"),
    "regressions": IterativeImputer(
        max_iter=5, tol=0.1, min_value=0, max_value=1, random_state=0
    ),
    "AutoencoderImputer": AutoencoderImputer(epochs=60, random_state=0),
}
filled = {}
for name, imputer in imputers.items():
    filled[name] = imputer.fit(X_missing[train]).transform(X_missing[test])
    errors = (filled[name] - X[test])[is_missing[test]]
    print(f"{name:18s} root mean squared error {np.sqrt(np.mean(errors**2)):.4f}")

print(f"share of the networks: {imputers['AutoencoderImputer'].network_weight_:.2f}")

# %%
# Filled digits
# -------------
# Missing pixels are blue in the second row.

import matplotlib.pyplot as plt

shown = np.r_[np.flatnonzero(has_block[test])[:5], np.flatnonzero(~has_block[test])[:5]]
rows = {"complete": X[test], "missing": X_missing[test], **filled}
figure, axes = plt.subplots(len(rows), 10, figsize=(8, 4.2))
colors = plt.get_cmap("gray_r").with_extremes(bad="tab:blue")
for (name, digits), line in zip(rows.items(), axes, strict=True):
    for ax, digit in zip(line, digits[shown], strict=True):
        ax.imshow(digit.reshape(8, 8), cmap=colors, vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.suptitle("Ten test digits: four rows of pixels removed, or half of the pixels")
figure.tight_layout()
plt.show()

# %%
# Comparison by cross-validation
# ------------------------------
# The missing values of a table are usually not known.
# :func:`~skautoenc.compare_imputers` hides known ones and measures how each imputer
# fills them in, here in blocks of the breast cancer data.

from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

from skautoenc.plotting import ImputerComparisonDisplay

display = ImputerComparisonDisplay.from_estimator(
    {
        "nearest rows": KNNImputer(n_neighbors=10, weights="distance"),
        "normal distribution": AutoencoderImputer(
            hidden_layer_sizes=(), random_state=0
        ),
        "AutoencoderImputer": AutoencoderImputer(epochs=30, random_state=0),
    },
    scale(load_breast_cancer().data),
    mechanism="blocks",
    cv=2,
    random_state=0,
)
display.ax_.set_title("Breast cancer data without blocks of values")
plt.show()

# %%
# A step of a pipeline
# --------------------
# The imputer comes before steps that do not take missing values. With
# ``sample_posterior=True`` it draws values instead, so that several calls of
# `transform` show how uncertain a result is. ``hidden_layer_sizes=()`` is the normal
# distribution alone, which is fitted in a fraction of a second.

pipeline = make_pipeline(
    AutoencoderImputer(hidden_layer_sizes=(), random_state=0),
    StandardScaler(),
    LogisticRegression(max_iter=2000),
)
scores = cross_val_score(pipeline, X_missing, y, cv=3)
print(f"accuracy with half of the pixels: {scores.mean():.3f}")
