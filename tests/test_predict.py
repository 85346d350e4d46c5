"""Predictions against linear predictors computed by hand, group by group; new levels, subsets, log-likelihood, loo."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayesml.engines import NUTS
from bayesml.errors import DataError, FitWarning, FormulaError, ModelError
from bayesml.formula import bf
from bayesml.results.checks.loo import loo
from bayesml.results.checks.loo_compare import loo_compare
from bayesml.results.predict.prepare import BATCH_OF_DRAWS
from tests.closed_families import CLOSED
from tests.handmade import handmade_fit, sleep

CHAINS, DRAWS = 3, 60
SLOPES = "Reaction ~ Days + (Days | Subject)"


def school_data(n: int = 90, seed: int = 3) -> dict:
    """Schools with classes numbered afresh in each, crossed with raters; a factor, a number, an exposure."""
    rng = np.random.default_rng(seed)
    return {
        "y": rng.normal(size=n),
        "x": rng.normal(2.0, 1.5, n),
        "f": np.tile(["a", "b b", "ç"], n // 3),
        "school": np.repeat([f"s{i}" for i in range(5)], n // 5),
        "cls": rng.integers(1, 4, n),
        "rater": rng.choice(["r/1", "r[2]", "r 3", "r4"], n),
        "log_t": rng.uniform(0.0, 1.0, n),
    }


def frame_of(data: dict, rows=slice(None)) -> dict:
    return {name: np.asarray(column)[rows] for name, column in data.items()}


def values(fit, name):
    return fit.draws_record.stacked()[name]


def coefficient(fit, text):
    return fit[text].values.reshape(-1)


# The linear predictor by hand -----------------------------------------------------------------------------------------


def test_slopes_that_vary_group_by_group():
    data = sleep()
    fit = handmade_fit(SLOPES, data)
    eta = fit.linpred().values.reshape(CHAINS * DRAWS, -1)
    for subject in np.unique(data["Subject"]):
        rows = np.flatnonzero(data["Subject"] == subject)
        intercept = coefficient(fit, "b_Intercept") + coefficient(fit, f"r_Subject[{subject},Intercept]")
        slope = coefficient(fit, "b_Days") + coefficient(fit, f"r_Subject[{subject},Days]")
        expected = intercept[:, None] + slope[:, None] * data["Days"][rows]
        np.testing.assert_allclose(eta[:, rows], expected, rtol=1e-12, atol=1e-12)


def rich_fit(data=None):
    formula = bf(
        "y ~ x * f + offset(log_t) + (1 + x | rater) + (0 + f || school) + (1 | school:cls)",
        sigma="~ x + (1 | rater)",
    )
    return handmade_fit(formula, school_data() if data is None else data)


def rich_mu(fit, data, *, raters=True, schools=True, classes=True):
    """The predictor of mu, row by row from the text names."""
    columns = []
    for i in range(len(data["x"])):
        x, f, school, rater = data["x"][i], data["f"][i], data["school"][i], data["rater"][i]
        eta = coefficient(fit, "b_Intercept") + x * coefficient(fit, "b_x") + data["log_t"][i]
        if f != "a":
            eta = eta + coefficient(fit, f"b_f[{f}]") + x * coefficient(fit, f"b_x:f[{f}]")
        if raters:
            eta = eta + coefficient(fit, f"r_rater[{rater},Intercept]") + x * coefficient(fit, f"r_rater[{rater},x]")
        if schools:
            eta = eta + coefficient(fit, f"r_school[{school},f[{f}]]")
        if classes:
            eta = eta + coefficient(fit, f"r_school:cls[{school}_{data['cls'][i]},Intercept]")
        columns.append(eta)
    return np.stack(columns, axis=1)


def rich_sigma(fit, data, *, raters=True):
    x = np.asarray(data["x"])
    eta = coefficient(fit, "b_sigma_Intercept")[:, None] + coefficient(fit, "b_sigma_x")[:, None] * x
    if raters:
        effects = [coefficient(fit, f"r_rater__sigma[{rater},Intercept]") for rater in data["rater"]]
        eta = eta + np.stack(effects, axis=1)
    return eta


def flat(array):
    return array.values.reshape(CHAINS * DRAWS, -1)


def test_crossed_nested_factor_slopes_offset_and_a_formula_for_sigma():
    data = school_data()
    fit = rich_fit(data)
    np.testing.assert_allclose(flat(fit.linpred()), rich_mu(fit, data), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(flat(fit.linpred(dpar="sigma")), rich_sigma(fit, data), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(flat(fit.epred(dpar="sigma")), np.exp(rich_sigma(fit, data)), rtol=1e-11)
    np.testing.assert_allclose(
        flat(fit.linpred(dpar="sigma", transform=True)), np.exp(rich_sigma(fit, data)), rtol=1e-11
    )


def test_new_rows_in_any_order_and_number(rng):
    data = school_data()
    fit = rich_fit(data)
    rows = rng.integers(0, 90, 37)
    new = frame_of(data, rows)
    del new["y"]
    expected = rich_mu(fit, data)[:, rows]
    np.testing.assert_allclose(flat(fit.linpred(new)), expected, rtol=1e-11, atol=1e-11)
    one = frame_of(data, [17])
    np.testing.assert_allclose(flat(fit.linpred(one))[:, 0], rich_mu(fit, data)[:, 17], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(
    "re_formula, kept",
    [
        (None, {"raters": True, "schools": True, "classes": True}),
        ("NA", {"raters": False, "schools": False, "classes": False}),
        ("~ 0", {"raters": False, "schools": False, "classes": False}),
        (False, {"raters": False, "schools": False, "classes": False}),
        (float("nan"), {"raters": False, "schools": False, "classes": False}),
        ("~ (1 + x | rater)", {"raters": True, "schools": False, "classes": False}),
        ("~ (1 | cls:school) + (0 + f || school)", {"raters": False, "schools": True, "classes": True}),
    ],
)
def test_subsets_of_group_effects(re_formula, kept):
    data = school_data()
    fit = rich_fit(data)
    np.testing.assert_allclose(
        flat(fit.linpred(re_formula=re_formula)), rich_mu(fit, data, **kept), rtol=1e-11, atol=1e-11
    )
    new = frame_of(data, slice(10, 30))
    expected = rich_mu(fit, new, **kept)
    np.testing.assert_allclose(flat(fit.linpred(new, re_formula=re_formula)), expected, rtol=1e-11, atol=1e-11)


def test_a_subset_of_the_columns_of_a_term_in_every_predictor():
    data = school_data()
    fit = rich_fit(data)
    without = rich_mu(fit, data, raters=False, schools=False, classes=False)
    slopes = np.stack([coefficient(fit, f"r_rater[{r},x]") for r in data["rater"]], axis=1)
    found = flat(fit.linpred(re_formula="~ (0 + x | rater)"))
    np.testing.assert_allclose(found, without + slopes * data["x"], rtol=1e-11, atol=1e-11)
    # sigma has the intercepts of raters only.
    found = flat(fit.linpred(dpar="sigma", re_formula="~ (0 + x | rater)"))
    np.testing.assert_allclose(found, rich_sigma(fit, data, raters=False), rtol=1e-11)
    found = flat(fit.linpred(dpar="sigma", re_formula="~ (1 | rater)"))
    np.testing.assert_allclose(found, rich_sigma(fit, data), rtol=1e-11)


@pytest.mark.parametrize(
    "re_formula",
    ["~ (1 | nobody)", "~ (f | rater)", "~ x + (1 | rater)", "(1 | rater)", "~ (1 | f)", 3, "~ (1 |", True],
)
def test_impossible_subsets_list_the_terms_of_the_model(re_formula):
    with pytest.raises(FormulaError) as caught:
        rich_fit().linpred(re_formula=re_formula)
    if re_formula != "~ (1 |":
        assert "(1 + x | rater)" in str(caught.value)


# New data -------------------------------------------------------------------------------------------------------------


def test_only_the_columns_needed_are_read():
    fit = rich_fit()
    new = {"x": [1.0], "f": ["ç"], "log_t": [0.0]}
    assert fit.linpred(new, re_formula="NA").shape == (CHAINS, DRAWS, 1)
    assert fit.linpred({"x": [1.0]}, dpar="sigma", re_formula="NA").shape == (CHAINS, DRAWS, 1)
    with pytest.raises(DataError, match="`rater`.*re_formula"):
        fit.linpred(new)
    with pytest.raises(DataError, match="`log_t`"):
        fit.linpred({"x": [1.0], "f": ["ç"]}, re_formula="NA")


def test_any_data_frame_gives_the_same():
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    data = school_data()
    fit = rich_fit(data)
    frame = pd.DataFrame(data)
    expected = fit.epred(data)
    for same in (frame, frame.assign(f=frame.f.astype("category")), pl.DataFrame(data), pa.table(data)):
        np.testing.assert_array_equal(fit.epred(same).values, expected.values)


def test_bad_new_data_name_the_column():
    fit = rich_fit()
    new = frame_of(school_data(), slice(0, 4))
    with pytest.raises(DataError, match="`x`"):
        fit.epred({**new, "x": [1.0, np.nan, 2.0, 3.0]})
    with pytest.raises(DataError, match="`f`"):
        fit.epred({**new, "f": ["a", "a", "a", "new"]})
    with pytest.raises(DataError, match="`f`"):
        fit.epred({**new, "f": [1.0, 2.0, 3.0, 4.0]})
    with pytest.raises(DataError, match="`x`"):
        fit.epred({**new, "x": [1.0, np.inf, 2.0, 3.0]})
    with pytest.raises(DataError):
        fit.epred("nothing")
    with pytest.raises(DataError, match="no rows"):
        fit.epred(frame_of(new, slice(0, 0)))


def test_numbers_of_groups_match_however_they_are_stored():
    data = sleep() | {"Subject": np.repeat(np.arange(308, 314), 10)}
    fit = handmade_fit(SLOPES, data)
    expected = fit.epred().values[..., :3]
    for stored in ([308, 308, 308], [308.0] * 3, np.array([308] * 3, dtype="int16")):
        new = {"Days": [0.0, 1.0, 2.0], "Subject": stored}
        np.testing.assert_allclose(fit.epred(new).values, expected, rtol=1e-12)


def test_transforms_are_replayed():
    data = school_data()
    fit = handmade_fit("y ~ poly(x, 2) + scale(log_t) + C(cls) + (1 | school)", data)
    rows = [3, 50, 4]
    np.testing.assert_allclose(
        fit.epred(frame_of(data, rows)).values, fit.epred().values[..., rows], rtol=1e-10, atol=1e-12
    )


def test_labels_and_shapes():
    fit = handmade_fit(SLOPES, sleep())
    every = fit.epred()
    assert every.dims == ("chain", "draw", "obs")
    some = fit.epred(ndraws=25, seed=3)
    assert some.dims == ("sample", "obs")
    assert some.shape == (25, 60)
    for sample in (0, 13, 24):
        chain, draw = int(some.chain[sample]), int(some.draw[sample])
        np.testing.assert_array_equal(some.values[sample], every.sel(chain=chain, draw=draw).values)
    table = fit.epred(summary=True)
    assert list(table.columns) == ["Estimate", "Est.Error", "Q2.5", "Q97.5"]
    drawn = every.values.reshape(-1, 60)
    np.testing.assert_allclose(table["Estimate"], drawn.mean(axis=0))
    np.testing.assert_allclose(table["Q97.5"], np.quantile(drawn, 0.975, axis=0))


def test_rows_left_out_of_the_fit_keep_their_positions():
    data = sleep()
    data["Days"] = np.where(np.arange(60) == 4, np.nan, data["Days"])
    with pytest.warns(FitWarning):
        fit = handmade_fit(SLOPES, data)
    assert fit.epred().obs.values.tolist() == [i for i in range(60) if i != 4]


@pytest.mark.parametrize(
    "options",
    [
        {"ndraws": 0},
        {"ndraws": 181},
        {"ndraws": 2.5},
        {"ndraws": True},
        {"seed": -1},
        {"seed": "x"},
        {"new_levels": "no"},
    ],
)
def test_impossible_options(options):
    fit = handmade_fit(SLOPES, sleep())
    with pytest.raises(ModelError):
        fit.predict(**options)


def test_parameters_without_a_formula():
    fit = handmade_fit(SLOPES, sleep())
    with pytest.raises(ModelError, match="epred"):
        fit.linpred(dpar="sigma")
    with pytest.raises(ModelError, match="`sigma`"):
        fit.linpred(dpar="sgima")
    np.testing.assert_array_equal(fit.epred(dpar="sigma").values[..., 7], values(fit, "sigma").reshape(CHAINS, DRAWS))


# Levels that the fit has not seen -------------------------------------------------------------------------------------


MANY = {"chains": 2, "draws": 4000}


def constant(shape, value):
    return np.broadcast_to(np.asarray(value, dtype=float), (MANY["chains"], MANY["draws"], *shape)).copy()


@pytest.fixture
def borrowing():
    effects = np.stack([np.arange(6) * 10.0, np.arange(6) - 100.0], axis=1)
    spread = np.array([20.0, 3.0])
    change = {
        "b": constant((2,), [0.0, 0.0]),
        "r_Subject": constant((6, 2), effects),
        "r_Subject__sigma": constant((6, 1), np.arange(6)[:, None] * 0.1),
        "sd_Subject": constant((2,), spread),
        "cor_Subject": constant((1,), -0.6),
        "b_sigma": constant((1,), [0.0]),
        "sd_Subject__sigma": constant((1,), [0.5]),
    }
    formula = bf(SLOPES, sigma="~ 1 + (1 | Subject)")
    return handmade_fit(formula, sleep(), engine=NUTS(seed=1, **MANY), change=change)


NEW = {"Days": [0.0, 1.0, 0.0, 0.0], "Subject": ["new", "new", "other", "308"]}


def intercept_and_slope(fit, policy, seed=1):
    eta = fit.linpred(NEW, new_levels=policy, seed=seed).values.reshape(-1, 4)
    return eta[:, 0], eta[:, 1] - eta[:, 0], eta[:, 2], eta[:, 3]


def test_unseen_levels_are_refused_by_name(borrowing):
    with pytest.raises(DataError, match=r"`new`, `other`.*uncertainty.*gaussian.*old.*re_formula"):
        borrowing.linpred(NEW)


def test_uncertainty_borrows_one_known_level_for_all_effects(borrowing):
    intercept, slope, other, known = intercept_and_slope(borrowing, "uncertainty")
    donor = intercept / 10.0
    np.testing.assert_array_equal(slope, donor - 100.0)
    np.testing.assert_array_equal(known, 0.0)
    # Every level equally often: chi-square with 5 degrees of freedom.
    counts = np.bincount(np.round(donor).astype(int), minlength=6)
    assert stats.chisquare(counts).pvalue > 1e-4
    # Another new level borrows on its own.
    assert abs(np.corrcoef(intercept, other)[0, 1]) < 4 / np.sqrt(len(other))
    assert stats.chisquare(np.bincount(np.round(other / 10.0).astype(int), minlength=6)).pvalue > 1e-4


def test_all_parameters_borrow_from_the_same_level(borrowing):
    mu = borrowing.linpred(NEW, new_levels="uncertainty", seed=5).values[..., 0]
    sigma = borrowing.linpred(NEW, dpar="sigma", new_levels="uncertainty", seed=5).values[..., 0]
    # Within one call too: residuals have the sd that belongs to the borrowed mean.
    np.testing.assert_allclose(sigma, mu / 100.0, atol=1e-12)
    drawn = borrowing.predict(NEW, new_levels="uncertainty", seed=5).values[..., 0]
    for level in range(6):
        rows = np.isclose(mu, 10.0 * level)
        z = (drawn[rows] - 10.0 * level) / np.exp(0.1 * level)
        assert stats.kstest(z, "norm").pvalue > 1e-4


def test_gaussian_has_the_moments_of_the_model(borrowing):
    intercept, slope, other, known = intercept_and_slope(borrowing, "gaussian")
    n = len(intercept)
    for drawn, sd in ((intercept, 20.0), (slope, 3.0), (other, 20.0)):
        assert stats.kstest(drawn / sd, "norm").pvalue > 1e-4
    correlation = np.corrcoef(intercept, slope)[0, 1]
    assert abs(np.arctanh(correlation) - np.arctanh(-0.6)) < 4 / np.sqrt(n)
    assert abs(np.corrcoef(intercept, other)[0, 1]) < 4 / np.sqrt(n)
    np.testing.assert_array_equal(known, 0.0)
    sigma = borrowing.linpred(NEW, dpar="sigma", new_levels="gaussian", seed=2).values[..., 0].ravel()
    assert stats.kstest(sigma / 0.5, "norm").pvalue > 1e-4


def test_gaussian_at_the_edge_of_the_correlations():
    fit = handmade_fit(SLOPES, sleep(), change={"cor_Subject": np.ones((CHAINS, DRAWS, 1))})
    eta = flat(fit.linpred(NEW, new_levels="gaussian", re_formula="~ (Days | Subject)", seed=1))
    fixed = flat(fit.linpred({"Days": [0.0, 1.0]}, re_formula="NA"))
    effects = np.stack([eta[:, 0] - fixed[:, 0], (eta[:, 1] - fixed[:, 1]) - (eta[:, 0] - fixed[:, 0])], axis=1)
    z = effects / values(fit, "sd_Subject")
    np.testing.assert_allclose(z[:, 0], z[:, 1], rtol=1e-6, atol=1e-6)


def test_old_is_one_level_for_all_draws(borrowing):
    donors = set()
    for seed in range(40):
        intercept, slope, other, _ = intercept_and_slope(borrowing, "old", seed)
        assert np.ptp(intercept) == 0
        np.testing.assert_array_equal(slope, intercept / 10.0 - 100.0)
        assert np.ptp(other) == 0
        donors.add((float(intercept[0]), float(other[0])))
    # 40 throws of two dice with 6 sides: fewer than 15 of the 36 pairs has probability below 1e-6.
    assert len(donors) >= 15


@pytest.mark.parametrize("missing", [None, np.nan])
def test_missing_groups_are_one_new_level(borrowing, missing):
    new = {"Days": [0.0, 0.0, 0.0], "Subject": ["308", missing, missing]}
    new["Subject"] = pd.Series(new["Subject"], dtype=object)
    with pytest.raises(DataError, match=r"`\(missing\)`"):
        borrowing.linpred(new)
    eta = borrowing.linpred(new, new_levels="uncertainty", seed=1).values.reshape(-1, 3)
    np.testing.assert_array_equal(eta[:, 0], 0.0)
    np.testing.assert_array_equal(eta[:, 1], eta[:, 2])
    assert len(np.unique(eta[:, 1])) == 6


def test_missing_number_of_a_group():
    data = sleep() | {"Subject": np.repeat(np.arange(308.0, 314.0), 10)}
    fit = handmade_fit(SLOPES, data)
    new = {"Days": [0.0, 5.0], "Subject": [309.0, np.nan]}
    eta = fit.linpred(new, new_levels="gaussian", seed=1).values
    np.testing.assert_allclose(eta[..., 0], fit.linpred().values[..., 10], rtol=1e-12)


def test_an_absent_grouping_column_is_a_new_level(borrowing):
    eta = borrowing.linpred({"Days": [0.0, 0.0]}, new_levels="uncertainty", seed=1).values.reshape(-1, 2)
    np.testing.assert_array_equal(eta[:, 0], eta[:, 1])
    assert len(np.unique(eta[:, 0])) == 6


def test_a_new_class_in_a_known_school():
    data = school_data()
    fit = rich_fit(data)
    new = frame_of(data, [0, 20])
    new["cls"] = np.array([99, data["cls"][20]])
    found = flat(fit.linpred(new, new_levels="gaussian", seed=1))
    np.testing.assert_allclose(found[:, 1], rich_mu(fit, data)[:, 20], rtol=1e-11, atol=1e-11)
    rest = flat(fit.linpred(new, new_levels="gaussian", seed=1, re_formula="~ (x | rater) + (0 + f || school)"))
    known = rich_mu(fit, data, classes=False)[:, [0, 20]]
    np.testing.assert_allclose(rest, known, rtol=1e-11, atol=1e-11)
    z = (found[:, 0] - known[:, 0]) / coefficient(fit, "sd_school:cls__Intercept")
    assert stats.kstest(z, "norm").pvalue > 1e-4


def test_seeds_repeat_and_change_nothing(borrowing):
    before = {name: value.copy() for name, value in borrowing.draws_record.values.items()}
    first = borrowing.predict(NEW, new_levels="gaussian", seed=7, ndraws=200)
    again = borrowing.predict(NEW, new_levels="gaussian", seed=7, ndraws=200)
    other = borrowing.predict(NEW, new_levels="gaussian", seed=8, ndraws=200)
    np.testing.assert_array_equal(first.values, again.values)
    assert (first.values != other.values).any()
    for name, value in borrowing.draws_record.values.items():
        np.testing.assert_array_equal(value, before[name])


def test_batches_join_without_a_seam(borrowing):
    assert MANY["chains"] * MANY["draws"] > 2 * BATCH_OF_DRAWS
    eta = borrowing.linpred(NEW, new_levels="uncertainty", seed=1).values.reshape(-1, 4)
    starts = np.arange(BATCH_OF_DRAWS, len(eta), BATCH_OF_DRAWS)
    # Donors of one batch do not repeat those of the next.
    assert (eta[: starts[0], 0] != eta[starts[0] : starts[1], 0]).any()


# Families -------------------------------------------------------------------------------------------------------------


RESPONSES = {
    "gaussian": ("y", lambda rng, n: rng.normal(size=n)),
    "student": ("y", lambda rng, n: rng.normal(size=n)),
    "lognormal": ("y", lambda rng, n: rng.lognormal(size=n)),
    "gamma": ("y", lambda rng, n: rng.gamma(2.0, size=n)),
    "beta": ("y", lambda rng, n: rng.beta(2.0, 2.0, size=n)),
    "bernoulli": ("y", lambda rng, n: rng.integers(2, size=n)),
    "poisson": ("y", lambda rng, n: rng.poisson(3.0, size=n)),
    "geometric": ("y", lambda rng, n: rng.poisson(3.0, size=n)),
    "negbinomial": ("y", lambda rng, n: rng.poisson(3.0, size=n)),
    "binomial": ("y | trials(k)", lambda rng, n: rng.binomial(5, 0.4, size=n)),
}


def family_fit(name: str, rng, n: int = 24):
    left, draw = RESPONSES[name]
    data = {
        "y": draw(rng, n), "x": rng.normal(size=n), "g": np.tile(["a", "b", "c", "d"], n // 4), "k": np.full(n, 5),
    }  # fmt: skip
    engine = NUTS(draws=4000, chains=1, seed=1)
    fit = handmade_fit(f"{left} ~ x + (1 | g)", data, name, engine=engine)
    small = {
        variable: 4.0 + value if variable in ("shape", "phi", "nu") else 0.2 * value
        for variable, value in fit.draws_record.values.items()
    }
    return handmade_fit(f"{left} ~ x + (1 | g)", data, name, engine=engine, change=small), data


def test_every_family_with_closed_forms_is_here():
    assert set(RESPONSES) == set(CLOSED)


@pytest.mark.parametrize("name", RESPONSES)
def test_the_expected_response_is_the_mean_of_predictions(name, rng):
    fit, _ = family_fit(name, rng)
    expected, drawn = fit.epred().values[0], fit.predict(seed=3).values[0]
    difference = drawn - expected
    z = difference.mean(axis=0) / (difference.std(axis=0, ddof=1) / np.sqrt(len(difference)))
    assert np.abs(z).max() < 4.8
    spread = fit.residuals(type="pearson", method="predict", seed=3).values[0]
    assert np.isfinite(spread).all()
    scaled = (difference / np.sqrt(variance(fit))).var(axis=0)
    assert abs(np.median(scaled) - 1) < 0.1


def variance(fit):
    ordinary = fit.residuals().values[0]
    pearson = fit.residuals(type="pearson").values[0]
    return (ordinary / np.where(pearson == 0, 1, pearson)) ** 2


@pytest.mark.parametrize("name", RESPONSES)
def test_replay_on_the_data_of_the_fit_changes_nothing(name, rng):
    fit, data = family_fit(name, rng)
    for method in ("linpred", "epred", "residuals", "log_lik"):
        own, replayed = getattr(fit, method)(), getattr(fit, method)(data)
        np.testing.assert_allclose(replayed.values, own.values, rtol=1e-10, atol=1e-10)
    order = rng.permutation(24)
    permuted = fit.log_lik(frame_of(data, order)).values
    np.testing.assert_allclose(permuted, fit.log_lik().values[..., order], rtol=1e-10, atol=1e-10)


def test_links_are_applied(rng):
    fit, _ = family_fit("binomial", rng)
    eta = fit.linpred().values
    np.testing.assert_allclose(fit.linpred(transform=True).values, 1 / (1 + np.exp(-eta)), rtol=1e-12)
    np.testing.assert_allclose(fit.epred().values, 5 / (1 + np.exp(-eta)), rtol=1e-12)
    np.testing.assert_allclose(fit.epred(dpar="mu").values, 1 / (1 + np.exp(-eta)), rtol=1e-12)


def test_trials_of_new_data(rng):
    fit, data = family_fit("binomial", rng)
    new = {"x": [0.0, 0.0], "g": ["a", "a"], "k": [1, 10]}
    expected = fit.epred(new).values
    np.testing.assert_allclose(expected[..., 1], 10 * expected[..., 0], rtol=1e-12)
    with pytest.raises(DataError, match="`k`"):
        fit.predict({"x": [0.0], "g": ["a"]})
    assert fit.linpred({"x": [0.0], "g": ["a"]}).shape[-1] == 1
    with pytest.raises(DataError, match="trials"):
        fit.epred({**new, "k": [1.5, 2.0]})


def test_known_standard_errors(rng):
    data = sleep() | {"s": rng.uniform(1.0, 2.0, 60)}
    fit = handmade_fit("Reaction | se(s) ~ Days + (1 | Subject)", data)
    y, eta = data["Reaction"], fit.linpred().values
    np.testing.assert_allclose(fit.log_lik().values, stats.norm.logpdf(y, eta, data["s"]), rtol=1e-10)
    with pytest.raises(DataError, match="`s`"):
        fit.predict({"Days": [1.0], "Subject": ["308"]})


def test_bernoulli_knows_which_category_is_one_in_new_data(rng):
    data = sleep() | {"passed": np.tile(["no", "yes"], 30)}
    fit = handmade_fit("passed ~ Days + (1 | Subject)", data, "bernoulli")
    only = frame_of(data, np.arange(1, 60, 2))
    np.testing.assert_allclose(fit.log_lik(only).values, fit.log_lik().values[..., 1::2], rtol=1e-10)
    with pytest.raises(DataError):
        fit.log_lik({**only, "passed": np.full(30, "maybe")})


# Log-likelihood -------------------------------------------------------------------------------------------------------


def test_the_log_likelihood_by_hand():
    data = school_data()
    fit = rich_fit(data)
    expected = stats.norm.logpdf(data["y"], rich_mu(fit, data), np.exp(rich_sigma(fit, data)))
    np.testing.assert_allclose(flat(fit.log_lik()), expected, rtol=1e-9, atol=1e-9)


def test_weights_multiply(rng):
    data = sleep() | {"w": rng.uniform(0.0, 3.0, 60)}
    fit = handmade_fit("Reaction | weights(w) ~ Days + (1 | Subject)", data)
    y, eta, sigma = data["Reaction"], fit.linpred().values, fit["sigma"].values[..., None]
    expected = data["w"] * stats.norm.logpdf(y, eta, sigma)
    np.testing.assert_allclose(fit.log_lik().values, expected, rtol=1e-9)
    np.testing.assert_allclose(fit.log_lik(frame_of(data, [5, 2])).values, expected[..., [5, 2]], rtol=1e-9)
    assert fit.epred({"Days": [1.0], "Subject": ["308"]}).shape[-1] == 1


def test_blocks_of_rows_and_draws(monkeypatch):
    from bayesml.results.checks import log_lik as module

    fit = handmade_fit(SLOPES, sleep())
    whole = fit.log_lik().values
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(module, "NUMBERS_AT_ONCE", 80)
    np.testing.assert_allclose(fit.log_lik().values, whole, rtol=1e-13)


def test_the_response_is_needed_for_residuals():
    fit = handmade_fit(SLOPES, sleep())
    new = {"Days": [1.0], "Subject": ["308"]}
    for method in (fit.residuals, fit.log_lik):
        with pytest.raises(DataError, match="`Reaction`"):
            method(new)
    found = fit.residuals({**new, "Reaction": [300.0]}).values
    np.testing.assert_allclose(found, 300.0 - fit.epred(new).values)
    with pytest.raises(ModelError):
        fit.residuals(type="deviance")
    with pytest.raises(ModelError):
        fit.residuals(method="draw")


# Leave-one-out --------------------------------------------------------------------------------------------------------


def exact_fit(rng, n=40, draws=2000):
    """Normal data with known sd and a flat prior: the posterior of the mean, and leave-one-out, in closed form."""
    y = rng.normal(3.0, 2.0, n)
    mean = rng.normal(y.mean(), 2.0 / np.sqrt(n), (4, draws, 1))
    change = {"b": mean, "sigma": np.full((4, draws), 2.0)}
    return handmade_fit("y ~ 1", {"y": y}, engine=NUTS(draws=draws, chains=4), change=change), y


def test_loo_is_the_closed_form(rng):
    fit, y = exact_fit(rng)
    n = len(y)
    left_out = (y.sum() - y) / (n - 1)
    exact = stats.norm.logpdf(y, left_out, 2.0 * np.sqrt(1 + 1 / (n - 1)))
    result = loo(fit, pointwise=True)
    found = np.asarray(result.loo_i if "loo_i" in dir(result) else result.elpd_i)
    # The importance weights have k well below 0.5 here; 8,000 draws leave an error below 0.01 for each row.
    np.testing.assert_allclose(found, exact, atol=0.02)
    assert np.asarray(result.pareto_k).max() < 0.5


def test_loo_without_points(rng):
    fit, _ = exact_fit(rng)
    long, short = loo(fit, pointwise=True), loo(fit, pointwise=False)
    value = "elpd_loo" if "elpd_loo" in dir(long) else "elpd"
    assert getattr(long, value) == getattr(short, value)
    assert getattr(short, "pareto_k", None) is None
    assert "elpd" in str(short)


def test_loo_warns_about_rows_it_cannot_leave_out(rng):
    data = sleep()
    engine = NUTS(draws=700, chains=4)
    effects = rng.normal(0.0, 60.0, (4, 700, 6, 2))
    fit = handmade_fit(SLOPES, data, engine=engine, change={"r_Subject": effects, "sigma": np.full((4, 700), 5.0)})
    with pytest.warns(FitWarning, match="Pareto k above 0.7"):
        loo(fit)


def test_few_draws_ask_for_more(rng):
    """With 40 draws the limit is 1 - 1 / log10(40) = 0.376 (Vehtari et al. 2024, section 3.2.4)."""
    fit, _ = exact_fit(rng, n=4, draws=10)
    k = np.asarray(loo_quietly(fit).pareto_k)
    assert ((k > 0.376) & (k < 0.7)).any()
    with pytest.warns(FitWarning, match="more iterations"):
        loo(fit)


def loo_quietly(fit):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return loo(fit)


def test_models_are_compared(rng):
    fit, y = exact_fit(rng)
    worse = handmade_fit(
        "y ~ 1",
        {"y": y},
        engine=fit.engine,
        change={"b": fit.draws_record.values["b"] + 2.0, "sigma": np.full((4, 2000), 2.0)},
    )
    table = loo_compare({"worse": worse, "better": fit})
    assert list(table.index) == ["better", "worse"]
    short = handmade_fit("y ~ 1", {"y": y[:-1]}, engine=fit.engine)
    with pytest.raises(ModelError, match="numbers of observations"):
        loo_compare({"a": fit, "b": short})
    with pytest.raises(ModelError, match="at least two"):
        loo_compare({"a": fit})
