"""Profile-likelihood intervals against lme4's, and against the deviance itself where lme4's own profiles fail."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayesml

# tests/facts/profile_intervals.R made these numbers and says where each comes from.
CASES = json.loads((Path(__file__).parent / "facts" / "profile_intervals.json").read_text())


def _fit(case: dict[str, Any]) -> bayesml.PointFit:
    data = {name: np.array(values) for name, values in case["data"].items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # half of the fits are singular
        return bayesml.fit(case["formula"], data, method="ml")  # type: ignore[return-value]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['kind']}-{case['seed']}" for case in CASES])
def test_intervals_of_small_random_data(case: dict[str, Any]) -> None:
    fit = _fit(case)
    assert fit.deviance == pytest.approx(case["deviance"], abs=1e-5)
    assert fit.is_singular == case["singular"]
    table = fit.confint("profile")
    for name, limits in case["limits"].items():
        for side in ("lower", "upper"):
            # lme4 interpolates by splines: its limits are accepted where the deviance is right to 2e-3
            expected = float(limits[side])
            found = table.loc[name, side]
            at_bound = expected in (0.0, 1.0, -1.0)
            assert found == pytest.approx(expected, rel=1e-3, abs=0.0 if at_bound else 1e-3), (name, side)


def test_the_facts_are_mostly_those_of_lme4() -> None:
    sources = [
        limits[f"{side}_source"] for c in CASES for limits in c["limits"].values() for side in ("lower", "upper")
    ]
    assert sources.count("lme4") > 300 and sources.count("deviance") > 30
    assert sum(case["singular"] for case in CASES) > 10


def test_a_generalised_model_with_a_zero_variance_has_profiles() -> None:
    rng = np.random.default_rng(3)
    g, x = np.repeat(np.arange(10), 6), rng.normal(size=60)
    data = {"g": g, "x": x, "y": rng.poisson(np.exp(1 + 0.3 * x))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        single = bayesml.fit("y ~ x + (1 | g)", data, "poisson", method="laplace")
        double = bayesml.fit("y ~ x + (x | g)", data, "poisson", method="laplace")
    plain = bayesml.fit("y ~ x", data, "poisson", method="laplace")
    table = single.confint("profile")
    assert table.loc["sd_g__Intercept", "lower"] == 0.0
    assert table.loc["sd_g__Intercept", "upper"] > 0.1
    # With the variance at zero the coefficients have the profile of the model without it, or a wider one.
    inner = plain.confint("profile")
    assert (table.loc[inner.index, "lower"] <= inner["lower"] + 1e-4).all()
    assert (table.loc[inner.index, "upper"] >= inner["upper"] - 1e-4).all()
    free = double.confint("profile", parameters="cor")
    np.testing.assert_array_equal(free[["lower", "upper"]], [[-1.0, 1.0]])


@pytest.mark.parametrize("parameter", ["sd_g__Intercept", "sd_g__x", "b_x"])
def test_limits_of_a_generalised_model_are_where_the_deviance_has_risen(parameter: str) -> None:
    """The model with the parameter held by other means: an offset, or a column times the sd and unit effects' prior."""
    rng = np.random.default_rng(8)
    g, x = np.repeat(np.arange(20), 8), np.tile(np.linspace(-1, 1, 8), 20)
    b = rng.normal(size=(20, 2)) * [0.8, 0.9]
    data = {"g": g, "x": x, "y": rng.poisson(np.exp(1 + 0.3 * x + b[g, 0] + b[g, 1] * x))}
    fit = bayesml.fit("y ~ x + (x || g)", data, "poisson", method="laplace")
    limits = fit.confint("profile", parameters=[parameter]).iloc[0]
    from scipy.optimize import minimize

    from bayesml.engines.generalised_mixed.outer import Criterion
    from bayesml.engines.generalised_mixed.problem import build_problem

    arrays = fit.estimate.arrays
    problem = build_problem(fit.estimate.response, arrays.X, arrays.blocks, None, None, "observed")
    criterion = Criterion(problem, 1, None)
    start = np.concatenate([np.linalg.solve(problem.from_internal, fit.estimate.fit.theta)])
    start = np.append(start, problem.fixed.R @ fit.estimate.beta)
    place = {"sd_g__Intercept": 0, "sd_g__x": 1}.get(parameter)
    for value in (limits["lower"], limits["upper"]):

        def flat(z: np.ndarray, value: float = value) -> np.ndarray:
            if place is not None:
                return np.insert(z, place, value / problem.from_internal[place, place])
            beta = np.array([z[2], value])
            return np.concatenate([z[:2], problem.fixed.R @ beta])

        first = np.delete(start, place) if place is not None else np.append(start[:2], fit["b_Intercept"])
        options = {"xatol": 1e-5, "fatol": 1e-7, "maxiter": 2000}
        with np.errstate(all="ignore"):
            best = minimize(lambda z: criterion.at(flat(z)).value, first, method="Nelder-Mead", options=options).fun
        assert best - fit.deviance == pytest.approx(3.841459, abs=1e-3)


def test_a_family_parameter_whose_estimate_is_infinite_has_a_lower_limit() -> None:
    """Normal residuals: nu of a student model runs away, its profile is one-sided."""
    y = np.linspace(-1.5, 1.5, 40) + 0.2 * np.cos(np.arange(40.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = bayesml.fit("y ~ 1", {"y": y}, "student", method="laplace")
    limits = fit.confint("profile", parameters="nu").loc["nu"]
    assert limits["upper"] == np.inf
    assert 1.0 < limits["lower"] < 100.0
