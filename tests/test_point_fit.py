"""Point estimates through the formula: lme4's numbers and print, refusals, hostile data, no JAX."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest

import bayesml
from bayesml import DataError, FitWarning, ModelError, PointFit
from bayesml.errors import UnknownNameError
from tests.reference import Reference, frame, label, references

REFERENCES = references()


def point(reference: Reference) -> PointFit:
    if reference.family == "gaussian":
        method = "reml" if reference.record["REML"] else "ml"
    else:
        method = bayesml.Laplace(quadrature_points=reference.record["nAGQ"])
    data = reference.frame.copy()
    for column in ("classid", "schoolid", "school", "clinic", "batch"):
        if column in data:
            data[column] = data[column].astype(str)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return bayesml.fit(reference.formula, data, reference.family, method=method)


@pytest.fixture(scope="module")
def sleep() -> PointFit:
    return bayesml.fit("Reaction ~ Days + (Days | Subject)", frame("sleepstudy"), method="reml", data_name="sleepstudy")


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: r.id)
def test_agrees_with_lme4(reference: Reference) -> None:
    fit, record = point(reference), reference.record
    wanted = record["criterion"] if "criterion" in record else -2.0 * record["logLik"]
    found = fit.criterion
    if record.get("nAGQ", 1) > 1:  # lme4 measures quadrature from the saturated model
        found = fit.estimate.fit.saturated_deviance
    # ours may be lower: lme4 stops earlier
    assert found == pytest.approx(wanted, abs=1e-6, rel=1e-8)
    for name, value in reference.fixed().items():
        tolerance = 1e-5 if "criterion" in record else 1e-3  # glmer stops where the 4th digit still moves
        assert fit[f"b_{name}"] == pytest.approx(value, rel=tolerance), name
    scale = max(reference.sds().values())
    for name, value in reference.sds().items():
        tolerance = 1e-4 if "criterion" in record else 1e-3
        assert fit[name] == pytest.approx(value, rel=tolerance, abs=1e-4 * scale), name
    assert fit.nobs == record["nobs"]


@pytest.mark.parametrize("reference", [r for r in REFERENCES if r.family == "gaussian"], ids=lambda r: r.id)
def test_inference_agrees_with_lmertest(reference: Reference) -> None:
    fit, record = point(reference), reference.record
    assert (fit.df, fit.aic, fit.bic) == pytest.approx((record["df"], record["AIC"], record["BIC"]), abs=1e-5)
    assert fit.sigma == pytest.approx(record["sigma"], rel=1e-4)
    assert fit.is_singular == record["singular"]
    table = fit.fixef()
    for name, row in record["fixef"].items():
        own = table.loc[label(name)]
        assert own["Std.Error"] == pytest.approx(row["Std. Error"], rel=2e-5 if not fit.is_singular else 1e-4)
        if "df" in row:
            assert own["df"] == pytest.approx(row["df"], rel=1e-3 if not fit.is_singular else 2e-2), name
            assert own["t value"] == pytest.approx(row["t value"], rel=1e-4)


@pytest.mark.parametrize("reference", [r for r in REFERENCES if "ranef" in r.record], ids=lambda r: r.id)
def test_group_effects_agree_with_lme4(reference: Reference) -> None:
    fit, record = point(reference), reference.record
    tables = fit.ranef()
    for group, own in record["ranef"].items():
        name = ":".join(reversed(group.split(":"))) if ":" in group else group
        if name not in tables:
            continue
        table = tables[name].set_index(["level", "coef"])["Estimate"]
        levels = ["_".join(reversed(level.split(":"))) for level in own["levels"]]
        found = np.array([[table[level, label(c)] for c in own["coefs"]] for level in levels])
        wanted = np.array(own["value"])
        tolerance = 1e-4 if "criterion" in record else 2e-3
        np.testing.assert_allclose(found, wanted, atol=tolerance * np.abs(wanted).max(), err_msg=group)


SLEEP = """\
Linear mixed model fit by REML. t-tests use Satterthwaite's method
Formula: Reaction ~ Days + (Days | Subject)
   Data: sleepstudy

