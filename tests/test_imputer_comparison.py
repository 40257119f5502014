"""compare_imputers hides values, and measures what imputers fill in."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.preprocessing import scale

from skautoenc import AutoencoderImputer, compare_imputers


class Recorder(BaseEstimator):
    """Fills zeros, and keeps what all its clones were given."""

    seen = []

    def fit(self, X, y=None):
        self.seen.append(X)
        return self

    def transform(self, X):
        return np.nan_to_num(X)


@pytest.fixture(scope="module")
def table():
    """Eight columns of breast cancer data, and a category of the first one."""
    X = scale(load_breast_cancer().data[:, :8])
    return np.column_stack([X, np.digitize(X[:, 0], [-0.5, 0.5])])


def hidden_by(table, **params):
    """Which values of the rows of the first split are hidden."""
    Recorder.seen = []
    compare_imputers({"zeros": Recorder()}, table, cv=2, random_state=0, **params)
    train = np.array_split(np.arange(len(table)), 2)[1]
    assert len(Recorder.seen[0]) == len(train)
    return np.isnan(Recorder.seen[0])


def test_compare_imputers_measures_errors_in_standard_deviations(table):
    result = compare_imputers(
        {"mean": SimpleImputer(), "neighbours": KNNImputer()},
        1000 * table,
        cv=3,
        random_state=0,
    )
    assert result["imputer"].tolist() == ["mean"] * 3 + ["neighbours"] * 3
    assert result["split"].tolist() == [0, 1, 2] * 2
    assert result["test_error"][:3] == pytest.approx(1, abs=0.15)
    assert (result["test_error"][3:] < 0.7).all()
    assert (result["fit_time"] >= 0).all()
    assert "test_accuracy" not in result


@pytest.mark.parametrize("features", [[8], ["c8"]])
def test_compare_imputers_counts_right_categories(table, features):
    X = pd.DataFrame(table).add_prefix("c")
    result = compare_imputers(
        {
            "most frequent": SimpleImputer(strategy="most_frequent"),
            "autoencoder": AutoencoderImputer(hidden_layer_sizes=(), random_state=0),
        },
        X,
        categorical_features=features,
        cv=3,
        random_state=0,
    )
    shares = np.bincount(table[:, 8].astype(int)) / len(table)
    assert result["test_accuracy"][:3].mean() == pytest.approx(shares.max(), abs=0.1)
    assert result["test_accuracy"][3:].mean() > 0.75


def test_mechanism_random_hides_a_fraction_of_the_values(table):
    hidden = hidden_by(table, fraction=0.3)
    assert hidden.mean(axis=0) == pytest.approx(0.3, abs=0.1)


def test_mechanism_blocks_hides_adjacent_columns(table):
    hidden = hidden_by(table, mechanism="blocks", fraction=0.2)
    assert hidden.mean() == pytest.approx(0.2, abs=0.04)
    assert set(hidden.sum(axis=1)) == {0, 3}  # 30 % of nine columns
    ends = (hidden & ~np.roll(hidden, 1, axis=1)).sum(axis=1)
    assert set(ends) == {0, 1}


def test_mechanism_dependent_hides_values_by_those_of_another_column(table):
    hidden = hidden_by(table, mechanism="dependent", fraction=0.2)
    rows = table[np.array_split(np.arange(len(table)), 2)[1]]
    columns = np.flatnonzero(hidden.any(axis=0))
    assert len(columns) == 4
    assert hidden.mean() == pytest.approx(0.2, abs=0.06)
    others = np.setdiff1d(np.arange(9), columns)
    for column in columns:
        assert any(
            (rows[hidden[:, column], other] > np.median(table[:, other])).all()
            for other in others
        )


def test_compare_imputers_hides_known_values_only_and_leaves_one_in_each_column(table):
    X = table.copy()
    X[:, 0] = np.nan
    X[400, 0] = 1.0
    X[::2, 1] = np.nan
    imputers = {"mean": SimpleImputer(keep_empty_features=True)}
    result = compare_imputers(imputers, X, fraction=0.9, cv=2, random_state=0)
    assert np.isfinite(result["train_error"]).all()


def test_random_state_hides_the_same_values(table):
    first, again = (hidden_by(table) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_verbose_prints_a_line_for_each_fit(table, n_jobs, capsys):
    imputers = {"mean": SimpleImputer(), "neighbours": KNNImputer()}
    params = {"categorical_features": [8], "cv": 3, "random_state": 0}
    result = compare_imputers(imputers, table, n_jobs=n_jobs, verbose=1, **params)
    lines = capsys.readouterr().out.splitlines()
    starts, ends = zip(*(line.split("] ") for line in lines), strict=True)
    assert list(starts) == [f"[{i}/6" for i in range(1, 7)]
    error, accuracy, time = (
        result[key][-1] for key in ("test_error", "test_accuracy", "fit_time")
    )
    shown = f"error {error:.4g}, accuracy {accuracy:.4g}, fit {time:.2f} s"
    assert f"neighbours, split 2: {shown}" in ends
    quiet = compare_imputers(imputers, table, **params)
    assert capsys.readouterr() == ("", "")
    for key in ("imputer", "split", "train_error", "test_error", "test_accuracy"):
        np.testing.assert_array_equal(quiet[key], result[key])


def test_verbose_leaves_out_the_error_where_no_number_is_hidden(table, capsys):
    params = {"categorical_features": [0, 1], "cv": 2, "random_state": 0}
    imputers = {"most frequent": SimpleImputer(strategy="most_frequent")}
    compare_imputers(imputers, np.round(table[:, :2]), verbose=1, **params)
    for line in capsys.readouterr().out.splitlines():
        assert "split" in line
        assert "error" not in line


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cv": []}, "cv gives no splits"),
        ({"mechanism": "rows"}, "mechanism must be one of"),
        ({"fraction": 0}, "fraction must be a number above 0"),
        ({"fraction": 1.0}, "fraction must be a number above 0 and below 1"),
        ({"fraction": 0.4, "mechanism": "blocks"}, "at most 0.3"),
        ({"fraction": 0.3, "mechanism": "dependent"}, "at most 0.25"),
        ({"fraction": 1e-9}, "hides no value of X"),
        ({"categorical_features": [9]}, "positions from 0 to 8; got 9"),
        ({"categorical_features": ["colour"]}, "'colour', which is not a column"),
    ],
)
def test_compare_imputers_refuses_invalid_parameters(table, params, message):
    with pytest.raises(ValueError, match=message):
        compare_imputers({"mean": SimpleImputer()}, table, random_state=0, **params)


def test_compare_imputers_refuses_text_and_invalid_imputers(table):
    with pytest.raises(ValueError, match="Encode text with OrdinalEncoder"):
        compare_imputers({"mean": SimpleImputer()}, [["a", 1.0], ["b", 2.0]])
    with pytest.raises(TypeError, match="imputers must be a dict"):
        compare_imputers(SimpleImputer(), table)
    with pytest.raises(TypeError, match=r"imputers\['mean'\] is a class"):
        compare_imputers({"mean": SimpleImputer}, table)
    adds_columns = {"mean": SimpleImputer(add_indicator=True)}
    with pytest.raises(ValueError, match="must return all columns") as caught:
        compare_imputers(adds_columns, table)
    assert caught.value.__notes__ == ["Raised for the imputer 'mean' in split 0."]
