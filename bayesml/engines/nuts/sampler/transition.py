"""One transition of the no-U-turn sampler.

Hoffman & Gelman (2014) with what Betancourt (2017, "A conceptual introduction to Hamiltonian Monte Carlo", appendix A)
made of it: points of a trajectory weighted by their density (multinomial), a later half favoured over an earlier one
(biased progressive sampling), the generalised U-turn criterion. Each doubling is one loop over its leapfrogs: the
subtrees that end with a leaf are checked from checkpoints (Phan, Pradhan & Jankowiak 2019, "Composable effects for
flexible and accelerated probabilistic programming in NumPyro", algorithm 2), so that the density stands in the program
once, and compiling it takes as long as compiling one gradient.

Momenta are in units of their standard deviation: with a diagonal inverse metric ``s**2`` a leapfrog moves the position
by ``step * s * r`` and the momentum by ``step * s * gradient``, the kinetic energy is ``r @ r / 2``, and no check of a
U-turn needs the metric.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from jax import numpy as jnp

from bayesml.engines.nuts.sampler.chain_state import Position

__all__ = ["Trajectory", "choose", "transition"]

Array = Any
LARGEST_ENERGY_ERROR = 1000.0
"""A trajectory whose energy rises by more is called divergent (Stan's limit)."""
GOLDEN, MIX_1, MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""Constants of SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators")."""
DOUBLINGS = 1 << 32
"""Random numbers from here on belong to the doublings of a tree, those before to its leaves."""
LAST_BIT = 63


class Trajectory(NamedTuple):
    """What is known of a trajectory when it is done.

    Attributes:
        energy: the Hamiltonian of the point that was chosen.
        acceptance_rate: mean acceptance probability of its points.
        leaves: leapfrogs made.
        doublings: how often it was doubled, or was to be.
        diverging: whether its energy rose by more than ``LARGEST_ENERGY_ERROR``, or was not a number.
    """

    energy: Array
    acceptance_rate: Array
    leaves: Array
    doublings: Array
    diverging: Array


class _End(NamedTuple):
    position: Array
    momentum: Array
    gradient: Array


class _Choice(NamedTuple):
    point: Position
    energy: Array


class _Checkpoints(NamedTuple):
    """Momentum of the first leaf of each subtree that is still open, and the sum of momenta up to it and with it."""

    momentum: Array
    total: Array


class _Branch(NamedTuple):
    """A subtree that is being grown, leaf by leaf, in one direction."""

    end: _End
    choice: _Choice
    log_weight: Array
    total: Array
    leaves: Array
    acceptance: Array
    turning: Array
    diverging: Array
    checkpoints: _Checkpoints


class _Tree(NamedTuple):
    left: _End
    right: _End
    choice: _Choice
    log_weight: Array
    total: Array
    leaves: Array
    doublings: Array
    acceptance: Array
    stopped: Array
    diverging: Array
    checkpoints: _Checkpoints


def transition(
    momentum: Array,
    seed: Array,
    start: Position,
    density: Callable[[Array], Array],
    step_size: Array,
    inverse_mass: Array,
    max_treedepth: int,
) -> tuple[Position, Trajectory]:
    """Follow the dynamics both ways until they turn back, and choose a point of the trajectory.

    Args:
        momentum: standard normal numbers, ``(d,)``.
        seed: 64 random bits, from which all further random numbers of this transition are made.
        start: where the chain is; its gradient is used, not computed again.
        density: log density of the target.
        step_size: of the leapfrogs.
        inverse_mass: diagonal of the inverse metric, ``(d,)``.
        max_treedepth: doublings at most.
    """
    energy = momentum @ momentum / 2 - start.logdensity
    step = step_size * jnp.sqrt(inverse_mass)
    value_and_gradient = jax.value_and_grad(density)

    def double(tree: _Tree) -> _Tree:
        # A bit of the seed itself, one for each doubling: XLA computes this anew wherever it is used.
        forward = (seed >> jnp.minimum(tree.doublings, LAST_BIT).astype(seed.dtype)) & 1 > 0
        branch = _grown(tree, forward)
        chosen = jnp.log(_uniform(seed, DOUBLINGS + tree.doublings)) < branch.log_weight - tree.log_weight
        whole = ~(branch.turning | branch.diverging)
        left, right = choose(forward, tree.left, branch.end), choose(forward, branch.end, tree.right)
        total = tree.total + branch.total
        doublings = tree.doublings + 1
        turned = _is_turning(left.momentum, right.momentum, total)
        return _Tree(
            left,
            right,
            choose(whole & chosen, branch.choice, tree.choice),
            _log_sum(tree.log_weight, branch.log_weight),
            total,
            tree.leaves + branch.leaves,
            doublings,
            tree.acceptance + branch.acceptance,
            ~whole | turned | (doublings >= max_treedepth),
            branch.diverging,
            branch.checkpoints,
        )

    def _grown(tree: _Tree, forward: Array) -> _Branch:
        size = jnp.left_shift(1, tree.doublings)
        signed = jnp.where(forward, step, -step)

        def add_leaf(branch: _Branch) -> _Branch:
            end, log_density = _leapfrog(branch.end, signed)
            now = end.momentum @ end.momentum / 2 - log_density
            rise = jnp.where(jnp.isfinite(now), now - energy, jnp.inf)
            log_weight = _log_sum(branch.log_weight, -rise)
            taken = jnp.log(_uniform(seed, tree.leaves + branch.leaves)) < -rise - log_weight
            here = _Choice(Position(end.position, log_density, end.gradient), now)
            total = branch.total + end.momentum
            turning, checkpoints = _checked(branch.checkpoints, branch.leaves, end.momentum, total)
            return _Branch(
                end,
                choose(taken, here, branch.choice),
                log_weight,
                total,
                branch.leaves + 1,
                branch.acceptance + jnp.exp(jnp.minimum(-rise, 0.0)),
                turning,
                rise > LARGEST_ENERGY_ERROR,
                checkpoints,
            )

        def is_growing(branch: _Branch) -> Array:
            return (branch.leaves < size) & ~(branch.turning | branch.diverging)

        no = jnp.zeros((), bool)
        begun = _Branch(
            choose(forward, tree.right, tree.left),
            tree.choice,
            jnp.full_like(energy, -jnp.inf),
            jnp.zeros_like(momentum),
            jnp.zeros_like(tree.leaves),
            jnp.zeros_like(energy),
            no,
            no,
            tree.checkpoints,
        )
        return jax.lax.while_loop(is_growing, add_leaf, begun)

    def _leapfrog(end: _End, signed: Array) -> tuple[_End, Array]:
        halfway = end.momentum + signed / 2 * end.gradient
        position = end.position + signed * halfway
        log_density, gradient = value_and_gradient(position)
        return _End(position, halfway + signed / 2 * gradient, gradient), log_density

    here = _End(start.position, momentum, start.logdensity_grad)
    none, no = jnp.zeros((), jnp.int64), jnp.zeros((), bool)
    empty = jnp.zeros((max_treedepth, *momentum.shape), momentum.dtype)
    seedling = _Tree(
        here,
        here,
        _Choice(start, energy),
        jnp.zeros_like(energy),
        momentum,
        none,
        none,
        jnp.zeros_like(energy),
        no,
        no,
        _Checkpoints(empty, empty),
    )
    tree = jax.lax.while_loop(lambda tree: ~tree.stopped, double, seedling)
    rate = tree.acceptance / tree.leaves
    return tree.choice.point, Trajectory(tree.choice.energy, rate, tree.leaves, tree.doublings, tree.diverging)


def _checked(checkpoints: _Checkpoints, leaf: Array, momentum: Array, total: Array) -> tuple[Array, _Checkpoints]:
    """Say whether a subtree that ends with this leaf has turned; keep the leaf where a subtree begins with it.

    In binary, leaf ``n`` of a branch is the last one of as many subtrees as it has ones at its end. Those that are open
    when it comes began with leaves whose checkpoints lie at the number of ones in ``n // 2`` and below.
    """
    newest, closing = _ones(leaf >> 1), _ones(leaf & ~(leaf + 1))

    def check(at: tuple[Array, Array]) -> tuple[Array, Array]:
        place, _ = at
        within = total - checkpoints.total[place] + checkpoints.momentum[place]
        return place - 1, _is_turning(checkpoints.momentum[place], momentum, within)

    _, turning = jax.lax.while_loop(
        lambda at: (at[0] > newest - closing) & ~at[1], check, (newest, jnp.zeros((), bool))
    )
    # A leaf that opens no subtree is written where nothing is read: cheaper than not to write it.
    place = jnp.where(closing > 0, checkpoints.momentum.shape[0] - 1, newest)
    kept = _Checkpoints(checkpoints.momentum.at[place].set(momentum), checkpoints.total.at[place].set(total))
    return turning, kept


def _ones(number: Array) -> Array:
    """Return how many ones a number has in binary; differences of what JAX counts, unsigned bytes, would wrap."""
    return jnp.bitwise_count(number).astype(jnp.int32)


def _is_turning(first: Array, last: Array, total: Array) -> Array:
    """Generalised criterion: whether either end moves against the sum of momenta, where the ends count half."""
    along = total - (first + last) / 2
    return (first @ along <= 0) | (last @ along <= 0)


def choose(condition: Array, yes: Any, no: Any) -> Any:
    """Return one of two nests of arrays of the same shapes."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def _log_sum(a: Array, b: Array) -> Array:
    """Return log(exp(a) + exp(b)); ``jnp.logaddexp`` has derivatives, which take long to trace."""
    larger, smaller = jnp.maximum(a, b), jnp.minimum(a, b)
    return jnp.where(larger > -jnp.inf, larger + jnp.log1p(jnp.exp(smaller - larger)), larger)


def _uniform(seed: Array, number: Array) -> Array:
    """Return a number of the SplitMix64 stream of ``seed``, in (0, 1]: a leaf needs one, at the cost of no loop."""
    z = seed + (number.astype(jnp.uint64) + 1) * jnp.uint64(GOLDEN)
    z = (z ^ (z >> 30)) * jnp.uint64(MIX_1)
    z = (z ^ (z >> 27)) * jnp.uint64(MIX_2)
    z = z ^ (z >> 31)
    return ((z >> 11).astype(jnp.float64) + 0.5) * 2.0**-53
