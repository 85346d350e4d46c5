"""From the starting point to a certified optimum: descent, zero variances, Hessian, one last Newton step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.engines.generalised_mixed.outer import Criterion, Evaluation
from bayesml.engines.generalised_mixed.problem import Parameters, Problem
from bayesml.engines.generalised_mixed.quasi_newton import Descent, minimise
from bayesml.engines.generalised_mixed.start import starting_metric, starting_point, working_scale
from bayesml.engines.generalised_mixed.support import BARRIERS, SHARES, moved_inside, users_point
from bayesml.errors import ModelError

__all__ = ["Optimum", "inverse_where_positive", "optimise"]

NEAR_ZERO = 0.02  # a standard deviation this small, in units of the working residual, is compared with zero
NO_WORSE = 1e-8  # zero is taken where it costs no more than this in the criterion
PROBE = 1e-3
MOST_RESTARTS = 3
FAR = 0.3  # standard deviations, in units of the working residual, where a second search begins
BETTER = 1e-6  # of the criterion
DIFFERENCE = 1e-3  # step of the Hessian in standard errors: relative error about its square
SMALL_ENOUGH = 1e-3  # of the Newton decrement


@final
@dataclass(frozen=True)
class Optimum:
    """The minimum of the criterion.

    Attributes:
        best: the evaluation there.
        free: ``(size,)`` False for a diagonal entry of Lambda that is exactly zero.
        hessian: ``(size, size)`` second derivatives, NaN for the entries that are not free.
        inverse: its inverse where it is positive definite, else None.
        decrement: ``sqrt(g'H^-1 g)``: the criterion is about half its square above the minimum.
        iterations: quasi-Newton steps.
        converged: the search reached its tolerance and the decrement is small.
        at_bounds: the parameters that lie at a bound of their priors, and the bounds.
    """

    best: Evaluation
    free: np.ndarray
    hessian: np.ndarray
    inverse: np.ndarray | None
    decrement: float
    iterations: int
    converged: bool
    at_bounds: tuple[tuple[str, float], ...] = ()


def optimise(criterion: Criterion, start: Callable[[Problem], Parameters] = starting_point) -> Optimum:
    """Minimise the criterion over ``(theta, gamma, psi)``.

    The search is free in the sign of every column of Lambda, since u and -u have the same distribution; the
    criterion is even and smooth there, so a zero variance is an ordinary minimum. Zero is accepted only where the
    slope in the variance is not negative.

    Args:
        criterion: what to minimise.
        start: where the search starts.

    Raises:
        ModelError: the criterion is not finite at the starting point.
    """
    problem = criterion.problem
    at_bounds: tuple[tuple[str, float], ...] = ()
    if criterion.support is not None:
        descent, at_bounds = _within(criterion, start(problem))
    else:
        here = _first(criterion, start(problem).flat)
        descent = minimise(criterion, here, starting_metric(problem, criterion, here))
    descent, free = _settle_zeros(criterion, descent)
    if criterion.support is None:
        descent, free = _elsewhere(criterion, descent, free)
    return replace(_certify(criterion, descent, free), at_bounds=at_bounds)


def _within(criterion: Criterion, start: Parameters) -> tuple[Descent, tuple[tuple[str, float], ...]]:
    """Minimise within the bounds of the priors: each search begins where the one with a higher barrier ended."""
    problem, support = criterion.problem, criterion.support
    assert support is not None
    criterion.barrier = BARRIERS[0]
    found = [criterion.at(moved_inside(problem, support, start, share)) for share in SHARES]
    here = _first(criterion, min(found, key=lambda each: each.value).flat)
    descent = minimise(criterion, here, starting_metric(problem, criterion, here))
    points = []
    for criterion.barrier in BARRIERS[1:]:
        descent = _added(descent, minimise(criterion, criterion.at(descent.best.flat), descent.inverse))
        points.append(users_point(problem, problem.parameters(descent.best.flat)))
    return descent, support.reached(*points[-2:])


def _first(criterion: Criterion, flat: np.ndarray) -> Evaluation:
    here = criterion.at(flat)
    shrunk = flat.copy()
    for _ in range(5):
        if np.isfinite(here.value):
            return here
        shrunk[: criterion.problem.sizes[0]] *= 0.3
        here = criterion.at(shrunk)
    if np.isfinite(here.value):
        return here
    raise ModelError(
        f"the likelihood could not be evaluated at the starting values: {here.problem}. Check the response and the "
        "offset for extreme values, or rescale the predictors"
    )


def _settle_zeros(criterion: Criterion, descent: Descent) -> tuple[Descent, np.ndarray]:
    problem = criterion.problem
    diagonal = np.concatenate([problem.layout.is_diagonal, np.zeros(sum(problem.sizes[1:]), dtype=bool)])
    for _ in range(MOST_RESTARTS):
        free = np.ones(problem.size, dtype=bool)
        for i in np.flatnonzero(diagonal):
            descent, free[i] = _try_zero(criterion, descent, int(i))
        if free.all():
            return descent, free
        mask = np.outer(free, free)
        descent = _added(descent, minimise(criterion, descent.best, np.where(mask, descent.inverse, 0.0)))
        escape = _escape(criterion, descent, free)
        if escape is None:
            return descent, free
        descent = _added(descent, minimise(criterion, escape, starting_metric(problem, criterion, escape)))
    return descent, np.ones(problem.size, dtype=bool)


def _elsewhere(criterion: Criterion, descent: Descent, free: np.ndarray) -> tuple[Descent, np.ndarray]:
    """Search again with large variances where sets of functions of one smooth have a variance of zero.

    The sets of a tensor product stand in for each other, so that the criterion may have one minimum for each that is
    left out.
    """
    problem, best = criterion.problem, descent.best
    assert best.mode is not None
    named = [group.name for group in problem.groups]
    zero = [i for i in np.flatnonzero(~free) if named.count(problem.groups[problem.layout.group[i]].name) > 1]
    if not zero:
        return descent, free
    flat = best.flat.copy()
    flat[zero] = FAR * working_scale(best.mode.density)
    there = criterion.at(flat)
    if not np.isfinite(there.value):
        return descent, free
    other, free_there = _settle_zeros(criterion, minimise(criterion, there, starting_metric(problem, criterion, there)))
    criterion.last = best.mode
    if other.best.value < best.value - BETTER:
        return _added(descent, other), free_there
    return descent, free


def _added(before: Descent, after: Descent) -> Descent:
    return replace(after, iterations=before.iterations + after.iterations)


def _try_zero(criterion: Criterion, descent: Descent, i: int) -> tuple[Descent, bool]:
    """Put one small diagonal entry of Lambda to zero if that is as good; return whether it stays free."""
    best = descent.best
    assert best.mode is not None
    if abs(best.flat[i]) > NEAR_ZERO * working_scale(best.mode.density):
        return descent, True
    flat = best.flat.copy()
    flat[i] = 0.0
    there = best if best.flat[i] == 0.0 else criterion.at(flat)
    if there.value <= best.value + NO_WORSE:
        return replace(descent, best=there), False
    return descent, True


def _escape(criterion: Criterion, descent: Descent, free: np.ndarray) -> Evaluation | None:
    """Return a point off a zero variance from which the criterion falls, if there is one."""
    layout, best = criterion.problem.layout, descent.best
    assert best.mode is not None
    scale = working_scale(best.mode.density)
    for i in np.flatnonzero(~free):
        column = (layout.group == layout.group[i]) & (layout.column == layout.column[i])
        if (best.flat[: layout.size][column] != 0.0).any():
            continue
        flat = best.flat.copy()
        flat[i] = PROBE * scale
        if criterion.at(flat).gradient[i] < -1e-6 / scale:
            flat[i] = 0.3 * scale
            there = criterion.at(flat)
            if np.isfinite(there.value):
                return there
    return None


def _certify(criterion: Criterion, descent: Descent, free: np.ndarray) -> Optimum:
    hessian = _hessian(criterion, descent, free)
    best, inverse = descent.best, inverse_where_positive(hessian, free)
    decrement = float("nan")
    if inverse is not None:
        best = _polished(criterion, best, inverse)
        decrement = float(np.sqrt(max(best.gradient @ inverse @ best.gradient, 0.0)))
    converged = descent.converged and (inverse is None or decrement < SMALL_ENOUGH)
    return Optimum(best, free, hessian, inverse, decrement, descent.iterations, converged)


def _hessian(criterion: Criterion, descent: Descent, free: np.ndarray) -> np.ndarray:
    """Central differences of the exact gradient, each step a small part of a standard error."""
    best, size = descent.best, criterion.problem.size
    hessian = np.full((size, size), np.nan)
    steps = DIFFERENCE * _conditional_scales(descent, free)
    for i in np.flatnonzero(free):
        for step in steps[i] * 0.1 ** np.arange(1 if criterion.support is None else 5):  # shorter where a prior ends
            ends = []
            for sign in (1.0, -1.0):
                flat = best.flat.copy()
                flat[i] += sign * step
                criterion.last = best.mode
                ends.append(criterion.at(flat))
            if all(np.isfinite(end.value) for end in ends):
                break
        hessian[i, free] = (ends[0].gradient - ends[1].gradient)[free] / (2.0 * step)
    criterion.last = best.mode
    return 0.5 * (hessian + hessian.T)


def _conditional_scales(descent: Descent, free: np.ndarray) -> np.ndarray:
    """Return 1 / sqrt of the diagonal of the Hessian, from its approximate inverse V.

    V = D C D with D its standard deviations, so that the Hessian is D^-1 C^-1 D^-1. Small eigenvalues are cut off in C,
    which has no units, where in V the parameters of large units would hide the others.
    """
    scales = np.ones(len(free))
    part = descent.inverse[np.ix_(free, free)]
    sd = np.sqrt(np.maximum(np.diagonal(part), 1e-300))
    values, vectors = np.linalg.eigh(part / np.outer(sd, sd))
    values = np.maximum(values, 1e-12 * max(values.max(initial=0.0), 1e-300))
    scales[free] = sd / np.sqrt(np.einsum("ij,j->i", vectors**2, 1.0 / values))
    return scales


def inverse_where_positive(hessian: np.ndarray, free: np.ndarray) -> np.ndarray | None:
    """Invert the free part; zero elsewhere. None where it is not positive definite."""
    part = hessian[np.ix_(free, free)]
    diagonal = np.diagonal(part)
    if not np.isfinite(part).all() or not (diagonal > 0).all():
        return None
    scale = 1.0 / np.sqrt(diagonal)
    values, vectors = np.linalg.eigh(part * np.outer(scale, scale))
    if len(values) and values[0] <= 1e-10 * values[-1]:
        return None
    inverse = np.zeros_like(hessian)
    inverse[np.ix_(free, free)] = (vectors / values) @ vectors.T * np.outer(scale, scale)
    return inverse


def _polished(criterion: Criterion, best: Evaluation, inverse: np.ndarray) -> Evaluation:
    step = inverse @ best.gradient
    if not float(best.gradient @ step) > 1e-16:
        return best
    there = criterion.at(best.flat - step)
    better = float(there.gradient @ inverse @ there.gradient) < float(best.gradient @ step)
    return there if better and there.value <= best.value + 1e-12 * (1.0 + abs(best.value)) else best
