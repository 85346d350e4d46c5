"""Third derivatives of censored and truncated densities by differences: those of automatic differentiation."""

from __future__ import annotations

import numpy as np
import pytest

from bayesml.families import automatic
from bayesml.families.automatic import automatic_auxiliary, automatic_curvature
from bayesml.fit import describe_problem

N = 30
RNG = np.random.default_rng(4)
DATA = {"t": RNG.weibull(1.4, N) + 0.1, "x": RNG.normal(size=N), "c": np.resize(["none", "right", "left"], N)}


@pytest.mark.parametrize(
    ("formula", "family", "auxiliary"),
    [
        ("t | cens(c) ~ x", "weibull", {"shape": 1.7}),
        ("t | trunc(lb = 0.05) + weights(x^2) ~ x", "lognormal", {"sigma": 0.8}),
    ],
)
def test_differences_are_the_derivatives(formula: str, family: str, auxiliary: dict[str, float]) -> None:
    problem = describe_problem(formula, DATA, family)
    likelihood, data = problem.likelihood, dict(problem.design.response.arrays)
    assert likelihood.has_costly_derivatives and not likelihood.unbounded.has_costly_derivatives
    eta = 0.3 * DATA["x"]
    found = (
        automatic_curvature(likelihood, eta, data, auxiliary, 3),
        automatic_auxiliary(likelihood, eta, data, auxiliary),
    )
    exact = automatic._called(automatic._derivatives(likelihood, 3), eta, auxiliary, data)
    np.testing.assert_allclose([found[0].log_density, found[0].d1, found[0].d2], exact[:3], rtol=1e-12)
    np.testing.assert_allclose(found[0].d3, exact[3], rtol=1e-7, atol=1e-7)
    along = automatic._called(automatic._auxiliary(likelihood), eta, auxiliary, data)
    for name, parts in along.items():
        own = found[1][name]
        np.testing.assert_allclose([own.log_density, own.d1, own.d2], parts[:3], rtol=1e-7, atol=1e-7)
