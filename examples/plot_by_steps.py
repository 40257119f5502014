"""
==================================================================
How do I train step by step, and use the encoder in a classifier?
==================================================================

`partial_fit` with a batch of rows is one step of training, so that any loop of yours
can train. The trained encoder is then the first part of a classifier, and the decoder
is not used any more. The codes alone are no better for a logistic regression than the
pixels; the encoder that is trained further with the labels is.
"""

# %%
# A thousand steps
# ----------------
# All layers are relu, also the output, the loss is the squared error, and the optimizer
# RMSprop. Training starts from random weights. For the digits of 64 pixels the layers
# have 128, 64 and 32 units. To train the tutorials' network for MNIST, 784-784-256-128,
# load the images with
#
# .. code-block:: python
#
#    from sklearn.datasets import fetch_openml
#
#    X, y = fetch_openml("mnist_784", return_X_y=True, as_frame=False)
#
# and give ``n_components=128, hidden_layer_sizes=(784, 256)``.

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skautoenc import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / X.max(), y, stratify=y, test_size=0.25, random_state=0
)

autoencoder = AutoencoderTransformer(
    n_components=32,
    hidden_layer_sizes=(128, 64),
    activation="relu",
    code_activation="relu",
    output_activation="relu",
    init="random",
    optimizer="rmsprop",
    learning_rate=0.001,
    batch_size=256,
    random_state=0,
)
rng = np.random.default_rng(0)
errors, restored = [], {"original": X_test}
for step in range(1, 1001):
    batch = rng.choice(len(X_train), size=256, replace=False)
    autoencoder.partial_fit(X_train[batch])
    if step % 50 == 0:
        errors.append(autoencoder.reconstruction_error(X_test).mean())
    if step in (50, 200, 400, 1000):
        restored[f"step {step}"] = autoencoder.reconstruct(X_test)
        print(f"step {step:4d}: mean squared error of test digits {errors[-1]:.4f}")

# %%
# Sixteen test digits, and what the network makes of them in the course of training:

import matplotlib.pyplot as plt

from skautoenc.plotting import ImageGridDisplay

fig, axes = plt.subplots(1, 5, figsize=(12, 2.7), layout="constrained")
fig.get_layout_engine().set(wspace=0.15)
for ax, (name, images) in zip(axes, restored.items(), strict=True):
    ImageGridDisplay.from_images(
        images[:16],
        n_cols=4,
        image_shape=(8, 8),
        cmap="gray_r",
        image_kwargs={"vmin": 0, "vmax": 1},
        ax=ax,
    )
    ax.set_title(name)
plt.show()

# %%
fig, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.plot(50 * np.arange(1, 21), errors)
ax.set(xlabel="step", ylabel="mean squared error, test digits", yscale="log")
ax.grid(alpha=0.3)
plt.show()

# %%
# A classifier on the encoder
# ---------------------------
# :class:`~skautoenc.EncoderClassifier` takes the fitted autoencoder as it is, and adds
# a head to its encoder. With ``fine_tune=False`` the encoder stays as it is, and the
# head is a logistic regression of the codes. By default both are trained on the labels.
# The codes of a variational autoencoder with the same layers are compared, too.

from sklearn.linear_model import LogisticRegression

from skautoenc import EncoderClassifier, VariationalAutoencoder

variational = VariationalAutoencoder(
    32, hidden_layer_sizes=(128, 64), activation="relu", epochs=40, random_state=0
).fit(X_train)

classifiers = {
    "pixels": LogisticRegression(max_iter=1000),
    "codes": EncoderClassifier(autoencoder, fine_tune=False, random_state=0),
    "codes, variational": EncoderClassifier(
        variational, fine_tune=False, random_state=0
    ),
    "encoder, trained further": EncoderClassifier(
        autoencoder, epochs=40, random_state=0
    ),
}
for name, classifier in classifiers.items():
    accuracy = classifier.fit(X_train, y_train).score(X_test, y_test)
    print(f"{name:25s} accuracy {accuracy:.3f}")

# %%
# The encoder pays off most where few rows have a label: see
# :ref:`the example <sphx_glr_auto_examples_plot_few_labels.py>`. The estimator
# that is fitted by one call of `fit`, :class:`~skautoenc.AutoencoderTransformer` with
# its default parameters, needs no loop, and starts from PCA.
