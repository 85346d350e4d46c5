"""What ``bf`` takes beside formulas, and nonlinear parameters: values by row, names of columns, ``loop``."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.errors import FitWarning, FormulaError, ModelError
from bayesml.fit import describe_problem

N = 40
RNG = np.random.default_rng(2)
X = RNG.uniform(0.0, 3.0, N)
Z = RNG.normal(size=N)
DATA = pd.DataFrame(
    {
        "y": 3.0 * np.exp(-(0.5 + 0.1 * Z) * X) + RNG.normal(scale=0.1, size=N),
        "x": X,
        "z": Z,
        "k": RNG.poisson(2.0, N),
        "o": RNG.integers(1, 4, N),
    }
)
NONLINEAR = bayesml.bf("y ~ a * exp(-rate * x)", a="~ 1", rate="~ lift + slope * z", lift="~ 1", slope="~ 1",
                       nonlinear=["mu", "rate"])  # fmt: skip
PRIORS = [bayesml.prior(f"normal({center}, 1)", class_="b", nlpar=name) for name, center in
          {"a": 3, "lift": 0.5, "slope": 0}.items()]  # fmt: skip


@pytest.fixture(scope="module")
def fit():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return bayesml.fit(NONLINEAR, DATA, prior=PRIORS, seed=1, draws=200, chains=2, progress=False)


def test_a_nonlinear_parameter_is_known_in_each_row(fit):
    new = pd.DataFrame({"z": [0.0, 2.0]})
    lift, slope = np.asarray(fit["b_lift_Intercept"]), np.asarray(fit["b_slope_Intercept"])
    rate = fit.linpred(new, nlpar="rate")
    np.testing.assert_allclose(rate.values[..., 1], lift + 2.0 * slope, rtol=1e-10)
    np.testing.assert_allclose(fit.linpred(nlpar="a").values[..., 3], np.asarray(fit["b_a_Intercept"]), rtol=1e-10)
    mu = np.asarray(fit["b_a_Intercept"]) * np.exp(-(lift + slope * Z[5]) * X[5])
    np.testing.assert_allclose(fit.linpred().values[..., 5], mu, rtol=1e-10)
    table = fit.linpred(new, nlpar="lift", summary=True)
    assert list(table.columns)[0] == "Estimate" and len(table) == 2


def test_only_nonlinear_parameters_are_asked_for_so(fit):
    with pytest.raises(ModelError, match="it has `a`, `rate`, `lift`, `slope`"):
        fit.linpred(nlpar="sigma")
    with pytest.raises(ModelError, match="without `dpar`"):
        fit.linpred(nlpar="a", dpar="mu")


def test_one_of_several_responses_has_nonlinear_parameters():
    both = NONLINEAR + bayesml.bf("k ~ x", family="poisson") + bayesml.set_rescor(False)
    priors = [bayesml.prior(f"normal({c}, 1)", class_="b", nlpar=n, resp="y") for n, c in
              {"a": 3, "lift": 0.5, "slope": 0}.items()]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        joint = bayesml.fit(both, DATA, prior=priors, seed=1, draws=50, warmup=200, chains=1, progress=False)
    rate = joint.linpred(pd.DataFrame({"z": [1.0]}), nlpar="rate", resp="y").values.ravel()
    expected = np.asarray(joint["b_y_lift_Intercept"]) + np.asarray(joint["b_y_slope_Intercept"])
    np.testing.assert_allclose(rate, expected.ravel(), rtol=1e-10)


def test_a_parameter_that_hides_a_column_is_told():
    with pytest.warns(FitWarning, match="`a` is a parameter with a formula, and a column"):
        describe_problem(NONLINEAR, DATA.assign(a=1.0), prior=PRIORS)


def test_loop_is_accepted():
    text = "y ~ a * exp(-x)"
    assert bayesml.bf(text, a="~ 1", nl=True, loop=False) == bayesml.bf(text, a="~ 1", nl=True)
    with pytest.raises(FormulaError, match="loop"):
        bayesml.bf(text, a="~ 1", nl=True, loop="no")


def test_numbers_of_categories_are_numbers_of_thresholds():
    with pytest.raises(FormulaError, match="thres"):
        describe_problem("o | cat(3) ~ x", DATA, "cumulative")


@pytest.mark.parametrize(
    ("formula", "family", "name"),
    [
        (bayesml.bf("y ~ x", sigma=0.5), "gaussian", "sigma"),
        (bayesml.bf("k ~ x", shape=2), "negbinomial", "shape"),
        (bayesml.bf("o ~ x", disc=2), "cumulative", "disc"),
    ],
)
def test_a_fixed_parameter_is_not_estimated(formula, family, name):
    problem = describe_problem(formula, DATA, family)
    assert name not in [p.name for p in problem.description.spec.parameters]
    (row,) = (row for row in problem.description.priors.rows if row.prior_class == name)
    assert str(row.distribution).startswith("constant(") and row.source == "formula"


def test_fixed_scales_of_correlated_responses():
    formula = bayesml.bf("y ~ x", sigma=0.5) + bayesml.bf("z ~ x") + bayesml.set_rescor(True)
    names = [p.name for p in describe_problem(formula, DATA).description.spec.parameters]
    assert "sigma_z" in names and "Lrescor" in names and "sigma_y" not in names
    fixed = bayesml.bf("y ~ x", nu=4) + bayesml.bf("z ~ x") + bayesml.set_rescor(True)
    with pytest.raises(FormulaError, match="cannot be correlated"):
        describe_problem(fixed, DATA, "student")
