"""
=========================================
Which rows of a table are wrong, and why?
=========================================

`AutoencoderOutlierDetector` gives each row a score, and tells which features make it an
outlier. In a table of 569 rows, the two with typing errors have the lowest scores, and
the wrong cells are on top of their features. The reconstruction error of an autoencoder
finds only one of them.
"""

# %%
# A table with two wrong rows
# ---------------------------
# In one of the 569 rows of the breast cancer data, the decimal point of the radius is
# in the wrong place, so that it is 20 times too large. In another one, two cells of
# about 0.1 and 0.2 are 3.0 and 1.5.

from sklearn.datasets import load_breast_cancer

X = load_breast_cancer(as_frame=True).data
X.index = [f"patient {i}" for i in X.index]
X.loc["patient 100", "mean radius"] *= 20
X.loc["patient 400", ["mean smoothness", "mean symmetry"]] = 3.0, 1.5

# %%
# Which rows do not belong?
# -------------------------
# The rows are standardized in a pipeline. The detector fits one autoencoder on each
# half of the rows, and each row is scored by the autoencoder that was not trained on
# it.

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderOutlierDetector

detector = make_pipeline(StandardScaler(), AutoencoderOutlierDetector(random_state=0))
is_outlier = detector.fit_predict(X) == -1
print(f"{is_outlier.sum()} outliers")
scores = detector.score_samples(X)
for i in scores.argsort()[:5]:
    print(f"{X.index[i]:12s} {scores[i]:.1f}")

# %%
# Why?
# ----
# The display takes the whole pipeline, with the names of the rows and features. Each
# panel shows the features with the largest shares of the score.

import matplotlib.pyplot as plt

from skautoenc.plotting import OutlierDisplay

display = OutlierDisplay.from_estimator(detector, X)
display.figure_.suptitle("Breast cancer data with two typing errors")
plt.show()

# %%
# Reconstruction errors alone
# ---------------------------
# An autoencoder that is trained on all rows learns to reconstruct wrong ones, too. One
# of the two has the largest error, the other a small one.

import numpy as np

from skautoenc import AutoencoderTransformer

scaled = StandardScaler().fit_transform(X)
autoencoder = AutoencoderTransformer(0.8, random_state=0).fit(scaled)
errors = np.square(scaled - autoencoder.reconstruct(scaled)).mean(axis=1)
for name in ("patient 100", "patient 400"):
    row = X.index.get_loc(name)
    print(f"{name}: {(errors > errors[row]).sum()} rows with a larger error")
