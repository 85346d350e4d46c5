"""Coordinates of blocks that a dense matrix scales: exact processes, levels with known covariances."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayesml.compile import compile_model
from bayesml.engines.density import joint_density
from bayesml.engines.nuts.forms.plan import build_form, plan_for
from bayesml.engines.nuts.forms.preconditioned.blocks import nested_factors
from bayesml.engines.nuts.programs.compiled import MOST_PRODUCTS
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem

N = 48
RNG = np.random.default_rng(5)
X = np.sort(RNG.uniform(0, 10, N))
LEVELS = [f"l{i}" for i in range(N)]
DATA = pd.DataFrame(
    {"x": X, "y": RNG.poisson(np.exp(0.5 + np.sin(X))), "z": RNG.normal(size=N), "g": LEVELS, "h": np.arange(N) % 6}
)
A = pd.DataFrame(0.5 * np.eye(N) + 0.5, index=LEVELS, columns=LEVELS)


def test_gradient_of_a_process_is_exact_where_its_covariance_is_singular():
    """The covariance matrix of 48 near places has a condition number beyond 1e15, and its factor an error of some 1e-4.

    z is computed with one factor and C z must be with the same. At zeta = 0 the values of the process depend on C C'
    alone. Central differences over steps of 1e-4 of a function of unit size have errors of some 1e-8 of it.
    """
    import jax

    problem = describe_problem("y ~ gp(x)", DATA, "poisson")
    with double_precision():
        form = build_form(problem, plan_for(problem))
        value_and_gradient = jax.jit(jax.value_and_grad(form.density))
        q = np.zeros(form.size)
        _, gradient = value_and_gradient(q, form.data)
        for place in range(N, form.size):
            step = 1e-4 * np.eye(form.size)[place]
            ahead, behind = (float(value_and_gradient(q + sign * step, form.data)[0]) for sign in (1, -1))
            assert (ahead - behind) / 2e-4 == pytest.approx(float(gradient[place]), rel=1e-4, abs=1e-5)
    assert form.products > MOST_PRODUCTS


def test_density_of_a_process_in_another_basis_is_the_models():
    """At what a draw reports: density of the model there, times the determinant of all that is reported in x.

    Coordinates leave out a constant, so that two points are compared. The covariance function is a rough one, so that z
    can be told from C z.
    """
    import jax
    from jax import numpy as jnp

    problem = describe_problem("y ~ gp(x, cov='exponential')", DATA[:8], "poisson")
    spec = problem.description.spec
    model = compile_model(spec, problem.design.schema, problem.likelihood, with_priors=False)
    with double_precision():
        form = build_form(problem, plan_for(problem))

        def sites(x, data):
            found = form.report(x, np.zeros(0), data)
            names = [parameter.name for parameter in spec.parameters]
            return {name: found["b"][0] if name == "Intercept" else found[name] for name in names}

        @jax.jit
        def both(x, data):
            def flat(x):
                return jnp.concatenate([jnp.reshape(value, (-1,)) for value in sites(x, data).values()])

            of_model = joint_density(model, spec, sites(x, data), data)
            return form.density(x, data), of_model + jnp.linalg.slogdet(jax.jacrev(flat)(x))[1]

        points = [0.5 * np.random.default_rng(seed).standard_normal(form.size) for seed in range(2)]
        (ours, expected), (ours_there, expected_there) = (both(x, form.data) for x in points)
        assert float(ours - ours_there) == pytest.approx(float(expected - expected_there), rel=1e-9)


@pytest.mark.parametrize(
    ("formula", "blocks"),
    [
        ("y ~ gp(x)", (N, 1)),
        ("y ~ z + (z | gr(g, cov=A))", (N, 2)),
        ("y ~ s(x, k=8) + (1 | h)", (6, 1)),
    ],
)
def test_coordinates_of_a_dense_block_stand_in_for_the_levels_of_a_factor(formula, blocks):
    """They are near to independent and standard normal, so that one product with the Hessian serves for all of them."""
    (factor,) = nested_factors(describe_problem(formula, DATA, "poisson", data2={"A": A}))
    assert (factor.n_levels, factor.q) == blocks
