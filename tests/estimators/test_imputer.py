"""AutoencoderImputer."""

import numpy as np
import pandas as pd
import polars
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skautoenc import AutoencoderImputer
from skautoenc._imputation import gaussian
from skautoenc._imputation.cells import (
    Validation,
    blend_weight,
    hold_out_cells,
    scale_of,
)
from skautoenc._imputation.factors import fit_factors
from skautoenc._imputation.gaussian import Gaussian, _inverses, fit_gaussian


def quick(**params):
    return AutoencoderImputer(
        **{"hidden_layer_sizes": (16,), "epochs": 20, "random_state": 0, **params}
    )


def with_holes(X, share=0.2, seed=0):
    return np.where(np.random.default_rng(seed).random(X.shape) < share, np.nan, X)


@pytest.fixture(scope="module")
def curved():
    """Rows near a curved surface, in columns of different scales."""
    rng = np.random.default_rng(0)
    t = rng.uniform(-2, 2, (600, 2))
    columns = [t[:, 0], t[:, 1], t[:, 0] ** 2, t[:, 0] * t[:, 1], np.sin(2 * t[:, 1])]
    X = np.stack(columns * 2, axis=1) + 0.05 * rng.normal(size=(600, 10))
    return X * np.logspace(-3, 3, 10) + 10


@pytest.fixture(scope="module")
def holes(curved):
    return with_holes(curved)


@pytest.fixture(scope="module")
def fitted(holes):
    """A fitted imputer, not to be changed."""
    return quick().fit(holes)


def error(filled, X, holes):
    return np.sqrt(np.mean(((filled - X) / X.std(axis=0))[np.isnan(holes)] ** 2))


def test_observed_values_come_back_bit_for_bit(fitted, curved, holes):
    observed = ~np.isnan(holes)
    for dtype in (np.float64, np.float32):
        X = holes.astype(dtype)
        before = X.copy()
        filled = fitted.transform(X)
        assert filled.dtype == dtype
        assert np.isfinite(filled).all()
        np.testing.assert_array_equal(filled[observed], X[observed])
        np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(fitted.transform(curved), curved)


def test_filled_values_are_within_the_observed_range(fitted, holes):
    filled = fitted.transform(10 * holes)
    added = np.where(np.isnan(holes), filled, np.nan)
    assert (np.nanmin(added, axis=0) >= np.nanmin(holes, axis=0)).all()
    assert (np.nanmax(added, axis=0) <= np.nanmax(holes, axis=0)).all()


def test_the_networks_lower_the_error_of_curved_data(curved, holes):
    start = quick(hidden_layer_sizes=()).fit(holes[:400])
    blend = quick(hidden_layer_sizes=(64, 64), epochs=300).fit(holes[:400])
    assert (start.network_weight_, start.history_, start.n_iter_) == (0, [], 0)
    assert 0.3 < blend.network_weight_ <= 1
    for rows in (slice(0, 400), slice(400, 600)):
        before, after = (
            error(imputer.transform(holes[rows]), curved[rows], holes[rows])
            for imputer in (start, blend)
        )
        assert after < 0.8 * before


def test_the_error_is_lower_than_that_of_other_imputers():
    X = load_breast_cancer().data
    holes = with_holes(X)
    ours = error(AutoencoderImputer(random_state=0).fit_transform(holes), X, holes)
    for other in (KNNImputer(), IterativeImputer(tol=0.1, random_state=0)):
        assert ours < error(other.fit_transform(holes), X, holes)


def test_history_has_the_errors_of_each_epoch(fitted):
    assert len(fitted.history_) == 2
    for losses in fitted.history_:
        assert set(losses) == {"loss", "val_loss"}
        assert 0.1 < losses["val_loss"][-1] < losses["val_loss"][0] < 2
    assert fitted.n_iter_ == sum(len(losses["loss"]) for losses in fitted.history_)


def test_random_state_determines_the_weights(holes, fitted):
    other = quick(random_state=1).fit(holes)
    assert other.history_ != fitted.history_
    assert not np.array_equal(other.transform(holes), fitted.transform(holes))


def test_n_iter_no_change_stops_the_training(holes):
    imputer = quick(epochs=500, n_iter_no_change=2).fit(holes)
    for losses in imputer.history_:
        assert len(losses["val_loss"]) == np.argmin(losses["val_loss"]) + 3 < 500


