"""The log prior density at every draw, by class of prior, for ArviZ's checks of sensitivity to the prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml import names
from bayesml.distributions import LKJ, Constant
from bayesml.spec import ParameterSpec
from bayesml.terms import Group, Population

if TYPE_CHECKING:
    from bayesml.results.fit_object import Fit

__all__ = ["log_prior"]


def log_prior(fit: Fit) -> dict[str, np.ndarray]:
    """Return the summed log prior densities of each class of parameters, ``(chains, draws)``.

    The classes are those of the prior table: ``b``, ``Intercept`` (of centred predictors), ``sd``, ``cor`` (of Cholesky
    factors, as in Stan), ``sigma``. Group-level effects given their standard deviations are no part of it, flat priors
    add 0, and what ``constant()`` fixes adds nothing.
    """
    values = _sampled_values(fit)
    found: dict[str, np.ndarray] = {}
    for parameter in fit.problem.description.spec.parameters:
        if parameter.prior_class and not all(isinstance(prior, Constant) for prior in parameter.priors):
            with np.errstate(all="ignore"):
                density = _log_density(parameter, values[parameter.name])
            found[parameter.prior_class] = found.get(parameter.prior_class, 0.0) + density
    return found


def _log_density(parameter: ParameterSpec, value: np.ndarray) -> np.ndarray:
    first = parameter.priors[0]
    if isinstance(first, LKJ):
        return np.asarray(first.cholesky_log_density(value))
    if not parameter.coefs:
        return np.asarray(first.log_density(value))
    columns = [
        prior.log_density(value[..., k]) for k, prior in enumerate(parameter.priors) if not isinstance(prior, Constant)
    ]
    return np.sum(columns, axis=0)


def _sampled_values(fit: Fit) -> dict[str, np.ndarray]:
    """Return the draws of what has a prior: reported variables, and those that only the sampler knows."""
    values = dict(fit.draws_record.values)
    for predictor in fit.problem.design.schema.predictors:
        for term in predictor.terms:
            if isinstance(term, Population):
                b = values[names.population_variable(term.dpar)]
                slopes = b[..., 1:] if term.has_intercept else b
                values[names.slopes_variable(term.dpar)] = slopes
                if term.has_intercept:
                    values[names.intercept_variable(term.dpar)] = b[..., 0] + slopes @ np.asarray(term.means)
            if isinstance(term, Group) and term.pairs():
                matrix = term.correlation_matrix(values[names.correlation_variable(term.name, term.dpar)])
                for i, block in enumerate(term.block_slices()):
                    values[names.cholesky_variable(term.name, term.dpar, i)] = _cholesky_diagonal(
                        matrix[..., block, block]
                    )
    return values


def _cholesky_diagonal(correlation: np.ndarray) -> np.ndarray:
    """Return the diagonal of the Cholesky factor, as matrices; all that its density needs.

    The square of an element is the ratio of two leading minors. A draw at the edge of the correlation matrices has a
    minor of zero, where a factorisation fails.
    """
    size = correlation.shape[-1]
    minors = [np.ones(correlation.shape[:-2])] + [np.linalg.det(correlation[..., :k, :k]) for k in range(1, size + 1)]
    factor = np.zeros(correlation.shape)
    for k in range(size):
        factor[..., k, k] = np.sqrt(np.maximum(minors[k + 1], 0.0) / np.maximum(minors[k], np.finfo(float).tiny))
    return factor
