"""Minus twice the log prior of a model as a function of (theta, beta, psi), for the posterior mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml import names
from bayesml.distributions import LKJ, Distribution
from bayesml.engines.base import Problem
from bayesml.engines.generalised_mixed import PenaltyValue
from bayesml.engines.point.arrays import point_arrays
from bayesml.engines.point.support import Intervals, PriorSupport
from bayesml.errors import ModelError
from bayesml.keys import MU
from bayesml.linalg import ThetaLayout, orthogonalise
from bayesml.links import Link, get_link
from bayesml.spec import ParameterSpec
from bayesml.terms import AbstractEffects

__all__ = ["CoefficientPriors", "GroupPrior", "LogPriorPenalty", "held_parameters", "log_prior_penalty"]

SMALLEST = 1e-150


def held_parameters(problem: Problem) -> dict[str, float]:
    """Return the family parameters that ``constant()`` priors hold at a value.

    Raises:
        ModelError: a constant prior on something else.
    """
    held = {}
    own = {p.name for p in problem.likelihood.dpars}
    for parameter in problem.description.spec.parameters:
        for label, prior in zip(parameter.labels, parameter.priors, strict=False):
            if not prior.is_constant:
                continue
            if parameter.name not in own:
                what = f"{parameter.prior_class} {label}".strip()
                raise ModelError(f'method="map" cannot hold `{what}` at a value ({prior}); use method="nuts".')
            held[parameter.name] = float(prior.location)
    return held


def log_prior_penalty(problem: Problem, held: frozenset[str] = frozenset()) -> LogPriorPenalty:
    """Return the penalty of the model's priors.

    Args:
        problem: the described model.
        held: family parameters that are not estimated.

    Raises:
        ModelError: coefficients have a joint prior, in which they depend on scales that are estimated too.
    """
    arrays = point_arrays(problem, "map")
    spec = problem.description.spec
    if spec.joint:
        raise ModelError(
            f'method="map" has no form for {spec.joint[0].prior}, in which coefficients depend on scales of its own; '
            'use method="nuts".'
        )
    by_name = {p.name: p for p in spec.parameters}
    layout = ThetaLayout.of([block.blocks for block in arrays.blocks])
    groups = tuple(GroupPrior.of(own, by_name) for own in arrays.effects)
    free = [p for p in problem.likelihood.dpars[1:] if p.name in by_name and p.name not in held]
    families = tuple(_FamilyPrior(p.name, by_name[p.name].priors[0], get_link(p.links[0]), p.bounds[0]) for p in free)
    kept = orthogonalise(arrays.X)[1].kept
    coefficients = _coefficient_priors(problem, kept)

    return LogPriorPenalty(groups, families, coefficients, layout)


@final
@dataclass(frozen=True)
class LogPriorPenalty:
    """The priors of all parameters, as a function of (theta, beta, psi)."""

    groups: tuple[GroupPrior, ...]
    families: tuple[_FamilyPrior, ...]
    coefficients: CoefficientPriors
    layout: ThetaLayout

    def __call__(self, theta: np.ndarray, beta: np.ndarray, psi: np.ndarray) -> PenaltyValue:
        """Return minus twice the log prior and its derivatives."""
        value, slopes = 0.0, []
        for group, factor in zip(self.groups, self.layout.matrices(theta), strict=True):
            own, slope = group.at(factor)
            value += own
            slopes.append(slope)
        of_psi = [each.at(x) for each, x in zip(self.families, psi, strict=True)]
        of_beta, beta_slope = self.coefficients.at(beta)
        total = value + of_beta + sum(v for v, _ in of_psi)
        psi_slope = np.array([s for _, s in of_psi])
        return PenaltyValue(-2.0 * total, -2.0 * self.layout.gather(slopes), -2.0 * beta_slope, -2.0 * psi_slope)

    def support(self) -> PriorSupport | None:
        """Return the bounds of the priors; None where the parameters have no others than their own."""
        own = self.coefficients
        bounds = PriorSupport(
            own.combinations,
            Intervals.of(own.names, own.priors),
            tuple(Intervals.of(group.names, group.sds, lowest=0.0) for group in self.groups),
            Intervals.of(
                [each.name for each in self.families],
                [each.prior for each in self.families],
                [each.lowest for each in self.families],
            ),
            tuple(each.link for each in self.families),
            self.layout,
        )
        return bounds if bounds.any else None


def _eta(cholesky: ParameterSpec) -> float:
    prior = cholesky.priors[0]
    assert isinstance(prior, LKJ)
    return prior.eta


def _at(priors: tuple[Distribution, ...], place: int | None) -> Distribution:
    """Return the prior of one element of a vector, which may have one for all."""
    return priors[place] if place is not None and len(priors) > 1 else priors[0]


@final
@dataclass(frozen=True)
class GroupPrior:
    """Priors of the sds and correlations of one group-level term."""

    names: tuple[str, ...]
    blocks: tuple[slice, ...]
    sds: tuple[Distribution, ...]
    etas: tuple[float, ...]

    @classmethod
    def of(cls, effects: AbstractEffects, by_name: Mapping[str, ParameterSpec]) -> GroupPrior:
        """Return the priors of a block, from the parameters by name."""
        sds = tuple(_at(by_name[name].priors, place) for name, place in effects.standard_deviations)
        etas = tuple(_eta(by_name[cholesky]) if cholesky else 0.0 for cholesky in effects.cholesky)
        return cls(effects.sd_texts, effects.slices, sds, etas)

    def at(self, factor: np.ndarray) -> tuple[float, np.ndarray]:
        """Return sum log p(sd) + log sd + eta log det R, and its derivatives in the entries of Lambda."""
        sd = np.maximum(np.sqrt(np.einsum("ij,ij->i", factor, factor)), SMALLEST)
        value = sum(float(d.log_density(s)) + float(np.log(s)) for d, s in zip(self.sds, sd, strict=True))
        by_sd = np.array([float(d.log_density_derivative(s)) for d, s in zip(self.sds, sd, strict=True)]) + 1.0 / sd
        slope = by_sd[:, None] * factor / sd[:, None]
        for block, eta in zip(self.blocks, self.etas, strict=True):
            if not eta:
                continue
            own = factor[block, block]
            diagonal = np.diagonal(own)
            safe = np.where(np.abs(diagonal) > SMALLEST, diagonal, SMALLEST)
            value += 2.0 * eta * float(np.log(np.abs(safe) / sd[block]).sum())
            slope[block, block] += 2.0 * eta * (np.diag(1.0 / safe) - own / sd[block][:, None] ** 2)
        return value, slope


@final
@dataclass(frozen=True)
class _FamilyPrior:
    """Prior of one family parameter."""

    name: str
    prior: Distribution
    link: Link
    lowest: float

    def at(self, psi: float) -> tuple[float, float]:
        """Return log p(x) + log |dx/dpsi| at x of the unbounded psi, and its derivative in psi."""
        jet = self.link.jet(psi)
        slope = float(self.prior.log_density_derivative(jet.value)) * jet.d1 + jet.d2 / jet.d1
        return float(self.prior.log_density(jet.value)) + float(np.log(np.abs(jet.d1))), float(slope)


@final
@dataclass(frozen=True)
class CoefficientPriors:
    """Priors of linear combinations of the coefficients: ``combinations @ beta`` has the priors."""

    names: tuple[str, ...]
    combinations: np.ndarray
    priors: tuple[Distribution, ...]

    def at(self, beta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return sum log p and its derivatives in beta."""
        x = self.combinations @ beta
        value = sum(float(d.log_density(v)) for d, v in zip(self.priors, x, strict=True))
        slopes = np.array([float(d.log_density_derivative(v)) for d, v in zip(self.priors, x, strict=True)])
        return value, slopes @ self.combinations if len(slopes) else np.zeros(len(beta))


