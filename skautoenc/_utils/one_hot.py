"""Groups of one-hot columns: found in data, checked, and their probabilities."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from .blocks import iterate_blocks

Groups = tuple[tuple[int, ...], ...]

# Maximum difference between a sum of shares and 1.
_TOLERANCE = 1e-4


class OneHotColumns(NamedTuple):
    """The columns of all groups, side by side.

    Attributes
    ----------
    columns : ndarray of shape (n_columns,)
        Their positions among all columns.

    starts, sizes : ndarray of shape (n_groups,)
        Where each group begins in `columns`, and the number of its columns.
    """

    columns: NDArray[np.intp]
    starts: NDArray[np.intp]
    sizes: NDArray[np.intp]

    @classmethod
    def of(cls, groups: Groups) -> Self:
        """Return the columns of groups."""
        sizes = np.array([len(group) for group in groups], np.intp)
        return cls(np.concatenate(groups), np.cumsum(sizes) - sizes, sizes)

    def log_softmax(self, logits: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the logarithms of the probabilities in each group.

        Parameters
        ----------
        logits : ndarray of shape (n_samples, n_features)
            The columns of the groups are read.

        Returns
        -------
        ndarray of shape (n_samples, n_columns)
            In the order of `columns`.
        """
        values = logits[:, self.columns]
        values -= self.spread(np.maximum.reduceat(values, self.starts, axis=1))
        sums = np.add.reduceat(np.exp(values), self.starts, axis=1)
        values -= self.spread(np.log(sums, out=sums))
        return values

    def spread(self, values: NDArray) -> NDArray:
        """Repeat the last axis, one value for each group, for each column."""
        return np.repeat(values, self.sizes, axis=-1)


def with_probabilities(
    logits: NDArray[np.floating], groups: Groups
) -> NDArray[np.floating]:
    """Return rows whose columns of groups are probabilities in place of logits.

    Parameters
    ----------
    logits : ndarray of shape (n_samples, n_features)
    groups : tuple of tuple of int
    """
    hot = OneHotColumns.of(groups)
    rows = logits.copy()
    rows[:, hot.columns] = np.exp(hot.log_softmax(logits))
    return rows


def resolve_groups(
    groups: Any,
    X: Any,
    name: str = "X",
    feature_names: Sequence[str] | NDArray | None = None,
) -> Groups:
    """Return the groups that `one_hot_groups` asks for, after checks against data.

    Parameters
    ----------
    groups : sequence of sequence of int, "auto" or None
        ``"auto"`` finds them in the data.

    X : {ndarray, CSR matrix, ChunkedArray} of shape (n_samples, n_features)
    name : str, default="X"
        Name of `X`, for errors.

    feature_names : sequence of str or None, default=None
        A column of zeros belongs to the group before it if their names begin alike.

    Raises
    ------
    ValueError
        If groups overlap, have columns that do not exist, or do not hold shares that
        sum to 1 in each row.
    """
    if groups is None:
        return ()
    if isinstance(groups, str):
        return _find_groups(X, feature_names)
    groups = tuple(tuple(map(int, group)) for group in groups)
    check_positions(groups, X.shape[1])
    for rows, block in iterate_blocks(X):
        for position, group in enumerate(groups):
            columns = block[:, list(group)]
            _check_shares(f"one_hot_groups[{position}]", columns, rows.start, name)
    return groups


def check_positions(groups: Sequence[Sequence[int]], n_features: int) -> None:
    """Raise a ValueError if groups overlap, or have columns that do not exist."""
    seen: set[int] = set()
    for position, group in enumerate(groups):
        where = f"one_hot_groups[{position}]"
        if len(group) < 2:
            raise ValueError(
                f"{where} has {len(group)} column(s); a group of one-hot columns has "
                "at least 2. Leave out columns that hold a number."
            )
        outside = [i for i in group if not 0 <= i < n_features]
        if outside:
            raise ValueError(
                f"{where} has the column {outside[0]}, but X has {n_features} columns, "
                f"0 to {n_features - 1}."
            )
        again = seen.intersection(group)
        if again or len(set(group)) < len(group):
            column = min(again) if again else max(group, key=list(group).count)
            raise ValueError(
                f"The column {column} is in one_hot_groups more than once. Give each "
                "column to at most one group."
            )
        seen.update(group)


def _check_shares(where, block, start, name):
    """Raise a ValueError unless the columns are shares that sum to 1 in each row.

    `start` is the position of the first row of the block.
    """
    block = block.toarray() if issparse(block) else block
    sums = block.sum(axis=1, dtype=np.float64)
    wrong = (np.abs(sums - 1) > _TOLERANCE) | (block < 0).any(axis=1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"{where} is not a group of one-hot columns: in row {start + row} of "
            f"{name} its {block.shape[1]} columns sum to {sums[row]:.4g}, not to 1, or "
            "one is negative. Encode the column with OneHotEncoder without `drop`, do "
            "not scale the result, and leave out other columns."
        )


def _find_groups(X, feature_names):
    """Return the groups of adjacent columns of 0 and 1 of which one is 1 in each row.

    Of such columns no two are 1 in the same row, and their numbers of ones sum to the
    number of rows. A column of zeros, a category without rows, can belong to the group
    before or behind it.
    """
    n_samples, n_features = X.shape
    is_binary = np.ones(n_features, bool)
    for _, block in iterate_blocks(X):
        if issparse(block):
            other = block.indices[block.data != 1]
            is_binary[other[block.data[block.data != 1] != 0]] = False
        else:
            is_binary &= ((block == 0) | (block == 1)).all(axis=0)
    columns = np.flatnonzero(is_binary)
    together = np.zeros((len(columns), len(columns)))
    for _, rows in iterate_blocks(X):
        block = rows[:, columns].astype(np.float32)
        products = block.T @ block
        together += products.toarray() if issparse(products) else products
    groups, i = [], 0
    while i < len(columns):
        group = _group_from(i, columns, together, n_samples)
        if group:
            group += _categories_without_rows(group, columns, together, feature_names)
            groups.append(tuple(map(int, columns[group])))
        i += max(len(group), 1)
    return tuple(groups)


def _group_from(i, columns, together, n_samples):
    """Return the positions of the group that begins with a column; empty if none."""
    group, n_ones = [], 0.0
    while i < len(columns):
        is_adjacent = not group or columns[i] == columns[group[-1]] + 1
        if not is_adjacent or together[i, group].any():
            return []
        group.append(i)
        n_ones += together[i, i]
        if n_ones == n_samples:
            return group if len(group) > 1 else []
        i += 1
    return []


def _categories_without_rows(group, columns, together, feature_names):
    """Return columns of zeros behind a group whose names begin as those of the group.

    `OneHotEncoder` joins the name of a column and its category by "_".
    """
    found = []
    if feature_names is None:
        return found
    names = [str(feature_names[columns[i]]) for i in group]
    starts = [names[0][: i + 1] for i, sign in enumerate(names[0]) if sign == "_"]
    prefix = max((s for s in starts if all(n.startswith(s) for n in names)), default="")
    for i in range(group[-1] + 1, len(columns)):
        is_next = columns[i] == columns[i - 1] + 1 and not together[i, i]
        name = str(feature_names[columns[i]])
        if not (prefix and is_next and name.startswith(prefix)):
            break
        found.append(i)
    return found
