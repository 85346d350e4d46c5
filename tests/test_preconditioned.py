"""The preconditioned form: exactly the model's density in other coordinates, whatever the pilot; its algebra."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import bayesml
from bayesml.describe import single_parameters
from bayesml.engines.density import data_of
from bayesml.engines.layout import layout_of
from bayesml.engines.nuts.forms.gaussian.algebra import cholesky, half_solve, log_diagonal, transposed_half_solve
from bayesml.engines.nuts.forms.preconditioned import arrangement as arranging
from bayesml.engines.nuts.forms.preconditioned import blocks as placing
from bayesml.engines.nuts.forms.preconditioned import form as module
from bayesml.engines.nuts.forms.preconditioned.arrow import apply_arrow, arrow_whitening, unit_arrow
from bayesml.engines.nuts.forms.preconditioned.blocks import Blocks, block_chain
from bayesml.engines.nuts.forms.preconditioned.form import preconditioned_form
from bayesml.engines.nuts.forms.preconditioned.pilot import find_pilot
from bayesml.engines.nuts.forms.preconditioned.rows import _closed, _compiled
from bayesml.engines.nuts.forms.preconditioned.whitening import hessian_products
from bayesml.engines.precision import double_precision
from bayesml.families.coordinates import SingleCoordinates
from bayesml.fit import describe_problem
from bayesml.keys import MU
from tests.closed_families import CLOSED
from tests.native_density import native_density
from tests.tuning import hessian_at, tuned_data, value_and_gradient

FORMULAS = {
    "scalar": ("count ~ x + (1 | g)", "poisson", ()),
    "vector": ("binary ~ x + (x | g)", "bernoulli", ()),
    "independent": ("count ~ x + (x || g)", "negbinomial", ()),
    "sds with priors of several kinds": (
        "count ~ x + (x || g) + (1 | h)",
        "poisson",
        (
            bayesml.prior("exponential(1)", class_="sd", coef="x", group="g"),
            bayesml.prior("constant(0.5)", class_="sd", group="h"),
        ),
    ),
    "crossed": ("count ~ x + (x | g) + (1 | h)", "poisson", ()),
    "nested": ("count ~ x + (1 | g) + (1 | o)", "poisson", ()),
    "sigma": (bayesml.bf("real ~ x + (1 | g)", sigma="~ x + (1 | g)"), "gaussian", ()),
    "many levels": ("count ~ x + (1 | o)", "poisson", ()),
    "three factors": ("count ~ x + (1 | g) + (x || h) + (1 | o)", "poisson", ()),
    "vectors nested": ("binary ~ (x | g) + (x | p)", "bernoulli", ()),
    "no population": ("count ~ 0 + (1 | g) + (1 | h)", "poisson", ()),
    "bounded slope": (
        "count ~ x + (1 | g)",
        "poisson",
        (bayesml.prior("normal(0, 1)", class_="b", lb=0.0),),
    ),
    "rotated beside factors": ("count ~ x + (1 | mm(g, p)) + (1 | h)", "poisson", ()),
    "no groups": ("real ~ x", "student", ()),
    "smooth and groups": ("count ~ w + s(x, k = 4) + (1 | g) + (1 | h)", "poisson", ()),
    "shared effects": (bayesml.bf("real ~ x + (x | p | g)", sigma="~ w + (1 | p | g)"), "gaussian", ()),
    "shared effects among others": (
        bayesml.bf("real ~ (1 | p | g) + (0 + x | g) + (1 | h)", sigma="~ s(w, k = 4) + (1 | p | g)"),
        "gaussian",
        (),
    ),
    "shared effects of two responses": (
        bayesml.bf("real ~ x + (1 | p | g)") + bayesml.bf("count ~ (1 | p | g)", family="poisson"),
        "gaussian",
        (),
    ),
    "smooths in two predictors": (bayesml.bf("real ~ s(x, k = 4)", sigma="~ s(w, k = 5)"), "gaussian", ()),
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
        "o": np.arange(36),
        "p": 2 * g + np.tile(np.repeat([0, 1], 3), 6),
        "h": h,
        "count": rng.poisson(np.exp(eta)),
        "binary": (rng.random(36) < 1 / (1 + np.exp(-eta))).astype(int),
        "real": eta + rng.normal(0, 0.5, 36),
    }


@pytest.mark.parametrize(("name", "distortion"), [*((name, 1.0) for name in FORMULAS), ("vector", 9.0), ("sigma", 9.0)])
def test_density_is_the_models_times_the_jacobian(name, distortion, frame, rng, monkeypatch):
    formula, family, priors = FORMULAS[name]
    if name == "rotated beside factors":  # where they are many
        monkeypatch.setattr(placing, "LARGEST_TAIL", 4)
    if distortion != 1.0:
        monkeypatch.setattr(module, "find_pilot", lambda problem: distorted(find_pilot(problem), distortion))
    problem = describe_problem(formula, frame, family, prior=priors)
    layout = layout_of(problem.description.spec)
    with double_precision():
        form = preconditioned_form(problem)
        data = tuned_data(form)
        whole, density = jax.jit(native_density(problem)), jax.jit(form.density)
        plain = data | {"center": jnp.zeros(layout.size), "scale": jnp.ones(layout.size)}
        flat = flat_of(form, layout, problem)
        place = jax.jit(flat)
        differences = []
        for _ in range(4):
            x = jnp.asarray(rng.normal(size=form.size))
            jacobian = np.linalg.slogdet(differences_of(lambda at: place(at, data), x))[1]
            differences.append(float(density(x, data)) - float(whole(place(x, data), plain)) - jacobian)
    # The constant is the log determinant of the linear whitening, which the density leaves out. An entry of the matrix
    # errs by h^2 / 6 of a third derivative and 1e-16 / h, h = 1e-5, some 1e-11; the log determinant by the sum of those
    # of 70 rows, times what its inverse magnifies.
    np.testing.assert_allclose(differences, differences[0], atol=1e-7)


def differences_of(function, x):
    """Return the transposed matrix of central differences of a function; to compile its derivative takes far longer."""
    steps = 1e-5 * jnp.eye(len(x))
    return np.stack([np.asarray(function(x + e) - function(x - e)) for e in steps]) / 2e-5


def distorted(pilot, factor):
    """A pilot that is deliberately wrong."""
    return replace(
        pilot,
        predictors={
            k: replace(rows, weights=factor * rows.weights, residuals=rows.residuals - 1)
            for k, rows in pilot.predictors.items()
        },
    )


def flat_of(form, layout, problem):
    """Return the map from the form's coordinates to the model's unconstrained vector."""
    scaled = arranging.scaled_blocks(problem)
    moved = {parameter.name for together in scaled for parameter in together.standardised}
    moved |= {block.site for together in scaled for block in together.blocks}
    values_at, (chain, _) = module.scaled_values(layout, scaled), block_chain(problem, layout)

    def flat(x, data):
        u = apply_arrow(x, data["white"], chain)
        values, _ = values_at(u, data)
        parts = []
        for site, place in zip(layout.sites, layout.slices(), strict=True):
            value = values[site.name].reshape(-1)
            if site.name in data["scales"]:
                parts.append(jnp.log(value))
            else:
                parts.append(value if site.name in moved else u[place])
        return jnp.concatenate(parts)

    return flat


@pytest.mark.slow
def test_terms_that_cross_too_widely_are_scaled_one_by_one(frame, rng, monkeypatch):
    formula, family, _ = FORMULAS["three factors"]
    problem = describe_problem(formula, frame, family)
    (together,) = arranging.scaled_blocks(problem)
    assert [block.factor for block in together.blocks] == ["g", "h", "o"]
    assert (together.arrangement.chain, together.arrangement.tail) == ((2, 1), (0,))  # h has 8 effects, g has 6
    monkeypatch.setattr(arranging, "LARGEST_TAIL", 3)
    assert [[block.factor for block in each.blocks] for each in arranging.scaled_blocks(problem)] == [["o", "h"], ["g"]]
    test_density_is_the_models_times_the_jacobian("three factors", 1.0, frame, rng, monkeypatch)


@pytest.mark.parametrize("name", ["three factors", "vectors nested", "sigma"])
def test_gradient_is_the_finite_difference(name, frame, rng):
    formula, family, priors = FORMULAS[name]
    problem = describe_problem(formula, frame, family, prior=priors)
    with double_precision():
        form = preconditioned_form(problem)
        evaluate = value_and_gradient(form.density)
        data, x = tuned_data(form, evaluate), 0.7 * rng.normal(size=form.size)
        gradient = evaluate(x, data)[1]
        for direction in rng.normal(size=(4, form.size)):
            ahead, behind = (evaluate(x + sign * 1e-5 * direction, data)[0] for sign in (1, -1))
            # error of the difference: h^2 f''' / 6 with h = 1e-5, and rounding of f, 1e-14 / 1e-5
            assert (ahead - behind) / 2e-5 == pytest.approx(gradient @ direction, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["crossed", "nested", "sigma", "no groups"])
def test_the_mode_has_unit_curvature(name, frame):
    formula, family, priors = FORMULAS[name]
    problem = describe_problem(formula, frame, family, prior=priors)
    with double_precision():
        form = preconditioned_form(problem)
        evaluate = value_and_gradient(form.density)
        data = tuned_data(form, evaluate)
        gradient = evaluate(np.zeros(form.size), data)[1]
        hessian = hessian_at(evaluate, np.zeros(form.size), data)
    # the climb ends at a Newton decrement of 1e-3, the squared norm of the whitened gradient
    assert gradient @ gradient < 1e-3
    eigenvalues = np.linalg.eigvalsh(-hessian)
    # directions flatter than the clip keep less than unit curvature; none has more (differences of gradients are good
    # to about 1e-8 of the third derivatives)
    assert eigenvalues.max() < 1 + 1e-5
    assert (np.abs(eigenvalues - 1) < 1e-5).sum() >= form.size - 3


CHAINS = {
    "none": ((), ()),
    "one factor, two tables": ((Blocks(3, ((1, 4), (5, 11))),), ((),)),
    "nested": ((Blocks(6, ((5, 11),)), Blocks(2, ((0, 2), (3, 5)))), ((np.array([0, 0, 1, 1, 0, 1]),), ())),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_arrow_sorts_effects_and_back(name, rng):
    (chain, parents), start = CHAINS[name], rng.normal(size=13)
    unit = unit_arrow(start, np.ones(13), chain, parents)
    with double_precision():
        np.testing.assert_array_equal(apply_arrow(jnp.zeros(13), unit, chain), start)
        jacobian = matrix_of(lambda x: apply_arrow(x, unit, chain), 13)
    # a permutation, whose first columns are the effects of the first level of the innermost factor
    np.testing.assert_allclose(jacobian.T @ jacobian, np.eye(13), atol=1e-12)
    for blocks in chain[:1]:
        own = [start for first, stop in blocks.segments for start in range(first, stop, blocks.levels)]
        assert jacobian[:, : len(own)].argmax(axis=0).tolist() == own


@pytest.mark.parametrize("name", CHAINS)
def test_the_arrow_whitens_a_quadratic_of_its_shape(name, rng):
    (chain, parents), size = CHAINS[name], 13
    precision = structured_precision(chain, parents, size, rng)
    mode, scale = rng.normal(size=size), np.where(structured(chain, size), 1.0, 3.0)
    unit = unit_arrow(rng.normal(size=size), scale, chain, parents)
    with double_precision():
        to_layout = jax.jit(lambda x: apply_arrow(x, unit, chain))
        linear = matrix_of(to_layout, size)

        def evaluate(x):
            away = np.asarray(to_layout(x)) - mode
            return float(-0.5 * away @ precision @ away), -linear.T @ (precision @ away)

        white = arrow_whitening(evaluate, unit)
        found = np.asarray(apply_arrow(jnp.zeros(size), white, chain))
        jacobian = matrix_of(lambda x: apply_arrow(x, white, chain), size)
    # a Newton decrement of 1e-3 ends the climb, but a quadratic is climbed in one step
    np.testing.assert_allclose(found, mode, atol=1e-6)
    # differences of a linear gradient are exact but for rounding, 1e-16 / 1e-4
    np.testing.assert_allclose(jacobian.T @ precision @ jacobian, np.eye(size), atol=1e-8)


def matrix_of(affine, size):
    """Return the matrix of an affine map."""
    origin = affine(jnp.zeros(size))
    return np.stack([np.asarray(affine(unit) - origin) for unit in jnp.eye(size)], axis=1)


def structured(chain, size):
    inside = np.zeros(size, dtype=bool)
    for blocks in chain:
        for start, stop in blocks.segments:
            inside[start:stop] = True
    return inside


def structured_precision(chain, parents, size, rng):
    """A precision in which levels of a factor interact neither with each other nor with any but their parents."""
    owner = np.full((size, max(len(chain), 1)), -1)
    for s, blocks in enumerate(chain):
        for start, stop in blocks.segments:
            levels = np.tile(np.arange(blocks.levels), (stop - start) // blocks.levels)
            owner[start:stop, s] = levels
            for t, parent in enumerate(parents[s], s + 1):
                owner[start:stop, t] = parent[levels]
    shared = np.ones((size, size), dtype=bool)
    for column in owner.T:
        shared &= (column[:, None] < 0) | (column < 0) | (column[:, None] == column)
    root = 0.3 * rng.normal(size=(size, size))
    product = np.where(shared, root + root.T, 0.0)
    return product + np.diag(np.abs(product).sum(axis=1) + 1.0)


def test_products_with_the_hessian(rng):
    root = rng.normal(size=(5, 5))

    def evaluate(x):
        # minus the Hessian is R'R + diag(exp(x))
        return -0.5 * float((root @ x) @ (root @ x)) - float(np.exp(x).sum()), -(root.T @ root @ x) - np.exp(x)

    x = rng.normal(size=5)
    found = hessian_products(evaluate, x, np.eye(5))
    # central differences: h^2 / 6 times the third derivative exp(x), h = 1e-4
    np.testing.assert_allclose(found, root.T @ root + np.diag(np.exp(x)), atol=1e-7)


@pytest.mark.parametrize("family", sorted(CLOSED))
def test_closed_forms_of_the_rows_are_the_derivatives(family, rng):
    count, trials = rng.poisson(2.0, 20), np.full(20, 9)
    columns = {
        "x": rng.normal(size=20),
        "w": rng.uniform(0.5, 2.0, 20),
        "trials": trials,
        "y": {
            "bernoulli": count % 2,
            "beta": rng.beta(2, 3, 20),
        }.get(family, count if CLOSED[family]().traits.discrete else rng.gamma(2.0, size=20)),
    }
    terms = "trials(trials) + weights(w)" if family == "binomial" else "weights(w)"
    problem = describe_problem(f"y | {terms} ~ x", columns, family)
    singles = SingleCoordinates(single_parameters(problem.design))
    values = {"b": np.array([0.4, -0.3]), **{name: np.float64(1.7) for name in singles.names}}
    with double_precision():
        closed, compiled = (make(problem, singles)(values, data_of(problem)) for make in (_closed, _compiled))
    assert closed.log_likelihood == pytest.approx(compiled.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(closed.score[MU], compiled.score[MU], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(closed.weight[MU], compiled.weight[MU], rtol=1e-9)
    # central differences of a log-likelihood of order 100 over 1e-4: 1e-16 * 100 / 1e-8 = 1e-6 and h^2 = 1e-8
    np.testing.assert_allclose(closed.single_gradient, compiled.single_gradient, atol=1e-5)
    np.testing.assert_allclose(closed.single_curvature, compiled.single_curvature, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("q", [1, 2, 3, 4])
def test_unrolled_algebra(q, rng):
    roots = rng.normal(size=(5, q, q))
    matrices = roots @ np.swapaxes(roots, 1, 2) + np.eye(q)
    right = rng.normal(size=(5, q))
    with double_precision():
        factor = cholesky([[jnp.asarray(matrices[:, i, j]) for j in range(i + 1)] for i in range(q)])
        expected = np.linalg.cholesky(matrices)
        assert 2 * float(log_diagonal(factor).sum()) == pytest.approx(np.linalg.slogdet(matrices)[1].sum())
        columns = [jnp.asarray(right[:, i]) for i in range(q)]
        lower = np.stack(half_solve(factor, columns), axis=1)
        upper = np.stack(transposed_half_solve(factor, columns), axis=1)
    np.testing.assert_allclose(np.einsum("jik,jk->ji", expected, lower), right, atol=1e-10)
    np.testing.assert_allclose(np.einsum("jki,jk->ji", expected, upper), right, atol=1e-10)
