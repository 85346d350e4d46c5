"""From ``( | )`` calls to group-level terms: those on one factor are held together in one term."""

from __future__ import annotations

from bayesml.errors import FormulaError
from bayesml.formula import GroupCall, Predictor
from bayesml.frame import Frame
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.group import merged, refuse_more
from bayesml.terms.group_level import AbstractGroupTerm
from bayesml.terms.shared_group import SharedGroup
from bayesml.terms.stratified_group import stratified

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
    _refuse_unlike_strata(parts)
    group = merged(parts, frame, predictor, functions)
    if parts[0].by:
        return stratified(group, parts[0], frame)
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


def _refuse_unlike_strata(parts: list[GroupCall]) -> None:
    """Raise a FormulaError where the strata of the terms on one factor cannot be those of one term."""
    with_id = next((part for part in parts if part.by and part.id), None)
    if with_id is not None:
        raise _fault(
            with_id,
            f"`{with_id.text}` has an identifier and strata (by={with_id.by}), which are not available together in "
            "this version of bayesml; leave one of them out.",
        )
    unlike = next((part for part in parts if part.by != parts[0].by), None)
    if unlike is not None:
        factor = ":".join(unlike.factors)
        raise _fault(
            unlike,
            f"`{parts[0].text}` and `{unlike.text}` are effects of one factor with different strata. Say by= in both "
            f"or in neither, or give the second a factor of its own: a copy of the column {factor}.",
        )


def _fault(part: GroupCall, message: str) -> FormulaError:
    return FormulaError.at(message, part.columns.expression.source, part.start, part.start + len(part.text))
