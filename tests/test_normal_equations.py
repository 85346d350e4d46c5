"""Newton steps of the pilot fit by block elimination: the dense normal equations give the same."""

from __future__ import annotations

import numpy as np
import pytest

from bayesml.engines.nuts.forms.preconditioned.normal_equations import NormalEquations
from bayesml.linalg import DenseBlock, GroupBlock, SpreadBlock

ROWS, LEVELS, CROSSED, SPREAD = 60, 7, 4, 3


def blocks(rng):
    """Return nested factors, of the inner one a level without rows, a factor that crosses, known covariances,
    a smooth, and slopes.
    """
    inner = rng.integers(0, LEVELS - 1, ROWS)
    return (
        GroupBlock("inner", inner, LEVELS, rng.normal(size=(ROWS, 2)), (2,)),
        GroupBlock("outer", inner // 3, 3, np.ones((ROWS, 1)), (1,)),
        GroupBlock("crossed", rng.integers(0, CROSSED, ROWS), CROSSED, rng.normal(size=(ROWS, 1)), (1,)),
        SpreadBlock.of("known covariance", rng.normal(size=(ROWS, 2 * SPREAD)), SPREAD, (2,)),
        DenseBlock.of("smooth", rng.normal(size=(ROWS, 5))),
        DenseBlock.of("slopes", rng.normal(size=(ROWS, 2))),
    )


def columns(block):
    """Return the dense columns of a block, vector by vector."""
    if isinstance(block, SpreadBlock):  # entry by entry
        return block.Z.reshape(ROWS, block.q, block.n_levels).transpose(0, 2, 1).reshape(ROWS, -1)
    if not block.is_factor:
        return block.Z
    found = np.zeros((ROWS, block.n_levels, block.q))
    found[np.arange(ROWS), block.codes] = block.Z
    return found.reshape(ROWS, -1)


def test_steps_are_those_of_the_dense_equations(rng):
    own, weights = blocks(rng), rng.uniform(0.2, 3.0, ROWS)
    factors = [np.tril(rng.normal(size=(block.q, block.q))) for block in own]
    equations = NormalEquations.of(own)
    right = [rng.normal(size=(block.n_levels, block.q)) for block in own]
    A = np.concatenate([columns(block) for block in own], axis=1)
    prior = np.zeros((A.shape[1],) * 2)
    first = 0
    for block, factor in zip(own, factors, strict=True):
        stop = first + block.n_levels * block.q
        prior[first:stop, first:stop] = np.kron(np.eye(block.n_levels), np.linalg.inv(factor @ factor.T))
        first = stop
    expected = np.linalg.solve(A.T @ (weights[:, None] * A) + prior, np.concatenate([part.ravel() for part in right]))
    found = np.concatenate([part.ravel() for part in equations.solve(weights, factors, right)])
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_sums_over_rows(rng):
    own, values = blocks(rng), rng.normal(size=ROWS)
    for block, sums in zip(own, NormalEquations.of(own).sums(values), strict=True):
        np.testing.assert_allclose(sums.ravel(), columns(block).T @ values, atol=1e-12)


def test_columns_that_depend_on_each_other_without_a_prior_are_refused(rng):
    x = rng.normal(size=(ROWS, 1))
    equations = NormalEquations.of([DenseBlock.of("slopes", 1e8 * np.concatenate([x, x, x], axis=1))])
    with pytest.raises(ArithmeticError, match="neither the rows nor the priors"):
        for _ in range(3):  # rounding may let one of several pass
            weights = rng.uniform(0.5, 2.0, ROWS)
            equations.solve(weights, [np.eye(1)], [np.ones((3, 1))])