def test_history_has_one_network_if_n_iter_no_change_stops_it_and_it_does_not_help():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 10))
    imputer = quick(epochs=500, n_iter_no_change=2).fit(with_holes(X))
    assert imputer.network_weight_ < 0.1
    assert len(imputer.history_) == 1
    assert imputer.n_iter_ == len(imputer.history_[0]["loss"])
    assert np.isfinite(imputer.transform(with_holes(X))).all()


def test_verbose_prints_epochs(holes, capsys):
    quick(verbose=10, n_iter_no_change=20).fit(holes)
    lines = capsys.readouterr().out
    assert "Network 1 of 2, epoch 20/20" in lines
    assert "Network 2 of 2, epoch 20/20" in lines


def test_few_values_are_filled_without_a_network():
    X = [[1, 2, np.nan], [3, 4, 3], [np.nan, 6, 5], [8, 8, 7]]
    imputer = AutoencoderImputer(random_state=0).fit(X)
    filled = imputer.transform(X)
    assert imputer.network_weight_ == 0
    assert 1 <= filled[2, 0] <= 8
    assert 3 <= filled[0, 2] <= 7


def test_rows_and_columns_without_values_in_transform_are_filled(fitted, holes):
    center = np.nanmean(holes, axis=0)
    empty = fitted.transform(np.full((1, 10), np.nan))[0]
    assert (np.abs(empty - center) < np.nanstd(holes, axis=0)).all()
    X = holes.copy()
    X[:, 3] = np.nan
    assert np.isfinite(fitted.transform(X)).all()


def test_a_row_is_filled_alone_as_among_others(fitted, holes):
    together = fitted.transform(holes)
    alone = np.vstack([fitted.transform(row[None]) for row in holes[:20]])
    np.testing.assert_allclose(alone, together[:20], rtol=1e-6)


def test_fit_takes_a_row_without_values_and_a_column_with_one(holes):
    X = holes.copy()
    X[5] = np.nan
    X[1:, 2] = np.nan
    X[0, 2] = 7.0
    filled = quick().fit_transform(X)
    assert (filled[:, 2] == 7.0).all()
    assert np.isfinite(filled).all()


def test_a_constant_column_is_filled_exactly(holes):
    X = holes.copy()
    X[:, 4] = np.where(np.isnan(X[:, 4]), np.nan, 0.1)
    assert (quick().fit_transform(X)[:, 4] == 0.1).all()


def test_missing_values_can_be_a_number(curved, holes):
    X = curved.copy()
    X[:, 0] = 0.0  # zeros that are not missing
    is_missing = np.isnan(holes) & (np.arange(10) > 0)
    as_nan = quick().fit_transform(np.where(is_missing, np.nan, X))
    as_number = quick(missing_values=-1).fit_transform(np.where(is_missing, -1, X))
    np.testing.assert_array_equal(as_number, as_nan)
    assert (as_nan[:, 0] == 0).all()


def test_integers_and_pandas_na_are_filled(holes):
    frame = pd.DataFrame(holes).round().add_prefix("c").astype("Int64")
    assert frame.isna().to_numpy().any()
    filled = quick(missing_values=pd.NA).set_output(transform="pandas")
    filled = filled.fit_transform(frame)
    assert list(filled.columns) == list(frame.columns)
    expected = quick().fit_transform(np.round(holes))
    np.testing.assert_array_equal(filled.to_numpy(), expected)
    np.testing.assert_array_equal(quick().fit_transform(frame), expected)


def test_pandas_na_among_python_objects_is_filled(holes):
    objects = pd.DataFrame(holes).astype(object)
    objects = objects.where(objects.notna(), pd.NA)
    expected = quick().fit_transform(holes)
    before = objects.copy()
    np.testing.assert_array_equal(quick().fit_transform(objects), expected)
    pd.testing.assert_frame_equal(objects, before)
    np.testing.assert_array_equal(quick().fit_transform(objects.to_numpy()), expected)


def test_polars_null_is_filled(holes):
    frame = polars.DataFrame(holes).with_columns(polars.all().fill_nan(None))
    np.testing.assert_array_equal(
        quick().fit_transform(frame), quick().fit_transform(holes)
    )


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("add", [False, True])
def test_columns_are_those_of_simple_imputer(holes, keep, add):
    X = pd.DataFrame(holes).add_prefix("c")
    X["c3"], X["c5"] = np.nan, 1.0
    params = {"keep_empty_features": keep, "add_indicator": add}
    ours, other = quick(**params), SimpleImputer(**params)
    for imputer in (ours, other):
        imputer.set_output(transform="pandas")
    if keep:
        filled = ours.fit_transform(X)
    else:
        with pytest.warns(UserWarning, match=r"1 column.* left out: c3\. Set keep_emp"):
            filled = ours.fit_transform(X)
    expected = other.fit(X.assign(c3=np.nan)).get_feature_names_out()
    assert list(filled.columns) == list(expected)
    if keep:
        assert (filled["c3"] == 0).all()
    if add:
        indicated = filled["missingindicator_c0"]
        np.testing.assert_array_equal(indicated, X["c0"].isna())
        assert "missingindicator_c5" not in filled


