"""Tails of counts without a closed distribution function, summed from a point outwards until nothing is added."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jax import lax
from jax import numpy as jnp

from bayesml.families.incomplete import log1mexp, with_gradients

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Elements

__all__ = ["summed_tails", "tails_of_counts"]

MOST_TERMS = 100_000
ROUNDING = 1e-17


def summed_tails(
    y: Elements,
    below: Elements,
    log_prob: Callable[[Elements], Elements],
    down: Callable[[Elements], Elements],
    up: Callable[[Elements], Elements],
) -> tuple[Elements, Elements]:
    """Return log P(Y <= y) and log P(Y > y) of a count Y.

    One of them is the sum of f(y) + f(y - 1) + ... or of f(y + 1) + f(y + 2) + ..., as f at its start times a sum of
    products of ratios; the other is log(1 - exp(that)). Forward mode differentiates it, see ``with_gradients``.

    Args:
        y: whole numbers, 0 or larger, with P(Y > y) > 0.
        below: whether to sum P(Y <= y), which is to be the tail that may be tiny.
        log_prob: log f(k).
        down: f(k - 1) / f(k), 0 where k - 1 is impossible.
        up: f(k + 1) / f(k), 0 where k + 1 is impossible.
    """
    start, step = jnp.where(below, y, y + 1.0), jnp.where(below, -1.0, 1.0)

    def add(state: tuple[Elements, ...]) -> tuple[Elements, ...]:
        n, k, term, total = state
        term = term * jnp.where(below, down(k), up(k))
        return n + 1.0, k + step, term, total + term

    def goes_on(state: tuple[Elements, ...]) -> Elements:
        n, _, term, total = state
        return (n < MOST_TERMS) & jnp.any(term > ROUNDING * total)

    one = jnp.ones_like(start)
    total = lax.while_loop(goes_on, add, (jnp.asarray(0.0), start, one, one))[3]
    tail = jnp.minimum(log_prob(start) + jnp.log(total), 0.0)
    rest = log1mexp(tail)
    return jnp.where(below, tail, rest), jnp.where(below, rest, tail)


def tails_of_counts(
    tails: Callable[..., tuple[Elements, Elements]], y: Broadcast, *parameters: Broadcast
) -> tuple[Elements, Elements]:
    """Return log P(Y <= y) and log P(Y > y) at any y, with their derivatives; nothing lies below 0.

    Args:
        tails: the same at whole numbers of 0 and above, a function of these and of the parameters.
        y: the points.
        parameters: arrays that broadcast against y.
    """
    k = jnp.floor(jnp.asarray(y, dtype=float))
    arrays = (jnp.maximum(k, 0.0), *(jnp.asarray(each, dtype=float) for each in parameters))
    below, above = with_gradients(tails, constants=1)(*jnp.broadcast_arrays(*arrays))
    return jnp.where(k < 0, -jnp.inf, below), jnp.where(k < 0, 0.0, above)
