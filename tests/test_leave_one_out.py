"""Leave-one-out densities beyond loo() itself: exact refits, predictions, R2, averages of models."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import bayesml
from bayesml.errors import FitWarning, ModelError
from bayesml.results.checks.averages import draws_of_models
from bayesml.results.checks.loo_predict import weighted_quantiles
from bayesml.results.checks.loo_r2 import bootstrapped_r2
from bayesml.results.checks.loo_subsample import difference_estimate
from bayesml.results.checks.psis import leave_one_out, smoothed_weights
from bayesml.results.fits.refitting import without_rows

FACTS = json.loads((Path(__file__).parent / "facts" / "loo.json").read_text())
N, SIGMA, PRIOR_SD = 18, 2.0, 3.0
RESPONSE = 1.4 * np.sin(np.arange(1, 13)) + 0.3 * np.cos(5 * np.arange(1, 13))


def made_log_lik() -> np.ndarray:
    """Return the log-likelihood of tests/facts/loo.R, ``(rows, draws)``."""
    s, i = np.arange(1, 401), np.arange(1, 13)[:, None]
    return -1 - 0.1 * i * (np.sin(s * (i + 1)) + 1.3) ** 2 - 0.02 * i * ((s * 7) % 11)


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    y = rng.normal(1.0, SIGMA, N)
    y[4] = 14.0  # an outlier
    return {"y": y, "x": rng.normal(size=N), "g": np.repeat(["a", "b", "c", "d", "e", "f"], 3)}


@pytest.fixture(scope="module")
def conjugate(data):
    priors = [bayesml.prior(f"normal(0, {PRIOR_SD})", "Intercept"), bayesml.prior(f"constant({SIGMA})", "sigma")]
    return bayesml.fit("y ~ 1", data, prior=priors, chains=2, draws=1500, warmup=200, seed=1, progress=False)


@pytest.fixture(scope="module")
def slopes(data):
    return bayesml.fit("y ~ x + (1 | g)", shifted(data), method="laplace").to_normal_draws(400, seed=1)


@pytest.fixture(scope="module")
def mean(data):
    return bayesml.fit("y ~ 1", shifted(data), method="laplace").to_normal_draws(400, seed=1)


def shifted(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return data whose groups differ."""
    return {**data, "y": data["y"] + np.repeat([-6.0, 4.0, 0.0, 7.0, -3.0, 2.0], 3)}


def exact(y: np.ndarray) -> np.ndarray:
    """Return log p(y_i | y without y_i) of the conjugate model."""
    precision = 1.0 / PRIOR_SD**2 + (N - 1) / SIGMA**2
    return stats.norm.logpdf(y, (y.sum() - y) / SIGMA**2 / precision, np.sqrt(1.0 / precision + SIGMA**2))


# Weights --------------------------------------------------------------------------------------------------------------


def test_weights_are_those_of_r() -> None:
    log_weights, k = smoothed_weights(-made_log_lik())
    np.testing.assert_allclose(log_weights[:, :5].T, FACTS["log_weights"], rtol=1e-9)
    np.testing.assert_allclose(k, FACTS["k"], atol=1e-8)
    together = leave_one_out(made_log_lik())
    np.testing.assert_allclose(together.elpd, FACTS["elpd"], rtol=1e-9)
    np.testing.assert_allclose(np.log(np.exp(log_weights + made_log_lik()).sum(axis=1)), together.elpd, rtol=1e-10)
    np.testing.assert_array_equal(together.pareto_k, k)


def test_weights_of_equal_ratios_are_equal() -> None:
    log_weights, k = smoothed_weights(np.zeros((2, 50)))
    np.testing.assert_allclose(log_weights, -np.log(50))
    np.testing.assert_array_equal(k, 0.0)


def test_weighted_statistics_are_those_of_r() -> None:
    weights = np.exp(smoothed_weights(-made_log_lik())[0])
    s, i = np.arange(1, 401), np.arange(1, 13)[:, None]
    expected = np.sin(i) + 0.4 * np.cos(s * i + 0.3 * s)
    mean = (weights * expected).sum(axis=1)
    np.testing.assert_allclose(mean, FACTS["mean"], rtol=1e-8)
    np.testing.assert_allclose(weighted_quantiles(weights, expected, (0.1, 0.5, 0.8)).T, FACTS["quantiles"], rtol=1e-7)
    drawn = bootstrapped_r2(RESPONSE, mean, np.random.default_rng(1))
    average, sd = FACTS["r2"]
    # of 4,000 draws the mean has an error of an sd / 63, the sd itself of about an sd / 50 with the tails of a share
    assert drawn.mean() == pytest.approx(average, abs=4 * sd / 63)
    assert drawn.std() == pytest.approx(sd, rel=0.1)


