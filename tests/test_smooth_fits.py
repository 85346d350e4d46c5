"""Models with ``s(x)`` as point estimates: against mgcv's ``gam()``, and every verb that a fit has."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import BayesmlError, FitWarning, ModelError
from tests.smooths import facts

pytestmark = pytest.mark.filterwarnings("ignore:.*beyond the range of the fit:bayesml.FitWarning")

PATH = Path(__file__).parent / "facts" / "smooth_fits.json"
RESTRICTED = [fact for fact in facts()["fits"] if fact["family"] == "gaussian"]
OTHERS = json.loads(PATH.read_text())
EFFECT = {"a": -3.0, "b": -1.0, "c": 0.0, "d": 0.5, "e": 1.5, "f": 2.0}


def rows_of(name: str) -> pd.DataFrame:
    """Return a data set of the facts; ``sim`` with the grouping factor that ``smooth_fits.R`` adds."""
    data = pd.DataFrame(facts()["data"][name])
    if "fac" in data:
        data["fac"] = data["fac"].astype(str)
    if name == "sim":
        data["g"] = np.resize(list(EFFECT), len(data))
        data["yg"] = data["y"] + data["g"].map(EFFECT)
    return data


def name_of(fact: Mapping[str, Any]) -> str:
    return f"{fact['formula']}, {fact['data']}"


def smoothing_parameters(fit: bayesml.PointFit) -> np.ndarray:
    """Return sigma^2 / sds^2 of each curve, infinite where its sds is 0."""
    own = fit.estimate.auxiliary
    scale = own["sigma"] ** 2 if "sigma" in own else 1.0 / own.get("shape", 1.0)
    return np.array([scale / curve.sd**2 if curve.sd > 0 else math.inf for curve in fit.estimate.smooths])


@pytest.mark.parametrize("fact", RESTRICTED, ids=name_of)
def test_reml_equals_mgcv(fact: dict[str, Any]) -> None:
    """gam(method = "REML") of ``facts/smooths.R``; both searches end within a relative 1e-5 of the optimum."""
    fit = bayesml.fit(fact["formula"], rows_of(fact["data"]), method="reml")
    wanted = np.atleast_1d(fact["sp"])
    straight = wanted > 1e6  # what mgcv reports for a curve without bends is where its search ended
    np.testing.assert_allclose(smoothing_parameters(fit)[~straight], wanted[~straight], rtol=1e-4)
    assert (smoothing_parameters(fit)[straight] > 1e6).all()
    degrees = [curve.degrees for curve in fit.estimate.smooths]
    np.testing.assert_allclose(degrees, np.atleast_1d(fact["edf"]), rtol=1e-5)
    np.testing.assert_allclose(fit.linpred(), fact["fitted"], rtol=1e-5, atol=1e-5)
    assert fit.sigma**2 == pytest.approx(fact["reml_scale"], rel=1e-5)
    new = fit.linpred(facts()["new"][fact["data"]], se=True)  # also beyond the range of the data
    np.testing.assert_allclose(new["Estimate"], fact["new"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(new["Std.Error"], fact["new_se"], rtol=1e-4)


@pytest.mark.parametrize("fact", [f for f in OTHERS if f["family"] == "gaussian"], ids=name_of)
def test_random_effects_by_numbers_and_maximum_likelihood_equal_mgcv(fact: dict[str, Any]) -> None:
    """gam() of ``facts/smooth_fits.R``, where a random effect is s(g, bs = "re")."""
    fit = bayesml.fit(fact["formula"], rows_of(fact["data"]), method=fact["method"].lower())
    found, wanted = smoothing_parameters(fit), np.atleast_1d(fact["sp"])
    np.testing.assert_allclose(found, wanted[: len(found)], rtol=1e-5)
    if len(wanted) > len(found):
        assert fit["sd_g__Intercept"] == pytest.approx(math.sqrt(fit.sigma**2 / wanted[-1]), rel=1e-5)
    np.testing.assert_allclose(
        [curve.degrees for curve in fit.estimate.smooths], np.atleast_1d(fact["edf"])[: len(found)], rtol=1e-5
    )
    np.testing.assert_allclose(fit.linpred(), fact["fitted"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("fact", [f for f in OTHERS if f["family"] != "gaussian"], ids=name_of)
def test_laplace_approximation_is_near_that_of_mgcv(fact: dict[str, Any]) -> None:
    """mgcv's method = "ML" takes the coefficients at the penalised mode, as lme4's nAGQ = 0, where ours maximise.

    So our likelihood is not lower. Its rise by d moves the predictor by about sqrt(2 d) of its standard error.
    """
    family = bayesml.families.gamma(link="log") if fact["family"] == "Gamma" else fact["family"]
    fit = bayesml.fit(fact["formula"], rows_of(fact["data"]), family=family, method="laplace")
    rise = fit.estimate.log_likelihood + fact["score"]
    assert 0.0 < rise < 0.2
    moved = (fit.linpred() - np.asarray(fact["fitted"])) / np.asarray(fact["se"])
    assert np.abs(moved).max() < math.sqrt(2.0 * rise) + 0.02
    np.testing.assert_allclose(smoothing_parameters(fit), np.atleast_1d(fact["sp"]), rtol=0.02)
    degrees = [curve.degrees for curve in fit.estimate.smooths]
    np.testing.assert_allclose(degrees, np.atleast_1d(fact["edf"]), rtol=0.02)


@cache
def two_terms() -> bayesml.PointFit:
    return bayesml.fit("yg ~ x0 + s(x2) + (1 | g)", rows_of("sim"), method="reml")


def test_names_tables_and_single_numbers() -> None:
    fit = two_terms()
    assert list(fit.fixef().index) == ["Intercept", "x0", "sx2_1"]
    assert set(fit.ranef()) == set(fit.coef()) == {"g"}
    assert set(fit.varcorr()) == {"g", "sds_sx2_1", "residual__"}
    assert fit["sds_sx2_1"] == pytest.approx(fit.varcorr()["sds_sx2_1"].sd["sx2_1"])
    assert fit["bs_sx2_1"] == pytest.approx(fit.fixef().loc["sx2_1", "Estimate"])
    assert {"s_sx2_1[8]", "r_g[f,Intercept]", "bs_sx2_1"} <= set(fit.vcov(full=True).index)
    intervals = fit.confint()
    assert list(intervals.index) == ["sd_g__Intercept", "sds_sx2_1", "sigma", "b_Intercept", "b_x0", "bs_sx2_1"]
    profile = fit.confint("profile", parameters="sds_sx2_1")
    assert profile["lower"].item() < profile["Estimate"].item() < profile["upper"].item()


def test_the_summary_shows_effective_degrees_of_freedom() -> None:
    fit = two_terms()
    lines = str(fit.summary()).splitlines()
    place = lines.index("Smooth terms:")
    assert lines[place + 1].split() == ["Name", "edf", "Variance", "Std.Dev."]
    name, edf, *_ = lines[place + 2].split()
    assert name == "sx2_1" and float(edf) == pytest.approx(fit.estimate.smooths[0].degrees, abs=0.006)


def test_the_population_value_holds_the_curve_and_not_the_groups() -> None:
    fit, data = two_terms(), rows_of("sim")
    whole, without = fit.predict(data), fit.predict(data, re_formula="NA")
    effects = fit.ranef()["g"].set_index("level")["Estimate"]
    np.testing.assert_allclose(whole - without, data["g"].map(effects), atol=1e-10)
    new = fit.predict(data.assign(g="z").head(3), new_levels="zero", se=True)
    np.testing.assert_allclose(new["Estimate"], without.head(3), atol=1e-10)
    assert (new["Std.Error"] > fit.predict(data.head(3), re_formula="NA", se=True)["Std.Error"]).all()


def test_draws_of_the_normal_approximation_and_simulated_responses() -> None:
    fit, data = two_terms(), rows_of("sim").head(20)
    draws = fit.to_normal_draws(4000, seed=1).epred(data, re_formula="NA")
    wanted = fit.predict(data, re_formula="NA", se=True)
    own = np.asarray(draws).reshape(-1, len(data))
    # Means and standard deviations of 4,000 independent draws.
    assert np.abs((own.mean(axis=0) - wanted["Estimate"]) / wanted["Std.Error"]).max() < 5.0 / np.sqrt(4000)
    assert np.abs(own.std(axis=0) / wanted["Std.Error"] - 1.0).max() < 5.0 / np.sqrt(8000)
    responses = fit.simulate(4000, seed=2, newdata=data)
    error = np.sqrt((fit.sigma**2 + fit["sd_g__Intercept"] ** 2) / 4000)
    assert np.abs(responses.mean(axis=0) - wanted["Estimate"]).max() < 5.0 * error


def test_saved_estimates_predict_the_same(tmp_path: Path) -> None:
    new = facts()["new"]["sim"]
    for fit in (two_terms(), bayesml.fit("count ~ s(x2)", rows_of("sim"), family="poisson", method="laplace")):
        fit.save(tmp_path / "fit")
        loaded = bayesml.load(tmp_path / "fit")
        args = {"re_formula": "NA", "se": True}
        np.testing.assert_allclose(loaded.linpred(_complete(new), **args), fit.linpred(_complete(new), **args))


def _complete(new: Mapping[str, list[float]]) -> pd.DataFrame:
    return pd.DataFrame(new)


def test_tests_of_other_terms_keep_the_curve() -> None:
    fit = two_terms()
    assert list(fit.anova().index) == ["x0"]
    without = bayesml.fit("yg ~ s(x2) + (1 | g)", rows_of("sim"), method="ml")
    assert fit.drop1().loc["x0", "logLik"] == pytest.approx(without.logLik, abs=1e-6)
    alone = bayesml.fit("yg ~ x0 + s(x2)", rows_of("sim"), method="reml")
    assert fit.ranova().loc["(1 | g)", "logLik"] == pytest.approx(alone.logLik, abs=1e-6)
    assert 0.0 < fit.icc()["adjusted"] < 1.0
    assert fit.r2()["marginal"] > alone.r2()["marginal"] * 0.3


def test_conditional_effects_are_the_curve() -> None:
    effects = two_terms().conditional_effects("x2")
    table = effects["x2"]
    assert len(table) == 100
    np.testing.assert_allclose(
        two_terms().predict(table[["x0", "x2"]], re_formula="NA"), table["estimate__"], atol=1e-10
    )


def test_a_posterior_mode_keeps_its_curve_from_being_straight() -> None:
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.uniform(size=80)})
    data["y"] = 2.0 * data["x"] + rng.normal(size=80)
    straight = bayesml.fit("y ~ s(x)", data, method="reml")  # no warning of a singular fit
    line = bayesml.fit("y ~ x", data, method="laplace")
    if straight["sds_sx_1"] == 0.0:
        np.testing.assert_allclose(straight.predict(), line.predict(), atol=1e-8)
    assert bayesml.fit("y ~ s(x)", data, method="map")["sds_sx_1"] > 0.0


def test_what_point_estimates_cannot_do_with_smooths_is_said() -> None:
    with pytest.raises(ModelError, match="for linear mixed models without smooths"):
        bayesml.fit("y ~ fac + s(x2)", rows_of("byfac"), method="reml").emmeans("fac", ddf="kenward-roger")
    with pytest.raises(BayesmlError, match="no form for"):
        bayesml.fit("count ~ mo(x)", rows_of("sim").assign(x=np.resize([1, 2, 3], 120)), method="reml")
    with pytest.warns(FitWarning, match="Singular fit"):  # of a grouping factor it is still said
        bayesml.fit("y ~ s(x0) + s(x2) + (1 | g)", rows_of("sim"), method="reml")


def test_marginal_means_with_a_smooth_equal_emmeans() -> None:
    """``gam(kid_score ~ mom_hs + s(mom_iq), method = "REML")`` of mgcv 1.8-41 by emmeans 1.8.4.

    ``emmeans(m, "mom_hs")``, ``pairs``, the means at ``list(mom_iq = c(80, 120))`` and
    ``emtrends(m, ~mom_iq, var = "mom_iq", at = list(mom_iq = 85), delta.var = 1e-5)``, estimates and standard
    errors. The smoothing parameters agree to 1e-6, and with them what is averaged to 1e-5.
    """
    data = bayesml.load_dataset("kidiq")
    data["mom_hs"] = data["mom_hs"].astype(str)
    fit = bayesml.fit("kid_score ~ mom_hs + s(mom_iq)", data, method="reml")
    means = fit.emmeans("mom_hs")
    expected = [
        (means.to_pandas(), "emmean", [85.32772099, 90.30789133], [2.277528302, 1.377307271]),
        (means.contrasts("pairwise"), "estimate", [-4.980170342], [2.210520489]),
        (
            fit.emmeans("mom_hs", at={"mom_iq": [80, 120]}).to_pandas(),
            "emmean",
            [80.36891989, 85.34909023],
            [2.059710700, 1.413141636],
        ),
        (fit.emtrends("mom_iq", at={"mom_iq": 85}).to_pandas(), "mom_iq.trend", [1.103637814], [0.2145082819]),
    ]
    for table, name, estimates, errors in expected:
        np.testing.assert_allclose(table[name], estimates, rtol=1e-5)
        np.testing.assert_allclose(table["Std.Error"], errors, rtol=1e-5)


def test_marginal_means_with_a_smooth_are_those_of_predicted_rows() -> None:
    """In a generalised model with an offset and a grouping factor: means of what ``predict`` gives at the grid."""
    rng = np.random.default_rng(8)
    data = rows_of("sim").assign(f=np.resize(["a", "b", "c"], 120), e=rng.uniform(1.0, 2.0, 120))
    fit = bayesml.fit("count ~ f + s(x0) + offset(log(e)) + (1 | g)", data, "poisson", method="laplace")
    grid = pd.DataFrame({"f": ["a", "b", "c"], "x0": data["x0"].mean(), "e": np.exp(np.log(data["e"]).mean())})
    found = fit.emmeans("f").to_pandas()
    rows = fit.linpred(grid, se=True, re_formula="NA")
    np.testing.assert_allclose(found["emmean"], rows["Estimate"], atol=1e-10)
    np.testing.assert_allclose(found["Std.Error"], rows["Std.Error"], rtol=1e-8)
