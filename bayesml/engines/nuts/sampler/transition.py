"""One transition of the no-U-turn sampler.

From a point and a random momentum the Hamiltonian dynamics are followed forwards and backwards in time until the
trajectory turns back. One point of the trajectory is the next point of the chain.

The algorithm is that of Hoffman & Gelman (2014) with three later changes (Betancourt 2017, "A conceptual introduction
to Hamiltonian Monte Carlo", appendix A): the next point is drawn from all points of the trajectory with probabilities
proportional to their densities (multinomial sampling); when the trajectory is doubled, points of the new half are
preferred (biased progressive sampling); and the U-turn criterion is the generalised one.

The points of a trajectory are the leaves of a binary tree. A doubling adds a subtree as large as the tree. Compiled
programs have no recursion, so a subtree is grown in one loop over its leaves. The smaller subtrees inside it, each of
which must be checked for a U-turn, are checked when their last leaf is reached; what their first leaf contributes is
kept in checkpoints until then (Phan, Pradhan & Jankowiak 2019, "Composable effects for flexible and accelerated
probabilistic programming in NumPyro", algorithm 2). The density stands in the program once, in that loop, and
compiling the program takes as long as compiling one gradient.

Momenta are standardised. With the inverse metric ``diag(s**2)`` a momentum is ``p ~ normal(0, 1 / s)``. Its
standardised form ``r = s * p`` is standard normal, the kinetic energy is ``p @ (s**2 * p) / 2 = r @ r / 2``, and the
equations of motion ``dq/dt = s**2 * p`` and ``dp/dt = gradient`` become ``dq/dt = s * r`` and ``dr/dt = s * gradient``.
So one vector, ``step_size * s``, holds step size and metric, and no U-turn check needs the metric.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar, final

import jax
from jax import numpy as jnp

from bayesml.engines.nuts.sampler.chain_state import Position
from bayesml.engines.nuts.sampler.splitmix import FIRST_OF_DOUBLINGS, goes_forward, uniform
from bayesml.engines.nuts.sampler.u_turn import Checkpoints, check_subtrees, is_turning

if TYPE_CHECKING:
    from bayesml.engines.nuts.sampler.shapes import Count, Real, Seed, Truth, Vector

__all__ = ["Trajectory", "select", "transition"]

T = TypeVar("T")
LARGEST_ENERGY_ERROR = 1000.0
"""A trajectory whose energy rises by more is called divergent (Stan's limit)."""


class Trajectory(NamedTuple):
    """Statistics of a finished trajectory.

    Attributes:
        energy: the Hamiltonian at the point that was drawn.
        acceptance_rate: mean Metropolis acceptance probability of its points.
        leaves: number of leapfrog steps.
        doublings: number of doublings, the last one included even if it was abandoned.
        diverging: whether the energy rose by more than ``LARGEST_ENERGY_ERROR``, or was not a number.
    """

    energy: Real
    acceptance_rate: Real
    leaves: Count
    doublings: Count
    diverging: Truth


class _PhasePoint(NamedTuple):
    """A point of phase space, with the gradient of the log density that the next leapfrog step begins with."""

    position: Vector
    momentum: Vector
    gradient: Vector


class _Candidate(NamedTuple):
    """The point drawn so far for the next point of the chain, and its energy."""

    point: Position
    energy: Real


class _Sums(NamedTuple):
    """Sums over the points of a tree or subtree.

    Attributes:
        log_weight: log of the sum of ``exp(energy at the start - energy)``.
        momentum: sum of the momenta.
        leaves: number of leapfrog steps.
        acceptance: sum of the acceptance probabilities.
    """

    log_weight: Real
    momentum: Vector
    leaves: Count
    acceptance: Real


class _Subtree(NamedTuple):
    """A subtree while it is grown, leaf by leaf, in one direction of time.

    Attributes:
        last: the leaf added last.
        candidate: a point drawn from the leaves so far.
        sums: over the leaves so far.
        turning: whether a subtree inside it that ends with the last leaf has made a U-turn.
        diverging: whether the energy of the last leaf is too high.
        checkpoints: of the unfinished subtrees inside it.
    """

    last: _PhasePoint
    candidate: _Candidate
    sums: _Sums
    turning: Truth
    diverging: Truth
    checkpoints: Checkpoints


class _Tree(NamedTuple):
    """The trajectory so far.

    Attributes:
        left: its earliest point in time.
        right: its latest point in time.
        candidate: a point drawn from it.
        sums: over its points; the point where it began counts in ``log_weight`` and ``momentum``.
        doublings: how often it was doubled.
        stopped: whether it is finished.
        diverging: whether the energy rose too high.
        checkpoints: memory for the next subtree; what it holds between two subtrees means nothing.
    """

    left: _PhasePoint
    right: _PhasePoint
    candidate: _Candidate
    sums: _Sums
    doublings: Count
    stopped: Truth
    diverging: Truth
    checkpoints: Checkpoints


@final
@dataclass(frozen=True)
class _Settings:
    """What stays the same during a transition.

    Attributes:
        value_and_gradient: of the log density.
        steps: step size times the standard deviations of the metric.
        start_energy: the Hamiltonian where the trajectory begins.
        seed: 64 random bits.
        max_treedepth: largest number of doublings.
    """

    value_and_gradient: Callable[[Vector], tuple[Real, Vector]]
    steps: Vector
    start_energy: Real
    seed: Seed
    max_treedepth: int


def transition(
    momentum: Vector,
    seed: Seed,
    start: Position,
    density: Callable[[Vector], Real],
    step_size: Real,
    inverse_mass: Vector,
    max_treedepth: int,
) -> tuple[Position, Trajectory]:
    """Follow the dynamics both ways until the trajectory turns back, and draw one of its points.

    Args:
        momentum: standard normal numbers, ``(d,)``.
        seed: 64 random bits, from which all further random numbers of this transition are made.
        start: where the chain is; its gradient is used, not computed again.
        density: log density of the target.
        step_size: of the leapfrog steps.
        inverse_mass: diagonal of the inverse metric, ``(d,)``.
        max_treedepth: largest number of doublings.

    Returns:
        The next point of the chain, and statistics of the trajectory.
    """
    energy = momentum @ momentum / 2 - start.logdensity
    settings = _Settings(
        value_and_gradient=jax.value_and_grad(density),
        steps=step_size * jnp.sqrt(inverse_mass),
        start_energy=energy,
        seed=seed,
        max_treedepth=max_treedepth,
    )
    tree = jax.lax.while_loop(
        lambda tree: ~tree.stopped,
        lambda tree: _doubled(settings, tree),
        _tree_of_one_point(settings, start, momentum),
    )
    return tree.candidate.point, Trajectory(
        energy=tree.candidate.energy,
        acceptance_rate=tree.sums.acceptance / tree.sums.leaves,
        leaves=tree.sums.leaves,
        doublings=tree.doublings,
        diverging=tree.diverging,
    )


def _tree_of_one_point(settings: _Settings, start: Position, momentum: Vector) -> _Tree:
    point = _PhasePoint(start.position, momentum, start.logdensity_grad)
    zero, none, false = jnp.zeros_like(settings.start_energy), jnp.zeros((), jnp.int64), jnp.zeros((), bool)
    empty = jnp.zeros((settings.max_treedepth, *momentum.shape), momentum.dtype)
    return _Tree(
        left=point,
        right=point,
        candidate=_Candidate(start, settings.start_energy),
        sums=_Sums(log_weight=zero, momentum=momentum, leaves=none, acceptance=zero),
        doublings=none,
        stopped=false,
        diverging=false,
        checkpoints=Checkpoints(momentum=empty, total=empty),
    )


def _doubled(settings: _Settings, tree: _Tree) -> _Tree:
    """Add a subtree as large as the tree, forwards or backwards in time.

    A subtree that turned back or diverged was abandoned: no point is drawn from it, and the trajectory ends.
    """
    forward = goes_forward(settings.seed, tree.doublings)
    subtree = _grown_subtree(settings, tree, forward)
    is_whole = ~(subtree.turning | subtree.diverging)
    # Biased progressive sampling: to the new half with probability min(1, weight of the new half / of the old half).
    log_uniform = jnp.log(uniform(settings.seed, FIRST_OF_DOUBLINGS + tree.doublings))
    is_preferred = log_uniform < subtree.sums.log_weight - tree.sums.log_weight
    left, right = select(forward, tree.left, subtree.last), select(forward, subtree.last, tree.right)
    sums = _Sums(
        log_weight=_log_sum(tree.sums.log_weight, subtree.sums.log_weight),
        momentum=tree.sums.momentum + subtree.sums.momentum,
        leaves=tree.sums.leaves + subtree.sums.leaves,
        acceptance=tree.sums.acceptance + subtree.sums.acceptance,
    )
    doublings = tree.doublings + 1
    turned = is_turning(left.momentum, right.momentum, sums.momentum)
    return _Tree(
        left=left,
        right=right,
        candidate=select(is_whole & is_preferred, subtree.candidate, tree.candidate),
        sums=sums,
        doublings=doublings,
        stopped=~is_whole | turned | (doublings >= settings.max_treedepth),
        diverging=subtree.diverging,
        checkpoints=subtree.checkpoints,
    )


def _grown_subtree(settings: _Settings, tree: _Tree, forward: Truth) -> _Subtree:
    """Grow a subtree of ``2**doublings`` leaves from one end of the tree, or until it turns back or diverges."""
    size = jnp.left_shift(1, tree.doublings)
    signed_steps = jnp.where(forward, settings.steps, -settings.steps)

    def is_growing(subtree: _Subtree) -> Truth:
        return (subtree.sums.leaves < size) & ~(subtree.turning | subtree.diverging)

    def add_leaf(subtree: _Subtree) -> _Subtree:
        return _with_leaf(settings, signed_steps, subtree, tree.sums.leaves + subtree.sums.leaves)

    zero, false = jnp.zeros_like(settings.start_energy), jnp.zeros((), bool)
    empty = _Subtree(
        last=select(forward, tree.right, tree.left),
        candidate=tree.candidate,
        sums=_Sums(
            log_weight=jnp.full_like(settings.start_energy, -jnp.inf),
            momentum=jnp.zeros_like(tree.sums.momentum),
            leaves=jnp.zeros_like(tree.sums.leaves),
            acceptance=zero,
        ),
        turning=false,
        diverging=false,
        checkpoints=tree.checkpoints,
    )
    return jax.lax.while_loop(is_growing, add_leaf, empty)


def _with_leaf(settings: _Settings, signed_steps: Vector, subtree: _Subtree, number: Count) -> _Subtree:
    """Add the next leaf to a subtree; ``number`` counts the leaves of the whole trajectory before it."""
    sums = subtree.sums
    leaf, log_density = _leapfrog(settings.value_and_gradient, subtree.last, signed_steps)
    energy = leaf.momentum @ leaf.momentum / 2 - log_density
    rise = jnp.where(jnp.isfinite(energy), energy - settings.start_energy, jnp.inf)
    log_weight = _log_sum(sums.log_weight, -rise)
    # Multinomial sampling, one leaf after the other: to the new leaf with probability its weight / weight of all.
    is_taken = jnp.log(uniform(settings.seed, number)) < -rise - log_weight
    candidate = _Candidate(Position(leaf.position, log_density, leaf.gradient), energy)
    total = sums.momentum + leaf.momentum
    turning, checkpoints = check_subtrees(subtree.checkpoints, sums.leaves, leaf.momentum, total)
    return _Subtree(
        last=leaf,
        candidate=select(is_taken, candidate, subtree.candidate),
        sums=_Sums(
            log_weight=log_weight,
            momentum=total,
            leaves=sums.leaves + 1,
            acceptance=sums.acceptance + jnp.exp(jnp.minimum(-rise, 0.0)),
        ),
        turning=turning,
        diverging=rise > LARGEST_ENERGY_ERROR,
        checkpoints=checkpoints,
    )


def _leapfrog(
    value_and_gradient: Callable[[Vector], tuple[Real, Vector]], point: _PhasePoint, steps: Vector
) -> tuple[_PhasePoint, Real]:
    """Return the next point of the dynamics and its log density; negative steps go back in time."""
    halfway = point.momentum + steps / 2 * point.gradient
    position = point.position + steps * halfway
    log_density, gradient = value_and_gradient(position)
    return _PhasePoint(position, halfway + steps / 2 * gradient, gradient), log_density


def select(condition: Truth, yes: T, no: T) -> T:
    """Return one of two nests of arrays of the same shapes."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), yes, no)


def _log_sum(a: Real, b: Real) -> Real:
    """Return ``log(exp(a) + exp(b))``; ``jnp.logaddexp`` has rules of differentiation, which take long to trace."""
    larger, smaller = jnp.maximum(a, b), jnp.minimum(a, b)
    return jnp.where(larger > -jnp.inf, larger + jnp.log1p(jnp.exp(smaller - larger)), larger)