def test_sample_posterior_draws_anew_in_each_call(curved, holes):
    X = np.random.default_rng(3).normal(size=(800, 6)) @ np.random.default_rng(
        4
    ).normal(size=(6, 6))
    holes = with_holes(X, 0.3)
    is_missing = np.isnan(holes)
    imputer = quick(sample_posterior=True, hidden_layer_sizes=()).fit(holes)
    draws = np.stack([imputer.transform(holes) for _ in range(30)])
    assert (draws[:, ~is_missing] == holes[~is_missing]).all()
    mean = quick(hidden_layer_sizes=()).fit(holes).transform(holes)
    errors, deviations = (X - mean)[is_missing], (draws - mean)[:, is_missing]
    assert deviations.std() == pytest.approx(errors.std(), rel=0.1)
    again = quick(sample_posterior=True, hidden_layer_sizes=()).fit(holes)
    np.testing.assert_array_equal(again.transform(holes), draws[0])


def test_sample_posterior_keeps_the_covariance_that_means_shrink():
    rng = np.random.default_rng(0)
    X = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], 3000)
    holes = X.copy()
    holes[:1500, 1] = np.nan
    drawn = quick(sample_posterior=True).fit_transform(holes)[:1500]
    filled = quick().fit_transform(holes)[:1500]
    assert np.var(drawn[:, 1]) == pytest.approx(1, abs=0.12)
    assert np.var(filled[:, 1]) < 0.5
    assert np.corrcoef(drawn.T)[0, 1] == pytest.approx(0.6, abs=0.06)


def test_wide_tables_are_filled_by_a_factor_model():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 3)) @ rng.normal(size=(3, 250))
    X += 0.1 * rng.normal(size=X.shape)
    holes = with_holes(X)
    imputer = quick(hidden_layer_sizes=()).fit(holes[:100])
    for rows in (slice(0, 100), slice(100, 150)):
        filled = imputer.transform(holes[rows])
        assert error(filled, X[rows], holes[rows]) < 0.2
    imputer.set_params(sample_posterior=True)
    drawn = imputer.transform(holes) - imputer.set_params(
        sample_posterior=False
    ).transform(holes)
    assert drawn[np.isnan(holes)].std() == pytest.approx(0.1, rel=0.3)


