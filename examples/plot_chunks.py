"""
=====================================
How do I train on a stream of chunks?
=====================================

`partial_fit` trains on one chunk after another, with one pass over each. On simulated
sensors the autoencoder explains more of each new chunk than
:class:`~sklearn.decomposition.IncrementalPCA`, which stops improving after the first
thousand rows.
"""

# %%
# A stream of chunks
# ------------------
# There are 32 sensors, whose readings are nonlinear functions of 3 hidden quantities.

import numpy as np


def stream(n_chunks, n_rows=200, seed=0):
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(42).normal(size=(3, 32))
    for _ in range(n_chunks):
        hidden = rng.normal(size=(n_rows, 3))
        noise = rng.normal(scale=0.02, size=(n_rows, 32))
        yield (np.tanh(hidden @ mix) + noise).astype(np.float32)


# %%
# Training
# --------
# Each chunk is scored before it is trained on, so that all scores are those of new
# data. The network is PCA of the first 256 rows. Then each call trains it further, and
# the state of the optimizer is kept between the calls.
# :class:`~sklearn.decomposition.IncrementalPCA` is given the same chunks.

from sklearn.decomposition import IncrementalPCA

from skautoenc import AutoencoderTransformer

autoencoder = AutoencoderTransformer(n_components=3, random_state=0)
pca = IncrementalPCA(n_components=3)


def pca_score(X):
    residual = X - pca.inverse_transform(pca.transform(X))
    return 1 - np.square(residual).sum() / np.square(X - pca.mean_).sum()


scores = {"autoencoder": [], "IncrementalPCA": []}
for i, chunk in enumerate(stream(400)):
    if i > 0:
        scores["autoencoder"].append(autoencoder.score(chunk))
        scores["IncrementalPCA"].append(pca_score(chunk))
    autoencoder.partial_fit(chunk)
    pca.partial_fit(chunk)

for name, values in scores.items():
    print(f"{name:15s} first chunk {values[0]:.3f}   last chunk {values[-1]:.3f}")

# %%
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
rows = 200 * np.arange(1, 400)
for name, values in scores.items():
    ax.plot(rows, values, label=name)
ax.set(
    xlabel="rows trained on",
    ylabel="explained variance ratio of the next chunk",
    xscale="log",
)
ax.legend()
plt.show()

# %%
# Interruptions
# -------------
# A pickled estimator contains the state of the optimizer. It continues with the same
# bits as an estimator that was not pickled, also in another process.

import pickle

copy = pickle.loads(pickle.dumps(autoencoder))
for chunk in stream(10, seed=1):
    autoencoder.partial_fit(chunk)
    copy.partial_fit(chunk)
X = next(stream(1, seed=2))
print("bitwise equal:", np.array_equal(autoencoder.transform(X), copy.transform(X)))

# %%
# The axes of the code are not changed by `partial_fit`, so that a model of the codes,
# such as a classifier with `partial_fit`, can be trained on the same stream.
#
# Dask
# ----
# ``Incremental`` of dask-ml calls `partial_fit` with each chunk of a dask array:
#
# .. code-block:: python
#
#    import dask.array
#    from dask_ml.wrappers import Incremental
#
#    X = dask.array.from_zarr("X.zarr")
#    trained = Incremental(AutoencoderTransformer(3), shuffle_blocks=False).fit(X)
#    codes = trained.transform(X)  # a dask array
#
# `transform` and the other methods of the fitted estimator are in ``estimator_``.
