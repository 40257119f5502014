"""
=============================================================
Which network for MNIST: simple, deep or convolutional?
=============================================================

Four autoencoders of the tutorials for images of 28x28 pixels, each as one estimator: a
single dense layer, three dense layers, a convolutional network, and a convolutional one
that removes noise. Trained for a short time, the single layer restores the images best,
and the convolutional network needs the fewest weights.
"""

# sphinx_gallery_thumbnail_number = 3

# %%
# Images of 28x28 pixels
# ----------------------
# So that this example runs within a minute and without a download, it enlarges the 1797
# digits of scikit-learn to the size of MNIST. To use MNIST itself, replace the next
# cell by these lines, and train for 50 epochs with batches of 256 images. That takes
# several minutes.
#
# .. code-block:: python
#
#    from sklearn.datasets import fetch_openml
#
#    X, y = fetch_openml("mnist_784", return_X_y=True, as_frame=False)
#    X_train, X_test = X[:60000] / 255, X[60000:] / 255

import numpy as np
from scipy.ndimage import zoom
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

images = zoom(load_digits().images / 16, (1, 3.5, 3.5), order=1)
X = images.reshape(len(images), 784).astype(np.float32)
X_train, X_test = train_test_split(X, test_size=0.25, random_state=0)
print(f"training images {X_train.shape}, test images {X_test.shape}")

# %%
# Simple: 784-32-784
# ------------------
# All networks have relu layers, a sigmoid output and the binary cross-entropy. Some
# units of a relu code become inactive, and `fit` warns of them. This is expected here.

import warnings

from skautoenc import AutoencoderTransformer, ConvNetwork, DenoisingAutoencoder

warnings.filterwarnings("ignore", ".*components of the code do not vary")

params = {"loss": "binary_crossentropy", "batch_size": 32, "random_state": 0}
dense = {
    "activation": "relu",
    "code_activation": "relu",
    "output_activation": "sigmoid",
    "epochs": 40,
}
simple = AutoencoderTransformer(32, hidden_layer_sizes=(), **dense, **params)
simple.fit(X_train)

# %%
# Deep: 784-128-64-32-64-128-784
# ------------------------------
# `hidden_layer_sizes` are those of the encoder; the decoder has them in reverse order.

deep = AutoencoderTransformer(32, hidden_layer_sizes=(128, 64), **dense, **params)
deep.fit(X_train)

# %%
# Convolutional
# -------------
# Each layer of the encoder convolves the image and halves its size: 28, 14, 7 and 4
# pixels. With ``n_components=None`` the code is the last feature map, of 4x4x8 = 128
# numbers. The decoder is the mirror image of the encoder.

layers = {
    "activation": "relu",
    "code_activation": "relu",
    "output_activation": "sigmoid",
}
convolutional = AutoencoderTransformer(
    None,
    network=ConvNetwork(
        (28, 28, 1),
        filters=(16, 8, 8),
        downsampling=("max_pool", "max_pool", "stride"),
        **layers,
    ),
    epochs=12,
    **params,
)
convolutional.fit(X_train)

autoencoders = {"simple": simple, "deep": deep, "convolutional": convolutional}
restored = {name: fitted.reconstruct(X_test) for name, fitted in autoencoders.items()}
print("               numbers  weights  mean squared error")
for name, fitted in autoencoders.items():
    error = np.mean((restored[name] - X_test) ** 2)
    n_weights = fitted.autoencoder_.count_params()
    print(f"{name:13s}  {fitted.n_components_:7d}  {n_weights:7,d}  {error:.4f}")

# %%
import matplotlib.pyplot as plt

from skautoenc.plotting import ImageGridDisplay, ReconstructionDisplay

rows = {"original": X_test, **restored}
display = ImageGridDisplay.from_images(
    np.concatenate([images[:10] for images in rows.values()]),
    image_shape=(28, 28),
    row_names=list(rows),
    cmap="gray_r",
    image_kwargs={"vmin": 0, "vmax": 1},
)
display.ax_.set_title("Images of 784 pixels, restored from 32 or 128 numbers")
plt.show()

# %%
# Codes of the simple network as images
# -------------------------------------

ReconstructionDisplay.from_estimator(
    simple, X_test, n_rows=10, image_shape=(28, 28), show_codes=True, cmap="gray_r"
)
plt.show()

# %%
# Denoising
# ---------
# Normal noise of standard deviation 0.5 is added to the images, which are then clipped
# to [0, 1]. New noise is drawn in each epoch, and the targets are the clean images.

denoiser = DenoisingAutoencoder(
    None,
    network=ConvNetwork(
        (28, 28, 1), filters=(32, 32), downsampling="max_pool", **layers
    ),
    noise_level=0.5,
    clip=(0, 1),
    epochs=6,
    **params,
)
denoiser.fit(X_train)

noise = np.random.default_rng(0).normal(scale=0.5, size=X_test.shape)
X_noisy = np.clip(X_test + noise, 0, 1)
cleaned = denoiser.reconstruct(X_noisy)
for name, images in {"noisy": X_noisy, "denoised": cleaned}.items():
    print(f"{name:8s}  mean squared error {np.mean((images - X_test) ** 2):.4f}")

# %%
display = ImageGridDisplay.from_images(
    np.concatenate([X_noisy[:10], cleaned[:10]]),
    image_shape=(28, 28),
    row_names=["noisy", "denoised"],
    cmap="gray_r",
    image_kwargs={"vmin": 0, "vmax": 1},
)
display.ax_.set_title("Test images with noise, and without it")
plt.show()

# %%
# These are the networks of the tutorials, as they are. On images, a `ConvNetwork` with
# its default layers and a linear code starts from PCA instead of random weights, and
# is better than a dense network on MNIST: see :doc:`Own networks </own_networks>`.
