"""Latent residuals of series, and effects on thresholds, in coordinates that follow what their rows say together."""

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
from bayesml.engines.nuts.forms.preconditioned.series import (
    ScaledSeries,
    _dense_precision,
    _precision,
    scaled_series,
    solve_banded,
    solve_dense,
)
from bayesml.engines.nuts.forms.preconditioned.thresholds import scaled_thresholds
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem

RNG = np.random.default_rng(4)


@pytest.mark.parametrize("taps", [[1.0, 0.6], [1.0, 0.0, -0.4], [1.0, 0.5, 0.2, -0.7]])
def test_solutions_are_those_of_dense_matrices(taps):
    """K = I + s^2 L'WL for L with the given numbers on its bands; entry t of band j of K is that of t and t - j."""
    import jax

    times, series, sd = 6, 2, 1.3
    weights, right, zeta = RNG.uniform(0.2, 3.0, (times, series)), *RNG.normal(size=(2, times, series))
    with double_precision():
        bands = _precision(weights, sd, [jax.numpy.asarray(tap) for tap in taps])
        z, halves = jax.jit(solve_banded)(bands, right, zeta)
        L = sum(tap * np.eye(times, k=-lag) for lag, tap in enumerate(taps))
        dense, halves_of_dense = jax.jit(solve_dense)(_dense_precision(weights, sd, L), right, zeta)
    np.testing.assert_allclose(z, dense, atol=1e-12)
    assert float(halves) == pytest.approx(float(halves_of_dense), rel=1e-12)
    total = 0.0
    for g in range(series):
        K = np.eye(times) + sd**2 * L.T @ np.diag(weights[:, g]) @ L
        C = np.linalg.cholesky(K)
        np.testing.assert_allclose(
            np.asarray(z)[:, g], np.linalg.solve(K, right[:, g]) + np.linalg.solve(C.T, zeta[:, g]), atol=1e-12
        )
        total += np.log(np.diag(C)).sum()
    assert float(halves) == pytest.approx(total, rel=1e-12)


ROWS = 12
DATA = pd.DataFrame(
    {
        "y": RNG.poisson(3.0, ROWS),
        "k": np.arange(ROWS) % 3 + 1,
        "x": RNG.normal(size=ROWS),
        "t": [1, 2, 3, 4, 5, 1, 2, 3, 1, 2, 1, 2],
        "g": list("aaaaabbbccdd"),
    }
)


@pytest.mark.parametrize(
    ("formula", "family"),
    [
        ("y ~ x + ar(t, g, p = 2)", "poisson"),
        ("y ~ x + cosy(t, g)", "poisson"),
        ("k ~ x + (cs(1) | g)", "sratio"),
    ],
)
def test_the_density_is_that_of_the_model(formula, family):
    """The map of zeta to z has the Jacobian matrix of automatic differentiation; series of 5, 3, 2 and 2 rows."""
    import jax
    from jax import numpy as jnp

    problem = describe_problem(formula, DATA, family)
    spec = problem.description.spec
    model = compile_model(spec, problem.design.schema, problem.likelihood, with_priors=False)
    with double_precision():
        form, layout = build_form(problem, plan_for(problem)), layout_of(spec)
        (changed,) = scaled_series(problem) + scaled_thresholds(problem)
        (site,) = [s.name for s in layout.sites if s.name.startswith("z")]
        chain, _ = block_chain(problem, layout)

        @jax.jit
        def both(x, data):
            sites, log_jacobian = layout.constrain(apply_arrow(x, data["white"], chain), data["scales"] or None)
            needed = data if isinstance(changed, ScaledSeries) else data["pilot"][changed.key]

            def z_at(zeta):
                return changed.transform({**sites, site: zeta.reshape(sites[site].shape)}, needed)[0][site]

            zeta = sites[site].reshape(-1)
            slopes = jax.jacrev(lambda zeta: z_at(zeta).reshape(-1))(zeta)
            of_model = joint_density(model, spec, {**sites, site: z_at(zeta)}, data) + log_jacobian
            return form.density(x, data), of_model + jnp.linalg.slogdet(slopes)[1]

        for seed in range(3):
            ours, expected = both(0.5 * np.random.default_rng(seed).standard_normal(form.size), form.data)
            assert float(ours) == pytest.approx(float(expected), rel=1e-10)
