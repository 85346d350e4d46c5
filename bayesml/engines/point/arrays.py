"""A problem as the arrays that the point-estimate numerics take, after checking that they can take it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.engines.base import Problem
from bayesml.errors import ModelError
from bayesml.keys import MU
from bayesml.linalg import AbstractBlock
from bayesml.names import predictor_name
from bayesml.terms import (
    AbstractEffects,
    AbstractGroupTerm,
    AbstractPopulationTerm,
    AbstractTerm,
    EffectBlock,
    SlopeColumns,
    blocks_of,
    group_terms,
    known_addend,
    population_term,
)

__all__ = [
    "PointArrays",
    "has_one_predictor",
    "point_arrays",
    "refuse_dependent_rows",
    "refuse_priors",
    "refuse_several_responses",
    "slope_matrix",
]


@final
@dataclass(frozen=True)
class PointArrays:
    """The one linear predictor of a model.

    Attributes:
        population: the population-level term, or None.
        terms: the group-level terms in the order of the formula, each with the columns of its block.
        parts: the columns of each term that has any, in the order of ``X``, the population-level ones first.
        X: ``(rows, coefs)`` all columns whose coefficients have no distribution, possibly none.
        effects: what the blocks are; those of the group-level terms come first, in their order.
        blocks: the blocks as the numerics take them.
        offset: ``(rows,)``, or None.
        weights: ``(rows,)``, or None.
    """

    population: AbstractPopulationTerm | None
    terms: tuple[AbstractGroupTerm, ...]
    parts: tuple[SlopeColumns, ...]
    X: np.ndarray
    effects: tuple[AbstractEffects, ...]
    blocks: tuple[AbstractBlock, ...]
    offset: np.ndarray | None
    weights: np.ndarray | None

    @property
    def coefs(self) -> tuple[str, ...]:
        """Labels of the columns of ``X``."""
        return tuple(label for part in self.parts for label in part.labels)

    @property
    def texts(self) -> tuple[str, ...]:
        """Text names of the coefficients."""
        return tuple(text for part in self.parts for text in part.texts)

    @property
    def further(self) -> np.ndarray:
        """The columns of ``X`` that no population-level term has: those of smooths without a penalty."""
        return self.X[:, len(self.population.coefs) if self.population else 0 :]

    @property
    def smooths(self) -> tuple[EffectBlock, ...]:
        """The blocks that every row touches."""
        return tuple(own for own in self.effects[len(self.terms) :] if isinstance(own, EffectBlock))

    def by_variable(self, coefficients: np.ndarray) -> dict[str, np.ndarray]:
        """Return the reported variables of the coefficients of all columns, ``(..., coefs)``."""
        found, place = {}, 0
        for part in self.parts:
            own = coefficients[..., place : place + len(part.labels)]
            found[part.variable] = own if part.width == 1 else own.reshape(*own.shape[:-1], -1, part.width)
            place += len(part.labels)
        return found


def has_one_predictor(problem: Problem) -> bool:
    """Whether the linear predictor of mu is all that has a formula, and every other parameter is one number."""
    (first, *others) = problem.design.schema.predictors
    plain = first.key.is_mu and not others and all(term.is_linear for term in first.terms)
    return plain and not problem.likelihood.parameters


def point_arrays(problem: Problem, method: str) -> PointArrays:
    """Return the arrays of a model with one linear predictor.

    Raises:
        ModelError: a parameter other than ``mu`` has a formula, or a term is not linear in coefficients.
    """
    predictors = problem.design.schema.predictors
    others = [predictor_name(p.key) for p in predictors if not p.key.is_mu]
    if others:
        listed, verb = " and ".join(f"`{other}`" for other in others), "has" if len(others) == 1 else "have"
        raise ModelError(
            f'method="{method}" estimates one linear predictor, but {listed} {verb} a formula too. Use '
            'method="laplace" or method="nuts".'
        )
    taken = dict(problem.likelihood.further)
    computed = [p.name for p in problem.likelihood.parameters if p.name not in taken]
    if computed:
        raise ModelError(
            f'method="{method}" has no form for {", ".join(f"`{name}`" for name in computed)} of the family '
            f'{problem.likelihood.family.name}; use method="nuts".'
        )
    foreign = [t.obstacle for t in predictors[0].terms if not t.is_linear]
    if foreign:
        raise ModelError(f'method="{method}" has no form for {", ".join(foreign)}; use method="laplace" or "nuts".')
    return _collected(problem)


def _collected(problem: Problem) -> PointArrays:
    design = problem.design
    arrays, terms = design.arrays[MU], design.schema.predictors[0].terms
    blocks = blocks_of(terms)
    return PointArrays(
        population_term(terms),
        tuple(group.eliminated for group in group_terms(terms)),
        tuple(part for term in terms if (part := term.slope_columns())),
        slope_matrix(terms, arrays, design.n_rows),
        tuple(block for _, block in blocks),
        tuple(block.design(arrays[term.key]) for term, block in blocks),
        known_addend(terms, arrays),
        design.weights,
    )


def slope_matrix(
    terms: Iterable[AbstractTerm], arrays: Mapping[str, Mapping[str, np.ndarray]], rows: int
) -> np.ndarray:
    """Return the columns ``(rows, coefs)`` whose coefficients have no distribution.

    Args:
        terms: the terms of one predictor.
        arrays: their arrays by key.
        rows: number of rows.
    """
    own = [arrays[term.key][part.array] for term in terms if (part := term.slope_columns())]
    return np.concatenate([np.zeros((rows, 0)), *own], axis=1) if len(own) != 1 else own[0]


def refuse_priors(problem: Problem, method: str) -> None:
    """Raise a ModelError where the user has set priors, which a likelihood does not look at."""
    given = [row for row in problem.description.priors.rows if row.source == "user"]
    if given:
        what = ", ".join(f"{row.distribution} on {row.prior_class} {row.coef}".rstrip() for row in given)
        raise ModelError(
            f'method="{method}" maximises the likelihood and knows no priors; got {what}. Use method="map", which adds '
            'the priors to the marginal likelihood, or method="nuts".'
        )


def refuse_dependent_rows(problem: Problem, method: str) -> None:
    """Refuse responses that depend on each other given the linear predictor."""
    if not problem.rows_commute:
        raise ModelError(
            f'method="{method}" takes the responses as independent given effects and parameters, and this model has a '
            'residual term such as ar(). Use method="nuts".'
        )


def refuse_several_responses(problem: Problem, method: str) -> None:
    """Raise a ModelError where there are several responses."""
    names = [f"`{response.name}`" for response in problem.design.responses]
    if len(names) > 1:
        raise ModelError(
            f'method="{method}" is for models of one response; this one has {", ".join(names)}. Use method="nuts", or '
            "fit one model for each response."
        )
