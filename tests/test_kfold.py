"""waic(), kfold() and weights of models: against R's loo, and against exact densities of a conjugate model."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayesml
from bayesml.errors import FitWarning, ModelError
from bayesml.results.checks.elpd import standard_error
from bayesml.results.checks.folds import fold_of_rows
from bayesml.results.checks.loo_compare import stacking_weights
from bayesml.results.checks.model_weights import pseudo_bma_weights
from bayesml.results.checks.waic import density_and_penalty
from bayesml.results.fits.refitting import without_rows

FACTS = json.loads((Path(__file__).parent / "facts" / "loo_weights.json").read_text())
N, SIGMA, PRIOR_SD = 18, 2.0, 3.0


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    g = np.repeat(["a", "b", "c", "d", "e", "f"], 3)
    return {"y": rng.normal(1.0, SIGMA, N), "x": rng.normal(size=N), "g": g, "f": np.resize(["u", "v"], N)}


@pytest.fixture(scope="module")
def conjugate(data):
    priors = [bayesml.prior(f"normal(0, {PRIOR_SD})", "Intercept"), bayesml.prior(f"constant({SIGMA})", "sigma")]
    return bayesml.fit("y ~ 1", data, prior=priors, chains=2, draws=1500, warmup=200, seed=1, progress=False)


@pytest.fixture(scope="module")
def slopes(data):
    return bayesml.fit("y ~ x", data, method="laplace").to_normal_draws(400, seed=1)


@pytest.fixture(scope="module")
def groups(data):
    shifted = {**data, "y": data["y"] + np.repeat([-6.0, 4.0, 0.0, 7.0, -3.0, 2.0], 3)}
    return bayesml.fit("y ~ f + (1 | g)", shifted, method="ml").to_normal_draws(400, seed=1)


def test_waic_has_the_numbers_of_r() -> None:
    s, i = np.arange(1, 9)[:, None], np.arange(1, 6)
    lppd, p = density_and_penalty(-1.0 - 0.3 * i + 0.4 * np.sin(s * i))
    found = np.column_stack([lppd - p, p, -2.0 * (lppd - p)])
    np.testing.assert_allclose(found, FACTS["pointwise"], rtol=1e-10)
    totals = [(column.sum(), standard_error(column)) for column in found.T]
    np.testing.assert_allclose(totals, FACTS["waic"], rtol=1e-10)


def test_waic_of_a_fit(slopes) -> None:
    values = slopes.log_lik().to_numpy().reshape(-1, N)
    p = values.var(axis=0, ddof=1)
    if (p > 0.4).any():
        with pytest.warns(FitWarning, match="p_waic above 0.4"):
            found = slopes.waic()
    else:
        found = slopes.waic()
    assert found.p_waic == pytest.approx(p.sum())
    assert found.elpd_waic == pytest.approx((logsumexp(values, axis=0) - np.log(len(values)) - p).sum())
    assert found.estimates.loc["waic", "SE"] == pytest.approx(2.0 * found.se)
    assert "elpd_waic" in repr(found) and f"{found.elpd:.1f}" in repr(found)


def test_waic_warns_where_it_is_unreliable(groups) -> None:
    p = groups.log_lik().to_numpy().reshape(-1, N).var(axis=0, ddof=1)
    assert (p > 0.4).any()
    with pytest.warns(FitWarning, match=f"{(p > 0.4).sum()} of 18 observations"):
        groups.waic()


def exact(y: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
    """Return mean and variance of the posterior of the mean without some rows."""
    kept = np.delete(y, rows)
    precision = 1.0 / PRIOR_SD**2 + len(kept) / SIGMA**2
    return kept.sum() / SIGMA**2 / precision, 1.0 / precision


def test_folds_have_their_exact_densities(conjugate, data) -> None:
    folds = np.arange(N) % 3
    found = conjugate.kfold(folds=folds)
    expected, joint = np.empty(N), []
    for k in range(3):
        rows = np.flatnonzero(folds == k)
        mean, variance = exact(data["y"], rows)
        expected[rows] = stats.norm.logpdf(data["y"][rows], mean, np.sqrt(variance + SIGMA**2))
        covariance = SIGMA**2 * np.eye(len(rows)) + variance
        joint.append(stats.multivariate_normal.logpdf(data["y"][rows], np.full(len(rows), mean), covariance))
    # The density of a row varies by less than a third of itself over the posterior: of 3,000 draws, some 1,000 of them
    # independent, the mean has a relative error of about 0.01.
    np.testing.assert_allclose(found.pointwise["elpd_kfold"], expected, atol=0.05)
    assert found.K == 3 and found.se == pytest.approx(np.sqrt(N * found.contributions.var(ddof=1)))
    assert found.p_kfold == pytest.approx(found.pointwise["p_kfold"].sum())
    together = conjugate.kfold(folds=folds, joint=True)
    # of six rows the relative standard deviation is about 1: an error of about 0.03
    np.testing.assert_allclose(together.pointwise["elpd_kfold"], joint, atol=0.15)


@pytest.mark.parametrize(("rows", "is_the_same_model"), [([0, 4, 8], True), ([0, 1, 2, 4], False)])
def test_refits_are_fits_of_the_remaining_rows(data, rows: list[int], is_the_same_model: bool) -> None:
    """Without rows of every level the encodings stay, whose structure finds the compiled program; estimates agree."""
    weighted = {**data, "w": np.linspace(0.5, 2.0, N), "y": data["y"] + np.repeat([-6.0, 4.0, 0.0, 7.0, -3.0, 2.0], 3)}
    formula = "y | weights(w) ~ x + f + (1 | g)"
    fit = bayesml.fit(formula, weighted, method="reml").to_normal_draws(4000, seed=1)
    refit = without_rows(fit, np.array(rows))
    direct = bayesml.fit(formula, {name: np.delete(values, rows) for name, values in weighted.items()}, method="reml")
    assert (refit.problem.description is fit.problem.description) is is_the_same_model
    assert refit.nobs == N - len(rows)
    expected, found = direct.fixef(), refit.fixef()
    for name in found.index:
        # of 4,000 independent draws the mean has an error of an sd / 63
        assert found.loc[name, "Estimate"] == pytest.approx(
            expected.loc[name, "Estimate"], abs=5.0 * found.loc[name, "Est.Error"] / 63.0
        )


def test_an_executor_gives_the_same(slopes) -> None:
    alone = slopes.kfold(K=3)
    with ThreadPoolExecutor(2) as executor:
        np.testing.assert_array_equal(slopes.kfold(K=3, executor=executor).contributions, alone.contributions)
    assert pickle.loads(pickle.dumps(alone)).elpd_kfold == alone.elpd_kfold


def test_groups_are_left_out_one_by_one(groups) -> None:
    found = groups.kfold(group="g", K=None)
    assert found.K == 6
    np.testing.assert_array_equal(found.folds, np.repeat(np.arange(6), 3))
    # Nothing is known of a group that was left out but how groups differ.
    assert found.elpd < groups.kfold(K=6).elpd
    joint = groups.kfold(group="g", K=None, joint="group")
    assert len(joint.pointwise) == 6 and joint.elpd > found.elpd
    np.testing.assert_array_equal(joint.contributions, groups.kfold(group="g", K=None, joint="fold").contributions)


@pytest.mark.parametrize("seed", range(5))
def test_divisions_are_balanced(seed: int) -> None:
    levels = np.repeat(np.arange(7), [9, 3, 5, 10, 4, 4, 7])
    random = fold_of_rows(42, 5, "random", None, seed)
    assert set(np.bincount(random)) == {8, 9}
    stratified = fold_of_rows(42, 5, "stratified", levels, seed)
    for level in range(7):
        counts = np.bincount(stratified[levels == level], minlength=5)
        assert np.ptp(counts) <= 1
    grouped = fold_of_rows(42, 3, "grouped", levels, seed)
    assert all(len(set(grouped[levels == level])) == 1 for level in range(7)) and set(grouped) == {0, 1, 2}
    np.testing.assert_array_equal(fold_of_rows(42, 3, None, levels, seed), grouped)
    np.testing.assert_array_equal(fold_of_rows(42, 10, "loo", None, seed), np.arange(42))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"K": 1}, "from 2 to the number of rows"),
        ({"K": 19}, "which is 18; got 19"),
        ({"K": 2.5}, "whole number"),
        ({"K": True}, "whole number"),
        ({"K": None}, "needs `group=`"),
        ({"folds": "blocked"}, '"random", "stratified", "grouped", "loo"'),
        ({"folds": "stratified"}, "needs `group=`"),
        ({"folds": [0, 1]}, "each of the 18 rows"),
        ({"folds": np.zeros(18, dtype=int)}, "one fold alone"),
        ({"folds": np.linspace(0, 1, 18)}, "type float64"),
        ({"group": "G"}, "no column `G`"),
        ({"group": "g"}, "K=None leaves out one level after the other"),
        ({"group": [1, 2]}, "shape"),
        ({"group": [None] + ["a"] * 17}, "missing values in 1 of 18"),
        ({"joint": "group"}, "needs `group=`"),
        ({"joint": "row"}, '"obs"'),
        ({"joint": None}, '"obs"'),
        ({"new_levels": "error!"}, "uncertainty"),
        ({"executor": 4}, "method `map`"),
        ({"folds": np.resize([0, 1], 18)}, "all rows of the level 'u' of `f`"),
    ],
)
def test_impossible_arguments_are_refused(groups, arguments, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        groups.kfold(**arguments)


def test_kinds_and_folds_are_compared_only_with_their_like(slopes, data) -> None:
    other = bayesml.fit("y ~ 1", data, method="laplace").to_normal_draws(400, seed=1)
    one, two = slopes.kfold(K=3), other.kfold(K=3)
    table = bayesml.loo_compare({"slopes": one, "mean": two})
    difference = two.contributions - one.contributions
    worse = table.index[1]
    assert abs(table.loc[worse, "elpd_diff"]) == pytest.approx(abs(difference.sum()))
    assert table.loc[worse, "se_diff"] == pytest.approx(np.sqrt(N * difference.var(ddof=1)))
    assert table.loc["slopes", "elpd_kfold"] == one.elpd and table.loc["slopes", "se_elpd_kfold"] == one.se
    with pytest.raises(ModelError, match="`a` is kfold, `b` is a fit"):
        bayesml.loo_compare({"a": one, "b": other})
    with pytest.raises(ModelError, match="folds of `fit1` and `fit2` differ"):
        bayesml.loo_compare(one, other.kfold(K=3, seed=2))
    with pytest.raises(ModelError, match="jointly"):
        bayesml.loo_compare(one, other.kfold(K=3, joint=True))
    changed = bayesml.fit("y ~ x", {**data, "y": data["y"] + 1.0}, method="laplace").to_normal_draws(400, seed=1)
    with pytest.raises(ModelError, match="different responses"):
        bayesml.loo_compare(one, changed.kfold(K=3))
    weights = bayesml.loo_model_weights([one, two])
    np.testing.assert_allclose(weights, stacking_weights(np.stack([one.contributions, two.contributions], axis=1)))
    assert list(weights.index) == ["fit1", "fit2"]
    for arguments, message in [({"method": "bma"}, '"pseudobma"'), ({"BB": 1}, "`BB`"), ({"BB_n": 0}, "`BB_n`")]:
        with pytest.raises(ModelError, match=message):
            bayesml.loo_model_weights(one, two, **arguments)
    with pytest.raises(ModelError, match="at least two"):
        bayesml.loo_model_weights(one)


def test_weights_have_the_numbers_of_r() -> None:
    i = np.arange(1, 13)
    densities = np.column_stack([np.sin(i) - 1.5, np.cos(i) - 1.4, np.sin(2 * i) - 1.6])
    np.testing.assert_allclose(stacking_weights(densities), FACTS["stacking"], atol=1e-4)
    np.testing.assert_allclose(pseudo_bma_weights(densities, 0, 1), FACTS["pseudobma"], rtol=1e-10)
    # Of 20,000 replications the standard error is below 0.5 / sqrt(20,000) = 0.0035.
    np.testing.assert_allclose(pseudo_bma_weights(densities, 20_000, 1), FACTS["pseudobma_plus"], atol=0.012)
