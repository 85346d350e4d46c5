"""Coordinates in which a length-scale is a normal score and the other parameters stand beside their mode given it."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy.special import log_ndtr, ndtr, ndtri

from bayesml.engines.nuts.forms.collapsed.normal_scores import (
    KNOTS,
    from_scores,
    in_layout,
    learned_scores,
    no_scores,
)
from bayesml.engines.precision import double_precision

CENTERS, SDS, SHARES = np.array([-1.2, 1.5]), np.array([0.8, 0.8]), np.array([0.3, 0.7])
"""A mixture of two normal distributions, the marginal distribution of the first coordinate."""


def two_modes(u: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the log density of t from the mixture and of v given t, normal around t^2 / 10, and its gradient."""
    t, v = u
    each = np.log(SHARES / SDS) - 0.5 * ((t - CENTERS) / SDS) ** 2
    weights = np.exp(each - np.logaddexp.reduce(each))
    away = v - 0.1 * t * t
    slope = -weights @ ((t - CENTERS) / SDS**2)
    return float(np.logaddexp.reduce(each) - 0.5 * away**2), np.array([slope + 0.2 * away * t, -away])


def cumulative(t: float) -> float:
    return float(SHARES @ ndtr((t - CENTERS) / SDS))


@pytest.mark.parametrize("x", [-2.0, -1.0, 0.0, 1.0, 2.0])
def test_a_length_scale_with_two_modes_becomes_normal(x: float) -> None:
    tables = learned_scores(two_modes, np.array([1.5, 0.225]), (0,))
    with double_precision():
        (t, v), _ = from_scores(np.array([x, 0.0]), (0,), tables)
    # a line for each half of a standard deviation with rounded corners: the score is right to a fraction of that
    assert ndtri(cumulative(float(t))) == pytest.approx(x, abs=0.15)
    assert v == pytest.approx(0.1 * t * t, abs=0.15)


def test_the_identity_to_begin_with() -> None:
    q = np.array([0.3, -2.0, 5.0])
    with double_precision():
        u, log_jacobian = from_scores(q, (0, 2), no_scores(3, (0, 2)))
        np.testing.assert_array_equal(u, q)
        assert float(log_jacobian) == 0.0


def test_jacobian_and_units() -> None:
    rng, places = np.random.default_rng(2), (1, 2)
    tables = []
    for place in places:
        table = 0.1 * rng.normal(size=(len(KNOTS) + 2, 4))
        table[:, [other for other in places if other != place]] = 0.0
        tables.append(table)
    mode, distances = rng.normal(size=4), np.exp(rng.normal(size=4))
    moved = in_layout(tables, mode, distances, places)
    q = rng.normal(size=4)
    units = np.where(np.isin(np.arange(4), places), 1.0, 1.0 / distances)
    with double_precision():
        _, log_jacobian = from_scores(q, places, moved)
        slopes = jax.jacfwd(lambda at: from_scores(at, places, moved)[0])(q)
        assert float(log_jacobian) == pytest.approx(np.linalg.slogdet(np.asarray(slopes))[1], abs=1e-12)
        inner, _ = from_scores(q * units, places, tables)
        np.testing.assert_allclose(from_scores(q, places, moved)[0], mode + distances * inner, rtol=1e-12)


def test_a_density_that_breaks_off_is_an_arithmetic_error() -> None:
    def broken(u: np.ndarray) -> tuple[float, np.ndarray]:
        return (float(log_ndtr(u[0])), np.full(2, np.nan)) if u[0] > 0.5 else two_modes(u)

    with pytest.raises(ArithmeticError):
        learned_scores(broken, np.array([-2.0, 2.0]), (0,))
