"""
========================================
What if the training data have outliers?
========================================

With the squared error, an error of 20 in one value counts as much as 400 errors of 1.
Large outliers in the training data therefore dominate the fit, and are then
reconstructed well, so that the reconstruction error does not find them. The absolute
error helps, most of all with random initial weights.
"""

# %%
# Data with two outliers
# ----------------------
# Two of the 569 rows of the standardized breast cancer data are replaced by rows that
# deviate by 20 standard deviations in every feature.

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderTransformer

X = StandardScaler().fit_transform(load_breast_cancer().data)
outliers = [100, 400]
X[outliers] = 20 * np.random.default_rng(1).choice([-1, 1], size=(2, X.shape[1]))

settings = {"n_components": 8, "random_state": 0}
models = {
    "PCA": PCA(8),
    "squared error": AutoencoderTransformer(**settings),
    "absolute error": AutoencoderTransformer(loss="mean_absolute_error", **settings),
    "absolute error,\nrandom init": AutoencoderTransformer(
        loss="mean_absolute_error", init="random", early_stopping=True, **settings
    ),
}

# %%
# Reconstruction errors
# ---------------------
# We compute the mean absolute error of each row, and count the rows with a larger error
# than each outlier.

errors = {}
for name, model in models.items():
    model.fit(X)
    X_back = model.inverse_transform(model.transform(X))
    errors[name] = np.abs(X_back - X).mean(axis=1)
    ranks = [(errors[name] > errors[name][row]).sum() for row in outliers]
    shown = name.replace("\n", " ")
    print(f"{shown:30s} rows with a larger error: {ranks[0]} and {ranks[1]}")

# %%
# Distributions of the errors
# ---------------------------

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
positions = range(len(models))
ax.boxplot(
    list(errors.values()),
    positions=positions,
    whis=(1, 99),
    showfliers=False,
    medianprops={"color": "black"},
)
for row, marker in zip(outliers, "os", strict=True):
    ax.plot(
        positions,
        [error[row] for error in errors.values()],
        marker,
        color="#D55E00",
        label=f"outlier, row {row}",
    )
ax.set(yscale="log", ylabel="mean absolute error per row")
ax.set_xticks(positions, models)
ax.set_title("Boxes: 50 % of the rows; whiskers: 98 %")
ax.legend()
plt.show()

# %%
# With the squared error and the initialization from PCA, both outliers are
# reconstructed better than most other rows. With the absolute error their errors are
# larger, most clearly with random initialization, because the principal components
# already represent the outliers. If possible, train on data without outliers.
