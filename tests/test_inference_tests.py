"""F tests, contrasts, marginal means and simple slopes of point estimates against lmerTest, pbkrtest and emmeans."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import ModelError
from bayesml.results.questions.adjust import adjusted_p, critical_values
from bayesml.results.questions.linear_text import read_combination
from tests.reference import Reference, frame, references

ANOVA = ["Sum Sq", "Mean Sq", "NumDF", "DenDF", "F value", "Pr(>F)"]


def unbalanced() -> pd.DataFrame:
    """Two factors, a covariate and 8 groups, 60 rows.

    R: i <- 0:59; d <- data.frame(a = factor(c("p","q","r")[(i*7)%%3+1]), b = factor(c("u","v")[((i*i)%%5>1)+1]),
       g = factor(paste0("g", (i*3+i%/%7)%%8)), x = ((i*37)%%23)/10)
       d$y <- round(10 + 2*(d$a=="q") - 1.5*(d$b=="v") + 0.8*d$x + ((i*13)%%11-5)/2 + 3*sin(as.integer(d$g)*2) +
              ((i*29)%%17-8)/6*(d$a=="r"), 2)
    """
    i = np.arange(60)
    a, b = np.array(list("pqr"))[(i * 7) % 3], np.array(list("uv"))[((i * i) % 5 > 1).astype(int)]
    g, x = (i * 3 + i // 7) % 8, ((i * 37) % 23) / 10
    y = 10 + 2 * (a == "q") - 1.5 * (b == "v") + 0.8 * x + ((i * 13) % 11 - 5) / 2 + 3 * np.sin((g + 1) * 2)
    y = y + ((i * 29) % 17 - 8) / 6 * (a == "r")
    return pd.DataFrame({"a": a, "b": b, "g": [f"g{k}" for k in g], "x": x, "y": np.round(y, 2)})


@pytest.fixture(scope="module")
def full() -> bayesml.PointFit:
    return bayesml.fit("y ~ a * b * x + (1 | g)", unbalanced(), method="reml")


@pytest.fixture(scope="module")
def additive() -> bayesml.PointFit:
    return bayesml.fit("y ~ a + b + x + (1 | g)", unbalanced(), method="reml")


@pytest.fixture(scope="module")
def sleep() -> bayesml.PointFit:
    return bayesml.fit("Reaction ~ Days + (Days | Subject)", bayesml.load_dataset("sleepstudy"), method="reml")


@pytest.fixture(scope="module")
def cbpp() -> bayesml.PointFit:
    formula = "incidence | trials(size) ~ period + (1 | herd)"
    return bayesml.fit(formula, bayesml.load_dataset("cbpp"), "binomial", method="laplace")


# Analysis of variance ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:Singular fit")
@pytest.mark.parametrize("reference", [r for r in references() if r.record.get("anova3")], ids=lambda r: r.id)
def test_type_3_of_every_reference_fit(reference: Reference) -> None:
    method = "reml" if reference.record["REML"] else "ml"
    table = bayesml.fit(reference.formula, reference.frame, method=method).anova()
    expected = pd.DataFrame.from_dict(reference.record["anova3"], orient="index")
    assert list(table.index) == list(expected.index)
    assert list(table.columns) == ANOVA
    # lmer stops about 1e-6 from its optimum; a p value of 1e-76 moves by its logarithm as much.
    np.testing.assert_allclose(table[ANOVA[:5]], expected[ANOVA[:5]], rtol=2e-6)
    np.testing.assert_allclose(np.log(table["Pr(>F)"]), np.log(expected["Pr(>F)"]), rtol=1e-5)


# R: m <- lmer(y ~ a*b*x + (1|g), d, control=lmerControl(optCtrl=list(ftol_abs=1e-14, xtol_abs=1e-12)))
#    anova(m, type="I"), anova(m, type="II"), anova(m, type="III"), anova(m, type="III", ddf="Kenward-Roger")
# Columns: Sum Sq, NumDF, DenDF, F value.
LMERTEST = {
    (1, "satterthwaite"): [
        (61.66403219, 2, 41.02034532, 13.58828),
        (41.23277867, 1, 43.79870663, 18.17210),
        (19.86744435, 1, 47.85814392, 8.75597),
        (1.13815109, 2, 41.37803556, 0.25080),
        (1.31720211, 2, 40.91224816, 0.29026),
        (0.03658585, 1, 42.14779836, 0.01612),
        (0.06200206, 2, 41.69827411, 0.01366),
    ],
    (2, "satterthwaite"): [
        (14.694649880, 2, 40.85030473, 3.23811),
        (11.719431380, 1, 41.06581525, 5.16498),
        (19.733073818, 1, 47.87204229, 8.69675),
        (0.294562520, 2, 41.13312527, 0.06491),
        (1.289525913, 2, 40.90897416, 0.28416),
        (0.036585847, 1, 42.14779836, 0.01612),
        (0.062002064, 2, 41.69738030, 0.01366),
    ],
    (3, "satterthwaite"): [
        (14.428960232, 2, 40.87293518, 3.17956),
        (11.815090117, 1, 41.11407829, 5.20714),
        (20.629690026, 1, 47.71104259, 9.09191),
        (0.294562520, 2, 41.13312527, 0.06491),
        (1.242726190, 2, 41.04064229, 0.27385),
        (0.030092495, 1, 42.16052426, 0.01326),
        (0.062002064, 2, 41.69738030, 0.01366),
    ],
    (3, "kenward-roger"): [
        (14.422746597, 2, 41.11181394, 3.17819),
        (11.783446700, 1, 41.34622184, 5.19320),
        (19.275737319, 1, 47.72228640, 8.49520),
        (0.293411842, 2, 41.36411538, 0.06466),
        (1.239553937, 2, 41.27567554, 0.27315),
        (0.029779506, 1, 42.36222679, 0.01312),
        (0.061793624, 2, 41.91000915, 0.01362),
    ],
}


@pytest.mark.parametrize(("kind", "ddf"), LMERTEST)
def test_types_of_an_unbalanced_factorial(full: bayesml.PointFit, kind: int, ddf: str) -> None:
    table = full.anova(kind, ddf)
    assert list(table.index) == ["a", "b", "x", "a:b", "a:x", "b:x", "a:b:x"]
    expected = np.array(LMERTEST[kind, ddf])
    # With Kenward-Roger lmerTest prints the unscaled mean square of tests with several rows, 1e-5 apart here.
    np.testing.assert_allclose(table["Sum Sq"], expected[:, 0], rtol=1e-6 if ddf == "satterthwaite" else 2e-5)
    np.testing.assert_array_equal(table["NumDF"], expected[:, 1])
    np.testing.assert_allclose(table["DenDF"], expected[:, 2], rtol=1e-6)
    np.testing.assert_allclose(table["F value"], expected[:, 3], atol=6e-6 if ddf == "satterthwaite" else 2e-5)


def test_missing_cell() -> None:
    # R: m <- lmer(y ~ a*b + x + (1|g), subset(d, !(a=="q" & b=="v")), ...); anova(m, type="III"), anova(m, type="II")
    data = unbalanced()
    data = data[~((data.a == "q") & (data.b == "v"))]
    with pytest.warns(bayesml.FitWarning, match="dropped"):
        fit = bayesml.fit("y ~ a * b + x + (1 | g)", data, method="reml")
    third = [47.41842239, 19.87452332, 17.21916476, 0.51308815]
    second = [47.26957497, 19.94889708, 17.21916476, 0.51308815]
    np.testing.assert_allclose(fit.anova(3)["Sum Sq"], third, rtol=1e-6)
    np.testing.assert_allclose(fit.anova(2)["Sum Sq"], second, rtol=1e-6)
    np.testing.assert_array_equal(fit.anova(3)["NumDF"], [2, 1, 1, 1])
    means = fit.emmeans("a").to_pandas().set_index("a")
    assert np.isnan(means.loc["q", "emmean"])
    assert means.loc[["p", "r"], "emmean"].notna().all()
    with pytest.raises(ModelError, match="cannot be estimated"):
        fit.contrast({"a[q]:b[v]": 1})


def test_sas_table() -> None:
    # R: d <- data.frame(a=factor(c(1,1,1,2,2,2,2,2,1,2)), b=factor(c(1,1,2,1,2,2,2,2,2,1)), f=factor(rep(1:2,5)),
    #    y=c(12,14,11,20,17,23,35,46,15,16)); anova(lmer(y ~ a*b + (1|f), d), type=2)
    data = {
        "a": list("1112222212"),
        "b": list("1121222221"),
        "f": list("1212121212"),
        "y": [12, 14, 11, 20, 17, 23, 35, 46, 15, 16],
    }
    with pytest.warns(bayesml.FitWarning, match="[Ss]ingular"):
        fit = bayesml.fit("y ~ a * b + (1 | f)", data, method="reml")
    table = fit.anova(2)
    np.testing.assert_allclose(table["Sum Sq"], [336.0, 114.333333333, 85.75], rtol=1e-9)
    np.testing.assert_allclose(table["DenDF"], 6.0, rtol=1e-5)


def test_hypotheses_do_not_depend_on_coding_or_order(full: bayesml.PointFit) -> None:
    data = unbalanced()
    recoded = bayesml.fit("y ~ C(a, Sum) * C(b, Helmert) * x + (1 | g)", data, method="reml")
    reordered = bayesml.fit("y ~ x * b * a + (1 | g)", data, method="reml")
    for kind in (2, 3):
        own = full.anova(kind)["F value"].to_numpy()
        np.testing.assert_allclose(recoded.anova(kind)["F value"], own, rtol=1e-5)
        names = {frozenset(n.split(":")): f for n, f in reordered.anova(kind)["F value"].items()}
        np.testing.assert_allclose([names[frozenset(n.split(":"))] for n in full.anova(kind).index], own, rtol=1e-5)


def test_last_term_is_the_same_in_all_types(full: bayesml.PointFit) -> None:
    last = [full.anova(kind)["F value"].iloc[-1] for kind in (1, 2, 3)]
    np.testing.assert_allclose(last, last[0], rtol=1e-8)


def test_scale_of_a_covariate_does_not_matter() -> None:
    data = unbalanced()
    fit = bayesml.fit("y ~ a * x + (1 | g)", data, method="reml")
    scaled = bayesml.fit("y ~ a * x + (1 | g)", data.assign(x=1e7 * data.x), method="reml")
    for kind in (1, 2, 3):
        np.testing.assert_allclose(scaled.anova(kind)["F value"], fit.anova(kind)["F value"], rtol=1e-5)


def test_wald_chi_square_of_a_generalised_model(cbpp: bayesml.PointFit) -> None:
    table = cbpp.anova()
    assert list(table.columns) == ["Chisq", "Df", "Pr(>Chisq)"]
    beta, V = cbpp.estimate.beta[1:], cbpp.estimate.vcov[1:, 1:]
    np.testing.assert_allclose(table.loc["period", "Chisq"], beta @ np.linalg.solve(V, beta), rtol=1e-9)
    assert table.loc["period", "Df"] == 3


# Contrasts -----------------------------------------------------------------------------------------------------------


def test_joint_tests_of_all_coefficients(sleep: bayesml.PointFit) -> None:
    # R: contestMD(lmer(Reaction ~ Days + (Days|Subject), sleepstudy), diag(2)): F 749.9504539, DenDF 16.99984605
    # R: KRmodcomp(m, diag(2)): scaled F = .94117647 * 749.95...: stat 705.83572, ddf 16, F.scaling .94117647
    satterthwaite = sleep.contrast(np.eye(2), joint=True).iloc[0]
    np.testing.assert_allclose(satterthwaite["F value"], 749.9504539, rtol=2e-5)
    np.testing.assert_allclose(satterthwaite["DenDF"], 16.99984605, rtol=1e-5)
    kenward = sleep.contrast(["Intercept", "Days"], joint=True, ddf="kenward-roger").iloc[0]
    np.testing.assert_allclose([kenward["F value"], kenward["DenDF"]], [705.83572, 16.0], rtol=2e-5)


def test_ways_to_write_a_contrast(additive: bayesml.PointFit) -> None:
    written = ["b_a[q] - b_a[r]", {"a[q]": 1, "b_a[r]": -1}, [0, 1, -1, 0, 0], "aq - ar", "-(b_a[r] - b_a[q])"]
    table = additive.contrast(written)
    np.testing.assert_allclose(table["Estimate"], table["Estimate"].iloc[0], rtol=1e-12)
    # R: pairs(emmeans(lmer(y ~ a+b+x+(1|g), d), "a", lmer.df="satterthwaite")): q - r 2.202962034297, SE 0.452744415951
    np.testing.assert_allclose(table["Estimate"].iloc[0], 2.202962034297, rtol=1e-6)
    np.testing.assert_allclose(table["Std.Error"].iloc[0], 0.452744415951, rtol=1e-6)
    shifted = additive.contrast(["b_x = 1", "b_x - 1", "2 * b_x / 2 - 1"])
    assert np.ptp(shifted["t value"]) < 1e-12
    against = additive.contrast("b_x", rhs=1.0)
    np.testing.assert_allclose(against["t value"].iloc[0], shifted["t value"].iloc[0], rtol=1e-12)


def test_joint_test_against_values(additive: bayesml.PointFit) -> None:
    one = additive.contrast("b_x", rhs=0.7, joint=True).iloc[0]
    single = additive.contrast("b_x", rhs=0.7).iloc[0]
    np.testing.assert_allclose(one["F value"], single["t value"] ** 2, rtol=1e-9)
    beta = additive.estimate.beta
    at_estimate = additive.contrast(["b_x", "b_b[v]"], rhs=[beta[4], beta[3]], joint=True).iloc[0]
    assert at_estimate["F value"] < 1e-20
    with pytest.raises(ModelError, match="contradict"):
        additive.contrast(["b_x", "2 * b_x"], rhs=[1.0, 3.0], joint=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("b_y", "no population-level coefficient 'b_y'"),
        ("b_x * b_x", "multiplied"),
        ("b_x +", "something is missing"),
        ("(b_x", "bracket"),
        ("b_x = 1 = 2", "not a combination"),
        ("3", "no coefficient"),
        ("b_x / 0", "divides"),
    ],
)
def test_unreadable_contrasts(additive: bayesml.PointFit, text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        additive.contrast(text)


def test_names_that_begin_alike() -> None:
    coefs = ("Intercept", "x", "x:z", "xx", "log(x)")
    read = read_combination("b_x:z - 2 * xx + b_log(x) * 3 + x", coefs)
    np.testing.assert_array_equal(read.weights, [0, 1, 1, -2, 3])


@pytest.mark.parametrize("L", [[1, 2], np.zeros((2, 2, 2)), {"x": "1"}, {}, [], None, {"x": np.nan}])
def test_impossible_contrasts(additive: bayesml.PointFit, L: object) -> None:
    with pytest.raises(ModelError):
        additive.contrast(L)


# Marginal means and slopes -------------------------------------------------------------------------------------------


def test_marginal_means_and_comparisons(additive: bayesml.PointFit) -> None:
    # R: e <- emmeans(lmer(y ~ a+b+x+(1|g), d), "a", lmer.df="satterthwaite"); e; pairs(e); confint(pairs(e))
    #    contrast(e, "trt.vs.ctrl", adjust="holm"); contrast(e, "eff", adjust="none")
    means = additive.emmeans("a")
    table = means.to_pandas()
    np.testing.assert_allclose(table["emmean"], [10.1225623592, 12.4452909366, 10.2423289023], rtol=1e-6)
    np.testing.assert_allclose(table["Std.Error"], [0.897585814457, 0.898689885447, 0.898726044130], rtol=1e-6)
    np.testing.assert_allclose(table["lower"], [8.05223350133, 10.37405702325, 8.17107655554], rtol=1e-6)
    pairs = means.contrasts()
    assert list(pairs["contrast"]) == ["p - q", "p - r", "q - r"]
    np.testing.assert_allclose(pairs["estimate"], [-2.322728577404, -0.119766543107, 2.202962034297], rtol=2e-6)
    np.testing.assert_allclose(pairs["lower"], [-3.41446448446, -1.21009844979, 1.10801004020], rtol=1e-5)
    np.testing.assert_allclose(pairs["p"][1], 0.9619, atol=5e-5)
    control = means.contrasts("trt.vs.ctrl")
    np.testing.assert_allclose(control["p"][1], 0.7916, atol=5e-5)
    effects = means.contrasts("eff")
    np.testing.assert_allclose(effects["estimate"], [-0.814165040170, 1.508563537234, -0.694398497063], rtol=2e-6)
    np.testing.assert_allclose(effects["p"][[0, 2]], [0.0030, 0.0106], atol=5e-5)


def test_means_within_another_factor(full: bayesml.PointFit) -> None:
    # R: e <- emmeans(lmer(y ~ a*b*x+(1|g), d), ~ a | b, lmer.df="kenward-roger"); e; pairs(e)
    means = full.emmeans("a", by="b", ddf="kenward-roger")
    table = means.to_pandas()
    expected = [10.98824607930, 13.40337409439, 10.96155073769, 9.20846692825, 11.46027274101, 9.56516686884]
    assert list(table["b"]) == list("uuuvvv")
    np.testing.assert_allclose(table["emmean"], expected, rtol=1e-6)
    errors = [0.953648188442, 0.952721062128, 0.952155258116, 1.005345529971, 1.026481869986, 1.026201334520]
    np.testing.assert_allclose(table["Std.Error"], errors, rtol=1e-6)
    np.testing.assert_allclose(table["df"], [9.87, 9.85, 9.86, 12.05, 12.79, 13.03], atol=6e-3)
    pairs = means.contrasts()
    assert list(pairs["b"]) == list("uuuvvv")
    np.testing.assert_allclose(pairs["p"], [0.0011, 0.9990, 0.0012, 0.0175, 0.8970, 0.0722], atol=6e-5)


def test_slopes_within_a_factor(full: bayesml.PointFit) -> None:
    # R: e <- emtrends(m, ~ a, var="x", lmer.df="satterthwaite"); e; pairs(e)
    slopes = full.emtrends("x", by="a")
    table = slopes.to_pandas()
    np.testing.assert_allclose(table["x.trend"], [1.68906155393, 1.68072011959, 1.18882748018], rtol=1e-6)
    np.testing.assert_allclose(table["Std.Error"], [0.647173620099, 0.663436849310, 0.707498774103], rtol=1e-6)
    np.testing.assert_allclose(table["df"], [45.96, 44.69, 46.27], atol=6e-3)
    np.testing.assert_allclose(slopes.contrasts()["p"], [0.9999, 0.7835, 0.8129], atol=6e-5)


def test_means_at_values(full: bayesml.PointFit) -> None:
    # R: emmeans(m, ~ a, at=list(x=1, b="v"), lmer.df="satterthwaite")
    table = full.emmeans("a", at={"x": 1, "b": "v"}).to_pandas()
    np.testing.assert_allclose(table["emmean"], [9.04933498999, 11.31149712168, 9.46012041577], rtol=1e-6)
    np.testing.assert_allclose(table["Std.Error"], [1.01499113840, 1.01877182489, 1.01019968979], rtol=1e-6)


def test_cosmetic_surgery_lecture() -> None:
    # The lecture's simple slopes: 0.482 (SE 0.397, df 19.62) and 0.930 (0.401, 20.56), Kenward-Roger.
    # R: emtrends(lmer(post_qol ~ months*reason + base_qol + (months|clinic), d), "reason", var="months",
    #             lmer.df="kenward-roger"): SE 0.397, 0.402; df 19.6, 20.6
    fit = bayesml.fit("post_qol ~ months * reason + base_qol + (months | clinic)", frame("cosmetic"), method="reml")
    table = fit.emtrends("months", by="reason", ddf="kenward-roger").to_pandas()
    assert list(table["reason"]) == ["Change appearance", "Physical reason"]
    np.testing.assert_allclose(table["months.trend"], [0.482, 0.930], atol=5e-4)
    np.testing.assert_allclose(table["Std.Error"], [0.397, 0.4015], atol=5e-4)
    np.testing.assert_allclose(table["df"], [19.62, 20.56], atol=6e-3)


def test_slope_of_a_curve_is_its_derivative() -> None:
    data = unbalanced()
    fit = bayesml.fit("y ~ x + I(x**2) + (1 | g)", data, method="ml")
    table = fit.emtrends("x", by="x", at={"x": [0.5, 2.0]}).to_pandas()
    _, linear, square = fit.estimate.beta
    np.testing.assert_allclose(table["x.trend"], [linear + square, linear + 4 * square], rtol=1e-7)


def test_number_as_moderator_stands_at_mean_and_one_sd_to_either_side() -> None:
    data = unbalanced().assign(z=np.linspace(-1, 3, 60) ** 2)
    fit = bayesml.fit("y ~ x * z + (1 | g)", data, method="ml")
    table = fit.emtrends("x", by="z").to_pandas()
    mean, sd = data.z.mean(), data.z.std()
    np.testing.assert_allclose(table["z"], [mean - sd, mean, mean + sd])
    np.testing.assert_allclose(table["x.trend"], fit["b_x"] + fit["b_x:z"] * table["z"], rtol=1e-7)


def test_response_scale(cbpp: bayesml.PointFit) -> None:
    link, response = cbpp.emmeans("period").to_pandas(), cbpp.emmeans("period", type="response").to_pandas()
    p = 1 / (1 + np.exp(-link["emmean"]))
    np.testing.assert_allclose(response["response"], p, rtol=1e-12)
    np.testing.assert_allclose(response["Std.Error"], link["Std.Error"] * p * (1 - p), rtol=1e-12)
    np.testing.assert_allclose(response["upper"], 1 / (1 + np.exp(-link["upper"])), rtol=1e-12)
    ratios = cbpp.emmeans("period", type="response").contrasts(adjust="none")
    # Intercept and period2 of cbpp: the odds ratio of period 1 to 2 is exp(0.99233273).
    np.testing.assert_allclose(ratios["odds ratio"][0], np.exp(0.99233273), rtol=1e-6)


def test_offset_stands_in_means_but_not_in_comparisons() -> None:
    data = unbalanced().assign(n=np.tile([1.0, 2.0, 4.0, 2.0], 15))
    data["count"] = np.round(np.abs(data.y)).astype(int)
    fit = bayesml.fit("count ~ a + offset(log(n)) + (1 | g)", data, "poisson", method="laplace")
    table = fit.emmeans("a").to_pandas()
    # R: emmeans(m, "a") of emmeans 1.8.4 holds offset(log(n)) at mean(log(n)).
    np.testing.assert_allclose(table["emmean"][0], fit["b_Intercept"] + np.log(data.n).mean(), rtol=1e-9)
    pairs = fit.emmeans("a").contrasts("revpairwise")
    np.testing.assert_allclose(pairs["estimate"][0], fit["b_a[q]"], rtol=1e-9)


@pytest.mark.parametrize("method", ["pairwise", "revpairwise", "trt.vs.ctrl", "eff", "consec", "poly"])
def test_comparisons_ignore_a_common_shift(additive: bayesml.PointFit, method: str) -> None:
    shifted = bayesml.fit("y ~ a + b + x + (1 | g)", unbalanced().assign(y=unbalanced().y + 100), method="reml")
    own, other = additive.emmeans("a").contrasts(method), shifted.emmeans("a").contrasts(method)
    np.testing.assert_allclose(own["estimate"], other["estimate"], atol=1e-5)


def test_own_weights(additive: bayesml.PointFit) -> None:
    table = additive.emmeans("a").contrasts({"q against the rest": [-0.5, 1, -0.5]})
    np.testing.assert_allclose(table["estimate"][0], additive["b_a[q]"] - 0.5 * additive["b_a[r]"], rtol=1e-9)
    with pytest.raises(ModelError, match="3 weights"):
        additive.emmeans("a").contrasts({"short": [1, -1]})


def test_adjustments_by_hand() -> None:
    statistic, df = np.array([3.0, 2.0, 1.0]), np.full(3, np.inf)
    p = adjusted_p(statistic, df, "none", 3)
    np.testing.assert_allclose(p, [0.0026997961, 0.0455002639, 0.3173105079], rtol=1e-7)
    np.testing.assert_allclose(adjusted_p(statistic, df, "bonferroni", 3), np.minimum(3 * p, 1))
    np.testing.assert_allclose(adjusted_p(statistic, df, "holm", 3), [3 * p[0], 2 * p[1], p[2]])
    np.testing.assert_allclose(adjusted_p(statistic, df, "fdr", 3), [3 * p[0], 1.5 * p[1], p[2]])
    np.testing.assert_allclose(adjusted_p(statistic, df, "sidak", 3), 1 - (1 - p) ** 3)
    # R: ptukey(sqrt(2) * c(3, 2, 1), 3, 20, lower.tail = FALSE)
    tukey = adjusted_p(statistic, np.full(3, 20.0), "tukey", 3)
    np.testing.assert_allclose(tukey, [0.01855790823, 0.13810305634, 0.58535774449], rtol=1e-6)
    for adjust in ("tukey", "bonferroni", "sidak", "holm"):
        reach = critical_values(np.full(3, 20.0), 0.95, adjust, 3)
        assert (reach > critical_values(np.full(3, 20.0), 0.95, "none", 3)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: f.anova(4), "type of an analysis"),
        (lambda f: f.anova(ddf="welch"), "satterthwaite"),
        (lambda f: f.emmeans("g"), "not a population-level predictor"),
        (lambda f: f.emmeans("a", by="a"), "keep it in one"),
        (lambda f: f.emmeans("a", at={"b": "w"}), "no level 'w'"),
        (lambda f: f.emmeans("a", at={"x": "much"}), "holds numbers"),
        (lambda f: f.emmeans("a", type="mean"), "link"),
        (lambda f: f.emmeans("a", level=95), "coverage"),
        (lambda f: f.emtrends("a"), "categorical"),
        (lambda f: f.emtrends("y"), "not a population-level predictor"),
        (lambda f: f.emmeans("x").contrasts(), "nothing to compare"),
        (lambda f: f.emmeans("a").contrasts("all"), "`method` is one of"),
        (lambda f: f.emmeans("a").contrasts("eff", adjust="tukey"), "pairwise"),
        (lambda f: f.emmeans("a").contrasts(adjust="scheffe"), "`adjust` is one of"),
    ],
)
def test_refusals(additive: bayesml.PointFit, call: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        call(additive)  # type: ignore[operator]


def test_degrees_of_freedom_that_a_fit_does_not_have(cbpp: bayesml.PointFit) -> None:
    with pytest.raises(ModelError, match="linear mixed models"):
        cbpp.anova(ddf="satterthwaite")
    fit = bayesml.fit("y ~ a + (1 | g)", unbalanced(), method="ml")
    with pytest.raises(ModelError, match="REML"):
        fit.anova(ddf="kenward-roger")
