"""Separation: directions of the coefficients in which no row becomes less likely, however far they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.engines.generalised_mixed.problem import Problem
from bayesml.engines.generalised_mixed.saturated import directions

__all__ = ["UNCERTAIN", "Separation", "find_separation", "separation_message"]

UNCERTAIN = 20.0  # standard error of a unit change of the linear predictor that makes separation worth a look
NEGLIGIBLE = 1e-6
ROUNDING = 1e-9
MOST_NAMED = 5


@final
@dataclass(frozen=True)
class Separation:
    """What the data cannot bound.

    Attributes:
        columns: columns of X whose coefficients have no finite maximum-likelihood estimate, the strongest first.
        directions: ``(p, r)`` over the kept columns, exactly 0 for those that have a finite estimate: a combination of
            the coefficients has one where it is orthogonal to all of them.
        falls: ``(p,)`` whether each kept coefficient may go to minus infinity without any loss of likelihood.
        rises: ``(p,)`` the same for plus infinity.
    """

    columns: tuple[int, ...]
    directions: np.ndarray
    falls: np.ndarray
    rises: np.ndarray

    @classmethod
    def none(cls, size: int) -> Separation:
        """Return the usual case."""
        no = np.zeros(size, dtype=bool)
        return cls((), np.zeros((size, 0)), no, no)


def find_separation(problem: Problem, X: np.ndarray, psi: np.ndarray) -> Separation:
    """Find all directions in which the likelihood rises without end.

    A linear program finds one: ``max sum_i d_i x_i'b`` subject to ``d_i x_i'b >= 0`` where row i wants eta in
    direction d_i, ``x_i'b = 0`` where it has an interior maximum, and ``|b| <= 1`` (Albert and Anderson 1984; Konis
    2007). In the limit the rows that it moves are fitted perfectly and say nothing more, so the search goes on with
    the others. What these others do not determine, the null space of their X, is unbounded or arbitrary in the limit
    (Geyer 2009).
    """
    kept = problem.fixed.kept
    direction = directions(problem, psi).direction
    counted = np.ones(problem.n, dtype=bool) if problem.weights is None else problem.weights > 0
    if not (direction[counted] != 0).any() or not len(kept):
        return Separation.none(len(kept))
    columns = X[counted][:, kept]
    scale = np.sqrt(np.mean(columns**2, axis=0))
    design = np.unique(np.column_stack([direction[counted], columns / scale]), axis=0)
    total = np.zeros(len(kept))
    falls, rises = np.zeros(len(kept), dtype=bool), np.zeros(len(kept), dtype=bool)
    while (design[:, 0] != 0).any():
        found = _recession(design, (design[:, :1] * design[:, 1:]).sum(axis=0))
        if found is None:
            break
        # a coefficient that already goes to infinity does so faster than any that only moves the rows left over
        for j in np.flatnonzero(~(falls | rises)):
            unit = np.eye(len(kept))[j]
            rises[j], falls[j] = _recession(design, unit) is not None, _recession(design, -unit) is not None
        total += found / np.abs(found).max()
        design = design[np.abs(design[:, 1:] @ found) <= NEGLIGIBLE]
    if not total.any():
        return Separation.none(len(kept))
    unbounded = _null_space(design[:, 1:])
    touched = (np.abs(unbounded) > NEGLIGIBLE).any(axis=1)
    names = tuple(int(kept[j]) for j in np.argsort(-np.abs(total), kind="stable") if touched[j])
    return Separation(names, unbounded / scale[:, None], falls, rises)


def _recession(design: np.ndarray, goal: np.ndarray) -> np.ndarray | None:
    """Return the direction furthest along ``goal`` in which no row gets less likely, or None where there is none."""
    from scipy.optimize import linprog  # slow to import and rarely needed

    wanted, interior = design[design[:, 0] != 0], design[design[:, 0] == 0][:, 1:]
    signed = wanted[:, :1] * wanted[:, 1:]
    bounds = [(-1.0, 1.0)] * signed.shape[1]
    equal = (interior, np.zeros(len(interior))) if len(interior) else (None, None)
    found = linprog(-goal, -signed, np.zeros(len(signed)), *equal, bounds=bounds)
    return None if found.x is None or -found.fun < NEGLIGIBLE else np.asarray(found.x)


def _null_space(rows: np.ndarray) -> np.ndarray:
    """Orthonormal directions on which no row depends, ``(p, r)``; small entries are exactly 0."""
    size = rows.shape[1]
    _, values, right = np.linalg.svd(rows, full_matrices=True) if len(rows) else (0, np.zeros(0), np.eye(size))
    rank = int((values > ROUNDING * max(values.max(initial=0.0), 1e-300)).sum()) if len(values) else 0
    space = right[rank:].T
    return np.where(np.abs(space) > NEGLIGIBLE, space, 0.0)


def separation_message(names: Sequence[str]) -> str:
    """Say what is separated and what to do."""
    shown = ", ".join(f"`{name}`" for name in names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
    return (
        f"complete or quasi-complete separation: the likelihood rises without end as the coefficients of {shown} go to "
        "infinity, so they have no maximum-likelihood estimate: the numbers shown are where the search stopped, their "
        'standard errors are infinite and they have no Wald test. Give them a prior (method="map"), leave them out, or '
        'use confint(method="profile") and likelihood-ratio tests, which remain valid'
    )
