"""Group terms: ``(columns | factors)`` cut at its bar, its factors expanded (``a/b`` is ``a`` and ``a:b``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bayesml.errors import FormulaError
from bayesml.formula.grouping import read_grouping
from bayesml.formula.language import Language
from bayesml.formula.terms import TermReader
from bayesml.formula.tokens import Kind, Token, fault, quote_name, text_between
from bayesml.formula.types import Expression, GroupCall, LinearPart

__all__ = ["read_group", "refuse_duplicates", "refuse_unequal_ids"]

_DOT_HELP = "`.` has no meaning inside a group term; name the columns."


def read_group(
    tokens: Sequence[Token], brackets: Mapping[int, int], source: str, opening: int, closing: int, language: Language
) -> tuple[GroupCall, ...]:
    """Return the group terms that ``( ... | ... )`` between two brackets stands for.

    Raises:
        FormulaError: a side is empty, there is a third bar, or the factors are not names.
    """
    bars = _find_bars(tokens, source, opening, closing)
    reader = _read_columns(tokens, brackets, source, opening + 1, bars[0], language)
    terms = reader.read()
    columns = _linear_part(reader, terms, tokens[opening + 1 : bars[0]])
    start, text = tokens[opening].start, text_between(tokens[opening : closing + 1], source)
    shared = _read_id(tokens, source, bars)
    sides = read_grouping(tokens[bars[-1] + 1 : closing], source, tokens[closing])
    calls = []
    for side in sides:
        if shared and side.id and side.id != shared:
            message = f"The term has two identifiers, `{shared}` and `{side.id}`; keep one."
            raise fault(message, source, start, start + len(text))
        call = GroupCall(
            columns,
            side.factors,
            tokens[bars[0]].text == "|" and side.correlated,
            start,
            text,
            reader.special_terms,
            shared or side.id,
            side.by,
            side.cov,
            side.dist,
            side.prior_weights,
            side.membership,
        )
        calls.append(call)
    return tuple(calls)


def _find_bars(tokens: Sequence[Token], source: str, opening: int, closing: int) -> list[int]:
    """Return the places of the bar, or of the two bars of ``(x | id | g)``."""
    bars, depth = [], 0
    for index in range(opening + 1, closing):
        depth += tokens[index].has_text("(", "[") - tokens[index].has_text(")", "]")
        if depth == 0 and tokens[index].has_text("|", "||"):
            bars.append(index)
    if len(bars) > 2:
        message = "A third bar: a group term is written `(x | group)`, or `(x | id | group)`."
        raise fault(message, source, tokens[bars[2]].start, tokens[bars[2]].stop)
    if len(bars) == 2 and tokens[bars[0]].text != tokens[bars[1]].text:
        message = "Write both bars alike: `(x | id | group)`, or `(x || id || group)` without correlations."
        raise fault(message, source, tokens[bars[1]].start, tokens[bars[1]].stop)
    return bars


def _read_id(tokens: Sequence[Token], source: str, bars: Sequence[int]) -> str:
    if len(bars) < 2:
        return ""
    inside = tokens[bars[0] + 1 : bars[1]]
    if len(inside) != 1 or not (inside[0].is_name or inside[0].kind is Kind.NUMBER):
        start, stop = tokens[bars[0]].start, tokens[bars[1]].stop
        raise fault("Between two bars stands one name, as in `(x | id | group)`.", source, start, stop)
    return inside[0].name


def _read_columns(
    tokens: Sequence[Token], brackets: Mapping[int, int], source: str, start: int, stop: int, language: Language
) -> TermReader:
    if start == stop:
        message = "Nothing stands left of the bar; write `(1 | group)` for varying intercepts."
        raise fault(message, source, tokens[stop].start, tokens[stop].stop)
    return TermReader(
        tokens, brackets, source, start, stop, dot=None, dot_help=_DOT_HELP, lift=False, language=language
    )


def _linear_part(reader: TermReader, terms: tuple[tuple[str, ...], ...], tokens: Sequence[Token]) -> LinearPart:
    source = reader.source
    expression = Expression(text_between(tokens, source), source, tokens[0].start)
    if not terms and not reader.special_terms and not reader.intercept:
        message = "The group term has no column: neither an intercept nor a slope is left of the bar."
        raise fault(message, source, tokens[0].start, tokens[-1].stop)
    return LinearPart(reader.intercept, terms, expression)


def refuse_duplicates(groups: Sequence[GroupCall], source: str) -> None:
    """Refuse two group terms that give one column an effect of the same factor twice.

    Raises:
        FormulaError: ``(1 | g) + (x | g)`` holds the intercept of ``g`` twice.
    """
    seen: set[tuple[frozenset[str], bool, frozenset[str]]] = set()
    for group in groups:
        columns = group.columns
        has_intercept = columns.intercept and not _is_one_special(group)
        effects = [frozenset(term) for term in columns.terms] + ([frozenset[str]()] if has_intercept else [])
        effects += [call.parts for call in group.specials]
        for effect in effects:
            key = (frozenset(group.factors), group.membership is None, effect)
            if key in seen:
                raise _duplicate(group, effect, source)
            seen.add(key)


def _is_one_special(group: GroupCall) -> bool:
    """Whether a term is one call such as ``(cs(0 + x) | g)``, which says itself whether it has an intercept."""
    written = group.columns.expression.text.replace(" ", "")
    return group.membership is None and [call.spelling.replace(" ", "") for call in group.specials] == [written]


def refuse_unequal_ids(groups: Sequence[GroupCall]) -> None:
    """Refuse terms that share an identifier and say different things about their levels.

    Args:
        groups: the group terms of all predictors.

    Raises:
        FormulaError: ``(1 | p | g)`` beside ``(1 | p | h)``; points at the second.
    """
    first: dict[str, GroupCall] = {}
    for group in groups:
        other = first.setdefault(group.id, group)
        if group.id and _levels_of(group) != _levels_of(other):
            message = (
                f"Terms with the identifier `{group.id}` share one correlation matrix over the levels of one factor, "
                f"but `{other.text}` and `{group.text}` differ right of the bar."
            )
            raise fault(message, group.columns.expression.source, group.start, group.start + len(group.text))


def _levels_of(group: GroupCall) -> tuple[object, ...]:
    return group.factors, group.correlated, group.by, group.cov, group.dist, group.prior_weights, group.membership


def _duplicate(group: GroupCall, effect: frozenset[str], source: str) -> FormulaError:
    what = ":".join(sorted(effect)) if effect else "the intercept"
    factor = ":".join(quote_name(name) for name in group.factors)
    message = (
        f"Two group terms give {what} an effect of `{factor}`. Keep one: `(1 + x | {factor})` holds intercept and "
        f"slope, `(0 + x | {factor})` the slope alone."
    )
    return fault(message, source, group.start, group.start + len(group.text))