# Exact refits ---------------------------------------------------------------------------------------------------------


def test_refits_have_the_exact_density(conjugate, data) -> None:
    k = np.sort(smoothed_weights(-conjugate.log_lik().to_numpy().reshape(-1, N).T)[1])
    threshold = 0.5 * (k[-2] + k[-1])
    with pytest.warns(FitWarning, match=r"1 observation .*\(index of the row: 4\).*`reloo=True`.*without it"):
        approximate = conjugate.loo(k_threshold=threshold)
    found = conjugate.loo(reloo=True, k_threshold=threshold)
    # The density of the outlier varies by about 1.2 of itself over the posterior: of some 1,000 independent draws of
    # 3,000 its mean has a relative error of 0.04.
    assert found.evidence.found.elpd[4] == pytest.approx(exact(data["y"])[4], abs=0.15)
    assert float(found.pareto_k[4]) == 0.0
    others = np.delete(np.arange(N), 4)
    np.testing.assert_array_equal(found.evidence.found.elpd[others], approximate.evidence.found.elpd[others])
    again = conjugate.reloo(approximate, k_threshold=threshold)
    np.testing.assert_array_equal(again.evidence.found.elpd, found.evidence.found.elpd)


@pytest.mark.filterwarnings("ignore:.*Pareto k")
def test_rows_are_chosen_and_an_executor_gives_the_same(slopes) -> None:
    alone = slopes.reloo(rows=[0, 5])
    with ThreadPoolExecutor(2) as executor:
        together = slopes.reloo(rows=np.array([5, 0]), executor=executor)
    np.testing.assert_array_equal(alone.evidence.found.elpd, together.evidence.found.elpd)
    np.testing.assert_array_equal(np.asarray(alone.pareto_k)[[0, 5]], 0.0)
    restored = pickle.loads(pickle.dumps(alone))
    assert str(restored) == str(alone)
    np.testing.assert_array_equal(restored.evidence.found.elpd, alone.evidence.found.elpd)


@pytest.mark.filterwarnings("ignore:.*Pareto k")
def test_results_are_compared_in_the_place_of_fits(slopes, mean, data) -> None:
    one = slopes.reloo(rows=[4])
    table = bayesml.loo_compare({"slopes": one, "mean": mean})
    assert table.loc["slopes", "elpd_loo"] == pytest.approx(one.evidence.found.elpd.sum())
    weights = bayesml.loo_model_weights([one, mean.loo()])
    assert weights.sum() == pytest.approx(1.0) and list(weights.index) == ["fit1", "fit2"]
    changed = bayesml.fit("y ~ x", {**data, "y": data["y"] + 0.5}, method="laplace").to_normal_draws(400, seed=1)
    with pytest.raises(ModelError, match="different responses"):
        bayesml.loo_compare(one, changed.loo())
    with pytest.raises(ModelError, match="for log\\(y\\) write y with family lognormal"):
        positive = {**data, "y": np.abs(data["y"]) + 1.0}
        bayesml.loo_compare(
            *(
                bayesml.fit(f"{response} ~ x", positive, method="laplace").to_normal_draws(40, seed=1).loo()
                for response in ("y", "log(y)")
            )
        )
    with pytest.raises(ModelError, match="for the same fit"):
        slopes.reloo(mean.loo())


