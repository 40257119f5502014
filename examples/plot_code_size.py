"""
===========================================
How many components does a classifier need?
===========================================

The reconstruction error decreases with every component, so it cannot tell. The accuracy
of a classifier on the codes can. On the digits it increases up to 16 components, and
hardly beyond. With 2 or 4 components it is ten points higher on codes of an autoencoder
than on those of PCA, and with 16 or more the two are equal.
"""

# %%
# Search over reducers and sizes
# ------------------------------
# The reducer is a step of a pipeline like any other, and so is its number of
# components. For a search, fewer epochs than the default are enough.

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, stratify=y, random_state=0
)
pipeline = Pipeline(
    [
        ("reduce", PCA()),
        ("scale", StandardScaler()),
        ("classify", LogisticRegression(max_iter=1000)),
    ]
)
sizes = [2, 4, 8, 16, 32]
reducers = [PCA(), AutoencoderTransformer(epochs=50, random_state=0)]
search = GridSearchCV(
    pipeline, {"reduce": reducers, "reduce__n_components": sizes}, cv=3
)
search.fit(X_train, y_train)
print(f"selected: {search.best_params_['reduce']}")
print(f"accuracy on test digits: {search.score(X_test, y_test):.3f}")

# %%
# Accuracy and number of components
# ---------------------------------

import matplotlib.pyplot as plt
import pandas as pd

table = pd.DataFrame(search.cv_results_)
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for kind, name in (PCA, "PCA"), (AutoencoderTransformer, "autoencoder"):
    rows = table[[isinstance(reducer, kind) for reducer in table["param_reduce"]]]
    means, deviations = 100 * rows["mean_test_score"], 100 * rows["std_test_score"]
    ax.errorbar(sizes, means, deviations, marker="o", capsize=3, label=name)
    print(f"{name:12s}", *(f"{mean:5.1f} %" for mean in means))
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, map(str, sizes))
ax.set(xlabel="number of components", ylabel="held-out accuracy (%)")
ax.set_title("Classifier on the codes of digits")
ax.grid(alpha=0.3)
ax.legend(loc="lower right")
plt.show()

# %%
# With many components both reducers keep what distinguishes the digits. The search then
# selects the first of the best candidates, here PCA, which is faster.
