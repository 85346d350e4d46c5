"""The steps of the pilot fit that leads to the mode."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy import stats

from bayesml.engines.nuts.forms.plan import build_form, plan_for
from bayesml.engines.nuts.forms.preconditioned.pilot import find_pilot
from bayesml.engines.nuts.forms.preconditioned.singles import log_prior, single_coordinates
from bayesml.engines.precision import double_precision
from bayesml.families import RawResponse
from bayesml.fit import describe_problem
from bayesml.priors import prior
from tests.tuning import tuned_data, value_and_gradient

GROUPS, ROWS = 8, 4
SEEDS = (1, 6, 8)


def _response(seed: int, x: np.ndarray, g: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(seed)
    normal = 2.0 + 0.5 * x + 0.6 * rng.normal(size=GROUPS)[g] + 0.5 * rng.normal(size=len(x))
    return normal + rng.exponential(1.2, len(x))


@pytest.mark.slow
def test_a_pilot_stays_where_the_posterior_is_though_the_likelihood_is_largest_at_a_border():
    """Sums of normal and exponential variables: the likelihood alone is largest where sigma is 0.

    Without the prior of log sigma the pilot came to a sigma of 1e-3 and less. From there no step raised the density (9
    of 40 such data sets), or the coordinates of the effects were those of too precise data: chains stuck.
    """
    x, g = np.random.default_rng(1).normal(size=GROUPS * ROWS), np.repeat(np.arange(GROUPS), ROWS)
    priors = (prior("gamma(4, 4)", "sigma"), prior("gamma(4, 4)", "beta"))
    data = {"x": x, "g": [f"g{level}" for level in g], "y": _response(0, x, g)}
    problem, evaluate = describe_problem("y ~ x + (1 | g)", data, "exgaussian", prior=priors), None
    with double_precision():
        for seed in SEEDS:
            arrays = problem.likelihood.encode(RawResponse("y", _response(seed, x, g))).arrays
            own = replace(problem, design=problem.design.with_response(arrays, None))
            assert 0.1 < find_pilot(own).values["sigma"] < 2.0  # the truth is 0.5
            form = build_form(own, plan_for(own))
            evaluate = evaluate or value_and_gradient(form.density)
            tuned = tuned_data(form, evaluate)
            assert all(np.isfinite(array).all() for array in jax.tree.leaves(tuned["white"]))
            # Whitened, the gradient is about the distance from the mode; a draw is sqrt(size) away from it.
            assert np.linalg.norm(evaluate(np.zeros(form.size), tuned)[1]) < np.sqrt(form.size)


def test_the_log_prior_of_single_parameters_is_that_of_their_coordinates():
    data = {"y": np.arange(1.0, 9.0), "x": np.arange(8.0)}
    given = (prior("gamma(4, 4)", "sigma"), prior("constant(1)", "beta"))
    problem = describe_problem("y ~ x", data, "exgaussian", prior=given)
    spec, singles = problem.description.spec, single_coordinates(problem)

    def at(sigma: float) -> float:
        return log_prior(spec, singles, {"sigma": np.array(sigma), "beta": np.array(1.0)})

    # Of u = log sigma the density is gamma(sigma; 4, 4) sigma; the rest is constant.
    expected = stats.gamma(4, scale=0.25).logpdf(0.3) - stats.gamma(4, scale=0.25).logpdf(1.7) + np.log(0.3 / 1.7)
    assert at(0.3) - at(1.7) == pytest.approx(expected, rel=1e-6)
