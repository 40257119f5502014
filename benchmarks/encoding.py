"""Time of encoding, compared with PCA, Keras and the bare matrix products."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from ._cases import Result, case, mnist, per_call, time_both
from .recipes import DIGITS_32, MNIST_CONV, MNIST_DEEP


def _one_row(name, of_pca):
    """Register a call on one row; both estimators have 32 components."""

    def compare(data, repeats):
        X = load_digits().data
        ours = DIGITS_32.estimator(epochs=1, random_state=0).fit(X / 16)
        pca = PCA(32).fit(X)
        one = pca.transform(X[:1]) if name == "inverse_transform" else X[:1]
        call = getattr(ours, name)
        return Result(
            *_time_calls(lambda: call(one), lambda: of_pca(pca, one), repeats)
        )

    compare.__name__ = "one_row" if name == "transform" else f"one_row_{name}"
    case(f"{name} of one digit, against PCA", "1/1.2")(compare)


_one_row("transform", PCA.transform)
_one_row("inverse_transform", PCA.inverse_transform)
_one_row("reconstruct", lambda pca, x: pca.inverse_transform(pca.transform(x)))
_one_row("score_samples", PCA.score_samples)


@case("transform of one image, mnist-conv, against a call of the Keras model", "")
def one_image(data, repeats):
    X = np.random.default_rng(0).random((300, 784), np.float32)
    ours = MNIST_CONV.estimator(epochs=1, random_state=0).fit(X)
    encoder, one = ours.encoder_, X[:1]
    return Result(
        *_time_calls(lambda: ours.transform(one), lambda: encoder(one), repeats, 200)
    )


@case("1 to 300 images, mnist-conv: transform, against Model.predict", "")
def image_counts(data, repeats):
    """Different numbers of images must not cause new compilations."""
    X = np.random.default_rng(0).random((300, 784), np.float32)
    ours = MNIST_CONV.estimator(epochs=1, random_state=0).fit(X)
    encoder, counts = ours.encoder_, range(1, 301, 13)
    return Result(
        *time_both(
            lambda: [ours.transform(X[:n]) for n in counts],
            lambda: [encoder.predict(X[:n], verbose=0) for n in counts],
            repeats,
        )
    )


@case("32 threads, 100 calls each of 20 digits: transform, against PCA", "1/1.2")
def threads_32(data, repeats):
    X = load_digits().data
    ours = DIGITS_32.estimator(epochs=1, random_state=0).fit(X / 16)
    pca = PCA(32).fit(X)

    def together(estimator):
        def calls(i):
            for _ in range(100):
                Z = estimator.transform(X[i : i + 20])
            assert np.array_equal(Z, alone[estimator][i])

        with ThreadPoolExecutor(32) as pool:
            list(pool.map(calls, range(32)))

    alone = {
        estimator: [estimator.transform(X[i : i + 20]) for i in range(32)]
        for estimator in (ours, pca)
    }
    return Result(*time_both(lambda: together(ours), lambda: together(pca), repeats))


def _time_calls(ours, baseline, repeats, calls=2000):
    times = [(per_call(ours, calls), per_call(baseline, calls)) for _ in range(repeats)]
    return [list(side) for side in zip(*times, strict=True)]


def _many_rows(name, networks):
    """Register a call on 60000 rows, against the products with the same kernels."""

    def compare(data, repeats):
        X = mnist(data)
        ours = MNIST_DEEP.estimator(epochs=1, random_state=0).fit(X[:2000])
        call = getattr(ours, name)
        kernels = [
            weights
            for network in networks
            for weights in getattr(ours, network).get_weights()
            if weights.ndim == 2
        ]

        def products():
            Z = X
            for kernel in kernels:
                Z = np.dot(Z, kernel)

        return Result(*time_both(lambda: call(X), products, max(repeats, 9)))

    compare.__name__ = "mnist_rows" if name == "transform" else f"mnist_rows_{name}"
    title = f"{name} of 60000 MNIST rows, 784-128-64-32, against the bare products"
    case(title, "1/1.3", needs_data=True)(compare)


_many_rows("transform", ["encoder_"])
_many_rows("reconstruct", ["encoder_", "decoder_"])
