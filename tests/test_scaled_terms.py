"""Group terms that compete: the coordinates follow all of them at once, and standard deviations that may be 0."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from jax import numpy as jnp

import bayesml
from bayesml.engines.layout import near_linear
from bayesml.engines.nuts.forms.gaussian.algebra import explained, gaussian_point
from bayesml.engines.nuts.forms.preconditioned.scale_maps import _value_and_slope
from bayesml.engines.precision import double_precision
from bayesml.terms.gather import at_rows, level_rows, level_sums

FACTS = Path(__file__).parent / "facts"  # grouseticks and Assay, written by nested_designs.R


@pytest.mark.parametrize("d", [1, 3, 7, 30])
def test_point_of_a_normal_distribution_and_its_gradient(d, rng):
    root, linear, away = rng.normal(size=(d, d)), rng.normal(size=d), rng.normal(size=d)
    precision, weights = root @ root.T + np.eye(d), rng.normal(size=(2, d))

    def total(symmetric, b, e, point=gaussian_point):
        x, half, halves = point((symmetric + symmetric.T) / 2, b, e)
        return weights[0] @ x + jnp.sin(weights[1] @ half) + 1.7 * halves

    def by_library(p, b, e):
        factor = jnp.linalg.cholesky(p)
        half = jax.scipy.linalg.solve_triangular(factor, b, lower=True)
        return jax.scipy.linalg.solve_triangular(factor.T, half + e), half, jnp.log(jnp.diag(factor)).sum()

    with double_precision():
        found = jax.value_and_grad(total, (0, 1, 2))(precision, linear, away)
        expected = jax.value_and_grad(lambda *a: total(*a, point=by_library), (0, 1, 2))(precision, linear, away)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("d", [0, 2, 9])
def test_what_columns_explain_and_its_gradient(d, rng):
    root, columns, cotangent = rng.normal(size=(d, d)), rng.normal(size=(d, 3)), rng.normal(size=(3, 3))
    precision = root @ root.T + np.eye(d)

    def total(symmetric, b):
        products, halves = explained((symmetric + symmetric.T) / 2, b)
        return jnp.sum(cotangent * products) + 1.3 * halves

    def by_library(symmetric, b):
        p = (symmetric + symmetric.T) / 2
        return jnp.sum(cotangent * (b.T @ jnp.linalg.solve(p, b))) + 0.65 * jnp.linalg.slogdet(p)[1]

    with double_precision():
        found = jax.value_and_grad(total, (0, 1))(precision, columns)
        expected = jax.value_and_grad(by_library, (0, 1))(precision, columns) if d else found
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)


def test_near_linear_is_positive_and_increasing_with_its_derivative():
    y = np.linspace(-12.0, 12.0, 241)
    with double_precision():
        for width in (0.1, 0.5, 1.0):
            value, log_slope = (np.asarray(v) for v in near_linear(jnp.asarray(y), 2.0, 2.0 * width))
            exact = np.asarray(jax.vmap(jax.grad(lambda v, w=width: near_linear(v, 2.0, 2.0 * w)[0]))(jnp.asarray(y)))
            # far on the left numbers are denormal
            np.testing.assert_allclose(2.0 * np.exp(log_slope), exact, rtol=1e-9, atol=1e-300)
            assert np.all(value >= 0) and np.all(np.diff(value) >= 0)
            again, slope = _value_and_slope(y, np.float64(2.0), np.float64(2.0 * width))
            np.testing.assert_allclose(again, value, rtol=1e-12, atol=1e-300)
            np.testing.assert_allclose(slope, exact, rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("balanced", [True, False])
def test_sums_over_levels_are_the_transpose_of_the_gather(balanced, rng):
    index = np.repeat(np.arange(4), 3) if balanced else rng.permutation(np.repeat(np.arange(4), [1, 2, 3, 6]))
    arrays = {"index": index, **jax.tree.map(np.asarray, level_rows(index, 4))}
    values, weights = rng.normal(size=(2, 12)), rng.normal(size=(2, 4))
    with double_precision():
        sums, pull = jax.vjp(lambda v: level_sums(v, arrays), jnp.asarray(values))
        (change,) = pull(jnp.asarray(weights))
        expected = np.stack([np.bincount(index, row, 4) for row in values])
        np.testing.assert_allclose(sums, expected, atol=1e-12)
        np.testing.assert_allclose(change, at_rows(jnp.asarray(weights), arrays), atol=1e-12)


def fit(formula, data, family):
    return bayesml.fit(formula, data, family, seed=1, draws=250, progress=False)


@pytest.mark.filterwarnings("ignore::bayesml.FitWarning")  # Rhat of so few draws, of one of 600 parameters
@pytest.mark.slow
def test_nested_terms_do_not_compete():
    """Each term scaled for itself has 54 effective draws of 4,000 here, at 51 leapfrogs a draw.

    The law asks for 1,500 of 4,000; of 1,000 draws that is 375. The effective number of so few draws is itself known to
    a tenth or two, hence the 250.
    """
    data = pd.read_csv(FACTS / "grouseticks.csv", dtype={"BROOD": str, "INDEX": str, "LOCATION": str, "YEAR": str})
    run = fit("TICKS ~ YEAR + HEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)", data, "poisson").diagnostics
    assert run.min_bulk_ess.value > 250
    assert run.leapfrog_steps <= 20 * 1000
    assert run.divergences == 0


@pytest.mark.filterwarnings("ignore::bayesml.FitWarning")
@pytest.mark.slow
def test_an_intercept_follows_the_sd_of_two_blocks():
    """With the Intercept on a fixed scale 55 to 147 draws of 4,000 diverge, and 223 count; asked for are 1,000."""
    data = pd.read_csv(FACTS / "assay.csv", dtype={"Block": str, "sample": str, "dilut": str})
    run = fit("logDens ~ sample * dilut + (1 | Block) + (1 | Block:sample) + (1 | Block:dilut)", data, "gaussian")
    assert run.diagnostics.divergences == 0
    assert run.diagnostics.min_bulk_ess.value > 200
