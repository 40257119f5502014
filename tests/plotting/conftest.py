"""Fixtures of the tests of displays, which use a backend without a screen."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA


@pytest.fixture(autouse=True)
def _figures_are_closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def labels():
    return load_digits().target[:300]


@pytest.fixture(scope="module")
def pca(digits):
    return PCA(6).fit(digits)
