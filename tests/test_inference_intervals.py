"""Confidence intervals of point estimates: against lme4, and against what defines them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, ndtri

import bayesml
from bayesml.engines.generalised_mixed import fit_generalised_mixed
from bayesml.engines.generalised_mixed.family_response import FamilyResponse
from bayesml.engines.point.generalised import GeneralisedEstimate
from bayesml.errors import ModelError
from bayesml.results.frequentist.bootstrap import bootstrap
from bayesml.results.questions.parameters import elements
from tests.reference import frame


@pytest.fixture(scope="module")
def sleep() -> bayesml.PointFit:
    return bayesml.fit("Reaction ~ Days + (Days | Subject)", bayesml.load_dataset("sleepstudy"), method="reml")


@pytest.fixture(scope="module")
def cbpp() -> bayesml.PointFit:
    formula = "incidence | trials(size) ~ period + (1 | herd)"
    return bayesml.fit(formula, bayesml.load_dataset("cbpp"), "binomial", method="laplace")


NAMES = [
    "sd_Subject__Intercept",
    "sd_Subject__Days",
    "cor_Subject__Intercept__Days",
    "sigma",
    "b_Intercept",
    "b_Days",
]


def test_profile_of_sleepstudy(sleep: bayesml.PointFit) -> None:
    # R: confint(lmer(Reaction ~ Days + (Days | Subject), sleepstudy), method="profile")
    table = sleep.confint("profile")
    assert list(table.index) == NAMES
    expected = [
        (14.3814181608, 37.7159953183),
        (3.8011640533, 8.7533807531),
        (-0.4815007583, 0.6849862733),
        (22.8982668821, 28.8579965114),
        (237.6806955052, 265.1295146802),
        (7.3586532751, 13.5759187517),
    ]
    # lme4 interpolates its profile by splines; the correlation is the flattest.
    np.testing.assert_allclose(
        table.loc[NAMES[:2] + NAMES[3:], ["lower", "upper"]], np.delete(expected, 2, 0), rtol=5e-6
    )
    np.testing.assert_allclose(table.loc[NAMES[2], ["lower", "upper"]].astype(float), expected[2], atol=5e-5)


def test_profile_of_independent_effects() -> None:
    # R: confint(lmer(Reaction ~ Days + (1|Subject) + (0+Days|Subject), sleepstudy), method="profile")
    fit = bayesml.fit("Reaction ~ Days + (Days || Subject)", bayesml.load_dataset("sleepstudy"), method="ml")
    table = fit.confint("profile", parameters=["sd", "sigma"])
    expected = [(15.258646678, 37.786470900), (3.964073856, 8.769159162), (22.880554648, 28.787597595)]
    np.testing.assert_allclose(table[["lower", "upper"]], expected, rtol=5e-6)


def test_wald_intervals_of_lme4(sleep: bayesml.PointFit) -> None:
    # R: confint(m, method="Wald"): 238.029141 264.78107; 7.437594 13.49698
    table = sleep.confint(ddf=None, parameters="b")
    np.testing.assert_allclose(table[["lower", "upper"]], [(238.029141, 264.78107), (7.437594, 13.49698)], rtol=1e-6)


def test_wald_intervals_with_degrees_of_freedom(sleep: bayesml.PointFit) -> None:
    # R: qt(.975, 17) = 2.109815578; SE 1.545789 (Kenward-Roger 1.545789644)
    table = sleep.confint(parameters="b_Days", ddf="kenward-roger")
    reach = 2.109815578 * 1.545789644
    np.testing.assert_allclose(table.loc["b_Days", "upper"] - table.loc["b_Days", "Estimate"], reach, rtol=1e-6)


def test_wald_interval_of_sigma_by_theory() -> None:
    # One balanced factor: the residual sum of squares is sigma^2 chi^2 with 24 df, so var(log sigma) is near 1 / 48.
    fit = bayesml.fit("Yield ~ 1 + (1 | Batch)", bayesml.load_dataset("Dyestuff"), method="reml")
    row = fit.confint().loc["sigma"]
    reach = np.exp(ndtri(0.975) / np.sqrt(48.0))
    np.testing.assert_allclose(row["upper"] / row["Estimate"], reach, rtol=1e-4)
    np.testing.assert_allclose(row["Estimate"] / row["lower"], reach, rtol=1e-4)


def test_profile_of_a_generalised_model(cbpp: bayesml.PointFit) -> None:
    # R: confint(glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial), method="profile")
    expected = [
        (0.3460732033, 1.0999746482),
        (-1.9012119549, -0.9477540060),
        (-1.6167832557, -0.4077630678),
        (-1.8010243656, -0.5115360713),
        (-2.5007505630, -0.8007553153),
    ]
    # glmer's own deviance at its optimum is 3e-4 too high for lack of convergence, which moves its limits by 1e-4.
    np.testing.assert_allclose(cbpp.confint("profile")[["lower", "upper"]], expected, atol=1e-4)


def test_profile_limit_is_where_the_deviance_has_risen(cbpp: bayesml.PointFit) -> None:
    # The coefficient of period 2 held at its limit by an offset; the deviance rises by qchisq(.9, 1) = 2.705543.
    limit = cbpp.confint("profile", level=0.9, parameters="b_period[2]").loc["b_period[2]", "upper"]
    data = bayesml.load_dataset("cbpp")
    data["held"] = limit * (data["period"].astype(str) == "2")
    for period in ("3", "4"):
        data[f"p{period}"] = (data["period"].astype(str) == period).astype(float)
    held = bayesml.fit(
        "incidence | trials(size) ~ p3 + p4 + offset(held) + (1 | herd)", data, "binomial", method="laplace"
    )
    np.testing.assert_allclose(held.deviance - cbpp.deviance, 2.705543454, atol=2e-3)


def test_profile_reaches_zero_where_a_variance_may_vanish() -> None:
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(12), 8)
    data = {"g": g.astype(str), "y": rng.poisson(np.exp(0.5 + 0.2 * rng.normal(size=12)[g]))}
    fit = bayesml.fit("y ~ 1 + (1 | g)", data, "poisson", method="laplace")
    row = fit.confint("profile", parameters="sd").iloc[0]
    without = bayesml.fit("y ~ 1", data, "poisson", method="laplace")
    assert 0 < 2 * (fit.logLik - without.logLik) < 3.84
    assert row["lower"] == 0.0
    assert row["upper"] > row["Estimate"]


def test_profile_of_a_correlation_and_a_family_parameter() -> None:
    rng = np.random.default_rng(5)
    g, x = np.repeat(np.arange(40), 10), np.tile(np.linspace(-1, 1, 10), 40)
    effects = rng.normal(size=(40, 2)) @ np.array([[0.6, 0.3], [0.0, 0.4]])
    mean = np.exp(1 + 0.4 * x + effects[g, 0] + effects[g, 1] * x)
    data = {"g": g.astype(str), "x": x, "y": rng.negative_binomial(3.0, 3.0 / (3.0 + mean))}
    fit = bayesml.fit("y ~ x + (x | g)", data, "negbinomial", method="laplace")
    table = fit.confint("profile", parameters=["cor_g__Intercept__x", "shape"])
    # The estimate is .81 and the deviance rises by 1.717 until the correlation is 1, less than qchisq(.95, 1).
    assert table.loc["cor_g__Intercept__x", "upper"] == 1.0
    estimate = fit.estimate
    assert isinstance(estimate, GeneralisedEstimate)
    for end in ("lower", "upper"):
        held = FamilyResponse(fit.likelihood, estimate.response.data, {"shape": table.loc["shape", end]})
        found = fit_generalised_mixed(held, estimate.arrays.X, estimate.arrays.blocks)
        # qchisq(.95, 1) = 3.841459; zeta is right to 2e-4, the rise to 4 times that.
        np.testing.assert_allclose(found.deviance - fit.deviance, 3.841459, atol=2e-3)


def test_bootstrap_is_reproducible_and_of_the_right_size(sleep: bayesml.PointFit) -> None:
    first = sleep.confint("boot", nsim=300, seed=4)
    again = sleep.confint("boot", nsim=300, seed=4)
    np.testing.assert_array_equal(first, again)
    wald = sleep.confint(ddf=None)
    own = ["sigma", "b_Intercept", "b_Days"]
    width = (first["upper"] - first["lower"])[own] / (wald["upper"] - wald["lower"])[own]
    # The error of an interval's width from 300 draws is about 1.9 / sqrt(300) * 0.5 = 6%; four of them.
    assert (np.abs(width - 1) < 0.25).all()


def test_kinds_of_bootstrap_intervals_mirror_each_other(cbpp: bayesml.PointFit) -> None:
    percentile = cbpp.confint("boot", nsim=60, seed=1)
    basic = cbpp.confint("boot", nsim=60, seed=1, boot_type="basic")
    np.testing.assert_allclose(basic["lower"] + percentile["upper"], 2 * percentile["Estimate"])
    np.testing.assert_allclose(basic["upper"] + percentile["lower"], 2 * percentile["Estimate"])
    normal = cbpp.confint("boot", nsim=60, seed=1, boot_type="norm")
    assert (normal["lower"] < normal["upper"]).all()


def test_bootstrap_draws_from_the_model(cbpp: bayesml.PointFit) -> None:
    # With the sd of herds at its estimate the bootstrap mean of a coefficient is near the estimate.
    wanted = [e for e in elements(cbpp) if e.text == "b_Intercept"]
    drawn = bootstrap(cbpp, wanted, 200, 9)[:, 0]
    error = drawn.std() / np.sqrt(200)
    assert abs(drawn.mean() - cbpp["b_Intercept"]) < 5 * error
    assert 0.1 < expit(drawn.mean()) < 0.3


def test_choice_of_parameters(sleep: bayesml.PointFit) -> None:
    assert list(sleep.confint(parameters="sd").index) == NAMES[:2]
    assert list(sleep.confint(parameters=["b_Days", "sigma"]).index) == ["b_Days", "sigma"]
    assert [e.text for e in elements(sleep)] == NAMES
    narrow, wide = sleep.confint(level=0.5), sleep.confint(level=0.99)
    assert (wide["lower"] < narrow["lower"]).all()
    assert (wide["upper"] > narrow["upper"]).all()


def test_singular_fit_has_no_interval_for_what_is_zero() -> None:
    with pytest.warns(bayesml.FitWarning, match="Singular"):
        fit = bayesml.fit("Yield ~ 1 + (1 | Batch)", frame("Dyestuff2"), method="reml")
    table = fit.confint()
    assert np.isnan(table.loc["sd_Batch__Intercept", "lower"])
    assert np.isfinite(table.loc[["sigma", "b_Intercept"]]).all(axis=None)
    profile = fit.confint("profile")
    assert profile.loc["sd_Batch__Intercept", "lower"] == 0.0
    assert profile.loc["sd_Batch__Intercept", "upper"] > 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "score"}, "`method` is"),
        ({"level": 1.5}, "coverage"),
        ({"parameters": "b_Dyas"}, "did you mean `b_Days`"),
        ({"method": "boot", "nsim": 1}, "`nsim`"),
        ({"method": "boot", "boot_type": "bca"}, "`boot_type`"),
    ],
)
def test_refusals(sleep: bayesml.PointFit, options: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        sleep.confint(**options)


def test_posterior_mode_has_no_profile() -> None:
    fit = bayesml.fit("Yield ~ 1 + (1 | Batch)", bayesml.load_dataset("Dyestuff"), method="map")
    assert (fit.confint()["lower"] < fit.confint()["upper"]).all()
    with pytest.raises(ModelError, match="posterior mode"):
        fit.confint("profile")
