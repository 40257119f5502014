"""
=============================
Choosing the size of the code
=============================

How many numbers should a row become? It depends on what the code is for: to give the
row back, more is better; for a classifier, enough is enough.
"""

# %%
# Two curves for each reducer
# ---------------------------
# Held-out error, and held-out accuracy of a logistic regression on the code, over the
# size of the code. The splits are the same for all.

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
left.set_title("what comes back")
right.set_title("what a classifier makes of it")
plt.show()

# %%
# The error falls with every number that is added, so it names no size. Accuracy does:
# it rises steeply at first, and then hardly at all.

# %%
# A search that picks it
# ----------------------
# The size is a parameter like any other. What is best for the classifier is looked for
# in the training rows alone; the last rows judge.

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
print(f"picked {size} components: accuracy {search.score(X_test, y_test):.3f}")

# %%
# What the picked code keeps of digits that it has not seen.

from skautoenc.plotting import ReconstructionDisplay

ReconstructionDisplay.from_estimator(
    search.best_estimator_["encode"], X_test, image_shape=(8, 8), show_codes=True
)
plt.show()

# %%
# Where PCA is the better choice
# ------------------------------
# On data without curved structure there is nothing to win. Of 8x8 patches of a
# photograph, what PCA leaves over is nearly noise: the autoencoder finds nothing better
# on the rows that it sets aside, and ends as PCA, after many times the work.

import numpy as np
from sklearn.datasets import load_sample_image

grey = load_sample_image("china.jpg").mean(axis=2) / 255
corners = np.random.default_rng(0).integers(np.subtract(grey.shape, 8), size=(2000, 2))
patches = np.array([grey[i : i + 8, j : j + 8].ravel() for i, j in corners])

pca = PCA(16).fit(patches)
autoencoder = AutoencoderTransformer(16, random_state=0).fit(patches)
print(f"epoch whose weights were kept: {autoencoder.best_epoch_}")
of_pca = pca.explained_variance_ratio_.sum()
print(f"variance explained: PCA {of_pca:.4f}, ours {autoencoder.score(patches):.4f}")

# %%
# The same holds for very few rows, which hardly tell a gain from chance, and for codes
# nearly as wide as the rows. And PCA has manners of its own: it is fitted in a fraction
# of the time, its components are orthogonal, ordered and the same for every size of the
# code, so a smaller code is the beginning of a larger one. Take the autoencoder where
# the code is small, the rows are hundreds or more, and the two curves above lie apart.
