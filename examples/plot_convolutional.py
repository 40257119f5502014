"""
============================
Convolutions for photographs
============================

A convolution looks at neighbouring pixels and does the same everywhere, so it needs
few parameters. Does that help with 16x16 patches of photographs, squeezed into 16
numbers?
"""

# %%
# Patches, apart from each other
# ------------------------------
# Patches of one photograph overlap. Those to learn from come from the left three
# quarters, and those to measure on from the rest.

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
print(f"patches: {X_train.shape} to learn from, {X_test.shape} to measure on")

# %%
# Three networks
# --------------
# A wide dense network, one with as many parameters as the convolutional one, and the
# latter: two layers, which halve the image each, and a dense one to the code. Images
# are given as images; dense networks take them as rows.

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
# And PCA
# -------

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
# The picture
# -----------
# Ten held-out patches that are not all sky or shadow.

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
display.ax_.set_title("Ten held-out patches of 256 pixels through 16 numbers")
plt.show()

# %%
# 16 numbers hold little but the coarse shades of a patch, for which straight
# directions do: both dense networks end as PCA, from which they start, as no epoch is
# better on the validation set. The convolutional network starts from random weights,
# and its error stays some 5 to 15 % above PCA's, which has an eighth of its parameters
# and takes no time. Fine texture is lost by all.
