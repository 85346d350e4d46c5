"""Rows sorted by level with tables of them: the same density and derivatives, and no scatter in the program."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from scipy import stats

from bayesml import bf, binomial
from bayesml.engines.nuts.forms.level_tables import with_distinct_counts, with_level_tables
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.nuts.forms.plan import build_form, plan_for
from bayesml.engines.nuts.forms.unique_rows import with_unique_rows
from bayesml.engines.precision import double_precision
from bayesml.families.densities import negative_binomial
from bayesml.fit import describe_problem
from bayesml.keys import MU
from bayesml.terms.gather import at_rows, level_rows

INDICES = {
    "one row each": (np.arange(7), 7),
    "one row each, unsorted": (np.array([3, 0, 2, 1]), 4),
    "sorted": (np.repeat(np.arange(5), 4), 5),
    "tiled": (np.tile(np.repeat(np.arange(3), 2), 4), 3),
    "two levels": (np.array([0, 1, 1, 0, 1]), 2),
    "sorted, unbalanced": (np.repeat(np.arange(4), [1, 5, 2, 9]), 4),
    "an empty level": (np.array([0, 3, 3, 1]), 4),
    "very unbalanced": (
        np.random.default_rng(1).permutation(np.repeat(np.arange(103), [900, 700, 60] + [1] * 100)),
        103,
    ),
    "many": (np.random.default_rng(2).integers(0, 400, 2000), 400),
}
MODELS = {
    "nested and crossed": ("binary ~ x + (1 | g / h) + (1 | k)", "bernoulli"),
    "balanced": ("binary ~ x + (1 | left) + (1 | right)", "bernoulli"),
    "repeated rows": ("few | trials(n) ~ a + (a || g) + (1 | k)", "binomial"),
    "weights and offset": ("few | weights(w) ~ x + (1 | g) + offset(o)", "poisson"),
    "several columns": ("few ~ x + (1 + x + z || g) + (0 + x || k)", "poisson"),
    "an effect of each row": ("few ~ x + (1 | g) + (1 | row)", "poisson"),
    "one shape": ("few ~ x + (1 | g)", "negbinomial"),
    "complementary log log": ("few | trials(n) ~ x + (1 | g)", binomial("cloglog")),
    "no group": ("few ~ x", "negbinomial"),
    "predicted shape": (bf("few ~ x + (1 | g)", shape="~ z + (1 | g)"), "negbinomial"),
    "predicted sigma": (bf("y ~ x + (1 | g)", sigma="~ (1 | k)"), "gaussian"),
}
ROWS = 240


@pytest.fixture(autouse=True)
def x64():
    with double_precision():
        yield


@pytest.fixture(scope="module")
def frame() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {
        "binary": rng.integers(0, 2, ROWS),
        "few": rng.integers(0, 4, ROWS),
        "n": np.full(ROWS, 5),
        "y": rng.normal(size=ROWS),
        "w": rng.choice([0.0, 0.5, 1.0], ROWS),
        "a": rng.choice(["u", "v"], ROWS),
        "g": rng.integers(0, 6, ROWS),
        "h": rng.integers(0, 3, ROWS),
        "k": rng.integers(0, 4, ROWS),
        "left": np.arange(ROWS) % 12,
        "right": np.arange(ROWS) // 12,
        "row": rng.permutation(ROWS),
        "o": rng.choice([0.0, 0.1], ROWS),
        "x": rng.normal(size=ROWS),
        "z": rng.normal(size=ROWS),
    }


def described(name, frame):
    formula, family = MODELS[name]
    return describe_problem(formula, frame, family)


def tabulated(problem):
    return with_distinct_counts(with_level_tables(with_unique_rows(problem)))


@pytest.fixture(params=INDICES)
def gathers(request):
    """A function of one value for each level through each gather, with the number of levels."""
    index, levels = INDICES[request.param]
    slopes = np.random.default_rng(3).normal(size=len(index))
    tables = {"index": index, **level_rows(index, levels)}

    def through(arrays):
        return lambda u: jnp.sum(jnp.sin(slopes * at_rows(u, arrays)))

    return through({"index": index}), through(tables), levels


def test_derivatives_are_those_of_the_plain_gather(gathers, rng):
    plain, tabled, levels = gathers
    u, v = rng.normal(size=(2, levels))

    def derivatives(f):
        return jax.jit(lambda u: (f(u), jax.jvp(jax.grad(f), (u,), (v,))))(u)

    for found, expected in zip(jax.tree.leaves(derivatives(tabled)), jax.tree.leaves(derivatives(plain)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_derivatives_of_a_batch(gathers, rng):
    plain, tabled, levels = gathers
    u = rng.normal(size=(3, levels))
    one_by_one, at_once = jax.jit(lambda u: (jax.vmap(jax.grad(tabled))(u), jax.grad(tabled)(u)))(u)
    expected = jax.jit(jax.grad(plain))(u)
    np.testing.assert_allclose(one_by_one, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(at_once, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", INDICES)
def test_rows_of_numpy_arrays(name, rng):
    index, levels = INDICES[name]
    values = rng.normal(size=(2, levels))
    found = at_rows(values, {"index": index, **level_rows(index, levels)})
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, values[:, index])


@pytest.mark.parametrize("name", INDICES)
def test_every_row_is_listed_once(name):
    index, levels = INDICES[name]
    found = level_rows(index, levels)
    if "grid" in found:
        assert np.prod(found["grid"].shape[:3]) == len(index)
        return
    listed = np.concatenate([table.ravel() for table in found["rows"]])
    np.testing.assert_array_equal(np.sort(listed[listed < len(index)]), np.arange(len(index)))


def test_balanced_rows_are_a_grid():
    assert level_rows(*INDICES["tiled"])["grid"].shape == (4, 3, 2, 0)
    assert level_rows(*INDICES["sorted"])["grid"].shape == (1, 5, 4, 0)
    assert "rows" in level_rows(*INDICES["two levels"])


def test_little_is_wasted_on_unequal_levels():
    index, _ = INDICES["very unbalanced"]
    tables = level_rows(*INDICES["very unbalanced"])["rows"]
    assert sum(table.size for table in tables) < 1.5 * len(index)


def test_both_factors_of_a_balanced_design_are_grids(frame):
    arrays = with_level_tables(described("balanced", frame)).design.arrays[MU]
    assert arrays["right"]["grid"].shape == (1, 20, 12, 0)
    assert arrays["left"]["grid"].shape == (20, 12, 1, 0)


@pytest.mark.parametrize("name", MODELS)
def test_density_and_its_derivatives_are_unchanged(name, frame, rng):
    problem = described(name, frame)
    plain, tabled = plain_form(problem), plain_form(tabulated(problem))
    q, direction = rng.normal(size=(2, plain.size))

    def derivatives(form):
        def every(q, data):
            return jax.jvp(lambda q: jax.value_and_grad(form.density)(q, data), (q,), (direction,))

        return jax.tree.leaves(jax.jit(every)(q, form.data))

    for found, expected in zip(derivatives(tabled), derivatives(plain), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("precondition", [True, False])
@pytest.mark.parametrize("name", ["nested and crossed", "several columns", "one shape", "predicted shape"])
def test_programs_have_no_scatter(name, precondition, frame):
    problem = described(name, frame)
    form = build_form(problem, plan_for(problem, marginalize=False, precondition=precondition))
    text = jax.jit(jax.value_and_grad(form.density)).lower(np.zeros(form.size), form.data).compile().as_text()
    assert " scatter(" not in text


def test_counts_are_tabulated_where_they_repeat(frame):
    def added(problem):
        return set(with_distinct_counts(problem).design.response.arrays) - set(problem.design.response.arrays)

    assert added(described("one shape", frame)) == {"distinct", "place"}
    assert not any(added(described(name, frame)) for name in ("predicted shape", "several columns", "repeated rows"))
    assert not added(describe_problem("count ~ x", frame | {"count": np.arange(ROWS)}, "negbinomial"))


def test_negative_binomial_with_known_counts(rng):
    y = rng.choice([0.0, 1.0, 3.0, 40.0, 1e4], 60)
    distinct, place = np.unique(y, return_inverse=True)
    eta, cotangent = rng.normal(size=(2, 60))

    def rows(s, known):
        return negative_binomial(y, eta, s, *known)

    def derivatives(s, known):
        gradient = jax.grad(lambda s: cotangent @ rows(s, known))
        return rows(s, known), gradient(s), jax.jvp(gradient, (s,), (1.0,))[1]

    compiled = jax.jit(derivatives)
    for shape in (0.03, 1.7, 250.0):
        found = compiled(shape, (distinct, place))
        for one, other in zip(found, compiled(shape, ()), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12 * np.abs(other).max())
        expected = stats.nbinom.logpmf(y, shape, shape / (shape + np.exp(eta)))
        np.testing.assert_allclose(found[0], expected, rtol=1e-9)
