"""Where a shift starts: below the responses, whatever its prior."""

from __future__ import annotations

import numpy as np
import pytest

import bayesml
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem

Y = 0.12 + np.random.default_rng(1).lognormal(-1.0, 0.5, 30)


@pytest.mark.parametrize(
    ("formula", "prior"),
    [
        (bayesml.bf("y ~ 1", ndt="~ 1"), bayesml.prior("normal(-0.5, 0.2)", "Intercept", dpar="ndt")),
        ("y ~ 1", bayesml.prior("normal(0.5, 0.1)", "ndt")),
    ],
    ids=["with a formula", "one number"],
)
@pytest.mark.parametrize("family", ["shifted_lognormal", "wiener"])
def test_the_density_is_finite_at_the_start_though_the_prior_lies_beyond_the_smallest_response(family, formula, prior):
    if family == "wiener":
        formula = bayesml.bf("y | dec(d) ~ 1", ndt="~ 1") if prior.dpar else "y | dec(d) ~ 1"
    problem = describe_problem(formula, {"y": Y, "d": np.arange(30) % 2}, family, prior=[prior])
    (own,) = (p for p in problem.description.spec.parameters if "ndt" in p.name)
    start = np.exp(own.centers[0]) if prior.dpar else own.centers[0]
    assert start == pytest.approx(0.5 * Y.min())
    assert own.scales[0] <= prior.distribution.scale * (1 + 1e-12)
    form = plain_form(problem)
    with double_precision():
        assert np.isfinite(form.density(np.zeros(form.size), form.data))
