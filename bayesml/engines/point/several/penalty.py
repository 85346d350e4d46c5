"""Minus twice the log prior of a model with several linear predictors, for the posterior mode.

What is in psi has the density of its values where these are coefficients or thresholds, and that of its coordinates
without bounds where they are positive numbers, shares or simplexes: their mode is then never at a bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from bayesml.distributions import Distribution, WholeDistribution
from bayesml.engines.base import Problem
from bayesml.engines.generalised_mixed import PenaltyValue
from bayesml.engines.point.penalty import CoefficientPriors, GroupPrior, held_parameters
from bayesml.engines.point.several.model import SeveralModel
from bayesml.engines.point.several.singles import Singles
from bayesml.engines.point.several.slots import SlotColumns
from bayesml.engines.point.support import Intervals
from bayesml.errors import ModelError
from bayesml.linalg import ThetaLayout, orthogonalise
from bayesml.names import intercept_variable
from bayesml.ordered import ORDERED
from bayesml.priors import Scale
from bayesml.spec import ParameterSpec
from bayesml.terms import AbstractPopulationTerm

__all__ = ["SeveralPenalty", "several_penalty"]

STEP = 1e-5


@final
@dataclass(frozen=True)
class SeveralPenalty:
    """The priors of all parameters, as a function of (theta, beta, psi).

    Attributes:
        groups: those of the blocks.
        coefficients: those of the columns of X.
        singles: the parameters in psi, with theirs.
        layout: places of theta.
    """

    groups: tuple[GroupPrior, ...]
    coefficients: CoefficientPriors
    singles: Singles
    layout: ThetaLayout

    def __call__(self, theta: np.ndarray, beta: np.ndarray, psi: np.ndarray) -> PenaltyValue:
        """Return minus twice the log prior and its derivatives; those in psi by central differences."""
        found = [group.at(factor) for group, factor in zip(self.groups, self.layout.matrices(theta), strict=True)]
        of_beta, beta_slope = self.coefficients.at(beta)
        value = sum(v for v, _ in found) + of_beta + self._of_psi(psi)
        slopes = [self._of_psi(psi + move) - self._of_psi(psi - move) for move in STEP * np.eye(len(psi))]
        psi_slope = np.array(slopes) / (2.0 * STEP)
        theta_slope = self.layout.gather([slope for _, slope in found])
        return PenaltyValue(-2.0 * value, -2.0 * theta_slope, -2.0 * beta_slope, -2.0 * psi_slope)

    def without_groups(self) -> SeveralPenalty:
        """Return the penalty of the model without group-level terms."""
        return replace(self, groups=(), layout=ThetaLayout.of([]))

    def _of_psi(self, psi: np.ndarray) -> float:
        """Return the log density of the parameters in psi."""
        import jax

        total, natural, start = 0.0, self.singles.natural(psi), 0
        u = self.singles.center + self.singles.scale * psi
        for spec in self.singles.specs:
            stop = start + spec.support.size(spec.shape)
            total += _log_density(spec, natural[spec.name])
            if spec.support.bounds != (-np.inf, np.inf) or _is_share(spec):
                with jax.enable_x64(True):
                    total += float(spec.support.constrain(np.asarray(u[start:stop]), spec.shape)[1])
            start = stop
        return total


def _is_share(spec: ParameterSpec) -> bool:
    """Whether the elements determine each other, so that there are fewer coordinates than elements."""
    return spec.support.size(spec.shape) < int(np.prod(spec.shape, dtype=int))


def _log_density(spec: ParameterSpec, value: np.ndarray) -> float:
    first = spec.priors[0]
    if isinstance(first, WholeDistribution):
        return float(first.whole_log_density(value))
    values = np.ravel(value)
    priors = spec.priors if len(spec.priors) == len(values) else spec.priors * len(values)
    return sum(float(prior.log_density(v)) for prior, v in zip(priors, values, strict=True))


def several_penalty(problem: Problem, model: SeveralModel) -> SeveralPenalty:
    """Return the penalty of the model's priors.

    Raises:
        ModelError: coefficients have a joint prior, or a prior ends where the parameter itself does not.
    """
    held_parameters(problem)
    spec = problem.description.spec
    joint = [each for each in spec.joint if each.prior.parameters(each.target)]
    if joint:
        raise ModelError(
            f'method="map" has no form for {joint[0].prior}, in which coefficients depend on scales of its own; '
            'use method="nuts".'
        )
    by_name = {p.name: p for p in spec.parameters}
    groups = tuple(GroupPrior.of(own, by_name) for own in model.arrays.effects)
    coefficients = _coefficient_priors(model, by_name)
    _refuse_bounds(groups, coefficients)
    layout = ThetaLayout.of([block.blocks for block in model.arrays.blocks])
    return SeveralPenalty(groups, coefficients, model.response.singles, layout)


def _coefficient_priors(model: SeveralModel, by_name: dict[str, ParameterSpec]) -> CoefficientPriors:
    """Return the priors of the coefficients of all columns, and of the Intercepts of centred predictors."""
    kept, texts = orthogonalise(model.arrays.X)[1].kept, model.arrays.texts
    identity, start = np.eye(len(texts)), 0
    labels, rows, priors = [], [], []
    for part in model.response.slots.columns():
        own = _priors_of(part, by_name)
        for k, prior in enumerate(own):
            row = identity[start + k]
            is_intercept = isinstance(part.term, AbstractPopulationTerm) and part.term.has_intercept and k == 0
            if is_intercept:
                assert isinstance(part.term, AbstractPopulationTerm)
                row = row.copy()
                row[start + 1 : start + 1 + len(part.term.means)] = part.term.means
            if start + k in kept:
                labels.append(f"{texts[start + k]} (of centred predictors)" if is_intercept else texts[start + k])
                rows.append(row[kept])
                priors.append(prior)
        start += len(part.part.labels)
    return CoefficientPriors(tuple(labels), np.array(rows).reshape(len(rows), len(kept)), tuple(priors))


def _priors_of(part: SlotColumns, by_name: dict[str, ParameterSpec]) -> list[Distribution]:
    """Return the prior of each column's coefficient."""
    found: list[Distribution] = []
    vector: Any = by_name.get(ORDERED)
    for parameter in part.term.parameters(Scale(0.0, 1.0, 1.0)):
        spec = by_name.get(parameter.name)
        if spec is not None and parameter.prior_class in ("b", "Intercept"):
            found += spec.priors
        elif parameter.name == intercept_variable(part.term.predictor) and vector is not None:
            found.append(vector.priors[vector.coefs.index(part.term.predictor.dpar)])
    return found


def _refuse_bounds(groups: tuple[GroupPrior, ...], coefficients: CoefficientPriors) -> None:
    bounds = [Intervals.of(coefficients.names, coefficients.priors)]
    bounds += [Intervals.of(group.names, group.sds, lowest=0.0) for group in groups]
    for each in bounds:
        if each.any:
            name = each.names[int(np.argmax(np.isfinite(each.lower) | np.isfinite(each.upper)))]
            raise ModelError(
                f'method="map" takes priors with bounds where mu alone has a formula; that of `{name}` has one. Use '
                'a prior without bounds, or method="nuts".'
            )