def test_many_bad_rows_are_better_refitted_in_folds(slopes) -> None:
    with pytest.warns(FitWarning, match=r"18 observations .*`groups=\"integrate\"`.*use `kfold\(K=10\)`"):
        slopes.loo(k_threshold=0.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k_threshold": "low"}, "by default 0.7"),
        ({"k_threshold": True}, "`k_threshold`"),
        ({"k_threshold": float("nan")}, "`k_threshold`"),
        ({"rows": [18]}, "from 0 to 17"),
        ({"rows": [0.5]}, "whole numbers"),
        ({"rows": "first"}, "whole numbers"),
        ({"executor": 3}, "method `map`"),
        ({"loo": 3}, r"what fit.loo\(\) returned"),
    ],
)
def test_impossible_refits_are_refused(slopes, arguments, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        slopes.reloo(**arguments)


def test_the_only_row_of_a_level_stays(data) -> None:
    f = np.array(["u", *["v"] * (N - 1)])
    fit = bayesml.fit("y ~ f", {**data, "f": f}, method="laplace").to_normal_draws(40, seed=1)
    with pytest.raises(ModelError, match="The row 0 has all rows of the level 'u' of `f`"):
        fit.reloo(rows=[0])


def test_a_level_without_rows_has_effects_from_their_distribution() -> None:
    """The refit keeps the level and so the compiled program; its effects vary as those of groups do."""
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(12), 3)
    data = {"y": rng.normal(size=12)[g] + rng.normal(size=36), "g": g.astype(str)}
    fit = bayesml.fit("y ~ 1 + (1 | g)", data, chains=2, draws=1000, seed=1, progress=False)
    refit = without_rows(fit, np.arange(3), keep_levels=True)
    assert refit.problem.description is fit.problem.description and refit.nobs == 33
    sd, effects = (refit.draws_record.values[name] for name in ("sd_g", "r_g"))
    # of 2,000 draws a standard deviation has a relative error of 1 / sqrt(4000), with heavy tails twice that
    assert effects[:, :, 0].std() == pytest.approx(np.sqrt((sd**2).mean()), rel=0.13)
    assert abs(effects[:, :, 0].mean()) < 0.12
    assert effects[:, :, 1].std() < 0.75 * effects[:, :, 0].std()
    without = without_rows(fit, np.arange(3))
    assert without.problem.description is not fit.problem.description


# Predictions ----------------------------------------------------------------------------------------------------------


def test_predictions_are_those_without_the_row(conjugate, data) -> None:
    precision = 1.0 / PRIOR_SD**2 + (N - 1) / SIGMA**2
    expected = (data["y"].sum() - data["y"]) / SIGMA**2 / precision
    rest = np.delete(np.arange(N), 4)
    # The posterior sd is 0.46; of some 1,000 independent draws its mean has an error of 0.015, with weights a bit more.
    np.testing.assert_allclose(conjugate.loo_epred()[rest], expected[rest], atol=0.08)
    np.testing.assert_allclose(conjugate.loo_linpred()[rest], expected[rest], atol=0.08)
    np.testing.assert_allclose(conjugate.loo_predict(seed=1)[rest], expected[rest], atol=0.25)
    np.testing.assert_allclose(conjugate.loo_epred("var")[rest], 1.0 / precision, rtol=0.15)
    np.testing.assert_allclose(conjugate.loo_predict("var", seed=1)[rest], 1.0 / precision + SIGMA**2, rtol=0.15)
    interval = conjugate.loo_predictive_interval(seed=1).iloc[rest]
    assert list(interval.columns) == ["Q5", "Q95"]
    half = 1.645 * np.sqrt(1.0 / precision + SIGMA**2)
    np.testing.assert_allclose(interval["Q95"] - interval["Q5"], 2.0 * half, rtol=0.12)
    median = conjugate.loo_epred("quantile").iloc[rest]
    np.testing.assert_allclose(median["Q50"], expected[rest], atol=0.1)


def test_r2_is_below_that_of_the_fitted_rows(slopes, mean) -> None:
    table = slopes.loo_R2()
    assert list(table.index) == ["R2"] and list(table.columns) == ["Estimate", "Est.Error", "Q2.5", "Q97.5"]
    assert table.loc["R2", "Estimate"] < slopes.bayes_R2().loc["R2", "Estimate"]
    # without predictors every row is predicted by the mean of the others, a little worse than by that of all
    assert -0.5 < mean.loo_R2().loc["R2", "Estimate"] < 0.0
    assert slopes.loo_R2(summary=False).shape == (4000, 1)
    np.testing.assert_array_equal(slopes.loo_R2(seed=2, summary=False), slopes.loo_R2(seed=2, summary=False))


