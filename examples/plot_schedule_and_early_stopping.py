"""
========================
How long should I train?
========================

Until the validation loss does not decrease any more. If training starts from random
weights, the learning rate is constant and all epochs are run by default; early stopping
and a schedule are parameters. Early stopping saves more than half of the epochs here,
and a learning rate that falls to zero gives the lowest loss.
"""

# %%
# Three ways to train
# -------------------
# The first autoencoder is trained with a constant learning rate, the second with the
# same rate until the loss on the validation set has not decreased for 10 epochs, and
# the third with a rate that falls to zero along a cosine. A schedule of Keras counts
# steps: here 26 batches of 64 of the 1617 training rows per epoch.

from keras.optimizers.schedules import CosineDecay
from sklearn.datasets import load_digits

from skautoenc import AutoencoderTransformer

X = load_digits().data / 16
epochs = 150
params = {
    "n_components": 8,
    "init": "random",
    "epochs": epochs,
    "batch_size": 64,
    "early_stopping": True,
    "random_state": 0,
    "verbose": 1,
}
constant = {"learning_rate": 0.003, "n_iter_no_change": epochs}
stopped = {"learning_rate": 0.003, "n_iter_no_change": 10}
scheduled = {"learning_rate": CosineDecay(0.003, 26 * epochs)}
autoencoders = {
    "constant learning rate": AutoencoderTransformer(**params, **constant),
    "the same, with early stopping": AutoencoderTransformer(**params, **stopped),
    "cosine schedule": AutoencoderTransformer(**params, **scheduled),
}
for title, autoencoder in autoencoders.items():
    print(title)
    autoencoder.fit(X)

# %%
# In a terminal or a notebook, `verbose=1` shows a progress bar; above are the lines
# that are printed elsewhere. The last one gives what stopped training, and which epoch
# was kept.
#
# Loss curves
# -----------
# A ring marks the epoch that was kept.

import matplotlib.pyplot as plt

from skautoenc.plotting import LossCurveDisplay

fig, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
for ax, (title, autoencoder) in zip(axes, autoencoders.items(), strict=True):
    LossCurveDisplay.from_estimator(autoencoder, ax=ax, scale="log")
    ax.set_title(title)
    ax.set_xlim(0, epochs)
plt.show()

# %%
for title, autoencoder in autoencoders.items():
    lowest = min(autoencoder.history_["val_loss"])
    print(f"{title}: {autoencoder.n_iter_} epochs, validation loss {lowest:.5f}")
