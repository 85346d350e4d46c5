"""From ``( | )`` calls to group-level terms: those on one factor are held together in one term."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayesml.errors import FormulaError
from bayesml.formula import GroupCall, Predictor, special_fault
from bayesml.frame import Frame
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.group import Group, merged, refuse_more
from bayesml.terms.group_level import AbstractGroupTerm
from bayesml.terms.left_of_bar import COVARIATES_OF_MEMBERS, has_calls, has_specific

if TYPE_CHECKING:
    from bayesml.terms.members import Members

__all__ = ["collect"]


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim every ``( | )`` term; terms on one factor are merged in the order written.

    Raises:
        FormulaError: a term says what this version cannot fit, or ``mmc()`` stands outside of a group term.
        DataError: the levels do not fit what is said about them.
    """
    for call in predictor.specials:
        if call.name in COVARIATES_OF_MEMBERS:
            raise special_fault(f"`{call.term}`: `mmc()` stands left of the bar of a term with `mm()`.", call)
    for part in predictor.groups:
        refuse_more(part)
    by_factor: dict[tuple[bool, tuple[str, ...]], list[GroupCall]] = {}
    for part in predictor.groups:
        by_factor.setdefault((part.membership is None, part.factors), []).append(part)
    return tuple(_term(parts, frame, predictor, functions) for parts in by_factor.values())


def _term(parts: list[GroupCall], frame: Frame, predictor: Predictor, functions: Functions) -> AbstractGroupTerm:
    if any(map(has_specific, parts)):
        return _specific(parts, frame, predictor, functions)
    _refuse_unlike_strata(parts)
    _refuse_unlike_levels(parts)
    if any(has_calls(part) for part in parts):
        return _special(parts, frame, predictor, functions)
    return _ordinary(parts, frame, predictor, functions)


def _ordinary(parts: list[GroupCall], frame: Frame, predictor: Predictor, functions: Functions) -> AbstractGroupTerm:
    members = _members(parts[0], functions)
    return _with_structure(merged(parts, frame, predictor, functions, members), parts, frame, members)


def _with_structure(
    group: Group, parts: Sequence[GroupCall], frame: Frame, members: Members | None
) -> AbstractGroupTerm:
    """Return the effects as the terms say how their levels depend on each other."""
    base = _independent(group, parts, frame, members)
    first = parts[0]
    has_structure = first.cov or first.prior_weights or first.has_tails or members is not None
    return _structured(group, base, first, frame, members) if has_structure else base


# Most models have none of the following, which are imported where a term needs them.


def _special(parts: list[GroupCall], frame: Frame, predictor: Predictor, functions: Functions) -> AbstractGroupTerm:
    """Return effects of which some multiply calls such as ``mo(x)``."""
    from bayesml.terms.special import effects_of
    from bayesml.terms.special_effects import with_placeholders
    from bayesml.terms.special_group import columns_of_calls, labelled, of_calls

    effects = effects_of(predictor, frame, functions)
    if effects is None:
        part = next(part for part in parts if has_calls(part))
        call = part.specials[0]
        raise special_fault(
            f"`{part.text}` moves the coefficient of `{call.term}`, which is not there; write `{call.term}` among the "
            "terms without a bar too.",
            call,
        )
    plain = [columns_of_calls(part, effects) for part in parts]
    group = merged(plain, with_placeholders(frame, len(effects.calls)), predictor, functions)
    return of_calls(_with_structure(labelled(group, effects), plain, frame, None), effects, parts)


def _specific(parts: list[GroupCall], frame: Frame, predictor: Predictor, functions: Functions) -> AbstractGroupTerm:
    """Return effects of which some differ between thresholds."""
    from bayesml.terms.specific_group import SpecificGroup, ordinary_parts

    group = merged(ordinary_parts(parts), frame, predictor, functions)
    return SpecificGroup.of(group, parts, list(map(has_specific, parts)))


def _members(part: GroupCall, functions: Functions) -> Members | None:
    """Return the columns of the levels that a row belongs to; None where it belongs to one."""
    if part.membership is None:
        return None
    from bayesml.terms.members import Members

    return Members.of(part, functions)


