"""From ``( | )`` calls to group-level terms: those on one factor are held together in one term."""

from __future__ import annotations

from bayesml.formula import GroupCall, Predictor
from bayesml.frame import Frame
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.group import merged, refuse_more
from bayesml.terms.group_level import AbstractGroupTerm
from bayesml.terms.shared_group import SharedGroup

__all__ = ["collect"]


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim every ``( | )`` term; terms on one factor are merged in the order written.

    Raises:
        FormulaError: a term says more than columns, factors and an identifier.
    """
    for part in predictor.groups:
        refuse_more(part)
    by_factor: dict[tuple[str, ...], list[GroupCall]] = {}
    for part in predictor.groups:
        by_factor.setdefault(part.factors, []).append(part)
    return tuple(_term(parts, frame, predictor, functions) for parts in by_factor.values())


def _term(parts: list[GroupCall], frame: Frame, predictor: Predictor, functions: Functions) -> AbstractGroupTerm:
    group = merged(parts, frame, predictor, functions)
    if not any(part.id and part.correlated for part in parts):
        return group
    widths = [len(encoding.labels) for encoding in group.encodings]
    ids = tuple(
        identity
        for part, width in zip(parts, widths, strict=True)
        for identity in ((part.id,) if part.correlated else ("",) * width)
    )
    return SharedGroup(
        group.predictor, group.factors, group.levels, group.coefs, group.blocks, group.encodings, ids, group.spreads
    )
