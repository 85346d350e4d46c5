"""Laplace's approximation and adaptive quadrature of generalised linear mixed models, with or without priors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from bayesml.delegation import delegated
from bayesml.engines.base import Problem
from bayesml.engines.generalised_mixed import Penalty, Support, fit_generalised_mixed
from bayesml.engines.generalised_mixed.family_response import FamilyResponse
from bayesml.engines.generalised_mixed.problem import Curvature
from bayesml.engines.generalised_mixed.stored import fit_from_stored
from bayesml.engines.point.answers import Approximation
from bayesml.engines.point.arrays import PointArrays, point_arrays
from bayesml.engines.point.hyper import HyperCovariance
from bayesml.engines.point.linear import is_linear
from bayesml.engines.point.mixed_estimate import AbstractMixedEstimate
from bayesml.engines.point.profile_generalised import GeneralisedProfile
from bayesml.engines.point.submodel import Submodel
from bayesml.engines.weighting import check_precisions, weights_are_precisions
from bayesml.linalg import AbstractBlock
from bayesml.posterior import StoredEstimate

__all__ = ["GeneralisedEstimate", "GeneralisedOptions", "estimate_generalised", "restore_generalised"]

SAME = 1e-6  # relative differences that rounding on another machine may make


@final
@dataclass(frozen=True)
class GeneralisedOptions:
    """How the marginal likelihood is computed, and what is added to it.

    Attributes:
        quadrature_points: points of adaptive quadrature; 1 is Laplace's approximation.
        curvature: the observed or the expected information.
        penalty: minus twice the log prior of a posterior mode; None for maximum likelihood.
        support: the bounds of its priors.
    """

    quadrature_points: int = 1
    curvature: Curvature = "observed"
    penalty: Penalty | None = None
    support: Support | None = None


def estimate_generalised(
    problem: Problem,
    method: str,
    options: GeneralisedOptions,
    fixed: Mapping[str, float] | None = None,
) -> GeneralisedEstimate:
    """Maximise the marginal likelihood, or with a penalty the marginal posterior.

    Args:
        problem: the model.
        method: its name, for messages.
        options: how.
        fixed: family parameters that are held at a value.

    Raises:
        ModelError: the family has no closed form, or quadrature cannot be had for this model.
    """
    arrays = point_arrays(problem, method)
    return _estimate(problem, arrays, method, options, _held(problem, fixed))


def restore_generalised(
    problem: Problem,
    method: str,
    stored: StoredEstimate,
    options: GeneralisedOptions,
    fixed: Mapping[str, float] | None = None,
) -> GeneralisedEstimate:
    """Return a stored estimate; arguments as in ``estimate_generalised``. Nothing is computed again.

    Raises:
        ModelError: the model is not one of this method.
        ValueError: the estimate does not belong to the model.
    """
    stored.check_method(method)
    arrays = point_arrays(problem, method)
    response = _response(problem, arrays, method, _held(problem, fixed))
    fit = fit_from_stored(stored, response, arrays.blocks, *arrays.X.shape)
    if fit.quadrature_points != options.quadrature_points:
        raise ValueError(
            f"the estimate is of {fit.quadrature_points} quadrature points, not {options.quadrature_points}"
        )
    estimate = GeneralisedEstimate(problem, arrays, method, fit, response, options)
    if not np.allclose(estimate.eta, fit.eta, rtol=SAME, atol=SAME * _largest_addend(estimate)):
        raise ValueError("the coefficients and group effects are not those of the linear predictor")
    return estimate


def _largest_addend(estimate: GeneralisedEstimate) -> float:
    """Return the size of what is added up to the linear predictor, whose rounding errors are in the sum."""
    X = estimate.arrays.X[:, estimate.kept]
    return float(np.max(np.abs(X) @ np.abs(estimate.beta), initial=1.0))


def _held(problem: Problem, fixed: Mapping[str, float] | None) -> dict[str, float]:
    """Return the family parameters that are not estimated, with their values."""
    known = {} if problem.design.schema.estimates_sigma else {"sigma": 0.0}
    of_formula = {p.name: p.unpredicted for p in problem.likelihood.dpars[1:] if p.unpredicted is not None}
    return {**(fixed or {}), **known, **of_formula}


def _estimate(
    problem: Problem, arrays: PointArrays, method: str, options: GeneralisedOptions, fixed: Mapping[str, float]
) -> GeneralisedEstimate:
    response = _response(problem, arrays, method, fixed)
    fit = fit_generalised_mixed(
        response,
        arrays.X,
        arrays.blocks,
        offset=arrays.offset,
        weights=None if response.precisions is not None else arrays.weights,
        quadrature_points=options.quadrature_points,
        curvature=options.curvature,
        penalty=options.penalty,
        support=options.support,
        names=arrays.coefs,
    )
    return GeneralisedEstimate(problem, arrays, method, fit, response, options)


def _response(problem: Problem, arrays: PointArrays, method: str, fixed: Mapping[str, float]) -> FamilyResponse:
    data, weights = problem.design.response.arrays, arrays.weights
    if weights is None or not weights_are_precisions(method, problem.likelihood):
        return FamilyResponse(problem.likelihood, data, fixed)
    check_precisions(weights, "se" in data)
    return FamilyResponse(problem.likelihood, data, fixed, weights)


@final
@dataclass(frozen=True)
class GeneralisedEstimate(AbstractMixedEstimate):
    """A generalised linear mixed model by Laplace's approximation or quadrature.

    Attributes:
        response: the family with its data.
        options: how.
    """

    response: FamilyResponse
    options: GeneralisedOptions

    kept = delegated("fit")
    beta = delegated("fit")
    vcov = delegated("fit")
    vcov_root = delegated("fit")
    unbounded = delegated("fit")
    runaway = delegated("fit")

    @property
    def at_bounds(self) -> frozenset[str]:
        """Names of the parameters that lie at a bound of their priors."""
        return self.fit.convergence.at_bounds

    @property
    def held(self) -> np.ndarray:
        """Combinations of the coefficients that lie at a bound."""
        support = self.options.support
        return np.zeros((0, len(self.beta))) if support is None else support.held(self.at_bounds)

    @cached_property
    def auxiliary(self) -> Mapping[str, float]:
        """The family parameters that were estimated or held at a value."""
        natural = self.response.natural(self.fit.psi)
        known = self.problem.design.schema.estimates_sigma
        return {name: value for name, value in natural.items() if known or name != "sigma"}

    @property
    def powers(self) -> np.ndarray | None:
        """``(rows,)`` powers of the densities, or None; precisions are with the response."""
        return None if self.response.precisions is not None else self.arrays.weights

    @property
    def approximation(self) -> Approximation | None:
        """How; None without group effects, and of a linear mixed model, where Laplace's approximation is exact."""
        if not self.arrays.blocks or is_linear(self.problem):
            return None
        return Approximation(self.options.quadrature_points, self.options.curvature)

    @property
    def log_prior(self) -> float | None:
        """Log density of the prior at the mode."""
        return None if self.options.penalty is None else -0.5 * self.fit.penalty

    def profile(self) -> GeneralisedProfile:
        """Return what profiles the likelihood."""
        return GeneralisedProfile(
            self.fit, self.response, self.arrays, self.powers, self.options.quadrature_points, self.options.curvature
        )

    def refit_columns(self, X: np.ndarray, blocks: Sequence[AbstractBlock]) -> Submodel:
        """Fit the response to other columns by maximum likelihood."""
        found = fit_generalised_mixed(
            self.response,
            X,
            blocks,
            offset=self.arrays.offset,
            weights=self.powers,
            quadrature_points=self.options.quadrature_points if blocks else 1,
            curvature=self.options.curvature,
        )
        factors = tuple(group.factor for group in found.groups)
        return Submodel(found.log_likelihood, found.df, factors, self.response.natural(found.psi), found.beta)

    @cached_property
    def row_information(self) -> np.ndarray:
        """Minus the second derivatives, times the weights."""
        natural = self.response.natural(self.fit.psi)
        curve = self.problem.likelihood.curvature(self.fit.eta, self.problem.design.response.arrays, natural, order=2)
        assert curve.d2 is not None
        return -curve.d2 if self.arrays.weights is None else -curve.d2 * self.arrays.weights

    def hyper_covariance(self) -> HyperCovariance:
        """Return the covariance of (theta, psi), and with the coefficients."""
        return self.covariance_of(np.concatenate([self.fit.theta, self.fit.psi]), self.response.auxiliary)

    def with_response(self, problem: Problem) -> GeneralisedEstimate:
        """Fit the same model to another response."""
        return _estimate(problem, self.arrays, self.method, self.options, self.response.fixed)