def _structured(
    group: Group, base: AbstractGroupTerm, first: GroupCall, frame: Frame, members: Members | None
) -> AbstractGroupTerm:
    """Return effects of levels that are not independent, or not normal, or of which a row has several."""
    from bayesml.terms.known_covariance import KnownCovariance
    from bayesml.terms.level_weights import level_weights
    from bayesml.terms.structured_group import StructuredGroup

    labels = group.levels.labels
    known = KnownCovariance.of(frame.matrices[first.cov], labels, first.text) if first.cov else None
    if first.prior_weights:
        weights = level_weights(first, group, frame)
        known = KnownCovariance.of_weights(weights, labels, first.text) if known is None else known.weighted(weights)
    return StructuredGroup(
        group.predictor,
        group.factors,
        group.levels,
        group.coefs,
        group.blocks,
        group.encodings,
        base,
        known,
        first.has_tails,
        members,
        title=group.title,
    )


def _independent(group: Group, parts: Sequence[GroupCall], frame: Frame, members: Members | None) -> AbstractGroupTerm:
    """Return the effects of independent levels, in strata or shared with other predictors where the terms say so."""
    ids = _ids(group, parts) if any(part.id and part.correlated for part in parts) else ()
    if ids and _strata(parts[0]) and (parts[0].cov or parts[0].prior_weights):
        raise _fault(
            parts[0],
            f"`{parts[0].text}` has an identifier, strata (by=) and covariances or weights of its levels; any two of "
            "these are available together, all three are not. Leave one of them out.",
        )
    if members is not None and members.by:
        from bayesml.terms.member_strata import stratified_members

        return stratified_members(group, members, ids, frame)
    if parts[0].by:
        from bayesml.terms.stratified_group import stratified

        return stratified(group, parts[0], ids, frame)
    return _shared(group, ids) if ids else group


def _ids(group: Group, parts: Sequence[GroupCall]) -> tuple[str, ...]:
    """Return the identifier of each block of columns, empty where it has none."""
    widths = [len(encoding.labels) for encoding in group.encodings]
    widths[-1] += len(group.coefs) - sum(widths)  # columns that differ between members
    return tuple(
        identity
        for part, width in zip(parts, widths, strict=True)
        for identity in ((part.id,) if part.correlated else ("",) * width)
    )


def _shared(group: Group, ids: tuple[str, ...]) -> AbstractGroupTerm:
    """Return effects that may be correlated with those of other predictors."""
    from bayesml.terms.shared_group import SharedGroup

    return SharedGroup(
        group.predictor, group.factors, group.levels, group.coefs, group.blocks, group.encodings, ids, group.spreads,
        title=group.title,
    )  # fmt: skip


def _refuse_unlike_strata(parts: list[GroupCall]) -> None:
    """Raise a FormulaError where the strata of the terms on one factor cannot be those of one term."""
    _refuse_unlike(parts, [_strata(part) for part in parts], "with different strata. Say by=")


def _strata(part: GroupCall) -> tuple[str, ...]:
    """Return the columns of the strata."""
    of_members = () if part.membership is None else part.membership.by
    return of_members or ((part.by,) if part.by else ())


def _refuse_unlike_levels(parts: list[GroupCall]) -> None:
    """Raise a FormulaError where terms on one factor say different things about its levels."""
    _refuse_unlike(parts, [part.cov for part in parts], "with different covariances of its levels. Say cov=")
    _refuse_unlike(parts, [part.prior_weights for part in parts], "with different weights of its levels. Say pw=")
    _refuse_unlike(parts, [part.dist for part in parts], "with different distributions. Say dist=")
    _refuse_unlike(
        parts,
        [None if m is None else (tuple(w.text for w in m.weights), m.scale) for m in (p.membership for p in parts)],
        "with different weights. Say weights= and scale=",
    )
    several = [part for part in parts if part.specials]
    if len(several) > 1 or (several and several[0] is not parts[0]):
        raise _fault(several[-1], "Of several terms on the same `mm()` the first holds every `mmc()`.")


def _refuse_unlike(parts: list[GroupCall], said: Sequence[object], what: str) -> None:
    unlike = next((part for part, value in zip(parts, said, strict=True) if value != said[0]), None)
    if unlike is not None:
        factor = ":".join(unlike.factors)
        raise _fault(
            unlike,
            f"`{parts[0].text}` and `{unlike.text}` are effects of one factor {what} in both "
            f"or in neither, or give the second a factor of its own: a copy of the column {factor}.",
        )


def _fault(part: GroupCall, message: str) -> FormulaError:
    return FormulaError.at(message, part.columns.expression.source, part.start, part.start + len(part.text))
