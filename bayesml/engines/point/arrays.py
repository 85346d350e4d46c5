"""A problem as the arrays that the point-estimate numerics take, after checking that they can take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.engines.base import Problem
from bayesml.errors import ModelError
from bayesml.keys import MU
from bayesml.linalg import GroupBlock
from bayesml.names import predictor_name
from bayesml.terms import AbstractGroupTerm, AbstractPopulationTerm, group_terms, known_addend, population_term

__all__ = ["PointArrays", "point_arrays", "refuse_priors"]


@final
@dataclass(frozen=True)
class PointArrays:
    """The one linear predictor of a model.

    Attributes:
        population: the population-level term, or None.
        terms: the group-level terms in the order of the formula.
        X: ``(rows, coefs)`` population-level columns, possibly none.
        blocks: the group-level terms as the numerics take them.
        offset: ``(rows,)``, or None.
        weights: ``(rows,)``, or None.
    """

    population: AbstractPopulationTerm | None
    terms: tuple[AbstractGroupTerm, ...]
    X: np.ndarray
    blocks: tuple[GroupBlock, ...]
    offset: np.ndarray | None
    weights: np.ndarray | None

    @property
    def coefs(self) -> tuple[str, ...]:
        """Labels of the columns of ``X``."""
        return self.population.coefs if self.population else ()


def point_arrays(problem: Problem, method: str) -> PointArrays:
    """Return the arrays of a model with one linear predictor.

    Raises:
        ModelError: a parameter other than ``mu`` has a formula, or a term has no normally distributed effects.
    """
    predictors = problem.design.schema.predictors
    others = [predictor_name(p.key) for p in predictors if not p.key.is_mu]
    if others:
        listed, verb = " and ".join(f"`{other}`" for other in others), "has" if len(others) == 1 else "have"
        raise ModelError(
            f'method="{method}" estimates one linear predictor, but {listed} {verb} a formula too. Use method="nuts".'
        )
    taken = dict(problem.likelihood.further)
    computed = [p.name for p in problem.likelihood.parameters if p.name not in taken]
    if computed:
        raise ModelError(
            f'method="{method}" has no form for {", ".join(f"`{name}`" for name in computed)} of the family '
            f'{problem.likelihood.family.name}; use method="nuts".'
        )
    foreign = [type(t).__name__.lower() for t in predictors[0].terms if not t.is_linear_gaussian]
    if foreign:
        raise ModelError(f'method="{method}" has no form for {", ".join(foreign)} terms; use method="nuts".')
    return _collected(problem)


def _collected(problem: Problem) -> PointArrays:
    design = problem.design
    arrays, terms = design.arrays[MU], design.schema.predictors[0].terms
    population = population_term(terms)
    groups = group_terms(terms)
    return PointArrays(
        population,
        groups,
        arrays[population.key]["X"] if population else np.zeros((design.n_rows, 0)),
        tuple(_block(group, arrays[group.key]["index"], arrays[group.key]["Z"]) for group in groups),
        known_addend(terms, arrays),
        design.weights,
    )


def _block(group: AbstractGroupTerm, index: np.ndarray, columns: np.ndarray) -> GroupBlock:
    return GroupBlock(group.name, index, len(group.levels), columns, group.blocks, group.coefs)


def refuse_priors(problem: Problem, method: str) -> None:
    """Raise a ModelError where the user has set priors, which a likelihood does not look at."""
    given = [row for row in problem.description.priors.rows if row.source == "user"]
    if given:
        what = ", ".join(f"{row.distribution} on {row.prior_class} {row.coef}".rstrip() for row in given)
        raise ModelError(
            f'method="{method}" maximises the likelihood and knows no priors; got {what}. Use method="map", which adds '
            'the priors to the marginal likelihood, or method="nuts".'
        )
