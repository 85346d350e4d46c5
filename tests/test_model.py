"""The NumPyro model defines the posterior: its density against one written by hand, and NumPyro's own tools."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from numpyro import handlers
from numpyro.infer import MCMC, Predictive
from numpyro.infer import NUTS as NumPyroNUTS
from numpyro.infer.util import log_density as numpyro_log_density
from scipy import stats

import bayesml
from bayesml.compile import compile_model
from bayesml.engines import Problem
from bayesml.engines.density import data_of
from bayesml.engines.layout import flatten, layout_of
from bayesml.engines.nuts.forms import plain_form
from bayesml.fit import describe_problem
from bayesml.supports import CorrCholesky
from tests.native_density import native_density

ROWS, GROUPS = 40, 5


@pytest.fixture(scope="module")
def frame() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(8)
    return {
        "x": rng.normal(size=ROWS),
        "g": np.repeat([f"g{i}" for i in range(GROUPS)], ROWS // GROUPS),
        "w": rng.uniform(0.5, 2.0, ROWS),
        "n": rng.integers(5, 9, ROWS),
        "real": rng.normal(size=ROWS),
        "positive": rng.gamma(2.0, size=ROWS),
        "count": rng.poisson(2.0, ROWS),
        "binary": rng.integers(0, 2, ROWS),
        "share": rng.beta(2, 3, ROWS),
    }


def hand_written(family: str, eta: np.ndarray, values: dict, frame: dict) -> np.ndarray:
    """Log density of each row in SciPy's parametrisation."""
    mean = 1 / (1 + np.exp(-eta))
    if family == "gaussian":
        return stats.norm.logpdf(frame["real"], eta, values["sigma"])
    if family == "student":
        return stats.t.logpdf(frame["real"], values["nu"], eta, values["sigma"])
    if family == "bernoulli":
        return stats.bernoulli.logpmf(frame["binary"], mean)
    if family == "binomial":
        return stats.binom.logpmf(frame["count"], frame["n"] + 10, mean)
    if family == "poisson":
        return stats.poisson.logpmf(frame["count"], np.exp(eta))
    if family == "negbinomial":
        shape = values["shape"]
        return stats.nbinom.logpmf(frame["count"], shape, shape / (shape + np.exp(eta)))
    if family == "gamma":
        return stats.gamma.logpdf(frame["positive"], values["shape"], scale=np.exp(eta) / values["shape"])
    if family == "lognormal":
        return stats.lognorm.logpdf(frame["positive"], values["sigma"], scale=np.exp(eta))
    return stats.beta.logpdf(frame["share"], mean * values["phi"], (1 - mean) * values["phi"])


RESPONSES = {
    "gaussian": "real",
    "student": "real",
    "bernoulli": "binary",
    "binomial": "count | trials(n + 10)",
    "poisson": "count",
    "negbinomial": "count",
    "gamma": "positive",
    "lognormal": "positive",
    "beta": "share",
}
INFORMED = [bayesml.prior("normal(0, 2)", class_="b"), bayesml.prior("normal(1, 3)", class_="Intercept")]


