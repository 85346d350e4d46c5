"""Whole models: likelihood ratios, deletions of group effects, variance explained, influence, the posterior."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import ModelError
from bayesml.results.checks.check_laplace import check_laplace
from bayesml.results.frequentist.likelihood_ratio import anova_fits, compare_models

SLEEP = ("Reaction ~ Days + (1 | Subject)", "Reaction ~ Days + (Days || Subject)", "Reaction ~ Days + (Days | Subject)")


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return bayesml.load_dataset("sleepstudy")


@pytest.fixture(scope="module")
def sleep(data: pd.DataFrame) -> list[bayesml.PointFit]:
    return [bayesml.fit(formula, data, method="reml") for formula in SLEEP]


@pytest.fixture(scope="module")
def cbpp() -> bayesml.PointFit:
    formula = "incidence | trials(size) ~ period + (1 | herd)"
    return bayesml.fit(formula, bayesml.load_dataset("cbpp"), "binomial", method="laplace")


# Likelihood ratios ---------------------------------------------------------------------------------------------------


def test_likelihood_ratios_of_refitted_reml_fits(sleep: list[bayesml.PointFit]) -> None:
    # R: anova(lmer(Reaction ~ Days + (1|Subject)), lmer(... (1|Subject) + (0+Days|Subject)), lmer(... (Days|Subject)))
    with pytest.warns(bayesml.FitWarning, match="Refitted by maximum likelihood"):
        table = anova_fits(*reversed(sleep))
    assert list(table.index) == list(SLEEP)
    assert list(table["npar"]) == [4, 5, 6]
    np.testing.assert_allclose(table["AIC"], [1802.0786, 1762.0033, 1763.9393], atol=6e-5)
    np.testing.assert_allclose(table["BIC"], [1814.8505, 1777.9680, 1783.0971], atol=6e-5)
    np.testing.assert_allclose(table["-2*log(L)"], [1794.0786, 1752.0033, 1751.9393], atol=6e-5)
    np.testing.assert_allclose(table["Chisq"][1:], [42.07539, 0.06391], atol=6e-6)
    np.testing.assert_allclose(table["Pr(>Chisq)"][1:], [8.7822e-11, 0.80042], rtol=1e-5)


def test_ml_fits_are_compared_as_they_are(data: pd.DataFrame, sleep: list[bayesml.PointFit]) -> None:
    fits = [bayesml.fit(formula, data, method="ml") for formula in SLEEP]
    with pytest.warns(bayesml.FitWarning):
        refitted = anova_fits(*sleep)
    pd.testing.assert_frame_equal(anova_fits(*fits), refitted, rtol=1e-6)


def test_reml_likelihoods_on_request(sleep: list[bayesml.PointFit]) -> None:
    table = anova_fits(*sleep, refit=False, names=["a", "b", "c"])
    # R: logLik of the three REML fits: -893.23254 -871.83465 -871.81414
    np.testing.assert_allclose(table["logLik"], [-893.23254, -871.83465, -871.81414], atol=6e-6)
    assert list(table.index) == ["a", "b", "c"]


def test_likelihood_ratio_of_a_generalised_model(cbpp: bayesml.PointFit) -> None:
    # R: anova(glmer(... ~ (1|herd)), glmer(... ~ period + (1|herd))): Chisq 25.60994 (3), from deviances exact to 3e-4
    small = bayesml.fit(
        "incidence | trials(size) ~ 1 + (1 | herd)", bayesml.load_dataset("cbpp"), "binomial", method="laplace"
    )
    table = anova_fits(small, cbpp)
    np.testing.assert_allclose(table["Chisq"].iloc[1], 25.60994, atol=1e-3)
    assert table["Df"].iloc[1] == 3


def test_what_cannot_be_compared(data: pd.DataFrame, sleep: list[bayesml.PointFit], cbpp: bayesml.PointFit) -> None:
    shorter = bayesml.fit(SLEEP[0], data[data.Days >= 1], method="ml")
    other = bayesml.fit(SLEEP[0], data.assign(Reaction=data.Reaction + 1), method="ml")
    mode = bayesml.fit(SLEEP[0], data, method="map")
    for fits, message in (
        ((sleep[0],), "at least two"),
        ((sleep[0], shorter), "180 and 162 observations"),
        ((sleep[0], other), "different responses"),
        ((sleep[0], mode), "posterior mode"),
        ((sleep[0], "model"), "point estimates"),
        ((sleep[0], cbpp), "observations"),
    ):
        with pytest.raises(ModelError, match=message):
            anova_fits(*fits)
    with pytest.raises(ModelError, match="REML and ML"):
        anova_fits(sleep[0], bayesml.fit(SLEEP[1], data, method="ml"), refit=False)


def test_table_of_criteria(data: pd.DataFrame, sleep: list[bayesml.PointFit]) -> None:
    fits = [bayesml.fit(formula, data, method="ml") for formula in SLEEP]
    table = compare_models(*fits, names=["a", "b", "c"])
    assert list(table.index) == ["b", "c", "a"]
    np.testing.assert_allclose(table["AIC"], [1762.0033, 1763.9393, 1802.0786], atol=6e-5)
    weight = np.exp(-table["dAIC"] / 2)
    np.testing.assert_allclose(table["weight"], weight / weight.sum(), rtol=1e-12)
    with pytest.raises(ModelError, match="different predictors"):
        compare_models(sleep[0], bayesml.fit("Reaction ~ 1 + (1 | Subject)", data, method="reml"))
    with pytest.raises(ModelError, match="cannot be compared"):
        compare_models(sleep[0], fits[0])


# Deletions of group effects ------------------------------------------------------------------------------------------


def test_deletions_of_sleepstudy(sleep: list[bayesml.PointFit]) -> None:
    # R: ranova(lmer(Reaction ~ Days + (Days | Subject), sleepstudy))
    table = sleep[2].ranova()
    assert list(table.index) == ["<none>", "Days in (Days | Subject)"]
    np.testing.assert_allclose(table["logLik"], [-871.81414, -893.23254], atol=6e-6)
    np.testing.assert_allclose(table["AIC"], [1755.6283, 1794.4651], atol=6e-5)
    np.testing.assert_allclose(table["LRT"].iloc[1], 42.836813, atol=1e-6)
    assert (table["npar"].iloc[1], table["Df"].iloc[1]) == (4, 2)
    np.testing.assert_allclose(table["Pr(>Chisq)"].iloc[1], 4.99e-10, rtol=1e-3)


def test_deletions_of_independent_effects(sleep: list[bayesml.PointFit]) -> None:
    # R: ranova(lmer(Reaction ~ Days + (1 | Subject) + (0 + Days | Subject), sleepstudy))
    table = sleep[1].ranova()
    assert list(table.index) == ["<none>", "Days in (Days || Subject)", "Intercept in (Days || Subject)"]
    np.testing.assert_allclose(table["LRT"][1:], [42.795792, 22.855734], atol=1e-6)


def test_deletion_of_the_only_term_with_weights(data: pd.DataFrame) -> None:
    # R: ranova(lmer(Reaction ~ Days + (1|Subject), sleepstudy, weights = rep(c(1, 2, .5), 60)))
    weighted = data.assign(w=np.tile([1.0, 2.0, 0.5], 60))
    table = bayesml.fit("Reaction | weights(w) ~ Days + (1 | Subject)", weighted, method="reml").ranova()
    assert list(table.index) == ["<none>", "(1 | Subject)"]
    np.testing.assert_allclose(table["logLik"], [-898.4524687, -954.2374386], atol=1e-6)
    np.testing.assert_allclose(table["LRT"].iloc[1], 111.5699397, atol=1e-6)


def test_nested_terms_are_deleted_one_by_one() -> None:
    # Pastes: without batch the ML deviance is 248.4014 instead of 247.9945, p .5234 (MixedModels.jl and lme4).
    fit = bayesml.fit("strength ~ 1 + (1 | batch/cask)", bayesml.load_dataset("Pastes"), method="ml")
    table = fit.ranova()
    assert list(table.index) == ["<none>", "(1 | batch)", "(1 | batch:cask)"]
    np.testing.assert_allclose(table.loc["(1 | batch)", "Pr(>Chisq)"], 0.5234, atol=5e-5)


def test_deletion_in_a_generalised_model(cbpp: bayesml.PointFit) -> None:
    # R: -2 * logLik(glm(cbind(incidence, size - incidence) ~ period, binomial, cbpp)) = 198.0583989
    table = cbpp.ranova()
    np.testing.assert_allclose(-2 * table["logLik"].iloc[1], 198.0583989, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Singular fit")
def test_mixed_columns_left_of_the_bar(data: pd.DataFrame) -> None:
    more = data.assign(late=np.where(data.Days > 4, "late", "early"), s=np.sin(data.Days))
    fit = bayesml.fit("Reaction ~ Days + (s + late | Subject)", more, method="ml")
    table = fit.ranova()
    assert list(table.index) == ["<none>", "s in (s + late | Subject)", "late in (s + late | Subject)"]
    assert list(table["Df"][1:]) == [3, 3]
    smaller = bayesml.fit("Reaction ~ Days + (s | Subject)", more, method="ml")
    np.testing.assert_allclose(table["logLik"].iloc[2], smaller.logLik, atol=1e-6)


def test_nothing_to_delete() -> None:
    fit = bayesml.fit("Reaction ~ Days", bayesml.load_dataset("sleepstudy"), method="laplace")
    with pytest.raises(ModelError, match="no group-level terms"):
        fit.ranova()


# Variance explained --------------------------------------------------------------------------------------------------


def test_r2_of_sleepstudy(sleep: list[bayesml.PointFit]) -> None:
    # R: performance::r2(m), performance::icc(m) of lmer(Reaction ~ Days + (Days | Subject)): 0.799, 0.279; 0.722, 0.521
    explained, shares = sleep[2].r2(), sleep[2].icc()
    np.testing.assert_allclose(explained[["conditional", "marginal"]], [0.799, 0.279], atol=5e-4)
    np.testing.assert_allclose(shares[["adjusted", "unadjusted"]], [0.722, 0.521], atol=5e-4)


def test_variance_of_slopes_is_its_mean_over_the_rows(sleep: list[bayesml.PointFit], data: pd.DataFrame) -> None:
    sigma = sleep[2].varcorr()["Subject"].cov_matrix.to_numpy()
    Z = np.column_stack([np.ones(180), data.Days])
    between = np.mean([z @ sigma @ z for z in Z])
    fixed = np.var(sleep[2]["b_Days"] * data.Days, ddof=1)
    total = fixed + between + sleep[2].sigma ** 2
    np.testing.assert_allclose(sleep[2].r2(), [fixed / total, (fixed + between) / total], rtol=1e-10)


def test_icc_of_one_factor() -> None:
    # Dyestuff by REML: variances 1764.0375 and 49.5101273^2 (Bates et al. 2015).
    fit = bayesml.fit("Yield ~ 1 + (1 | Batch)", bayesml.load_dataset("Dyestuff"), method="reml")
    expected = 1764.0375 / (1764.0375 + 49.5101273**2)
    np.testing.assert_allclose(fit.icc(), expected, rtol=1e-5)
    assert fit.r2()["marginal"] == pytest.approx(0.0, abs=1e-20)
    np.testing.assert_allclose(fit.r2(by_level=True), 0.0, atol=1e-6)


def test_latent_variance_of_the_logit(cbpp: bayesml.PointFit) -> None:
    tau2 = cbpp["sd_herd__Intercept"] ** 2
    np.testing.assert_allclose(cbpp.icc()["adjusted"], tau2 / (tau2 + np.pi**2 / 3), rtol=1e-12)


def test_counts_and_overdispersion() -> None:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(60), 10)
    data = {"g": g.astype(str), "obs": np.arange(600).astype(str)}
    data["y"] = rng.poisson(np.exp(1.0 + 0.5 * rng.normal(size=60)[g] + 0.4 * rng.normal(size=600)))
    fit = bayesml.fit("y ~ 1 + (1 | g) + (1 | obs)", data, "poisson", method="laplace")
    group, row = fit["sd_g__Intercept"] ** 2, fit["sd_obs__Intercept"] ** 2
    mean = np.exp(fit["b_Intercept"] + (group + row) / 2)
    assert mean == pytest.approx(np.mean(data["y"]), rel=0.1)
    residual = row + np.log1p(1 / mean)
    assert list(fit.icc().index) == ["adjusted", "unadjusted", "g"]
    np.testing.assert_allclose(fit.icc()["adjusted"], group / (group + residual), rtol=1e-10)


def test_r2_by_level(data: pd.DataFrame, sleep: list[bayesml.PointFit]) -> None:
    null = bayesml.fit("Reaction ~ 1 + (1 | Subject)", data, method="reml")
    levels = sleep[0].r2(by_level=True)
    np.testing.assert_allclose(levels["residual"], 1 - (sleep[0].sigma / null.sigma) ** 2, rtol=1e-6)
    expected = 1 - (sleep[0]["sd_Subject__Intercept"] / null["sd_Subject__Intercept"]) ** 2
    np.testing.assert_allclose(levels["Subject"], expected, rtol=1e-5)


# Influence and pictures ----------------------------------------------------------------------------------------------


def test_leverage_and_cooks_distance(sleep: list[bayesml.PointFit]) -> None:
    # R: hatvalues(m)[1:4], cooks.distance(m)[1:4], max(cooks.distance(m))
    table = sleep[2].influence()
    np.testing.assert_allclose(
        table["leverage"][:4], [0.2293040377, 0.1697299938, 0.1268237150, 0.1005852014], rtol=1e-5
    )
    expected = [0.004963132515, 0.040206201856, 0.226099184758, 0.007313246991]
    np.testing.assert_allclose(table["cooks_distance"][:4], expected, rtol=5e-5)
    np.testing.assert_allclose(table["cooks_distance"].max(), 4.332163703, rtol=1e-5)


def test_leverage_with_weights(data: pd.DataFrame) -> None:
    # R: w <- lmer(Reaction ~ Days + (Days|Subject), sleepstudy, weights = rep(c(1, 2, .5), 60)); hatvalues(w)[1:3]
    weighted = data.assign(w=np.tile([1.0, 2.0, 0.5], 60))
    table = bayesml.fit("Reaction | weights(w) ~ Days + (Days | Subject)", weighted, method="reml").influence()
    np.testing.assert_allclose(table["leverage"][:3], [0.202471200, 0.296667531, 0.054932484], rtol=2e-6)
    np.testing.assert_allclose(table["cooks_distance"][:3], [0.010781314, 0.180461672, 0.034077104], rtol=2e-5)


def test_leverage_of_a_generalised_model_agrees_with_that_of_a_linear_one(sleep: list[bayesml.PointFit]) -> None:
    # The gaussian mode with flat enough priors is ML; the two leverages come from different formulas.
    data = bayesml.load_dataset("sleepstudy")
    linear = bayesml.fit(SLEEP[0], data, method="ml")
    mode = bayesml.fit(SLEEP[0], data, method="map", default_priors="brms")
    # The priors move the relative sd by a few per cent, and the leverages by less.
    np.testing.assert_allclose(mode.influence()["leverage"], linear.influence()["leverage"], rtol=0.02)


def test_leverages_lie_between_0_and_1(cbpp: bayesml.PointFit) -> None:
    leverage = cbpp.influence()["leverage"]
    assert leverage.between(0, 1).all()
    # Effective parameters: between the 4 coefficients and these plus one for each of 15 herds.
    assert 4 < leverage.sum() < 19


@pytest.mark.parametrize("which", ["linear", "generalised", "without groups", "many levels"])
def test_picture(which: str, sleep: list[bayesml.PointFit], cbpp: bayesml.PointFit) -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(80), 4)
    many = {"g": g.astype(str), "y": rng.normal(size=80)[g] + rng.normal(size=320)}
    fits = {
        "linear": lambda: sleep[2],
        "generalised": lambda: cbpp,
        "without groups": lambda: bayesml.fit("Reaction ~ Days", bayesml.load_dataset("sleepstudy"), method="laplace"),
        "many levels": lambda: bayesml.fit("y ~ 1 + (1 | g)", many, method="reml"),
    }
    figure = fits[which]().check_model()
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.axison]
    assert titles[:4] == ["Residuals", "Scale", "Normal quantiles of residuals", "Influence"]
    assert len(titles) == (4 if which == "without groups" else 6)
    figure.canvas.draw()
    from matplotlib import pyplot as plt

    plt.close(figure)


# The posterior -------------------------------------------------------------------------------------------------------


def test_point_estimate_against_the_posterior(cbpp: bayesml.PointFit) -> None:
    table = check_laplace(cbpp, draws=1000, chains=2, seed=1)
    assert list(table.index) == [
        "b_Intercept",
        "b_period[2]",
        "b_period[3]",
        "b_period[4]",
        "sd_herd__Intercept",
    ]
    coefficients = table.iloc[:4]
    assert (coefficients["distance"].abs() < 0.3).all()
    np.testing.assert_allclose(coefficients["sd_ratio"], 1.0, atol=0.25)
    # The posterior of a sd with 15 levels is skewed: its mean lies above the mode.
    assert table.loc["sd_herd__Intercept", "distance"] < -0.2
    assert table.loc["sd_herd__Intercept", "below"] < 0.5
    np.testing.assert_allclose(table["distance"], (table["estimate"] - table["mean"]) / table["sd"])


def test_only_point_estimates_are_checked() -> None:
    with pytest.raises(ModelError, match="point estimates"):
        check_laplace("fit")  # type: ignore[arg-type]
