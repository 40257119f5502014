"""
==================
PCA or autoencoder
==================

Both compress 64 pixels into a few components. PCA is linear, an autoencoder is not.
This example compares their reconstruction errors on held-out digits.
"""

# %%
# Held-out error
# --------------
# The autoencoder has its default parameters. Errors are those of held-out rows, and
# both reducers use the same splits.

from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skautoenc import AutoencoderTransformer, compare_reducers

X = load_digits().data / 16
sizes = [1, 2, 4, 8, 16, 32]
results = [
    compare_reducers(
        {"PCA": PCA(size), "autoencoder": AutoencoderTransformer(size, random_state=0)},
        X,
        cv=3,
    )
    for size in sizes
]

# %%
# Errors as a table
# -----------------

print("code   PCA      autoencoder  autoencoder / PCA")
for size, result in zip(sizes, results, strict=True):
    pca, autoencoder = result["test_mse"].reshape(2, 3).mean(axis=1)
    print(f"{size:4d}   {pca:.5f}  {autoencoder:.5f}      {autoencoder / pca:.2f}")

# %%
# Errors as a plot
# ----------------

import matplotlib.pyplot as plt

from skautoenc.plotting import ComparisonDisplay

display = ComparisonDisplay.from_results(results)
display.ax_.set_title("Digits, pixels in [0, 1]: PCA and autoencoder")
plt.show()

# %%
# With up to 16 components, the error of the autoencoder is 30 to 45 % below that of
# PCA, and with 32 components 30 %. Training starts from PCA, and the weights with the
# lowest validation loss are kept, so that the result is rarely worse than PCA. PCA is
# faster and has no parameters to tune.
