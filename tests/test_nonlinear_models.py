"""Models whose predictor is a nonlinear function of parameters with formulas of their own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml import bf, prior
from bayesml.errors import FormulaError, ModelError
from bayesml.fit import describe_problem

CURVE = bf("y ~ a * exp(-b * x)", a="~ 1 + (1 | g)", b="~ 1", nonlinear=True)
PRIORS = [prior("normal(4, 3)", nlpar="a"), prior("normal(1, 1)", nlpar="b", lb=0)]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    n = 200
    g, x = rng.integers(0, 12, n), rng.uniform(0.0, 3.0, n)
    a = 5.0 + rng.normal(size=12)[g]
    return pd.DataFrame({"y": a * np.exp(-0.8 * x) + rng.normal(0.0, 0.3, n), "x": x, "g": g})


@pytest.fixture(scope="module")
def fit(frame):
    return bayesml.fit(CURVE, frame, seed=1, prior=PRIORS, progress=False)


def test_parameters_are_recovered(fit):
    table = fit.summary().to_pandas()
    for name, truth in {"b_a_Intercept": 5.0, "b_b_Intercept": 0.8, "sigma": 0.3, "sd_g__a_Intercept": 1.0}.items():
        assert abs(table.loc[name, "Estimate"] - truth) < 4.0 * table.loc[name, "Est.Error"]


def test_the_expectation_is_the_function(fit, frame):
    rows = frame.iloc[:6]
    a = fit["b_a_Intercept"].values.ravel()[:, None]
    a = a + np.stack([fit[f"r_g__a[{g},Intercept]"].values.ravel() for g in rows["g"]], axis=1)
    expected = a * np.exp(-fit["b_b_Intercept"].values.ravel()[:, None] * rows["x"].to_numpy())
    np.testing.assert_allclose(fit.epred(rows).values.reshape(expected.shape), expected, rtol=1e-10)


def test_new_data_need_the_covariates_only(fit):
    table = fit.epred({"x": [0.0, 1.0]}, re_formula="NA", summary=True)
    np.testing.assert_allclose(table["Estimate"].iloc[0], fit["b_a_Intercept"].values.mean(), rtol=1e-8)


def test_effects_follow_the_curve(fit):
    table = fit.conditional_effects("x")["x"]
    assert np.all(np.diff(table["estimate__"]) < 0)
    with pytest.raises(ModelError, match="one of `mu`; got 'a'"):  # parameters of a function are no distributional ones
        fit.conditional_effects("x", dpar="a")


def test_a_saved_fit_predicts_alike(fit, frame, tmp_path):
    fit.save(tmp_path / "curve.nc")
    again = bayesml.load(tmp_path / "curve.nc")
    np.testing.assert_array_equal(again.epred(frame.iloc[:3]).values, fit.epred(frame.iloc[:3]).values)


def test_priors_are_of_ordinary_coefficients(frame):
    table = bayesml.default_prior(CURVE, frame, default_priors="brms")
    rows = table[table["class"] == "b"]
    assert set(zip(rows["nlpar"], rows["coef"], strict=True)) == {
        ("a", ""), ("a", "Intercept"), ("b", ""), ("b", "Intercept"),
    }  # fmt: skip
    assert not (table["class"] == "Intercept").any()


def test_nested_functions(frame):
    with pytest.raises(FormulaError):
        describe_problem(bf("y ~ a + missing", a="~ 1", nonlinear=True), frame)
    formula = bf("y ~ a * exp(-b * x)", a="~ exp(c)", b="~ 1", c="~ 1", nonlinear=["mu", "a"])
    problem = describe_problem(
        formula, frame, prior=[prior("normal(1, 1)", nlpar="c"), prior("normal(1, 1)", nlpar="b")]
    )
    assert {p.name for p in problem.description.spec.parameters} == {"slopes_b", "slopes_c", "sigma"}


def test_point_estimates_say_that_they_cannot(frame):
    with pytest.raises(ModelError, match="nuts"):
        bayesml.fit(CURVE, frame, method="reml")
