"""
============================================
How do I train on a folder of Parquet files?
============================================

`fit` reads a Dask collection chunk by chunk, so that neither the data nor their codes
need fit into memory. This example trains on a folder of Parquet files, scales the rows
on the way, and writes the codes to another folder.
"""

# %%
# The folder
# ----------
# A real one would have been written by another program. Here 8 files hold copies of the
# digits to which noise was added.

import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

folder = tempfile.TemporaryDirectory()
parts = Path(folder.name, "digits")
parts.mkdir()
digits = load_digits(as_frame=True)
rng = np.random.default_rng(0)
for i in range(8):
    rows = digits.data.sample(n=33_000, replace=True, random_state=i)
    noise = rng.normal(size=rows.shape)
    table = (rows + noise).astype(np.float32).assign(digit=digits.target[rows.index])
    table.to_parquet(parts / f"part-{i}.parquet")

# %%
# Rows are read when they are needed. Here the threads of this process do that. With a
# client of ``distributed`` the workers of its cluster would, and nothing else changes.

import dask.dataframe as dd

table = dd.read_parquet(parts)
X = table.drop(columns="digit")
print(f"{X.npartitions} partitions, {len(X)} rows")

# %%
# Scaling out of core
# -------------------
# Scalers with `partial_fit` take one partition after another. Dask applies the fitted
# scaler to each partition when it is read.

from sklearn.preprocessing import MinMaxScaler

scaler = MinMaxScaler().set_output(transform="pandas")
for partition in X.partitions:
    scaler.partial_fit(partition.compute())
scaled = X.map_partitions(scaler.transform, meta=X._meta)

# %%
# Training
# --------
# `fit` computes the lengths of the partitions. In each epoch it visits them in a random
# order and shuffles the rows of some at a time.

from skautoenc import AutoencoderTransformer

autoencoder = AutoencoderTransformer(2, batch_size=1024, epochs=2, random_state=0)
autoencoder.set_output(transform="pandas").fit(scaled)
print(f"explained variance ratio: {autoencoder.score(scaled):.3f}")

# %%
# Codes
# -----
# The methods of the fitted estimator are lazy. The codes are computed when they are
# written, or when some of them are asked for.

codes = autoencoder.transform(scaled)
codes = codes.assign(digit=table["digit"])
codes.to_parquet(Path(folder.name, "codes"), write_index=False)
codes

# %%
import matplotlib.pyplot as plt
import pandas as pd

first = pd.read_parquet(Path(folder.name, "codes", "part.0.parquet"))
shown = first.sample(n=5000, random_state=0)
figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
points = axes.scatter(
    *shown.iloc[:, :2].to_numpy().T, c=shown["digit"], s=4, cmap="tab10"
)
figure.colorbar(points, label="digit", ticks=range(10))
axes.set(
    xlabel="first component", ylabel="second component", title="Codes of the digits"
)
plt.show()

# %%
folder.cleanup()
