"""
========================================================
How do I train on a file that is larger than the memory?
========================================================

`fit` reads a large memory map in blocks, so that the data need not fit into memory.
This example trains on a million rows in a file of 122 MiB, in about 12 MiB of memory.
"""

# %%
# A file of a million rows
# ------------------------
# The file is written in parts. It has the format of ``np.save``, and `float32` values:
# other types are copied.

import tempfile
from pathlib import Path

import numpy as np

folder = tempfile.TemporaryDirectory()
path = Path(folder.name, "X.npy")
N_ROWS, N_FEATURES = 1_000_000, 32

rng = np.random.default_rng(0)
mix = rng.normal(size=(3, N_FEATURES)).astype(np.float32)
X = np.lib.format.open_memmap(path, "w+", np.float32, (N_ROWS, N_FEATURES))
for start in range(0, N_ROWS, 100_000):
    hidden = rng.standard_normal((100_000, 3), np.float32)
    X[start : start + 100_000] = np.tanh(hidden @ mix)
X.flush()
del X
print(f"size of the file: {path.stat().st_size / 2**20:.0f} MiB")

# %%
# Training
# --------
# From 2**18 rows on, blocks of 32 KiB are read in random order, and rows are shuffled
# among about a thousand blocks. Memory does not depend on the number of rows. A tenth
# of the blocks is the validation set.

import tracemalloc

from skautoenc import AutoencoderTransformer

X = np.load(path, mmap_mode="r")
autoencoder = AutoencoderTransformer(
    n_components=3, hidden_layer_sizes=(64,), batch_size=512, epochs=2, random_state=0
)
tracemalloc.start()
autoencoder.fit(X)
peak = tracemalloc.get_traced_memory()[1]
tracemalloc.stop()
print(f"peak memory of fit: {peak / 2**20:.0f} MiB")

# %%
# Methods of the fitted estimator read the memory map in blocks as well. The result of
# `transform` is in memory.

from sklearn.decomposition import PCA

sample = X[::100]
pca = PCA(3).fit(sample)
print(f"explained variance ratio: {autoencoder.score(X):.3f}")
print(f"of PCA:                   {pca.explained_variance_ratio_.sum():.3f}")

# %%
# The columns were computed from three quantities, by a function that saturates. The
# autoencoder has learned that, and a linear map cannot:

import matplotlib.pyplot as plt

restored = {
    "PCA": pca.inverse_transform(pca.transform(sample)),
    "autoencoder": autoencoder.reconstruct(sample),
}
figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
for ax, (name, rows) in zip(axes, restored.items(), strict=True):
    ax.scatter(sample[:, 0], rows[:, 0], s=2, alpha=0.3)
    ax.axline((0, 0), slope=1, color="black", linewidth=1)
    ax.set(xlabel="value in the file", title=name, xticks=[-1, -0.5, 0, 0.5, 1])
axes[0].set_ylabel("value that is restored from 3 components")
figure.suptitle("First of 32 columns, 10,000 of a million rows")
plt.show()

# %%
# Other files
# -----------
# An HDF5 data set that is stored as one block, which is the default of ``h5py``, is
# read in blocks like a memory map. Compressed data sets, and arrays of zarr, are read
# into memory as a whole, with a warning if they are large. `partial_fit` trains on
# parts of them:

import h5py

with h5py.File(Path(folder.name, "X.h5"), "w") as file:
    stored = file.create_dataset("X", data=X[:300_000], compression="lzf")
    in_parts = AutoencoderTransformer(
        n_components=3, hidden_layer_sizes=(64,), batch_size=512, random_state=0
    )
    for start in range(0, len(stored), 20_000):
        in_parts.partial_fit(stored[start : start + 20_000])
print(f"explained variance ratio: {in_parts.score(sample):.3f}")
del X, sample
folder.cleanup()