def test_imputer_is_a_step_of_a_pipeline_and_of_a_search():
    X, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(
        StandardScaler(), quick(), LogisticRegression(max_iter=1000)
    )
    grid = {"autoencoderimputer__hidden_layer_sizes": [(), (8,)]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(with_holes(X), y)
    assert search.best_score_ > 0.9


def test_imputer_fills_some_columns_of_a_frame(holes):
    frame = pd.DataFrame(holes).add_prefix("c").assign(word="a")
    columns = make_column_transformer((quick(), [f"c{i}" for i in range(10)]))
    np.testing.assert_array_equal(
        columns.fit_transform(frame), quick().fit_transform(holes)
    )


def nan_in(X):
    return np.where(X[2, 3] == X, np.nan, X)


@pytest.mark.parametrize(
    ("params", "change", "message"),
    [
        ({}, lambda X: np.full_like(X, np.nan), "X has no observed value"),
        ({}, lambda X: np.where(X > 10.5, np.inf, X), "infinity"),
        ({}, lambda X: X * 1e300, "infinity or a value too large"),
        ({"missing_values": -1}, nan_in, "NaN, but missing_values=-1. Set missing_v"),
        ({"missing_values": "?"}, nan_in, "missing_values must be a finite number"),
        ({"missing_values": np.inf}, nan_in, "missing_values must be a finite number"),
        ({"missing_values": True}, nan_in, "missing_values must be a finite number"),
        ({"missing_values": None}, nan_in, "missing_values must be a finite number"),
        ({}, lambda X: X[:, :, None], "AutoencoderImputer takes.*X.reshape"),
        ({"hidden_layer_sizes": (0,)}, nan_in, "hidden_layer_sizes must hold"),
        ({"epochs": 0}, nan_in, "'epochs' parameter"),
        ({"batch_size": 2.5}, nan_in, "'batch_size' parameter"),
        ({"n_iter_no_change": True}, nan_in, "'n_iter_no_change' parameter"),
        ({"sample_posterior": "yes"}, nan_in, "'sample_posterior' parameter"),
        ({"keep_empty_features": 1.5}, nan_in, "'keep_empty_features' parameter"),
        ({"add_indicator": "yes"}, nan_in, "'add_indicator' parameter"),
        ({"verbose": -1}, nan_in, "'verbose' parameter"),
        ({"random_state": "seed"}, nan_in, "'random_state' parameter"),
        (
            {},
            lambda X: pd.DataFrame(X).add_prefix("c").assign(town="Rome"),
            "text in column 'town', such as 'Rome'.*OneHotEncoder",
        ),
    ],
)
def test_invalid_input_is_refused_and_changes_nothing(curved, params, change, message):
    X = curved.copy()
    fitted = quick().fit(X[:50])
    names = set(vars(fitted))
    fitted.set_params(**params)
    with pytest.raises(ValueError, match=message):
        fitted.fit(change(X))
    assert set(vars(fitted)) == names
    fitted.set_params(**quick().get_params())
    np.testing.assert_array_equal(fitted.transform(X[:50]), X[:50])


def test_transform_refuses_rows_with_infinity_or_other_columns(fitted, holes):
    with pytest.raises(ValueError, match="infinity"):
        fitted.transform(np.full((2, 10), np.inf))
    with pytest.raises(ValueError, match="10 features"):
        fitted.transform(holes[:, :9])


def test_fit_gaussian_finds_the_distribution_behind_the_holes():
    rng = np.random.default_rng(0)
    covariance = np.array([[1, 0.8, 0.3], [0.8, 1, 0.1], [0.3, 0.1, 1]])
    X = rng.multivariate_normal(np.zeros(3), covariance, 20_000)
    # Missing values of column 1 depend on column 0: a mean of the observed is biased.
    observed = np.ones(X.shape, bool)
    observed[:, 1] = X[:, 0] < 0.5
    held_out = hold_out_cells(observed, 0.1, rng)
    known = observed & ~held_out
    validation = Validation(X, known, held_out)
    _, model = fit_gaussian(X, known, observed, validation, rng)
    assert X[observed[:, 1], 1].mean() < -0.3
    np.testing.assert_allclose(model.mean, 0, atol=0.05)
    np.testing.assert_allclose(model.covariance, covariance, atol=0.05)


def test_fit_gaussian_ends_near_a_fixed_point_of_em():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 9)) + rng.normal(size=(300, 9))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    observed = rng.random(X.shape) > 0.4
    everything = Validation(X, observed, ~observed)
    _, model = fit_gaussian(X, observed, observed, everything, rng)
    precision = np.linalg.inv(model.covariance)
    filled, conditional = model.fill(X, observed), np.zeros((9, 9))
    for missing in ~observed:
        part = np.ix_(missing, missing)
        conditional[part] += np.linalg.inv(precision[part])
    expected = np.cov(filled.T, bias=True) + conditional / len(X)
    np.testing.assert_allclose(model.mean, filled.mean(axis=0), atol=0.01)
    np.testing.assert_allclose(model.covariance, expected, atol=0.05)


def test_fit_gaussian_of_a_sample_of_many_rows_ends_as_that_of_all(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6000, 3)) @ rng.normal(size=(3, 6))
    X += rng.normal(size=X.shape)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    observed = rng.random(X.shape) > 0.3
    validation = Validation(X, observed, ~observed)
    of_all, _ = fit_gaussian(X, observed, observed, validation, rng)
    monkeypatch.setattr(gaussian, "_MAX_ROWS_OF_PATH", 1000)
    of_sample, last = fit_gaussian(X, observed, observed, validation, rng)
    assert np.abs(of_sample.covariance - of_all.covariance).max() > 0.02
    np.testing.assert_allclose(last.covariance, of_all.covariance, atol=0.02)


def test_inverses_are_those_of_numpy():
    rng = np.random.default_rng(0)
    for size in (1, 12, 13, 40):
        roots = rng.normal(size=(20, size, 2 * size))
        matrices = roots @ roots.transpose(0, 2, 1)
        np.testing.assert_allclose(
            _inverses(matrices), np.linalg.inv(matrices), rtol=1e-8, atol=1e-10
        )


