"""The random numbers inside a transition, made from one seed of 64 bits that the host draws for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jax import numpy as jnp

if TYPE_CHECKING:
    from bayesml.engines.nuts.sampler.shapes import Count, Real, Seed, Truth

__all__ = ["FIRST_OF_DOUBLINGS", "goes_forward", "uniform"]

GOLDEN, MIX_1, MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""Constants of SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators")."""
FIRST_OF_DOUBLINGS = 1 << 32
"""Where in the stream of random numbers those of the doublings begin; those of the leaves come before."""
LAST_BIT = 63
"""The highest bit of a seed."""


def uniform(seed: Seed, number: Count) -> Real:
    """Return one uniform number of (0, 1]: element ``number`` of the SplitMix64 stream of ``seed``.

    Any element is computed directly from its number, so that no state of a generator has to be carried along.
    """
    z = seed + (number.astype(jnp.uint64) + 1) * jnp.uint64(GOLDEN)
    z = (z ^ (z >> 30)) * jnp.uint64(MIX_1)
    z = (z ^ (z >> 27)) * jnp.uint64(MIX_2)
    z = z ^ (z >> 31)
    # The upper 53 bits, as many as a double holds, moved by half a unit away from 0.
    return ((z >> 11).astype(jnp.float64) + 0.5) * 2.0**-53


def goes_forward(seed: Seed, doublings: Count) -> Truth:
    """Return the direction of a doubling: one bit of the seed.

    XLA repeats this computation wherever its result is used, so that it must be cheaper than a number of the stream.
    """
    return (seed >> jnp.minimum(doublings, LAST_BIT).astype(seed.dtype)) & 1 > 0
