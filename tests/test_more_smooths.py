"""Tensor products, effects and curves of levels, and further bases: columns of brms and fits of mgcv.

The numbers are made by ``facts/more_smooths.R``.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesml
from bayesml.errors import BayesmlError, FitWarning
from bayesml.fit import describe_problem
from bayesml.frame import read_frame
from bayesml.results.frequentist.smooth_tests import smooth_tests, weighted_chi_squares
from bayesml.terms.smooth import Smooth


@cache
def facts() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "facts" / "more_smooths.json").read_text())


def table(name: str) -> pd.DataFrame:
    return pd.DataFrame(facts()["data"][name])


def smooth(call: str, rows: pd.DataFrame) -> tuple[Smooth, dict[str, np.ndarray]]:
    problem = describe_problem(f"y ~ {call}", rows)
    (term,) = (t for t in problem.design.schema.predictors[0].terms if isinstance(t, Smooth))
    return term, dict(problem.design.arrays[term.predictor][term.key])


BASES = facts()["bases"]
# mgcv: which mixture of functions without a penalty is taken depends on rounding errors of LAPACK.
ARBITRARY = [fact for fact in BASES if '"fs"' in fact["call"]]
DUCHON = 1e-7  # mgcv finds eigenvectors by Lanczos' method


@pytest.mark.parametrize("fact", [f for f in BASES if f not in ARBITRARY], ids=lambda f: f["call"])
def test_columns_are_those_of_brms_up_to_a_rotation_within_each_set(fact):
    term, arrays = smooth(fact["call"], pd.DataFrame(facts()["rows"]))
    own = [arrays["Zs"][:, block.columns] for block in term.effect_blocks()]
    assert len(own) == len(fact["Zs"])
    for found, wanted in zip(own, map(np.asarray, fact["Zs"]), strict=True):
        # Z Z' is the covariance matrix of the rows for an sd of 1
        np.testing.assert_allclose(found @ found.T, wanted @ wanted.T, atol=DUCHON * np.abs(wanted @ wanted.T).max())
    free = np.asarray(fact["Xs"]) if fact["Xs"] else np.zeros((len(arrays["Xs"]), 0))
    assert arrays["Xs"].shape == free.shape
    if free.size:
        mixture = np.linalg.lstsq(arrays["Xs"], free, rcond=None)[0]
        np.testing.assert_allclose(arrays["Xs"] @ mixture, free, atol=1e-10)


@pytest.mark.parametrize("fact", ARBITRARY, ids=lambda f: f["call"])
def test_curves_of_levels_span_those_of_brms(fact):
    term, arrays = smooth(fact["call"], pd.DataFrame(facts()["rows"]))
    first, *others = (arrays["Zs"][:, block.columns] for block in term.effect_blocks())
    wanted, *free = map(np.asarray, fact["Zs"])
    ratio = np.trace(wanted @ wanted.T) / np.trace(first @ first.T)
    np.testing.assert_allclose(first @ first.T * ratio, wanted @ wanted.T, atol=1e-9)
    assert abs(ratio - 1) < 0.1  # all columns are divided by the largest row sum, of which the mixture is a part
    mine, theirs = np.column_stack(others), np.column_stack(free)
    mixture = np.linalg.lstsq(mine, theirs, rcond=None)[0]
    np.testing.assert_allclose(mine @ mixture, theirs, atol=1e-9)
    assert [z.shape for z in others] == [z.shape for z in free]


FITS = facts()["fits"]
LOOSE = {
    # mgcv takes one of two orders, or mixtures, of the functions without a penalty by rounding errors: of 200 random x
    # its "cs" gives the smaller penalty to either function in exactly half; its "fs" takes another mixture in 2 of 14
    'y ~ s(x, bs = "cs") + s(z, bs = "ps")': 5e-3,
    'y ~ s(x, g, bs = "fs", k = 5)': 5e-3,
}


@pytest.mark.parametrize("fact", FITS, ids=lambda f: f["formula"])
def test_reml_fits_are_those_of_mgcv(fact):
    # mgcv::gam(formula, data, method = "REML")
    fit = bayesml.fit(fact["formula"], table(fact["data"]), method="reml")
    fitted = np.asarray(fact["fitted"])
    tolerance = LOOSE.get(fact["formula"], 1e-5)
    np.testing.assert_allclose(fit.estimate.eta, fitted, rtol=0, atol=tolerance * fitted.std())
    degrees: dict[str, float] = {}
    for curve in fit.estimate.smooths:
        degrees[curve.effects.name] = degrees.get(curve.effects.name, 0.0) + curve.degrees
    np.testing.assert_allclose(list(degrees.values()), np.atleast_1d(fact["edf"]), rtol=0, atol=10 * tolerance)


def test_names_are_those_of_brms():
    # brms::brm(y ~ t2(x, z) + s(x, g, bs = "fs") + s(g, bs = "re"))
    problem = describe_problem('y ~ t2(x, z) + s(x, g, bs="fs", k=4) + s(g, bs="re")', table("sim"))
    names = {p.name for p in problem.description.spec.parameters}
    assert {"sds_t2xz_1", "sds_t2xz_2", "sds_t2xz_3", "sds_sxg_1", "sds_sxg_2", "sds_sxg_3", "sds_sg_1"} <= names
    coefs = next(p.coefs for p in problem.description.spec.parameters if p.name == "bs_t2xz")
    assert coefs == ("t2xz_1", "t2xz_2", "t2xz_3")


def test_new_rows_get_the_same_functions():
    rows = pd.DataFrame(facts()["rows"])
    for fact in BASES:
        term, arrays = smooth(fact["call"], rows)
        some = rows.iloc[[3, 17, 5]]
        found = term.arrays(read_frame(some, list(some)))
        np.testing.assert_allclose(found["Zs"], arrays["Zs"][[3, 17, 5]], atol=1e-12)
        np.testing.assert_allclose(found["Xs"], arrays["Xs"][[3, 17, 5]], atol=1e-12)


def test_values_beyond_the_range_of_the_fit_are_said():
    term, _ = smooth("s(x)", table("sim"))
    with pytest.warns(FitWarning, match=r"`x` lies beyond the range of the fit, .* in 2 rows"):
        term.arrays(read_frame(pd.DataFrame({"x": [-1.0, 0.5, 3.0]}), ["x"]))


def test_unknown_levels_are_named():
    term, _ = smooth('s(g, bs="re")', table("sim"))
    with pytest.raises(BayesmlError, match="'new'"):
        term.arrays(read_frame(pd.DataFrame({"g": ["a", "new"]}), ["g"]))


def test_a_tensor_product_is_sampled_with_its_coefficients_integrated_out():
    from bayesml.engines.nuts.forms.plan import plan_for

    plan = plan_for(describe_problem("y ~ t2(x, z) + (1 | g)", table("sim")))
    assert plan.form == "collapsed"
    assert "21 coefficients of t2(x, z)" in plan.integrated


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("te(x, z)", r"write `t2\(x, z\)`"),
        ("ti(x, z)", r"write `t2\(x, z\)`"),
        ("t2(x)", "one margin"),
        ("t2(x, x)", "`x` twice"),
        ("t2(x, z, k=c(3, 4, 5))", "3 values for 2 margins"),
        ("t2(x, z, d=3)", "how many covariates each margin has"),
        ('t2(x, z, bs="xx")', "is not known"),
        ("s(x, full=TRUE)", "for tensor products"),
        ("t2(x, z, pc=0)", r"s\(x, z, pc=c\(0, 0\)\)"),
        ("s(x, z, pc=0)", r"a number for each covariate, pc=c\(0, 0\)"),
        ('s(x, xt="cr")', 'with bs="fs" only'),
        ('s(x, g, bs="fs", xt=list(k=3))', "for curves of levels"),
        ('s(x, g, bs="fs", pc=0)', "leave out `pc`"),
        ('s(x, bs="cp", knots=c(0.4, 0.6))', "Give knots that enclose it"),
        ('s(x, bs="cp", k=3)', "Write k=4 or more"),
        ('s(x, bs="bs", m=c(2, 3))', "no derivative of order 3"),
        ('s(x, bs="gp", m=7)', "number of a correlation function"),
        ('s(x, bs="gp", knots=c(0, 1))', "has no knots"),
        ("t2(x, c)", "has k=5 basis functions"),
        ("t2(x, z, k=60)", "3600 functions"),
        ('s(x, bs="ad")', r"is not known.*s\(x, k=40\)"),
        ("s(x, id=1)", "brms takes `id` and ignores it"),
        ("s(x, sp=2)", "prior of class sds"),
        ("s(x, k=1000)", "different values"),
        ("s(c)", "different value"),
        ('s(x, bs="fs")', "one factor"),
        ('s(x, bs="ps", m=c(1, 2, 3))', "one number or two"),
        ('s(x, bs="ds", m=c(1, 3))', "no continuous curve"),
        ('s(x, bs="tp", m=c(1, 3))', "m is one number"),
        ('s(x, bs="ps", knots=c(0.4, 0.6))', "the data do not stay there"),
    ],
)
def test_what_cannot_be_is_said_before_the_fit(term, message):
    with pytest.raises(BayesmlError, match=message):
        describe_problem(f"y ~ {term}", table("sim").assign(c=1.0))


TESTED = [f for f in FITS if f["formula"] not in LOOSE and "t2(" not in f["formula"]]


@pytest.mark.parametrize("fact", TESTED, ids=lambda f: f["formula"])
def test_significance_is_that_of_mgcv(fact):
    # mgcv::summary.gam(fit)$s.table: edf, Ref.df, F, p; of t2() mgcv takes columns and coefficients of two constraints
    fit = bayesml.fit(fact["formula"], table(fact["data"]), method="reml")
    found = smooth_tests(fit.estimate, scale_estimated=True)
    for test, (edf, reference, statistic, p) in zip(found, np.atleast_2d(fact["table"]), strict=True):
        assert test.edf == pytest.approx(edf, abs=1e-4)
        assert test.reference == pytest.approx(reference, abs=1e-3)
        # mgcv takes one of two statistics by the signs of eigenvectors, and calculates p to 1e-5
        assert test.statistic == pytest.approx(statistic, rel=0.05)
        assert test.p == pytest.approx(p, rel=0.08, abs=3e-5)


def test_distribution_of_weighted_chi_squares():
    rng = np.random.default_rng(1)
    drawn = 0.3 * rng.chisquare(1, 1_000_000) + 0.7 * rng.chisquare(1, 1_000_000)
    for x in (0.5, 2.0, 4.0):
        share = (drawn > x).mean()
        assert weighted_chi_squares(x, np.array([0.3, 0.7]), np.ones(2)) == pytest.approx(share, abs=4 * 5e-4)
    assert weighted_chi_squares(0.0, np.array([1.0, -0.4]), np.array([3.0, 9.0])) == pytest.approx(
        stats.f.sf(0.4 * 9 / 3, 3, 9), abs=1e-8
    )


def test_summary_shows_the_significance_of_smooths():
    printed = str(bayesml.fit('y ~ s(x) + s(g, bs="re")', table("sim"), method="reml"))
    assert "Approximate significance of smooth terms:" in printed
    assert "Ref.df" in printed


def test_too_few_functions_are_found():
    rng = np.random.default_rng(2)
    x = np.sort(rng.uniform(size=300))
    d = pd.DataFrame({"x": x, "y": np.sin(25 * x) + rng.normal(0, 0.2, 300), "g": rng.choice(["a", "b"], 300)})
    stiff = bayesml.fit("y ~ s(x, k=5)", d, method="reml").k_check().loc["sx"]
    enough = bayesml.fit('y ~ s(x, k=25) + s(g, bs="re")', d, method="reml").k_check()
    assert stiff["k-index"] < 0.6 and stiff["p-value"] == 0.0
    assert enough.loc["sx", "k-index"] > 0.85 and enough.loc["sx", "k'"] == 24
    assert np.isnan(enough.loc["sg", "k-index"])


def test_every_smooth_has_a_picture():
    fit = bayesml.fit(
        'y ~ s(x, z, bs="ds", m=c(1, 0.5)) + s(x, g, bs="fs", k=4) + s(g, bs="re") + s(z, by=g, k=4)',
        table("sim"),
        method="reml",
    )
    titles = [axes.get_title() for axes in fit.plot_smooths().axes if axes.get_title()]
    assert titles == ["sxz", "sxg", "sg", *(f"szg[{level}]" for level in "abcdef")]
    (one,) = [axes for axes in fit.plot_smooths("szg[b]").axes if axes.axison]
    assert one.get_xlabel() == "z"
    with pytest.raises(BayesmlError, match="did you mean"):
        fit.plot_smooths("sxf")


def test_partial_residuals_are_curve_plus_residual():
    d = table("sim")
    fit = bayesml.fit("y ~ z + s(x)", d, method="reml")
    (axes,) = [axes for axes in fit.plot_smooths().axes if axes.axison]
    marks = next(line for line in axes.lines if line.get_marker() == "o")
    residual = d["y"] - fit.estimate.eta
    curve = fit.estimate.eta - fit["b_Intercept"] - fit["b_z"] * d["z"]
    order = np.argsort(d["x"])
    np.testing.assert_allclose(np.sort(marks.get_ydata()), np.sort(curve + residual), atol=1e-8)
    line = next(line for line in axes.lines if line.get_linestyle() == "-" and len(line.get_xdata()) == 200)
    np.testing.assert_allclose(np.interp(d["x"][order], line.get_xdata(), line.get_ydata()), curve[order], atol=0.01)


def test_laplace_finds_the_higher_of_two_maxima_of_a_tensor_product():
    # The sets of a tensor product stand in for each other. Laplace's approximation in the columns of brms, maximised by
    # scipy.optimize.minimize from six starts, has maxima of -99.35101, where one standard deviation is not 0, and of
    # -99.17162, where two are not. The rows are simulated.
    rows = pd.read_csv(Path(__file__).parent / "facts" / "tensor_optima.csv")
    fit = bayesml.fit("b ~ t2(x, z, k=4)", rows, "bernoulli", method="laplace")
    assert fit.estimate.log_likelihood == pytest.approx(-99.17162, abs=2e-5)
