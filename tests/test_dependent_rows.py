"""Rows that depend on each other: which levels stay independent, and products with sparse matrices of neighbours."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from bayesml.engines.nuts.forms.preconditioned.blocks import nested_factors
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem
from bayesml.response_terms.residuals import sparse_rows
from bayesml.response_terms.residuals.sparse_rows import sparse_product, sparse_tables

N = 24
RING = 0.5 * (np.roll(np.eye(N), 1, axis=0) + np.roll(np.eye(N), -1, axis=0))
DATA = {
    "y": np.random.default_rng(1).normal(size=N),
    "g": np.repeat(np.arange(4), 6),
    "h": np.tile(np.arange(6), 4),
    "i": np.repeat(np.arange(8), 3),
    "t": np.tile(np.arange(6), 4),
}


@pytest.mark.parametrize(
    ("terms", "chain"),
    [
        ("(1 | g)", ["g"]),
        ("(1 | g) + ar(t, g)", ["g"]),  # series are levels
        ("(1 | g) + (1 | i) + cosy(t, g)", ["g"]),  # levels of i lie in a series
        ("(1 | h) + ar(t, g)", []),
        ("(1 | g) + sar(W)", []),
    ],
)
def test_levels_are_eliminated_one_by_one_where_rows_of_different_levels_are_independent(terms, chain):
    problem = describe_problem(f"y ~ {terms}", DATA, data2={"W": RING})
    assert [factor.name for factor in nested_factors(problem)] == chain


def test_sparse_products_and_their_gradients_are_the_dense_ones(rng, monkeypatch):
    monkeypatch.setattr(sparse_rows, "MOST_FILLED", 0.5)
    matrix = np.where(rng.random((N, N)) < 0.15, rng.normal(size=(N, N)), 0.0)
    tables = sparse_tables(matrix)
    assert tables
    with double_precision():
        data, vector = jax.tree.map(jnp.asarray, tables), jnp.asarray(rng.normal(size=(2, N)))

        def total(v, own):
            return jnp.sum(jnp.sin(sparse_product(v, matrix, own)))

        np.testing.assert_allclose(sparse_product(vector, matrix, data), vector @ matrix.T, atol=1e-13)
        np.testing.assert_allclose(jax.grad(total)(vector, data), jax.grad(total)(vector, {}), atol=1e-13)
    assert not sparse_tables(np.ones((N, N)))
