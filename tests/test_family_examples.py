"""Laws of every family, from the example beside it: a new family is tested by being listed."""

from __future__ import annotations

import sys

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from scipy import integrate

from bayesml.describe import describe
from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.plain import plain_form
from bayesml.engines.precision import double_precision
from bayesml.families import FAMILIES, RawResponse
from bayesml.families.automatic import automatic_curvature
from bayesml.families.drawing import draw_where_possible
from bayesml.families.example import Example
from bayesml.fit import describe_problem

EXAMPLES: dict[str, Example] = {
    example.family.name: example
    for make in FAMILIES.values()
    if (example := getattr(sys.modules[make.__module__], "EXAMPLE", None)) is not None
}
every_example = pytest.mark.parametrize("name", EXAMPLES)
LARGEST_COUNT = 400.0


def bound(example: Example, y: np.ndarray):
    """The likelihood of an example and the arrays of a response."""
    additions = {name: np.resize(values, len(y)) for name, values in example.additions.items()}
    raw = RawResponse("y", np.asarray(y, dtype=float), additions=additions)
    likelihood = example.family.bind(raw)
    return likelihood, {"y": np.asarray(y, dtype=float), **additions}


def density(example: Example, y: np.ndarray) -> np.ndarray:
    likelihood, data = bound(example, y)
    with double_precision():
        rows = jax.jit(lambda d: likelihood.log_prob(d["y"], likelihood.values({}, example.parameters), d))
        return np.asarray(rows(data))


def moments(example: Example) -> np.ndarray:
    """Mass, mean and mean square of the density."""
    powers = np.arange(3)[:, None]
    if example.support is None:
        largest = max((v[0] for v in example.additions.values()), default=LARGEST_COUNT)
        y = np.arange(2.0 if example.family.bind(RawResponse("y", np.zeros(1))).traits.two_levels else largest + 1.0)
        return np.sum(y**powers * np.exp(density(example, y)), axis=1)
    low, high = example.support
    likelihood, _ = bound(example, np.array(example.y))
    values = likelihood.values({}, example.parameters)
    with double_precision():
        at = jax.jit(lambda y: jnp.exp(likelihood.log_prob(y[None], values, {"y": y[None]})[0]))
        cuts = sorted({low, high, *(c for c in (-40.0, -4.0, 0.05, 0.3, 0.8, 4.0, 40.0) if low < c < high)})
        total = np.zeros(3)
        for k in range(3):
            for a, b in zip(cuts, cuts[1:], strict=False):
                total[k] += integrate.quad(lambda v, k=k: v**k * float(at(jnp.asarray(v))), a, b, limit=200)[0]
    atoms = np.array(example.atoms)
    return total + (np.sum(atoms**powers * np.exp(density(example, atoms)), axis=1) if len(atoms) else 0.0)


@every_example
def test_densities_are_those_of_the_source(name: str) -> None:
    example = EXAMPLES[name]
    np.testing.assert_allclose(density(example, np.array(example.y)), example.log_density, rtol=1e-10, atol=1e-12)


@every_example
def test_the_density_has_mass_one_and_the_stated_moments(name: str) -> None:
    example = EXAMPLES[name]
    mass, mean, square = moments(example)
    likelihood, data = bound(example, np.array(example.y))
    assert mass == pytest.approx(1.0, abs=1e-7)
    assert np.ravel(likelihood.mean(example.parameters, data))[0] == pytest.approx(mean, rel=1e-6)
    assert np.ravel(likelihood.variance(example.parameters, data))[0] == pytest.approx(square - mean**2, rel=2e-5)


@every_example
def test_draws_have_the_distribution_of_the_density(name: str) -> None:
    """Mean within five Monte Carlo standard errors; shares below points as the distribution function says."""
    example, n = EXAMPLES[name], 20_000
    likelihood, data = bound(example, np.array(example.y[:1]))
    parameters = {key: np.asarray(value) for key, value in example.parameters.items()}
    drawn = draw_where_possible(likelihood, np.random.default_rng(3), parameters, data, (n, 1))[:, 0]
    assert drawn.shape == (n,) and np.isfinite(drawn).all()
    mean = float(np.ravel(likelihood.mean(example.parameters, data))[0])
    assert abs(drawn.mean() - mean) < 5 * drawn.std() / np.sqrt(n)
    if likelihood.traits.has_cdf:
        with double_precision():
            values = likelihood.values({}, example.parameters)
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
    auxiliary = {key: value for key, value in example.parameters.items() if key != main}
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
    data = {"y": list(example.y), **{key: list(values) for key, values in example.additions.items()}}
    problem = describe_problem(f"y | {terms} ~ 1" if terms else "y ~ 1", data, example.family)
    assert isinstance(problem, Problem) and describe(problem.design).spec == problem.description.spec
    with double_precision():
        form = plain_form(problem)
        value, slope = jax.jit(jax.value_and_grad(form.density))(jnp.zeros(form.size), form.data)
    assert np.isfinite(value) and np.isfinite(slope).all()


def test_every_family_has_an_example() -> None:
    """Those without one have tests of their own until they have."""
    without = {make().name for make in FAMILIES.values()} - set(EXAMPLES)
    # One combinator makes several families: its example stands for all of them.
    assert without <= {"cumulative", "categorical", "dirichlet", "zero_inflated_negbinomial", "hurdle_lognormal"}