REML criterion at convergence: 1743.6

Scaled residuals:
    Min      1Q  Median      3Q     Max
-3.9536 -0.4634  0.0231  0.4634  5.1793

Random effects:
 Groups   Name      Variance Std.Dev. Corr
 Subject  Intercept 612.09   24.740
          Days       35.07    5.922    0.07
 Residual           654.94   25.592
Number of obs: 180, groups:  Subject, 18

Fixed effects:
          Estimate Std. Error     df t value Pr(>|t|)
Intercept  251.405      6.825 17.000  36.838  < 2e-16 ***
Days        10.467      1.546 17.000   6.771 3.26e-06 ***
---
Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1

Correlation of Fixed Effects:
     Intrcp
Days -0.138"""


def test_print_is_lme4s(sleep: PointFit) -> None:
    # summary(lmerTest::lmer(Reaction ~ Days + (Days | Subject), sleepstudy)), with our labels. lme4 1.1-31 stops at an
    # intercept variance of 612.10; the minimum of its criterion lies at 612.0899.
    assert str(sleep) == SLEEP


def test_print_of_a_generalised_model() -> None:
    # glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial); standard errors from the exact
    # Hessian as in glmmTMB: 0.2325 0.3066 0.3266 0.4274
    fit = bayesml.fit(
        "incidence | trials(size) ~ period + (1 | herd)", frame("cbpp"), "binomial", method="laplace", data_name="cbpp"
    )
    lines = str(fit).splitlines()
    assert lines[0] == "Generalized linear mixed model fit by maximum likelihood (Laplace Approximation)"
    assert lines[1] == " Family: binomial  ( logit )"
    assert lines[5:7] == [
        "      AIC       BIC    logLik -2*log(L)  df.resid",
        "    194.1     204.2     -92.0     184.1        51",
    ]
    assert " herd   Intercept 0.4125   0.6423" in lines
    assert "period[4]  -1.5803     0.4274  -3.697 0.000218 ***" in lines
    assert "z value" in str(fit) and "df t" not in str(fit)


def test_html_shows_the_same_numbers(sleep: PointFit) -> None:
    html = sleep._repr_html_()
    for cell in ("251.405", "24.740", "3.26e-06", "Number of obs: 180, groups:  Subject, 18"):
        assert cell in html


def test_terms_are_printed_by_decreasing_levels() -> None:
    fit = bayesml.fit("diameter ~ 1 + (1 | sample) + (1 | plate)", frame("Penicillin"), method="reml")
    assert "groups:  plate, 24; sample, 6" in str(fit)


def test_tables_agree_with_each_other(sleep: PointFit) -> None:
    assert sleep.coef()["Subject"].loc["308", "Days"] == pytest.approx(sleep["b_Days"] + sleep["r_Subject[308,Days]"])
    # lme4: attr(ranef(fit, condVar = TRUE)$Subject, "postVar")[, , 1] is 145.705588, 5.3122829 on the diagonal
    errors = sleep.ranef()["Subject"].query("level == '308'")["Std.Error"].to_numpy()
    np.testing.assert_allclose(errors**2, [145.705588, 5.3122829], rtol=1e-4)
    variation = sleep.varcorr()["Subject"]
    assert variation.cov_matrix.loc["Intercept", "Days"] == pytest.approx(
        variation.sd["Intercept"] * variation.sd["Days"] * variation.cor_matrix.loc["Intercept", "Days"]
    )
    assert sleep["sigma"] == sleep.sigma == sleep.varcorr()["residual__"].sd["sigma"]
    assert sleep["cor_Subject__Intercept__Days"] == variation.cor_matrix.loc["Days", "Intercept"]
    np.testing.assert_allclose(sleep.vcov(full=True).iloc[:2, :2], sleep.vcov())
    with pytest.raises(ModelError, match="did you mean `b_Days`"):
        sleep["b_Dyas"]


def test_full_covariance_is_the_inverse_of_hendersons_equations(sleep: PointFit) -> None:
    data = frame("sleepstudy")
    X = np.column_stack([np.ones(180), data["Days"]])
    Z = np.zeros((180, 36))
    level = {name: i for i, name in enumerate(sleep.coef()["Subject"].index)}
    for row, (subject, days) in enumerate(zip(data["Subject"], data["Days"], strict=True)):
        Z[row, 2 * level[subject] : 2 * level[subject] + 2] = 1.0, days
    G = np.kron(np.eye(18), sleep.varcorr()["Subject"].cov_matrix.to_numpy())
    W = np.column_stack([X, Z])
    equations = W.T @ W / sleep.sigma**2
    equations[2:, 2:] += np.linalg.inv(G)
    np.testing.assert_allclose(sleep.vcov(full=True), np.linalg.inv(equations), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", ["pandas", "polars", "dict"])
def test_data_of_any_kind_give_the_same_fit(sleep: PointFit, kind: str) -> None:
    data = frame("sleepstudy")
    given = {"pandas": data, "polars": pl.from_pandas(data), "dict": {c: data[c].to_numpy() for c in data}}[kind]
    fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", given, method="reml")
    assert fit.criterion == sleep.criterion
    assert fit["b_Days"] == sleep["b_Days"]


def test_no_jax_on_the_way() -> None:
    code = (
        "import bayesml, sys\n"
        "d = bayesml.load_dataset('sleepstudy')\n"
        "f = bayesml.fit('Reaction ~ Days + (Days | Subject)', d, method='reml')\n"
        "str(f); f.fixef(); f.simulate(2, seed=1)\n"
        "f.predict({'Days': [1], 'Subject': ['308']}, interval='prediction')\n"
        "g = bayesml.fit('Reaction ~ Days + (1 | Subject)', d, 'gamma', method='map')\n"
        "print(sorted({'jax', 'numpyro', 'blackjax'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Options and refusals ----------------------------------------------------------------------------------------------


def test_laplace_on_a_gaussian_model_is_maximum_likelihood() -> None:
    formula = "Reaction ~ Days + (Days | Subject)"
    ml, laplace = (bayesml.fit(formula, frame("sleepstudy"), method=m) for m in ("ml", "laplace"))
    assert laplace.logLik == ml.logLik
    assert ml.criterion == pytest.approx(1751.9393444632, abs=1e-6)  # lmer(REML = FALSE)


def test_lognormal_is_the_model_of_log_y_with_its_jacobian() -> None:
    data = frame("sleepstudy").assign(logged=lambda d: np.log(d["Reaction"]))
    direct = bayesml.fit("Reaction ~ Days + (1 | Subject)", data, "lognormal", method="reml")
    logged = bayesml.fit("logged ~ Days + (1 | Subject)", data, method="reml")
    assert direct["b_Days"] == pytest.approx(logged["b_Days"])
    assert direct.logLik == pytest.approx(logged.logLik - data["logged"].sum())


def test_known_standard_errors_hold_the_residual_sd() -> None:
    rng = np.random.default_rng(1)
    se = rng.uniform(0.5, 2.0, 60)
    data = {"y": rng.normal(3.0, np.sqrt(se**2 + 1.0)), "s": se, "g": np.repeat(np.arange(60), 1).astype(str)}
    fit = bayesml.fit("y | se(s) ~ 1 + (1 | g)", data, method="ml")
    # one row a level: y is normal with variance se^2 + tau^2
    tau = fit["sd_g__Intercept"]
    precision = 1.0 / (se**2 + tau**2)
    assert fit["b_Intercept"] == pytest.approx(precision @ data["y"] / precision.sum(), rel=1e-8)
    density = -0.5 * (np.log(2 * np.pi / precision) + precision * (data["y"] - fit["b_Intercept"]) ** 2)
    assert fit.logLik == pytest.approx(density.sum(), rel=1e-10)


def test_known_standard_errors_beside_sigma_are_for_laplace() -> None:
    rng = np.random.default_rng(1)
    se, g = rng.uniform(0.5, 2.0, 60), np.repeat(np.arange(12), 5)
    y = 3.0 + 3.0 * rng.normal(size=12)[g] + rng.normal(0.0, np.sqrt(se**2 + 1.0))
    data = {"y": y, "s": se, "g": g.astype(str)}
    fit = bayesml.fit("y | se(s, sigma=True) ~ 1 + (1 | g)", data, method="laplace")
    V = np.diag(se**2 + fit.sigma**2) + fit["sd_g__Intercept"] ** 2 * (g[:, None] == g[None, :])
    residual = data["y"] - fit["b_Intercept"]
    exact = -0.5 * (np.linalg.slogdet(2 * np.pi * V)[1] + residual @ np.linalg.solve(V, residual))
    assert fit.logLik == pytest.approx(exact, rel=1e-9)


def test_weights_are_precision_weights() -> None:
    data = frame("sleepstudy").assign(w=np.tile([1.0, 4.0], 90))
    fit = bayesml.fit("Reaction | weights(w) ~ Days + (1 | Subject)", data, method="ml")
    half = np.sqrt(data["w"])
    V = np.zeros((180, 180))
    codes = data["Subject"].factorize()[0]
    V += fit["sd_Subject__Intercept"] ** 2 * (codes[:, None] == codes[None, :])
    V += np.diag(fit.sigma**2 / data["w"])
    X = np.column_stack([np.ones(180), data["Days"]])
    residual = data["Reaction"].to_numpy() - X @ np.array([fit["b_Intercept"], fit["b_Days"]])
    _, logdet = np.linalg.slogdet(2 * np.pi * V)
    assert fit.logLik == pytest.approx(-0.5 * (logdet + residual @ np.linalg.solve(V, residual)), rel=1e-10)
    np.testing.assert_allclose(fit.residuals("scaled"), half * fit.residuals() / fit.sigma)


@pytest.mark.parametrize(
    ("formula", "family", "method", "options", "message"),
    [
        ("Reaction ~ Days + (1 | Subject)", "poisson", "reml", {}, 'method="laplace"'),
        ("Reaction ~ Days + (1 | Subject)", "gamma", "ml", {}, 'method="laplace"'),
        ("Reaction ~ Days", "gaussian", "reml", {}, r"\(1 \| g\)"),
        ("Reaction ~ Days + (1 | Subject)", "gaussian", "reml", {"seed": 1}, "no option `seed`"),
        ("Reaction ~ Days + (1 | Subject)", "gaussian", "reml", {"draws": 10}, "no option `draws`"),
        ("Reaction | se(Days, sigma=True) ~ 1 + (1 | Subject)", "gaussian", "reml", {}, 'method="laplace"'),
    ],
)
def test_refusals_say_what_to_use(formula: str, family: str, method: str, options: dict, message: str) -> None:
    data = frame("sleepstudy").assign(Reaction=lambda d: d["Reaction"].round())
    with pytest.raises(ModelError, match=message):
        bayesml.fit(formula, data, family, method=method, **options)


def test_a_formula_on_sigma_is_not_for_reml() -> None:
    formula = bayesml.bf("Reaction ~ Days + (1 | Subject)", sigma="~ Days")
    for method in ("reml", "ml"):
        with pytest.raises(ModelError, match='method="nuts"'):
            bayesml.fit(formula, frame("sleepstudy"), method=method)


@pytest.mark.parametrize("method", ["reml", "ml", "laplace"])
def test_priors_are_for_map(method: str) -> None:
    prior = bayesml.prior("normal(0, 10)", class_="b")
    with pytest.raises(ModelError, match='method="map"'):
        bayesml.fit("Reaction ~ Days + (1 | Subject)", frame("sleepstudy"), prior=prior, method=method)


def test_options_are_checked() -> None:
    with pytest.raises(ModelError, match="quadrature_points"):
        bayesml.Laplace(quadrature_points=0)
    with pytest.raises(ModelError, match="curvature"):
        bayesml.Laplace(curvature="other")


@pytest.mark.parametrize("verb", ["draws", "log_lik", "loo", "plot", "pairs", "forest", "pp_check"])
def test_what_needs_draws_is_not_there_and_names_the_way_to_them(sleep: PointFit, verb: str) -> None:
    assert not hasattr(sleep, verb)
    with pytest.raises(UnknownNameError, match=rf"to_normal_draws\(\)\.{verb}"):
        getattr(sleep, verb)()


def test_idata_names_the_way_to_draws(sleep: PointFit) -> None:
    with pytest.raises(UnknownNameError, match=r"to_normal_draws\(\)\.idata"):
        _ = sleep.idata


# The mode of the posterior -----------------------------------------------------------------------------------------


def test_map_without_information_in_the_priors_is_maximum_likelihood() -> None:
    # Flat coefficients and p(x) = 1 / x: the density of log x is flat, and lkj(1e-8) leaves the determinant out.
    data = frame("sleepstudy")
    priors = [bayesml.prior("lkj(0.00000001)", class_="cor"), bayesml.prior("uniform(-1000, 1000)", class_="Intercept")]
    priors += [bayesml.prior("uniform(-1000, 1000)", class_="b")]
    priors += [bayesml.prior("gamma(0.0000001, 0.0000001)", class_=c) for c in ("sd", "sigma")]
    fit = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, prior=priors, method="map")
    ml = bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="ml")
    for name in ("b_Intercept", "b_Days", "sd_Subject__Intercept", "sd_Subject__Days", "sigma"):
        assert fit[name] == pytest.approx(ml[name], rel=1e-4), name
    assert fit.logLik == pytest.approx(ml.logLik, abs=1e-6)


def test_map_is_a_stationary_point_of_the_density_it_says() -> None:
    data = frame("cbpp")
    prior = [bayesml.prior("normal(0, 1)", class_="b"), bayesml.prior("gamma(2, 3)", class_="sd")]
    fit = bayesml.fit("incidence | trials(size) ~ period + (1 | herd)", data, "binomial", prior=prior, method="map")
    sd, b = fit["sd_herd__Intercept"], np.array([fit[f"b_period[{k}]"] for k in (2, 3, 4)])
    free = bayesml.fit("incidence | trials(size) ~ period + (1 | herd)", data, "binomial", method="laplace")
    # the prior pulls the coefficients towards 0 and the log likelihood can only fall
    assert np.all(np.abs(b) < np.abs([free[f"b_period[{k}]"] for k in (2, 3, 4)]))
    assert fit.logLik < free.logLik
    intercept = fit["b_Intercept"] + b @ fit.estimate.arrays.population.means
    table = {p.name: p for p in fit.problem.description.spec.parameters}
    log_prior = float(table["Intercept"].priors[0].log_density(intercept))
    log_prior += float(-0.5 * (b @ b) - 1.5 * np.log(2 * np.pi))
    log_prior += 2 * np.log(3) + np.log(sd) - 3 * sd + np.log(sd)  # gamma(2, 3) of sd, times sd for the log scale
    assert -0.5 * fit.estimate.fit.penalty == pytest.approx(log_prior, rel=1e-10)


def test_a_warning_points_at_the_line_that_fitted() -> None:
    data = {"y": np.tile([1.0, 2.0, 4.0], 8), "g": np.repeat(np.arange(8), 3)}
    with pytest.warns(FitWarning, match="Singular fit") as told:
        bayesml.fit("y ~ 1 + (1 | g)", data, method="reml")
    with pytest.warns(FitWarning) as told_of_draws:
        bayesml.fit("y ~ 1 + (1 | g)", data, seed=1, chains=2, draws=20, warmup=20, progress=False)
    assert {warning.filename for warning in (*told, *told_of_draws)} == {__file__}


def test_map_keeps_a_singular_fit_off_the_boundary() -> None:
    data = frame("Dyestuff2")
    with pytest.warns(FitWarning, match="the variance of `Intercept` in `Batch` is 0"):
        reml = bayesml.fit("Yield ~ 1 + (1 | Batch)", data, method="reml")
    assert reml["sd_Batch__Intercept"] == 0.0
    assert "Singular fit: the variance of `Intercept` in `Batch` is 0" in str(reml)
    assert bayesml.fit("Yield ~ 1 + (1 | Batch)", data, method="map")["sd_Batch__Intercept"] > 0.1


# Hostile data ------------------------------------------------------------------------------------------------------


def hostile(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"x": rng.normal(size=80), "g": np.repeat([f"g{i}" for i in range(10)], 8)})
    data["y"] = 1.0 + data["x"] + np.repeat(rng.normal(size=10), 8) + rng.normal(size=80)
    return data


def test_dependent_columns_are_dropped_and_named() -> None:
    data = hostile().assign(twice=lambda d: 2 * d["x"], one=1.0)
    with pytest.warns(FitWarning, match="dropped: `twice`, `one`"):
        fit = bayesml.fit("y ~ x + twice + one + (1 | g)", data, method="reml")
    assert list(fit.fixef().index) == ["Intercept", "x"]
    assert fit["b_twice"] == 0.0
    plain = bayesml.fit("y ~ x + (1 | g)", data, method="reml")
    assert fit.criterion == pytest.approx(plain.criterion, abs=1e-6)
    np.testing.assert_allclose(fit.predict(data), plain.predict(data), atol=1e-6)


def test_more_effects_than_rows() -> None:
    data = hostile().assign(obs=lambda d: np.arange(len(d)).astype(str))
    with pytest.raises(ModelError, match=r"observations \(80\) <= number of group effects \(80"):
        bayesml.fit("y ~ x + (1 | obs)", data, method="reml")
    fit = bayesml.fit("y ~ x + (1 | obs)", data, method="map")
    assert np.isfinite(fit.fixef().to_numpy()).all()


def test_fewer_levels_than_coefficients() -> None:
    data = hostile().assign(z=np.random.default_rng(1).normal(size=80), g=np.repeat(["a", "b"], 40))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        fit = bayesml.fit("y ~ x + z + (x + z | g)", data, method="reml")
    assert fit.is_singular
    assert np.isfinite([fit.criterion, *fit.fixef()["Estimate"], *fit.fixef()["Std.Error"]]).all()


def test_complete_separation_is_named() -> None:
    rng = np.random.default_rng(3)
    x = np.sort(rng.normal(size=60))
    data = {"y": (x > 0).astype(int), "x": x, "g": np.tile(list("abcdef"), 10)}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        bayesml.fit("y ~ x + (1 | g)", data, "bernoulli", method="laplace")
    assert any("separat" in str(w.message) and "`x`" in str(w.message) for w in caught), [
        str(w.message) for w in caught
    ]


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_constant_response(value: float) -> None:
    with pytest.raises(DataError):
        bayesml.fit("y ~ x + (1 | g)", hostile().assign(y=value), method="reml")


def test_zero_weights_are_refused_by_name() -> None:
    data = hostile().assign(w=np.r_[0.0, np.ones(79)])
    with pytest.raises(DataError, match="weight"):
        bayesml.fit("y | weights(w) ~ x + (1 | g)", data, method="reml")


@pytest.mark.parametrize("factor", [1e12, 1e-12])
def test_a_predictor_on_another_scale_changes_nothing_else(factor: float) -> None:
    data = hostile()
    plain = bayesml.fit("y ~ x + (x | g)", data, method="ml")
    scaled = bayesml.fit("y ~ x + (x | g)", data.assign(x=data["x"] * factor), method="ml")
    assert scaled.criterion == pytest.approx(plain.criterion, abs=1e-5)
    assert scaled["b_x"] * factor == pytest.approx(plain["b_x"], rel=1e-4)
    assert str(scaled)
