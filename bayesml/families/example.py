"""An example beside each family, from which the contract tests learn what the family is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from bayesml.families.base import AbstractFamily

__all__ = ["Example"]


@final
@dataclass(frozen=True)
class Example:
    """A response with known densities.

    Attributes:
        family: the family with its links.
        y: responses, one for each row, that the family's check accepts; at the edges of the support too. Of a response
            of several columns a tuple for each row, shares that sum to 1 or counts.
        parameters: the parameters on their natural scale, the same in every row; a tuple for one of several elements.
        log_density: log density of each row.
        source: where the densities come from.
        additions: what response terms give, ``{"trials": (7.0, ...)}``.
        support: bounds of a continuous response, None where it is a count or a category, or has several columns.
        atoms: values that have a probability of their own beside the density.
        answers: values of additions that belong to the response, so that densities sum to 1 over these too.
        columns: names of the columns of a response of several.
    """

    family: AbstractFamily
    y: tuple[float, ...] | tuple[tuple[float, ...], ...]
    parameters: Mapping[str, float | tuple[float, ...] | tuple[tuple[float, ...], ...]]
    log_density: tuple[float, ...]
    source: str
    additions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    support: tuple[float, float] | None = None
    atoms: tuple[float, ...] = ()
    columns: tuple[str, ...] = ()
    answers: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