def test_categories_have_their_probabilities(data) -> None:
    categories = {"c": np.resize(["low", "mid", "high"], 60), "x": np.arange(60) / 60}
    fit = bayesml.fit("c ~ x", categories, "categorical", method="laplace").to_normal_draws(100, seed=1)
    for found in (fit.loo_epred(), fit.loo_predict(seed=1)):
        assert sorted(found.columns) == ["high", "low", "mid"]
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
    with pytest.raises(ModelError, match='type="mean" alone'):
        fit.loo_predict("quantile")
    with pytest.raises(ModelError, match="has categories"):
        fit.loo_R2()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda fit: fit.loo_predict("median"), '"mean", "var" or "quantile"'),
        (lambda fit: fit.loo_predict("quantile", probs=(0.5, 2)), "between 0 and 1"),
        (lambda fit: fit.loo_predictive_interval(1.0), "between 0 and 1"),
        (lambda fit: fit.loo_linpred(dpar="phi"), "no parameter `phi`"),
        (lambda fit: fit.loo_epred(resp="z"), "no response 'z'"),
        (lambda fit: fit.loo_R2(seed=-1), "`seed`"),
        (lambda fit: fit.loo_R2(probs=3), "`probs`"),
    ],
)
def test_impossible_predictions_are_refused(slopes, ask, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ask(slopes)


# Samples of rows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plpd", "lpd"])
def test_samples_of_rows_give_the_numbers_of_r(kind: str) -> None:
    """The densities that R left out and approximated; its sample has five of twelve rows."""
    facts = FACTS[kind]
    s, i = np.arange(1, 401)[:, None], np.arange(1, 13)
    y, x = RESPONSE + 0.1 * i, np.cos(i)
    a, b, sigma = 0.1 * np.sin(s), 1 + 0.2 * np.cos(3 * s), np.exp(0.1 * np.sin(7 * s))
    log_lik = stats.norm.logpdf(y, a + b * x, sigma)
    lpd = np.log(np.exp(log_lik).mean(axis=0))
    point = stats.norm.logpdf(y, a.mean() + b.mean() * x, sigma.mean())
    approximation = point if kind == "plpd" else lpd
    values = np.array(facts["pointwise"])
    np.testing.assert_allclose(values[:, 1], approximation[facts["rows"]], rtol=1e-9)
    found = leave_one_out(log_lik.T[facts["rows"]])
    np.testing.assert_allclose(found.elpd, values[:, 0], rtol=1e-9)
    estimate = difference_estimate(approximation, np.array(facts["rows"]), found.elpd)
    np.testing.assert_allclose(estimate, facts["estimates"], rtol=1e-8)
    p = difference_estimate(np.zeros(12), np.array(facts["rows"]), found.lppd - found.elpd)
    # R takes the variance of p over n - 1, that of elpd over n
    np.testing.assert_allclose(np.array(p) * [1.0, np.sqrt(12 / 11), 1.0], facts["p"], rtol=1e-8)


@pytest.mark.filterwarnings("ignore:.*Pareto k")
def test_samples_of_rows_of_a_fit(slopes) -> None:
    whole = slopes.loo().evidence.found.elpd
    every = slopes.loo(subsample=np.arange(N))
    assert every.elpd_loo == pytest.approx(whole.sum()) and every.subsampling_se == 0.0
    assert every.se == pytest.approx(np.sqrt(N * whole.var()))
    some = slopes.loo(subsample=9, approximation="lpd")
    assert len(some.rows) == 9 and abs(some.elpd_loo - whole.sum()) < 5.0 * some.subsampling_se
    np.testing.assert_allclose(some.pointwise["elpd_loo"], whole[some.rows])
    assert "9 of 18 observations" in repr(some) and "subsampling SE" in repr(some)
    np.testing.assert_array_equal(slopes.loo(subsample=9).rows, some.rows)
    assert not np.array_equal(slopes.loo(subsample=9, seed=2).rows, some.rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subsample": 1}, "from 2 to 18"),
        ({"subsample": 19}, "from 2 to 18"),
        ({"subsample": 2.5}, "number of rows"),
        ({"subsample": True}, "number of rows"),
        ({"subsample": [0, 0]}, "different rows"),
        ({"subsample": [0, 18]}, "from 0 to 17"),
        ({"subsample": 9, "approximation": "waic"}, '"plpd" or "lpd"'),
        ({"subsample": 9, "reloo": True}, "takes none of"),
        ({"subsample": 9, "seed": "a"}, "`seed`"),
    ],
)
def test_impossible_samples_are_refused(slopes, arguments, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        slopes.loo(**arguments)


# Averages of models ---------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*Pareto k")
def test_models_give_their_shares(slopes, mean) -> None:
    named = {"a": slopes, "b": mean, "c": mean}
    assert draws_of_models(named, np.array([0.5, 0.3, 0.2]), 7) == {"a": 4, "b": 2, "c": 1}
    assert draws_of_models(named, np.array([0.0, 1.0, 0.0]), None) == {"a": 0, "b": 400, "c": 0}
    drawn = bayesml.pp_average(named, [1, 2, 1], method="epred", ndraws=40, summary=False)
    assert drawn.dims == ("sample", "obs") and drawn.shape == (40, N)
    np.testing.assert_array_equal(drawn["model"], np.repeat(["a", "b", "c"], [10, 20, 10]))
    # the mean of the average is that of the means
    table = bayesml.pp_average(
        [slopes, mean], {"fit1": 0.25, "fit2": 0.75}, method="linpred", newdata={"x": [0.0], "g": ["a"]}
    )
    parts = [each.linpred({"x": [0.0], "g": ["a"]}, summary=True) for each in (slopes, mean)]
    expected = 0.25 * parts[0]["Estimate"].iloc[0] + 0.75 * parts[1]["Estimate"].iloc[0]
    error = max(part["Est.Error"].iloc[0] for part in parts)
    assert table["Estimate"].iloc[0] == pytest.approx(expected, abs=5 * error / 20)
    assert len(bayesml.pp_average([slopes, mean], "stacking")) == N
    weights = bayesml.loo_model_weights([slopes.reloo(rows=[4]), mean.reloo(rows=[4])])
    assert bayesml.pp_average({"fit1": slopes, "fit2": mean}, weights, ndraws=20, summary=False).shape == (20, N)


def test_parameters_are_averaged(slopes, mean) -> None:
    shared = bayesml.posterior_average({"s": slopes, "m": mean}, weights=[3, 1])
    assert list(shared.columns) == ["b_Intercept", "sigma", "model"]
    assert dict(shared["model"].value_counts()) == {"s": 300, "m": 100}
    filled = bayesml.posterior_average([slopes, mean], ["b_x"], weights=[1, 1], missing=0)
    assert (filled.loc[filled["model"] == "fit2", "b_x"] == 0.0).all() and filled["b_x"].nunique() == 201
    assert "b_x" in bayesml.posterior_average([slopes, mean], weights=[1, 1], missing={"b_x": 0.0})
    effects = bayesml.posterior_average([slopes, slopes], "r_g[a,Intercept]", weights=[1, 0])
    assert effects["r_g[a,Intercept]"].nunique() == 400


def test_models_by_their_marginal_likelihoods(conjugate) -> None:
    drawn = bayesml.pp_average([conjugate, conjugate], "bma", ndraws=100, summary=False)
    assert dict(zip(*np.unique(drawn["model"], return_counts=True), strict=True)) == {"fit1": 50, "fit2": 50}


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda a, b: bayesml.pp_average([a]), "at least two"),
        (lambda a, b: bayesml.pp_average(a), "takes a list"),
        (lambda a, b: bayesml.pp_average([a, 3]), "got 3"),
        (lambda a, b: bayesml.pp_average([a, b], "waic"), '"stacking", "pseudobma", "bma"'),
        (lambda a, b: bayesml.pp_average([a, b], [1.0]), "each of the 2 models"),
        (lambda a, b: bayesml.pp_average([a, b], [1.0, -1.0]), "at least 0"),
        (lambda a, b: bayesml.pp_average([a, b], [0, 0]), "not all of them 0"),
        (lambda a, b: bayesml.pp_average([a, b], [np.inf, 1.0]), "finite"),
        (lambda a, b: bayesml.pp_average([a, b], ["a", "b"]), "each of the 2 models"),
        (lambda a, b: bayesml.pp_average([a, b], {"a": 1, "b": 1}), "names other models"),
        (lambda a, b: bayesml.pp_average([a, b], [1, 1], method="fitted"), '"linpred", "epred", "predict"'),
        (lambda a, b: bayesml.pp_average([a, b], [1, 1], ndraws=0), "`ndraws`"),
        (lambda a, b: bayesml.pp_average([a, b], [1, 0], ndraws=500), "has 400 draws"),
        (lambda a, b: bayesml.posterior_average([a, b], "b_z", [1, 1]), "No model has a parameter 'b_z'"),
        (lambda a, b: bayesml.posterior_average([a, b], "b_x", [1, 1]), "`fit2` has no parameter `b_x`"),
        (lambda a, b: bayesml.posterior_average([a, b], "b_x", [1, 1], missing="no"), "`missing`"),
    ],
)
def test_impossible_averages_are_refused(slopes, mean, ask, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ask(slopes, mean)
