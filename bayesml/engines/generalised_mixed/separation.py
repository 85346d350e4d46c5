"""Separation: a direction of the coefficients along which every row only gets more likely, for ever."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesml.engines.generalised_mixed.problem import Problem
from bayesml.engines.generalised_mixed.saturated import directions

__all__ = ["separating_columns", "separation_message"]

UNCERTAIN = 20.0  # standard error of a unit change of the linear predictor that makes separation worth a look
NEGLIGIBLE = 1e-6
MOST_NAMED = 5


def separating_columns(problem: Problem, X: np.ndarray, psi: np.ndarray) -> tuple[int, ...]:
    """Return the columns of X whose coefficients have no finite maximum-likelihood estimate, the strongest first.

    Solves ``max sum_i d_i x_i'b`` subject to ``d_i x_i'b >= 0`` where row i wants eta in direction d_i, ``x_i'b = 0``
    where it has an interior maximum, and ``|b| <= 1`` (Albert and Anderson 1984; Konis 2007).
    """
    from scipy.optimize import linprog  # noqa: PLC0415 - slow to import and hardly ever needed

    direction = directions(problem, psi).direction
    counted = np.ones(problem.n, dtype=bool) if problem.weights is None else problem.weights > 0
    if not (direction[counted] != 0).any() or not len(problem.fixed.kept):
        return ()
    columns = X[counted][:, problem.fixed.kept]
    scaled = columns / np.sqrt(np.mean(columns**2, axis=0))
    design = np.unique(np.column_stack([direction[counted], scaled]), axis=0)
    wanted, interior = design[design[:, 0] != 0], design[design[:, 0] == 0][:, 1:]
    signed = wanted[:, :1] * wanted[:, 1:]
    bounds = [(-1.0, 1.0)] * signed.shape[1]
    equal = (interior, np.zeros(len(interior))) if len(interior) else (None, None)
    found = linprog(-signed.sum(axis=0), -signed, np.zeros(len(signed)), *equal, bounds=bounds)
    if found.x is None or -found.fun < NEGLIGIBLE:
        return ()
    order = np.argsort(-np.abs(found.x), kind="stable")
    return tuple(int(problem.fixed.kept[j]) for j in order if abs(found.x[j]) > NEGLIGIBLE)


def separation_message(names: Sequence[str]) -> str:
    """Say what is separated and what to do."""
    shown = ", ".join(f"`{name}`" for name in names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
    return (
        f"complete or quasi-complete separation: the likelihood rises without end as the coefficients of {shown} go to "
        'infinity, so they have no maximum-likelihood estimate. Give them a prior (method="map") or leave them out'
    )
