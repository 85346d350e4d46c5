"""Smooths in gaussian models: their coefficients are integrated out, and drawn afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpyro import handlers

import bayesml
from bayesml.compile import compile_model
from bayesml.convergence import convergence
from bayesml.engines.density import data_of
from bayesml.engines.nuts.forms.plan import LARGEST_CURVES, FactorShape, ModelShape, choose_plan, plan_for
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem
from bayesml.reported import reported_names
from tests.reference import mcse_of_sd
from tests.smooths import facts

MCYCLE = pd.DataFrame(facts()["data"]["mcycle"])
CURVE, GROUP, CROSSED = FactorShape("s(x)", 8, 1), FactorShape("g", 500, 1), FactorShape("h", 12, 1)
ALONE = ModelShape(rows=100, dimensions=12, smooths=(CURVE,), slopes=1)
BESIDE = ModelShape(5_000, 524, chain=(GROUP,), others=(CROSSED,), smooths=(CURVE,))


def small() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    frame = pd.DataFrame({"x": rng.uniform(size=60), "z": rng.normal(size=60), "g": np.arange(60) % 6})
    effects = rng.normal(size=6)
    frame["y"] = np.sin(6.0 * frame["x"]) + effects[frame["g"]] + 0.4 * rng.normal(size=60)
    return frame.astype({"g": str})


@pytest.mark.parametrize(
    ("shape", "form", "dimensions", "sampled"),
    [
        (ALONE, "collapsed", 3, ()),
        (BESIDE, "collapsed", 4, ()),
        # 12 + 40 columns: 500 * 52^2 products are too many for each gradient
        (replace(BESIDE, dimensions=556, smooths=(replace(CURVE, levels=40),)), "collapsed", 16, ("h",)),
        (replace(ALONE, smooths=(replace(CURVE, levels=LARGEST_CURVES + 1),)), "preconditioned", 12, ()),
    ],
)
def test_choice(shape: ModelShape, form: str, dimensions: int, sampled: tuple[str, ...]) -> None:
    plan = choose_plan(shape, available=frozenset({"collapsed", "preconditioned", "plain"}))
    assert (plan.form, plan.dimensions, plan.sampled_effects) == (form, dimensions, sampled)


def test_the_plan_says_what_is_integrated_out() -> None:
    data = small().assign(f=lambda d: d["g"].isin(["0", "1"]))
    plan = str(plan_for(describe_problem("y ~ z + s(x, by=f, k=5) + (1 | g)", data)))
    assert "6 effects of g, 6 coefficients of s(x, by=f, k=5), 3 slopes" in plan
    assert "sampled: 5 dimensions" in plan  # Intercept, sigma, two sds of curves, that of g


def test_a_curve_is_sampled_in_few_steps() -> None:
    fit = bayesml.fit("accel ~ s(times)", MCYCLE, seed=1, progress=False)
    run = fit.diagnostics
    assert run.divergences == 0
    assert run.leapfrog_steps <= 7 * 4000
    assert run.min_bulk_ess.value >= 3000  # 3,459; sampled with its coefficients, the model took 63 steps a draw


@pytest.mark.parametrize("response", ["straight", "noise"])
def test_curves_without_bends_do_not_diverge(response: str) -> None:
    """Their standard deviation may be 0: the posterior piles up there."""
    data = small()
    data["noise"] = np.random.default_rng(2).normal(size=len(data))
    data["straight"] = data["x"] + data["noise"]
    run = bayesml.fit(f"{response} ~ s(x) + s(z, k=5)", data, seed=1, progress=False).diagnostics
    assert run.divergences == 0
    assert run.min_bulk_ess.value >= 1000


@pytest.mark.filterwarnings("ignore::bayesml.FitWarning")  # the plain form has few effective draws of the sds
@pytest.mark.slow
def test_draws_agree_with_those_of_the_model_as_written() -> None:
    formula, data = "y ~ z + s(x, k=5)", small()
    collapsed = bayesml.fit(formula, data, seed=3, progress=False)
    plain = bayesml.fit(
        formula, data, seed=3, progress=False, draws=500, marginalize=False, precondition=False, target_accept=0.99
    )
    runs = [fit.draws() for fit in (collapsed, plain)]
    for name in runs[0].columns.drop([".chain", ".draw"]):
        one, other = (np.asarray(draws[name]).reshape(4, -1) for draws in runs)
        error = np.hypot(*(x.std() / np.sqrt(convergence(x[:, :, None]).bulk_ess[0]) for x in (one, other)))
        # 16 differences, of which one is larger than 4 standard errors once in 1,000 seeds
        assert abs(one.mean() - other.mean()) < 4 * error, name
        assert abs(one.std() - other.std()) < 4 * np.hypot(mcse_of_sd(one), mcse_of_sd(other)), name


def test_every_reported_variable_is_a_site_of_the_model() -> None:
    """Those of a horseshoe are computed, those of a curve without a penalty among them."""
    problem = describe_problem("y ~ z + s(x, k=5)", small(), prior=[bayesml.prior("horseshoe(1)", "b")])
    spec, schema = problem.description.spec, problem.design.schema
    with double_precision():
        model = handlers.seed(compile_model(spec, schema, problem.likelihood), rng_seed=0)
        sites = handlers.trace(model).get_trace(data_of(problem), problem.design.response.arrays["y"])
    assert "bs_sx" in sites
    assert set(reported_names(spec, schema)) <= set(sites)
