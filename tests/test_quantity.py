"""``evaluate``: one question to any fit about its rows, answered by draws or by estimates with their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import bayesml
from bayesml import Fit, PointFit
from bayesml.results.predict.evaluate import evaluate
from bayesml.results.predict.prepare import Request
from bayesml.results.predict.quantity import AbstractQuantity, DrawnQuantity, EstimatedQuantity, Kind, What
from bayesml.results.tables.effects import conditional_effects
from tests.handmade import handmade_fit

NEW = {"x": [-1.0, 0.0, 2.0], "n": [4, 5, 6], "g": ["g0", "g1", "g2"]}
Z = 1.959963984540054  # normal quantile of 0.975
DRAWS = 4000


def data() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    g = np.repeat([f"g{i}" for i in range(12)], 25)
    x = rng.normal(size=300)
    eta = 0.3 + 0.5 * x + np.repeat(rng.normal(0, 0.7, 12), 25)
    return {
        "x": x,
        "g": g,
        "n": np.full(300, 8),
        "y": eta + rng.normal(size=300),
        "wins": rng.binomial(8, 1 / (1 + np.exp(-eta))),
    }


MODELS = {
    "gaussian": ("y ~ x + (x | g)", "gaussian", "reml"),
    "binomial": ("wins | trials(n) ~ x + (1 | g)", "binomial", "laplace"),
}


@pytest.fixture(scope="module", params=MODELS)
def both(request: pytest.FixtureRequest) -> tuple[PointFit, Fit]:
    """A point estimate, and the same fit with draws from its normal approximation."""
    formula, family, method = MODELS[request.param]
    point = bayesml.fit(formula, data(), family, method=method)
    assert isinstance(point, PointFit)
    return point, point.to_normal_draws(DRAWS, seed=1)


def asked(fit: Fit | PointFit, what: What, **request: Any) -> AbstractQuantity:
    return evaluate(fit, Request(**{"newdata": NEW, **request}), what)


@pytest.mark.parametrize("re_formula", [None, "NA"])
@pytest.mark.parametrize("what", [What("linpred"), What("linpred", transform=True), What("epred")])
def test_draws_and_estimates_agree(both: tuple[PointFit, Fit], what: What, re_formula: Any) -> None:
    point, drawn = (asked(fit, what, re_formula=re_formula) for fit in both)
    assert isinstance(point, EstimatedQuantity) and isinstance(drawn, DrawnQuantity)
    assert list(point.labels) == list(drawn.labels)
    ours, theirs = point.summary(), drawn.summary(robust=True)
    # Medians of draws: Monte Carlo error 1.25 sd / sqrt(4000); beside it the curvature of the inverse link.
    tolerance = 5 * 1.25 * ours.error / np.sqrt(DRAWS) + 0.05 * ours.error
    for name in ("center", "lower", "upper"):
        assert np.all(np.abs(getattr(ours, name) - getattr(theirs, name)) < 3 * tolerance), name
    np.testing.assert_allclose(theirs.error, ours.error, rtol=0.15)


def test_random_responses_are_wider_than_expected_ones(both: tuple[PointFit, Fit]) -> None:
    for fit in both:
        expected, response = (asked(fit, What(kind), seed=1).summary() for kind in ("epred", "predict"))
        assert np.all(response.upper - response.lower > 1.5 * (expected.upper - expected.lower))
        wider = asked(fit, What("predict"), seed=1).summary(0.99)
        assert np.all(wider.lower <= response.lower) and np.all(wider.upper >= response.upper)


def test_one_trial_makes_a_count_a_probability(both: tuple[PointFit, Fit]) -> None:
    if both[0].family.name != "binomial":
        pytest.skip("no trials")
    for fit in both:
        share = asked(fit, What("epred", one_trial=True), newdata={"x": NEW["x"], "g": NEW["g"]}).summary()
        count = asked(fit, What("epred")).summary()
        np.testing.assert_allclose(share.center * np.array(NEW["n"]), count.center, rtol=1e-12)
        probability = asked(fit, What("linpred", transform=True)).summary()
        np.testing.assert_allclose(share.center, probability.center, rtol=1e-12)
        np.testing.assert_allclose(share.error, probability.error, rtol=1e-6)


def test_verbs_show_what_is_evaluated(both: tuple[PointFit, Fit]) -> None:
    point, drawn = both
    found = asked(point, What("epred")).summary(0.9)
    table = point.epred(NEW, interval="confidence", prob=0.9)
    np.testing.assert_array_equal(table[["Estimate", "Std.Error", "Lower", "Upper"]].to_numpy().T,
                                  [found.center, found.error, found.lower, found.upper])  # fmt: skip
    np.testing.assert_array_equal(point.epred(NEW), found.center)
    eta = asked(point, What("linpred")).summary()
    np.testing.assert_allclose(eta.upper, eta.center + Z * eta.error, rtol=1e-12)
    draws = asked(drawn, What("epred"))
    assert isinstance(draws, DrawnQuantity)
    np.testing.assert_array_equal(drawn.epred(NEW).to_numpy().reshape(DRAWS, -1), draws.values)
    summary = drawn.epred(NEW, summary=True)
    np.testing.assert_array_equal(summary["Estimate"], draws.summary().center)
    np.testing.assert_array_equal(summary["Q97.5"], draws.summary().upper)


@pytest.mark.parametrize("method", ["epred", "predict", "linpred"])
def test_effects_are_the_quantity_on_a_grid(both: tuple[PointFit, Fit], method: Kind) -> None:
    for fit, policy in zip(both, ("zero", "uncertainty"), strict=True):
        table = conditional_effects(fit, "x", method=method, resolution=5, robust=False, seed=2, new_levels=policy)["x"]
        one = fit.family.name == "binomial"
        what = What(method, one_trial=one)
        request = Request({"x": table["x"]}, "NA", policy, seed=2)
        found = evaluate(fit, request, what).summary()
        for name, values in vars(found).items():
            shown = {"center": "estimate__", "error": "se__", "lower": "lower__", "upper": "upper__"}[name]
            np.testing.assert_array_equal(table[shown], values)


def test_a_parameter_with_a_formula_is_evaluated_from_draws() -> None:
    fit = handmade_fit(bayesml.bf("y ~ x", sigma="~ x"), data())
    sigma = asked(fit, What("epred", "sigma"))
    log_sigma = asked(fit, What("linpred", "sigma"))
    assert isinstance(sigma, DrawnQuantity) and isinstance(log_sigma, DrawnQuantity)
    np.testing.assert_allclose(np.log(sigma.values), log_sigma.values, rtol=1e-12)
    assert fit.epred(NEW, dpar="sigma").name == "sigma"
