"""A linear mixed model with other columns, by the same criterion; without group effects that is least squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesml.engines.linear_mixed import LinearMixedFit, fit_linear_mixed, prepare
from bayesml.engines.point.submodel import Submodel
from bayesml.linalg import AbstractBlock, orthogonalise

__all__ = ["least_squares", "refit_columns"]


def refit_columns(fit: LinearMixedFit, X: np.ndarray, blocks: Sequence[AbstractBlock]) -> LinearMixedFit:
    """Fit the response of a fit to other columns by the same criterion."""
    own = fit.problem
    problem = prepare(blocks, X, own.y, own.weights, own.offset, fit.fixed_sigma is not None)
    return fit_linear_mixed(problem, fit.reml, fit.fixed_sigma)


def least_squares(fit: LinearMixedFit, X: np.ndarray, jacobian: float) -> Submodel:
    """Fit the response of a fit without group effects, with the constants of its REML or ML criterion.

    Args:
        fit: the fit.
        X: ``(rows, coefs)`` population-level columns.
        jacobian: what the log-likelihood of the response differs by from that of the response that was fitted.
    """
    weights = np.ones(fit.n) if fit.problem.weights is None else fit.problem.weights
    root = np.sqrt(weights)
    y = fit.problem.y - (0.0 if fit.problem.offset is None else fit.problem.offset)
    kept = orthogonalise(X)[1].kept
    basis, triangle = np.linalg.qr(root[:, None] * X[:, kept])
    projected = basis.T @ (root * y)
    rss = float(((root * y - basis @ projected) ** 2).sum())
    p = len(kept) if fit.reml else 0
    nu = fit.n - p
    sigma2 = fit.fixed_sigma**2 if fit.fixed_sigma is not None else rss / nu
    criterion = nu * np.log(2.0 * np.pi * sigma2) + rss / sigma2 - float(np.log(weights).sum())
    if fit.reml:
        criterion += 2.0 * float(np.log(np.abs(np.diagonal(triangle))).sum())
    auxiliary = {} if fit.fixed_sigma is not None else {"sigma": float(np.sqrt(sigma2))}
    count = len(kept) + (fit.fixed_sigma is None)
    beta = np.linalg.solve(triangle, projected)
    return Submodel(float(-criterion / 2.0 - jacobian), count, (), auxiliary, beta)