@pytest.mark.parametrize("family", RESPONSES)
def test_density_is_the_one_written_by_hand(family, frame, rng):
    problem = describe_problem(f"{RESPONSES[family]} ~ x + (x | g)", frame, family, prior=INFORMED)
    spec = problem.description.spec
    model = compile_model(spec, problem.design.schema, problem.likelihood)
    z, sd, rho = rng.normal(size=(2, GROUPS)), np.array([0.7, 0.3]), 0.4
    cholesky = np.array([[1.0, 0.0], [rho, np.sqrt(1 - rho**2)]])
    values = {"Intercept": 0.3, "slopes": np.array([-0.4]), "sd_g": sd, "L_g": cholesky, "z_g": z}
    single = {"sigma": 1.3, "shape": 2.1, "phi": 4.0, "nu": 5.0}
    values |= {p.name: single[p.name] for p in spec.parameters if p.name in single}

    code = np.unique(frame["g"], return_inverse=True)[1]
    effects = (np.diag(sd) @ cholesky @ z).T[code]
    eta = 0.3 - 0.4 * (frame["x"] - frame["x"].mean()) + effects[:, 0] + effects[:, 1] * frame["x"]
    by_hand = hand_written(family, eta, values, frame).sum() + stats.norm.logpdf(z).sum()
    by_hand += stats.norm.logpdf(0.3, 1, 3) + stats.norm.logpdf(-0.4, 0, 2)
    # lkj(1) on 2 x 2 matrices is uniform on (-1, 1); half student_t(3, 0, s) has twice the density
    scale = spec.parameter("sd_g").priors[0].distribution.sigma
    by_hand += np.log(0.5) + (np.log(2) + stats.t.logpdf(sd, 3, 0, scale)).sum()
    for p in spec.parameters:
        if p.name in single:
            by_hand += float(p.priors[0].log_density(values[p.name]))

    with jax.enable_x64(True):
        data = jax.tree.map(jnp.asarray, data_of(problem))
        ours, _ = numpyro_log_density(model, (data, data["response"]["y"]), {}, values)
    assert float(ours) == pytest.approx(by_hand, rel=1e-10)


def test_weights_multiply_the_log_likelihood(frame):
    plain = describe_problem("real ~ x", frame, "gaussian", prior=INFORMED)
    weighted = describe_problem("real | weights(w) ~ x", frame, "gaussian", prior=INFORMED)
    values = {"Intercept": 0.1, "slopes": np.array([0.2]), "sigma": 0.9}
    rows = stats.norm.logpdf(frame["real"], 0.1 + 0.2 * (frame["x"] - frame["x"].mean()), 0.9)
    difference = density_at(weighted, values) - density_at(plain, values)
    assert difference == pytest.approx(((frame["w"] - 1) * rows).sum(), rel=1e-10)


def test_a_row_of_weight_zero_does_not_count(frame):
    few = {name: column[:-1] for name, column in frame.items()}
    zero = frame | {"w": np.r_[np.ones(ROWS - 1), 0.0]}
    values = {"Intercept": 0.1, "sigma": 0.9}
    priors = [bayesml.prior("normal(0, 1)", class_="Intercept"), bayesml.prior("exponential(1)", class_="sigma")]
    with_zero = describe_problem("real | weights(w) ~ 1", zero, "gaussian", prior=priors)
    without = describe_problem("real ~ 1", few, "gaussian", prior=priors)
    assert density_at(with_zero, values) == pytest.approx(density_at(without, values), rel=1e-10)


def density_at(problem: Problem, values: dict) -> float:
    model = compile_model(problem.description.spec, problem.design.schema, problem.likelihood)
    with jax.enable_x64(True):
        data = jax.tree.map(jnp.asarray, data_of(problem))
        return float(numpyro_log_density(model, (data, data["response"]["y"]), {}, values)[0])


