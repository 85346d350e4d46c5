"""REML and maximum likelihood of linear mixed models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np

from bayesml.delegation import delegated
from bayesml.engines.base import Problem
from bayesml.engines.linear_mixed import (
    Convergence,
    LinearMixedFit,
    LinearMixedProblem,
    fit_at,
    fit_linear_mixed,
    prepare,
    refit,
)
from bayesml.engines.linear_mixed.criterion import JointCriterion
from bayesml.engines.linear_mixed.fitting import finite_difference_hessian
from bayesml.engines.point.answers import LinearProfile, LinearTests, NormalRows
from bayesml.engines.point.arrays import PointArrays, point_arrays
from bayesml.engines.point.estimate import AbstractEstimate
from bayesml.engines.point.hyper import HyperCovariance, pseudo_inverse
from bayesml.engines.point.linear_submodel import least_squares, refit_columns
from bayesml.engines.point.submodel import Submodel
from bayesml.engines.weighting import check_precisions
from bayesml.errors import ModelError
from bayesml.keys import PredictorKey
from bayesml.linalg import AbstractBlock, ThetaLayout
from bayesml.posterior import StoredEstimate

__all__ = ["LinearEstimate", "estimate_linear", "is_linear", "restore_linear", "transformed_response"]

SAME = 1e-6  # relative difference of log-likelihoods that rounding on another machine may make


def is_linear(problem: Problem) -> bool:
    """Whether the response, or its logarithm, is normal around the linear predictor with sd sigma or known ones."""
    is_identity = problem.likelihood.link("mu").name == "identity"
    return problem.likelihood.traits.normal and is_identity and not _adds_sigma(problem)


def _adds_sigma(problem: Problem) -> bool:
    return "se" in problem.design.response.arrays and problem.design.schema.estimates_sigma


def transformed_response(problem: Problem) -> np.ndarray:
    """Return y, or log y for a lognormal response."""
    y = np.asarray(problem.design.response.arrays["y"], dtype=float)
    return np.log(y) if problem.likelihood.traits.response_on_log_scale else y


def estimate_linear(problem: Problem, method: str, reml: bool) -> LinearEstimate:
    """Fit a linear mixed model.

    Raises:
        ModelError: the model is not one, or its variances cannot be distinguished.
    """
    arrays, prepared, sigma = _prepared(problem, method)
    return LinearEstimate(problem, arrays, method, fit_linear_mixed(prepared, reml, sigma))


def _prepared(problem: Problem, method: str) -> tuple[PointArrays, LinearMixedProblem, float | None]:
    """Return the arrays of the model, as they are and as the numerics take them, and the known residual sd."""
    _check_family(problem, method)
    arrays = point_arrays(problem, method)
    weights, sigma = _weights(problem, arrays)
    _check_groups(arrays, method, sigma)
    y = transformed_response(problem)
    return arrays, prepare(arrays.blocks, arrays.X, y, weights, arrays.offset, sigma is not None), sigma


def restore_linear(problem: Problem, method: str, stored: StoredEstimate) -> LinearEstimate:
    """Return a stored estimate; the factorisation at the estimate is computed again, nothing is minimised.

    Raises:
        ModelError: the model is not one of this method.
        ValueError: the estimate does not belong to the model.
    """
    stored.check_method(method)
    arrays, prepared, sigma = _prepared(problem, method)
    search = Convergence(
        stored.whole("evaluations"),
        stored.whole("gradients"),
        stored.number("decrement"),
        stored.flag("converged"),
        stored.whole("restarts"),
        (),
    )
    at = stored.array("coordinates", (prepared.layout.size,))
    estimate = LinearEstimate(problem, arrays, method, fit_at(prepared, stored.flag("reml"), sigma, at, search))
    known = stored.number("log_likelihood")
    if not abs(estimate.log_likelihood - known) <= SAME * max(abs(known), 1.0):
        raise ValueError(f"the log-likelihood is {estimate.log_likelihood:.10g} here, not {known:.10g}")
    return estimate


def _check_family(problem: Problem, method: str) -> None:
    family, link = problem.family.name, problem.likelihood.link("mu").name
    if problem.design.schema.predictor(PredictorKey(dpar="sigma")) is not None:
        raise ModelError(
            f'method="{method}" takes one residual sd, but `sigma` has a formula. '
            'Use method="laplace" or method="nuts".'
        )
    if problem.likelihood.traits.normal and link == "identity":
        if _adds_sigma(problem):
            raise ModelError(
                f'method="{method}" cannot estimate `sigma` beside known standard errors (`se(..., sigma=True)`). Use '
                'method="laplace", which is maximum likelihood here, or method="nuts".'
            )
        return
    raise ModelError(
        f'method="{method}" is for gaussian and lognormal models with the identity link; this one is {family} with the '
        f'link {link}. Use method="laplace" (maximum likelihood with Laplace\'s approximation) or method="nuts".'
    )


def _weights(problem: Problem, arrays: PointArrays) -> tuple[np.ndarray | None, float | None]:
    """Return precision weights and the known residual sd."""
    se = problem.design.response.arrays.get("se")
    if se is None:
        return arrays.weights, None
    if arrays.weights is not None:
        check_precisions(arrays.weights, has_known_errors=True)
    if np.any(se <= 0):
        raise ModelError("A standard error in `se()` is 0: such a row alone would decide the fit. Leave it out.")
    return 1.0 / np.asarray(se, dtype=float) ** 2, 1.0


def _check_groups(arrays: PointArrays, method: str, sigma: float | None) -> None:
    if not arrays.blocks:
        raise ModelError(
            f'method="{method}" is for models with group-level effects or smooths; write for example `(1 | g)` or '
            '`s(x)`, or use method="laplace", which without them is ordinary maximum likelihood.'
        )
    rows = len(arrays.X)
    for block in arrays.blocks[: len(arrays.terms)] if sigma is None else ():
        effects = block.n_levels * max(block.blocks)
        if effects >= rows:
            raise ModelError(
                f"Number of observations ({rows}) <= number of group effects ({effects}: {block.n_levels} levels x "
                f"{max(block.blocks)} correlated coefficients) of `{block.name}`: its variances and the residual "
                "variance cannot be told apart. Leave out a coefficient, use a coarser factor, or use "
                'method="map", whose priors tell them apart.'
            )


@final
@dataclass(frozen=True)
class LinearEstimate(AbstractEstimate):
    """A linear mixed model by REML or maximum likelihood.

    Attributes:
        fit: what the numerics found.
    """

    fit: LinearMixedFit

    kept = delegated("fit")
    beta = delegated("fit")
    vcov = delegated("fit")
    vcov_root = delegated("fit")
    leverages = delegated("fit")

    @property
    def unbounded(self) -> np.ndarray:
        """None: a normal likelihood has a maximum in the coefficients."""
        return np.zeros((len(self.fit.kept), 0))

    @cached_property
    def factors(self) -> tuple[np.ndarray, ...]:
        """Lambda of each term."""
        return tuple(self.fit.sigma * group.relative_factor for group in self.fit.groups)

    @property
    def effects(self) -> tuple[np.ndarray, ...]:
        """Conditional modes."""
        return self.fit.conditional_modes

    @property
    def variances(self) -> tuple[np.ndarray, ...]:
        """Conditional covariances."""
        return self.fit.conditional_variances

    @property
    def auxiliary(self) -> Mapping[str, float]:
        """``sigma``, where it was estimated."""
        return {"sigma": self.fit.sigma} if self.fit.fixed_sigma is None else {}

    @cached_property
    def log_likelihood(self) -> float:
        """Log-likelihood of y: for a lognormal response that of log y minus the sum of log y."""
        return self.fit.log_likelihood - self._jacobian

    @property
    def _jacobian(self) -> float:
        """Sum of log y where log y was fitted, else 0."""
        return float(self.fit.problem.y.sum()) if self.problem.likelihood.traits.response_on_log_scale else 0.0

    @property
    def n_parameters(self) -> int:
        """Coefficients, theta and sigma."""
        return self.fit.parameters

    @property
    def singular(self) -> tuple[str, ...]:
        """Directions without variance; a curve without it is the one without a penalty."""
        curves = {own.name for own in self.arrays.smooths}
        return tuple(d.description for d in self.fit.convergence.singular if d.group not in curves)

    @property
    def messages(self) -> tuple[str, ...]:
        """A search that ended early."""
        convergence = self.fit.convergence
        if convergence.converged:
            return ()
        return (
            f"the search ended with a Newton decrement of {convergence.decrement:.2g} instead of less than 0.001; "
            "rescale the predictors or simplify the group terms",
        )

    @property
    def row_information(self) -> np.ndarray:
        """Weights over sigma^2."""
        weights = self.fit.problem.weights
        return np.broadcast_to(1.0 if weights is None else weights, len(self.arrays.X)) / self.fit.sigma**2

    @property
    def is_reml(self) -> bool:
        """Whether the REML criterion was minimised."""
        return self.fit.reml

    @cached_property
    def t_tests(self) -> LinearTests | None:
        """Satterthwaite's tests, and Kenward and Roger's, where sigma was estimated."""
        return LinearTests(self.fit) if self.fit.fixed_sigma is None else None

    @property
    def normal_rows(self) -> NormalRows:
        """Residuals of the response, or of its logarithm."""
        return NormalRows(self.fit.residuals, self.fit.problem.weights, self.fit.sigma)

    def profile(self) -> LinearProfile:
        """Return what profiles the likelihood."""
        return LinearProfile.of(self.fit)

    def by_maximum_likelihood(self) -> LinearEstimate:
        """Return a REML estimate refitted by maximum likelihood."""
        if not self.fit.reml:
            return self
        return replace(self, fit=fit_linear_mixed(self.fit.problem, False, self.fit.fixed_sigma), method="ml")

    def refit_columns(self, X: np.ndarray, blocks: Sequence[AbstractBlock]) -> Submodel:
        """Fit the response to other columns by the same criterion."""
        if not blocks:
            return least_squares(self.fit, X, self._jacobian)
        found = replace(self, fit=refit_columns(self.fit, X, blocks))
        return Submodel(found.log_likelihood, found.n_parameters, found.factors, dict(found.auxiliary), found.beta)

    def hyper_covariance(self) -> HyperCovariance:
        """Return the covariance of (theta, log sigma), 2 H^-1, uncorrelated with the coefficients."""
        fit, layout = self.fit, self.fit.problem.layout
        known = fit.fixed_sigma is not None
        internal = fit.point.x[: layout.size]
        center = np.append(internal, np.log(fit.sigma))
        hessian = finite_difference_hessian(JointCriterion(fit.problem, fit.reml, fit.penalty), center)
        free = np.append(layout_free(layout, internal), not known)

        def natural(values: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
            relative = layout.matrices(fit.problem.from_internal @ values[:-1])
            factors = tuple(np.exp(values[-1]) * factor for factor in relative)
            return factors, values[-1:] if not known else values[:0]

        across = np.zeros((len(center), len(self.beta)))
        names = () if known else ("sigma",)
        return HyperCovariance(center, 2.0 * pseudo_inverse(hessian, free), across, free, natural, names)

    def stored(self) -> StoredEstimate:
        """Return where the search ended; all else follows from the data."""
        fit, search = self.fit, self.fit.convergence
        facts = {
            "method": self.method,
            "reml": bool(fit.reml),
            "log_likelihood": float(self.log_likelihood),
            "evaluations": int(search.evaluations),
            "gradients": int(search.gradients),
            "decrement": float(search.decrement),
            "converged": bool(search.converged),
            "restarts": int(search.restarts),
        }
        return StoredEstimate({"coordinates": fit.point.x}, facts)

    def with_response(self, problem: Problem) -> LinearEstimate:
        """Refit; only the column of y is formed anew."""
        return LinearEstimate(problem, self.arrays, self.method, refit(self.fit, transformed_response(problem)))

    def for_exact_responses(self, problem: Problem, least: float) -> LinearEstimate:
        """Return an estimate to refit from whose residual sd is known, where that of the response is below ``least``.

        A response that the model fits without error has no estimate of the residual sd.
        """
        try:
            found = self.with_response(problem)
        except ModelError:
            return self._with_sigma(problem, least)
        return found if found.fit.sigma > least else self._with_sigma(problem, least)

    def _with_sigma(self, problem: Problem, sigma: float) -> LinearEstimate:
        own = self.fit.problem.with_response(transformed_response(problem))
        return LinearEstimate(problem, self.arrays, self.method, fit_linear_mixed(own, self.fit.reml, sigma))


def layout_free(layout: ThetaLayout, theta: np.ndarray) -> np.ndarray:
    """Return which entries of theta are free: those in a column of Lambda whose diagonal is not zero."""
    places = zip(layout.group, layout.column, theta, layout.is_diagonal, strict=True)
    alive = {(g, c) for g, c, value, diagonal in places if diagonal and value != 0.0}
    return np.array([(g, c) in alive for g, c in zip(layout.group, layout.column, strict=True)], dtype=bool)
