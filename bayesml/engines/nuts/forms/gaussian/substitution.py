"""Back-substitution: the effects of one factor, given those of the factors eliminated after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayesml.engines.nuts.forms.gaussian.algebra import inner, transposed_half_solve
from bayesml.engines.nuts.forms.gaussian.elimination import Solved
from bayesml.engines.nuts.forms.gaussian.statistics import Stage
from bayesml.terms.gather import at_rows

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from bayesml.engines.nuts.forms.gaussian.shapes import Effects, Rows, Tail
    from bayesml.shapes import Scalar

__all__ = ["stage_point"]

FEW = 4
"""Sums of up to so many rows are written out."""


def stage_point(
    away: Effects, solved: Solved, stage: Stage, above: Sequence[Rows], beside: Tail, sigma: Scalar | None
) -> Rows:
    """Return the rows of z of one factor: ``C^-T (C^-1 Lambda' [response / sigma - upper u - design v] + away)``.

    With C C' the precision of z given all that is eliminated later, this is its mean for ``away = 0``, and a draw for
    standard normal numbers.

    Args:
        away: ``(q, J)``.
        solved: what the elimination left of the stage, not that of a triangular leaf.
        stage: the stage.
        above: u of each later factor of the chain, over sigma.
        beside: v, the coefficients of tail and slopes, over sigma.
        sigma: residual standard deviation; None is 1.
    """
    response = solved.response if sigma is None else [row / sigma for row in solved.response]
    rest = [row + away[a] for a, row in enumerate(response)]
    if beside.shape[0]:
        rest = [r - _weighted(beside, rows) for r, rows in zip(rest, solved.design, strict=True)]
    for upper, parents, effects in zip(solved.upper, stage.parents, above, strict=True):
        spread = [at_rows(effect, parents) for effect in effects]
        rest = [r - inner(rows, spread) for r, rows in zip(rest, upper, strict=True)]
    return transposed_half_solve(solved.factor, rest)


def _weighted(numbers: Tail, rows: Float[Array, "width levels"]) -> Float[Array, " levels"]:
    """Return the sum of the rows, each times a number."""
    d = numbers.shape[0]
    return inner([numbers[i] for i in range(d)], [rows[i] for i in range(d)]) if d <= FEW else numbers @ rows
