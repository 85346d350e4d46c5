"""Laplace's approximation where rows have thresholds or several linear predictors, against ordinal, glmmTMB and others.

The numbers are made by facts/several_predictors.R. Those programs maximise the same likelihoods; where a tolerance is
wider than rounding, the comment beside it says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import ModelError

FACTS = Path(__file__).parent / "facts"
EXPECTED = json.loads((FACTS / "several_predictors.json").read_text())
LINKS = ("logit", "probit", "cloglog", "cauchit")


@cache
def wine() -> pd.DataFrame:
    return pd.read_csv(FACTS / "wine.csv")


@cache
def salamanders() -> pd.DataFrame:
    data = pd.read_csv(FACTS / "salamanders.csv")
    return data.assign(mined=pd.Categorical(data["mined"], ["yes", "no"]))


@cache
def simulated() -> pd.DataFrame:
    return pd.read_csv(FACTS / "several_predictors.csv")


def laplace(formula, data, family, **options):
    return bayesml.fit(formula, data, family, method="laplace", **options)


def check(fit, expected: Mapping, names: Mapping[str, str], *, rtol: float = 1e-4, errors: float = 2e-3) -> None:
    """Compare coefficients and standard errors; of ``names`` the keys are ours."""
    table = fit.fixef()
    for ours, theirs in names.items():
        assert table.loc[ours, "Estimate"] == pytest.approx(expected["coef"][theirs], rel=rtol, abs=rtol), ours
        if theirs in expected["se"]:
            assert table.loc[ours, "Std.Error"] == pytest.approx(expected["se"][theirs], rel=errors), ours


WINE = {"temp[warm]": "tempwarm", "contact[yes]": "contactyes"}


@pytest.mark.parametrize("link", LINKS)
def test_thresholds_without_groups_equal_clm(link):
    expected = EXPECTED[f"clm_{link}"]
    fit = laplace("rating ~ temp + contact", wine(), bayesml.families.cumulative(link))
    # ordinal's own Cauchy distribution function has four digits: R's pcauchy at its estimates gives -92.515554, as here
    exact = link != "cauchit"
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-8 if exact else 5e-4)
    check(fit, expected, WINE, rtol=1e-6 if exact else 1e-4, errors=1e-5)
    thresholds = fit.fixef().iloc[:4]
    np.testing.assert_allclose(thresholds["Estimate"], expected["thresholds"], rtol=1e-6 if exact else 1e-4)
    np.testing.assert_allclose(thresholds["Std.Error"], expected["threshold_se"], rtol=1e-5 if exact else 1e-4)
    assert fit.df == 6


@pytest.mark.parametrize("link", LINKS)
def test_thresholds_with_groups_equal_clmm(link):
    # clmm's standard errors are differences of its likelihood; its distribution functions have fewer digits than R's
    expected = EXPECTED[f"clmm_{link}"]
    fit = laplace("rating ~ temp + contact + (1 | judge)", wine(), bayesml.families.cumulative(link))
    exact = link != "cauchit"
    assert fit.logLik == pytest.approx(expected["loglik"], abs=5e-6 if exact else 5e-4)
    check(fit, expected, WINE, rtol=2e-5, errors=1e-3 if exact else 5e-3)
    thresholds = fit.fixef().iloc[:4]
    np.testing.assert_allclose(thresholds["Estimate"], expected["thresholds"], rtol=2e-5)
    np.testing.assert_allclose(thresholds["Std.Error"], expected["threshold_se"], rtol=1e-3 if exact else 5e-3)
    assert fit.varcorr()["judge"].sd["Intercept"] == pytest.approx(expected["sd"]["judge (Intercept)"], rel=5e-5)
    assert fit.df == 7


def test_equidistant_thresholds_equal_ordinal():
    family = bayesml.families.cumulative(threshold="equidistant")
    for name, formula in (("clm", "rating ~ temp + contact"), ("clmm", "rating ~ temp + contact + (1 | judge)")):
        expected = EXPECTED[f"{name}_equidistant"]
        fit = laplace(formula, wine(), family)
        assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-6)
        check(fit, expected, WINE, rtol=2e-5, errors=1e-2)
        first, step = expected["thresholds"]
        np.testing.assert_allclose(fit.fixef()["Estimate"].iloc[:4], first + step * np.arange(4), rtol=2e-5)
        assert fit["delta"] == pytest.approx(step, rel=2e-5)
        assert fit.df == 4 + (name == "clmm")


def test_varying_slopes_equal_clmm():
    expected = EXPECTED["clmm_slope"]
    with pytest.warns(bayesml.FitWarning, match="linearly dependent"):
        fit = laplace("rating ~ temp + contact + (contact | judge)", wine(), "cumulative")
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-6)
    check(fit, expected, WINE, rtol=2e-4, errors=2e-2)  # a correlation of 1, near which clmm stops
    sd = fit.varcorr()["judge"].sd
    np.testing.assert_allclose(sd, [expected["sd"]["judge (Intercept)"], expected["sd"]["judge contactyes"]], rtol=1e-3)


def test_category_specific_effects_equal_nominal_ones():
    expected = EXPECTED["clm_nominal"]
    fit = laplace("rating ~ temp + cs(contact)", wine(), "cumulative")
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-8)
    table = fit.fixef()
    names = ["1|2", "2|3", "3|4", "4|5"]
    for k, name in enumerate(names, start=1):
        # clm adds its nominal effects to the thresholds, cs() takes them off
        own = table.loc[f"contact[yes][{k}]"]
        assert own["Estimate"] == pytest.approx(-expected["coef"][f"{name}.contactyes"], rel=1e-5)
        assert own["Std.Error"] == pytest.approx(expected["se"][f"{name}.contactyes"], rel=1e-4)
        assert table.loc[f"Intercept[{k}]", "Estimate"] == pytest.approx(
            expected["coef"][f"{name}.(Intercept)"], rel=1e-5
        )


MINED = {"Intercept": "cond.(Intercept)", "mined[no]": "cond.minedno"}
ZI = {"zi_Intercept": "zi.(Intercept)", "zi_mined[no]": "zi.minedno"}


@pytest.mark.parametrize("name", ["zip", "zip_groups"])
def test_predicted_zero_inflation_equals_glmmtmb(name):
    expected = EXPECTED[name]
    zi = "~ mined" if name == "zip" else "~ mined + (1 | site)"
    formula = bayesml.bf("count ~ mined + cover + (1 | site)", zi=zi)
    fit = laplace(formula, salamanders(), "zero_inflated_poisson")
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-5)
    check(fit, expected, {**MINED, **ZI, "cover": "cond.cover"}, rtol=1e-3, errors=1e-3)
    sd = fit.varcorr()["site"].sd
    assert sd["Intercept"] == pytest.approx(expected["sd"]["cond site (Intercept)"], rel=1e-3)
    if name == "zip_groups":
        assert sd["zi_Intercept"] == pytest.approx(expected["sd"]["zi site (Intercept)"], rel=1e-3)


def test_zero_inflated_negbinomial_equals_glmmtmb():
    expected = EXPECTED["zinb"]
    formula = bayesml.bf("count ~ mined + (1 | site)", zi="~ mined")
    fit = laplace(formula, salamanders(), "zero_inflated_negbinomial")
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-5)
    check(fit, expected, {**MINED, **ZI}, rtol=1e-3, errors=1e-3)
    assert np.log(fit["shape"]) == pytest.approx(expected["coef"]["disp.(Intercept)"], abs=1e-3)


@pytest.mark.slow
def test_a_predicted_shape_equals_glmmtmb():
    expected = EXPECTED["nb_disp"]
    fit = laplace(bayesml.bf("count ~ mined + (1 | site)", shape="~ mined"), salamanders(), "negbinomial")
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-5)
    shape = {"shape_Intercept": "disp.(Intercept)", "shape_mined[no]": "disp.minedno"}
    check(fit, expected, {**MINED, **shape}, rtol=1e-3, errors=1e-3)


def test_a_predicted_sigma_equals_glmmtmb():
    # glmmTMB 1.1.5 predicts log sigma^2, twice log sigma
    expected = EXPECTED["gaussian_sigma"]
    fit = laplace(bayesml.bf("normal ~ x + (1 | g)", sigma="~ z"), simulated(), "gaussian")
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-5)
    check(fit, expected, {"Intercept": "cond.(Intercept)", "x": "cond.x"}, rtol=1e-3, errors=1e-3)
    table = fit.fixef()
    for ours, theirs in (("sigma_Intercept", "disp.(Intercept)"), ("sigma_z", "disp.z")):
        assert 2.0 * table.loc[ours, "Estimate"] == pytest.approx(expected["coef"][theirs], rel=1e-3)
        assert 2.0 * table.loc[ours, "Std.Error"] == pytest.approx(expected["se"][theirs], rel=1e-3)


def test_a_predicted_phi_equals_glmmtmb():
    expected = EXPECTED["beta_phi"]
    fit = laplace(bayesml.bf("share ~ x + (1 | g)", phi="~ z"), simulated(), "beta")
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-5)
    names = {"Intercept": "cond.(Intercept)", "x": "cond.x", "phi_Intercept": "disp.(Intercept)", "phi_z": "disp.z"}
    check(fit, expected, names, rtol=1e-3, errors=1e-3)


def test_a_hurdle_with_groups_in_both_parts_equals_glmmtmb():
    expected = EXPECTED["hurdle_gamma"]
    fit = laplace(bayesml.bf("hurdle ~ x + (1 | g)", hu="~ z + (1 | g)"), simulated(), "hurdle_gamma")
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-5)
    names = {"Intercept": "cond.(Intercept)", "x": "cond.x", "hu_Intercept": "zi.(Intercept)", "hu_z": "zi.z"}
    check(fit, expected, names, rtol=1e-3, errors=1e-3)
    sd = fit.varcorr()["g"].sd
    assert sd["hu_Intercept"] == pytest.approx(expected["sd"]["zi g (Intercept)"], rel=1e-3)


def test_categories_equal_multinom():
    expected = EXPECTED["multinom"]
    fit = laplace("choice ~ x + z", simulated(), "categorical")
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-7)
    names = {
        f"mu{k}_{ours}": f"{k}.{r}" for k in "bc" for ours, r in (("Intercept", "(Intercept)"), ("x", "x"), ("z", "z"))
    }
    check(fit, expected, names, rtol=1e-4, errors=1e-4)


@pytest.mark.parametrize("family", ["weibull", "exponential"])
def test_censored_times_equal_survreg(family):
    # survreg predicts the logarithm of the scale lambda; we predict that of the mean, lambda Gamma(1 + 1 / shape)
    from math import lgamma

    expected = EXPECTED[f"survreg_{family}"]
    fit = laplace("time | cens(censored) ~ x", simulated(), family)
    assert fit.logLik == pytest.approx(expected["loglik"], abs=1e-6)
    shape = fit["shape"] if family == "weibull" else 1.0
    assert 1.0 / shape == pytest.approx(expected["coef"]["scale"], rel=1e-5)
    assert fit["b_x"] == pytest.approx(expected["coef"]["x"], rel=1e-5)
    intercept = fit["b_Intercept"] - lgamma(1.0 + 1.0 / shape)
    assert intercept == pytest.approx(expected["coef"]["(Intercept)"], rel=1e-5)
    assert fit.fixef().loc["x", "Std.Error"] == pytest.approx(expected["se"]["x"], rel=1e-3)


def test_quadrature_and_expected_information_are_refused():
    for method, said in ((bayesml.Laplace(7), "Quadrature"), (bayesml.Laplace(curvature="fisher"), "expected")):
        with pytest.raises(ModelError, match=said):
            bayesml.fit("rating ~ temp + (1 | judge)", wine(), "cumulative", method=method)


@cache
def ordinal_fit():
    return laplace("rating ~ temp + contact + (1 | judge)", wine(), "cumulative")


@cache
def zero_inflated_fit():
    formula = bayesml.bf("count ~ mined + cover + (1 | site)", zi="~ mined + (1 | site)")
    return laplace(formula, salamanders(), "zero_inflated_poisson")


def test_probabilities_and_their_errors_follow_from_the_estimates():
    fit = ordinal_fit()
    new = {"temp": ["warm", "cold"], "contact": ["no", "yes"]}
    found = fit.epred(new, re_formula="NA", se=True, interval="confidence")
    table = fit.fixef()["Estimate"]
    eta = np.array([table["temp[warm]"], table["contact[yes]"]])
    below = 1.0 / (1.0 + np.exp(-(table.to_numpy()[:4] - eta[:, None])))
    expected = np.diff(np.column_stack([np.zeros(2), below, np.ones(2)]), axis=1)
    np.testing.assert_allclose(found["Estimate"].to_numpy().reshape(2, 5), expected, atol=1e-12)
    # the first probability is F(tau_1 - eta), whose error the delta method gives from two coefficients
    V = fit.vcov().to_numpy()
    weights = np.array([1.0, 0, 0, 0, -1, 0])
    slope = expected[0, 0] * (1 - expected[0, 0])
    assert found["Std.Error"].iloc[0] == pytest.approx(slope * np.sqrt(weights @ V @ weights), rel=1e-5)
    assert ((found["Lower"] < found["Estimate"]) & (found["Estimate"] < found["Upper"])).all()
    assert found.index.names == ["obs", "category"]
    pd.testing.assert_frame_equal(fit.epred(), fit.fitted)
    effects = fit.conditional_effects("temp")["temp"]
    assert len(effects) == 10
    assert effects["se__"].notna().all()


def test_errors_of_predictions_are_those_of_normal_draws():
    # 8,000 draws: the standard deviation has a relative Monte Carlo error of 1 in 126
    fit = zero_inflated_fit()
    drawn = fit.to_normal_draws(8000, seed=3)
    for dpar in (None, "zi"):
        ours = fit.linpred(salamanders().head(6), dpar=dpar, se=True)
        theirs = drawn.linpred(salamanders().head(6), dpar=dpar)
        np.testing.assert_allclose(ours["Std.Error"], theirs.std(("chain", "draw")), rtol=0.035)
        np.testing.assert_allclose(ours["Estimate"], theirs.mean(("chain", "draw")), atol=0.04)


def test_estimates_are_stored_and_read(tmp_path):
    for name, fit in (("ordinal", ordinal_fit()), ("counts", zero_inflated_fit())):
        fit.save(tmp_path / f"{name}.nc")
        again = bayesml.load(tmp_path / f"{name}.nc")
        pd.testing.assert_frame_equal(again.fixef(), fit.fixef())
        assert str(again) == str(fit)
        np.testing.assert_allclose(again.epred(se=True)["Std.Error"], fit.epred(se=True)["Std.Error"], rtol=1e-9)


def test_simulated_responses_and_refits():
    fit = zero_inflated_fit()
    drawn = fit.simulate(200, seed=1)
    assert drawn.shape == (200, len(salamanders()))
    assert drawn.mean() == pytest.approx(fit.fitted.mean(), rel=0.1)
    assert (drawn == 0).mean() == pytest.approx((salamanders()["count"] == 0).mean(), abs=0.03)
    assert fit.refit(salamanders()["count"].to_numpy()).logLik == pytest.approx(fit.logLik, abs=1e-7)
    new = fit.simulate(5, seed=1, newdata=salamanders().head(3))
    assert new.shape == (5, 3)
    assert set(np.unique(ordinal_fit().simulate(3, seed=2))) <= {1.0, 2.0, 3.0, 4.0, 5.0}


def test_tables_by_factor_hold_every_predictor():
    fit = zero_inflated_fit()
    effects = fit.ranef()["site"]
    assert set(effects["coef"]) == {"Intercept", "zi_Intercept"}
    one = effects.query("level == 'R-1' and coef == 'zi_Intercept'")["Estimate"].item()
    assert fit["r_site__zi[R-1,Intercept]"] == one
    assert fit.coef()["site"].loc["R-1", "zi_Intercept"] == pytest.approx(fit["b_zi_Intercept"] + one)
    rows = fit.confint()
    assert {"sd_site__Intercept", "sd_site__zi_Intercept", "b_zi_mined[no]"} <= set(rows.index)


def test_combinations_means_and_likelihoods_are_compared():
    fit = ordinal_fit()
    steps = fit.contrast("b_Intercept[2] - b_Intercept[1]")
    assert steps["Estimate"].item() == pytest.approx(fit["b_Intercept[2]"] - fit["b_Intercept[1]"])
    pair = fit.emmeans("temp").contrasts()
    assert pair["estimate"].item() == pytest.approx(-fit["b_temp[warm]"])
    assert pair["Std.Error"].item() == pytest.approx(fit.fixef().loc["temp[warm]", "Std.Error"])
    smaller = fit.update(". ~ . - contact")
    table = bayesml.anova(smaller, fit)
    assert table["Chisq"].iloc[1] == pytest.approx(2 * (fit.logLik - smaller.logLik))
    inflation = zero_inflated_fit().emmeans("mined", dpar="zi", type="response").to_pandas()
    assert ((inflation["response"] > 0) & (inflation["response"] < 1)).all()


def test_what_has_no_meaning_is_refused_with_what_there_is_instead():
    fit = zero_inflated_fit()
    for ask in (fit.ranova, fit.drop1, fit.r2, fit.icc, fit.influence, fit.anova):
        with pytest.raises(ModelError, match="to_normal_draws"):
            ask()
    with pytest.raises(ModelError, match="alone has a formula"):
        fit.confint("profile")
    with pytest.raises(ModelError, match="no prediction interval"):
        ordinal_fit().predict(interval="prediction")
    with pytest.raises(ModelError, match="categories"):
        ordinal_fit().residuals()


def test_a_mixture_is_found_from_many_starts_with_a_warning():
    rng = np.random.default_rng(4)
    y = np.concatenate([rng.normal(-2, 0.5, 150), rng.normal(1, 1, 250)])
    with pytest.warns(bayesml.FitWarning, match="several maxima"):
        fit = laplace("y ~ 1", {"y": y}, bayesml.mixture("gaussian", nmix=2))
    table = fit.fixef()["Estimate"]
    assert table["mu1_Intercept"] == pytest.approx(-2, abs=0.15)
    assert table["mu2_Intercept"] == pytest.approx(1, abs=0.25)
    assert fit["theta1"] == pytest.approx(150 / 400, abs=0.05)


@pytest.mark.parametrize("formula", ["normal ~ x + (1 | g)", "normal | weights(z) ~ x + (1 | g)", "wave ~ s(x)"])
def test_a_constant_sigma_with_a_formula_is_maximum_likelihood(formula):
    # the same model twice: Laplace's approximation is exact, and sigma is exp of an Intercept
    data = simulated().assign(z=simulated()["z"] + 0.1)
    data["wave"] = np.sin(2.0 * data["x"]) + 0.3 * data["normal"]
    exact = bayesml.fit(formula, data, method="ml")
    fit = laplace(bayesml.bf(formula, sigma="~ 1"), data, "gaussian")
    assert fit.logLik == pytest.approx(exact.logLik, abs=1e-7)
    assert np.exp(fit["b_sigma_Intercept"]) == pytest.approx(exact.sigma, rel=1e-5)
    own = fit.fixef().loc[list(exact.fixef().index)]
    np.testing.assert_allclose(own["Estimate"], exact.fixef()["Estimate"], rtol=1e-4, atol=1e-5)
    degrees = [curve.degrees for curve in fit.estimate.smooths]
    np.testing.assert_allclose(degrees, [curve.degrees for curve in exact.estimate.smooths], rtol=1e-3)
    errors = fit.linpred(se=True)["Std.Error"], exact.linpred(se=True)["Std.Error"]
    np.testing.assert_allclose(*errors, rtol=2e-2)  # ours hold the uncertainty of the variances too
