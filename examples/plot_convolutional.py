"""
======================================
Convolutional networks for photographs
======================================

A convolution uses neighbouring pixels, with the same weights at every position, so it
has few parameters. This example compares a convolutional network with dense networks
and PCA on 16x16 patches of photographs, with 16 components.
"""

# %%
# Training and test patches
# -------------------------
# Patches of one photograph overlap. Therefore training patches are taken from the left
# three quarters of each photograph, and test patches from the rest.

import numpy as np
from sklearn.datasets import load_sample_images
from sklearn.feature_extraction.image import extract_patches_2d

photographs = [image.mean(axis=2) / 255 for image in load_sample_images().images]


def patches(parts, n_each):
    return np.concatenate(
        [
            extract_patches_2d(part, (16, 16), max_patches=n_each, random_state=0)
            for part in parts
        ]
    )


X_train = patches([x[:, :480] for x in photographs], 2000)
X_test = patches([x[:, 480:] for x in photographs], 500)
print(f"training patches: {X_train.shape}, test patches: {X_test.shape}")

# %%
# Three networks
# --------------
# We compare a wide dense network, a narrow one with about as many parameters as the
# convolutional network, and the convolutional network, which has two convolutional
# layers that each halve the image size, and a dense layer. All networks have a linear
# path beside their layers, which starts as PCA. All estimators accept image arrays;
# dense networks flatten them.

from skautoenc import AutoencoderTransformer, ConvNetwork

networks = {
    "dense, wide": {"hidden_layer_sizes": (256, 128)},
    "dense, narrow": {"hidden_layer_sizes": (64,)},
    "convolutional": {"network": ConvNetwork((16, 16, 1), filters=(16, 32))},
}
restored, n_parameters = {}, {}
for name, network in networks.items():
    autoencoder = AutoencoderTransformer(
        16,
        **network,
        epochs=20,
        batch_size=64,
        learning_rate=0.002,
        random_state=0,
    ).fit(X_train)
    restored[name] = autoencoder.reconstruct(X_test)
    n_parameters[name] = autoencoder.autoencoder_.count_params()

# %%
# PCA
# ---

from sklearn.decomposition import PCA

rows = X_test.reshape(len(X_test), -1)
pca = PCA(16).fit(X_train.reshape(len(X_train), -1))
restored["PCA"] = pca.inverse_transform(pca.transform(rows)).reshape(X_test.shape)
n_parameters["PCA"] = pca.components_.size + pca.mean_.size

print("               parameters  held-out error")
for name, images in restored.items():
    error = np.mean((images - X_test) ** 2)
    print(f"{name:13s}  {n_parameters[name]:10,d}  {error:.5f}")

# %%
# Reconstructions
# ---------------
# Ten test patches with high contrast, and their reconstructions.

import matplotlib.pyplot as plt

from skautoenc.plotting import ImageGridDisplay

contrast = X_test.std(axis=(1, 2))
shown = np.flatnonzero(contrast > 0.1)[::12][:10]
rows = {"original": X_test, **restored}
display = ImageGridDisplay.from_images(
    np.concatenate([images[shown] for images in rows.values()]),
    row_names=list(rows),
    image_kwargs={"vmin": 0, "vmax": 1},
)
display.ax_.set_title("Test patches of 256 pixels, encoded with 16 components")
plt.show()

# %%
# 16 components represent only the coarse brightness of a patch, for which a linear map
# is sufficient: all networks end as PCA, their initialization, because no epoch has a
# significantly lower validation error. PCA has a tenth of the parameters of the
# convolutional network and is fitted in a fraction of the time. No method preserves
# fine texture.
