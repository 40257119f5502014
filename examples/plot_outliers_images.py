"""
===================================================
Can a detector find a digit that it has never seen?
===================================================

A detector is trained on nine digits, and has to find the tenth one: novelty detection,
where the training rows have no outliers. It finds nine of ten zeros at a rate of false
alarms of 6 %. The local outlier factor is still better on these images, and an
isolation forest is worse.
"""

# %%
# Training rows without outliers
# ------------------------------
# Pixels are divided by their maximum. Standardization would give pixels at the border,
# which are rarely used, the same weight as others.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

NOVEL = 0
X, y = load_digits(return_X_y=True)
X = X / 16
train, known = train_test_split(X[y != NOVEL], test_size=0.3, random_state=0)
test = np.vstack([known, X[y == NOVEL]])
is_novel = np.arange(len(test)) >= len(known)

# %%
# Comparison with other detectors
# -------------------------------
# We compute the area under the ROC curve: the probability that a new digit has a lower
# score than a known one.

from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor

from skautoenc import AutoencoderOutlierDetector

detectors = {
    "autoencoders": AutoencoderOutlierDetector(contamination=0.05, random_state=0),
    "local outlier factor": LocalOutlierFactor(novelty=True),
    "isolation forest": IsolationForest(random_state=0),
}
for name, detector in detectors.items():
    scores = detector.fit(train).score_samples(test)
    print(f"{name:22s} {roc_auc_score(~is_novel, scores):.3f}")

# %%
# False alarms
# ------------
# With ``contamination=0.05``, about 5 % of new digits of the known kinds are below the
# threshold, which is computed from rows that were not trained on.

detector = detectors["autoencoders"]
is_outlier = detector.predict(test) == -1
print(f"false alarms: {is_outlier[~is_novel].mean():.3f}")
print(f"found: {is_outlier[is_novel].mean():.3f}")

# %%
# Pixels
# ------
# The rows with the lowest scores, and the share of each pixel in the score. A zero has
# a hole, where the nine other digits have ink.

import matplotlib.pyplot as plt

from skautoenc.plotting import OutlierDisplay

display = OutlierDisplay.from_estimator(detector, test, n_rows=10, image_shape=(8, 8))
display.figure_.suptitle(f"Detector trained on all digits but {NOVEL}")
plt.show()
