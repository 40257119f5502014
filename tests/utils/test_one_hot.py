"""Groups of one-hot columns are found in data, and those that are given are checked."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import softmax
from sklearn.preprocessing import OneHotEncoder

from skautoenc._utils.one_hot import resolve_groups, with_probabilities

CATEGORIES = np.array([["a", "x"], ["b", "y"], ["c", "x"], ["a", "y"], ["b", "x"]])


@pytest.fixture
def encoded():
    """A number, a group of 3 columns, a group of 2 columns, and a binary number."""
    groups = OneHotEncoder(sparse_output=False).fit_transform(CATEGORIES)
    rng = np.random.default_rng(0)
    return np.column_stack([rng.normal(size=5), groups, [1, 0, 0, 1, 1]])


@pytest.mark.parametrize("convert", [np.asarray, csr_matrix])
def test_resolve_groups_finds_the_groups_of_a_one_hot_encoder(encoded, convert):
    assert resolve_groups("auto", convert(encoded)) == ((1, 2, 3), (4, 5))


def test_resolve_groups_finds_no_group_among_numbers():
    X = np.random.default_rng(0).integers(0, 3, (50, 4)).astype(float)
    assert resolve_groups("auto", X) == ()


def test_resolve_groups_takes_a_constant_column_as_a_number(encoded):
    X = np.column_stack([np.ones(5), encoded])
    assert resolve_groups("auto", X) == ((2, 3, 4), (5, 6))


def test_resolve_groups_assigns_a_category_without_rows_by_its_name():
    encoder = OneHotEncoder(
        categories=[["a", "b", "c", "d"], ["x", "y"]], sparse_output=False
    )
    X = encoder.fit_transform(CATEGORIES)
    names = encoder.get_feature_names_out(["letter", "sign"])
    groups = resolve_groups("auto", X, feature_names=names)
    assert groups == ((0, 1, 2, 3), (4, 5))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([[1, 2, 3], [3, 4]], "column 3 is in one_hot_groups more than once"),
        ([[1, 2, 2]], "column 2 is in one_hot_groups more than once"),
        ([[1, 2, 9]], r"one_hot_groups\[0\] has the column 9, but X has 7 columns"),
        ([[4, 5], [1]], r"one_hot_groups\[1\] has 1 column"),
        ([[1, 2]], r"one_hot_groups\[0\] is not a group.*in row 2 of X.*sum to 0"),
        ([[0, 1]], r"one_hot_groups\[0\] is not a group.*in row 0 of X"),
    ],
)
@pytest.mark.parametrize("convert", [np.asarray, csr_matrix])
def test_resolve_groups_refuses_groups_that_are_not_one_hot(
    encoded, groups, message, convert
):
    with pytest.raises(ValueError, match=message):
        resolve_groups(groups, convert(encoded))


def test_with_probabilities_is_the_softmax_of_each_group():
    logits = np.random.default_rng(0).normal(scale=30, size=(20, 7)).astype(np.float32)
    before = logits.copy()
    rows = with_probabilities(logits, ((5, 1), (2, 3, 6)))
    for group in ([5, 1], [2, 3, 6]):
        np.testing.assert_allclose(
            rows[:, group], softmax(logits[:, group], axis=1), rtol=1e-5, atol=1e-30
        )
    np.testing.assert_array_equal(rows[:, [0, 4]], logits[:, [0, 4]])
    np.testing.assert_array_equal(logits, before)