FORMULAS = {
    "correlated": ("real ~ x + (x | g)", ()),
    "three columns": ("real ~ x + (x + w + I(x**2) | g)", ()),
    "mixed priors": (
        "real ~ x + w + n",
        (
            bayesml.prior("student_t(3, 0, 1)", class_="b", coef="x"),
            bayesml.prior("constant(0.5)", class_="b", coef="w"),
            bayesml.prior("normal(0, 1)", class_="b", coef="n", lb=0, ub=2),
        ),
    ),
    "predicted sigma": (bayesml.bf("real ~ x", sigma="~ x + (1 | g)"), ()),
    "bounded": (
        "share ~ x",
        (bayesml.prior("uniform(0, 20)", class_="phi"), bayesml.prior("beta(2, 2)", class_="b", lb=0, ub=1)),
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_flat_vector_and_its_jacobian(name, frame, rng):
    formula, priors = FORMULAS[name]
    problem = describe_problem(formula, frame, "beta" if name == "bounded" else "gaussian", prior=priors)
    model = compile_model(problem.description.spec, problem.design.schema, problem.likelihood)
    layout = layout_of(problem.description.spec)
    with jax.enable_x64(True):
        u = rng.normal(size=layout.size) * 0.5
        values, log_jacobian = jax.jit(layout.constrain)(jnp.asarray(u))
        np.testing.assert_allclose(flatten(layout, values), u, atol=1e-8)

        # The map's own derivative: free coordinates of each site (strictly lower triangle of a Cholesky factor).
        def free(u):
            at, _ = layout.constrain(u)
            parts = []
            for site in layout.sites:
                rows, columns = (
                    np.tril_indices(site.shape[0], -1) if isinstance(site.support, CorrCholesky) else (None, None)
                )
                parts.append(
                    at[site.name][rows, columns]
                    if isinstance(site.support, CorrCholesky)
                    else at[site.name].reshape(-1)
                )
            return jnp.concatenate(parts)

        expected = np.linalg.slogdet(np.asarray(jax.jit(jax.jacfwd(free))(jnp.asarray(u))))[1]
        assert float(log_jacobian) == pytest.approx(expected, abs=1e-8)

        # Every sampled site of the model is in the vector, with the support the model gives it.
        data = jax.tree.map(jnp.asarray, data_of(problem))
        trace = handlers.trace(handlers.seed(model, 0)).get_trace(data, data["response"]["y"])
        sampled = {n: s for n, s in trace.items() if s["type"] == "sample" and not s["is_observed"]}
        assert set(sampled) == {site.name for site in layout.sites}
        for site_name, site in sampled.items():
            assert bool(jnp.all(site["fn"].support(values[site_name]))), site_name


@pytest.mark.parametrize("name", FORMULAS)
def test_gradient_equals_finite_differences(name, frame, rng):
    formula, priors = FORMULAS[name]
    problem = describe_problem(formula, frame, "beta" if name == "bounded" else "gaussian", prior=priors)
    form = plain_form(problem)
    with jax.enable_x64(True):
        data = jax.tree.map(jnp.asarray, form.data)
        density = jax.jit(form.density)
        q = rng.normal(size=form.size) * 0.3
        gradient = np.asarray(jax.grad(density)(jnp.asarray(q), data))
        step = 1e-5
        for i in range(form.size):
            e = np.eye(form.size)[i] * step
            slope = (float(density(q + e, data)) - float(density(q - e, data))) / (2 * step)
            # central differences: truncation of order step^2 and rounding of order eps |density| / step
            assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-4)


@pytest.mark.slow
def test_numpyro_runs_the_model(frame):
    fit = bayesml.fit(
        "real ~ x + (1 | g)", frame, seed=1, draws=50, warmup=100, chains=1, progress=False, sample_prior="only"
    )
    prior = Predictive(fit.model, num_samples=20)(jax.random.key(0), y=None)
    assert prior["y"].shape == (20, ROWS)
    assert prior["b"].shape == (20, 2)
    mcmc = MCMC(NumPyroNUTS(fit.model), num_warmup=50, num_samples=50, progress_bar=False)
    mcmc.run(jax.random.key(1))
    assert mcmc.get_samples()["r_g"].shape == (50, GROUPS, 1)


def test_density_does_not_depend_on_where_coordinates_are_centred(frame, rng):
    problem = describe_problem("real ~ x + (x | g)", frame, "gaussian")
    layout = layout_of(problem.description.spec)
    with jax.enable_x64(True):
        density = native_density(problem)
        data = jax.tree.map(jnp.asarray, data_of(problem) | {"center": layout.center, "scale": layout.scale})
        moved = data | {"center": jnp.zeros(layout.size), "scale": jnp.ones(layout.size)}
        differences = []
        for _ in range(3):
            u = rng.normal(size=layout.size)
            q = (u - layout.center) / layout.scale
            differences.append(float(density(q, data)) - float(density(u, moved)))
        np.testing.assert_allclose(differences, differences[0], atol=1e-9)
