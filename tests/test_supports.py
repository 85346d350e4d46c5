"""Supports: the map to the values and back, and its log Jacobian determinant."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from bayesml.engines.precision import double_precision
from bayesml.supports import POSITIVE, UNBOUNDED, CorrCholesky, Interval, Ordered, Simplex, SumToZero

SUPPORTS = {
    "unbounded": (UNBOUNDED, (3,)),
    "positive": (POSITIVE, (3,)),
    "above 2": (Interval(2.0, np.inf), ()),
    "below 1": (Interval(-np.inf, 1.0), (2,)),
    "unit interval": (Interval(0.0, 1.0), (4,)),
    "two correlated columns": (CorrCholesky(), (2, 2)),
    "four correlated columns": (CorrCholesky(), (4, 4)),
    "one threshold": (Ordered(), (1,)),
    "five thresholds": (Ordered(), (5,)),
    "simplex": (Simplex(), (4,)),
    "simplex of two": (Simplex(), (2,)),
    "sum to zero": (SumToZero(), (5,)),
}


def free(support, value):
    """Return the elements that determine the value: as many as there are unconstrained numbers."""
    if isinstance(support, CorrCholesky):
        return value[np.tril_indices(len(value), -1)]
    return value.reshape(-1)[:-1] if isinstance(support, Simplex) else value.reshape(-1)


@pytest.mark.parametrize("name", SUPPORTS)
def test_a_value_is_mapped_and_back(name, rng):
    support, shape = SUPPORTS[name]
    u = rng.normal(size=support.size(shape))
    with double_precision():
        value = np.asarray(support.constrain(jnp.asarray(u), shape)[0])
    assert value.shape == shape
    np.testing.assert_allclose(support.unconstrain(value), u, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", SUPPORTS)
def test_the_log_jacobian_is_that_of_the_map(name, rng):
    support, shape = SUPPORTS[name]
    u = rng.normal(size=support.size(shape))
    with double_precision():
        value, log_jacobian = support.constrain(jnp.asarray(u), shape)
        matrix = jax.jacobian(lambda x: free(support, support.constrain(x, shape)[0]))(jnp.asarray(u))
        # of a basis of vectors that sum to 0 the matrix is not square; its columns have length 1
        expected = 0.5 * np.linalg.slogdet(np.asarray(matrix.T @ matrix))[1]
    np.testing.assert_allclose(float(log_jacobian), expected, atol=1e-10)
    assert np.all(np.isfinite(np.asarray(value)))


@pytest.mark.parametrize("name", SUPPORTS)
def test_sampling_starts_inside(name):
    support, shape = SUPPORTS[name]
    center, scale = support.start(shape, np.array([1.5]), np.array([2.0]))
    assert center.shape == scale.shape == (support.size(shape),)
    with double_precision():
        value = np.asarray(support.constrain(jnp.asarray(center), shape)[0])
    lower, upper = support.bounds
    assert np.all((value > lower) & (value < upper)) and np.all(scale > 0)


def test_values_have_the_properties_of_their_support(rng):
    with double_precision():
        ordered = np.asarray(Ordered().constrain(jnp.asarray(rng.normal(size=6)), (6,))[0])
        simplex = np.asarray(Simplex().constrain(jnp.asarray(20.0 * rng.normal(size=5)), (6,))[0])
        balanced = np.asarray(SumToZero().constrain(jnp.asarray(rng.normal(size=5)), (6,))[0])
    assert np.all(np.diff(ordered) > 0)
    assert np.all(simplex > 0)
    np.testing.assert_allclose(simplex.sum(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(balanced.sum(), 0.0, atol=1e-12)


def test_thresholds_start_where_they_are_said_to_be():
    center, _ = Ordered().start((3,), np.array([-1.0, 0.5, 2.0]), np.ones(3))
    with double_precision():
        value = np.asarray(Ordered().constrain(jnp.asarray(center), (3,))[0])
    np.testing.assert_allclose(value, [-1.0, 0.5, 2.0])
