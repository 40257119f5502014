"""
==============================================
What do the components of an autoencoder mean?
==============================================

A fitted autoencoder has the attributes of PCA that describe its components:
`components_`, `explained_variance_ratio_` and others. The components resemble those of
PCA, from which training starts. This example draws both, for a table with named columns
and for images.
"""

# sphinx_gallery_thumbnail_number = 4

# %%
# Loadings of a table
# -------------------
# The 30 columns of the breast cancer data are the mean, the standard error and the
# worst value of ten measurements of cell nuclei. They have different units, so a
# pipeline scales them first. `LoadingsDisplay` draws the rows of `components_`: how
# much each feature changes with each component.

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderTransformer
from skautoenc.plotting import LoadingsDisplay

X, y = load_breast_cancer(as_frame=True, return_X_y=True)
pca = make_pipeline(StandardScaler(), PCA(2)).fit(X)
autoencoder = make_pipeline(
    StandardScaler(),
    AutoencoderTransformer(2, epochs=100, early_stopping=False, random_state=0),
).fit(X)

left, right = plt.figure(figsize=(10, 8), layout="constrained").subfigures(1, 2)
LoadingsDisplay.from_estimator(pca, ax=left.subplots())
LoadingsDisplay.from_estimator(autoencoder, ax=right.subplots())
left.suptitle("PCA")
right.suptitle("Autoencoder")
plt.show()

# %%
# Training starts from PCA, and the codes are rotated afterwards so that they are
# uncorrelated. The components therefore resemble those of PCA: the first is high for
# large nuclei, and the second for small ones with an irregular outline.

# %%
# Loadings of some rows
# ---------------------
# A component of PCA changes the features of every row in the same way. A component of
# an autoencoder does not, and `components_` are means over training rows. With X, the
# display draws the mean over the rows of X. X also makes it possible to draw other
# reducers that have an `inverse_transform` but no `components_`.

left, right = plt.figure(figsize=(10, 8), layout="constrained").subfigures(1, 2)
LoadingsDisplay.from_estimator(autoencoder, X[y == 0], ax=left.subplots())
LoadingsDisplay.from_estimator(autoencoder, X[y == 1], ax=right.subplots())
left.suptitle("Autoencoder, malignant tumours")
right.suptitle("Autoencoder, benign tumours")
plt.show()

# %%
# The second component, for example, decreases the radius of the cell nuclei of
# malignant tumours more than that of benign ones.

# %%
# Explained variance
# ------------------
# `ExplainedVarianceDisplay` fits PCA with as many components on the same rows. The
# ratio of a component of the autoencoder is the increase of its score on the training
# rows due to that component.

from skautoenc.plotting import ExplainedVarianceDisplay

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
ExplainedVarianceDisplay.from_estimator(autoencoder, X, ax=left)
ExplainedVarianceDisplay.from_estimator(autoencoder, X, cumulative=True, ax=right)
figure.suptitle("Breast cancer data, training rows")
plt.show()

# %%
# A part of the gain is due to overfitting: compare reducers on held-out rows, by
# :func:`~skautoenc.compare_reducers`.

# %%
# Components as images
# --------------------
# The loadings of pixels are an image for each component. Red pixels become brighter and
# blue pixels darker when the component increases, on one colour scale for all
# components.

from sklearn.datasets import load_digits

X = load_digits().data / 16
pca = PCA(16).fit(X)
autoencoder = AutoencoderTransformer(16, epochs=60, random_state=0).fit(X)

upper, lower = plt.figure(figsize=(9, 5), layout="constrained").subfigures(2)
LoadingsDisplay.from_estimator(pca, image_shape=(8, 8), ax=upper.subplots())
LoadingsDisplay.from_estimator(autoencoder, image_shape=(8, 8), ax=lower.subplots())
upper.suptitle("PCA")
lower.suptitle("Autoencoder")
plt.show()

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
ExplainedVarianceDisplay.from_estimator(autoencoder, X, ax=left)
ExplainedVarianceDisplay.from_estimator(autoencoder, X, cumulative=True, ax=right)
figure.suptitle("Digits, training rows")
plt.show()

# %%
# No linear component explains more than the first one of PCA. The autoencoder is
# trained for all components together: the first ones alone explain about as much as
# those of PCA, but the later ones add more.
