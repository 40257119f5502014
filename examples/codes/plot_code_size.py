"""
=================================
Choosing the number of components
=================================

The best number of components depends on the purpose of the code: the reconstruction
error decreases with every component, but the accuracy of a classifier on the codes does
not increase beyond some number of components.
"""

# %%
# Error and accuracy
# ------------------
# We compute the held-out reconstruction error, and the held-out accuracy of a logistic
# regression on the codes, for PCA and the autoencoder with several numbers of
# components. All use the same splits.

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skautoenc import AutoencoderTransformer, compare_reducers

X, y = load_digits(return_X_y=True)
X = X / 16
sizes = [2, 4, 8, 16, 32]
results = [
    compare_reducers(
        {"PCA": PCA(size), "autoencoder": AutoencoderTransformer(size, random_state=0)},
        X,
        y,
        cv=3,
    )
    for size in sizes
]

print("code   error: PCA, autoencoder     accuracy: PCA, autoencoder   fit: PCA, ...")
for size, result in zip(sizes, results, strict=True):
    shown = [
        "{:.4f}, {:.4f}".format(*result[key].reshape(2, 3).mean(axis=1))
        for key in ("test_mse", "test_score", "fit_time")
    ]
    print(f"{size:4d}          {'             '.join(shown)} s")

# %%
import matplotlib.pyplot as plt

from skautoenc.plotting import ComparisonDisplay

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
ComparisonDisplay.from_results(results, ax=left)
ComparisonDisplay.from_results(results, measure="test_score", ax=right)
left.set_title("Reconstruction error")
right.set_title("Accuracy of a classifier on the codes")
plt.show()

# %%
# The error decreases with every component, so it does not determine a number of
# components. The accuracy does: it first increases steeply, and then hardly at all.

# %%
# Grid search
# -----------
# `n_components` is a parameter like any other. The grid search uses the training rows
# only, and the test rows evaluate the selected pipeline.

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
pipeline = Pipeline(
    [
        ("encode", AutoencoderTransformer(random_state=0)),
        ("scale", StandardScaler()),
        ("classify", LogisticRegression(max_iter=1000)),
    ]
)
search = GridSearchCV(pipeline, {"encode__n_components": sizes}, cv=3)
search.fit(X_train, y_train)
size = search.best_params_["encode__n_components"]
print(f"selected {size} components: accuracy {search.score(X_test, y_test):.3f}")

# %%
# Reconstructions of test digits with the selected number of components:

from skautoenc.plotting import ReconstructionDisplay

ReconstructionDisplay.from_estimator(
    search.best_estimator_["encode"], X_test, image_shape=(8, 8), show_codes=True
)
plt.show()

# %%
# When PCA is the better choice
# -----------------------------
# On data without nonlinear structure an autoencoder has no advantage. The residual of
# PCA on 8x8 patches of a photograph is nearly noise: training does not improve the
# validation error, and the fit ends as PCA, in many times the computation time.

import numpy as np
from sklearn.datasets import load_sample_image

grey = load_sample_image("china.jpg").mean(axis=2) / 255
corners = np.random.default_rng(0).integers(np.subtract(grey.shape, 8), size=(2000, 2))
patches = np.array([grey[i : i + 8, j : j + 8].ravel() for i, j in corners])

pca = PCA(16).fit(patches)
autoencoder = AutoencoderTransformer(16, random_state=0).fit(patches)
print(f"epoch whose weights were kept: {autoencoder.best_epoch_}")
explained = pca.explained_variance_ratio_.sum()
score = autoencoder.score(patches)
print(f"variance explained: PCA {explained:.4f}, autoencoder {score:.4f}")

# %%
# The same holds for very few rows, on which an improvement is not significant, and for
# codes with nearly as many components as features. PCA also has other advantages: it is
# fitted in a fraction of the time, and its components are orthogonal, ordered, and
# independent of `n_components`. An autoencoder is useful for small codes, with hundreds
# of rows or more, if the two curves above differ.
