"""Which parts of a trajectory have made a U-turn.

A trajectory must stop when any of its balanced subtrees turns back, or it would not be the same trajectory when begun
from another of its points, and the draws would not be from the target (Hoffman & Gelman 2014, section 3.1.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import jax
from jax import numpy as jnp

if TYPE_CHECKING:
    from bayesml.engines.nuts.sampler.shapes import Count, Momenta, Truth, Vector

__all__ = ["Checkpoints", "check_subtrees", "is_turning"]


class Checkpoints(NamedTuple):
    """What is remembered of the first leaf of each unfinished subtree; rows are used as ``check_subtrees`` says.

    Attributes:
        momentum: momentum of that leaf.
        total: sum of the momenta up to that leaf, with it.
    """

    momentum: Momenta
    total: Momenta


def check_subtrees(checkpoints: Checkpoints, leaf: Count, momentum: Vector, total: Vector) -> tuple[Truth, Checkpoints]:
    """Check the subtrees that end with a leaf for U-turns; remember the leaf where subtrees begin with it.

    Leaves are counted from 0. A balanced subtree of ``2**k`` leaves ends with leaf ``n`` if ``n + 1`` is a multiple of
    ``2**k``, that is if ``n`` has at least ``k`` ones at its end in binary. So as many subtrees (of 2, 4, ... leaves)
    end with ``n`` as it has ones at its end. The one of ``2**k`` leaves begins with ``n + 1 - 2**k``, an even number:
    ``n`` with its last ``k`` ones set to zero.

    The checkpoint of an even leaf ``m`` is in the row ``ones(m)``, its number of ones in binary. The first leaves of
    the subtrees that end with ``n`` are therefore in the rows ``ones(n) - k`` for ``k`` = 1, 2, ... No leaf between
    such an ``m`` and ``n`` has overwritten its row, since each of them is ``m + j`` with ``0 < j < 2**k`` and has more
    ones. For odd ``n`` the first of these rows is ``ones(n) - 1 = ones(n >> 1)``; for an even leaf ``ones(n >> 1)`` is
    its own row.

    Args:
        checkpoints: of the leaves before.
        leaf: number of the leaf within the subtree that is grown.
        momentum: its momentum.
        total: sum of the momenta of the subtree that is grown, up to this leaf and with it.

    Returns:
        Whether one of the subtrees has turned, and the checkpoints for the next leaf.
    """
    newest = _count_ones(leaf >> 1)
    ending = _count_ones(leaf & ~(leaf + 1))  # the ones at the end of the number, and nothing else

    def check(loop: tuple[Count, Truth]) -> tuple[Count, Truth]:
        row, _ = loop
        within = total - checkpoints.total[row] + checkpoints.momentum[row]
        return row - 1, is_turning(checkpoints.momentum[row], momentum, within)

    _, turning = jax.lax.while_loop(
        lambda loop: (loop[0] > newest - ending) & ~loop[1], check, (newest, jnp.zeros((), bool))
    )
    # An odd leaf begins no subtree. It is written to the last row, which is never read: that is cheaper than a branch.
    # Rows of even leaves end before it. Their numbers are below 2**(max_treedepth - 1) and end with a zero, so that
    # they have at most max_treedepth - 2 ones.
    row = jnp.where(ending > 0, checkpoints.momentum.shape[0] - 1, newest)
    updated = Checkpoints(
        momentum=checkpoints.momentum.at[row].set(momentum), total=checkpoints.total.at[row].set(total)
    )
    return turning, updated


def _count_ones(number: Count) -> Count:
    """Return how many ones a number has in binary; signed, since JAX's unsigned bytes would wrap when subtracted."""
    return jnp.bitwise_count(number).astype(jnp.int32)


def is_turning(first: Vector, last: Vector, total: Vector) -> Truth:
    """Say whether a part of a trajectory makes a U-turn.

    The sum of its momenta with the two ends counted half is the trapezoidal rule for the integral of the momentum over
    time: the displacement from the first point to the last, up to a factor. A U-turn is a momentum at either end that
    points against the displacement, so that going on would bring the ends together.

    Args:
        first: momentum at the first point.
        last: momentum at the last point.
        total: sum of the momenta of all points.
    """
    displacement = total - (first + last) / 2
    return (first @ displacement <= 0) | (last @ displacement <= 0)
