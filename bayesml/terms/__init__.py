"""The term kinds. Adding one is one file and one line here."""

from __future__ import annotations

from bayesml.terms import group, offset, population
from bayesml.terms.base import AbstractTerm, Collect, Functions, Scale
from bayesml.terms.group import Group
from bayesml.terms.offset import Offset
from bayesml.terms.population import Population

__all__ = ["CLAIMS", "TERMS", "AbstractTerm", "Collect", "Functions", "Group", "Offset", "Population", "Scale"]

TERMS: tuple[Collect, ...] = (population.collect, group.collect, offset.collect)
"""Each takes a parsed predictor and the data and returns the encoded terms it claims."""

CLAIMS: dict[str, str] = {}
"""The special calls that kinds claim, ``{"mo": "monotonic effect"}``; the grammar reads them as terms of their own."""
