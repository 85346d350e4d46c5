"""The same data under a smaller or another form of the model: by ML, with fewer group effects, without predictors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.engines.generalised_mixed import fit_generalised_mixed
from bayesml.engines.linear_mixed import fit_linear_mixed, prepare
from bayesml.engines.point.generalised import GeneralisedEstimate
from bayesml.engines.point.linear import LinearEstimate, transformed_response
from bayesml.errors import ModelError
from bayesml.linalg import GroupBlock, orthogonalise

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["Submodel", "by_maximum_likelihood", "refit_arrays", "require_likelihood", "with_columns", "without_columns"]


@final
@dataclass(frozen=True)
class Submodel:
    """What a refit is asked for.

    Attributes:
        log_likelihood: of the response, REML's own for REML.
        n_parameters: number of estimated parameters.
        factors: Lambda of each group-level term, on the scale of the linear predictor.
        auxiliary: family parameters by name.
        beta: coefficients of the kept columns.
    """

    log_likelihood: float
    n_parameters: int
    factors: tuple[np.ndarray, ...]
    auxiliary: dict[str, float]
    beta: np.ndarray


def require_likelihood(fit: AbstractPointFit, what: str) -> None:
    """Raise a ModelError for a fit with priors, whose criterion is not a likelihood."""
    if fit.method == "map":
        raise ModelError(f'{what} compares likelihoods; this fit is a posterior mode. Use method="ml" or "laplace".')


def by_maximum_likelihood(fit: AbstractPointFit) -> AbstractPointFit:
    """Return a REML fit refitted by maximum likelihood, any other fit as it is."""
    estimate = fit.estimate
    if not isinstance(estimate, LinearEstimate) or not estimate.fit.reml:
        return fit
    found = fit_linear_mixed(estimate.fit.problem, False, estimate.fit.fixed_sigma)
    return fit.with_estimate(replace(estimate, fit=found, method="ml"))


def refit_arrays(fit: AbstractPointFit, X: np.ndarray, blocks: Sequence[GroupBlock]) -> Submodel:
    """Fit the response of a fit to other columns by the same method.

    Args:
        fit: the fit.
        X: ``(rows, coefs)`` population-level columns.
        blocks: group-level terms, possibly none.
    """
    estimate = fit.estimate
    if isinstance(estimate, GeneralisedEstimate):
        return _generalised(estimate, X, blocks)
    assert isinstance(estimate, LinearEstimate)
    return _linear(estimate, X, blocks) if blocks else _without_groups(estimate, X)


def without_columns(blocks: Sequence[GroupBlock], term: int, dropped: Sequence[int]) -> list[GroupBlock]:
    """Return the group-level terms without some columns of one of them; a term without columns is left out."""
    block = blocks[term]
    keep = [c for c in range(block.q) if c not in dropped]
    ends = np.cumsum(block.blocks)
    owner = np.searchsorted(ends, keep, side="right")
    sizes = tuple(int(n) for n in np.bincount(owner, minlength=len(ends)) if n)
    labels = tuple(block.labels()[c] for c in keep)
    smaller = replace(block, Z=np.ascontiguousarray(block.Z[:, keep]), blocks=sizes, columns=labels)
    return [*blocks[:term], *([smaller] if keep else []), *blocks[term + 1 :]]


def with_columns(
    blocks: Sequence[GroupBlock], term: int, columns: range, Z: np.ndarray, labels: Sequence[str]
) -> list[GroupBlock]:
    """Return the group-level terms with correlated columns of one of them replaced by others, ``(rows, columns)``."""
    block = blocks[term]
    first = int(np.searchsorted(np.cumsum(block.blocks), columns.start, side="right"))
    changed = replace(
        block,
        Z=np.ascontiguousarray(np.hstack([block.Z[:, : columns.start], Z, block.Z[:, columns.stop :]])),
        blocks=(*block.blocks[:first], Z.shape[1], *block.blocks[first + 1 :]),
        columns=(*block.labels()[: columns.start], *labels, *block.labels()[columns.stop :]),
    )
    return [*blocks[:term], changed, *blocks[term + 1 :]]


def _linear(estimate: LinearEstimate, X: np.ndarray, blocks: Sequence[GroupBlock]) -> Submodel:
    own = estimate.fit
    problem = prepare(blocks, X, own.problem.y, own.problem.weights, own.problem.offset, own.fixed_sigma is not None)
    found = replace(estimate, fit=fit_linear_mixed(problem, own.reml, own.fixed_sigma))
    return Submodel(found.log_likelihood, found.n_parameters, found.factors, dict(found.auxiliary), found.beta)


def _generalised(estimate: GeneralisedEstimate, X: np.ndarray, blocks: Sequence[GroupBlock]) -> Submodel:
    arrays, options = estimate.arrays, estimate.options
    found = fit_generalised_mixed(
        estimate.response,
        X,
        blocks,
        offset=arrays.offset,
        weights=estimate.powers,
        quadrature_points=options.quadrature_points if blocks else 1,
        curvature=options.curvature,
    )
    auxiliary = estimate.response.natural(found.psi)
    factors = tuple(group.factor for group in found.groups)
    return Submodel(found.log_likelihood, found.df, factors, auxiliary, found.beta)


def _without_groups(estimate: LinearEstimate, X: np.ndarray) -> Submodel:
    """Ordinary least squares with the constants of the REML or ML criterion."""
    own = estimate.fit
    weights = np.ones(own.n) if own.problem.weights is None else own.problem.weights
    root = np.sqrt(weights)
    y = transformed_response(estimate.problem) - (0.0 if own.problem.offset is None else own.problem.offset)
    kept = orthogonalise(X)[1].kept
    basis, triangle = np.linalg.qr(root[:, None] * X[:, kept])
    projected = basis.T @ (root * y)
    rss = float(((root * y - basis @ projected) ** 2).sum())
    p = len(kept) if own.reml else 0
    nu = own.n - p
    sigma2 = own.fixed_sigma**2 if own.fixed_sigma is not None else rss / nu
    criterion = nu * np.log(2.0 * np.pi * sigma2) + rss / sigma2 - float(np.log(weights).sum())
    if own.reml:
        criterion += 2.0 * float(np.log(np.abs(np.diagonal(triangle))).sum())
    jacobian = float(own.problem.y.sum()) if estimate.problem.likelihood.traits.response_on_log_scale else 0.0
    auxiliary = {} if own.fixed_sigma is not None else {"sigma": float(np.sqrt(sigma2))}
    count = len(kept) + (own.fixed_sigma is None)
    beta = np.linalg.solve(triangle, projected)
    return Submodel(float(-criterion / 2.0 - jacobian), count, (), auxiliary, beta)
