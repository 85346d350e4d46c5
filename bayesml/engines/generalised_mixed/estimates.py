"""From the optimum in scaled coordinates to the result on the user's scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import block_diag

from bayesml.engines.generalised_mixed.blocks import split
from bayesml.engines.generalised_mixed.mode import Mode
from bayesml.engines.generalised_mixed.optimum import Optimum, inverse_where_positive
from bayesml.engines.generalised_mixed.outer import FARTHEST_PSI, Criterion
from bayesml.engines.generalised_mixed.problem import Problem
from bayesml.engines.generalised_mixed.response import RowDerivatives
from bayesml.engines.generalised_mixed.result import Convergence, GeneralisedMixedFit, GroupEstimate
from bayesml.engines.generalised_mixed.saturated import saturated_log_likelihood
from bayesml.engines.generalised_mixed.separation import UNCERTAIN, Separation, find_separation, separation_message
from bayesml.engines.generalised_mixed.start import conditional_information, working_scale

__all__ = ["build_result"]

SINGULAR_SD = 1e-4  # in units of the working residual
SINGULAR_CORRELATION = 1e-7  # smallest eigenvalue of a correlation matrix


def build_result(criterion: Criterion, optimum: Optimum, X: np.ndarray, names: Sequence[str]) -> GeneralisedMixedFit:
    """Collect everything that the result holds."""
    problem, best = criterion.problem, optimum.best
    mode = best.mode
    assert mode is not None and mode.factor is not None
    separation = Separation.none(len(problem.fixed.kept))
    if criterion.penalty is None and isinstance(mode.density, RowDerivatives) and _suspicious(problem, optimum):
        separation = find_separation(problem, X, mode.parameters.psi)
    covariance, root, hessian_message = _covariance(problem, optimum, mode, separation)
    k, p, _ = problem.sizes
    groups = _groups(problem, mode)
    quadrature = criterion.points > 1
    return GeneralisedMixedFit(
        theta=problem.theta(mode.parameters.theta),
        beta=problem.beta(mode.parameters.gamma),
        psi=mode.parameters.psi,
        auxiliary=tuple(problem.response.auxiliary),
        kept=problem.fixed.kept,
        dropped=problem.fixed.dropped,
        log_likelihood=-0.5 * best.deviance,
        penalty=best.value - best.deviance,
        conditional_deviance=mode.deviance,
        effects_norm=float(mode.u @ mode.u),
        log_determinant=mode.factor.log_determinant,
        saturated=saturated_log_likelihood(problem, mode.parameters.psi) if quadrature else None,
        n=len(mode.density.value),
        quadrature_points=criterion.points,
        vcov=covariance[k : k + p, k : k + p],
        vcov_root=root,
        unbounded=separation.directions,
        runaway=np.stack([separation.falls, separation.rises]),
        covariance=covariance,
        hessian_message=hessian_message,
        groups=groups,
        eta=mode.eta,
        eta_fixed=problem.fixed_part(mode.parameters.gamma),
        convergence=_convergence(criterion, optimum, separation, names, hessian_message),
    )


def _covariance(
    problem: Problem, optimum: Optimum, mode: Mode, separation: Separation
) -> tuple[np.ndarray, np.ndarray, str]:
    """Joint covariance ``2 H^-1`` carried to the user's scale; given theta and psi where H is not usable.

    Without the directions in which the likelihood has no maximum: there it is flat, and what does not depend on them
    has the covariance of the model without them. So with auxiliary parameters that run away. Also a square root of the
    coefficients' own part.
    """
    k, p, m = problem.sizes
    scaled = np.full((problem.size, problem.size), np.nan)
    message = ""
    bounded = _bounded(problem, separation)
    runs_away = _runs_away(problem, mode.parameters.psi)
    free = optimum.free & ~np.concatenate([np.zeros(k + p, dtype=bool), runs_away])
    inverse = optimum.inverse
    if bounded.shape[1] < p or runs_away.any():
        inverse = _inverse_without(optimum.hessian, free, bounded, (k, p, m))
    if inverse is not None:
        scaled = 2.0 * inverse
        scaled[~free] = np.nan
        scaled[:, ~free] = np.nan
    else:
        information = bounded.T @ conditional_information(problem, mode) @ bounded
        scaled[k : k + p, k : k + p] = bounded @ np.linalg.pinv(information, hermitian=True) @ bounded.T
        message = (
            "the Hessian of the criterion is not positive definite at the estimate: standard errors of the "
            "coefficients are conditional on the variance parameters, those have none"
        )
    transform = np.zeros_like(scaled)
    transform[:k, :k] = problem.from_internal * problem.signs(mode.parameters.theta)
    transform[k : k + p, k : k + p] = problem.fixed.coefficients(np.eye(p))
    transform[np.arange(k + p, k + p + m), np.arange(k + p, k + p + m)] = 1.0
    missing = np.isnan(np.diagonal(scaled))
    covariance = transform @ np.where(np.isnan(scaled), 0.0, scaled) @ transform.T
    covariance[missing] = np.nan
    covariance[:, missing] = np.nan
    values, vectors = np.linalg.eigh(np.nan_to_num(scaled[k : k + p, k : k + p]))
    root = problem.fixed.coefficients(vectors * np.sqrt(np.maximum(values, 0.0)))
    return 0.5 * (covariance + covariance.T), root, message


def _bounded(problem: Problem, separation: Separation) -> np.ndarray:
    """Orthonormal directions of gamma, ``(p, p - r)``, that have a finite estimate."""
    count = separation.directions.shape[1]
    if not count:
        return np.eye(len(problem.basis))
    unbounded = problem.fixed.R @ separation.directions
    return np.linalg.qr(unbounded, mode="complete")[0][:, count:]


def _inverse_without(
    hessian: np.ndarray, free: np.ndarray, bounded: np.ndarray, sizes: tuple[int, int, int]
) -> np.ndarray | None:
    k, p, m = sizes
    chosen = block_diag(np.eye(k), bounded, np.eye(m))
    hessian = np.where(np.isnan(hessian), 0.0, hessian)
    free = np.concatenate([free[:k], np.ones(bounded.shape[1], dtype=bool), free[k + p :]])
    inverse = inverse_where_positive(chosen.T @ hessian @ chosen, free)
    return None if inverse is None else chosen @ inverse @ chosen.T


def _groups(problem: Problem, mode: Mode) -> tuple[GroupEstimate, ...]:
    assert mode.factor is not None
    lambdas = problem.layout.matrices(problem.theta(mode.parameters.theta))
    scaled, blocks = mode.lambdas, mode.factor.level_blocks()
    out = []
    parts = zip(problem.groups, problem.columns, split(problem.columns, mode.u), strict=True)
    for i, (group, part, effects) in enumerate(parts):
        # Lambda in the user's units, its columns still with the signs that u was found with
        raw = lambdas[i] * _column_signs(scaled[i])
        sd = np.sqrt(np.einsum("rc,rc->r", raw, raw))
        variances = np.einsum("ra,abj,sb->jrs", raw, part.vector_blocks(blocks[i]), raw)
        out.append(
            GroupEstimate(
                group.name,
                group.labels(),
                lambdas[i],
                sd,
                _correlation(lambdas[i], sd),
                (raw @ part.vectors(effects)).T,
                variances,
            )
        )
    return tuple(out)


def _column_signs(factor: np.ndarray) -> np.ndarray:
    return np.where(np.diagonal(factor) < 0, -1.0, 1.0)


def _correlation(factor: np.ndarray, sd: np.ndarray) -> np.ndarray:
    safe = np.where(sd > 0, sd, np.nan)
    correlation = (factor / safe[:, None]) @ (factor / safe[:, None]).T
    np.fill_diagonal(correlation, 1.0)
    return correlation


def _convergence(
    criterion: Criterion,
    optimum: Optimum,
    separation: Separation,
    names: Sequence[str],
    hessian_message: str,
) -> Convergence:
    problem, mode = criterion.problem, optimum.best.mode
    assert mode is not None
    singular = _singular(problem, mode)
    separated = separation.columns
    messages = list(singular)
    if separated:
        messages.append(separation_message([names[j] for j in separated]))
    messages += _runaways(problem, mode.parameters.psi)
    messages += [
        f"the posterior is highest where {name} is at the bound {bound:g} of its prior: there it has no standard "
        'error, and those of the others are given that value; use method="nuts"'
        for name, bound in optimum.at_bounds
    ]
    if hessian_message:
        messages.append(hessian_message)
    if not optimum.converged and not separated:
        messages.append(
            f"the search ended after {optimum.iterations} iterations without reaching its tolerance "
            f"(Newton decrement {optimum.decrement:.2g}); rescale the predictors or simplify the group terms"
        )
    return Convergence(
        optimum.converged,
        optimum.iterations,
        criterion.evaluations,
        criterion.newton_steps,
        optimum.decrement,
        singular,
        separated,
        tuple(messages),
        frozenset(name for name, _ in optimum.at_bounds),
    )


def _suspicious(problem: Problem, optimum: Optimum) -> bool:
    """Whether a direction of the coefficients is so uncertain that the likelihood may have no maximum in it.

    Where the likelihood is flat the Hessian by differences is that of the ends of its steps; the information of the
    rows is exact.
    """
    k, p, _ = problem.sizes
    mode = optimum.best.mode
    assert mode is not None
    if not p:
        return False
    if optimum.inverse is None or not optimum.converged:
        return True
    if float(np.linalg.eigvalsh(conditional_information(problem, mode))[0]) < UNCERTAIN**-2:
        return True
    return float(np.linalg.eigvalsh(2.0 * optimum.inverse[k : k + p, k : k + p])[-1]) > UNCERTAIN**2


def _runaways(problem: Problem, psi: np.ndarray) -> list[str]:
    """Name the auxiliary parameters on which the likelihood has no maximum (a residual of exactly zero)."""
    moved = psi - problem.psi_start
    runs_away = _runs_away(problem, psi)
    return [
        f"the likelihood rises without end as `{name}` goes to its {'upper' if change > 0 else 'lower'} bound: "
        "the response varies too little, the model fits it perfectly, or a share is zero"
        for name, change, is_away in zip(problem.response.auxiliary, moved, runs_away, strict=True)
        if is_away
    ]


def _runs_away(problem: Problem, psi: np.ndarray) -> np.ndarray:
    """Tell for each auxiliary parameter whether the search went as far as it may."""
    return np.abs(psi - problem.psi_start) > 0.75 * FARTHEST_PSI


def _singular(problem: Problem, mode: Mode) -> tuple[str, ...]:
    """Name every group whose covariance matrix is singular, and where; not curves, which may well be straight.

    Zero standard deviations are looked for among the coefficients, in units of what they add to the linear predictor;
    dependence between the others in the orthogonal coordinates, where it does not depend on the zero of a covariate.
    """
    smallest = SINGULAR_SD * working_scale(mode.density)
    out = []
    factors = problem.layout.matrices(problem.theta(mode.parameters.theta))
    for group, T, factor, internal in zip(problem.groups, problem.bases, factors, mode.lambdas, strict=True):
        if not group.is_factor:
            continue
        size = np.sqrt(np.einsum("ij,ij->j", T, T) * (factor**2).sum(axis=1))
        zero = size < smallest
        if zero.any():
            named = ", ".join(f"`{label}`" for label, is_zero in zip(group.labels(), zero, strict=True) if is_zero)
            out.append(f"singular fit: the estimated standard deviation of {named} over `{group.name}` is zero")
        if _directions_without_variance(internal, smallest) > zero.sum():
            out.append(f"singular fit: effects over `{group.name}` are linearly dependent (a correlation of 1 or -1)")
    return tuple(out)


def _directions_without_variance(factor: np.ndarray, smallest: float) -> int:
    sd = np.sqrt((factor**2).sum(axis=1))
    rest = factor[sd >= smallest] / sd[sd >= smallest, None]
    return int((sd < smallest).sum() + (np.linalg.eigvalsh(rest @ rest.T) < SINGULAR_CORRELATION).sum())
