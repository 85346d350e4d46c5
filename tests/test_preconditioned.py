"""The preconditioned form: exactly the model's density in other coordinates, whatever the pilot; its algebra."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import bayesml
from bayesml.compile import compile_model
from bayesml.engines.density import log_density
from bayesml.engines.layout import layout_of
from bayesml.engines.nuts.forms.preconditioned import form as module
from bayesml.engines.nuts.forms.preconditioned.arrow import apply_arrow
from bayesml.engines.nuts.forms.preconditioned.form import preconditioned_form
from bayesml.engines.nuts.forms.preconditioned.pilot import find_pilot
from bayesml.engines.nuts.forms.preconditioned.small import cholesky, log_determinant, solve_lower, solve_upper
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem

FORMULAS = {
    "scalar": ("count ~ x + (1 | g)", "poisson", ()),
    "vector": ("binary ~ x + (x | g)", "bernoulli", ()),
    "independent": ("count ~ x + (x || g)", "negbinomial", ()),
    "crossed": ("count ~ x + (x | g) + (1 | h)", "poisson", ()),
    "sigma": (bayesml.bf("real ~ x + (1 | g)", sigma="~ x + (1 | g)"), "gaussian", ()),
    "no groups": ("real ~ x", "student", ()),
    "priors of several kinds": (
        "count ~ x + w + (1 | g)",
        "poisson",
        (bayesml.prior("student_t(3, 0, 1)", class_="b", coef="x"),),
    ),
}


@pytest.fixture(scope="module")
def frame() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    g, h = np.repeat(np.arange(6), 6), np.tile(np.arange(4), 9)
    x = rng.normal(size=36)
    eta = 0.5 + 0.3 * x + rng.normal(0, 0.6, 6)[g] + rng.normal(0, 0.4, 4)[h]
    return {
        "x": x,
        "w": rng.normal(size=36),
        "g": g,
        "h": h,
        "count": rng.poisson(np.exp(eta)),
        "binary": (rng.random(36) < 1 / (1 + np.exp(-eta))).astype(int),
        "real": eta + rng.normal(0, 0.5, 36),
    }


@pytest.mark.parametrize(("name", "distortion"), [*((name, 1.0) for name in FORMULAS), ("vector", 9.0), ("sigma", 9.0)])
def test_density_is_the_models_times_the_jacobian(name, distortion, frame, rng, monkeypatch):
    formula, family, priors = FORMULAS[name]
    if distortion != 1.0:
        monkeypatch.setattr(module, "find_pilot", lambda problem: distorted(find_pilot(problem), distortion))
    problem = describe_problem(formula, frame, family, prior=priors)
    layout = layout_of(problem.description.spec)
    model = compile_model(problem.description.spec, problem.design.schema, problem.family)
    with double_precision():
        form = preconditioned_form(problem)
        data = jax.tree.map(jnp.asarray, form.data)
        whole = log_density(model, layout)
        plain = data | {"center": jnp.zeros(layout.size), "scale": jnp.ones(layout.size)}
        flat = flat_of(form, layout, problem)
        differences = []
        for _ in range(4):
            x = jnp.asarray(rng.normal(size=form.size))
            jacobian = np.linalg.slogdet(np.asarray(jax.jacfwd(lambda at: flat(at, data))(x)))[1]
            differences.append(float(form.density(x, data)) - float(whole(flat(x, data), plain)) - jacobian)
    # the constant is the log determinant of the linear whitening, which the density leaves out
    np.testing.assert_allclose(differences, differences[0], atol=1e-8)


def distorted(pilot, factor):
    """A pilot that is deliberately wrong."""
    return replace(
        pilot,
        weights={k: factor * v for k, v in pilot.weights.items()},
        scores={k: v - 1 for k, v in pilot.scores.items()},
    )


def flat_of(form, layout, problem):
    """Return the map from the form's coordinates to the model's unconstrained vector."""
    groups = [
        module._scaled(problem.description.spec, p, g) for p in problem.design.schema.predictors for g in p.groups()
    ]
    values_at = module._values_at(layout, tuple(groups))

    def flat(x, data):
        u = data["white"]["mode"] + data["white"]["factor"] @ x
        values, _ = values_at(u, data)
        parts = []
        for site, place in zip(layout.sites, layout.slices(), strict=True):
            parts.append(values[site.name].reshape(-1) if site.name.startswith("z_") else u[place])
        return jnp.concatenate(parts)

    return flat


def test_the_mode_has_unit_curvature(frame):
    problem = describe_problem(*FORMULAS["crossed"][:2][:1], frame, "poisson")
    with double_precision():
        form = preconditioned_form(problem)
        data = jax.tree.map(jnp.asarray, form.data)
        gradient = jax.grad(form.density)(jnp.zeros(form.size), data)
        hessian = np.asarray(jax.hessian(form.density)(jnp.zeros(form.size), data))
        gradient = np.asarray(gradient)
    # the climb ends at a Newton decrement of 1e-3, the squared norm of the whitened gradient
    assert gradient @ gradient < 1e-3
    eigenvalues = np.linalg.eigvalsh(-hessian)
    # directions flatter than the clip keep less than unit curvature; none has more
    assert eigenvalues.max() < 1 + 1e-6
    assert (np.abs(eigenvalues - 1) < 1e-6).sum() >= form.size - 3


def test_arrow_whitening_is_the_dense_one(frame, monkeypatch):
    problem = describe_problem("count ~ x + (x | g) + (1 | h)", frame, "poisson")
    with double_precision():
        dense = preconditioned_form(problem)
        monkeypatch.setattr(module, "LARGEST_DENSE", 0)
        arrow = preconditioned_form(problem)
        white = jax.tree.map(jnp.asarray, arrow.data["white"])
        jacobian = np.asarray(jax.jacfwd(lambda x: apply_arrow(x, white))(jnp.zeros(arrow.size)))
        factor = np.asarray(dense.data["white"]["factor"])
        np.testing.assert_allclose(arrow.data["white"]["mode"], dense.data["white"]["mode"], atol=2e-2)
        hessian = -np.asarray(
            jax.hessian(lambda x: dense.density(x, jax.tree.map(jnp.asarray, dense.data)))(jnp.zeros(dense.size))
        )
        precision = np.linalg.inv(factor).T @ hessian @ np.linalg.inv(factor)
    # where no eigenvalue is clipped both maps turn the Hessian into the identity
    eigenvalues = np.linalg.eigvalsh(jacobian.T @ precision @ jacobian)
    assert (np.abs(eigenvalues - 1) < 0.05).sum() >= dense.size - 3


@pytest.mark.parametrize("q", [1, 2, 3, 4])
def test_unrolled_algebra(q, rng):
    roots = rng.normal(size=(5, q, q))
    matrices = roots @ np.swapaxes(roots, 1, 2) + np.eye(q)
    right = rng.normal(size=(5, q))
    with double_precision():
        factor = cholesky([[jnp.asarray(matrices[:, i, j]) for j in range(q)] for i in range(q)])
        expected = np.linalg.cholesky(matrices)
        assert float(log_determinant(factor)) == pytest.approx(np.linalg.slogdet(matrices)[1].sum())
        columns = [jnp.asarray(right[:, i]) for i in range(q)]
        lower = np.stack(solve_lower(factor, columns), axis=1)
        upper = np.stack(solve_upper(factor, columns), axis=1)
    np.testing.assert_allclose(np.einsum("jik,jk->ji", expected, lower), right, atol=1e-10)
    np.testing.assert_allclose(np.einsum("jki,jk->ji", expected, upper), right, atol=1e-10)
