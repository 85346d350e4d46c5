"""Logarithms of the regularised incomplete gamma and beta functions, both tails, on JAX arrays with all gradients.

The smaller tail is computed in log space by a series or a continued fraction, so that it neither underflows nor loses
digits; the other is log(1 - exp(smaller)). JAX has neither the logarithms nor the derivatives of the beta function in
its shapes. Iterations stop when no row changes any more; their number grows with the root of the largest shape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
from jax import lax
from jax import numpy as jnp

from bayesml.families.densities import log_gamma, rising

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Elements

    Tails = tuple[Elements, Elements]

__all__ = ["beta_tails", "gamma_tails", "log1mexp", "log_difference", "with_gradients"]

LEAST_ITERATIONS = 40  # a fraction that ends early, at a whole shape, has not ended for its derivative
MOST_ITERATIONS = 20_000
SETTLED = 1e-15
"""A factor of a fraction that is this near to 1 changes nothing; rounding alone may leave it 4e-16 away for good."""
TINY = 1e-200


def log1mexp(x: Broadcast) -> Broadcast:
    """Return log(1 - exp(x)) for x <= 0 without cancellation (Maechler 2012)."""
    near = x > -0.6931471805599453
    left, right = jnp.where(near, x, -1.0), jnp.where(near, -1.0, x)
    left = jnp.where(left == 0, -TINY, left)  # 1 - exp(-1e-200) is 1e-200: finite, with a finite slope
    return jnp.where(near, jnp.log(-jnp.expm1(left)), jnp.log1p(-jnp.exp(right)))


def log_difference(larger: Broadcast, smaller: Broadcast) -> Broadcast:
    """Return log(exp(larger) - exp(smaller))."""
    empty = jnp.isneginf(smaller)
    return larger + jnp.where(empty, 0.0, log1mexp(jnp.minimum(jnp.where(empty, -1.0, smaller - larger), 0.0)))


def with_gradients(function: Callable[..., tuple[Elements, ...]], constants: int = 0) -> Callable[..., Any]:
    """Let reverse mode use derivatives that forward mode computes: loops of unknown length have no reverse mode.

    Args:
        function: a function of arrays of one shape, element by element, that returns several.
        constants: number of its first arguments that have no derivative.
    """
    wrapped = jax.custom_jvp(function)

    @wrapped.defjvp
    def along(primals: tuple[Elements, ...], tangents: tuple[Elements, ...]) -> tuple[Any, Any]:
        values = wrapped(*primals)
        sums = tuple(jnp.zeros_like(value) for value in values)
        for i, tangent in enumerate(tangents[constants:], constants):

            def of_one(x: Elements, place: int = i) -> tuple[Elements, ...]:
                return function(*primals[:place], x, *primals[place + 1 :])

            _, slopes = jax.jvp(of_one, (primals[i],), (jnp.ones_like(primals[i]),))
            sums = tuple(total + slope * tangent for total, slope in zip(sums, slopes, strict=True))
        return values, sums

    return wrapped


def gamma_tails(a: Broadcast, x: Broadcast) -> Tails:
    """Return log P(a, x) and log Q(a, x) = log(1 - P), the tails of a gamma variable of shape a at x.

    P by its power series where x < a + 1, else Q by Legendre's continued fraction (DLMF 8.11.4 and 8.9.2).

    Args:
        a: shapes, larger than 0.
        x: points, 0 or larger.
    """
    a, x = jnp.broadcast_arrays(jnp.asarray(a, dtype=float), jnp.asarray(x, dtype=float))
    zero = x <= 0
    low, high = _gamma_tails(a, jnp.where(zero, a, x))
    return jnp.where(zero, -jnp.inf, low), jnp.where(zero, 0.0, high)


def _gamma_tails_forward(a: Elements, x: Elements) -> Tails:
    below = x < a + 1.0
    front = a * jnp.log(x) - x - log_gamma(a)
    # each branch is computed at a point where it converges, also for rows that take the other one
    lower = front + jnp.log(_gamma_series(a, jnp.where(below, x, lax.stop_gradient(0.5 * a))))
    upper = front + jnp.log(_gamma_fraction(a, jnp.where(below, lax.stop_gradient(2.0 * a + 2.0), x)))
    smaller = jnp.minimum(jnp.where(below, lower, upper), 0.0)
    other = log1mexp(smaller)
    return jnp.where(below, smaller, other), jnp.where(below, other, smaller)


_gamma_tails = with_gradients(_gamma_tails_forward)


def _unfinished(n: Elements, moving: Elements) -> Elements:
    return (n < LEAST_ITERATIONS) | ((n < MOST_ITERATIONS) & jnp.any(moving))


def _gamma_series(a: Elements, x: Elements) -> Elements:
    """Return sum_n x^n / (a (a + 1) ... (a + n))."""

    def step(state: tuple[Elements, Elements, Elements]) -> tuple[Elements, Elements, Elements]:
        n, term, total = state
        term = term * x / (a + n)
        return n + 1.0, term, total + term

    def goes_on(state: tuple[Elements, Elements, Elements]) -> Elements:
        n, term, total = state
        return _unfinished(n, term > 1e-18 * total)

    first = 1.0 / a
    return lax.while_loop(goes_on, step, (jnp.asarray(1.0), first, first))[2]


def _gamma_fraction(a: Elements, x: Elements) -> Elements:
    """Return Q(a, x) Gamma(a) x^-a e^x by the modified method of Lentz (Press et al. 2007, 6.2)."""

    def step(n: Elements, b: Elements) -> tuple[Elements, Elements]:
        return -n * (n - a), b + 2.0

    b = x + 1.0 - a
    return _lentz(step, b, 1.0 / b)


def _lentz(step: Callable[[Elements, Elements], tuple[Elements, Elements]], b: Elements, first: Elements) -> Elements:
    def kept(value: Elements) -> Elements:
        return jnp.where(jnp.abs(value) < TINY, TINY, value)

    def advance(state: tuple[Elements, ...]) -> tuple[Elements, ...]:
        n, b, c, d, h, _ = state
        numerator, b = step(n, b)
        d = 1.0 / kept(numerator * d + b)
        c = kept(b + numerator / c)
        change = c * d
        return n + 1.0, b, c, d, h * change, change

    def goes_on(state: tuple[Elements, ...]) -> Elements:
        return _unfinished(state[0], jnp.abs(state[5] - 1.0) > SETTLED)

    start = (jnp.asarray(1.0), b, jnp.full_like(b, 1.0 / TINY), first, first, jnp.full_like(b, 2.0))
    return lax.while_loop(goes_on, advance, start)[4]


def beta_tails(a: Broadcast, b: Broadcast, x: Broadcast, rest: Broadcast) -> Tails:
    """Return log I_x(a, b) and log(1 - I_x(a, b)), the tails of a beta variable of shapes a and b at x.

    By the continued fraction of DLMF 8.17.22, at x or at 1 - x, whichever is below the mean.

    Args:
        a: first shapes, larger than 0.
        b: second shapes, larger than 0.
        x: points from 0 to 1.
        rest: 1 - x, without cancellation.
    """
    a, b, x, rest = jnp.broadcast_arrays(*(jnp.asarray(v, dtype=float) for v in (a, b, x, rest)))
    inside = (x > 0) & (rest > 0)
    low, high = _beta_tails(a, b, jnp.where(inside, x, 0.5), jnp.where(inside, rest, 0.5))
    return (
        jnp.where(inside, low, jnp.where(x <= 0, -jnp.inf, 0.0)),
        jnp.where(inside, high, jnp.where(x <= 0, 0.0, -jnp.inf)),
    )


def _beta_tails_forward(a: Elements, b: Elements, x: Elements, rest: Elements) -> Tails:
    below = x * (a + b + 2.0) < a + 1.0
    p, q = jnp.where(below, a, b), jnp.where(below, b, a)
    point = jnp.where(below, x, rest)
    # A shape may be so large that log Gamma(a + b) - log Gamma(a) and a log(x), x near 1, would lose their digits.
    log_x, log_rest = (jnp.where(v > 0.5, jnp.log1p(-w), jnp.log(v)) for v, w in ((x, rest), (rest, x)))
    larger, lesser = jnp.maximum(a, b), jnp.minimum(a, b)
    log_ratio = rising(larger, lesser) + lesser * jnp.log(larger) - log_gamma(lesser)
    front = a * log_x + b * log_rest + log_ratio - jnp.log(p)
    smaller = jnp.minimum(front + jnp.log(_beta_fraction(p, q, point)), 0.0)
    other = log1mexp(smaller)
    return jnp.where(below, smaller, other), jnp.where(below, other, smaller)


_beta_tails = with_gradients(_beta_tails_forward)


def _beta_fraction(a: Elements, b: Elements, x: Elements) -> Elements:
    """Return the continued fraction with numerators d_n, 1 / (1 + d_1 / (1 + d_2 / ...))."""

    def step(n: Elements, denominator: Elements) -> tuple[Elements, Elements]:
        m = jnp.floor(n / 2.0)
        even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        return jnp.where(n == 2.0 * m, even, odd), denominator

    one = jnp.ones_like(x)
    # The fraction starts at 1 with d_1 below it; Lentz's method from the leading 1: h = 1 / (1 + K), K from d_1 on.
    return 1.0 / _lentz_from_one(step, one)


def _lentz_from_one(step: Callable[[Elements, Elements], tuple[Elements, Elements]], one: Elements) -> Elements:
    """Return 1 + d_1 / (1 + d_2 / (1 + ...))."""

    def kept(value: Elements) -> Elements:
        return jnp.where(jnp.abs(value) < TINY, TINY, value)

    def advance(state: tuple[Elements, ...]) -> tuple[Elements, ...]:
        n, c, d, f, _ = state
        numerator, _ = step(n, one)
        d = 1.0 / kept(1.0 + numerator * d)
        c = kept(1.0 + numerator / c)
        return n + 1.0, c, d, f * c * d, c * d

    def goes_on(state: tuple[Elements, ...]) -> Elements:
        return _unfinished(state[0], jnp.abs(state[4] - 1.0) > SETTLED)

    start = (jnp.asarray(1.0), one, jnp.zeros_like(one), one, jnp.full_like(one, 2.0))
    return lax.while_loop(goes_on, advance, start)[3]