def _coefficient_priors(problem: Problem, kept: np.ndarray) -> CoefficientPriors:
    """Return the priors of the slopes and of the Intercept of centred predictors, over the kept columns."""
    arrays = point_arrays(problem, "map")
    population, texts = arrays.population, arrays.texts
    by_name = {p.name: p for p in problem.description.spec.parameters}
    labels: list[str] = []
    rows: list[np.ndarray] = []
    priors: list[Distribution] = []
    own = {part.variable: by_name[part.variable] for part in arrays.parts if part.variable in by_name}
    first = int(population is not None and population.has_intercept)
    if population is not None and population.has_intercept:
        means = np.append(1.0, population.means)
        rows.append(np.append(means, np.zeros(len(texts) - len(means)))[kept])
        labels.append("Intercept (of centred predictors)")
        priors += by_name[names.intercept_variable(MU)].priors
    if population is not None and population.slopes:
        own = {names.slopes_variable(MU): by_name[names.slopes_variable(MU)], **own}
    identity = np.eye(len(texts))[:, kept]
    for j, prior in enumerate((p for parameter in own.values() for p in parameter.priors), start=first):
        if j in kept:
            rows.append(identity[j])
            labels.append(texts[j])
            priors.append(prior)
    return CoefficientPriors(tuple(labels), np.array(rows).reshape(len(rows), len(kept)), tuple(priors))
