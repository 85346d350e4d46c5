"""The forward search: the terms in the order in which they bring the smaller model nearest to the reference model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from bayesml.errors import BayesmlError, ModelError
from bayesml.results.projection.candidates import Candidate
from bayesml.results.projection.reference import Reference, Targets
from bayesml.results.projection.submodel import Submodel, submodel

__all__ = ["Submodels", "forward_search", "submodels_of"]

Submodels = Callable[[frozenset[Candidate]], Submodel | None]
"""From terms to the model with them; None where it cannot be estimated. Each is made once."""


def submodels_of(reference: Reference, candidates: Sequence[Candidate]) -> Submodels:
    """Return the models with some of the candidates, each made when it is needed and kept.

    Args:
        reference: what they are projections of.
        candidates: all terms, in the order in which formulas name them.
    """

    @cache
    def made(chosen: frozenset[Candidate]) -> Submodel | None:
        try:
            return submodel(reference, [candidate for candidate in candidates if candidate in chosen])
        except BayesmlError:
            if not chosen or len(chosen) == len(candidates):
                raise
            return None

    return made


def forward_search(
    submodels: Submodels, candidates: Sequence[Candidate], targets: Targets, largest: int
) -> tuple[tuple[Candidate, ...], tuple[float, ...]]:
    """Return the candidates in the order in which they are chosen, and the divergence of each size, from none on.

    At each step the term is added with which the projections of the targets have the smallest divergence from them, of
    those whose smaller terms are there.

    Args:
        submodels: the models.
        candidates: the terms.
        targets: what is projected.
        largest: how many terms at most.

    Raises:
        ModelError: no term can be added.
    """
    chosen: tuple[Candidate, ...] = ()
    distances = [_distance(submodels, chosen, targets)]
    while len(chosen) < largest:
        free = [each for each in candidates if each not in chosen and each.may_follow(chosen)]
        found = [_distance(submodels, (*chosen, each), targets) for each in free]
        if not found or min(found) == float("inf"):
            raise ModelError(
                f"No term can be added to a model with {_listed(chosen)}: none of the models is estimable."
            )
        place = found.index(min(found))
        chosen, distances = (*chosen, free[place]), [*distances, found[place]]
    return chosen, tuple(distances)


def _distance(submodels: Submodels, chosen: tuple[Candidate, ...], targets: Targets) -> float:
    model = submodels(frozenset(chosen))
    return float("inf") if model is None else model.distance(targets)


def _listed(chosen: Sequence[Candidate]) -> str:
    return ", ".join(f"`{each.text}`" for each in chosen) or "the intercept alone"
