"""Unobserved predictors move with what the responses say of them; the density stays that of the model."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import bayesml
from bayesml.compile import compile_model
from bayesml.engines.density import joint_density
from bayesml.engines.layout import layout_of
from bayesml.engines.nuts.forms.followed import followed_latents
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem

N = 8
RNG = np.random.default_rng(7)
DATA = pd.DataFrame(
    {
        "y": RNG.normal(size=N),
        "t": np.exp(RNG.normal(size=N)),
        "x": RNG.normal(size=N),
        "v": RNG.normal(size=N),
        "z": RNG.normal(size=N),
        "w": np.linspace(0.5, 2.0, N),
        "s": np.where(np.arange(N) % 2, 0.9, 0.2),
        "g": np.array(list("abbcabcc")),
    }
).assign(k=lambda d: d.groupby("g")["x"].transform("mean"))
NORMAL = {
    "one variable": ("y ~ me(x, s)", "gaussian"),
    "of levels": ("y | weights(w) ~ z + me(k, 0.3, gr=g) * z", "gaussian"),
    "independent": (bayesml.bf("y ~ me(x, s) + me(v, 0.4)") + bayesml.set_mecor(False), "gaussian"),
    "lognormal": ("t ~ me(x, s)", "lognormal"),
    "two responses": (
        bayesml.bf("y ~ me(x, s)") + bayesml.bf("t ~ me(x, s) + z") + bayesml.set_rescor(False),
        "gaussian",
    ),
}
OTHERS = {
    "correlated": ("y ~ me(x, s) + me(v, 0.4)", "gaussian"),
    "of heavy tails": ("y ~ me(x, s)", "student"),
    "products of two": ("y ~ me(x, s) * me(v, 0.4)", "gaussian"),
    "nonlinear": (bayesml.bf("y ~ exp(a)", "a ~ me(x, s)", nl=True), "gaussian"),
}


def compiled(formula, family):
    """Return log density, log Jacobian of the change of variables and the model's own density there, at (q, zeta)."""
    import jax
    from jax import numpy as jnp

    problem = describe_problem(formula, DATA, family)
    spec = problem.description.spec
    model = compile_model(spec, problem.design.schema, problem.likelihood, with_priors=False)
    form, layout, (followed, _) = plain_form(problem), layout_of(spec), followed_latents(problem)
    assert followed is not None
    (latent,) = followed.latents
    place = layout.slices()[[site.name for site in layout.sites].index(latent.site)]

    def both(q, zeta, data):
        q = q.at[place].set(zeta)
        sites, log_jacobian = layout.constrain(data["center"] + data["scale"] * q, bounds=data["bounds"])

        def z_at(zeta):
            return followed.transform({**sites, latent.site: zeta.reshape(sites[latent.site].shape)}, data)[0]

        slopes = jax.jacfwd(lambda zeta: z_at(zeta)[latent.site].reshape(-1))(zeta)
        of_model = joint_density(model, spec, z_at(zeta), data) + log_jacobian
        return form.density(q, data), of_model + jnp.linalg.slogdet(slopes)[1]

    return form, place, jax.jit(both)


FAST = ("one variable", "of levels")
NAMES = [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in (NORMAL | OTHERS)]


@pytest.mark.parametrize("name", NAMES)
def test_the_density_is_that_of_the_model(name):
    """The map of zeta to z has the Jacobian matrix that automatic differentiation finds.

    Where responses are normal and their means linear in what is not observed, zeta is standard normal whatever the
    other parameters are. (Where true values are correlated, measurements of one tell something of another too.)
    """
    with double_precision():
        form, place, both = compiled(*(NORMAL | OTHERS)[name])
        for seed in range(2):
            rng = np.random.default_rng(seed)
            q, zeta = 0.5 * rng.standard_normal(form.size), rng.standard_normal(place.stop - place.start)
            (ours, expected), (at_zero, _) = both(q, zeta, form.data), both(q, 0.0 * zeta, form.data)
            assert float(ours) == pytest.approx(float(expected), rel=1e-10)
            if name in NORMAL:
                assert float(ours - at_zero) == pytest.approx(-0.5 * zeta @ zeta, rel=1e-9)


def test_values_are_followed_where_a_response_is_near_to_normal():
    assert followed_latents(describe_problem("t ~ me(x, s)", DATA, "exponential"))[0] is None
    assert followed_latents(describe_problem("y ~ x", DATA))[0] is None


@pytest.mark.slow
def test_small_residuals_leave_few_steps():
    """The error of the predictor is ten times the residual sd: more than 1,000 steps a draw for z itself."""
    rng = np.random.default_rng(3)
    true = rng.normal(size=50)
    data = pd.DataFrame({"x": true + 0.5 * rng.normal(size=50), "y": 0.5 + true + 0.05 * rng.normal(size=50), "s": 0.5})
    with warnings.catch_warnings():  # of a short run, for which the largest Rhat of 50 values is no question
        warnings.simplefilter("ignore", bayesml.errors.FitWarning)
        fit = bayesml.fit("y ~ me(x, s)", data, seed=1, draws=200, warmup=400, chains=2, progress=False)
    assert fit.diagnostics.leapfrog_steps < 40 * 400
    assert fit.diagnostics.min_bulk_ess.value > 100
