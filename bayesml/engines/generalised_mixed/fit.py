"""The one entry: arrays in, a frozen result out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from bayesml.engines.generalised_mixed.estimates import build_result
from bayesml.engines.generalised_mixed.optimum import optimise
from bayesml.engines.generalised_mixed.outer import Criterion
from bayesml.engines.generalised_mixed.problem import Curvature, Parameters, Penalty, Problem, build_problem
from bayesml.engines.generalised_mixed.response import ResponseModel
from bayesml.engines.generalised_mixed.result import GeneralisedMixedFit
from bayesml.engines.generalised_mixed.start import starting_point
from bayesml.engines.generalised_mixed.support import Support
from bayesml.errors import ModelError
from bayesml.linalg import AbstractBlock

__all__ = ["fit_generalised_mixed"]

MOST_NODES = 20_000
MOST_QUADRATURE_COEFFICIENTS = 3


def fit_generalised_mixed(
    response: ResponseModel,
    X: np.ndarray,
    groups: Sequence[AbstractBlock] = (),
    *,
    offset: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    quadrature_points: int = 1,
    curvature: Curvature = "observed",
    penalty: Penalty | None = None,
    support: Support | None = None,
    names: Sequence[str] | None = None,
    start: Callable[[Problem], Parameters] = starting_point,
) -> GeneralisedMixedFit:
    """Maximise the marginal likelihood of a generalised linear mixed model.

    ``y_i ~ f(eta_i, psi)``, ``eta = offset + X beta + Z b``, ``b ~ N(0, Lambda Lambda')``. The group
    effects are integrated out by Laplace's approximation, or by adaptive Gauss-Hermite quadrature. The
    search is quasi-Newton on the exact gradient in ``(theta, beta, psi)`` at once; standard errors come from the
    Hessian of the same criterion.

    Args:
        response: the response distribution with its data.
        X: ``(n, p)`` columns of the population coefficients; linearly dependent ones are dropped.
        groups: blocks of random effects: grouping factors, crossed or nested, and dense blocks; or none.
        offset: ``(n,)`` added to eta.
        weights: ``(n,)`` nonnegative powers of the densities.
        quadrature_points: points per coefficient, 1 is Laplace; more need a single grouping factor with at most
            three coefficients.
        curvature: ``"observed"`` is Laplace's approximation; ``"fisher"`` takes the expected information in the
            determinant instead, which is what lme4 does where the link is not canonical.
        penalty: minus twice a log prior of ``(theta, beta, psi)``: then the result is the mode of the posterior.
        support: the bounds beyond which the prior is zero, where there are any.
        names: labels of the columns of X for messages.
        start: finds where the search starts.

    Raises:
        DataError: arrays do not fit together or are not finite.
        ModelError: quadrature is requested where it cannot be had, or the likelihood is not finite at the start.

    Example:
        >>> from bayesml.engines.generalised_mixed.family_response import FamilyResponse
        >>> from bayesml.families import poisson
        >>> y, level = np.array([1.0, 0, 2, 5, 7, 4, 1, 2, 1]), np.repeat([0, 1, 2], 3)
        >>> group = GroupBlock("g", level, 3, np.ones((9, 1)), (1,))
        >>> fit = fit_generalised_mixed(FamilyResponse(poisson(), {"y": y}), np.ones((9, 1)), [group])
        >>> fit.beta.round(3), fit.groups[0].sd.round(3)
        (array([0.709]), array([0.678]))
    """
    _check_quadrature(groups, quadrature_points, curvature)
    X = np.asarray(X, dtype=float)
    with np.errstate(all="ignore"):
        problem = build_problem(response, X, groups, offset, weights, curvature)
        criterion = Criterion(problem, quadrature_points, penalty, support)
        optimum = optimise(criterion, start)
        labels = tuple(names) if names is not None else tuple(f"x{j + 1}" for j in range(X.shape[1]))
        return build_result(criterion, optimum, X, labels)


def _check_quadrature(groups: Sequence[AbstractBlock], points: int, curvature: Curvature) -> None:
    if curvature not in ("observed", "fisher"):
        raise ModelError(f'`curvature` is "observed" or "fisher", got {curvature!r}')
    if points < 1 or points != int(points):
        raise ModelError(f"`quadrature_points` is a whole number from 1 (Laplace) upwards, got {points!r}")
    if points == 1:
        return
    if curvature != "observed":
        raise ModelError('quadrature is centred with the observed curvature: leave out `curvature="fisher"`')
    if len(groups) != 1 or not groups[0].is_factor:
        names = ", ".join(f"`{group.name}`" for group in groups) or "none"
        raise ModelError(
            f"quadrature with {points} points needs exactly one grouping factor, the model has {names}; "
            "use quadrature_points=1 (Laplace)"
        )
    q = groups[0].q
    if q > MOST_QUADRATURE_COEFFICIENTS or points**q > MOST_NODES:
        raise ModelError(
            f"quadrature with {points} points over the {q} coefficients of `{groups[0].name}` needs {points**q} nodes "
            f"per level; use fewer points (at most {MOST_NODES} nodes and {MOST_QUADRATURE_COEFFICIENTS} coefficients)"
        )
