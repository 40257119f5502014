"""
================================
Outliers among the training rows
================================

Reconstruction errors are a popular outlier score. But a squared error of 400 in one
value weighs as much in training as 400 errors of 1, so large outliers among the
training rows are fitted first, and then score as normal. How much does the loss matter?
"""

# %%
# Two rows that do not belong
# ---------------------------
# Of the 569 rows of the breast cancer data, standardized, two are replaced by rows that
# are 20 standard deviations off in every feature. Nobody tells the models.

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
    "absolute error,\nrandom start": AutoencoderTransformer(
        loss="mean_absolute_error", init="random", early_stopping=True, **settings
    ),
}

# %%
# Errors of all rows
# ------------------
# The mean absolute error of each row, and how many rows are more abnormal than the two.

errors = {}
for name, model in models.items():
    model.fit(X)
    X_back = model.inverse_transform(model.transform(X))
    errors[name] = np.abs(X_back - X).mean(axis=1)
    ranks = [(errors[name] > errors[name][row]).sum() for row in outliers]
    shown = name.replace("\n", " ")
    print(f"{shown:30s} more abnormal than the outliers: {ranks[0]} and {ranks[1]}")

# %%
# The picture
# -----------

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
ax.set(yscale="log", ylabel="mean absolute error of a row")
ax.set_xticks(positions, models)
ax.set_title("Boxes: half of all rows; whiskers: 98 %")
ax.legend()
plt.show()

# %%
# Trained on squared errors, starting at PCA, the network reconstructs both outliers
# about as well as any other row. With the absolute error they stand out, most clearly
# where training does not start at PCA, whose components point at the outliers already.
# Better still is to train on rows without outliers, where such rows are at hand.
