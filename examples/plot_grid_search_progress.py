"""
========================================
How do I watch the progress of a search?
========================================

Callbacks of scikit-learn show how far a grid search over autoencoders is, and log the
score of every epoch of every fit.
"""

# %%
# A progress bar
# --------------
# `set_callbacks` registers the progress bar with the search, which passes it to its
# fits: each has a bar that moves by epoch, and ends at 100 % also where training stops
# early. This works with `n_jobs`, too. `ScoringMonitor` is registered with the
# autoencoder; with `scoring=None` it logs what `score` returns for the training data,
# the explained variance ratio.

import warnings

from rich import get_console
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV

from skautoenc import AutoencoderTransformer

X = load_digits().data / 16

autoencoder = AutoencoderTransformer(8, init="random", epochs=40, random_state=0)
monitor = ScoringMonitor(scoring=None)
search = GridSearchCV(
    autoencoder.set_callbacks(monitor),
    {"learning_rate": [0.0003, 0.001, 0.003, 0.01]},
    cv=3,
)
get_console().width = 120  # for the names beside the bars
search.set_callbacks(ProgressBar()).fit(X)
print(f"best parameters: {search.best_params_}")
print(f"explained variance ratio on held-out rows: {search.best_score_:.3f}")

# %%
# The score of each epoch
# -----------------------
# The log has a row for each epoch, with the path of its task: the search, the candidate
# and split, the epoch. Four candidates times three splits make 12 fits, and the fit
# with the best parameters to all rows is the 13th. We plot the first split of each
# candidate.

import pandas as pd

log = pd.DataFrame(monitor.get_logs().data)
epochs = log[log["task_name"] == "epoch"]
fits = epochs.groupby("parent_task_id_path")["score"]
print(f"{len(fits)} fits, {len(epochs)} epochs")

# %%
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
candidates = search.cv_results_["params"]
for path, scores in fits:
    if len(path) == 3 and path[2] % search.n_splits_ == 0:
        rate = candidates[path[2] // search.n_splits_]["learning_rate"]
        ax.plot(range(1, len(scores) + 1), scores, label=f"{rate:g}")
ax.set_xlabel("epoch")
ax.set_ylabel("explained variance ratio, training rows")
ax.set_title("Scores during the fits of a grid search")
ax.legend(title="learning rate")
plt.show()

# %%
# With the smallest learning rate, 40 epochs are too few. If there is a validation set,
# `fit` warns of that.

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    slow = AutoencoderTransformer(
        8,
        init="random",
        epochs=40,
        learning_rate=0.0003,
        early_stopping=True,
        random_state=0,
    ).fit(X)
for warning in caught:
    print(f"{warning.category.__name__}: {warning.message}")
