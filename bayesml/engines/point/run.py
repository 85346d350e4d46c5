"""From a problem to a point estimate: which numerics serve which method."""

from __future__ import annotations

import time
from typing import Literal

from bayesml.engines.base import Outcome, Problem
from bayesml.engines.point.arrays import (
    has_one_predictor,
    refuse_dependent_rows,
    refuse_priors,
    refuse_several_responses,
)
from bayesml.engines.point.estimate import AbstractEstimate
from bayesml.engines.point.generalised import GeneralisedOptions, estimate_generalised, restore_generalised
from bayesml.engines.point.linear import estimate_linear, is_linear, restore_linear
from bayesml.engines.point.penalty import held_parameters, log_prior_penalty
from bayesml.engines.point.several.fitting import estimate_several, restore_several
from bayesml.errors import ModelError
from bayesml.posterior import StoredEstimate, Timing

__all__ = ["restore_laplace", "restore_map", "run_laplace", "run_linear", "run_map"]


def run_linear(problem: Problem, method: str, *, reml: bool) -> Outcome:
    """Maximise the (restricted) likelihood of a linear mixed model."""
    _refuse_unobserved(problem, method)
    refuse_several_responses(problem, method)
    refuse_dependent_rows(problem, method)
    refuse_priors(problem, method)
    _refuse_length_scales(problem, method)
    began = time.perf_counter()
    return _outcome(estimate_linear(problem, method, reml=reml), began)


def run_laplace(
    problem: Problem, method: str, quadrature_points: int, curvature: Literal["observed", "fisher"]
) -> Outcome:
    """Maximise Laplace's approximation of the likelihood, which of a linear mixed model is the likelihood."""
    refuse_dependent_rows(problem, method)
    refuse_priors(problem, method)
    _refuse_unobserved(problem, method)
    _refuse_length_scales(problem, method)
    _refuse_kinks(problem, method)
    began = time.perf_counter()
    if not has_one_predictor(problem):
        _refuse_options(quadrature_points, curvature)
        return _outcome(estimate_several(problem, method, uses_priors=False), began)
    if _is_ml(problem, quadrature_points):
        return _outcome(estimate_linear(problem, method, reml=False), began)
    return _outcome(estimate_generalised(problem, method, GeneralisedOptions(quadrature_points, curvature)), began)


def run_map(problem: Problem, method: str) -> Outcome:
    """Maximise the posterior with the group effects integrated out."""
    _refuse_unobserved(problem, method)
    refuse_dependent_rows(problem, method)
    _refuse_length_scales(problem, method)
    _refuse_kinks(problem, method)
    began = time.perf_counter()
    if not has_one_predictor(problem):
        return _outcome(estimate_several(problem, method, uses_priors=True), began)
    return _outcome(estimate_generalised(problem, method, *_of_prior(problem)), began)


def restore_laplace(
    problem: Problem,
    method: str,
    quadrature_points: int,
    curvature: Literal["observed", "fisher"],
    stored: StoredEstimate,
) -> AbstractEstimate:
    """Return a stored estimate of ``run_laplace``."""
    if not has_one_predictor(problem):
        return restore_several(problem, method, stored, uses_priors=False)
    if _is_ml(problem, quadrature_points):
        return restore_linear(problem, method, stored)
    return restore_generalised(problem, method, stored, GeneralisedOptions(quadrature_points, curvature))


def restore_map(problem: Problem, method: str, stored: StoredEstimate) -> AbstractEstimate:
    """Return a stored estimate of ``run_map``."""
    if not has_one_predictor(problem):
        return restore_several(problem, method, stored, uses_priors=True)
    return restore_generalised(problem, method, stored, *_of_prior(problem))


def _of_prior(problem: Problem) -> tuple[GeneralisedOptions, dict[str, float]]:
    """Return the options of a posterior mode, and the parameters that are held at a value."""
    fixed = held_parameters(problem)
    penalty = log_prior_penalty(problem, frozenset(fixed))
    return GeneralisedOptions(penalty=penalty, support=penalty.support()), fixed


def _refuse_unobserved(problem: Problem, method: str) -> None:
    if any(response.rows is not None for response in problem.design.responses):
        raise ModelError(
            f'method="{method}" has no form for `subset()`, rows of some of several responses. Use '
            'method="nuts", or fit each response alone.'
        )
    terms = [term for p in problem.design.schema.predictors for term in p.terms]
    held = list(dict.fromkeys(term.holds for term in terms if term.holds))
    if held:
        raise ModelError(
            f'method="{method}" cannot estimate {" and ".join(held)}, which are parameters of the model beside all '
            'others. Use method="nuts".'
        )


def _refuse_length_scales(problem: Problem, method: str) -> None:
    terms = [term for p in problem.design.schema.predictors for term in p.terms]
    found = next((t for t in terms if len(t.integrated_blocks()) > len(t.effect_blocks())), None)
    if found is not None:
        raise ModelError(
            f'method="{method}" has no form for `{found.key}`: the covariances of a Gaussian process depend on its '
            'length-scale. Use method="nuts", or write a spline, s(x), in its place.'
        )


def _refuse_kinks(problem: Problem, method: str) -> None:
    if problem.likelihood.traits.kinked:
        raise ModelError(
            f'method="{method}" needs the curvature of the density at its maximum, where that of the family '
            f'{problem.family.name} has a kink; use method="nuts".'
        )


def _refuse_options(quadrature_points: int, curvature: str) -> None:
    if quadrature_points > 1:
        raise ModelError(
            "Quadrature is for models in which mu alone has a formula; leave out `quadrature_points` for Laplace's "
            "approximation."
        )
    if curvature != "observed":
        raise ModelError(
            'The expected information is known where mu alone has a formula; leave out `curvature="fisher"`.'
        )


def _is_ml(problem: Problem, quadrature_points: int) -> bool:
    """Whether Laplace's approximation is exact, so that it is maximum likelihood of a linear mixed model."""
    has_blocks = any(term.effect_blocks() for p in problem.design.schema.predictors for term in p.terms)
    return is_linear(problem) and has_blocks and quadrature_points == 1


def _outcome(estimate: AbstractEstimate, began: float) -> Outcome:
    return Outcome(estimate, Timing(sampling=time.perf_counter() - began), 0)
