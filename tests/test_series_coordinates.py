"""Latent residuals of series in coordinates that follow what their rows say together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayesml.compile import compile_model
from bayesml.engines.density import joint_density
from bayesml.engines.layout import layout_of
from bayesml.engines.nuts.forms.plan import build_form, plan_for
from bayesml.engines.nuts.forms.preconditioned.arrow import apply_arrow
from bayesml.engines.nuts.forms.preconditioned.blocks import block_chain
from bayesml.engines.nuts.forms.preconditioned.series import _precision, scaled_series, solve_banded
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("taps", [[1.0, 0.6], [1.0, 0.0, -0.4], [1.0, 0.5, 0.2, -0.7]])
def test_banded_solutions_are_those_of_dense_matrices(taps):
    """K = I + s^2 L'WL for L with the given numbers on its bands; entry t of band j of K is that of t and t - j."""
    import jax

    times, series, sd = 6, 2, 1.3
    weights, right, zeta = RNG.uniform(0.2, 3.0, (times, series)), *RNG.normal(size=(2, times, series))
    with double_precision():
        bands = _precision(weights, sd, [jax.numpy.asarray(tap) for tap in taps])
        z, halves = jax.jit(solve_banded)(bands, right, zeta)
    total = 0.0
    for g in range(series):
        L = sum(tap * np.eye(times, k=-lag) for lag, tap in enumerate(taps))
        K = np.eye(times) + sd**2 * L.T @ np.diag(weights[:, g]) @ L
        C = np.linalg.cholesky(K)
        np.testing.assert_allclose(
            np.asarray(z)[:, g], np.linalg.solve(K, right[:, g]) + np.linalg.solve(C.T, zeta[:, g]), atol=1e-12
        )
        total += np.log(np.diag(C)).sum()
    assert float(halves) == pytest.approx(total, rel=1e-12)


def test_the_density_is_that_of_the_model():
    """Series of 5, 3 and 2 rows: the map of zeta to z has the Jacobian matrix of automatic differentiation."""
    import jax
    from jax import numpy as jnp

    data = pd.DataFrame(
        {
            "y": RNG.poisson(3.0, 10),
            "x": RNG.normal(size=10),
            "t": [1, 2, 3, 4, 5, 1, 2, 3, 1, 2],
            "g": list("aaaaabbbcc"),
        }
    )
    problem = describe_problem("y ~ x + ar(t, g, p = 2)", data, "poisson")
    spec = problem.description.spec
    model = compile_model(spec, problem.design.schema, problem.likelihood, with_priors=False)
    with double_precision():
        form, layout, (series,) = build_form(problem, plan_for(problem)), layout_of(spec), scaled_series(problem)
        chain, _ = block_chain(problem, layout)
        site = series.block.site

        @jax.jit
        def both(x, data):
            u = apply_arrow(x, data["white"], chain)
            sites, log_jacobian = layout.constrain(u, data["scales"] or None)
            zeta = sites[site].reshape(-1)

            def z_at(zeta):
                return series.transform({**sites, site: zeta.reshape(sites[site].shape)}, data)[0][site]

            slopes = jax.jacrev(lambda zeta: z_at(zeta).reshape(-1))(zeta)
            of_model = joint_density(model, spec, {**sites, site: z_at(zeta)}, data) + log_jacobian
            return form.density(x, data), of_model + jnp.linalg.slogdet(slopes)[1]

        for seed in range(3):
            ours, expected = both(0.5 * np.random.default_rng(seed).standard_normal(form.size), form.data)
            assert float(ours) == pytest.approx(float(expected), rel=1e-10)