def test_gaussian_fill_is_the_regression_on_observed_values():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    model = Gaussian(rng.normal(size=5), root @ root.T + np.eye(5))
    X, observed = rng.normal(size=(40, 5)), rng.random((40, 5)) > 0.4
    filled = model.fill(X, observed)
    for row, seen, found in zip(X, observed, filled, strict=True):
        within = model.covariance[np.ix_(seen, seen)]
        across = model.covariance[np.ix_(~seen, seen)]
        difference = row[seen] - model.mean[seen]
        expected = model.mean[~seen] + across @ np.linalg.solve(within, difference)
        np.testing.assert_allclose(found[~seen], expected, atol=1e-10)
        np.testing.assert_array_equal(found[seen], row[seen])


def test_gaussian_deviations_have_the_conditional_covariance():
    covariance = np.array([[1, 0.8, 0.3], [0.8, 1, 0.1], [0.3, 0.1, 1]])
    observed = np.tile([True, False, False], (100_000, 1))
    model = Gaussian(np.zeros(3), covariance)
    drawn = model.deviations(observed, np.random.default_rng(0))
    assert (drawn[:, 0] == 0).all()
    across = covariance[1:, :1]
    expected = covariance[1:, 1:] - across @ across.T
    np.testing.assert_allclose(np.cov(drawn[:, 1:].T), expected, atol=0.02)


def test_fit_factors_finds_the_covariance_behind_the_holes():
    rng = np.random.default_rng(0)
    loadings, noise = rng.normal(size=(40, 2)), rng.uniform(0.1, 0.5, 40)
    X = rng.normal(size=(2000, 2)) @ loadings.T
    X += np.sqrt(noise) * rng.normal(size=X.shape)
    scale = X.std(axis=0)
    X, loadings, noise = X / scale, loadings / scale[:, None], noise / scale**2
    observed = rng.random(X.shape) > 0.3
    held_out = hold_out_cells(observed, 0.1, rng)
    known = observed & ~held_out
    validation = Validation(X, known, held_out)
    _, model = fit_factors(X, known, observed, validation, rng)
    found, expected = (a @ a.T + np.diag(b) for a, b in (model[1:], (loadings, noise)))
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_scale_of_uses_observed_values():
    X = np.array([[1.0, 5.0, 1e9], [3.0, 5.0, 2e9], [99.0, 5.0, -7.0]])
    observed = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0]], bool)
    scale = scale_of(X, observed)
    np.testing.assert_allclose(scale.mean, [2, 5, 1.5e9])
    np.testing.assert_allclose(scale.deviation, [1, 1, 5e8])
    np.testing.assert_array_equal(scale.low, [1, 5, 1e9])
    np.testing.assert_array_equal(scale.high, [3, 5, 2e9])


def test_hold_out_cells_leaves_a_value_in_each_column():
    observed = np.random.default_rng(0).random((300, 40)) < 0.5
    observed[:, 0] = np.arange(300) == 7
    for seed in range(30):
        rng = np.random.default_rng(seed)
        held_out = hold_out_cells(observed, 0.5, rng)
        assert not held_out[~observed].any()
        assert (observed & ~held_out).any(axis=0).all()
    assert held_out.sum() == pytest.approx(0.5 * observed.sum(), rel=0.05)


def test_blend_weight_without_noise_has_the_least_squares_in_the_unit_interval():
    rng = np.random.default_rng(0)
    start, other = rng.normal(size=(2, 50, 4))
    cells = rng.random((50, 4)) < 0.5
    for share in (-0.5, 0.0, 0.3, 1.0, 1.5):
        X = start + share * (other - start)
        weight = blend_weight(start, other, X, cells)
        assert weight == pytest.approx(np.clip(share, 0, 1))
    assert blend_weight(start, start, X, cells) == 0


def test_blend_weight_is_lower_by_two_standard_errors():
    rng = np.random.default_rng(0)
    start, other = rng.normal(size=(2, 5000, 4))
    everywhere = np.ones(start.shape, bool)
    weights = [
        blend_weight(start, other, start + 0.5 * (other - start) + noise, everywhere)
        for noise in 3 * rng.normal(size=(100, *start.shape))
    ]
    error = 3 / np.sqrt(np.square(other - start).sum())
    assert np.mean(weights) == pytest.approx(0.5 - 2 * error, abs=0.5 * error)
    assert np.std(weights) == pytest.approx(error, rel=0.25)
