"""Time of encoding against PCA and against the bare matrix products."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from ._rows import Result, mnist, pair, per_call, row
from .recipes import DIGITS_32, MNIST_DEEP


@row("transform of one digit, against PCA.transform", "1/1.5")
def one_row(data, repeats):
    X = load_digits().data
    one = X[:1]
    ours = DIGITS_32.estimator(epochs=1, random_state=0).fit(X / 16)
    pca = PCA(32).fit(X)
    return Result(
        *pair_of_calls(lambda: ours.transform(one), lambda: pca.transform(one), repeats)
    )


def pair_of_calls(ours, rival, repeats, calls=2000):
    times = [(per_call(ours, calls), per_call(rival, calls)) for _ in range(repeats)]
    return [list(side) for side in zip(*times, strict=True)]


@row(
    "transform of 60000 MNIST rows, 784-128-64-32, against the bare products",
    "1/1.3",
    needs_data=True,
)
def mnist_rows(data, repeats):
    X = mnist(data)
    ours = MNIST_DEEP.estimator(epochs=1, random_state=0).fit(X[:2000])
    kernels = [w for w in ours.encoder_.get_weights() if w.ndim == 2]

    def products():
        Z = X
        for kernel in kernels:
            Z = np.dot(Z, kernel)

    return Result(*pair(lambda: ours.transform(X), products, max(repeats, 9)))
