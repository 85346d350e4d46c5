"""Laws of every family, from the example beside it: a new family is tested by being listed."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import product

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from scipy import integrate

from bayesml.describe import describe
from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.precision import double_precision
from bayesml.errors import ModelError
from bayesml.families import FAMILIES, FAMILIES_OF_FAMILIES, AbstractLikelihood, RawResponse
from bayesml.families.automatic import automatic_curvature
from bayesml.families.drawing import draw_where_possible
from bayesml.families.example import Example
from bayesml.fit import describe_problem

CONSTRUCTORS = {**FAMILIES, **FAMILIES_OF_FAMILIES}
EXAMPLES: dict[str, Example] = {
    example.family.name: example
    for make in CONSTRUCTORS.values()
    for example in vars(sys.modules[make.__module__]).values()
    if isinstance(example, Example)
}
every_example = pytest.mark.parametrize("name", EXAMPLES)
LARGEST_COUNT = 400.0


def bound(example: Example, y: np.ndarray) -> tuple[AbstractLikelihood, dict[str, np.ndarray]]:
    """The likelihood of an example and the arrays of a response."""
    additions = {name: np.resize(values, len(y)) for name, values in example.additions.items()}
    raw = RawResponse("y", np.asarray(y, dtype=float), additions=additions, columns=example.columns)
    # What depends on the response, as the number of categories, is that of the example whatever the rows are.
    likelihood = example.family.bind(replace(raw, values=np.array(example.y)))
    return likelihood, {**likelihood.encode(raw, for_fit=False).arrays, **additions}


def values_of(example: Example, likelihood: AbstractLikelihood, shape: tuple[int, ...] = (1,)) -> dict[str, np.ndarray]:
    """The parameters as the densities take them, each with a predictor: one without may have a value of its own."""
    known = natural(example, shape)
    return likelihood.values({p.name: likelihood.link(p.name).forward(known[p.name]) for p in likelihood.dpars}, known)


def natural(example: Example, shape: tuple[int, ...] = (1,)) -> dict[str, np.ndarray]:
    """The parameters as ``mean`` and ``draw`` take them, with axes for draws and rows before those of their own."""
    return {k: np.broadcast_to(v, (*shape, *np.shape(v))) for k, v in example.parameters.items()}


def density(example: Example, y: np.ndarray) -> np.ndarray:
    likelihood, data = bound(example, y)
    with double_precision():
        rows = jax.jit(lambda d: likelihood.log_prob(d["y"], values_of(example, likelihood), d))
        return np.asarray(rows(data))


def events(example: Example, y: np.ndarray) -> np.ndarray:
    """What expectations are of: the response, its columns, or for each category whether the response is it."""
    likelihood = bound(example, y)[0]
    return (y[:, None] == categories_of(likelihood)) * 1.0 if likelihood.event_shape and y.ndim == 1 else y


def categories_of(likelihood: AbstractLikelihood) -> np.ndarray:
    """The numbers of the categories."""
    return likelihood.first_category + np.arange(float(likelihood.event_shape[0]))


def moments(example: Example) -> list[np.ndarray]:
    """Mass, means and mean squares of the density, from sums or integrals."""
    likelihood, _ = bound(example, np.array(example.y))
    if example.columns:
        return _moments_of_counts(example) if likelihood.traits.discrete else _moments_of_shares(example)
    if example.support is None:
        y = _possible_numbers(example, likelihood)
        p, of = np.exp(density(example, y)), events(example, y)
        return [p @ of**power for power in range(3)]
    values = values_of(example, likelihood)
    with double_precision():
        at = jax.jit(lambda y: sum(jnp.exp(likelihood.log_prob(y[None], values, d)[0]) for d in of_answers(example, y)))
        low, high = example.support
        cuts = sorted({low, high, *(c for c in (-40.0, -4.0, 0.05, 0.3, 0.8, 4.0, 40.0) if low < c < high)})
        total = np.zeros(3)
        for k in range(3):
            for a, b in zip(cuts, cuts[1:], strict=False):
                total[k] += integrate.quad(lambda v, k=k: v**k * float(at(jnp.asarray(v))), a, b, limit=200)[0]
    if example.atoms:
        atoms = np.array(example.atoms)
        total += np.array([np.exp(density(example, atoms)) @ atoms**k for k in range(3)])
    return list(total)


def of_answers(example: Example, y: jax.Array) -> list[dict[str, jax.Array]]:
    """The arrays of one response with each of the answers that may stand beside it."""
    answers = [dict(zip(example.answers, each, strict=True)) for each in product(*example.answers.values())]
    return [{"y": y[None], **{name: jnp.asarray([value]) for name, value in each.items()}} for each in answers]


def _possible_numbers(example: Example, likelihood: AbstractLikelihood) -> np.ndarray:
    """The values of a response that is a category, one of two levels, or a count."""
    if likelihood.event_shape:
        return categories_of(likelihood)
    largest = max((v[0] for v in example.additions.values()), default=LARGEST_COUNT)
    return np.arange(2.0 if likelihood.traits.two_levels else largest + 1.0)


def _moments_of_counts(example: Example) -> list[np.ndarray]:
    """Sums over all ways to divide the trials among the columns."""
    n = int(example.additions["trials"][0])
    y = np.array([c for c in product(range(n + 1), repeat=len(example.columns)) if sum(c) == n], dtype=float)
    p = np.exp(density(example, y))
    return [p @ y**power for power in range(3)]


def _moments_of_shares(example: Example) -> list[np.ndarray]:
    """Integrals over the triangle of three shares: (u, (1 - u) v, rest), whose area element is (1 - u) du dv."""
    nodes, weights = np.polynomial.legendre.leggauss(30)
    u, v = (np.ravel(each) for each in np.meshgrid((1 + nodes) / 2, (1 + nodes) / 2))
    area = np.ravel(np.outer(weights, weights)) / 4 * (1 - u)
    y = np.stack([u, (1 - u) * v, (1 - u) * (1 - v)], axis=1)
    p = np.exp(density(example, y)) * area
    return [p @ y**power for power in range(3)]


@every_example
def test_densities_are_those_of_the_source(name: str) -> None:
    example = EXAMPLES[name]
    np.testing.assert_allclose(density(example, np.array(example.y)), example.log_density, rtol=1e-10, atol=1e-12)


@every_example
def test_the_density_has_mass_one_and_the_stated_moments(name: str) -> None:
    example = EXAMPLES[name]
    mass, mean, square = moments(example)
    likelihood, data = bound(example, np.array(example.y))
    np.testing.assert_allclose(mass, 1.0, atol=1e-7)
    if not likelihood.traits.has_moments:
        with pytest.raises(ModelError):
            likelihood.mean(natural(example), data)
        return
    np.testing.assert_allclose(likelihood.mean(natural(example), data)[0], mean, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(likelihood.variance(natural(example), data)[0], square - mean**2, rtol=2e-5)


@every_example
def test_draws_have_the_distribution_of_the_density(name: str) -> None:
    """Means within five Monte Carlo standard errors; shares below points as the distribution function says."""
    example, n = EXAMPLES[name], 20_000
    likelihood, data = bound(example, np.array(example.y[:1]))
    if not likelihood.traits.has_moments:
        with pytest.raises(ModelError):
            likelihood.draw(np.random.default_rng(3), natural(example), data)
        return
    drawn = draw_where_possible(likelihood, np.random.default_rng(3), natural(example, (n, 1)), data, (n, 1))[:, 0]
    assert len(drawn) == n and np.isfinite(drawn).all()
    mean, variance = (of(natural(example), data)[0] for of in (likelihood.mean, likelihood.variance))
    assert np.all(np.abs(events(example, drawn).mean(axis=0) - mean) < 5 * np.sqrt(variance / n))
    if likelihood.traits.has_cdf:
        with double_precision():
            values = values_of(example, likelihood)
            for y in np.quantile(drawn, [0.2, 0.5, 0.9]):
                below, above = (
                    float(np.ravel(f(jnp.asarray([y]), values, data))[0])
                    for f in (likelihood.log_cdf, likelihood.log_survival)
                )
                assert np.exp(below) + np.exp(above) == pytest.approx(1.0, abs=1e-12)
                share = float(np.mean(drawn <= y))
                assert abs(share - np.exp(below)) < 5 * np.sqrt(0.25 / n)


@every_example
def test_derivatives_are_those_of_the_density(name: str) -> None:
    """Closed forms where there are some, else automatic ones, against each other and central differences."""
    example = EXAMPLES[name]
    likelihood, data = bound(example, np.array(example.y))
    main = likelihood.dpars[0].name
    others = {key: value for key, value in example.parameters.items() if key != main}
    auxiliary = {key: np.array(value)[None] if np.ndim(value) else value for key, value in others.items()}
    eta = np.full(len(example.y), float(likelihood.link(main).forward(example.parameters[main])))
    found, ours = likelihood.curvature(eta, data, auxiliary), automatic_curvature(likelihood, eta, data, auxiliary, 3)
    for part in ("log_density", "d1", "d2", "d3"):
        np.testing.assert_allclose(getattr(found, part), getattr(ours, part), rtol=1e-8, atol=1e-9, err_msg=part)
    above, below = (likelihood.curvature(eta + h, data, auxiliary, order=0).log_density for h in (1e-5, -1e-5))
    np.testing.assert_allclose(found.d1, (above - below) / 2e-5, rtol=1e-6, atol=1e-7)


@every_example
def test_a_response_that_is_accepted_has_a_density_at_the_start(name: str) -> None:
    example = EXAMPLES[name]
    terms = " + ".join(f"{term}({term})" for term in example.additions)
    left = f"cbind({', '.join(example.columns)})" if example.columns else "y"
    y = dict(zip(example.columns or ("y",), np.array(example.y).reshape(len(example.y), -1).T, strict=True))
    data = {**y, **{key: list(values) for key, values in example.additions.items()}}
    problem = describe_problem(f"{left} | {terms} ~ 1" if terms else f"{left} ~ 1", data, example.family)
    assert isinstance(problem, Problem) and describe(problem.design).spec == problem.description.spec
    with double_precision():
        form = plain_form(problem)
        value, slope = jax.jit(jax.value_and_grad(form.density))(jnp.zeros(form.size), form.data)
    assert np.isfinite(value) and np.isfinite(slope).all()


def test_every_family_has_an_example() -> None:
    named = {name.partition("(")[0] for name in EXAMPLES}
    assert set(CONSTRUCTORS) <= named
